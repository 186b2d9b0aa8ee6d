//! Sums of products of pixels and weights, a tile of registers at a time.

// Indices say which register is meant.
#![allow(clippy::needless_range_loop)]

use super::simd::Simd;

/// A kernel position, ready for the inner loop.
#[derive(Clone, Copy)]
pub(crate) struct TapOffset {
    /// Numbers from a source pixel of the first tap to that of this one.
    pub(crate) shift: isize,
    /// Rows of the panel before those of this tap.
    pub(crate) row: usize,
}

/// Computes, for `M` pixels and a panel of `N` vectors of output channels, `start` and the sum over
/// taps and input channels of source pixel times weight, and writes it to `to` pixel by pixel.
///
/// # Safety
///
/// - At `sources[m] + tap.shift`, `depth` numbers can be read, for every tap.
/// - At `to`, `M · N · LANES` numbers can be written.
/// - `panel` has `depth` rows of `N · LANES` numbers from row `tap.row` on, for every tap.
#[inline(always)]
pub(crate) unsafe fn tile<S: Simd, const M: usize, const N: usize>(
    simd: S,
    sources: &[*const f32; M],
    taps: &[TapOffset],
    depth: usize,
    panel: *const f32,
    start: [S::Vector; N],
    to: *mut f32,
) {
    let mut sums = [start; M];
    for tap in taps {
        // SAFETY: all pointers stay inside, as the caller says.
        unsafe {
            let mut weights = panel.add(tap.row * N * S::LANES);
            for k in 0..depth {
                let row = load_row::<S, N>(simd, weights);
                for m in 0..M {
                    let value = simd.splat(*sources[m].wrapping_offset(tap.shift + k as isize));
                    for n in 0..N {
                        sums[m][n] = simd.mul_add(value, row[n], sums[m][n]);
                    }
                }
                weights = weights.add(N * S::LANES);
            }
        }
    }
    // Nothing but a plain copy: with more to do here the compiler would keep the sums in memory.
    for m in 0..M {
        for n in 0..N {
            // SAFETY: the caller's.
            unsafe { simd.store(to.add((m * N + n) * S::LANES), sums[m][n]) };
        }
    }
}

/// `N` vectors.
///
/// # Safety
///
/// `N · LANES` numbers can be read at `from`.
#[inline(always)]
unsafe fn load_row<S: Simd, const N: usize>(simd: S, from: *const f32) -> [S::Vector; N] {
    // A loop, not `array::from_fn`, whose closure would be compiled for any CPU.
    let mut row = [simd.splat(0.0); N];
    for n in 0..N {
        // SAFETY: the caller's.
        row[n] = unsafe { simd.load(from.add(n * S::LANES)) };
    }
    row
}

/// Computes, for `M` input channels and `N` vectors of output channels, `sums` and the sum over
/// `meetings` of input times gradient.
///
/// # Safety
///
/// `inputs` has a row of `M` numbers for every `meeting.0`, `gradients` one of `N · LANES` for every
/// `meeting.1`.
#[inline(always)]
pub(crate) unsafe fn outer<S: Simd, const M: usize, const N: usize>(
    simd: S,
    inputs: *const f32,
    gradients: *const f32,
    meetings: &[(u32, u32)],
    mut sums: [[S::Vector; N]; M],
) -> [[S::Vector; N]; M] {
    for &(i, o) in meetings {
        // SAFETY: all pointers stay inside, as the caller says.
        unsafe {
            let input = inputs.add(i as usize * M);
            let row = load_row::<S, N>(simd, gradients.add(o as usize * N * S::LANES));
            for m in 0..M {
                let value = simd.splat(*input.add(m));
                for n in 0..N {
                    sums[m][n] = simd.mul_add(value, row[n], sums[m][n]);
                }
            }
        }
    }
    sums
}
