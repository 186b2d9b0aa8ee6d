//! Layers without values: initialization fills them in afterwards, on the host.

use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Initializer, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::ops::{AvgPoolOptions, MaxPoolOptions};
use burn::tensor::{Device, Tensor, module};

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

/// Batch normalization with ε = 1e-5 and momentum 0.1.
///
/// Ioffe & Szegedy, [Batch Normalization](https://arxiv.org/abs/1502.03167), ICML 2015. The running
/// variance is the biased one (PyTorch's is unbiased).
pub(crate) fn batch_norm(features: usize, device: &Device) -> BatchNorm {
    BatchNormConfig::new(features).init(device)
}

/// Maximum over 2×2 windows; an odd last row or column is dropped.
pub(crate) fn max_pool(x: Tensor<4>) -> Tensor<4> {
    module::max_pool2d(x, MaxPoolOptions::new([2, 2]))
}

/// Mean over each whole channel: `[batch, channels, height, width]` to `[batch, channels]`.
pub(crate) fn global_average_pool(x: Tensor<4>) -> Tensor<2> {
    let [batch, channels, height, width] = x.dims();
    x.reshape([batch, channels, height * width]).mean_dim(2).reshape([batch, channels])
}

/// Every `stride`-th row and column, starting with the first.
pub(crate) fn subsample(x: Tensor<4>, stride: usize) -> Tensor<4> {
    module::avg_pool2d(x, AvgPoolOptions::new([1, 1]).with_stride([stride; 2]))
}
