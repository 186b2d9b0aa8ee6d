//! The transforms of Winograd's minimal filtering for tiles of four and kernels of three, in one dimension and in two.
//!
//! Four neighbouring outputs of a kernel of three are polynomial products modulo a polynomial with the roots 0, ±a, ±b and
//! ∞: evaluate input and kernel at the roots, multiply, interpolate. With the usual roots ±1 and ±2 rounding errors grow
//! five times as large as those of the plain sum; with a = 1/√2 and b = √2 twice (the powers of the roots lie closer to 1:
//! Barabasz et al., [Error Analysis and Improving the Accuracy of Winograd Convolution for Deep Neural
//! Networks](https://doi.org/10.1145/3412380), ACM Transactions on Mathematical Software 2020). Since `a² = 1/2`, `b² = 2`
//! and `ab = 1`, most factors are powers of two.

// Indices say which register is meant.
#![allow(clippy::needless_range_loop)]

use std::f32::consts::{FRAC_1_SQRT_2 as A, SQRT_2 as B};

use super::super::simd::Simd;

/// Evaluations: a tile of four and a kernel of three meet in six numbers.
pub(super) const ROOTS: usize = 6;
/// Positions of a kernel.
pub(super) const TAPS: usize = 9;
/// Products of a tile.
pub(super) const PRODUCTS: usize = ROOTS * ROOTS;

/// `factor · a + b`. A function, not a closure, which would be compiled for any CPU.
#[inline(always)]
fn times<S: Simd>(simd: S, factor: f32, a: S::Vector, b: S::Vector) -> S::Vector {
    simd.mul_add(simd.splat(factor), a, b)
}

/// `factor · a`
#[inline(always)]
fn scaled<S: Simd>(simd: S, factor: f32, a: S::Vector) -> S::Vector {
    simd.mul(simd.splat(factor), a)
}

/// A linear map of a line of `I` numbers to one of `O`.
pub(super) trait LineTransform<const I: usize, const O: usize> {
    fn apply<S: Simd>(simd: S, x: [S::Vector; I]) -> [S::Vector; O];
}

/// Six neighbouring inputs, of which four outputs are made.
pub(super) struct Input;

impl LineTransform<6, 6> for Input {
    #[inline(always)]
    fn apply<S: Simd>(simd: S, x: [S::Vector; 6]) -> [S::Vector; 6] {
        let even_a = times(simd, -2.0, x[2], x[4]);
        let odd_a = simd.mul(simd.splat(A), times(simd, -2.0, x[1], x[3]));
        let even_b = times(simd, -0.5, x[2], x[4]);
        let odd_b = simd.mul(simd.splat(B), times(simd, -0.5, x[1], x[3]));
        [
            times(simd, -2.5, x[2], simd.add(x[0], x[4])),
            simd.add(even_a, odd_a),
            simd.sub(even_a, odd_a),
            simd.add(even_b, odd_b),
            simd.sub(even_b, odd_b),
            times(simd, -2.5, x[3], simd.add(x[1], x[5])),
        ]
    }
}

/// A kernel of three.
pub(super) struct Kernel;

impl LineTransform<3, 6> for Kernel {
    #[inline(always)]
    fn apply<S: Simd>(simd: S, x: [S::Vector; 3]) -> [S::Vector; 6] {
        let even_a = scaled(simd, -2.0 / 3.0, simd.mul_add(simd.splat(0.5), x[2], x[0]));
        let odd_a = scaled(simd, -2.0 / 3.0 * A, x[1]);
        let even_b = scaled(simd, 1.0 / 6.0, simd.mul_add(simd.splat(2.0), x[2], x[0]));
        let odd_b = scaled(simd, 1.0 / 6.0 * B, x[1]);
        [
            x[0],
            simd.add(even_a, odd_a),
            simd.sub(even_a, odd_a),
            simd.add(even_b, odd_b),
            simd.sub(even_b, odd_b),
            x[2],
        ]
    }
}

/// Six products, to four outputs.
pub(super) struct Output;

impl LineTransform<6, 4> for Output {
    #[inline(always)]
    fn apply<S: Simd>(simd: S, x: [S::Vector; 6]) -> [S::Vector; 4] {
        let (even_a, odd_a) = (simd.add(x[1], x[2]), simd.sub(x[1], x[2]));
        let (even_b, odd_b) = (simd.add(x[3], x[4]), simd.sub(x[3], x[4]));
        [
            simd.add(simd.add(x[0], even_a), even_b),
            times(simd, A, odd_a, simd.mul(simd.splat(B), odd_b)),
            times(simd, 0.5, even_a, simd.mul(simd.splat(2.0), even_b)),
            times(simd, 0.5 * A, odd_a, times(simd, 2.0 * B, odd_b, x[5])),
        ]
    }
}

/// The gradients of four outputs, where the kernel's gradient is wanted: a kernel of four.
pub(super) struct Gradient;

impl LineTransform<4, 6> for Gradient {
    #[inline(always)]
    fn apply<S: Simd>(simd: S, x: [S::Vector; 4]) -> [S::Vector; 6] {
        let even_a = scaled(simd, -2.0 / 3.0, simd.mul_add(simd.splat(0.5), x[2], x[0]));
        let odd_a = scaled(simd, -2.0 / 3.0 * A, simd.mul_add(simd.splat(0.5), x[3], x[1]));
        let even_b = scaled(simd, 1.0 / 6.0, simd.mul_add(simd.splat(2.0), x[2], x[0]));
        let odd_b = scaled(simd, 1.0 / 6.0 * B, simd.mul_add(simd.splat(2.0), x[3], x[1]));
        [
            x[0],
            simd.add(even_a, odd_a),
            simd.sub(even_a, odd_a),
            simd.add(even_b, odd_b),
            simd.sub(even_b, odd_b),
            x[3],
        ]
    }
}

/// Six sums of products, to the three gradients of a kernel.
pub(super) struct KernelGradient;

impl LineTransform<6, 3> for KernelGradient {
    #[inline(always)]
    fn apply<S: Simd>(simd: S, x: [S::Vector; 6]) -> [S::Vector; 3] {
        let (even_a, odd_a) = (simd.add(x[1], x[2]), simd.sub(x[1], x[2]));
        let (even_b, odd_b) = (simd.add(x[3], x[4]), simd.sub(x[3], x[4]));
        [
            simd.add(simd.add(x[0], even_a), even_b),
            times(simd, A, odd_a, simd.mul(simd.splat(B), odd_b)),
            times(simd, 0.5, even_a, times(simd, 2.0, even_b, x[5])),
        ]
    }
}

/// A transform of columns, then of rows.
#[inline(always)]
pub(super) fn in_two_dimensions<S: Simd, L: LineTransform<I, O>, const I: usize, const O: usize>(
    simd: S,
    x: &[[S::Vector; I]; I],
) -> [[S::Vector; O]; O] {
    let zero = simd.splat(0.0);
    let mut columns = [[zero; I]; O];
    for j in 0..I {
        let mut column = [zero; I];
        for i in 0..I {
            column[i] = x[i][j];
        }
        let transformed = L::apply(simd, column);
        for o in 0..O {
            columns[o][j] = transformed[o];
        }
    }
    let mut rows = [[zero; O]; O];
    for o in 0..O {
        rows[o] = L::apply(simd, columns[o]);
    }
    rows
}
