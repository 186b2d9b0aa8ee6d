//! Residual networks: ResNet-18, -34 and -50, and the CIFAR networks of 20 to 56 layers.
//!
//! He et al., [Deep Residual Learning for Image Recognition](https://arxiv.org/abs/1512.03385),
//! CVPR 2016, table 1 and section 4.2.

use backburn_regularization::{Dropout, StochasticDepth};
use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, Linear};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::classifier::Tap;
use crate::description::{DescribeError, Describer, Value};
use crate::layers::{
    Activation, Convolution, PoolOptions, activate, apply, batch_norm, channels_last, convolve,
    convolve_and_normalize, global_average_pool, linear, max_pool, normalize,
    normalize_and_convolve, subsample, takes_batch_statistics,
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
    /// What an image meets first. The CIFAR networks have the small one only.
    #[serde(skip_serializing_if = "Stem::is_small")]
    pub stem: Stem,
}

/// What an image meets first in a residual network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stem {
    /// A 3×3 convolution that keeps the size, for images of about 32×32 pixels.
    #[default]
    Small,
    /// A 7×7 convolution of stride 2, then the maximum over 3×3 windows of stride 2: a quarter of the height and
    /// width is left. Table 1 of the paper, and the networks of torchvision.
    Imagenet,
}

impl Stem {
    /// Names in recipes, in the order of the variants.
    pub const NAMES: [&str; 2] = ["small", "imagenet"];

    fn is_small(&self) -> bool {
        *self == Self::Small
    }

    /// Pixels of a side behind it, of an image with so many.
    fn side(self, side: usize) -> usize {
        match self {
            Self::Small => side,
            Self::Imagenet => side.div_ceil(2).div_ceil(2),
        }
    }
}

/// The maximum behind the first convolution of [`Stem::Imagenet`].
const STEM_POOL: PoolOptions = PoolOptions { kernel: 3, stride: 2, padding: 1 };

impl Default for ResNetConfig {
    fn default() -> Self {
        Self { batch_norm: true, dropout: 0.0, stochastic_depth: 0.0, stem: Stem::Small }
    }
}

/// Depth and width of a [`ResNet`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Design {
    /// Channels and blocks of each stage; each stage but the first halves the image.
    stages: &'static [(usize, usize)],
    shortcut: Shortcut,
    residual: Residual,
}

/// What a block adds to its input.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Residual {
    /// Two 3×3 convolutions.
    Basic,
    /// A 1×1 convolution to the stage's channels, a 3×3 one, and a 1×1 one to four times as many. The 3×3 one has the
    /// stride, as in torchvision; in the paper the first one has it.
    Bottleneck,
}

impl Residual {
    /// Channels that a block gives for one of its stage.
    fn expansion(self) -> usize {
        match self {
            Self::Basic => 1,
            Self::Bottleneck => 4,
        }
    }
}

/// How a block that changes the shape adds its input.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Shortcut {
    /// A 1×1 convolution (option B of the paper).
    Projection,
    /// Every second pixel, and zeros for the new channels: no parameters (option A).
    ZeroPad,
}

/// ResNet-18.
pub(crate) const RESNET18: Design =
    Design::basic(&[(64, 2), (128, 2), (256, 2), (512, 2)], Shortcut::Projection);
/// ResNet-34.
pub(crate) const RESNET34: Design =
    Design::basic(&[(64, 3), (128, 4), (256, 6), (512, 3)], Shortcut::Projection);
/// ResNet-50: the blocks of ResNet-34, each a bottleneck.
pub(crate) const RESNET50: Design = Design { residual: Residual::Bottleneck, ..RESNET34 };
/// The 20-layer network of section 4.2, n = 3.
pub(crate) const RESNET20: Design = Design::basic(&[(16, 3), (32, 3), (64, 3)], Shortcut::ZeroPad);
/// The 32-layer network, n = 5.
pub(crate) const RESNET32: Design = Design::basic(&[(16, 5), (32, 5), (64, 5)], Shortcut::ZeroPad);
/// The 44-layer network, n = 7.
pub(crate) const RESNET44: Design = Design::basic(&[(16, 7), (32, 7), (64, 7)], Shortcut::ZeroPad);
/// The 56-layer network, n = 9.
pub(crate) const RESNET56: Design = Design::basic(&[(16, 9), (32, 9), (64, 9)], Shortcut::ZeroPad);

/// A stem, stages of residual blocks, global average pooling, dropout and the classifier.
#[derive(Module, Debug)]
pub struct ResNet {
    stem: Conv2d,
    stem_norm: Option<BatchNorm>,
    stages: Vec<Vec<Block>>,
    dropout: Dropout,
    head: Linear,
    #[module(skip)]
    pool: Option<PoolOptions>,
}

/// `relu(shortcut(x) + conv(relu(conv(x))))`, each convolution followed by batch normalization; with a third one in a
/// bottleneck.
#[derive(Module, Debug)]
struct Block {
    conv1: Conv2d,
    norm1: Option<BatchNorm>,
    conv2: Conv2d,
    norm2: Option<BatchNorm>,
    conv3: Option<Conv2d>,
    norm3: Option<BatchNorm>,
    downsample: Option<Conv2d>,
    downsample_norm: Option<BatchNorm>,
    stochastic_depth: StochasticDepth,
    #[module(skip)]
    stride: usize,
}

impl Design {
    const fn basic(stages: &'static [(usize, usize)], shortcut: Shortcut) -> Self {
        Self { stages, shortcut, residual: Residual::Basic }
    }

    /// Pixels of a side in the last stage, of an image with so many.
    pub(crate) fn smallest(self, stem: Stem, side: usize) -> usize {
        self.stages.iter().skip(1).fold(stem.side(side), |side, _| side.div_ceil(2))
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
        let (kernel, stride, pool) = match config.stem {
            Stem::Small => (3, 1, None),
            Stem::Imagenet => (7, 2, Some(STEM_POOL)),
        };
        let stem = Convolution { kernel, stride, padding: kernel / 2, bias: false };
        let (stem, stem_norm) = (stem.init(channels, inputs, device), norm(inputs));
        let mut stages = Vec::new();
        let all: usize = self.stages.iter().map(|&(_, blocks)| blocks).sum();
        let mut number = 0;
        for (stage, &(channels, blocks)) in self.stages.iter().enumerate() {
            let stage = (0..blocks).map(|block| {
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                number += 1;
                let depth = StochasticDepth::linear(config.stochastic_depth, number, all);
                let block = self.block(inputs, channels, stride, depth, config, device);
                inputs = channels * self.residual.expansion();
                block
            });
            stages.push(stage.collect());
        }
        let dropout = Dropout::new(config.dropout);
        ResNet { stem, stem_norm, stages, dropout, head: linear(inputs, classes, device), pool }
    }

    /// `channels`: those of the stage, of which a bottleneck gives four times as many.
    fn block(
        self,
        inputs: usize,
        channels: usize,
        stride: usize,
        stochastic_depth: StochasticDepth,
        config: &ResNetConfig,
        device: &Device,
    ) -> Block {
        let norm = |features| config.batch_norm.then(|| batch_norm(features, device));
        let conv = |kernel, stride, inputs: usize, outputs: usize| {
            Convolution { kernel, stride, padding: kernel / 2, bias: false }
                .init(inputs, outputs, device)
        };
        let outputs = channels * self.residual.expansion();
        let changes_shape = stride != 1 || inputs != outputs;
        let projects = changes_shape && self.shortcut == Shortcut::Projection;
        let (conv1, conv2, conv3) = match self.residual {
            Residual::Basic => {
                (conv(3, stride, inputs, channels), conv(3, 1, channels, channels), None)
            }
            Residual::Bottleneck => (
                conv(1, 1, inputs, channels),
                conv(3, stride, channels, channels),
                Some(conv(1, 1, channels, outputs)),
            ),
        };
        Block {
            conv1,
            norm1: norm(channels),
            conv2,
            norm2: norm(channels),
            norm3: conv3.as_ref().and_then(|_| norm(outputs)),
            conv3,
            downsample: projects.then(|| conv(1, stride, inputs, outputs)),
            downsample_norm: if projects { norm(outputs) } else { None },
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
        self.forward_tapped(images, &mut |maps| maps)
    }

    /// The same with a tap, see [`Classifier::forward_tapped`](crate::Classifier::forward_tapped).
    pub(crate) fn forward_tapped(&self, images: Tensor<4>, tap: Tap<'_>) -> Tensor<2> {
        let mut x = convolve_and_maybe_normalize(
            &self.stem,
            &self.stem_norm,
            channels_last(images),
            None,
            Activation::Relu,
        );
        if let Some(pool) = self.pool {
            x = max_pool(x, pool);
        }
        for block in self.stages.iter().flatten() {
            x = block.forward(x);
        }
        x = tap(x);
        apply(&self.head, self.dropout.forward(global_average_pool(x)), Activation::Identity)
    }

    pub(crate) fn describe(
        &self,
        describer: &mut Describer,
        images: Value,
    ) -> Result<Value, DescribeError> {
        let mut x = describer.conv2d("stem", &self.stem, images)?;
        x = describe_norm("stem_norm", &self.stem_norm, describer, x)?;
        x = describer.relu(x)?;
        if let Some(pool) = self.pool {
            x = describer.max_pool(x, pool)?;
        }
        for (stage, blocks) in self.stages.iter().enumerate() {
            for (number, block) in blocks.iter().enumerate() {
                x = block.describe(&format!("stages.{stage}.{number}"), describer, x)?;
            }
        }
        x = describer.global_average_pool(x)?;
        x = describer.dropout(&self.dropout, x)?;
        describer.linear("head", &self.head, x)
    }
}

impl Block {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let shortcut = self.shortcut(x.clone());
        if self.stochastic_depth.acts_on(&x) {
            let residual = self.residual(x, None, Activation::Identity);
            return activate(shortcut + self.stochastic_depth.forward(residual), Activation::Relu);
        }
        self.residual(x, Some(shortcut), Activation::Relu)
    }

    /// `activation(norm(conv(relu(norm(conv(x))))) + shortcut)`, with a convolution and a normalization more in a
    /// bottleneck.
    fn residual(
        &self,
        x: Tensor<4>,
        shortcut: Option<Tensor<4>>,
        activation: Activation,
    ) -> Tensor<4> {
        let first = (&self.conv1, &self.norm1);
        let third = self.conv3.as_ref().map(|conv3| (conv3, &self.norm3));
        let later = [(&self.conv2, &self.norm2)].into_iter().chain(third);
        if let Some(norm1) = first.1
            && takes_batch_statistics(norm1, &x.device())
        {
            let mut maps = convolve(first.0, x, Activation::Identity);
            let mut before = norm1;
            for (conv, norm) in later {
                maps = normalize_and_convolve(before, maps, Activation::Relu, conv);
                before = norm.as_ref().expect("a network has all its normalizations or none");
            }
            return normalize(before, maps, shortcut, activation);
        }
        let (mut maps, (mut conv, mut norm)) = (x, first);
        for next in later {
            maps = convolve_and_maybe_normalize(conv, norm, maps, None, Activation::Relu);
            (conv, norm) = next;
        }
        convolve_and_maybe_normalize(conv, norm, maps, shortcut, activation)
    }

    fn describe(
        &self,
        name: &str,
        describer: &mut Describer,
        x: Value,
    ) -> Result<Value, DescribeError> {
        let mut residual = describer.conv2d(format!("{name}.conv1"), &self.conv1, x)?;
        residual = describe_norm(&format!("{name}.norm1"), &self.norm1, describer, residual)?;
        residual = describer.relu(residual)?;
        residual = describer.conv2d(format!("{name}.conv2"), &self.conv2, residual)?;
        residual = describe_norm(&format!("{name}.norm2"), &self.norm2, describer, residual)?;
        if let Some(conv3) = &self.conv3 {
            residual = describer.relu(residual)?;
            residual = describer.conv2d(format!("{name}.conv3"), conv3, residual)?;
            residual = describe_norm(&format!("{name}.norm3"), &self.norm3, describer, residual)?;
        }
        residual = describer.stochastic_depth(&self.stochastic_depth, residual)?;
        let shortcut = self.describe_shortcut(name, describer, x)?;
        let sum = describer.add(residual, shortcut)?;
        describer.relu(sum)
    }

    fn describe_shortcut(
        &self,
        name: &str,
        describer: &mut Describer,
        x: Value,
    ) -> Result<Value, DescribeError> {
        if let Some(downsample) = &self.downsample {
            let x = describer.conv2d(format!("{name}.downsample"), downsample, x)?;
            let norm = &self.downsample_norm;
            return describe_norm(&format!("{name}.downsample_norm"), norm, describer, x);
        }
        let x = if self.stride > 1 { describer.subsample(x, self.stride)? } else { x };
        let [_, channels, ..] = self.conv1.weight.dims();
        let [outputs, ..] = self.conv3.as_ref().unwrap_or(&self.conv2).weight.dims();
        if channels == outputs { Ok(x) } else { describer.pad_channels(x, outputs - channels) }
    }

    fn shortcut(&self, x: Tensor<4>) -> Tensor<4> {
        if let Some(downsample) = &self.downsample {
            let norm = &self.downsample_norm;
            return convolve_and_maybe_normalize(downsample, norm, x, None, Activation::Identity);
        }
        let x = if self.stride > 1 { subsample(x, self.stride) } else { x };
        let [batch, height, width, channels] = x.dims();
        let [outputs, ..] = self.conv3.as_ref().unwrap_or(&self.conv2).weight.dims();
        if channels == outputs {
            return x;
        }
        let kind = (&x.device(), x.dtype());
        let zeros = Tensor::zeros([batch, height, width, outputs - channels], kind);
        Tensor::cat(vec![x, zeros], 3)
    }
}

/// Batch normalization, if there is one.
fn describe_norm(
    name: &str,
    norm: &Option<BatchNorm>,
    describer: &mut Describer,
    x: Value,
) -> Result<Value, DescribeError> {
    norm.as_ref().map_or(Ok(x), |norm| describer.batch_norm(name, norm, x))
}

/// `activation(norm(conv(x)) + shortcut)`, of which all but the convolution may be missing.
fn convolve_and_maybe_normalize(
    conv: &Conv2d,
    norm: &Option<BatchNorm>,
    x: Tensor<4>,
    shortcut: Option<Tensor<4>>,
    activation: Activation,
) -> Tensor<4> {
    let Some(norm) = norm else {
        let Some(shortcut) = shortcut else { return convolve(conv, x, activation) };
        let sum = convolve(conv, x, Activation::Identity) + shortcut;
        return activate(sum, activation);
    };
    convolve_and_normalize(conv, norm, x, shortcut, activation)
}
