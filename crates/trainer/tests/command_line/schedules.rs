//! How the learning rate changes over a run, and what is said of settings that have no time to act.

use serde_json::Value;

use crate::place::*;

/// The learning rate of the last step of each epoch of a run.
fn rates(place: &Place, run: &str) -> Vec<f64> {
    let log = place.text(&format!("{run}/metrics.jsonl"));
    let rate =
        |line| serde_json::from_str::<Value>(line).unwrap()["learning_rate"].as_f64().unwrap();
    log.lines().map(rate).collect()
}

#[test]
fn a_schedule_takes_its_settings_from_the_command_line() {
    let place = Place::with_mnist();
    // Four steps an epoch, at 0.01.
    let train = |flags: &str, out: &str| {
        let run = place.run(&format!("train mnist --data-dir data {TINY} {flags} --out {out}"));
        run.expect(DONE, &[]);
        assert!(!run.stderr.contains("schedule"), "{}", run.stderr);
        rates(&place, out)
    };
    assert_eq!(train("--schedule step=1:0.5", "step"), [0.01, 0.005]);
    let lines = train("--schedule triangular=warmup:1,start:0.2,end:0.07", "lines");
    assert_eq!(lines[0], 0.01);
    assert!((lines[1] - 0.0007).abs() < 1e-12, "{lines:?}");
    let warm = train("--schedule cosine=warmup:1,floor:0.25", "warm");
    assert_eq!(warm, [0.01, 0.0025]);
    assert!(place.text("warm/config.toml").contains("warmup = \"1 epochs\""));
    place.run("train --config warm/config.toml --out again").expect(DONE, &[]);
    place.expect_same("warm", "again");
    // Epochs are a share of the steps, in another unit.
    train("--schedule cosine=warmup:50%,floor:0.25", "share");
    place.expect_same("warm", "share");
    assert!(place.text("share/config.toml").contains("warmup = 0.5"));
}

#[test]
fn a_schedule_that_cannot_be_is_refused_with_the_forms() {
    let place = Place::new();
    let cases: [(&str, &[&str]); 5] = [
        ("step=0", &["--schedule", "`epochs`: expected at least 1, found 0"]),
        ("cosine=warm:2", &["--schedule", "cosine=warmup:EPOCHS|SHARE", "`cosine=warm:2`"]),
        ("one-cycle=warmup:1.5", &["`warmup`", "epochs, such as 2", "`1.5`"]),
        ("cosine=warmup:2 --epochs 2", &["`warmup`", "fewer epochs than the 2", "found 2"]),
        ("plateau=patience:1 --valid-size 0", &["`plateau`", "--valid-size"]),
    ];
    for (schedule, parts) in cases {
        place.run(&format!("train digits --schedule {schedule}")).refuse(USAGE, parts);
    }
    place.expect_empty();
}

#[test]
fn settings_that_have_no_time_to_act_are_told_once() {
    let place = Place::with_mnist();
    let train_in = |flags: &str, batch_size: usize| {
        let tiny = TINY.replace("--batch-size 16", &format!("--batch-size {batch_size}"));
        let run = place.run(&format!("train mnist --data-dir data {tiny} {flags} --out run"));
        run.expect(DONE, &[]);
        std::fs::remove_dir_all(place.path("run")).unwrap();
        let notes = run.stderr.lines().filter(|line| line.starts_with("note: "));
        notes.filter(|note| !note.contains("published")).map(str::to_owned).collect::<Vec<_>>()
    };
    let train = |flags: &str| train_in(flags, 16);
    assert_eq!(train(""), [""; 0]);
    let notes = train("--schedule step");
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].contains("`step=30:0.1` does the same as `constant` in a run of 2 epochs"));
    let notes = train("--schedule plateau --early-stopping patience=2");
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(notes[0].contains("`plateau` does the same as `constant`"), "{notes:?}");
    assert!(notes[1].contains("early stopping by `patience=2` does nothing"), "{notes:?}");
    let notes = train_in("", 64);
    assert!(notes[0].contains("`one-cycle` trains the last of the 2 steps"), "{notes:?}");
}

#[test]
fn a_run_whose_schedule_trains_no_step_is_refused_before_its_folder_is_made() {
    let place = Place::with_mnist();
    // The recipe's one-cycle would train it at four millionths of the rate.
    let one_step =
        TINY.replace("--epochs 2", "--epochs 1").replace("--batch-size 16", "--batch-size 64");
    let run = place.run(&format!("train mnist --data-dir data {one_step} --out run"));
    run.refuse(
        USAGE,
        &[
            "`one-cycle` trains every step of this run, 1 in all, at less than 1 %",
            "--epochs",
            "--batch-size",
            "--schedule constant",
        ],
    );
    assert_eq!(place.names("."), ["data"]);
    let run = format!("train mnist --data-dir data {one_step} --schedule constant --out run");
    place.run(&run).expect(DONE, &[]);
    // The finder of rates has a schedule of its own.
    let find = format!("find-rate mnist --data-dir data {one_step} --steps 20 --out found");
    place.run(&find).expect(DONE, &[]);
}
