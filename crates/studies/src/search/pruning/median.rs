//! The median rule: a run is stopped that is worse than half of the earlier ones were at the same epoch.
//!
//! Golovin et al., [Google Vizier: a service for black-box optimization](https://doi.org/10.1145/3097983.3098043),
//! 2017, section 3.2.2; here with the best score so far of the others too, in place of their running mean.

use crate::search::pruning::look::{Look, Pruner};

/// Fewer earlier runs say too little of a median.
const LEAST_OTHERS: usize = 4;

/// Share of the epochs that every run is given, since many a slow one is the best in the end.
const GRACE: f64 = 0.25;

pub(super) const PRUNER: Pruner = Pruner {
    name: "median",
    summary: "from a quarter of the epochs on, stops runs below the median of the earlier ones",
    stops,
};

fn stops(look: &Look<'_>) -> bool {
    if look.others.len() < LEAST_OTHERS || (look.epoch as f64) < GRACE * look.epochs as f64 {
        return false;
    }
    look.score < median(look.others)
}

/// The median of at least one value.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (half, last) = (sorted.len() / 2, sorted.len() - 1);
    let at = |place: usize| sorted.get(place).copied().unwrap_or(f64::NAN);
    (at(half) + at(last - half)) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_below_the_median_is_stopped_and_one_on_it_is_not() {
        let stops =
            |epoch, score, others: &[f64]| stops(&Look { epoch, epochs: 20, score, others });
        let others = [0.9, 0.5, 0.7, 0.6];
        assert!(stops(5, 0.64, &others));
        assert!(!stops(5, 0.65, &others));
        assert!(!stops(5, 0.7, &[0.9, 0.5, 0.7, 0.6, 0.8]));
        // Too early, too few.
        assert!(!stops(4, 0.1, &others));
        assert!(!stops(5, 0.1, &others[1..]));
    }
}
