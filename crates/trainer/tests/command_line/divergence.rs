//! A loss that is no longer a number: where training stops, what stays, and how it goes back.

use std::fs;

use crate::checkpoints::sealed;
use crate::place::*;

/// A linear regression by gradient descent, whose weights grow by a factor in every step if the learning
/// rate is too large for it: with 0.3 the loss is infinite in the fourth epoch, with 1 in the second.
pub(crate) const LINEAR: &str = "train mnist --data-dir data --train-size 96 --valid-size 20 --epochs 8 --model mlp --hidden none --loss squared-error --keep last --batch-size 8 --optimizer sgd --schedule constant --weight-decay 0 --dropout 0 --augment crop=2 --threads 1";

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
    assert_eq!(place.bytes("run/losses.csv"), place.bytes("shorter/losses.csv"));
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
fn a_rollback_halves_the_rate_and_depends_on_the_recipe_alone() {
    let place = Place::with_mnist();
    let roll = format!("{LINEAR} --learning-rate 1 --on-divergence rollback=8");
    let run = place.run(&format!("{roll} --out whole"));
    run.expect(DONE, &["going back to the end of epoch 1 with half the rate (rollback 1 of 8)"]);
    assert_eq!(rates(&place, "whole"), [1.0, 0.25, 0.125, 0.0625, 0.0625, 0.0625, 0.0625, 0.0625]);
    let manifest = place.json("whole/manifest.json");
    assert_eq!(manifest["status"], "finished");
    let rollbacks = manifest["rollbacks"].as_array().unwrap();
    let at: Vec<_> = rollbacks.iter().map(|it| (&it["epoch"], &it["learning_rate"])).collect();
    let expected =
        [(2, 1.0), (2, 0.5), (3, 0.25), (4, 0.125)].map(|(e, rate)| (e.into(), rate.into()));
    assert_eq!(at, expected.iter().map(|(e, rate)| (e, rate)).collect::<Vec<_>>());
    assert!(place.text("whole/config.toml").contains("on_divergence = \"rollback=8\""));
    place.run("verify whole").expect(DONE, &["checkpoints/epoch-end.safetensors"]);

    place.run(&format!("{roll} --checkpoint-every 1 --out often")).expect(DONE, &[]);
    place.expect_same("often", "whole");
    place.run("train --config whole/config.toml --out again").expect(DONE, &[]);
    place.expect_same("again", "whole");

    // Not more often than it may; the first epoch goes back to the beginning.
    let run =
        place.run(&format!("{LINEAR} --learning-rate 1 --on-divergence rollback=2 --out few"));
    assert_eq!(run.code, Some(ERROR), "{run:?}");
    run.mention(&["training diverged", "after going back 2 times", "(end of epoch 2, step 24)"]);
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
            &["going back to the end of epoch 1 with half the rate (rollback 1 of 3)"],
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
    let short = LINEAR.replace("--epochs 8", "--epochs 2");
    let roll = format!("{short} --learning-rate 1 --on-divergence rollback --out whole");
    place.run(&roll).expect(DONE, &["end of epoch 1 with half the rate (rollback 2 of 3)"]);
    // As it was at the end of the first epoch, before anything diverged.
    fs::create_dir_all(place.path("run/checkpoints")).unwrap();
    for file in ["config.toml", "losses.csv", "metrics.jsonl"] {
        fs::copy(place.path("whole").join(file), place.path("run").join(file)).unwrap();
    }
    let mut newest = place.bytes("whole/checkpoints/previous.safetensors");
    let key = br#"\"rollbacks\":["#;
    let begin = newest.windows(key.len()).position(|part| part == key).unwrap() + key.len();
    let length = newest[begin..].iter().position(|&byte| byte == b']').unwrap();
    newest[begin..begin + length].fill(b' ');
    fs::write(place.path(LATEST), sealed(newest)).unwrap();
    let mut manifest = place.json("whole/manifest.json");
    manifest["status"] = "running".into();
    for results in ["files", "rollbacks"] {
        manifest.as_object_mut().unwrap().remove(results);
    }
    fs::write(place.path("run/manifest.json"), manifest.to_string()).unwrap();
    place.run("verify run").expect(DONE, &["end of epoch 1, step 12"]);

    let resumed = place.run("train --resume run");
    resumed.expect(DONE, &["resuming at epoch 2", "(rollback 1 of 3)", "(rollback 2 of 3)"]);
    place.expect_same("run", "whole");
    place.run("verify run").expect(DONE, &["checkpoints/epoch-end.safetensors"]);
}

#[cfg(unix)]
#[test]
fn a_run_killed_after_a_rollback_resumes_exactly() {
    let place = Place::with_mnist();
    let roll =
        format!("{LINEAR} --learning-rate 1 --on-divergence rollback=8 --checkpoint-every 1");
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
        place.run(&format!("train --resume {out}")).expect(DONE, &["resuming at epoch"]);
        place.expect_same(&out, "whole");
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
