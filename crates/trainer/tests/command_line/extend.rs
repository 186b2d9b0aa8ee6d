//! More epochs for a run that has ended.

use std::fs;

use crate::divergence::LINEAR;
use crate::place::*;

/// A training of less than a second, whose rate does not depend on the number of epochs.
const STEADY: &str = "--train-size 70 --valid-size 32 --model mlp --hidden 8 --batch-size 16 \
    --learning-rate 0.01 --schedule step --augment crop=2 --dropout 0.2 --ema 0.9 --threads 1";

#[test]
fn an_extended_run_is_one_that_had_all_epochs_from_its_beginning() {
    let place = Place::new();
    let train = |epochs: usize, out: &str| {
        place
            .run(&format!("train digits {STEADY} --epochs {epochs} --out {out}"))
            .expect(DONE, &[]);
    };
    train(5, "whole");
    train(2, "short");
    let before = place.bytes("short/manifest.json");
    let run = place.run("train digits --extend short --epochs 5 --out longer");
    run.expect(
        DONE,
        &["short is trained on from epoch 3: the schedule is step", "note: this is access 2"],
    );
    place.expect_same("longer", "whole");
    assert!(place.bytes("short/manifest.json") == before, "the run itself has changed");
    let manifest = place.json("longer/manifest.json");
    let from = manifest["extends"]["run"].as_str().unwrap();
    assert_eq!(fs::canonicalize(from).unwrap(), fs::canonicalize(place.path("short")).unwrap());
    assert_eq!(manifest["extends"]["epochs"], 2);
    assert_eq!(manifest["test_reads"].as_array().unwrap().len(), 2);
    place.run("verify longer").expect(DONE, &["5 epochs"]);
    // Its own access to the test split, not that of the run before.
    let mut without = manifest.clone();
    without["test_reads"].as_array_mut().unwrap().pop();
    without["started"] = "9999-01-01T00:00:00Z".into();
    let written = place.bytes("longer/manifest.json");
    fs::write(place.path("longer/manifest.json"), without.to_string()).unwrap();
    place
        .run("verify longer")
        .expect(ERROR, &["final score's access to the test split is not recorded"]);
    fs::write(place.path("longer/manifest.json"), written).unwrap();
    assert!(place.text("longer/report.html").contains("without the run that this one extends"));
    // And once more.
    place.run("train --extend longer --epochs 6 --out longest").expect(DONE, &["6/6"]);
    place.run("verify longest").expect(DONE, &["6 epochs", "3 accesses"]);
}

#[test]
fn an_extended_run_takes_its_epochs_into_the_average_of_those_before() {
    let place = Place::new();
    let swa = STEADY.replace("--ema 0.9", "--swa 2 --accumulate 2");
    for (epochs, out) in [(5, "whole"), (3, "short")] {
        let run = place.run(&format!("train digits {swa} --epochs {epochs} --out {out}"));
        run.expect(DONE, &[]);
    }
    place.run("train --extend short --epochs 5 --out longer").expect(DONE, &[]);
    place.expect_same("longer", "whole");
    let other = place.run("train --extend short --epochs 5 --swa 3");
    other.refuse(USAGE, &["`swa` was 2, is 3"]);
}

#[test]
fn an_extended_run_rolls_back_to_the_end_that_it_began_with() {
    let place = Place::with_mnist();
    let sound = LINEAR.replace("--epochs 8", "--epochs 2");
    let roll = "--learning-rate 0.02 --on-divergence rollback=9 --initialization constant=0";
    place.run(&format!("{sound} {roll} --out run")).expect(DONE, &[]);
    let run = place.run("train --extend run --epochs 8 --learning-rate 2 --out more");
    run.expect(DONE, &["going back to the end of epoch 2", "test accuracy"]);
    place.run("verify more").expect(DONE, &["diverged.csv"]);
}

#[test]
fn a_schedule_over_all_epochs_goes_on_at_its_place_and_says_so() {
    let place = Place::new();
    let cosine = TINY.replace("--learning-rate 0.01", "--learning-rate 0.01 --schedule cosine");
    place.run(&format!("train digits {cosine} --out run")).expect(DONE, &[]);
    let run = place.run("train --extend run --epochs 4 --out more");
    // Half of the cosine is behind it: step 8 of 16, (1 + cos(π 8/15)) / 2 of the peak.
    run.expect(
        DONE,
        &["the schedule is cosine over 4 epochs in all, at its place; the learning \
        rate was 0.000e0 and is 4.477e-3 now"],
    );
    let run = place
        .run("train --extend run --epochs 4 --schedule constant --learning-rate 0.002 --out flat");
    run.expect(
        DONE,
        &["the schedule is constant; the learning rate was 0.000e0 and is 2.000e-3 now"],
    );
    assert_eq!(place.rows("flat")[..2], place.rows("run")[..]);
}

#[test]
fn an_extended_run_may_keep_other_weights_of_those_that_are_there() {
    let place = Place::new();
    let train = |epochs: usize, keep: &str, out: &str| {
        let run = format!("train digits {STEADY} --epochs {epochs} --keep {keep} --out {out}");
        place.run(&run).expect(DONE, &[]);
    };
    train(5, "last-under=9", "whole");
    train(2, "best", "short");
    let run = place.run("train --extend short --epochs 5 --keep last-under=9 --out longer");
    run.expect(DONE, &[]);
    place.expect_same("longer", "whole");

    // Epochs behind the second are worse, so that it is the last below a threshold: one whose weights nothing had kept,
    // and which was the last of all.
    train(2, "last", "last");
    let worse = "--epochs 4 --learning-rate 100";
    let run = place.run(&format!("train --extend last {worse} --keep last-under=9 --out under"));
    run.expect(DONE, &[]);
    assert_eq!(place.json("under/summary.json")["best_epoch"], 2);
    assert!(place.bytes("under/model.safetensors") == place.bytes("last/model.safetensors"));
    // And from there on it is one that was kept.
    let run = place.run("train --extend under --epochs 5 --keep last-under=8 --out further");
    run.expect(DONE, &[]);
    assert!(place.bytes("further/model.safetensors") == place.bytes("last/model.safetensors"));
    // Without its weights it cannot be kept.
    place.run(&format!("train --extend last {worse} --out worse")).expect(DONE, &[]);
    place.run("train --extend worse --epochs 5 --keep last-under=9").refuse(
        USAGE,
        &["keeps the weights of epoch 2", "has those of epoch 4 only", "toml --keep last-under=9"],
    );
}

#[test]
fn what_cannot_be_extended_is_refused_with_the_cure() {
    let place = Place::new();
    place.run(&format!("train digits {TINY} --out run")).expect(DONE, &[]);
    let stopped = format!("train digits {STEADY} --epochs 40 --early-stopping gl=0 --out stopped");
    place.run(&stopped).expect(DONE, &[]);
    assert_eq!(place.json("stopped/manifest.json")["status"], "stopped-early");
    for (arguments, parts) in [
        ("--extend run", &["--epochs", "more than the 2 of run"][..]),
        ("--extend run --epochs 2", &["more than the 2 epochs that run has, found 2"]),
        (
            "--extend run --epochs 3 --hidden 9",
            &["`model.hidden` was [8], is [9]", "--config run/config.toml"],
        ),
        ("mnist --extend run --epochs 3", &["trained on digits, not on mnist"]),
        ("--extend run --epochs 3 --recipe mnist", &["takes the recipe of run"]),
        ("--extend stopped --epochs 50", &["early stopping, gl=0", "--early-stopping none"]),
        ("--extend run --resume run", &["cannot be used with"]),
    ] {
        place.run(&format!("train {arguments}")).refuse(USAGE, parts);
    }
    place.run("train --extend nowhere --epochs 3").refuse(ERROR, &["nowhere/config.toml"]);
    place.run("find-rate --extend run").refuse(USAGE, &["find-rate"]);
    let run = place.run("train --extend stopped --early-stopping none --epochs 41 --out on");
    run.expect(DONE, &["41/41"]);
    fs::remove_dir_all(place.path("run/checkpoints")).unwrap();
    place.run("train --extend run --epochs 3").refuse(ERROR, &["no checkpoint any more"]);
    assert!(!place.path("runs").exists());
}

#[cfg(unix)]
#[test]
fn an_extended_run_is_interrupted_and_resumed_like_any_other() {
    let place = Place::with_mnist();
    for (epochs, out) in [(5, "short"), (45, "whole")] {
        let train = format!("train {} --schedule constant --out {out}", long(epochs));
        place.run(&train).expect(DONE, &[]);
    }
    let extend = "train --extend short --epochs 45 --threads 1 --out";
    let epochs =
        || fs::read_to_string(place.path("long/metrics.jsonl")).unwrap_or_default().lines().count();
    let run = place.stop("INT", &format!("{extend} long"), "long", || epochs() > 5);
    run.expect(INTERRUPTED, &["--resume long"]);
    place.run("train --resume long").expect(DONE, &["resuming at epoch"]);
    place.expect_same("long", "whole");

    let has_begun = || place.path("lost/metrics.jsonl").exists();
    let run = place.stop("KILL", &format!("{extend} lost"), "lost", has_begun);
    assert_eq!(run.code, None, "{run:?}");
    fs::remove_dir_all(place.path("lost/checkpoints")).unwrap();
    place.run("train --resume lost").refuse(ERROR, &["short further", "into another folder"]);
}
