//! The convolutions of the networks, one by one.

use std::fmt;
use std::time::{Duration, Instant};

use backburn_kernels::{Activation, ConvOptions, conv2d};
use backburn_models::description::Convolution2d;
use backburn_training::speed::noise;
use backburn_training::speed::stopwatch::{repeat, wait};
use backburn_training::speed::work::Work;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

/// Images in the batch that a layer is measured with.
pub(crate) const BATCH_SIZE: usize = 32;

/// A convolution with a square kernel on square images, padded so that only its stride makes the
/// image smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Layer {
    /// Channels that come in.
    pub(crate) inputs: usize,
    /// Channels that go out.
    pub(crate) outputs: usize,
    /// Height and width in pixels; odd.
    pub(crate) kernel: usize,
    /// Stride in pixels.
    pub(crate) stride: usize,
    /// Height and width of the images that come in, in pixels.
    pub(crate) side: usize,
}

/// The architectures whose layers are measured, each with its layers: any two have different shapes.
/// The first of each network sees the images, whose gradient training has no need of; it is measured
/// like the others all the same.
pub(crate) const LAYERS: [(&str, &[Layer]); 3] = [
    (
        "cnn",
        &[
            layer(3, 32, 3, 1, 32),
            layer(32, 32, 3, 1, 32),
            layer(32, 64, 3, 1, 16),
            layer(64, 64, 3, 1, 16),
            layer(64, 128, 3, 1, 8),
            layer(128, 128, 3, 1, 8),
        ],
    ),
    (
        "resnet18",
        &[
            layer(3, 64, 3, 1, 32),
            layer(64, 64, 3, 1, 32),
            layer(64, 128, 3, 2, 32),
            layer(64, 128, 1, 2, 32),
            layer(128, 128, 3, 1, 16),
            layer(128, 256, 3, 2, 16),
            layer(128, 256, 1, 2, 16),
            layer(256, 256, 3, 1, 8),
            layer(256, 512, 3, 2, 8),
            layer(256, 512, 1, 2, 8),
            layer(512, 512, 3, 1, 4),
        ],
    ),
    (
        "resnet20",
        &[
            layer(3, 16, 3, 1, 32),
            layer(16, 16, 3, 1, 32),
            layer(16, 32, 3, 2, 32),
            layer(32, 32, 3, 1, 16),
            layer(32, 64, 3, 2, 16),
            layer(64, 64, 3, 1, 8),
        ],
    ),
];

const fn layer(inputs: usize, outputs: usize, kernel: usize, stride: usize, side: usize) -> Layer {
    Layer { inputs, outputs, kernel, stride, side }
}

/// The convolution that is measured.
///
/// # Shapes
///
/// - `images`: `[batch, side, side, inputs]`
/// - `weight`: `[outputs, inputs, kernel, kernel]`
/// - returns: `[batch, side / stride, side / stride, outputs]`
fn convolve(images: Tensor<4>, weight: Tensor<4>, layer: Layer) -> Tensor<4> {
    let Layer { kernel, stride, .. } = layer;
    let options = ConvOptions { stride: [stride; 2], padding: [kernel / 2; 2] };
    conv2d(images, weight, None, options, Activation::Identity)
}

impl Layer {
    /// Floating-point operations of a forward pass over a batch, those on padding too. The gradients
    /// of weights and images together take twice as many.
    fn operations(self) -> f64 {
        let Self { inputs, outputs, kernel, stride, side } = self;
        let convolution = Convolution2d {
            inputs,
            outputs,
            kernel: [kernel; 2],
            stride: [stride; 2],
            padding: [kernel / 2; 2],
            dilation: [1; 2],
            groups: 1,
            bias: false,
        };
        2.0 * BATCH_SIZE as f64 * convolution.multiply_adds([side; 2]) as f64
    }

    /// Images and weights.
    fn operands(self, device: &Device) -> (Tensor<4>, Tensor<4>) {
        let Self { inputs, outputs, kernel, side, .. } = self;
        let images = noise::tensor([BATCH_SIZE, side, side, inputs], device);
        let weight = noise::tensor([outputs, inputs, kernel, kernel], device);
        (images, weight)
    }

    /// Forward passes for that many seconds.
    pub(crate) fn forward(self, seconds: f64, device: &Device) -> Work {
        let (images, weight) = self.operands(device);
        let pass = || drop(convolve(images.clone(), weight.clone(), self));
        pass();
        let elapsed = repeat(seconds, || wait(device), pass);
        Work { amount: elapsed.times as f64 * self.operations(), seconds: elapsed.seconds }
    }

    /// Backward passes, to weights and images, for that many seconds. The forward passes that they
    /// need are not in the time; a multiplication for each output, which hands the gradient over, is.
    pub(crate) fn backward(self, seconds: f64, device: &Device) -> Work {
        let device = device.clone().autodiff();
        let (images, weight) = self.operands(&device);
        let (images, weight) = (images.require_grad(), weight.require_grad());
        let outputs = [BATCH_SIZE, self.side / self.stride, self.side / self.stride, self.outputs];
        let gradient = noise::tensor(outputs, &device);
        let pass = || {
            let outputs = convolve(images.clone(), weight.clone(), self);
            let objective = (outputs * gradient.clone()).sum();
            wait(&device);
            let started = Instant::now();
            let gradients = objective.backward();
            wait(&device);
            let elapsed = started.elapsed();
            drop(gradients);
            elapsed
        };
        pass();
        let (mut passes, mut elapsed) = (0, Duration::ZERO);
        while passes == 0 || elapsed.as_secs_f64() < seconds {
            elapsed += pass();
            passes += 1;
        }
        let amount = 2.0 * f64::from(passes) * self.operations();
        Work { amount, seconds: elapsed.as_secs_f64() }
    }
}

/// Writes the layer as a row of the table names it: `64→128 3×3/2 at 32`.
impl fmt::Display for Layer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { inputs, outputs, kernel, stride, side } = self;
        write!(formatter, "{inputs}→{outputs} {kernel}×{kernel}")?;
        if *stride > 1 {
            write!(formatter, "/{stride}")?;
        }
        write!(formatter, " at {side}")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use backburn_models::{architecture, parameters};

    use super::*;

    #[test]
    fn the_listed_layers_are_those_of_the_networks() {
        for (model, layers) in LAYERS {
            let config = (architecture(model).unwrap().config)();
            let network = config.init([3, 32, 32], 10, &Device::flex()).unwrap();
            let shapes = parameters::export(&network).into_iter().map(|tensor| tensor.shape);
            let networks: BTreeSet<Vec<usize>> = shapes.filter(|shape| shape.len() == 4).collect();
            let listed = layers.iter().map(|l| vec![l.outputs, l.inputs, l.kernel, l.kernel]);
            assert_eq!(listed.collect::<BTreeSet<_>>(), networks, "{model}");
        }
    }

    #[test]
    fn no_shape_is_measured_twice() {
        let all: Vec<Layer> = LAYERS.iter().flat_map(|(_, layers)| *layers).copied().collect();
        let names: BTreeSet<String> = all.iter().map(Layer::to_string).collect();
        assert_eq!(names.len(), all.len());
    }

    #[test]
    fn a_layer_is_counted_as_two_operations_for_each_weight_and_output() {
        let layer = layer(2, 4, 3, 2, 6);
        let (images, weight) = layer.operands(&Device::flex());
        let outputs = convolve(images, weight, layer).dims();
        assert_eq!(outputs, [BATCH_SIZE, 3, 3, 4]);
        let outputs: usize = outputs.iter().product();
        assert_eq!(layer.operations(), (2 * outputs * 2 * 9) as f64);
        let device = Device::flex();
        assert_eq!(layer.forward(0.0, &device).amount, layer.operations());
        assert_eq!(layer.backward(0.0, &device).amount, 2.0 * layer.operations());
        assert_eq!(layer.to_string(), "2→4 3×3/2 at 6");
    }
}
