//! One process at a time on a run folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use crate::progress::say;
use crate::run::RunError;

/// An empty file in every run folder. It stays there: whoever removed it could take it from under
/// another process.
const FILE: &str = "lock";

/// Held while a run folder is written to. The system releases it when the process ends, however it
/// ends.
#[derive(Debug)]
#[must_use = "the lock is released when this is dropped"]
pub(crate) struct RunLock {
    _file: File,
}

impl RunLock {
    /// Takes the lock of a run folder.
    ///
    /// # Errors
    ///
    /// If another process holds it, or the folder cannot be written to.
    pub(crate) fn take(folder: &Path) -> Result<Self, RunError> {
        let path = folder.join(FILE);
        let options = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let file = options.map_err(|source| RunError::Write { path: path.clone(), source })?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(RunError::Locked { path: folder.to_owned() });
            }
            // Some network file systems have no locks. That is no reason not to train on them.
            Err(TryLockError::Error(error)) => say(&format!(
                "note: cannot lock {}: {error}; see to it that no other process works on this run",
                path.display()
            )),
        }
        Ok(Self { _file: file })
    }

    /// Whether a process holds the lock now.
    pub(crate) fn is_held(folder: &Path) -> bool {
        let file = File::open(folder.join(FILE));
        file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_locked_until_the_lock_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!RunLock::is_held(folder.path()));
        let lock = RunLock::take(folder.path()).unwrap();
        assert!(RunLock::is_held(folder.path()));
        let message = RunLock::take(folder.path()).unwrap_err().to_string();
        assert!(message.contains("another process"), "{message}");
        drop(lock);
        assert!(!RunLock::is_held(folder.path()));
        drop(RunLock::take(folder.path()).unwrap());
    }
}
