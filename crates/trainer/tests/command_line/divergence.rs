//! A loss that is no longer a number: where training stops, what stays, and how it goes back.

use std::fs;

use crate::place::*;

/// A linear regression by gradient descent, whose weights grow by a factor in every step if the learning
/// rate is too large for it: with 0.3 the loss is infinite in the fourth epoch, with 1 in the second.
pub(crate) const LINEAR: &str = "train mnist --data-dir data --train-size 96 --valid-size 20 --epochs 8 --model mlp --hidden none --loss squared-error --keep last --batch-size 8 --optimizer sgd --schedule constant --weight-decay 0 --dropout 0 --augment crop=2 --threads 1";

/// The same from weights of zero, with a learning rate that rises from almost nothing to what is too large: the
/// first epoch learns, a later one is worse than guessing, and one after that diverges.
fn rising() -> String {
    LINEAR.replace(
        "--schedule constant",
        "--schedule one-cycle=warmup:0.9,start:0.0001 --initialization constant=0",
    )
}

/// The rows of a file of losses, without its head.
fn losses(place: &Place, file: &str) -> Vec<Vec<f64>> {
    let text = place.text(file);
    let row = |line: &str| line.split(',').map(|value| value.parse().unwrap()).collect();
    text.lines().skip(1).map(row).collect()
}

const LATEST: &str = "run/checkpoints/latest.safetensors";

fn rates(place: &Place, run: &str) -> Vec<f64> {
    place.rows(run).iter().map(|row| row["learning_rate"].as_f64().unwrap()).collect()
}

#[test]
fn a_divergence_is_named_with_its_place_and_does_not_replace_what_was_good() {
    let place = Place::with_mnist();
    // The epochs before, as a run that ends there has them.
    let shorter = LINEAR.replace("--epochs 8", "--epochs 3");
    place.run(&format!("{shorter} --learning-rate 0.3 --out shorter")).expect(DONE, &[]);
    let run = place.run(&format!("{LINEAR} --learning-rate 0.3 --out run"));
    assert_eq!(run.code, Some(ERROR), "{run:?}");
    run.mention(&["training diverged", "epoch 4, batch ", "(step ", "learning rate 3e-1"]);
    run.mention(&[&format!("the last good checkpoint is {LATEST} (end of epoch 3, step 36)")]);
    run.mention(&["--learning-rate", "--clip-norm", "--on-divergence rollback"]);
    assert_eq!(place.json("run/manifest.json")["status"], "diverged");
    assert_eq!(place.rows("run"), place.rows("shorter"));
    // And the batches up to the one that shows it.
    let (all, before) = (losses(&place, "run/losses.csv"), losses(&place, "shorter/losses.csv"));
    assert_eq!(all[..36], before);
    let batches: Vec<_> = all[36..].iter().map(|row| (row[0], row[1])).collect();
    let expected: Vec<_> = (1..=batches.len()).map(|batch| (4.0, batch as f64)).collect();
    assert_eq!(batches, expected);
    let (bad, good) = all[36..].split_last().unwrap();
    assert!(!bad[2].is_finite() && good.iter().all(|row| row[2].is_finite()), "{all:?}");
    run.mention(&[&format!("epoch 4, batch {} ", batches.len())]);
    place.run("train --resume run").refuse(ERROR, &["diverged", "smaller learning rate"]);
    place.run("verify run").expect(DONE, &["run: diverged, 3 epochs", "end of epoch 3, step 36"]);
    // Its checkpoints are not to be deleted for a recipe that was edited.
    let config = place.text("run/config.toml");
    fs::write(place.path("run/config.toml"), config.replace("seed = 1", "seed = 2")).unwrap();
    place.run("verify run").expect(ERROR, &["`seed` was 1, is 2", "set run/config.toml right"]);
    fs::write(place.path("run/config.toml"), config).unwrap();

    // Inside epochs too: a checkpoint is written only while all is well.
    let often =
        place.run(&format!("{LINEAR} --learning-rate 0.3 --checkpoint-every 1 --out often"));
    assert_eq!(often.code, Some(ERROR), "{often:?}");
    often.mention(&[
        "the last good checkpoint is often/checkpoints/latest.safetensors (epoch 4, batch",
    ]);
    place.run("verify often").expect(DONE, &["often: diverged", "epoch 4, batch"]);
}

#[test]
fn a_rollback_goes_back_to_the_last_epoch_better_than_guessing_and_halves_the_rate() {
    let place = Place::with_mnist();
    let roll = format!("{} --learning-rate 2 --on-divergence rollback=8", rising());
    let run = place.run(&format!("{roll} --out whole"));
    run.expect(DONE, &["going back to the beginning, as no epoch's end was better than guessing, with half the rate (rollback 1 of 8)"]);
    run.mention(&["going back to the end of epoch 1, the last that was better than guessing, with half the rate"]);
    let manifest = place.json("whole/manifest.json");
    assert_eq!(manifest["status"], "finished");
    let rollbacks = manifest["rollbacks"].as_array().unwrap();
    let number = |value: &serde_json::Value| value.as_u64().unwrap() as usize;
    let given_up = losses(&place, "whole/diverged.csv");
    for (place, rollback) in (1..).zip(rollbacks) {
        let (epoch, batch) = (number(&rollback["epoch"]), number(&rollback["batch"]));
        let back_to = number(&rollback["back_to"]);
        assert_eq!(back_to, usize::from(place > 1), "{rollbacks:?}");
        // Nothing that was computed is lost: the epochs that were whole, and every batch.
        let epochs = rollback["given_up"].as_array().unwrap();
        assert_eq!(epochs.len(), epoch - back_to - 1);
        assert!(epochs.last().unwrap()["valid_loss"].as_f64().unwrap() > 1e6, "{epochs:?}");
        let rows: Vec<_> = given_up.iter().filter(|row| row[0] == f64::from(place)).collect();
        assert_eq!(rows.len(), 12 * epochs.len() + batch);
        let (bad, good) = rows.split_last().unwrap();
        assert!(!bad[3].is_finite() && good.iter().all(|row| row[3].is_finite()));
    }
    // The first epoch is that of the second attempt.
    let first = rollbacks[0]["given_up"][0]["learning_rate"].as_f64().unwrap();
    assert_eq!(rates(&place, "whole")[0], first / 2.0);
    assert_eq!(losses(&place, "whole/losses.csv").len(), 96);
    assert!(place.text("whole/config.toml").contains("on_divergence = \"rollback=8\""));
    place.run("verify whole").expect(DONE, &["checkpoints/epoch-end.safetensors", "diverged.csv"]);

    place.run(&format!("{roll} --checkpoint-every 1 --out often")).expect(DONE, &[]);
    place.expect_same("often", "whole");
    assert_eq!(place.text("often/diverged.csv"), place.text("whole/diverged.csv"));
    place.run("train --config whole/config.toml --out again").expect(DONE, &[]);
    place.expect_same("again", "whole");

    // Not more often than it may; the first epoch goes back to the beginning.
    let run =
        place.run(&format!("{LINEAR} --learning-rate 1 --on-divergence rollback=2 --out few"));
    assert_eq!(run.code, Some(ERROR), "{run:?}");
    run.mention(&["training diverged", "after going back 2 times", "latest.safetensors ("]);
    let run =
        place.run(&format!("{LINEAR} --learning-rate 1e20 --on-divergence rollback --out high"));
    assert_eq!(run.code, Some(ERROR), "{run:?}");
    run.mention(&["going back to the beginning", "rollback 3 of 3", "after going back 3 times"]);
    run.mention(&["latest.safetensors (the beginning)", "try a smaller `--learning-rate`, or"]);
    assert_eq!(place.json("high/manifest.json")["rollbacks"].as_array().unwrap().len(), 3);
}

#[test]
fn weights_whose_loss_is_not_finite_are_not_gone_back_to() {
    let place = Place::with_mnist();
    for valid in ["--valid-size 20", "--valid-size 0"] {
        // The weights are finite at the end of the second epoch, and useless.
        let run = format!("{} --learning-rate 0.6", LINEAR.replace("--valid-size 20", valid));
        let stopped = place.run(&format!("{run} --out stopped"));
        stopped.expect(ERROR, &["not finite at epoch 3, batch 1 (step 25"]);
        let roll = format!("{run} --on-divergence rollback");
        place.run(&format!("{roll} --out whole")).expect(
            DONE,
            &["going back to the beginning, as no epoch's end was better than guessing, with half the rate (rollback 1 of 3)"],
        );
        let rollbacks = place.json("whole/manifest.json")["rollbacks"].clone();
        assert_eq!((&rollbacks[0]["epoch"], &rollbacks[0]["batch"]), (&2.into(), &12.into()));
        place.run("verify whole").expect(DONE, &[]);
        place.run(&format!("{roll} --checkpoint-every 1 --out often")).expect(DONE, &[]);
        place.expect_same("often", "whole");
        for run in ["stopped", "whole", "often"] {
            fs::remove_dir_all(place.path(run)).unwrap();
        }
    }
}

#[test]
fn a_validation_loss_that_is_not_finite_is_a_divergence() {
    let place = Place::with_mnist();
    // A step an epoch, after which the weights are finite.
    let run = "train mnist --data-dir data --train-size 64 --epochs 3 --model mlp --hidden 8 --optimizer sgd --schedule constant --learning-rate 1e36 --batch-size 64 --threads 1";
    let without = place.run(&format!("{run} --valid-size 0 --out without"));
    without.expect(ERROR, &["training diverged", "at epoch 2, batch 1 (step 2"]);
    let with = place.run(&format!("{run} --valid-size 16 --out with"));
    with.expect(ERROR, &["training diverged", "at epoch 1, batch 1 (step 1", "no checkpoint"]);
    assert!(!place.path("with/metrics.jsonl").exists());
    for run in ["with", "without"] {
        place.run(&format!("verify {run}")).expect(DONE, &["diverged"]);
    }
}

#[test]
fn a_run_killed_between_the_checkpoints_of_an_epochs_end_can_still_roll_back() {
    let place = Place::with_mnist();
    let roll = "--learning-rate 0.02 --on-divergence rollback --initialization constant=0";
    let short = LINEAR.replace("--epochs 8", "--epochs 2");
    place.run(&format!("{short} {roll} --out whole")).expect(DONE, &[]);
    // As it was at the end of the first epoch.
    fs::create_dir_all(place.path("run/checkpoints")).unwrap();
    for file in ["config.toml", "losses.csv", "metrics.jsonl"] {
        fs::copy(place.path("whole").join(file), place.path("run").join(file)).unwrap();
    }
    fs::write(place.path(LATEST), place.bytes("whole/checkpoints/previous.safetensors")).unwrap();
    let mut manifest = place.json("whole/manifest.json");
    manifest["status"] = "running".into();
    manifest.as_object_mut().unwrap().remove("files");
    fs::write(place.path("run/manifest.json"), manifest.to_string()).unwrap();
    place.run("verify run").expect(DONE, &["end of epoch 1, step 12"]);

    place.run("train --resume run").expect(DONE, &["resuming at epoch 2"]);
    place.expect_same("run", "whole");
    let end = "checkpoints/epoch-end.safetensors";
    place.run("verify run").expect(DONE, &[end]);
    assert!(place.path("run").join(end).exists());
}

#[cfg(unix)]
#[test]
fn a_run_killed_after_a_rollback_resumes_exactly() {
    let place = Place::with_mnist();
    let roll =
        format!("{} --learning-rate 2 --on-divergence rollback=8 --checkpoint-every 1", rising());
    place.run(&format!("{roll} --out whole")).expect(DONE, &[]);
    for (number, signal) in (0..).zip(["KILL", "INT", "KILL"]) {
        let out = format!("run-{number}");
        let child = start(place.command(format!("{roll} --out {out}").split(' ')));
        // After the first, second and third.
        wait_for("a rollback", || {
            let manifest = fs::read_to_string(place.path(&format!("{out}/manifest.json")));
            manifest.is_ok_and(|it| it.matches("\"batch\"").count() > number)
        });
        child.signal(signal);
        assert_ne!(child.finish().code, Some(DONE), "it was faster than the signal");
        place.run(&format!("train --resume {out}")).expect(DONE, &["test accuracy"]);
        place.expect_same(&out, "whole");
        assert_eq!(place.text(&format!("{out}/diverged.csv")), place.text("whole/diverged.csv"));
        let rollbacks =
            |run: &str| place.json(&format!("{run}/manifest.json"))["rollbacks"].clone();
        assert_eq!(rollbacks(&out), rollbacks("whole"));
    }
}

#[test]
fn what_to_do_on_divergence_is_refused_if_it_is_none_of_them() {
    let place = Place::new();
    for wrong in ["go", "rollback=0", "rollback=99"] {
        let run = place.run(&format!("train digits --on-divergence {wrong}"));
        run.refuse(USAGE, &["--on-divergence", "rollback=TIMES", wrong]);
    }
    place.expect_empty();
}
