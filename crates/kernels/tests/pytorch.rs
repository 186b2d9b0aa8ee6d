//! Convolutions and their gradients are PyTorch's.
//!
//! Reference: `tests/pytorch/convolutions.py`, in double precision.

#![cfg(feature = "flex")]

mod common;
#[allow(unreachable_pub)]
#[path = "../../../tests/src/values.rs"]
mod formula;

use backburn_kernels::{Activation, ConvOptions, conv2d};
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
