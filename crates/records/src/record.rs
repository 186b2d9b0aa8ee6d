//! The files of a run folder, as types.
//!
//! Training writes them with [`serde_json`]; [`RunRecord::read`] reads them back. Field names
//! are part of the run folder's contract. JSON knows no NaN and no infinity: they are written as
//! `null`, and `null` is read as NaN.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::at_work::AtWork;
use crate::bounded::read_bounded;
use crate::checksum::{Changed, FileRecord};
use crate::error::RecordError;
use crate::evaluation::EvaluationRecord;
use crate::nan::null_as_nan;
use crate::number::{count, counted};
use crate::other_folder::OtherFolder;

/// File name of the [`Manifest`].
pub const MANIFEST_FILE: &str = "manifest.json";
/// File name of the [`EpochRecord`]s, one JSON object a line.
pub const METRICS_FILE: &str = "metrics.jsonl";
/// File name of the [`Summary`].
pub const SUMMARY_FILE: &str = "summary.json";
/// File name of the [`EvaluationRecord`].
pub const EVALUATION_FILE: &str = "evaluation.json";
/// File name of the resolved recipe.
pub const CONFIG_FILE: &str = "config.toml";

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

/// `manifest.json`: where a run comes from and how it ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Name of the run, as its folder has it.
    pub name: String,
    /// Name of the model, such as `lenet-bn`.
    pub model: String,
    /// The command line, program first.
    pub command: Vec<String>,
    /// Version of this program.
    pub backburn_version: String,
    /// Version of Burn.
    pub burn_version: String,
    /// Commit of the source tree, if it was built from one.
    pub git_commit: Option<String>,
    /// Backend, such as `flex`.
    pub backend: String,
    /// Name of the device, such as the processor's.
    pub device: String,
    /// Threads used for computing.
    pub threads: usize,
    /// The data trained on.
    pub dataset: DatasetRecord,
    /// Images of the training split, of which batches are made; absent in runs that versions before 0.2 began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_images: Option<usize>,
    /// Images of the validation split; absent without one, and in older runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_images: Option<usize>,
    /// Seed of the run.
    pub seed: u64,
    /// Seed of its split, training subset and label noise, if that is another setting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_seed: Option<u64>,
    /// Which of several trainings with these seeds it is; 0, which is not written, is the first.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub replicate: u64,
    /// Wrong labels among the training images; `None` without label noise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_noise: Option<LabelNoiseRecord>,
    /// Start, RFC 3339, UTC.
    pub started: String,
    /// End, RFC 3339, UTC; `None` while the run is under way.
    pub ended: Option<String>,
    /// How far the run came.
    pub status: Status,
    /// Every read of the test split, in order.
    pub test_reads: Vec<TestRead>,
    /// How often a checkpoint is written inside epochs, such as `500steps`; `None` for never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint_every: Option<String>,
    /// What is logged for other programs, such as `tensorboard:histograms`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<String>,
    /// Every process that resumed the run, in order. Command, versions, commit, backend, device and threads
    /// above are of the one that began it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resumed: Vec<ResumeRecord>,
    /// Which kernels a graphics card computed with, as far as the newest process knew when it last wrote this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tuning: Option<TuningRecord>,
    /// The run that this one trains further.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extends: Option<ExtensionRecord>,
    /// Every return to an earlier state because the loss was no longer finite, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rollbacks: Vec<RollbackRecord>,
    /// The result files as they were written; empty before the run has ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileRecord>,
}

impl Manifest {
    /// Backend, device and threads of the newest process.
    pub fn machine(&self) -> (&str, &str, usize) {
        match self.resumed.last() {
            Some(resumed) => (&resumed.backend, &resumed.device, resumed.threads),
            None => (&self.backend, &self.device, self.threads),
        }
    }

    /// The run's seed with what else it was drawn by, such as `1, data seed 7, replicate 2`.
    pub fn seeds(&self) -> String {
        let mut text = self.seed.to_string();
        if let Some(seed) = self.data_seed {
            text += &format!(", data seed {seed}");
        }
        if self.replicate != 0 {
            text += &format!(", replicate {}", self.replicate);
        }
        text
    }

    /// What label noise has done to the training labels, in a line; `None` without it.
    pub fn label_noise_in_words(&self) -> Option<String> {
        let LabelNoiseRecord { setting, replaced, wrong, .. } = self.label_noise.as_ref()?;
        let labels = |number: usize| counted(number, "training label");
        let replaced = match self.train_images {
            Some(all) => format!("{} of {}", count(*replaced as u64), labels(all)),
            None => labels(*replaced),
        };
        let wrong = count(*wrong as u64);
        Some(format!(
            "{setting}: {replaced} replaced, {wrong} of them by a wrong one; validation and test \
             keep theirs"
        ))
    }

    /// How far the run in `folder` has come: what the manifest says, but for a run that it calls
    /// [`Status::Running`] and that no process is at work on. That one is [`Status::Killed`].
    pub fn status_in(&self, folder: &Path) -> Status {
        match self.status {
            Status::Running if AtWork::on(folder) == AtWork::No => Status::Killed,
            status => status,
        }
    }

    /// The manifest of the run in `folder`, as `read` reads it, and how far the run has come by
    /// [`status_in`](Self::status_in). A run may come to its end between the two; it would be taken for killed, so that its
    /// manifest is read once more then.
    ///
    /// # Errors
    ///
    /// As `read`.
    pub fn with_status<E>(
        folder: &Path,
        mut read: impl FnMut() -> Result<Self, E>,
    ) -> Result<(Self, Status), E> {
        let mut manifest = read()?;
        let mut status = manifest.status_in(folder);
        if status == Status::Killed {
            manifest = read()?;
            status = manifest.status_in(folder);
        }
        Ok((manifest, status))
    }

    /// Checks that `bytes`, read as the run's file `name`, are what was written when the run ended. Nothing is
    /// known of a file of a run that has not ended, or that an earlier version trained.
    ///
    /// # Errors
    ///
    /// If length or checksum differ.
    pub fn check(&self, name: &str, bytes: &[u8]) -> Result<(), Changed> {
        self.files.iter().filter(|file| file.name == name).try_for_each(|file| file.check(bytes))
    }
}

/// Which kernels a graphics card computed with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TuningRecord {
    /// How much was tried before a kernel was chosen: minimal, balanced, extensive or full.
    pub level: String,
    /// Choices that an earlier process had made.
    pub kept: usize,
    /// Choices that were made since.
    pub tuned: usize,
    /// SHA-256 of all of them, by which two runs that computed with the same ones are known.
    pub sha256: String,
}

/// A process that resumed a run from its checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResumeRecord {
    /// When, RFC 3339, UTC.
    pub at: String,
    /// Version of this program.
    pub backburn_version: String,
    /// Version of Burn.
    pub burn_version: String,
    /// Commit of the source tree, if it was built from one.
    pub git_commit: Option<String>,
    /// Backend, such as `flex`.
    pub backend: String,
    /// Name of the device, such as the processor's.
    pub device: String,
    /// Threads used for computing.
    pub threads: usize,
}

/// Where a run comes from that trains another one further.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExtensionRecord {
    /// Folder of the other run.
    pub run: String,
    /// Epochs that it had.
    pub epochs: usize,
    /// What the learning rate did from there on, in words.
    pub schedule: String,
}

/// A return to an earlier state, with half the learning rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RollbackRecord {
    /// Epoch that diverged, counted from 1.
    pub epoch: usize,
    /// Batch within it, counted from 1.
    pub batch: usize,
    /// Learning rate that it diverged with.
    #[serde(deserialize_with = "null_as_nan")]
    pub learning_rate: f64,
    /// Epoch to whose end training went back, 0 for the beginning. Absent if a version before 0.2 rolled back,
    /// always to the end of the epoch before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back_to: Option<usize>,
    /// The whole epochs that were given up, as `metrics.jsonl` had them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given_up: Vec<EpochRecord>,
}

/// What label noise has done to the labels of the training images, once, before the first step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabelNoiseRecord {
    /// As the recipe has it, such as `20` or `20:pairs`.
    pub setting: String,
    /// Labels that were replaced, some perhaps by themselves.
    pub replaced: usize,
    /// Labels that are not those of the data any more.
    pub wrong: usize,
    /// SHA-256 of the labels that are trained on, two bytes each, the lower one first, in the order of the images.
    pub sha256: String,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The data set of a run, with what identifies it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DatasetRecord {
    /// Name in the catalog, such as `mnist`.
    pub name: String,
    /// The files read; for a data set that the program draws, its splits.
    pub files: Vec<FileRecord>,
    /// What else a reader should know, such as a checksum that is not the published one.
    pub notes: Vec<String>,
    /// Files that could not be read and were left out, each with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
    /// Channels, height and width of an image. Older records do not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<[usize; 3]>,
}

/// One read of the test split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestRead {
    /// When, RFC 3339, UTC.
    pub at: String,
    /// What for, such as `final score`.
    pub purpose: String,
    /// Which weights, such as `epoch 9`.
    pub weights: String,
}

/// How far a run came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Under way, or killed without a chance to say so.
    Running,
    /// Trained all its epochs.
    Finished,
    /// Ended by early stopping.
    StoppedEarly,
    /// Ended by the user; can be resumed.
    Interrupted,
    /// Ended because the loss was no longer finite.
    Diverged,
    /// Ended by an error.
    Failed,
    /// Ended without a word: the manifest says that it is under way, and no process is at work on it. Never
    /// written to a manifest; see [`Manifest::status_in`].
    Killed,
}

impl Status {
    /// The name used in `manifest.json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Finished => "finished",
            Self::StoppedEarly => "stopped-early",
            Self::Interrupted => "interrupted",
            Self::Diverged => "diverged",
            Self::Failed => "failed",
            Self::Killed => "killed",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// One line of `metrics.jsonl`. Accuracies are fractions in `[0, 1]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Epoch, counted from 1.
    pub epoch: usize,
    /// What was minimized, with regularizers: mean over the epoch's images, a short batch counting by those it
    /// holds. In runs that versions before 0.2 began, mean over the epoch's batches.
    #[serde(deserialize_with = "null_as_nan")]
    pub train_objective: f64,
    /// Running accuracy against the labels trained on, before any label regularizer, while training.
    #[serde(deserialize_with = "null_as_nan")]
    pub train_accuracy: f64,
    /// Mean cross-entropy in nats; `None` without a validation split.
    pub valid_loss: Option<f64>,
    /// Accuracy; `None` without a validation split.
    pub valid_accuracy: Option<f64>,
    /// Learning rate of the epoch's last step.
    #[serde(deserialize_with = "null_as_nan")]
    pub learning_rate: f64,
    /// Wall clock of the epoch with its validation, in seconds.
    #[serde(deserialize_with = "null_as_nan")]
    pub seconds: f64,
    /// Training images a second.
    #[serde(deserialize_with = "null_as_nan")]
    pub images_per_second: f64,
}

/// `summary.json`: the scores of a run, all with the selected weights. Losses are mean
/// cross-entropy in nats on clean labels and unaugmented images, of the mean over views for validation and test if
/// `tta` names some; accuracies and the gap are fractions in `[0, 1]`. With label noise, those on training images are by the labels trained on, wrong
/// ones among them; validation and test have none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Epoch whose weights were selected, counted from 1.
    pub best_epoch: usize,
    /// Last epoch trained, counted from 1.
    pub last_epoch: usize,
    /// Loss on training images.
    #[serde(deserialize_with = "null_as_nan")]
    pub train_loss: f64,
    /// Accuracy on training images.
    #[serde(deserialize_with = "null_as_nan")]
    pub train_accuracy: f64,
    /// Loss on the validation split; `None` without one.
    pub valid_loss: Option<f64>,
    /// Accuracy on the validation split; `None` without one.
    pub valid_accuracy: Option<f64>,
    /// Loss on the test split.
    #[serde(deserialize_with = "null_as_nan")]
    pub test_loss: f64,
    /// Accuracy on the test split.
    #[serde(deserialize_with = "null_as_nan")]
    pub test_accuracy: f64,
    /// `train_accuracy` minus `test_accuracy`.
    #[serde(deserialize_with = "null_as_nan")]
    pub generalization_gap: f64,
    /// Expected calibration error on the test split: top label, 15 equal-width bins, in `[0, 1]`.
    #[serde(deserialize_with = "null_as_nan")]
    pub test_ece: f64,
    /// Wall clock of the training loop with validation, in seconds.
    #[serde(deserialize_with = "null_as_nan")]
    pub train_seconds: f64,
    /// Training images a second, over the run.
    #[serde(deserialize_with = "null_as_nan")]
    pub images_per_second: f64,
    /// Trainable parameters of the model.
    pub parameters: u64,
    /// What has become of the wrong labels; `None` without label noise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memorized: Option<Memorized>,
    /// The views of each image that validation and test are scored by, as the recipe has them, such as `flip`; `None`
    /// for one look at each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tta: Option<String>,
}

/// How far wrong labels have been learnt by heart, over all training images, unaugmented.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Memorized {
    /// Training images with another label than the data have.
    pub wrong_labels: usize,
    /// Share of these that are answered with their wrong label, in `[0, 1]`; NaN if there is none. 0 for a network
    /// that knows the classes, about one in the number of classes for one that guesses.
    #[serde(deserialize_with = "null_as_nan")]
    pub learnt_by_heart: f64,
    /// Accuracy on the other training images, whose labels are right, in `[0, 1]`; NaN if there is none.
    #[serde(deserialize_with = "null_as_nan")]
    pub clean_accuracy: f64,
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

/// The longest file of JSON that is read. A million epochs; no record comes near this size.
pub const MOST_BYTES: u64 = 1 << 28;

/// What to do about a recipe that is no longer that of its run.
pub const CHANGED_RECIPE: &str = "restore it from a copy, or from the recipe that the run's \
    report.html shows; another recipe needs a run of its own, `cargo xtask train --config`";

const DAMAGED: &str =
    "restore the file, or repeat the run with `cargo xtask train --config` of its config.toml";

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::at_work::LOCK_FILE;
    use crate::sample;

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

    fn label_noise() -> LabelNoiseRecord {
        let sha256 = "5a".repeat(32);
        LabelNoiseRecord { setting: "20".into(), replaced: 1200, wrong: 1081, sha256 }
    }

    #[test]
    fn what_a_run_without_label_noise_says_is_what_it_said_before_there_was_any() {
        let run = sample::run();
        assert!(!keys(&run.manifest).iter().any(|key| key == "label_noise" || key == "replicate"));
        assert!(!keys(run.summary.as_ref().unwrap()).contains(&"memorized".to_owned()));
    }

    #[test]
    fn seeds_and_label_noise_are_told_in_a_line() {
        let mut manifest = sample::run().manifest;
        assert_eq!((&*manifest.seeds(), manifest.label_noise_in_words()), ("7", None));
        (manifest.data_seed, manifest.replicate) = (Some(3), 2);
        assert_eq!(manifest.seeds(), "7, data seed 3, replicate 2");
        (manifest.label_noise, manifest.train_images) = (Some(label_noise()), Some(6000));
        assert_eq!(
            manifest.label_noise_in_words().unwrap(),
            "20: 1,200 of 6,000 training labels replaced, 1,081 of them by a wrong one; validation \
             and test keep theirs"
        );
    }

    #[test]
    fn a_share_of_no_image_is_written_as_null_and_read_as_nan() {
        let memorized =
            Memorized { wrong_labels: 0, learnt_by_heart: f64::NAN, clean_accuracy: 1.0 };
        let text = serde_json::to_string(&memorized).unwrap();
        assert!(text.contains("\"learnt_by_heart\":null"), "{text}");
        let read: Memorized = serde_json::from_str(&text).unwrap();
        assert!(read.learnt_by_heart.is_nan() && read.clean_accuracy == 1.0);
    }

    #[test]
    fn a_run_folder_is_read_back_as_written() {
        let folder = tempfile::tempdir().unwrap();
        let run = sample::write(folder.path());
        assert_eq!(RunRecord::read(folder.path()).unwrap(), run);
    }

    #[test]
    fn a_loss_that_is_not_finite_is_written_as_null_and_read_as_nan() {
        let mut epoch = sample::run().epochs[0].clone();
        epoch.train_objective = f64::INFINITY;
        epoch.valid_loss = None;
        let json = serde_json::to_string(&epoch).unwrap();
        assert!(json.contains("\"train_objective\":null"), "{json}");
        let read: EpochRecord = serde_json::from_str(&json).unwrap();
        assert!(read.train_objective.is_nan());
        assert_eq!(read.valid_loss, None);
        assert_eq!(read.train_accuracy, epoch.train_accuracy);
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
    fn a_run_that_ends_while_it_is_asked_for_was_not_killed() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(LOCK_FILE), "").unwrap();
        let status_after = |statuses: [Status; 2]| {
            let mut statuses = statuses.into_iter();
            let read = || -> Result<Manifest, ()> {
                let status = statuses.next().ok_or(())?;
                Ok(Manifest { status, ..sample::run().manifest })
            };
            Manifest::with_status(folder.path(), read).unwrap().1
        };
        assert_eq!(status_after([Status::Running, Status::Finished]), Status::Finished);
        assert_eq!(status_after([Status::Running, Status::Running]), Status::Killed);
        assert_eq!(status_after([Status::Interrupted, Status::Finished]), Status::Interrupted);
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

    #[test]
    fn a_run_that_nobody_is_at_work_on_was_killed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let mut manifest = sample::run().manifest;
        manifest.status = Status::Running;
        assert_eq!(AtWork::on(path), AtWork::Unknown);
        assert_eq!(manifest.status_in(path), Status::Running);
        let lock = fs::File::create(path.join(LOCK_FILE)).unwrap();
        assert_eq!(AtWork::on(path), AtWork::No);
        assert_eq!(manifest.status_in(path), Status::Killed);
        lock.lock().unwrap();
        assert_eq!(AtWork::on(path), AtWork::Yes);
        assert_eq!(manifest.status_in(path), Status::Running);
        lock.unlock().unwrap();
        manifest.status = Status::Interrupted;
        assert_eq!(manifest.status_in(path), Status::Interrupted);
    }

    #[test]
    fn a_changed_file_is_told_with_both_checksums() {
        let mut manifest = sample::run().manifest;
        manifest.files = vec![FileRecord::of("config.toml", b"seed = 1\n")];
        assert_eq!(manifest.check("config.toml", b"seed = 1\n"), Ok(()));
        assert_eq!(manifest.check("metrics.jsonl", b"seed = 2\n"), Ok(()));
        let message = manifest.check("config.toml", b"seed = 2\n").unwrap_err().to_string();
        for part in ["expected 9 bytes with SHA-256 ", "manifest.json has it, found 9 with "] {
            assert!(message.contains(part), "{message}");
        }
    }
}
