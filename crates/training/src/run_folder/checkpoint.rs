//! Checkpoints: the whole state of a training in one file.
//!
//! A safetensors file with the current weights (`model/…`), those kept so far (`best/…`), the
//! optimizer's memory (`optimizer/…`) and the averages of the weights (`ema/…` and the others that
//! `averaging.rs` lists); everything that is not a tensor is JSON in its header.
//! Tensors are found by parameter name, so that the state is complete in another process too. A
//! checksum over the whole file keeps a damaged one from being resumed as another training, and the
//! recipe's settings in the header keep a training from being resumed by another recipe.

// What it expects is about values of its own, never about a file.
#![deny(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use backburn_models::weights::{self, WeightsError};
use backburn_models::{NamedTensor, parameters};
use backburn_records::number::counted;
use backburn_records::{EpochRecord, RollbackRecord};
use backburn_regularization::{EarlyStopping, WeightDecay};
use burn::module::Module;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::meter::EpochInProgress;
use crate::optimize::averaging;
use crate::optimize::optimizer::{Optimizer, OptimizerConfig};
use crate::optimize::plateau::Plateau;
use crate::recipe::Settings;
use crate::state::{Best, State};

/// Header entry with the JSON.
const STATE_KEY: &str = "backburn";

/// Changes when an older checkpoint can no longer be read.
const VERSION: u32 = 3;

/// Stands in the header for the checksum while that is computed.
const NO_CHECKSUM: &str = "0000000000000000000000000000000000000000000000000000000000000000";

#[derive(Serialize, Deserialize)]
struct Header {
    version: u32,
    /// SHA-256 of the file with [`NO_CHECKSUM`] in this place.
    sha256: String,
    /// What the weights depend on.
    recipe: Settings,
    #[serde(serialize_with = "write_epochs", deserialize_with = "read_epochs")]
    epochs: Vec<EpochRecord>,
    current: EpochInProgress,
    optimizer_steps: u64,
    stopping: Option<EarlyStopping>,
    plateau: Plateau,
    rollbacks: Vec<RollbackRecord>,
    best_epoch: Option<usize>,
}

/// Why bytes are not a checkpoint of this training.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The bytes are not a safetensors file.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The header's JSON is missing or wrong.
    #[error("not a checkpoint of this version of backburn: {0}")]
    Header(String),
    /// Some bytes have changed since it was written.
    #[error("expected the content that was written, with SHA-256 {expected}, found {found}")]
    Checksum {
        /// Checksum as written.
        expected: String,
        /// Checksum as read.
        found: String,
    },
    /// The checkpoint was written by a training with other settings.
    #[error("the training that wrote it had another recipe: {0}")]
    OtherRecipe(String),
    /// The checkpoint is whole, but what it holds cannot be put into a training of its recipe.
    #[error("whole, but training cannot be resumed from it: {0}")]
    DoesNotFit(String),
    /// The weights are not those of the recipe's model.
    #[error(transparent)]
    Import(#[from] parameters::ImportError),
}

/// How far a training had come at a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Epochs that were whole.
    pub epochs: usize,
    /// Batches of the next one.
    pub batches: usize,
    /// Steps of the optimizer in all.
    pub steps: u64,
}

impl Position {
    /// Where `state` stands.
    pub fn of(state: &State) -> Self {
        Self {
            epochs: state.epochs.len(),
            batches: state.current.objectives.len(),
            steps: state.learner.optimizer.steps(),
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { epochs, batches, steps } = self;
        match batches {
            0 if *epochs == 0 => write!(formatter, "the beginning"),
            0 => write!(formatter, "end of epoch {epochs}, step {steps}"),
            _ => write!(formatter, "epoch {}, batch {batches}, step {steps}", epochs + 1),
        }
    }
}

/// Everything that training needs to be resumed.
///
/// # Errors
///
/// None for the state of a real training.
#[expect(clippy::indexing_slicing, reason = "the place was just found in these bytes")]
pub fn to_bytes(state: &State) -> Result<Vec<u8>, CheckpointError> {
    let header = Header {
        version: VERSION,
        sha256: NO_CHECKSUM.to_owned(),
        recipe: state.determinants.clone(),
        epochs: state.epochs.clone(),
        current: state.current.clone(),
        optimizer_steps: state.learner.optimizer.steps(),
        stopping: state.stopping.clone(),
        plateau: state.plateau.clone(),
        rollbacks: state.rollbacks.clone(),
        best_epoch: state.best.as_ref().map(|best| best.epoch),
    };
    let header = serde_json::to_string(&header).expect("the header is plain values");
    let mut tensors = prefixed("model", parameters::export(&state.network().valid()));
    if let Some(best) = &state.best {
        tensors.extend(prefixed("best", best.weights.clone()));
    }
    tensors.extend(prefixed("optimizer", state.learner.optimizer.export()));
    for (name, average) in state.learner.averaging.export() {
        tensors.extend(prefixed(name, average));
    }
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
/// If the bytes are damaged, were written by another recipe, or hold what a training of this one does
/// not.
pub fn restore(state: &mut State, bytes: &[u8]) -> Result<(), CheckpointError> {
    Checkpoint::read(bytes)?.restore(state)
}

/// A checkpoint whose checksum is right.
pub struct Checkpoint {
    header: Header,
    groups: HashMap<String, Vec<NamedTensor>>,
}

impl fmt::Debug for Checkpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Checkpoint").field(&self.position()).finish()
    }
}

impl Checkpoint {
    /// Reads a checkpoint and checks that no byte of it has changed.
    ///
    /// # Errors
    ///
    /// If it is damaged or of another version.
    pub fn read(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let (tensors, metadata) = weights::from_bytes(bytes)?;
        let header = metadata.get(STATE_KEY).ok_or_else(|| missing("its header has no state"))?;
        let version = serde_json::from_str::<Version>(header);
        let version = version.map_err(|e| missing(&e.to_string()))?.version;
        if version != VERSION {
            return Err(missing(&format!("version {version}, expected {VERSION}")));
        }
        let header: Header = serde_json::from_str(header).map_err(|e| missing(&e.to_string()))?;
        let place =
            find(bytes, &header.sha256).filter(|_| header.sha256.len() == NO_CHECKSUM.len());
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
        Ok(Self { header, groups })
    }

    /// How far the training had come.
    pub fn position(&self) -> Position {
        Position {
            epochs: self.header.epochs.len(),
            batches: self.header.current.objectives.len(),
            steps: self.header.optimizer_steps,
        }
    }

    /// The weights as they stood, not those kept so far.
    pub fn into_weights(mut self) -> Vec<NamedTensor> {
        self.groups.remove("model").unwrap_or_default()
    }

    /// The epochs that were whole.
    pub fn epochs(&self) -> &[EpochRecord] {
        &self.header.epochs
    }

    /// What was minimized on each batch of the epoch that was under way.
    pub(crate) fn objectives(&self) -> &[f64] {
        &self.header.current.objectives
    }

    /// The returns to an earlier state.
    pub(crate) fn rollbacks(&self) -> &[RollbackRecord] {
        &self.header.rollbacks
    }

    /// Checks that the checkpoint was written by a training whose weights depend on the same settings.
    ///
    /// # Errors
    ///
    /// The settings that differ, by name.
    pub fn check_recipe(&self, determinants: &Settings) -> Result<(), CheckpointError> {
        let differences = differences(&self.header.recipe, determinants);
        if differences.is_empty() {
            return Ok(());
        }
        Err(CheckpointError::OtherRecipe(differences))
    }

    /// Checks that the checkpoint holds what a training of its recipe remembers, as far as that can be told without
    /// the data.
    ///
    /// # Errors
    ///
    /// What it lacks, or has of another training.
    pub(crate) fn check_complete(&self) -> Result<(), CheckpointError> {
        let setting = |name: &str| self.header.recipe.get(name).filter(|it| !it.is_null());
        let all = setting("epochs").and_then(Value::as_u64);
        let all = all.ok_or_else(|| missing("the recipe has no number of `epochs`"))?;
        let Position { epochs, batches, .. } = self.position();
        let begun = epochs as u64 + u64::from(batches > 0);
        if begun > all {
            let all = counted(all as usize, "epoch");
            return Err(does_not_fit(format!("expected at most {all}, found {begun}")));
        }
        let optimizer = setting("optimizer").cloned().unwrap_or_default();
        let optimizer: OptimizerConfig =
            serde_json::from_value(optimizer).map_err(|error| missing(&error.to_string()))?;
        let groups = setting("groups").cloned().unwrap_or_else(|| Value::Array(Vec::new()));
        let groups = serde_json::from_value(groups).map_err(|error| missing(&error.to_string()))?;
        let optimizer = Optimizer::new(optimizer, WeightDecay::default()).with_groups(groups);
        let tensors = |group: &str| self.groups.get(group).into_iter().flatten();
        let has_begun = self.header.optimizer_steps > 0;
        let moved = tensors("model").filter(|it| has_begun && it.role.is_trained());
        let expected: BTreeSet<String> =
            moved.flat_map(|it| optimizer.state_names(&it.name, it.role)).collect();
        let found: BTreeSet<String> = tensors("optimizer").map(|it| it.name.clone()).collect();
        if let Some(name) = found.difference(&expected).next() {
            return Err(does_not_fit(format!("`{name}` is no state that the optimizer keeps")));
        }
        if let Some(name) = expected.difference(&found).next() {
            return Err(does_not_fit(format!("it lacks the optimizer's state `{name}`")));
        }
        let stopping = [("early_stopping", self.header.stopping.is_some())];
        let averages =
            averaging::CATALOG.iter().map(|row| (row.name, self.groups.contains_key(row.name)));
        for (name, is_there) in stopping.into_iter().chain(averages) {
            match (is_there, setting(name).is_some()) {
                (false, true) => {
                    return Err(does_not_fit(format!("it lacks the state of `{name}`")));
                }
                (true, false) => {
                    return Err(does_not_fit(format!(
                        "it holds the state of `{name}`, which its recipe has not"
                    )));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Checks that training saves where this checkpoint claims to be.
    fn check_place(&self, state: &State) -> Result<(), CheckpointError> {
        let Position { epochs, batches, steps } = self.position();
        if state.steps_after(epochs, batches) == Some(steps) {
            return Ok(());
        }
        Err(does_not_fit(format!(
            "expected a place between two steps, found {}, {} and {}",
            counted(epochs, "epoch"),
            counted(batches, "batch"),
            counted(steps as usize, "step"),
        )))
    }

    /// Puts it into a training that has not begun.
    ///
    /// # Errors
    ///
    /// If it was written by another recipe, lacks what a training of this one needs, or holds what it does
    /// not.
    pub fn restore(self, state: &mut State) -> Result<(), CheckpointError> {
        self.check_recipe(&state.determinants)?;
        self.check_place(state)?;
        self.check_complete()?;
        let Self { header, mut groups } = self;
        let mut take = |group: &str| groups.remove(group).unwrap_or_default();
        state.learner.load_weights(take("model"))?;
        let device = state.device().clone().without_autodiff();
        let lengths = parameters::export(&state.network().valid());
        let lengths = lengths.into_iter().filter(|tensor| tensor.role.is_trained());
        let lengths = lengths.map(|it| (it.name, (it.role, it.values.len()))).collect();
        state
            .learner
            .optimizer
            .restore(header.optimizer_steps, take("optimizer"), &lengths, &device)
            .map_err(|name| {
                does_not_fit(format!("`{name}` is no state that the optimizer keeps"))
            })?;
        state.learner.averaging.restore(&mut take, &device).map_err(|name| {
            does_not_fit(format!("`{name}` is not as the recipe's averaging needs it"))
        })?;
        let best = take("best");
        if let Some(epoch) = header.best_epoch {
            let record = epoch.checked_sub(1).and_then(|place| header.epochs.get(place));
            if record.is_none_or(|record| record.valid_loss.is_none()) {
                return Err(does_not_fit(format!(
                    "it keeps epoch {epoch}, which was not validated"
                )));
            }
            // What cannot be put into the network now could not be at the end either.
            parameters::import(state.network().valid(), best.clone())?;
            state.best = Some(Best { epoch, weights: best });
        }
        state.epochs = header.epochs;
        state.current = header.current;
        state.stopping = header.stopping;
        state.plateau = header.plateau;
        state.rollbacks = header.rollbacks;
        Ok(())
    }
}

/// Version of a header, whatever else may be in it.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// The settings in which two recipes differ, in words; empty if there are none.
pub(crate) fn differences(written: &Settings, now: &Settings) -> String {
    let (written, now) = (by_name(written), by_name(now));
    let names: BTreeSet<&String> = written.keys().chain(now.keys()).collect();
    let differing = names.into_iter().filter(|name| written.get(*name) != now.get(*name));
    let value = |setting: Option<&&Value>| {
        setting.map_or_else(|| "not set".to_owned(), ToString::to_string)
    };
    let lines: Vec<String> = differing
        .map(|name| {
            let (written, now) = (value(written.get(name)), value(now.get(name)));
            format!("`{name}` was {written}, is {now}")
        })
        .collect();
    lines.join("; ")
}

/// The settings that have a value, by their names, such as `model.hidden`.
fn by_name(settings: &Settings) -> HashMap<String, &Value> {
    let mut found = HashMap::new();
    for (name, value) in settings {
        match value {
            Value::Null => {}
            Value::Object(inner) => {
                let inner = by_name(inner).into_iter();
                found.extend(inner.map(|(key, value)| (format!("{name}.{key}"), value)));
            }
            value => {
                found.insert(name.clone(), value);
            }
        }
    }
    found
}

/// An epoch as a row of numbers: a long training has many epochs, and every checkpoint all of them.
type EpochRow = [Option<f64>; 7];

// The signature is serde's.
#[allow(clippy::ptr_arg)]
fn write_epochs<S: Serializer>(epochs: &Vec<EpochRecord>, to: S) -> Result<S::Ok, S::Error> {
    let row = |epoch: &EpochRecord| -> EpochRow {
        [
            Some(epoch.train_objective),
            Some(epoch.train_accuracy),
            epoch.valid_loss,
            epoch.valid_accuracy,
            Some(epoch.learning_rate),
            Some(epoch.seconds),
            Some(epoch.images_per_second),
        ]
    };
    to.collect_seq(epochs.iter().map(row))
}

fn read_epochs<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<EpochRecord>, D::Error> {
    let rows = Vec::<EpochRow>::deserialize(from)?;
    // JSON has no NaN: it is written as null.
    let number = |value: Option<f64>| value.unwrap_or(f64::NAN);
    let record = |(epoch, row): (usize, EpochRow)| {
        let [objective, accuracy, valid_loss, valid_accuracy, rate, seconds, speed] = row;
        EpochRecord {
            epoch,
            train_objective: number(objective),
            train_accuracy: number(accuracy),
            valid_loss,
            valid_accuracy,
            learning_rate: number(rate),
            seconds: number(seconds),
            images_per_second: number(speed),
        }
    };
    Ok((1..).zip(rows).map(record).collect())
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

fn does_not_fit(reason: String) -> CheckpointError {
    CheckpointError::DoesNotFit(reason)
}

fn prefixed(group: &str, tensors: Vec<NamedTensor>) -> Vec<NamedTensor> {
    let rename =
        |tensor: NamedTensor| NamedTensor { name: format!("{group}/{}", tensor.name), ..tensor };
    tensors.into_iter().map(rename).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prepare::Prepared;
    use crate::recipe::built_in;
    use backburn_data::SplitSize;
    use backburn_models::{MlpConfig, ModelConfig};
    use burn::tensor::Device;

    #[test]
    fn settings_that_differ_are_named_with_both_values() {
        let recipe = built_in("digits").unwrap();
        let mut other = recipe.clone();
        other.learning_rate = 0.5;
        other.seed = 7;
        other.clip_norm = Some(1.0);
        other.place.backend = crate::backend::Backend::Wgpu;
        other.place.data_dir = Some("elsewhere".into());
        let found = differences(&recipe.determinants(), &other.determinants());
        let rate = format!("`learning_rate` was {}, is 0.5", recipe.learning_rate);
        assert_eq!(found, format!("`clip_norm` was not set, is 1.0; {rate}; `seed` was 1, is 7"));
    }

    #[test]
    fn what_lacks_something_is_refused_though_it_is_whole() {
        let mut recipe = built_in("digits").unwrap();
        recipe.model =
            ModelConfig::Mlp(MlpConfig { hidden: vec![1], dropout: 0.0, batch_norm: true });
        recipe.optimizer = OptimizerConfig::named("adam").unwrap();
        recipe.early_stopping = "patience=3".parse().ok();
        recipe.epochs = 2;
        // Three batches, of which two make a step.
        recipe.train_size = Some(SplitSize::Count(30));
        (recipe.batch_size, recipe.accumulate) = (10, 2);
        let prepared = Prepared::load(&recipe, &mut |_| {}).unwrap();
        let fresh = || State::new(&recipe, &prepared, &Device::flex()).unwrap();
        let state_at = |batches: usize, steps: u64, averages: Vec<NamedTensor>| {
            let mut state = fresh();
            let lengths = averages.iter().map(|it| (it.name.clone(), (it.role, it.values.len())));
            let lengths = lengths
                .map(|(name, known)| (name.rsplit_once('/').unwrap().0.to_owned(), known))
                .collect();
            state.learner.optimizer.restore(steps, averages, &lengths, &Device::flex()).unwrap();
            state.current.objectives = vec![1.0; batches];
            state
        };
        let averages: Vec<NamedTensor> = parameters::export(&fresh().network().valid())
            .into_iter()
            .filter(|tensor| tensor.role.is_trained())
            .flat_map(|tensor| {
                ["mean", "square"].map(|average| NamedTensor {
                    name: format!("{}/{average}", tensor.name),
                    shape: vec![tensor.values.len()],
                    ..tensor.clone()
                })
            })
            .collect();
        let outcome = |state: &State| restore(&mut fresh(), &to_bytes(state).unwrap());
        assert!(outcome(&fresh()).is_ok());
        assert!(outcome(&state_at(2, 1, averages.clone())).is_ok());
        let mut never_stops = fresh();
        never_stops.stopping = None;
        let epoch = |epoch| EpochRecord {
            epoch,
            train_objective: 1.0,
            train_accuracy: 0.5,
            valid_loss: Some(1.0),
            valid_accuracy: Some(0.5),
            learning_rate: 0.1,
            seconds: 1.0,
            images_per_second: 30.0,
        };
        let after = |epochs: usize, batches: usize| {
            let steps = (2 * epochs + batches / 2) as u64;
            let mut state = state_at(batches, steps, averages.clone());
            state.epochs = (1..=epochs).map(epoch).collect();
            state
        };
        assert!(outcome(&after(recipe.epochs, 0)).is_ok());
        for (state, reason) in [
            (state_at(2, 1, Vec::new()), "it lacks the optimizer's state `"),
            (state_at(2, 1, averages[1..].to_vec()), "it lacks the optimizer's state `"),
            (state_at(2, u64::MAX, averages.clone()), "and 18,446,744,073,709,551,615 steps"),
            (state_at(2, 2, averages.clone()), "found 0 epochs, 2 batches and 2 steps"),
            (state_at(1, 0, averages.clone()), "found 0 epochs, 1 batch and"),
            (state_at(3, 2, averages.clone()), "found 0 epochs, 3 batches"),
            (state_at(4, 2, averages.clone()), "found 0 epochs, 4 batches"),
            (never_stops, "it lacks the state of `early_stopping`"),
            (after(recipe.epochs, 2), "expected at most 2 epochs, found 3"),
            (after(recipe.epochs + 1, 0), "expected at most 2 epochs, found 3"),
            (state_at(0, 0, averages.clone()), "` is no state that the optimizer keeps"),
        ] {
            let error = outcome(&state).unwrap_err();
            assert!(matches!(error, CheckpointError::DoesNotFit(_)), "{error}");
            assert!(error.to_string().contains(reason), "{error}");
        }
    }

    #[test]
    fn settings_inside_tables_have_their_whole_name() {
        let recipe = built_in("digits").unwrap();
        let mut other = recipe.clone();
        *other.model.dropout_mut() = 0.875;
        let found = differences(&recipe.determinants(), &other.determinants());
        assert!(found.starts_with("`model.dropout` was "), "{found}");
    }
}
