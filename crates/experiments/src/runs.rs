//! Experiments whose arms are whole runs, as `train` makes them: with a run folder each, which is
//! resumed or reused when the same command is given again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use backburn_data::normalization::FittedNormalization;
use backburn_data::{SplitSize, TestLog};
use backburn_models::{Network, parameters, weights};
use backburn_records::number::clock;
use backburn_records::{DataTable, RunRecord, Summary, TestRead};
use backburn_studies::study::{Study, StudyArm};
use backburn_studies::trial::{Found, Trial, TrialEnd, read};
use backburn_training::evaluate::{Predictions, predict};
use backburn_training::extend::begins_with;
use backburn_training::failure::{Failure, usage};
use backburn_training::recipe::Recipe;
use backburn_training::run_folder::checkpoint::Checkpoint;
use backburn_training::run_folder::checkpoint_every::CheckpointEvery;
use backburn_training::run_folder::error::RunError;
use backburn_training::run_folder::folder::RunFolder;
use backburn_training::run_folder::names::{LATEST, NORMALIZATION, WEIGHTS};
use backburn_training::run_folder::test_log::ManifestLog;
use backburn_training::run_options::RunOptions;
use backburn_training::session_error::SessionError;
use backburn_training::speed::training::Training;
use backburn_training::watch::{Brief, Watch};

use super::images::{Images, TestView};
use super::lab::{Lab, Preset};
use super::settings::Settings;

/// Seconds of a run from which on a line is said of every epoch, and a kill loses no more than
/// [`CHECKPOINT_EVERY`].
const LONG: f64 = 600.0;

/// An epoch of the longest runs takes half an hour and more.
const CHECKPOINT_EVERY: CheckpointEvery = CheckpointEvery::Time(Duration::from_secs(300));

/// An arm: a recipe under a name. Its seed, backend and data folder are set by the lab.
#[derive(Clone, Debug)]
pub(crate) struct Arm {
    /// Name in figures and tables.
    pub(crate) name: &'static str,
    /// What is trained.
    pub(crate) recipe: Recipe,
}

/// An arm's runs.
#[derive(Clone, Debug)]
pub(crate) struct ArmRuns {
    /// Name in figures and tables.
    pub(crate) name: &'static str,
    /// One a seed, in the order of the lab's seeds.
    pub(crate) runs: Vec<Run>,
}

/// A finished run.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// All that its folder says.
    pub(crate) record: RunRecord,
    /// Scores of the run.
    pub(crate) summary: Summary,
}

/// Weights of a finished run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weights {
    /// Weights that the recipe's `keep` selects.
    Kept,
    /// Weights after the last step. No moving average: experiments train without.
    Last,
}

impl Run {
    /// Images as the run's network sees them.
    ///
    /// # Errors
    ///
    /// If the run's folder has lost its `normalization.json`, or has another data set's.
    pub(crate) fn images(&self, set: backburn_data::ImageSet) -> Result<Images, Failure> {
        let folder = RunFolder::open(&self.record.dir).map_err(failure)?;
        let manifest = &self.record.manifest;
        let bytes = folder.read_as_written(NORMALIZATION, manifest).map_err(failure)?;
        let normalization: FittedNormalization = serde_json::from_slice(&bytes)
            .map_err(|error| self.damaged(NORMALIZATION, error.to_string()))?;
        let (expected, found) = (set.shape().channels, normalization.channels());
        if expected != found {
            let reason = format!("expected {expected} channels, found {found}");
            return Err(self.damaged(NORMALIZATION, reason));
        }
        Ok(Images { set: Arc::new(set), normalization })
    }

    /// The published test images as the run's network sees them. The access is recorded, with the
    /// experiment and with the run.
    ///
    /// # Errors
    ///
    /// As [`Run::images`], or if the run's manifest cannot be written.
    pub(crate) fn test(
        &self,
        lab: &Lab,
        purpose: &str,
        weights: &str,
    ) -> Result<TestView, Failure> {
        let one = self.images(lab.data().train.select(&[0]))?;
        let folder = RunFolder::open(&self.record.dir).map_err(failure)?;
        let mut watch = lab.watch.borrow_mut();
        let _lock = folder.lock(watch.as_mut()).map_err(failure)?;
        // Earlier accesses of this program are in the file, and not in the record.
        let mut manifest = folder.manifest().map_err(failure)?;
        let status = self.record.manifest.status;
        let mut log = ManifestLog {
            folder: &folder,
            manifest: &mut manifest,
            status,
            pages: lab.run_options.pages,
            watch: watch.as_mut(),
        };
        log.record(purpose, weights).map_err(failure)?;
        drop(watch);
        let weights = format!("{weights}, {}", self.record.dir.display());
        Ok(lab.test(&one, purpose, &weights))
    }

    /// What the run's network predicts for every test image.
    ///
    /// # Errors
    ///
    /// If its folder has lost the weights, or there are no images.
    pub(crate) fn predictions(
        &self,
        lab: &Lab,
        weights: Weights,
        test: &TestView,
    ) -> Result<Predictions, Failure> {
        let network = self.network(lab, weights)?;
        predict(&network, test.images.for_final_scores(), &test.normalization, &lab.device)
            .map_err(|error| Failure::Error(error.to_string()))
    }

    fn network(&self, lab: &Lab, which: Weights) -> Result<Network, Failure> {
        let file = match which {
            Weights::Kept => WEIGHTS,
            Weights::Last => LATEST,
        };
        let folder = RunFolder::open(&self.record.dir).map_err(failure)?;
        let manifest = &self.record.manifest;
        let bytes = folder.read_as_written(file, manifest).map_err(failure)?;
        let tensors = match which {
            Weights::Kept => weights::from_bytes(&bytes)
                .map(|(tensors, _)| tensors)
                .map_err(|error| error.to_string()),
            Weights::Last => Checkpoint::read(&bytes)
                .map(Checkpoint::into_weights)
                .map_err(|error| error.to_string()),
        };
        let tensors = tensors.map_err(|reason| self.damaged(file, reason))?;
        let all = &lab.data().train;
        let shape = all.shape();
        let image = [shape.channels, shape.height, shape.width];
        let model = folder.recipe_as_written(manifest).map_err(failure)?.model;
        let network = model.init(image, all.classes(), &lab.device).map_err(usage)?;
        parameters::import(network, tensors).map_err(|error| self.damaged(file, error.to_string()))
    }

    fn damaged(&self, file: &str, reason: String) -> Failure {
        failure(RunError::Damaged { path: self.record.dir.join(file), reason })
    }
}

fn failure(error: RunError) -> Failure {
    SessionError::from(error).into()
}

impl ArmRuns {
    /// A value of each run.
    pub(crate) fn values(&self, value: impl Fn(&Run) -> f64) -> Vec<f64> {
        self.runs.iter().map(value).collect()
    }

    /// A value of each epoch, a row a run. Runs that stopped early are shorter.
    pub(crate) fn curves(
        &self,
        value: impl Fn(&backburn_records::EpochRecord) -> Option<f64>,
    ) -> Vec<Vec<f64>> {
        let of_run = |run: &Run| {
            run.record.epochs.iter().map(|epoch| value(epoch).unwrap_or(f64::NAN)).collect()
        };
        self.runs.iter().map(of_run).collect()
    }
}

/// What is trained, but for what the lab sets.
pub(crate) fn settings(arms: &[Arm]) -> Settings {
    arms.iter().fold(Settings::default(), |settings, arm| {
        let mut recipe = arm.recipe.determinants();
        recipe.remove("dataset");
        recipe.remove("seed");
        settings.arm(arm.name, &[&recipe])
    })
}

/// The recipe, but in the preset that only tries an experiment out as little of it as there can be.
pub(crate) fn unless_smoke(lab: &Lab, recipe: Recipe) -> Recipe {
    if lab.preset != Preset::Smoke {
        return recipe;
    }
    let validates = recipe.valid_size.of(lab.data().train.len()) > 0;
    Recipe {
        epochs: 2,
        batch_size: recipe.batch_size.min(20),
        train_size: Some(SplitSize::Count(40)),
        valid_size: SplitSize::Count(if validates { 20 } else { 0 }),
        ..recipe
    }
}

/// A run to be made.
struct Planned {
    /// Place of its arm.
    arm: usize,
    trial: Trial,
    found: Found,
    /// Place of the run among those to be made that it begins with, if there is one.
    beginning: Option<usize>,
    /// Seconds that what is left of it will take, at most.
    seconds: f64,
}

impl Planned {
    /// Whether this run goes on where `other` will have ended.
    fn goes_on_from(&self, other: &Self) -> bool {
        // A rule of its own might have ended it before the other one ended.
        matches!(self.found, Found::Nothing)
            && self.trial.recipe.early_stopping.is_none()
            && !matches!(other.found, Found::Diverged)
            && other.trial.recipe.early_stopping.is_some()
            && begins_with(&self.trial.recipe, &other.trial.recipe)
    }
}

/// Trains every arm with every seed, all arms of a seed before the next seed; says first how long that will
/// take.
///
/// # Errors
///
/// If a run fails or diverges, or the experiment is asked to stop: the same command resumes it.
pub(crate) fn train(lab: &Lab, arms: Vec<Arm>) -> Result<Vec<ArmRuns>, Failure> {
    train_all(lab, arms, Divergence::Fails)
}

/// Trains like [`train`], but a run that diverges is a result: it has the epochs before, and scores that are NaN.
///
/// # Errors
///
/// If a run fails, or the experiment is asked to stop.
pub(crate) fn train_or_diverge(lab: &Lab, arms: Vec<Arm>) -> Result<Vec<ArmRuns>, Failure> {
    train_all(lab, arms, Divergence::IsAResult)
}

/// What a loss that is no longer finite is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Divergence {
    Fails,
    IsAResult,
}

fn train_all(lab: &Lab, arms: Vec<Arm>, divergence: Divergence) -> Result<Vec<ArmRuns>, Failure> {
    let study = study(lab, &arms)?;
    let mut planned = Vec::new();
    for index in 0..study.trials() {
        if let (Some(place), Some(trial)) = (study.place(index), study.trial(index)) {
            let found = trial.find()?;
            let mut run = Planned { arm: place.arm, trial, found, beginning: None, seconds: 0.0 };
            run.beginning = planned.iter().position(|other| run.goes_on_from(other));
            planned.push(run);
        }
    }
    say_how_long(lab, &arms, &mut planned)?;

    let mut all: Vec<ArmRuns> =
        arms.into_iter().map(|arm| ArmRuns { name: arm.name, runs: Vec::new() }).collect();
    let mut ended: Vec<(PathBuf, usize)> = Vec::new();
    for run in planned {
        let arm = &mut all[run.arm];
        let epochs = run.trial.recipe.epochs;
        // One that did not stop early has no epochs left to go on with.
        let beginning = run.beginning.map(|place| &ended[place]).filter(|run| run.1 < epochs);
        let run = carry_out(lab, arm.name, run, beginning.map(|run| run.0.as_path()), divergence)?;
        ended.push((run.record.dir.clone(), run.record.epochs.len()));
        arm.runs.push(run);
    }
    Ok(all)
}

/// The arms with the lab's seeds, on its backend and data.
fn study(lab: &Lab, arms: &[Arm]) -> Result<Study, Failure> {
    let arm = |arm: &Arm| {
        let recipe = Recipe {
            seed: lab.seed(),
            place: lab.place.clone(),
            dataset: lab.data().name.clone(),
            ..arm.recipe.clone()
        };
        recipe.check().map_err(usage)?;
        Ok(StudyArm {
            name: arm.name.to_owned(),
            summary: String::new(),
            command: lab.run_options.command.clone(),
            recipe: Ok(recipe),
        })
    };
    let arms = arms.iter().map(arm).collect::<Result<_, Failure>>()?;
    Ok(Study { arms, seeds: lab.seeds.clone(), folder: lab.runs_dir().to_owned() })
}

fn carry_out(
    lab: &Lab,
    name: &str,
    run: Planned,
    beginning: Option<&Path>,
    divergence: Divergence,
) -> Result<Run, Failure> {
    lab.go_on()?;
    let Planned { trial, found, seconds, .. } = run;
    let is_there = !found.is_missing();
    let (path, seed) = (&trial.path, trial.recipe.seed);
    if seconds >= LONG {
        lab.say(&format!("{name} seed {seed}:"));
    }
    let checkpoint_every = (seconds >= LONG).then_some(CHECKPOINT_EVERY);
    let options = RunOptions { checkpoint_every, ..lab.run_options.clone() };
    let started = std::time::Instant::now();
    let mut whole = lab.watch.borrow_mut();
    let mut brief = Brief(whole.as_mut());
    let watch: &mut dyn Watch = if seconds < LONG { &mut brief } else { whole.as_mut() };
    let end = match beginning {
        Some(beginning) => trial.go_on_from(beginning, &options, watch),
        None => trial.carry_out(found, &options, watch),
    };
    drop(whole);
    let summary = match end? {
        TrialEnd::Scored(summary) => *summary,
        TrialEnd::Diverged(_) if divergence == Divergence::IsAResult => no_scores(),
        TrialEnd::Diverged(reason) => {
            return Err(Failure::Error(format!("{}: {reason}", path.display())));
        }
        TrialEnd::Interrupted => {
            lab.say(&format!("{} is saved; the same command resumes it", path.display()));
            return Err(Failure::Interrupted);
        }
    };
    let took = clock(started.elapsed().as_secs_f64());
    lab.say(&format!(
        "{name} seed {seed}: train {:.1} test {:.2} %, {}",
        100.0 * summary.train_accuracy,
        100.0 * summary.test_accuracy,
        if is_there { "was there" } else { &took }
    ));
    let record = read(path)?;
    // Those of the run that it goes on from are on record with that one.
    let started = record.manifest.extends.as_ref().map(|_| record.manifest.started.clone());
    let is_own = |read: &&TestRead| started.as_ref().is_none_or(|started| read.at >= *started);
    let reads = record.manifest.test_reads.iter().filter(is_own).map(|read| TestRead {
        weights: format!("{}, {}", read.weights, path.display()),
        ..read.clone()
    });
    lab.test_reads.borrow_mut().extend(reads);
    Ok(Run { record, summary })
}

/// All epochs of all runs.
pub(crate) fn epochs<'a>(arms: impl IntoIterator<Item = &'a ArmRuns>) -> DataTable {
    let or_empty = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
    let mut rows = Vec::new();
    for arm in arms {
        for run in &arm.runs {
            for epoch in &run.record.epochs {
                rows.push(vec![
                    arm.name.to_owned(),
                    run.record.manifest.seed.to_string(),
                    epoch.epoch.to_string(),
                    epoch.train_objective.to_string(),
                    epoch.train_accuracy.to_string(),
                    or_empty(epoch.valid_loss),
                    or_empty(epoch.valid_accuracy),
                ]);
            }
        }
    }
    let columns = [
        "arm",
        "seed",
        "epoch",
        "training_loss_nats",
        "training_accuracy",
        "validation_loss_nats",
        "validation_accuracy",
    ];
    DataTable { name: "epochs".into(), columns: columns.map(String::from).into(), rows }
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
        memorized: None,
        tta: None,
    }
}

/// Epochs of a run that need not be trained: its own, or those of the run that it begins with.
fn epochs_there(planned: &[Planned], run: &Planned) -> usize {
    // One that was stopped in its first epoch has no record yet.
    let of = |run: &Planned| RunRecord::read(&run.trial.path).map_or(0, |it| it.epochs.len());
    match (&run.found, run.beginning.map(|place| &planned[place])) {
        (Found::Part, _) => of(run),
        (Found::Nothing, Some(first)) if !first.found.is_missing() => match of(first) {
            // It did not stop early, and there are none to go on with.
            epochs if epochs >= run.trial.recipe.epochs => 0,
            epochs => epochs,
        },
        _ => 0,
    }
}

/// How long runs will take, at a speed that is measured with a few batches of noise.
fn say_how_long(lab: &Lab, arms: &[Arm], planned: &mut [Planned]) -> Result<(), Failure> {
    let mut known: Vec<(String, f64, f64)> = Vec::new();
    let trained: Vec<usize> = planned.iter().map(|run| epochs_there(planned, run)).collect();
    for (Planned { arm, trial, found, seconds, .. }, done) in planned.iter_mut().zip(trained) {
        if let Found::Whole(_) = found {
            continue;
        }
        let recipe = &trial.recipe;
        let model = format!("{:?} {}", recipe.model, recipe.batch_size);
        let rates = known.iter().find(|(name, ..)| *name == model).map(|(_, a, b)| (*a, *b));
        let (training, evaluation) = match rates {
            Some(rates) => rates,
            None => {
                // A graphics card first chooses its kernels, which takes minutes.
                lab.say(&format!("measuring the speed of the arm “{}”", arms[*arm].name));
                let shape = lab.data().train.shape();
                let image = [shape.channels, shape.height, shape.width];
                let started = Training::start(&recipe.model, image, recipe.batch_size, &lab.device);
                let (mut network, _) = started.map_err(usage)?;
                // What takes hours is worth a better guess.
                let trial = match lab.preset {
                    Preset::Paper => Duration::from_secs(2),
                    Preset::Quick => Duration::from_millis(300),
                    Preset::Smoke => Duration::from_millis(1),
                };
                let trial = trial.as_secs_f64();
                let rates = (network.train(trial).rate(), network.evaluate(trial).rate());
                known.push((model, rates.0, rates.1));
                rates
            }
        };
        let published = lab.data().train.len();
        let valid = recipe.valid_size.of(published);
        let train = recipe.train_size.map_or(published - valid, |size| size.of(published));
        let epochs = recipe.epochs.saturating_sub(done) as f64;
        *seconds = epochs * (train as f64 / training + valid as f64 / evaluation);
    }
    let beginning = |run: &Planned| run.beginning.map(|place| &planned[place]);
    // Where a run stops early, the one that begins with it takes the more.
    let shared = |run: &Planned| match beginning(run) {
        Some(first) if first.found.is_missing() => {
            let epochs = |run: &Planned| run.trial.recipe.epochs as f64;
            run.seconds * epochs(first) / epochs(run)
        }
        _ => 0.0,
    };
    let seconds: f64 = planned.iter().map(|run| run.seconds - shared(run)).sum();
    if seconds > 0.0 {
        let most = if may_take_less(planned) { ", less where training stops early" } else { "" };
        let folder = lab.runs_dir().display();
        lab.say(&format!(
            "about {} at the speed measured now{most}; Ctrl-C stops, the same command resumes; \
             runs are in {folder}",
            clock(seconds)
        ));
    }
    Ok(())
}

/// Whether a run that is still to be trained may stop early, and no other takes what it leaves of its epochs.
fn may_take_less(planned: &[Planned]) -> bool {
    let is_beginning = |place| planned.iter().any(|run| run.beginning == Some(place));
    let may_stop =
        |run: &Planned| run.found.is_missing() && run.trial.recipe.early_stopping.is_some();
    planned.iter().enumerate().any(|(place, run)| may_stop(run) && !is_beginning(place))
}

#[cfg(test)]
mod tests {
    use backburn_training::recipe::built_in;

    use super::*;

    #[test]
    fn only_what_is_still_to_be_trained_and_leaves_its_epochs_to_no_other_may_take_less() {
        let run = |rule: Option<&str>, found: Found, beginning: Option<usize>| {
            let early_stopping = rule.map(|rule| rule.parse().unwrap());
            let recipe = Recipe { early_stopping, ..built_in("digits").unwrap() };
            let trial = Trial { path: PathBuf::new(), recipe };
            Planned { arm: 0, trial, found, beginning, seconds: 0.0 }
        };
        let stops = Some("patience=2");
        let whole = || Found::Whole(Box::new(no_scores()));
        assert!(may_take_less(&[run(stops, Found::Nothing, None)]));
        assert!(may_take_less(&[run(stops, Found::Part, None), run(None, Found::Nothing, None)]));
        assert!(!may_take_less(&[run(None, Found::Nothing, None)]));
        assert!(!may_take_less(&[
            run(stops, Found::Part, None),
            run(None, Found::Nothing, Some(0))
        ]));
        assert!(!may_take_less(&[run(stops, whole(), None), run(None, Found::Part, None)]));
    }
}
