//! Weights in the order in which the products read them.

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

    /// The same weights with inputs and outputs exchanged.
    pub(crate) fn exchanged(self) -> Self {
        Self { output: self.input, input: self.output, tap: self.tap }
    }
}

/// Weights as panels of one or two vectors of output channels: by panel, kernel position, input
/// channel. The last panel is filled up with zeros.
pub(crate) struct Panels {
    values: Vec<f32>,
    lanes: usize,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    taps: usize,
}

/// One of the [`Panels`].
#[derive(Clone, Copy)]
pub(crate) struct Panel<'a> {
    pub(crate) values: &'a [f32],
    /// Vectors wide: 1 or 2.
    pub(crate) vectors: usize,
    /// Its first output channel.
    pub(crate) first: usize,
    /// Output channels that are not filling.
    pub(crate) outputs: usize,
}

impl Panels {
    pub(crate) fn pack(
        weights: &[f32],
        layout: WeightLayout,
        [outputs, inputs, taps]: [usize; 3],
    ) -> Self {
        let lanes = simd::lanes();
        let length = outputs.next_multiple_of(lanes) * inputs * taps;
        let mut buffer = Buffer::new(length);
        let writer = buffer.writer();
        let mut panels = Self { values: Vec::new(), lanes, inputs, outputs, taps };
        (0..panels.count()).into_par_iter().for_each(|number| {
            let (first, vectors) = panels.place(number);
            simd::run(Pack {
                weights,
                layout,
                first,
                outputs: (outputs - first).min(vectors * lanes),
                width: vectors * lanes,
                inputs,
                taps,
                to: writer,
            });
        });
        // SAFETY: the panels cover the buffer, and each was written throughout.
        panels.values = unsafe { buffer.assume_written() };
        panels
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

    pub(crate) fn panel(&self, number: usize) -> Panel<'_> {
        let (first, vectors) = self.place(number);
        let depth = self.inputs * self.taps;
        let values = &self.values[first * depth..][..vectors * self.lanes * depth];
        let outputs = (self.outputs - first).min(vectors * self.lanes);
        Panel { values, vectors, first, outputs }
    }
}

/// Rows and columns of a block that is transposed: one line of the cache. Whole lines are read and
/// written, because rows lie a power of two apart, where caches hold few of them.
const LINE: usize = 16;

/// Writes one panel.
struct Pack<'a> {
    weights: &'a [f32],
    layout: WeightLayout,
    first: usize,
    outputs: usize,
    width: usize,
    inputs: usize,
    taps: usize,
    to: Writer<'a>,
}

impl Task for Pack<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) {
        let Self { weights, layout, first, outputs, width, inputs, taps, to } = self;
        // SAFETY: panels are disjoint, and this one is written before anything is read from it.
        let panel = unsafe { to.slice(first * inputs * taps, width * inputs * taps) };
        let row = |number: usize| (number % taps * inputs + number / taps) * width;
        let place = |number: usize| number / taps * layout.input + number % taps * layout.tap;
        if layout.output == 1 {
            for number in 0..inputs * taps {
                let row = &mut panel[row(number)..][..width];
                row[..outputs].copy_from_slice(&weights[first + place(number)..][..outputs]);
                row[outputs..].fill(0.0);
            }
            return;
        }
        let mut places = [0; LINE];
        for first_number in (0..inputs * taps).step_by(LINE) {
            let numbers = first_number..(first_number + LINE).min(inputs * taps);
            for (to, number) in places.iter_mut().zip(numbers.clone()) {
                *to = place(number);
            }
            for first_lane in (0..width).step_by(LINE) {
                let lanes = (width - first_lane).min(LINE);
                let mut block = [[0.0; LINE]; LINE];
                for lane in 0..outputs.saturating_sub(first_lane).min(lanes) {
                    let from = &weights[(first + first_lane + lane) * layout.output..];
                    for (row, &place) in block.iter_mut().zip(&places[..numbers.len()]) {
                        row[lane] = from[place];
                    }
                }
                for (from, number) in block.iter().zip(numbers.clone()) {
                    panel[row(number) + first_lane..][..lanes].copy_from_slice(&from[..lanes]);
                }
            }
        }
    }
}
