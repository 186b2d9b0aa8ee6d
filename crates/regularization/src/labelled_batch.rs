//! A training batch on its way to the device, and what a label regularizer does to one.

use std::fmt::Debug;

use rand_chacha::ChaCha8Rng;

use crate::targets::Targets;

/// A training batch on its way to the device.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelledBatch {
    /// `[batch, channels, height, width]`, normalized.
    pub images: Vec<f32>,
    /// Batch, channels, height and width.
    pub shape: [usize; 4],
    /// One row for each image.
    pub targets: Targets,
}

/// A random change of a batch's targets, and perhaps of its images, drawn anew for every batch.
///
/// It keeps shapes, the same generator gives the same result, and strength 0 changes nothing.
pub trait LabelRegularizer: Debug {
    /// Changes `batch` in place, drawing from `rng`.
    ///
    /// # Panics
    ///
    /// Possibly, if the strength lies outside its range, which [`LabelRegularizers::check`](crate::LabelRegularizers::check) refuses.
    fn apply(&self, batch: &mut LabelledBatch, rng: &mut ChaCha8Rng);
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use rand::SeedableRng;

    pub(crate) fn rng(seed: u64) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(seed)
    }

    /// Image `i` has label `i`. Every pixel is different, and its whole thousands say which image
    /// it belongs to.
    pub(crate) fn numbered_batch(
        batch: u8,
        [channels, height, width]: [usize; 3],
    ) -> LabelledBatch {
        let pixels = channels * height * width;
        assert!(pixels <= 1000, "{pixels} pixels do not fit below a thousand");
        let images = (0..usize::from(batch))
            .flat_map(|image| (0..pixels).map(move |pixel| (1000 * image + pixel) as f32))
            .collect();
        let labels: Vec<u16> = (0..u16::from(batch)).collect();
        LabelledBatch {
            images,
            shape: [usize::from(batch), channels, height, width],
            targets: Targets::one_hot(&labels, usize::from(batch)),
        }
    }

    /// One black pixel for each label.
    pub(crate) fn labels_only(labels: &[u16], classes: usize) -> LabelledBatch {
        LabelledBatch {
            images: vec![0.0; labels.len()],
            shape: [labels.len(), 1, 1, 1],
            targets: Targets::one_hot(labels, classes),
        }
    }
}
