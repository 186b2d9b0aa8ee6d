//! What is said of an arm.

use serde::Serialize;

use crate::statistics::Better;

/// Fewest seeds that anything is said of. Of two, Student's interval is 12.7 standard errors to either side.
pub const FEWEST_SEEDS: usize = 3;

/// What a measure says of an arm against the first one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum ArmVerdict {
    /// Better, and more than chance.
    #[serde(rename = "better")]
    Helps,
    /// Worse, and more than chance.
    #[serde(rename = "worse")]
    Hurts,
    /// What was found may be chance.
    #[serde(rename = "no-clear-effect")]
    NoEvidence,
    /// Nothing is said: fewer than [`FEWEST_SEEDS`].
    #[serde(rename = "too-few-seeds")]
    TooFewSeeds,
    /// Nothing is said: a score is not a number, as that of a loss that has no bound.
    #[serde(rename = "not-a-number")]
    NotANumber,
}

impl ArmVerdict {
    /// What a difference comes to whose p-value, corrected for the number of arms, is `p`; as many `seeds` were
    /// compared.
    pub(super) fn of(
        difference: f64,
        p: Option<f64>,
        seeds: usize,
        better: Better,
        level: f64,
    ) -> Self {
        if seeds < FEWEST_SEEDS {
            return Self::TooFewSeeds;
        }
        let Some(p) = p.filter(|p| p.is_finite() && difference.is_finite()) else {
            return Self::NotANumber;
        };
        match better {
            _ if p >= level || difference == 0.0 => Self::NoEvidence,
            Better::Higher if difference > 0.0 => Self::Helps,
            Better::Lower if difference < 0.0 => Self::Helps,
            _ => Self::Hurts,
        }
    }

    /// The verdict in a word or two.
    pub fn name(self) -> &'static str {
        match self {
            Self::Helps => "helps",
            Self::Hurts => "hurts",
            Self::NoEvidence => "no evidence",
            Self::TooFewSeeds | Self::NotANumber => "no verdict",
        }
    }

    /// The same of a measure that does not decide.
    pub fn aside(self) -> &'static str {
        match self {
            Self::Helps => "better",
            Self::Hurts => "worse",
            Self::NoEvidence => "unclear",
            Self::TooFewSeeds | Self::NotANumber => "no verdict",
        }
    }

    /// Whether something is said, be it that there is no evidence.
    pub fn is_given(self) -> bool {
        !matches!(self, Self::TooFewSeeds | Self::NotANumber)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_needs_a_small_p_and_knows_which_side_is_better() {
        let verdict = |difference, p, better| ArmVerdict::of(difference, Some(p), 10, better, 0.05);
        assert_eq!(verdict(1.0, 0.049, Better::Higher), ArmVerdict::Helps);
        assert_eq!(verdict(1.0, 0.05, Better::Higher), ArmVerdict::NoEvidence);
        assert_eq!(verdict(-1.0, 0.001, Better::Higher), ArmVerdict::Hurts);
        assert_eq!(verdict(-1.0, 0.001, Better::Lower), ArmVerdict::Helps);
        assert_eq!(verdict(1.0, 0.001, Better::Lower), ArmVerdict::Hurts);
    }

    #[test]
    fn below_three_seeds_and_of_what_is_no_number_nothing_is_said() {
        let verdict =
            |difference, p, seeds| ArmVerdict::of(difference, p, seeds, Better::Higher, 0.05);
        assert_eq!(verdict(1.0, Some(1e-9), 2), ArmVerdict::TooFewSeeds);
        assert_eq!(verdict(1.0, None, 0), ArmVerdict::TooFewSeeds);
        assert_eq!(verdict(f64::NAN, Some(0.01), 3), ArmVerdict::NotANumber);
        assert_eq!(verdict(1.0, None, 3), ArmVerdict::NotANumber);
        assert!(verdict(1.0, Some(0.4), 3).is_given() && !verdict(1.0, None, 3).is_given());
    }
}
