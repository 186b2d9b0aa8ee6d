//! A run from its recipe to its report: prepare, train, score once, write everything down.

// What it expects is about values of its own, never about a file.
#![deny(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::time::Instant;

use backburn_models::parameters;
use backburn_records::{MANIFEST_FILE, Manifest, ResumeRecord, RunRecord, Status, Summary, number};
use burn::tensor::Device;

use crate::backend::{Backend, OpenDevice};
use crate::final_score::score;
use crate::memory::blame::{blame, blame_report};
use crate::memory::need;
use crate::origin::dataset_record;
use crate::prepare::{PrepareError, Prepared};
use crate::recipe::{Recipe, RecipeError};
use crate::run_folder::checkpoint::{self, Position};
use crate::run_folder::checkpoint_every::CheckpointEvery;
use crate::run_folder::error::{Fault, MISSING, RunError};
use crate::run_folder::folder::{RunFolder, now};
use crate::run_folder::losses::LossLog;
use crate::run_folder::names::{CONFIG, EPOCH_END, LATEST, LOSSES, METRICS, PREVIOUS};
use crate::run_folder::pages::DrawError;
use crate::run_folder::restore::{Restored, restore_newest};
use crate::run_folder::rollback::{Divergence, diverged, is_better_than_guessing, roll_back};
use crate::run_logs::RunLogs;
use crate::run_options::RunOptions;
use crate::session_error::SessionError;
use crate::setup::Setup;
use crate::starting_weights::pinned;
use crate::state::State;
use crate::train::{Ending, train};
use crate::tuning;
use crate::verify_kernels::{self, VerifyError};
use crate::version;
use crate::watch::{Event, RunAtWork, Watch, detail, note};
use crate::weighing::Weighing;

/// What a run came to.
#[derive(Debug)]
pub enum Outcome {
    /// Trained and scored.
    Done(Box<Summary>),
    /// Stopped because it was asked to, with a checkpoint.
    Interrupted,
}

/// A run that came to an end of which it can tell.
#[derive(Debug)]
pub struct Run {
    /// Folder of the run.
    pub path: PathBuf,
    /// What computed.
    pub backend: Backend,
    /// What it came to.
    pub outcome: Outcome,
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
    options: &RunOptions,
    watch: &mut dyn Watch,
) -> Result<Run, SessionError> {
    out.map_or(Ok(()), RunFolder::check_free)?;
    // What the folder says of a file of weights is what repeats the run.
    let recipe = &pinned(recipe).map_err(PrepareError::from)?;
    let (open, prepared) = make_ready(recipe, watch)?;
    for text in prepared.check_length(recipe).map_err(PrepareError::from)? {
        note(watch, &format!("note: {text}"));
    }
    let _blamed = blame(recipe, None, &options.command);
    need::check(recipe, &prepared, &open.device, options.threads, watch)?;
    if options.verify_kernels {
        verify_kernels(recipe, &prepared, &open, watch)?;
    }
    let mut state = begin(recipe, &prepared, &open.device, watch)?;
    // Only now, so that a mistake in the recipe leaves no folder behind.
    let folder = create_folder(out, name)?;
    let _lock = folder.lock(watch)?;
    folder.make_checkpoints()?;
    folder.write_recipe(recipe)?;
    let manifest = manifest(recipe, &prepared, &open, &folder, options);
    let task = Task { recipe, prepared: &prepared, folder: &folder, options };
    carry_out(&task, manifest, &mut state, None, watch)
}

/// The state before the first step. What there is to say of a file of weights is said.
fn begin(
    recipe: &Recipe,
    prepared: &Prepared,
    device: &Device,
    watch: &mut dyn Watch,
) -> Result<State, SessionError> {
    let (network, said) = prepared.begin(recipe, &device.clone().autodiff())?;
    if let Some(said) = said {
        note(watch, &format!("note: begun with {said}"));
    }
    let state = State::with_network(recipe, prepared, network, device);
    Ok(state.map_err(PrepareError::from)?)
}

/// The new folder `out`, or one under `runs/` that is named for `name`.
///
/// # Errors
///
/// If it holds something, or cannot be made.
pub fn create_folder(out: Option<&Path>, name: &str) -> Result<RunFolder, RunError> {
    match out {
        Some(path) => RunFolder::create(path),
        None => RunFolder::create_named(name),
    }
}

/// Resumes the run in `path` from its newest checkpoint, after `change` to where it is trained, and, as long as it has no
/// checkpoint, to the size of its batches: one that memory did not suffice for begins anew with less.
///
/// # Errors
///
/// If the change is none, the run has ended, or its checkpoint cannot be used or was trained with other batches; else as
/// [`start`].
pub fn resume(
    path: &Path,
    change: impl FnOnce(&mut Recipe) -> Result<(), RecipeError>,
    options: &RunOptions,
    watch: &mut dyn Watch,
) -> Result<Run, SessionError> {
    let folder = RunFolder::open(path)?;
    let _lock = folder.lock(watch)?;
    let mut recipe = folder.recipe()?;
    let Recipe { batch_size, accumulate, .. } = recipe;
    change(&mut recipe).map_err(PrepareError::from)?;
    let manifest = if folder.has_only_its_recipe() { None } else { Some(folder.manifest()?) };
    match manifest.as_ref().map(|manifest| manifest.status) {
        Some(status @ (Status::Finished | Status::StoppedEarly)) => {
            return Err(SessionError::Ended { run: path.display().to_string(), status });
        }
        Some(Status::Diverged) => {
            return Err(SessionError::EndedDiverged { run: path.display().to_string() });
        }
        // The lock is ours, so that nobody else is at work on it.
        Some(Status::Running) => note(
            watch,
            &format!(
                "note: {} ended without a word: it was killed, or its memory ran out",
                path.display()
            ),
        ),
        _ => {}
    }
    if (recipe.batch_size, recipe.accumulate) != (batch_size, accumulate) && folder.has_checkpoint()
    {
        let run = path.display().to_string();
        return Err(SessionError::TrainedOtherwise { run, batch_size, accumulate });
    }
    let (open, prepared) = make_ready(&recipe, watch)?;
    let _blamed = blame(&recipe, Some(&folder), &options.command);
    need::check(&recipe, &prepared, &open.device, options.threads, watch)?;
    if options.verify_kernels {
        verify_kernels(&recipe, &prepared, &open, watch)?;
    }
    let every = checkpoint_every(path, manifest.as_ref(), options)?;
    let fresh = || -> Result<State, SessionError> {
        Ok(State::to_restore(&recipe, &prepared, &open.device)?)
    };
    // First: a checkpoint need not fit other data.
    if let (Some(manifest), true) = (&manifest, folder.has_checkpoint()) {
        check_same_data(&prepared, manifest)?;
    }
    let restored = restore_newest(&folder, fresh)?;
    match &restored {
        Some(Restored { state, instead_of: Some(latest) }) => {
            note(
                watch,
                &format!(
                    "warning: {latest}; resuming from the one before it, {} ({})",
                    folder.path().join(PREVIOUS).display(),
                    Position::of(state)
                ),
            );
            folder.fall_back()?;
        }
        Some(_) => {}
        None => {
            if let Some(extension) =
                manifest.as_ref().and_then(|manifest| manifest.extends.as_ref())
            {
                return Err(SessionError::LostExtension {
                    run: path.display().to_string(),
                    extends: extension.run.clone(),
                });
            }
            // A run that was stopped in its first epoch has none.
            if folder.path().join(METRICS).exists() {
                let path = folder.path().join(LATEST);
                let latest = Fault { path, reason: MISSING.to_owned() };
                note(
                    watch,
                    &format!("note: {latest}, nor is there one before it; the run begins anew"),
                );
            }
            // Of the training that is begun anew, it would be of another one.
            folder.remove(EPOCH_END)?;
        }
    }
    let saved = restored.as_ref().map(|restored| Position::of(&restored.state));
    let mut state = match restored {
        Some(restored) => restored.state,
        None => {
            for text in prepared.check_length(&recipe).map_err(PrepareError::from)? {
                note(watch, &format!("note: {text}"));
            }
            begin(&recipe, &prepared, &open.device, watch)?
        }
    };
    folder.make_checkpoints()?;
    folder.remove_results()?;
    // Another backend or data folder may have been named; from here on the run is theirs.
    folder.write_recipe(&recipe)?;
    let fresh = self::manifest(&recipe, &prepared, &open, &folder, options);
    let manifest = match (manifest, saved) {
        (Some(manifest), Some(_)) => resumed(manifest, fresh),
        (manifest, _) => begun_anew(manifest, fresh, &folder),
    };
    let logs = logs(&manifest, &options.logs);
    let options = RunOptions { checkpoint_every: every, logs, ..options.clone() };
    let task = Task { recipe: &recipe, prepared: &prepared, folder: &folder, options: &options };
    carry_out(&task, manifest, &mut state, saved, watch)
}

/// How often checkpoints are written inside epochs: as often as is asked for, else as before.
fn checkpoint_every(
    path: &Path,
    manifest: Option<&Manifest>,
    options: &RunOptions,
) -> Result<Option<CheckpointEvery>, RunError> {
    let before = manifest.and_then(|manifest| manifest.checkpoint_every.as_ref());
    let (None, Some(text)) = (options.checkpoint_every, before) else {
        return Ok(options.checkpoint_every);
    };
    text.parse().map(Some).map_err(|reason| RunError::Damaged {
        path: path.join(MANIFEST_FILE),
        reason: format!("`checkpoint_every`: {reason}"),
    })
}

/// What is logged: what is asked for, else what was logged before.
fn logs(manifest: &Manifest, asked: &RunLogs) -> RunLogs {
    let names = if asked.names.is_empty() { &manifest.log } else { &asked.names };
    RunLogs { names: names.clone(), ..asked.clone() }
}

/// The manifest of a run that this process, which would begin `fresh`, resumes.
fn resumed(mut manifest: Manifest, fresh: Manifest) -> Manifest {
    manifest.tuning = fresh.tuning;
    manifest.resumed.push(ResumeRecord {
        at: fresh.started,
        backburn_version: fresh.backburn_version,
        burn_version: fresh.burn_version,
        git_commit: fresh.git_commit,
        backend: fresh.backend,
        device: fresh.device,
        threads: fresh.threads,
    });
    manifest
}

/// The manifest of a run that this process, which would begin `fresh`, begins once more: nothing is left of
/// what was done before but its accesses to the test split.
fn begun_anew(manifest: Option<Manifest>, fresh: Manifest, folder: &RunFolder) -> Manifest {
    let (test_reads, checkpoint_every, log) = manifest.map_or_else(Default::default, |manifest| {
        (manifest.test_reads, manifest.checkpoint_every, manifest.log)
    });
    let mut command = fresh.command;
    // It names a command that would repeat it, which `--resume` does not.
    if let Some(resume) = command.iter().position(|word| word.starts_with("--resume")) {
        command.truncate(resume);
        let config = folder.path().join(CONFIG).display().to_string();
        command.extend(["--config".to_owned(), config]);
    }
    Manifest { test_reads, checkpoint_every, log, command, ..fresh }
}

/// Opens the device and loads the data.
pub fn make_ready(
    recipe: &Recipe,
    watch: &mut dyn Watch,
) -> Result<(OpenDevice, Prepared), SessionError> {
    recipe.check().map_err(PrepareError::from)?;
    let open = recipe.place.backend.open()?;
    let prepared = Prepared::load(recipe, &mut |it| watch.event(Event::Data(it)))?;
    for text in &prepared.data.notes {
        note(watch, &format!("note: {text}"));
    }
    Ok((open, prepared))
}

/// Sets the recipe's first steps on this device beside the reference's, and says how they compare.
///
/// # Errors
///
/// If they differ by more than rounding.
pub fn verify_kernels(
    recipe: &Recipe,
    prepared: &Prepared,
    open: &OpenDevice,
    watch: &mut dyn Watch,
) -> Result<(), SessionError> {
    let task = verify_kernels::Task::of(recipe, prepared).map_err(VerifyError::from)?;
    let backend = recipe.place.backend;
    let verified = verify_kernels::verify(&task, backend, open)?;
    note(watch, &format!("kernels of {backend}: {verified}"));
    if !backend.computes_on_the_host() {
        let verified = verify_kernels::verify_batches(backend, open)?;
        note(watch, &format!("batches made by {backend}: {verified}"));
    }
    Ok(())
}

/// Checks that a run is resumed, or scored, on the files, and with the wrong labels, that it was begun with.
///
/// # Errors
///
/// If a file, or what label noise draws, has another checksum than the manifest says.
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
    if let (Some(wrong), Some(recorded)) = (&prepared.wrong_labels, &manifest.label_noise) {
        let found = wrong.record(&prepared.train).sha256;
        if found != recorded.sha256 {
            let (expected, version) = (recorded.sha256.clone(), manifest.backburn_version.clone());
            return Err(SessionError::OtherLabels { expected, found, version });
        }
    }
    Ok(())
}

/// What is trained, on what, into which folder, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Task<'a> {
    pub(crate) recipe: &'a Recipe,
    pub(crate) prepared: &'a Prepared,
    pub(crate) folder: &'a RunFolder,
    pub(crate) options: &'a RunOptions,
}

/// Trains from where `state` stands to the end, and writes everything down. `saved`: where its checkpoint
/// stands, if there is one.
pub(crate) fn carry_out(
    task: &Task<'_>,
    mut manifest: Manifest,
    state: &mut State,
    saved: Option<Position>,
    watch: &mut dyn Watch,
) -> Result<Run, SessionError> {
    let Task { recipe, folder, options, .. } = *task;
    let mut watch =
        (options.logs.open)(&options.logs.names, watch).map_err(|reason| RunError::Damaged {
            path: folder.path().join(MANIFEST_FILE),
            reason: format!("`log`: {reason}"),
        })?;
    let watch = &mut *watch;
    watch.event(Event::CanBeStopped);
    manifest.status = Status::Running;
    manifest.ended = None;
    manifest.checkpoint_every = options.checkpoint_every.map(|every| every.to_string());
    manifest.log.clone_from(&options.logs.names);
    manifest.rollbacks.clone_from(&state.rollbacks);
    folder.write_manifest(&manifest)?;
    let _blamed = blame(recipe, Some(folder), &task.options.command);
    let outcome = train_and_score(task, &mut manifest, state, saved, watch);
    watch.event(Event::Ended);
    manifest.status = match &outcome {
        Ok((_, status)) => *status,
        Err(error) if error.is_divergence() => Status::Diverged,
        Err(_) => Status::Failed,
    };
    manifest.ended = Some(now());
    manifest.tuning = tuning::record();
    // A folder on a disk without space for this still says `running`, as one of a killed run: both are resumed.
    // If the folder cannot be written to, the first error says so better than a second one.
    let written = folder.write_manifest(&manifest);
    let (outcome, _) = outcome?;
    written?;
    if matches!(outcome, Outcome::Done(_)) {
        let _blamed = blame_report(folder);
        let drawn = RunRecord::read(folder.path())
            .map_err(DrawError::from)
            .and_then(|run| (options.pages.report)(&run));
        let run = folder.path().display().to_string();
        drawn.map_err(|source| SessionError::Report { run, source })?;
    }
    Ok(Run { path: folder.path().to_owned(), backend: recipe.place.backend, outcome })
}

fn train_and_score(
    task: &Task<'_>,
    manifest: &mut Manifest,
    state: &mut State,
    mut saved: Option<Position>,
    watch: &mut dyn Watch,
) -> Result<(Outcome, Status), SessionError> {
    let Task { recipe, prepared, folder, options } = *task;
    introduce(recipe, prepared, manifest, folder, state, watch);
    let checkpoint_every = options.checkpoint_every;
    let weighing = Weighing::of_version(&manifest.backburn_version);
    let setup = Setup {
        stop: options.stop.clone(),
        checkpoint_every,
        weighing,
        ..Setup::new(recipe, prepared, options.threads)
            .map_err(PrepareError::from)?
            .on_device(state.device())
    };
    folder.keep_metrics(&state.epochs)?;
    let batches = setup.batches_per_epoch();
    if !folder.keep_losses(state.epochs.len(), batches, &state.current.objectives)? {
        note(
            watch,
            &format!(
                "warning: {} lacks batches of epochs that were trained; the run is resumed without \
                 them",
                folder.path().join(LOSSES).display()
            ),
        );
    }
    folder.keep_given_up(state.rollbacks.len())?;
    let mut losses = LossLog::of(folder, state);
    if state.is_at_an_end() && can_be_gone_back_to(&setup, state) {
        // The process before may have been killed between the two.
        let bytes = checkpoint::to_bytes(state)?;
        folder.write(EPOCH_END, &bytes)?;
    }
    watch.event(Event::Run(at_work(&setup, folder, manifest, state)));
    let started = Instant::now();
    let ending = loop {
        let mut save = |state: &State, objectives: &[f64]| {
            save(&setup, folder, &mut losses, state, objectives)?;
            saved = Some(Position::of(state));
            Ok(())
        };
        let ending: Result<_, SessionError> = train(&setup, state, watch, &mut save);
        let ending = ending.inspect_err(|_| losses.rescue(state))?;
        let Ending::Diverged { epoch, batch } = ending else { break ending };
        // Of the batches behind it nobody can tell how many have been read back.
        state.current.objectives.truncate(batch);
        let written = losses.write(epoch, &state.current.objectives);
        let written = written.inspect_err(|_| losses.rescue(state));
        let learning_rate = state.learning_rate(&setup, epoch, batch - 1);
        let divergence = Divergence { epoch, batch, learning_rate };
        if state.rollbacks.len() >= recipe.on_divergence.rollbacks() {
            watch.event(Event::Ended);
            if let Err(error) = written {
                note(watch, &format!("warning: {error}"));
            }
            return Err(diverged(&setup, folder, state, saved, divergence));
        }
        written?;
        roll_back(&setup, folder, &mut losses, state, divergence, watch)?;
        saved = Some(Position::of(state));
        manifest.rollbacks.clone_from(&state.rollbacks);
        folder.write_manifest(manifest)?;
        watch.event(Event::Run(at_work(&setup, folder, manifest, state)));
    };
    let trained = started.elapsed();
    watch.event(Event::Ended);
    // Whoever is asked to stop begins no access to the test split; the last epoch is saved.
    let ending = if setup.stop.is_requested() { Ending::Interrupted } else { ending };
    match ending {
        Ending::Interrupted => Ok((Outcome::Interrupted, Status::Interrupted)),
        ending => {
            let waited = 100.0 * state.waited.as_secs_f64() / trained.as_secs_f64().max(1e-9);
            detail(watch, &format!("waited for batches {waited:.1} % of the time"));
            let summary = score(&setup, folder, manifest, state, options.pages, watch)?;
            manifest.files = folder.result_files()?;
            let status = match ending {
                Ending::StoppedEarly => Status::StoppedEarly,
                _ => Status::Finished,
            };
            Ok((Outcome::Done(Box::new(summary)), status))
        }
    }
}

/// The run as it stands.
fn at_work<'a>(
    setup: &'a Setup<'a>,
    folder: &'a RunFolder,
    manifest: &'a Manifest,
    state: &'a State,
) -> RunAtWork<'a> {
    let (epochs, batches) = (&state.epochs[..], state.current.objectives.len());
    RunAtWork { folder: folder.path(), manifest, setup, epochs, batches }
}

/// Writes down what has been trained: the checkpoint after the rows, so that it never knows of more than
/// the files beside it.
fn save(
    setup: &Setup<'_>,
    folder: &RunFolder,
    losses: &mut LossLog<'_>,
    state: &State,
    objectives: &[f64],
) -> Result<(), SessionError> {
    setup.stop.answer_save();
    let bytes = checkpoint::to_bytes(state)?;
    let ended = state.epochs.last().filter(|_| !objectives.is_empty());
    match ended {
        Some(epoch) => {
            losses.write(epoch.epoch, objectives)?;
            folder.append_metrics(epoch)?;
        }
        None => losses.write(state.epochs.len() + 1, &state.current.objectives)?,
    }
    folder.write_checkpoint(&bytes)?;
    if ended.is_some() && can_be_gone_back_to(setup, state) {
        // After the newest, so that it is never of an epoch that is trained again.
        folder.write(EPOCH_END, &bytes)?;
    }
    Ok(())
}

/// Whether a rollback may go back to the end of the epoch that `state` stands at; if not, the one before stays
/// what it goes back to.
fn can_be_gone_back_to(setup: &Setup<'_>, state: &State) -> bool {
    !setup.recipe.on_divergence.is_stop() && is_better_than_guessing(setup, state)
}

/// Says what is about to happen.
fn introduce(
    recipe: &Recipe,
    prepared: &Prepared,
    manifest: &Manifest,
    folder: &RunFolder,
    state: &State,
    watch: &mut dyn Watch,
) {
    let valid = prepared.valid.as_ref().map_or(0, |images| images.len());
    detail(
        watch,
        &format!(
            "{}: {} training, {valid} validation, {} test images",
            recipe.dataset,
            prepared.train.len(),
            prepared.data.test.len(),
        ),
    );
    if let Some(noise) = manifest.label_noise_in_words() {
        detail(watch, &format!("label noise {noise}"));
    }
    let model = recipe.model.introduced(parameters::count(state.network()));
    detail(watch, &format!("{model}, seed {}", manifest.seeds()));
    let (backend, device, threads) = manifest.machine();
    let threads = number::threads(threads);
    detail(watch, &format!("{backend} on {device}, {threads}"));
    detail(watch, &format!("run folder {}", folder.path().display()));
    for text in prepared.notes(recipe) {
        detail(watch, &format!("note: {text}"));
    }
    if !state.epochs.is_empty() || !state.current.objectives.is_empty() {
        let (epoch, batch) = (state.epochs.len() + 1, state.current.objectives.len());
        detail(watch, &format!("resuming at epoch {epoch}, after {batch} of its batches"));
        let version = &manifest.backburn_version;
        if Weighing::of_version(version) == Weighing::Batches {
            detail(
                watch,
                &format!(
                    "note: version {version} began this run, so that a short batch goes on \
                     counting as much as a full one in epochs' objectives and accumulated \
                     gradients; from 0.2 on it counts by its images, and Lookahead's steps since \
                     its last look count too"
                ),
            );
        }
    }
}

/// The manifest of a run that begins in `folder`.
pub(crate) fn manifest(
    recipe: &Recipe,
    prepared: &Prepared,
    open: &OpenDevice,
    folder: &RunFolder,
    options: &RunOptions,
) -> Manifest {
    // Reports tell runs apart by the names of their folders.
    let name = folder.path().file_name().map_or("run".into(), |name| name.to_string_lossy());
    Manifest {
        name: name.into_owned(),
        model: recipe.model.name().to_owned(),
        command: options.command.clone(),
        backburn_version: version::VERSION.to_owned(),
        burn_version: version::BURN_VERSION.to_owned(),
        git_commit: version::commit().map(str::to_owned),
        backend: recipe.place.backend.name().to_owned(),
        device: open.name.clone(),
        threads: options.threads,
        dataset: dataset_record(&prepared.data),
        train_images: Some(prepared.train.len()),
        valid_images: prepared.valid.as_ref().map(|valid| valid.len()),
        seed: recipe.seed,
        data_seed: recipe.data_seed,
        replicate: recipe.replicate,
        label_noise: prepared.wrong_labels.as_ref().map(|wrong| wrong.record(&prepared.train)),
        started: now(),
        ended: None,
        status: Status::Running,
        test_reads: Vec::new(),
        checkpoint_every: None,
        log: Vec::new(),
        resumed: Vec::new(),
        tuning: tuning::record(),
        extends: None,
        rollbacks: Vec::new(),
        files: Vec::new(),
    }
}
