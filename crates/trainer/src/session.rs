//! A run from its recipe to its report: prepare, train, score once, write everything down.

// What it expects is about values of its own, never about a file.
#![deny(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use backburn_data::normalization::FittedNormalization;
use backburn_data::{FetchProgress, ImageSet};
use backburn_models::{parameters, weights};
use backburn_regularization::Keep;
use backburn_report::{
    DatasetRecord, EvaluationRecord, FileRecord, Manifest, Mistake, ReliabilityBin, Status,
    Summary, TemperatureRecord, TestRead, TopKRecord,
};

use crate::backend::{Backend, BackendError, OpenDevice};
use crate::checkpoint;
use crate::evaluate::temperature::fit_temperature;
use crate::evaluate::{CalibrationBin, Predictions, TOP_K, predict};
use crate::interrupt;
use crate::prepare::{PrepareError, Prepared};
use crate::progress::{Detail, Progress, say};
use crate::recipe::Recipe;
use crate::run::{RunError, RunFolder, now};
use crate::seeds::Seeds;
use crate::train::{Ending, Setup, State, TrainError, train};

/// Wrong answers that a report shows.
const SHOWN_MISTAKES: usize = 24;

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Each variant passes the error of that name on, but for the last ones.
pub enum SessionError {
    #[error(transparent)]
    Backend(#[from] BackendError),
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error(transparent)]
    Train(#[from] TrainError),
    /// Everything is written but the report.
    #[error(
        "{source}; the run itself is complete, draw its report with `cargo xtask report {run}`"
    )]
    Report { run: String, source: Box<backburn_report::ReportError> },
    /// A checkpoint cannot be gone on from.
    #[error("{path}: {source}; start the run anew with `cargo xtask train --config {config}`")]
    Checkpoint { path: String, config: String, source: checkpoint::CheckpointError },
    /// A run that has come to its end.
    #[error(
        "{run} is {status}: there is nothing to resume; for a longer run start a new one, `cargo xtask train --config {run}/config.toml --epochs N`"
    )]
    Ended { run: String, status: Status },
    /// A run that would diverge again.
    #[error(
        "{run} is diverged, and going on would repeat that; start a new run with a smaller learning rate, `cargo xtask train --config {run}/config.toml --learning-rate X`"
    )]
    EndedDiverged { run: String },
    /// The data have changed since the run was begun.
    #[error(
        "{file}: expected the file that the run was begun with, SHA-256 {expected}, found {found}; name the folder that has it with `--data-dir`"
    )]
    OtherData { file: String, expected: String, found: String },
    /// The loss is no longer a number.
    #[error(
        "training diverged: the loss was not finite at epoch {epoch}, batch {batch} (learning rate {learning_rate:e}); try a smaller `--learning-rate`, or `--clip-norm 1`"
    )]
    Diverged { epoch: usize, batch: usize, learning_rate: f64 },
}

/// What a run came to.
#[derive(Debug)]
pub enum Outcome {
    /// Trained and scored.
    Done(Box<Summary>),
    /// Stopped by Ctrl-C, with a checkpoint.
    Interrupted,
}

/// A run that came to an end of which it can tell.
#[derive(Debug)]
pub struct Run {
    /// Its folder.
    pub path: PathBuf,
    /// What computed.
    pub backend: Backend,
    /// What it came to.
    pub outcome: Outcome,
}

/// How a run is carried out, as far as its results do not depend on it.
#[derive(Clone, Debug)]
pub struct Means {
    /// Threads that compute.
    pub threads: usize,
    /// The command line, program first.
    pub command: Vec<String>,
    /// How much is said about it on the way.
    pub detail: Detail,
}

/// Trains by `recipe` into the new folder `out`, or one under `runs/` that is named for `name`.
///
/// # Errors
///
/// If the data, the device or the folder cannot be used, or training diverges.
pub fn start(
    recipe: &Recipe,
    out: Option<&Path>,
    name: &str,
    means: &Means,
) -> Result<Run, SessionError> {
    out.map_or(Ok(()), RunFolder::check_free)?;
    let (open, prepared) = make_ready(recipe)?;
    let mut state = State::new(recipe, &prepared, &open.device).map_err(PrepareError::from)?;
    // Only now, so that a mistake in the recipe leaves no folder behind.
    let folder = match out {
        Some(path) => RunFolder::create(path)?,
        None => RunFolder::create_named(name)?,
    };
    folder.make_checkpoints()?;
    folder.write_recipe(recipe)?;
    // Reports tell runs apart by the names of their folders.
    let own_name = folder.path().file_name().map_or(name.into(), |name| name.to_string_lossy());
    let manifest = manifest(recipe, &prepared, &open, &own_name, means);
    carry_out(recipe, &prepared, &folder, manifest, &mut state, means)
}

/// Goes on with the run in `path` from its newest checkpoint.
///
/// # Errors
///
/// If the run has ended or its checkpoint cannot be used; else as [`start`].
pub fn resume(
    path: &Path,
    change: impl FnOnce(&mut Recipe),
    means: &Means,
) -> Result<Run, SessionError> {
    let folder = RunFolder::open(path)?;
    let mut manifest = folder.manifest()?;
    if matches!(manifest.status, Status::Finished | Status::StoppedEarly) {
        return Err(SessionError::Ended {
            run: path.display().to_string(),
            status: manifest.status,
        });
    }
    if manifest.status == Status::Diverged {
        return Err(SessionError::EndedDiverged { run: path.display().to_string() });
    }
    let mut recipe = folder.recipe()?;
    change(&mut recipe);
    let (open, prepared) = make_ready(&recipe)?;
    check_same_data(&prepared, &manifest)?;
    let mut state = State::new(&recipe, &prepared, &open.device).map_err(PrepareError::from)?;
    // A run that was stopped in its first epoch has none and begins anew.
    if path.join(checkpoint::FILE).exists() {
        let bytes = folder.read(checkpoint::FILE)?;
        checkpoint::restore(&mut state, &bytes).map_err(|source| SessionError::Checkpoint {
            path: path.join(checkpoint::FILE).display().to_string(),
            config: path.join("config.toml").display().to_string(),
            source,
        })?;
    }
    folder.make_checkpoints()?;
    // Another backend or data folder may have been named; from here on the run is theirs.
    folder.write_recipe(&recipe)?;
    recipe.backend.name().clone_into(&mut manifest.backend);
    manifest.device = open.name;
    manifest.threads = means.threads;
    carry_out(&recipe, &prepared, &folder, manifest, &mut state, means)
}

/// Opens the device and loads the data.
pub fn make_ready(recipe: &Recipe) -> Result<(OpenDevice, Prepared), SessionError> {
    recipe.check().map_err(PrepareError::from)?;
    let open = recipe.backend.open()?;
    let mut download = DownloadBar::default();
    let prepared = Prepared::load(recipe, &mut |progress| download.show(progress))?;
    for note in &prepared.data.notes {
        say(&format!("note: {note}"));
    }
    Ok((open, prepared))
}

/// That a run goes on with, or is scored on, the files that it was begun with.
///
/// # Errors
///
/// If a file has another checksum than the manifest says.
pub fn check_same_data(prepared: &Prepared, manifest: &Manifest) -> Result<(), SessionError> {
    for (file, recorded) in prepared.data.files.iter().zip(&manifest.dataset.files) {
        if file.sha256 != recorded.sha256 {
            return Err(SessionError::OtherData {
                file: recorded.name.clone(),
                expected: recorded.sha256.clone(),
                found: file.sha256.clone(),
            });
        }
    }
    Ok(())
}

fn carry_out(
    recipe: &Recipe,
    prepared: &Prepared,
    folder: &RunFolder,
    mut manifest: Manifest,
    state: &mut State,
    means: &Means,
) -> Result<Run, SessionError> {
    interrupt::catch();
    manifest.status = Status::Running;
    manifest.ended = None;
    folder.write_manifest(&manifest)?;
    let outcome = train_and_score(recipe, prepared, folder, &mut manifest, state, means);
    manifest.status = match &outcome {
        Ok((_, status)) => *status,
        Err(SessionError::Diverged { .. }) => Status::Diverged,
        Err(_) => Status::Failed,
    };
    manifest.ended = Some(now());
    // If the folder cannot be written to, the first error says so better than a second one.
    let written = folder.write_manifest(&manifest);
    let (outcome, _) = outcome?;
    written?;
    if matches!(outcome, Outcome::Done(_)) {
        backburn_report::write_report(folder.path()).map_err(|source| SessionError::Report {
            run: folder.path().display().to_string(),
            source: Box::new(source),
        })?;
    }
    Ok(Run { path: folder.path().to_owned(), backend: recipe.backend, outcome })
}

fn train_and_score(
    recipe: &Recipe,
    prepared: &Prepared,
    folder: &RunFolder,
    manifest: &mut Manifest,
    state: &mut State,
    means: &Means,
) -> Result<(Outcome, Status), SessionError> {
    let loader = prepared.train_loader(recipe, means.threads).map_err(PrepareError::from)?;
    let progress = Progress::new(recipe.epochs, recipe.validates(), means.detail);
    introduce(recipe, prepared, manifest, folder, state, &progress);
    let setup = Setup { recipe, prepared, loader, progress };
    folder.keep_losses(state.epochs.len())?;
    let started = Instant::now();
    let ending = train(&setup, state, &mut |state, objectives| {
        folder.append_losses(state.epochs.len(), objectives)?;
        folder.write_metrics(&state.epochs)?;
        folder.write(checkpoint::FILE, &checkpoint::to_bytes(state)?)?;
        Ok(())
    });
    let trained = started.elapsed();
    setup.progress.finish();
    match ending? {
        Ending::Interrupted => Ok((Outcome::Interrupted, Status::Interrupted)),
        Ending::Diverged { epoch, batch } => {
            let learning_rate = state.learning_rate(&setup, epoch, batch - 1);
            Err(SessionError::Diverged { epoch, batch, learning_rate })
        }
        ending => {
            let waited = 100.0 * state.waited.as_secs_f64() / trained.as_secs_f64().max(1e-9);
            setup.progress.line(&format!("waited for batches {waited:.1} % of the time"));
            let summary = score(recipe, prepared, folder, manifest, state)?;
            let status = match ending {
                Ending::StoppedEarly => Status::StoppedEarly,
                _ => Status::Finished,
            };
            Ok((Outcome::Done(Box::new(summary)), status))
        }
    }
}

/// Says what is about to happen.
fn introduce(
    recipe: &Recipe,
    prepared: &Prepared,
    manifest: &Manifest,
    folder: &RunFolder,
    state: &State,
    progress: &Progress,
) {
    let valid = prepared.valid.as_ref().map_or(0, |images| images.len());
    progress.line(&format!(
        "{}: {} training, {valid} validation, {} test images",
        recipe.dataset,
        prepared.train.len(),
        prepared.data.test.len(),
    ));
    let (model, seed) = (recipe.model.name(), recipe.seed);
    let parameters = parameters::count(state.network());
    progress.line(&format!("{model} with {parameters} parameters, seed {seed}"));
    let (backend, device) = (&manifest.backend, &manifest.device);
    let threads = match manifest.threads {
        1 => "1 thread".to_owned(),
        threads => format!("{threads} threads"),
    };
    progress.line(&format!("{backend} on {device}, {threads}"));
    progress.line(&format!("run folder {}", folder.path().display()));
    if !state.epochs.is_empty() || !state.current.objectives.is_empty() {
        let (epoch, batch) = (state.epochs.len() + 1, state.current.objectives.len());
        progress.line(&format!("resuming at epoch {epoch}, after {batch} of its batches"));
    }
}

/// Scores the selected weights on every split, the test split once, and writes the results.
fn score(
    recipe: &Recipe,
    prepared: &Prepared,
    folder: &RunFolder,
    manifest: &mut Manifest,
    state: &State,
) -> Result<Summary, SessionError> {
    let last_epoch = state.epochs.len();
    let best_epoch = state.best.as_ref().map_or(last_epoch, |best| best.epoch);
    if let (Keep::LastUnder(threshold), None) = (recipe.keep, &state.best) {
        say(&format!(
            "note: no epoch's validation loss was under {threshold}, so the last weights are kept"
        ));
    }
    let network = state.selected();
    let device = state.device().clone().without_autodiff();
    let answer = |images: &Arc<ImageSet>| {
        predict(&network, images, &prepared.normalization, &device).map_err(PrepareError::from)
    };
    let sample = prepared.train_sample(Seeds::new(recipe.seed)).map_err(PrepareError::from)?;
    let train = answer(&sample)?.scores();
    // The last step of all can break the weights without any batch after it to show it.
    if !train.loss.is_finite() {
        return Err(SessionError::Diverged {
            epoch: last_epoch,
            batch: prepared_images(recipe, prepared).div_ceil(recipe.batch_size),
            learning_rate: state.epochs.last().map_or(f64::NAN, |epoch| epoch.learning_rate),
        });
    }
    save_model(folder, &network, &prepared.normalization)?;
    let valid = match &prepared.valid {
        Some(images) => Some(answer(images)?),
        None => None,
    };
    let valid_scores = valid.as_ref().map(Predictions::scores);
    record_test_read(folder, manifest, "final score", &format!("epoch {best_epoch}"))?;
    let images = Arc::new(prepared.data.test.open().clone());
    let predictions = answer(&images)?;
    let test = predictions.scores();

    let train_seconds: f64 = state.epochs.iter().map(|epoch| epoch.seconds).sum();
    let trained = (prepared_images(recipe, prepared) * last_epoch) as f64;
    let summary = Summary {
        best_epoch,
        last_epoch,
        train_loss: train.loss,
        train_accuracy: train.accuracy,
        valid_loss: valid_scores.map(|scores| scores.loss),
        valid_accuracy: valid_scores.map(|scores| scores.accuracy),
        test_loss: test.loss,
        test_accuracy: test.accuracy,
        generalization_gap: train.accuracy - test.accuracy,
        test_ece: predictions.calibration_error(),
        train_seconds,
        images_per_second: trained / train_seconds.max(1e-9),
        parameters: parameters::count(&network) as u64,
    };
    folder.write_summary(&summary)?;
    folder.write_evaluation(&evaluation(prepared, &images, &predictions, valid.as_ref()))?;
    Ok(summary)
}

/// Training images of an epoch, without those of a dropped last batch.
fn prepared_images(recipe: &Recipe, prepared: &Prepared) -> usize {
    match recipe.last_batch {
        backburn_data::loader::LastBatch::Keep => prepared.train.len(),
        backburn_data::loader::LastBatch::Drop => {
            prepared.train.len() / recipe.batch_size * recipe.batch_size
        }
    }
}

/// Writes the weights, and what a pixel must be scaled by before they see it.
fn save_model(
    folder: &RunFolder,
    network: &backburn_models::Network,
    normalization: &FittedNormalization,
) -> Result<(), RunError> {
    // The entry that PyTorch's own writer leaves.
    let metadata = [("format".to_owned(), "pt".to_owned())].into();
    let bytes =
        weights::to_bytes(&parameters::export(network), metadata).expect("shapes and values agree");
    folder.write("model.safetensors", &bytes)?;
    folder.write_normalization(normalization)
}

/// Notes in the manifest that test data is about to be looked at; returns how often it was, this
/// time included.
pub fn record_test_read(
    folder: &RunFolder,
    manifest: &mut Manifest,
    purpose: &str,
    weights: &str,
) -> Result<usize, RunError> {
    manifest.test_reads.push(TestRead {
        at: now(),
        purpose: purpose.to_owned(),
        weights: weights.to_owned(),
    });
    folder.write_manifest(manifest)?;
    Ok(manifest.test_reads.len())
}

/// What there is to say of the answers to `images`. `valid`: the answers to the validation split,
/// which a temperature is fitted on.
fn evaluation(
    prepared: &Prepared,
    images: &ImageSet,
    predictions: &Predictions,
    valid: Option<&Predictions>,
) -> EvaluationRecord {
    let shape = images.shape();
    let mistake = |i: usize| {
        let (prediction, confidence) = predictions.answer(i);
        Mistake {
            index: i,
            label: usize::from(images.label(i)),
            prediction,
            confidence,
            loss: predictions.loss(i),
            shape: [shape.channels, shape.height, shape.width],
            pixels: images.image(i).to_vec(),
        }
    };
    // Where no temperature is the best, there is none to report.
    let temperature = valid.and_then(|valid| fit_temperature(valid).ok()).map(|temperature| {
        let scaled = predictions.scaled(temperature);
        TemperatureRecord {
            temperature,
            nll: scaled.scores().loss,
            brier: scaled.brier_score(),
            ece: scaled.calibration_error(),
        }
    });
    let k = TOP_K.min(predictions.classes());
    EvaluationRecord {
        class_names: prepared.data.class_names.iter().map(|name| (*name).to_owned()).collect(),
        confusion: predictions.confusion(),
        reliability: reliability(predictions),
        mistakes: predictions.worst_mistakes(SHOWN_MISTAKES).into_iter().map(mistake).collect(),
        nll: Some(predictions.scores().loss),
        brier: Some(predictions.brier_score()),
        ece: Some(predictions.calibration_error()),
        mce: Some(predictions.maximum_calibration_error()),
        top_k: Some(TopKRecord { k, accuracy: predictions.top_k_accuracy(k) }),
        per_class: predictions.per_class(),
        temperature,
    }
}

/// The bins of a reliability diagram, as they are written down.
pub fn reliability(predictions: &Predictions) -> Vec<ReliabilityBin> {
    let bin = |bin: CalibrationBin| ReliabilityBin {
        count: bin.count,
        confidence: bin.confidence,
        accuracy: bin.accuracy,
    };
    predictions.reliability().into_iter().map(bin).collect()
}

fn manifest(
    recipe: &Recipe,
    prepared: &Prepared,
    open: &OpenDevice,
    name: &str,
    means: &Means,
) -> Manifest {
    let file = |file: &backburn_data::FileRecord| FileRecord {
        name: file.name.clone(),
        bytes: file.bytes,
        sha256: file.sha256.clone(),
    };
    Manifest {
        name: name.to_owned(),
        model: recipe.model.name().to_owned(),
        command: means.command.clone(),
        backburn_version: env!("CARGO_PKG_VERSION").to_owned(),
        burn_version: crate::BURN_VERSION.to_owned(),
        git_commit: option_env!("BACKBURN_COMMIT").map(str::to_owned),
        backend: recipe.backend.name().to_owned(),
        device: open.name.clone(),
        threads: means.threads,
        dataset: DatasetRecord {
            name: prepared.data.name.to_owned(),
            files: prepared.data.files.iter().map(file).collect(),
            notes: prepared.data.notes.clone(),
        },
        seed: recipe.seed,
        started: now(),
        ended: None,
        status: Status::Running,
        test_reads: Vec::new(),
    }
}

/// A bar for each file that is downloaded.
#[derive(Debug, Default)]
pub struct DownloadBar {
    shown: Option<(String, indicatif::ProgressBar)>,
}

impl DownloadBar {
    /// Shows how far a download is.
    pub fn show(&mut self, progress: FetchProgress<'_>) {
        let is_new = self.shown.as_ref().is_none_or(|(file, _)| file != progress.file);
        if is_new {
            if let Some((_, bar)) = self.shown.take() {
                bar.finish();
            }
            let bar = indicatif::ProgressBar::new(progress.total.unwrap_or(0));
            let style = "{prefix} {wide_bar:.cyan/dim} {bytes}/{total_bytes}  {eta} left";
            bar.set_style(
                indicatif::ProgressStyle::with_template(style)
                    .expect("the template is well formed")
                    .progress_chars("━╸─"),
            );
            bar.set_prefix(progress.file.to_owned());
            self.shown = Some((progress.file.to_owned(), bar));
        }
        if let Some((_, bar)) = &self.shown {
            bar.set_position(progress.done);
        }
    }
}
