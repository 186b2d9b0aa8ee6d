//! Logs that `--resume` takes up again.

use std::fs;
use std::path::Path;

use backburn_logs::item::{Item, Place};
use backburn_logs::logger::{Logger, Start};
use backburn_logs::{EVENTS_FOLDER, SCALARS_FILE, chosen};

use crate::Seed;

/// Where the older log of a run lies.
const EVENTS: &str = "events.out.tfevents.0000000001.older";

fn logger(name: &str) -> Box<dyn Logger> {
    let rows = chosen(&[name.to_owned()]).expect("a logger of the catalog");
    rows[0].logger()
}

/// Resumes a log of two epochs of three batches, and a batch of the third; whether both epochs are in it.
fn goes_on(name: &str, folder: &Path) -> bool {
    let start = Start { folder, batches_per_epoch: 3, epochs: 2, batches: 1 };
    let first_new = logger(name).begin(&start).expect("files that can be read and written");
    assert!([1, 4, 8].contains(&first_new), "goes on at step {first_new}");
    first_new == 8
}

/// A file that an earlier process, or another program, has left among TensorBoard's.
pub(crate) fn event_file(input: &[u8]) -> bool {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let events = folder.path().join(EVENTS_FOLDER);
    fs::create_dir(&events).expect("a new folder");
    fs::write(events.join(EVENTS), input).expect("disk space for a small file");
    let has_both = goes_on("tensorboard", folder.path());
    let names = fs::read_dir(&events).expect("it was just made").count();
    assert_eq!(
        (names, fs::read(events.join(EVENTS)).expect("it is left alone")),
        (2, input.to_vec())
    );
    has_both
}

/// The table of scalars is cut back to seven steps.
pub(crate) fn scalars(input: &[u8]) -> bool {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join(SCALARS_FILE);
    fs::create_dir(folder.path().join("logs")).expect("a new folder");
    fs::write(&path, input).expect("disk space for a small file");
    let has_both = goes_on("csv", folder.path());
    let kept = fs::read_to_string(&path).expect("it was just written");
    let mut lines = kept.lines();
    assert_eq!(lines.next(), Some("step,epoch,tag,value"));
    for line in lines {
        let fields: Vec<&str> = line.split(',').collect();
        assert!(fields.len() == 4 && fields[0].parse::<u64>().is_ok_and(|step| step < 8), "{line}");
    }
    has_both
}

/// A log of these steps' epochs.
fn log_of(name: &str, file: impl Fn(&Path) -> Vec<u8>, steps: &[u64]) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut log = logger(name);
    let start = Start { folder: folder.path(), batches_per_epoch: 3, epochs: 0, batches: 0 };
    log.begin(&start).expect("a new log");
    for &step in steps {
        let place = Place { step, epoch: step.div_ceil(3) as usize };
        for tag in ["epoch/train_objective", "epoch/valid_loss"] {
            log.add(place, tag, &Item::Scalar(0.5 / step as f64));
        }
    }
    log.write().expect("disk space for a small file");
    file(folder.path())
}

fn events_in(folder: &Path) -> Vec<u8> {
    let mut entries = fs::read_dir(folder.join(EVENTS_FOLDER)).expect("a new log");
    let entry = entries.next().expect("a file").expect("its name");
    fs::read(entry.path()).expect("a small file")
}

pub(crate) fn event_file_seeds() -> Vec<Seed> {
    let whole = log_of("tensorboard", events_in, &[3, 6, 9]);
    let first = log_of("tensorboard", events_in, &[3]);
    vec![
        Seed::refused("cut", &whole[..first.len() + 7]),
        Seed::valid("three-epochs", whole),
        Seed::refused("one-epoch", first),
        Seed::refused("empty", ""),
    ]
}

pub(crate) fn scalars_seeds() -> Vec<Seed> {
    let read = |folder: &Path| fs::read(folder.join(SCALARS_FILE)).expect("a small file");
    let whole = log_of("csv", read, &[3, 6, 9]);
    vec![
        Seed::refused("cut", &whole[..60]),
        Seed::valid("three-epochs", whole),
        Seed::refused("one-epoch", log_of("csv", read, &[3])),
        Seed::refused("not-text", vec![0xff, 0xfe, 0]),
    ]
}
