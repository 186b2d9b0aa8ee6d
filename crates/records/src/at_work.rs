//! Whether a process is at work on a run folder.

use std::fs::{File, TryLockError};
use std::path::Path;

use crate::record::{Manifest, Status};

/// An empty file in every run folder, which whoever writes to the folder keeps locked. It stays there:
/// whoever removed it could take it from under another process.
pub const LOCK_FILE: &str = "lock";

/// Whether a process is at work on a run folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtWork {
    /// A process holds the lock.
    Yes,
    /// Nobody holds the lock.
    No,
    /// There is no lock file, or the file system has no locks.
    Unknown,
}

impl AtWork {
    /// Asks for the lock of `folder`, and gives it back at once.
    pub fn on(folder: &Path) -> Self {
        let Ok(file) = File::open(folder.join(LOCK_FILE)) else { return Self::Unknown };
        match file.try_lock_shared() {
            Ok(()) => Self::No,
            Err(TryLockError::WouldBlock) => Self::Yes,
            Err(TryLockError::Error(_)) => Self::Unknown,
        }
    }
}

impl Manifest {
    /// How far the run in `folder` has come: what the manifest says, but for a run that it calls
    /// [`Status::Running`] and that no process is at work on. That one is [`Status::Killed`].
    pub fn status_in(&self, folder: &Path) -> Status {
        match self.status {
            Status::Running if AtWork::on(folder) == AtWork::No => Status::Killed,
            status => status,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn a_run_that_nobody_is_at_work_on_was_killed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let mut manifest = sample::run().manifest;
        manifest.status = Status::Running;
        assert_eq!(AtWork::on(path), AtWork::Unknown);
        assert_eq!(manifest.status_in(path), Status::Running);
        let lock = File::create(path.join(LOCK_FILE)).unwrap();
        assert_eq!(AtWork::on(path), AtWork::No);
        assert_eq!(manifest.status_in(path), Status::Killed);
        lock.lock().unwrap();
        assert_eq!(AtWork::on(path), AtWork::Yes);
        assert_eq!(manifest.status_in(path), Status::Running);
        lock.unlock().unwrap();
        manifest.status = Status::Interrupted;
        assert_eq!(manifest.status_in(path), Status::Interrupted);
    }
}
