//! All files of a run folder, read back.
//!
//! Training writes them with [`serde_json`]. Field names are part of the run folder's contract. JSON knows no NaN and no
//! infinity: they are written as `null`, and `null` is read as NaN.

use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::bounded::read_bounded;
use crate::checksum::Changed;
use crate::epoch_record::{EpochRecord, METRICS_FILE};
use crate::error::RecordError;
use crate::evaluation::{EVALUATION_FILE, EvaluationRecord};
use crate::manifest::{MANIFEST_FILE, Manifest, Status};
use crate::other_folder::OtherFolder;
use crate::summary::{SUMMARY_FILE, Summary};

/// File name of the resolved recipe.
pub const CONFIG_FILE: &str = "config.toml";

/// The longest file of JSON that is read. A million epochs; no record comes near this size.
pub const MOST_BYTES: u64 = 1 << 28;

/// What to do about a recipe that is no longer that of its run.
pub const CHANGED_RECIPE: &str = "restore it from a copy, or from the recipe that the run's \
    report.html shows; another recipe needs a run of its own, `cargo xtask train --config`";

const DAMAGED: &str =
    "restore the file, or repeat the run with `cargo xtask train --config` of its config.toml";

/// All that a run folder says about a run, without its weights.
#[derive(Clone, Debug, PartialEq)]
pub struct RunRecord {
    /// The folder that was read.
    pub dir: PathBuf,
    /// Where the run comes from and how it ended.
    pub manifest: Manifest,
    /// One record an epoch, in the order written.
    pub epochs: Vec<EpochRecord>,
    /// The scores, once the run has ended.
    pub summary: Option<Summary>,
    /// Confusion, calibration and worst mistakes on the test split, once measured.
    pub evaluation: Option<EvaluationRecord>,
    /// The resolved recipe, verbatim, if its file is there.
    pub config: Option<String>,
}

impl RunRecord {
    /// Reads a run folder. Only the manifest must be there: a run that has just begun has no
    /// epochs, and one that was interrupted no summary. The manifest's status is that of
    /// [`Manifest::with_status`]. Of a run under way the epoch that is being written down is not there yet.
    ///
    /// # Errors
    ///
    /// If a file is missing, unreadable, not as the run folder promises, or no longer what the manifest has
    /// the checksum of; the message names the file, for `metrics.jsonl` also the line.
    pub fn read(dir: &Path) -> Result<Self, RecordError> {
        let manifest_path = dir.join(MANIFEST_FILE);
        let read = || -> Result<Manifest, RecordError> {
            let text = read_text(&manifest_path)?.ok_or_else(|| no_manifest(dir))?;
            parse(&text, &manifest_path, None)
        };
        let (mut manifest, status) = Manifest::with_status(dir, read)?;
        manifest.status = status;
        let metrics_path = dir.join(METRICS_FILE);
        let mut metrics = read_as_written(dir, METRICS_FILE, &manifest)?.unwrap_or_default();
        if status == Status::Running {
            metrics.truncate(metrics.rfind('\n').unwrap_or(0));
        }
        let evaluation_path = dir.join(EVALUATION_FILE);
        let evaluation: Option<EvaluationRecord> = read_json(dir, EVALUATION_FILE, &manifest)?;
        if let Some(evaluation) = &evaluation {
            evaluation.check(&evaluation_path)?;
        }
        Ok(Self {
            dir: dir.to_path_buf(),
            epochs: parse_epochs(&metrics, &metrics_path)?,
            summary: read_json(dir, SUMMARY_FILE, &manifest)?,
            evaluation,
            config: read_as_written(dir, CONFIG_FILE, &manifest)?,
            manifest,
        })
    }

    /// The selected epoch: the summary's or, before there is one, that of the lowest validation
    /// loss.
    pub fn best_epoch(&self) -> Option<usize> {
        if let Some(summary) = &self.summary {
            return Some(summary.best_epoch);
        }
        let measured = self.epochs.iter().filter_map(|e| Some((e.valid_loss?, e.epoch)));
        measured
            .filter(|(loss, _)| loss.is_finite())
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .map(|m| m.1)
    }

    /// Wrong answers and images of the test split, if the evaluation is there.
    pub fn test_mistakes(&self) -> Option<(u64, u64)> {
        self.evaluation.as_ref().map(|e| (e.mistake_count(), e.image_count()))
    }
}

/// Why a folder without a manifest is no run's.
fn no_manifest(dir: &Path) -> RecordError {
    if let Some(other) = OtherFolder::at(dir) {
        return other.into();
    }
    let path = dir.join(MANIFEST_FILE);
    // In the system's words, as of every other file.
    let source = std::fs::metadata(&path).err().unwrap_or_else(|| io::ErrorKind::NotFound.into());
    let cure = "name a run folder, as `cargo xtask train` makes it under `runs/`";
    RecordError::Read { path, source, cure }
}

/// The text of a file, `None` if there is no such file.
fn read_text(path: &Path) -> Result<Option<String>, RecordError> {
    match read_bounded(path, MOST_BYTES) {
        Ok(bytes) => String::from_utf8(bytes).map(Some).map_err(|_| RecordError::Content {
            path: path.to_path_buf(),
            line: None,
            expected: "UTF-8 text".into(),
            found: "other bytes".into(),
            cure: DAMAGED,
        }),
        Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(RecordError::Read {
            path: path.to_path_buf(),
            source,
            cure: "name a run folder that you may read",
        }),
    }
}

/// The text of a run's file, `None` if there is no such file.
fn read_as_written(
    dir: &Path,
    name: &str,
    manifest: &Manifest,
) -> Result<Option<String>, RecordError> {
    let path = dir.join(name);
    let Some(text) = read_text(&path)? else { return Ok(None) };
    match manifest.check(name, text.as_bytes()) {
        Ok(()) => Ok(Some(text)),
        Err(Changed { expected, found }) => {
            let cure = if name == CONFIG_FILE { CHANGED_RECIPE } else { DAMAGED };
            Err(RecordError::Content { path, line: None, expected, found, cure })
        }
    }
}

fn read_json<T: DeserializeOwned>(
    dir: &Path,
    name: &str,
    manifest: &Manifest,
) -> Result<Option<T>, RecordError> {
    let text = read_as_written(dir, name, manifest)?;
    text.map(|text| parse(&text, &dir.join(name), None)).transpose()
}

fn parse_epochs(text: &str, path: &Path) -> Result<Vec<EpochRecord>, RecordError> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(index, line)| parse(line, path, Some(index + 1))).collect()
}

fn parse<T: DeserializeOwned>(
    text: &str,
    path: &Path,
    line: Option<usize>,
) -> Result<T, RecordError> {
    serde_json::from_str(text).map_err(|error| RecordError::Content {
        path: path.to_path_buf(),
        line,
        expected: match line {
            Some(_) => "one epoch as a JSON object".into(),
            None => "the JSON that this version of backburn writes".into(),
        },
        found: format!("{error}"),
        cure: match line {
            Some(_) => {
                "restore the line from a copy; a last line that a kill has cut short is \
                written anew by `cargo xtask train --resume`"
            }
            None => DAMAGED,
        },
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde::Serialize;

    use super::*;
    use crate::at_work::LOCK_FILE;
    use crate::manifest::{ExtensionRecord, TuningRecord};
    use crate::sample::{self, label_noise};
    use crate::summary::Memorized;

    fn keys(value: &impl Serialize) -> Vec<String> {
        let value = serde_json::to_value(value).unwrap();
        let mut keys: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys
    }

    fn sorted(names: &str) -> Vec<String> {
        let mut names: Vec<String> = names.split_whitespace().map(String::from).collect();
        names.sort();
        names
    }

    #[test]
    fn field_names_are_those_of_the_contract() {
        let mut run = sample::run();
        let (run_folder, schedule) = ("runs/a".to_owned(), "constant".to_owned());
        run.manifest.extends = Some(ExtensionRecord { run: run_folder, epochs: 3, schedule });
        (run.manifest.data_seed, run.manifest.replicate) = (Some(3), 1);
        run.manifest.label_noise = Some(label_noise());
        let (level, sha256) = ("balanced".to_owned(), "ab".repeat(32));
        run.manifest.tuning = Some(TuningRecord { level, kept: 200, tuned: 3, sha256 });
        assert_eq!(
            keys(&run.manifest),
            sorted(
                "name model command backburn_version burn_version git_commit backend device \
                 threads dataset train_images valid_images seed data_seed replicate label_noise started ended \
                 status test_reads checkpoint_every log resumed tuning extends rollbacks files"
            )
        );
        assert_eq!(keys(&run.manifest.tuning), sorted("level kept tuned sha256"));
        assert_eq!(keys(&run.manifest.dataset), sorted("name files notes"));
        assert_eq!(keys(&run.manifest.dataset.files[0]), sorted("name bytes sha256"));
        assert_eq!(keys(&run.manifest.test_reads[0]), sorted("at purpose weights"));
        assert_eq!(
            keys(&run.manifest.resumed[0]),
            sorted("at backburn_version burn_version git_commit backend device threads")
        );
        assert_eq!(
            keys(&run.epochs[0]),
            sorted(
                "epoch train_objective train_accuracy valid_loss valid_accuracy learning_rate \
                 seconds images_per_second"
            )
        );
        assert_eq!(
            keys(run.summary.as_ref().unwrap()),
            sorted(
                "best_epoch last_epoch train_loss train_accuracy valid_loss valid_accuracy \
                 test_loss test_accuracy generalization_gap test_ece train_seconds \
                 images_per_second parameters"
            )
        );
        assert_eq!(
            keys(run.manifest.label_noise.as_ref().unwrap()),
            sorted("setting replaced wrong sha256")
        );
        let memorized = Memorized { wrong_labels: 9, learnt_by_heart: 0.5, clean_accuracy: 0.9 };
        assert_eq!(keys(&memorized), sorted("wrong_labels learnt_by_heart clean_accuracy"));
        assert_eq!(serde_json::to_string(&Status::StoppedEarly).unwrap(), "\"stopped-early\"");
        assert_eq!(Status::StoppedEarly.to_string(), "stopped-early");
    }

    #[test]
    fn what_a_run_without_label_noise_says_is_what_it_said_before_there_was_any() {
        let run = sample::run();
        assert!(!keys(&run.manifest).iter().any(|key| key == "label_noise" || key == "replicate"));
        assert!(!keys(run.summary.as_ref().unwrap()).contains(&"memorized".to_owned()));
    }

    #[test]
    fn a_run_folder_is_read_back_as_written() {
        let folder = tempfile::tempdir().unwrap();
        let run = sample::write(folder.path());
        assert_eq!(RunRecord::read(folder.path()).unwrap(), run);
    }

    #[test]
    fn a_damaged_last_line_is_reported_by_its_number() {
        let folder = tempfile::tempdir().unwrap();
        let run = sample::write(folder.path());
        let path = folder.path().join(METRICS_FILE);
        let text = fs::read(&path).unwrap();
        fs::write(&path, &text[..text.len() - 20]).unwrap();
        let message = RunRecord::read(folder.path()).unwrap_err().to_string();
        let line = run.epochs.len();
        assert!(message.contains(&format!("metrics.jsonl, line {line}: expected")), "{message}");
        assert!(message.contains("restore the line") && message.contains("--resume"), "{message}");
    }

    #[test]
    fn of_a_run_under_way_a_line_that_is_being_written_is_not_there_yet() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let mut run = sample::write(path);
        run.manifest.status = Status::Running;
        run.manifest.files.clear();
        fs::write(path.join(MANIFEST_FILE), serde_json::to_string(&run.manifest).unwrap()).unwrap();
        let lock = fs::File::create(path.join(LOCK_FILE)).unwrap();
        lock.lock().unwrap();
        let text = fs::read(path.join(METRICS_FILE)).unwrap();
        let epochs = run.epochs.len();
        for (left, whole) in [(text.len(), epochs), (text.len() - 20, epochs - 1), (5, 0)] {
            fs::write(path.join(METRICS_FILE), &text[..left]).unwrap();
            assert_eq!(RunRecord::read(path).unwrap().epochs, run.epochs[..whole], "{left} bytes");
        }
        // Nobody will write the rest of it.
        lock.unlock().unwrap();
        assert!(RunRecord::read(path).is_err());
    }

    #[test]
    fn a_folder_that_is_no_run_is_refused_with_the_cure() {
        let folder = tempfile::tempdir().unwrap();
        let message = RunRecord::read(folder.path()).unwrap_err().to_string();
        assert!(message.contains("manifest.json") && message.contains("run folder"), "{message}");
    }

    #[test]
    fn a_run_that_has_just_begun_has_no_epochs() {
        let folder = tempfile::tempdir().unwrap();
        sample::write(folder.path());
        for file in [METRICS_FILE, SUMMARY_FILE, EVALUATION_FILE, CONFIG_FILE] {
            fs::remove_file(folder.path().join(file)).unwrap();
        }
        let run = RunRecord::read(folder.path()).unwrap();
        assert!(run.epochs.is_empty() && run.summary.is_none() && run.evaluation.is_none());
        assert_eq!(run.best_epoch(), None);
    }
}
