//! mixup: train between the images.

use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::labelled_batch::{LabelRegularizer, LabelledBatch};
use crate::mixing::{Mix, MixWay, check_alpha, draw_partners, draw_share};
use crate::strength::{StrengthError, number};

/// Blends each image and its target with another of the batch: `x ← λ x + (1 − λ) x_π` and
/// `y ← λ y + (1 − λ) y_π`.
///
/// One `λ ~ Beta(α, α)` and one random permutation `π` for each batch, as in the paper's code. An
/// image that is its own partner stays as it is.
///
/// Zhang et al., [mixup](https://arxiv.org/abs/1710.09412), ICLR 2018.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mixup {
    /// α, up to 1000; the greater, the nearer λ is to ½. 0 is off.
    pub alpha: f64,
}

impl LabelRegularizer for Mixup {
    fn is_off(&self) -> bool {
        self.alpha == 0.0
    }

    fn check(&self, _classes: usize) -> Result<(), StrengthError> {
        check_alpha("labels.mixup", self.alpha)
    }

    fn set(&mut self, text: &str) -> Result<(), String> {
        self.alpha = number(text)?;
        Ok(())
    }

    fn apply(&self, batch: &mut LabelledBatch, rng: &mut ChaCha8Rng) {
        if self.is_off() {
            return;
        }
        let share = draw_share(self.alpha, rng);
        let partners = draw_partners(batch.shape[0], rng);
        batch.mix(Mix { partners, share, way: MixWay::Blend });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labelled_batch::tests::{labels_only, numbered_batch, rng};

    const DRAWS: usize = 10_000;

    /// λ of each of many batches, read off their targets: what image `i` keeps of class `i`.
    fn shares(alpha: f64) -> Vec<f64> {
        let mut rng = rng(alpha.to_bits());
        let mut shares = Vec::with_capacity(DRAWS);
        while shares.len() < DRAWS {
            let mut batch = labels_only(&[0, 1, 2, 3], 4);
            Mixup { alpha }.apply(&mut batch, &mut rng);
            // Where no image has a partner but itself, λ cannot be seen, and the next is drawn.
            let mixed =
                batch.targets.rows().enumerate().find(|(_, row)| row.iter().all(|&p| p != 1.0));
            shares.extend(mixed.map(|(image, row)| f64::from(row[image])));
        }
        shares
    }

    #[test]
    fn shares_have_the_mean_and_the_variance_of_the_beta_distribution() {
        for alpha in [0.2, 0.5, 1.0, 2.0, 8.0] {
            let shares = shares(alpha);
            let mean = |values: &dyn Fn(&f64) -> f64| {
                shares.iter().map(values).sum::<f64>() / DRAWS as f64
            };
            let variance = 1.0 / (4.0 * (2.0 * alpha + 1.0));
            let error = (variance / DRAWS as f64).sqrt();
            assert!((mean(&|x| *x) - 0.5).abs() < 5.0 * error, "alpha {alpha}");
            // (λ − ½)² lies in [0, ¼], so its standard deviation is at most ⅛.
            let found = mean(&|x| (x - 0.5).powi(2));
            let error = 0.125 / (DRAWS as f64).sqrt();
            assert!((found - variance).abs() < 5.0 * error, "alpha {alpha}: {found} {variance}");
        }
    }

    #[test]
    fn shares_follow_the_beta_distribution() {
        type Distribution = fn(f64) -> f64;
        // Distribution functions that can be written down.
        let cases: [(f64, Distribution); 3] = [
            (0.5, |x| x.sqrt().asin() * std::f64::consts::FRAC_2_PI),
            (1.0, |x| x),
            (2.0, |x| x * x * (3.0 - 2.0 * x)),
        ];
        // 99.9 % quantile of Kolmogorov's distribution (`scipy.stats.kstwobign`).
        let critical = 1.9495 / (DRAWS as f64).sqrt();
        for (alpha, distribution) in cases {
            let mut shares = shares(alpha);
            shares.sort_by(f64::total_cmp);
            let distance = |of: Distribution| {
                let steps = shares.iter().enumerate().map(|(i, &share)| {
                    let below = i as f64 / DRAWS as f64;
                    (of(share) - below).abs().max((below + 1.0 / DRAWS as f64 - of(share)).abs())
                });
                steps.fold(0.0, f64::max)
            };
            assert!(distance(distribution) < critical, "alpha {alpha}: {}", distance(distribution));
            for (other, of) in cases.into_iter().filter(|(other, _)| *other != alpha) {
                assert!(distance(of) > critical, "alpha {alpha} passes for {other}");
            }
        }
    }

    #[test]
    fn images_are_blended_as_their_targets_say() {
        let original = numbered_batch(6, [2, 5, 3]);
        let image = |batch: &LabelledBatch, index: usize| {
            batch.images.values()[index * 30..][..30].to_vec()
        };
        for seed in 0..100 {
            let mut batch = original.clone();
            Mixup { alpha: 1.0 }.apply(&mut batch, &mut rng(seed));
            let mut partners = Vec::new();
            for (index, target) in batch.targets.rows().enumerate() {
                let mut expected = vec![0.0; 30];
                for (class, &weight) in target.iter().enumerate() {
                    for (sum, pixel) in expected.iter_mut().zip(image(&original, class)) {
                        *sum += weight * pixel;
                    }
                }
                for (pixel, expected) in image(&batch, index).into_iter().zip(expected) {
                    assert!((pixel - expected).abs() < 1e-2, "seed {seed}: {pixel} {expected}");
                }
                partners.push((0..6).find(|&c| c != index && target[c] > 0.0).unwrap_or(index));
            }
            partners.sort_unstable();
            assert_eq!(partners, [0, 1, 2, 3, 4, 5], "seed {seed}: no permutation");
        }
    }

    #[test]
    fn a_batch_of_one_stays_as_it_is() {
        let original = numbered_batch(1, [2, 5, 3]);
        let mut batch = original.clone();
        Mixup { alpha: 1.0 }.apply(&mut batch, &mut rng(4));
        assert_eq!(batch, original);
    }
}
