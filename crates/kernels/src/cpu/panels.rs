//! Weights in the order in which the products read them.

use std::ops::Range;

use rayon::prelude::*;

use super::buffer::{Buffer, Writer};
use super::simd::{self, Simd, Task};

/// Where a weight lies in memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WeightLayout {
    /// Numbers from one output channel to the next.
    pub output: usize,
    /// Numbers from one input channel to the next.
    pub input: usize,
    /// Numbers from one kernel position to the next.
    pub tap: usize,
}

impl WeightLayout {
    /// `[outputs, inputs, height, width]`, as convolutions keep it.
    pub fn convolution(inputs: usize, taps: usize) -> Self {
        Self { output: inputs * taps, input: taps, tap: 1 }
    }

    /// `[inputs, outputs]`, as Burn's linear layers keep it.
    pub fn linear(outputs: usize) -> Self {
        Self { output: 1, input: outputs, tap: 0 }
    }

    /// Whether it has a place for each of these weights and no others.
    pub(crate) fn is_of(self, [outputs, inputs, taps]: [usize; 3]) -> bool {
        let mut axes = [(self.output, outputs), (self.input, inputs), (self.tap, taps)];
        axes.sort_unstable();
        let mut next = 1;
        axes.into_iter().filter(|(_, count)| *count != 1).all(|(stride, count)| {
            let is_next = stride == next;
            next *= count;
            is_next
        })
    }

    /// How many weights of an output channel lie side by side, by input channel and kernel position.
    pub(crate) fn side_by_side(self, inputs: usize, taps: usize) -> usize {
        let are_taps = taps == 1 || self.tap == 1;
        match are_taps {
            true if self.input == taps => inputs * taps,
            true => taps,
            false => 1,
        }
    }

    /// The same weights with inputs and outputs exchanged.
    pub(crate) fn exchanged(self) -> Self {
        Self { output: self.input, input: self.output, tap: self.tap }
    }
}

/// How weights are cut into panels of one or two vectors of output channels.
#[derive(Clone, Copy)]
pub(crate) struct Panels<'a> {
    weights: &'a [f32],
    layout: WeightLayout,
    lanes: usize,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    taps: usize,
}

/// Panels of weights, ready to be read: by panel, kernel position, input channel. The last
/// panel of all is filled up with zeros.
#[derive(Debug)]
pub(crate) struct PackedPanels {
    values: Vec<f32>,
    /// The first one's number.
    first: usize,
}

/// One of the [`Panels`].
#[derive(Clone, Copy)]
pub(crate) struct Panel<'a> {
    pub(crate) values: &'a [f32],
    /// Vectors wide: 1 or 2.
    pub(crate) vectors: usize,
    /// First output channel of the panel.
    pub(crate) first: usize,
    /// Output channels that are not filling.
    pub(crate) outputs: usize,
}

impl<'a> Panels<'a> {
    pub(crate) fn new(
        weights: &'a [f32],
        layout: WeightLayout,
        [outputs, inputs, taps]: [usize; 3],
    ) -> Self {
        Self { weights, layout, lanes: simd::lanes(), inputs, outputs, taps }
    }

    pub(crate) fn count(&self) -> usize {
        self.outputs.div_ceil(2 * self.lanes)
    }

    /// Numbers in a full panel.
    pub(crate) fn panel_size(&self) -> usize {
        2 * self.lanes * self.inputs * self.taps
    }

    /// First output channel and width in vectors.
    fn place(&self, number: usize) -> (usize, usize) {
        let first = number * 2 * self.lanes;
        (first, if self.outputs - first > self.lanes { 2 } else { 1 })
    }

    /// Output channels of the panels of these numbers, which must not be none, filled up to whole vectors.
    pub(crate) fn outputs_of(&self, numbers: &Range<usize>) -> Range<usize> {
        let (last, vectors) = self.place(numbers.end - 1);
        self.place(numbers.start).0..last + vectors * self.lanes
    }

    /// The same panels, of some input channels alone.
    pub(crate) fn of_inputs(&self, inputs: Range<usize>) -> Self {
        let weights = &self.weights[inputs.start * self.layout.input..];
        Self { weights, inputs: inputs.len(), ..*self }
    }

    /// The panels of these numbers, which must not be none.
    pub(crate) fn pack(&self, numbers: Range<usize>) -> PackedPanels {
        let Self { weights, layout, lanes, inputs, outputs, taps } = *self;
        let Range { start: begin, end } = self.outputs_of(&numbers);
        let mut buffer = Buffer::new((end - begin) * inputs * taps);
        let to = buffer.writer();
        let first_number = numbers.start;
        let in_parallel = numbers.len() == self.count();
        if layout.output == 1 {
            let outputs = outputs.min(end) - begin;
            let weights = &weights[begin..];
            let pack = |rows| {
                simd::run(PackRows { weights, layout, rows, outputs, inputs, taps, to });
            };
            if in_parallel {
                let parts = (0..inputs * taps).into_par_iter().step_by(ROWS_OF_A_TASK);
                parts.for_each(|row| pack(row..(row + ROWS_OF_A_TASK).min(inputs * taps)));
            } else {
                pack(0..inputs * taps);
            }
        } else {
            let pack = |number| {
                let (first, vectors) = self.place(number);
                let width = vectors * lanes;
                let outputs = (outputs - first).min(width);
                let from = (first - begin) * inputs * taps;
                simd::run(Pack { weights, layout, first, outputs, width, inputs, taps, from, to });
            };
            if in_parallel {
                numbers.into_par_iter().for_each(pack);
            } else {
                numbers.for_each(pack);
            }
        }
        // SAFETY: the panels cover the buffer, and each was written throughout.
        PackedPanels { values: unsafe { buffer.assume_written() }, first: first_number }
    }

    /// A panel, if `packed` has it.
    pub(crate) fn panel<'p>(&self, packed: &'p PackedPanels, number: usize) -> Panel<'p> {
        let (first, vectors) = self.place(number);
        let depth = self.inputs * self.taps;
        let from = (first - self.place(packed.first).0) * depth;
        let values = &packed.values[from..][..vectors * self.lanes * depth];
        let outputs = (self.outputs - first).min(vectors * self.lanes);
        Panel { values, vectors, first, outputs }
    }
}

/// Rows and columns of a block that is transposed: one line of the cache. Whole lines are read and
/// written, because rows lie a power of two apart, where caches hold few of them.
const LINE: usize = 16;
/// Rows of all panels that a task packs.
const ROWS_OF_A_TASK: usize = 64;

/// Writes one panel.
struct Pack<'a> {
    weights: &'a [f32],
    layout: WeightLayout,
    first: usize,
    outputs: usize,
    width: usize,
    inputs: usize,
    taps: usize,
    /// The panel's first number in `to`.
    from: usize,
    to: Writer<'a>,
}

impl Task for Pack<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { weights, layout, first, outputs, width, inputs, taps, from, to } = self;
        // SAFETY: panels are disjoint, and this one is written before anything is read from it.
        let panel = unsafe { to.slice(from, width * inputs * taps) };
        let row = |number: usize| (number % taps * inputs + number / taps) * width;
        let place = |number: usize| number / taps * layout.input + number % taps * layout.tap;
        let run = layout.side_by_side(inputs, taps);
        let all = inputs * taps;
        let mut first_number = 0;
        while first_number < all {
            let rest_of_run = run - first_number % run;
            let numbers = first_number..first_number + rest_of_run.min(LINE);
            for first_lane in (0..width).step_by(S::LANES) {
                let there = outputs.saturating_sub(first_lane).min(S::LANES);
                for first_number in numbers.clone().step_by(S::LANES) {
                    let count = (numbers.end - first_number).min(S::LANES);
                    let from = (first + first_lane) * layout.output + place(first_number);
                    let end = from + (S::LANES - 1) * layout.output + S::LANES;
                    if there == S::LANES && end <= weights.len() {
                        let base = panel.as_mut_ptr();
                        let mut rows = [base; LINE];
                        for (at, to) in rows.iter_mut().enumerate().take(count) {
                            let row = row(first_number + at) + first_lane;
                            assert!(row + S::LANES <= panel.len());
                            *to = base.wrapping_add(row);
                        }
                        // SAFETY: `end` is inside the weights, and each row inside the panel.
                        unsafe {
                            let from = weights.as_ptr().add(from);
                            simd.transpose(from, layout.output, &rows[..count]);
                        }
                        continue;
                    }
                    for at in 0..count {
                        let row = &mut panel[row(first_number + at) + first_lane..][..S::LANES];
                        for (lane, to) in row.iter_mut().enumerate() {
                            let from = from + lane * layout.output + at;
                            *to = if lane < there { weights[from] } else { 0.0 };
                        }
                    }
                }
            }
            first_number = numbers.end;
        }
    }
}

/// Writes several panels of weights whose output channels lie side by side, a row of them all at a
/// time: rows lie far apart, and the more of each is read at once, the better.
struct PackRows<'a> {
    weights: &'a [f32],
    layout: WeightLayout,
    /// Rows of every panel, by kernel position and input channel.
    rows: Range<usize>,
    outputs: usize,
    inputs: usize,
    taps: usize,
    to: Writer<'a>,
}

impl Task for PackRows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { weights, layout, rows, outputs, inputs, taps, to } = self;
        for packed_row in rows {
            let (tap, input) = (packed_row / inputs, packed_row % inputs);
            let row = &weights[input * layout.input + tap * layout.tap..][..outputs];
            for first in (0..outputs).step_by(2 * S::LANES) {
                let rest = outputs - first;
                let width = if rest > S::LANES { 2 * S::LANES } else { S::LANES };
                let place = first * inputs * taps + packed_row * width;
                if rest >= 2 * S::LANES {
                    let (from, place) = (row[first..].as_ptr(), to.at(place, width));
                    // SAFETY: two vectors lie at both places, and no other task writes this row.
                    unsafe {
                        simd.store(place, simd.load(from));
                        simd.store(place.add(S::LANES), simd.load(from.add(S::LANES)));
                    }
                } else {
                    // SAFETY: no other task writes this row, and nothing is read from it here.
                    let to = unsafe { to.slice(place, width) };
                    to[..rest].copy_from_slice(&row[first..]);
                    to[rest..].fill(0.0);
                }
            }
        }
    }
}
