//! Why a run failed, or is not trained further.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::Path;

use backburn_data::DataError;
use backburn_data::loader::LoaderError;
use backburn_records::{Status, number};
use backburn_regularization::Keep;

use crate::backend::BackendError;
use crate::failure::Failure;
use crate::prepare::PrepareError;
use crate::run_folder::checkpoint::CheckpointError;
use crate::run_folder::error::{Fault, RunError, how_to_finish};
use crate::run_folder::pages::DrawError;
use crate::verify_kernels::VerifyError;

/// The settings that may change between the epochs that are there and those that are added: none of them
/// decides what the weights, or the optimizer's memory of them, are.
pub(crate) const MAY_CHANGE: [&str; 5] =
    ["epochs", "learning_rate", "schedule", "early_stopping", "keep"];

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
    Loader(#[from] LoaderError),
    #[error(transparent)]
    State(#[from] CheckpointError),
    #[error(transparent)]
    Kernels(#[from] VerifyError),
    /// Far more memory is needed than there is.
    #[error("{why}; {cure}")]
    CannotFit {
        /// Says what is needed and what there is.
        why: String,
        cure: String,
    },
    /// Everything is written but the report.
    #[error(
        "{source}; the run itself is complete, draw its report with `cargo xtask report {run}`"
    )]
    Report { run: String, source: DrawError },
    /// Neither checkpoint can be resumed from.
    #[error("{latest}; {previous}; start the run anew with `cargo xtask train --config {config}`")]
    Checkpoint { latest: Box<Fault>, previous: Box<Fault>, config: String },
    /// The recipe is not that of the checkpoint.
    #[error(
        "{path}: {source}; set {config} right to resume, or start a new run with `cargo xtask \
         train --config {config}`"
    )]
    OtherRecipe { path: String, config: String, source: CheckpointError },
    /// What a rollback goes back to cannot be used.
    #[error(
        "training diverged at epoch {epoch}, and cannot go back: {fault}; start a new run with a \
         smaller `--learning-rate`, or `--clip-norm 1`"
    )]
    Rollback { epoch: usize, fault: Fault },
    #[error(transparent)]
    Extend(#[from] ExtendError),
    /// An extended run has lost the epochs that it began with.
    #[error(
        "{run} trains {extends} further, and has no checkpoint left to resume from; extend that \
         run again, into another folder, `cargo xtask train --extend {extends} --epochs N`"
    )]
    LostExtension { run: String, extends: String },
    /// A run without the weights that it will end with.
    #[error(
        "{run} is {status}, so that it has no selected weights yet; {}",
        how_to_finish(Path::new(run), *status)
    )]
    Unfinished { run: String, status: Status },
    /// A run that has come to its end.
    #[error(
        "{run} is {status}: there is nothing to resume; for more epochs train it further, `cargo \
         xtask train --extend {run} --epochs N`, or start a new run, `cargo xtask train --config \
         {run}/config.toml --epochs N`"
    )]
    Ended { run: String, status: Status },
    /// A run that would diverge again.
    #[error(
        "{run} is diverged, and resuming would repeat that; start a new run with a smaller \
         learning rate, `cargo xtask train --config {run}/config.toml --learning-rate X`"
    )]
    EndedDiverged { run: String },
    /// Other batches, or steps of another number of them, are asked for than a checkpoint was trained with.
    #[error(
        "{run} has a checkpoint that was trained with `--batch-size {batch_size} --accumulate \
         {accumulate}`, and goes on with these; a run with others is a new one, `cargo xtask train \
         --config {run}/config.toml --batch-size N`"
    )]
    TrainedOtherwise { run: String, batch_size: usize, accumulate: usize },
    /// The data have changed since the run was begun.
    #[error(
        "{file}: expected the file that the run was begun with, SHA-256 {expected}, found {found}; \
         name the folder that has it with `--data-dir`"
    )]
    OtherData { file: String, expected: String, found: String },
    /// Label noise does not draw what it drew when the run was begun.
    #[error(
        "label noise: expected the training labels that the run was begun with, SHA-256 \
         {expected}, found {found}; resume it with version {version}, which began it, or start a new \
         run with its config.toml"
    )]
    OtherLabels { expected: String, found: String, version: String },
    /// The loss is no longer a number.
    #[error(
        "training diverged: the loss or the weights were not finite at epoch {epoch}, batch \
         {batch} (step {step}, learning rate {learning_rate:e}){rolled_back}; {last_good}; try \
         {cure}"
    )]
    Diverged {
        epoch: usize,
        batch: usize,
        step: usize,
        learning_rate: f64,
        /// Says how often it was tried again.
        rolled_back: String,
        /// Says what was saved last.
        last_good: String,
        /// What has not been tried.
        cure: &'static str,
    },
    /// The weights are numbers, but too large to be scored.
    #[error(
        "training diverged: the weights of epoch {epoch} are finite, but their loss on the \
         training images is not (learning rate {learning_rate:e}); start a new run with a smaller \
         `--learning-rate`, or `--clip-norm 1`"
    )]
    NoFiniteScore { epoch: usize, learning_rate: f64 },
}

impl SessionError {
    /// Whether the training came to numbers that are not finite: a result, where others are errors.
    pub fn is_divergence(&self) -> bool {
        matches!(self, Self::Diverged { .. } | Self::NoFiniteScore { .. })
    }
}

/// Why a run is not trained further.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExtendError {
    /// The run has not come to its end.
    #[error("{run} is {status}; {}", how_to_finish(Path::new(run), *status))]
    NotEnded {
        /// Folder of the run.
        run: String,
        /// How far it has come.
        status: Status,
    },
    /// The run has no checkpoint.
    #[error(
        "{run} has no checkpoint any more, so that nothing is left to train on with; start a new \
         run with `cargo xtask train --config {run}/config.toml --epochs {epochs}`"
    )]
    NoCheckpoint {
        /// Folder of the run.
        run: String,
        /// Epochs that were asked for.
        epochs: usize,
    },
    /// The run has all the epochs that were asked for.
    #[error(
        "`--epochs`: expected more than the {} that {run} has, found {found}",
        number::epochs(*trained)
    )]
    NoMoreEpochs {
        /// Folder of the run.
        run: String,
        /// Epochs that it has.
        trained: usize,
        /// Epochs that were asked for.
        found: usize,
    },
    /// The run's epochs so far and those to come would not mean the same.
    #[error(
        "{run} was trained by version {version}, in which a short last batch counted as much as \
         the others, and Lookahead's steps since its last look not at all; train it anew, `cargo \
         xtask train --config {run}/config.toml --epochs {epochs}`"
    )]
    EarlierVersion {
        /// Folder of the run.
        run: String,
        /// The version that began it.
        version: String,
        /// Epochs that were asked for.
        epochs: usize,
    },
    /// A setting was changed that the weights so far depend on.
    #[error(
        "`--extend` trains the same network on, and may change {} alone, but {differences}; \
         another recipe needs a new run, `cargo xtask train --config {run}/config.toml`",
        MAY_CHANGE.join(", ")
    )]
    OtherRecipe {
        /// Folder of the run.
        run: String,
        /// The settings, with what they were and are.
        differences: String,
    },
    /// Another rule keeps weights of an epoch whose weights are gone.
    #[error(
        "`--keep {keep}` keeps the weights of epoch {epoch} so far, and {run} has {}; train it anew, \
         `cargo xtask train --config {run}/config.toml --keep {keep} --epochs {epochs}`",
        weights_there(*kept, *last)
    )]
    NotKept {
        /// Folder of the run.
        run: String,
        /// The rule.
        keep: Keep,
        /// The epoch that it keeps.
        epoch: usize,
        /// The epoch whose weights were kept, if there is one.
        kept: Option<usize>,
        /// Its last epoch, if it stands at the end of one.
        last: Option<usize>,
        /// Epochs that were asked for.
        epochs: usize,
    },
    /// Early stopping would end the run at once.
    #[error(
        "early stopping, {rule}, has ended {run} after {}, and would again; set \
         `--early-stopping none` or a rule with more patience",
        number::epochs(*trained)
    )]
    StopsAtOnce {
        /// Folder of the run.
        run: String,
        /// The rule.
        rule: String,
        /// Epochs that it has.
        trained: usize,
    },
}

/// Which of a run's epochs it has the weights of.
fn weights_there(kept: Option<usize>, last: Option<usize>) -> String {
    match (kept, last) {
        (Some(kept), Some(last)) if kept != last => {
            format!("those of epochs {kept} and {last} only")
        }
        (Some(epoch), _) | (None, Some(epoch)) => format!("those of epoch {epoch} only"),
        (None, None) => "those of no epoch".into(),
    }
}

impl From<SessionError> for Failure {
    fn from(error: SessionError) -> Self {
        let message = error.to_string();
        match error {
            SessionError::Prepare(
                PrepareError::Recipe(_)
                | PrepareError::Model(_)
                | PrepareError::Loader(_)
                | PrepareError::Normalization(_)
                | PrepareError::Data(DataError::Split { .. }),
            )
            | SessionError::Run(RunError::NotEmpty { .. })
            | SessionError::Extend(
                ExtendError::NoMoreEpochs { .. }
                | ExtendError::OtherRecipe { .. }
                | ExtendError::NotKept { .. }
                | ExtendError::StopsAtOnce { .. },
            ) => Self::Usage(message),
            _ => Self::Error(message),
        }
    }
}
