//! Experiments whose arms are whole runs, as `train` makes them: with a run folder each, which is
//! resumed or reused when the same command is given again.

use std::time::Duration;

use backburn_report::{RunRecord, Summary};

use super::lab::Lab;
use crate::bench::training::Training;
use crate::cli::{Failure, usage};
use crate::compare_arms::{self, Found};
use crate::progress::{Detail, clock};
use crate::recipe::Recipe;
use crate::session::{Means, Outcome, SessionError};

/// An arm: a recipe under a name. Its seed, backend and data folder are set by the lab.
#[derive(Clone, Debug)]
pub(crate) struct Arm {
    /// In figures and tables.
    pub(crate) name: &'static str,
    /// What is trained.
    pub(crate) recipe: Recipe,
}

/// An arm's runs.
#[derive(Clone, Debug)]
pub(crate) struct ArmRuns {
    /// In figures and tables.
    pub(crate) name: &'static str,
    /// One a seed, in the order of the lab's seeds.
    pub(crate) runs: Vec<Run>,
}

/// A finished run.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// All that its folder says.
    pub(crate) record: RunRecord,
    /// Its scores.
    pub(crate) summary: Summary,
}

impl ArmRuns {
    /// A value of each run.
    pub(crate) fn values(&self, value: impl Fn(&Run) -> f64) -> Vec<f64> {
        self.runs.iter().map(value).collect()
    }

    /// A value of each epoch, a row a run. Runs that stopped early are shorter.
    pub(crate) fn curves(
        &self,
        value: impl Fn(&backburn_report::EpochRecord) -> Option<f64>,
    ) -> Vec<Vec<f64>> {
        let of_run = |run: &Run| {
            run.record.epochs.iter().map(|epoch| value(epoch).unwrap_or(f64::NAN)).collect()
        };
        self.runs.iter().map(of_run).collect()
    }
}

/// Trains every arm with every seed, all arms of a seed before the next seed; says first how long that will
/// take.
///
/// # Errors
///
/// If a run fails or diverges, or Ctrl-C is pressed: the same command goes on from there.
pub(crate) fn train(lab: &Lab, arms: Vec<Arm>) -> Result<Vec<ArmRuns>, Failure> {
    carry_out(lab, arms, Divergence::Fails)
}

/// As [`train`], but a run that diverges is a result: it has the epochs before, and scores that are NaN.
///
/// # Errors
///
/// If a run fails, or Ctrl-C is pressed.
pub(crate) fn train_or_diverge(lab: &Lab, arms: Vec<Arm>) -> Result<Vec<ArmRuns>, Failure> {
    carry_out(lab, arms, Divergence::IsAResult)
}

/// What a loss that is no longer finite is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Divergence {
    Fails,
    IsAResult,
}

fn carry_out(lab: &Lab, arms: Vec<Arm>, divergence: Divergence) -> Result<Vec<ArmRuns>, Failure> {
    let means = Means { threads: lab.threads, command: lab.command.clone(), detail: Detail::Brief };
    let mut planned = Vec::new();
    for &seed in &lab.seeds {
        for (place, arm) in arms.iter().enumerate() {
            let recipe = Recipe {
                seed,
                backend: lab.backend,
                data_dir: lab.data_dir.clone(),
                dataset: lab.data().name.to_owned(),
                ..arm.recipe.clone()
            };
            recipe.check().map_err(usage)?;
            let path = lab.runs_dir().join(arm.name.replace(' ', "-")).join(format!("seed-{seed}"));
            let found = compare_arms::find(&path, &recipe)?;
            planned.push((place, recipe, path, found));
        }
    }
    say_how_long(
        lab,
        planned
            .iter()
            .filter(|plan| matches!(plan.3, Found::Nothing | Found::Part))
            .map(|plan| &plan.1),
    )?;

    let mut all: Vec<ArmRuns> =
        arms.into_iter().map(|arm| ArmRuns { name: arm.name, runs: Vec::new() }).collect();
    for (place, recipe, path, found) in planned {
        lab.go_on()?;
        let started = std::time::Instant::now();
        let known = matches!(found, Found::Diverged) && divergence == Divergence::IsAResult;
        let outcome = if known {
            Ok(None)
        } else {
            compare_arms::start_or_resume(&path, &recipe, found, &means).map(Some)
        };
        let summary = match outcome {
            Ok(Some(Outcome::Done(summary))) => *summary,
            Ok(Some(Outcome::Interrupted)) => return Err(Failure::Interrupted),
            Ok(None) => no_scores(),
            Err(SessionError::Diverged { .. }) if divergence == Divergence::IsAResult => {
                no_scores()
            }
            Err(error @ SessionError::Diverged { .. }) => {
                return Err(Failure::Error(format!("{}: {error}", path.display())));
            }
            Err(error) => return Err(error.into()),
        };
        lab.say(&format!(
            "{} seed {}: train {:.1} test {:.2} %, {}",
            all[place].name,
            recipe.seed,
            100.0 * summary.train_accuracy,
            100.0 * summary.test_accuracy,
            clock(started.elapsed().as_secs_f64())
        ));
        let record = RunRecord::read(&path).map_err(|error| Failure::Error(error.to_string()))?;
        all[place].runs.push(Run { record, summary });
    }
    Ok(all)
}

/// The scores of a run that diverged.
fn no_scores() -> Summary {
    Summary {
        best_epoch: 0,
        last_epoch: 0,
        train_loss: f64::NAN,
        train_accuracy: f64::NAN,
        valid_loss: None,
        valid_accuracy: None,
        test_loss: f64::NAN,
        test_accuracy: f64::NAN,
        generalization_gap: f64::NAN,
        test_ece: f64::NAN,
        train_seconds: f64::NAN,
        images_per_second: f64::NAN,
        parameters: 0,
    }
}

/// How long runs will take, at a speed that is measured with a few batches of noise.
fn say_how_long<'a>(lab: &Lab, recipes: impl Iterator<Item = &'a Recipe>) -> Result<(), Failure> {
    let mut seconds = 0.0;
    let mut known: Vec<(String, f64, f64)> = Vec::new();
    for recipe in recipes {
        let model = format!("{:?} {}", recipe.model, recipe.batch_size);
        let rates = known.iter().find(|(name, ..)| *name == model).map(|(_, a, b)| (*a, *b));
        let (training, evaluation) = match rates {
            Some(rates) => rates,
            None => {
                let started = Training::start(&recipe.model, recipe.batch_size, &lab.device);
                let (mut network, _) = started.map_err(usage)?;
                let trial = Duration::from_millis(300).as_secs_f64();
                let rates = (network.train(trial).rate(), network.evaluate(trial).rate());
                known.push((model, rates.0, rates.1));
                rates
            }
        };
        let published = lab.data().train.len();
        let valid = recipe.valid_size.of(published);
        let train = recipe.train_size.map_or(published - valid, |size| size.of(published));
        let epochs = recipe.epochs as f64;
        seconds += epochs * (train as f64 / training + valid as f64 / evaluation);
    }
    if seconds > 0.0 {
        let folder = lab.runs_dir().display();
        lab.say(&format!(
            "about {} at the speed measured now; Ctrl-C stops, the same command goes on; runs are in {folder}",
            clock(seconds)
        ));
    }
    Ok(())
}
