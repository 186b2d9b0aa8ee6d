//! Why a log is not written.

use std::io::{self, ErrorKind};
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
    /// A folder is wanted where a file is.
    #[error("{}: expected a folder, found something else; move it away, or name another place", path.display())]
    NotAFolder {
        /// What is there.
        path: PathBuf,
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
        move |source| not_a_folder(&path, &source).unwrap_or(Self::Write { path, source })
    }

    /// Of a folder that cannot be made.
    pub(crate) fn make(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| match source.kind() {
            // It is there already, as something else.
            ErrorKind::AlreadyExists => Self::NotAFolder { path },
            _ => Self::write(&path)(source),
        }
    }

    pub(crate) fn read(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| not_a_folder(&path, &source).unwrap_or(Self::Read { path, source })
    }
}

/// What is wrong where the system says that a part of the path is no folder, which no permission would mend.
fn not_a_folder(path: &Path, source: &io::Error) -> Option<LogError> {
    let there = path.ancestors().find(|part| part.exists()).unwrap_or(path);
    let is_said = source.kind() == ErrorKind::NotADirectory;
    is_said.then(|| LogError::NotAFolder { path: there.to_owned() })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_in_a_folders_place_is_no_matter_of_permissions() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("notes");
        fs::write(&file, "x").unwrap();
        let inside = file.join("run/meta.yaml");
        let errors = [
            LogError::read(&file)(fs::read_dir(&file).unwrap_err()),
            LogError::make(&file)(fs::create_dir_all(&file).unwrap_err()),
            LogError::make(&inside)(fs::create_dir_all(&inside).unwrap_err()),
            LogError::write(&inside)(fs::write(&inside, "x").unwrap_err()),
        ];
        for error in errors {
            let expected = format!("{}: expected a folder", file.display());
            assert!(error.to_string().starts_with(&expected), "{error}");
        }
        let missing = folder.path().join("none");
        let error = LogError::read(&missing)(fs::read_dir(&missing).unwrap_err());
        assert!(error.to_string().starts_with("cannot read"), "{error}");
    }
}
