//! Whether what was measured agrees with what a source printed, by one stated rule.

use serde::Serialize;

use crate::statistics::Spread;

/// The rule, in words.
pub const RULE: &str = "Two values agree if their means differ by no more than the greater of a \
    floor and 3·√(s₁²/n₁ + s₂²/n₂), with standard deviations s over n runs. A single run has the \
    other side's standard deviation; where neither side has one, the floor alone decides. Networks \
    whose loss overflowed agree as “diverged”. One row in thirty may miss by chance.";

/// Whether so many rows that agree, of those that are compared, are as many as the [`RULE`] asks for: one
/// in thirty may miss, of fewer than thirty none.
pub fn is_enough(agreeing: usize, compared: usize) -> bool {
    compared - agreeing <= compared / 30
}

/// The least difference that counts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Floor {
    /// A share of the other value, as for losses.
    Share(f64),
    /// A number in the quantity's own unit, as for accuracies.
    Absolute(f64),
}

impl Floor {
    /// 15 %: losses.
    pub const LOSS: Self = Self::Share(0.15);
    /// 1.5 percentage points: accuracies and gaps, as fractions.
    pub const ACCURACY: Self = Self::Absolute(0.015);
}

/// What others measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Reference {
    /// Mean over runs; NaN if they diverged.
    pub mean: f64,
    /// Standard deviation over runs; NaN of a single one.
    pub standard_deviation: f64,
    /// Runs.
    pub runs: usize,
}

impl Reference {
    /// The mean and spread of several runs.
    pub const fn new(mean: f64, standard_deviation: f64, runs: usize) -> Self {
        Self { mean, standard_deviation, runs }
    }

    /// A number printed once.
    pub const fn single(value: f64) -> Self {
        Self::new(value, f64::NAN, 1)
    }
}

/// What the [`RULE`] says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Agreement {
    /// The difference is within the bound.
    Agrees,
    /// The difference is outside the bound.
    Disagrees,
    /// The values are not to be compared, for this reason.
    NotCompared(String),
}

impl Agreement {
    /// Compares `ours`, a value a run, with `reference`. Of networks that diverged, all must have.
    pub fn of(ours: &[f64], reference: Reference, floor: Floor) -> Self {
        let spread = Spread::of(ours);
        if !spread.mean.is_finite() || !reference.mean.is_finite() {
            let diverged = !ours.is_empty() && ours.iter().all(|value| !value.is_finite());
            let both = diverged && !reference.mean.is_finite();
            return if both { Self::Agrees } else { Self::Disagrees };
        }
        if (spread.mean - reference.mean).abs() <= Self::bound(ours, reference, floor) {
            Self::Agrees
        } else {
            Self::Disagrees
        }
    }

    /// The greatest difference of means that the [`RULE`] lets pass.
    fn bound(ours: &[f64], reference: Reference, floor: Floor) -> f64 {
        let floor = match floor {
            Floor::Share(share) => share * reference.mean.abs(),
            Floor::Absolute(value) => value,
        };
        let own = Spread::of(ours).standard_deviation;
        let theirs = reference.standard_deviation;
        let known = |s: f64, other: f64| if s.is_finite() { s } else { other };
        let variance = known(own, theirs).powi(2) / ours.len() as f64
            + known(theirs, own).powi(2) / reference.runs as f64;
        // NaN, where neither side has a spread, is no greater than the floor.
        floor.max(3.0 * variance.sqrt())
    }

    /// The verdict in a word or two.
    pub fn name(&self) -> &str {
        match self {
            Self::Agrees => "agrees",
            Self::Disagrees => "disagrees",
            Self::NotCompared(reason) => reason,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: [f64; 2] = [0.9, 1.1];

    #[test]
    fn differences_up_to_the_floor_agree_whatever_the_spread() {
        let of = |mean| Agreement::of(&[1.0, 1.0], Reference::new(mean, 0.0, 2), Floor::LOSS);
        assert_eq!(of(1.1), Agreement::Agrees);
        assert_eq!(of(1.2), Agreement::Disagrees);
    }

    #[test]
    fn a_wide_spread_lets_more_pass() {
        let bound = 3.0 * (0.02_f64 / 2.0 + 0.04 / 4.0).sqrt();
        let of = |difference: f64| {
            Agreement::of(&TWO, Reference::new(1.0 + difference, 0.2, 4), Floor::Absolute(0.0))
        };
        assert_eq!(of(bound - 1e-9), Agreement::Agrees);
        assert_eq!(of(bound + 1e-9), Agreement::Disagrees);
    }

    #[test]
    fn a_single_run_borrows_the_other_spread() {
        let bound = 3.0 * (0.02_f64 / 2.0 + 0.02).sqrt();
        let of = |difference: f64| {
            Agreement::of(&TWO, Reference::single(1.0 + difference), Floor::Absolute(0.0))
        };
        assert_eq!(of(bound - 1e-9), Agreement::Agrees);
        assert_eq!(of(bound + 1e-9), Agreement::Disagrees);
        let single = Agreement::of(&[1.0], Reference::single(1.2), Floor::Absolute(0.1));
        assert_eq!(single, Agreement::Disagrees, "only the floor is left");
    }

    #[test]
    fn one_row_in_thirty_may_miss() {
        assert!(is_enough(0, 0) && is_enough(6, 6));
        assert!(!is_enough(28, 29) && is_enough(29, 30) && !is_enough(28, 30));
        assert!(is_enough(58, 60) && !is_enough(57, 60));
    }

    #[test]
    fn what_diverged_agrees_with_what_diverged_only() {
        let nan = Reference::new(f64::NAN, f64::NAN, 10);
        assert_eq!(Agreement::of(&[f64::NAN], nan, Floor::LOSS), Agreement::Agrees);
        assert_eq!(Agreement::of(&[1.0], nan, Floor::LOSS), Agreement::Disagrees);
        assert_eq!(Agreement::of(&[1.0, f64::NAN], nan, Floor::LOSS), Agreement::Disagrees);
        assert_eq!(Agreement::of(&[], nan, Floor::LOSS), Agreement::Disagrees);
        let finite = Reference::single(1.0);
        assert_eq!(Agreement::of(&[f64::INFINITY], finite, Floor::LOSS), Agreement::Disagrees);
    }
}
