//! How many independent directions a matrix has, as NumPy counts them.

/// Numerical rank of a matrix with rows of `width` values, at most as many as there are rows: singular
/// values above the greatest times the number of rows times the distance of 32-bit floats at 1, as NumPy
/// counts them.
pub(super) fn rank(values: &[f32], width: usize) -> usize {
    let mut gram = vec![vec![0.0_f64; width]; width];
    for row in values.chunks_exact(width) {
        for (sums, value) in gram.iter_mut().zip(row) {
            for (sum, other) in sums.iter_mut().zip(row) {
                *sum += f64::from(*value) * f64::from(*other);
            }
        }
    }
    // Eigenvalues are squares of the singular values; 64-bit floats hold them finely enough.
    let eigenvalues = eigenvalues(gram);
    let greatest = eigenvalues.iter().copied().fold(0.0, f64::max);
    let rows = values.len() / width;
    let bound = greatest * (rows.max(width) as f64 * f64::from(f32::EPSILON)).powi(2);
    eigenvalues.into_iter().filter(|value| *value > bound).count()
}

/// Eigenvalues of a symmetric matrix, by Jacobi's rotations.
///
/// Golub & Van Loan, "Matrix Computations", 4th edition, 2013, section 8.5.
fn eigenvalues(mut a: Vec<Vec<f64>>) -> Vec<f64> {
    const SWEEPS: usize = 30;
    let n = a.len();
    let square = |row: &[f64]| row.iter().map(|value| value * value).sum::<f64>();
    for _ in 0..SWEEPS {
        let on_diagonal = square(&diagonal(&a));
        let below: f64 = a.iter().enumerate().map(|(i, row)| square(&row[..i])).sum();
        if below <= 1e-30 * on_diagonal {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                rotate(&mut a, p, q);
            }
        }
    }
    diagonal(&a)
}

fn diagonal(a: &[Vec<f64>]) -> Vec<f64> {
    a.iter().enumerate().map(|(i, row)| row[i]).collect()
}

/// Turns the axes `p` and `q` so that their product becomes zero.
fn rotate(a: &mut [Vec<f64>], p: usize, q: usize) {
    if a[p][q] == 0.0 {
        return;
    }
    let tau = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
    let t = tau.signum() / (tau.abs() + tau.hypot(1.0));
    let c = 1.0 / t.hypot(1.0);
    let s = t * c;
    for row in a.iter_mut() {
        (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
    }
    let (low, high) = a.split_at_mut(q);
    for (x, y) in low[p].iter_mut().zip(&mut high[0]) {
        (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rank_is_the_number_of_independent_directions() {
        assert_eq!(rank(&[0.0; 12], 3), 0);
        assert_eq!(rank(&[1.0; 12], 3), 1);
        // Third column: sum of the others.
        let two = [1.0, 2.0, 3.0, 4.0, -1.0, 3.0, 0.5, 0.5, 1.0, 7.0, 0.0, 7.0];
        assert_eq!(rank(&two, 3), 2);
        let three = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.01, 0.0, 0.0, 0.0];
        assert_eq!(rank(&three, 3), 3);
        // Below what 32-bit floats tell from zero.
        let faint = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1e-8, 0.0, 0.0, 0.0];
        assert_eq!(rank(&faint, 3), 2);
    }

    #[test]
    fn eigenvalues_of_a_known_matrix_are_found() {
        let mut found = eigenvalues(vec![vec![2.0, 1.0], vec![1.0, 2.0]]);
        found.sort_by(f64::total_cmp);
        assert!((found[0] - 1.0).abs() < 1e-12 && (found[1] - 3.0).abs() < 1e-12, "{found:?}");
    }
}
