//! Where the files of a data set are, by their names alone: nothing is read, and nothing is downloaded.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use crate::{entry::Entry, locate, source::Source};

/// Where the files of a data set are. Whether they are the right ones is told by [`verify`](crate::verify()).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Whereabouts {
    /// The program draws it, so that it needs no file.
    BuiltIn,
    /// All of them are there.
    Complete {
        /// Where training would read them.
        folder: PathBuf,
    },
    /// Some of them are there.
    Incomplete {
        /// Where they are.
        folder: PathBuf,
        /// Names of the others.
        missing: Vec<String>,
    },
    /// None of them is anywhere.
    Absent,
}

impl Whereabouts {
    /// Looks where [`load`](crate::load) would look before it downloads.
    pub fn of(entry: &Entry, source: &Source) -> Self {
        let Some(publication) = entry.publication().filter(|_| !entry.built_in) else {
            return Self::BuiltIn;
        };
        let Ok(folder) = locate::find(publication, source) else { return Self::Absent };
        let missing: Vec<String> = folder.missing().into_iter().map(str::to_owned).collect();
        match missing.is_empty() {
            true => Self::Complete { folder: folder.path },
            false => Self::Incomplete { folder: folder.path, missing },
        }
    }
}

/// In a few words: the folder, or why there is none.
impl fmt::Display for Whereabouts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("drawn by the program"),
            Self::Complete { folder } => write!(f, "{}", folder.display()),
            Self::Incomplete { folder, missing } => {
                write!(f, "{} lacks {}", folder.display(), missing.join(", "))
            }
            Self::Absent => f.write_str("not here"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::{entry, locate::tests::only};

    #[test]
    fn a_set_is_complete_incomplete_or_absent_by_its_files_names() {
        let folder = tempfile::tempdir().unwrap();
        let mnist = entry("mnist").unwrap();
        let found = || Whereabouts::of(mnist, &only(folder.path()));
        assert_eq!(found(), Whereabouts::Absent);
        let place = folder.path().join("mnist");
        fs::create_dir(&place).unwrap();
        let files = &mnist.publication().unwrap().files;
        let (last, others) = files.split_last().unwrap();
        others.iter().for_each(|file| fs::write(place.join(&file.name), "").unwrap());
        let missing = vec![last.name.clone()];
        assert_eq!(found().to_string(), format!("{} lacks {}", place.display(), last.name));
        assert_eq!(found(), Whereabouts::Incomplete { folder: place.clone(), missing });
        fs::write(place.join(&last.name), "").unwrap();
        assert_eq!(found(), Whereabouts::Complete { folder: place });
        let digits = Whereabouts::of(entry("digits").unwrap(), &only(Path::new("nowhere")));
        assert_eq!(digits, Whereabouts::BuiltIn);
    }
}
