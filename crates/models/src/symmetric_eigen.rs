//! Eigenvalues and eigenvectors of a symmetric matrix, by Jacobi's method: slow for large matrices, exact for small
//! ones, and the same wherever it runs.
//!
//! Golub & Van Loan, *Matrix Computations*, 4th edition, 2013, section 8.5.

/// Sweeps over all pairs after which the rest is rounding; a dozen are enough for hundreds of rows.
const MOST_SWEEPS: usize = 60;

/// Entries of a vector whose magnitudes differ by less than this share count as equally large.
const SAME_MAGNITUDE: f64 = 1e-9;

/// The spectrum of a symmetric matrix.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SymmetricEigen {
    /// Eigenvalues in descending order.
    pub(crate) values: Vec<f64>,
    /// An eigenvector of length 1 for each, orthogonal to all others. Of its entries of the largest magnitude the
    /// first is positive.
    pub(crate) vectors: Vec<Vec<f64>>,
}

/// The eigenvalues of a symmetric matrix, given as its rows, with eigenvectors.
///
/// Each rotation in the plane of two axes makes the entry of these two zero, and the sum of squares beside the
/// diagonal smaller, until nothing is left there but rounding.
///
/// # Panics
///
/// If the matrix is not square.
pub(crate) fn symmetric_eigen(mut matrix: Vec<Vec<f64>>) -> SymmetricEigen {
    let size = matrix.len();
    assert!(matrix.iter().all(|row| row.len() == size), "a symmetric matrix is square");
    let mut vectors: Vec<Vec<f64>> =
        (0..size).map(|i| (0..size).map(|j| f64::from(u8::from(i == j))).collect()).collect();
    let norm = matrix.iter().flatten().map(|value| value * value).sum::<f64>().sqrt();
    let negligible = f64::EPSILON * norm / size.max(1) as f64;
    for _ in 0..MOST_SWEEPS {
        let mut is_diagonal = true;
        for p in 0..size {
            for q in p + 1..size {
                if matrix[p][q].abs() > negligible {
                    rotate(&mut matrix, &mut vectors, p, q);
                    is_diagonal = false;
                }
            }
        }
        if is_diagonal {
            break;
        }
    }
    let values: Vec<f64> = (0..size).map(|i| matrix[i][i]).collect();
    let mut order: Vec<usize> = (0..size).collect();
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]).then(a.cmp(&b)));
    SymmetricEigen {
        values: order.iter().map(|&i| values[i]).collect(),
        vectors: order
            .iter()
            .map(|&i| with_positive_peak(std::mem::take(&mut vectors[i])))
            .collect(),
    }
}

/// Turns the plane of axes `p` and `q` by the smaller of the angles that make their entry zero, whose tangent `t`
/// solves `t² + 2 θ t − 1 = 0` with `θ = (a_qq − a_pp) / (2 a_pq)`.
fn rotate(matrix: &mut [Vec<f64>], vectors: &mut [Vec<f64>], p: usize, q: usize) {
    let entry = matrix[p][q];
    let theta = (matrix[q][q] - matrix[p][p]) / (2.0 * entry);
    let tangent = theta.signum() / (theta.abs() + theta.hypot(1.0));
    let cosine = 1.0 / tangent.hypot(1.0);
    let sine = tangent * cosine;
    let turn = |a: f64, b: f64| (cosine * a - sine * b, sine * a + cosine * b);
    for i in (0..matrix.len()).filter(|i| ![p, q].contains(i)) {
        let (a, b) = turn(matrix[i][p], matrix[i][q]);
        (matrix[i][p], matrix[p][i]) = (a, a);
        (matrix[i][q], matrix[q][i]) = (b, b);
    }
    matrix[p][p] -= tangent * entry;
    matrix[q][q] += tangent * entry;
    (matrix[p][q], matrix[q][p]) = (0.0, 0.0);
    let [of_p, of_q] = vectors.get_disjoint_mut([p, q]).expect("two axes span a plane");
    for (a, b) in of_p.iter_mut().zip(of_q) {
        (*a, *b) = turn(*a, *b);
    }
}

/// The vector or its negative, so that the first of its largest entries is positive.
fn with_positive_peak(mut vector: Vec<f64>) -> Vec<f64> {
    let largest = vector.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
    let peak = vector.iter().find(|value| value.abs() >= (1.0 - SAME_MAGNITUDE) * largest);
    if peak.is_some_and(|peak| *peak < 0.0) {
        vector.iter_mut().for_each(|value| *value = -*value);
    }
    vector
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A symmetric matrix without a pattern, of numbers in [-1, 1].
    fn mixed(size: usize) -> Vec<Vec<f64>> {
        let entry = |i: usize, j: usize| {
            let (low, high) = (i.min(j), i.max(j));
            ((low * 31 + high * 17 + low * high * 7) % 41) as f64 / 20.0 - 1.0
        };
        (0..size).map(|i| (0..size).map(|j| entry(i, j)).collect()).collect()
    }

    /// Of eigenvalues on axes that are turned against those of the matrix.
    fn turned(values: &[f64]) -> Vec<Vec<f64>> {
        let axes = symmetric_eigen(mixed(values.len())).vectors;
        product(&SymmetricEigen { values: values.to_vec(), vectors: axes })
    }

    /// `Σ λ v vᵀ`
    fn product(eigen: &SymmetricEigen) -> Vec<Vec<f64>> {
        let size = eigen.values.len();
        let terms = || eigen.values.iter().zip(&eigen.vectors);
        let entry = |i: usize, j: usize| terms().map(|(value, v)| value * v[i] * v[j]).sum();
        (0..size).map(|i| (0..size).map(|j| entry(i, j)).collect()).collect()
    }

    fn assert_close(found: &[Vec<f64>], expected: &[Vec<f64>], allowed: f64) {
        for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
            assert!((found - expected).abs() <= allowed, "{found} for {expected}");
        }
    }

    /// What holds of every spectrum.
    fn assert_is_spectrum(matrix: &[Vec<f64>]) -> SymmetricEigen {
        let eigen = symmetric_eigen(matrix.to_vec());
        let size = matrix.len();
        assert_close(&product(&eigen), matrix, 1e-12);
        let dot = |i: usize, j: usize| {
            eigen.vectors[i].iter().zip(&eigen.vectors[j]).map(|(a, b)| a * b).sum::<f64>()
        };
        for i in 0..size {
            for j in 0..size {
                let expected = if i == j { 1.0 } else { 0.0 };
                assert!((dot(i, j) - expected).abs() < 1e-13, "{i}, {j}: {}", dot(i, j));
            }
        }
        assert!(eigen.values.is_sorted_by(|a, b| a >= b), "{:?}", eigen.values);
        eigen
    }

    #[test]
    fn a_matrix_is_made_of_its_eigenvectors_which_are_orthogonal() {
        for size in [1, 2, 3, 5, 12, 27] {
            assert_is_spectrum(&mixed(size));
        }
        let large = symmetric_eigen(mixed(75));
        assert_close(&product(&large), &mixed(75), 1e-11);
        assert_eq!(symmetric_eigen(Vec::new()).values, [0.0; 0]);
    }

    #[test]
    fn equal_eigenvalues_have_orthogonal_vectors_too() {
        for values in [&[3.0, 3.0, 3.0, 1.0, 1.0][..], &[2.0; 4], &[0.0; 3], &[1.0, 0.0, 0.0, -1.0]]
        {
            let eigen = assert_is_spectrum(&turned(values));
            for (found, expected) in eigen.values.iter().zip(values) {
                assert!((found - expected).abs() < 1e-13, "{found} for {expected}");
            }
        }
        // Nothing to turn: the axes themselves, in descending order.
        let diagonal = vec![vec![1.0, 0.0], vec![0.0, 4.0]];
        let eigen = symmetric_eigen(diagonal);
        assert_eq!(eigen.values, [4.0, 1.0]);
        assert_eq!(eigen.vectors, [[0.0, 1.0], [1.0, 0.0]]);
    }

    #[test]
    fn the_first_of_the_largest_entries_is_positive() {
        let eigen = symmetric_eigen(vec![vec![2.0, -1.0], vec![-1.0, 2.0]]);
        let half = 0.5f64.sqrt();
        assert_close(&eigen.vectors, &[vec![half, -half], vec![half, half]], 1e-15);
        for vector in symmetric_eigen(mixed(12)).vectors {
            let largest = vector.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs()));
            assert!(largest > Some(0.0), "{vector:?}");
        }
    }

    #[test]
    fn scales_far_from_one_change_nothing_but_the_eigenvalues() {
        let plain = symmetric_eigen(mixed(6));
        for scale in [f64::powi(2.0, -300), f64::powi(2.0, 300)] {
            let scaled = mixed(6).into_iter().map(|row| row.iter().map(|x| x * scale).collect());
            let scaled = symmetric_eigen(scaled.collect());
            assert_eq!(scaled.vectors, plain.vectors);
            assert!(scaled.values.iter().zip(&plain.values).all(|(a, b)| *a == b * scale));
        }
    }

    // Printed by `tests/pytorch/whitening.py`: torch.linalg.eigh of `mixed(5)`.
    const VALUES: [f64; 5] = [
        0.920_503_807_844_072_5,
        0.416_418_462_471_441_65,
        -0.443_192_859_087_861_93,
        -1.758_364_110_183_705_8,
        -2.435_365_301_043_948_4,
    ];
    const VECTORS: [[f64; 5]; 5] = [
        [
            0.054_601_316_410_682,
            -0.551_415_432_802_353_5,
            -0.092_247_184_126_073,
            0.350_977_752_298_398,
            0.749_176_074_848_889,
        ],
        [
            0.171_551_800_888_581,
            0.533_077_721_798_699,
            0.652_422_934_201_648,
            0.444_014_661_921_095,
            0.252_177_352_394_311,
        ],
        [
            0.820_577_500_602_198,
            -0.188_640_015_325_038,
            0.242_673_030_543_540,
            -0.478_644_472_991_356,
            0.055_468_719_520_648,
        ],
        [
            -0.003_475_742_784_792,
            0.587_529_813_058_822,
            -0.430_743_857_116_031,
            -0.390_691_088_509_757,
            0.562_687_160_769_663,
        ],
        [
            -0.542_428_945_186_048,
            -0.176_047_795_710_537,
            0.566_925_305_267_053,
            -0.545_825_557_503_997,
            0.235_474_355_446_876,
        ],
    ];

    #[test]
    fn the_spectrum_is_that_of_pytorch() {
        let eigen = symmetric_eigen(mixed(5));
        for (found, expected) in eigen.values.iter().zip(VALUES) {
            assert!((found - expected).abs() < 1e-13, "{found} for {expected}");
        }
        assert_close(&eigen.vectors, &VECTORS.map(|vector| vector.to_vec()), 1e-13);
    }
}
