//! The run folder: everything a run leaves behind, and all that is needed to repeat it.

// What it expects is about values of its own, never about a file.
#![deny(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use backburn_data::normalization::FittedNormalization;
use backburn_records::at_work::LOCK_FILE;
use backburn_records::whole_file::{
    folder_of, is_leftover, remove_leftovers, replace_verified, sync_folder, write_whole,
};
use backburn_records::{
    CHANGED_RECIPE, EpochRecord, EvaluationRecord, FileRecord, MANIFEST_FILE, Manifest,
    OtherFolder, Status, Summary, read_bounded,
};
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::recipe::Recipe;
use crate::run_folder::error::RunError;
use crate::run_folder::lock::RunLock;
use crate::run_folder::names::{
    CONFIG, GIVEN_UP, LATEST, LOSSES, METRICS, PREVIOUS, RESULTS, most_bytes,
};
use crate::run_folder::names::{EVALUATION, NORMALIZATION, SUMMARY};
use crate::watch::Watch;

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
        make_folder(path).map_err(|source| RunError::Write { path: path.to_owned(), source })?;
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
        let entries = fs::read_dir(path)
            .map_err(|source| RunError::Write { path: path.to_owned(), source })?;
        for entry in entries {
            let entry =
                entry.map_err(|source| RunError::Write { path: path.to_owned(), source })?;
            // All that a run has if it was killed before its recipe was written.
            let is_empty = |folder| fs::read_dir(folder).is_ok_and(|mut it| it.next().is_none());
            let (name, inside) = (entry.file_name(), entry.path());
            let is_nothing = name == LOCK_FILE
                || is_leftover(&name)
                || name == "checkpoints" && is_empty(inside);
            if !is_nothing {
                return Err(RunError::NotEmpty { path: path.to_owned() });
            }
        }
        Ok(())
    }

    /// The folder of a run that exists.
    ///
    /// # Errors
    ///
    /// If it has no recipe and so is not one.
    pub fn open(path: &Path) -> Result<Self, RunError> {
        if let Some(other) = OtherFolder::at(path) {
            return Err(other.into());
        }
        let folder = Self { path: path.to_owned() };
        folder.read(CONFIG)?;
        Ok(folder)
    }

    /// Keeps other processes out until what it gives is dropped, and clears away what a killed one
    /// may have left half written.
    ///
    /// # Errors
    ///
    /// If another process is at work, or the folder cannot be written to.
    pub fn lock(&self, watch: &mut dyn Watch) -> Result<RunLock, RunError> {
        let lock = RunLock::take(&self.path, watch)?;
        let inside = ["checkpoints", "figures"].map(|name| self.path.join(name));
        for folder in [self.path.clone()].into_iter().chain(inside) {
            ignore_missing(remove_leftovers(&folder))
                .map_err(|source| RunError::Write { path: folder, source })?;
        }
        Ok(lock)
    }

    /// Whether the run was killed after its recipe was written and before anything else was.
    pub fn has_only_its_recipe(&self) -> bool {
        let results = RESULTS.into_iter().filter(|file| *file != CONFIG);
        let mut files = results.chain([MANIFEST_FILE]);
        !self.has_checkpoint() && !files.any(|file| self.path.join(file).exists())
    }

    /// Makes the folder of checkpoints: for a new run, or again, should it have been deleted to
    /// save disk space.
    ///
    /// # Errors
    ///
    /// If it cannot be made.
    pub fn make_checkpoints(&self) -> Result<(), RunError> {
        let path = self.path.join("checkpoints");
        make_folder(&path).map_err(|source| RunError::Write { path, source })
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
        make_folder(runs).map_err(|source| RunError::Write { path: runs.to_owned(), source })?;
        let mut number = 1;
        loop {
            let suffix = if number == 1 { String::new() } else { format!("-{number}") };
            let path = runs.join(format!("{time}-{name}{suffix}"));
            // Whoever makes the folder owns it, also if two processes try at once.
            match fs::create_dir(&path).and_then(|()| sync_folder(runs)) {
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
        self.write(CONFIG, recipe.to_toml().as_bytes())
    }

    /// Reads the recipe.
    ///
    /// # Errors
    ///
    /// If the file is missing or not a recipe.
    pub fn recipe(&self) -> Result<Recipe, RunError> {
        self.parse_recipe(self.read(CONFIG)?)
    }

    /// Reads the recipe that a run was trained by, for whoever reckons with the run's results.
    ///
    /// # Errors
    ///
    /// As [`recipe`](Self::recipe), or if it has changed since the run ended.
    pub fn recipe_as_written(&self, manifest: &Manifest) -> Result<Recipe, RunError> {
        self.parse_recipe(self.read_as_written(CONFIG, manifest)?)
    }

    fn parse_recipe(&self, bytes: Vec<u8>) -> Result<Recipe, RunError> {
        let path = self.path.join(CONFIG);
        let text =
            String::from_utf8(bytes).map_err(|_| RunError::RecipeNotText { path: path.clone() })?;
        Ok(Recipe::parse(&text, &path.display().to_string())?)
    }

    /// Writes the manifest.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn write_manifest(&self, manifest: &Manifest) -> Result<(), RunError> {
        self.write_json(MANIFEST_FILE, manifest)
    }

    /// Reads the manifest.
    ///
    /// # Errors
    ///
    /// If the file is missing or damaged.
    pub fn manifest(&self) -> Result<Manifest, RunError> {
        let path = self.path.join(MANIFEST_FILE);
        let bytes = self.read(MANIFEST_FILE).map_err(|error| match error {
            RunError::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                RunError::NoManifest { path: path.clone() }
            }
            error => error,
        })?;
        serde_json::from_slice(&bytes)
            .map_err(|error| RunError::Damaged { path, reason: error.to_string() })
    }

    /// Reads the manifest, and tells how far the run has come, as [`Manifest::with_status`] does.
    ///
    /// # Errors
    ///
    /// As [`manifest`](Self::manifest).
    pub fn manifest_with_status(&self) -> Result<(Manifest, Status), RunError> {
        Manifest::with_status(&self.path, || self.manifest())
    }

    /// Adds an epoch to `metrics.jsonl`.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn append_metrics(&self, epoch: &EpochRecord) -> Result<(), RunError> {
        self.append(METRICS, metrics([epoch]).as_slice())
    }

    /// Makes `metrics.jsonl` hold these epochs and no others: what a killed run wrote after its
    /// checkpoint will be trained again.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn keep_metrics(&self, epochs: &[EpochRecord]) -> Result<(), RunError> {
        match epochs {
            [] => self.remove(METRICS),
            epochs => self.write(METRICS, &metrics(epochs)),
        }
    }

    /// Writes the final scores.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn write_summary(&self, summary: &Summary) -> Result<(), RunError> {
        self.write_json(SUMMARY, summary)
    }

    /// Writes the scale and shift of each channel's bytes, so that `model.safetensors` can be used
    /// without this program.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn write_normalization(&self, normalization: &FittedNormalization) -> Result<(), RunError> {
        self.write_json(NORMALIZATION, normalization)
    }

    /// Writes confusion, calibration and mistakes on the test split.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn write_evaluation(&self, evaluation: &EvaluationRecord) -> Result<(), RunError> {
        self.write_json(EVALUATION, evaluation)
    }

    /// Writes the newest checkpoint. The one before stays until the new one has been read back, and
    /// then once more, as the one to fall back to.
    ///
    /// # Errors
    ///
    /// If it cannot be written, or is not read back as it was written.
    pub fn write_checkpoint(&self, bytes: &[u8]) -> Result<(), RunError> {
        let latest = self.path.join(LATEST);
        let previous = self.path.join(PREVIOUS);
        replace_verified(&latest, bytes, || keep_as(&latest, &previous))
            .map_err(|source| RunError::Write { path: latest.clone(), source })
    }

    /// The content of a checkpoint; `None` if there is none.
    ///
    /// # Errors
    ///
    /// If it is there and cannot be read.
    pub fn read_checkpoint(&self, name: &str) -> Result<Option<Vec<u8>>, RunError> {
        let path = self.path.join(name);
        match read_bounded(&path, u64::MAX) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(RunError::ReadCheckpoint { path, source }),
        }
    }

    /// Deletes what an earlier end of the run left: whoever trains on comes to other results.
    ///
    /// # Errors
    ///
    /// If a file cannot be deleted.
    pub fn remove_results(&self) -> Result<(), RunError> {
        let of_training = [CONFIG, METRICS, LOSSES, GIVEN_UP];
        let results = RESULTS.into_iter().filter(|name| !of_training.contains(name));
        for name in results.chain(["report.html"]) {
            self.remove(name)?;
        }
        let path = self.path.join("figures");
        ignore_missing(fs::remove_dir_all(&path)).map_err(|source| RunError::Write { path, source })
    }

    /// Deletes a file, if it is there.
    ///
    /// # Errors
    ///
    /// If it cannot be deleted.
    pub fn remove(&self, name: &str) -> Result<(), RunError> {
        let path = self.path.join(name);
        ignore_missing(fs::remove_file(&path)).map_err(|source| RunError::Write { path, source })
    }

    /// Puts the previous checkpoint in the place of the newest, which is damaged.
    ///
    /// # Errors
    ///
    /// If it cannot be moved.
    pub fn fall_back(&self) -> Result<(), RunError> {
        let latest = self.path.join(LATEST);
        fs::rename(self.path.join(PREVIOUS), &latest)
            .map_err(|source| RunError::Write { path: latest, source })
    }

    /// Length and checksum of every result file that there is.
    ///
    /// # Errors
    ///
    /// If one cannot be read.
    pub fn result_files(&self) -> Result<Vec<FileRecord>, RunError> {
        let mut records = Vec::new();
        for name in RESULTS.into_iter().filter(|name| self.path.join(name).exists()) {
            records.push(FileRecord::of(name, &self.read(name)?));
        }
        Ok(records)
    }

    /// Whether there is a checkpoint to resume from, whole or not.
    pub fn has_checkpoint(&self) -> bool {
        [LATEST, PREVIOUS].iter().any(|file| self.path.join(file).exists())
    }

    /// Adds lines to a file and waits until they are on the disk. If there is no disk space for all of them,
    /// none is added.
    pub fn append(&self, name: &str, lines: &[u8]) -> Result<(), RunError> {
        let path = self.path.join(name);
        let append = || {
            let mut file = open_to_append(&path)?;
            let length = file.metadata()?.len();
            let written = file.write_all(lines).and_then(|()| file.sync_data());
            if written.is_err() {
                file.set_len(length)?;
            }
            written
        };
        append().map_err(|source| RunError::Write { path: path.clone(), source })
    }

    /// Adds as many of the lines as there is disk space for, whole ones only, for whoever ends by an error and has
    /// no use for another.
    pub fn append_what_fits(&self, name: &str, lines: &[u8]) {
        let append = || {
            let mut file = open_to_append(&self.path.join(name))?;
            let length = file.metadata()?.len();
            if file.write_all(lines).and_then(|()| file.sync_data()).is_ok() {
                return Ok(());
            }
            let written = file.metadata()?.len().saturating_sub(length);
            let written = usize::try_from(written).ok().and_then(|written| lines.get(..written));
            let end = written.and_then(|lines| lines.iter().rposition(|&byte| byte == b'\n'));
            file.set_len(length + end.map_or(0, |end| end as u64 + 1))?;
            file.sync_data()
        };
        let _: io::Result<()> = append();
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
        // Whatever is there instead of a file, such as a pipe, may never end.
        read_bounded(&path, most_bytes(name)).map_err(|source| RunError::Read { path, source })
    }

    /// Reads a result.
    ///
    /// # Errors
    ///
    /// If it is missing, cannot be read, or is no longer what the manifest has the checksum of.
    pub fn read_as_written(&self, name: &str, manifest: &Manifest) -> Result<Vec<u8>, RunError> {
        let bytes = self.read(name)?;
        let path = self.path.join(name);
        match manifest.check(name, &bytes) {
            Ok(()) => Ok(bytes),
            Err(changed) if name == CONFIG => {
                Err(RunError::Changed { path, changed, cure: CHANGED_RECIPE.to_owned() })
            }
            Err(changed) => {
                let config = self.path.join(CONFIG);
                let cure = format!(
                    "restore it from a copy, or repeat the run with `cargo xtask train --config \
                     {}`",
                    config.display()
                );
                Err(RunError::Changed { path, changed, cure })
            }
        }
    }

    /// Writes a file of JSON.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), RunError> {
        let mut text = serde_json::to_vec_pretty(value).expect("a record is plain values");
        text.push(b'\n');
        self.write(name, &text)
    }
}

fn metrics<'a>(epochs: impl IntoIterator<Item = &'a EpochRecord>) -> Vec<u8> {
    let mut lines = Vec::new();
    for epoch in epochs {
        serde_json::to_writer(&mut lines, epoch).expect("a record is plain values");
        lines.push(b'\n');
    }
    lines
}

/// A file that is gone is not made again but where a run begins: its folder may have been deleted.
fn open_to_append(path: &Path) -> io::Result<fs::File> {
    let may_be_new = path.ends_with(METRICS);
    fs::OpenOptions::new().append(true).create(may_be_new).open(path)
}

/// Makes a folder, and those around it that are not there, and makes sure that they stay when the machine
/// stops.
fn make_folder(path: &Path) -> io::Result<()> {
    let is_new = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
    let new: Vec<&Path> = path.ancestors().take_while(is_new).collect();
    fs::create_dir_all(path)?;
    new.into_iter().try_for_each(|folder| sync_folder(folder_of(folder)))
}

/// Gives a file a second name, in place of whatever had it. The file has its own name all the while,
/// but where the file system knows no links.
fn keep_as(file: &Path, name: &Path) -> io::Result<()> {
    if !file.exists() {
        return Ok(());
    }
    let link = folder_of(name).join(".backburn-link.tmp");
    ignore_missing(fs::remove_file(&link))?;
    if fs::hard_link(file, &link).is_err() {
        return fs::rename(file, name);
    }
    fs::rename(&link, name)?;
    // Renaming does nothing if both were names of the same file already.
    ignore_missing(fs::remove_file(&link))
}

/// What is to be deleted may be gone already.
fn ignore_missing(deleted: io::Result<()>) -> io::Result<()> {
    match deleted {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        deleted => deleted,
    }
}

/// Now, in UTC, as RFC 3339.
pub fn now() -> String {
    let now = OffsetDateTime::now_utc().replace_nanosecond(0).expect("0 is a nanosecond");
    now.format(&Rfc3339).expect("a date of this age can be formatted")
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
    fn metrics_after_the_checkpoint_are_dropped_on_resume() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::create(&folder.path().join("run")).unwrap();
        let epoch = |epoch| EpochRecord {
            epoch,
            train_objective: 0.1 + 0.2,
            train_accuracy: 0.5,
            valid_loss: None,
            valid_accuracy: None,
            learning_rate: 0.1,
            seconds: 1.0,
            images_per_second: 10.0,
        };
        run.keep_metrics(&[]).unwrap();
        run.append_metrics(&epoch(1)).unwrap();
        let one = run.read("metrics.jsonl").unwrap();
        run.append_metrics(&epoch(2)).unwrap();
        run.keep_metrics(&[epoch(1)]).unwrap();
        assert_eq!(run.read("metrics.jsonl").unwrap(), one);
        run.keep_metrics(&[]).unwrap();
        assert!(!run.path().join("metrics.jsonl").exists());
    }

    #[test]
    fn the_checkpoint_before_the_newest_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::create(&folder.path().join("run")).unwrap();
        run.make_checkpoints().unwrap();
        for content in ["one", "two", "three"] {
            run.write_checkpoint(content.as_bytes()).unwrap();
        }
        assert_eq!(run.read(LATEST).unwrap(), b"three");
        assert_eq!(run.read(PREVIOUS).unwrap(), b"two");
        assert_eq!(fs::read_dir(run.path().join("checkpoints")).unwrap().count(), 2);
        run.fall_back().unwrap();
        run.write_checkpoint(b"four").unwrap();
        assert_eq!(run.read(PREVIOUS).unwrap(), b"two");
    }

    #[test]
    fn a_file_that_already_has_the_other_name_can_be_given_it_again() {
        let folder = tempfile::tempdir().unwrap();
        let [file, name] = ["a", "b"].map(|name| folder.path().join(name));
        fs::write(&file, "x").unwrap();
        for _ in 0..2 {
            keep_as(&file, &name).unwrap();
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        }
    }

    #[test]
    fn what_a_run_killed_at_its_start_leaves_is_no_run() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let run = RunFolder::create(&path).unwrap();
        drop(run.lock(&mut crate::watch::Silent).unwrap());
        run.make_checkpoints().unwrap();
        fs::write(path.join(".backburn-x1.tmp"), "epo").unwrap();
        RunFolder::check_free(&path).unwrap();
        fs::create_dir(path.join("figures")).unwrap();
        fs::write(path.join("figures/.backburn-x1.tmp"), "<svg").unwrap();
        drop(run.lock(&mut crate::watch::Silent).unwrap());
        assert!(!path.join(".backburn-x1.tmp").exists());
        assert!(!path.join("figures/.backburn-x1.tmp").exists());
        fs::remove_dir(path.join("figures")).unwrap();
        run.write_checkpoint(b"x").unwrap();
        assert!(RunFolder::check_free(&path).is_err());
    }

    #[test]
    fn results_of_an_earlier_end_are_deleted_and_training_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::create(&folder.path().join("run")).unwrap();
        run.remove_results().unwrap();
        run.write(CONFIG, b"x").unwrap();
        assert!(run.has_only_its_recipe());
        run.write("model.safetensors", b"x").unwrap();
        assert!(!run.has_only_its_recipe());
        for name in RESULTS.into_iter().chain(["report.html", MANIFEST_FILE]) {
            run.write(name, b"x").unwrap();
        }
        fs::create_dir(run.path().join("figures")).unwrap();
        fs::write(run.path().join("figures/loss.svg"), "x").unwrap();
        run.remove_results().unwrap();
        let entries = fs::read_dir(run.path()).unwrap();
        let mut left: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, [CONFIG, GIVEN_UP, LOSSES, MANIFEST_FILE, METRICS]);
    }

    #[test]
    fn a_folder_is_made_with_those_around_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("of/several/levels");
        for _ in 0..2 {
            make_folder(&path).unwrap();
            assert!(path.is_dir());
        }
        fs::write(path.join("file"), "").unwrap();
        assert!(make_folder(&path.join("file/inside")).is_err());
    }

    #[test]
    fn a_recipe_or_record_that_is_far_too_long_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::create(&folder.path().join("run")).unwrap();
        for (name, most) in [(CONFIG, 1 << 20), (MANIFEST_FILE, 1 << 28), (METRICS, 1 << 28)] {
            // Only as long, without content, which would take its time.
            fs::File::create(run.path().join(name)).unwrap().set_len(most + 1).unwrap();
            let message = run.read(name).unwrap_err().to_string();
            assert!(message.contains(&format!("at most {most} bytes")), "{message}");
        }
        assert!(run.recipe().is_err() && run.manifest().is_err());
    }

    #[test]
    fn a_manifest_that_is_lost_is_named_with_the_cure() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::create(&folder.path().join("run")).unwrap();
        let message = run.manifest().unwrap_err().to_string();
        for part in ["manifest.json: the file is missing", "train --config ", "run/config.toml`"] {
            assert!(message.contains(part), "{message}");
        }
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
