//! Which pixels a tile reads and writes.

use super::super::simd::{Simd, load_some};

/// Rows and columns of the outputs that are made together.
pub(super) const TILE: usize = 4;

/// Numbers between the products of a block, so that they do not lie a power of two apart, where caches hold few of them.
pub(super) const GAP: usize = 16;

/// The target of a convolution, cut into tiles of four by four pixels; those at its lower and right borders may reach over
/// it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tiles {
    batch: usize,
    /// Height and width of what is read.
    pub(super) source: [usize; 2],
    /// Height and width of what is cut.
    pub(super) target: [usize; 2],
    /// Rows and columns of zeros before the source.
    before: [usize; 2],
    /// Tiles of an image, down and across.
    of_image: [usize; 2],
}

/// One of the [`Tiles`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Tile {
    pub(super) image: usize,
    /// Its first row and column in the target.
    pub(super) corner: [usize; 2],
}

impl Tiles {
    pub(super) fn new(
        batch: usize,
        source: [usize; 2],
        target: [usize; 2],
        before: [usize; 2],
    ) -> Self {
        let of_image = target.map(|pixels| pixels.div_ceil(TILE));
        Self { batch, source, target, before, of_image }
    }

    pub(super) fn of_image(&self) -> usize {
        self.of_image[0] * self.of_image[1]
    }

    pub(super) fn count(&self) -> usize {
        self.batch * self.of_image()
    }

    #[inline(always)]
    pub(super) fn tile(&self, number: usize) -> Tile {
        let (image, place) = (number / self.of_image(), number % self.of_image());
        let corner = [TILE * (place / self.of_image[1]), TILE * (place % self.of_image[1])];
        Tile { image, corner }
    }

    /// First row and column of the source that a tile reads; they may lie outside.
    #[inline(always)]
    pub(super) fn reads_from(&self, tile: Tile) -> [isize; 2] {
        [
            tile.corner[0] as isize - self.before[0] as isize,
            tile.corner[1] as isize - self.before[1] as isize,
        ]
    }

    /// Rows and columns of a tile that lie in the target.
    #[inline(always)]
    pub(super) fn inside(&self, tile: Tile) -> [usize; 2] {
        [(self.target[0] - tile.corner[0]).min(TILE), (self.target[1] - tile.corner[1]).min(TILE)]
    }
}

/// `W` by `W` pixels of an image from `corner` on, of each `count` channels; zeros outside.
///
/// # Safety
///
/// At `image`, `size[0] · size[1] · channels` numbers can be read from the first of the channels that are asked for, less
/// those before it.
#[inline(always)]
pub(super) unsafe fn window<S: Simd, const W: usize>(
    simd: S,
    image: *const f32,
    size: [usize; 2],
    channels: usize,
    corner: [isize; 2],
    count: usize,
) -> [[S::Vector; W]; W] {
    let mut pixels = [[simd.splat(0.0); W]; W];
    let [height, width] = [size[0] as isize, size[1] as isize];
    let is_inside = corner[0] >= 0
        && corner[1] >= 0
        && corner[0] + W as isize <= height
        && corner[1] + W as isize <= width;
    for (i, row) in pixels.iter_mut().enumerate() {
        let y = corner[0] + i as isize;
        if y < 0 || y >= height {
            continue;
        }
        let line = image.wrapping_offset((y * width + corner[1]) * channels as isize);
        for (j, pixel) in row.iter_mut().enumerate() {
            let x = corner[1] + j as isize;
            let from = line.wrapping_add(j * channels);
            // SAFETY: the pixel lies inside the image.
            unsafe {
                if is_inside && count == S::LANES {
                    *pixel = simd.load(from);
                } else if x >= 0 && x < width {
                    *pixel = load_some(simd, from, count);
                }
            }
        }
    }
    pixels
}
