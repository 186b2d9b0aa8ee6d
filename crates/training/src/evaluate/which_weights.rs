//! The weights of a run that are scored: those that it ended with, or the best so far.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use backburn_models::{Network, parameters, weights};
use backburn_records::{Manifest, Status, number};
use burn::tensor::Device;

use crate::failure::Failure;
use crate::prepare::{PrepareError, Prepared};
use crate::recipe::Recipe;
use crate::run_folder::checkpoint::Position;
use crate::run_folder::error::RunError;
use crate::run_folder::error::how_to_finish;
use crate::run_folder::folder::RunFolder;
use crate::run_folder::names::WEIGHTS;
use crate::run_folder::restore::{Restored, restore_newest};
use crate::session_error::SessionError;
use crate::state::State;
use crate::watch::{Watch, note};

/// The weights that are scored.
pub(crate) struct Weights {
    /// A network with them, for evaluation.
    pub(crate) network: Network,
    /// Which ones, for the record of accesses to the test split.
    pub(crate) name: String,
    /// Remark that they are not those that the run ended with.
    pub(crate) remark: Option<String>,
}

/// The weights that a run ended with; of one that has not come to its end, those that it would keep.
///
/// # Errors
///
/// If a file of the run is missing or damaged.
pub(crate) fn weights_of(
    folder: &RunFolder,
    manifest: &Manifest,
    status: Status,
    recipe: &Recipe,
    prepared: &Prepared,
    device: &Device,
    watch: &mut dyn Watch,
) -> Result<Weights, Failure> {
    match status {
        Status::Finished | Status::StoppedEarly => {
            let network = prepared.network(recipe, device).map_err(PrepareError::from);
            let network = load(folder, manifest, network.map_err(SessionError::from)?)?;
            Ok(Weights { network, name: "selected".to_owned(), remark: None })
        }
        status => best_so_far(folder, recipe, prepared, device, status, watch),
    }
}

/// The weights that a run which has not come to its end would keep, as its newest checkpoint has them.
fn best_so_far(
    folder: &RunFolder,
    recipe: &Recipe,
    prepared: &Prepared,
    device: &Device,
    status: Status,
    watch: &mut dyn Watch,
) -> Result<Weights, Failure> {
    let run = folder.path().display();
    let fresh =
        || -> Result<State, SessionError> { Ok(State::to_restore(recipe, prepared, device)?) };
    let Some(Restored { state, instead_of }) = restore_newest(folder, fresh)? else {
        return Err(Failure::Error(format!(
            "{run} is {status} and has no checkpoint, so there are no weights to score; {}",
            how_to_finish(folder.path(), status)
        )));
    };
    if let Some(fault) = instead_of {
        note(watch, &format!("warning: {fault}; the one before it is scored"));
    }
    let position = Position::of(&state);
    let (name, which) = match &state.best {
        Some(best) => (
            format!("epoch {}, so far", best.epoch),
            format!("epoch {}, the best so far", best.epoch),
        ),
        None => (format!("{position}, so far"), format!("its newest checkpoint ({position})")),
    };
    let remark = format!(
        "unfinished: {run} is {status}, after {} of {}; the weights scored are those of {which}",
        position.epochs,
        number::epochs(recipe.epochs)
    );
    Ok(Weights { network: state.selected(), name, remark: Some(remark) })
}

/// The network with the weights that the run ended with.
fn load(
    folder: &RunFolder,
    manifest: &Manifest,
    network: Network,
) -> Result<Network, SessionError> {
    let damaged = |reason: String| {
        let path = folder.path().join(WEIGHTS);
        RunError::Damaged { path, reason }
    };
    let bytes = folder.read_as_written(WEIGHTS, manifest)?;
    let (tensors, _) = weights::from_bytes(&bytes).map_err(|e| damaged(e.to_string()))?;
    Ok(parameters::import(network, tensors).map_err(|e| damaged(e.to_string()))?)
}
