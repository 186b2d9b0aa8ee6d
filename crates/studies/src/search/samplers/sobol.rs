//! A Sobol sequence: points that fill the space more evenly than random ones.
//!
//! Scrambled as Owen does it, so that another seed gives another sequence. Burley, [Practical hash-based Owen
//! scrambling](https://jcgt.org/published/0009/04/01/), 2020.

use rand::Rng;
use sobol_burley::sample;

use crate::search::ask::{Ask, Sampler};

/// The points of a sequence.
const MOST_POINTS: usize = 1 << 16;

pub(super) const SAMPLER: Sampler = Sampler {
    name: "sobol",
    summary: "points of a scrambled Sobol sequence, which fill the space evenly",
    places,
};

/// The places of a point of the round's sequence. Each point that had been tried moves on to the next one.
pub(super) fn places(ask: &Ask<'_>) -> Option<Vec<f64>> {
    let point = ask.number.saturating_sub(1) + ask.attempt;
    let point = u32::try_from(point).ok().filter(|_| point < MOST_POINTS)?;
    let seed = ask.seeds.search_trial(ask.round, 0).next_u32();
    let settings = 0..ask.space.varied().len() as u32;
    Some(settings.map(|setting| f64::from(sample(point, setting, seed))).collect())
}
