//! Parallel coordinates: an axis for each quantity, side by side, and a line for each thing that has them all.

use super::axis::{Axis, FittedAxis};
use super::canvas::{MARGIN, Rect, WIDTH};
use super::legend::{self, Entry, Look};
use super::line_chart::draw_empty;
use super::svg::{Anchor, Drawing, Paint, Stroke, Text, add_title};
use super::text;

/// Length of the axes.
const LENGTH: f64 = 290.0;
/// Ticks of an axis of numbers.
const TICKS: usize = 6;
/// Distance of a tick's label from its axis.
const GAP: f64 = 6.0;
/// Height of a row of names.
const NAME: f64 = 20.0;

/// Axes with the lines across them.
#[derive(Clone, Debug)]
pub struct ParallelCoordinates {
    /// Title of the figure.
    pub title: String,
    /// The axes, from left to right.
    pub axes: Vec<ParallelAxis>,
    /// The lines.
    pub lines: Vec<ParallelLine>,
    /// What the legend calls each kind of line, in the order of [`Emphasis`].
    pub names: [String; 3],
}

/// An axis.
#[derive(Clone, Debug)]
pub enum ParallelAxis {
    /// Numbers.
    Numbers(Axis),
    /// Names, from bottom to top; their values are 0, 1 and so on.
    Names {
        /// What they are names of.
        label: String,
        /// The names.
        names: Vec<String>,
    },
}

/// A line.
#[derive(Clone, Debug)]
pub struct ParallelLine {
    /// A value for each axis; one that is not finite leaves a gap.
    pub values: Vec<f64>,
    /// How it stands out.
    pub emphasis: Emphasis,
}

/// How a line stands out; the later ones are drawn beneath the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Emphasis {
    /// More than all others.
    Most,
    /// More than most.
    Some,
    /// Not at all.
    None,
}

/// An axis in its place.
struct Placed<'a> {
    x: f64,
    axis: &'a ParallelAxis,
    fitted: Option<FittedAxis>,
}

impl ParallelCoordinates {
    /// Draws the axes and lines.
    pub fn draw(&self) -> Drawing {
        let entries = self.entries();
        let areas = legend::place(&entries, MARGIN, 36.0, WIDTH - 2.0 * MARGIN);
        let top = areas.last().map_or(36.0, |area| area.bottom()) + 12.0 + 2.0 * NAME;
        let plot = Rect::new(MARGIN, top, WIDTH - 2.0 * MARGIN, LENGTH);
        let mut drawing = Drawing::new(self.title.clone(), plot.bottom() + 18.0);
        add_title(&mut drawing, &self.title);
        for (entry, area) in entries.iter().zip(&areas) {
            legend::draw(&mut drawing, entry, *area);
        }
        let placed = self.place(plot);
        if placed.len() < 2 || self.lines.is_empty() {
            draw_empty(&mut drawing, plot);
            return drawing;
        }
        for axis in &placed {
            let (from, to) = ((axis.x, plot.y), (axis.x, plot.bottom()));
            drawing.line(from, to, Stroke::new(Paint::Ink, 1.2));
        }
        let mut lines: Vec<&ParallelLine> = self.lines.iter().collect();
        lines.sort_by_key(|line| std::cmp::Reverse(line.emphasis));
        for line in lines {
            draw_line(&mut drawing, plot, &placed, line);
        }
        draw_labels(&mut drawing, plot, &placed);
        draw_names(&mut drawing, plot, &placed);
        drawing
    }

    fn entries(&self) -> Vec<Entry> {
        let kinds = [Emphasis::Most, Emphasis::Some, Emphasis::None];
        let named = kinds.into_iter().zip(&self.names);
        let shown = named.filter(|(kind, _)| self.lines.iter().any(|line| line.emphasis == *kind));
        shown.map(|(kind, name)| Entry { look: look(kind), name: name.clone() }).collect()
    }

    /// The axes at even distances, with room for the labels of the first.
    fn place(&self, plot: Rect) -> Vec<Placed<'_>> {
        let fit = |(place, axis): (usize, &ParallelAxis)| match axis {
            ParallelAxis::Numbers(axis) => {
                let values = self.lines.iter().filter_map(|line| line.values.get(place).copied());
                axis.fit(values, TICKS)
            }
            ParallelAxis::Names { .. } => None,
        };
        let fitted: Vec<Option<FittedAxis>> = self.axes.iter().enumerate().map(fit).collect();
        let first = self.axes.first().zip(fitted.first());
        let widest = first.map_or(0.0, |(axis, fitted)| {
            let labels = labels(axis, fitted.as_ref());
            labels.iter().map(|(_, label)| text::width(label, text::TINY)).fold(0.0, f64::max)
        });
        let left = plot.x + widest.min(0.2 * plot.width) + GAP + 2.0;
        let right = plot.right() - 10.0;
        let steps = self.axes.len().saturating_sub(1).max(1) as f64;
        let axes = self.axes.iter().zip(fitted).enumerate();
        axes.map(|(place, (axis, fitted))| Placed {
            x: left + (right - left) * place as f64 / steps,
            axis,
            fitted,
        })
        .collect()
    }
}

fn look(emphasis: Emphasis) -> Look {
    match emphasis {
        Emphasis::Most => Look::Marked(1),
        Emphasis::Some => Look::Marked(0),
        Emphasis::None => Look::Reference,
    }
}

impl Placed<'_> {
    /// Place of a value from 0, the foot, to 1.
    fn share(&self, value: f64) -> Option<f64> {
        match (self.axis, &self.fitted) {
            (ParallelAxis::Names { names, .. }, _) => share_of_name(value, names.len()),
            (_, Some(fitted)) => fitted.place(value),
            (_, None) => None,
        }
    }
}

fn share_of_name(value: f64, names: usize) -> Option<f64> {
    let share = (value + 0.5) / names as f64;
    (share.is_finite() && (0.0..=1.0).contains(&share)).then_some(share)
}

/// The labels of an axis with their places from 0 to 1.
fn labels(axis: &ParallelAxis, fitted: Option<&FittedAxis>) -> Vec<(f64, String)> {
    match axis {
        ParallelAxis::Names { names, .. } => {
            let label = |(item, name): (usize, &String)| {
                Some((share_of_name(item as f64, names.len())?, name.clone()))
            };
            names.iter().enumerate().filter_map(label).collect()
        }
        ParallelAxis::Numbers(_) => {
            let ticks = fitted.map_or(&[][..], FittedAxis::ticks);
            let label =
                |tick: &super::axis::Tick| Some((fitted?.place(tick.value)?, tick.label.clone()));
            ticks.iter().filter_map(label).collect()
        }
    }
}

fn draw_line(drawing: &mut Drawing, plot: Rect, placed: &[Placed<'_>], line: &ParallelLine) {
    let mut runs = vec![Vec::new()];
    for (axis, value) in placed.iter().zip(&line.values) {
        match axis.share(*value) {
            Some(share) => {
                let point = (axis.x, plot.bottom() - share * plot.height);
                runs.last_mut().expect("there is one from the beginning").push(point);
            }
            None => runs.push(Vec::new()),
        }
    }
    for run in runs.iter().filter(|run| !run.is_empty()) {
        let (stroke, marker) = match line.emphasis {
            Emphasis::Most => (legend::line(1), Some(1)),
            Emphasis::Some => (legend::line(0).faint(0.75), Some(0)),
            Emphasis::None => (legend::reference().faint(0.45), None),
        };
        drawing.path(run, stroke);
        for point in run {
            if let Some(marker) = marker {
                legend::marker(drawing, *point, marker);
            }
        }
    }
}

/// Labels to the left of their axes, on paper that keeps lines out.
fn draw_labels(drawing: &mut Drawing, plot: Rect, placed: &[Placed<'_>]) {
    let spacing = placed.windows(2).map(|pair| pair[1].x - pair[0].x).fold(plot.width, f64::min);
    for (place, axis) in placed.iter().enumerate() {
        let room = match place {
            0 => axis.x - plot.x - GAP,
            _ => 0.8 * spacing - GAP,
        };
        for (share, label) in labels(axis.axis, axis.fitted.as_ref()) {
            let y = plot.bottom() - share * plot.height;
            let label = text::fit(&label, text::TINY, room);
            let width = text::width(&label, text::TINY);
            let right = axis.x - GAP;
            let area = Rect::new(right - width - 2.0, y - 8.0, width + 3.0, 16.0);
            drawing.rect(area, Stroke::fill(Paint::Paper).faint(0.8));
            drawing.line((axis.x - 4.0, y), (axis.x, y), Stroke::new(Paint::Ink, 1.2));
            drawing.text(Text::new(right, y + 4.5, text::TINY, Anchor::End, label));
        }
    }
}

/// Names above their axes, in two rows by turns, so that each has twice the room.
fn draw_names(drawing: &mut Drawing, plot: Rect, placed: &[Placed<'_>]) {
    let spacing = placed.windows(2).map(|pair| pair[1].x - pair[0].x).fold(plot.width, f64::min);
    for (place, axis) in placed.iter().enumerate() {
        let name = match axis.axis {
            ParallelAxis::Numbers(axis) => axis.label(),
            ParallelAxis::Names { label, .. } => label,
        };
        let y = plot.y - 15.0 - if place % 2 == 0 { 0.0 } else { NAME };
        let (x, anchor, room) = match place {
            0 => (plot.x, Anchor::Start, axis.x + spacing - plot.x - 6.0),
            last if last + 1 == placed.len() => {
                (plot.right(), Anchor::End, plot.right() - axis.x + spacing - 6.0)
            }
            _ => (axis.x, Anchor::Middle, 2.0 * spacing - 12.0),
        };
        let room = room.min(plot.width);
        drawing.text(Text::new(x, y, text::SMALL, anchor, text::fit(name, text::SMALL, room)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::Theme;
    use crate::figure::png::assert_text_is_clear;

    fn figure(settings: usize) -> ParallelCoordinates {
        let axis = |place: usize| match place % 3 {
            0 => ParallelAxis::Numbers(Axis::log("learning-rate (log)").over(1e-6, 1.0)),
            1 => ParallelAxis::Names {
                label: "augmentation of images".into(),
                names: ["none", "crop=4:reflect,flip", "randaugment=2:9"].map(String::from).into(),
            },
            _ => ParallelAxis::Numbers(Axis::linear("dropout").over(0.0, 0.8)),
        };
        let line = |number: usize| ParallelLine {
            values: (0..settings)
                .map(|place| match place % 3 {
                    0 => 10_f64.powf(-6.0 + (number as f64 * 0.37).fract() * 6.0),
                    1 => (number % 3) as f64,
                    _ => 0.8 * (number as f64 * 0.61).fract(),
                })
                .collect(),
            emphasis: match number {
                0 => Emphasis::Most,
                1..5 => Emphasis::Some,
                _ => Emphasis::None,
            },
        };
        ParallelCoordinates {
            title: "Trials".into(),
            axes: (0..settings).map(axis).collect(),
            lines: (0..30).map(line).collect(),
            names: ["best trial", "next four", "others"].map(String::from),
        }
    }

    #[test]
    fn labels_and_names_stand_clear_of_each_other() {
        for settings in [2, 3, 4, 6, 9] {
            assert_text_is_clear(&figure(settings).draw());
        }
    }

    #[test]
    fn every_trial_is_a_line_and_the_best_is_drawn_last() {
        let figure = figure(4);
        let svg = figure.draw().to_svg(Theme::Paper);
        let dashed = svg.matches("stroke-dasharray=\"6 5\"").count();
        // One in the legend.
        assert_eq!(dashed, 25 + 1);
        // Four markers and one of the legend, of the second series' colour.
        let best = "fill=\"#d55e00\"";
        assert_eq!(svg.matches(best).count(), 4 + 1);
        assert!(svg.rfind(best) > svg.rfind("stroke-dasharray=\"6 5\""));
    }

    #[test]
    fn without_lines_it_says_so_and_a_missing_value_leaves_a_gap() {
        let mut figure = figure(3);
        figure.lines[0].values[1] = f64::NAN;
        let svg = figure.draw().to_svg(Theme::Paper);
        assert!(!svg.contains("NaN"), "{svg}");
        figure.lines.clear();
        assert!(figure.draw().to_svg(Theme::Paper).contains("no finite values"));
    }
}
