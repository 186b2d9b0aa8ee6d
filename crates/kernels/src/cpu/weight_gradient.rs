//! The gradients of a convolution's weights and bias.

// Indices say which register is meant.
#![allow(clippy::needless_range_loop)]

use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;

use super::arrange::arrange;
use super::buffer::Writer;
use super::kept::Kept;
use super::panels::WeightLayout;
use super::product::outer;
use super::shape::{ConvShape, meetings};
use super::simd::{self, Simd, Task};
use super::winograd;

/// Pixels at a time: a slice of 12 channels of them and a panel of their gradients stay in the
/// first-level cache while all kernel positions pass by.
const PIXELS_AT_A_TIME: usize = 128;
/// Pixels at a time where a panel's sums are too many for the second-level cache.
const PIXELS_AT_A_TIME_OF_MANY_SUMS: usize = 512;
/// Input channels of a unit.
const INPUTS_OF_A_UNIT: usize = 48;
/// Units to aim at, so that threads get equal shares.
const UNITS: usize = 16;
/// Weights up to this number are summed over parts of the batch at the same time.
const FEW_WEIGHTS: usize = 64 * 1024;
/// Weights whose parts are added by one task.
const SUMS_OF_A_TASK: usize = 4096;
/// Parts of a batch; a constant, so that sums do not depend on the number of threads.
const PARTS: usize = 16;

/// The gradient of [`convolve`](super::convolve::convolve) (without activation) with respect to its
/// weights.
///
/// Each weight's sum runs over images, rows and columns in their order (in sixteen parts that are
/// added in order, where weights are few), whatever the number of threads. Where it is
/// [filtered](super::winograd::filters_weight_gradient) it runs over tiles in their order, in up to sixteen parts likewise.
///
/// # Shapes
///
/// - `input`: `[batch, height, width, inputs]`
/// - `gradient`: `[batch, height, width, outputs]` of the output
/// - returns: as `layout` says
pub fn weight_gradient(
    shape: &ConvShape,
    input: &[f32],
    gradient: &[f32],
    layout: WeightLayout,
) -> Vec<f32> {
    let ConvShape { batch, inputs, outputs, .. } = *shape;
    let taps = shape.taps();
    let lanes = simd::lanes();
    let padded = outputs.next_multiple_of(lanes);
    assert_eq!(input.len(), batch * shape.input_pixels() * inputs);
    assert_eq!(gradient.len(), batch * shape.output_pixels() * outputs);
    // Where there are none, there is nothing to put anywhere.
    assert!(outputs * inputs * taps == 0 || layout.is_of([outputs, inputs, taps]));
    if winograd::filters_weight_gradient(shape) {
        return winograd::weight_gradient(shape, input, gradient, layout);
    }
    let size = taps * inputs * padded;
    let parts = if size <= FEW_WEIGHTS { PARTS.min(batch).max(1) } else { 1 };
    let pixels = PixelBlocks::of(shape, lanes);
    let panels = padded.div_ceil(2 * lanes);
    let ranges = inputs.div_ceil(INPUTS_OF_A_UNIT);
    let panels_of_a_unit = (panels * ranges / UNITS).clamp(1, 4);
    let mut units = Vec::new();
    for first in (0..panels).step_by(panels_of_a_unit) {
        let panels = first..(first + panels_of_a_unit).min(panels);
        for first in (0..inputs).step_by(INPUTS_OF_A_UNIT) {
            let inputs = first..(first + INPUTS_OF_A_UNIT).min(inputs);
            units.push(Unit { inputs, panels: panels.clone() });
        }
    }
    let groups = if parts > 1 { 1 } else { (2 * rayon::current_num_threads()).min(units.len()) };

    let mut sums = vec![0.0; parts * size];
    let to = Writer::new(&mut sums);
    (0..parts * groups).into_par_iter().for_each(|number| {
        let (part, group) = (number / groups, number % groups);
        simd::run(PartialSums {
            shape,
            input,
            gradient,
            padded,
            pixels: &pixels,
            images: part * batch / parts..(part + 1) * batch / parts,
            units: &units[group * units.len() / groups..(group + 1) * units.len() / groups],
            first: part * size,
            to,
        });
    });
    let (total, others) = sums.split_at_mut(size);
    total.par_chunks_mut(SUMS_OF_A_TASK).enumerate().for_each(|(number, total)| {
        for part in others.chunks_exact(size) {
            let part = &part[number * SUMS_OF_A_TASK..][..total.len()];
            for (sum, &value) in total.iter_mut().zip(part) {
                *sum += value;
            }
        }
    });
    sums.truncate(size);
    arrange(&sums, [outputs, inputs, taps], 2 * lanes, layout)
}

/// Which pixels are taken together.
struct PixelBlocks {
    /// Images of a block, if a block has whole images.
    images: usize,
    /// The blocks of an image.
    blocks: Vec<Block>,
}

/// Pixels that are taken together, in each of some images.
struct Block {
    /// Input pixels that meet any of the output pixels.
    input: Vec<usize>,
    output: Range<usize>,
    /// Places among the input and output pixels that meet, by kernel position.
    meetings: Vec<Vec<(u32, u32)>>,
}

impl PixelBlocks {
    /// A step has the same layers as the one before, so these are kept.
    fn of(shape: &ConvShape, lanes: usize) -> Arc<Self> {
        static KEPT: Kept<ConvShape, PixelBlocks> = Kept::new();
        // Neither the number of images nor that of output channels matters.
        KEPT.get(ConvShape { batch: 1, outputs: 1, ..*shape }, || Self::new(shape, lanes))
    }

    fn new(shape: &ConvShape, lanes: usize) -> Self {
        let sums_of_a_panel = shape.inputs * shape.taps() * 2 * lanes;
        let at_a_time = match sums_of_a_panel {
            ..=65_536 => PIXELS_AT_A_TIME,
            _ => PIXELS_AT_A_TIME_OF_MANY_SUMS,
        };
        let pixels = shape.output_pixels();
        let count = pixels.max(shape.input_pixels() / 2).div_ceil(at_a_time).min(pixels);
        let all: Vec<Vec<(u32, u32)>> = (0..shape.taps()).map(|tap| meetings(shape, tap)).collect();
        let block = |number| {
            let output = number * pixels / count..(number + 1) * pixels / count;
            // They come in the order of the output's pixels.
            let inside = |all: &Vec<(u32, u32)>| {
                let before = |end: usize| all.partition_point(|&(_, o)| (o as usize) < end);
                before(output.start)..before(output.end)
            };
            let here: Vec<&[(u32, u32)]> = all.iter().map(|all| &all[inside(all)]).collect();
            let mut input: Vec<usize> =
                here.iter().copied().flatten().map(|&(i, _)| i as usize).collect();
            input.sort_unstable();
            input.dedup();
            let place = |i: u32| input.partition_point(|&pixel| pixel < i as usize) as u32;
            let local = |&(i, o): &(u32, u32)| (place(i), o - output.start as u32);
            let meetings = here.iter().map(|here| here.iter().map(local).collect()).collect();
            Block { input, output, meetings }
        };
        Self { images: (at_a_time / pixels).max(1), blocks: (0..count).map(block).collect() }
    }
}

/// The weights between some input channels and some panels of output channels.
struct Unit {
    inputs: Range<usize>,
    panels: Range<usize>,
}

/// A task: some images, some weights.
struct PartialSums<'a> {
    shape: &'a ConvShape,
    input: &'a [f32],
    gradient: &'a [f32],
    /// Output channels, filled up to whole vectors.
    padded: usize,
    pixels: &'a PixelBlocks,
    images: Range<usize>,
    units: &'a [Unit],
    /// Where this part's sums begin.
    first: usize,
    to: Writer<'a>,
}

impl Task for PartialSums<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let mut gradients = Vec::new();
        let mut inputs = Vec::new();
        let mut first = self.images.start;
        while first < self.images.end {
            let images = first..(first + self.pixels.images).min(self.images.end);
            first = images.end;
            for block in &self.pixels.blocks {
                let mut gathered = 0..0;
                for unit in self.units {
                    if gathered != unit.panels {
                        gathered = unit.panels.clone();
                        self.gather_gradients(simd, &images, block, &gathered, &mut gradients);
                    }
                    self.unit(simd, &images, block, unit, &gradients, &mut inputs);
                }
            }
        }
    }
}

impl PartialSums<'_> {
    /// Width of a panel in numbers.
    #[inline(always)]
    fn width<S: Simd>(&self, panel: usize) -> usize {
        (self.padded - panel * 2 * S::LANES).min(2 * S::LANES)
    }

    /// The gradients of a block, panel by panel, pixel by pixel; missing channels are zero. Packed
    /// together because pixels lie a power of two apart, where caches hold few of them.
    #[inline(always)]
    fn gather_gradients<S: Simd>(
        &self,
        simd: S,
        images: &Range<usize>,
        block: &Block,
        panels: &Range<usize>,
        to: &mut Vec<f32>,
    ) {
        let outputs = self.shape.outputs;
        let pixels = self.shape.output_pixels();
        let widths: usize = panels.clone().map(|panel| self.width::<S>(panel)).sum();
        to.resize(images.len() * block.output.len() * widths, 0.0);
        let mut place = 0;
        for panel in panels.clone() {
            let first = panel * 2 * S::LANES;
            let width = self.width::<S>(panel);
            let there = (outputs - first).min(width);
            for image in images.clone() {
                for pixel in block.output.clone() {
                    let from = (image * pixels + pixel) * outputs + first;
                    let row = &self.gradient[from..from + there];
                    let to = &mut to[place..place + width];
                    place += width;
                    if there == width {
                        for at in (0..width).step_by(S::LANES) {
                            // SAFETY: `width` is one or two vectors, and both rows are as long.
                            unsafe {
                                simd.store(
                                    to.as_mut_ptr().add(at),
                                    simd.load(row.as_ptr().add(at)),
                                );
                            }
                        }
                    } else {
                        to[..there].copy_from_slice(row);
                        to[there..].fill(0.0);
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn unit<S: Simd>(
        &self,
        simd: S,
        images: &Range<usize>,
        block: &Block,
        unit: &Unit,
        gradients: &[f32],
        inputs: &mut Vec<f32>,
    ) {
        let mut first = unit.inputs.start;
        while first < unit.inputs.end {
            let rest = unit.inputs.end - first;
            let here = Here { images, block, panels: &unit.panels, gradients, first };
            // Sixteen are better split in halves than into twelve and four.
            first += if S::ROWS >= 12 && rest >= 12 && rest != 16 {
                self.inputs::<S, 12>(simd, here, inputs)
            } else if S::ROWS >= 8 && rest >= 8 {
                self.inputs::<S, 8>(simd, here, inputs)
            } else if rest >= 6 {
                self.inputs::<S, 6>(simd, here, inputs)
            } else if rest >= 4 {
                self.inputs::<S, 4>(simd, here, inputs)
            } else if rest >= 3 {
                self.inputs::<S, 3>(simd, here, inputs)
            } else if rest >= 2 {
                self.inputs::<S, 2>(simd, here, inputs)
            } else {
                self.inputs::<S, 1>(simd, here, inputs)
            };
        }
    }

    /// `M` input channels with all panels. Returns `M`.
    #[inline(always)]
    fn inputs<S: Simd, const M: usize>(
        &self,
        simd: S,
        here: Here<'_>,
        gathered: &mut Vec<f32>,
    ) -> usize {
        let Here { images, block, panels, first, .. } = here;
        let (channels, pixels) = (self.shape.inputs, self.shape.input_pixels());
        gathered.resize(images.len() * block.input.len() * M, 0.0);
        let mut to = gathered.as_mut_ptr();
        for image in images.clone() {
            for pixel in &block.input {
                let from = (image * pixels + pixel) * channels + first;
                let row = self.input[from..from + M].as_ptr();
                // SAFETY: `M` numbers can be read, and as many were made room for with each pixel.
                unsafe {
                    to.cast::<[f32; M]>().write(row.cast::<[f32; M]>().read());
                    to = to.add(M);
                }
            }
        }
        let mut before = 0;
        for panel in panels.clone() {
            if self.width::<S>(panel) == 2 * S::LANES {
                self.tile::<S, M, 2>(simd, here, panel, before, gathered);
            } else {
                self.tile::<S, M, 1>(simd, here, panel, before, gathered);
            }
            before += images.len() * block.output.len() * self.width::<S>(panel);
        }
        M
    }

    /// `M` input channels with one panel, whose gradients are those from `before` on.
    #[inline(always)]
    fn tile<S: Simd, const M: usize, const N: usize>(
        &self,
        simd: S,
        here: Here<'_>,
        panel: usize,
        before: usize,
        inputs: &[f32],
    ) {
        let Here { images, block, gradients, first, .. } = here;
        let width = N * S::LANES;
        let gradients = &gradients[before..][..images.len() * block.output.len() * width];
        assert_eq!(inputs.len(), images.len() * block.input.len() * M);
        let taps = block.meetings.len();
        for (tap, meetings) in block.meetings.iter().enumerate() {
            let of_panel = panel * 2 * S::LANES * self.shape.inputs * taps;
            let start = self.first + of_panel + (first * taps + tap) * width;
            let next_row = taps * width;
            let to = self.to.at(start, (M - 1) * next_row + width);
            for &(i, o) in meetings {
                debug_assert!((i as usize) < block.input.len());
                debug_assert!((o as usize) < block.output.len());
            }
            // SAFETY: the sums belong to this task alone; meetings are pixels of the block.
            unsafe {
                let mut sums = [[simd.splat(0.0); N]; M];
                for m in 0..M {
                    for n in 0..N {
                        sums[m][n] = simd.load(to.add(m * next_row + n * S::LANES));
                    }
                }
                for image in 0..images.len() {
                    let inputs = inputs.as_ptr().add(image * block.input.len() * M);
                    let gradients = gradients.as_ptr().add(image * block.output.len() * width);
                    sums = outer(simd, inputs, gradients, meetings, sums);
                }
                for m in 0..M {
                    for n in 0..N {
                        simd.store(to.add(m * next_row + n * S::LANES), sums[m][n]);
                    }
                }
            }
        }
    }
}

/// What a tile works on.
#[derive(Clone, Copy)]
struct Here<'a> {
    images: &'a Range<usize>,
    block: &'a Block,
    panels: &'a Range<usize>,
    /// Gradients of all panels.
    gradients: &'a [f32],
    /// First input channel.
    first: usize,
}

/// Sums over all rows: the gradient of a bias.
///
/// # Shapes
///
/// - `gradient`: rows of `channels` numbers
/// - returns: `[channels]`
pub fn bias_gradient(gradient: &[f32], channels: usize) -> Vec<f32> {
    /// Rows whose sum is made at once; a constant, so that sums do not depend on the threads.
    const ROWS: usize = 512;
    let sums: Vec<Vec<f32>> = gradient
        .par_chunks(ROWS * channels)
        .map(|rows| {
            let mut sum = vec![0.0; channels];
            for row in rows.chunks_exact(channels) {
                for (sum, &value) in sum.iter_mut().zip(row) {
                    *sum += value;
                }
            }
            sum
        })
        .collect();
    let mut total = vec![0.0; channels];
    for sum in &sums {
        for (total, &value) in total.iter_mut().zip(sum) {
            *total += value;
        }
    }
    total
}
