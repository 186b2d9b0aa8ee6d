//! When a training diverges: back to the last end of an epoch that was better than guessing, or the error that
//! says what can be done.

// What it expects is about values of its own, never about a file.
#![deny(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use backburn_records::{EpochRecord, RollbackRecord};

use crate::loss::Loss;
use crate::outlook::Outlook;
use crate::run_folder::checkpoint::{self, Position};
use crate::run_folder::error::Fault;
use crate::run_folder::folder::RunFolder;
use crate::run_folder::losses::LossLog;
use crate::run_folder::names::{EPOCH_END, LATEST};
use crate::run_folder::restore::read_checkpoint;
use crate::session_error::SessionError;
use crate::setup::Setup;
use crate::state::State;
use crate::watch::{Watch, detail};

/// Images that say, where no validation split does, whether a network is better than guessing.
const LEAST_IMAGES: usize = 256;

/// Where a training diverged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Divergence {
    /// Epoch, counted from 1.
    pub(crate) epoch: usize,
    /// Batch within it, counted from 1.
    pub(crate) batch: usize,
    /// Learning rate of the batch's step.
    pub(crate) learning_rate: f64,
}

/// Puts `state` back to the last end of an epoch that is better than guessing, or to the beginning, and
/// halves the learning rate. Saved at once, so that a run that is killed now does not forget it. What was
/// computed since then, of which `losses.csv` has the batches, goes to `diverged.csv` and the rollback's
/// record.
pub(crate) fn roll_back<'a>(
    setup: &Setup<'_>,
    folder: &'a RunFolder,
    losses: &mut LossLog<'a>,
    state: &mut State,
    divergence: Divergence,
    watch: &mut dyn Watch,
) -> Result<(), SessionError> {
    let Divergence { epoch, batch, learning_rate } = divergence;
    let found = end_to_go_back_to(setup, folder, state)?;
    let mut before = found.map_err(|fault| SessionError::Rollback { epoch, fault })?;
    before.waited = state.waited;
    let back_to = before.epochs.len();
    let given_up = state.epochs.split_off(back_to);
    before.rollbacks = std::mem::take(&mut state.rollbacks);
    before.rollbacks.push(RollbackRecord {
        epoch,
        batch,
        learning_rate,
        back_to: Some(back_to),
        given_up,
    });
    *state = before;
    let place = match back_to {
        0 if epoch > 1 => "beginning, as no epoch's end was better than guessing,".to_owned(),
        0 => "beginning".to_owned(),
        _ if back_to + 1 < epoch => {
            format!("end of epoch {back_to}, the last that was better than guessing,")
        }
        _ => format!("end of epoch {back_to}"),
    };
    let told = format!(
        "the loss was not finite at learning rate {learning_rate:e}; going back to the {place} \
         with half the rate (rollback {} of {})",
        state.rollbacks.len(),
        setup.recipe.on_divergence.rollbacks(),
    );
    detail(watch, &told);
    // In this order, so that nothing is lost if the process is killed in between: what is behind the checkpoint is
    // cut off on resume too.
    folder.give_up_losses(state.rollbacks.len(), back_to)?;
    let bytes = checkpoint::to_bytes(state)?;
    // Twice: the one before is of what was given up.
    folder.write_checkpoint(&bytes)?;
    folder.write_checkpoint(&bytes)?;
    folder.keep_metrics(&state.epochs)?;
    folder.keep_losses(back_to, setup.batches_per_epoch(), &[])?;
    *losses = LossLog::of(folder, state);
    Ok(())
}

/// Whether the end of the epoch that `state` stands at is worth going back to: whether its loss is below that of
/// guessing, which is
///
/// - with cross-entropy and a validation split, of the validation images: `ln K`, of `K` classes;
/// - else what is minimized, on the first batches of the next epoch with [`LEAST_IMAGES`] images, before any step:
///   `ln K` with cross-entropy, and with squared error that of the classes' shares.
///
/// A network that is no better has learnt nothing that could be lost, and may be too far off to come back at any
/// learning rate.
pub(crate) fn is_better_than_guessing(setup: &Setup<'_>, state: &State) -> bool {
    let newest = state.epochs.last();
    newest.and_then(|epoch| is_validated_better(setup, epoch)).unwrap_or_else(|| {
        let next = state.epochs.len() + 1;
        let Outlook { objective, guess } = Outlook::of(setup, state, next, LEAST_IMAGES);
        objective < guess
    })
}

/// The same by the validation loss; `None` where that does not tell.
fn is_validated_better(setup: &Setup<'_>, epoch: &EpochRecord) -> Option<bool> {
    match (setup.recipe.loss, epoch.valid_loss) {
        (Loss::CrossEntropy, Some(loss)) => Some(loss < (setup.prepared.classes() as f64).ln()),
        _ => None,
    }
}

/// The training where a rollback puts it, or what is wrong with the checkpoint that it should go back to.
fn end_to_go_back_to(
    setup: &Setup<'_>,
    folder: &RunFolder,
    state: &State,
) -> Result<Result<State, Fault>, SessionError> {
    let device = state.device().clone().without_autodiff();
    let fresh = || State::to_restore(setup.recipe, setup.prepared, &device);
    let path = folder.path().join(EPOCH_END);
    // Only an end that is better than guessing leaves one.
    let should_be_there =
        state.epochs.iter().any(|epoch| is_validated_better(setup, epoch) == Some(true));
    if !path.exists() && !should_be_there {
        return Ok(Ok(fresh()?));
    }
    let found = match read_checkpoint(folder, EPOCH_END)? {
        Ok(found) => found,
        Err(fault) => return Ok(Err(fault)),
    };
    let (position, whole) = (found.position(), state.epochs.len());
    if !(1..=whole).contains(&position.epochs) || position.batches != 0 {
        let reason = format!("expected the end of an epoch up to {whole}, found {position}");
        return Ok(Err(Fault { path, reason }));
    }
    let mut before = fresh()?;
    if let Err(error) = found.restore(&mut before) {
        return Ok(Err(Fault { path, reason: error.to_string() }));
    }
    // Versions before 0.2 kept every end.
    Ok(Ok(if is_better_than_guessing(setup, &before) { before } else { fresh()? }))
}

/// The error of a training that has diverged where `divergence` says. `saved`: where its checkpoint stands.
pub(crate) fn diverged(
    setup: &Setup<'_>,
    folder: &RunFolder,
    state: &State,
    saved: Option<Position>,
    divergence: Divergence,
) -> SessionError {
    let Divergence { epoch, batch, learning_rate } = divergence;
    let rolled_back = match state.rollbacks.len() {
        0 => String::new(),
        1 => ", after going back once and halving the rate".to_owned(),
        times => format!(", after going back {times} times and halving the rate each time"),
    };
    let last_good = match saved {
        Some(position) => format!(
            "the last good checkpoint is {} ({position})",
            folder.path().join(LATEST).display()
        ),
        None => "there is no checkpoint from before".to_owned(),
    };
    let cure = if setup.recipe.on_divergence.is_stop() {
        "a smaller `--learning-rate`, `--clip-norm 1`, or `--on-divergence rollback`, which goes \
         back and halves the rate"
    } else {
        "a smaller `--learning-rate`, or `--clip-norm 1`"
    };
    let step = setup.step(epoch, batch - 1) + 1;
    SessionError::Diverged { epoch, batch, step, learning_rate, rolled_back, last_good, cure }
}
