//! Going back to a checkpoint: the newest that is not damaged, or else the one before.

// What it expects is about values of its own, never about a file.
#![deny(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::fmt;
use std::path::PathBuf;

use crate::checkpoint::{self, Checkpoint, CheckpointError};
use crate::run::{self, CONFIG, RunFolder};
use crate::session::SessionError;
use crate::train::State;

/// A training where a checkpoint left it.
pub(crate) struct Restored {
    pub(crate) state: State,
    /// What is wrong with the newest, if it is the one before.
    pub(crate) instead_of: Option<Fault>,
}

/// A training where the newest checkpoint that is not damaged left it; `None` if there is no checkpoint.
/// `fresh`: one at its beginning.
pub(crate) fn restore_newest(
    folder: &RunFolder,
    fresh: impl Fn() -> Result<State, SessionError>,
) -> Result<Option<Restored>, SessionError> {
    let restore = |file: &str| -> Result<Result<State, Fault>, SessionError> {
        let checkpoint = match read_checkpoint(folder, file)? {
            Ok(checkpoint) => checkpoint,
            Err(fault) => return Ok(Err(fault)),
        };
        let (path, mut state) = (folder.path().join(file), fresh()?);
        match checkpoint.restore(&mut state) {
            Ok(()) => Ok(Ok(state)),
            Err(source @ CheckpointError::OtherRecipe(_)) => Err(SessionError::OtherRecipe {
                path: path.display().to_string(),
                config: folder.path().join(CONFIG).display().to_string(),
                source,
            }),
            Err(error) => Ok(Err(Fault { path, reason: error.to_string() })),
        }
    };
    let latest = match restore(checkpoint::FILE)? {
        Ok(state) => return Ok(Some(Restored { state, instead_of: None })),
        Err(fault) => fault,
    };
    if !folder.has_checkpoint() {
        return Ok(None);
    }
    match restore(checkpoint::PREVIOUS)? {
        Ok(state) => Ok(Some(Restored { state, instead_of: Some(latest) })),
        Err(previous) => Err(SessionError::Checkpoint {
            latest,
            previous,
            config: folder.path().join(CONFIG).display().to_string(),
        }),
    }
}

/// A checkpoint, or what is wrong with it.
pub(crate) fn read_checkpoint(
    folder: &RunFolder,
    file: &str,
) -> Result<Result<Checkpoint, Fault>, SessionError> {
    let path = folder.path().join(file);
    let Some(bytes) = folder.read_checkpoint(file)? else {
        return Ok(Err(Fault { path, reason: run::MISSING.to_owned() }));
    };
    let checkpoint = Checkpoint::read(&bytes);
    Ok(checkpoint.map_err(|error| Fault { path, reason: error.to_string() }))
}

/// A checkpoint that cannot be used, and why.
#[derive(Debug)]
pub struct Fault {
    pub(crate) path: PathBuf,
    pub(crate) reason: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.path.display(), self.reason)
    }
}
