//! What the contract tests share: numbers by formula, networks filled with them, tolerances.

pub mod formula;
pub mod module_graph;
mod values;
use backburn_models::{Classifier, ModelConfig, Network};
use backburn_regularization::Targets;
use backburn_training::loss::Loss;
use burn::tensor::{Device, Tensor, TensorData};

/// Classes of every network in these tests.
pub const CLASSES: usize = 10;

/// The images that every architecture must take: channels, height, width.
pub const IMAGES: [[usize; 3]; 2] = [[1, 28, 28], [3, 32, 32]];

/// A device whose networks can be trained.
pub fn training_device() -> Device {
    Device::flex().autodiff()
}

/// The same configuration without dropout.
pub fn without_dropout(mut config: ModelConfig) -> ModelConfig {
    *config.dropout_mut() = 0.0;
    config
}

/// `count` images with values in `[-1, 1)`.
///
/// # Shapes
///
/// - `image`: channels, height, width
/// - returns `[count, channels, height, width]`
pub fn images(count: usize, image: [usize; 3], device: &Device) -> Tensor<4> {
    let [channels, height, width] = image;
    let values = formula::values("images", count * channels * height * width);
    Tensor::from_data(TensorData::new(values, [count, channels, height, width]), device)
}

/// Logits of `network`, and their mean cross-entropy against `labels`.
pub fn logits_and_loss(
    network: &Network,
    images: Tensor<4>,
    labels: &[u16],
) -> (Tensor<2>, Tensor<1>) {
    let device = images.device();
    let targets = Targets::one_hot(labels, CLASSES).into_probabilities();
    let targets = TensorData::new(targets, [labels.len(), CLASSES]);
    let logits = network.forward(images);
    let loss = Loss::CrossEntropy.forward(logits.clone(), Tensor::from_data(targets, &device));
    (logits, loss)
}

/// The values of a tensor, row by row.
pub fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().expect("tensors here are 32-bit floats")
}

/// The distance of `found` from `expected`, relative to `expected`.
pub fn relative(found: f64, expected: f64) -> f64 {
    (found - expected).abs() / expected.abs().max(f64::MIN_POSITIVE)
}

/// Checks `|found − expected| ≤ relative · |expected| + absolute`; `what` is named if it fails.
///
/// # Panics
///
/// If they are further apart, or not numbers.
pub fn assert_close(what: &str, found: f64, expected: f64, relative: f64, absolute: f64) {
    let distance = (found - expected).abs();
    let allowed = relative * expected.abs() + absolute;
    assert!(
        distance <= allowed,
        "{what}: found {found}, expected {expected}: {distance:e} apart, {allowed:e} allowed"
    );
}
