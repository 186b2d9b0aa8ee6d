//! Ctrl-C, kill, and on from there.

use std::fs;

use crate::place::*;

#[cfg(unix)]
#[test]
fn an_interrupted_run_resumes_to_the_weights_of_an_uninterrupted_one() {
    let place = Place::with_mnist();
    place.run(&format!("train {LONG} --out whole")).expect(DONE, &[]);
    for (signal, out) in [("INT", "one"), ("TERM", "two")] {
        let run = place.interrupt(signal, out);
        assert_eq!(run.code, Some(INTERRUPTED), "{run:?}");
        run.mention(&["a checkpoint was saved", &format!("--resume {out}")]);
        assert!(run.stdout.is_empty(), "{}", run.stdout);
        let manifest = place.json(&format!("{out}/manifest.json"));
        assert_eq!(manifest["status"], "interrupted");
        assert_eq!(manifest["test_reads"].as_array().unwrap().len(), 0, "test data were read");
        assert!(!place.path(&format!("{out}/summary.json")).exists());
        let refused = place.run(&format!("evaluate {out}"));
        refused.refuse(ERROR, &["interrupted", &format!("--resume {out}")]);
        place.run(&format!("report {out}")).expect(DONE, &["report"]);

        let resumed = place.run(&format!("train --resume {out} --threads 2"));
        resumed.expect(DONE, &["resuming at epoch", "test accuracy"]);
        for file in ["model.safetensors", "config.toml", "losses.csv"] {
            let (resumed, whole) = (format!("{out}/{file}"), format!("whole/{file}"));
            assert!(place.bytes(&resumed) == place.bytes(&whole), "{resumed} differs");
        }
        assert_eq!(place.objectives(out), place.objectives("whole"));
        let manifest = place.json(&format!("{out}/manifest.json"));
        assert_eq!(manifest["status"], "finished");
        assert_eq!(manifest["test_reads"].as_array().unwrap().len(), 1);
        place.expect_no_temporary_files();
    }
}

#[cfg(unix)]
#[test]
fn a_killed_run_resumes_from_its_last_epoch_to_the_same_weights() {
    let place = Place::with_mnist();
    let long = LONG.replace("--epochs 120", "--epochs 40");
    place.run(&format!("train {long} --out whole")).expect(DONE, &[]);
    let child = start(place.command(format!("train {long} --out run").split(' ')));
    wait_for("the first epoch", || place.path("run/checkpoints/latest.safetensors").exists());
    child.signal("KILL");
    assert_eq!(child.finish().code, None);
    assert_eq!(place.json("run/manifest.json")["status"], "running");
    place.run("train --resume run").expect(DONE, &["resuming at epoch"]);
    assert!(place.bytes("run/model.safetensors") == place.bytes("whole/model.safetensors"));
}

#[cfg(unix)]
#[test]
fn a_damaged_checkpoint_is_refused_and_a_missing_one_means_from_the_start() {
    let place = Place::with_mnist();
    assert_eq!(place.interrupt("INT", "run").code, Some(INTERRUPTED));
    let path = place.path("run/checkpoints/latest.safetensors");
    let whole = fs::read(&path).unwrap();
    let flipped = |byte: usize| {
        let mut bytes = whole.clone();
        bytes[byte] ^= 0x10;
        bytes
    };
    for damaged in [
        whole[..whole.len() / 2].to_vec(),
        Vec::new(),
        vec![0; whole.len()],
        flipped(3),
        flipped(200),
        flipped(whole.len() / 2),
        flipped(whole.len() - 1000),
        flipped(whole.len() - 1),
    ] {
        fs::write(&path, damaged).unwrap();
        let run = place.run("train --resume run");
        run.refuse(ERROR, &["checkpoints/latest.safetensors", "--config run/config.toml"]);
        assert_eq!(place.json("run/manifest.json")["status"], "interrupted");
    }

    let config = place.text("run/config.toml");
    let narrower = config.replace("hidden = [32]", "hidden = [16]");
    assert_ne!(narrower, config);
    fs::write(&path, &whole).unwrap();
    fs::write(place.path("run/config.toml"), narrower).unwrap();
    place.run("train --resume run").refuse(ERROR, &["expected shape", "found", "another model"]);

    let shorter = config.replace("epochs = 120", "epochs = 2");
    assert_ne!(shorter, config);
    fs::write(place.path("run/config.toml"), shorter).unwrap();
    fs::remove_dir_all(place.path("run/checkpoints")).unwrap();
    place.run("train --resume run").expect(DONE, &["1/2", "2/2"]);
}

#[cfg(unix)]
#[test]
fn a_second_ctrl_c_quits_at_once() {
    let place = Place::with_mnist();
    // One batch of this takes seconds.
    let slow = "train mnist --data-dir data --train-size 150 --valid-size 10 --epochs 1 --model resnet34 --batch-size 150 --threads 1 --out run";
    let child = start(place.command(slow.split(' ')));
    wait_for("the training", || place.path("run/manifest.json").exists());
    child.signal("INT");
    wait_for("the answer", || child.stderr().contains("Ctrl-C again quits at once"));
    child.signal("INT");
    let run = child.finish();
    assert_eq!(run.code, Some(INTERRUPTED), "{run:?}");
    assert!(!place.path("run/checkpoints/latest.safetensors").exists(), "it was saved: {run:?}");
    assert_eq!(place.json("run/manifest.json")["status"], "running");
}
