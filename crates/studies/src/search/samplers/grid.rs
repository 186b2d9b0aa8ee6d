//! A grid: all combinations of evenly spaced values, with both ends of every range.

use crate::search::ask::{Ask, Sampler};
use crate::search::space::Space;

pub(super) const SAMPLER: Sampler = Sampler {
    name: "grid",
    summary: "all combinations of evenly spaced values; --points of each range",
    places,
};

/// Points of the grid with so many values of each range of numbers; of more than fit, as many as fit.
pub fn size(space: &Space, points: usize) -> usize {
    let axes = space.varied().iter().map(|varied| varied.range.grid(points).len());
    axes.fold(1, usize::saturating_mul)
}

/// The places of a point; the last setting changes fastest.
fn places(ask: &Ask<'_>) -> Option<Vec<f64>> {
    let point = ask.number.checked_sub(1)? + ask.attempt;
    if point >= size(ask.space, ask.grid) {
        return None;
    }
    let mut rest = point;
    let mut places = Vec::new();
    for varied in ask.space.varied().iter().rev() {
        let axis = varied.range.grid(ask.grid);
        places.push(*axis.get(rest % axis.len())?);
        rest /= axis.len();
    }
    places.reverse();
    Some(places)
}
