//! Residual networks for small images: ResNet-18 and -34, and the CIFAR networks of 20 to 56 layers.
//!
//! He et al., [Deep Residual Learning for Image Recognition](https://arxiv.org/abs/1512.03385),
//! CVPR 2016, table 1 and section 4.2.

use backburn_regularization::{Dropout, StochasticDepth};
use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, Linear};
use burn::tensor::{Device, Tensor, activation::relu};
use serde::{Deserialize, Serialize};

use crate::layers::{
    Activation, Convolution, apply, batch_norm, channels_last, convolve, global_average_pool,
    linear, normalize, subsample,
};

/// What of a [`ResNet`] may be chosen; its depth comes with its name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ResNetConfig {
    /// Batch normalization after each convolution.
    pub batch_norm: bool,
    /// Share of pooled features dropped before the classifier in training, in `[0, 1)`.
    pub dropout: f64,
    /// Probability that the last block's residual is dropped in training, in `[0, 1)`; that of
    /// earlier blocks is proportionally smaller.
    pub stochastic_depth: f64,
}

impl Default for ResNetConfig {
    fn default() -> Self {
        Self { batch_norm: true, dropout: 0.0, stochastic_depth: 0.0 }
    }
}

/// Depth and width of a [`ResNet`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Design {
    /// Channels and blocks of each stage; each stage but the first halves the image.
    stages: &'static [(usize, usize)],
    shortcut: Shortcut,
}

/// How a block that changes the shape adds its input.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Shortcut {
    /// A 1×1 convolution (option B of the paper).
    Projection,
    /// Every second pixel, and zeros for the new channels: no parameters (option A).
    ZeroPad,
}

/// ResNet-18 for 32×32 images: a 3×3 stem of 64 channels and no first pooling.
pub(crate) const RESNET18: Design =
    Design { stages: &[(64, 2), (128, 2), (256, 2), (512, 2)], shortcut: Shortcut::Projection };
/// ResNet-34 for 32×32 images.
pub(crate) const RESNET34: Design =
    Design { stages: &[(64, 3), (128, 4), (256, 6), (512, 3)], shortcut: Shortcut::Projection };
/// The 20-layer network of section 4.2, n = 3.
pub(crate) const RESNET20: Design =
    Design { stages: &[(16, 3), (32, 3), (64, 3)], shortcut: Shortcut::ZeroPad };
/// The 32-layer network, n = 5.
pub(crate) const RESNET32: Design =
    Design { stages: &[(16, 5), (32, 5), (64, 5)], shortcut: Shortcut::ZeroPad };
/// The 44-layer network, n = 7.
pub(crate) const RESNET44: Design =
    Design { stages: &[(16, 7), (32, 7), (64, 7)], shortcut: Shortcut::ZeroPad };
/// The 56-layer network, n = 9.
pub(crate) const RESNET56: Design =
    Design { stages: &[(16, 9), (32, 9), (64, 9)], shortcut: Shortcut::ZeroPad };

/// A stem, stages of residual blocks, global average pooling, dropout and the classifier.
#[derive(Module, Debug)]
pub struct ResNet {
    stem: Conv2d,
    stem_norm: Option<BatchNorm>,
    stages: Vec<Vec<Block>>,
    dropout: Dropout,
    head: Linear,
}

/// `relu(shortcut(x) + conv(relu(conv(x))))`, each convolution followed by batch normalization.
#[derive(Module, Debug)]
struct Block {
    conv1: Conv2d,
    norm1: Option<BatchNorm>,
    conv2: Conv2d,
    norm2: Option<BatchNorm>,
    downsample: Option<Conv2d>,
    downsample_norm: Option<BatchNorm>,
    stochastic_depth: StochasticDepth,
    #[module(skip)]
    stride: usize,
}

impl Design {
    /// Pixels of a side in the last stage, of an image with so many.
    pub(crate) fn smallest(self, side: usize) -> usize {
        self.stages.iter().skip(1).fold(side, |side, _| side.div_ceil(2))
    }

    pub(crate) fn init(
        self,
        config: &ResNetConfig,
        channels: usize,
        classes: usize,
        device: &Device,
    ) -> ResNet {
        let norm = |features| config.batch_norm.then(|| batch_norm(features, device));
        let mut inputs = self.stages[0].0;
        let stem = Convolution { kernel: 3, stride: 1, padding: 1, bias: false };
        let (stem, stem_norm) = (stem.init(channels, inputs, device), norm(inputs));
        let mut stages = Vec::new();
        let all: usize = self.stages.iter().map(|&(_, blocks)| blocks).sum();
        let mut number = 0;
        for (stage, &(outputs, blocks)) in self.stages.iter().enumerate() {
            let stage = (0..blocks).map(|block| {
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                number += 1;
                let depth = StochasticDepth::linear(config.stochastic_depth, number, all);
                let block = self.block(inputs, outputs, stride, depth, config, device);
                inputs = outputs;
                block
            });
            stages.push(stage.collect());
        }
        let dropout = Dropout::new(config.dropout);
        ResNet { stem, stem_norm, stages, dropout, head: linear(inputs, classes, device) }
    }

    fn block(
        self,
        inputs: usize,
        outputs: usize,
        stride: usize,
        stochastic_depth: StochasticDepth,
        config: &ResNetConfig,
        device: &Device,
    ) -> Block {
        let norm = || config.batch_norm.then(|| batch_norm(outputs, device));
        let conv = |kernel, stride, inputs: usize| {
            Convolution { kernel, stride, padding: kernel / 2, bias: false }
                .init(inputs, outputs, device)
        };
        let changes_shape = stride != 1 || inputs != outputs;
        let projects = changes_shape && self.shortcut == Shortcut::Projection;
        Block {
            conv1: conv(3, stride, inputs),
            norm1: norm(),
            conv2: conv(3, 1, outputs),
            norm2: norm(),
            downsample: projects.then(|| conv(1, stride, inputs)),
            downsample_norm: if projects { norm() } else { None },
            stochastic_depth,
            stride,
        }
    }
}

impl ResNet {
    /// # Shapes
    ///
    /// - `images`: `[batch, channels, height, width]`
    /// - returns logits: `[batch, classes]`
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let mut x = convolve_and_normalize(
            &self.stem,
            &self.stem_norm,
            channels_last(images),
            None,
            Activation::Relu,
        );
        for block in self.stages.iter().flatten() {
            x = block.forward(x);
        }
        apply(&self.head, self.dropout.forward(global_average_pool(x)), Activation::Identity)
    }
}

impl Block {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let (conv1, norm1) = (&self.conv1, &self.norm1);
        let (conv2, norm2) = (&self.conv2, &self.norm2);
        let shortcut = self.shortcut(x.clone());
        let residual = convolve_and_normalize(conv1, norm1, x, None, Activation::Relu);
        if self.stochastic_depth.acts_on(&residual) {
            let residual =
                convolve_and_normalize(conv2, norm2, residual, None, Activation::Identity);
            return relu(shortcut + self.stochastic_depth.forward(residual));
        }
        convolve_and_normalize(conv2, norm2, residual, Some(shortcut), Activation::Relu)
    }

    fn shortcut(&self, x: Tensor<4>) -> Tensor<4> {
        if let Some(downsample) = &self.downsample {
            let norm = &self.downsample_norm;
            return convolve_and_normalize(downsample, norm, x, None, Activation::Identity);
        }
        let x = if self.stride > 1 { subsample(x, self.stride) } else { x };
        let [batch, height, width, channels] = x.dims();
        let [outputs, ..] = self.conv2.weight.dims();
        if channels == outputs {
            return x;
        }
        let kind = (&x.device(), x.dtype());
        let zeros = Tensor::zeros([batch, height, width, outputs - channels], kind);
        Tensor::cat(vec![x, zeros], 3)
    }
}

/// `activation(norm(conv(x)) + shortcut)`, of which all but the convolution may be missing.
fn convolve_and_normalize(
    conv: &Conv2d,
    norm: &Option<BatchNorm>,
    x: Tensor<4>,
    shortcut: Option<Tensor<4>>,
    activation: Activation,
) -> Tensor<4> {
    let Some(norm) = norm else {
        let Some(shortcut) = shortcut else { return convolve(conv, x, activation) };
        let sum = convolve(conv, x, Activation::Identity) + shortcut;
        return match activation {
            Activation::Identity => sum,
            Activation::Relu => relu(sum),
        };
    };
    normalize(norm, convolve(conv, x, Activation::Identity), shortcut, activation)
}
