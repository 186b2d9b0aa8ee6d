//! Nobody reads what is printed.

use std::fs;
use std::process::Stdio;

use crate::place::*;

#[cfg(target_os = "linux")]
#[test]
fn a_training_whose_output_nobody_takes_goes_on_to_its_end() {
    let place = Place::with_mnist();
    let train = format!("train mnist --data-dir data {TINY} --out run");
    for json in ["", " --json"] {
        let full = || fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = place.command(format!("{train}{json}").split(' '));
        let status = command.stdout(full()).stderr(full()).status().unwrap();
        assert_eq!(status.code(), Some(DONE));
        assert_eq!(place.json("run/manifest.json")["status"], "finished");
        fs::remove_dir_all(place.path("run")).unwrap();
    }
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let status = place.command(["train", "minst"]).stderr(full).status().unwrap();
    assert_eq!(status.code(), Some(USAGE));
}

#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_is_no_error() {
    let place = Place::with_mnist();
    for arguments in ["data list --data-dir .", "--help", "train --help"] {
        let mut command = place.command(arguments.split(' '));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop((child.stdout.take(), child.stderr.take()));
        assert_eq!(child.wait().unwrap().code(), Some(DONE), "{arguments}");
    }
}
