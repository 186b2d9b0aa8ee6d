//! Many arms, a row each, and several scores, a panel each: every value, the mean and the spread.

use backburn_records::statistics::Spread;

use super::axis::{Axis, FittedAxis};
use super::canvas::{MARGIN, Rect, WIDTH};
use super::legend::{self, Entry, Look};
use super::svg::{Anchor, Drawing, Paint, Stroke, Text, add_title};
use super::text;

/// Height of a row.
const ROW: f64 = 27.0;
/// A name takes at most this much of the figure's width.
const LONGEST_NAME: f64 = 190.0;
/// Distance between panels; half a tick's label reaches into it from either side.
const GAP: f64 = 26.0;
/// Ticks of a panel, at most.
const TICKS: usize = 4;
const NOTE: &str =
    "Ring: one run. Bar: mean ± 1 standard deviation. Dashed: mean of the first row.";

/// Scores of several arms, each measured several times. The first row is what the others are compared
/// with: its means are lines through all rows.
#[derive(Clone, Debug)]
pub struct DotPlot {
    /// Title of the figure.
    pub title: String,
    /// What the markers of means can say, such as `better`; [`Dots::group`] counts these.
    pub groups: Vec<String>,
    /// Name of each row.
    pub rows: Vec<String>,
    /// Side by side, all with the same rows.
    pub panels: Vec<Panel>,
}

/// One score of all rows.
#[derive(Clone, Debug)]
pub struct Panel {
    /// Quantity, unit and range.
    pub axis: Axis,
    /// What stands in each row; as many as the plot has rows.
    pub dots: Vec<Dots>,
}

/// What one row shows in one panel. Values that are not finite have no place and are left out.
#[derive(Clone, Debug)]
pub struct Dots {
    /// A value for each time that the row was measured.
    pub values: Vec<f64>,
    /// Place in [`DotPlot::groups`].
    pub group: usize,
}

impl DotPlot {
    /// Draws the plot.
    pub fn draw(&self) -> Drawing {
        let names: Vec<String> =
            self.rows.iter().map(|name| text::fit(name, text::SMALL, LONGEST_NAME)).collect();
        let longest = names.iter().map(|n| text::width(n, text::SMALL)).fold(0.0, f64::max);
        let entries: Vec<Entry> = (0..)
            .zip(&self.groups)
            .map(|(group, name)| Entry {
                look: Look::Points(legend::judged(group)),
                name: name.clone(),
            })
            .collect();
        let areas = legend::place(&entries, MARGIN, 36.0, WIDTH - 2.0 * MARGIN);
        let legend_end = areas.last().map_or(36.0, |area| area.bottom());
        let note = legend_end + 16.0;
        let top = note + 14.0 + text::SMALL + 8.0;
        let height = ROW * names.len() as f64;
        let below = 8.0 + text::SMALL + MARGIN;

        let mut drawing = Drawing::new(self.title.clone(), top + height + below);
        add_title(&mut drawing, &self.title);
        for (entry, area) in entries.iter().zip(&areas) {
            legend::draw(&mut drawing, entry, *area);
        }
        let line = Text::new(MARGIN, note, text::TINY, Anchor::Start, NOTE);
        drawing.text(line.painted(Paint::Muted));
        let left = MARGIN + longest + 14.0;
        for (row, name) in names.iter().enumerate() {
            let y = top + (row as f64 + 0.5) * ROW;
            drawing.text(Text::new(left - 14.0, y + 5.0, text::SMALL, Anchor::End, name));
            let across = ((left - 8.0, y), (WIDTH - MARGIN, y));
            drawing.line(across.0, across.1, Stroke::new(Paint::Grid, 0.8));
        }
        let count = self.panels.len().max(1) as f64;
        let width = (WIDTH - MARGIN - 10.0 - left - GAP * (count - 1.0)) / count;
        for (place, panel) in self.panels.iter().enumerate() {
            let x = left + place as f64 * (width + GAP);
            panel.draw(&mut drawing, Rect::new(x, top, width, height));
        }
        drawing
    }
}

impl Panel {
    fn draw(&self, drawing: &mut Drawing, plot: Rect) {
        let middle = plot.x + plot.width / 2.0;
        let label = text::fit(self.axis.label(), text::SMALL, plot.width + GAP - 6.0);
        drawing.text(Text::new(middle, plot.y - 8.0, text::SMALL, Anchor::Middle, label));
        let Some(axis) = self.fit(plot.width) else {
            let note = Text::new(
                middle,
                plot.y + plot.height / 2.0,
                text::TINY,
                Anchor::Middle,
                "no values",
            );
            drawing.text(note.painted(Paint::Muted));
            return;
        };
        let place = |value: f64| axis.place(value).map(|across| plot.x + across * plot.width);
        for tick in axis.ticks() {
            let Some(x) = place(tick.value) else { continue };
            drawing.line((x, plot.y), (x, plot.bottom()), Stroke::new(Paint::Grid, 0.8));
            let y = plot.bottom() + 6.0 + text::SMALL * 0.8;
            drawing.text(Text::new(x, y, text::SMALL, Anchor::Middle, &tick.label));
        }
        let foot = plot.bottom();
        drawing.line((plot.x, foot), (plot.right(), foot), Stroke::new(Paint::Ink, 1.2));
        let reference = self.dots.first().map(|first| first.spread().mean);
        if let Some(x) = reference.and_then(place) {
            drawing.line((x, plot.y), (x, foot), legend::reference());
        }
        for (row, dots) in self.dots.iter().enumerate() {
            let y = plot.y + (row as f64 + 0.5) * ROW;
            let (spread, paint) = (dots.spread(), Paint::Series(legend::judged(dots.group)));
            let end = |sign: f64| place(spread.mean + sign * spread.standard_deviation);
            if let Some(high) = end(1.0) {
                // On a logarithmic axis, what reaches down to 0 has no end.
                let low = end(-1.0).unwrap_or(plot.x);
                drawing.line((low, y), (high, y), Stroke::new(paint, 2.4));
            }
            for x in dots.finite().filter_map(place) {
                drawing.circle((x, y), 2.6, Stroke::new(Paint::Ink, 1.0).filled(Paint::Paper));
            }
            if let Some(x) = place(spread.mean) {
                legend::marker(drawing, (x, y), legend::judged(dots.group));
            }
        }
    }

    /// The axis, with as many ticks as stand clear of each other; `None` without finite values.
    fn fit(&self, width: f64) -> Option<FittedAxis> {
        // The ends of the bars must have a place, too; but the lower end of one that nearly reaches 0
        // would stretch a logarithmic axis over many decades.
        let all = self.dots.iter().flat_map(|dots| {
            let Spread { mean, standard_deviation: spread } = dots.spread();
            let low = if self.axis.is_log() { mean } else { mean - spread };
            dots.finite().chain([low, mean + spread])
        });
        let all: Vec<f64> = all.collect();
        let fit = |ticks| self.axis.fit(all.iter().copied(), ticks);
        let is_clear = |axis: &FittedAxis| {
            let widths = axis.ticks().iter().map(|tick| text::width(&tick.label, text::SMALL));
            (widths.fold(0.0, f64::max) + 10.0) * axis.ticks().len() as f64 <= width + GAP
        };
        (2..=TICKS).rev().filter_map(fit).find(is_clear).or_else(|| fit(1))
    }
}

impl Dots {
    fn finite(&self) -> impl Iterator<Item = f64> {
        self.values.iter().copied().filter(|value| value.is_finite())
    }

    fn spread(&self) -> Spread {
        Spread::of(&self.finite().collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::png::{assert_text_is_clear, text_boxes};
    use crate::figure::svg::Theme;

    fn plot(rows: usize, scale: f64) -> DotPlot {
        let dots = |row: usize| Dots {
            values: (0..3)
                .map(|seed| scale * (90.0 + row as f64 + f64::from(seed) / 4.0))
                .collect(),
            group: row % 3,
        };
        let panel =
            |label: &str| Panel { axis: Axis::linear(label), dots: (0..rows).map(dots).collect() };
        DotPlot {
            title: "Scores with and without".into(),
            groups: ["no clear effect", "better", "worse"].map(String::from).into(),
            rows: (0..rows).map(|row| format!("dropout+decay+shift {row}")).collect(),
            panels: ["test accuracy (%)", "gap (points)", "ECE (%)"].map(panel).into(),
        }
    }

    #[test]
    fn text_is_clear_for_few_and_many_rows_and_for_any_scale() {
        for (rows, scale) in [(1, 1.0), (3, 1e-9), (8, 1.0), (40, -1e-3), (3, 1e6), (5, 0.0)] {
            assert_text_is_clear(&plot(rows, scale).draw());
        }
    }

    #[test]
    fn every_row_is_named_and_long_names_are_cut() {
        let mut long = plot(3, 1.0);
        long.rows[1] = "an arm of a name that takes more than a third of the figure".into();
        let texts = text_boxes(&long.draw().to_svg(Theme::Paper));
        assert!(texts.iter().any(|(text, _)| text == "dropout+decay+shift 2"));
        assert!(texts.iter().any(|(text, _)| text.starts_with("an arm") && text.ends_with('…')));
        assert_text_is_clear(&long.draw());
    }

    #[test]
    fn values_that_are_not_finite_have_no_place_and_an_empty_panel_says_so() {
        let mut odd = plot(2, 1.0);
        odd.panels[0].dots[1].values = vec![f64::NAN, 93.0];
        odd.panels[1].dots.iter_mut().for_each(|dots| dots.values = vec![f64::INFINITY]);
        let svg = odd.draw().to_svg(Theme::Paper);
        assert!(svg.contains("no values") && !svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        let mut log = plot(2, 1.0);
        log.panels[0].axis = Axis::log("ECE (%)");
        log.panels[0].dots[1].values = vec![0.0, 0.5, 7.0];
        let svg = log.draw().to_svg(Theme::Paper);
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        assert_text_is_clear(&log.draw());
        let none = DotPlot { rows: Vec::new(), panels: Vec::new(), ..plot(1, 1.0) };
        assert!(!none.draw().to_svg(Theme::Paper).contains("NaN"));
    }

    #[test]
    fn the_line_stands_at_the_mean_of_the_first_row() {
        let svg = plot(4, 1.0).draw().to_svg(Theme::Paper);
        let starts = |mark: &str| -> Vec<f64> {
            let lines = svg.lines().filter(|line| line.contains(mark));
            let start =
                |line: &str| line.strip_prefix("<path d=\"M")?.split(' ').next()?.parse().ok();
            lines.filter_map(start).collect()
        };
        let (dashed, circles) = (starts("\"6 5\""), starts("a4.4 4.4"));
        assert_eq!(dashed.len(), 3, "a line in each panel: {svg}");
        for x in dashed {
            // The mean of the first row is a circle around that place.
            let around = |left: &f64| (left + 4.4 - x).abs() < 0.02;
            assert!(circles.iter().any(around), "no circle at {x}: {svg}");
        }
    }
}
