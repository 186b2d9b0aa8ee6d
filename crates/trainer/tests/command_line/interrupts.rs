//! Ctrl-C, kill, and on from there.

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
        place.run(&format!("evaluate {out}")).expect(DONE, &["unfinished", "interrupted"]);
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
fn a_second_ctrl_c_quits_at_once() {
    let place = Place::with_mnist();
    // One batch of this takes seconds.
    let slow = "train mnist --data-dir data --train-size 150 --valid-size 10 --epochs 1 --model resnet34 --batch-size 150 --schedule constant --threads 1 --out run";
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

#[cfg(unix)]
#[test]
fn a_run_interrupted_in_its_last_batch_is_saved_and_not_scored() {
    let place = Place::with_mnist();
    // Its only batch takes a second.
    let slow = "train mnist --data-dir data --train-size 60 --valid-size 10 --epochs 1 --model resnet20 --batch-size 60 --schedule constant --threads 1 --out run";
    let child = start(place.command(slow.split(' ')));
    wait_for("the training", || place.path("run/losses.csv").exists());
    child.signal("INT");
    let run = child.finish();
    run.expect(INTERRUPTED, &["a checkpoint was saved", "--resume run"]);
    let manifest = place.json("run/manifest.json");
    assert_eq!(manifest["status"], "interrupted");
    assert_eq!(manifest["test_reads"].as_array().unwrap().len(), 0, "test data were read");
    place.run("verify run").expect(DONE, &["interrupted, 1 epochs", "end of epoch 1"]);
    place.run("train --resume run").expect(DONE, &["test accuracy"]);
    place.run("verify run").expect(DONE, &["finished, 1 epochs", "1 look at the test split"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_closed_terminal_saves_and_stops_however_often_it_says_so() {
    let place = Place::with_mnist();
    let program = env!("CARGO_BIN_EXE_backburn");
    // The tests themselves may run under `nohup`.
    let mut command = std::process::Command::new("env");
    command
        .args(["--default-signal=HUP", program])
        .args(format!("train {LONG} --out run").split(' '));
    command.current_dir(place.path("."));
    let child = start(command);
    wait_for("the first epoch", || place.path("run/metrics.jsonl").exists());
    // Shell and kernel may both send one.
    let id = child.process.id();
    let twice = format!("kill -HUP {id}; kill -HUP {id}");
    assert!(std::process::Command::new("sh").args(["-c", &twice]).status().unwrap().success());
    let run = child.finish();
    assert_eq!(run.code, Some(INTERRUPTED), "{run:?}");
    run.mention(&["a checkpoint was saved"]);
    assert_eq!(place.json("run/manifest.json")["status"], "interrupted");
}

#[cfg(target_os = "linux")]
#[test]
fn under_nohup_a_run_outlives_its_terminal() {
    let place = Place::with_mnist();
    let program = env!("CARGO_BIN_EXE_backburn");
    let long = LONG.replace("--epochs 120", "--epochs 9999");
    // What `nohup` does to the signal, without what it does to the output.
    let script = format!("trap '' HUP; exec {program} train {long} --out run");
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &script]).current_dir(place.path("."));
    let child = start(command);
    let epochs = || {
        let metrics = std::fs::read_to_string(place.path("run/metrics.jsonl")).unwrap_or_default();
        metrics.lines().count()
    };
    wait_for("the first epoch", || epochs() > 0);
    child.signal("HUP");
    let before = epochs();
    wait_for("more epochs", || epochs() > before + 3);
    child.signal("TERM");
    assert_eq!(child.finish().code, Some(INTERRUPTED));
}
