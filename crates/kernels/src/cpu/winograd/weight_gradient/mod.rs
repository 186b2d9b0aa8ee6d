//! The gradient of a kernel by minimal filtering: windows of the input with tiles of the output's gradient.
//!
//! What is transformed is nine times what it is made of, and each number of it meets few others, so that where it lies between
//! the transform and the products decides how long a layer takes. Where the sums of all kernels fit a core's cache, each task
//! takes a part of the tiles and has sums of its own (`parts.rs`). Where they do not, all threads share the windows and
//! gradients of a block of tiles, and each task has some of the sums (`blocks.rs`).

mod blocks;
mod parts;
mod products;

use super::super::panels::WeightLayout;
use super::super::simd;
use super::tiles::{GAP, Tiles};
use super::transform::PRODUCTS;

/// What is summed over, and for which kernels.
#[derive(Clone, Copy)]
pub(super) struct KernelGradients<'a> {
    pub(super) tiles: Tiles,
    /// `[batch, height, width, inputs]` of the source
    pub(super) input: &'a [f32],
    /// `[batch, height, width, outputs]` of the target
    pub(super) gradient: &'a [f32],
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    /// Where the weights lie that the sums are for.
    pub(super) layout: WeightLayout,
}

impl KernelGradients<'_> {
    /// Sums over all tiles: `inputs · outputs · 9` numbers.
    pub(super) fn sum(&self) -> Vec<f32> {
        match self.parts() {
            Some(parts) => self.in_parts(parts),
            None => self.in_blocks(self.tiles_of_a_block()),
        }
    }

    /// Output channels, filled up to whole vectors.
    fn padded(&self) -> usize {
        self.outputs.next_multiple_of(simd::lanes())
    }

    /// Panels of two vectors of output channels.
    fn panels(&self) -> usize {
        self.padded().div_ceil(2 * simd::lanes())
    }

    /// Vectors of input channels.
    fn groups(&self) -> usize {
        self.inputs.div_ceil(simd::lanes())
    }

    /// Numbers between the windows of two tiles, and the gradients of two, each of a product.
    fn widths(&self) -> [usize; 2] {
        [self.groups() * simd::lanes(), self.padded()]
    }

    /// Numbers that the transformed windows of some tiles take, and their gradients.
    fn room(&self, tiles: usize) -> [usize; 2] {
        self.widths().map(|width| PRODUCTS * (tiles * width + GAP))
    }

    /// A panel with a vector of input channels is a unit.
    fn units(&self) -> usize {
        self.panels() * self.groups()
    }
}

/// Weights of a unit at one position, or in one product.
fn of_a_unit() -> usize {
    simd::lanes() * 2 * simd::lanes()
}

#[cfg(test)]
mod tests {
    use super::super::transform::TAPS;
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

    /// Calls `check` with layers of 3 images of 9×14, whose channels fill vectors and do not, in panels of two vectors and of
    /// one.
    fn each_layer(check: impl Fn(KernelGradients<'_>)) {
        for [inputs, outputs] in [[32, 32], [17, 33], [5, 72]] {
            let tiles = Tiles::new(3, [9, 14], [9, 14], [1, 1]);
            let pixels = 3 * 9 * 14;
            let input = &numbers(pixels * inputs, 1);
            let gradient = &numbers(pixels * outputs, 2);
            let layout = WeightLayout::convolution(inputs, TAPS);
            check(KernelGradients { tiles, input, gradient, inputs, outputs, layout });
        }
    }

    fn of_channels(tiles: Tiles, inputs: usize, outputs: usize) -> KernelGradients<'static> {
        let layout = WeightLayout::convolution(inputs, TAPS);
        KernelGradients { tiles, input: &[], gradient: &[], inputs, outputs, layout }
    }

    #[test]
    fn the_size_of_blocks_changes_no_bit() {
        each_layer(|layer| {
            let count = layer.tiles.count();
            let in_one = layer.in_blocks(count);
            assert!(in_one.iter().any(|&sum| sum != 0.0));
            for at_a_time in [1, 7, 12, 18, count - 1] {
                let sums = layer.in_blocks(at_a_time);
                let channels = [layer.inputs, layer.outputs];
                assert!(sums == in_one, "{at_a_time} at a time of {channels:?}");
            }
        });
    }

    #[test]
    fn one_part_is_one_block_and_several_differ_by_rounding() {
        each_layer(|layer| {
            let in_one = layer.in_blocks(layer.tiles.count());
            assert!(layer.in_parts(1) == in_one);
            let norm = |values: &mut dyn Iterator<Item = f32>| -> f32 {
                values.map(|value| value * value).sum::<f32>().sqrt()
            };
            for parts in [2, 3, 5, layer.tiles.count()] {
                let sums = layer.in_parts(parts);
                let mut differences = sums.iter().zip(&in_one).map(|(a, b)| a - b);
                let error = norm(&mut differences) / norm(&mut in_one.iter().copied());
                assert!(error < 1e-6, "{parts} parts: {error}");
            }
        });
    }

    #[test]
    fn what_fits_a_cache_is_summed_in_parts() {
        let parts = |batch, side, inputs, outputs| {
            let tiles = Tiles::new(batch, [side, side], [side, side], [1, 1]);
            of_channels(tiles, inputs, outputs).parts()
        };
        assert_eq!(parts(32, 8, 64, 64), Some(4));
        assert_eq!(parts(128, 32, 64, 64), Some(16));
        assert_eq!(parts(128, 16, 128, 128), Some(16));
        // Too many sums; too few tiles.
        assert_eq!(parts(128, 8, 256, 256), None);
        assert_eq!(parts(8, 8, 64, 64), None);
    }

    #[test]
    fn a_layer_of_many_channels_takes_several_blocks() {
        let at_a_time = |batch, side, channels| {
            let tiles = Tiles::new(batch, [side, side], [side, side], [1, 1]);
            (of_channels(tiles, channels, channels).tiles_of_a_block(), tiles.count())
        };
        let (of_a_block, all) = at_a_time(128, 8, 256);
        assert!((64..all).contains(&of_a_block), "{of_a_block} of {all}");
        // Where the sums are many, they are read and written once.
        let (of_a_block, all) = at_a_time(128, 4, 512);
        assert_eq!(of_a_block, all);
    }
}
