//! Weights' gradients from panels, in which they are summed, to where a layer keeps its weights: packing, backwards.

use std::ops::Range;

use rayon::prelude::*;

use super::buffer::{Buffer, Writer};
use super::panels::WeightLayout;

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
        // SAFETY: every weight has a place of its own.
        unsafe { arrange_rows(panel, 0, width, outputs, taps, layout, to) };
    });
    // SAFETY: the layout has a place for each weight and no others.
    unsafe { weights.assume_written() }
}

/// Moves the rows of a panel from `first_row` on, each of an input channel and a kernel position, to where `layout` keeps
/// their weights. Rows have `width` numbers, those of `outputs` and, in the last panel, some that are filled up.
///
/// # Safety
///
/// Nobody else accesses the places of these weights.
#[inline(always)]
pub(crate) unsafe fn arrange_rows(
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
    for (number, lines) in rows.chunks(LINE * width).enumerate() {
        let first_row = first_row + number * LINE;
        let mut places = [0; LINE];
        for (row, to) in places.iter_mut().enumerate() {
            *to = place(first_row + row);
        }
        let rows = lines.len() / width;
        for (column, output) in outputs.clone().enumerate() {
            let start = output * layout.output;
            for row in 0..rows {
                let sum = lines[row * width + column];
                // SAFETY: the caller's.
                unsafe { *to.at(start + places[row], 1) = sum };
            }
        }
    }
}
