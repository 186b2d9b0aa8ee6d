//! Convolutions, SiLU and their gradients are PyTorch's.
//!
//! References: `tests/pytorch/convolutions.py` and `silu.py`, in double precision.

#![cfg(feature = "flex")]

mod common;
#[allow(unreachable_pub)]
#[path = "../../../tests/src/values.rs"]
mod formula;

use std::collections::BTreeMap;

use backburn_kernels::{
    Activation, BatchNormParameters, BatchStatistics, ConvOptions, activate, batch_norm,
    batch_norm_train, conv2d, linear,
};
use burn::tensor::Tensor;
use common::{Errors, gradients, of, tensor, values};
use serde::Deserialize;

#[derive(Deserialize)]
struct Reference {
    images: [usize; 4],
    weight: [usize; 4],
    stride: [usize; 2],
    padding: [usize; 2],
    output_shape: [usize; 4],
    output: Vec<f64>,
    images_gradient: Vec<f64>,
    weight_gradient: Vec<f64>,
    bias_gradient: Vec<f64>,
}

fn by_formula<const D: usize>(name: &str, shape: [usize; D]) -> Tensor<D> {
    tensor(formula::values(name, shape.iter().product()), shape).require_grad()
}

#[test]
fn convolutions_and_their_gradients_are_those_of_pytorch() {
    let reference: Vec<Reference> =
        serde_json::from_str(include_str!("../../../tests/reference/convolutions.json")).unwrap();
    assert_eq!(reference.len(), 12);
    let mut errors = Errors::default();
    for (number, case) in reference.iter().enumerate() {
        let images = by_formula(&format!("images {number}"), case.images);
        let weight = by_formula(&format!("weight {number}"), case.weight);
        let bias = by_formula(&format!("bias {number}"), [case.weight[0]]);
        let coefficients = by_formula(&format!("coefficients {number}"), case.output_shape);

        let options = ConvOptions { stride: case.stride, padding: case.padding };
        let channels_last = images.clone().permute([0, 2, 3, 1]);
        let bias_too = Some(bias.clone());
        let y = conv2d(channels_last, weight.clone(), bias_too, options, Activation::Identity);
        let y = y.permute([0, 3, 1, 2]);
        assert_eq!(y.dims(), case.output_shape, "{number}");
        errors.check("output", &number, &values(y.clone()), &case.output);
        let gradients = gradients(y, &coefficients.detach());
        let of_images = of(&images, &gradients);
        errors.check("gradient of the images", &number, &of_images, &case.images_gradient);
        let of_weight = of(&weight, &gradients);
        errors.check("gradient of the weights", &number, &of_weight, &case.weight_gradient);
        let of_bias = of(&bias, &gradients);
        errors.check("gradient of the bias", &number, &of_bias, &case.bias_gradient);
    }
}

#[derive(Deserialize)]
struct OfSilu {
    by_itself: Points,
    normalizations: Vec<Normalization>,
    convolution: Differentiated,
    linear: Differentiated,
}

#[derive(Deserialize)]
struct Points {
    x: Vec<f32>,
    output: Vec<f64>,
    slope: Vec<f64>,
}

#[derive(Deserialize)]
struct Normalization {
    name: String,
    training: bool,
    #[serde(flatten)]
    reference: Differentiated,
}

/// Images and maps are channels-first.
#[derive(Deserialize)]
struct Differentiated {
    output: Vec<f64>,
    /// By the name of what is differentiated with respect to.
    gradients: BTreeMap<String, Vec<f64>>,
}

fn of_silu() -> OfSilu {
    serde_json::from_str(include_str!("../../../tests/reference/silu.json")).unwrap()
}

impl Differentiated {
    /// Compares `y`, and with respect to what it is differentiated.
    fn check<const D: usize>(
        &self,
        name: &str,
        y: Tensor<D>,
        leaf: impl Fn(&str, &burn::tensor::Gradients) -> Vec<f32>,
    ) {
        let mut errors = Errors::default();
        let coefficients = by_formula(&format!("{name} coefficients"), y.dims()).detach();
        errors.check("output", &name, &values(y.clone()), &self.output);
        let gradients = gradients(y, &coefficients);
        assert!(self.gradients.contains_key("x"));
        for (with_respect_to, expected) in &self.gradients {
            let case = (name, with_respect_to);
            errors.check("gradient", &case, &leaf(with_respect_to, &gradients), expected);
        }
    }
}

#[test]
fn silu_and_its_slope_are_those_of_pytorch() {
    let Points { x, output, slope } = of_silu().by_itself;
    let count = x.len();
    let x = tensor(x, [count]).require_grad();
    let y = activate(x.clone(), Activation::Silu);
    let gradients = y.clone().sum().backward();
    for (found, expected) in [(values(y), output), (of(&x, &gradients), slope)] {
        for (at, (&found, expected)) in found.iter().zip(expected).enumerate() {
            let error = (f64::from(found) - expected).abs();
            assert!(error <= 1e-6 * expected.abs().max(1.0), "{at}: {found} for {expected}");
        }
    }
}

#[test]
fn normalizations_followed_by_silu_are_those_of_pytorch() {
    let cases = of_silu().normalizations;
    assert_eq!(cases.len(), 4);
    for Normalization { name, training, reference } in cases {
        let of_name = |of: &str| format!("{name} {of}");
        let x = by_formula(&of_name("x"), [3, 5, 4, 7]);
        let [gamma, beta] = ["gamma", "beta"].map(|of| by_formula(&of_name(of), [5]));
        let with_residual = reference.gradients.contains_key("residual");
        let residual = with_residual.then(|| by_formula(&of_name("residual"), [3, 5, 4, 7]));
        let parameters =
            BatchNormParameters { gamma: gamma.clone(), beta: beta.clone(), epsilon: 1e-5 };
        let last = |it: &Tensor<4>| it.clone().permute([0, 2, 3, 1]);
        let added = residual.as_ref().map(last);
        let y = if training {
            batch_norm_train(last(&x), parameters, added, Activation::Silu).output
        } else {
            let [mean, variance] =
                ["mean", "variance"].map(|of| by_formula(&of_name(of), [5]).detach());
            let statistics = BatchStatistics { mean, variance: variance.abs() + 0.25 };
            batch_norm(last(&x), parameters, statistics, added, Activation::Silu)
        };
        reference.check(&name, y.permute([0, 3, 1, 2]), |leaf, gradients| match leaf {
            "x" => of(&x, gradients),
            "gamma" => of(&gamma, gradients),
            "beta" => of(&beta, gradients),
            "residual" => of(residual.as_ref().expect("it was added"), gradients),
            other => panic!("{other}"),
        });
    }
}

#[test]
fn layers_followed_by_silu_are_those_of_pytorch() {
    let OfSilu { convolution, linear: of_linear, .. } = of_silu();
    let x = by_formula("silu convolution x", [2, 3, 6, 5]);
    let weight = by_formula("silu convolution weight", [7, 3, 3, 3]);
    let bias = by_formula("silu convolution bias", [7]);
    let options = ConvOptions { stride: [1, 1], padding: [1, 1] };
    let channels_last = x.clone().permute([0, 2, 3, 1]);
    let with_bias = Some(bias.clone());
    let y = conv2d(channels_last, weight.clone(), with_bias, options, Activation::Silu);
    convolution.check("silu convolution", y.permute([0, 3, 1, 2]), |leaf, gradients| match leaf {
        "x" => of(&x, gradients),
        "weight" => of(&weight, gradients),
        "bias" => of(&bias, gradients),
        other => panic!("{other}"),
    });

    let x = by_formula("silu linear x", [4, 9]);
    let weight = by_formula("silu linear weight", [11, 9]);
    let bias = by_formula("silu linear bias", [11]);
    let y = linear(x.clone(), weight.clone().transpose(), bias.clone(), Activation::Silu);
    of_linear.check("silu linear", y, |leaf, gradients| match leaf {
        "x" => of(&x, gradients),
        "weight" => of(&weight, gradients),
        "bias" => of(&bias, gradients),
        other => panic!("{other}"),
    });
}
