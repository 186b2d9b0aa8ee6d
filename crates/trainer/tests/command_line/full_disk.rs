//! A disk that is full, a folder that cannot be written to, a file that may not grow.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use crate::place::*;

/// A file system of a megabyte and a half in memory; gone when dropped.
struct SmallDisk {
    path: PathBuf,
}

impl SmallDisk {
    /// `None`, said past the test's captured output, where this user may not mount one.
    fn mount(place: &Place) -> Option<Self> {
        let path = place.path("disk");
        fs::create_dir(&path).unwrap();
        let mount = |arguments: &[&str]| {
            Command::new("mount")
                .args(arguments)
                .arg(&path)
                .output()
                .is_ok_and(|it| it.status.success())
        };
        if mount(&["-t", "tmpfs", "-o", "size=1536k", "none"]) {
            return Some(Self { path });
        }
        let mut stderr = std::io::stderr();
        let _ = writeln!(
            stderr,
            "skipped: a full disk is tested by root only, who may mount a small one"
        );
        None
    }

    fn remount(&self, how: &str) {
        let how = format!("remount,{how}");
        let status = Command::new("mount").args(["-o", &how]).arg(&self.path).status();
        assert!(status.unwrap().success(), "cannot {how}");
    }

    fn filler(&self) -> PathBuf {
        self.path.join("filler")
    }

    /// Fills what is left.
    fn fill(&self) {
        let mut file =
            fs::OpenOptions::new().create(true).append(true).open(self.filler()).unwrap();
        for size in [4096, 1] {
            while file.write_all(&vec![7; size]).is_ok() {}
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}

const PREVIOUS: &str = "disk/run/checkpoints/previous.safetensors";

/// Checkpoints of some 100 kB.
fn training(out: &str) -> String {
    let long = long(30).replace("--hidden 32", "--hidden 8");
    format!("train {long} --out {out}")
}

#[cfg(unix)]
#[test]
fn a_run_that_fills_the_disk_goes_on_once_there_is_room() {
    let place = Place::with_mnist();
    let Some(disk) = SmallDisk::mount(&place) else { return };
    place.run(&training("whole")).expect(DONE, &[]);
    let run = in_time(|| {
        let child = place.start(&training("disk/run"));
        child.wait_for("two checkpoints", || place.path(PREVIOUS).exists());
        let _ = child.reaches("the disk's end", || {
            // What the run lets go of in between is taken too.
            disk.fill();
            child.stderr().contains("No space left")
        });
        let run = place.if_stopped(child.finish(), "disk/run");
        if run.is_none() {
            fs::remove_file(disk.filler()).unwrap();
        }
        run
    });
    assert_eq!(run.code, Some(ERROR), "{run:?}");
    run.mention(&["cannot write disk/run/", "disk space and permissions", "--resume"]);
    let error = run.stderr.lines().find(|line| line.starts_with("error: ")).unwrap();
    assert!(!error.contains("tmp"), "it names a temporary file: {error}");
    let status = place.json("disk/run/manifest.json")["status"].clone();
    assert!(status == "failed" || status == "running", "{status}");
    place.expect_no_temporary_files();
    expect_whole_rows(&place, "disk/run");
    // Still no disk space: nothing is lost by trying.
    let full = place.run("train --resume disk/run");
    full.refuse_to_write();
    fs::remove_file(disk.filler()).unwrap();
    let resumed = place.run("train --resume disk/run");
    resumed.expect(DONE, &["resuming at epoch"]);
    place.expect_same("disk/run", "whole");
    place.run("verify disk/run").expect(DONE, &[]);
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written_to_is_named_and_stays_as_it_is() {
    let place = Place::with_mnist();
    let Some(disk) = SmallDisk::mount(&place) else { return };
    place.run(&training("whole")).expect(DONE, &[]);
    let has_two = || place.path(PREVIOUS).exists();
    place.stop("INT", &training("disk/run"), "disk/run", has_two).expect(INTERRUPTED, &[]);
    disk.remount("ro");
    let refused = place.run("train --resume disk/run");
    refused.refuse(ERROR, &["cannot write disk/run/lock", "Read-only", "permissions"]);
    place.run("train digits --out disk/new").refuse(ERROR, &["cannot write disk/new", "Read-only"]);
    place.run("verify disk/run").expect(DONE, &["interrupted"]);
    disk.remount("rw");
    place.run("train --resume disk/run").expect(DONE, &["resuming at epoch"]);
    place.expect_same("disk/run", "whole");
}

#[cfg(unix)]
#[test]
fn a_checkpoint_that_may_not_grow_so_large_leaves_a_run_that_resumes() {
    let place = Place::with_mnist();
    place.run(&training("whole")).expect(DONE, &[]);
    let binary = env!("CARGO_BIN_EXE_backburn");
    // Blocks of 512 bytes or 1024, by shell. The signal for it would end the program.
    let limited = format!("trap '' XFSZ; ulimit -f 40; exec {binary} {}", training("run"));
    let mut command = Command::new("sh");
    command.args(["-c", &limited]).current_dir(place.path("."));
    let run = finish(&mut command);
    run.refuse_to_write();
    run.mention(&["run/checkpoints/latest.safetensors", "large"]);
    assert_eq!(place.json("run/manifest.json")["status"], "failed");
    place.expect_no_temporary_files();
    place.run("train --resume run").expect(DONE, &[]);
    place.expect_same("run", "whole");
}

/// Checks that `losses.csv` ends with a whole row, and agrees with the rest.
fn expect_whole_rows(place: &Place, run: &str) {
    assert!(place.text(&format!("{run}/losses.csv")).ends_with('\n'), "a row is not whole");
    place.run(&format!("verify {run}")).expect(DONE, &["losses.csv "]);
}

#[cfg(unix)]
#[test]
fn losses_for_which_there_is_no_more_space_are_written_as_far_as_they_fit() {
    let place = Place::with_mnist();
    // Checkpoints of some 35 kB; every epoch has 180 rows of some 20 bytes.
    let long = "train mnist --data-dir data --train-size 180 --valid-size 20 --epochs 40 --model \
        mlp --hidden none --batch-size 1 --optimizer sgd --keep last --learning-rate 0.001 \
        --dropout 0 --threads 1";
    place.run(&format!("{long} --out whole")).expect(DONE, &[]);
    let binary = env!("CARGO_BIN_EXE_backburn");
    let limited = format!("trap '' XFSZ; ulimit -f 100; exec {binary} {long} --out run");
    let mut command = Command::new("sh");
    command.args(["-c", &limited]).current_dir(place.path("."));
    let run = finish(&mut command);
    run.refuse_to_write();
    run.mention(&["run/losses.csv"]);
    let (losses, all) = (place.bytes("run/losses.csv"), place.bytes("whole/losses.csv"));
    assert!(all.starts_with(&losses));
    let row = all[losses.len()..].iter().position(|&byte| byte == b'\n').unwrap() + 1;
    // 100 blocks of 512 or 1024 bytes.
    let left = [51_200, 102_400].map(|most: usize| most.checked_sub(losses.len()));
    assert!(left.iter().flatten().any(|&left| left < row), "{left:?} bytes are left");
    assert_eq!(place.json("run/manifest.json")["status"], "failed");
    expect_whole_rows(&place, "run");
    place.run("train --resume run").expect(DONE, &["resuming at epoch"]);
    place.expect_same("run", "whole");
}

impl Run {
    fn refuse_to_write(&self) {
        assert_eq!(self.code, Some(ERROR), "{self:?}");
        self.mention(&["error: cannot write ", "disk space and permissions"]);
    }
}
