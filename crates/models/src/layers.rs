//! Layers without values, which initialization fills in afterwards, on the host; and how they act.
//!
//! Feature maps inside networks are channels-last: `[batch, height, width, channels]`.

use backburn_kernels::{self as kernels, BatchNormParameters, BatchStatistics, ConvOptions};
pub(crate) use backburn_kernels::{Activation, PoolOptions, activate, max_pool, max_pool2x2};
use burn::module::Param;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Initializer, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor, s};

/// A linear layer with bias.
pub(crate) fn linear(inputs: usize, outputs: usize, device: &Device) -> Linear {
    LinearConfig::new(inputs, outputs).with_initializer(Initializer::Zeros).init(device)
}

/// A convolution with a square kernel.
pub(crate) struct Convolution {
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) padding: usize,
    pub(crate) bias: bool,
}

impl Convolution {
    pub(crate) fn init(&self, inputs: usize, outputs: usize, device: &Device) -> Conv2d {
        let p = self.padding;
        Conv2dConfig::new([inputs, outputs], [self.kernel; 2])
            .with_stride([self.stride; 2])
            .with_padding(PaddingConfig2d::Explicit(p, p, p, p))
            .with_bias(self.bias)
            .with_initializer(Initializer::Zeros)
            .init(device)
    }
}

/// A convolution and what follows it.
///
/// # Shapes
///
/// - `x`: `[batch, height, width, channels]`; returns the same
pub(crate) fn convolve(conv: &Conv2d, x: Tensor<4>, activation: Activation) -> Tensor<4> {
    let bias = conv.bias.as_ref().map(Param::val);
    kernels::conv2d(x, conv.weight.val(), bias, options(conv), activation)
}

/// `activation(norm(conv(x)) + residual)`: one operation where the statistics of the batch are not needed.
///
/// # Shapes
///
/// - `x`: `[batch, height, width, channels]`; returns the same, as `residual` is
pub(crate) fn convolve_and_normalize(
    conv: &Conv2d,
    norm: &BatchNorm,
    x: Tensor<4>,
    residual: Option<Tensor<4>>,
    activation: Activation,
) -> Tensor<4> {
    let device = x.device();
    if takes_batch_statistics(norm, &device) {
        return normalize(norm, convolve(conv, x, Activation::Identity), residual, activation);
    }
    let (weight, bias) = (conv.weight.val(), conv.bias.as_ref().map(Param::val));
    let (parameters, statistics) = (norm_parameters(norm), running_statistics(norm, &device));
    let options = options(conv);
    kernels::conv2d_batch_norm(
        x, weight, bias, options, parameters, statistics, residual, activation,
    )
}

/// Whether this is training, in which a batch is normalized by itself.
pub(crate) fn takes_batch_statistics(norm: &BatchNorm, device: &Device) -> bool {
    device.is_autodiff() && norm.training.is_enabled()
}

fn options(conv: &Conv2d) -> ConvOptions {
    let PaddingConfig2d::Explicit(top, left, ..) = conv.padding else {
        unreachable!("`Convolution` pads explicitly")
    };
    ConvOptions { stride: conv.stride, padding: [top, left] }
}

fn norm_parameters(norm: &BatchNorm) -> BatchNormParameters {
    let (gamma, beta, epsilon) = (norm.gamma.val(), norm.beta.val(), norm.epsilon);
    BatchNormParameters { gamma, beta, epsilon }
}

fn running_statistics(norm: &BatchNorm, device: &Device) -> BatchStatistics {
    let mean = norm.running_mean.value().to_device(device);
    let variance = norm.running_var.value().to_device(device);
    BatchStatistics { mean, variance }
}

/// A linear layer and what follows it.
///
/// # Shapes
///
/// - `x`: `[batch, inputs]`
/// - returns: `[batch, outputs]`
pub(crate) fn apply(linear: &Linear, x: Tensor<2>, activation: Activation) -> Tensor<2> {
    let bias = linear.bias.as_ref().expect("`linear` makes layers with bias");
    kernels::linear(x, linear.weight.val(), bias.val(), activation)
}

/// Batch normalization with ε = 1e-5 and momentum 0.1.
///
/// Ioffe & Szegedy, [Batch Normalization](https://arxiv.org/abs/1502.03167), ICML 2015. The running
/// variance is the biased one (PyTorch's is unbiased).
pub(crate) fn batch_norm(features: usize, device: &Device) -> BatchNorm {
    BatchNormConfig::new(features).init(device)
}

/// Batch normalization, the sum with `residual` if there is one, and what follows: with the
/// statistics of the batch in training, which move the running ones, and with those in evaluation.
///
/// # Shapes
///
/// - `x`, `residual`: `[batch, …, channels]`; returns the same
pub(crate) fn normalize<const D: usize>(
    norm: &BatchNorm,
    x: Tensor<D>,
    residual: Option<Tensor<D>>,
    activation: Activation,
) -> Tensor<D> {
    let device = x.device();
    let parameters = norm_parameters(norm);
    if !takes_batch_statistics(norm, &device) {
        let statistics = running_statistics(norm, &device);
        return kernels::batch_norm(x, parameters, statistics, residual, activation);
    }
    let normalized = kernels::batch_norm_train(x, parameters, residual, activation);
    move_statistics(norm, normalized.statistics, &device);
    normalized.output
}

/// `conv(activation(norm(x)))` in training, as one operation, which keeps no map between the two.
///
/// # Shapes
///
/// - `x`: `[batch, height, width, channels]`; returns the same
pub(crate) fn normalize_and_convolve(
    norm: &BatchNorm,
    x: Tensor<4>,
    activation: Activation,
    conv: &Conv2d,
) -> Tensor<4> {
    let (device, parameters) = (x.device(), norm_parameters(norm));
    let (weight, bias) = (conv.weight.val(), conv.bias.as_ref().map(Param::val));
    let normalized =
        kernels::batch_norm_train_conv2d(x, parameters, activation, weight, bias, options(conv));
    move_statistics(norm, normalized.statistics, &device);
    normalized.output
}

/// Moves the running statistics towards those of a batch.
fn move_statistics(norm: &BatchNorm, of_batch: BatchStatistics, device: &Device) {
    let running = BatchStatistics {
        mean: norm.running_mean.value_sync().to_device(device),
        variance: norm.running_var.value_sync().to_device(device),
    };
    let moved = kernels::moved_statistics(running, of_batch, norm.momentum);
    norm.running_mean.update(moved.mean);
    norm.running_var.update(moved.variance);
}

/// Images as data sets have them, with a pixel's channels side by side.
///
/// # Shapes
///
/// - `images`: `[batch, channels, height, width]`
/// - returns: `[batch, height, width, channels]`
pub(crate) fn channels_last(images: Tensor<4>) -> Tensor<4> {
    match images.dims() {
        // In the same order either way, which nobody need copy.
        [batch, 1, height, width] => images.reshape([batch, height, width, 1]),
        _ => images.permute([0, 2, 3, 1]),
    }
}

/// Feature maps in a row, channel by channel, as PyTorch flattens them.
///
/// # Shapes
///
/// - `x`: `[batch, height, width, channels]`
/// - returns: `[batch, channels · height · width]`
pub(crate) fn flatten(x: Tensor<4>) -> Tensor<2> {
    x.permute([0, 3, 1, 2]).flatten(1, 3)
}

/// Mean over each whole channel: `[batch, height, width, channels]` to `[batch, channels]`.
pub(crate) fn global_average_pool(x: Tensor<4>) -> Tensor<2> {
    let [batch, height, width, channels] = x.dims();
    x.reshape([batch, height * width, channels]).mean_dim(1).reshape([batch, channels])
}

/// Every `stride`-th row and column, starting with the first, of `[batch, height, width, channels]`.
pub(crate) fn subsample(x: Tensor<4>, stride: usize) -> Tensor<4> {
    let every = s![.., ..;stride as isize, ..;stride as isize, ..];
    x.slice(every)
}
