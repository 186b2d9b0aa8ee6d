//! Whether a process is at work on a run folder.

use std::fs::{File, TryLockError};
use std::path::Path;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_holds_the_lock_is_at_work() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        assert_eq!(AtWork::on(path), AtWork::Unknown);
        let lock = File::create(path.join(LOCK_FILE)).unwrap();
        assert_eq!(AtWork::on(path), AtWork::No);
        lock.lock().unwrap();
        assert_eq!(AtWork::on(path), AtWork::Yes);
        lock.unlock().unwrap();
        assert_eq!(AtWork::on(path), AtWork::No);
    }
}
