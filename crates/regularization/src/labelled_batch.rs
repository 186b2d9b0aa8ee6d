//! A training batch on its way to the device, and what a label regularizer does to one.

use std::fmt::Debug;

use rand_chacha::ChaCha8Rng;

use crate::mixing::Mix;
use crate::strength::StrengthError;
use crate::targets::Targets;

/// A training batch on its way to the device.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelledBatch {
    /// What there is of them here.
    pub images: BatchImages,
    /// Batch, channels, height and width.
    pub shape: [usize; 4],
    /// One row for each image.
    pub targets: Targets,
}

impl LabelledBatch {
    /// Mixes images and targets in pairs; images that lie on a device will be mixed there.
    ///
    /// # Panics
    ///
    /// If it has not one partner for each image, or images on a device are to be mixed a second time.
    pub fn mix(&mut self, mix: Mix) {
        assert_eq!(mix.partners.len(), self.shape[0], "partners of the images");
        mix.of_targets(self.targets.probabilities_mut());
        match &mut self.images {
            BatchImages::Values(values) => mix.of_images(values, self.shape),
            BatchImages::OnDevice(before) => {
                assert!(before.replace(mix).is_none(), "a device mixes a batch once");
            }
        }
    }
}

/// The images of a batch.
#[derive(Clone, Debug, PartialEq)]
pub enum BatchImages {
    /// `[batch, channels, height, width]`, normalized.
    Values(Vec<f32>),
    /// They are made on a device, which has to mix them like this.
    OnDevice(Option<Mix>),
}

impl BatchImages {
    /// `[batch, channels, height, width]`, normalized.
    ///
    /// # Panics
    ///
    /// If they are made on a device. Those of a training with a regularizer that no recipe knows are here.
    pub fn values(&self) -> &[f32] {
        match self {
            Self::Values(values) => values,
            Self::OnDevice(_) => unreachable!("these images are made on a device"),
        }
    }

    /// The same, to change them in place.
    ///
    /// # Panics
    ///
    /// As [`values`](Self::values).
    pub fn values_mut(&mut self) -> &mut [f32] {
        match self {
            Self::Values(values) => values,
            Self::OnDevice(_) => unreachable!("these images are made on a device"),
        }
    }
}

impl From<Vec<f32>> for BatchImages {
    fn from(values: Vec<f32>) -> Self {
        Self::Values(values)
    }
}

/// A random change of a batch's targets, and perhaps of its images, drawn anew for every batch.
///
/// It keeps shapes, the same generator gives the same result, and strength 0 changes nothing. One that no recipe
/// knows need only [`apply`](Self::apply).
pub trait LabelRegularizer: Debug {
    /// Whether its strength is 0. It is left out then, so that it draws nothing either and the others do
    /// what they would do without it.
    fn is_off(&self) -> bool {
        false
    }

    /// Checks its strength, for targets over `classes` classes.
    ///
    /// # Errors
    ///
    /// If the strength is outside its range, which the message names.
    fn check(&self, classes: usize) -> Result<(), StrengthError> {
        let _ = classes;
        Ok(())
    }

    /// Takes its strength from a text such as the catalog's [`usual`](crate::Technique::usual) and
    /// [`off`](crate::Technique::off), in whatever range.
    ///
    /// # Errors
    ///
    /// If the text is none of its own, with what would be.
    fn set(&mut self, text: &str) -> Result<(), String> {
        Err(format!("has no text form, found `{text}`"))
    }

    /// Changes `batch` in place, drawing from `rng`.
    ///
    /// # Panics
    ///
    /// Possibly, if [`check`](Self::check) would refuse the strength.
    fn apply(&self, batch: &mut LabelledBatch, rng: &mut ChaCha8Rng);
}

/// What a label regularizer changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changes {
    /// Distributions over the classes; they stay distributions.
    Labels,
    /// Distributions over the classes, and the images along with them.
    LabelsAndImages,
    /// Values to predict, in regression.
    Values,
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
            images: BatchImages::Values(images),
            shape: [usize::from(batch), channels, height, width],
            targets: Targets::one_hot(&labels, usize::from(batch)),
        }
    }

    /// One black pixel for each label.
    pub(crate) fn labels_only(labels: &[u16], classes: usize) -> LabelledBatch {
        LabelledBatch {
            images: vec![0.0; labels.len()].into(),
            shape: [labels.len(), 1, 1, 1],
            targets: Targets::one_hot(labels, classes),
        }
    }
}
