//! Stdout that cannot be written to, and nobody who reads it.

use std::fs;
use std::process::Stdio;

use crate::place::*;

/// A device that is always full.
#[cfg(target_os = "linux")]
fn full() -> fs::File {
    fs::OpenOptions::new().write(true).open("/dev/full").unwrap()
}

#[cfg(target_os = "linux")]
impl Place {
    /// Runs the program with a full disk behind stdout.
    fn run_into_full(&self, arguments: &str) -> Run {
        finish_with_stderr(self.command(arguments.split(' ')).stdout(full()))
    }
}

/// What came of the program, whose stdout is elsewhere.
#[cfg(target_os = "linux")]
fn finish_with_stderr(command: &mut std::process::Command) -> Run {
    let output = command.stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    Run { code: output.status.code(), stdout: String::new(), stderr }
}

#[cfg(target_os = "linux")]
#[test]
fn what_cannot_be_printed_is_an_error_of_every_verb() {
    let place = Place::with_mnist();
    place.run(&format!("train mnist --data-dir data {TINY} --out run")).expect(DONE, &[]);
    let find_rate = "find-rate mnist --data-dir data --train-size 64 --valid-size 32 --model mlp \
        --hidden 8 --batch-size 16 --steps 20 --threads 1 --out rate";
    for arguments in [
        "--help",
        "--version",
        "train --help",
        "data list --data-dir .",
        "data verify mnist --data-dir data",
        "data preview digits --images 4 --out sheet.png",
        "evaluate run",
        "evaluate run --json",
        "replay run",
        "replay run --json",
        "verify run",
        "report run",
        "experiment --list",
        "compare-regularizers --list",
        find_rate,
    ] {
        let run = place.run_into_full(arguments);
        assert_eq!(run.code, Some(ERROR), "{arguments}: {run:?}");
        run.mention(&["error: cannot write to stdout: No space left on device"]);
        let last = run.stderr.trim_end().lines().last().unwrap();
        assert!(last.starts_with("error: cannot write to stdout"), "{arguments}: {last}");
        assert!(last.contains("disk space") && last.contains('>'), "no cure: {last}");
    }
    assert!(place.path("rate/find-rate.json").exists(), "the result was not written");
}

#[cfg(target_os = "linux")]
#[test]
fn a_training_whose_result_cannot_be_printed_is_whole_and_says_so_by_its_status() {
    let place = Place::with_mnist();
    let train = format!("train mnist --data-dir data {TINY} --out run");
    for json in ["", " --json"] {
        let mut command = place.command(format!("{train}{json}").split(' '));
        // Of what is said on the way nobody depends.
        let status = command.stdout(full()).stderr(full()).status().unwrap();
        assert_eq!(status.code(), Some(ERROR));
        assert_eq!(place.json("run/manifest.json")["status"], "finished");
        place.run("verify run").expect(DONE, &[]);
        fs::remove_dir_all(place.path("run")).unwrap();
    }
    let status = place.command(["train", "minst"]).stderr(full()).status().unwrap();
    assert_eq!(status.code(), Some(USAGE));
}

#[cfg(target_os = "linux")]
#[test]
fn what_a_verb_failed_at_itself_is_told_before_what_cannot_be_printed() {
    let place = Place::with_mnist();
    let run = place.run_into_full("train minst");
    run.refuse(USAGE, &["minst"]);
    place.run(&format!("train mnist --data-dir data {TINY} --out run")).expect(DONE, &[]);
    fs::remove_file(place.path("run/model.safetensors")).unwrap();
    let run = place.run_into_full("verify run");
    assert_eq!(run.code, Some(ERROR), "{run:?}");
    assert!(run.stderr.contains("model.safetensors") && !run.stderr.contains("stdout"), "{run:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn stdout_that_is_open_for_reading_only_is_an_error() {
    let place = Place::new();
    for arguments in ["--version", "experiment --list"] {
        let read_only = fs::File::open("/dev/null").unwrap();
        let run = finish_with_stderr(place.command(arguments.split(' ')).stdout(read_only));
        run.expect(ERROR, &["error: cannot write to stdout: Bad file descriptor"]);
    }
}

#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_is_no_error() {
    let place = Place::with_mnist();
    place.run(&format!("train mnist --data-dir data {TINY} --out run")).expect(DONE, &[]);
    for arguments in [
        "data list --data-dir .",
        "--help",
        "train --help",
        "evaluate run --json",
        "replay run",
        "verify run",
        "report run",
    ] {
        let mut command = place.command(arguments.split(' '));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop((child.stdout.take(), child.stderr.take()));
        assert_eq!(child.wait().unwrap().code(), Some(DONE), "{arguments}");
    }
    // A reader that takes a line and goes.
    let head = format!("'{}' train --help | head -1; exit ${{PIPESTATUS[0]}}", program());
    let shell = std::process::Command::new("bash").args(["-c", &head]).output();
    if let Ok(run) = shell {
        assert_eq!(run.status.code(), Some(DONE), "{run:?}");
        assert_eq!(run.stdout.iter().filter(|&&byte| byte == b'\n').count(), 1);
    }
}

#[cfg(unix)]
fn program() -> &'static str {
    env!("CARGO_BIN_EXE_backburn")
}
