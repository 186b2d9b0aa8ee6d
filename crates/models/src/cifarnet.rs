//! The network of the CIFAR-10 speed runs: whitened patches, then three groups of two convolutions.

use backburn_regularization::Dropout;
use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, Linear};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::classifier::Tap;
use crate::description::{DescribeError, Describer, Shape, Value};
use crate::error::ModelError;
use crate::layers::{
    Activation, Convolution, PoolOptions, apply, batch_norm, channels_last, convolve,
    convolve_and_normalize, flatten, linear, max_pool, max_pool2x2, normalize,
};

/// How to build a [`CifarNet`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CifarNetConfig {
    /// Channels of the three groups; each at least 1.
    pub widths: [usize; 3],
    /// Share of features dropped before the head in training, in `[0, 1)`.
    pub dropout: f64,
}

impl Default for CifarNetConfig {
    /// 64, 256 and 256 channels without dropout, as in the speed runs.
    fn default() -> Self {
        Self { widths: [64, 256, 256], dropout: 0.0 }
    }
}

/// A 2×2 convolution with SiLU, meant to begin with whitening filters and to stay as it begins; three groups of two 3×3
/// convolutions with batch normalization and SiLU, the first of each group followed by 2×2 max pooling before it is
/// normalized; max pooling of up to 3×3, dropout and the classifier.
///
/// After Jordan, [94% on CIFAR-10 in 3.29 Seconds on a Single GPU](https://arxiv.org/abs/2404.00498), 2024, with SiLU where
/// that has GELU, as in Hiverge's speed run of 2025.
#[derive(Module, Debug)]
pub struct CifarNet {
    whiten: Conv2d,
    groups: Vec<Group>,
    dropout: Dropout,
    head: Linear,
}

#[derive(Module, Debug)]
struct Group {
    conv1: Conv2d,
    norm1: BatchNorm,
    conv2: Conv2d,
    norm2: BatchNorm,
}

/// Height and width of a whitened patch.
const PATCH: usize = 2;

/// Height and width of the last pooling's window, of a map that is as large.
const LAST_WINDOW: usize = 3;

impl CifarNetConfig {
    /// Pixels of a side in the last group, of an image with so many.
    pub(crate) fn smallest(side: usize) -> usize {
        side.saturating_sub(PATCH - 1) / 8
    }

    pub(crate) fn init(
        &self,
        [channels, height, width]: [usize; 3],
        classes: usize,
        device: &Device,
    ) -> Result<CifarNet, ModelError> {
        let sides = [height, width].map(Self::smallest);
        let [rows, columns] = sides.map(|side| last_pooling(sides).windows(side));
        if rows * columns == 0 {
            return Err(ModelError::ImageTooSmall { model: "cifarnet", least: 9, height, width });
        }
        // An eigenvector of the patches has as many values as a patch, and each goes in with both signs.
        let whitened = 2 * channels * PATCH * PATCH;
        let whiten = Convolution { kernel: PATCH, stride: 1, padding: 0, bias: true };
        let mut inputs = whitened;
        let groups = self.widths.map(|outputs| {
            let group = Group::init(inputs, outputs, device);
            inputs = outputs;
            group
        });
        Ok(CifarNet {
            whiten: whiten.init(channels, whitened, device),
            groups: groups.into(),
            dropout: Dropout::new(self.dropout),
            head: linear(inputs * rows * columns, classes, device),
        })
    }
}

/// Windows of 3×3, or of what there is of a smaller map.
fn last_pooling([height, width]: [usize; 2]) -> PoolOptions {
    let kernel = LAST_WINDOW.min(height).min(width).max(1);
    PoolOptions { kernel, stride: kernel, padding: 0 }
}

impl CifarNet {
    /// # Shapes
    ///
    /// - `images`: `[batch, channels, height, width]`
    /// - returns logits: `[batch, classes]`
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.forward_tapped(images, &mut |maps| maps)
    }

    /// The same with a tap, see [`Classifier::forward_tapped`](crate::Classifier::forward_tapped).
    pub(crate) fn forward_tapped(&self, images: Tensor<4>, tap: Tap<'_>) -> Tensor<2> {
        let mut x = convolve(&self.whiten, channels_last(images), Activation::Silu);
        for group in &self.groups {
            x = group.forward(x);
        }
        x = tap(x);
        let [_, height, width, _] = x.dims();
        let x = flatten(max_pool(x, last_pooling([height, width])));
        apply(&self.head, self.dropout.forward(x), Activation::Identity)
    }

    pub(crate) fn describe(
        &self,
        describer: &mut Describer,
        images: Value,
    ) -> Result<Value, DescribeError> {
        let mut x = describer.conv2d("whiten", &self.whiten, images)?;
        x = describer.silu(x)?;
        for (number, group) in self.groups.iter().enumerate() {
            x = group.describe(&format!("groups.{number}"), describer, x)?;
        }
        let pooling = match describer.shape(x) {
            Shape::Map([_, height, width]) => last_pooling([height, width]),
            Shape::Row(_) => unreachable!("groups give maps"),
        };
        x = describer.max_pool(x, pooling)?;
        x = describer.flatten(x)?;
        x = describer.dropout(&self.dropout, x)?;
        describer.linear("head", &self.head, x)
    }
}

impl Group {
    fn init(inputs: usize, outputs: usize, device: &Device) -> Self {
        // A bias before batch normalization would be subtracted again with the mean.
        let conv = Convolution { kernel: 3, stride: 1, padding: 1, bias: false };
        Self {
            conv1: conv.init(inputs, outputs, device),
            norm1: batch_norm(outputs, device),
            conv2: conv.init(outputs, outputs, device),
            norm2: batch_norm(outputs, device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = max_pool2x2(convolve(&self.conv1, x, Activation::Identity));
        let x = normalize(&self.norm1, x, None, Activation::Silu);
        convolve_and_normalize(&self.conv2, &self.norm2, x, None, Activation::Silu)
    }

    fn describe(
        &self,
        name: &str,
        describer: &mut Describer,
        x: Value,
    ) -> Result<Value, DescribeError> {
        let mut x = describer.conv2d(format!("{name}.conv1"), &self.conv1, x)?;
        x = describer.max_pool(x, PoolOptions::HALVE)?;
        x = describer.batch_norm(format!("{name}.norm1"), &self.norm1, x)?;
        x = describer.silu(x)?;
        x = describer.conv2d(format!("{name}.conv2"), &self.conv2, x)?;
        x = describer.batch_norm(format!("{name}.norm2"), &self.norm2, x)?;
        describer.silu(x)
    }
}
