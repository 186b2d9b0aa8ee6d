//! Convolutions with fewer multiplications: Winograd's minimal filtering for 3×3 kernels of stride 1.
//!
//! A tile of 4×4 outputs and its kernel take 144 products of pixels and weights. Transformed, they take 36: the window of
//! 6×6 inputs that the tile reads becomes 36 numbers (`Bᵀ d B`), the kernel 36 others (`G g Gᵀ`), which are multiplied one
//! by one and summed over input channels, and the 36 sums become the 16 outputs (`Aᵀ m A`). The transforms cost additions
//! by channel, the products multiplications by pairs of channels, so that it pays where there are many channels.
//!
//! Lavin and Gray, [Fast Algorithms for Convolutional Neural Networks](https://arxiv.org/abs/1509.09308), CVPR 2016, after
//! Winograd, "Arithmetic Complexity of Computations", 1980.
//!
//! What a sum is made of does not depend on the number of threads; the outputs of one image do not depend on the other
//! images of its batch. Results differ from the plain sum's by rounding alone: twice its error (`transform.rs`). That is
//! so of finite numbers: an infinity, or a NaN, in the window of a tile becomes a NaN in all outputs of the tile, while
//! the plain sum hands it to those outputs alone that read it.

mod filtering;
mod kernels;
mod tiles;
mod transform;
mod weight_gradient;

use std::ffi::OsStr;
use std::sync::OnceLock;

use super::finish::Finish;
use super::panels::{Panels, WeightLayout};
use super::shape::ConvShape;
use filtering::Filtering;
use kernels::Direction;
pub(crate) use kernels::TransformedKernels;
use tiles::{TILE, Tiles};
use transform::PRODUCTS;
use weight_gradient::KernelGradients;

/// What transforming a window and its outputs costs by channel, in products of a pair of channels: measured, as
/// `docs/performance.md` tells.
const TRANSFORM: usize = 900;
/// The same where kernels' gradients are wanted: the gradients of the outputs become more numbers than they are.
const TRANSFORM_FOR_KERNELS: usize = 1200;

/// Whether minimal filtering of a layer's outputs, and of its inputs' gradients, costs less than the sum of products.
///
/// Sizes alone decide, without that of the batch, so that an image's outputs are the same in every batch.
pub fn filters(shape: &ConvShape) -> bool {
    pays(shape, TRANSFORM)
}

/// Whether minimal filtering of a layer's kernels' gradients costs less than the sum of products.
pub fn filters_weight_gradient(shape: &ConvShape) -> bool {
    pays(shape, TRANSFORM_FOR_KERNELS)
}

fn pays(shape: &ConvShape, transform: usize) -> bool {
    let ConvShape { inputs, outputs, kernel, stride, padding, .. } = *shape;
    if !is_allowed()
        || kernel != [3, 3]
        || stride != [1, 1]
        || padding.iter().any(|&zeros| zeros > 2)
    {
        return false;
    }
    let tiles: usize = shape.output().map(|pixels| pixels.div_ceil(TILE)).iter().product();
    let filtered = tiles * (PRODUCTS * inputs * outputs + transform * (inputs + outputs) / 2);
    filtered < shape.meetings() * inputs * outputs
}

/// Whether `BACKBURN_CONVOLUTIONS=plain` is not set, which is for comparisons.
fn is_allowed() -> bool {
    static ALLOWED: OnceLock<bool> = OnceLock::new();
    *ALLOWED.get_or_init(|| allows(std::env::var_os("BACKBURN_CONVOLUTIONS").as_deref()))
}

/// Another value than `plain` is passed over, as one of `BACKBURN_SIMD` is; the program refuses it.
fn allows(convolutions: Option<&OsStr>) -> bool {
    convolutions.is_none_or(|kind| kind != "plain")
}

fn forward_tiles(shape: &ConvShape) -> Tiles {
    Tiles::new(shape.batch, shape.input, shape.output(), shape.padding)
}

/// The transformed kernels of a layer, for any number of batches.
pub(crate) fn transform(panels: &Panels<'_>) -> TransformedKernels {
    TransformedKernels::new(panels, 0..panels.count(), Direction::Forward)
}

/// As [`convolve`](super::convolve::convolve); `kernels`, if there are any, are all of `panels`, transformed.
pub(crate) fn convolve(
    shape: &ConvShape,
    input: &[f32],
    panels: Panels<'_>,
    kernels: Option<&TransformedKernels>,
    finish: Finish<'_>,
) -> Vec<f32> {
    let tiles = forward_tiles(shape);
    let direction = Direction::Forward;
    Filtering { tiles, source: input, panels, direction, kernels, finish }.run()
}

/// As [`input_gradient`](super::convolve::input_gradient); `panels` are those of the layer's inputs.
pub(crate) fn input_gradient(shape: &ConvShape, gradient: &[f32], panels: Panels<'_>) -> Vec<f32> {
    // An input pixel met the kernel's last position first.
    let before = shape.padding.map(|zeros| 2 - zeros);
    Filtering {
        tiles: Tiles::new(shape.batch, shape.output(), shape.input, before),
        source: gradient,
        panels,
        direction: Direction::Backward,
        kernels: None,
        finish: Finish::default(),
    }
    .run()
}

/// As [`weight_gradient`](super::weight_gradient::weight_gradient).
pub(crate) fn weight_gradient(
    shape: &ConvShape,
    input: &[f32],
    gradient: &[f32],
    layout: WeightLayout,
) -> Vec<f32> {
    let tiles = forward_tiles(shape);
    let (inputs, outputs) = (shape.inputs, shape.outputs);
    KernelGradients { tiles, input, gradient, inputs, outputs, layout }.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_turns_filtering_off() {
        assert!(!allows(Some(OsStr::new("plain"))));
        for other in ["", "Plain", "plain ", "0", "fast"] {
            assert!(allows(Some(OsStr::new(other))), "{other}");
        }
        assert!(allows(None));
    }
}
