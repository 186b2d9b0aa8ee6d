//! Checkpoints: the whole state of a training in one file.
//!
//! A safetensors file with the current weights (`model/…`), those kept so far (`best/…`), the
//! optimizer's memory (`optimizer/…`), Lookahead's slow weights (`lookahead/…`) and the moving average
//! (`ema/…`); everything that is not a tensor is JSON in its header.
//! Tensors are found by parameter name, so that the state is complete in another process too. A
//! checksum over the whole file keeps a damaged one from going on as another training.

// What it expects is about values of its own, never about a file.
#![deny(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::collections::HashMap;

use backburn_models::weights::{self, WeightsError};
use backburn_models::{NamedTensor, parameters};
use backburn_regularization::EarlyStopping;
use backburn_report::EpochRecord;
use burn::module::Module;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::plateau::Plateau;
use crate::train::{Best, EpochInProgress, State};

/// The newest checkpoint of a run, inside its folder.
pub const FILE: &str = "checkpoints/latest.safetensors";

/// Header entry with the JSON.
const STATE_KEY: &str = "backburn";

/// Changes when an older checkpoint can no longer be read.
const VERSION: u32 = 2;

/// Stands in the header for the checksum while that is computed.
const NO_CHECKSUM: &str = "0000000000000000000000000000000000000000000000000000000000000000";

#[derive(Serialize, Deserialize)]
struct Header {
    version: u32,
    /// SHA-256 of the file with [`NO_CHECKSUM`] in this place.
    sha256: String,
    epochs: Vec<EpochRecord>,
    current: EpochInProgress,
    optimizer_steps: u64,
    stopping: Option<EarlyStopping>,
    plateau: Plateau,
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
    /// Some bytes have changed since it was written.
    #[error("expected the content that was written, with SHA-256 {expected}, found {found}")]
    Checksum {
        /// As written.
        expected: String,
        /// As read.
        found: String,
    },
    /// The weights are not those of the recipe's model.
    #[error(transparent)]
    Import(#[from] parameters::ImportError),
}

/// Everything that training needs to go on.
///
/// # Errors
///
/// None for the state of a real training.
#[expect(clippy::indexing_slicing, reason = "the place was just found in these bytes")]
pub fn to_bytes(state: &State) -> Result<Vec<u8>, CheckpointError> {
    let header = Header {
        version: VERSION,
        sha256: NO_CHECKSUM.to_owned(),
        epochs: state.epochs.clone(),
        current: state.current.clone(),
        optimizer_steps: state.optimizer.steps(),
        stopping: state.stopping.clone(),
        plateau: state.plateau.clone(),
        best_epoch: state.best.as_ref().map(|best| best.epoch),
    };
    let header = serde_json::to_string(&header).expect("the header is plain values");
    let mut tensors = prefixed("model", parameters::export(&state.network().valid()));
    if let Some(best) = &state.best {
        tensors.extend(prefixed("best", best.weights.clone()));
    }
    tensors.extend(prefixed("optimizer", state.optimizer.export()));
    let [slow, average] = state.averaging.export();
    tensors.extend(prefixed("lookahead", slow));
    tensors.extend(prefixed("ema", average));
    let mut bytes = weights::to_bytes(&tensors, HashMap::from([(STATE_KEY.to_owned(), header)]))?;
    let place = find(&bytes, NO_CHECKSUM).expect("the header holds it");
    let sum = checksum(&bytes, place);
    bytes[place..place + sum.len()].copy_from_slice(sum.as_bytes());
    Ok(bytes)
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
    let place = find(bytes, &header.sha256).filter(|_| header.sha256.len() == NO_CHECKSUM.len());
    let found = checksum(bytes, place.ok_or_else(|| missing("its checksum is damaged"))?);
    if found != header.sha256 {
        return Err(CheckpointError::Checksum { expected: header.sha256, found });
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
    state
        .averaging
        .restore([take("lookahead"), take("ema")], &device)
        .map_err(|name| missing(&format!("`{name}` is not as the recipe's averaging needs it")))?;
    let best = take("best");
    state.best = header.best_epoch.map(|epoch| Best { epoch, weights: best });
    state.epochs = header.epochs;
    state.current = header.current;
    state.stopping = header.stopping;
    state.plateau = header.plateau;
    Ok(())
}

/// SHA-256 of a checkpoint whose own checksum begins at `place`.
#[expect(clippy::indexing_slicing, reason = "the place was found in these bytes")]
fn checksum(bytes: &[u8], place: usize) -> String {
    let mut hash = Sha256::new();
    hash.update(&bytes[..place]);
    hash.update(NO_CHECKSUM);
    hash.update(&bytes[place + NO_CHECKSUM.len()..]);
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn find(bytes: &[u8], text: &str) -> Option<usize> {
    bytes.windows(text.len().max(1)).position(|window| window == text.as_bytes())
}

fn missing(reason: &str) -> CheckpointError {
    CheckpointError::Header(reason.to_owned())
}

fn prefixed(group: &str, tensors: Vec<NamedTensor>) -> Vec<NamedTensor> {
    let rename =
        |tensor: NamedTensor| NamedTensor { name: format!("{group}/{}", tensor.name), ..tensor };
    tensors.into_iter().map(rename).collect()
}
