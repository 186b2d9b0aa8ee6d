//! Batch normalization in training with the convolution behind it is one after the other, bit for bit.

#![cfg(feature = "flex")]

mod common;

use backburn_kernels::{
    Activation, BatchNormParameters, ConvOptions, Normalized, batch_norm_train,
    batch_norm_train_conv2d, conv2d,
};
use burn::tensor::{Device, Gradients, Tensor};
use common::{ACTIVATIONS, constant, device, generator, leaf};
use rand_chacha::ChaCha8Rng;

/// Batch, side, inputs, outputs, kernel, stride: of a filtered layer and of some that are not.
const CASES: [[usize; 6]; 4] =
    [[3, 9, 48, 40, 3, 1], [2, 7, 3, 20, 3, 1], [2, 8, 16, 24, 3, 2], [4, 6, 20, 33, 1, 2]];

/// What is normalized and convolved, and what a gradient is taken of.
#[derive(Clone)]
struct Layer {
    x: Tensor<4>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    options: ConvOptions,
    activation: Activation,
}

impl Layer {
    fn draw(
        rng: &mut ChaCha8Rng,
        [batch, side, inputs, outputs, kernel, stride]: [usize; 6],
    ) -> Self {
        Self {
            x: leaf(rng, [batch, side, side, inputs]),
            gamma: leaf(rng, [inputs]),
            beta: leaf(rng, [inputs]),
            weight: leaf(rng, [outputs, inputs, kernel, kernel]),
            bias: None,
            options: ConvOptions { stride: [stride; 2], padding: [kernel / 2; 2] },
            activation: Activation::Identity,
        }
    }

    fn parameters(&self) -> BatchNormParameters {
        BatchNormParameters { gamma: self.gamma.clone(), beta: self.beta.clone(), epsilon: 1e-5 }
    }

    fn in_one(self) -> Normalized<4> {
        let parameters = self.parameters();
        let Self { x, weight, bias, options, activation, .. } = self;
        batch_norm_train_conv2d(x, parameters, activation, weight, bias, options)
    }

    fn one_after_the_other(self) -> Normalized<4> {
        let between = batch_norm_train(self.x.clone(), self.parameters(), None, self.activation);
        let Self { weight, bias, options, .. } = self;
        let output = conv2d(between.output, weight, bias, options, Activation::Identity);
        Normalized { output, statistics: between.statistics }
    }

    /// Output, statistics, and the gradients of the leaves for the output's gradient `of`.
    fn all(&self, way: fn(Self) -> Normalized<4>, of: &Tensor<4>) -> Vec<Option<Vec<f32>>> {
        let Normalized { output, statistics } = way(self.clone());
        let gradients = (output.clone() * of.clone()).sum().backward();
        let bias = self.bias.as_ref().map(|bias| gradient(bias, &gradients));
        vec![
            Some(numbers(output)),
            Some(numbers(statistics.mean)),
            Some(numbers(statistics.variance)),
            gradient(&self.x, &gradients),
            gradient(&self.gamma, &gradients),
            gradient(&self.beta, &gradients),
            gradient(&self.weight, &gradients),
            bias.flatten(),
        ]
    }
}

fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

/// That of a leaf; `None` if it has none.
fn gradient<const D: usize>(leaf: &Tensor<D>, gradients: &Gradients) -> Option<Vec<f32>> {
    leaf.grad(gradients).map(numbers)
}

#[test]
fn it_is_a_normalization_and_a_convolution_with_their_gradients() {
    let rng = &mut generator(1);
    for case in CASES {
        for activation in ACTIVATIONS {
            for has_bias in [false, true] {
                let mut layer = Layer::draw(rng, case);
                layer.activation = activation;
                layer.bias = has_bias.then(|| leaf(rng, [case[3]]));
                let of = constant(rng, layer.clone().in_one().output.dims());
                let all = layer.all(Layer::in_one, &of);
                assert!(all[..7].iter().all(Option::is_some) && all[7].is_some() == has_bias);
                assert!(all == layer.all(Layer::one_after_the_other, &of), "{case:?}");
            }
        }
    }
}

#[test]
fn what_is_frozen_has_no_gradient_and_changes_none_of_the_others() {
    let rng = &mut generator(2);
    let layer = Layer { activation: Activation::Relu, ..Layer::draw(rng, CASES[0]) };
    let of = constant(rng, layer.clone().in_one().output.dims());
    let all = layer.all(Layer::in_one, &of);
    let frozen = |tensor: &Tensor<4>| tensor.clone().without_autodiff().autodiff();
    let without_x = Layer { x: frozen(&layer.x), ..layer.clone() }.all(Layer::in_one, &of);
    let without_weight =
        Layer { weight: frozen(&layer.weight), ..layer.clone() }.all(Layer::in_one, &of);
    for (missing, some) in [(3, without_x), (6, without_weight)] {
        for (place, (some, all)) in some.iter().zip(&all).enumerate() {
            let expected = if place == missing { &None } else { all };
            assert!(some == expected, "{missing}: {place}");
        }
    }
    let [gamma, beta] =
        [&layer.gamma, &layer.beta].map(|it| it.clone().without_autodiff().autodiff());
    let of_weight_alone = Layer { x: frozen(&layer.x), gamma, beta, ..layer.clone() };
    let some = of_weight_alone.all(Layer::in_one, &of);
    assert!(some[6] == all[6] && some[3..6].iter().all(Option::is_none));
}

#[test]
fn without_gradients_it_is_the_same() {
    let rng = &mut generator(3);
    for case in CASES {
        let layer = Layer::draw(rng, case);
        let recorded = layer.clone().in_one();
        let plain = Layer {
            x: layer.x.clone().without_autodiff(),
            gamma: layer.gamma.clone().without_autodiff(),
            beta: layer.beta.clone().without_autodiff(),
            weight: layer.weight.clone().without_autodiff(),
            ..layer
        };
        assert_eq!(plain.x.device(), Device::flex());
        assert_eq!(numbers(plain.in_one().output), numbers(recorded.output));
    }
    assert!(device().is_autodiff());
}
