//! Small networks and images for the tests of this folder.

use std::sync::Arc;

use backburn_data::normalization::{FittedNormalization, Normalization};
use backburn_data::{ImageSet, ImageShape};
use backburn_models::{Initialization, ModelConfig, Network, architecture};
use burn::tensor::Device;

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
