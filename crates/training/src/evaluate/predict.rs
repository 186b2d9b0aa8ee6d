//! Puts every image of a set through a network, once.

use std::ops::Deref;
use std::sync::Arc;

use backburn_data::ImageSet;
use backburn_data::augment::Pipeline;
use backburn_data::loader::{Loader, LoaderConfig, LoaderError};
use backburn_data::normalization::FittedNormalization;
use backburn_kernels::{images_at_once, keeping_packed_weights};
use backburn_models::{Classifier, parameters};
use burn::tensor::{Device, Tensor};

use crate::device_images::DeviceImages;
use crate::evaluate::predictions::Predictions;
use crate::prepare::Prepared;

/// Images per batch. Scores do not depend on it, but for those of Monte Carlo dropout, which draws
/// anew for each batch.
pub(crate) const BATCH_SIZE: usize = 250;

/// Puts every image of `images` through an evaluation copy (`network.valid()`) of a network.
///
/// # Errors
///
/// If the set is empty or does not have the channels that the normalization was fitted on.
pub fn predict<N: Classifier>(
    network: &N,
    images: &Arc<ImageSet>,
    normalization: &FittedNormalization,
    device: &Device,
) -> Result<Predictions, LoaderError> {
    pass(images, normalization, device, |_, images| forward(network, images))
}

/// What a network predicts for the validation split. Only [`predict_validation`] and
/// [`Views::predict_validation`](crate::views::Views::predict_validation) make one, so that what is selected or fitted by
/// it has seen no other images.
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
pub fn predict_validation<N: Classifier>(
    network: &N,
    prepared: &Prepared,
    device: &Device,
) -> Result<Option<ValidationPredictions>, LoaderError> {
    let predictions = predict_validation_by(prepared, |images| {
        Ok([predict(network, images, &prepared.normalization, device)?])
    })?;
    Ok(predictions.map(|[predictions]| predictions))
}

/// What `ask` predicts for the validation images, in several ways at once; `None` if none are kept.
pub(super) fn predict_validation_by<const WAYS: usize>(
    prepared: &Prepared,
    ask: impl FnOnce(&Arc<ImageSet>) -> Result<[Predictions; WAYS], LoaderError>,
) -> Result<Option<[ValidationPredictions; WAYS]>, LoaderError> {
    let Some(images) = &prepared.valid else { return Ok(None) };
    Ok(Some(ask(images)?.map(ValidationPredictions)))
}

/// What `ask` says of every image: it is given the number of each batch, from 0, and its images, `[batch, channels,
/// height, width]`, and gives logits.
pub(super) fn pass(
    images: &Arc<ImageSet>,
    normalization: &FittedNormalization,
    device: &Device,
    ask: impl Fn(usize, Tensor<4>) -> Tensor<2>,
) -> Result<Predictions, LoaderError> {
    let config = LoaderConfig::new(BATCH_SIZE.min(images.len().max(1)));
    let loader = Loader::new(Arc::clone(images), normalization, Pipeline::default(), config)?;
    let way = DeviceImages::seen_once(&loader, device);
    let loader = loader.delivering(way.delivery());
    let mut logits = Vec::new();
    keeping_packed_weights(|| {
        for (number, batch) in loader.in_order().enumerate() {
            let shape = batch.dims();
            let input = way.on_device(batch.images, &batch.indices, shape, None, device);
            // On a training device each batch's graph ends here, so that none outlives its batch.
            logits.push(ask(number, input).without_autodiff());
        }
    });
    let logits = Tensor::cat(logits, 0);
    let [_, classes] = logits.dims();
    let logits: Vec<f32> = logits.into_data().try_to_vec().expect("logits are 32-bit floats");
    Ok(Predictions::new(&logits, images.labels().to_vec(), classes))
}

/// Logits `[batch, classes]` of images `[batch, channels, height, width]`, the same as of `network.forward`: that takes
/// the batch in pieces if it has convolutions, whose maps are then read while they are in the cache.
pub(crate) fn forward<N: Classifier>(network: &N, images: Tensor<4>) -> Tensor<2> {
    let batch = images.dims()[0];
    let piece = images_at_once(&images);
    if piece >= batch || !has_convolutions(network) {
        return network.forward(images);
    }
    in_pieces(network, images, piece)
}

fn in_pieces<N: Classifier>(network: &N, images: Tensor<4>, piece: usize) -> Tensor<2> {
    let pieces = images.split(piece, 0).into_iter().map(|images| network.forward(images));
    Tensor::cat(pieces.collect(), 0)
}

fn has_convolutions<N: Classifier>(network: &N) -> bool {
    parameters::outlines(network).iter().any(|it| it.layer == "Conv2d")
}

#[cfg(test)]
mod tests {
    use backburn_models::CATALOG;
    use burn::tensor::Distribution;

    use super::*;

    #[test]
    fn pieces_of_a_batch_give_the_same_bits() {
        let device = Device::flex();
        for architecture in CATALOG {
            let image = if architecture.name == "mlp" { [1, 6, 7] } else { [3, 33, 31] };
            let network = (architecture.config)().init(image, 4, &device).unwrap();
            let images =
                Tensor::random([5, image[0], image[1], image[2]], Distribution::Default, &device);
            let whole: Vec<f32> = network.forward(images.clone()).into_data().try_to_vec().unwrap();
            let logits: Vec<f32> = in_pieces(&network, images, 2).into_data().try_to_vec().unwrap();
            assert_eq!(logits, whole, "{}", architecture.name);
        }
    }
}
