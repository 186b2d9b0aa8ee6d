//! The inner loop of the search: short products of many rows with many columns, of which only those that reach
//! a row's cut are told.

use pulp::{Arch, Simd, WithSimd};

use crate::near_copies::basis::DEPTH;

/// Rows of a tile. With two vectors of columns, their sums fill the sixteen registers of AVX2 with what is
/// multiplied.
pub(super) const ROWS: usize = 6;
/// Widest pair of vectors, in numbers.
const WIDEST: usize = 32;

/// Rows side by side, coordinate by coordinate.
pub(super) type Tile = [[f32; ROWS]; DEPTH];

/// Rows in tiles; the last one is filled up with zeros.
pub(super) fn tiles(rows: &[[f32; DEPTH]]) -> Vec<Tile> {
    let tile = |rows: &[[f32; DEPTH]]| {
        let mut tile = [[0.0; ROWS]; DEPTH];
        for (place, row) in rows.iter().enumerate() {
            for (values, &value) in tile.iter_mut().zip(row) {
                values[place] = value;
            }
        }
        tile
    };
    rows.chunks(ROWS).map(tile).collect()
}

/// Columns side by side, coordinate by coordinate, as many as two of the CPU's vectors hold; the last ones are
/// filled up with zeros.
#[derive(Clone, Debug)]
pub(super) struct Panels {
    values: Vec<f32>,
    width: usize,
}

impl Panels {
    pub(super) fn of(columns: &[[f32; DEPTH]]) -> Self {
        let width = Arch::new().dispatch(Width);
        let mut values = vec![0.0; columns.len().div_ceil(width) * width * DEPTH];
        for (panel, columns) in values.chunks_exact_mut(width * DEPTH).zip(columns.chunks(width)) {
            for (place, column) in columns.iter().enumerate() {
                for (values, &value) in panel.chunks_exact_mut(width).zip(column) {
                    values[place] = value;
                }
            }
        }
        Self { values, width }
    }

    /// The first column and the values of each panel.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &[f32])> {
        let panels = self.values.chunks_exact(self.width * DEPTH).enumerate();
        panels.map(|(place, panel)| (place * self.width, panel))
    }
}

/// Numbers in two of the CPU's vectors.
struct Width;

impl WithSimd for Width {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        2 * S::F32_LANES
    }
}

/// Adds to `found` each row and column of the panel whose product is not below the row's cut.
pub(super) fn sweep(
    tiles: &[Tile],
    cuts: &[[f32; ROWS]],
    panel: &[f32],
    found: &mut Vec<(usize, usize)>,
) {
    Arch::new().dispatch(Sweep { tiles, cuts, panel, found });
}

struct Sweep<'a> {
    tiles: &'a [Tile],
    cuts: &'a [[f32; ROWS]],
    panel: &'a [f32],
    found: &'a mut Vec<(usize, usize)>,
}

impl WithSimd for Sweep<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (vectors, _) = S::as_simd_f32s(self.panel);
        let (columns, _) = vectors.as_chunks::<2>();
        for (number, (tile, cuts)) in self.tiles.iter().zip(self.cuts).enumerate() {
            let mut sums = [[simd.splat_f32s(0.0); 2]; ROWS];
            for (column, row) in columns.iter().zip(tile) {
                for place in 0..ROWS {
                    let value = simd.splat_f32s(row[place]);
                    // Fused or not: what the CPU is faster at.
                    sums[place][0] = simd.mul_add_e_f32s(value, column[0], sums[place][0]);
                    sums[place][1] = simd.mul_add_e_f32s(value, column[1], sums[place][1]);
                }
            }
            let mut above = simd.splat_f32s(f32::NEG_INFINITY);
            for place in 0..ROWS {
                let largest = simd.max_f32s(sums[place][0], sums[place][1]);
                let cut = simd.splat_f32s(cuts[place]);
                above = simd.max_f32s(above, simd.sub_f32s(largest, cut));
            }
            if simd.reduce_max_f32s(above) < 0.0 {
                continue;
            }
            // In places that are known when this is compiled: else every sum would live in memory all along.
            let mut numbers = [0.0; ROWS * WIDEST];
            let (stored, _) = S::as_mut_simd_f32s(&mut numbers);
            for place in 0..ROWS {
                stored[2 * place] = sums[place][0];
                stored[2 * place + 1] = sums[place][1];
            }
            for (place, (numbers, &cut)) in
                numbers.chunks_exact(2 * S::F32_LANES).zip(cuts).enumerate()
            {
                let reached = numbers.iter().enumerate().filter(|&(_, &it)| it - cut >= 0.0);
                let row = number * ROWS + place;
                self.found.extend(reached.map(|(column, _)| (row, column)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(count: usize, factor: usize) -> Vec<[f32; DEPTH]> {
        let value = |row: usize, place: usize| ((row * factor + place * 7) % 13) as f32 - 6.0;
        (0..count).map(|row| std::array::from_fn(|place| value(row, place))).collect()
    }

    #[test]
    fn what_reaches_the_cut_is_found_and_nothing_else() {
        let (left, right) = (rows(20, 5), rows(77, 3));
        let product = |row: &[f32; DEPTH], column: &[f32; DEPTH]| -> f32 {
            row.iter().zip(column).map(|(a, b)| a * b).sum()
        };
        let tiles = tiles(&left);
        // Of whole numbers as small as these every product is exact.
        for cut in [-1e9, 0.0, 120.0, 300.0, 1e9] {
            let mut cuts = vec![[f32::INFINITY; ROWS]; tiles.len()];
            (0..20).for_each(|row| cuts[row / ROWS][row % ROWS] = cut);
            let mut all = Vec::new();
            for (first, panel) in Panels::of(&right).iter() {
                let mut found = Vec::new();
                sweep(&tiles, &cuts, panel, &mut found);
                all.extend(found.into_iter().map(|(row, column)| (row, first + column)));
            }
            all.retain(|&(_, column)| column < right.len());
            all.sort_unstable();
            let mut expected = Vec::new();
            for (row, a) in left.iter().enumerate() {
                for (column, b) in right.iter().enumerate() {
                    if product(a, b) >= cut {
                        expected.push((row, column));
                    }
                }
            }
            assert_eq!(all, expected, "{cut}");
        }
    }
}
