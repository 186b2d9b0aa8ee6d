//! Maximum over 2×2 windows of channels-last images, and its gradient.

use rayon::prelude::*;

use super::buffer::Buffer;
use super::simd::{self, Simd, Task};

/// Sizes of pooled images.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PoolShape {
    /// Images.
    pub batch: usize,
    /// Height of the input in pixels.
    pub height: usize,
    /// Width of the input in pixels.
    pub width: usize,
    /// Channels.
    pub channels: usize,
}

impl PoolShape {
    /// Numbers of two rows of the input, which give one of the output.
    fn row(self) -> usize {
        self.width * self.channels
    }

    fn pooled_row(self) -> usize {
        self.width / 2 * self.channels
    }
}

/// Maximum over 2×2 windows; an odd last row or column is dropped.
///
/// # Shapes
///
/// - `x`: `[batch, height, width, channels]`
/// - returns: `[batch, height / 2, width / 2, channels]`
pub fn max_pool(shape: PoolShape, x: &[f32]) -> Vec<f32> {
    let (height, row, pooled) = (shape.height / 2, shape.row(), shape.pooled_row());
    assert_eq!(x.len(), shape.batch * shape.height * row);
    let mut y = Buffer::new(shape.batch * height * pooled);
    let to = y.writer();
    (0..shape.batch).into_par_iter().for_each(|image| {
        for line in 0..height {
            let from = (image * shape.height + 2 * line) * row;
            // SAFETY: every row of the output is written once, before anything is read from it.
            let to = unsafe { to.slice((image * height + line) * pooled, pooled) };
            let (upper, lower) = x[from..from + 2 * row].split_at(row);
            simd::run(Maximum { upper, lower, channels: shape.channels, to });
        }
    });
    // SAFETY: all rows were written.
    unsafe { y.assume_written() }
}

struct Maximum<'a> {
    upper: &'a [f32],
    lower: &'a [f32],
    channels: usize,
    to: &'a mut [f32],
}

impl Task for Maximum<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) {
        let Self { upper, lower, channels, to } = self;
        let pairs = upper.chunks_exact(2 * channels).zip(lower.chunks_exact(2 * channels));
        for (to, (upper, lower)) in to.chunks_exact_mut(channels).zip(pairs) {
            let (a, b) = upper.split_at(channels);
            let (c, d) = lower.split_at(channels);
            for i in 0..channels {
                to[i] = greater(greater(a[i], b[i]), greater(c[i], d[i]));
            }
        }
    }
}

/// The greater one, and NaN if one of them is.
#[inline(always)]
pub(super) fn greater(a: f32, b: f32) -> f32 {
    if a > b || a.is_nan() { a } else { b }
}

/// The gradient of [`max_pool`]: each window's goes to its maximum, to the first if there are several.
///
/// # Shapes
///
/// - `x`: `[batch, height, width, channels]`; returns the same
/// - `y`, `gradient`: `[batch, height / 2, width / 2, channels]`
pub fn max_pool_gradient(shape: PoolShape, x: &[f32], y: &[f32], gradient: &[f32]) -> Vec<f32> {
    let (height, row, pooled) = (shape.height / 2, shape.row(), shape.pooled_row());
    assert_eq!(y.len(), shape.batch * height * pooled);
    assert_eq!(y.len(), gradient.len());
    let mut dx = Buffer::new(x.len());
    let to = dx.writer();
    (0..shape.batch).into_par_iter().for_each(|image| {
        for line in 0..height {
            let from = (image * shape.height + 2 * line) * row;
            let pooled = (image * height + line) * pooled..(image * height + line + 1) * pooled;
            // SAFETY: every row of the result is written once, before anything is read from it.
            let to = unsafe { to.slice(from, 2 * row) };
            simd::run(Spread {
                x: &x[from..from + 2 * row],
                y: &y[pooled.clone()],
                gradient: &gradient[pooled],
                channels: shape.channels,
                to,
            });
        }
        if shape.height % 2 == 1 {
            // SAFETY: as above.
            unsafe { to.slice((image * shape.height + shape.height - 1) * row, row) }.fill(0.0);
        }
    });
    // SAFETY: all rows were written.
    unsafe { dx.assume_written() }
}

struct Spread<'a> {
    /// Two rows.
    x: &'a [f32],
    y: &'a [f32],
    gradient: &'a [f32],
    channels: usize,
    /// Two rows.
    to: &'a mut [f32],
}

impl Task for Spread<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) {
        let Self { x, y, gradient, channels, to } = self;
        let row = x.len() / 2;
        let (x_upper, x_lower) = x.split_at(row);
        let (upper, lower) = to.split_at_mut(row);
        let windows = y.len() / channels;
        for window in 0..windows {
            let (first, second) = (2 * window * channels, (2 * window + 1) * channels);
            let (upper_a, upper_b) = upper[first..].split_at_mut(channels);
            let (lower_a, lower_b) = lower[first..].split_at_mut(channels);
            for i in 0..channels {
                let maximum = y[window * channels + i];
                let rest = gradient[window * channels + i];
                let a = if x_upper[first + i] == maximum { rest } else { 0.0 };
                let rest = rest - a;
                let b = if x_upper[second + i] == maximum { rest } else { 0.0 };
                let rest = rest - b;
                let c = if x_lower[first + i] == maximum { rest } else { 0.0 };
                let rest = rest - c;
                let d = if x_lower[second + i] == maximum { rest } else { 0.0 };
                upper_a[i] = a;
                upper_b[i] = b;
                lower_a[i] = c;
                lower_b[i] = d;
            }
        }
        upper[2 * windows * channels..].fill(0.0);
        lower[2 * windows * channels..].fill(0.0);
    }
}
