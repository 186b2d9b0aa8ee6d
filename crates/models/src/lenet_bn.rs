//! A small LeNet with batch normalization: fast on a CPU, and enough for handwritten digits.

use backburn_regularization::Dropout;
use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, Linear};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::classifier::Tap;
use crate::description::{DescribeError, Describer, Value};
use crate::error::ModelError;
use crate::layers::{
    Activation, Convolution, PoolOptions, apply, batch_norm, channels_last, convolve_and_normalize,
    flatten, linear, max_pool2x2,
};

/// How to build a [`LenetBn`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LenetBnConfig {
    /// Channels of the two convolutions; each at least 1.
    pub widths: [usize; 2],
    /// Share of units dropped after the first linear layer in training, in `[0, 1)`.
    pub dropout: f64,
}

impl Default for LenetBnConfig {
    /// 6 and 16 channels with dropout 0.5: the small network of the `compare-depths` experiment.
    fn default() -> Self {
        Self { widths: [6, 16], dropout: 0.5 }
    }
}

/// Twice a 5×5 convolution, batch normalization, ReLU and 2×2 max pooling; then linear layers of
/// 120 and 64 units and the classifier.
///
/// After LeNet-5 (LeCun et al.,
/// [Gradient-based learning applied to document recognition](https://doi.org/10.1109/5.726791),
/// 1998).
#[derive(Module, Debug)]
pub struct LenetBn {
    conv1: Conv2d,
    norm1: BatchNorm,
    conv2: Conv2d,
    norm2: BatchNorm,
    dense1: Linear,
    dropout: Dropout,
    dense2: Linear,
    head: Linear,
}

impl LenetBnConfig {
    /// Pixels of a side after the second convolution, of an image with so many.
    pub(crate) fn smallest(side: usize) -> usize {
        (side.saturating_sub(4) / 2).saturating_sub(4)
    }

    pub(crate) fn init(
        &self,
        [channels, height, width]: [usize; 3],
        classes: usize,
        device: &Device,
    ) -> Result<LenetBn, ModelError> {
        // Each stage takes 4 pixels off a side and halves the rest.
        let side = |pixels: usize| Self::smallest(pixels) / 2;
        let [first, second] = self.widths;
        let features = second * side(height) * side(width);
        if features == 0 {
            return Err(ModelError::ImageTooSmall { model: "lenet-bn", least: 16, height, width });
        }
        let conv = Convolution { kernel: 5, stride: 1, padding: 0, bias: true };
        Ok(LenetBn {
            conv1: conv.init(channels, first, device),
            norm1: batch_norm(first, device),
            conv2: conv.init(first, second, device),
            norm2: batch_norm(second, device),
            dense1: linear(features, 120, device),
            dropout: Dropout::new(self.dropout),
            dense2: linear(120, 64, device),
            head: linear(64, classes, device),
        })
    }
}

impl LenetBn {
    /// # Shapes
    ///
    /// - `images`: `[batch, channels, height, width]`
    /// - returns logits: `[batch, classes]`
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.forward_tapped(images, &mut |maps| maps)
    }

    /// The same with a tap, see [`Classifier::forward_tapped`](crate::Classifier::forward_tapped).
    pub(crate) fn forward_tapped(&self, images: Tensor<4>, tap: Tap<'_>) -> Tensor<2> {
        let stage = |conv: &Conv2d, norm: &BatchNorm, x: Tensor<4>| {
            convolve_and_normalize(conv, norm, x, None, Activation::Relu)
        };
        let x = max_pool2x2(stage(&self.conv1, &self.norm1, channels_last(images)));
        let x = flatten(max_pool2x2(tap(stage(&self.conv2, &self.norm2, x))));
        let x = self.dropout.forward(apply(&self.dense1, x, Activation::Relu));
        let x = apply(&self.dense2, x, Activation::Relu);
        apply(&self.head, x, Activation::Identity)
    }

    pub(crate) fn describe(
        &self,
        describer: &mut Describer,
        images: Value,
    ) -> Result<Value, DescribeError> {
        let mut x = images;
        for (conv_name, conv, norm_name, norm) in [
            ("conv1", &self.conv1, "norm1", &self.norm1),
            ("conv2", &self.conv2, "norm2", &self.norm2),
        ] {
            x = describer.conv2d(conv_name, conv, x)?;
            x = describer.batch_norm(norm_name, norm, x)?;
            x = describer.relu(x)?;
            x = describer.max_pool(x, PoolOptions::HALVE)?;
        }
        x = describer.flatten(x)?;
        x = describer.linear("dense1", &self.dense1, x)?;
        x = describer.relu(x)?;
        x = describer.dropout(&self.dropout, x)?;
        x = describer.linear("dense2", &self.dense2, x)?;
        x = describer.relu(x)?;
        describer.linear("head", &self.head, x)
    }
}
