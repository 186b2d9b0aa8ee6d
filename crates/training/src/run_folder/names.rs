//! The names of a run folder's files.

use std::ffi::OsStr;
use std::path::Path;

use backburn_records::MOST_BYTES;
pub use backburn_records::{
    CONFIG_FILE as CONFIG, EVALUATION_FILE as EVALUATION, METRICS_FILE as METRICS,
    SUMMARY_FILE as SUMMARY,
};

use crate::recipe;

/// The weights that the run ended with.
pub const WEIGHTS: &str = "model.safetensors";

/// How pixels become the network's input.
pub const NORMALIZATION: &str = "normalization.json";

/// What was minimized on every batch.
pub const LOSSES: &str = "losses.csv";

/// The same of the batches that a rollback gave up. Only there if there was one.
pub const GIVEN_UP: &str = "diverged.csv";

/// The newest checkpoint of a run, inside its folder.
pub const LATEST: &str = "checkpoints/latest.safetensors";

/// The one before, for when the newest is damaged.
pub const PREVIOUS: &str = "checkpoints/previous.safetensors";

/// The checkpoint of the last epoch's end that was better than guessing, which a rollback goes back to.
/// Only there if the recipe asks for rollbacks and there was one.
pub const EPOCH_END: &str = "checkpoints/epoch-end.safetensors";

/// Files that hold results, in the order in which a reader would look at them. What `report` draws
/// from them is not among them: it can be drawn again.
pub const RESULTS: [&str; 8] =
    [CONFIG, METRICS, LOSSES, GIVEN_UP, SUMMARY, EVALUATION, NORMALIZATION, WEIGHTS];

/// The longest file of this name that is read. As long as a network are its weights and checkpoints, as long
/// as a training the losses of its batches.
pub fn most_bytes(name: &str) -> u64 {
    match Path::new(name).extension().and_then(OsStr::to_str) {
        Some("toml") => recipe::MOST_BYTES,
        Some("json" | "jsonl") => MOST_BYTES,
        _ => u64::MAX,
    }
}
