//! Ctrl-C, kill, and on from there.

use crate::place::*;

#[cfg(unix)]
#[test]
fn an_interrupted_run_resumes_to_the_weights_of_an_uninterrupted_one() {
    let place = Place::with_mnist();
    place.run(&format!("train {LONG} --out whole")).expect(DONE, &[]);
    for (signal, out, flags) in [
        ("INT", "one", ""),
        ("TERM", "two", ""),
        ("USR2", "three", ""),
        ("XCPU", "four", " --stop-on USR1"),
        ("USR1", "five", " --stop-on sigusr1"),
    ] {
        let run = place.interrupt(signal, &format!("{out}{flags}"));
        assert_eq!(run.code, Some(INTERRUPTED), "{run:?}");
        run.mention(&["a checkpoint was saved", &format!("--resume {out}")]);
        assert!(run.stdout.is_empty(), "{}", run.stdout);
        let manifest = place.json(&format!("{out}/manifest.json"));
        assert_eq!(manifest["status"], "interrupted");
        assert_eq!(manifest["test_reads"].as_array().unwrap().len(), 0, "test data were read");
        assert!(!place.path(&format!("{out}/summary.json")).exists());
        expect_losses_up_to_the_checkpoint(&place, out);
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

/// Checks that `losses.csv` has every batch that the checkpoint knows of, and that `verify` misses one that it
/// lacks.
#[cfg(unix)]
fn expect_losses_up_to_the_checkpoint(place: &Place, run: &str) {
    let verified = place.run(&format!("verify {run}"));
    verified.expect(DONE, &[]);
    let latest =
        verified.stdout.lines().find(|line| line.starts_with("checkpoints/latest")).unwrap();
    let text = place.text(&format!("{run}/losses.csv"));
    let last = text.lines().last().unwrap();
    let mut place_of = last.split(',');
    let (epoch, batch) = (place_of.next().unwrap(), place_of.next().unwrap());
    // Epochs of 60 batches.
    let expected = match batch {
        "60" => format!("end of epoch {epoch},"),
        batch => format!("epoch {epoch}, batch {batch},"),
    };
    assert!(latest.contains(&expected), "{latest}, but the last row is {last}");
    let without = &text[..text.len() - last.len() - 1];
    std::fs::write(place.path(&format!("{run}/losses.csv")), without).unwrap();
    let reason = format!("losses.csv: epoch {epoch}: expected");
    place.run(&format!("verify {run}")).expect(ERROR, &["error: one thing", &reason]);
    std::fs::write(place.path(&format!("{run}/losses.csv")), text).unwrap();
}

#[cfg(unix)]
#[test]
fn a_killed_run_resumes_from_its_last_epoch_to_the_same_weights() {
    let place = Place::with_mnist();
    place.run(&format!("train {LONG} --out whole")).expect(DONE, &[]);
    place.kill(&format!("train {LONG} --out run"), "run");
    assert_eq!(place.json("run/manifest.json")["status"], "running");
    place.run("train --resume run").expect(DONE, &["resuming at epoch"]);
    assert!(place.bytes("run/model.safetensors") == place.bytes("whole/model.safetensors"));
}

#[cfg(unix)]
#[test]
fn a_run_without_a_checkpoint_is_resumed_with_smaller_batches() {
    let place = Place::new();
    let training = "train digits --train-size 400 --valid-size 10 --epochs 1 --model resnet20 \
        --schedule constant --threads 1";
    let smaller = "--batch-size 20 --accumulate 2";
    place.run(&format!("{training} {smaller} --out whole")).expect(DONE, &[]);
    let mut runs = (1..).map(|number| format!("run-{number}"));
    let run = in_time(|| {
        let run = runs.next()?;
        let child = place.start(&format!("{training} --batch-size 40 --out {run}"));
        child.wait_for("the training", || place.path(&format!("{run}/manifest.json")).exists());
        child.signal("KILL");
        child.finish();
        let latest = format!("{run}/checkpoints/latest.safetensors");
        (!place.path(&latest).exists()).then_some(run)
    });

    for (flags, parts) in [
        ("--batch-size 20 --model mlp", ["`--resume` continues", "but for `--batch-size`"]),
        ("--learning-rate 0.1", ["`--resume` continues", "but for `--batch-size`"]),
        ("--batch-size 0", ["batch", "0"]),
    ] {
        place.run(&format!("train --resume {run} {flags}")).refuse(USAGE, &parts);
    }
    place.run(&format!("train --resume {run} {smaller}")).expect(DONE, &[]);
    for file in ["model.safetensors", "config.toml"] {
        assert!(
            place.bytes(&format!("{run}/{file}")) == place.bytes(&format!("whole/{file}")),
            "{file}"
        );
    }
}

#[cfg(unix)]
#[test]
fn a_run_with_a_checkpoint_goes_on_with_its_batches() {
    let place = Place::with_mnist();
    place.kill(&format!("train {LONG} --out run"), "run");
    let config = place.bytes("run/config.toml");
    let refused = place.run("train --resume run --batch-size 8");
    refused.refuse(ERROR, &["run has a checkpoint", "--config run/config.toml --batch-size"]);
    assert!(place.bytes("run/config.toml") == config);
}

#[cfg(unix)]
#[test]
fn a_second_ctrl_c_quits_at_once() {
    let place = Place::new();
    // All batches of the only epoch make one step, so that it cannot be saved before minutes have gone by.
    let slow = "train digits --train-size 8000 --valid-size 10 --epochs 1 --model resnet20 \
        --batch-size 2 --accumulate 4000 --schedule constant --threads 1 --out run";
    let child = place.start(slow);
    child.wait_for("the training", || place.path("run/manifest.json").exists());
    child.signal("INT");
    child.wait_for("the answer", || child.stderr().contains("Ctrl-C again quits at once"));
    // What comes between counts for nothing.
    for signal in ["TERM", "HUP"] {
        child.signal(signal);
    }
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
    let slow = "train mnist --data-dir data --train-size 60 --valid-size 10 --epochs 1 --model \
        resnet20 --batch-size 60 --schedule constant --threads 1 --out run";
    let run = place.stop("INT", slow, "run", || place.path("run/losses.csv").exists());
    run.expect(INTERRUPTED, &["a checkpoint was saved", "--resume run"]);
    let manifest = place.json("run/manifest.json");
    assert_eq!(manifest["status"], "interrupted");
    assert_eq!(manifest["test_reads"].as_array().unwrap().len(), 0, "test data were read");
    place.run("verify run").expect(DONE, &["interrupted, 1 epoch\n", "end of epoch 1"]);
    place.run("train --resume run").expect(DONE, &["test accuracy"]);
    place.run("verify run").expect(DONE, &["finished, 1 epoch\n", "1 access to the test split"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_closed_terminal_saves_and_stops_however_often_it_says_so() {
    let place = Place::with_mnist();
    // Shell and kernel may both send one.
    let run = in_time(|| {
        let child = place.start(&format!("train {LONG} --out run"));
        child.wait_for("the first epoch", || place.path("run/metrics.jsonl").exists());
        if child.ended().is_none() {
            let twice = format!("kill -HUP {id}; kill -HUP {id}", id = child.id());
            std::process::Command::new("sh").args(["-c", &twice]).output().unwrap();
        }
        place.if_stopped(child.finish(), "run")
    });
    assert_eq!(run.code, Some(INTERRUPTED), "{run:?}");
    run.mention(&["a checkpoint was saved"]);
    assert_eq!(place.json("run/manifest.json")["status"], "interrupted");
}

#[cfg(target_os = "linux")]
#[test]
fn under_nohup_a_run_outlives_its_terminal_and_what_else_is_ignored() {
    let place = Place::with_mnist();
    let program = env!("CARGO_BIN_EXE_backburn");
    let long = long(9999);
    // What `nohup` does to the signal, without what it does to the output.
    let script = format!("trap '' HUP INT USR1; exec {program} train {long} --out run");
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &script]).current_dir(place.path("."));
    let child = start(command);
    let epochs = || {
        let metrics = std::fs::read_to_string(place.path("run/metrics.jsonl")).unwrap_or_default();
        metrics.lines().count()
    };
    child.wait_for("the first epoch", || epochs() > 0);
    for signal in ["HUP", "INT", "INT", "USR1"] {
        child.signal(signal);
    }
    let before = epochs();
    child.wait_for("more epochs", || epochs() > before + 3);
    assert!(!child.stderr().contains("SIGUSR1") && !child.stderr().contains("Ctrl-C"));
    child.signal("TERM");
    assert_eq!(child.finish().code, Some(INTERRUPTED));
}

#[cfg(unix)]
#[test]
fn a_first_ctrl_c_saves_whatever_has_asked_to_stop_before_it() {
    // Its only batch takes seconds.
    let slow = "train mnist --data-dir data --train-size 150 --valid-size 10 --epochs 1 --model \
        resnet20 --batch-size 150 --schedule constant --threads 1 --out run";
    for first in ["TERM", "HUP"] {
        let place = Place::with_mnist();
        let answer = format!("SIG{first}: stopping at the next batch; Ctrl-C twice quits at once");
        let run = in_time(|| {
            let child = place.start(slow);
            child.wait_for("the training", || place.path("run/losses.csv").exists());
            child.signal(first);
            let is_heard = child.reaches("the answer", || child.stderr().contains(&answer));
            child.signal("INT");
            let again = "Ctrl-C again quits at once";
            let is_heard =
                is_heard && child.reaches("an answer", || child.stderr().contains(again));
            for other in ["TERM", "HUP", "USR1", "USR2", "XCPU"] {
                child.signal(other);
            }
            let run = place.if_stopped(child.finish(), "run")?;
            if is_heard {
                return Some(run);
            }
            // It had been saved before the second signal came.
            std::fs::remove_dir_all(place.path("run")).unwrap();
            None
        });
        run.expect(INTERRUPTED, &["a checkpoint was saved", "--resume run"]);
        assert_eq!(place.json("run/manifest.json")["status"], "interrupted");
        place.run("verify run").expect(DONE, &["end of epoch 1"]);
    }
}

#[cfg(unix)]
#[test]
fn a_run_that_is_asked_for_a_checkpoint_saves_one_and_ends_like_one_that_was_not() {
    let place = Place::with_mnist();
    place.run(&format!("train {ONE_EPOCH} --out whole")).expect(DONE, &[]);
    let run = in_time(|| {
        let child = place.start(&format!("train {ONE_EPOCH} --out run"));
        child.wait_for("the training", || place.path("run/losses.csv").exists());
        child.signal("USR1");
        child
            .wait_for("a checkpoint", || place.path("run/checkpoints/latest.safetensors").exists());
        // At its end the epoch has a row, and a checkpoint in any case.
        let is_inside = !place.path("run/metrics.jsonl").exists();
        let run = child.finish();
        if is_inside {
            return Some(run);
        }
        std::fs::remove_dir_all(place.path("run")).unwrap();
        None
    });
    run.expect(DONE, &["SIGUSR1: saving a checkpoint at the next step and training on"]);
    place.expect_same("run", "whole");
    // That of the epoch's end has taken the place of another one, inside the epoch.
    assert!(place.path("run/checkpoints/previous.safetensors").exists());
    assert!(!place.path("whole/checkpoints/previous.safetensors").exists());
    place.run("verify run").expect(DONE, &["finished, 1 epoch\n"]);
}

/// Whether the program hears a signal, by number, which would end it.
#[cfg(target_os = "linux")]
fn hears(child: &Child, signals: &[u32]) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    let mask = u64::from_str_radix(mask.trim(), 16).unwrap();
    signals.iter().all(|signal| mask >> (signal - 1) & 1 == 1)
}

/// SIGUSR1, SIGUSR2, SIGXCPU.
#[cfg(target_os = "linux")]
const SCHEDULERS: [u32; 3] = [10, 12, 24];

/// Starts a command that reads its recipe from the pipe `recipe`, and sends it a signal while it waits there.
#[cfg(target_os = "linux")]
fn signal_before_its_recipe(place: &Place, arguments: &str, signal: &str) -> Run {
    let pipe = place.path("recipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let child = place.start(&format!("{arguments} --config recipe"));
    child.wait_for("the start", || hears(&child, &SCHEDULERS));
    child.signal(signal);
    child.wait_for("the answer", || child.stderr().contains(&format!("SIG{signal}: ")));
    std::fs::write(&pipe, place.bytes("whole/config.toml")).unwrap();
    std::fs::remove_file(&pipe).unwrap();
    child.finish()
}

#[cfg(target_os = "linux")]
#[test]
fn what_a_scheduler_asks_for_before_there_are_data_is_remembered() {
    let place = Place::with_mnist();
    let training = long(1);
    place.run(&format!("train {training} --out whole")).expect(DONE, &[]);
    for (signal, flags) in [("USR2", ""), ("XCPU", ""), ("USR1", " --stop-on USR1")] {
        let run = signal_before_its_recipe(&place, &format!("train --out run{flags}"), signal);
        run.expect(INTERRUPTED, &["stopping at the next batch", "--resume run"]);
        assert_eq!(place.json("run/manifest.json")["status"], "interrupted");
        place.run("train --resume run").expect(DONE, &["resuming at epoch 1"]);
        place.expect_same("run", "whole");
        std::fs::remove_dir_all(place.path("run")).unwrap();
    }
    let run = signal_before_its_recipe(&place, "train --out run", "USR1");
    run.expect(DONE, &["saving a checkpoint at the next step and training on"]);
    assert!(place.path("run/checkpoints/previous.safetensors").exists(), "nothing was saved");
    assert!(!place.path("whole/checkpoints/previous.safetensors").exists());
    place.expect_same("run", "whole");
    let run = signal_before_its_recipe(&place, "find-rate --steps 20 --out rate", "USR1");
    run.expect(DONE, &["going on, there is nothing to save", "tried"]);
}

#[cfg(target_os = "linux")]
#[test]
fn no_command_that_trains_is_ended_by_what_asks_for_a_checkpoint() {
    let place = Place::new();
    // Each takes many seconds, of which it is given the first, or comes to its end.
    for arguments in [
        "compare-regularizers digits --out arms",
        "experiment disturb-value --preset paper --out values",
        "bench --models mlp --out bench.json",
    ] {
        let child = place.start(arguments);
        child.wait_for("the start", || hears(&child, &SCHEDULERS));
        child.signal("USR1");
        child.wait_for("the answer", || child.stderr().contains("SIGUSR1: "));
        let is_well = child.ended().is_none_or(|status| status.code() == Some(DONE));
        assert!(is_well, "{arguments}: {}", child.stderr());
    }
}

#[test]
fn a_signal_that_stops_in_any_case_is_refused_with_the_one_that_does_not() {
    let place = Place::new();
    for signal in ["TERM", "SIGUSR2", "10"] {
        let run = place.run(&format!("train digits --stop-on {signal} --out run"));
        run.refuse(USAGE, &["--stop-on", signal, "USR1"]);
    }
    place.expect_empty();
}
