//! Maximum over windows of channels-last images that may overlap and reach over the edge, and its gradient.

use std::ops::Range;

use rayon::prelude::*;

use super::buffer::Buffer;
use super::pool::{PoolShape, greater};
use super::simd::{self, Simd, Task};

/// How windows lie on an image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PoolWindows {
    /// Height and width of a window in pixels.
    pub kernel: usize,
    /// Pixels from one window to the next.
    pub stride: usize,
    /// Pixels around the image on which windows may lie.
    pub padding: usize,
    /// Windows down and right.
    pub count: [usize; 2],
}

impl PoolWindows {
    /// The pixels of a side that window number `window` lies on.
    fn pixels(self, window: usize, side: usize) -> Range<usize> {
        let from = window * self.stride;
        let to = (from + self.kernel).saturating_sub(self.padding).min(side);
        from.saturating_sub(self.padding)..to
    }
}

/// Maximum over windows.
///
/// # Shapes
///
/// - `x`: `[batch, height, width, channels]`
/// - returns: `[batch, windows down, windows right, channels]`
pub fn max_pool_windows(shape: PoolShape, windows: PoolWindows, x: &[f32]) -> Vec<f32> {
    let image = shape.height * shape.width * shape.channels;
    let pooled = windows.count[0] * windows.count[1] * shape.channels;
    assert_eq!(x.len(), shape.batch * image);
    let mut y = Buffer::new(shape.batch * pooled);
    let to = y.writer();
    (0..shape.batch).into_par_iter().for_each(|number| {
        let x = &x[number * image..(number + 1) * image];
        // SAFETY: every image of the output is written once, before anything is read from it.
        let to = unsafe { to.slice(number * pooled, pooled) };
        simd::run(Maximum { shape, windows, x, to });
    });
    // SAFETY: all images were written.
    unsafe { y.assume_written() }
}

struct Maximum<'a> {
    shape: PoolShape,
    windows: PoolWindows,
    x: &'a [f32],
    to: &'a mut [f32],
}

impl Task for Maximum<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) {
        let Self { shape: PoolShape { height, width, channels, .. }, windows, x, to } = self;
        for (number, to) in to.chunks_exact_mut(channels).enumerate() {
            let [row, column] = [number / windows.count[1], number % windows.count[1]];
            to.fill(f32::NEG_INFINITY);
            for y in windows.pixels(row, height) {
                for pixel in windows.pixels(column, width) {
                    let from = (y * width + pixel) * channels;
                    for (to, x) in to.iter_mut().zip(&x[from..from + channels]) {
                        *to = greater(*to, *x);
                    }
                }
            }
        }
    }
}

/// The gradient of [`max_pool_windows`]: each window's goes to its maximum, to the first if there are several.
///
/// # Shapes
///
/// - `x`: `[batch, height, width, channels]`; returns the same
/// - `y`, `gradient`: `[batch, windows down, windows right, channels]`
pub fn max_pool_windows_gradient(
    shape: PoolShape,
    windows: PoolWindows,
    x: &[f32],
    y: &[f32],
    gradient: &[f32],
) -> Vec<f32> {
    let image = shape.height * shape.width * shape.channels;
    let pooled = windows.count[0] * windows.count[1] * shape.channels;
    assert_eq!(y.len(), shape.batch * pooled);
    assert_eq!(y.len(), gradient.len());
    let mut dx = Buffer::new(x.len());
    let to = dx.writer();
    (0..shape.batch).into_par_iter().for_each(|number| {
        let pooled = number * pooled..(number + 1) * pooled;
        // SAFETY: every image of the result is cleared once, before anything is read from it.
        let to = unsafe { to.slice(number * image, image) };
        to.fill(0.0);
        simd::run(Spread {
            shape,
            windows,
            x: &x[number * image..(number + 1) * image],
            y: &y[pooled.clone()],
            gradient: &gradient[pooled],
            to,
        });
    });
    // SAFETY: all images were written.
    unsafe { dx.assume_written() }
}

struct Spread<'a> {
    shape: PoolShape,
    windows: PoolWindows,
    x: &'a [f32],
    y: &'a [f32],
    gradient: &'a [f32],
    /// Holds the sum of what the windows so far have given.
    to: &'a mut [f32],
}

impl Task for Spread<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) {
        let Self { shape, windows, x, y, gradient, to } = self;
        let PoolShape { height, width, channels, .. } = shape;
        // What of a window's gradient has found no pixel yet.
        let mut rest = vec![0.0_f32; channels];
        let maxima = y.chunks_exact(channels).zip(gradient.chunks_exact(channels));
        for (number, (maximum, gradient)) in maxima.enumerate() {
            let [row, column] = [number / windows.count[1], number % windows.count[1]];
            rest.copy_from_slice(gradient);
            for line in windows.pixels(row, height) {
                for pixel in windows.pixels(column, width) {
                    let from = (line * width + pixel) * channels;
                    let (x, to) = (&x[from..from + channels], &mut to[from..from + channels]);
                    for i in 0..channels {
                        let taken = if x[i] == maximum[i] { rest[i] } else { 0.0 };
                        to[i] += taken;
                        rest[i] -= taken;
                    }
                }
            }
        }
    }
}
