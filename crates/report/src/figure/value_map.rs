//! Values over two quantities, such as width and number of samples: a map of colours with numbers.

use backburn_records::number;

use super::canvas::{MARGIN, Rect, WIDTH};
use super::svg::{Anchor, Drawing, Paint, Stroke, Text, add_title};
use super::text;

/// Colour of the values; its depth gives the value.
const HUE: Paint = Paint::Series(0);
/// Depth of the least and the greatest value.
const DEPTHS: (f64, f64) = (0.05, 0.95);
/// Depth from which on text in the background's colour is easier to read than ink.
const DEEP: f64 = 0.75;
/// A row's name takes at most this much of the figure's width.
const LONGEST_NAME: f64 = 110.0;
/// Height of a cell, at most.
const CELL_HEIGHT: f64 = 48.0;
/// Size of the scale of colours.
const SCALE: (f64, f64) = (170.0, 15.0);
/// What stands in a cell without a finite value.
const NONE: &str = "–";

/// One value for each pair of a row and a column. Depth of colour goes evenly from the least value to the
/// greatest.
#[derive(Clone, Debug)]
pub struct ValueMap {
    /// Title of the figure.
    pub title: String,
    /// What the values are, with their unit, such as `gap (points)`.
    pub quantity: String,
    /// Decimals of the numbers in the cells.
    pub decimals: usize,
    /// What the columns are, with their unit.
    pub x_label: String,
    /// What the rows are, with their unit.
    pub y_label: String,
    /// Name of each column, from left to right.
    pub columns: Vec<String>,
    /// Name of each row, the uppermost first.
    pub rows: Vec<String>,
    /// Values, as many rows and columns as are named.
    pub values: Vec<Vec<f64>>,
}

impl ValueMap {
    /// Draws the map.
    pub fn draw(&self) -> Drawing {
        let fit = |name: &String| text::fit(name, text::SMALL, LONGEST_NAME);
        let (columns, rows): (Vec<String>, Vec<String>) =
            (self.columns.iter().map(fit).collect(), self.rows.iter().map(fit).collect());
        let widest = |names: &[String]| {
            names.iter().map(|name| text::width(name, text::SMALL)).fold(0.0, f64::max)
        };
        let left = MARGIN + text::LABEL + 10.0 + widest(&rows) + 8.0;
        let width = WIDTH - left - MARGIN;
        let cell_width = width / columns.len().max(1) as f64;
        let top = 84.0;
        let height = CELL_HEIGHT * rows.len() as f64;
        let upright = widest(&columns) + 8.0 > cell_width;
        let names_height = if upright { widest(&columns) } else { text::SMALL };
        let below = 8.0 + names_height + 10.0 + text::LABEL + MARGIN;
        let plot = Rect::new(left, top, width, height);
        let mut drawing = Drawing::new(self.title.clone(), plot.bottom() + below);
        add_title(&mut drawing, &self.title);
        let range = self.range();
        self.draw_scale(&mut drawing, range);
        self.draw_axis_labels(&mut drawing, plot);

        // With many rows and columns there is no room to name them all.
        for (row, name) in rows.iter().enumerate() {
            let y = plot.y + (row as f64 + 0.5) * CELL_HEIGHT + 5.0;
            drawing.text(Text::new(plot.x - 8.0, y, text::SMALL, Anchor::End, name));
        }
        let every = if upright { (18.0 / cell_width.max(1e-9)).ceil() as usize } else { 1 };
        for (column, name) in columns.iter().enumerate().step_by(every.max(1)) {
            let x = plot.x + (column as f64 + 0.5) * cell_width;
            let y = plot.bottom() + 8.0;
            drawing.text(if upright {
                Text::new(x + 5.0, y, text::SMALL, Anchor::End, name).turned(-90.0)
            } else {
                let base = y + text::SMALL * 0.8;
                Text::new(x, base, text::SMALL, Anchor::Middle, name)
            });
        }
        for (row, values) in self.values.iter().enumerate().take(rows.len()) {
            for (column, value) in values.iter().enumerate().take(columns.len()) {
                let (x, y) = (column as f64 * cell_width, row as f64 * CELL_HEIGHT);
                let cell = Rect::new(plot.x + x, plot.y + y, cell_width, CELL_HEIGHT);
                self.draw_cell(&mut drawing, cell, *value, range);
            }
        }
        draw_lines(&mut drawing, plot, rows.len(), columns.len());
        drawing
    }

    /// The least and the greatest finite value; `None` if there is none.
    fn range(&self) -> Option<(f64, f64)> {
        let finite = self.values.iter().flatten().copied().filter(|value| value.is_finite());
        finite.fold(None, |range, value| {
            let (low, high) = range.unwrap_or((value, value));
            Some((low.min(value), high.max(value)))
        })
    }

    fn draw_cell(&self, drawing: &mut Drawing, cell: Rect, value: f64, range: Option<(f64, f64)>) {
        let depth = match range {
            Some(range) if value.is_finite() => depth(value, range),
            _ => 0.0,
        };
        if depth > 0.0 {
            drawing.rect(cell, Stroke::fill(HUE).faint(depth));
        }
        let label = self.label(value);
        let fits = |size: &f64| text::width(&label, *size) + 4.0 <= cell.width;
        let Some(size) = [text::LABEL, text::TINY].into_iter().find(fits) else { return };
        let (x, y) = (cell.x + cell.width / 2.0, cell.y + cell.height / 2.0 + 0.36 * size);
        let paint = if depth >= DEEP { Paint::Paper } else { Paint::Ink };
        drawing.text(Text::new(x, y, size, Anchor::Middle, label).painted(paint));
    }

    fn label(&self, value: f64) -> String {
        if !value.is_finite() {
            NONE.into()
        } else if value.abs() >= 1e6 {
            number::scientific(value)
        } else {
            number::decimals(value, self.decimals)
        }
    }

    /// The scale of colours beneath the title.
    fn draw_scale(&self, drawing: &mut Drawing, range: Option<(f64, f64)>) {
        let y = 60.0;
        let Some((low, high)) = range else {
            let note = Text::new(MARGIN, y, text::SMALL, Anchor::Start, "no finite values");
            drawing.text(note.painted(Paint::Muted));
            return;
        };
        let ends = [self.label(low), self.label(high)];
        let taken = ends.iter().map(|end| text::width(end, text::SMALL)).sum::<f64>();
        let room = WIDTH - 2.0 * MARGIN - SCALE.0 - taken - 32.0;
        let quantity = text::fit(&self.quantity, text::SMALL, room);
        drawing.text(Text::new(MARGIN, y, text::SMALL, Anchor::Start, &quantity));
        let mut x = MARGIN + text::width(&quantity, text::SMALL) + 16.0;
        drawing.text(Text::new(x, y, text::SMALL, Anchor::Start, &ends[0]));
        x += text::width(&ends[0], text::SMALL) + 8.0;
        let steps = 17;
        let step_width = SCALE.0 / f64::from(steps);
        for step in 0..steps {
            let share = f64::from(step) / f64::from(steps - 1);
            let left = x + step_width * f64::from(step);
            let area = Rect::new(left, y - 12.0, step_width, SCALE.1);
            drawing.rect(area, Stroke::fill(HUE).faint(between(share)));
        }
        let end = x + SCALE.0 + 8.0;
        drawing.text(Text::new(end, y, text::SMALL, Anchor::Start, &ends[1]));
    }

    fn draw_axis_labels(&self, drawing: &mut Drawing, plot: Rect) {
        let (x, y) = (plot.x + plot.width / 2.0, plot.y + plot.height / 2.0);
        let label = text::fit(&self.x_label, text::LABEL, plot.width);
        let below = drawing.height() - MARGIN;
        drawing.text(Text::new(x, below, text::LABEL, Anchor::Middle, label));
        let beside = MARGIN + text::LABEL * 0.8;
        // Up to the scale and down to the figure's edge.
        let room = 2.0 * (y - 72.0).min(drawing.height() - MARGIN - y);
        let label = text::fit(&self.y_label, text::LABEL, room);
        let label = Text::new(beside, y, text::LABEL, Anchor::Middle, label);
        drawing.text(label.turned(-90.0));
    }
}

/// Depth of colour of a value within the range of all.
fn depth(value: f64, (low, high): (f64, f64)) -> f64 {
    // Halves, because the distance itself may overflow.
    let width = high / 2.0 - low / 2.0;
    between(if width > 0.0 { (value / 2.0 - low / 2.0) / width } else { 0.5 })
}

fn between(share: f64) -> f64 {
    DEPTHS.0 + (DEPTHS.1 - DEPTHS.0) * share
}

fn draw_lines(drawing: &mut Drawing, plot: Rect, rows: usize, columns: usize) {
    let thin = || Stroke::new(Paint::Grid, 0.8);
    for row in 1..rows {
        let y = plot.y + plot.height * row as f64 / rows as f64;
        drawing.line((plot.x, y), (plot.right(), y), thin());
    }
    for column in 1..columns {
        let x = plot.x + plot.width * column as f64 / columns as f64;
        drawing.line((x, plot.y), (x, plot.bottom()), thin());
    }
    drawing.rect(plot, Stroke::new(Paint::Muted, 1.2));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::png::{assert_text_is_clear, text_boxes};
    use crate::figure::svg::Theme;

    fn map(rows: usize, columns: usize, scale: f64) -> ValueMap {
        let row = |row: usize| {
            (0..columns).map(|column| scale * (row as f64 - column as f64 / 3.0)).collect()
        };
        ValueMap {
            title: "Gap between training and test accuracy".into(),
            quantity: "gap (points)".into(),
            decimals: 1,
            x_label: "training samples".into(),
            y_label: "units per hidden layer".into(),
            columns: (0..columns).map(|column| format!("{}", 10 * column)).collect(),
            rows: (0..rows).map(|row| format!("{}", 10 * row)).collect(),
            values: (0..rows).map(row).collect(),
        }
    }

    #[test]
    fn text_is_clear_for_few_and_many_cells_and_for_any_scale() {
        for (rows, columns, scale) in
            [(5, 7, 11.0), (1, 1, 0.0), (2, 3, 1e9), (12, 12, -1e3), (3, 40, 1.0), (4, 2, 1e-9)]
        {
            assert_text_is_clear(&map(rows, columns, scale).draw());
        }
        let mut long = map(4, 5, 1.0);
        let name = "a name that is longer than there is room for in any figure of this width";
        (long.x_label, long.y_label, long.quantity) = (name.into(), name.into(), name.into());
        long.columns[1] = name.into();
        long.rows[1] = name.into();
        assert_text_is_clear(&long.draw());
    }

    #[test]
    fn every_value_is_written_and_both_ends_of_the_scale_are() {
        let mut map = map(2, 3, 1.0);
        map.values = vec![vec![-1.25, 0.0, 2.0], vec![3.0, 4.0, 5.5]];
        let texts = text_boxes(&map.draw().to_svg(Theme::Paper));
        let written = |label: &str| texts.iter().filter(|(text, _)| text == label).count();
        for inner in ["0.0", "2.0", "3.0", "4.0"] {
            assert_eq!(written(inner), 1, "{inner}");
        }
        for end in ["−1.2", "5.5"] {
            assert_eq!(written(end), 2, "{end}: in its cell and on the scale");
        }
    }

    #[test]
    fn colours_go_evenly_from_the_least_value_to_the_greatest() {
        assert!((depth(-1.0, (-1.0, 3.0)) - DEPTHS.0).abs() < 1e-12);
        assert!((depth(3.0, (-1.0, 3.0)) - DEPTHS.1).abs() < 1e-12);
        assert!((depth(1.0, (-1.0, 3.0)) - 0.5).abs() < 1e-12);
        assert!((depth(0.0, (f64::MIN, f64::MAX)) - 0.5).abs() < 1e-12);
        assert!((depth(2.0, (2.0, 2.0)) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn what_is_not_finite_is_a_dash_and_a_map_without_values_says_so() {
        let mut odd = map(2, 2, 1.0);
        odd.values[0][1] = f64::NAN;
        odd.values[1][0] = f64::INFINITY;
        let svg = odd.draw().to_svg(Theme::Paper);
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        assert_eq!(svg.matches(&format!(">{NONE}<")).count(), 2);
        odd.values = vec![vec![f64::NAN; 2]; 2];
        assert_text_is_clear(&odd.draw());
        assert!(odd.draw().to_svg(Theme::Paper).contains("no finite values"));
        assert!(!map(0, 0, 1.0).draw().to_svg(Theme::Paper).contains("NaN"));
    }
}
