//! Folders that hold runs and are none, so that whoever names one for a run is told what it is.

use std::fs;
use std::path::{Path, PathBuf};

/// A folder that a command made in which several runs belong together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} is the folder of {made_by}, not of a run; name one of its runs, {}", path.display(), runs(path, run.as_deref()))]
pub struct OtherFolder {
    /// The folder.
    pub path: PathBuf,
    /// What made it.
    pub made_by: &'static str,
    /// One of its runs, if there is one yet.
    pub run: Option<PathBuf>,
}

/// What every run has as soon as it has begun; the manifest tells one that is among others.
const OF_A_RUN: [&str; 2] = [MANIFEST, "config.toml"];
const MANIFEST: &str = "manifest.json";

/// What tells such a folder, and what it is then.
const KINDS: [(&str, &str); 4] = [
    ("study.toml", "a study"),
    ("search.toml", "a search"),
    ("fold-1", "a cross-validation"),
    ("result.json", "an experiment"),
];

/// Folders between such a folder and its runs' files: `<arm>/seed-<N>`, `trial-<NNNN>/seed-<N>`, `fold-<k>`.
const DEPTH: usize = 2;

impl OtherFolder {
    /// What the folder is, if it is such a one.
    pub fn at(path: &Path) -> Option<Self> {
        if OF_A_RUN.iter().any(|file| path.join(file).exists()) {
            return None;
        }
        let (_, made_by) = KINDS.into_iter().find(|(name, _)| path.join(name).exists())?;
        Some(Self { path: path.to_owned(), made_by, run: first_run(path, DEPTH) })
    }
}

fn runs(path: &Path, run: Option<&Path>) -> String {
    match run {
        Some(run) => format!("such as {}", run.display()),
        None => format!("of which there is none in {}", path.display()),
    }
}

/// The first run by name in the folders below.
fn first_run(folder: &Path, depth: usize) -> Option<PathBuf> {
    let below = depth.checked_sub(1)?;
    let mut folders: Vec<PathBuf> = fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    folders.into_iter().find_map(|folder| match folder.join(MANIFEST).exists() {
        true => Some(folder),
        false => first_run(&folder, below),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_runs_is_told_with_one_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let make = |file: &str| {
            let file = folder.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
        };
        let at = |name: &str| OtherFolder::at(&folder.path().join(name));
        make("study/study.toml");
        assert!(at("study").unwrap().to_string().contains("of which there is none"));
        make("study/none/seed-2/manifest.json");
        make("study/none/seed-1/manifest.json");
        let message = at("study").unwrap().to_string();
        let run = folder.path().join("study/none/seed-1").display().to_string();
        assert!(message.ends_with(&format!("such as {run}")), "{message}");
        assert!(message.contains("is the folder of a study, not of a run"), "{message}");
        make("folds/fold-1/manifest.json");
        assert_eq!(at("folds").unwrap().made_by, "a cross-validation");
        make("search/search.toml");
        assert_eq!(at("search").unwrap().made_by, "a search");
        make("experiment/result.json");
        let message = at("experiment").unwrap().to_string();
        assert!(message.contains("of an experiment, not of a run"), "{message}");
        // A run, and a folder of anything.
        assert_eq!((at("folds/fold-1"), at("folds/none"), at("")), (None, None, None));
    }
}
