//! Checkpoints: how often, what a damaged one leaves, whose they are, and one process at a time.

use std::fs;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use crate::place::*;

const LATEST: &str = "run/checkpoints/latest.safetensors";
const PREVIOUS: &str = "run/checkpoints/previous.safetensors";

/// A checkpoint with the checksum of what it holds, after a change.
pub(crate) fn sealed(mut checkpoint: Vec<u8>) -> Vec<u8> {
    let key = br#"\"sha256\":\""#;
    let found = checkpoint.windows(key.len()).position(|window| window == key);
    let place = found.expect("its header has a checksum") + key.len();
    checkpoint[place..place + 64].fill(b'0');
    let sum: String =
        Sha256::digest(&checkpoint).iter().map(|byte| format!("{byte:02x}")).collect();
    checkpoint[place..place + 64].copy_from_slice(sum.as_bytes());
    checkpoint
}

/// Three epochs of 30 steps.
const THREE: &str = "mnist --data-dir data --train-size 120 --valid-size 20 --epochs 3 --model mlp \
    --hidden 16 --batch-size 2 --accumulate 2 --batch-norm on --learning-rate 0.001 --augment \
    crop=2 --dropout 0.2 --threads 1";

/// A run that was interrupted after some epochs, and the same run without an interruption.
#[cfg(unix)]
fn interrupted() -> Place {
    let place = Place::with_mnist();
    let long = long(12);
    place.run(&format!("train {long} --out whole")).expect(DONE, &[]);
    let has_two = || place.path(PREVIOUS).exists();
    let run = place.stop("INT", &format!("train {long} --out run"), "run", has_two);
    run.expect(INTERRUPTED, &[]);
    place
}

#[test]
fn checkpoints_inside_epochs_change_no_bit_of_the_result() {
    let place = Place::with_mnist();
    place.run(&format!("train {THREE} --out whole")).expect(DONE, &[]);
    for (every, name) in [("1", "steps"), ("7steps", "more"), ("0.01s", "time")] {
        place
            .run(&format!("train {THREE} --checkpoint-every {every} --out {name}"))
            .expect(DONE, &[]);
        place.expect_same(name, "whole");
        assert_eq!(place.bytes(&format!("{name}/config.toml")), place.bytes("whole/config.toml"));
    }
    let every = |run: &str| place.json(&format!("{run}/manifest.json"))["checkpoint_every"].clone();
    assert_eq!(every("more"), "7steps");
    assert!(every("whole").is_null());
    place.expect_no_temporary_files();
}

#[test]
fn how_often_is_refused_if_it_is_neither_steps_nor_a_time() {
    let place = Place::new();
    for wrong in ["0", "0s", "soon", "1.5"] {
        let run = place.run(&format!("train digits --checkpoint-every {wrong}"));
        run.refuse(USAGE, &["--checkpoint-every", "500steps", wrong]);
    }
    place.expect_empty();
}

#[cfg(unix)]
#[test]
fn a_run_killed_within_its_first_epoch_goes_on_from_there_as_it_was_started() {
    let place = Place::with_mnist();
    place.run(&format!("train {ONE_EPOCH} --out whole")).expect(DONE, &[]);
    in_time(|| {
        let child = place.start(&format!("train {ONE_EPOCH} --checkpoint-every 3 --out run"));
        child.wait_for("two checkpoints", || place.path(PREVIOUS).exists());
        child.signal("KILL");
        let killed = place.if_stopped(child.finish(), "run")?;
        assert_eq!(killed.code, None, "{killed:?}");
        // The epoch may be over, and all but the scores be there.
        let is_inside = !place.path("run/metrics.jsonl").exists();
        if !is_inside {
            fs::remove_dir_all(place.path("run")).unwrap();
        }
        is_inside.then_some(())
    });
    place.run("train --resume run").expect(DONE, &["resuming at epoch 1, after"]);
    place.expect_same("run", "whole");
    assert_eq!(place.json("run/manifest.json")["checkpoint_every"], "3steps");
}

#[cfg(unix)]
#[test]
fn a_damaged_newest_checkpoint_falls_back_to_the_one_before() {
    let place = interrupted();
    let before = place.path("before");
    copy(&place.path("run"), &before);
    let whole = place.bytes(LATEST);
    let flipped = |byte: usize| {
        let mut bytes = whole.clone();
        bytes[byte] ^= 0x10;
        Some(bytes)
    };
    // Whole, but the optimizer keeps nothing of that name.
    let mut unfit = whole.clone();
    let name = b"/square\"";
    let place_of_name = unfit.windows(name.len()).position(|window| window == name).unwrap();
    unfit[place_of_name + 1..place_of_name + 7].copy_from_slice(b"circle");
    for (damaged, reason) in [
        (Some(sealed(unfit)), "/circle` is no state that the optimizer keeps"),
        (None, "the file is missing"),
        (Some(Vec::new()), "safetensors"),
        (Some(whole[..whole.len() / 2].to_vec()), "safetensors"),
        (Some(vec![0; whole.len()]), "safetensors"),
        (flipped(3), "safetensors"),
        (flipped(whole.len() / 2), "SHA-256"),
        (flipped(whole.len() - 1), "SHA-256"),
    ] {
        fs::remove_dir_all(place.path("run")).unwrap();
        copy(&before, &place.path("run"));
        match damaged {
            Some(bytes) => fs::write(place.path(LATEST), bytes).unwrap(),
            None => fs::remove_file(place.path(LATEST)).unwrap(),
        }
        place.run("verify run").expect(ERROR, &["resumes from the one before it"]);
        let run = place.run("train --resume run");
        run.expect(DONE, &["warning: run/checkpoints/latest.safetensors: ", reason]);
        run.mention(&["resuming from the one before it, run/checkpoints/previous.safetensors"]);
        place.expect_same("run", "whole");
    }
}

#[cfg(unix)]
#[test]
fn a_checkpoint_that_cannot_be_read_is_not_replaced() {
    let place = interrupted();
    let previous = place.bytes(PREVIOUS);
    // As for a disk that fails for a moment: there is something, but not to be read.
    fs::remove_file(place.path(LATEST)).unwrap();
    fs::create_dir(place.path(LATEST)).unwrap();
    place.run("train --resume run").refuse(ERROR, &["cannot read", LATEST, "try again"]);
    assert!(place.path(LATEST).is_dir());
    assert_eq!(place.bytes(PREVIOUS), previous);
}

#[cfg(unix)]
#[test]
fn two_damaged_checkpoints_are_refused_and_none_means_from_the_start() {
    let place = interrupted();
    let config = place.text("run/config.toml");
    for file in [LATEST, PREVIOUS] {
        let mut bytes = place.bytes(file);
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(place.path(file), bytes).unwrap();
    }
    let refused = place.run("train --resume run");
    refused.refuse(ERROR, &[LATEST, PREVIOUS, "SHA-256", "--config run/config.toml"]);
    assert_eq!(place.json("run/manifest.json")["status"], "interrupted");

    fs::remove_dir_all(place.path("run/checkpoints")).unwrap();
    assert_eq!(place.text("run/config.toml"), config);
    copy(&place.path("run"), &place.path("other"));
    place.run("train --resume run").expect(DONE, &["note: ", "the file is missing", "begins anew"]);
    place.expect_same("run", "whole");
    assert!(place.json("run/manifest.json").get("resumed").is_none());
    // Nothing binds it to its recipe any more, and it says what it was made by.
    fs::write(place.path("other/config.toml"), config.replace("seed = 1", "seed = 2")).unwrap();
    fs::create_dir_all(place.path("other/figures")).unwrap();
    fs::write(place.path("other/figures/of-the-other-seed.svg"), "").unwrap();
    place.run("train --resume other").expect(DONE, &["begins anew", "seed 2"]);
    let manifest = place.json("other/manifest.json");
    assert_eq!(manifest["seed"], 2);
    assert!(!place.path("other/figures/of-the-other-seed.svg").exists());
    assert_eq!(
        manifest["command"],
        serde_json::json!(["backburn", "train", "--config", "other/config.toml"])
    );
}

#[cfg(unix)]
#[test]
fn a_checkpoint_belongs_to_what_determines_the_weights() {
    let place = interrupted();
    let config = place.text("run/config.toml");
    for (old, new, parts) in [
        ("hidden = [32]", "hidden = [16]", ["`model.hidden` was [32], is [16]"]),
        ("learning_rate = 0.001", "learning_rate = 0.002", ["`learning_rate` was 0.001, is 0.002"]),
        ("seed = 1", "seed = 2", ["`seed` was 1, is 2"]),
    ] {
        let edited = config.replace(old, new);
        assert_ne!(edited, config, "{old}");
        fs::write(place.path("run/config.toml"), edited).unwrap();
        let refused = place.run("train --resume run");
        refused.refuse(ERROR, &["latest.safetensors", "another recipe", "run/config.toml"]);
        refused.mention(&parts);
    }
    // Where the data lie and how many threads compute changes nothing.
    fs::write(place.path("run/config.toml"), config).unwrap();
    fs::rename(place.path("data"), place.path("moved")).unwrap();
    let run = place.run("train --resume run --data-dir moved --threads 2");
    run.expect(DONE, &["resuming at", ", 2 threads"]);
    place.expect_same("run", "whole");
    let manifest = place.json("run/manifest.json");
    let resumed = manifest["resumed"].as_array().unwrap();
    assert_eq!((resumed.len(), &resumed[0]["threads"]), (1, &2.into()));
    assert_eq!(resumed[0]["git_commit"], manifest["git_commit"]);
    let page = place.text("run/report.html");
    assert!(page.contains(resumed[0]["at"].as_str().unwrap()));
}

#[cfg(unix)]
#[test]
fn a_second_process_on_a_run_folder_is_refused() {
    let place = Place::with_mnist();
    place.run(&format!("train {THREE} --out run")).expect(DONE, &[]);
    let child = place.start(&format!("train {} --out busy", long(9999)));
    let latest = place.path("busy/checkpoints/latest.safetensors");
    child.wait_for("the first epoch", || latest.exists());
    let before = place.bytes("busy/config.toml");
    for command in ["train --resume busy", "evaluate busy --split test"] {
        place.run(command).refuse(ERROR, &["another process is at work on busy"]);
    }
    assert_eq!(place.bytes("busy/config.toml"), before);
    child.signal("KILL");
    assert_eq!(child.finish().code, None);
    // The lock went with the process.
    let child = place.start("train --resume busy");
    child.wait_for("going on", || child.stderr().contains("resuming at epoch"));
    child.signal("INT");
    assert_eq!(child.finish().code, Some(INTERRUPTED));
    // Who reads only needs no lock.
    let _lock = fs::File::open(place.path("run/lock")).unwrap();
    _lock.lock().unwrap();
    place.run("evaluate run").expect(DONE, &[]);
    place.run("evaluate run --split test").refuse(ERROR, &["another process"]);
    assert_eq!(place.json("run/manifest.json")["test_reads"].as_array().unwrap().len(), 1);
}

#[test]
fn a_run_killed_before_its_manifest_was_written_can_be_resumed() {
    let place = Place::with_mnist();
    place.run(&format!("train {THREE} --out whole")).expect(DONE, &[]);
    fs::create_dir_all(place.path("run/checkpoints")).unwrap();
    fs::write(place.path("run/lock"), "").unwrap();
    fs::copy(place.path("whole/config.toml"), place.path("run/config.toml")).unwrap();
    fs::write(place.path("run/.backburn-x1.tmp"), "{").unwrap();
    place.run("train --resume run").expect(DONE, &[]);
    place.expect_same("run", "whole");
    place.expect_no_temporary_files();
    // Not if something else was written, and is lost now.
    fs::remove_file(place.path("run/manifest.json")).unwrap();
    let refused = place.run("train --resume run");
    refused.refuse(ERROR, &["run/manifest.json: the file is missing", "--config run/config.toml"]);
}

/// Copies a folder with the folders in it.
fn copy(from: &PathBuf, to: &PathBuf) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(path, to).unwrap();
        }
    }
}
