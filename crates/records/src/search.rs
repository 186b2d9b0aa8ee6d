//! What a search for settings came to: `search.json`.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::number::{ABSENT, bare_percent, percent};
use crate::origin::Origin;
use crate::statistics::Spread;

/// Every trial of a search, and the one that was chosen.
#[derive(Clone, Debug, Serialize)]
pub struct SearchRecord {
    /// The data set.
    pub dataset: String,
    /// The model of the recipe that the trials change.
    pub model: String,
    /// How points were chosen.
    pub sampler: String,
    /// Which runs were stopped early.
    pub pruning: String,
    /// The views of each image that validation and test are scored by, unless a trial says otherwise; `None` for one
    /// look at each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tta: Option<String>,
    /// Seeds of every trial.
    pub seeds: Vec<u64>,
    /// Rounds, each in the range of the best trials before it.
    pub rounds: usize,
    /// What was varied.
    pub vary: Vec<VariedRecord>,
    /// Every trial, in order.
    pub trials: Vec<TrialRecord>,
    /// The trial with the highest validation accuracy; `None` if none came to its end.
    pub winner: Option<WinnerRecord>,
    /// The command of the search.
    pub command: Vec<String>,
    /// Where it comes from.
    pub origin: Origin,
}

/// A setting, and what it was varied over.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VariedRecord {
    /// Name.
    pub setting: String,
    /// The values.
    #[serde(flatten)]
    pub range: VariedRange,
}

/// What a setting was varied over.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum VariedRange {
    /// Numbers between two others.
    Linear {
        /// The lowest.
        low: f64,
        /// The highest.
        high: f64,
    },
    /// Positive numbers between two others, equal ratios equally likely.
    Log {
        /// The lowest.
        low: f64,
        /// The highest.
        high: f64,
    },
    /// Some values.
    Choice {
        /// The values, as text.
        values: Vec<String>,
    },
}

/// A trial.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrialRecord {
    /// Number, counted from 1 over all rounds.
    pub number: usize,
    /// Round, counted from 1.
    pub round: usize,
    /// What it tried, by setting.
    pub values: BTreeMap<String, Value>,
    /// How it ended.
    pub end: TrialEndRecord,
    /// Accuracy on validation images, in `[0, 1]`, with the selected weights: mean over the seeds. Of a trial that was
    /// stopped early, the highest until then.
    pub valid_accuracy: Option<f64>,
    /// The same by seed.
    pub by_seed: Vec<f64>,
    /// Epochs that were trained, of all seeds together.
    pub epochs: usize,
    /// Why it has no score, or where it was stopped.
    pub reason: Option<String>,
    /// Its folder, inside that of the search.
    pub folder: String,
}

impl TrialRecord {
    /// What it tried of a setting, as text.
    pub fn value(&self, setting: &str) -> String {
        self.values.get(setting).map_or(ABSENT.to_owned(), value_text)
    }
}

/// How a trial ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrialEndRecord {
    /// By itself.
    Scored,
    /// It was stopped early, since it would hardly be the best.
    Pruned,
    /// Its loss was not finite.
    Diverged,
    /// What it asked for does not go with the data.
    Refused,
}

impl TrialEndRecord {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scored => "scored",
            Self::Pruned => "pruned",
            Self::Diverged => "diverged",
            Self::Refused => "left out",
        }
    }
}

/// The trial that was chosen, by validation alone.
#[derive(Clone, Debug, Serialize)]
pub struct WinnerRecord {
    /// Number of the trial.
    pub number: usize,
    /// Accuracy on validation images, over its seeds: the highest of all trials.
    pub valid_accuracy: Spread,
    /// Accuracy on the test split, over its seeds: looked at after it had been chosen.
    pub test_accuracy: Spread,
    /// The command that trains it, with its first seed.
    pub command: Vec<String>,
}

/// What the winner's scores say, and what they do not.
pub const CAUTION: &str = "The winner was chosen by validation accuracy, so that its own is the \
    highest of many and too good. Its test accuracy played no part in the choice: an estimate, as \
    far as the test images go; whoever searches on after having seen it chooses by the test split \
    too.";

impl SearchRecord {
    /// The trials that came to their end, the best first; of equals the earlier one.
    pub fn ranked(&self) -> Vec<&TrialRecord> {
        let scored = self.trials.iter().filter(|trial| trial.end == TrialEndRecord::Scored);
        let mut ranked: Vec<&TrialRecord> = scored.collect();
        let accuracy = |trial: &TrialRecord| trial.valid_accuracy.unwrap_or(f64::NEG_INFINITY);
        ranked.sort_by(|a, b| accuracy(b).total_cmp(&accuracy(a)));
        ranked
    }

    /// The highest accuracy so far after each trial, from the first one that came to its end.
    pub fn best_so_far(&self) -> Vec<(usize, f64)> {
        let mut best: Option<f64> = None;
        let mut line = Vec::new();
        for trial in &self.trials {
            if let (TrialEndRecord::Scored, Some(accuracy)) = (trial.end, trial.valid_accuracy) {
                best = Some(best.map_or(accuracy, |best| best.max(accuracy)));
            }
            line.extend(best.map(|best| (trial.number, best)));
        }
        line
    }

    /// How many trials ended in a way.
    pub fn count(&self, end: TrialEndRecord) -> usize {
        self.trials.iter().filter(|trial| trial.end == end).count()
    }

    /// How many trials ended how, in words: `30 trials: 21 scored, 8 pruned, 1 diverged`.
    pub fn tally(&self) -> String {
        let ends = [
            TrialEndRecord::Scored,
            TrialEndRecord::Pruned,
            TrialEndRecord::Diverged,
            TrialEndRecord::Refused,
        ];
        let counted = ends.map(|end| (self.count(end), end.name()));
        let counted = counted.into_iter().filter(|(count, _)| *count > 0);
        let counted: Vec<String> = counted.map(|(count, name)| format!("{count} {name}")).collect();
        match self.trials.len() {
            1 => format!("1 trial: {}", counted.join(", ")),
            trials => format!("{trials} trials: {}", counted.join(", ")),
        }
    }

    /// `1`, or `1 to 3`.
    pub fn seeds_named(&self) -> String {
        match self.seeds.as_slice() {
            [] => String::new(),
            [one] => one.to_string(),
            [first, .., last] => format!("{first} to {last}"),
        }
    }
}

/// A value as text: numbers without superfluous digits, words without quotes.
pub fn value_text(value: &Value) -> String {
    match (value, value.as_f64()) {
        (Value::String(text), _) => text.clone(),
        (_, Some(number)) => number.to_string(),
        (other, None) => other.to_string(),
    }
}

/// Mean and spread of fractions in percent: `94.20 ± 0.31 %`, or of one `94.20 %`.
pub fn percent_spread(spread: Spread) -> String {
    match spread.standard_deviation.is_finite() {
        true => {
            let [mean, deviation] = [spread.mean, spread.standard_deviation].map(bare_percent);
            format!("{mean} ± {deviation} %")
        }
        false => percent(spread.mean),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn the_best_so_far_never_falls_and_passes_over_what_was_stopped() {
        let mut search = sample::search();
        // Stopped where it was higher than any that came to its end.
        search.trials[3].valid_accuracy = Some(1.0);
        let line = search.best_so_far();
        assert_eq!(line.len(), search.trials.len());
        assert!(line.windows(2).all(|pair| pair[0].1 <= pair[1].1), "{line:?}");
        let winner = search.winner.as_ref().unwrap();
        assert_eq!(search.ranked()[0].number, winner.number);
        assert_eq!(line.last().map(|last| last.1), search.ranked()[0].valid_accuracy);
    }

    #[test]
    fn trials_are_counted_by_their_end() {
        assert_eq!(sample::search().tally(), "24 trials: 17 scored, 6 pruned, 1 diverged");
    }

    #[test]
    fn values_are_short_and_spreads_are_of_several() {
        let values = [Value::from("adam"), 0.5.into(), 16.into(), 1e-5.into(), true.into()];
        assert_eq!(values.map(|it| value_text(&it)), ["adam", "0.5", "16", "0.00001", "true"]);
        assert_eq!(percent_spread(Spread::of(&[0.94, 0.95])), "94.50 ± 0.71 %");
        assert_eq!(percent_spread(Spread::of(&[0.94])), "94.00 %");
        assert_eq!(percent_spread(Spread::of(&[])), ABSENT);
    }

    #[test]
    fn a_range_is_told_beside_its_setting() {
        let json = serde_json::to_value(&sample::search().vary).unwrap();
        assert_eq!(json[0]["setting"], "learning-rate");
        assert_eq!((&json[0]["kind"], &json[0]["low"]), (&"log".into(), &1e-4.into()));
        assert_eq!(json[1]["values"][1], "adam");
    }
}
