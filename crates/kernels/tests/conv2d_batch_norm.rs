//! A convolution with its batch normalization is one after the other, and refuses what does not fit.

#![cfg(feature = "flex")]

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};

use backburn_kernels::{
    Activation, BatchNormParameters, BatchStatistics, ConvOptions, batch_norm, conv2d,
    conv2d_batch_norm,
};
use burn::tensor::{Device, Distribution, Tensor};
use common::{ACTIVATIONS, cases};

/// Batch, side, inputs, outputs, kernel, stride: of a filtered layer and of some that are not.
const CASES: [[usize; 6]; 4] =
    [[3, 9, 48, 40, 3, 1], [2, 7, 3, 20, 3, 1], [2, 8, 16, 24, 3, 2], [1, 6, 20, 33, 1, 2]];

/// What is convolved and normalized.
#[derive(Clone)]
struct Layer {
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    options: ConvOptions,
    parameters: BatchNormParameters,
    statistics: BatchStatistics,
    residual: Option<Tensor<4>>,
    activation: Activation,
}

impl Layer {
    /// Random numbers, without bias, residual and activation.
    fn draw([batch, side, inputs, outputs, kernel, stride]: [usize; 6]) -> Self {
        let vector = || Tensor::<1>::random([outputs], NORMAL, &device());
        let variance = Tensor::random([outputs], Distribution::Uniform(0.1, 9.0), &device());
        Self {
            x: Tensor::random([batch, side, side, inputs], NORMAL, &device()),
            weight: Tensor::random([outputs, inputs, kernel, kernel], NORMAL, &device()),
            bias: None,
            options: ConvOptions { stride: [stride; 2], padding: [kernel / 2; 2] },
            parameters: BatchNormParameters { gamma: vector(), beta: vector(), epsilon: 1e-5 },
            statistics: BatchStatistics { mean: vector(), variance },
            residual: None,
            activation: Activation::Identity,
        }
    }

    fn in_one(self) -> Tensor<4> {
        conv2d_batch_norm(
            self.x,
            self.weight,
            self.bias,
            self.options,
            self.parameters,
            self.statistics,
            self.residual,
            self.activation,
        )
    }

    fn convolved(&self) -> Tensor<4> {
        let (x, weight, bias) = (self.x.clone(), self.weight.clone(), self.bias.clone());
        conv2d(x, weight, bias, self.options, Activation::Identity)
    }

    fn one_after_the_other(self) -> Tensor<4> {
        let y = self.convolved();
        batch_norm(y, self.parameters, self.statistics, self.residual, self.activation)
    }
}

const NORMAL: Distribution = Distribution::Normal(0.0, 1.0);

/// Without gradients, as in an evaluation.
fn device() -> Device {
    Device::flex()
}

#[test]
fn it_is_a_convolution_and_a_normalization() {
    for case in CASES.into_iter().take(cases(CASES.len())) {
        let bare = Layer::draw(case);
        let bias = Tensor::random([case[3]], NORMAL, &device());
        let residual = Tensor::random(bare.convolved().dims(), NORMAL, &device());
        let full = Layer { bias: Some(bias), residual: Some(residual), ..bare.clone() };
        let layers = [bare, full]
            .into_iter()
            .flat_map(|layer| ACTIVATIONS.map(|activation| Layer { activation, ..layer.clone() }));
        for layer in layers {
            let expected = layer.clone().one_after_the_other();
            let largest: f32 = expected.clone().abs().max().into_scalar();
            let off: f32 = (layer.in_one() - expected).abs().max().into_scalar();
            assert!(off < 1e-5 * largest, "{off} of {largest}, {case:?}");
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let vector = |length: usize| Tensor::<1>::ones([length], &device());
    type Change = fn(&mut Layer, Tensor<1>);
    let vectors: [(&str, Change); 5] = [
        ("a bias for each", |layer, vector| layer.bias = Some(vector)),
        ("a scale for each", |layer, vector| layer.parameters.gamma = vector),
        ("a shift for each", |layer, vector| layer.parameters.beta = vector),
        ("a mean for each", |layer, vector| layer.statistics.mean = vector),
        ("a variance for each", |layer, vector| layer.statistics.variance = vector),
    ];
    let layer = Layer::draw(CASES[1]);
    for (expected, change) in vectors {
        // 20 output channels.
        for length in [0, 1, 19, 21] {
            let mut layer = layer.clone();
            change(&mut layer, vector(length));
            assert_refused(layer, expected);
        }
    }
    // As many numbers as the output has, none, and a row that others would repeat.
    let shapes: [[usize; 4]; 4] = [[2, 7, 20, 7], [1, 14, 7, 20], [0, 7, 7, 20], [1, 1, 1, 20]];
    for shape in shapes {
        let mut layer = layer.clone();
        layer.residual = Some(Tensor::ones(shape, &device()));
        assert_refused(layer, "a residual of the output's shape");
    }
}

fn assert_refused(layer: Layer, expected: &str) {
    let refusal = catch_unwind(AssertUnwindSafe(|| layer.in_one())).unwrap_err();
    let message = refusal.downcast::<String>().unwrap();
    assert!(message.contains(expected), "{message}");
}
