//! Student's t: how far a mean of a few values may be off.
//!
//! "Student", [The probable error of a mean](https://doi.org/10.2307/2331554), 1908.

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::spread::Spread;

/// What a test says "different" of by chance, in both directions together: 0.05, whose intervals are those of 95 %.
pub const LEVEL: f64 = 0.05;

/// The interval that holds the mean in 95 of 100 cases, by Student's t. Takes the values to be normally
/// distributed. `None` of fewer than two.
pub(super) fn interval(values: &[f64]) -> Option<(f64, f64)> {
    let Spread { mean, standard_deviation } = Spread::of(values);
    let freedom = values.len().checked_sub(1).filter(|freedom| *freedom > 0)?;
    let error = standard_deviation / (values.len() as f64).sqrt();
    let half = critical(LEVEL, freedom as f64) * error;
    Some((mean - half, mean + half))
}

/// `P(|t| > |distance|)` of Student's t with `freedom` degrees of freedom, above 0 and not always whole; NaN of
/// what is no number.
pub(super) fn farther_out(distance: f64, freedom: f64) -> f64 {
    if distance.is_nan() {
        return f64::NAN;
    }
    StudentsT::new(0.0, 1.0, freedom).map_or(f64::NAN, |t| 2.0 * t.cdf(-distance.abs()))
}

/// The distance that Student's t with `freedom` degrees of freedom goes beyond with a chance of `level`, in both
/// directions together: the other way round than [`farther_out`]. `level` in `(0, 1)`; NaN of another.
pub(super) fn critical(level: f64, freedom: f64) -> f64 {
    if !(level > 0.0 && level < 1.0) {
        return f64::NAN;
    }
    StudentsT::new(0.0, 1.0, freedom).map_or(f64::NAN, |t| -t.inverse_cdf(level / 2.0))
}

#[cfg(test)]
mod tests {
    use super::super::reference::{cases, close_to, number};
    use super::*;

    #[test]
    fn intervals_have_the_quantiles_of_students_t() {
        assert_eq!(interval(&[1.0]), None);
        // Printed tables: 12.706, 4.303 and 2.262 for 1, 2 and 9 degrees of freedom.
        for (values, quantile) in [
            (vec![0.0, 2.0], 12.706_204_736),
            (vec![1.0, 2.0, 6.0], 4.302_652_730),
            ((0..10).map(f64::from).collect(), 2.262_157_163),
        ] {
            let Spread { mean, standard_deviation } = Spread::of(&values);
            let half = quantile * standard_deviation / (values.len() as f64).sqrt();
            let (low, high) = interval(&values).unwrap();
            assert!((low - (mean - half)).abs() < 1e-8 && (high - (mean + half)).abs() < 1e-8);
        }
    }

    #[test]
    fn tails_and_quantiles_are_those_of_scipy() {
        for case in cases("student") {
            let (freedom, distance) = (number(&case, "freedom"), number(&case, "distance"));
            let level = number(&case, "farther_out");
            close_to(farther_out(distance, freedom), level, 1e-9 * level);
            close_to(farther_out(-distance, freedom), level, 1e-9 * level);
            close_to(critical(level, freedom), distance, 1e-8 * distance);
        }
    }

    #[test]
    fn without_a_distribution_there_is_no_number() {
        assert!(farther_out(f64::NAN, 3.0).is_nan() && farther_out(1.0, 0.0).is_nan());
        assert!(critical(0.0, 3.0).is_nan() && critical(f64::NAN, 3.0).is_nan());
        assert_eq!(farther_out(f64::INFINITY, 3.0), 0.0);
        assert_eq!(farther_out(0.0, 3.0), 1.0);
    }
}
