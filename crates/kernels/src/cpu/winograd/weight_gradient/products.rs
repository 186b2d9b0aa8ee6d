//! What a task does: transforms tiles, multiplies and sums, and transforms the sums into gradients of kernels.

// Indices say which register is meant.
#![allow(clippy::needless_range_loop)]

use std::ops::Range;

use super::super::super::arrange::arrange_rows;
use super::super::super::buffer::Writer;
use super::super::super::simd::{Simd, Task};
use super::super::tiles::{GAP, TILE, window};
use super::super::transform::{
    Gradient, Input, KernelGradient, PRODUCTS, ROOTS, TAPS, in_two_dimensions,
};
use super::KernelGradients;

/// Where gradients of kernels go.
#[derive(Clone, Copy)]
pub(super) enum To<'a> {
    /// To their places among the weights.
    Weights(Writer<'a>),
    /// To those of a part, by unit, input channel, kernel position, which begin at `from`.
    Part { kernels: Writer<'a>, from: usize },
}

/// Tiles of which windows and gradients are there at the same time.
pub(super) struct Block<'a> {
    pub(super) of: KernelGradients<'a>,
    /// Output channels, filled up to whole vectors.
    pub(super) padded: usize,
    /// Most tiles.
    pub(super) at_a_time: usize,
    /// By product, vector of input channels, tile.
    pub(super) windows: Writer<'a>,
    /// By product, panel, tile.
    pub(super) gradients: Writer<'a>,
    /// By panel, vector of input channels, product, input channel, where blocks hand sums on.
    pub(super) sums: Option<Writer<'a>>,
    pub(super) to: To<'a>,
}

impl Block<'_> {
    /// Width of a panel in numbers.
    #[inline(always)]
    fn width<S: Simd>(&self, panel: usize) -> usize {
        (self.padded - panel * 2 * S::LANES).min(2 * S::LANES)
    }

    #[inline(always)]
    fn groups<S: Simd>(&self) -> usize {
        self.of.inputs.div_ceil(S::LANES)
    }

    /// Where the windows of a product and a vector of input channels begin.
    #[inline(always)]
    fn windows_from<S: Simd>(&self, product: usize, group: usize) -> usize {
        let of_product = self.at_a_time * self.groups::<S>() * S::LANES + GAP;
        product * of_product + group * self.at_a_time * S::LANES
    }

    /// Where the gradients of a product and a panel begin.
    #[inline(always)]
    fn gradients_from<S: Simd>(&self, product: usize, panel: usize) -> usize {
        let of_product = self.at_a_time * self.padded + GAP;
        product * of_product + panel * 2 * S::LANES * self.at_a_time
    }
}

/// A task: the windows and gradients of some tiles.
pub(super) struct Transforms<'a> {
    pub(super) block: &'a Block<'a>,
    pub(super) tiles: Range<usize>,
    /// First tile of the block.
    pub(super) first: usize,
}

impl Task for Transforms<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { block, tiles, first } = self;
        for number in tiles {
            let place = number - first;
            window_of(simd, block, number, place);
            gradient_of(simd, block, number, place);
        }
    }
}

#[inline(always)]
fn window_of<S: Simd>(simd: S, block: &Block<'_>, number: usize, place: usize) {
    let size = block.of.tiles.source;
    let tile = block.of.tiles.tile(number);
    let corner = block.of.tiles.reads_from(tile);
    let image = &block.of.input[tile.image * size[0] * size[1] * block.of.inputs..];
    for group in 0..block.groups::<S>() {
        let channel = group * S::LANES;
        let count = (block.of.inputs - channel).min(S::LANES);
        // SAFETY: the image is whole.
        let pixels = unsafe {
            let from = image.as_ptr().add(channel);
            window::<S, ROOTS>(simd, from, size, block.of.inputs, corner, count)
        };
        let products = in_two_dimensions::<S, Input, ROOTS, ROOTS>(simd, &pixels);
        for (i, row) in products.iter().enumerate() {
            for (j, &value) in row.iter().enumerate() {
                let from = block.windows_from::<S>(ROOTS * i + j, group) + place * S::LANES;
                // SAFETY: each tile has a place of its own.
                unsafe { simd.store(block.windows.at(from, S::LANES), value) };
            }
        }
    }
}

#[inline(always)]
fn gradient_of<S: Simd>(simd: S, block: &Block<'_>, number: usize, place: usize) {
    let size = block.of.tiles.target;
    let tile = block.of.tiles.tile(number);
    let corner = [tile.corner[0] as isize, tile.corner[1] as isize];
    let image = &block.of.gradient[tile.image * size[0] * size[1] * block.of.outputs..];
    for channel in (0..block.of.outputs).step_by(S::LANES) {
        let count = (block.of.outputs - channel).min(S::LANES);
        let (panel, lane) = (channel / (2 * S::LANES), channel % (2 * S::LANES));
        let width = block.width::<S>(panel);
        // SAFETY: the image is whole.
        let pixels = unsafe {
            let from = image.as_ptr().add(channel);
            window::<S, TILE>(simd, from, size, block.of.outputs, corner, count)
        };
        let products = in_two_dimensions::<S, Gradient, TILE, ROOTS>(simd, &pixels);
        for (i, row) in products.iter().enumerate() {
            for (j, &value) in row.iter().enumerate() {
                let from = block.gradients_from::<S>(ROOTS * i + j, panel) + place * width + lane;
                // SAFETY: each tile has a place of its own.
                unsafe { simd.store(block.gradients.at(from, S::LANES), value) };
            }
        }
    }
}

/// What is read next: lies too far off for the processor to know.
#[derive(Clone, Copy)]
struct Ahead {
    /// A vector for each tile.
    windows: *const f32,
    /// Rows of the panel.
    gradients: *const f32,
    /// How many.
    rows: usize,
}

/// A task: the products of all tiles of a block, of one panel with some vectors of input channels.
pub(super) struct Products<'a> {
    pub(super) block: &'a Block<'a>,
    pub(super) panel: usize,
    /// Vectors of input channels.
    pub(super) groups: Range<usize>,
    /// Tiles that there are.
    pub(super) tiles: usize,
    /// Whether sums begin with this block.
    pub(super) is_first: bool,
    /// Whether they end with it.
    pub(super) is_last: bool,
}

impl Task for Products<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let of_a_unit = S::LANES * 2 * S::LANES;
        let of_all = self.groups.len() * PRODUCTS * of_a_unit;
        let mut own = vec![0.0; if self.block.sums.is_none() { of_all } else { 0 }];
        let mut kernels = vec![0.0; if self.is_last { TAPS * of_a_unit } else { 0 }];
        if self.block.width::<S>(self.panel) == 2 * S::LANES {
            self.panel::<S, 2>(simd, &mut own, &mut kernels);
        } else {
            self.panel::<S, 1>(simd, &mut own, &mut kernels);
        }
    }
}

impl Products<'_> {
    #[inline(always)]
    fn panel<S: Simd, const N: usize>(&self, simd: S, own: &mut [f32], kernels: &mut [f32]) {
        let Self { block, panel, tiles, .. } = *self;
        let of_a_unit = PRODUCTS * S::LANES * 2 * S::LANES;
        let count = self.groups.len();
        let sums = match block.sums {
            Some(sums) => {
                let first = panel * block.groups::<S>() + self.groups.start;
                sums.at(first * of_a_unit, count * of_a_unit)
            }
            None => own.as_mut_ptr(),
        };
        let windows = |product: usize, number: usize| {
            let from = block.windows_from::<S>(product, self.groups.start + number);
            block.windows.at(from, tiles * S::LANES).cast_const()
        };
        let gradients = |product: usize| {
            let from = block.gradients_from::<S>(product, panel);
            block.gradients.at(from, tiles * N * S::LANES).cast_const()
        };
        // The gradients of a product stay in the first-level cache for all vectors of input channels.
        for product in 0..PRODUCTS {
            let next = (product + 1).min(PRODUCTS - 1);
            for number in 0..count {
                let rows = tiles * number / count..tiles * (number + 1) / count;
                let ahead = Ahead {
                    windows: match number + 1 < count {
                        true => windows(product, number + 1),
                        false => windows(next, 0),
                    },
                    gradients: gradients(next).wrapping_add(rows.start * N * S::LANES),
                    rows: rows.len(),
                };
                let (windows, gradients) = (windows(product, number), gradients(product));
                let to = number * of_a_unit + product * S::LANES * N * S::LANES;
                let sums = sums.wrapping_add(to);
                // SAFETY: windows and gradients have been written for all tiles of the block; the sums belong to this task.
                unsafe {
                    if S::LANES == 16 {
                        self.outer::<S, 8, N>(simd, windows, gradients, sums, ahead);
                    } else {
                        self.outer::<S, 4, N>(simd, windows, gradients, sums, ahead);
                    }
                }
            }
        }
        if self.is_last {
            for (number, group) in self.groups.clone().enumerate() {
                let sums = sums.wrapping_add(number * of_a_unit);
                // SAFETY: the sums of this unit, which the loop above wrote; room for its kernels.
                unsafe { self.finish::<S, N>(simd, group, sums, kernels) };
            }
        }
    }

    /// Adds, for the input channels of a vector, `M` at a time, and the panel's output channels, what all tiles of the
    /// block give.
    ///
    /// # Safety
    ///
    /// `windows` has a vector for each tile, `gradients` a row of the panel, `sums` a row for each input channel.
    #[inline(always)]
    unsafe fn outer<S: Simd, const M: usize, const N: usize>(
        &self,
        simd: S,
        windows: *const f32,
        gradients: *const f32,
        to: *mut f32,
        ahead: Ahead,
    ) {
        for first in (0..S::LANES).step_by(M) {
            let to = to.wrapping_add(first * N * S::LANES);
            let mut sums = [[simd.splat(0.0); N]; M];
            // SAFETY: the caller's.
            unsafe {
                if !self.is_first {
                    for m in 0..M {
                        for n in 0..N {
                            sums[m][n] = simd.load(to.add((m * N + n) * S::LANES));
                        }
                    }
                }
                let (mut window, mut row) = (windows.add(first), gradients);
                for tile in 0..self.tiles {
                    // A half of the channels fetches ahead what lies by tiles, and another what lies by rows.
                    if first == 0 {
                        simd.prefetch(ahead.windows.wrapping_add(tile * S::LANES));
                    } else if first == M && tile < ahead.rows {
                        for n in 0..N {
                            let place = (tile * N + n) * S::LANES;
                            simd.prefetch(ahead.gradients.wrapping_add(place));
                        }
                    }
                    let mut vectors = [simd.splat(0.0); N];
                    for n in 0..N {
                        vectors[n] = simd.load(row.add(n * S::LANES));
                    }
                    for m in 0..M {
                        let value = simd.splat(*window.add(m));
                        for n in 0..N {
                            sums[m][n] = simd.mul_add(value, vectors[n], sums[m][n]);
                        }
                    }
                    window = window.add(S::LANES);
                    row = row.add(N * S::LANES);
                }
                for m in 0..M {
                    for n in 0..N {
                        simd.store(to.add((m * N + n) * S::LANES), sums[m][n]);
                    }
                }
            }
        }
    }

    /// Transforms the sums of a unit back into gradients of kernels. These go to their places while they are in the
    /// first-level cache: kernels of a vector of input channels lie side by side there.
    ///
    /// # Safety
    ///
    /// `sums` has them all; `kernels` has room for the kernels of a unit.
    #[inline(always)]
    unsafe fn finish<S: Simd, const N: usize>(
        &self,
        simd: S,
        group: usize,
        sums: *const f32,
        kernels: &mut [f32],
    ) {
        let Self { block, panel, .. } = *self;
        let width = N * S::LANES;
        let first = group * S::LANES;
        let inputs = (block.of.inputs - first).min(S::LANES);
        let kernels = &mut kernels[..inputs * TAPS * width];
        for lane in 0..inputs {
            for n in 0..N {
                let mut products = [[simd.splat(0.0); ROOTS]; ROOTS];
                for (i, row) in products.iter_mut().enumerate() {
                    for (j, product) in row.iter_mut().enumerate() {
                        let place = ((ROOTS * i + j) * S::LANES + lane) * width + n * S::LANES;
                        // SAFETY: the caller's.
                        *product = unsafe { simd.load(sums.add(place)) };
                    }
                }
                let kernel = in_two_dimensions::<S, KernelGradient, ROOTS, 3>(simd, &products);
                for (i, row) in kernel.iter().enumerate() {
                    for (j, &value) in row.iter().enumerate() {
                        let place = (lane * TAPS + 3 * i + j) * width + n * S::LANES;
                        // SAFETY: a vector of a row of these kernels.
                        unsafe { simd.store(kernels.as_mut_ptr().add(place), value) };
                    }
                }
            }
        }
        match block.to {
            To::Weights(to) => {
                let from = panel * 2 * S::LANES;
                let outputs = from..(from + width).min(block.of.outputs);
                let (row, layout) = (first * TAPS, block.of.layout);
                // SAFETY: the weights of these channels belong to this task.
                unsafe { arrange_rows(simd, kernels, row, width, outputs, TAPS, layout, to) };
            }
            To::Part { kernels: to, from } => {
                let unit = panel * block.groups::<S>() + group;
                let place = from + unit * TAPS * S::LANES * 2 * S::LANES;
                // SAFETY: the kernels of a unit belong to this task, which only writes them.
                unsafe { to.slice(place, kernels.len()) }.copy_from_slice(kernels);
            }
        }
    }
}
