//! The paired t-test: whether the mean of differences by seed is more than chance.

use serde::Serialize;

use super::spread::{Spread, standard_error};
use super::student::{LEVEL, critical, farther_out};

/// A spread of less than this share of the largest value is what rounding leaves of none.
const ROUNDING: f64 = 1e-10;

/// Student's t-test of differences by seed against 0. Takes the differences to be independent and normally
/// distributed.
///
/// Equal differences have no spread, by which their mean is infinitely far from 0; of a few runs scored on a few
/// hundred images that is no rarity. All that they show is that so many seeds have one sign, so that `p` is what
/// that has by chance, `2^(1−n)`, and 1 if there is no difference at all; the interval is the mean itself.
///
/// "Student", [The probable error of a mean](https://doi.org/10.2307/2331554), 1908.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PairedT {
    /// Mean of the differences.
    pub difference: f64,
    /// Standard error of the mean, `s / √n`; 0 of equal differences.
    pub standard_error: f64,
    /// Degrees of freedom, `n − 1`.
    pub freedom: usize,
    /// `difference / standard_error`; of equal differences 0 or infinite.
    pub t: f64,
    /// Chance of a `|t|` as large or larger without any effect, in `[0, 1]`.
    pub p: f64,
    /// The interval that holds the true mean in 95 of 100 cases, from low to high.
    pub interval: (f64, f64),
}

impl PairedT {
    /// What `by_seed` says. `None` of fewer than two differences, and if one is not a number: a training that
    /// diverged is a result, and who leaves it out must say so.
    pub fn of(by_seed: &[f64]) -> Option<Self> {
        let freedom = by_seed.len().checked_sub(1).filter(|freedom| *freedom > 0)?;
        if by_seed.iter().any(|difference| !difference.is_finite()) {
            return None;
        }
        let difference = without_rounding(Spread::of(by_seed).mean, by_seed);
        let standard_error = without_rounding(standard_error(by_seed), by_seed);
        let mut test = Self {
            difference,
            standard_error,
            freedom,
            t: 0.0,
            p: 1.0,
            interval: (difference, difference),
        };
        test.t = test.distance_from(0.0);
        test.p = test.chance_of(test.t);
        test.interval = test.interval_at(LEVEL);
        Some(test)
    }

    /// The interval that holds the true mean but for a chance of `level`, in `(0, 1)`: 0.05 for 95 %.
    pub fn interval_at(&self, level: f64) -> (f64, f64) {
        let half = match self.standard_error {
            0.0 => 0.0,
            error => critical(level, self.freedom as f64) * error,
        };
        (self.difference - half, self.difference + half)
    }

    /// How many standard errors the mean lies above `value`; infinite without a spread.
    pub(super) fn distance_from(&self, value: f64) -> f64 {
        match self.difference - value {
            0.0 => 0.0,
            above => above / self.standard_error,
        }
    }

    /// Chance of a distance as large or larger, in both directions together, if `distance` is from the true mean.
    pub(super) fn chance_of(&self, distance: f64) -> f64 {
        if distance.is_infinite() {
            return 0.5_f64.powf(self.freedom as f64);
        }
        farther_out(distance, self.freedom as f64)
    }
}

/// 0 for what is as little as rounding.
fn without_rounding(value: f64, values: &[f64]) -> f64 {
    let largest = values.iter().fold(0.0_f64, |largest, one| largest.max(one.abs()));
    if value.abs() <= ROUNDING * largest { 0.0 } else { value }
}

#[cfg(test)]
mod tests {
    use super::super::reference::{cases, close_to, number, numbers};
    use super::*;

    #[test]
    fn tests_and_intervals_are_those_of_scipy() {
        for case in cases("paired_t") {
            let test = PairedT::of(&numbers(&case, "by_seed")).unwrap();
            close_to(test.difference, number(&case, "mean"), 1e-12);
            close_to(test.standard_error, number(&case, "standard_error"), 1e-12);
            close_to(test.freedom as f64, number(&case, "freedom"), 0.0);
            close_to(test.t, number(&case, "t"), 1e-9);
            close_to(test.p, number(&case, "p"), 1e-9 * test.p);
            let (low, high) = test.interval;
            close_to(low, number(&case, "low"), 1e-9);
            close_to(high, number(&case, "high"), 1e-9);
        }
    }

    #[test]
    fn an_interval_leaves_out_zero_where_p_is_below_its_level() {
        let test = PairedT::of(&[0.4, 0.1, 0.9, -0.2, 0.7]).unwrap();
        for level in [1e-4, 0.01, 0.05, 0.2, 0.5, 0.9] {
            let (low, high) = test.interval_at(level);
            assert_eq!(low > 0.0 || high < 0.0, test.p < level, "{level}: {test:?}");
        }
    }

    #[test]
    fn equal_differences_are_as_rare_as_equal_signs() {
        // As differences of scores, whose last digits differ.
        let scores = [(0.953, 0.943), (0.963, 0.953), (0.913, 0.903)];
        let test = PairedT::of(&scores.map(|(a, b)| a - b)).unwrap();
        assert_eq!((test.t, test.p), (f64::INFINITY, 0.25));
        assert_eq!(test.interval, (test.difference, test.difference));
        let none = PairedT::of(&[0.0; 8]).unwrap();
        assert_eq!((none.t, none.p, none.interval), (0.0, 1.0, (0.0, 0.0)));
    }

    #[test]
    fn differences_that_cancel_but_for_rounding_are_none() {
        let test = PairedT::of(&[0.1 + 0.2, -0.3, 0.1, -0.1]).unwrap();
        assert_eq!((test.t, test.p), (0.0, 1.0));
    }

    #[test]
    fn too_little_and_what_is_no_number_say_nothing() {
        for by_seed in [vec![], vec![0.3], vec![0.3, f64::NAN, 0.1], vec![f64::INFINITY, 0.0]] {
            assert_eq!(PairedT::of(&by_seed), None, "{by_seed:?}");
        }
    }
}
