//! The most products of this machine: what a layer's time is held against.

use std::hint::black_box;
use std::time::Instant;

use rayon::prelude::*;

use super::product::{TapOffset, tile};
use super::simd::{self, Simd, Task};

/// Products of a row: few enough that all that is read stays in the first-level cache.
const DEPTH: usize = 128;
/// Multiply-adds of each thread, with vectors of any width: a millisecond or more, far longer than threads take to begin.
const PRODUCTS_OF_A_THREAD: usize = 100_000_000;

/// Multiply-adds a second that all threads reach together on numbers that lie in their first-level caches.
pub fn product_rate() -> f64 {
    let threads = rayon::current_num_threads();
    let work = || -> usize { (0..threads).into_par_iter().map(|_| products_of_a_thread()).sum() };
    work();
    let began = Instant::now();
    let products = work();
    products as f64 / began.elapsed().as_secs_f64()
}

/// Multiplies and adds for some milliseconds, on this thread and without memory; returns how often. What several threads
/// that do so beside each other reach together, over what one reaches, tells how many cores they have.
pub fn products_of_a_thread() -> usize {
    simd::run(Products)
}

/// Tiles of as many rows as the registers hold.
struct Products;

impl Task for Products {
    type Output = usize;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> usize {
        if S::ROWS == 12 { products::<S, 12>(simd) } else { products::<S, 6>(simd) }
    }
}

#[inline(always)]
fn products<S: Simd, const M: usize>(simd: S) -> usize {
    // Made once: it takes as long as a tile of short vectors.
    let pixels = [1.0_f32; DEPTH];
    let panel = [0.5_f32; 2 * 16 * DEPTH];
    let mut sums = [0.0_f32; 12 * 2 * 16];
    let start = [simd.splat(0.0); 2];
    let taps = [TapOffset { shift: 0, row: 0 }];
    let products_of_a_tile = M * 2 * S::LANES * DEPTH;
    let tiles = PRODUCTS_OF_A_THREAD / products_of_a_tile;
    for _ in 0..tiles {
        // A compiler that knew the numbers could compute the sums itself, and one that saw that nobody reads them leave
        // them out.
        let (pixels, panel) = (black_box(&pixels), black_box(&panel));
        // SAFETY: a row of `DEPTH` numbers, as many rows of a panel of two vectors, room for all sums.
        unsafe {
            tile::<S, M, 2>(
                simd,
                &[pixels.as_ptr(); M],
                &taps,
                DEPTH,
                panel.as_ptr(),
                start,
                sums.as_mut_ptr(),
            );
        }
        black_box(&mut sums);
    }
    tiles * products_of_a_tile
}
