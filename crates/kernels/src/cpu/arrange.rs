//! Weights' gradients from panels, in which they are summed, to where a layer keeps its weights: packing, backwards.

use std::ops::Range;

use rayon::prelude::*;

use super::buffer::{Buffer, Writer};
use super::panels::WeightLayout;
use super::simd::{self, Simd, Task};

/// Moves sums from panels of `[inputs, taps, width]` to where `layout` keeps the weight of each.
pub(crate) fn arrange(
    sums: &[f32],
    [outputs, inputs, taps]: [usize; 3],
    widest: usize,
    layout: WeightLayout,
) -> Vec<f32> {
    let rows = inputs * taps;
    let mut weights = Buffer::new(outputs * rows);
    let to = weights.writer();
    sums.par_chunks(widest * rows).enumerate().for_each(|(number, panel)| {
        let first = number * widest;
        let width = panel.len() / rows;
        let outputs = first..(first + width).min(outputs);
        simd::run(Arrange { panel, width, outputs, taps, layout, to });
    });
    // SAFETY: the layout has a place for each weight and no others.
    unsafe { weights.assume_written() }
}

/// A task: a whole panel.
struct Arrange<'a> {
    panel: &'a [f32],
    width: usize,
    outputs: Range<usize>,
    taps: usize,
    layout: WeightLayout,
    to: Writer<'a>,
}

impl Task for Arrange<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { panel, width, outputs, taps, layout, to } = self;
        // SAFETY: every weight has a place of its own.
        unsafe { arrange_rows(simd, panel, 0, width, outputs, taps, layout, to) };
    }
}

/// Moves the rows of a panel from `first_row` on, each of an input channel and a kernel position, to where `layout` keeps
/// their weights. Rows have `width` numbers, those of `outputs` and, in the last panel, some that are filled up.
///
/// # Safety
///
/// Nobody else accesses the places of these weights.
#[inline(always)]
#[allow(clippy::too_many_arguments)] // Which rows, where they come from, where they go.
pub(crate) unsafe fn arrange_rows<S: Simd>(
    simd: S,
    rows: &[f32],
    first_row: usize,
    width: usize,
    outputs: Range<usize>,
    taps: usize,
    layout: WeightLayout,
    to: Writer<'_>,
) {
    let place = |row: usize| row / taps * layout.input + row % taps * layout.tap;
    if layout.output == 1 {
        for (row, sums) in (first_row..).zip(rows.chunks_exact(width)) {
            // SAFETY: the caller's.
            let weights = unsafe { to.slice(outputs.start + place(row), outputs.len()) };
            weights.copy_from_slice(&sums[..outputs.len()]);
        }
        return;
    }
    // A line of the cache at a time, because the rows of the weights lie a power of two apart, where caches hold few of
    // them.
    const LINE: usize = 16;
    // Whether all weights of an output channel lie side by side.
    let is_row = layout.side_by_side(2, taps) == 2 * taps;
    for (number, lines) in rows.chunks(LINE * width).enumerate() {
        let first_row = first_row + number * LINE;
        let mut places = [0; LINE];
        for (row, to) in places.iter_mut().enumerate() {
            *to = place(first_row + row);
        }
        let rows = lines.len() / width;
        let blocks = if rows == LINE && is_row { outputs.len() / S::LANES } else { 0 };
        for column in (0..blocks * S::LANES).step_by(S::LANES) {
            for row in (0..LINE).step_by(S::LANES) {
                let mut columns = [std::ptr::null_mut(); LINE];
                for (lane, to_column) in columns.iter_mut().enumerate().take(S::LANES) {
                    let start = (outputs.start + column + lane) * layout.output;
                    *to_column = to.at(start + places[row], S::LANES);
                }
                // SAFETY: the block lies inside the lines; else the caller's.
                unsafe {
                    let from = lines.as_ptr().add(row * width + column);
                    simd.transpose(from, width, &columns[..S::LANES]);
                }
            }
        }
        for (column, output) in outputs.clone().enumerate().skip(blocks * S::LANES) {
            let start = output * layout.output;
            for row in 0..rows {
                let sum = lines[row * width + column];
                // SAFETY: the caller's.
                unsafe { *to.at(start + places[row], 1) = sum };
            }
        }
    }
}
