//! One training of a study: what its folder has of it, and what is left to train.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use backburn_records::whole_file::write_whole;
use backburn_records::{RunRecord, Status, Summary};
use backburn_training::extend::EndedRun;
use backburn_training::failure::Failure;
use backburn_training::init_from::InitFrom;
use backburn_training::prepare::PrepareError;
use backburn_training::recipe::Recipe;
use backburn_training::run_folder::error::RunError;
use backburn_training::run_folder::folder::RunFolder;
use backburn_training::run_options::RunOptions;
use backburn_training::session::{self, Outcome, Run};
use backburn_training::session_error::SessionError;
use backburn_training::starting_weights::pinned;
use backburn_training::watch::{Event, Watch};

/// Marks a trial that the data do not allow.
const REFUSED: &str = "refused";

/// Marks a trial whose last attempt has failed.
const FAILED: &str = "failed";

/// A run folder and the recipe of the run that belongs there.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// The run folder.
    pub path: PathBuf,
    /// What is trained.
    pub recipe: Recipe,
}

/// What a folder has of a trial.
#[derive(Clone, Debug)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// A run that can be resumed.
    Part,
    /// A run that has come to its end.
    Whole(Box<Summary>),
    /// A run whose loss was not finite.
    Diverged,
}

impl Found {
    /// Whether there is something left to train.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Nothing | Self::Part)
    }
}

/// What a trial has come to.
#[derive(Clone, Debug)]
pub enum TrialEnd {
    /// Scores of the trial.
    Scored(Box<Summary>),
    /// The loss was not finite, for this reason: a result as well.
    Diverged(String),
    /// The trial was asked to stop; the same trial resumes it.
    Interrupted,
}

impl Trial {
    /// What its folder has of it.
    ///
    /// # Errors
    ///
    /// If it holds a run by another recipe, which would be compared as what it is not, or one that cannot be
    /// read.
    pub fn find(&self) -> Result<Found, Failure> {
        let path = &self.path;
        match RunFolder::check_free(path) {
            Ok(()) => return Ok(Found::Nothing),
            Err(RunError::NotEmpty { .. }) => {}
            Err(error) => return Err(SessionError::from(error).into()),
        }
        let folder = RunFolder::open(path).map_err(SessionError::from)?;
        if folder.recipe().map_err(SessionError::from)? != self.as_trained()? {
            return Err(Failure::Usage(format!(
                "{} holds a run by another recipe; name another folder with `--out`",
                path.display()
            )));
        }
        if folder.has_only_its_recipe() {
            return Ok(Found::Part);
        }
        let record = read(path)?;
        Ok(match (record.manifest.status, record.summary) {
            (Status::Finished | Status::StoppedEarly, Some(summary)) => {
                Found::Whole(Box::new(summary))
            }
            (Status::Finished | Status::StoppedEarly, None) => {
                return Err(Failure::Error(format!(
                    "{} has lost its summary.json; restore it from a copy, or move the folder \
                     elsewhere, and it is trained again",
                    path.display()
                )));
            }
            (Status::Diverged, _) => Found::Diverged,
            _ => Found::Part,
        })
    }

    /// Why the data do not allow the trial, if [`refuse`](Self::refuse) has noted that.
    pub fn refusal(&self) -> Option<String> {
        fs::read_to_string(self.mark(REFUSED)).ok()
    }

    /// Notes beside the run folder, which there is none of, why the data do not allow the trial.
    ///
    /// # Errors
    ///
    /// If that cannot be written.
    pub fn refuse(&self, reason: &str) -> Result<(), Failure> {
        self.write_mark(REFUSED, reason)
    }

    /// Why its last attempt has failed, if [`fail`](Self::fail) has noted that.
    pub fn failure(&self) -> Option<String> {
        fs::read_to_string(self.mark(FAILED)).ok()
    }

    /// Notes beside the run folder why an attempt has failed.
    ///
    /// # Errors
    ///
    /// If that cannot be written.
    pub fn fail(&self, reason: &str) -> Result<(), Failure> {
        self.write_mark(FAILED, reason)
    }

    /// Removes what [`fail`](Self::fail) has noted: another attempt begins.
    ///
    /// # Errors
    ///
    /// If that cannot be removed.
    pub fn forget_failure(&self) -> Result<(), Failure> {
        let path = self.mark(FAILED);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(Failure::Error(format!("cannot remove {}: {error}", path.display())))
            }
            _ => Ok(()),
        }
    }

    fn write_mark(&self, mark: &str, reason: &str) -> Result<(), Failure> {
        let path = self.mark(mark);
        let written = path.parent().map_or(Ok(()), fs::create_dir_all);
        written
            .and_then(|()| write_whole(&path, reason.as_bytes()))
            .map_err(|error| Failure::Error(format!("cannot write {}: {error}", path.display())))
    }

    /// A file beside the run folder.
    fn mark(&self, mark: &str) -> PathBuf {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        self.path.with_file_name(format!("{name}.{mark}.txt"))
    }

    /// The recipe as its run has it: with the checksum of the weights that it begins with.
    fn as_trained(&self) -> Result<Recipe, SessionError> {
        match &self.recipe.init_from {
            Some(InitFrom { sha256: None, .. }) => {
                Ok(pinned(&self.recipe).map_err(PrepareError::from)?)
            }
            _ => Ok(self.recipe.clone()),
        }
    }

    /// Trains what is not there yet of it. `found`: what [`find`](Self::find) gave.
    ///
    /// # Errors
    ///
    /// As [`session::start`] and [`session::resume`], but for divergence.
    pub fn carry_out(
        &self,
        found: Found,
        options: &RunOptions,
        watch: &mut dyn Watch,
    ) -> Result<TrialEnd, SessionError> {
        let run = match found {
            Found::Whole(summary) => return Ok(TrialEnd::Scored(summary)),
            Found::Diverged => {
                let run = self.path.display().to_string();
                return Ok(TrialEnd::Diverged(SessionError::EndedDiverged { run }.to_string()));
            }
            Found::Part => session::resume(&self.path, |_| Ok(()), options, watch),
            Found::Nothing => session::start(&self.recipe, Some(&self.path), "run", options, watch),
        };
        end_of(run)
    }

    /// Trains a trial that there is nothing of, to the same result as [`carry_out`](Self::carry_out): the epochs of
    /// the run `beginning`, which are its own too, are not trained again. They are if that run has not kept what is
    /// needed to go on from it, which is said.
    ///
    /// # Errors
    ///
    /// As [`EndedRun::open`] and [`EndedRun::extend`], but for divergence.
    pub fn go_on_from(
        &self,
        beginning: &Path,
        options: &RunOptions,
        watch: &mut dyn Watch,
    ) -> Result<TrialEnd, SessionError> {
        let run = EndedRun::open(beginning)
            .and_then(|run| run.extend(&self.recipe, Some(&self.path), options, watch));
        match run {
            // Its cure is for whoever asked for the extension.
            Err(SessionError::Extend(_)) => {
                let (path, beginning) = (self.path.display(), beginning.display());
                watch.event(Event::Note(&format!(
                    "{path} is trained from its first epoch on: {beginning} has not kept all \
                     that is needed to go on from it"
                )));
                self.carry_out(Found::Nothing, options, watch)
            }
            run => end_of(run),
        }
    }
}

fn end_of(run: Result<Run, SessionError>) -> Result<TrialEnd, SessionError> {
    match run.map(|run| run.outcome) {
        Ok(Outcome::Done(summary)) => Ok(TrialEnd::Scored(summary)),
        Ok(Outcome::Interrupted) => Ok(TrialEnd::Interrupted),
        Err(error) if error.is_divergence() => Ok(TrialEnd::Diverged(error.to_string())),
        Err(error) => Err(error),
    }
}

/// Reads the records of a run.
///
/// # Errors
///
/// If a file of the run cannot be read.
pub fn read(path: &Path) -> Result<RunRecord, Failure> {
    RunRecord::read(path).map_err(|error| Failure::Error(error.to_string()))
}
