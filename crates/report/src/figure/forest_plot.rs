//! A forest plot: differences with their intervals, a row each, around 0.

use super::axis::{Axis, FittedAxis};
use super::canvas::{MARGIN, Rect, WIDTH};
use super::interval_plot::Estimate;
use super::legend::{self, Entry, Look};
use super::svg::{Anchor, Drawing, Paint, Stroke, Text, add_title};
use super::text;

/// Height of a row.
const ROW: f64 = 27.0;
/// A name takes at most this much of the figure's width.
const LONGEST_NAME: f64 = 165.0;
/// Ticks of the axis, at most.
const TICKS: usize = 5;
/// What lies farther from 0 than so many times the middle row is cut off: one arm that fails altogether would press the
/// others into a line.
const FARTHEST: f64 = 5.0;
/// Length of an arrow's head.
const HEAD: f64 = 7.0;
const GOES_ON: &str = "Arrow: it goes on.";
/// How much farther than the rows that are whole the figure goes where another is cut off, as a share of their range.
const CUT_OFF: f64 = 0.12;

/// Differences of several arms from what they are compared with, which is the line at 0.
#[derive(Clone, Debug)]
pub struct ForestPlot {
    /// Title of the figure.
    pub title: String,
    /// What the intervals are, in a line.
    pub note: String,
    /// Quantity and unit of the differences.
    pub axis: Axis,
    /// What the markers say: of neither, of better and of worse; [`Estimate::group`] counts these.
    pub groups: Vec<String>,
    /// What stands at the line at 0.
    pub base: String,
    /// From the top down.
    pub rows: Vec<ForestRow>,
}

/// One arm.
#[derive(Clone, Debug)]
pub struct ForestRow {
    /// Its name.
    pub name: String,
    /// Difference and interval. What is not finite has no place and is left out.
    pub estimate: Estimate,
    /// The same in numbers, for the right margin.
    pub numbers: String,
}

impl ForestPlot {
    /// Draws the plot.
    pub fn draw(&self) -> Drawing {
        let names: Vec<String> =
            self.rows.iter().map(|row| text::fit(&row.name, text::SMALL, LONGEST_NAME)).collect();
        let widest = |texts: &mut dyn Iterator<Item = &str>, size| {
            texts.map(|one| text::width(one, size)).fold(0.0, f64::max)
        };
        let longest = widest(&mut names.iter().map(String::as_str), text::SMALL);
        let numbers = widest(&mut self.rows.iter().map(|row| row.numbers.as_str()), text::TINY);
        let entries: Vec<Entry> = (0..)
            .zip(&self.groups)
            .map(|(group, name)| Entry {
                look: Look::Points(legend::judged(group)),
                name: name.clone(),
            })
            .chain([Entry { look: Look::Reference, name: self.base.clone() }])
            .collect();
        let areas = legend::place(&entries, MARGIN, 36.0, WIDTH - 2.0 * MARGIN);
        let note = areas.last().map_or(36.0, |area| area.bottom()) + 16.0;
        let top = note + 14.0;
        let height = ROW * names.len().max(1) as f64;
        let below = 8.0 + text::SMALL + 8.0 + text::SMALL + MARGIN;

        let mut drawing = Drawing::new(self.title.clone(), top + height + below);
        add_title(&mut drawing, &self.title);
        for (entry, area) in entries.iter().zip(&areas) {
            legend::draw(&mut drawing, entry, *area);
        }
        let left = MARGIN + longest + 14.0;
        let plot = Rect::new(left, top, WIDTH - MARGIN - numbers - 18.0 - left, height);
        let limit = self.limit();
        let is_cut = self.rows.iter().any(|row| reach(&row.estimate) > limit);
        let goes_on = if is_cut { format!(" {GOES_ON}") } else { String::new() };
        let words = text::fit(&(self.note.clone() + &goes_on), text::TINY, WIDTH - 2.0 * MARGIN);
        drawing
            .text(Text::new(MARGIN, note, text::TINY, Anchor::Start, words).painted(Paint::Muted));
        for (row, name) in names.iter().enumerate() {
            let y = top + (row as f64 + 0.5) * ROW;
            drawing.text(Text::new(left - 14.0, y + 5.0, text::SMALL, Anchor::End, name));
            drawing.line((left - 8.0, y), (plot.right(), y), Stroke::new(Paint::Grid, 0.8));
            let beside = &self.rows[row].numbers;
            let beside = Text::new(WIDTH - MARGIN, y + 4.6, text::TINY, Anchor::End, beside);
            drawing.text(beside);
        }
        self.draw_rows(&mut drawing, plot, limit);
        drawing
    }

    fn draw_rows(&self, drawing: &mut Drawing, plot: Rect, limit: f64) {
        let (middle, foot) = (plot.x + plot.width / 2.0, plot.bottom());
        let room = 2.0 * (middle - MARGIN).min(WIDTH - MARGIN - middle);
        let label = text::fit(self.axis.label(), text::SMALL, room);
        let below = foot + 8.0 + text::SMALL + 8.0 + text::SMALL * 0.8;
        drawing.text(Text::new(middle, below, text::SMALL, Anchor::Middle, label));
        let Some(axis) = self.fit(plot.width, limit) else {
            let y = plot.y + plot.height / 2.0;
            let note = Text::new(middle, y + 4.6, text::TINY, Anchor::Middle, "no finite values");
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
        if let Some(x) = place(0.0) {
            drawing.line((x, plot.y), (x, foot), legend::reference());
        }
        drawing.line((plot.x, foot), (plot.right(), foot), Stroke::new(Paint::Ink, 1.2));
        for (row, ForestRow { estimate, .. }) in self.rows.iter().enumerate() {
            let y = plot.y + (row as f64 + 0.5) * ROW;
            let stroke = || Stroke::new(Paint::Series(legend::judged(estimate.group)), 2.4);
            if let (Some(low), Some(high)) = (place(estimate.low), place(estimate.high)) {
                // What lies beyond the figure altogether is an arrow that points to it.
                let (from, to) = match high - low {
                    0.0 if low > middle => (low - 2.0 * HEAD, high),
                    0.0 if !axis.holds(estimate.low) => (low, high + 2.0 * HEAD),
                    _ => (low, high),
                };
                drawing.line((from, y), (to, y), stroke());
                for (value, x, back) in [(estimate.low, low, HEAD), (estimate.high, high, -HEAD)] {
                    if axis.holds(value) {
                        drawing.line((x, y - 5.0), (x, y + 5.0), stroke());
                    } else {
                        let outward = if x < middle { back.abs() } else { -back.abs() };
                        let head = [(x + outward, y - 5.0), (x, y), (x + outward, y + 5.0)];
                        drawing.path(&head, stroke());
                    }
                }
            }
            if let Some(x) = place(estimate.value).filter(|_| axis.holds(estimate.value)) {
                legend::marker(drawing, (x, y), legend::judged(estimate.group));
            }
        }
    }

    /// How far from 0 the figure reaches, at most.
    fn limit(&self) -> f64 {
        let mut all: Vec<f64> =
            self.rows.iter().map(|row| reach(&row.estimate)).filter(|far| *far > 0.0).collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len().saturating_sub(1) / 2).map_or(f64::INFINITY, |middle| FARTHEST * middle)
    }

    /// The axis, with as many ticks as stand clear of each other; `None` without finite values.
    fn fit(&self, width: f64, limit: f64) -> Option<FittedAxis> {
        let ends = |row: &ForestRow| [row.estimate.value, row.estimate.low, row.estimate.high];
        let finite: Vec<f64> =
            self.rows.iter().flat_map(ends).filter(|value| value.is_finite()).collect();
        if finite.is_empty() {
            return None;
        }
        let whole = self.rows.iter().filter(|row| reach(&row.estimate) <= limit).flat_map(ends);
        let mut all: Vec<f64> = whole.filter(|value| value.is_finite()).chain([0.0]).collect();
        let low = all.iter().copied().fold(0.0, f64::min);
        let high = all.iter().copied().fold(0.0, f64::max);
        let more = CUT_OFF * (high - low);
        all.extend(finite.iter().map(|value| value.max(low - more).min(high + more)));
        let fit = |ticks| self.axis.fit(all.iter().copied(), ticks);
        let is_clear = |axis: &FittedAxis| {
            let widths = axis.ticks().iter().map(|tick| text::width(&tick.label, text::SMALL));
            (widths.fold(0.0, f64::max) + 10.0) * axis.ticks().len() as f64 <= width
        };
        (2..=TICKS).rev().filter_map(fit).find(is_clear).or_else(|| fit(1))
    }
}

/// How far from 0 a row comes; 0 if nothing of it is finite.
fn reach(estimate: &Estimate) -> f64 {
    let ends = [estimate.value, estimate.low, estimate.high];
    ends.into_iter().filter(|end| end.is_finite()).map(f64::abs).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::png::{assert_text_is_clear, text_boxes};
    use crate::figure::svg::Theme;

    fn plot(rows: usize, scale: f64) -> ForestPlot {
        let row = |row: usize| {
            let value = scale * (1.5 - row as f64 / 4.0);
            let (low, high) = (value - 0.5 * scale, value + 0.5 * scale);
            let numbers = format!("{value:+.2} ({low:+.2} to {high:+.2})");
            let estimate = Estimate { value, low, high, group: row % 3 };
            ForestRow { name: format!("label-smoothing=0.{row}"), estimate, numbers }
        };
        ForestPlot {
            title: "Difference to none".into(),
            note: "Bar: the 95 % interval of this arm alone.".into(),
            axis: Axis::linear("difference in test accuracy (points)"),
            groups: ["no evidence", "helps", "hurts"].map(String::from).into(),
            base: "none".into(),
            rows: (0..rows).map(row).collect(),
        }
    }

    fn svg(plot: &ForestPlot) -> String {
        plot.draw().to_svg(Theme::Paper)
    }

    #[test]
    fn text_is_clear_for_few_and_many_rows_and_for_any_scale() {
        for (rows, scale) in
            [(1, 1.0), (3, 1e-3), (8, 1.0), (40, -1.0), (3, 1e4), (5, 0.0), (0, 1.0)]
        {
            assert_text_is_clear(&plot(rows, scale).draw());
        }
    }

    #[test]
    fn every_row_is_named_with_its_numbers_and_long_names_are_cut() {
        let mut long = plot(3, 1.0);
        long.rows[1].name = "an arm of a name that takes more than a third of the figure".into();
        assert_text_is_clear(&long.draw());
        let texts = text_boxes(&svg(&long));
        assert!(texts.iter().any(|(text, _)| text == "+1.50 (+1.00 to +2.00)"));
        assert!(texts.iter().any(|(text, _)| text.starts_with("an arm") && text.ends_with('…')));
    }

    #[test]
    fn zero_is_always_shown() {
        let mut far = plot(2, 1.0);
        for row in &mut far.rows {
            row.estimate = Estimate { value: 50.0, low: 49.0, high: 51.0, group: 0 };
        }
        // One in the legend, one in the plot.
        assert_eq!(svg(&far).matches("\"6 5\"").count(), 2);
    }

    #[test]
    fn a_row_far_off_is_cut_with_an_arrow_and_the_others_keep_their_room() {
        let mut far = plot(5, 1.0);
        assert!(!svg(&far).contains("Arrow"));
        far.rows[4].estimate = Estimate { value: -80.0, low: -81.0, high: -79.0, group: 2 };
        let svg = svg(&far);
        assert!(svg.contains("Arrow"), "{svg}");
        assert_text_is_clear(&far.draw());
        let labels = text_boxes(&svg).into_iter().map(|(text, _)| text);
        assert!(!labels.into_iter().any(|label| label == "−20" || label == "−50"));
    }

    #[test]
    fn values_that_are_not_finite_have_no_place() {
        let mut odd = plot(2, 1.0);
        odd.rows[0].estimate = Estimate { value: 1.0, low: f64::NAN, high: f64::NAN, group: 0 };
        assert!(!svg(&odd).contains("NaN"));
        let estimate =
            Estimate { value: f64::NAN, low: f64::NEG_INFINITY, high: f64::NAN, group: 0 };
        odd.rows.iter_mut().for_each(|row| row.estimate = estimate);
        let svg = svg(&odd);
        assert!(svg.contains("no finite values") && !svg.contains("NaN") && !svg.contains("inf\""));
    }
}
