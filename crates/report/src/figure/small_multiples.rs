//! Many small charts on equal axes, so that they can be compared at a glance.

use super::axis::{Axis, FittedAxis};
use super::canvas::{MARGIN, Rect, WIDTH};
use super::legend::{self, Entry};
use super::line_chart::{Markers, Plane, Series, draw_empty, draw_frame, draw_series};
use super::svg::{Anchor, Drawing, Paint, Stroke, Text, add_title};
use super::text;

/// Distance between panels.
const GAP: f64 = 14.0;
/// Height of a line of a heading.
const LINE: f64 = 17.0;
/// Height of a panel's plot by its width.
const ASPECT: f64 = 0.8;
/// There is room for only a few in a panel.
const MARKERS: Markers = Markers { each_up_to: 4, else_about: 4 };

/// Line charts in rows, all with the same axes and the same series.
#[derive(Clone, Debug)]
pub struct SmallMultiples {
    /// Title of the figure.
    pub title: String,
    /// Panels in a row, at least 1.
    pub columns: usize,
    /// Horizontal axis of every panel.
    pub x: Axis,
    /// Vertical axis of every panel.
    pub y: Axis,
    /// The charts, row by row.
    pub panels: Vec<SmallPanel>,
}

/// One chart of [`SmallMultiples`].
#[derive(Clone, Debug)]
pub struct SmallPanel {
    /// What it shows, a line each.
    pub heading: Vec<String>,
    /// Series, as many in every panel, in the same order: colour, marker and dashes follow from it, and the legend
    /// has the names of the first panel.
    pub series: Vec<Series>,
}

impl SmallMultiples {
    /// Draws the charts.
    pub fn draw(&self) -> Drawing {
        let entries: Vec<Entry> = self.panels.first().map_or(Vec::new(), |panel| {
            let entry = |(index, series): (usize, &Series)| Entry {
                look: series.look(index),
                name: series.name().to_owned(),
            };
            panel.series.iter().enumerate().map(entry).collect()
        });
        let areas = legend::place(&entries, MARGIN, 36.0, WIDTH - 2.0 * MARGIN);
        let top = areas.last().map_or(36.0, |area| area.bottom()) + 10.0;
        let grid = self.grid(top);
        let mut drawing = Drawing::new(self.title.clone(), grid.height);
        add_title(&mut drawing, &self.title);
        for (entry, area) in entries.iter().zip(&areas) {
            legend::draw(&mut drawing, entry, *area);
        }
        self.draw_axis_labels(&mut drawing, &grid);
        for (index, panel) in self.panels.iter().enumerate() {
            self.draw_panel(&mut drawing, &grid, index, panel);
        }
        drawing
    }

    fn grid(&self, top: f64) -> Grid {
        let columns = self.columns.max(1);
        let points =
            || self.panels.iter().flat_map(|panel| &panel.series).flat_map(Series::all_points);
        let shown: Vec<(f64, f64)> =
            points().filter(|(x, y)| self.x.shows(*x) && self.y.shows(*y)).collect();
        let y = self.y.fit(shown.iter().map(|p| p.1), 4);
        let widest =
            y.iter().flat_map(|axis| axis.ticks()).map(|tick| text::width(&tick.label, text::TINY));
        let left = MARGIN + text::LABEL + 10.0 + widest.fold(0.0, f64::max) + 7.0;
        let across = WIDTH - left - MARGIN - 6.0;
        let width = (across + GAP) / columns as f64 - GAP;
        // Fewer ticks until their labels stand clear of each other.
        let fit = |ticks| self.x.fit(shown.iter().map(|p| p.0), ticks);
        let is_clear = |axis: &FittedAxis| {
            let labels = axis.ticks().iter().map(|tick| text::width(&tick.label, text::TINY));
            (labels.clone().fold(0.0, f64::max) + 8.0) * labels.count() as f64 <= width
        };
        let x = (1..=4).rev().filter_map(fit).find(is_clear).or_else(|| fit(1));
        let heads: Vec<f64> = self
            .panels
            .chunks(columns)
            .map(|row| LINE * row.iter().map(|panel| panel.heading.len()).max().unwrap_or(0) as f64)
            .collect();
        let height = width * ASPECT;
        let mut plots = Vec::new();
        let mut below = top;
        for (head, row) in heads.iter().zip(self.panels.chunks(columns)) {
            for column in 0..row.len() {
                let x = left + column as f64 * (width + GAP);
                plots.push(Rect::new(x, below + head, width, height));
            }
            below += head + height + GAP;
        }
        // A chart without panels has room to say so.
        let end = if plots.is_empty() { top + 60.0 } else { below - GAP };
        let foot = end + 8.0 + text::TINY + 8.0 + text::LABEL + 8.0;
        let area = Rect::new(left, top, across, end - top);
        Grid { plots, axes: x.zip(y), area, columns, height: foot }
    }

    fn draw_axis_labels(&self, drawing: &mut Drawing, grid: &Grid) {
        let area = grid.area;
        let label = text::fit(self.x.label(), text::LABEL, area.width);
        let (x, y) = (area.x + area.width / 2.0, grid.height - 9.0);
        drawing.text(Text::new(x, y, text::LABEL, Anchor::Middle, label));
        let label = text::fit(self.y.label(), text::LABEL, area.height);
        let (x, y) = (MARGIN + text::LABEL * 0.8, area.y + area.height / 2.0);
        drawing.text(Text::new(x, y, text::LABEL, Anchor::Middle, label).turned(-90.0));
        if self.panels.is_empty() {
            draw_empty(drawing, area);
        }
    }

    fn draw_panel(&self, drawing: &mut Drawing, grid: &Grid, index: usize, panel: &SmallPanel) {
        let plot = grid.plots[index];
        for (line, words) in panel.heading.iter().rev().enumerate() {
            let words = text::fit(words, text::TINY, plot.width + GAP - 4.0);
            let y = plot.y - 5.0 - LINE * line as f64;
            drawing.text(Text::new(plot.x, y, text::TINY, Anchor::Start, words));
        }
        let Some((x, y)) = grid.axes.clone() else {
            draw_frame(drawing, plot);
            let middle = (plot.x + plot.width / 2.0, plot.y + plot.height / 2.0);
            let note = Text::new(middle.0, middle.1, text::TINY, Anchor::Middle, "no values");
            drawing.text(note.painted(Paint::Muted));
            return;
        };
        let plane = Plane { plot, x, y };
        for tick in plane.y.ticks() {
            let Some(up) = plane.y.place(tick.value) else { continue };
            let y = plot.bottom() - up * plot.height;
            drawing.line((plot.x, y), (plot.right(), y), Stroke::new(Paint::Grid, 1.0));
            if index.is_multiple_of(grid.columns) {
                let label = &tick.label;
                drawing.text(Text::new(plot.x - 7.0, y + 4.6, text::TINY, Anchor::End, label));
            }
        }
        for tick in plane.x.ticks() {
            let Some(across) = plane.x.place(tick.value) else { continue };
            let (x, foot) = (plot.x + across * plot.width, plot.bottom());
            drawing.line((x, foot), (x, foot + 4.0), Stroke::new(Paint::Ink, 1.2));
            // Labels of the lowest panels only, and clear of those of the neighbour.
            let half = text::width(&tick.label, text::TINY) / 2.0;
            let room = (plot.x - GAP / 2.0 + 2.0, plot.right() + GAP / 2.0 - 2.0);
            let is_lowest = index + grid.columns >= self.panels.len();
            if is_lowest && x - half >= room.0 && x + half <= room.1 {
                let y = foot + 7.0 + text::TINY * 0.8;
                drawing.text(Text::new(x, y, text::TINY, Anchor::Middle, &tick.label));
            }
        }
        draw_frame(drawing, plot);
        for (index, series) in panel.series.iter().enumerate() {
            draw_series(drawing, &plane, series, series.look(index), MARKERS);
        }
    }
}

/// Where the panels lie, and their axes.
struct Grid {
    plots: Vec<Rect>,
    /// `None` if there is nothing to show in any of them.
    axes: Option<(FittedAxis, FittedAxis)>,
    /// All panels with their headings.
    area: Rect,
    columns: usize,
    height: f64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::png::{assert_text_is_clear, text_boxes};
    use crate::figure::svg::Theme;

    fn figure(columns: usize, panels: usize, heading: &[&str], y: f64) -> SmallMultiples {
        let heading: Vec<String> = heading.iter().map(|line| (*line).to_owned()).collect();
        let line = |name: &str, slope: f64| {
            Series::line(
                name,
                (0..50).map(|x| f64::from(x) * 4.0).map(|x| (x, slope * x * y)).collect(),
            )
        };
        let series = vec![line("with batch normalization", 0.4), line("without", 0.1)];
        SmallMultiples {
            title: "Training accuracy".into(),
            columns,
            x: Axis::counts("update"),
            y: Axis::linear("training accuracy (%)").over(0.0, 100.0),
            panels: vec![SmallPanel { heading, series }; panels],
        }
    }

    #[test]
    fn text_is_clear_of_text_whatever_the_number_of_panels() {
        for (columns, panels) in [(1, 1), (4, 16), (5, 20), (5, 7), (6, 3), (3, 0)] {
            for heading in [&[][..], &["std 0.0086"], &["12: 86 %", "a heading that is too long"]] {
                assert_text_is_clear(&figure(columns, panels, heading, 1.0).draw());
                assert_text_is_clear(&figure(columns, panels, heading, f64::NAN).draw());
            }
        }
    }

    #[test]
    fn all_panels_have_the_same_axes_and_the_outer_ones_the_numbers() {
        let svg = figure(4, 14, &["a"], 1.0).draw().to_svg(Theme::Paper);
        let texts = text_boxes(&svg);
        let count = |label: &str| texts.iter().filter(|(text, _)| text == label).count();
        // Four rows, and beneath the last panel of each of four columns.
        assert_eq!((count("50"), count("100")), (4, 4 + 4));
    }

    #[test]
    fn what_has_no_values_says_so() {
        let svg = figure(2, 4, &["a"], f64::NAN).draw().to_svg(Theme::Paper);
        assert_eq!(svg.matches("no values").count(), 4);
        assert!(!svg.contains("NaN"));
        let svg = figure(2, 0, &[], 1.0).draw().to_svg(Theme::Paper);
        assert!(svg.contains("no finite values"));
    }
}
