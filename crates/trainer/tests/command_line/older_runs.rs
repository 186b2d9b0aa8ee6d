//! Runs that version 0.2.0 left behind: they can be resumed, checked, scored, drawn and extended.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::place::*;

/// How far losses may be from those of the machine that made the runs, as a share of them. Between
/// AVX-512 and AVX2 it was 2e-8.
const TOLERANCE: f64 = 1e-4;

/// An empty folder with the two runs.
fn with_older_runs() -> Place {
    let place = Place::new();
    let runs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/run-0.2");
    for run in ["finished", "unfinished"] {
        copy(&Path::new(runs).join(run), &place.path(run));
    }
    place
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::write(&to, fs::read(entry.path()).unwrap()).unwrap();
        }
    }
}

fn number(record: &Value, name: &str) -> f64 {
    record[name].as_f64().unwrap_or_else(|| panic!("no number `{name}` in {record}"))
}

fn expect_near(found: &Value, expected: &Value, name: &str) {
    let [found, expected] = [found, expected].map(|record| number(record, name));
    assert!((found / expected - 1.0).abs() < TOLERANCE, "{name}: {found}, expected {expected}");
}

/// The same epochs, with losses that are near.
fn expect_near_rows(found: &[Value], expected: &[Value]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        for name in ["epoch", "train_objective", "valid_loss", "learning_rate"] {
            expect_near(found, expected, name);
        }
    }
}

fn scores(place: &Place, arguments: &str) -> Value {
    let run = place.run(&format!("evaluate {arguments} --json"));
    run.expect(DONE, &[]);
    serde_json::from_str(&run.stdout).unwrap()
}

#[test]
fn an_unfinished_run_of_version_0_2_ends_like_the_one_that_was_not_stopped() {
    let place = with_older_runs();
    let verified = place.run("verify unfinished");
    verified.expect(DONE, &["unfinished: interrupted, 3 epochs", "epoch 4, batch 12, step 63"]);
    verified.mention(&["checkpoints/epoch-end.safetensors ok", "126 batches"]);
    let found = scores(&place, "unfinished");
    assert_eq!(found["status"], "interrupted");
    assert_eq!(found["weights"], "epoch 3, so far");
    let third = &place.rows("finished")[2];
    let loss = number(&found, "loss") / number(third, "valid_loss") - 1.0;
    assert!(loss.abs() < TOLERANCE, "{found}");

    let resumed = place.run("train --resume unfinished --threads 1");
    resumed.expect(DONE, &["resuming at epoch 4", "test accuracy"]);
    assert!(!resumed.stderr.contains("warning"), "{}", resumed.stderr);
    expect_near_rows(&place.rows("unfinished"), &place.rows("finished"));
    let [found, expected] =
        ["unfinished", "finished"].map(|run| place.json(&format!("{run}/summary.json")));
    for name in ["best_epoch", "last_epoch", "train_loss", "valid_loss", "test_loss"] {
        expect_near(&found, &expected, name);
    }
    let whole = place.run("verify unfinished");
    whole.expect(DONE, &["unfinished: finished, 6 epochs", "1815 parameters"]);

    // Where this machine computes the bits of the one that made the runs, the resumed run has them too.
    place.run("train --config finished/config.toml --threads 1 --out again").expect(DONE, &[]);
    expect_near_rows(&place.rows("again"), &place.rows("finished"));
    if place.bytes("again/model.safetensors") == place.bytes("finished/model.safetensors") {
        // The scores of epochs that the older version trained are its own: evaluations round otherwise since.
        for file in ["model.safetensors", "losses.csv"] {
            let [resumed, again] =
                ["unfinished", "again"].map(|run| place.bytes(&format!("{run}/{file}")));
            assert!(resumed == again, "{file} differs");
        }
    }
}

#[test]
fn a_finished_run_of_version_0_2_is_verified_scored_drawn_replayed_and_extended() {
    let place = with_older_runs();
    place.run("report finished").expect(DONE, &["cnn reached 29.35 % test accuracy"]);
    for file in RUN_FILES {
        assert!(place.path("finished").join(file).exists(), "{file}");
    }
    let verified = place.run("verify finished");
    verified.expect(DONE, &["finished: finished, 6 epochs", "228 batches", "2,000 images"]);
    assert!(verified.stderr.is_empty(), "{}", verified.stderr);

    let summary = place.json("finished/summary.json");
    for (split, name) in [("valid", "valid_loss"), ("test", "test_loss")] {
        let found = scores(&place, &format!("finished --split {split}"));
        let loss = number(&found, "loss") / number(&summary, name) - 1.0;
        assert!(loss.abs() < TOLERANCE, "{split}: {found}");
    }
    let manifest = place.json("finished/manifest.json");
    assert_eq!(manifest["test_reads"].as_array().unwrap().len(), 2);
    place.run("verify finished").expect(DONE, &[]);
    place.run("replay finished").expect(DONE, &["finished: 6 epochs, finished", "patience=5"]);
    place.run("train --resume finished").refuse(ERROR, &["is finished"]);

    let extended = place.run("train --extend finished --epochs 7 --threads 1 --out longer");
    extended.expect(DONE, &["finished is trained on from epoch 7", "7/7"]);
    assert_eq!(place.rows("longer")[..6], place.rows("finished")[..]);
    place.run("verify longer").expect(DONE, &["longer: finished, 7 epochs"]);
}
