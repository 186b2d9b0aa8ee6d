//! Kernels, transformed: what the sources are multiplied with.

use std::ops::Range;

use rayon::prelude::*;

use super::super::buffer::{Buffer, Writer};
use super::super::panels::{Panel, Panels};
use super::super::simd::{self, Simd, Task};
use super::transform::{Kernel, PRODUCTS, ROOTS, TAPS, in_two_dimensions};

/// Input channels that a task transforms.
const INPUTS_OF_A_TASK: usize = 64;

/// Transformed kernels by panel, product, input channel; the panels are those of [`Panels`].
#[derive(Debug)]
pub(crate) struct TransformedKernels {
    values: Vec<f32>,
    /// First output channel.
    first: usize,
}

/// Rows from one product of a panel to the next: one more than there are inputs, and empty, so that products do not lie a
/// power of two apart, where caches hold few of them.
fn rows(inputs: usize) -> usize {
    inputs + 1
}

/// Which way a kernel is read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Direction {
    /// As the layer reads its input.
    Forward,
    /// Turned by half a turn, as gradients go back.
    Backward,
}

impl TransformedKernels {
    /// The panels of these numbers, which must not be none.
    pub(super) fn new(panels: &Panels<'_>, numbers: Range<usize>, direction: Direction) -> Self {
        let Range { start: first, end } = panels.outputs_of(&numbers);
        let mut buffer = Buffer::new((end - first) * rows(panels.inputs) * PRODUCTS);
        let to = buffer.writer();
        let task = |(number, inputs): (usize, Range<usize>)| {
            // Packed here and not all at once before, so that they are read while they are in a core's cache.
            let some = panels.of_inputs(inputs.clone());
            let packed = some.pack(number..number + 1);
            let panel = some.panel(&packed, number);
            let from = (panel.first - first) * rows(panels.inputs) * PRODUCTS;
            simd::run(Transform { panel, inputs, depth: panels.inputs, direction, from, to });
        };
        let parts = |number: usize| {
            (0..panels.inputs)
                .step_by(INPUTS_OF_A_TASK)
                .map(move |first| (number, first..(first + INPUTS_OF_A_TASK).min(panels.inputs)))
        };
        let tasks: Vec<_> = numbers.clone().flat_map(parts).collect();
        if numbers.len() == panels.count() {
            tasks.into_par_iter().for_each(task);
        } else {
            // One of several panels, by a task that reads it alone.
            tasks.into_iter().for_each(task);
        }
        // SAFETY: the tasks cover all panels and all inputs.
        Self { values: unsafe { buffer.assume_written() }, first }
    }

    /// The numbers of the panel that begins with output channel `first` and is `width` wide, for one product.
    #[inline(always)]
    pub(super) fn product(
        &self,
        first: usize,
        width: usize,
        inputs: usize,
        product: usize,
    ) -> &[f32] {
        let from = ((first - self.first) * PRODUCTS + product * width) * rows(inputs);
        &self.values[from..][..inputs * width]
    }
}

/// Some input channels of a panel.
struct Transform<'a> {
    /// Of these input channels alone.
    panel: Panel<'a>,
    inputs: Range<usize>,
    /// All input channels.
    depth: usize,
    direction: Direction,
    from: usize,
    to: Writer<'a>,
}

impl Task for Transform<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { panel, inputs, depth, direction, from, to } = self;
        let width = panel.vectors * S::LANES;
        let count = inputs.len();
        assert_eq!(panel.values.len(), TAPS * count * width);
        if inputs.end == depth {
            for product in 0..PRODUCTS {
                for lane in (0..width).step_by(S::LANES) {
                    let place = (product * rows(depth) + depth) * width + lane;
                    // SAFETY: this task alone writes what follows the last input of this panel.
                    unsafe { simd.store(to.at(from + place, S::LANES), simd.splat(0.0)) };
                }
            }
        }
        for (number, input) in inputs.enumerate() {
            for lane in (0..width).step_by(S::LANES) {
                let mut kernel = [[simd.splat(0.0); 3]; 3];
                for (i, row) in kernel.iter_mut().enumerate() {
                    for (j, weight) in row.iter_mut().enumerate() {
                        let tap = match direction {
                            Direction::Forward => 3 * i + j,
                            Direction::Backward => TAPS - 1 - (3 * i + j),
                        };
                        let place = (tap * count + number) * width + lane;
                        // SAFETY: the panel has a row of `width` for every tap and input.
                        *weight = unsafe { simd.load(panel.values.as_ptr().add(place)) };
                    }
                }
                let products = in_two_dimensions::<S, Kernel, 3, ROOTS>(simd, &kernel);
                for (i, row) in products.iter().enumerate() {
                    for (j, &value) in row.iter().enumerate() {
                        let place = ((ROOTS * i + j) * rows(depth) + input) * width + lane;
                        // SAFETY: this task alone writes these inputs of this panel.
                        unsafe { simd.store(to.at(from + place, S::LANES), value) };
                    }
                }
            }
        }
    }
}
