//! Convolution, forward and the gradient of its input, by minimal filtering.

use std::cell::Cell;
use std::ops::Range;

use rayon::prelude::*;

use super::super::buffer::{Buffer, Reader, Writer};
use super::super::finish::Finish;
use super::super::panels::Panels;
use super::super::product::{TapOffset, tile as product_tile};
use super::super::simd::{self, Simd, Task, store_some};
use super::kernels::{Direction, TransformedKernels};
use super::tiles::{GAP, TILE, Tile, Tiles, window};
use super::transform::{Input, Output, PRODUCTS, ROOTS, in_two_dimensions};

/// Tiles of a task: enough that kernels are read seldom, few enough that what lies between two transforms stays in a
/// core's cache. A multiple of the rows of all instruction sets' products.
const TILES_OF_A_TASK: usize = 24;
/// Where that leaves threads without a task: kernels are still read less often than panel by panel.
const TILES_OF_A_SMALL_TASK: usize = 12;
/// Where kernels fill more than a core's cache, they are read less often.
const TILES_OF_A_TASK_OF_MANY_KERNELS: usize = 48;
/// Numbers of a kernel's products, beyond which they are many.
const MANY_KERNELS: usize = 256 * 1024;
/// Tasks that every thread gets a fair share of.
const TASKS_OF_A_THREAD: usize = 4;
/// Windows that a task transforms, where each of them meets its panels in several other tasks.
const WINDOWS_OF_A_TASK: usize = 4;
/// Most numbers that a thread keeps from one task to the next, 8 MiB: those of a block of 512 channels to 512.
const MOST_KEPT: usize = 2 * 1024 * 1024;

/// Every target tile gathers what its window of the source sends through the kernels.
#[derive(Clone, Copy)]
pub(super) struct Filtering<'a> {
    pub(super) tiles: Tiles,
    /// `[batch, height, width, inputs]`
    pub(super) source: &'a [f32],
    pub(super) panels: Panels<'a>,
    pub(super) direction: Direction,
    /// All of `panels`, if they are transformed already.
    pub(super) kernels: Option<&'a TransformedKernels>,
    pub(super) finish: Finish<'a>,
}

impl Filtering<'_> {
    /// `[batch, height, width, outputs]` of the target.
    pub(super) fn run(self) -> Vec<f32> {
        let Self { tiles, panels, direction, .. } = self;
        let (inputs, outputs) = (panels.inputs, panels.outputs);
        let [height, width] = tiles.target;
        let source_pixels: usize = tiles.source.iter().product();
        let batch = tiles.count() / tiles.of_image().max(1);
        assert_eq!(self.source.len(), batch * source_pixels * inputs);
        let numbers = batch * height * width * outputs;
        self.finish.check(outputs, numbers);
        let mut target = Buffer::new(numbers);
        let to = target.writer();
        let many = PRODUCTS * inputs * outputs > MANY_KERNELS;
        let enough = TASKS_OF_A_THREAD * rayon::current_num_threads();
        let at_a_time = if many {
            TILES_OF_A_TASK_OF_MANY_KERNELS
        } else if tiles.count().div_ceil(TILES_OF_A_TASK) < enough {
            TILES_OF_A_SMALL_TASK
        } else {
            TILES_OF_A_TASK
        };
        let blocks = Blocks { inputs, tiles: at_a_time.min(tiles.count()), of: tiles.count() };
        let all_panels = 0..panels.count();
        // How the work is cut does not change a sum.
        if blocks.count() >= enough || panels.count() == 1 {
            let own;
            let kernels = match self.kernels {
                Some(kernels) => kernels,
                None => {
                    own = TransformedKernels::new(&panels, all_panels.clone(), direction);
                    &own
                }
            };
            (0..blocks.count()).into_par_iter().for_each(|block| {
                let panels = all_panels.clone();
                let windows = None;
                let filtering = self;
                simd::run(FilteredBlock { filtering, blocks, panels, block, kernels, windows, to });
            });
        } else {
            // Few tiles: each of them meets its panels in several tasks, and is transformed once before.
            let mut windows = Buffer::new(blocks.count() * blocks.numbers());
            let transformed = windows.writer();
            let parts = blocks.of.div_ceil(WINDOWS_OF_A_TASK);
            (0..parts).into_par_iter().for_each(|part| {
                let first = part * WINDOWS_OF_A_TASK;
                let tiles = first..(first + WINDOWS_OF_A_TASK).min(blocks.of);
                simd::run(TransformWindows { filtering: self, blocks, tiles, to: transformed });
            });
            // There are gaps, and the last block may be shorter: not all of it is written.
            let windows = windows.reader();
            all_panels.into_par_iter().for_each(|panel| {
                let panels = panel..panel + 1;
                let own;
                let kernels = match self.kernels {
                    Some(kernels) => kernels,
                    None => {
                        own = TransformedKernels::new(&self.panels, panels.clone(), direction);
                        &own
                    }
                };
                (0..blocks.count()).into_par_iter().for_each(|block| {
                    let panels = panels.clone();
                    let windows = Some(windows);
                    let filtering = self;
                    simd::run(FilteredBlock {
                        filtering,
                        blocks,
                        panels,
                        block,
                        kernels,
                        windows,
                        to,
                    });
                });
            });
        }
        // SAFETY: the tasks cover every tile and every panel.
        unsafe { target.assume_written() }
    }
}

/// How transformed windows lie in memory: block by block, product by product, tile by tile, channel by channel.
#[derive(Clone, Copy)]
struct Blocks {
    inputs: usize,
    /// Tiles of a block; the last one may have fewer.
    tiles: usize,
    /// All tiles.
    of: usize,
}

impl Blocks {
    fn count(&self) -> usize {
        self.of.div_ceil(self.tiles.max(1))
    }

    /// Numbers from one product to the next.
    #[inline(always)]
    fn of_product(&self) -> usize {
        self.tiles * self.inputs + GAP
    }

    /// Numbers of a block.
    #[inline(always)]
    fn numbers(&self) -> usize {
        PRODUCTS * self.of_product()
    }

    #[inline(always)]
    fn block(&self, number: usize) -> Range<usize> {
        number * self.tiles..((number + 1) * self.tiles).min(self.of)
    }
}

/// A task: the windows of some tiles, transformed into their blocks.
struct TransformWindows<'a> {
    filtering: Filtering<'a>,
    blocks: Blocks,
    tiles: Range<usize>,
    to: Writer<'a>,
}

impl Task for TransformWindows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        for number in self.tiles.clone() {
            let (block, place) = (number / self.blocks.tiles, number % self.blocks.tiles);
            let to = self.to.at(block * self.blocks.numbers(), self.blocks.numbers());
            // SAFETY: the block has a place for this tile, which no other task writes.
            unsafe { transform_window(simd, &self.filtering, self.blocks, number, place, to) };
        }
    }
}

/// Transforms the window of a tile, and writes it to its place in a block.
///
/// # Safety
///
/// At `block`, the numbers of a block can be written.
#[inline(always)]
unsafe fn transform_window<S: Simd>(
    simd: S,
    filtering: &Filtering<'_>,
    blocks: Blocks,
    number: usize,
    place: usize,
    block: *mut f32,
) {
    let inputs = blocks.inputs;
    let tile = filtering.tiles.tile(number);
    let size = filtering.tiles.source;
    let corner = filtering.tiles.reads_from(tile);
    let image = &filtering.source[tile.image * size[0] * size[1] * inputs..];
    for channel in (0..inputs).step_by(S::LANES) {
        let count = (inputs - channel).min(S::LANES);
        // SAFETY: the image is whole, and the caller's.
        unsafe {
            let from = image.as_ptr().add(channel);
            let pixels = window::<S, ROOTS>(simd, from, size, inputs, corner, count);
            let products = in_two_dimensions::<S, Input, ROOTS, ROOTS>(simd, &pixels);
            let to = block.add(place * inputs + channel);
            for (i, row) in products.iter().enumerate() {
                for (j, &value) in row.iter().enumerate() {
                    let to = to.add((ROOTS * i + j) * blocks.of_product());
                    store_some(simd, to, value, count);
                }
            }
        }
    }
}

thread_local! {
    /// What lies between two transforms, kept by each thread up to [`MOST_KEPT`]: to be given pages anew costs more than
    /// to fill them.
    static BETWEEN: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// A task: a block of tiles with some panels.
struct FilteredBlock<'a> {
    filtering: Filtering<'a>,
    blocks: Blocks,
    panels: Range<usize>,
    block: usize,
    kernels: &'a TransformedKernels,
    /// All windows, if they are transformed already.
    windows: Option<Reader<'a>>,
    to: Writer<'a>,
}

impl Task for FilteredBlock<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let tiles = self.blocks.block(self.block);
        // Output channels of the panels, filled up to whole vectors.
        let first = self.panels.start * 2 * S::LANES;
        let end = (self.panels.end * 2 * S::LANES)
            .min(self.filtering.panels.outputs.next_multiple_of(S::LANES));
        let of_product = self.blocks.tiles * (end - first) + GAP;
        let of_windows = if self.windows.is_none() { self.blocks.numbers() } else { 0 };
        let mut between = BETWEEN.take();
        let numbers = of_windows + PRODUCTS * of_product;
        if between.len() < numbers {
            between.resize(numbers, 0.0);
        }
        let (own, sums) = between.split_at_mut(of_windows);
        if self.windows.is_none() {
            for (place, number) in tiles.clone().enumerate() {
                let to = own.as_mut_ptr();
                // SAFETY: `own` is a block.
                unsafe { transform_window(simd, &self.filtering, self.blocks, number, place, to) };
            }
        }
        for product in 0..PRODUCTS {
            let (from, length) =
                (product * self.blocks.of_product(), tiles.len() * self.blocks.inputs);
            let windows = match self.windows {
                // SAFETY: the windows of all tiles are written, and these are the block's.
                Some(all) => unsafe {
                    all.slice(self.block * self.blocks.numbers() + from, length)
                },
                None => &own[from..][..length],
            };
            let sums = &mut sums[product * of_product..][..tiles.len() * (end - first)];
            self.product(simd, product, tiles.len(), windows, sums);
        }
        for (place, number) in tiles.clone().enumerate() {
            let tile = self.filtering.tiles.tile(number);
            self.finish(simd, tile, place, tiles.len(), of_product, sums);
        }
        if between.len() <= MOST_KEPT {
            BETWEEN.set(between);
        }
    }
}

impl FilteredBlock<'_> {
    /// One of the products of all tiles with all panels: `sums` by panel, tile, channel.
    #[inline(always)]
    fn product<S: Simd>(
        &self,
        simd: S,
        product: usize,
        tiles: usize,
        windows: &[f32],
        sums: &mut [f32],
    ) {
        let Panels { inputs, outputs, .. } = self.filtering.panels;
        let mut before = 0;
        for panel in self.panels.clone() {
            let first = panel * 2 * S::LANES;
            let vectors = if outputs - first > S::LANES { 2 } else { 1 };
            let width = vectors * S::LANES;
            let kernels = self.kernels.product(first, width, inputs, product);
            let sums = &mut sums[before..][..tiles * width];
            before += tiles * width;
            if vectors == 2 {
                multiply::<S, 2>(simd, tiles, inputs, windows, kernels, sums);
            } else {
                multiply::<S, 1>(simd, tiles, inputs, windows, kernels, sums);
            }
        }
    }

    /// Transforms the sums of a tile back, and writes its pixels.
    #[inline(always)]
    fn finish<S: Simd>(
        &self,
        simd: S,
        tile: Tile,
        place: usize,
        tiles: usize,
        of_product: usize,
        sums: &[f32],
    ) {
        let Filtering { panels, finish, .. } = self.filtering;
        let outputs = panels.outputs;
        let [height, width] = self.filtering.tiles.target;
        let [rows, columns] = self.filtering.tiles.inside(tile);
        let corner = (tile.image * height + tile.corner[0]) * width + tile.corner[1];
        let mut before = 0;
        for panel in self.panels.clone() {
            let first = panel * 2 * S::LANES;
            let wide = if outputs - first > S::LANES { 2 * S::LANES } else { S::LANES };
            for lane in (0..wide).step_by(S::LANES) {
                let channel = first + lane;
                let count = (outputs - channel).min(S::LANES);
                let from = before + place * wide + lane;
                assert!((PRODUCTS - 1) * of_product + from + S::LANES <= sums.len());
                let mut products = [[simd.splat(0.0); ROOTS]; ROOTS];
                for (i, row) in products.iter_mut().enumerate() {
                    for (j, product) in row.iter_mut().enumerate() {
                        let at = (ROOTS * i + j) * of_product + from;
                        // SAFETY: inside, as asserted.
                        *product = unsafe { simd.load(sums.as_ptr().add(at)) };
                    }
                }
                let values = in_two_dimensions::<S, Output, ROOTS, TILE>(simd, &products);
                let scale = finish.scales(simd, channel, count);
                let shift = finish.shifts(simd, channel, count);
                for (i, row) in values.iter().enumerate().take(rows) {
                    for (j, &value) in row.iter().enumerate().take(columns) {
                        let place = (corner + i * width + j) * outputs + channel;
                        let value = simd.mul_add(value, scale, shift);
                        let value = finish.end(simd, value, place, count);
                        let to = self.to.at(place, count);
                        // SAFETY: these channels of this pixel belong to this task.
                        unsafe { store_some(simd, to, value, count) };
                    }
                }
            }
            before += tiles * wide;
        }
    }
}

/// `sums[t, o] = Σ_i windows[t, i] · kernels[i, o]`, for `N` vectors of output channels.
#[inline(always)]
fn multiply<S: Simd, const N: usize>(
    simd: S,
    tiles: usize,
    inputs: usize,
    windows: &[f32],
    kernels: &[f32],
    sums: &mut [f32],
) {
    let mut first = 0;
    while first < tiles {
        let rest = tiles - first;
        first += if S::ROWS >= 12 && rest >= 12 {
            multiply_rows::<S, 12, N>(simd, first, inputs, windows, kernels, sums)
        } else if S::ROWS >= 8 && rest >= 8 {
            multiply_rows::<S, 8, N>(simd, first, inputs, windows, kernels, sums)
        } else if rest >= 6 {
            multiply_rows::<S, 6, N>(simd, first, inputs, windows, kernels, sums)
        } else if rest >= 4 {
            multiply_rows::<S, 4, N>(simd, first, inputs, windows, kernels, sums)
        } else if rest >= 2 {
            multiply_rows::<S, 2, N>(simd, first, inputs, windows, kernels, sums)
        } else {
            multiply_rows::<S, 1, N>(simd, first, inputs, windows, kernels, sums)
        };
    }
}

/// `M` tiles from `first` on. Returns `M`.
#[inline(always)]
fn multiply_rows<S: Simd, const M: usize, const N: usize>(
    simd: S,
    first: usize,
    inputs: usize,
    windows: &[f32],
    kernels: &[f32],
    sums: &mut [f32],
) -> usize {
    let windows = &windows[first * inputs..][..M * inputs];
    let sums = &mut sums[first * N * S::LANES..][..M * N * S::LANES];
    assert_eq!(kernels.len(), inputs * N * S::LANES);
    let mut sources = [windows.as_ptr(); M];
    for (m, source) in sources.iter_mut().enumerate() {
        *source = windows[m * inputs..].as_ptr();
    }
    let taps = [TapOffset { shift: 0, row: 0 }];
    let start = [simd.splat(0.0); N];
    // SAFETY: `inputs` numbers of each window, as many rows of kernels, and room for `M · N` vectors, as cut above.
    unsafe {
        product_tile::<S, M, N>(
            simd,
            &sources,
            &taps,
            inputs,
            kernels.as_ptr(),
            start,
            sums.as_mut_ptr(),
        );
    }
    M
}
