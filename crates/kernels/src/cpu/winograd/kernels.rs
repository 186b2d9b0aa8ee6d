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
        let packed = panels.pack(numbers.clone());
        let first = panels.panel(&packed, numbers.start).first;
        let last = panels.panel(&packed, numbers.end - 1);
        let width = |panel: &Panel<'_>| panel.values.len() / (panels.inputs * TAPS);
        let length = (last.first + width(&last) - first) * panels.inputs * PRODUCTS;
        let mut buffer = Buffer::new(length);
        let to = buffer.writer();
        let task = |(number, inputs): (usize, Range<usize>)| {
            let panel = panels.panel(&packed, number);
            let from = (panel.first - first) * panels.inputs * PRODUCTS;
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
        let from = (first - self.first) * inputs * PRODUCTS + product * inputs * width;
        &self.values[from..][..inputs * width]
    }
}

/// Some input channels of a panel.
struct Transform<'a> {
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
        assert_eq!(panel.values.len(), TAPS * depth * width);
        for input in inputs {
            for lane in (0..width).step_by(S::LANES) {
                let mut kernel = [[simd.splat(0.0); 3]; 3];
                for (i, row) in kernel.iter_mut().enumerate() {
                    for (j, weight) in row.iter_mut().enumerate() {
                        let tap = match direction {
                            Direction::Forward => 3 * i + j,
                            Direction::Backward => TAPS - 1 - (3 * i + j),
                        };
                        let place = (tap * depth + input) * width + lane;
                        // SAFETY: the panel has a row of `width` for every tap and input.
                        *weight = unsafe { simd.load(panel.values.as_ptr().add(place)) };
                    }
                }
                let products = in_two_dimensions::<S, Kernel, 3, ROOTS>(simd, &kernel);
                for (i, row) in products.iter().enumerate() {
                    for (j, &value) in row.iter().enumerate() {
                        let place = ((ROOTS * i + j) * depth + input) * width + lane;
                        // SAFETY: this task alone writes these inputs of this panel.
                        unsafe { simd.store(to.at(from + place, S::LANES), value) };
                    }
                }
            }
        }
    }
}
