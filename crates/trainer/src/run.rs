//! The run folder: everything a run leaves behind, and all that is needed to repeat it.

// What it expects is about values of its own, never about a file.
#![deny(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use backburn_data::normalization::FittedNormalization;
use backburn_report::{EpochRecord, EvaluationRecord, Manifest, Summary};
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::recipe::{Recipe, RecipeError};

/// What was minimized on every batch.
const LOSSES: &str = "losses.csv";

/// Why a run folder cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// A folder that should be new has something in it.
    #[error("{} is not empty; name another folder with `--out`, or empty it; a run is continued with `--resume {}`", path.display(), path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// A file or folder cannot be written.
    #[error("cannot write {}: {source}; see to its room and permissions, or name another folder with `--out`; a run that has begun goes on with `--resume`", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file cannot be read.
    #[error("cannot read {}: {source}; is {} the folder of a run?", path.display(), path.parent().unwrap_or(path).display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("{}: {reason}; the file is damaged or of another version; restore it, or repeat the run with `cargo xtask train --config {}`", path.display(), path.with_file_name("config.toml").display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The recipe in the folder cannot be used.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
}

/// A run folder. Every file is written under a temporary name and renamed, so that a killed run
/// leaves whole files only.
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Makes a new folder, or takes an empty one.
    ///
    /// # Errors
    ///
    /// If it holds anything or cannot be written to.
    pub fn create(path: &Path) -> Result<Self, RunError> {
        Self::check_free(path)?;
        fs::create_dir_all(path)
            .map_err(|source| RunError::Write { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned() })
    }

    /// Whether [`RunFolder::create`] may take this path.
    ///
    /// # Errors
    ///
    /// If there is a file, or a folder with anything in it.
    pub fn check_free(path: &Path) -> Result<(), RunError> {
        if !path.exists() {
            return Ok(());
        }
        let mut entries = fs::read_dir(path)
            .map_err(|source| RunError::Write { path: path.to_owned(), source })?;
        match entries.next() {
            Some(_) => Err(RunError::NotEmpty { path: path.to_owned() }),
            None => Ok(()),
        }
    }

    /// The folder of a run that exists.
    ///
    /// # Errors
    ///
    /// If it has no recipe and so is not one.
    pub fn open(path: &Path) -> Result<Self, RunError> {
        let folder = Self { path: path.to_owned() };
        folder.read("config.toml")?;
        Ok(folder)
    }

    /// Makes the folder of checkpoints: for a new run, or again, should it have been deleted to
    /// save room.
    ///
    /// # Errors
    ///
    /// If it cannot be made.
    pub fn make_checkpoints(&self) -> Result<(), RunError> {
        let path = self.path.join("checkpoints");
        fs::create_dir_all(&path).map_err(|source| RunError::Write { path, source })
    }

    /// Makes `runs/<time>-<name>`, with a number behind it if several runs start in the same second.
    ///
    /// # Errors
    ///
    /// If it cannot be written to.
    pub fn create_named(name: &str) -> Result<Self, RunError> {
        let now = OffsetDateTime::now_utc();
        let format = time::macros::format_description!("[year][month][day]-[hour][minute][second]");
        let time = now.format(&format).expect("a date of this age can be formatted");
        let runs = Path::new("runs");
        fs::create_dir_all(runs)
            .map_err(|source| RunError::Write { path: runs.to_owned(), source })?;
        let mut number = 1;
        loop {
            let suffix = if number == 1 { String::new() } else { format!("-{number}") };
            let path = runs.join(format!("{time}-{name}{suffix}"));
            // Whoever makes the folder owns it, also if two processes try at once.
            match fs::create_dir(&path) {
                Ok(()) => return Self::create(&path),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                Err(source) => return Err(RunError::Write { path, source }),
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the recipe.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn write_recipe(&self, recipe: &Recipe) -> Result<(), RunError> {
        self.write("config.toml", recipe.to_toml().as_bytes())
    }

    /// Reads the recipe.
    ///
    /// # Errors
    ///
    /// If the file is missing or not a recipe.
    pub fn recipe(&self) -> Result<Recipe, RunError> {
        let bytes = self.read("config.toml")?;
        let path = self.path.join("config.toml");
        let text = String::from_utf8(bytes)
            .map_err(|error| RunError::Damaged { path: path.clone(), reason: error.to_string() })?;
        Ok(Recipe::parse(&text, &path.display().to_string())?)
    }

    /// Writes the manifest.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn write_manifest(&self, manifest: &Manifest) -> Result<(), RunError> {
        self.write_json("manifest.json", manifest)
    }

    /// Reads the manifest.
    ///
    /// # Errors
    ///
    /// If the file is missing or damaged.
    pub fn manifest(&self) -> Result<Manifest, RunError> {
        let bytes = self.read("manifest.json")?;
        serde_json::from_slice(&bytes).map_err(|error| RunError::Damaged {
            path: self.path.join("manifest.json"),
            reason: error.to_string(),
        })
    }

    /// Writes all epochs, one line each.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn write_metrics(&self, epochs: &[EpochRecord]) -> Result<(), RunError> {
        let mut lines = Vec::new();
        for epoch in epochs {
            serde_json::to_writer(&mut lines, epoch).expect("a record is plain values");
            lines.push(b'\n');
        }
        self.write("metrics.jsonl", &lines)
    }

    /// Adds what was minimized on each batch of `epoch` to `losses.csv`.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn append_losses(&self, epoch: usize, objectives: &[f64]) -> Result<(), RunError> {
        use std::fmt::Write as _;
        let path = self.path.join(LOSSES);
        let mut lines = String::new();
        for (batch, objective) in (1..).zip(objectives) {
            let _ = writeln!(lines, "{epoch},{batch},{objective}");
        }
        let append =
            || fs::OpenOptions::new().append(true).open(&path)?.write_all(lines.as_bytes());
        append().map_err(|source| RunError::Write { path: path.clone(), source })
    }

    /// Makes `losses.csv`, or cuts it down to its first `epochs` epochs: what a killed run wrote
    /// after its checkpoint will be trained again.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn keep_losses(&self, epochs: usize) -> Result<(), RunError> {
        let path = self.path.join(LOSSES);
        let before = match fs::read_to_string(&path) {
            Ok(before) => before,
            // A run that has not finished an epoch has lost nothing.
            Err(_) if epochs == 0 => String::new(),
            Err(source) => return Err(RunError::Read { path, source }),
        };
        let mut kept = "epoch,batch,objective\n".to_owned();
        for line in before.lines().skip(1) {
            let epoch = line.split(',').next().and_then(|epoch| epoch.parse::<usize>().ok());
            if epoch.is_some_and(|epoch| epoch <= epochs) {
                kept.push_str(line);
                kept.push('\n');
            }
        }
        self.write(LOSSES, kept.as_bytes())
    }

    /// Writes the final scores.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn write_summary(&self, summary: &Summary) -> Result<(), RunError> {
        self.write_json("summary.json", summary)
    }

    /// Writes the scale and shift of each channel's bytes, so that `model.safetensors` can be used
    /// without this program.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn write_normalization(&self, normalization: &FittedNormalization) -> Result<(), RunError> {
        self.write_json("normalization.json", normalization)
    }

    /// Writes confusion, calibration and mistakes on the test split.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn write_evaluation(&self, evaluation: &EvaluationRecord) -> Result<(), RunError> {
        self.write_json("evaluation.json", evaluation)
    }

    /// Writes a file, whole or not at all.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), RunError> {
        let path = self.path.join(name);
        write_whole(&path, bytes).map_err(|source| RunError::Write { path, source })
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// If it is missing or cannot be read.
    pub fn read(&self, name: &str) -> Result<Vec<u8>, RunError> {
        let path = self.path.join(name);
        fs::read(&path).map_err(|source| RunError::Read { path, source })
    }

    pub(crate) fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), RunError> {
        let mut text = serde_json::to_vec_pretty(value).expect("a record is plain values");
        text.push(b'\n');
        self.write(name, &text)
    }
}

/// Now, in UTC, as RFC 3339.
pub fn now() -> String {
    let now = OffsetDateTime::now_utc().replace_nanosecond(0).expect("0 is a nanosecond");
    now.format(&Rfc3339).expect("a date of this age can be formatted")
}

/// Writes a file under a temporary name in the same folder, then renames it.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = folder_of(path);
    // Removes itself if anything below fails.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    // Past the wrapper, which would put the temporary name into the message.
    file.as_file_mut().write_all(bytes)?;
    file.as_file().sync_all()?;
    // Temporary files are private; results are for everyone that the folder is for.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
    }
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// The folder that a file is in; that of a bare name is the current one.
pub(crate) fn folder_of(path: &Path) -> &Path {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_anything_in_it_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("thesis.tex"), "x").unwrap();
        let error = RunFolder::create(folder.path()).unwrap_err();
        assert!(matches!(error, RunError::NotEmpty { .. }));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn writing_replaces_a_file_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::create(&folder.path().join("run")).unwrap();
        run.write("a.txt", b"one").unwrap();
        run.write("a.txt", b"two").unwrap();
        assert_eq!(run.read("a.txt").unwrap(), b"two");
        assert_eq!(fs::read_dir(run.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_without_a_recipe_is_not_a_run() {
        let folder = tempfile::tempdir().unwrap();
        let message = RunFolder::open(folder.path()).unwrap_err().to_string();
        assert!(message.contains("config.toml") && message.contains("a run?"), "{message}");
    }

    #[test]
    fn losses_after_the_checkpoint_are_dropped_on_resume() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::create(&folder.path().join("run")).unwrap();
        run.keep_losses(0).unwrap();
        run.append_losses(1, &[2.5, 1.25]).unwrap();
        run.append_losses(2, &[0.5]).unwrap();
        run.keep_losses(1).unwrap();
        let text = String::from_utf8(run.read("losses.csv").unwrap()).unwrap();
        assert_eq!(text, "epoch,batch,objective\n1,1,2.5\n1,2,1.25\n");
    }

    #[test]
    fn a_recipe_is_read_back_as_written() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::create(&folder.path().join("run")).unwrap();
        let recipe = crate::recipe::built_in("cifar10").unwrap();
        run.write_recipe(&recipe).unwrap();
        assert_eq!(run.recipe().unwrap().to_toml(), recipe.to_toml());
    }
}
