//! Going back to a checkpoint: the newest that is not damaged, or else the one before.

// What it expects is about values of its own, never about a file.
#![deny(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use crate::run_folder::checkpoint::{Checkpoint, CheckpointError};
use crate::run_folder::error::{Fault, MISSING};
use crate::run_folder::folder::RunFolder;
use crate::run_folder::names::{CONFIG, LATEST, PREVIOUS};
use crate::session_error::SessionError;
use crate::state::State;

/// A training where a checkpoint left it.
pub struct Restored {
    /// State that was saved.
    pub state: State,
    /// What is wrong with the newest, if it is the one before.
    pub instead_of: Option<Fault>,
}

/// A training where the newest checkpoint that is not damaged left it; `None` if there is no checkpoint.
/// `fresh`: one at its beginning.
pub fn restore_newest(
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
    let latest = match restore(LATEST)? {
        Ok(state) => return Ok(Some(Restored { state, instead_of: None })),
        Err(fault) => fault,
    };
    if !folder.has_checkpoint() {
        return Ok(None);
    }
    match restore(PREVIOUS)? {
        Ok(state) => Ok(Some(Restored { state, instead_of: Some(latest) })),
        Err(previous) => Err(SessionError::Checkpoint {
            latest: Box::new(latest),
            previous: Box::new(previous),
            config: folder.path().join(CONFIG).display().to_string(),
        }),
    }
}

/// A checkpoint, or what is wrong with it.
pub fn read_checkpoint(
    folder: &RunFolder,
    file: &str,
) -> Result<Result<Checkpoint, Fault>, SessionError> {
    let path = folder.path().join(file);
    let Some(bytes) = folder.read_checkpoint(file)? else {
        return Ok(Err(Fault { path, reason: MISSING.to_owned() }));
    };
    let checkpoint = Checkpoint::read(&bytes);
    Ok(checkpoint.map_err(|error| Fault { path, reason: error.to_string() }))
}
