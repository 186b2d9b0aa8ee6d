//! The scores that arms are compared by: one list, one row each.

use super::arm::ArmRun;
use crate::number::{ABSENT, decimals, signed_decimals};
use crate::statistics::{Better, Spread};
use crate::summary::Summary;

/// A score that arms are compared by.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    /// Its key in JSON, which studies name it by too: a field of [`Summary`] or of what it holds.
    pub key: &'static str,
    /// Name in a sentence.
    pub name: &'static str,
    /// Name in the head of a column, without the unit.
    pub short: &'static str,
    /// The same with the unit, in as little room as goes.
    pub head: &'static str,
    /// Unit of a value.
    pub unit: &'static str,
    /// Unit of a difference between two.
    pub difference_unit: &'static str,
    /// Which values are better; `None` where that cannot be said, so that there is no verdict.
    pub better: Option<Better>,
    /// Factor from the field to the unit.
    factor: f64,
    /// Decimals shown.
    places: usize,
    /// `None` if the run has not measured it.
    value: fn(&Summary) -> Option<f64>,
}

/// The key of the measure that decides unless a study names another.
pub const TEST_ACCURACY: &str = "test_accuracy";

/// The measure that decides unless a study names another.
pub(super) static DEFAULT_METRIC: Measure = TEST;

/// Every measure, one row each. Accuracies and the calibration error are in percent, the gap in percentage points, the
/// negative log-likelihood (NLL) in nats.
pub static MEASURES: [Measure; 8] = [
    Measure {
        key: "train_accuracy",
        name: "training accuracy",
        short: "train",
        head: "train %",
        better: None,
        value: |s| Some(s.train_accuracy),
        ..PERCENT
    },
    Measure {
        key: "valid_accuracy",
        name: "validation accuracy",
        short: "valid",
        head: "valid %",
        value: |s| s.valid_accuracy,
        ..PERCENT
    },
    TEST,
    Measure {
        key: "generalization_gap",
        name: "gap",
        short: "gap",
        head: "gap",
        unit: "points",
        better: Some(Better::Lower),
        value: |s| Some(s.generalization_gap),
        ..PERCENT
    },
    Measure {
        key: "test_loss",
        name: "test NLL",
        short: "NLL",
        head: "NLL",
        unit: "nats",
        difference_unit: "nats",
        better: Some(Better::Lower),
        factor: 1.0,
        places: 3,
        value: |s| Some(s.test_loss),
    },
    Measure {
        key: "test_ece",
        name: "test calibration error",
        short: "ECE",
        head: "ECE %",
        better: Some(Better::Lower),
        value: |s| Some(s.test_ece),
        ..PERCENT
    },
    Measure {
        key: "learnt_by_heart",
        name: "share of wrong labels learnt by heart",
        short: "by heart",
        head: "by heart %",
        better: Some(Better::Lower),
        value: |s| s.memorized.as_ref().map(|memorized| memorized.learnt_by_heart),
        ..PERCENT
    },
    // A network that learns nothing learns no wrong label by heart either: this tells the two apart.
    Measure {
        key: "clean_accuracy",
        name: "accuracy on training images of right labels",
        short: "clean",
        head: "clean %",
        better: None,
        value: |s| s.memorized.as_ref().map(|memorized| memorized.clean_accuracy),
        ..PERCENT
    },
];

const TEST: Measure = Measure {
    key: TEST_ACCURACY,
    name: "test accuracy",
    short: "test",
    head: "test %",
    value: |s| Some(s.test_accuracy),
    ..PERCENT
};

/// What scores in percent have in common.
const PERCENT: Measure = Measure {
    key: "",
    name: "",
    short: "",
    head: "",
    unit: "%",
    difference_unit: "points",
    better: Some(Better::Higher),
    factor: 100.0,
    places: 2,
    value: |_| None,
};

impl Measure {
    /// The measure of a key.
    ///
    /// # Errors
    ///
    /// If there is none, or none that can decide since neither side of it is better; names those there are.
    pub fn that_decides(key: &str) -> Result<&'static Self, String> {
        let deciding = || MEASURES.iter().filter(|measure| measure.better.is_some());
        deciding().find(|measure| measure.key == key).ok_or_else(|| {
            let known: Vec<&str> = deciding().map(|measure| measure.key).collect();
            format!("expected a score that decides, one of {}, found `{key}`", known.join(", "))
        })
    }

    /// The score of each run, in [`unit`](Self::unit); NaN of a run that has not measured it.
    pub fn values(&self, runs: &[ArmRun]) -> Vec<f64> {
        runs.iter().map(|run| self.of(run)).collect()
    }

    /// The score of a run, in [`unit`](Self::unit); NaN if it has not measured it.
    pub(super) fn of(&self, run: &ArmRun) -> f64 {
        self.factor * (self.value)(&run.summary).unwrap_or(f64::NAN)
    }

    /// Whether a run has measured it.
    pub(super) fn is_measured(&self, run: &ArmRun) -> bool {
        (self.value)(&run.summary).is_some()
    }

    /// Name and unit of a value: `test (%)`.
    pub fn with_unit(&self) -> String {
        format!("{} ({})", self.short, self.unit)
    }

    /// Name and unit of a difference: `test (points)`.
    pub fn with_difference_unit(&self) -> String {
        format!("{} ({})", self.short, self.difference_unit)
    }

    /// `94.54±0.41`; `—` of nothing. `around`: what stands around `±`.
    pub fn spread(&self, spread: Spread, around: &str) -> String {
        let Spread { mean, standard_deviation } = spread;
        self.with_error(self.plain(mean), standard_deviation, around)
    }

    /// `+1.23±0.20`: a difference and its standard error.
    pub fn difference(&self, difference: f64, error: f64, around: &str) -> String {
        self.with_error(self.signed(difference), error, around)
    }

    fn with_error(&self, text: String, error: f64, around: &str) -> String {
        if text == ABSENT || !error.is_finite() {
            return text;
        }
        format!("{text}{around}±{around}{}", decimals(error, self.places))
    }

    /// `94.54`; `—` of what is not finite.
    pub fn plain(&self, value: f64) -> String {
        if value.is_finite() { decimals(value, self.places) } else { ABSENT.into() }
    }

    /// `+1.23`; `—` of what is not finite.
    pub fn signed(&self, value: f64) -> String {
        signed_decimals(value, self.places)
    }

    /// `+1.00 points`.
    pub fn signed_with_unit(&self, value: f64) -> String {
        format!("{} {}", self.signed(value), self.difference_unit)
    }

    /// `+0.75 to +1.25`; `—` where there is no interval.
    pub fn interval(&self, interval: Option<(f64, f64)>) -> String {
        match interval.filter(|(low, high)| low.is_finite() && high.is_finite()) {
            Some((low, high)) => format!("{} to {}", self.signed(low), self.signed(high)),
            None => ABSENT.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_apart_and_those_that_cannot_decide_are_refused_by_name() {
        for (place, measure) in MEASURES.iter().enumerate() {
            assert!(!MEASURES[..place].iter().any(|other| other.key == measure.key));
            assert_eq!(Measure::that_decides(measure.key).is_ok(), measure.better.is_some());
        }
        assert_eq!(Measure::that_decides(TEST_ACCURACY).unwrap().name, "test accuracy");
        let error = Measure::that_decides("train_accuracy").unwrap_err();
        assert!(error.contains("valid_accuracy") && error.contains("`train_accuracy`"), "{error}");
    }

    #[test]
    fn numbers_have_their_measures_decimals_and_a_sign_where_they_are_differences() {
        let accuracy = Measure::that_decides(TEST_ACCURACY).unwrap();
        let loss = Measure::that_decides("test_loss").unwrap();
        let spread = Spread { mean: 94.5, standard_deviation: 0.41 };
        assert_eq!(accuracy.spread(spread, " "), "94.50 ± 0.41");
        let spread = Spread { mean: 0.1, standard_deviation: f64::NAN };
        assert_eq!(loss.spread(spread, " "), "0.100");
        assert_eq!(accuracy.difference(-1.0, 0.2, ""), "−1.00±0.20");
        assert_eq!(accuracy.interval(Some((-0.25, 1.0))), "−0.25 to +1.00");
        assert_eq!(accuracy.interval(Some((f64::NAN, 1.0))), ABSENT);
        assert_eq!(accuracy.spread(Spread::of(&[]), ""), ABSENT);
        assert_eq!(
            (accuracy.with_unit(), loss.with_unit()),
            ("test (%)".into(), "NLL (nats)".into())
        );
        assert_eq!(accuracy.with_difference_unit(), "test (points)");
    }
}
