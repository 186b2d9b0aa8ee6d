//! Histograms in rows and columns.

use backburn_records::number;

use super::canvas::{MARGIN, Rect, WIDTH};
use super::svg::{Anchor, Drawing, Paint, Stroke, Text, add_title};
use super::text;

/// Height of a panel's plot.
const PANEL_HEIGHT: f64 = 58.0;
/// Distance between panels side by side.
const GAP: f64 = 12.0;
/// Height of a line of small text.
const LINE: f64 = 17.0;
/// Names of rows take at most this much of the width.
const LONGEST_NAME: f64 = 92.0;

/// Small histograms; those of a row have the same vertical axis.
#[derive(Clone, Debug)]
pub struct HistogramGrid {
    /// Title of the figure.
    pub title: String,
    /// What a reader should know, a line each.
    pub notes: Vec<String>,
    /// Quantity and unit of the horizontal axes. Vertical ones show shares in percent.
    pub x: String,
    /// Name of each column.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<HistogramRow>,
}

/// A row of histograms.
#[derive(Clone, Debug)]
pub struct HistogramRow {
    /// Name of the row, a line each; three at most.
    pub name: Vec<String>,
    /// Histograms, as many as the grid has columns.
    pub panels: Vec<Histogram>,
}

/// Values counted in bins of equal width.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    low: f64,
    high: f64,
    /// Shares of all values that were counted, those outside included; each in `[0, 1]`.
    shares: Vec<f64>,
    /// A few words above the panel.
    pub note: String,
}

impl Histogram {
    /// Counts the finite ones of `values` in `bins` bins from `low` to `high`; those outside belong to no
    /// bin. As in NumPy, a bin holds its lower edge, and the last one both. Of an empty range the upper end is
    /// moved up by 1.
    ///
    /// # Panics
    ///
    /// If `bins` is 0.
    pub fn of(values: impl IntoIterator<Item = f64>, low: f64, high: f64, bins: usize) -> Self {
        assert!(bins > 0, "a histogram has at least one bin");
        let high = if high > low { high } else { low + 1.0 };
        let (mut counts, mut total) = (vec![0_usize; bins], 0_usize);
        for value in values.into_iter().filter(|value| value.is_finite()) {
            total += 1;
            if (low..=high).contains(&value) {
                let place = (value - low) / (high - low) * bins as f64;
                counts[(place as usize).min(bins - 1)] += 1;
            }
        }
        let share = |count| if total == 0 { 0.0 } else { count as f64 / total as f64 };
        let shares = counts.into_iter().map(share).collect();
        Self { low, high, shares, note: String::new() }
    }

    /// The histogram with a few words above the panel.
    #[must_use]
    pub fn noted(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }

    /// Share of the values in each bin.
    pub fn shares(&self) -> &[f64] {
        &self.shares
    }

    /// Where each bin begins and ends, and its share of the values.
    pub fn bars(&self) -> impl Iterator<Item = [f64; 3]> {
        let width = (self.high - self.low) / self.shares.len() as f64;
        let edge = move |place: usize| self.low + width * place as f64;
        self.shares
            .iter()
            .enumerate()
            .map(move |(place, &share)| [edge(place), edge(place + 1), share])
    }

    fn highest(&self) -> f64 {
        self.shares.iter().copied().fold(0.0, f64::max)
    }
}

impl HistogramGrid {
    /// Draws the grid.
    pub fn draw(&self) -> Drawing {
        let names: Vec<Vec<String>> = self.rows.iter().map(HistogramRow::fitted_name).collect();
        let longest = names.iter().flatten().map(|n| text::width(n, text::SMALL));
        let longest = longest.fold(0.0, f64::max);
        // The widest tick is "100 %".
        let left = MARGIN + longest + 10.0 + text::width("100 %", text::TINY) + 8.0;
        let heads = 34.0 + LINE * self.notes.len() as f64 + LINE;
        let top = heads + 6.0;
        let row_height = LINE + PANEL_HEIGHT + LINE + 10.0;
        let below = text::LABEL + MARGIN;
        let height = top + row_height * self.rows.len() as f64 + below;
        let mut drawing = Drawing::new(self.title.clone(), height);
        add_title(&mut drawing, &self.title);
        for (line, note) in (1..).zip(&self.notes) {
            let note = text::fit(note, text::TINY, WIDTH - 2.0 * MARGIN);
            let y = 30.0 + LINE * f64::from(line);
            let note = Text::new(MARGIN, y, text::TINY, Anchor::Start, note);
            drawing.text(note.painted(Paint::Muted));
        }
        let count = self.columns.len().max(1) as f64;
        let width = (WIDTH - MARGIN - 4.0 - left - GAP * (count - 1.0)) / count;
        let start = |column: usize| left + column as f64 * (width + GAP);
        for (column, name) in self.columns.iter().enumerate() {
            let name = text::fit(name, text::SMALL, width);
            let middle = start(column) + width / 2.0;
            drawing.text(Text::new(middle, heads, text::SMALL, Anchor::Middle, name));
        }
        for (number, (row, name)) in self.rows.iter().zip(&names).enumerate() {
            let y = top + row_height * number as f64 + LINE;
            for (line, words) in name.iter().enumerate() {
                let y = y
                    + PANEL_HEIGHT / 2.0
                    + 5.0
                    + LINE * (line as f64 - 0.5 * (name.len() - 1) as f64);
                drawing.text(Text::new(MARGIN, y, text::SMALL, Anchor::Start, words));
            }
            let highest = row.panels.iter().map(Histogram::highest).fold(0.0, f64::max);
            for (column, panel) in row.panels.iter().enumerate() {
                let area = Rect::new(start(column), y, width, PANEL_HEIGHT);
                panel.draw(&mut drawing, area, highest);
            }
            if highest > 0.0 {
                let label = format!("{} %", number::decimals(100.0 * highest, 0));
                let label = Text::new(left - 6.0, y + 9.0, text::TINY, Anchor::End, label);
                drawing.text(label.painted(Paint::Muted));
            }
        }
        let label = text::fit(&self.x, text::LABEL, WIDTH - left - MARGIN);
        let middle = left + (WIDTH - left - MARGIN) / 2.0;
        let foot = drawing.height() - MARGIN;
        drawing.text(Text::new(middle, foot, text::LABEL, Anchor::Middle, label));
        drawing
    }
}

impl HistogramRow {
    fn fitted_name(&self) -> Vec<String> {
        self.name.iter().take(3).map(|n| text::fit(n, text::SMALL, LONGEST_NAME)).collect()
    }
}

impl Histogram {
    /// `highest`: the share that reaches the upper edge of `area`.
    fn draw(&self, drawing: &mut Drawing, area: Rect, highest: f64) {
        let (foot, paint) = (area.bottom(), Paint::Series(0));
        let note = text::fit(&self.note, text::TINY, area.width + GAP - 6.0);
        let above = (area.x + area.width / 2.0, area.y - 4.0);
        let note = Text::new(above.0, above.1, text::TINY, Anchor::Middle, note);
        drawing.text(note.painted(Paint::Muted));
        let (top, right) = (area.y, area.right());
        drawing.line((area.x, top), (right, top), Stroke::new(Paint::Grid, 0.8));
        if highest > 0.0 {
            // One outline for all bars keeps the file small.
            let width = area.width / self.shares.len() as f64;
            let mut outline = vec![(area.x, foot)];
            for (bin, share) in self.shares.iter().enumerate() {
                let y = foot - share / highest * area.height;
                let x = area.x + width * bin as f64;
                outline.extend([(x, y), (x + width, y)]);
            }
            outline.push((right, foot));
            drawing.polygon(&outline, Stroke::new(paint, 0.8).filled(paint));
        }
        drawing.line((area.x, foot), (right, foot), Stroke::new(Paint::Ink, 1.2));
        let y = foot + 4.0 + text::TINY * 0.8;
        let (low, high) = (end(self.low), end(self.high));
        let room = area.width - 6.0;
        drawing.text(Text::new(area.x, y, text::TINY, Anchor::Start, &low));
        if text::width(&low, text::TINY) + text::width(&high, text::TINY) <= room {
            drawing.text(Text::new(right, y, text::TINY, Anchor::End, high));
        }
    }
}

/// The end of an axis in at most two digits and a power.
fn end(value: f64) -> String {
    let rounded: f64 = format!("{value:.1e}").parse().unwrap_or(value);
    number::short(rounded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::png::{assert_text_is_clear, text_boxes};
    use crate::figure::svg::Theme;

    fn grid(rows: usize, columns: usize, high: f64) -> HistogramGrid {
        let values = (0..200).map(|i| high * f64::from(i * i) / 40_000.0);
        let panel = Histogram::of(values, 0.0, high, 30).noted("52 % zero");
        let row = |n: usize| HistogramRow {
            name: vec!["sigmoid".into(), format!("std 0.0{n}"), "as run".into()],
            panels: vec![panel.clone(); columns],
        };
        HistogramGrid {
            title: "Activations".into(),
            notes: vec!["What they are.".into()],
            x: "activation".into(),
            columns: (1..=columns).map(|n| format!("layer {n}")).collect(),
            rows: (0..rows).map(row).collect(),
        }
    }

    /// `numpy.histogram([0, 0.1, 0.5, 0.99, 1, 2, -1], 2, (0, 1))` gives 2 and 3.
    #[test]
    fn values_are_counted_as_numpy_does() {
        let values = [0.0, 0.1, 0.5, 0.99, 1.0, 2.0, -1.0, f64::NAN];
        let histogram = Histogram::of(values, 0.0, 1.0, 2);
        assert_eq!(histogram.shares(), [2.0 / 7.0, 3.0 / 7.0]);
        assert_eq!(Histogram::of([], 0.0, 1.0, 3).shares(), [0.0; 3]);
    }

    #[test]
    fn an_empty_range_becomes_one_that_holds_its_end() {
        let histogram = Histogram::of([0.0; 5], 0.0, 0.0, 4);
        assert_eq!(histogram.shares(), [1.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn text_is_clear_for_any_size_and_range() {
        for (rows, columns) in [(0, 0), (1, 1), (5, 5), (6, 5), (2, 0)] {
            for high in [1.0, 3.2e-7, 48_123.0, 0.37] {
                assert_text_is_clear(&grid(rows, columns, high).draw());
            }
        }
        let mut long = grid(2, 5, 1.0);
        long.rows[0].name = vec!["a name that is too long by far".into()];
        long.rows[1].panels[2].note = "a note of many words".into();
        assert_text_is_clear(&long.draw());
    }

    #[test]
    fn the_highest_bar_of_a_row_has_its_share_written_beside_it() {
        let mut two = grid(1, 2, 1.0);
        two.rows[0].panels[1] = Histogram::of([0.5; 3], 0.0, 1.0, 4);
        let texts = text_boxes(&two.draw().to_svg(Theme::Paper));
        assert_eq!(texts.iter().filter(|(text, _)| text == "100 %").count(), 1, "{texts:?}");
    }

    #[test]
    fn without_values_nothing_is_drawn_that_is_not_a_number() {
        let mut empty = grid(1, 2, 1.0);
        for panel in &mut empty.rows[0].panels {
            *panel = Histogram::of([f64::NAN], 0.0, 1.0, 30);
        }
        let svg = empty.draw().to_svg(Theme::Paper);
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
