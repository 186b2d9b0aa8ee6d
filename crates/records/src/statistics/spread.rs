//! Mean and spread.

use serde::Serialize;

/// Mean and spread of one score over seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// Arithmetic mean; NaN of no values.
    pub mean: f64,
    /// Standard deviation of the sample, with `n − 1`; NaN of fewer than two values.
    pub standard_deviation: f64,
}

impl Spread {
    /// Mean and spread of `values`.
    pub fn of(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let standard_deviation =
            if values.len() < 2 { f64::NAN } else { (squares / (n - 1.0)).sqrt() };
        Self { mean, standard_deviation }
    }
}

/// Standard error of the mean of `values`, `s / √n`; NaN of fewer than two.
pub fn standard_error(values: &[f64]) -> f64 {
    Spread::of(values).standard_deviation / (values.len() as f64).sqrt()
}

/// The values that are finite: those that are not are scores of trainings that diverged.
pub fn finite(values: &[f64]) -> Vec<f64> {
    values.iter().copied().filter(|value| value.is_finite()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
    }

    #[test]
    fn mean_and_spread_are_those_of_a_sample() {
        let spread = Spread::of(&[1.0, 2.0, 6.0]);
        // Deviations −2, −1, 3: squares 14, divided by 2.
        close(spread.mean, 3.0);
        close(spread.standard_deviation, 7.0_f64.sqrt());
        assert!(Spread::of(&[5.0]).standard_deviation.is_nan());
        assert!(Spread::of(&[]).mean.is_nan());
    }

    #[test]
    fn the_standard_error_is_that_of_the_mean() {
        // Standard deviation 0.5 over √3.
        close(standard_error(&[0.5, 1.0, 1.5]), 0.5 / 3.0_f64.sqrt());
        assert!(standard_error(&[5.0]).is_nan() && standard_error(&[]).is_nan());
    }
}
