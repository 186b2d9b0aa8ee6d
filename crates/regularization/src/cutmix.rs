//! CutMix: train on images with a piece of another.

use std::ops::Range;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::labelled_batch::{LabelRegularizer, LabelledBatch};
use crate::mixing::{Mix, MixWay, check_alpha, draw_partners, draw_share};
use crate::strength::{StrengthError, number};

/// Pastes a box of another image of the batch into each image and blends their targets by its
/// area: `y ← λ y + (1 − λ) y_π`.
///
/// One `λ ~ Beta(α, α)`, one random permutation `π` and one box for each batch, as in the paper's
/// code. The box has sides `√(1 − λ)` of the image's, rounded down to whole pixels, around a centre
/// drawn uniformly, and is clipped at the edges; then `λ` becomes the exact share of pixels that
/// were kept. An image that is its own partner stays as it is.
///
/// Yun et al., [CutMix](https://arxiv.org/abs/1905.04899), ICCV 2019.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CutMix {
    /// α, up to 1000; 1 draws λ uniformly. 0 is off.
    pub alpha: f64,
}

impl LabelRegularizer for CutMix {
    fn is_off(&self) -> bool {
        self.alpha == 0.0
    }

    fn check(&self, _classes: usize) -> Result<(), StrengthError> {
        check_alpha("labels.cutmix", self.alpha)
    }

    fn set(&mut self, text: &str) -> Result<(), String> {
        self.alpha = number(text)?;
        Ok(())
    }

    fn apply(&self, batch: &mut LabelledBatch, rng: &mut ChaCha8Rng) {
        if self.is_off() {
            return;
        }
        let [images, _, height, width] = batch.shape;
        let share = draw_share(self.alpha, rng);
        let partners = draw_partners(images, rng);
        let side = (1.0 - share).sqrt();
        let rows = stretch(side, height, rng);
        let columns = stretch(side, width, rng);
        let pasted = rows.len() * columns.len();
        let share = 1.0 - pasted as f64 / (height * width) as f64;
        batch.mix(Mix { partners, share, way: MixWay::Paste { rows, columns } });
    }
}

/// `share · length` pixels around a uniformly drawn centre, as far as they lie in `0..length`.
fn stretch(share: f64, length: usize, rng: &mut ChaCha8Rng) -> Range<usize> {
    let extent = (share * length as f64) as usize;
    let center = rng.random_range(0..length);
    let before = extent / 2;
    center.saturating_sub(before)..(center + extent - before).min(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labelled_batch::tests::{numbered_batch, rng};

    const IMAGES: usize = 5;
    const SHAPE: [usize; 3] = [2, 7, 4];
    const PLANE: usize = 28;

    /// The image that each pixel of each image comes from, `[channel, row, column]`; fails if a
    /// pixel is not where it was.
    fn origins(batch: &LabelledBatch) -> Vec<Vec<usize>> {
        let images = batch.images.values().chunks_exact(2 * PLANE);
        images
            .map(|pixels| {
                let numbered = pixels.iter().enumerate().map(|(position, &pixel)| {
                    assert_eq!(pixel as usize % 1000, position, "a pixel moved");
                    pixel as usize / 1000
                });
                numbered.collect()
            })
            .collect()
    }

    #[test]
    fn targets_weigh_images_by_their_exact_share_of_pixels() {
        for seed in 0..300 {
            let mut batch = numbered_batch(IMAGES as u8, SHAPE);
            CutMix { alpha: 1.0 }.apply(&mut batch, &mut rng(seed));
            for (origins, target) in origins(&batch).iter().zip(batch.targets.rows()) {
                for (class, &weight) in target.iter().enumerate() {
                    let pixels = origins.iter().filter(|&&origin| origin == class).count();
                    let share = pixels as f64 / (2 * PLANE) as f64;
                    assert!((f64::from(weight) - share).abs() < 1e-7, "seed {seed}: {weight}");
                }
            }
        }
    }

    #[test]
    fn what_is_pasted_is_one_box_for_all_channels_and_images() {
        let mut boxes = Vec::new();
        for seed in 0..300 {
            let mut batch = numbered_batch(IMAGES as u8, SHAPE);
            CutMix { alpha: 1.0 }.apply(&mut batch, &mut rng(seed));
            let mut pasted_by_image = Vec::new();
            for (image, origins) in origins(&batch).iter().enumerate() {
                let (first, second) = origins.split_at(PLANE);
                assert_eq!(first, second, "seed {seed}: channels differ");
                let pasted: Vec<(usize, usize)> = (0..PLANE)
                    .filter(|&position| first[position] != image)
                    .map(|position| (position / 4, position % 4))
                    .collect();
                if !pasted.is_empty() {
                    pasted_by_image.push(pasted);
                }
            }
            let Some(pasted) = pasted_by_image.first() else { continue };
            assert!(pasted_by_image.iter().all(|other| other == pasted), "seed {seed}");
            let span = |values: Vec<usize>| {
                *values.iter().min().unwrap()..*values.iter().max().unwrap() + 1
            };
            let rows = span(pasted.iter().map(|at| at.0).collect());
            let columns = span(pasted.iter().map(|at| at.1).collect());
            assert_eq!(pasted.len(), rows.len() * columns.len(), "seed {seed}: no box");
            boxes.push((rows, columns));
        }
        assert!(boxes.iter().any(|(rows, columns)| rows.len() > 4 && columns.len() < 4));
        assert!(
            boxes.iter().any(|(rows, columns)| rows.start > 0 && (rows.end, columns.end) == (7, 4))
        );
    }

    #[test]
    fn unclipped_stretches_have_their_share_of_the_length() {
        let mut rng = rng(1);
        for (share, length, extent) in [(0.5, 40, 20), (0.5, 7, 3), (1.0, 7, 7), (0.01, 40, 0)] {
            let lengths = (0..1000).map(|_| stretch(share, length, &mut rng).len());
            assert_eq!(lengths.max(), Some(extent), "{share} of {length}");
        }
    }

    #[test]
    fn centres_are_uniform() {
        let mut rng = rng(2);
        let mut counts = [0.0; 24];
        for _ in 0..24_000 {
            // One pixel: the centre.
            let stretch = stretch(1.0 / 24.0, 24, &mut rng);
            assert_eq!(stretch.len(), 1);
            counts[stretch.start] += 1.0;
        }
        let statistic: f64 =
            counts.iter().map(|count: &f64| (count - 1000.0).powi(2) / 1000.0).sum();
        // 99.9 % quantile of χ² with 23 degrees of freedom (`scipy.stats.chi2`).
        assert!(statistic < 49.728, "{statistic}");
    }

    #[test]
    fn a_batch_of_one_stays_as_it_is() {
        let original = numbered_batch(1, SHAPE);
        let mut batch = original.clone();
        CutMix { alpha: 1.0 }.apply(&mut batch, &mut rng(4));
        assert_eq!(batch, original);
    }
}
