//! Why a run folder cannot be used.

use std::path::{Path, PathBuf};
use std::{fmt, io};

use backburn_records::{Changed, OtherFolder, Status};

use crate::recipe::RecipeError;
use crate::run_folder::names::CONFIG;

/// What is wrong with a file that is not there.
pub const MISSING: &str = "the file is missing";

/// What to do about a run that has not come to its end.
pub fn how_to_finish(run: &Path, status: Status) -> String {
    let run = run.display();
    match status {
        Status::Diverged => format!(
            "start a new run with a smaller learning rate, `cargo xtask train --config \
             {run}/config.toml --learning-rate X`"
        ),
        Status::Running => "wait until it has ended".to_owned(),
        _ => format!("resume it with `cargo xtask train --resume {run}`"),
    }
}

/// Why a run folder cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// A folder that should be new has something in it.
    #[error("{} is not empty; name another folder with `--out`; a run is continued with `--resume \
        {}`", path.display(), path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// A file or folder cannot be written.
    #[error("cannot write {}: {source}; see to its disk space and permissions, or name another \
        folder with `--out`; a run that has begun is resumed with `--resume`", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file cannot be read.
    #[error("cannot read {}: {source}; is {} the folder of a run?", path.display(),
        path.parent().unwrap_or(path).display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The folder is that of several runs.
    #[error(transparent)]
    OtherFolder(#[from] OtherFolder),
    /// A run has lost its manifest.
    #[error("{}: {MISSING}; restore it from a copy, or repeat the run with `cargo xtask train \
        --config {}`", path.display(), path.with_file_name(CONFIG).display())]
    NoManifest {
        /// Where it should be.
        path: PathBuf,
    },
    /// A file is not what it should be.
    #[error("{}: {reason}; the file is damaged or of another version; restore it, or repeat the \
        run with `cargo xtask train --config {}`", path.display(),
        path.with_file_name(CONFIG).display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A result is no longer what was written.
    #[error("{}: {changed}; {cure}", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// How its content has changed.
        changed: Changed,
        /// What to do about it.
        cure: String,
    },
    /// The recipe is no text.
    #[error("{}: expected UTF-8 text, found other bytes; restore it from a copy, or from the \
        recipe that the run's report.html shows, if there is one", path.display())]
    RecipeNotText {
        /// The file.
        path: PathBuf,
    },
    /// A checkpoint is there, and nobody knows what is in it.
    #[error("cannot read {}: {source}; see to its permissions and the disk, and try again",
        path.display())]
    ReadCheckpoint {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another process writes to the folder.
    #[error("another process is at work on {}; wait for it or stop it, and try again",
        path.display())]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// The recipe in the folder cannot be used.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
}

/// A checkpoint that cannot be used, and why.
#[derive(Debug)]
pub struct Fault {
    /// The file.
    pub path: PathBuf,
    /// Why it cannot be used.
    pub reason: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.path.display(), self.reason)
    }
}
