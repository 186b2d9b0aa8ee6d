//! When a training stops, which weights it ends with, and what `replay` says of both.

use std::fs;

use serde_json::Value;

use crate::place::*;

/// Overfits 64 images within a few epochs; a second for 30.
const OVERFIT: &str = "--train-size 64 --valid-size 64 --model mlp --hidden 32 --batch-size 16 \
    --learning-rate 0.01 --schedule constant --augment none --dropout 0 --threads 1";

/// Replaces the log of a run by one with these validation losses.
fn write_log(place: &Place, run: &str, valid: &[&str]) {
    let line = |(epoch, loss): (usize, &&str)| {
        format!(
            "{{\"epoch\":{epoch},\"train_objective\":1.0,\"train_accuracy\":0.5,\
             \"valid_loss\":{loss},\"valid_accuracy\":0.5,\"learning_rate\":0.1,\"seconds\":1.0,\
             \"images_per_second\":1.0}}\n"
        )
    };
    let log: String = (1..).zip(valid).map(line).collect();
    fs::write(place.path(&format!("{run}/metrics.jsonl")), log).unwrap();
    // The log is no longer what was written, and no checksum says otherwise.
    let mut manifest = place.json(&format!("{run}/manifest.json"));
    manifest.as_object_mut().unwrap().remove("files");
    fs::write(place.path(&format!("{run}/manifest.json")), manifest.to_string()).unwrap();
}

fn valid_losses(place: &Place, run: &str) -> Vec<f64> {
    let log = place.text(&format!("{run}/metrics.jsonl"));
    let loss = |line| serde_json::from_str::<Value>(line).unwrap()["valid_loss"].as_f64().unwrap();
    log.lines().map(loss).collect()
}

#[test]
fn rules_that_cannot_be_are_refused_with_those_that_can() {
    let place = Place::new();
    let cases: [(&str, &[&str]); 8] = [
        ("train digits --early-stopping soon", &["`--early-stopping`", "gl=PERCENT", "`soon`"]),
        ("train digits --early-stopping gl=-1", &["`--early-stopping`", "at least 0, found -1"]),
        ("train digits --early-stopping pq=1,strip=1", &["strip", "at least 2, found 1"]),
        ("train digits --early-stopping up=2 --valid-size 0", &["early stopping", "--valid-size"]),
        ("train digits --keep first", &["--keep", "last-under=LOSS", "`first`"]),
        ("train digits --keep last-under=1 --valid-size 0", &["last-under", "--valid-size"]),
        ("replay", &["<RUN>"]),
        ("replay run --criterion soon", &["--criterion", "patience=EPOCHS", "last-under=LOSS"]),
    ];
    for (arguments, parts) in cases {
        place.run(arguments).refuse(USAGE, parts);
    }
    place.run("replay nowhere").refuse(ERROR, &["nowhere/manifest.json", "run folder"]);
    place.expect_empty();
}

#[test]
fn a_run_ends_with_the_weights_that_it_was_told_to_keep() {
    let place = Place::new();
    let train = |flags: &str, out: &str| {
        let run = place.run(&format!("train digits {OVERFIT} --epochs 8 {flags} --out {out}"));
        run.expect(DONE, &[]);
        (place.json(&format!("{out}/summary.json")), run)
    };
    let (best, _) = train("", "best");
    let losses = valid_losses(&place, "best");
    let lowest = losses.iter().copied().fold(f64::NAN, f64::min);
    assert_eq!(best["valid_loss"].as_f64(), Some(lowest));
    assert!(place.text("best/config.toml").contains("keep = \"best\""));

    let (last, run) = train("--keep last --early-stopping patience=1", "last");
    assert_eq!(last["best_epoch"], last["last_epoch"]);
    assert!(!run.stderr.contains('*'), "{}", run.stderr);
    let stop = last["last_epoch"].as_u64().unwrap() as usize;
    assert_eq!(last["valid_loss"].as_f64(), Some(losses[stop - 1]));

    // The last epoch under a threshold between the losses that were seen.
    let middle = f64::midpoint(lowest, losses[0]);
    let expected = losses.iter().rposition(|&loss| loss < middle).unwrap();
    let (under, run) = train(&format!("--keep last-under={middle:?}"), "under");
    assert_eq!(under["best_epoch"], expected + 1);
    assert_eq!(under["valid_loss"].as_f64(), Some(losses[expected]));
    let marks = run.stderr.lines().filter(|line| line.contains('*')).count();
    assert_eq!(marks, losses.iter().filter(|&&loss| loss < middle).count(), "{}", run.stderr);

    let (most, _) =
        train("--keep best-accuracy --early-stopping patience=3,monitor=accuracy", "most");
    let rows = place.rows("most");
    let accuracy = |row: &Value| row["valid_accuracy"].as_f64().unwrap();
    let highest = rows.iter().map(accuracy).fold(0.0, f64::max);
    let of_them = rows.iter().filter(|row| accuracy(row) == highest);
    let expected = of_them
        .min_by(|a, b| a["valid_loss"].as_f64().partial_cmp(&b["valid_loss"].as_f64()).unwrap());
    assert_eq!(most["best_epoch"], expected.unwrap()["epoch"]);
    assert_eq!(most["valid_accuracy"].as_f64(), Some(highest));
    let replayed = place.run("replay best --criterion patience=3,monitor=accuracy --json");
    let replayed: Value = serde_json::from_str(&replayed.stdout).unwrap();
    assert_eq!(replayed["choices"][0]["keeps"], most["best_epoch"]);

    let (none, run) = train("--keep last-under=1e-9", "none");
    run.mention(&["note: no epoch's validation loss was under", "the last weights are kept"]);
    assert_eq!(none["best_epoch"], 8);
}

#[test]
fn replay_stops_where_the_run_itself_was_stopped() {
    let place = Place::new();
    place.run(&format!("train digits {OVERFIT} --epochs 30 --out whole")).expect(DONE, &[]);
    let whole = place.text("whole/metrics.jsonl");
    for rule in ["patience=2,warmup=1", "gl=5", "pq=0.05,strip=2", "up=1,strip=2"] {
        let out = rule.replace([',', '='], "-");
        let run = format!("train digits {OVERFIT} --epochs 30 --early-stopping {rule} --out {out}");
        place.run(&run).expect(DONE, &[]);
        assert_eq!(
            place.json(&format!("{out}/manifest.json"))["status"],
            "stopped-early",
            "{rule}"
        );
        let summary = place.json(&format!("{out}/summary.json"));
        assert_eq!(place.objectives(&out).len() as u64, summary["last_epoch"].as_u64().unwrap());
        // Its own log, and that of the run that went on, tell the same.
        for (log, epochs) in [(out.as_str(), &summary["last_epoch"]), ("whole", &30.into())] {
            let replay = place.run(&format!("replay {log} --criterion {rule} --json"));
            replay.expect(DONE, &[]);
            let replay: Value = serde_json::from_str(&replay.stdout).unwrap();
            let choice = &replay["choices"][0];
            assert_eq!(&replay["epochs"], epochs);
            assert_eq!(choice["criterion"], rule);
            assert_eq!(choice["stops_after"], summary["last_epoch"], "{rule} in {log}");
            assert_eq!(choice["keeps"], summary["best_epoch"], "{rule} in {log}");
            assert_eq!(choice["valid_loss"], summary["valid_loss"], "{rule} in {log}");
        }
    }
    assert_eq!(place.text("whole/metrics.jsonl"), whole);
}

#[test]
fn replay_prints_a_table_of_every_run_and_looks_at_no_test_image() {
    let place = Place::with_mnist();
    place.run(&format!("train mnist --data-dir data {TINY} --out one")).expect(DONE, &[]);
    fs::create_dir(place.path("two")).unwrap();
    fs::copy(place.path("one/manifest.json"), place.path("two/manifest.json")).unwrap();
    fs::remove_dir_all(place.path("data")).unwrap();
    write_log(&place, "one", &["2.0", "0.5", "0.625", "0.25", "0.75", "1.5"]);
    write_log(&place, "two", &["2.0", "null", "1.0"]);
    let manifest = place.bytes("one/manifest.json");

    let run = place.run("replay one two");
    run.expect(DONE, &["one: 6 epochs, finished", "two: 3 epochs", "last epoch", "best epoch"]);
    run.mention(&["not within the 6 epochs", "under it in none of the 3 epochs"]);
    run.mention(&["may itself have been stopped early"]);
    assert!(run.stdout.lines().all(|line| line.chars().count() <= 80), "{}", run.stdout);
    let row = |name: &str| -> Vec<&str> {
        let line = run.stdout.lines().find(|line| line.starts_with(name)).unwrap();
        line[name.len()..].split_whitespace().collect()
    };
    // Stops, keeps, loss, accuracy, epochs saved and their share, loss above the best.
    assert_eq!(row("patience=1 "), ["3", "2", "0.5000", "50.00", "3", "(50", "%)", "0.2500"]);
    assert_eq!(row("gl=5 "), ["3", "2", "0.5000", "50.00", "3", "(50", "%)", "0.2500"]);
    assert_eq!(row("best epoch "), ["—", "4", "0.2500", "50.00", "0", "(0", "%)", "0.0000"]);
    assert_eq!(row("last-under=1.0 "), ["—", "5", "0.7500", "50.00", "0", "(0", "%)", "0.5000"]);
    assert_eq!(place.bytes("one/manifest.json"), manifest);
}

#[test]
fn a_run_without_validation_losses_cannot_be_replayed() {
    let place = Place::with_mnist();
    let tiny = TINY.replace("--valid-size 32", "--valid-size 0");
    let run = format!("train mnist --data-dir data {tiny} --out run");
    place.run(&run).expect(DONE, &[]);
    place.run("replay run").refuse(ERROR, &["run: ", "found none", "--valid-size"]);
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_stops_and_keeps_as_one_that_was_not() {
    let place = Place::with_mnist();
    let rules = "--early-stopping gl=0,warmup=20 --keep last-under=1.0";
    place.run(&format!("train {LONG} {rules} --out whole")).expect(DONE, &[]);
    assert_eq!(place.json("whole/manifest.json")["status"], "stopped-early");
    place.interrupt("INT", &format!("run {rules}")).expect(INTERRUPTED, &[]);
    place.run("train --resume run").expect(DONE, &["resuming at epoch"]);
    for file in ["model.safetensors", "losses.csv"] {
        let (run, whole) =
            (place.bytes(&format!("run/{file}")), place.bytes(&format!("whole/{file}")));
        assert!(run == whole, "{file} differs");
    }
    let best = |run: &str| place.json(&format!("{run}/summary.json"))["best_epoch"].clone();
    assert_eq!(best("run"), best("whole"));
}
