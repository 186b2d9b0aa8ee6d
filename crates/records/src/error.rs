//! Why a record could not be read or written.

use std::io;
use std::path::{Path, PathBuf};

/// Why a run folder could not be read, or a file that shows it not be written.
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
    /// A file of the report could not be written.
    #[error(
        "cannot write {}: {source}; check the free space and the rights of the folder",
        path.display()
    )]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A figure could not be turned into pixels.
    #[error("cannot draw {figure} as PNG: {reason}; the SVG beside it is complete")]
    Draw {
        /// The figure's name.
        figure: String,
        /// What the renderer said.
        reason: String,
    },
}

fn place(path: &Path, line: Option<usize>) -> String {
    match line {
        Some(line) => format!("{}, line {line}", path.display()),
        None => path.display().to_string(),
    }
}
