//! Estimates with their intervals, a row each, and several quantities, a panel each.

use super::axis::{Axis, FittedAxis};
use super::canvas::{MARGIN, Rect, WIDTH};
use super::legend::{self, Entry, Look};
use super::svg::{Anchor, Drawing, Paint, Stroke, Text, add_title};
use super::text;

/// Height that an estimate takes in its row.
const LINE: f64 = 22.0;
/// Height of a row beyond that of its estimates.
const AIR: f64 = 16.0;
/// A name takes at most this much of the figure's width.
const LONGEST_NAME: f64 = 190.0;
/// Distance between panels; half a tick's label reaches into it from either side.
const GAP: f64 = 48.0;
/// Ticks of a panel, at most.
const TICKS: usize = 5;

/// Several quantities side by side, all with the same rows. Where an axis shows 0, a line stands there.
#[derive(Clone, Debug)]
pub struct IntervalPlot {
    /// Title of the figure.
    pub title: String,
    /// What is compared within a row; [`Estimate::group`] counts these.
    pub groups: Vec<String>,
    /// Name of each row.
    pub rows: Vec<String>,
    /// Panels, side by side.
    pub panels: Vec<IntervalPanel>,
}

/// One quantity of all rows.
#[derive(Clone, Debug)]
pub struct IntervalPanel {
    /// Quantity, unit and range.
    pub axis: Axis,
    /// What stands in each row, the uppermost first.
    pub estimates: Vec<Vec<Estimate>>,
}

/// A value and the interval it is known within. What is not finite has no place and is left out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The value.
    pub value: f64,
    /// Lower end of its interval.
    pub low: f64,
    /// Upper end of its interval.
    pub high: f64,
    /// Place in [`IntervalPlot::groups`].
    pub group: usize,
}

impl IntervalPlot {
    /// Draws the plot.
    pub fn draw(&self) -> Drawing {
        let names: Vec<String> =
            self.rows.iter().map(|name| text::fit(name, text::SMALL, LONGEST_NAME)).collect();
        let longest = names.iter().map(|n| text::width(n, text::SMALL)).fold(0.0, f64::max);
        let entries: Vec<Entry> = (0..)
            .zip(&self.groups)
            .map(|(group, name)| Entry { look: Look::Marked(group), name: name.clone() })
            .collect();
        let areas = legend::place(&entries, MARGIN, 36.0, WIDTH - 2.0 * MARGIN);
        let legend_end = areas.last().map_or(36.0, |area| area.bottom());
        let top = legend_end + 12.0;
        let row_height = AIR + LINE * self.groups.len().max(1) as f64;
        let height = row_height * names.len() as f64;
        let below = 8.0 + text::SMALL + 8.0 + text::SMALL + MARGIN;

        let mut drawing = Drawing::new(self.title.clone(), top + height + below);
        add_title(&mut drawing, &self.title);
        for (entry, area) in entries.iter().zip(&areas) {
            legend::draw(&mut drawing, entry, *area);
        }
        let left = MARGIN + longest + 14.0;
        for (row, name) in names.iter().enumerate() {
            let y = top + (row as f64 + 0.5) * row_height;
            drawing.text(Text::new(left - 14.0, y + 5.0, text::SMALL, Anchor::End, name));
            if row > 0 {
                let y = top + row as f64 * row_height;
                let ends = ((left - 8.0, y), (WIDTH - MARGIN, y));
                drawing.line(ends.0, ends.1, Stroke::new(Paint::Grid, 0.8));
            }
        }
        let count = self.panels.len().max(1) as f64;
        let width = (WIDTH - MARGIN - 14.0 - left - GAP * (count - 1.0)) / count;
        for (place, panel) in self.panels.iter().enumerate() {
            let x = left + place as f64 * (width + GAP);
            panel.draw(&mut drawing, Rect::new(x, top, width, height), row_height);
        }
        drawing
    }
}

impl IntervalPanel {
    fn draw(&self, drawing: &mut Drawing, plot: Rect, row_height: f64) {
        let (middle, foot) = (plot.x + plot.width / 2.0, plot.bottom());
        let label = text::fit(self.axis.label(), text::SMALL, plot.width + GAP - 6.0);
        let below = foot + 8.0 + text::SMALL + 8.0 + text::SMALL * 0.8;
        drawing.text(Text::new(middle, below, text::SMALL, Anchor::Middle, label));
        let Some(axis) = self.fit(plot.width) else {
            let y = plot.y + plot.height / 2.0;
            let note = Text::new(middle, y, text::TINY, Anchor::Middle, "no finite values");
            drawing.text(note.painted(Paint::Muted));
            return;
        };
        let place = |value: f64| axis.place(value).map(|across| plot.x + across * plot.width);
        for tick in axis.ticks() {
            let Some(x) = place(tick.value) else { continue };
            drawing.line((x, plot.y), (x, foot), Stroke::new(Paint::Grid, 0.8));
            let y = foot + 6.0 + text::SMALL * 0.8;
            drawing.text(Text::new(x, y, text::SMALL, Anchor::Middle, &tick.label));
        }
        // Of a range that ends elsewhere, 0 would be put at the nearer end.
        if axis.ticks().iter().any(|tick| tick.value == 0.0)
            && let Some(x) = place(0.0)
        {
            drawing.line((x, plot.y), (x, foot), legend::reference());
        }
        drawing.line((plot.x, foot), (plot.right(), foot), Stroke::new(Paint::Ink, 1.2));
        for (row, estimates) in self.estimates.iter().enumerate() {
            let start = plot.y + (row as f64 + 0.5) * row_height;
            let start = start - LINE * estimates.len().saturating_sub(1) as f64 / 2.0;
            for (line, estimate) in estimates.iter().enumerate() {
                let y = start + LINE * line as f64;
                let stroke = || Stroke::new(Paint::Series(estimate.group), 2.4);
                if let (Some(low), Some(high)) = (place(estimate.low), place(estimate.high)) {
                    drawing.line((low, y), (high, y), stroke());
                    for end in [low, high] {
                        drawing.line((end, y - 5.0), (end, y + 5.0), stroke());
                    }
                }
                if let Some(x) = place(estimate.value) {
                    legend::marker(drawing, (x, y), estimate.group);
                }
            }
        }
    }

    /// The axis, with as many ticks as stand clear of each other; `None` without finite values.
    fn fit(&self, width: f64) -> Option<FittedAxis> {
        let all = self.estimates.iter().flatten();
        let all: Vec<f64> = all.flat_map(|e| [e.value, e.low, e.high]).collect();
        let fit = |ticks| self.axis.fit(all.iter().copied(), ticks);
        let is_clear = |axis: &FittedAxis| {
            let widths = axis.ticks().iter().map(|tick| text::width(&tick.label, text::SMALL));
            (widths.fold(0.0, f64::max) + 10.0) * axis.ticks().len() as f64 <= width
        };
        (2..=TICKS).rev().filter_map(fit).find(is_clear).or_else(|| fit(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::png::{assert_text_is_clear, text_boxes};
    use crate::figure::svg::Theme;

    fn plot(rows: usize, groups: usize, scale: f64) -> IntervalPlot {
        let estimate = |row: usize, group: usize| {
            let value = scale * (row as f64 - 1.0 + group as f64 / 3.0);
            Estimate { value, low: value - 0.4 * scale, high: value + 0.7 * scale, group }
        };
        let panel = |label: &str| IntervalPanel {
            axis: Axis::linear(label),
            estimates: (0..rows)
                .map(|row| (0..groups).map(|group| estimate(row, group)).collect())
                .collect(),
        };
        IntervalPlot {
            title: "Bias and variance".into(),
            groups: (0..groups).map(|group| format!("with dropout {group}")).collect(),
            rows: (0..rows).map(|row| format!("variance {row}")).collect(),
            panels: ["squared error (0 to 2)", "0-1 loss (%)"].map(panel).into(),
        }
    }

    #[test]
    fn text_is_clear_for_few_and_many_rows_and_for_any_scale() {
        for (rows, groups, scale) in
            [(1, 1, 1.0), (3, 2, 1e-9), (3, 2, 0.013), (12, 3, -1e-3), (3, 1, 1e6), (5, 2, 0.0)]
        {
            assert_text_is_clear(&plot(rows, groups, scale).draw());
        }
    }

    #[test]
    fn every_row_and_group_is_named_and_long_names_are_cut() {
        let mut long = plot(3, 2, 1.0);
        long.rows[1] = "a term of a name that takes more than a third of the figure".into();
        assert_text_is_clear(&long.draw());
        let texts = text_boxes(&long.draw().to_svg(Theme::Paper));
        let is_there = |name: &str| texts.iter().any(|(text, _)| text == name);
        assert!(is_there("variance 2") && is_there("with dropout 1"));
        assert!(texts.iter().any(|(text, _)| text.starts_with("a term") && text.ends_with('…')));
    }

    #[test]
    fn a_line_stands_at_zero_where_it_is_in_range() {
        let lines = |scale: f64, shift: f64| {
            let mut plot = plot(3, 1, scale);
            for estimate in plot.panels.iter_mut().flat_map(|p| p.estimates.iter_mut().flatten()) {
                estimate.value += shift;
                estimate.low += shift;
                estimate.high += shift;
            }
            plot.draw().to_svg(Theme::Paper).matches("\"6 5\"").count()
        };
        assert_eq!(lines(1.0, 0.0), 2, "one in each panel");
        assert_eq!(lines(1.0, 50.0), 0);
    }

    #[test]
    fn values_that_are_not_finite_have_no_place_and_an_empty_panel_says_so() {
        let mut odd = plot(2, 2, 1.0);
        odd.panels[0].estimates[1][0].high = f64::NAN;
        for estimate in odd.panels[1].estimates.iter_mut().flatten() {
            *estimate = Estimate { value: f64::INFINITY, low: f64::NAN, high: f64::NAN, group: 0 };
        }
        let svg = odd.draw().to_svg(Theme::Paper);
        assert!(svg.contains("no finite values"), "{svg}");
        assert!(!svg.contains("NaN") && !svg.contains("inf\""), "{svg}");
        let none = IntervalPlot { rows: vec![], panels: vec![], groups: vec![], ..plot(1, 1, 1.0) };
        assert!(!none.draw().to_svg(Theme::Paper).contains("NaN"));
    }
}
