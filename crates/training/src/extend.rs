//! More epochs for a run that has ended: a new run, which begins where the other stands.

// What it expects is about values of its own, never about a file.
#![deny(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::Path;

use backburn_models::parameters;
use backburn_records::{ExtensionRecord, Manifest, Status};
use backburn_regularization::{EarlyStopping, Validation};
use burn::tensor::Device;

use crate::memory::blame::blame;
use crate::memory::need;
use crate::optimize::plateau::Plateau;
use crate::picture_names::short_name;
use crate::prepare::{PrepareError, Prepared};
use crate::recipe::{Recipe, Settings};
use crate::run_folder::checkpoint::{self, Position, differences};
use crate::run_folder::folder::RunFolder;
use crate::run_folder::names::{GIVEN_UP, LOSSES};
use crate::run_folder::restore::{Restored, restore_newest};
use crate::run_options::RunOptions;
use crate::session::{self, Run, Task};
use crate::session_error::{ExtendError, MAY_CHANGE, SessionError};
use crate::state::{Best, State, validation};
use crate::watch::{Watch, note};
use crate::weighing::Weighing;

/// Settings that decide which steps are taken, but not what any of them is.
const DECIDES_NO_STEP: [&str; 3] = ["epochs", "early_stopping", "keep"];

/// Whether a training by `longer` begins, bit for bit, with one by `shorter`: where the two differ in nothing but how long
/// they train and which epoch's weights they keep.
pub fn begins_with(longer: &Recipe, shorter: &Recipe) -> bool {
    let of_steps = |recipe: &Recipe| -> Settings {
        let settings = recipe.determinants().into_iter();
        settings.filter(|(name, _)| !DECIDES_NO_STEP.contains(&name.as_str())).collect()
    };
    !longer.schedule.depends_on_length()
        && shorter.epochs <= longer.epochs
        && of_steps(longer) == of_steps(shorter)
}

/// A run that has come to its end.
#[derive(Debug)]
pub struct EndedRun {
    folder: RunFolder,
    manifest: Manifest,
    recipe: Recipe,
}

impl EndedRun {
    /// The run in the folder `path`.
    ///
    /// # Errors
    ///
    /// If it has not come to its end, or its recipe has changed since.
    pub fn open(path: &Path) -> Result<Self, SessionError> {
        let folder = RunFolder::open(path)?;
        let (manifest, status) = folder.manifest_with_status()?;
        if !matches!(status, Status::Finished | Status::StoppedEarly) {
            return Err(ExtendError::NotEnded { run: name_of(path), status }.into());
        }
        let recipe = folder.recipe_as_written(&manifest)?;
        Ok(Self { folder, manifest, recipe })
    }

    /// What it was trained by.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// Trains it further by `recipe`, into the new folder `out`, or one under `runs/`.
    ///
    /// With a schedule that does not depend on the number of epochs, the new run's weights are those of one that
    /// had all epochs from its beginning; another schedule goes on at its place in the longer training, which is
    /// said.
    ///
    /// # Errors
    ///
    /// If `recipe` changes what the weights so far depend on, or has no more epochs than there are; else as
    /// [`session::start`].
    pub fn extend(
        &self,
        recipe: &Recipe,
        out: Option<&Path>,
        options: &RunOptions,
        watch: &mut dyn Watch,
    ) -> Result<Run, SessionError> {
        out.map_or(Ok(()), RunFolder::check_free)?;
        self.check_change(recipe)?;
        let (open, prepared) = session::make_ready(recipe, watch)?;
        session::check_same_data(&prepared, &self.manifest)?;
        if options.verify_kernels {
            session::verify_kernels(recipe, &prepared, &open, watch)?;
        }
        for text in prepared.check_length(recipe).map_err(PrepareError::from)? {
            note(watch, &format!("note: {text}"));
        }
        let _blamed = blame(recipe, None, &options.command);
        need::check(recipe, &prepared, &open.device, options.threads, watch)?;
        self.check_weighing(recipe, &prepared)?;
        let mut state = self.state(recipe, &prepared, &open.device, watch)?;
        let losses = self.folder.read_as_written(LOSSES, &self.manifest)?;
        let extension = ExtensionRecord {
            run: absolute(self.folder.path()),
            epochs: state.epochs.len(),
            schedule: continued(recipe, &state),
        };
        note(
            watch,
            &format!(
                "{} is trained on from epoch {}: {}",
                self.name(),
                extension.epochs + 1,
                extension.schedule
            ),
        );

        let name = format!("{}-{}", short_name(&recipe.dataset), recipe.model.name());
        let folder = session::create_folder(out, &name)?;
        let _lock = folder.lock(watch)?;
        // First what says where it comes from: if it is killed before it has a checkpoint, it cannot be resumed,
        // and is not begun anew without the epochs before.
        let mut manifest = session::manifest(recipe, &prepared, &open, &folder, options);
        // Whoever asks for more epochs has seen the scores of those before.
        manifest.test_reads.clone_from(&self.manifest.test_reads);
        manifest.extends = Some(extension);
        folder.write_manifest(&manifest)?;
        folder.write_recipe(recipe)?;
        folder.write(LOSSES, &losses)?;
        if !state.rollbacks.is_empty() && self.folder.path().join(GIVEN_UP).exists() {
            folder.write(GIVEN_UP, &self.folder.read_as_written(GIVEN_UP, &self.manifest)?)?;
        }
        folder.make_checkpoints()?;
        folder.write_checkpoint(&checkpoint::to_bytes(&state)?)?;
        let saved = Some(Position::of(&state));
        let task = Task { recipe, prepared: &prepared, folder: &folder, options };
        session::carry_out(&task, manifest, &mut state, saved, watch)
    }

    fn name(&self) -> String {
        name_of(self.folder.path())
    }

    /// Checks that nothing changes that the weights so far depend on.
    fn check_change(&self, new: &Recipe) -> Result<(), SessionError> {
        let kept = |recipe: &Recipe| -> Settings {
            let settings = recipe.determinants().into_iter();
            settings.filter(|(name, _)| !MAY_CHANGE.contains(&name.as_str())).collect()
        };
        let differences = differences(&kept(&self.recipe), &kept(new));
        if differences.is_empty() {
            return Ok(());
        }
        Err(ExtendError::OtherRecipe { run: self.name(), differences }.into())
    }

    /// Checks that a mean over batches, which is what an earlier version took, is one over images too.
    fn check_weighing(&self, new: &Recipe, prepared: &Prepared) -> Result<(), SessionError> {
        let version = &self.manifest.backburn_version;
        let (images, batch_size) = (prepared.train.len(), new.batch_size);
        let batches = new.last_batch.batches(images, batch_size);
        let is_even = new.last_batch.last_images(images, batch_size) == batch_size;
        // Lookahead's steps since its last look did not count then.
        let looks_at_the_end = new.lookahead.is_none_or(|lookahead| {
            (batches.div_ceil(new.accumulate) as u64).is_multiple_of(lookahead.steps)
        });
        let is_new = Weighing::of_version(version) == Weighing::Images;
        if is_new || is_even && looks_at_the_end {
            return Ok(());
        }
        let (run, version) = (self.name(), version.clone());
        Err(ExtendError::EarlierVersion { run, version, epochs: new.epochs }.into())
    }

    /// The training as it stood at its end, ready to go on by the recipe `new`.
    fn state(
        &self,
        new: &Recipe,
        prepared: &Prepared,
        device: &Device,
        watch: &mut dyn Watch,
    ) -> Result<State, SessionError> {
        let (old, run) = (&self.recipe, self.name());
        let fresh =
            || -> Result<State, SessionError> { Ok(State::to_restore(old, prepared, device)?) };
        let Some(Restored { mut state, instead_of }) = restore_newest(&self.folder, fresh)? else {
            return Err(ExtendError::NoCheckpoint { run, epochs: new.epochs }.into());
        };
        if let Some(fault) = instead_of {
            note(
                watch,
                &format!("warning: {fault}; the one before it is taken, {}", Position::of(&state)),
            );
        }
        let trained = state.epochs.len();
        if new.epochs <= trained {
            return Err(ExtendError::NoMoreEpochs { run, trained, found: new.epochs }.into());
        }
        if new.early_stopping != old.early_stopping {
            state.stopping = new.early_stopping.map(EarlyStopping::new);
            for epoch in &state.epochs {
                if let (Some(stopping), Some(scores)) = (&mut state.stopping, validation(epoch)) {
                    stopping.observe(epoch.train_objective, scores);
                }
            }
        }
        if new.keep != old.keep {
            state.best = self.kept_by(new, &state)?;
        }
        if let (Some(stopping), Some(rule)) = (&state.stopping, new.early_stopping)
            && stopping.has_stopped()
        {
            let rule = rule.to_string();
            return Err(ExtendError::StopsAtOnce { run, rule, trained }.into());
        }
        if new.schedule != old.schedule {
            state.plateau = Plateau::default();
        }
        state.determinants = new.determinants();
        Ok(state)
    }

    /// The weights that another rule keeps of the epochs so far, of which there are those that were kept and the
    /// last.
    fn kept_by(&self, new: &Recipe, state: &State) -> Result<Option<Best>, ExtendError> {
        let mut chosen: Option<(usize, Validation)> = None;
        for record in &state.epochs {
            if let Some(scores) = validation(record)
                && new.keep.replaces(scores, chosen.map(|(_, scores)| scores))
            {
                chosen = Some((record.epoch, scores));
            }
        }
        let (kept, trained) = (state.best.as_ref(), state.epochs.len());
        match (chosen, kept) {
            (None, _) => Ok(None),
            (Some((epoch, _)), Some(kept)) if kept.epoch == epoch => Ok(Some(kept.clone())),
            // The checkpoint before the newest may lie inside the epoch after it.
            (Some((epoch, _)), _) if epoch == trained && state.is_at_an_end() => {
                Ok(Some(Best { epoch, weights: parameters::export(&state.evaluation_copy()) }))
            }
            (Some((epoch, _)), _) => Err(ExtendError::NotKept {
                run: self.name(),
                keep: new.keep,
                epoch,
                kept: kept.map(|kept| kept.epoch),
                last: state.is_at_an_end().then_some(trained),
                epochs: new.epochs,
            }),
        }
    }
}

fn name_of(run: &Path) -> String {
    run.display().to_string()
}

/// The same folder for whoever reads of it elsewhere.
fn absolute(run: &Path) -> String {
    std::path::absolute(run).as_deref().unwrap_or(run).display().to_string()
}

/// What the learning rate does from here on, in words.
fn continued(recipe: &Recipe, state: &State) -> String {
    let ended = state.epochs.last().map_or(f64::NAN, |epoch| epoch.learning_rate);
    let (next, batch) = (state.epochs.len() + 1, state.current.objectives.len());
    let rate = state.learning_rate_by(recipe, next, batch);
    let schedule = recipe.schedule;
    let of = match schedule.depends_on_length() {
        true => format!(" over {} epochs in all, at its place", recipe.epochs),
        false => String::new(),
    };
    format!(
        "the schedule is {schedule}{of}; the learning rate was {ended:.3e} and is {rate:.3e} now"
    )
}
