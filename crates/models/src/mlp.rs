//! Multilayer perceptron: pixels in a row, layer after layer.

use backburn_regularization::Dropout;
use burn::module::Module;
use burn::nn::{BatchNorm, Linear};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::description::{DescribeError, Describer, Value};
use crate::layers::{Activation, apply, batch_norm, linear, normalize};

/// How to build an [`Mlp`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MlpConfig {
    /// Units per hidden layer, input side first; each at least 1. Empty means a linear classifier.
    pub hidden: Vec<usize>,
    /// Share of hidden units dropped in training, in `[0, 1)`.
    pub dropout: f64,
    /// Batch normalization between each hidden layer and its activation.
    pub batch_norm: bool,
}

impl Default for MlpConfig {
    /// Four hidden layers of 512 units with dropout 0.3.
    fn default() -> Self {
        Self { hidden: vec![512; 4], dropout: 0.3, batch_norm: false }
    }
}

/// Linear layers with ReLU, and dropout after each hidden one.
#[derive(Module, Debug)]
pub struct Mlp {
    hidden: Vec<Linear>,
    norms: Vec<BatchNorm>,
    dropout: Dropout,
    head: Linear,
}

impl MlpConfig {
    /// `inputs`: values of an image.
    pub(crate) fn init(&self, inputs: usize, classes: usize, device: &Device) -> Mlp {
        let widths: Vec<usize> = [inputs].into_iter().chain(self.hidden.iter().copied()).collect();
        let layer = |pair: &[usize]| linear(pair[0], pair[1], device);
        let normalized: &[usize] = if self.batch_norm { &self.hidden } else { &[] };
        Mlp {
            hidden: widths.windows(2).map(layer).collect(),
            norms: normalized.iter().map(|&width| batch_norm(width, device)).collect(),
            dropout: Dropout::new(self.dropout),
            head: linear(widths[widths.len() - 1], classes, device),
        }
    }
}

impl Mlp {
    /// # Shapes
    ///
    /// - `images`: `[batch, channels, height, width]`
    /// - returns logits: `[batch, classes]`
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let mut x: Tensor<2> = images.flatten(1, 3);
        for (i, layer) in self.hidden.iter().enumerate() {
            x = match self.norms.get(i) {
                None => apply(layer, x, Activation::Relu),
                Some(norm) => {
                    let x = apply(layer, x, Activation::Identity);
                    normalize(norm, x, None, Activation::Relu)
                }
            };
            x = self.dropout.forward(x);
        }
        apply(&self.head, x, Activation::Identity)
    }

    pub(crate) fn describe(
        &self,
        describer: &mut Describer,
        images: Value,
    ) -> Result<Value, DescribeError> {
        let mut x = describer.flatten(images)?;
        for (i, layer) in self.hidden.iter().enumerate() {
            x = describer.linear(format!("hidden.{i}"), layer, x)?;
            if let Some(norm) = self.norms.get(i) {
                x = describer.batch_norm(format!("norms.{i}"), norm, x)?;
            }
            x = describer.relu(x)?;
            x = describer.dropout(&self.dropout, x)?;
        }
        describer.linear("head", &self.head, x)
    }
}
