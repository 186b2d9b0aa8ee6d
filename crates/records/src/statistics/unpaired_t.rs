//! The unpaired t-test: what one can say of two arms without pairing them by seed.

use serde::Serialize;

use super::spread::Spread;
use super::student::{LEVEL, critical, farther_out};

/// Welch's t-test of the means of two samples whose variances may differ. Takes both to be normally distributed.
///
/// Welch, [The generalization of "Student's" problem when several different population variances are
/// involved](https://doi.org/10.1093/biomet/34.1-2.28), 1947.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct UnpairedT {
    /// Mean of the second less mean of the first.
    pub difference: f64,
    /// Standard error of that, `√(s₁²/n₁ + s₂²/n₂)`.
    pub standard_error: f64,
    /// Degrees of freedom by Welch and Satterthwaite, at least 1 and not always whole.
    pub freedom: f64,
    /// `difference / standard_error`.
    pub t: f64,
    /// Chance of a `|t|` as large or larger if the means are equal, in `[0, 1]`.
    pub p: f64,
    /// The interval that holds the true difference in 95 of 100 cases, from low to high.
    pub interval: (f64, f64),
}

impl UnpairedT {
    /// What two samples say. `None` if one has fewer than two values or a value that is not a number, and if neither
    /// has a spread.
    pub fn of(first: &[f64], second: &[f64]) -> Option<Self> {
        let [from, to] = [first, second].map(Spread::of);
        // Squared standard errors of both means, NaN of fewer than two values.
        let error = |spread: Spread, values: &[f64]| {
            spread.standard_deviation.powi(2) / values.len() as f64
        };
        let (a, b) = (error(from, first), error(to, second));
        if !(a + b > 0.0 && (a + b).is_finite()) {
            return None;
        }
        let share = |error: f64, values: &[f64]| error.powi(2) / (values.len() as f64 - 1.0);
        let freedom = (a + b).powi(2) / (share(a, first) + share(b, second));
        let (difference, standard_error) = (to.mean - from.mean, (a + b).sqrt());
        let t = difference / standard_error;
        let half = critical(LEVEL, freedom) * standard_error;
        Some(Self {
            difference,
            standard_error,
            freedom,
            t,
            p: farther_out(t, freedom),
            interval: (difference - half, difference + half),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::reference::{cases, close_to, number, numbers};
    use super::*;

    #[test]
    fn tests_and_intervals_are_those_of_scipy() {
        for case in cases("unpaired_t") {
            let (first, second) = (numbers(&case, "first"), numbers(&case, "second"));
            let test = UnpairedT::of(&first, &second).unwrap();
            close_to(test.freedom, number(&case, "freedom"), 1e-9);
            close_to(test.t, number(&case, "t"), 1e-9);
            close_to(test.p, number(&case, "p"), 1e-9);
            close_to(test.interval.0, number(&case, "low"), 1e-9);
            close_to(test.interval.1, number(&case, "high"), 1e-9);
        }
    }

    #[test]
    fn too_little_and_what_is_no_number_say_nothing() {
        let some = [0.1, 0.2, 0.4];
        for other in [vec![], vec![0.3], vec![0.3, f64::NAN], vec![f64::INFINITY, 0.0]] {
            assert_eq!(UnpairedT::of(&some, &other), None, "{other:?}");
            assert_eq!(UnpairedT::of(&other, &some), None, "{other:?}");
        }
        assert_eq!(UnpairedT::of(&[1.0, 1.0], &[2.0, 2.0]), None);
    }
}
