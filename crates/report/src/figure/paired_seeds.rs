//! Paired seeds: a small panel for each arm, with a line a seed from what the arm is compared with to the arm.

use super::axis::{Axis, FittedAxis};
use super::canvas::{MARGIN, Rect, WIDTH};
use super::legend::{self, Entry, Look};
use super::line_chart::draw_empty;
use super::svg::{Anchor, Drawing, Paint, Stroke, Text, add_title};
use super::text;

/// Panels side by side, from the fewest to the most: as many as leave room for the names.
const COLUMNS: std::ops::RangeInclusive<usize> = 2..=4;
/// Distance between panels.
const GAP: f64 = 14.0;
/// Height of the area with the lines.
const HEIGHT: f64 = 120.0;
/// Height of a panel's heading.
const HEADING: f64 = 22.0;
/// Share of a panel's width on either side of the lines.
const AIR: f64 = 0.16;
/// What lies farther from the base than so many times the middle panel is cut off: one arm that fails altogether would
/// press the others into a line.
const FARTHEST: f64 = 4.0;
/// How much farther than the panels that are whole the axis goes where another is cut off, as a share of their range.
const CUT_OFF: f64 = 0.12;

/// A score of several arms beside that of the base, seed by seed. All panels have the same axis.
#[derive(Clone, Debug)]
pub struct PairedSeeds {
    /// Title of the figure.
    pub title: String,
    /// Quantity, unit and range of the score.
    pub axis: Axis,
    /// What the lines begin at.
    pub base: String,
    /// What the colours say: of neither, of better and of worse; [`PairedPanel::group`] counts these.
    pub groups: Vec<String>,
    /// From left to right, then down.
    pub panels: Vec<PairedPanel>,
}

/// One arm.
#[derive(Clone, Debug)]
pub struct PairedPanel {
    /// Its name.
    pub name: String,
    /// The base's score and the arm's, a pair each seed. A pair that is not finite is left out.
    pub pairs: Vec<(f64, f64)>,
    /// Place in [`PairedSeeds::groups`].
    pub group: usize,
}

impl PairedPanel {
    fn finite(&self) -> impl Iterator<Item = (f64, f64)> {
        self.pairs.iter().copied().filter(|(from, to)| from.is_finite() && to.is_finite())
    }

    fn mean(&self) -> Option<(f64, f64)> {
        let count = self.finite().count();
        let (from, to) = self.finite().fold((0.0, 0.0), |(a, b), (from, to)| (a + from, b + to));
        (count > 0).then(|| (from / count as f64, to / count as f64))
    }
}

impl PairedSeeds {
    /// Draws the plot.
    pub fn draw(&self) -> Drawing {
        let entries: Vec<Entry> = (0..)
            .zip(&self.groups)
            .map(|(group, name)| Entry {
                look: Look::Points(legend::judged(group)),
                name: name.clone(),
            })
            .collect();
        let areas = legend::place(&entries, MARGIN, 36.0, WIDTH - 2.0 * MARGIN);
        let note = areas.last().map_or(36.0, |area| area.bottom()) + 16.0;
        let top = note + 10.0;
        let (axis, is_cut) = self.fit().unzip();
        let widest = axis.iter().flat_map(FittedAxis::ticks);
        let widest = widest.map(|tick| text::width(&tick.label, text::TINY)).fold(0.0, f64::max);
        let left = MARGIN + text::LABEL + 10.0 + widest + 8.0;
        let across = WIDTH - MARGIN - left;
        let width_of = |columns: usize| (across - GAP * (columns - 1) as f64) / columns as f64;
        let longest = self.panels.iter().map(|panel| text::width(&panel.name, text::TINY));
        let longest = longest.fold(0.0, f64::max);
        let fits = |columns: &usize| width_of(*columns) + GAP - 4.0 >= longest;
        let columns = COLUMNS.rev().filter(|columns| *columns <= self.panels.len()).find(fits);
        let columns = columns.unwrap_or(*COLUMNS.start());
        let width = width_of(columns);
        let rows = self.panels.len().div_ceil(columns).max(1) as f64;
        let height = rows * (HEADING + HEIGHT) + (rows - 1.0) * 8.0;

        let mut drawing = Drawing::new(self.title.clone(), top + height + MARGIN);
        add_title(&mut drawing, &self.title);
        for (entry, area) in entries.iter().zip(&areas) {
            legend::draw(&mut drawing, entry, *area);
        }
        let goes_on = if is_cut == Some(true) { " At the edge: it goes on." } else { "" };
        let words = format!(
            "A line a seed, from {} on the left to the arm. Thick: mean.{goes_on}",
            self.base
        );
        let words = text::fit(&words, text::TINY, WIDTH - 2.0 * MARGIN);
        drawing
            .text(Text::new(MARGIN, note, text::TINY, Anchor::Start, words).painted(Paint::Muted));
        let label = text::fit(self.axis.label(), text::LABEL, height);
        let (x, y) = (MARGIN + text::LABEL * 0.8, top + height / 2.0);
        drawing.text(Text::new(x, y, text::LABEL, Anchor::Middle, label).turned(-90.0));
        let Some(axis) = axis else {
            draw_empty(&mut drawing, Rect::new(left, top + HEADING, across, height - HEADING));
            return drawing;
        };
        for (place, panel) in self.panels.iter().enumerate() {
            let (column, row) = (place % columns, place / columns);
            let x = left + column as f64 * (width + GAP);
            let y = top + row as f64 * (HEADING + HEIGHT + 8.0) + HEADING;
            panel.draw(&mut drawing, Rect::new(x, y, width, HEIGHT), &axis, column == 0);
        }
        drawing
    }

    /// The axis of all panels, and whether it cuts something off; `None` if there is no pair.
    fn fit(&self) -> Option<(FittedAxis, bool)> {
        let ends =
            |panel: &PairedPanel| panel.finite().flat_map(|(a, b)| [a, b]).collect::<Vec<_>>();
        let means = self.panels.iter().filter_map(PairedPanel::mean);
        let base: Vec<f64> = means.map(|(base, _)| base).collect();
        let base = base.iter().sum::<f64>() / base.len().max(1) as f64;
        let reach = |panel: &PairedPanel| {
            ends(panel).into_iter().map(|end| (end - base).abs()).fold(0.0, f64::max)
        };
        let mut far: Vec<f64> = self.panels.iter().map(reach).filter(|far| *far > 0.0).collect();
        far.sort_by(f64::total_cmp);
        let middle = far.get(far.len().saturating_sub(1) / 2);
        let limit = middle.map_or(f64::INFINITY, |middle| FARTHEST * middle);
        let (whole, cut): (Vec<_>, Vec<_>) =
            self.panels.iter().partition(|panel| reach(panel) <= limit);
        let mut all: Vec<f64> = whole.into_iter().flat_map(ends).collect();
        let low = all.iter().copied().fold(f64::INFINITY, f64::min);
        let high = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let more = CUT_OFF * (high - low);
        let is_cut = !cut.is_empty();
        let cut = cut.into_iter().flat_map(ends);
        all.extend(cut.map(|end| end.max(low - more).min(high + more)));
        Some((self.axis.fit(all.into_iter(), 4)?, is_cut))
    }
}

impl PairedPanel {
    fn draw(&self, drawing: &mut Drawing, plot: Rect, axis: &FittedAxis, has_labels: bool) {
        let name = text::fit(&self.name, text::TINY, plot.width + GAP - 4.0);
        drawing.text(Text::new(plot.x, plot.y - 6.0, text::TINY, Anchor::Start, name));
        let height = |value: f64| axis.place(value).map(|up| plot.bottom() - up * plot.height);
        for tick in axis.ticks() {
            let Some(y) = height(tick.value) else { continue };
            drawing.line((plot.x, y), (plot.right(), y), Stroke::new(Paint::Grid, 0.8));
            if has_labels {
                let label = Text::new(plot.x - 7.0, y + 4.6, text::TINY, Anchor::End, &tick.label);
                drawing.text(label);
            }
        }
        let (from, to) = (plot.x + AIR * plot.width, plot.right() - AIR * plot.width);
        for x in [from, to] {
            drawing.line((x, plot.y), (x, plot.bottom()), Stroke::new(Paint::Muted, 0.8));
        }
        let line = |(a, b)| Some([(from, height(a)?), (to, height(b)?)]);
        for ends in self.finite().filter_map(line) {
            drawing.path(
                &ends,
                Stroke::new(Paint::Series(legend::judged(self.group)), 1.2).faint(0.55),
            );
        }
        if let Some(ends) = self.mean().and_then(line) {
            drawing.path(&ends, Stroke::new(Paint::Series(legend::judged(self.group)), 3.0));
            let (base, arm) = self.mean().unwrap_or_default();
            for (end, _) in ends.into_iter().zip([base, arm]).filter(|(_, mean)| axis.holds(*mean))
            {
                legend::marker(drawing, end, legend::judged(self.group));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::png::{assert_text_is_clear, text_boxes};
    use crate::figure::svg::Theme;

    fn plot(panels: usize, seeds: usize, scale: f64) -> PairedSeeds {
        let pairs = |panel: usize| {
            let seed = |seed: usize| {
                let from = 90.0 + (seed as f64 * 1.7).sin();
                (scale * from, scale * (from + panel as f64 / 5.0 - 0.5))
            };
            (0..seeds).map(seed).collect()
        };
        let panel = |place: usize| PairedPanel {
            name: format!("label-smoothing=0.{place}"),
            pairs: pairs(place),
            group: place % 3,
        };
        PairedSeeds {
            title: "Test accuracy by seed".into(),
            axis: Axis::linear("test accuracy (%)"),
            base: "none".into(),
            groups: ["no evidence", "helps", "hurts"].map(String::from).into(),
            panels: (0..panels).map(panel).collect(),
        }
    }

    #[test]
    fn text_is_clear_for_few_and_many_panels_and_for_any_scale() {
        for (panels, seeds, scale) in [
            (1, 3, 1.0),
            (4, 10, 1e-6),
            (5, 2, -1.0),
            (20, 40, 1.0),
            (3, 1, 1e5),
            (0, 0, 1.0),
            (2, 0, 1.0),
        ] {
            assert_text_is_clear(&plot(panels, seeds, scale).draw());
        }
    }

    #[test]
    fn every_seed_has_a_line_and_every_arm_a_mean() {
        let svg = plot(3, 5, 1.0).draw().to_svg(Theme::Paper);
        assert_eq!(svg.matches("opacity=\"0.55\"").count(), 3 * 5);
        assert_eq!(svg.matches("stroke-width=\"3\"").count(), 3);
    }

    #[test]
    fn an_arm_far_off_leaves_the_others_their_room() {
        let mut far = plot(5, 4, 1.0);
        far.panels[3].pairs.iter_mut().for_each(|pair| pair.1 = 11.0);
        let texts = text_boxes(&far.draw().to_svg(Theme::Paper));
        assert!(!texts.iter().any(|(text, _)| text == "20"), "{texts:?}");
        assert_text_is_clear(&far.draw());
    }

    #[test]
    fn pairs_that_are_not_finite_are_left_out() {
        let mut odd = plot(2, 3, 1.0);
        odd.panels[0].pairs[1].1 = f64::NAN;
        odd.panels[1].pairs.iter_mut().for_each(|pair| pair.0 = f64::INFINITY);
        let svg = odd.draw().to_svg(Theme::Paper);
        assert!(!svg.contains("NaN") && !svg.contains("inf\""), "{svg}");
        odd.panels[0].pairs.clear();
        assert!(odd.draw().to_svg(Theme::Paper).contains("no finite values"));
    }
}
