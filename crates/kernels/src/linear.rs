//! Linear layer.

#[cfg(feature = "flex")]
use burn::tensor::Shape;
use burn::tensor::{Tensor, module};

use crate::activate::activate;
use crate::cpu::Activation;
#[cfg(feature = "flex")]
use crate::{
    conv2d::ours::{Convolution, convolve},
    cpu::{ConvShape, WeightLayout},
    device::is_ours,
};

/// `activation(x · weight + bias)`.
///
/// # Shapes
///
/// - `x`: `[batch, inputs]`
/// - `weight`: `[inputs, outputs]`, as Burn's `Linear` keeps it
/// - `bias`: `[outputs]`
/// - returns: `[batch, outputs]`
///
/// # Panics
///
/// If the shapes do not fit each other.
pub fn linear(
    x: Tensor<2>,
    weight: Tensor<2>,
    bias: Tensor<1>,
    activation: Activation,
) -> Tensor<2> {
    #[cfg(feature = "flex")]
    if is_ours(&x) {
        let ([batch, inputs], [of_weight, outputs]) = (x.dims(), weight.dims());
        assert_eq!(inputs, of_weight, "values of a row, input units of the weights");
        let product = Convolution {
            shape: ConvShape::linear(batch, inputs, outputs),
            layout: WeightLayout::linear(outputs),
            output: Shape::from([batch, outputs]),
            activation,
        };
        return convolve(x, weight, Some(bias), product);
    }
    activate(module::linear(x, weight, Some(bias)), activation)
}
