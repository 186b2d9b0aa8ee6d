//! Every crop of an image against the centre crop of every other image, exactly.

use std::collections::HashMap;
use std::ops::Range;

use rayon::prelude::*;

use crate::image_set::ImageSet;
use crate::near_copies::basis::{Basis, DEPTH};
use crate::near_copies::crops::Grid;
use crate::near_copies::sweep::{Panels, ROWS, Tile, sweep, tiles};

/// Images whose crops are searched at once: their coordinates stay in the second-level cache.
const BLOCK: usize = 32;
/// A product of coordinates in `f32` may fall short by this much: 64 terms, each rounded twice, of vectors that
/// are no longer than 1.
const ROUNDING: f64 = 2e-5;

/// So many images in blocks, which the number alone decides.
pub(super) fn blocks(images: usize) -> Vec<Range<usize>> {
    (0..images).step_by(BLOCK).map(|from| from..(from + BLOCK).min(images)).collect()
}

/// What images are compared with: the centre crops of a set.
#[derive(Debug)]
pub(super) struct Centres<'a> {
    grid: Grid,
    /// `[images, values]`
    vectors: Vec<f32>,
    /// Squared lengths; 0 for flat ones.
    squares: Vec<f64>,
    basis: Basis,
    panels: Panels,
    /// Where the flat images are, by their pixels.
    flat: HashMap<&'a [u8], Vec<usize>>,
}

impl<'a> Centres<'a> {
    pub(super) fn of(set: &'a ImageSet) -> Self {
        let grid = Grid::new(set.shape());
        let length = grid.len();
        let plain = grid.views()[0];
        let mut vectors = vec![0.0; set.len() * length];
        let squares: Vec<f64> = vectors
            .par_chunks_exact_mut(length.max(1))
            .enumerate()
            .map(|(index, vector)| grid.crop(&grid.pool(set.image(index), false), plain, vector))
            .collect();
        let basis = Basis::of(&vectors, length);
        let coordinates: Vec<[f32; DEPTH]> = vectors
            .par_chunks_exact(length.max(1))
            .zip(&squares)
            .map(|(vector, &square)| basis.coordinates(vector, square))
            .collect();
        let panels = Panels::of(&coordinates);
        let mut flat: HashMap<&[u8], Vec<usize>> = HashMap::new();
        for (index, _) in squares.iter().enumerate().filter(|&(_, &square)| square == 0.0) {
            flat.entry(set.image(index)).or_default().push(index);
        }
        Self { grid, vectors, squares, basis, panels, flat }
    }

    /// How the crops were taken.
    pub(super) fn grid(&self) -> &Grid {
        &self.grid
    }

    /// The places of the flat images with these very pixels, ascending.
    pub(super) fn flat(&self, image: &[u8]) -> &[usize] {
        self.flat.get(image).map_or(&[], Vec::as_slice)
    }

    /// The crops of some images of a set.
    pub(super) fn block(&self, set: &ImageSet, images: Range<usize>) -> Block {
        let length = self.grid.len();
        let views = self.grid.views();
        let mut vectors = vec![0.0; images.len() * views.len() * length];
        let mut slots = vectors.chunks_exact_mut(length.max(1));
        let mut squares = Vec::with_capacity(images.len() * views.len());
        for index in images {
            let pooled = [false, true].map(|mirrored| self.grid.pool(set.image(index), mirrored));
            for (&view, vector) in views.iter().zip(&mut slots) {
                let pooled = &pooled[usize::from(view.mirrored)];
                squares.push(self.grid.crop(pooled, view, vector));
            }
        }
        let coordinates: Vec<[f32; DEPTH]> = vectors
            .chunks_exact(length.max(1))
            .zip(&squares)
            .map(|(vector, &square)| self.basis.coordinates(vector, square))
            .collect();
        Block { vectors, squares, tiles: tiles(&coordinates), views: views.len() }
    }

    /// Hands `judge` every crop of the block and image of the set that may be as similar as the image's cutoff,
    /// and perhaps some more. At first that is `cutoff`; `judge` returns what it is from there on, which must not
    /// fall.
    pub(super) fn candidates(
        &self,
        block: &Block,
        cutoff: f64,
        mut judge: impl FnMut(Candidate) -> f64,
    ) {
        let cut = |cutoff: f64| (cutoff - ROUNDING) as f32;
        let rows = block.squares.len();
        // Rows that only fill up a tile reach nothing.
        let mut cuts = vec![[f32::INFINITY; ROWS]; block.tiles.len()];
        (0..rows).for_each(|row| cuts[row / ROWS][row % ROWS] = cut(cutoff));
        let mut found = Vec::new();
        for (first, panel) in self.panels.iter() {
            sweep(&block.tiles, &cuts, panel, &mut found);
            for (row, column) in found.drain(..) {
                let other = first + column;
                // Columns that only fill up a panel, and those of flat images, are like nothing.
                if self.squares.get(other).is_none_or(|&square| square == 0.0) {
                    continue;
                }
                let (image, view) = (row / block.views, row % block.views);
                let cutoff = judge(Candidate { image, view, row, other });
                for row in image * block.views..(image + 1) * block.views {
                    cuts[row / ROWS][row % ROWS] = cut(cutoff);
                }
            }
        }
    }

    /// How similar a candidate's crop and centre crop are, at most 1.
    pub(super) fn similarity(&self, block: &Block, candidate: Candidate) -> f64 {
        let length = self.grid.len();
        let a = &block.vectors[candidate.row * length..][..length];
        let b = &self.vectors[candidate.other * length..][..length];
        let squares = block.squares[candidate.row] * self.squares[candidate.other];
        if squares == 0.0 {
            return 0.0;
        }
        (pulp::Arch::new().dispatch(|| dot(a, b)) / squares.sqrt()).min(1.0)
    }
}

/// Crops of some images, all views of each.
#[derive(Debug)]
pub(super) struct Block {
    /// `[images, views, values]`
    vectors: Vec<f32>,
    squares: Vec<f64>,
    tiles: Vec<Tile>,
    views: usize,
}

/// A crop and an image that may be alike.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    /// Place of the image in its block.
    pub(super) image: usize,
    /// Place of the view among the grid's.
    pub(super) view: usize,
    row: usize,
    /// Place of the image that it may be like.
    pub(super) other: usize,
}

/// In double precision, in an order that the length alone decides.
#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f64 {
    const LANES: usize = 16;
    let mut sums = [0.0; LANES];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for (lane, sum) in sums.iter_mut().enumerate() {
            *sum += f64::from(a[lane]) * f64::from(b[lane]);
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
    sums.iter().sum::<f64>() + rest
}
