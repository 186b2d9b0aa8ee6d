//! Random search: every place is equally likely, whatever came out before.
//!
//! Bergstra and Bengio, [Random search for hyper-parameter optimization](
//! https://jmlr.org/papers/v13/bergstra12a.html), 2012.

use rand::RngExt;

use crate::search::ask::{Ask, Sampler};

pub(super) const SAMPLER: Sampler =
    Sampler { name: "random", summary: "points drawn at random", places: |ask| Some(places(ask)) };

/// Words of a generator that a place takes.
const WORDS: usize = 2;

/// Places drawn from the trial's own stream, behind those of the attempts before.
pub(super) fn places(ask: &Ask<'_>) -> Vec<f64> {
    let mut rng = ask.seeds.search_trial(ask.round, ask.number);
    let settings = ask.space.varied().len();
    rng.set_word_pos((ask.attempt * settings * WORDS) as u128);
    (0..settings).map(|_| rng.random()).collect()
}
