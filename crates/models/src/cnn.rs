//! Plain convolutional network: blocks of convolutions, each followed by pooling and dropout.

use backburn_regularization::{Dropout, SpatialDropout};
use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, Linear};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::classifier::Tap;
use crate::description::{DescribeError, Describer, Value};
use crate::error::ModelError;
use crate::layers::{
    Activation, Convolution, PoolOptions, apply, batch_norm, channels_last, convolve,
    convolve_and_normalize, flatten, linear, max_pool2x2,
};

/// How to build a [`Cnn`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CnnConfig {
    /// Channels per block, image side first; each at least 1.
    pub widths: Vec<usize>,
    /// 3×3 convolutions per block, at least 1.
    pub convolutions: usize,
    /// Units of the hidden linear layer; 0 means none.
    pub dense: usize,
    /// Share of activations dropped after each pooling in training, in `[0, 1)`.
    pub dropout: f64,
    /// Share of channels dropped after each pooling in training, in `[0, 1)`.
    pub spatial_dropout: f64,
    /// Batch normalization between each convolution and its activation.
    pub batch_norm: bool,
}

impl Default for CnnConfig {
    /// The network of the `cifar10-dropout` experiment.
    fn default() -> Self {
        Self {
            widths: vec![32, 64, 128],
            convolutions: 2,
            dense: 256,
            dropout: 0.2,
            spatial_dropout: 0.0,
            batch_norm: false,
        }
    }
}

/// 3×3 convolutions with ReLU in blocks, each block ending in 2×2 max pooling and dropout; then a
/// hidden linear layer and the classifier.
#[derive(Module, Debug)]
pub struct Cnn {
    blocks: Vec<Block>,
    spatial_dropout: SpatialDropout,
    dropout: Dropout,
    dense: Option<Linear>,
    head: Linear,
}

#[derive(Module, Debug)]
struct Block {
    convs: Vec<Conv2d>,
    norms: Vec<BatchNorm>,
}

impl CnnConfig {
    /// Pixels of a side in the last block, of an image with so many.
    pub(crate) fn smallest(&self, side: usize) -> usize {
        self.widths.iter().skip(1).fold(side, |side, _| side / 2)
    }

    pub(crate) fn init(
        &self,
        [channels, height, width]: [usize; 3],
        classes: usize,
        device: &Device,
    ) -> Result<Cnn, ModelError> {
        let image = format!("{height}×{width}");
        let (mut height, mut width, mut inputs) = (height, width, channels);
        let mut blocks = Vec::new();
        for &outputs in &self.widths {
            blocks.push(self.block(inputs, outputs, device));
            (height, width, inputs) = (height / 2, width / 2, outputs);
        }
        let features = inputs * height * width;
        if features == 0 {
            return Err(ModelError::Setting {
                setting: "widths",
                expected: "fewer blocks or larger images: each block halves the image, and \
                           nothing is left of it",
                found: format!("{} blocks for images of {image} pixels", self.widths.len()),
            });
        }
        let dense = (self.dense > 0).then(|| linear(features, self.dense, device));
        let features = if self.dense > 0 { self.dense } else { features };
        let head = linear(features, classes, device);
        let spatial_dropout = SpatialDropout::new(self.spatial_dropout);
        Ok(Cnn { blocks, spatial_dropout, dropout: Dropout::new(self.dropout), dense, head })
    }

    fn block(&self, inputs: usize, outputs: usize, device: &Device) -> Block {
        let conv = |inputs| {
            // A bias before batch normalization would be subtracted again with the mean.
            Convolution { kernel: 3, stride: 1, padding: 1, bias: !self.batch_norm }
                .init(inputs, outputs, device)
        };
        let norms = if self.batch_norm { self.convolutions } else { 0 };
        Block {
            convs: (0..self.convolutions)
                .map(|i| conv(if i == 0 { inputs } else { outputs }))
                .collect(),
            norms: (0..norms).map(|_| batch_norm(outputs, device)).collect(),
        }
    }
}

impl Cnn {
    /// # Shapes
    ///
    /// - `images`: `[batch, channels, height, width]`
    /// - returns logits: `[batch, classes]`
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.forward_tapped(images, &mut |maps| maps)
    }

    /// The same with a tap, see [`Classifier::forward_tapped`](crate::Classifier::forward_tapped).
    pub(crate) fn forward_tapped(&self, images: Tensor<4>, tap: Tap<'_>) -> Tensor<2> {
        let mut x = channels_last(images);
        for (number, block) in (1..).zip(&self.blocks) {
            x = block.forward(x);
            if number == self.blocks.len() {
                x = tap(x);
            }
            x = self.spatial_dropout.forward(max_pool2x2(x));
            x = self.dropout.forward(x);
        }
        let mut x = flatten(x);
        if let Some(dense) = &self.dense {
            x = apply(dense, x, Activation::Relu);
        }
        apply(&self.head, x, Activation::Identity)
    }

    pub(crate) fn describe(
        &self,
        describer: &mut Describer,
        images: Value,
    ) -> Result<Value, DescribeError> {
        let mut x = images;
        for (number, block) in self.blocks.iter().enumerate() {
            x = block.describe(&format!("blocks.{number}"), describer, x)?;
            x = describer.max_pool(x, PoolOptions::HALVE)?;
            x = describer.spatial_dropout(&self.spatial_dropout, x)?;
            x = describer.dropout(&self.dropout, x)?;
        }
        x = describer.flatten(x)?;
        if let Some(dense) = &self.dense {
            x = describer.linear("dense", dense, x)?;
            x = describer.relu(x)?;
        }
        describer.linear("head", &self.head, x)
    }
}

impl Block {
    fn forward(&self, mut x: Tensor<4>) -> Tensor<4> {
        for (i, conv) in self.convs.iter().enumerate() {
            x = match self.norms.get(i) {
                None => convolve(conv, x, Activation::Relu),
                Some(norm) => convolve_and_normalize(conv, norm, x, None, Activation::Relu),
            };
        }
        x
    }

    fn describe(
        &self,
        name: &str,
        describer: &mut Describer,
        mut x: Value,
    ) -> Result<Value, DescribeError> {
        for (i, conv) in self.convs.iter().enumerate() {
            x = describer.conv2d(format!("{name}.convs.{i}"), conv, x)?;
            if let Some(norm) = self.norms.get(i) {
                x = describer.batch_norm(format!("{name}.norms.{i}"), norm, x)?;
            }
            x = describer.relu(x)?;
        }
        Ok(x)
    }
}
