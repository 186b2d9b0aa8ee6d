//! Why a log is not written.

use std::io;
use std::path::{Path, PathBuf};

/// Why a log is not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// A file or folder cannot be written to.
    #[error("cannot write {}: {source}; make disk space, or give the permission for it", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// What was logged before cannot be read.
    #[error("cannot read {}: {source}; give the permission for it", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A place where something else lies already.
    #[error("{}: expected {expected}, found {found}; name another folder with `--out`", path.display())]
    Taken {
        /// The place.
        path: PathBuf,
        /// What would be right.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// A record of the run does not say when something was.
    #[error("{}: expected a time such as 2026-01-31T12:00:00Z, found `{found}`; restore it from a copy", path.display())]
    Time {
        /// The file.
        path: PathBuf,
        /// What it says.
        found: String,
    },
}

impl LogError {
    pub(crate) fn write(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Write { path, source }
    }

    pub(crate) fn read(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Read { path, source }
    }
}
