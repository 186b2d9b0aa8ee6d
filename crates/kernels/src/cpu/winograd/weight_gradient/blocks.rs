//! All threads share the windows and gradients of a block of tiles, of which each task makes some of the sums.

use rayon::prelude::*;

use super::super::super::buffer::Buffer;
use super::super::super::simd;
use super::super::transform::{PRODUCTS, TAPS};
use super::products::{Block, Products, To, Transforms};
use super::{KernelGradients, of_a_unit};

/// Numbers of transformed windows and gradients that are made at a time; they should stay in the last cache.
const NUMBERS_AT_A_TIME: usize = 2 * 1024 * 1024;
/// Fewest tiles at a time: sums are read and written once for so many products.
const FEWEST_TILES: usize = 64;
/// Tiles that a task transforms.
const TILES_OF_A_TASK: usize = 8;
/// Most vectors of input channels of a task.
const GROUPS_OF_A_TASK: usize = 4;

impl KernelGradients<'_> {
    /// Tiles of a block: those whose windows and gradients are made at a time.
    pub(super) fn tiles_of_a_block(&self) -> usize {
        let of_a_tile = PRODUCTS * self.widths().iter().sum::<usize>();
        let sums = self.units() * PRODUCTS * of_a_unit();
        let all = self.tiles.count();
        // Where there are more sums than numbers that they are made of, they are not to be read and written more than once.
        if all * of_a_tile <= sums {
            all
        } else {
            (NUMBERS_AT_A_TIME / of_a_tile).max(FEWEST_TILES).min(all)
        }
    }

    /// Sums over all tiles, of which `at_a_time` make a block. Each sum takes the tiles in their order, so that the size of
    /// blocks changes no bit.
    pub(super) fn in_blocks(&self, at_a_time: usize) -> Vec<f32> {
        let weights = self.outputs * self.inputs * TAPS;
        let all = self.tiles.count();
        let blocks = all.div_ceil(at_a_time.max(1));
        if blocks == 0 {
            // No task would write the sums of nothing.
            return vec![0.0; weights];
        }
        let mut result = Buffer::new(weights);
        let [mut windows, mut gradients] = self.room(at_a_time).map(Buffer::new);
        // Sums that one block hands to the next.
        let mut sums = (blocks > 1).then(|| Buffer::new(self.units() * PRODUCTS * of_a_unit()));
        let block = Block {
            of: *self,
            padded: self.padded(),
            at_a_time,
            windows: windows.writer(),
            gradients: gradients.writer(),
            sums: sums.as_mut().map(Buffer::writer),
            to: To::Weights(result.writer()),
        };
        let groups = self.groups();
        let step = groups.div_ceil(4).clamp(1, GROUPS_OF_A_TASK);
        let tasks = groups.div_ceil(step);
        for start in (0..all).step_by(at_a_time) {
            let here = start..(start + at_a_time).min(all);
            (0..here.len().div_ceil(TILES_OF_A_TASK)).into_par_iter().for_each(|task| {
                let first = here.start + task * TILES_OF_A_TASK;
                let tiles = first..(first + TILES_OF_A_TASK).min(here.end);
                simd::run(Transforms { block: &block, tiles, first: here.start });
            });
            (0..self.panels() * tasks).into_par_iter().for_each(|number| {
                let (panel, task) = (number / tasks, number % tasks);
                simd::run(Products {
                    block: &block,
                    panel,
                    groups: task * step..((task + 1) * step).min(groups),
                    tiles: here.len(),
                    is_first: here.start == 0,
                    is_last: here.end == all,
                });
            });
        }
        // SAFETY: the last block writes the sums of all weights.
        unsafe { result.assume_written() }
    }
}
