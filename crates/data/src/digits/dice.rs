//! What the drawing draws from.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

/// Random numbers that will be the same forever: the few distributions the drawing needs are
/// computed here, as those of the crate `rand` may change between its versions.
pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    pub(super) fn named(name: &str) -> Self {
        Self(ChaCha8Rng::from_seed(Sha256::digest(name).into()))
    }

    /// An independent generator of the same name.
    pub(super) fn stream(&self, number: u64) -> Self {
        let mut rng = self.0.clone();
        rng.set_stream(number);
        Self(rng)
    }

    /// Uniform number in `0..end`, up to a bias below 2⁻¹⁶ for the few thousand values used here.
    pub(super) fn below(&mut self, end: usize) -> usize {
        ((u64::from(self.0.next_u32()) * end as u64) >> 32) as usize
    }

    /// Uniform number in `[low, high)`.
    pub(super) fn between(&mut self, low: f32, high: f32) -> f32 {
        let unit = (self.0.next_u32() >> 8) as f32 / (1 << 24) as f32;
        low + (high - low) * unit
    }

    /// True with this probability.
    pub(super) fn chance(&mut self, probability: f32) -> bool {
        self.between(0.0, 1.0) < probability
    }

    /// Close to normal, mean 0, standard deviation 1, at most 3.5 in absolute value: the sum of
    /// four bytes.
    pub(super) fn normal(&mut self) -> f32 {
        let sum: u32 = self.0.next_u32().to_le_bytes().into_iter().map(u32::from).sum();
        (sum as f32 - 510.0) / 147.8
    }
}
