//! Scores of a network on a set: clean labels, no augmentation, no regularizer.
//!
//! [`predict`] asks the network once. [`temperature`] rescales what it said, and
//! [`test_time_augmentation`] and [`monte_carlo_dropout`] ask it several times and take the mean of
//! the probabilities. All of these are [`Predictions`], which know their scores.

use std::ops::Deref;
use std::sync::Arc;

use backburn_data::ImageSet;
use backburn_data::augment::Pipeline;
use backburn_data::loader::{Loader, LoaderConfig, LoaderError};
use backburn_data::normalization::FittedNormalization;
use backburn_kernels::keeping_packed_weights;
use backburn_models::Network;
use burn::tensor::{Device, Tensor, TensorData};

use crate::prepare::Prepared;

pub mod calibration;
pub mod monte_carlo_dropout;
pub mod predictions;
pub mod temperature;
pub mod test_time_augmentation;

pub use calibration::{CALIBRATION_BINS, CalibrationBin};
pub use predictions::{Predictions, Scores, TOP_K};

/// Images per batch. Scores do not depend on it, but for those of Monte Carlo dropout, which draws
/// anew for each batch.
pub(crate) const BATCH_SIZE: usize = 250;

/// Puts every image of `images` through an evaluation copy (`network.valid()`) of a network.
///
/// # Errors
///
/// If the set is empty or does not have the channels that the normalization was fitted on.
pub fn predict(
    network: &Network,
    images: &Arc<ImageSet>,
    normalization: &FittedNormalization,
    device: &Device,
) -> Result<Predictions, LoaderError> {
    pass(network, images, normalization, device, |_| ())
}

/// What a network says of the validation split. Only [`predict_validation`] makes one, so that what is
/// selected or fitted by it has seen no other images.
#[derive(Clone, Debug)]
pub struct ValidationPredictions(Predictions);

impl Deref for ValidationPredictions {
    type Target = Predictions;

    fn deref(&self) -> &Predictions {
        &self.0
    }
}

/// Puts every validation image through an evaluation copy of a network; `None` if no images are kept
/// for that.
///
/// # Errors
///
/// As [`predict`].
pub fn predict_validation(
    network: &Network,
    prepared: &Prepared,
    device: &Device,
) -> Result<Option<ValidationPredictions>, LoaderError> {
    let Some(images) = &prepared.valid else { return Ok(None) };
    let predictions = predict(network, images, &prepared.normalization, device)?;
    Ok(Some(ValidationPredictions(predictions)))
}

/// Puts every image through `network` as it is, and calls `before_batch` with the number of each
/// batch, from 0.
fn pass(
    network: &Network,
    images: &Arc<ImageSet>,
    normalization: &FittedNormalization,
    device: &Device,
    before_batch: impl Fn(usize),
) -> Result<Predictions, LoaderError> {
    let config = LoaderConfig::new(BATCH_SIZE.min(images.len().max(1)));
    let loader = Loader::new(Arc::clone(images), normalization, Pipeline::default(), config)?;
    let mut logits = Vec::new();
    keeping_packed_weights(|| {
        for (number, batch) in loader.in_order().enumerate() {
            before_batch(number);
            let shape = [batch.len(), batch.shape.channels, batch.shape.height, batch.shape.width];
            let input = Tensor::<4>::from_data(TensorData::new(batch.images, shape), device);
            // On a training device each batch's graph ends here, so that none outlives its batch.
            logits.push(network.forward(input).without_autodiff());
        }
    });
    let logits = Tensor::cat(logits, 0);
    let [_, classes] = logits.dims();
    let logits: Vec<f32> = logits.into_data().try_to_vec().expect("logits are 32-bit floats");
    Ok(Predictions::new(&logits, images.labels().to_vec(), classes))
}

/// Small networks and images for the tests of this folder.
#[cfg(test)]
mod tests {
    use backburn_data::ImageShape;
    use backburn_data::normalization::Normalization;
    use backburn_models::{Initialization, ModelConfig, architecture};

    use super::*;
    use crate::seeds::Seeds;

    /// 30 images of 16×16 pixels that are not symmetric, in ten classes.
    pub(super) fn images() -> Arc<ImageSet> {
        let shape = ImageShape { channels: 1, height: 16, width: 16 };
        let pixels = (0..30 * 256).map(|i: usize| (i * 7919 % 251) as u8).collect();
        let labels = (0..30).map(|i| i % 10).collect();
        Arc::new(ImageSet::new(shape, 10, pixels, labels).unwrap())
    }

    pub(super) fn normalization() -> FittedNormalization {
        Normalization::default().fit(&images()).unwrap()
    }

    /// A network of that architecture with drawn weights, on a device without gradients.
    pub(super) fn network(name: &str, change: impl FnOnce(&mut ModelConfig)) -> Network {
        let mut config = (architecture(name).unwrap().config)();
        change(&mut config);
        let network = config.init([1, 16, 16], 10, &Device::flex()).unwrap();
        let seeds = Seeds::new(5);
        Initialization::default().apply(network, |parameter| seeds.weights(parameter))
    }
}
