//! Each task sums over a part of the tiles, in a core's own cache.

use rayon::prelude::*;

use super::super::super::arrange::arrange_rows;
use super::super::super::buffer::{Buffer, Reader, Writer};
use super::super::super::simd::{self, Simd, Task};
use super::super::transform::{PRODUCTS, TAPS};
use super::products::{Block, Products, To, Transforms};
use super::{KernelGradients, of_a_unit};

/// Most tiles whose windows and gradients are made at a time: with 64 channels to 64 they fill 0.6 MB, the sums as much.
const TILES_AT_A_TIME: usize = 32;
/// Most sums that are taken for such as fit a core's cache, or nearly: of 128 channels to 128, 2.4 MB. They are read and written
/// once for the tiles of a time.
const MOST_SUMS: usize = PRODUCTS * 128 * 128;
/// Most parts: each one's gradients of kernels are read once more.
const MOST_PARTS: usize = 16;

impl KernelGradients<'_> {
    /// In how many parts the tiles are summed, or `None` if there are too many sums, or too few tiles. Sizes alone decide.
    pub(super) fn parts(&self) -> Option<usize> {
        let parts = (self.tiles.count() / TILES_AT_A_TIME).min(MOST_PARTS);
        (parts > 1 && PRODUCTS * self.inputs * self.outputs <= MOST_SUMS).then_some(parts)
    }

    /// Sums over the tiles of each of `parts`, and over these in their order.
    pub(super) fn in_parts(&self, parts: usize) -> Vec<f32> {
        let of_a_part = self.units() * TAPS * of_a_unit();
        let mut kernels = Buffer::new(parts * of_a_part);
        let writer = kernels.writer();
        let all = self.tiles.count();
        (0..parts).into_par_iter().for_each(|part| {
            let [first, end] = [part, part + 1].map(|part| all * part / parts);
            // As many each time.
            let times = (end - first).div_ceil(TILES_AT_A_TIME).max(1);
            let at_a_time = (end - first).div_ceil(times).max(1);
            let [mut windows, mut gradients] = self.room(at_a_time).map(Buffer::new);
            let mut sums = Buffer::new(self.units() * PRODUCTS * of_a_unit());
            let block = Block {
                of: *self,
                padded: self.padded(),
                at_a_time,
                windows: windows.writer(),
                gradients: gradients.writer(),
                sums: Some(sums.writer()),
                to: To::Part { kernels: writer, from: part * of_a_part },
            };
            for start in (first..end).step_by(at_a_time) {
                let tiles = start..(start + at_a_time).min(end);
                simd::run(Transforms { block: &block, tiles: tiles.clone(), first: start });
                for panel in 0..self.panels() {
                    simd::run(Products {
                        block: &block,
                        panel,
                        groups: 0..self.groups(),
                        tiles: tiles.len(),
                        is_first: start == first,
                        is_last: tiles.end == end,
                    });
                }
            }
        });
        let mut result = Buffer::new(self.outputs * self.inputs * TAPS);
        let to = result.writer();
        (0..self.units()).into_par_iter().for_each(|unit| {
            let kernels = kernels.reader();
            simd::run(Gather { of: *self, kernels, parts, unit, to });
        });
        // SAFETY: the units have all weights.
        unsafe { result.assume_written() }
    }
}

/// A task: the gradients of a unit's kernels, summed over all parts.
struct Gather<'a> {
    of: KernelGradients<'a>,
    /// By part, unit, input channel, kernel position.
    kernels: Reader<'a>,
    parts: usize,
    unit: usize,
    to: Writer<'a>,
}

impl Task for Gather<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { of, kernels, parts, unit, to } = self;
        let (panel, group) = (unit / of.groups(), unit % of.groups());
        let width = (of.padded() - panel * 2 * S::LANES).min(2 * S::LANES);
        let first = group * S::LANES;
        let rows = TAPS * (of.inputs - first).min(S::LANES);
        let mut sums = vec![0.0; rows * width];
        for part in 0..parts {
            let from = (part * of.units() + unit) * TAPS * of_a_unit();
            // SAFETY: each part has written the rows of each unit.
            let addends = unsafe { kernels.slice(from, sums.len()) };
            let vectors = sums.chunks_exact_mut(S::LANES).zip(addends.chunks_exact(S::LANES));
            for (sum, addend) in vectors {
                let (sum, addend) = (sum.as_mut_ptr(), addend.as_ptr());
                // SAFETY: both have a vector.
                unsafe { simd.store(sum, simd.add(simd.load(sum), simd.load(addend))) };
            }
        }
        let from = panel * 2 * S::LANES;
        let outputs = from..(from + width).min(of.outputs);
        // SAFETY: the weights of these channels belong to this task.
        unsafe { arrange_rows(simd, &sums, first * TAPS, width, outputs, TAPS, of.layout, to) };
    }
}
