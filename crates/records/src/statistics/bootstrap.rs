//! An interval for a mean that takes no distribution for granted.

use statrs::distribution::{ContinuousCDF, Normal};

use super::draws::Draws;
use super::spread::Spread;
use super::student::LEVEL;

/// Fewer values than this are drawn again from too few.
const LEAST: usize = 10;

/// How often the values are drawn again.
const RESAMPLES: usize = 10_000;

/// Seed of what is drawn.
const SEED: u64 = 1987;

/// The interval that holds the mean of `values` in 95 of 100 cases, from low to high, by the bootstrap: quantiles of
/// the means of 10,000 samples that are drawn from the values with replacement, by a fixed seed; corrected for bias and
/// for the spread's dependence on the mean (BCa).
///
/// `None` of fewer than ten values, where it is too narrow, if one is not a number, and of equal values.
///
/// Efron, [Better bootstrap confidence intervals](https://doi.org/10.1080/01621459.1987.10478410), 1987.
pub fn bootstrap_interval(values: &[f64]) -> Option<(f64, f64)> {
    let Spread { mean, standard_deviation } = Spread::of(values);
    let has_spread = standard_deviation > f64::EPSILON * mean.abs();
    if values.len() < LEAST || !(has_spread && standard_deviation.is_finite()) {
        return None;
    }
    let mut draws = Draws::of(SEED);
    let n = values.len();
    let mut again = || {
        let drawn = (0..n).filter_map(|_| values.get(draws.below(n)));
        drawn.sum::<f64>() / n as f64
    };
    let mut means: Vec<f64> = (0..RESAMPLES).map(|_| again()).collect();
    means.sort_by(f64::total_cmp);
    let normal = Normal::standard();
    // Where the mean lies among the means drawn; those that equal it, but for rounding, count half.
    let rounding = 1e-10 * standard_deviation;
    let below = means.partition_point(|one| *one < mean - rounding);
    let up_to = means.partition_point(|one| *one <= mean + rounding);
    let bias = normal.inverse_cdf((below + up_to) as f64 / (2 * RESAMPLES) as f64);
    let acceleration = acceleration(values, mean);
    let corrected = |share: f64| {
        let distance = bias + normal.inverse_cdf(share);
        quantile(&means, normal.cdf(bias + distance / (1.0 - acceleration * distance)))
    };
    let (low, high) = (corrected(LEVEL / 2.0)?, corrected(1.0 - LEVEL / 2.0)?);
    (low.is_finite() && high.is_finite()).then_some((low, high))
}

/// How much the standard error changes with the mean: `Σd³ / (6 (Σd²)^1.5)` with `d` the deviations from the mean,
/// which are what leaving out one value at a time comes to.
fn acceleration(values: &[f64], mean: f64) -> f64 {
    let powers = |power| values.iter().map(|value| (value - mean).powi(power)).sum::<f64>();
    powers(3) / (6.0 * powers(2).powf(1.5))
}

/// The value below which this share of `sorted` lies, between two of them by a straight line.
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let place = share * (sorted.len() - 1) as f64;
    let (below, above) = (sorted.get(place as usize)?, sorted.get(place.ceil() as usize)?);
    Some(below + place.fract() * (above - below))
}

#[cfg(test)]
mod tests {
    use super::super::reference::{cases, close_to, number, numbers};
    use super::super::spread::standard_error;
    use super::*;

    #[test]
    fn intervals_are_those_of_scipy_but_for_what_is_drawn() {
        for case in cases("bootstrap") {
            let values = numbers(&case, "values");
            let (low, high) = bootstrap_interval(&values).unwrap();
            // Of 10,000 draws, a quantile at 2.5 % has a standard error of 0.027 of the mean's; scipy's are of a million.
            let allowed = 0.1 * standard_error(&values);
            close_to(low, number(&case, "low"), allowed);
            close_to(high, number(&case, "high"), allowed);
        }
    }

    #[test]
    fn an_interval_leans_to_the_longer_tail_and_moves_with_the_values() {
        let values = [0.1, 0.2, 0.2, 0.3, 0.3, 0.4, 0.5, 0.7, 1.2, 3.0];
        let mean = Spread::of(&values).mean;
        let (low, high) = bootstrap_interval(&values).unwrap();
        assert!(low < mean && mean < high && high - mean > 1.5 * (mean - low), "{low} {high}");
        let (moved_low, moved_high) = bootstrap_interval(&values.map(|it| it * 4.0 + 2.0)).unwrap();
        close_to(moved_low, 4.0 * low + 2.0, 1e-9);
        close_to(moved_high, 4.0 * high + 2.0, 1e-9);
    }

    #[test]
    fn few_equal_or_missing_values_have_none() {
        let nine: Vec<f64> = (0..9).map(f64::from).collect();
        let mut with_nan: Vec<f64> = (0..12).map(f64::from).collect();
        with_nan[3] = f64::NAN;
        for values in [vec![], nine, vec![0.1; 12], vec![0.0; 12], with_nan] {
            assert_eq!(bootstrap_interval(&values), None, "{values:?}");
        }
    }
}
