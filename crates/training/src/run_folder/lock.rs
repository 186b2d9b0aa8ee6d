//! One process at a time on a run folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use backburn_records::at_work::LOCK_FILE;

use crate::run_folder::error::RunError;
use crate::watch::{Watch, note};

/// Whoever only asks whether a process is at work holds the lock for a moment, or for as long as a machine that is busy
/// lets it wait in that moment; so long it is waited for.
const PATIENCE: [Duration; 4] = [
    Duration::from_millis(5),
    Duration::from_millis(20),
    Duration::from_millis(75),
    Duration::from_millis(400),
];

/// Held while a run folder is written to. The system releases it when the process ends, however it
/// ends.
#[derive(Debug)]
#[must_use = "the lock is released when this is dropped"]
pub struct RunLock {
    file: File,
}

impl Drop for RunLock {
    /// Closing the file would not do: a process that is being started just now has inherited it, and holds the lock as
    /// well until it has become another program.
    fn drop(&mut self) {
        let _ = self.file.unlock(); // Where there are no locks, there is none to release.
    }
}

impl RunLock {
    /// Takes the lock of a run folder.
    ///
    /// # Errors
    ///
    /// If another process holds it, or the folder cannot be written to.
    pub fn take(folder: &Path, watch: &mut dyn Watch) -> Result<Self, RunError> {
        let path = folder.join(LOCK_FILE);
        let options = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let file = options.map_err(|source| RunError::Write { path: path.clone(), source })?;
        let mut locked = file.try_lock();
        for pause in PATIENCE {
            if !matches!(locked, Err(TryLockError::WouldBlock)) {
                break;
            }
            sleep(pause);
            locked = file.try_lock();
        }
        match locked {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(RunError::Locked { path: folder.to_owned() });
            }
            // Some network file systems have no locks. That is no reason not to train on them.
            Err(TryLockError::Error(error)) => note(
                watch,
                &format!(
                    "note: cannot lock {}: {error}; see to it that no other process works on this \
                     run",
                    path.display()
                ),
            ),
        }
        Ok(Self { file })
    }
}

#[cfg(test)]
mod tests {
    use backburn_records::AtWork;

    use super::*;
    use crate::watch::Silent;

    #[test]
    fn a_folder_is_locked_until_the_lock_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let lock = RunLock::take(folder.path(), &mut Silent).unwrap();
        assert_eq!(AtWork::on(folder.path()), AtWork::Yes);
        let message = RunLock::take(folder.path(), &mut Silent).unwrap_err().to_string();
        assert!(message.contains("another process"), "{message}");
        drop(lock);
        assert_eq!(AtWork::on(folder.path()), AtWork::No);
        drop(RunLock::take(folder.path(), &mut Silent).unwrap());
    }
}
