//! A loss that is no longer a number: where training stops, what stays, and how it goes back.

use std::fs;

use serde_json::Value;

use crate::checkpoints::sealed;
use crate::place::*;

/// A linear regression by gradient descent, whose weights grow by a factor in every step if the learning
/// rate is too large for it: with 0.3 the loss is infinite in the fourth epoch, with 1 in the second.
pub(crate) const LINEAR: &str = "train mnist --data-dir data --train-size 96 --valid-size 20 \
    --epochs 8 --model mlp --hidden none --loss squared-error --keep last --batch-size 8 \
    --optimizer sgd --schedule constant --weight-decay 0 --dropout 0 --augment crop=2 --threads \
    1";

/// A network whose learning rate rises. With 1.25 its first epoch ends worse than guessing, and the second
/// diverges. With half of that the first ends well, the second with a loss beyond all measure, and the third
/// diverges.
const RELU: &str = "train mnist --data-dir data --train-size 96 --valid-size 20 --epochs 12 \
    --model mlp --hidden 32,32,32 --keep last --batch-size 8 --optimizer sgd --schedule one-cycle \
    --learning-rate 1.25 --weight-decay 0 --dropout 0 --augment none --threads 1";

const LATEST: &str = "run/checkpoints/latest.safetensors";

/// The rollbacks of a run, without the times of the epochs that were given up.
fn rollbacks(place: &Place, run: &str) -> Vec<Value> {
    let manifest = place.json(&format!("{run}/manifest.json"));
    let mut rollbacks = manifest["rollbacks"].as_array().cloned().unwrap_or_default();
    for rollback in &mut rollbacks {
        if let Some(epochs) = rollback["given_up"].as_array_mut() {
            epochs.iter_mut().for_each(|epoch| *epoch = without_times(epoch.clone()));
        }
    }
    rollbacks
}

/// Rows of a file of losses: what they are numbered by, and the value.
fn losses(place: &Place, file: &str) -> Vec<(Vec<usize>, f64)> {
    let text = place.text(file);
    let row = |line: &str| {
        let (place, value) = line.rsplit_once(',').unwrap();
        (place.split(',').map(|it| it.parse().unwrap()).collect(), value.parse().unwrap())
    };
    text.lines().skip(1).map(row).collect()
}

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
    // The batches that show the trouble are there too, up to the one that is no number.
    let (all, before) = (losses(&place, "run/losses.csv"), losses(&place, "shorter/losses.csv"));
    assert_eq!((all[..36].to_vec(), before.len()), (before, 36));
    let (last, of_last) = all.last().unwrap();
    run.mention(&[&format!("epoch 4, batch {}", last[1])]);
    assert!(last[0] == 4 && !of_last.is_finite(), "{all:?}");
    assert_eq!(all.len(), 36 + last[1]);
    assert!(all[36..all.len() - 1].iter().all(|(at, loss)| at[0] == 4 && loss.is_finite()));
    place.run("train --resume run").refuse(ERROR, &["diverged", "smaller learning rate"]);
    place.run("verify run").expect(DONE, &["run: diverged, 3 epochs", "end of epoch 3, step 36"]);
    let text = place.text("run/losses.csv");
    for (from, to, reason) in [
        ("\n4,1,", "\n4,2,", "batch 2 of epoch 4 is out of order"),
        ("\n3,1,", "\n3,1,NaN", "finite number, found `3,1,NaN"),
        ("\n4,1,", "\n4,1,inf\n4,1,", "finite number, found `4,1,inf`"),
    ] {
        fs::write(place.path("run/losses.csv"), text.replacen(from, to, 1)).unwrap();
        place.run("verify run").expect(ERROR, &["error: one thing", reason]);
    }
    fs::write(place.path("run/losses.csv"), format!("{text}5,1,0.5\n")).unwrap();
    place.run("verify run").expect(ERROR, &["error: one thing", "finite number, found `4,"]);
    fs::write(place.path("run/losses.csv"), text).unwrap();
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
    let nothing_better = "going back to the beginning, as no epoch's end was better than guessing,";
    run.expect(DONE, &[nothing_better, "with half the rate (rollback 1 of 8)"]);
    assert_eq!(rates(&place, "whole"), [0.125; 8]);
    let manifest = place.json("whole/manifest.json");
    assert_eq!(manifest["status"], "finished");
    let rollbacks = manifest["rollbacks"].as_array().unwrap();
    let at: Vec<_> = rollbacks.iter().map(|it| (&it["epoch"], &it["learning_rate"])).collect();
    let expected = [(2, 1.0), (3, 0.5), (4, 0.25)].map(|(e, rate)| (e.into(), rate.into()));
    assert_eq!(at, expected.iter().map(|(e, rate)| (e, rate)).collect::<Vec<_>>());
    // Every batch that was given up is kept apart, up to the one that is no number.
    let given_up = losses(&place, "whole/diverged.csv");
    for (number, rollback) in (1..).zip(rollbacks) {
        let of_it: Vec<_> = given_up.iter().filter(|(at, _)| at[0] == number).collect();
        let (last, of_last) = of_it.last().unwrap();
        let [epoch, batch] = ["epoch", "batch"].map(|it| rollback[it].as_u64().unwrap() as usize);
        assert_eq!((&last[1..], of_it.len()), (&[epoch, batch][..], 12 * (epoch - 1) + batch));
        // The end of an epoch is found out by what validation makes of it.
        assert!(!of_last.is_finite() || batch == 12);
        assert_eq!(rollback["back_to"], 0);
        assert_eq!(rollback["given_up"].as_array().unwrap().len(), epoch - 1);
    }
    assert!(place.text("whole/config.toml").contains("on_divergence = \"rollback=8\""));
    place.run("verify whole").expect(DONE, &["diverged.csv "]);
    let text = place.text("whole/diverged.csv");
    let unlike = text.lines().filter(|line| !line.starts_with("2,1,"));
    let unlike: String = unlike.map(|line| format!("{line}\n")).collect();
    let mut manifest = manifest;
    manifest.as_object_mut().unwrap().remove("files");
    fs::write(place.path("whole/manifest.json"), manifest.to_string()).unwrap();
    for (spoiled, reason) in [
        (unlike, "rollback 2: expected the batches from epoch 1 to epoch 3"),
        (text.replacen("\n1,1,2,", "\n1,1,3,", 1), "is out of order"),
        (text.clone() + "4,1,1,0.5\n", "more than 3 rollbacks"),
    ] {
        fs::write(place.path("whole/diverged.csv"), spoiled).unwrap();
        place.run("verify whole").expect(ERROR, &["error: one thing", "diverged.csv: ", reason]);
    }
    fs::remove_file(place.path("whole/diverged.csv")).unwrap();
    place.run("verify whole").expect(ERROR, &["diverged.csv: the file is missing"]);
    fs::write(place.path("whole/diverged.csv"), text).unwrap();

    place.run(&format!("{roll} --checkpoint-every 1 --out often")).expect(DONE, &[]);
    place.expect_same("often", "whole");
    place.run("train --config whole/config.toml --out again").expect(DONE, &[]);
    place.expect_same("again", "whole");

    // Not more often than it may; the first epoch goes back to the beginning.
    let run =
        place.run(&format!("{LINEAR} --learning-rate 1 --on-divergence rollback=2 --out few"));
    assert_eq!(run.code, Some(ERROR), "{run:?}");
    run.mention(&["training diverged", "after going back 2 times", "(end of epoch 3, step 36)"]);
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
            &["going back to the beginning, as no epoch's end was better than guessing, with half \
                the rate (rollback 1 of 3)"],
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
    let run = "train mnist --data-dir data --train-size 64 --epochs 3 --model mlp --hidden 8 \
        --optimizer sgd --schedule constant --learning-rate 1e36 --batch-size 64 --threads 1";
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
fn a_rollback_goes_back_to_the_last_end_that_is_better_than_guessing() {
    let place = Place::with_mnist();
    // From weights of zero, with a learning rate that rises from almost nothing to what is too large: the
    // first epoch learns, a later one is worse than guessing, and one after that diverges.
    let rising = LINEAR.replace(
        "--schedule constant",
        "--schedule one-cycle=warmup:0.9,start:0.0001 --initialization constant=0",
    );
    let roll = format!("{rising} --learning-rate 2 --on-divergence rollback=8");
    let run = place.run(&format!("{roll} --out whole"));
    run.expect(
        DONE,
        &["going back to the beginning, as no epoch's end was better than guessing, \
        with half the rate (rollback 1 of 8)"],
    );
    run.mention(&[
        "going back to the end of epoch 1, the last that was better than guessing, with \
        half the rate",
    ]);
    let manifest = place.json("whole/manifest.json");
    let rollbacks = manifest["rollbacks"].as_array().unwrap();
    for (number, rollback) in (1..).zip(rollbacks) {
        assert_eq!(rollback["back_to"], i32::from(number > 1), "{rollbacks:?}");
        let given_up = rollback["given_up"].as_array().unwrap();
        assert!(given_up.last().unwrap()["valid_loss"].as_f64().unwrap() > 1e6, "{given_up:?}");
    }
    // The first epoch is that of the second attempt.
    let first = rollbacks[0]["given_up"][0]["learning_rate"].as_f64().unwrap();
    assert_eq!(rates(&place, "whole")[0], first / 2.0);
    assert_eq!(losses(&place, "whole/losses.csv").len(), 96);
    place.run("verify whole").expect(DONE, &["checkpoints/epoch-end.safetensors", "diverged.csv"]);
    place.run(&format!("{roll} --checkpoint-every 1 --out often")).expect(DONE, &[]);
    place.expect_same("often", "whole");
    assert_eq!(place.text("often/diverged.csv"), place.text("whole/diverged.csv"));
}

#[test]
fn a_run_killed_between_the_checkpoints_of_an_epochs_end_can_still_roll_back() {
    let place = Place::with_mnist();
    place.run(&format!("{RELU} --on-divergence rollback=2 --out whole")).expect(DONE, &[]);
    // With one rollback less it ends where the epoch's end that it would go back to is still there.
    let few = place.run(&format!("{RELU} --on-divergence rollback=1 --out few"));
    assert_eq!(few.code, Some(ERROR), "{few:?}");
    place.run("verify few").expect(DONE, &["few: diverged, 2 epochs", "end of epoch 1, step 12"]);
    // As it was at the end of the first epoch, before it diverged once more.
    fs::create_dir_all(place.path("run/checkpoints")).unwrap();
    fs::copy(place.path("whole/config.toml"), place.path("run/config.toml")).unwrap();
    fs::copy(place.path("few/diverged.csv"), place.path("run/diverged.csv")).unwrap();
    for (file, lines) in [("metrics.jsonl", 1), ("losses.csv", 13)] {
        let text = place.text(&format!("few/{file}"));
        let text: String = text.lines().take(lines).map(|line| format!("{line}\n")).collect();
        fs::write(place.path(&format!("run/{file}")), text).unwrap();
    }
    let mut newest = place.bytes("few/checkpoints/epoch-end.safetensors");
    let setting = b"rollback=1";
    let at = newest.windows(setting.len()).position(|part| part == setting).unwrap();
    newest[at + setting.len() - 1] = b'2';
    fs::write(place.path(LATEST), sealed(newest)).unwrap();
    let mut manifest = place.json("few/manifest.json");
    manifest["status"] = "running".into();
    fs::write(place.path("run/manifest.json"), manifest.to_string()).unwrap();
    place.run("verify run").expect(DONE, &["end of epoch 1, step 12"]);

    let resumed = place.run("train --resume run");
    resumed.expect(DONE, &["resuming at epoch 2", "going back to the end of epoch 1"]);
    place.expect_same("run", "whole");
    assert_eq!(rollbacks(&place, "run"), rollbacks(&place, "whole"));
    assert_eq!(place.bytes("run/diverged.csv"), place.bytes("whole/diverged.csv"));
    place.run("verify run").expect(DONE, &["checkpoints/epoch-end.safetensors"]);
}

#[test]
fn a_run_killed_in_the_midst_of_a_rollback_is_whole_and_comes_to_the_same() {
    let place = Place::with_mnist();
    place.run(&format!("{RELU} --on-divergence rollback=2 --out whole")).expect(DONE, &[]);
    let few = place.run(&format!("{RELU} --on-divergence rollback=1 --out run"));
    assert_eq!(few.code, Some(ERROR), "{few:?}");
    // It may go back once more now: what it had computed is to be given up, and nothing is yet.
    let config = place.text("run/config.toml").replace("rollback=1", "rollback=2");
    fs::write(place.path("run/config.toml"), config).unwrap();
    for file in ["latest", "previous", "epoch-end"] {
        let file = format!("run/checkpoints/{file}.safetensors");
        let mut bytes = place.bytes(&file);
        let setting = b"rollback=1";
        let at = bytes.windows(setting.len()).position(|part| part == setting).unwrap();
        bytes[at + setting.len() - 1] = b'2';
        fs::remove_file(place.path(&file)).unwrap();
        fs::write(place.path(&file), sealed(bytes)).unwrap();
    }
    let mut manifest = place.json("run/manifest.json");
    manifest["status"] = "running".into();
    fs::write(place.path("run/manifest.json"), manifest.to_string()).unwrap();
    place.run("verify run").expect(DONE, &["run: running, 2 epochs"]);
    // Its rows were copied already.
    let given_up = place.bytes("whole/diverged.csv");
    fs::write(place.path("run/diverged.csv"), &given_up).unwrap();
    place.run("verify run").expect(DONE, &["run: running, 2 epochs", "diverged.csv "]);
    place.run("train --resume run").expect(DONE, &["(rollback 2 of 2)"]);
    place.expect_same("run", "whole");
    assert_eq!(place.bytes("run/diverged.csv"), given_up);
    assert_eq!(rollbacks(&place, "run"), rollbacks(&place, "whole"));
}

#[cfg(unix)]
#[test]
fn a_run_killed_after_a_rollback_resumes_exactly() {
    let place = Place::with_mnist();
    // The one goes back to the beginning each time, the other by two epochs the second time.
    for (name, base, signals) in [
        ("linear", format!("{LINEAR} --learning-rate 1"), &["KILL", "INT", "KILL"][..]),
        ("relu", RELU.to_owned(), &["INT", "KILL"]),
    ] {
        let roll = format!("{base} --on-divergence rollback=8 --checkpoint-every 1");
        let whole = format!("{name}-whole");
        place.run(&format!("{roll} --out {whole}")).expect(DONE, &[]);
        for (number, signal) in (0..).zip(signals) {
            let out = format!("{name}-{number}");
            // After the first, second and third.
            let has_rolled_back = || {
                let manifest = fs::read_to_string(place.path(&format!("{out}/manifest.json")));
                manifest.is_ok_and(|it| it.matches("\"batch\"").count() > number)
            };
            let run = place.stop(signal, &format!("{roll} --out {out}"), &out, has_rolled_back);
            assert_eq!(run.code, (*signal == "INT").then_some(INTERRUPTED), "{run:?}");
            place.run(&format!("verify {out}")).expect(DONE, &[]);
            place.run(&format!("train --resume {out}")).expect(DONE, &["test accuracy"]);
            place.expect_same(&out, &whole);
            assert_eq!(rollbacks(&place, &out), rollbacks(&place, &whole));
            let given_up = |run: &str| place.bytes(&format!("{run}/diverged.csv"));
            assert_eq!(given_up(&out), given_up(&whole));
        }
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
