//! When a training diverges: back to the end of the epoch before, or the error that says what can be done.

// What it expects is about values of its own, never about a file.
#![deny(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use backburn_report::RollbackRecord;

use crate::checkpoint::{self, Position};
use crate::prepare::PrepareError;
use crate::restore::{Fault, read_checkpoint};
use crate::run::RunFolder;
use crate::session::{SessionError, save};
use crate::train::{Setup, State};

/// Puts `state` back to the end of the epoch before the one that diverged, and halves the learning
/// rate. Saved at once, so that a run that is killed now does not forget it.
pub(crate) fn roll_back(
    setup: &Setup<'_>,
    folder: &RunFolder,
    state: &mut State,
    record: RollbackRecord,
) -> Result<(), SessionError> {
    let epoch = record.epoch;
    let device = state.device().clone().without_autodiff();
    let mut before =
        State::new(setup.recipe, setup.prepared, &device).map_err(PrepareError::from)?;
    before.waited = state.waited;
    if epoch > 1 {
        let failed = |fault| SessionError::Rollback { epoch, fault };
        let path = folder.path().join(checkpoint::EPOCH_END);
        let found = read_checkpoint(folder, checkpoint::EPOCH_END)?.map_err(failed)?;
        let position = found.position();
        if (position.epochs, position.batches) != (epoch - 1, 0) {
            let reason = format!("expected the end of epoch {}, found {position}", epoch - 1);
            return Err(failed(Fault { path, reason }));
        }
        found
            .restore(&mut before)
            .map_err(|error| failed(Fault { path, reason: error.to_string() }))?;
    }
    let rate = record.learning_rate;
    before.rollbacks = std::mem::take(&mut state.rollbacks);
    before.rollbacks.push(record);
    *state = before;
    setup.progress.line(&format!(
        "the loss was not finite at learning rate {rate:e}; going back to the {} with half the rate (rollback {} of {})",
        if epoch > 1 { format!("end of epoch {}", epoch - 1) } else { "beginning".to_owned() },
        state.rollbacks.len(),
        setup.recipe.on_divergence.rollbacks(),
    ));
    Ok(save(setup.recipe, folder, state, &[])?)
}

/// The error of a training that has diverged where `record` says. `saved`: where its checkpoint stands.
pub(crate) fn diverged(
    setup: &Setup<'_>,
    folder: &RunFolder,
    state: &State,
    saved: Option<Position>,
    record: &RollbackRecord,
) -> SessionError {
    let RollbackRecord { epoch, batch, learning_rate } = *record;
    let rolled_back = match state.rollbacks.len() {
        0 => String::new(),
        1 => ", after going back once and halving the rate".to_owned(),
        times => format!(", after going back {times} times and halving the rate each time"),
    };
    let last_good = match saved {
        Some(position) => format!(
            "the last good checkpoint is {} ({position})",
            folder.path().join(checkpoint::FILE).display()
        ),
        None => "there is no checkpoint from before".to_owned(),
    };
    let cure = if setup.recipe.on_divergence.is_stop() {
        "a smaller `--learning-rate`, `--clip-norm 1`, or `--on-divergence rollback`, which goes back and halves the rate"
    } else {
        "a smaller `--learning-rate`, or `--clip-norm 1`"
    };
    let step = setup.step(epoch, batch - 1) + 1;
    SessionError::Diverged { epoch, batch, step, learning_rate, rolled_back, last_good, cure }
}
