//! What mixup and CutMix share: with which other image of the batch each is mixed, and how much of its own
//! it keeps.

use std::ops::Range;

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Beta, Distribution};

use crate::strength::{StrengthError, within};

/// Each image of a batch, and its target, mixed with another of the batch. One that is its own partner stays as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Mix {
    /// `[batch]`, the place in the batch of the image that each is mixed with.
    pub partners: Vec<usize>,
    /// Share of its own target that each keeps, in `[0, 1]`.
    pub share: f64,
    /// What becomes of the images.
    pub way: MixWay,
}

/// How two images become one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MixWay {
    /// Each pixel by the share that the targets are mixed by, as mixup does.
    Blend,
    /// This box is the partner's, as CutMix does.
    Paste {
        /// Of the image.
        rows: Range<usize>,
        /// Of the image.
        columns: Range<usize>,
    },
}

impl Mix {
    /// `targets`: `[batch, classes]`
    pub(crate) fn of_targets(&self, targets: &mut [f32]) {
        blend(targets, self.share, &self.partners);
    }

    /// `images`: `[batch, channels, height, width]`, as `shape` says.
    pub(crate) fn of_images(&self, images: &mut [f32], shape: [usize; 4]) {
        let MixWay::Paste { rows, columns } = &self.way else {
            return blend(images, self.share, &self.partners);
        };
        let [_, channels, height, width] = shape;
        let old = images.to_vec();
        for (image, &partner) in self.partners.iter().enumerate() {
            for channel in 0..channels {
                for row in rows.clone() {
                    let start = |image| ((image * channels + channel) * height + row) * width;
                    let from = &old[start(partner)..][..width][columns.clone()];
                    images[start(image)..][..width][columns.clone()].copy_from_slice(from);
                }
            }
        }
    }
}

/// Checks the parameter of the Beta distribution that shares are drawn from.
pub(crate) fn check_alpha(setting: &'static str, alpha: f64) -> Result<(), StrengthError> {
    let expected = "0 for off, or a parameter of the Beta distribution, up to 1000";
    within(setting, alpha, 0.0..=GREATEST_BETA, expected)
}

/// Greatest α: far beyond what anybody uses (at 1000 all shares lie near ½), and far below the parameters at which
/// the Beta sampler overflows.
const GREATEST_BETA: f64 = 1000.0;

/// The share `λ ~ Beta(α, α)` that a batch keeps of its own, in `[0, 1]`.
pub(crate) fn draw_share(alpha: f64, rng: &mut ChaCha8Rng) -> f64 {
    let beta = Beta::new(alpha, alpha).expect("the caller refused alpha 0, `check` the others");
    beta.sample(rng)
}

/// The image that each image of the batch is mixed with: a random permutation.
pub(crate) fn draw_partners(batch: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let mut partners: Vec<usize> = (0..batch).collect();
    partners.shuffle(rng);
    partners
}

/// `row ← share · row + (1 − share) · partner's row`, for equally long rows, one for each partner.
///
/// A row that is its own partner stays as it is, to the last bit.
fn blend(values: &mut [f32], share: f64, partners: &[usize]) {
    let length = values.len() / partners.len().max(1);
    let old = values.to_vec();
    let (own, other) = (share as f32, (1.0 - share) as f32);
    for (index, &partner) in partners.iter().enumerate() {
        if partner == index {
            continue;
        }
        let row = &mut values[index * length..][..length];
        for (value, partner) in row.iter_mut().zip(&old[partner * length..][..length]) {
            *value = own * *value + other * partner;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labelled_batch::tests::rng;

    #[test]
    fn no_parameter_in_range_makes_a_share_that_is_not_in_zero_to_one() {
        let alphas = [f64::from_bits(1), f64::MIN_POSITIVE, 1e-300, 1e-9, 1e-3, 0.2, 1.0, 1000.0];
        for alpha in alphas {
            let mut rng = rng(1);
            for _ in 0..1000 {
                let share = draw_share(alpha, &mut rng);
                assert!((0.0..=1.0).contains(&share), "alpha {alpha}: {share}");
            }
        }
        // All the probability at both ends, half of it at each.
        let mut rng = rng(2);
        let shares: Vec<f64> = (0..1000).map(|_| draw_share(1e-9, &mut rng)).collect();
        assert!(shares.iter().all(|share| share.min(1.0 - share) < 1e-6));
        let ones = shares.iter().filter(|&&share| share > 0.5).count();
        assert!(ones.abs_diff(500) < 79, "{ones} of 1000");
    }
}
