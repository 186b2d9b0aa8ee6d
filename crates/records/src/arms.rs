//! Arms of a comparison: the same training with one thing changed, several seeds each.
//!
//! The first arm is what the others are compared with, seed by seed.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::number::{ABSENT, decimals};
use crate::origin::Origin;
use crate::record::Summary;
use crate::statistics::{Basis, Better, PairedDifference, Spread, Verdict, false_alarms};

/// One arm and what its runs came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Arm {
    /// Short name, such as `dropout`.
    pub name: String,
    /// What it is, in one line.
    pub summary: String,
    /// The command line that repeats its first run, word by word.
    pub command: Vec<String>,
    /// Finished runs; either one of each seed, or none.
    pub runs: Vec<ArmRun>,
    /// Why there are no runs, if there are none.
    pub absent: Option<String>,
}

/// One run of an arm.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ArmRun {
    /// Seed of the run.
    pub seed: u64,
    /// Folder of the run, relative to the comparison's, with `/`.
    pub folder: String,
    /// Scores of the run.
    pub summary: Summary,
    /// How often its test split was accessed.
    pub test_looks: usize,
}

/// A score that arms are compared by.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    /// Field of [`Summary`].
    pub key: &'static str,
    /// Name with unit, for the head of a column.
    pub head: &'static str,
    /// Which values are better; `None` where that cannot be said, so that there is no verdict.
    pub better: Option<Better>,
    /// Factor from the field to the unit of `head`.
    factor: f64,
    /// Decimals shown.
    places: usize,
    value: fn(&Summary) -> f64,
}

/// Every measure, one row each. Accuracies and the calibration error are in percent, the gap in
/// percentage points, the negative log-likelihood (NLL) in nats.
pub static MEASURES: [Measure; 5] = [
    Measure {
        key: "train_accuracy",
        head: "train %",
        better: None,
        factor: 100.0,
        places: 2,
        value: |s| s.train_accuracy,
    },
    Measure {
        key: "test_accuracy",
        head: "test %",
        better: Some(Better::Higher),
        factor: 100.0,
        places: 2,
        value: |s| s.test_accuracy,
    },
    Measure {
        key: "generalization_gap",
        head: "gap",
        better: Some(Better::Lower),
        factor: 100.0,
        places: 2,
        value: |s| s.generalization_gap,
    },
    Measure {
        key: "test_loss",
        head: "NLL",
        better: Some(Better::Lower),
        factor: 1.0,
        places: 3,
        value: |s| s.test_loss,
    },
    Measure {
        key: "test_ece",
        head: "ECE %",
        better: Some(Better::Lower),
        factor: 100.0,
        places: 2,
        value: |s| s.test_ece,
    },
];

impl Measure {
    /// The score of each run, in the unit of `head`.
    pub fn values(&self, runs: &[ArmRun]) -> Vec<f64> {
        runs.iter().map(|run| self.factor * (self.value)(&run.summary)).collect()
    }

    /// `94.54±0.41`, or `—` without runs.
    fn spread(&self, spread: Spread, around: &str) -> String {
        self.pair(spread.mean, spread.standard_deviation, "", around)
    }

    /// `+1.23±0.20`.
    fn difference(&self, difference: &PairedDifference, around: &str) -> String {
        let plus = if decimals(difference.mean, self.places).starts_with('−') { "" } else { "+" };
        self.pair(difference.mean, difference.standard_error, plus, around)
    }

    fn pair(&self, value: f64, error: f64, sign: &str, around: &str) -> String {
        if !value.is_finite() {
            return ABSENT.into();
        }
        let text = format!("{sign}{}", decimals(value, self.places));
        if !error.is_finite() {
            return text;
        }
        format!("{text}{around}±{around}{}", decimals(error, self.places))
    }
}

/// Several arms, compared with the first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ArmsComparison {
    /// What the arms differ in, in the plural, such as `regularizers`.
    pub subject: String,
    /// Name of the data set.
    pub dataset: String,
    /// Name of the model.
    pub model: String,
    /// The command line of the comparison, word by word.
    pub command: Vec<String>,
    /// Every arm was run with each of these.
    pub seeds: Vec<u64>,
    /// How often, at most, an arm without any effect is called better or worse in one score.
    pub false_alarms: Option<f64>,
    /// The arms, the one that the others are compared with first.
    pub arms: Vec<ComparedArm>,
    /// Where all of it comes from.
    pub origin: Origin,
}

/// An arm with its scores.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ComparedArm {
    /// The arm.
    #[serde(flatten)]
    pub arm: Arm,
    /// Scores by [`Measure::key`], in the unit of [`Measure::head`]; empty without runs.
    pub scores: BTreeMap<&'static str, Score>,
}

/// One score of an arm.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Score {
    /// Mean and standard deviation over seeds.
    #[serde(flatten)]
    pub spread: Spread,
    /// Difference from the first arm, by seed; `None` for that arm itself and where nothing is
    /// better.
    pub difference: Option<PairedDifference>,
}

impl ArmsComparison {
    /// Compares `arms` with the first of them, which must have runs. `command`: the command line, word
    /// by word.
    pub fn new(
        subject: &str,
        [dataset, model]: [&str; 2],
        command: Vec<String>,
        seeds: Vec<u64>,
        arms: Vec<Arm>,
        origin: Origin,
    ) -> Self {
        let baseline = arms.first().map_or(Vec::new(), |first| first.runs.clone());
        let compare = |(place, arm): (usize, Arm)| {
            let scores = MEASURES.iter().filter(|_| !arm.runs.is_empty()).map(|measure| {
                let values = measure.values(&arm.runs);
                let of_baseline = measure.values(&baseline);
                let difference = measure.better.filter(|_| place > 0).map(|better| {
                    let by_seed = values.iter().zip(&of_baseline).map(|(a, b)| a - b).collect();
                    PairedDifference::of(by_seed, better)
                });
                (measure.key, Score { spread: Spread::of(&values), difference })
            });
            ComparedArm { scores: scores.collect(), arm }
        };
        Self {
            subject: subject.into(),
            dataset: dataset.into(),
            model: model.into(),
            command,
            false_alarms: false_alarms(seeds.len()),
            seeds,
            arms: arms.into_iter().enumerate().map(compare).collect(),
            origin,
        }
    }

    /// How often the test split of any run was accessed, at most.
    pub fn test_looks(&self) -> usize {
        let runs = self.arms.iter().flat_map(|arm| &arm.arm.runs);
        runs.map(|run| run.test_looks).max().unwrap_or(0)
    }

    /// Arms that have runs.
    pub fn measured(&self) -> impl Iterator<Item = &ComparedArm> {
        self.arms.iter().filter(|arm| !arm.arm.runs.is_empty())
    }

    /// Name of the arm that the others are compared with.
    pub fn baseline(&self) -> &str {
        self.arms.first().map_or(ABSENT, |first| &first.arm.name)
    }

    /// Names of the arms that a measure calls so.
    pub fn with_verdict(&self, key: &str, verdict: Verdict) -> Vec<&str> {
        let matches = |arm: &&ComparedArm| arm.verdict(key) == Some(verdict);
        self.measured().filter(matches).map(|arm| arm.arm.name.as_str()).collect()
    }

    /// How a verdict is come to, and how far it can be trusted.
    pub fn rule(&self) -> [String; 2] {
        let rule = format!(
            "Differences are taken seed by seed from {}; better or worse: {}; else the effect is \
             unclear.",
            self.baseline(),
            Basis::SeedsOfOneSign.rule()
        );
        let trust = match (self.seeds.len(), self.false_alarms) {
            (seeds, Some(share)) => format!(
                "{seeds} seeds are {}: without any effect, up to {:.0} % of these verdicts would \
                 be better or worse by chance alone, in each column.",
                if seeds < 10 { "few" } else { "still a sample" },
                100.0 * share
            ),
            _ => "One seed has no spread: nothing can be said about any difference.".into(),
        };
        [rule, trust]
    }

    /// The seeds in words: `1 to 3`.
    pub fn seeds_named(&self) -> String {
        match self.seeds.as_slice() {
            [first, .., last] => format!("{first} to {last}"),
            [only] => only.to_string(),
            [] => ABSENT.into(),
        }
    }
}

impl ComparedArm {
    /// What a measure says, if it says anything.
    pub fn verdict(&self, key: &str) -> Option<Verdict> {
        Some(self.scores.get(key)?.difference.as_ref()?.verdict)
    }

    /// Mean and standard deviation of every measure. `around`: what stands around `±`.
    pub fn spreads(&self, around: &str) -> Vec<String> {
        let cell = |measure: &Measure| {
            let score = self.scores.get(measure.key);
            score.map_or(ABSENT.into(), |score| measure.spread(score.spread, around))
        };
        MEASURES.iter().map(cell).collect()
    }

    /// Mean difference, standard error and verdict of a measure.
    pub fn difference(&self, measure: &Measure, around: &str) -> Option<(String, Verdict)> {
        let difference = self.scores.get(measure.key)?.difference.as_ref()?;
        Some((measure.difference(difference, around), difference.verdict))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn differences_are_paired_by_seed_with_the_first_arm() {
        let comparison = sample::arms();
        let dropout = &comparison.arms[1].scores["test_accuracy"];
        let difference = dropout.difference.as_ref().unwrap();
        // 1.0, 1.1 and 0.9 points; standard deviation 0.1, so the error is 0.1 / √3.
        assert!((difference.mean - 1.0).abs() < 1e-9);
        assert!((difference.standard_error - 0.1 / 3.0_f64.sqrt()).abs() < 1e-9);
        assert!((dropout.spread.mean - 95.2).abs() < 1e-9);
        assert_eq!(difference.verdict, Verdict::Better);
        // Better in accuracy and gap, worse in calibration: each is judged for itself.
        assert_eq!(comparison.arms[1].verdict("generalization_gap"), Some(Verdict::Better));
        assert_eq!(comparison.arms[1].verdict("test_ece"), Some(Verdict::Worse));
        // +0.1, −0.2 and +0.3 points.
        assert_eq!(comparison.arms[2].verdict("test_accuracy"), Some(Verdict::NoClearEffect));
        assert_eq!(comparison.arms[0].verdict("test_accuracy"), None);
        assert_eq!(comparison.arms[1].verdict("train_accuracy"), None);
        assert_eq!(comparison.with_verdict("test_accuracy", Verdict::Better), ["dropout"]);
    }

    #[test]
    fn the_rule_is_that_of_the_verdicts() {
        let [rule, _] = sample::arms().rule();
        assert_eq!(
            rule,
            "Differences are taken seed by seed from none; better or worse: more than 2 standard \
             errors on average, and the same sign in every seed; else the effect is unclear."
        );
    }

    #[test]
    fn json_has_every_run_every_mean_and_every_difference() {
        let json = serde_json::to_value(sample::arms()).unwrap();
        let dropout = &json["arms"][1];
        assert_eq!(dropout["name"], "dropout");
        assert_eq!(dropout["runs"][2]["seed"], 3);
        assert_eq!(dropout["runs"][2]["summary"]["test_accuracy"], 0.953);
        assert!(dropout["scores"]["test_accuracy"]["standard_deviation"].is_number());
        assert_eq!(dropout["scores"]["test_accuracy"]["difference"]["verdict"], "better");
        assert!(json["arms"][3]["absent"].as_str().unwrap().contains("does not apply"));
    }
}
