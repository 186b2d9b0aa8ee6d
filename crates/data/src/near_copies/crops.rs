//! What is compared of an image: crops of its means over small cells, as vectors of mean 0 and length 1.

use crate::image_set::ImageShape;

/// Cells along a side, about: 16 of 2 pixels on a side of 32.
const CELLS: usize = 16;
/// Values that deviate by less from their mean, in grey levels (root mean square), are noise and no picture.
const FLAT: f64 = 0.5;

/// Which crop of an image is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct View {
    /// Whether the image is mirrored, left to right, before it is cropped.
    pub(super) mirrored: bool,
    /// Where the crop begins, in cells from the upper left corner: down, right.
    corner: [usize; 2],
}

/// Along one side: cells of `cell` pixels from pixel `start` on, of which a crop leaves out two borders.
#[derive(Clone, Copy, Debug)]
struct Side {
    cell: usize,
    start: usize,
    cells: usize,
    border: usize,
}

impl Side {
    fn new(pixels: usize) -> Self {
        let cell = ((pixels + CELLS / 2) / CELLS).max(1);
        let cells = pixels / cell;
        // Of fewer cells, nothing worth comparing would be left.
        let border = usize::from(cells >= 4);
        Self { cell, start: (pixels - cells * cell) / 2, cells, border }
    }

    /// Cells of a crop.
    fn crop(self) -> usize {
        self.cells - 2 * self.border
    }
}

/// How images of one shape are pooled and cropped.
#[derive(Clone, Debug)]
pub(super) struct Grid {
    shape: ImageShape,
    rows: Side,
    columns: Side,
    views: Vec<View>,
}

impl Grid {
    pub(super) fn new(shape: ImageShape) -> Self {
        let (rows, columns) = (Side::new(shape.height), Side::new(shape.width));
        let mut views = Vec::new();
        for mirrored in [false, true] {
            for down in 0..=2 * rows.border {
                for right in 0..=2 * columns.border {
                    views.push(View { mirrored, corner: [down, right] });
                }
            }
        }
        // The plainest first: of equally similar ones, the first is named.
        views.sort_by_key(|view| {
            let [down, right] = view.corner;
            (view.mirrored, down.abs_diff(rows.border) + right.abs_diff(columns.border))
        });
        Self { shape, rows, columns, views }
    }

    /// All crops: 18, or fewer of images with less than four cells to a side. The first is the plain one from the
    /// centre.
    pub(super) fn views(&self) -> &[View] {
        &self.views
    }

    /// How far a crop is from the centre, in pixels: down, right.
    pub(super) fn shift(&self, view: View) -> [isize; 2] {
        let shift = |side: Side, corner: usize| {
            (corner as isize - side.border as isize) * side.cell as isize
        };
        let [down, right] = view.corner;
        [shift(self.rows, down), shift(self.columns, right)]
    }

    /// Values of a crop.
    pub(super) fn len(&self) -> usize {
        self.shape.channels * self.rows.crop() * self.columns.crop()
    }

    /// The sum over each cell, `[channels, rows, columns]`. Mirroring comes first, so that a mirrored copy has the
    /// same cells also where these leave pixels over.
    pub(super) fn pool(&self, image: &[u8], mirrored: bool) -> Vec<u32> {
        let (rows, columns) = (self.rows, self.columns);
        let mut sums = vec![0; self.shape.channels * rows.cells * columns.cells];
        let width = self.shape.width;
        for (channel, plane) in image.chunks_exact(self.shape.height * width).enumerate() {
            let lines = plane.chunks_exact(width).skip(rows.start).take(rows.cells * rows.cell);
            for (y, line) in lines.enumerate() {
                let row = (channel * rows.cells + y / rows.cell) * columns.cells;
                let sums = &mut sums[row..row + columns.cells];
                for (x, sum) in sums.iter_mut().enumerate() {
                    for step in 0..columns.cell {
                        let place = columns.start + x * columns.cell + step;
                        let place = if mirrored { width - 1 - place } else { place };
                        *sum += u32::from(line[place]);
                    }
                }
            }
        }
        sums
    }

    /// Writes one crop of what [`pool`](Self::pool) gave, less its mean and divided by its length, all channels
    /// together. Returns the square of the length that rounding has left, or 0 for a flat crop, which is all 0.
    pub(super) fn crop(&self, pooled: &[u32], view: View, vector: &mut [f32]) -> f64 {
        let [down, right] = view.corner;
        let (rows, columns) = (self.rows, self.columns);
        let lines = (0..self.shape.channels).flat_map(|channel| {
            (0..rows.crop()).map(move |row| (channel * rows.cells + down + row) * columns.cells)
        });
        let width = columns.crop();
        for (line, start) in vector.chunks_exact_mut(width).zip(lines) {
            let sums = &pooled[start + right..start + right + width];
            line.iter_mut().zip(sums).for_each(|(value, &sum)| *value = sum as f32);
        }
        let count = vector.len() as f64;
        let mean = vector.iter().map(|&value| f64::from(value)).sum::<f64>() / count;
        let squares: f64 = vector.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum();
        let levels = (squares / count).sqrt() / (rows.cell * columns.cell) as f64;
        if levels < FLAT || vector.is_empty() {
            vector.fill(0.0);
            return 0.0;
        }
        let scale = 1.0 / squares.sqrt();
        vector.iter_mut().for_each(|value| *value = ((f64::from(*value) - mean) * scale) as f32);
        vector.iter().map(|&value| f64::from(value).powi(2)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(channels: usize, height: usize, width: usize) -> Grid {
        Grid::new(ImageShape { channels, height, width })
    }

    #[test]
    fn sides_are_cut_into_about_sixteen_cells_and_a_crop_leaves_a_border_out() {
        for (side, cell, cells, crop) in
            [(1, 1, 1, 1), (3, 1, 3, 3), (4, 1, 4, 2), (28, 2, 14, 12), (32, 2, 16, 14)]
        {
            let found = Side::new(side);
            assert_eq!((found.cell, found.cells, found.crop()), (cell, cells, crop), "{side}");
        }
        let found = Side::new(65);
        assert_eq!((found.cell, found.cells, found.start), (4, 16, 0));
        assert_eq!(grid(3, 32, 32).len(), 3 * 14 * 14);
        assert_eq!(grid(1, 28, 64).len(), 12 * 14);
    }

    #[test]
    fn there_are_eighteen_views_with_the_plain_one_first() {
        let grid = grid(3, 32, 64);
        assert_eq!(grid.views().len(), 18);
        let shifts: Vec<[isize; 2]> = grid.views().iter().map(|&view| grid.shift(view)).collect();
        assert_eq!(shifts[0], [0, 0]);
        assert_eq!(shifts[1..5], [[-2, 0], [0, -4], [0, 4], [2, 0]]);
        assert_eq!(shifts[9], [0, 0]);
        assert!(!grid.views()[8].mirrored && grid.views()[9].mirrored);
        assert_eq!(super::Grid::new(ImageShape { channels: 1, height: 1, width: 1 }).len(), 1);
    }

    #[test]
    fn pooling_sums_cells_and_mirrors_before_it_pools() {
        let image: Vec<u8> =
            (0..33).flat_map(|y| (0..33).map(move |x| (x + 2 * y) as u8)).collect();
        let mirrored: Vec<u8> =
            image.chunks(33).flat_map(|line| line.iter().rev().copied()).collect();
        let grid = grid(1, 33, 33);
        // 0 + 1 + 2 + 3 in the first cell of four pixels.
        assert_eq!(grid.pool(&image, false)[..2], [6, 14]);
        assert_eq!(grid.pool(&image, true), grid.pool(&mirrored, false));
        assert_ne!(grid.pool(&image, true), grid.pool(&image, false));
    }

    #[test]
    fn a_crop_has_mean_zero_and_length_one_and_a_flat_one_is_zero() {
        let grid = grid(1, 8, 8);
        let image: Vec<u8> = (0..64).map(|place| (place * place % 251) as u8).collect();
        let mut vector = vec![0.0; grid.len()];
        let square = grid.crop(&grid.pool(&image, false), grid.views()[3], &mut vector);
        assert!((square - 1.0).abs() < 1e-6);
        assert!(vector.iter().sum::<f32>().abs() < 1e-5);
        let noise: Vec<u8> = (0..64).map(|place| 90 + u8::from(place == 27)).collect();
        assert_eq!(grid.crop(&grid.pool(&noise, false), grid.views()[0], &mut vector), 0.0);
        assert!(vector.iter().all(|&value| value == 0.0));
    }
}
