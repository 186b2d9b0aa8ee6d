//! How much two arms have in common.

use super::spread::Spread;

/// Pearson's correlation of two scores by seed, in `[−1, 1]`. Pairing by seed cuts the variance of a difference of
/// two arms with equal spread to `1 − correlation` of what it is without. NaN of fewer than two pairs, of lists that
/// differ in length, and if one has no spread.
pub fn correlation(first: &[f64], second: &[f64]) -> f64 {
    if first.len() != second.len() {
        return f64::NAN;
    }
    let [of_first, of_second] = [first, second].map(Spread::of);
    let product = |(a, b): (&f64, &f64)| (a - of_first.mean) * (b - of_second.mean);
    let products: f64 = first.iter().zip(second).map(product).sum();
    let spreads = of_first.standard_deviation * of_second.standard_deviation;
    let found = products / (first.len() as f64 - 1.0) / spreads;
    if found.is_finite() { found.clamp(-1.0, 1.0) } else { f64::NAN }
}

#[cfg(test)]
mod tests {
    use super::super::reference::{cases, close_to, number, numbers};
    use super::*;

    #[test]
    fn correlations_are_those_of_scipy() {
        for case in cases("correlation") {
            let found = correlation(&numbers(&case, "first"), &numbers(&case, "second"));
            close_to(found, number(&case, "r"), 1e-12);
        }
    }

    #[test]
    fn lines_correlate_fully_and_constants_not_at_all() {
        assert_eq!(correlation(&[1.0, 2.0, 4.0], &[-1.0, -2.0, -4.0]), -1.0);
        close_to(correlation(&[0.1, 0.2, 0.4], &[1.1, 1.2, 1.4]), 1.0, 1e-12);
        for (first, second) in [
            (vec![1.0, 1.0], vec![1.0, 2.0]),
            (vec![1.0], vec![2.0]),
            (vec![], vec![]),
            (vec![1.0, 2.0], vec![1.0, 2.0, 3.0]),
            (vec![1.0, f64::NAN], vec![1.0, 2.0]),
        ] {
            assert!(correlation(&first, &second).is_nan(), "{first:?} {second:?}");
        }
    }
}
