//! `tensorboard/`: event files, which TensorBoard shows while a run trains (`tensorboard --logdir runs`).
//!
//! Each process that trains writes a file of its own, named for its second, behind those of the processes before it. Its
//! first record is the version; its second, a session's start, says from which step on readers forget what the earlier
//! files have: those steps are trained again. Nothing is appended to an earlier file, whose last record may be cut.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use backburn_records::whole_file::sync_folder;

use crate::error::LogError;
use crate::histogram::Histogram;
use crate::item::{Costly, Item, Place};
use crate::logger::{EPOCH_MARK, Logger, Start};
use crate::tensorboard::event::Read;
use crate::tensorboard::record_file::{push_record, records};

mod event;
mod record_file;

/// The folder of the event files inside a run folder.
pub const EVENTS_FOLDER: &str = "tensorboard";

/// What the name of an event file begins with, before the second of its beginning in ten digits.
const PREFIX: &str = "events.out.tfevents.";

/// What the name of ours ends with.
const SUFFIX: &str = ".backburn";

/// Whether distributions are logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Histograms {
    /// They are not.
    #[default]
    Off,
    /// Of weights and gradients, once an epoch.
    On,
}

/// Writes event files.
#[derive(Debug, Default)]
pub(crate) struct TensorBoard {
    histograms: Histograms,
    path: PathBuf,
    file: Option<File>,
    /// Records that have not been handed to the system.
    records: Vec<u8>,
}

impl TensorBoard {
    pub(crate) fn new(histograms: Histograms) -> Self {
        Self { histograms, ..Self::default() }
    }
}

impl Logger for TensorBoard {
    fn begin(&mut self, start: &Start<'_>) -> Result<u64, LogError> {
        let folder = start.folder.join(EVENTS_FOLDER);
        fs::create_dir_all(&folder).map_err(LogError::make(&folder))?;
        let before = event_files(&folder).map_err(LogError::read(&folder))?;
        let first_new = match &before[..] {
            [] => 1,
            files => start.first_new(marks(files)?),
        };
        let second = before.iter().filter_map(|path| second_of(path)).max();
        let second = second.map_or(0, |last| last + 1).max(now() as u64);
        let path = folder.join(format!("{PREFIX}{second:010}{SUFFIX}"));
        let file = OpenOptions::new().create_new(true).append(true).open(&path);
        let file = file.map_err(LogError::write(&path))?;
        let records = Vec::new();
        *self = Self { histograms: self.histograms, path, file: Some(file), records };
        push_record(&mut self.records, &event::version(now()));
        push_record(&mut self.records, &event::session_start(now(), first_new));
        self.write()?;
        sync_folder(&folder).map_err(LogError::write(&folder))?;
        Ok(first_new)
    }

    fn wants(&self, kind: Costly) -> bool {
        match kind {
            Costly::Histograms => self.histograms == Histograms::On,
            Costly::Pictures => true,
        }
    }

    fn add(&mut self, place: Place, tag: &str, item: &Item<'_>) {
        let (time, step) = (now(), place.step);
        let event = match item {
            Item::Scalar(value) => Some(event::scalar(time, step, tag, *value)),
            Item::Histogram(values) => {
                Histogram::of(values).map(|histogram| event::histogram(time, step, tag, &histogram))
            }
            Item::Picture(picture) => {
                picture.png().map(|png| event::picture(time, step, tag, picture, &png))
            }
            Item::Text(text) => Some(event::text(time, step, tag, text)),
            Item::Settings(settings) => Some(event::settings(time, step, settings)),
            Item::Ended => Some(event::ended(time, step)),
        };
        if let Some(event) = event {
            push_record(&mut self.records, &event);
        }
    }

    fn write(&mut self) -> Result<(), LogError> {
        let records = std::mem::take(&mut self.records);
        match &mut self.file {
            Some(file) => file.write_all(&records).map_err(LogError::write(&self.path)),
            None => Ok(()),
        }
    }

    fn sync(&mut self) -> Result<(), LogError> {
        let sync = |file: &File| file.sync_data().map_err(LogError::write(&self.path));
        self.file.as_ref().map_or(Ok(()), sync)
    }
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

/// The event files of a folder, in the order in which they are read: that of their names.
fn event_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

/// The second in a file's name.
fn second_of(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?.strip_prefix(PREFIX)?;
    name.split('.').next()?.parse().ok()
}

/// The steps of the epochs that a reader would show from these files.
fn marks(files: &[PathBuf]) -> Result<Vec<u64>, LogError> {
    let mut marks = Vec::new();
    for path in files {
        let bytes = fs::read(path).map_err(LogError::read(path))?;
        for record in records(&bytes) {
            match event::read(record) {
                Read::Start { step: start } => marks.retain(|step| *step < start),
                Read::Scalar { step, tag, .. } if tag == EPOCH_MARK => marks.push(step),
                _ => {}
            }
        }
    }
    Ok(marks)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(folder: &Path, epochs: u64, batches: u64) -> Start<'_> {
        Start { folder, batches_per_epoch: 2, epochs, batches }
    }

    fn scalar(log: &mut TensorBoard, step: u64, tag: &str, value: f64) {
        log.add(Place { step, epoch: 1 }, tag, &Item::Scalar(value));
    }

    fn files(folder: &Path) -> Vec<PathBuf> {
        event_files(&folder.join(EVENTS_FOLDER)).unwrap()
    }

    fn events(path: &Path) -> Vec<Read> {
        records(&fs::read(path).unwrap()).map(event::read).collect()
    }

    #[test]
    fn each_process_has_a_file_of_its_own_that_sorts_behind_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        // Within one second, and one more after a clock that was an hour fast.
        for _ in 0..3 {
            TensorBoard::default().begin(&start(folder, 0, 0)).unwrap();
        }
        let ahead = format!("{PREFIX}{:010}.elsewhere", now() as u64 + 3600);
        fs::write(folder.join(EVENTS_FOLDER).join(&ahead), b"").unwrap();
        TensorBoard::default().begin(&start(folder, 0, 0)).unwrap();
        let seconds: Vec<u64> = files(folder).iter().map(|path| second_of(path).unwrap()).collect();
        assert_eq!(seconds.len(), 5);
        assert!(seconds.is_sorted_by(|a, b| a < b), "{seconds:?}");
        let newest = files(folder).pop().unwrap();
        assert!(newest.to_string_lossy().ends_with(SUFFIX));
        let name = newest.file_name().unwrap().to_string_lossy().into_owned();
        assert_eq!(name.len(), PREFIX.len() + 10 + SUFFIX.len());
    }

    #[test]
    fn a_resumed_log_says_what_is_trained_again() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let mut log = TensorBoard::default();
        assert_eq!(log.begin(&start(folder, 0, 0)).unwrap(), 1);
        for step in [2, 4] {
            scalar(&mut log, step, EPOCH_MARK, step as f64);
        }
        log.write().unwrap();
        // Its checkpoint is of the first epoch's end.
        assert_eq!(log.begin(&start(folder, 1, 0)).unwrap(), 3);
        scalar(&mut log, 4, EPOCH_MARK, 0.5);
        log.write().unwrap();
        let [first, second] = &files(folder)[..] else { panic!("two files") };
        assert_eq!(events(first).len(), 4);
        let expected = [
            Read::Other,
            Read::Start { step: 3 },
            Read::Scalar { step: 4, tag: EPOCH_MARK.into(), value: 0.5 },
        ];
        assert_eq!(events(second), expected);
        assert_eq!(marks(&files(folder)).unwrap(), [2, 4]);
        // Cut records, and those behind them, are not there for a reader: the second epoch is missing.
        let bytes = fs::read(second).unwrap();
        fs::write(second, &bytes[..bytes.len() - 1]).unwrap();
        assert_eq!(log.begin(&start(folder, 2, 1)).unwrap(), 3);
    }

    #[test]
    fn distributions_are_logged_for_those_who_ask() {
        assert!(!TensorBoard::default().wants(Costly::Histograms));
        assert!(TensorBoard::new(Histograms::On).wants(Costly::Histograms));
    }
}
