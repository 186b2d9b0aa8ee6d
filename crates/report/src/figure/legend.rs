//! Legends: rows of entries above the plot, where they cannot cover data.

use super::canvas::Rect;
use super::svg::{Anchor, Drawing, Paint, Stroke, Text};
use super::text;

/// Dashes of the series, by their order.
const DASHES: [&str; 5] = ["", "8 4", "2.5 3.5", "10 3 2.5 3", "5 3"];
/// Height of a row.
const ROW: f64 = 23.0;
/// Width of the sample before an entry's text.
const SAMPLE: f64 = 34.0;
const GAP: f64 = 8.0;

/// How a series looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// A line with markers.
    Marked(usize),
    /// Markers without a line.
    Points(usize),
    /// A thin grey line that others are compared with.
    Reference,
    /// A ring around one point of a series and a line down from it.
    Ring,
}

/// One line of a legend.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) look: Look,
    pub(super) name: String,
}

/// Lays entries out in rows from (`left`, `top`), `width` wide. Returns an area for each.
pub(super) fn place(entries: &[Entry], left: f64, top: f64, width: f64) -> Vec<Rect> {
    let (mut x, mut y) = (left, top);
    let mut areas = Vec::with_capacity(entries.len());
    for entry in entries {
        let wanted = SAMPLE + GAP + text::width(&entry.name, text::SMALL);
        let wanted = wanted.min(width);
        if x > left && x + wanted > left + width {
            (x, y) = (left, y + ROW);
        }
        areas.push(Rect::new(x, y, wanted, ROW));
        x += wanted + 2.5 * GAP;
    }
    areas
}

/// Draws an entry into its area.
pub(super) fn draw(drawing: &mut Drawing, entry: &Entry, area: Rect) {
    let middle = area.y + area.height / 2.0;
    let (left, right) = ((area.x, middle), (area.x + SAMPLE, middle));
    let centre = (area.x + SAMPLE / 2.0, middle);
    match entry.look {
        Look::Marked(index) => {
            drawing.line(left, right, line(index));
            marker(drawing, centre, index);
        }
        Look::Points(index) => marker(drawing, centre, index),
        Look::Reference => drawing.line(left, right, reference()),
        Look::Ring => ring(drawing, centre),
    }
    let room = area.width - SAMPLE - GAP;
    let name = text::fit(&entry.name, text::SMALL, room + 0.5);
    let x = area.x + SAMPLE + GAP;
    drawing.text(Text::new(x, middle + 5.0, text::SMALL, Anchor::Start, name));
}

/// The line of a series.
pub(super) fn line(index: usize) -> Stroke {
    Stroke::new(Paint::Series(index), 2.4).dashed(DASHES[index % DASHES.len()])
}

/// The line that others are compared with.
pub(super) fn reference() -> Stroke {
    Stroke::new(Paint::Muted, 1.5).dashed("6 5")
}

/// The ring around a selected point.
pub(super) fn ring(drawing: &mut Drawing, centre: (f64, f64)) {
    drawing.circle(centre, 8.0, Stroke::new(Paint::Ink, 2.0));
}

/// The marker of a series at a point.
pub(super) fn marker(drawing: &mut Drawing, (x, y): (f64, f64), index: usize) {
    // A rim in the background's colour sets it off from lines that pass beneath.
    let look = Stroke::new(Paint::Paper, 1.0).filled(Paint::Series(index));
    let r = 4.4;
    match index % 5 {
        0 => drawing.circle((x, y), r, look),
        1 => drawing.rect(Rect::new(x - r * 0.9, y - r * 0.9, 1.8 * r, 1.8 * r), look),
        2 => {
            let (top, foot) = ((x, y - 1.25 * r), y + 0.85 * r);
            drawing.polygon(&[top, (x + 1.2 * r, foot), (x - 1.2 * r, foot)], look);
        }
        3 => {
            let (d, left) = (1.35 * r, (x - 1.35 * r, y));
            drawing.polygon(&[(x, y - d), (x + d, y), (x, y + d), left], look);
        }
        _ => {
            let (foot, top) = ((x, y + 1.25 * r), y - 0.85 * r);
            drawing.polygon(&[foot, (x + 1.2 * r, top), (x - 1.2 * r, top)], look);
        }
    }
}

/// The marker and colour of what is neither better nor worse (0), better (1) and worse (2): blue circle, green triangle,
/// red square, and on from there.
pub(super) fn judged(group: usize) -> usize {
    [0, 2, 1].get(group).copied().unwrap_or(group)
}
