//! Why a record could not be read.

use std::io;
use std::path::{Path, PathBuf};

use crate::other_folder::OtherFolder;

/// Why a run folder could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// A file is missing or unreadable.
    #[error("cannot read {}: {source}; {cure}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
        /// What to do about it.
        cure: &'static str,
    },
    /// The folder is that of several runs.
    #[error(transparent)]
    OtherFolder(#[from] OtherFolder),
    /// A file is there, but its content is not what the run folder promises.
    #[error("{}: expected {expected}, found {found}; {cure}", place(path, *line))]
    Content {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1, where a file is read line by line.
        line: Option<usize>,
        /// What should be there.
        expected: String,
        /// What is there.
        found: String,
        /// What to do about it.
        cure: &'static str,
    },
}

fn place(path: &Path, line: Option<usize>) -> String {
    match line {
        Some(line) => format!("{}, line {line}", path.display()),
        None => path.display().to_string(),
    }
}
