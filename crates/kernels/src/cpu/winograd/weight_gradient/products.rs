//! The gradient of a kernel by minimal filtering: windows of the input with tiles of the output's gradient.

// Indices say which register is meant.
#![allow(clippy::needless_range_loop)]

use std::ops::Range;

use rayon::prelude::*;

use super::super::arrange::arrange_rows;
use super::super::buffer::{Buffer, Writer};
use super::super::panels::WeightLayout;
use super::super::simd::{self, Simd, Task};
use super::tiles::{GAP, TILE, Tiles, window};
use super::transform::{Gradient, Input, KernelGradient, PRODUCTS, ROOTS, TAPS, in_two_dimensions};

/// Numbers of transformed windows and gradients that are made at a time; they should stay in the last cache.
const NUMBERS_AT_A_TIME: usize = 2 * 1024 * 1024;
/// Fewest tiles at a time: sums are read and written once for so many products.
const FEWEST_TILES: usize = 64;
/// Tiles that a task transforms.
const TILES_OF_A_TASK: usize = 8;
/// Most vectors of input channels of a task.
const GROUPS_OF_A_TASK: usize = 4;

/// Sums over all tiles, where `layout` keeps the weights that they are for.
///
/// # Shapes
///
/// - `input`: `[batch, height, width, inputs]` of the source
/// - `gradient`: `[batch, height, width, outputs]` of the target
/// - returns: `inputs · outputs · 9` numbers
pub(super) fn weight_gradient(
    tiles: Tiles,
    input: &[f32],
    gradient: &[f32],
    channels: [usize; 2],
    layout: WeightLayout,
) -> Vec<f32> {
    in_blocks(tiles, input, gradient, channels, layout, tiles_at_a_time(tiles, channels))
}

/// Tiles of a block: those whose windows and gradients are made at a time.
fn tiles_at_a_time(tiles: Tiles, [inputs, outputs]: [usize; 2]) -> usize {
    let lanes = simd::lanes();
    let padded = outputs.next_multiple_of(lanes);
    let groups = inputs.div_ceil(lanes);
    let of_a_tile = PRODUCTS * (groups * lanes + padded);
    let sums = padded.div_ceil(2 * lanes) * groups * PRODUCTS * lanes * 2 * lanes;
    // Where there are more sums than numbers that they are made of, they are not to be read and written more than once.
    if tiles.count() * of_a_tile <= sums {
        tiles.count()
    } else {
        (NUMBERS_AT_A_TIME / of_a_tile).max(FEWEST_TILES).min(tiles.count())
    }
}

/// [`weight_gradient`], of which `at_a_time` tiles make a block. Each sum takes the tiles in their order, so that the size of
/// blocks changes no bit.
fn in_blocks(
    tiles: Tiles,
    input: &[f32],
    gradient: &[f32],
    [inputs, outputs]: [usize; 2],
    layout: WeightLayout,
    at_a_time: usize,
) -> Vec<f32> {
    let lanes = simd::lanes();
    let padded = outputs.next_multiple_of(lanes);
    let groups = inputs.div_ceil(lanes);
    let sums_of_a_unit = PRODUCTS * lanes * 2 * lanes;
    let panels = padded.div_ceil(2 * lanes);
    let blocks = tiles.count().div_ceil(at_a_time.max(1));
    if blocks == 0 {
        // No task would write the sums of nothing.
        return vec![0.0; outputs * inputs * TAPS];
    }
    let mut result = Buffer::new(outputs * inputs * TAPS);
    let mut windows = Buffer::new(PRODUCTS * (at_a_time * groups * lanes + GAP));
    let mut gradients = Buffer::new(PRODUCTS * (at_a_time * padded + GAP));
    // Sums that one block hands to the next.
    let mut sums = Buffer::new(if blocks > 1 { panels * groups * sums_of_a_unit } else { 0 });
    let shared = Shared {
        tiles,
        input,
        gradient,
        inputs,
        outputs,
        padded,
        layout,
        at_a_time,
        windows: windows.writer(),
        gradients: gradients.writer(),
        sums: sums.writer(),
        result: result.writer(),
    };
    for block in 0..blocks {
        let here = block * at_a_time..((block + 1) * at_a_time).min(tiles.count());
        let parts = here.len().div_ceil(TILES_OF_A_TASK);
        (0..parts).into_par_iter().for_each(|part| {
            let first = here.start + part * TILES_OF_A_TASK;
            let tiles = first..(first + TILES_OF_A_TASK).min(here.end);
            simd::run(Transforms { shared: &shared, tiles, first: here.start });
        });
        let step = groups.div_ceil(4).clamp(1, GROUPS_OF_A_TASK);
        let parts = groups.div_ceil(step);
        (0..panels * parts).into_par_iter().for_each(|number| {
            let (panel, part) = (number / parts, number % parts);
            let groups = part * step..((part + 1) * step).min(groups);
            simd::run(Products {
                shared: &shared,
                panel,
                groups,
                tiles: here.len(),
                is_first: block == 0,
                is_last: block + 1 == blocks,
            });
        });
    }
    // SAFETY: the last block writes the sums of all weights.
    unsafe { result.assume_written() }
}

/// What all tasks share.
struct Shared<'a> {
    tiles: Tiles,
    input: &'a [f32],
    gradient: &'a [f32],
    inputs: usize,
    outputs: usize,
    /// Output channels, filled up to whole vectors.
    padded: usize,
    /// Where weights lie in `result`.
    layout: WeightLayout,
    /// Tiles of a block.
    at_a_time: usize,
    /// By product, vector of input channels, tile.
    windows: Writer<'a>,
    /// By product, panel, tile.
    gradients: Writer<'a>,
    /// By panel, vector of input channels, product, input channel.
    sums: Writer<'a>,
    result: Writer<'a>,
}

impl Shared<'_> {
    /// Width of a panel in numbers.
    #[inline(always)]
    fn width<S: Simd>(&self, panel: usize) -> usize {
        (self.padded - panel * 2 * S::LANES).min(2 * S::LANES)
    }

    #[inline(always)]
    fn groups<S: Simd>(&self) -> usize {
        self.inputs.div_ceil(S::LANES)
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
struct Transforms<'a> {
    shared: &'a Shared<'a>,
    tiles: Range<usize>,
    /// First tile of the block.
    first: usize,
}

impl Task for Transforms<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { shared, tiles, first } = self;
        for number in tiles {
            let place = number - first;
            window_of(simd, shared, number, place);
            gradient_of(simd, shared, number, place);
        }
    }
}

#[inline(always)]
fn window_of<S: Simd>(simd: S, shared: &Shared<'_>, number: usize, place: usize) {
    let size = shared.tiles.source;
    let tile = shared.tiles.tile(number);
    let corner = shared.tiles.reads_from(tile);
    let image = &shared.input[tile.image * size[0] * size[1] * shared.inputs..];
    for group in 0..shared.groups::<S>() {
        let channel = group * S::LANES;
        let count = (shared.inputs - channel).min(S::LANES);
        // SAFETY: the image is whole.
        let pixels = unsafe {
            let from = image.as_ptr().add(channel);
            window::<S, ROOTS>(simd, from, size, shared.inputs, corner, count)
        };
        let products = in_two_dimensions::<S, Input, ROOTS, ROOTS>(simd, &pixels);
        for (i, row) in products.iter().enumerate() {
            for (j, &value) in row.iter().enumerate() {
                let from = shared.windows_from::<S>(ROOTS * i + j, group) + place * S::LANES;
                // SAFETY: each tile has a place of its own.
                unsafe { simd.store(shared.windows.at(from, S::LANES), value) };
            }
        }
    }
}

#[inline(always)]
fn gradient_of<S: Simd>(simd: S, shared: &Shared<'_>, number: usize, place: usize) {
    let size = shared.tiles.target;
    let tile = shared.tiles.tile(number);
    let corner = [tile.corner[0] as isize, tile.corner[1] as isize];
    let image = &shared.gradient[tile.image * size[0] * size[1] * shared.outputs..];
    for channel in (0..shared.outputs).step_by(S::LANES) {
        let count = (shared.outputs - channel).min(S::LANES);
        let (panel, lane) = (channel / (2 * S::LANES), channel % (2 * S::LANES));
        let width = shared.width::<S>(panel);
        // SAFETY: the image is whole.
        let pixels = unsafe {
            let from = image.as_ptr().add(channel);
            window::<S, TILE>(simd, from, size, shared.outputs, corner, count)
        };
        let products = in_two_dimensions::<S, Gradient, TILE, ROOTS>(simd, &pixels);
        for (i, row) in products.iter().enumerate() {
            for (j, &value) in row.iter().enumerate() {
                let from = shared.gradients_from::<S>(ROOTS * i + j, panel) + place * width + lane;
                // SAFETY: each tile has a place of its own.
                unsafe { simd.store(shared.gradients.at(from, S::LANES), value) };
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
struct Products<'a> {
    shared: &'a Shared<'a>,
    panel: usize,
    groups: Range<usize>,
    tiles: usize,
    is_first: bool,
    is_last: bool,
}

impl Task for Products<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let of_a_unit = S::LANES * 2 * S::LANES;
        let of_all = self.groups.len() * PRODUCTS * of_a_unit;
        let mut own = vec![0.0; if self.is_first && self.is_last { of_all } else { 0 }];
        let mut kernels = vec![0.0; if self.is_last { TAPS * of_a_unit } else { 0 }];
        if self.shared.width::<S>(self.panel) == 2 * S::LANES {
            self.panel::<S, 2>(simd, &mut own, &mut kernels);
        } else {
            self.panel::<S, 1>(simd, &mut own, &mut kernels);
        }
    }
}

impl Products<'_> {
    #[inline(always)]
    fn panel<S: Simd, const N: usize>(&self, simd: S, own: &mut [f32], kernels: &mut [f32]) {
        let Self { shared, panel, tiles, .. } = *self;
        let of_a_unit = PRODUCTS * S::LANES * 2 * S::LANES;
        let count = self.groups.len();
        let sums = if own.is_empty() {
            let first = panel * shared.groups::<S>() + self.groups.start;
            shared.sums.at(first * of_a_unit, count * of_a_unit)
        } else {
            own.as_mut_ptr()
        };
        let windows = |product: usize, number: usize| {
            let from = shared.windows_from::<S>(product, self.groups.start + number);
            shared.windows.at(from, tiles * S::LANES).cast_const()
        };
        let gradients = |product: usize| {
            let from = shared.gradients_from::<S>(product, panel);
            shared.gradients.at(from, tiles * N * S::LANES).cast_const()
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
        let Self { shared, panel, .. } = *self;
        let width = N * S::LANES;
        let first = group * S::LANES;
        let inputs = (shared.inputs - first).min(S::LANES);
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
        let from = panel * 2 * S::LANES;
        let outputs = from..(from + width).min(shared.outputs);
        let (layout, to) = (shared.layout, shared.result);
        // SAFETY: the weights of these channels belong to this task.
        unsafe { arrange_rows(simd, kernels, first * TAPS, width, outputs, TAPS, layout, to) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers without a pattern in `[-1, 1)`.
    fn numbers(count: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn the_size_of_blocks_changes_no_bit() {
        // Channels that fill vectors and do not; panels of two vectors and of one.
        for channels in [[32, 32], [17, 33], [5, 72]] {
            let tiles = Tiles::new(3, [9, 14], [9, 14], [1, 1]);
            let pixels = 3 * 9 * 14;
            let input = numbers(pixels * channels[0], 1);
            let gradient = numbers(pixels * channels[1], 2);
            let layout = WeightLayout::convolution(channels[0], TAPS);
            let sums = |at_a_time| in_blocks(tiles, &input, &gradient, channels, layout, at_a_time);
            let in_one = sums(tiles.count());
            assert!(in_one.iter().any(|&sum| sum != 0.0));
            for at_a_time in [1, 7, 12, 18, tiles.count() - 1] {
                assert!(sums(at_a_time) == in_one, "{at_a_time} at a time of {channels:?}");
            }
        }
    }

    #[test]
    fn a_layer_of_few_channels_takes_several_blocks() {
        let tiles = Tiles::new(6, [52, 52], [52, 52], [1, 1]);
        let at_a_time = tiles_at_a_time(tiles, [32, 32]);
        assert!((FEWEST_TILES..tiles.count()).contains(&at_a_time), "{at_a_time}");
        // Where the sums are many, they are read and written once.
        let few = Tiles::new(128, [4, 4], [4, 4], [1, 1]);
        assert_eq!(tiles_at_a_time(few, [512, 512]), few.count());
    }
}
