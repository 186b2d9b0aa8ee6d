//! Paths over the contour lines of a function of two variables, in panels that are all alike.

use std::collections::BTreeMap;

use super::axis::{Axis, FittedAxis};
use super::canvas::{MARGIN, Rect, WIDTH};
use super::svg::{Anchor, Drawing, Paint, Stroke, Text, add_title};
use super::text;

/// Panels side by side.
const COLUMNS: usize = 2;
/// Height of a panel's plot.
const PANEL_HEIGHT: f64 = 165.0;
/// Distance between panels side by side.
const GAP: f64 = 18.0;
/// Height of the line with a panel's name.
const HEAD: f64 = 24.0;
/// Ticks of an axis, at most.
const TICKS: usize = 5;
/// Colour of the paths.
const PATH: Paint = Paint::Series(1);

/// Several paths over the same function, a panel each, all with the same axes.
#[derive(Clone, Debug)]
pub struct ContourChart {
    /// Title of the figure.
    pub title: String,
    /// What the lines and marks mean.
    pub note: String,
    /// Horizontal axis; it spans the surface.
    pub x: Axis,
    /// Vertical axis; it spans the surface.
    pub y: Axis,
    /// The function.
    pub surface: Surface,
    /// Values that contour lines are drawn at.
    pub levels: Vec<f64>,
    /// The point that paths should reach, marked with a cross.
    pub minimum: (f64, f64),
    /// Panels, in rows of two.
    pub panels: Vec<ContourPanel>,
}

/// A function of two variables, sampled at the points of a grid.
#[derive(Clone, Debug)]
pub struct Surface {
    /// Horizontal places of the grid, ascending.
    xs: Vec<f64>,
    /// Vertical places of the grid, ascending.
    ys: Vec<f64>,
    /// Values by place in `ys`, then in `xs`.
    values: Vec<Vec<f64>>,
}

/// One path.
#[derive(Clone, Debug)]
pub struct ContourPanel {
    /// Name of the path, above the panel.
    pub name: String,
    /// A few words behind the name.
    pub note: String,
    /// Points of the path, the start first. It ends before the first point that is not finite, and at the edge of
    /// the panel where it leaves that.
    pub path: Vec<(f64, f64)>,
}

impl Surface {
    /// Samples `function` at `cells + 1` even places from `low` to `high` in both directions.
    ///
    /// # Panics
    ///
    /// If `cells` is 0.
    pub fn sample(
        (x_low, x_high): (f64, f64),
        (y_low, y_high): (f64, f64),
        cells: usize,
        function: impl Fn(f64, f64) -> f64,
    ) -> Self {
        assert!(cells > 0, "a surface has at least one cell");
        let places = |low: f64, high: f64| -> Vec<f64> {
            (0..=cells).map(|i| low + (high - low) * i as f64 / cells as f64).collect()
        };
        let (xs, ys) = (places(x_low, x_high), places(y_low, y_high));
        let row = |y: &f64| xs.iter().map(|x| function(*x, *y)).collect();
        let values = ys.iter().map(row).collect();
        Self { xs, ys, values }
    }

    /// The lines along which the function has the value `level`, by marching squares with straight lines
    /// between the points of the grid. Closed lines end where they start. Cells with a corner that is not
    /// finite have none.
    pub fn contour(&self, level: f64) -> Vec<Vec<(f64, f64)>> {
        let mut neighbours: BTreeMap<Edge, Vec<Edge>> = BTreeMap::new();
        for row in 0..self.ys.len() - 1 {
            for column in 0..self.xs.len() - 1 {
                for (from, to) in self.segments(row, column, level) {
                    neighbours.entry(from).or_default().push(to);
                    neighbours.entry(to).or_default().push(from);
                }
            }
        }
        let place = |edge: &Edge| self.crossing(*edge, level);
        let mut lines = Vec::new();
        while let Some(start) = next_start(&neighbours) {
            let line = take_line(&mut neighbours, start);
            lines.push(line.iter().map(place).collect());
        }
        lines
    }

    /// The pieces of contour lines in one cell.
    fn segments(&self, row: usize, column: usize, level: f64) -> Vec<(Edge, Edge)> {
        let corner = |up: usize, right: usize| self.values[row + up][column + right];
        // Counter-clockwise from the lower left; edge `i` lies between corners `i` and `i + 1`.
        let corners = [corner(0, 0), corner(0, 1), corner(1, 1), corner(1, 0)];
        if corners.iter().any(|value| !value.is_finite()) {
            return Vec::new();
        }
        let edges = [
            Edge { row, column, upward: false },
            Edge { row, column: column + 1, upward: true },
            Edge { row: row + 1, column, upward: false },
            Edge { row, column, upward: true },
        ];
        let above = corners.map(|value| value >= level);
        let crossed: Vec<Edge> =
            (0..4).filter(|&i| above[i] != above[(i + 1) % 4]).map(|i| edges[i]).collect();
        match crossed[..] {
            [from, to] => vec![(from, to)],
            // A saddle: the middle of the cell says which two corners belong together.
            [a, b, c, d] if (corners.iter().sum::<f64>() / 4.0 >= level) == above[0] => {
                vec![(a, b), (c, d)]
            }
            [a, b, c, d] => vec![(d, a), (b, c)],
            _ => Vec::new(),
        }
    }

    /// Where the function reaches `level` on an edge of the grid.
    fn crossing(&self, edge: Edge, level: f64) -> (f64, f64) {
        let Edge { row, column, upward } = edge;
        let (next_row, next_column) = if upward { (row + 1, column) } else { (row, column + 1) };
        let (from, to) = (self.values[row][column], self.values[next_row][next_column]);
        let share = (level - from) / (to - from);
        let between = |low: f64, high: f64| low + share * (high - low);
        (between(self.xs[column], self.xs[next_column]), between(self.ys[row], self.ys[next_row]))
    }
}

/// An edge of the grid, from the point at (`row`, `column`) upward or to the right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Edge {
    row: usize,
    column: usize,
    upward: bool,
}

/// The end of an open line, or if there is none any edge of a closed one.
fn next_start(neighbours: &BTreeMap<Edge, Vec<Edge>>) -> Option<Edge> {
    let open = neighbours.iter().find(|(_, others)| others.len() == 1);
    open.or_else(|| neighbours.iter().next()).map(|(edge, _)| *edge)
}

/// Follows a line from `start` to its end or around, and takes it out of the map.
fn take_line(neighbours: &mut BTreeMap<Edge, Vec<Edge>>, start: Edge) -> Vec<Edge> {
    let (mut line, mut here) = (vec![start], start);
    while let Some(next) = neighbours.get(&here).and_then(|others| others.last().copied()) {
        for (from, to) in [(here, next), (next, here)] {
            let others = neighbours.get_mut(&from).expect("both ends of a piece are known");
            let place = others.iter().position(|edge| *edge == to);
            others.swap_remove(place.expect("a piece is known at both ends"));
            if others.is_empty() {
                neighbours.remove(&from);
            }
        }
        line.push(next);
        here = next;
    }
    line
}

impl ContourChart {
    /// Draws the chart.
    pub fn draw(&self) -> Drawing {
        let rows = self.panels.len().div_ceil(COLUMNS);
        let top = 62.0;
        let row_height = HEAD + PANEL_HEIGHT + 10.0;
        let below = 8.0 + text::SMALL + text::LABEL + MARGIN;
        let height = top + rows as f64 * row_height + below;
        let mut drawing = Drawing::new(self.title.clone(), height);
        add_title(&mut drawing, &self.title);
        let note = text::fit(&self.note, text::TINY, WIDTH - 2.0 * MARGIN);
        let note = Text::new(MARGIN, 47.0, text::TINY, Anchor::Start, note);
        drawing.text(note.painted(Paint::Muted));
        let fit = |axis: &Axis, places: &[f64]| axis.fit(places.iter().copied(), TICKS);
        let x = fit(&self.x, &self.surface.xs);
        let y = fit(&self.y, &self.surface.ys);
        let (Some(x), Some(y)) = (x, y) else { return drawing };
        let widest = y.ticks().iter().map(|tick| text::width(&tick.label, text::SMALL));
        let left = MARGIN + text::LABEL + 10.0 + widest.fold(0.0, f64::max) + 8.0;
        // Half of the last tick's label reaches beyond the last panel.
        let right = MARGIN + 6.0;
        let width = (WIDTH - left - right - GAP * (COLUMNS as f64 - 1.0)) / COLUMNS as f64;
        let contours: Vec<Vec<(f64, f64)>> =
            self.levels.iter().flat_map(|level| self.surface.contour(*level)).collect();
        for (number, panel) in self.panels.iter().enumerate() {
            let (row, column) = (number / COLUMNS, number % COLUMNS);
            let area = Rect::new(
                left + column as f64 * (width + GAP),
                top + row as f64 * row_height + HEAD,
                width,
                PANEL_HEIGHT,
            );
            let plane = Plane { area, x: &x, y: &y };
            plane.draw_axes(&mut drawing, column == 0, number + COLUMNS >= self.panels.len());
            for line in &contours {
                plane.draw_line(&mut drawing, line, Stroke::new(Paint::Muted, 0.8).faint(0.6));
            }
            plane.draw_minimum(&mut drawing, self.minimum);
            panel.draw(&mut drawing, &plane);
        }
        self.draw_labels(&mut drawing, left, top, rows as f64 * row_height);
        drawing
    }

    fn draw_labels(&self, drawing: &mut Drawing, left: f64, top: f64, height: f64) {
        let width = WIDTH - left - MARGIN;
        let label = text::fit(self.x.label(), text::LABEL, width);
        let foot = drawing.height() - MARGIN;
        let middle = left + width / 2.0;
        drawing.text(Text::new(middle, foot, text::LABEL, Anchor::Middle, label));
        let label = text::fit(self.y.label(), text::LABEL, height);
        let beside = MARGIN + text::LABEL * 0.8;
        let label = Text::new(beside, top + height / 2.0, text::LABEL, Anchor::Middle, label);
        drawing.text(label.turned(-90.0));
    }
}

impl ContourPanel {
    fn draw(&self, drawing: &mut Drawing, plane: &Plane) {
        let area = plane.area;
        let name = text::fit(&self.name, text::SMALL, area.width);
        let used = text::width(&name, text::SMALL) + 10.0;
        drawing.text(Text::new(area.x, area.y - 7.0, text::SMALL, Anchor::Start, name));
        if area.width - used > 30.0 {
            let note = text::fit(&self.note, text::TINY, area.width - used);
            let note = Text::new(area.right(), area.y - 7.0, text::TINY, Anchor::End, note);
            drawing.text(note.painted(Paint::Muted));
        }
        let is_finite = |point: &&(f64, f64)| point.0.is_finite() && point.1.is_finite();
        let path: Vec<(f64, f64)> =
            self.path.iter().take_while(is_finite).filter_map(|p| plane.place(*p)).collect();
        if path.len() > 1 {
            drawing.path(&path, Stroke::new(PATH, 1.6));
        }
        for point in &path {
            drawing.circle(*point, 2.3, Stroke::fill(PATH));
        }
        if let Some((x, y)) = path.last() {
            let square = Rect::new(x - 4.0, y - 4.0, 8.0, 8.0);
            drawing.rect(square, Stroke::new(Paint::Paper, 1.0).filled(Paint::Ink));
        }
        if let Some(start) = path.first() {
            drawing.circle(*start, 5.0, Stroke::new(Paint::Ink, 1.6));
        }
    }
}

/// A panel's area, and what turns values into places in it.
struct Plane<'a> {
    area: Rect,
    x: &'a FittedAxis,
    y: &'a FittedAxis,
}

impl Plane<'_> {
    fn place(&self, (x, y): (f64, f64)) -> Option<(f64, f64)> {
        let (across, up) = (self.x.place(x)?, self.y.place(y)?);
        let Rect { x, width, height, .. } = self.area;
        Some((x + across * width, self.area.bottom() - up * height))
    }

    fn draw_axes(&self, drawing: &mut Drawing, is_first: bool, is_last: bool) {
        let (area, foot) = (self.area, self.area.bottom());
        for tick in self.y.ticks() {
            let Some(up) = self.y.place(tick.value) else { continue };
            let y = foot - up * area.height;
            drawing.line((area.x - 4.0, y), (area.x, y), Stroke::new(Paint::Muted, 1.0));
            if is_first {
                let label = Text::new(area.x - 8.0, y + 5.0, text::SMALL, Anchor::End, &tick.label);
                drawing.text(label);
            }
        }
        for tick in self.x.ticks() {
            let Some(across) = self.x.place(tick.value) else { continue };
            let x = area.x + across * area.width;
            drawing.line((x, foot), (x, foot + 4.0), Stroke::new(Paint::Muted, 1.0));
            if is_last {
                let y = foot + 7.0 + text::SMALL * 0.8;
                drawing.text(Text::new(x, y, text::SMALL, Anchor::Middle, &tick.label));
            }
        }
        drawing.rect(area, Stroke::new(Paint::Muted, 1.0));
    }

    fn draw_line(&self, drawing: &mut Drawing, line: &[(f64, f64)], stroke: Stroke) {
        let places: Vec<(f64, f64)> = line.iter().filter_map(|point| self.place(*point)).collect();
        drawing.path(&places, stroke);
    }

    fn draw_minimum(&self, drawing: &mut Drawing, minimum: (f64, f64)) {
        let Some((x, y)) = self.place(minimum) else { return };
        for (dx, dy) in [(5.0, 0.0), (0.0, 5.0)] {
            drawing.line((x - dx, y - dy), (x + dx, y + dy), Stroke::new(Paint::Ink, 1.6));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::png::{assert_text_is_clear, text_boxes};
    use crate::figure::svg::Theme;

    fn chart(panels: usize) -> ContourChart {
        let surface = Surface::sample((-8.0, 8.0), (-4.0, 4.0), 20, |x, y| x * x / 20.0 + y * y);
        let path = vec![(-7.0, 2.0), (-6.0, -1.5), (-5.0, 1.0)];
        let panel = |n| ContourPanel {
            name: format!("Optimizer {n}"),
            note: "27 sign changes".into(),
            path: path.clone(),
        };
        ContourChart {
            title: "Paths".into(),
            note: "Ring: start. Square: end.".into(),
            x: Axis::linear("x").within(-8.0, 8.0),
            y: Axis::linear("y").within(-4.0, 4.0),
            surface,
            levels: vec![0.5, 1.0, 4.0],
            minimum: (0.0, 0.0),
            panels: (0..panels).map(panel).collect(),
        }
    }

    #[test]
    fn the_contour_of_a_circle_is_one_closed_line_near_that_circle() {
        let surface = Surface::sample((-2.0, 2.0), (-2.0, 2.0), 40, |x, y| x * x + y * y);
        let lines = surface.contour(1.0);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert_eq!(lines[0].first(), lines[0].last());
        for (x, y) in &lines[0] {
            // A straight line between points 0.1 apart leaves x² + y² by less than 0.1² / 4.
            assert!((x * x + y * y - 1.0).abs() < 0.0026, "{x}, {y}");
        }
        assert!(surface.contour(9.0).is_empty());
    }

    #[test]
    fn a_line_that_leaves_the_surface_is_open_and_a_plane_has_straight_ones() {
        let surface = Surface::sample((0.0, 4.0), (0.0, 4.0), 4, |x, _| x);
        let lines = surface.contour(1.5);
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].len(), 5);
        assert!(lines[0].iter().all(|(x, _)| (x - 1.5).abs() < 1e-12));
        let ends = [lines[0][0].1, lines[0][4].1];
        assert!(ends == [0.0, 4.0] || ends == [4.0, 0.0], "{ends:?}");
    }

    #[test]
    fn a_saddle_has_two_lines_that_do_not_cross() {
        for level in [-0.1, 0.1] {
            let saddle = Surface::sample((-1.0, 1.0), (-1.0, 1.0), 1, |x, y| x * y);
            let lines = saddle.contour(level);
            assert_eq!(lines.len(), 2);
            // Each cuts off a corner where the product lies beyond the level.
            for line in lines {
                assert!(line[0].0 * line[0].1 * level.signum() > 0.0 || line.len() == 2);
                let middle = (line[0].0 + line[1].0) / 2.0 * (line[0].1 + line[1].1) / 2.0;
                assert!(middle * level > 0.0, "{line:?}");
            }
        }
    }

    #[test]
    fn cells_with_a_hole_have_no_lines() {
        let hole = |x: f64, y: f64| if x == 0.0 && y == 0.0 { f64::NAN } else { x };
        let surface = Surface::sample((-1.0, 1.0), (-1.0, 1.0), 2, hole);
        assert!(surface.contour(0.5).is_empty());
    }

    #[test]
    fn text_is_clear_for_any_number_of_panels() {
        for panels in [0, 1, 2, 5, 6] {
            assert_text_is_clear(&chart(panels).draw());
        }
        let mut long = chart(3);
        long.panels[0].name = "an optimizer of a name that is wider than its panel".into();
        long.panels[1].note = "a note that is wider than what the name leaves it".into();
        assert_text_is_clear(&long.draw());
    }

    #[test]
    fn every_panel_is_named_and_ticks_stand_below_the_last_of_each_column() {
        let texts = text_boxes(&chart(3).draw().to_svg(Theme::Paper));
        let count = |label: &str| texts.iter().filter(|(text, _)| text == label).count();
        assert_eq!((count("Optimizer 0"), count("Optimizer 2")), (1, 1));
        assert_eq!(count("−5"), 2, "{texts:?}");
    }

    #[test]
    fn paths_end_before_what_is_not_finite() {
        let mut odd = chart(2);
        odd.panels[0].path = vec![(1.0, 1.0), (f64::NAN, 0.0), (2.0, 2.0)];
        odd.panels[1].path = Vec::new();
        odd.surface.values[3][4] = f64::INFINITY;
        let svg = odd.draw().to_svg(Theme::Paper);
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
