//! What the runs of an arm took.

use serde::Serialize;

use crate::statistics::Spread;

/// Time of training, and what it is against the first arm's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Cost {
    /// Mean and standard deviation of the wall clock of a training with its validation, in seconds.
    pub seconds: Spread,
    /// How many times as long as the first arm's: the geometric mean of the ratios by seed. `None` for that arm itself
    /// and where a time is not known.
    pub ratio: Option<f64>,
}

impl Cost {
    /// Of the seconds of all runs and, but for the first arm, of those that the first arm has the seeds of, with that
    /// one's. `None` if a run has not been timed.
    pub(super) fn of(seconds: &[f64], pairs: Option<[&[f64]; 2]>) -> Option<Self> {
        let seconds = Spread::of(seconds);
        let ratio = pairs.map(|[arm, first]| {
            let logs = arm.iter().zip(first).map(|(arm, first)| (arm / first).ln());
            Spread::of(&logs.collect::<Vec<_>>()).mean.exp()
        });
        let ratio = ratio.filter(|ratio| ratio.is_finite() && *ratio > 0.0);
        seconds.mean.is_finite().then_some(Self { seconds, ratio })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_by_seed_so_that_a_slow_hour_counts_for_both_arms() {
        let cost = Cost::of(&[2.0, 20.0], Some([&[2.0, 20.0], &[1.0, 10.0]])).unwrap();
        assert!((cost.ratio.unwrap() - 2.0).abs() < 1e-12);
        assert!((cost.seconds.mean - 11.0).abs() < 1e-12);
        // Twice as long and half as long is as long.
        let cost = Cost::of(&[2.0, 1.0], Some([&[2.0, 1.0], &[1.0, 2.0]])).unwrap();
        assert!((cost.ratio.unwrap() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_time_that_is_not_known_has_no_ratio() {
        assert_eq!(Cost::of(&[f64::NAN], None), None);
        assert_eq!(Cost::of(&[], None), None);
        assert_eq!(Cost::of(&[1.0], None).unwrap().ratio, None);
        assert_eq!(Cost::of(&[1.0], Some([&[1.0], &[0.0]])).unwrap().ratio, None);
        assert_eq!(Cost::of(&[0.0], Some([&[0.0], &[1.0]])).unwrap().ratio, None);
    }
}
