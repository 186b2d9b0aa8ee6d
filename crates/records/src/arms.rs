//! Arms of a comparison: the same training with one thing changed, several seeds each.
//!
//! The first arm is what the others are compared with, seed by seed.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::number::{ABSENT, decimals};
use crate::origin::Origin;
use crate::record::Summary;
use crate::statistics::{Better, PairedDifference, Spread, Verdict, false_alarms};

/// Widest line of the terminal's tables, unless numbers are unusually long.
const WIDTH: usize = 80;

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
    /// Its seed.
    pub seed: u64,
    /// Its folder, relative to the comparison's, with `/`.
    pub folder: String,
    /// Its scores.
    pub summary: Summary,
    /// How often its test split was looked at.
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
    /// From the field to the unit of `head`.
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
    /// By [`Measure::key`], in the unit of [`Measure::head`]; empty without runs.
    pub scores: BTreeMap<&'static str, Score>,
}

/// One score of an arm.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Score {
    /// Over seeds.
    #[serde(flatten)]
    pub spread: Spread,
    /// From the first arm, by seed; `None` for that arm itself and where nothing is better.
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

    /// How often the test split of any run was looked at, at most.
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
            "Differences are taken seed by seed from {}; better or worse: more than 2 standard errors \
             on average, and the same sign in every seed; else the effect is unclear.",
            self.baseline()
        );
        let trust = match (self.seeds.len(), self.false_alarms) {
            (seeds, Some(share)) => format!(
                "{seeds} seeds are {}: without any effect, up to {:.0} % of these verdicts would be \
                 better or worse by chance alone, in each column.",
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
    pub(crate) fn spreads(&self, around: &str) -> Vec<String> {
        let cell = |measure: &Measure| {
            let score = self.scores.get(measure.key);
            score.map_or(ABSENT.into(), |score| measure.spread(score.spread, around))
        };
        MEASURES.iter().map(cell).collect()
    }

    /// Mean difference, standard error and verdict of a measure.
    pub(crate) fn difference(&self, measure: &Measure, around: &str) -> Option<(String, Verdict)> {
        let difference = self.scores.get(measure.key)?.difference.as_ref()?;
        Some((measure.difference(difference, around), difference.verdict))
    }
}

/// The measures whose differences a terminal has room for.
const TERMINAL_DIFFERENCES: [&str; 3] = ["test_accuracy", "generalization_gap", "test_ece"];

/// The arms as two tables for a terminal of 80 columns, scores and differences, with the rule behind
/// the verdicts and the arms that were left out.
pub fn arms_table(comparison: &ArmsComparison) -> String {
    let mut scores =
        vec![[vec!["arm".to_owned()], MEASURES.iter().map(|m| m.head.into()).collect()].concat()];
    for arm in comparison.measured() {
        scores.push([vec![arm.arm.name.clone()], arm.spreads("")].concat());
    }
    let shown = || MEASURES.iter().filter(|measure| TERMINAL_DIFFERENCES.contains(&measure.key));
    let head = format!("against {}", comparison.baseline());
    let mut differences =
        vec![[vec![head], shown().map(|measure| measure.head.into()).collect()].concat()];
    for arm in comparison.measured().skip(1) {
        let cell = |measure| {
            arm.difference(measure, "").map_or(ABSENT.into(), |(difference, verdict)| {
                format!("{difference} {:<7}", verdict.name())
            })
        };
        differences.push([vec![arm.arm.name.clone()], shown().map(cell).collect()].concat());
    }
    let mut text = aligned(&scores) + "\n";
    if differences.len() > 1 {
        text += &(aligned(&differences) + "\n");
    }
    let seeds = comparison.seeds_named();
    let mut notes = vec![format!(
        "Seed {seeds}. Scores: mean ± standard deviation; differences: mean ± standard error. Gap: \
         training minus test accuracy in points; NLL: test loss in nats."
    )];
    notes.extend(comparison.rule());
    let absent =
        comparison.arms.iter().filter_map(|arm| Some((&arm.arm, arm.arm.absent.as_ref()?)));
    notes.extend(absent.map(|(arm, reason)| format!("Left out: {}: {reason}", arm.name)));
    text + &notes.iter().map(|note| wrapped(note)).collect::<String>()
}

/// Rows of cells, the first column to the left, the others to the right; closer together where they
/// would not fit otherwise.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let length =
        |row: &Vec<String>, column: usize| row.get(column).map_or(0, |cell| cell.chars().count());
    let width = |column: usize| rows.iter().map(|row| length(row, column)).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let all = |gap: usize| widths.iter().sum::<usize>() + gap * columns.saturating_sub(1);
    let gap = (1..=3).rev().find(|gap| all(*gap) <= WIDTH).unwrap_or(1);
    let line = |row: &Vec<String>| {
        let mut cells = row.iter().zip(&widths);
        let name = cells.next().map(|(name, width)| format!("{name:<width$}"));
        let mut line = name.unwrap_or_default();
        for (cell, width) in cells {
            line += &format!("{:gap$}{cell:>width$}", "");
        }
        line.trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

/// A paragraph in lines of at most 80 characters, if its words allow.
#[expect(clippy::expect_used, reason = "there is a line from the beginning")]
fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("never empty");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= WIDTH {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::sample;

    /// Three arms and one left out; `dropout` is better in accuracy, `decay` unclear.
    pub(crate) fn comparison() -> ArmsComparison {
        let arm = |name: &str, accuracies: &[f64], eces: &[f64]| {
            let run = |(seed, (accuracy, ece)): (u64, (&f64, &f64))| {
                let mut summary = sample::run().summary.unwrap();
                (summary.train_accuracy, summary.test_accuracy) = (1.0, *accuracy);
                (summary.generalization_gap, summary.test_ece) = (1.0 - accuracy, *ece);
                summary.test_loss = 2.0 * (1.0 - accuracy);
                ArmRun { seed, folder: format!("{name}/seed-{seed}"), summary, test_looks: 1 }
            };
            let words = ["cargo", "xtask", "train", "mnist", "--recipe", "small", "--name", name];
            Arm {
                name: name.into(),
                summary: format!("what {name} is"),
                command: words.map(String::from).into(),
                runs: (1..).zip(accuracies.iter().zip(eces)).map(run).collect(),
                absent: None,
            }
        };
        let mut depth = arm("stochastic-depth", &[], &[]);
        depth.absent = Some("`--stochastic-depth` does not apply to the model `cnn`".into());
        ArmsComparison::new(
            "regularizers",
            ["mnist", "cnn"],
            ["cargo", "xtask", "compare-regularizers"].map(String::from).into(),
            vec![1, 2, 3],
            vec![
                arm("none", &[0.940, 0.942, 0.944], &[0.020, 0.021, 0.022]),
                arm("dropout", &[0.950, 0.953, 0.953], &[0.025, 0.027, 0.026]),
                arm("decay", &[0.941, 0.940, 0.947], &[0.020, 0.022, 0.021]),
                depth,
            ],
            Origin::default(),
        )
    }

    #[test]
    fn differences_are_paired_by_seed_with_the_first_arm() {
        let comparison = comparison();
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
    fn the_table_fits_a_terminal_and_says_what_was_left_out_and_how_weak_it_is() {
        let table = arms_table(&comparison());
        assert!(table.lines().all(|line| line.chars().count() <= WIDTH), "{table}");
        let flat = table.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in [
            "none 100.00±0.00 94.20±0.20 5.80±0.20 0.116±0.004 2.10±0.10",
            "dropout +1.00±0.06 better −1.00±0.06 better +0.50±0.06 worse",
            "decay +0.07±0.15 unclear",
            "Left out: stochastic-depth: `--stochastic-depth` does not apply",
            "Seed 1 to 3.",
            "3 seeds are few: without any effect, up to 18 %",
        ] {
            assert!(flat.contains(part), "no `{part}` in:\n{table}");
        }
    }

    #[test]
    fn long_numbers_and_names_move_closer_together() {
        let mut comparison = comparison();
        comparison.arms[2].arm.name = "augmentation+ema+ls".into();
        for (key, score) in &mut comparison.arms[2].scores {
            let scale = if *key == "test_loss" { 0.1 } else { 1.0 };
            score.spread = Spread { mean: 45.12 * scale, standard_deviation: 10.41 * scale };
        }
        let table = arms_table(&comparison);
        assert!(table.lines().all(|line| line.chars().count() <= WIDTH), "{table}");
    }

    #[test]
    fn one_seed_shows_no_spread_and_says_so() {
        let mut arms: Vec<Arm> = comparison().arms.into_iter().map(|arm| arm.arm).collect();
        arms.iter_mut().for_each(|arm| arm.runs.truncate(1));
        let one = ArmsComparison::new(
            "regularizers",
            ["mnist", "cnn"],
            Vec::new(),
            vec![1],
            arms,
            Origin::default(),
        );
        let table = arms_table(&one);
        assert!(table.contains("94.00 ") && table.contains("+1.00 unclear"), "{table}");
        assert!(table.contains("One seed has no spread"), "{table}");
    }

    #[test]
    fn json_has_every_run_every_mean_and_every_difference() {
        let json = serde_json::to_value(comparison()).unwrap();
        let dropout = &json["arms"][1];
        assert_eq!(dropout["name"], "dropout");
        assert_eq!(dropout["runs"][2]["seed"], 3);
        assert_eq!(dropout["runs"][2]["summary"]["test_accuracy"], 0.953);
        assert!(dropout["scores"]["test_accuracy"]["standard_deviation"].is_number());
        assert_eq!(dropout["scores"]["test_accuracy"]["difference"]["verdict"], "better");
        assert!(json["arms"][3]["absent"].as_str().unwrap().contains("does not apply"));
    }
}
