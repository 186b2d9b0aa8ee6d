//! A few directions that hold most of what the crops of a set have, so that a short product says which crops
//! may be alike.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// Coordinates of a crop: along the directions, and what is left.
pub(super) const DEPTH: usize = 64;
/// Most directions.
const DIRECTIONS: usize = DEPTH - 1;
/// Crops that the directions are taken from at most.
const SAMPLE: usize = 2048;
/// Steps of the iteration. That the directions are only near to the principal ones costs a few
/// candidates, and nothing else.
const STEPS: usize = 8;
/// Added to the square of what is left, against rounding to below its true value.
const SLACK: f64 = 1e-9;

/// Orthonormal directions, near to the principal ones of a sample.
///
/// For a vector `a` let `Pa` be its coordinates along them and `‖Qa‖` the length of what is left. Then
/// `⟨a, b⟩ ≤ ⟨Pa, Pb⟩ + ‖Qa‖ ‖Qb‖` (Cauchy–Schwarz), whatever the directions. With `‖Q·‖` as one more coordinate the
/// right side is a single product.
#[derive(Clone, Debug)]
pub(super) struct Basis {
    /// By value of a vector, the directions side by side, filled up with zeros.
    by_value: Vec<[f64; DEPTH]>,
}

impl Basis {
    /// The directions of vectors of `length` values each.
    pub(super) fn of(vectors: &[f32], length: usize) -> Self {
        let count = vectors.len() / length.max(1);
        let step = count.div_ceil(SAMPLE).max(1);
        let sample: Vec<&[f32]> = vectors.chunks_exact(length.max(1)).step_by(step).collect();
        let moments = second_moments(&sample, length);
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let wanted = DIRECTIONS.min(length).min(sample.len());
        let start = |_| (0..length).map(|_| rng.random_range(-1.0..1.0)).collect();
        let mut directions: Vec<Vec<f64>> = (0..wanted).map(start).collect();
        for _ in 0..STEPS {
            directions = directions.par_iter().map(|it| times(&moments, it)).collect();
            directions = orthonormal(directions);
        }
        // Once more, for what rounding has left of the first time.
        let directions = orthonormal(directions);
        let mut by_value = vec![[0.0; DEPTH]; length];
        for (place, direction) in directions.iter().enumerate() {
            for (row, &value) in by_value.iter_mut().zip(direction) {
                row[place] = value;
            }
        }
        Self { by_value }
    }

    /// The coordinates of a vector whose squared length is `square`; of a flat one, all are 0.
    pub(super) fn coordinates(&self, vector: &[f32], square: f64) -> [f32; DEPTH] {
        let sums = pulp::Arch::new().dispatch(|| self.products(vector));
        let mut coordinates = sums.map(|sum| sum as f32);
        if square > 0.0 {
            let along: f64 = sums.iter().map(|sum| sum * sum).sum();
            coordinates[DEPTH - 1] = ((square - along).max(0.0) + SLACK).sqrt() as f32;
        }
        coordinates
    }

    /// The product with each direction.
    #[inline(always)]
    fn products(&self, vector: &[f32]) -> [f64; DEPTH] {
        const HALF: usize = DEPTH / 2;
        let mut sums = [0.0; DEPTH];
        // In halves, which registers can hold.
        for half in 0..2 {
            let mut part = [0.0; HALF];
            for (row, &value) in self.by_value.iter().zip(vector) {
                let (halves, _) = row.as_chunks::<HALF>();
                let value = f64::from(value);
                part.iter_mut().zip(&halves[half]).for_each(|(sum, it)| *sum += it * value);
            }
            sums[half * HALF..][..HALF].copy_from_slice(&part);
        }
        sums
    }
}

/// `Σ v vᵀ` over the sample, row by row.
fn second_moments(sample: &[&[f32]], length: usize) -> Vec<Vec<f64>> {
    let row = |place: usize| {
        pulp::Arch::new().dispatch(|| {
            let mut row = vec![0.0; length];
            for vector in sample {
                let factor = f64::from(vector[place]);
                row.iter_mut().zip(*vector).for_each(|(sum, &it)| *sum += factor * f64::from(it));
            }
            row
        })
    };
    (0..length).into_par_iter().map(row).collect()
}

fn times(rows: &[Vec<f64>], vector: &[f64]) -> Vec<f64> {
    rows.iter().map(|row| dot(row, vector)).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Gram and Schmidt's way to make vectors orthonormal. Those that others already span are left out.
fn orthonormal(vectors: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let mut done: Vec<Vec<f64>> = Vec::with_capacity(vectors.len());
    for mut vector in vectors {
        let before = dot(&vector, &vector);
        // Twice, since the first time leaves errors of the size of what it takes away.
        for _ in 0..2 {
            for other in &done {
                let along = dot(&vector, other);
                vector.iter_mut().zip(other).for_each(|(value, it)| *value -= along * it);
            }
        }
        let square = dot(&vector, &vector);
        if square > before * 1e-16 && square > 0.0 {
            let scale = 1.0 / square.sqrt();
            vector.iter_mut().for_each(|value| *value *= scale);
            done.push(vector);
        }
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vectors(count: usize, length: usize) -> Vec<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut vectors: Vec<f32> =
            (0..count * length).map(|_| rng.random_range(-1.0..1.0)).collect();
        for vector in vectors.chunks_exact_mut(length) {
            let norm = vector.iter().map(|it| it * it).sum::<f32>().sqrt();
            vector.iter_mut().for_each(|it| *it /= norm);
        }
        vectors
    }

    #[test]
    fn products_of_coordinates_are_never_less_than_those_of_vectors() {
        for (count, length) in [(1, 5), (40, 100), (300, 20), (200, 200)] {
            let all = vectors(count, length);
            let basis = Basis::of(&all, length);
            let square = |v: &[f32]| v.iter().map(|&it| f64::from(it).powi(2)).sum::<f64>();
            let coordinates: Vec<_> =
                all.chunks_exact(length).map(|v| basis.coordinates(v, square(v))).collect();
            for (a, pa) in all.chunks_exact(length).zip(&coordinates) {
                for (b, pb) in all.chunks_exact(length).zip(&coordinates) {
                    let sum = |a: &[f32], b: &[f32]| {
                        a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>()
                    };
                    assert!(sum(pa, pb) > sum(a, b) - 1e-6, "{count} of {length}");
                }
            }
        }
    }

    #[test]
    fn directions_are_orthonormal_and_dependent_ones_are_left_out() {
        let all = [vectors(30, 12), vectors(30, 12)].concat();
        let rows: Vec<Vec<f64>> =
            all.chunks_exact(12).map(|v| v.iter().map(|&it| f64::from(it)).collect()).collect();
        let found = orthonormal(rows);
        assert_eq!(found.len(), 12);
        for (i, a) in found.iter().enumerate() {
            for (j, b) in found.iter().enumerate() {
                let expected = if i == j { 1.0 } else { 0.0 };
                assert!((dot(a, b) - expected).abs() < 1e-12, "{i} {j}");
            }
        }
    }
}
