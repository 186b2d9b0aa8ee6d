//! Successive halving: at an eighth, a quarter and half of the epochs only the better half goes on.
//!
//! A run is compared with those that came to the same epoch before it, so that none waits for others: the asynchronous
//! form. The first runs have it easier.
//!
//! Li et al., [A system for massively parallel hyperparameter tuning](https://arxiv.org/abs/1810.05934), 2020, section
//! 3.2, with η = 2.

use crate::search::pruning::look::{Look, Pruner};

/// What the number of runs is divided by at each look.
const ETA: usize = 2;

/// Looks at a run.
const RUNGS: u32 = 3;

pub(super) const PRUNER: Pruner = Pruner {
    name: "halving",
    summary: "at an eighth, a quarter and half of the epochs, stops all but the better half",
    stops,
};

fn stops(look: &Look<'_>) -> bool {
    if !is_rung(look.epoch, look.epochs) {
        return false;
    }
    let better = look.others.iter().filter(|other| **other > look.score).count();
    // Of those that came here, this run among them, as many go on as a half has, rounded up.
    better >= (look.others.len() + 1).div_ceil(ETA)
}

/// Whether an epoch is the first that reaches one of the shares.
fn is_rung(epoch: usize, epochs: usize) -> bool {
    (1..=RUNGS).any(|rung| epoch == epochs.div_ceil(ETA.pow(rung)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_looked_at_three_times() {
        let rungs =
            |epochs| -> Vec<usize> { (1..epochs).filter(|it| is_rung(*it, epochs)).collect() };
        assert_eq!(rungs(80), [10, 20, 40]);
        assert_eq!(rungs(20), [3, 5, 10]);
        assert_eq!(rungs(4), [1, 2]);
        assert!(rungs(1).is_empty());
    }

    #[test]
    fn the_better_half_goes_on() {
        let stops = |score, others: &[f64]| stops(&Look { epoch: 4, epochs: 8, score, others });
        assert!(!stops(0.1, &[]));
        assert!(stops(0.1, &[0.2]));
        assert!(!stops(0.2, &[0.2]));
        assert!(!stops(0.5, &[0.9, 0.3]));
        assert!(stops(0.5, &[0.9, 0.6, 0.3]));
        assert!(!stops(0.5, &[0.9, 0.4, 0.3]));
    }
}
