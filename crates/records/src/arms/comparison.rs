//! Arms and what is said of them: every measure beside the first arm's, seed by seed.

use std::collections::BTreeMap;

use serde::Serialize;

use super::arm::{Arm, ArmRun};
use super::cost::Cost;
use super::design::{SeedCount, SeedData};
use super::difference::{self, Difference};
use super::measure::{DEFAULT_METRIC, MEASURES, Measure};
use super::verdict::{ArmVerdict, FEWEST_SEEDS};
use crate::number::ABSENT;
use crate::origin::Origin;
use crate::statistics::Spread;
use crate::statistics::power::LEVEL;

/// What is compared, and how that came about: all that a comparison needs beside its arms.
#[derive(Clone, Debug)]
pub struct ComparisonOf {
    /// What the arms differ in, in the plural, such as `regularizers`.
    pub subject: String,
    /// Name of the data set.
    pub dataset: String,
    /// Name of the model.
    pub model: String,
    /// The command line of the comparison, word by word.
    pub command: Vec<String>,
    /// The seeds that every arm was to be run with.
    pub seeds: Vec<u64>,
    /// Which data each seed saw.
    pub data: SeedData,
    /// How the number of seeds came about.
    pub seed_count: SeedCount,
    /// The measure that decides; see [`Measure::that_decides`].
    pub metric: &'static Measure,
    /// Where all of it comes from.
    pub origin: Origin,
}

impl Default for ComparisonOf {
    /// Arms of nothing, with data drawn by seed, decided by test accuracy.
    fn default() -> Self {
        Self {
            subject: "arms".into(),
            dataset: String::new(),
            model: String::new(),
            command: Vec::new(),
            seeds: Vec::new(),
            data: SeedData::default(),
            seed_count: SeedCount::default(),
            metric: &DEFAULT_METRIC,
            origin: Origin::default(),
        }
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
    /// Every arm was to be run with each of these.
    pub seeds: Vec<u64>,
    /// Which data each seed saw.
    pub data: SeedData,
    /// How the number of seeds came about.
    pub seed_count: SeedCount,
    /// Key of the measure that decides; the others are shown beside it.
    pub metric: &'static str,
    /// What p, after Holm's correction over the arms, must be below for a verdict.
    pub level: f64,
    /// How often, at most, there is any arm without an effect that is called better or worse in one measure, over all
    /// looks. `None` of fewer than [`FEWEST_SEEDS`], of which nothing is said.
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
    /// Scores by [`Measure::key`], in the unit of the measure; empty without runs.
    pub scores: BTreeMap<&'static str, Score>,
    /// What its runs took; `None` if that is not known.
    pub cost: Option<Cost>,
    /// What the metric says of the arm, in a sentence; `None` of the first one, and without runs.
    pub sentence: Option<String>,
}

/// One score of an arm.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Score {
    /// Mean and standard deviation over seeds.
    #[serde(flatten)]
    pub spread: Spread,
    /// Difference from the first arm, by seed; `None` for that arm itself and where nothing is
    /// better.
    pub difference: Option<Difference>,
}

impl ArmsComparison {
    /// Compares `arms` with the first of them, which must have runs.
    pub fn new(of: ComparisonOf, arms: Vec<Arm>) -> Self {
        let ComparisonOf { subject, dataset, model, command, seeds, .. } = of;
        let level = of.seed_count.level();
        let arms: Vec<ComparedArm> = arms.into_iter().map(ComparedArm::without_scores).collect();
        let compared = arms.iter().skip(1).map(|arm| arm.arm.runs.len()).max();
        let mut comparison = Self {
            subject,
            dataset,
            model,
            command,
            seeds,
            data: of.data,
            seed_count: of.seed_count,
            metric: of.metric.key,
            level,
            false_alarms: compared.filter(|seeds| *seeds >= FEWEST_SEEDS).map(|_| LEVEL),
            arms,
            origin: of.origin,
        };
        comparison.score();
        comparison.say();
        comparison
    }

    fn score(&mut self) {
        let shown: Vec<&Measure> = self.measures().collect();
        let first = self.arms.first().map_or(Vec::new(), |first| first.arm.runs.clone());
        for (place, arm) in self.arms.iter_mut().enumerate() {
            if arm.arm.runs.is_empty() {
                continue;
            }
            let pairs = pairs(&arm.arm.runs, &first);
            let scores = shown.iter().map(|measure| {
                let spread = Spread::of(&measure.values(&arm.arm.runs));
                let difference = measure.better.filter(|_| place > 0).map(|_| {
                    let [arm, first] = by_seed(&pairs, |run| measure.of(run));
                    Difference::of(&arm, &first)
                });
                (measure.key, Score { spread, difference })
            });
            let seconds = |run: &ArmRun| run.summary.train_seconds;
            let all: Vec<f64> = arm.arm.runs.iter().map(seconds).collect();
            let [paired, of_first] = by_seed(&pairs, seconds);
            arm.cost =
                Cost::of(&all, (place > 0).then_some([paired.as_slice(), of_first.as_slice()]));
            arm.scores = scores.collect();
        }
        for measure in shown {
            let Some(better) = measure.better else { continue };
            let scores = self.arms.iter_mut().filter_map(|arm| arm.scores.get_mut(measure.key));
            let differences = scores.filter_map(|score| score.difference.as_mut());
            difference::judge(differences, better, self.level);
        }
    }

    /// The measures that a run has, in their order.
    pub fn measures(&self) -> impl Iterator<Item = &'static Measure> {
        let has = |measure: &&Measure| {
            let mut runs = self.arms.iter().flat_map(|arm| &arm.arm.runs);
            runs.any(|run| measure.is_measured(run))
        };
        MEASURES.iter().filter(has)
    }

    /// The measure that decides.
    pub fn metric(&self) -> &'static Measure {
        let named = MEASURES.iter().find(|measure| measure.key == self.metric);
        named.unwrap_or(&DEFAULT_METRIC)
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

    /// Arms that are compared with the first.
    pub fn compared(&self) -> impl Iterator<Item = &ComparedArm> {
        self.arms.iter().skip(1).filter(|arm| !arm.arm.runs.is_empty())
    }

    /// Arms that have no runs, each with the reason.
    pub fn left_out(&self) -> impl Iterator<Item = (&Arm, &str)> {
        self.arms.iter().filter_map(|arm| Some((&arm.arm, arm.arm.absent.as_deref()?)))
    }

    /// Name of the arm that the others are compared with.
    pub fn baseline(&self) -> &str {
        self.arms.first().map_or(ABSENT, |first| &first.arm.name)
    }

    /// Names of the arms that the metric calls so.
    pub fn with_verdict(&self, verdict: ArmVerdict) -> Vec<&str> {
        let matches = |arm: &&ComparedArm| arm.verdict(self.metric) == Some(verdict);
        self.compared().filter(matches).map(|arm| arm.arm.name.as_str()).collect()
    }
}

/// The runs of an arm beside those of the first arm with the same seeds.
fn pairs<'a>(runs: &'a [ArmRun], first: &'a [ArmRun]) -> Vec<(&'a ArmRun, &'a ArmRun)> {
    let other = |run: &ArmRun| first.iter().find(|other| other.seed == run.seed);
    runs.iter().filter_map(|run| Some((run, other(run)?))).collect()
}

/// A number of both runs of each pair.
fn by_seed(pairs: &[(&ArmRun, &ArmRun)], number: impl Fn(&ArmRun) -> f64) -> [Vec<f64>; 2] {
    let (arm, first) = pairs.iter().map(|(arm, first)| (number(arm), number(first))).unzip();
    [arm, first]
}

impl ComparedArm {
    fn without_scores(arm: Arm) -> Self {
        Self { arm, scores: BTreeMap::new(), cost: None, sentence: None }
    }

    /// What a measure says, if it says anything.
    pub fn verdict(&self, key: &str) -> Option<ArmVerdict> {
        Some(self.difference(key)?.verdict)
    }

    /// The difference of a measure from the first arm.
    pub fn difference(&self, key: &str) -> Option<&Difference> {
        self.scores.get(key)?.difference.as_ref()
    }

    /// Mean and standard deviation of a measure. `around`: what stands around `±`.
    pub fn spread(&self, measure: &Measure, around: &str) -> String {
        let score = self.scores.get(measure.key);
        score.map_or(ABSENT.into(), |score| measure.spread(score.spread, around))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-4, "{found} is not {expected}");
    }

    /// The sample's arms, compared anew after a change.
    fn compared(change: impl Fn(&mut Vec<Arm>), of: ComparisonOf) -> ArmsComparison {
        let mut arms = sample::arms().arms.into_iter().map(|arm| arm.arm).collect();
        change(&mut arms);
        ArmsComparison::new(of, arms)
    }

    #[test]
    fn differences_are_paired_by_seed_with_the_first_arm_and_corrected_for_the_number_of_arms() {
        let comparison = sample::arms();
        let dropout = &comparison.arms[1].scores["test_accuracy"];
        close(dropout.spread.mean, 95.2);
        let difference = dropout.difference.as_ref().unwrap();
        // 1.0, 1.1 and 0.9 points; standard deviation 0.1, so t is 10 √3 with 2 degrees of freedom, whose quantile
        // is 4.3027.
        close(difference.mean, 1.0);
        close(difference.standard_error, 0.1 / 3.0_f64.sqrt());
        close(difference.interval.unwrap().0, 1.0 - 4.3027 * 0.057_735);
        close(difference.p.unwrap(), 0.003_317);
        close(difference.p_holm.unwrap(), 2.0 * 0.003_317);
        assert_eq!(difference.verdict, ArmVerdict::Helps);
        // Three flips of one sign: 2 of 8.
        assert_eq!(
            (difference.p_sign_flip, difference.smallest_p_sign_flip),
            (Some(0.25), Some(0.25))
        );
        assert_eq!(difference.bootstrap_interval, None);
        // +0.1, −0.2 and +0.3 points.
        let decay = comparison.arms[2].difference("test_accuracy").unwrap();
        close(decay.p_holm.unwrap(), decay.p.unwrap());
        assert_eq!(decay.verdict, ArmVerdict::NoEvidence);
        assert!(decay.detectable.unwrap() > 0.25, "{decay:?}");
        // Better in accuracy and gap, worse in calibration: each is judged for itself.
        assert_eq!(comparison.arms[1].verdict("generalization_gap"), Some(ArmVerdict::Helps));
        assert_eq!(comparison.arms[1].verdict("test_ece"), Some(ArmVerdict::Hurts));
        assert_eq!(comparison.arms[0].verdict("test_accuracy"), None);
        assert_eq!(comparison.arms[1].verdict("train_accuracy"), None);
        assert_eq!(comparison.with_verdict(ArmVerdict::Helps), ["dropout"]);
        assert_eq!(comparison.false_alarms, Some(0.05));
    }

    #[test]
    fn below_three_seeds_there_are_numbers_and_no_verdict() {
        for seeds in [1, 2] {
            let few = compared(
                |arms| arms.iter_mut().for_each(|arm| arm.runs.truncate(seeds)),
                ComparisonOf::default(),
            );
            let dropout = few.arms[1].difference("test_accuracy").unwrap();
            close(dropout.mean, [1.0, 1.05][seeds - 1]);
            assert_eq!(dropout.verdict, ArmVerdict::TooFewSeeds);
            assert_eq!((few.false_alarms, dropout.detectable), (None, None));
            assert_eq!(dropout.interval.is_some(), seeds == 2);
            let sentence = few.arms[1].sentence.as_ref().unwrap();
            assert!(sentence.contains("no verdict: fewer than 3 seeds"), "{sentence}");
        }
    }

    #[test]
    fn seeds_are_matched_by_their_number_and_those_of_one_arm_alone_left_out() {
        let comparison = compared(
            |arms| {
                arms[1].runs.reverse();
                arms[0].runs.remove(0);
            },
            ComparisonOf::default(),
        );
        let dropout = comparison.arms[1].difference("test_accuracy").unwrap();
        assert_eq!(dropout.by_seed.len(), 2);
        close(dropout.by_seed[0], 0.9);
        close(comparison.arms[1].scores["test_accuracy"].spread.mean, 95.2);
    }

    #[test]
    fn a_score_that_is_no_number_is_not_left_out_of_the_mean_and_has_no_verdict() {
        let comparison = compared(
            |arms| arms[1].runs[0].summary.test_loss = f64::NAN,
            ComparisonOf {
                metric: Measure::that_decides("test_loss").unwrap(),
                ..Default::default()
            },
        );
        let dropout = comparison.arms[1].difference("test_loss").unwrap();
        assert!(dropout.mean.is_nan() && dropout.p.is_none());
        assert_eq!(dropout.verdict, ArmVerdict::NotANumber);
        assert_eq!(comparison.with_verdict(ArmVerdict::NotANumber), ["dropout"]);
        assert!(comparison.arms[1].sentence.as_ref().unwrap().contains("is not a number"));
        // The other arm is then alone in its family.
        let decay = comparison.arms[2].difference("test_loss").unwrap();
        assert_eq!(decay.p_holm, decay.p);
        serde_json::to_string(&comparison).unwrap();
    }

    #[test]
    fn an_arm_that_changes_nothing_is_no_evidence() {
        let same = compared(|arms| arms[1].runs = arms[0].runs.clone(), ComparisonOf::default());
        let arm = same.arms[1].difference("test_accuracy").unwrap();
        assert_eq!((arm.verdict, arm.p, arm.detectable), (ArmVerdict::NoEvidence, Some(1.0), None));
        assert_eq!(arm.effect_size, None);
    }

    #[test]
    fn another_metric_decides_where_one_is_named() {
        let metric = Measure::that_decides("test_ece").unwrap();
        let comparison = compared(|_| (), ComparisonOf { metric, ..ComparisonOf::default() });
        assert_eq!(comparison.metric, "test_ece");
        assert_eq!(comparison.with_verdict(ArmVerdict::Hurts), ["dropout"]);
        assert_eq!(comparison.metric().name, "test calibration error");
    }

    #[test]
    fn only_what_runs_have_measured_is_a_measure() {
        let keys = |comparison: &ArmsComparison| -> Vec<&str> {
            comparison.measures().map(|measure| measure.key).collect()
        };
        assert!(!keys(&sample::arms()).contains(&"learnt_by_heart"));
        let many = sample::many_arms(3);
        assert!(
            keys(&many).contains(&"learnt_by_heart") && keys(&many).contains(&"clean_accuracy")
        );
        assert!(many.arms[1].scores["learnt_by_heart"].spread.mean > 90.0);
        let unvalidated = compared(
            |arms| {
                let runs = arms.iter_mut().flat_map(|arm| &mut arm.runs);
                runs.for_each(|run| run.summary.valid_accuracy = None);
            },
            ComparisonOf::default(),
        );
        assert!(!keys(&unvalidated).contains(&"valid_accuracy"));
        assert!(!unvalidated.arms[1].scores.contains_key("valid_accuracy"));
    }

    #[test]
    fn ten_seeds_have_a_bootstrap_interval_and_costs_a_ratio() {
        let many = sample::many_arms(20);
        let difference = many.arms[7].difference("test_accuracy").unwrap();
        let (low, high) = difference.bootstrap_interval.unwrap();
        assert!(low < difference.mean && difference.mean < high);
        assert!(difference.correlation.unwrap() > 0.5, "the data of a seed are common to all arms");
        let cost = many.arms[12].cost.unwrap();
        assert!((cost.ratio.unwrap() - 2.0).abs() < 0.05 && cost.seconds.mean > 23.0, "{cost:?}");
        assert_eq!(many.arms[0].cost.unwrap().ratio, None);
        assert_eq!(
            many.with_verdict(ArmVerdict::Hurts).last(),
            Some(&many.arms[19].arm.name.as_str())
        );
    }

    #[test]
    fn json_has_every_run_every_mean_and_every_difference() {
        let json = serde_json::to_value(sample::arms()).unwrap();
        assert_eq!((&json["metric"], &json["level"]), (&"test_accuracy".into(), &0.05.into()));
        assert_eq!(
            (&json["data"], &json["seed_count"]["rule"]),
            (&"drawn".into(), &"fixed".into())
        );
        let dropout = &json["arms"][1];
        assert_eq!(dropout["name"], "dropout");
        assert_eq!(dropout["runs"][2]["seed"], 3);
        assert_eq!(dropout["runs"][2]["summary"]["test_accuracy"], 0.953);
        assert!(dropout["sentence"].as_str().unwrap().starts_with("dropout helps"));
        assert_eq!(dropout["cost"]["ratio"], 1.0);
        let accuracy = &dropout["scores"]["test_accuracy"];
        assert!(accuracy["standard_deviation"].is_number());
        let difference = &accuracy["difference"];
        assert_eq!(difference["verdict"], "better");
        assert_eq!(difference["by_seed"].as_array().unwrap().len(), 3);
        for key in [
            "mean",
            "standard_error",
            "p",
            "p_holm",
            "p_sign_flip",
            "smallest_p_sign_flip",
            "effect_size",
            "correlation",
            "detectable",
        ] {
            assert!(difference[key].is_number(), "{key}: {difference}");
        }
        assert_eq!(difference["interval"].as_array().unwrap().len(), 2);
        assert!(difference["bootstrap_interval"].is_null());
        assert!(json["arms"][3]["absent"].as_str().unwrap().contains("does not apply"));
    }
}
