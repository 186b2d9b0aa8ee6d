//! Products of two matrices.

use burn::tensor::Tensor;

#[cfg(feature = "flex")]
use crate::{
    conv2d::ours::{Convolution, convolve},
    cpu::{Activation, ConvShape, WeightLayout},
    device::is_ours,
};

/// `a · b`.
///
/// # Shapes
///
/// - `a`: `[rows, inner]`
/// - `b`: `[inner, columns]`
/// - returns: `[rows, columns]`
///
/// # Panics
///
/// If the shapes do not fit each other.
pub fn matrix_product(a: Tensor<2>, b: Tensor<2>) -> Tensor<2> {
    #[cfg(feature = "flex")]
    if is_ours(&a) {
        let [inner, columns] = b.dims();
        return ours(a, b, [inner, columns], WeightLayout::linear(columns));
    }
    a.matmul(b)
}

/// `a · bᵀ`, without a transposed copy of `b`.
///
/// # Shapes
///
/// - `a`: `[rows, inner]`
/// - `b`: `[columns, inner]`
/// - returns: `[rows, columns]`
///
/// # Panics
///
/// If the shapes do not fit each other.
pub fn product_with_transposed(a: Tensor<2>, b: Tensor<2>) -> Tensor<2> {
    #[cfg(feature = "flex")]
    if is_ours(&a) {
        let [columns, inner] = b.dims();
        return ours(a, b, [inner, columns], WeightLayout::convolution(inner, 1));
    }
    a.matmul(b.transpose())
}

/// The rows of `a` as the inputs of a linear layer, whose weights are `b`.
#[cfg(feature = "flex")]
fn ours(
    a: Tensor<2>,
    b: Tensor<2>,
    [inner, columns]: [usize; 2],
    layout: WeightLayout,
) -> Tensor<2> {
    let [rows, of_a] = a.dims();
    assert_eq!(of_a, inner, "values of a row of the first matrix, those that they are met by");
    let product = Convolution {
        shape: ConvShape::linear(rows, inner, columns),
        layout,
        output: burn::tensor::Shape::from([rows, columns]),
        activation: Activation::Identity,
    };
    convolve(a, b, None, product)
}
