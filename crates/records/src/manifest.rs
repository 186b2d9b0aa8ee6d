//! Where a run comes from, what has happened to it, and how it ended.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::at_work::AtWork;
use crate::checksum::{Changed, FileRecord};
use crate::epoch_record::EpochRecord;
use crate::nan::null_as_nan;
use crate::number::{count, counted};

/// File name of the [`Manifest`].
pub const MANIFEST_FILE: &str = "manifest.json";

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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::at_work::LOCK_FILE;
    use crate::sample::{self, label_noise};

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
