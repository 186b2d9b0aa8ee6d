//! Checkpoints: the whole state of a training in one file.
//!
//! A safetensors file with the current weights (`model/…`), the best ones (`best/…`) and the
//! optimizer's memory (`optimizer/…`); everything that is not a tensor is JSON in its header.
//! Tensors are found by parameter name, so that the state is complete in another process too.

use std::collections::HashMap;

use backburn_models::weights::{self, WeightsError};
use backburn_models::{NamedTensor, parameters};
use backburn_regularization::EarlyStopping;
use backburn_report::EpochRecord;
use burn::module::Module;
use serde::{Deserialize, Serialize};

use crate::train::{Best, EpochInProgress, State};

/// The newest checkpoint of a run, inside its folder.
pub const FILE: &str = "checkpoints/latest.safetensors";

/// Header entry with the JSON.
const STATE_KEY: &str = "backburn";

/// Changes when an older checkpoint can no longer be read.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Header {
    version: u32,
    epochs: Vec<EpochRecord>,
    current: EpochInProgress,
    optimizer_steps: u64,
    stopping: EarlyStopping,
    best_epoch: Option<usize>,
}

/// Why bytes are not a checkpoint of this training.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// Not a safetensors file.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The header's JSON is missing or wrong.
    #[error("not a checkpoint of this version of backburn: {0}")]
    Header(String),
    /// The weights are not those of the recipe's model.
    #[error(transparent)]
    Import(#[from] parameters::ImportError),
}

/// Everything that training needs to go on.
///
/// # Errors
///
/// None for the state of a real training.
pub fn to_bytes(state: &State) -> Result<Vec<u8>, CheckpointError> {
    let header = Header {
        version: VERSION,
        epochs: state.epochs.clone(),
        current: state.current.clone(),
        optimizer_steps: state.optimizer.steps(),
        stopping: state.stopping.clone(),
        best_epoch: state.best.as_ref().map(|best| best.epoch),
    };
    let header = serde_json::to_string(&header).expect("the header is plain values");
    let mut tensors = prefixed("model", parameters::export(&state.network().valid()));
    if let Some(best) = &state.best {
        tensors.extend(prefixed("best", best.weights.clone()));
    }
    tensors.extend(prefixed("optimizer", state.optimizer.export()));
    Ok(weights::to_bytes(&tensors, HashMap::from([(STATE_KEY.to_owned(), header)]))?)
}

/// Puts the state of a checkpoint into a training that has not begun.
///
/// # Errors
///
/// If the bytes are damaged or belong to another model.
pub fn restore(state: &mut State, bytes: &[u8]) -> Result<(), CheckpointError> {
    let (tensors, metadata) = weights::from_bytes(bytes)?;
    let header = metadata.get(STATE_KEY).ok_or_else(|| missing("its header has no state"))?;
    let header: Header = serde_json::from_str(header).map_err(|e| missing(&e.to_string()))?;
    if header.version != VERSION {
        return Err(missing(&format!("version {}, expected {VERSION}", header.version)));
    }
    let mut groups: HashMap<String, Vec<NamedTensor>> = HashMap::new();
    for mut tensor in tensors {
        let Some((group, name)) = tensor.name.split_once('/') else {
            return Err(missing(&format!("unknown tensor `{}`", tensor.name)));
        };
        let group = group.to_owned();
        tensor.name = name.to_owned();
        groups.entry(group).or_default().push(tensor);
    }
    let mut take = |group: &str| groups.remove(group).unwrap_or_default();
    state.load_weights(take("model"))?;
    let device = state.device().clone().without_autodiff();
    state
        .optimizer
        .restore(header.optimizer_steps, take("optimizer"), &device)
        .map_err(|name| missing(&format!("unknown optimizer state `{name}`")))?;
    let best = take("best");
    state.best = header.best_epoch.map(|epoch| Best { epoch, weights: best });
    state.epochs = header.epochs;
    state.current = header.current;
    state.stopping = header.stopping;
    Ok(())
}

fn missing(reason: &str) -> CheckpointError {
    CheckpointError::Header(reason.to_owned())
}

fn prefixed(group: &str, tensors: Vec<NamedTensor>) -> Vec<NamedTensor> {
    let rename =
        |tensor: NamedTensor| NamedTensor { name: format!("{group}/{}", tensor.name), ..tensor };
    tensors.into_iter().map(rename).collect()
}
