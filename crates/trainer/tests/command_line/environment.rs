//! Environment variables: what cannot be is refused, what does nothing is said.

use std::fs;

use crate::place::*;

/// Runs the program with a variable.
fn run_with(place: &Place, name: &str, value: &str, arguments: &str) -> Run {
    finish(place.command(arguments.split(' ')).env(name, value))
}

#[test]
fn vectors_that_do_not_exist_are_refused_by_every_verb_but_help() {
    let place = Place::new();
    for arguments in ["train digits --out run", "data list", "verify run", "bench"] {
        let run = run_with(&place, "BACKBURN_SIMD", "sse2", arguments);
        run.refuse(USAGE, &["BACKBURN_SIMD", "expected portable, avx2, avx512", "`sse2`"]);
    }
    place.expect_empty();
    run_with(&place, "BACKBURN_SIMD", "sse2", "--help").expect(DONE, &["portable|avx2|avx512"]);
    for value in ["", "portable"] {
        let run = run_with(&place, "BACKBURN_SIMD", value, "experiment --list");
        run.expect(DONE, &[]);
        assert!(run.stderr.is_empty(), "{run:?}");
    }
    // Of a processor that has less, a note is said.
    let run = run_with(&place, "BACKBURN_SIMD", "avx512", "experiment --list");
    run.expect(DONE, &[]);
    assert!(run.stderr.is_empty() || run.stderr.contains("note: BACKBURN_SIMD=avx512"), "{run:?}");
}

#[test]
fn a_variable_with_a_slip_in_its_name_is_noted() {
    let place = Place::new();
    // In two pieces: every whole name in the sources is one that exists.
    let name = ["BACKBURN", "_DATE"].concat();
    let run = run_with(&place, &name, "x", "experiment --list");
    run.expect(DONE, &["note: ", "_DATE is no variable of this program; known: BACKBURN_DATA"]);
    for known in ["BACKBURN_KILL_SEED", "BACKBURN_EPOCHS", "BACKBURN_FEW_CASES"] {
        let run = run_with(&place, known, "1", "experiment --list");
        assert!(run.stderr.is_empty(), "{run:?}");
    }
}

#[test]
fn a_data_folder_is_looked_at_if_there_is_one_and_missed_by_name_if_not() {
    let place = Place::with_mnist();
    let train = format!("train mnist {TINY} --out");
    // Against the folder that the program runs in, as all paths are.
    let run = run_with(&place, "BACKBURN_DATA", "data", &format!("{train} relative"));
    run.expect(DONE, &[]);
    assert!(!run.stderr.contains("BACKBURN_DATA"), "{run:?}");
    fs::rename(place.path("data"), place.path("datasets")).unwrap();
    fs::write(place.path("file"), "").unwrap();
    for (value, reason) in [("nowhere", "no such folder"), ("file", "not a folder")] {
        let run = run_with(&place, "BACKBURN_DATA", value, &format!("{train} {value}-run"));
        run.expect(DONE, &[&format!("BACKBURN_DATA={value} ({reason})")]);
        place.expect_same("relative", &format!("{value}-run"));
    }
    let run = run_with(&place, "BACKBURN_DATA", "", &format!("{train} empty"));
    run.expect(DONE, &[]);
    assert!(!run.stderr.contains("BACKBURN_DATA"), "{run:?}");
    // Where it may be made, its absence is none of a mistake.
    let run = run_with(&place, "BACKBURN_DATA", "nowhere", "data list");
    run.expect(DONE, &[]);
    assert!(!run.stderr.contains("note: nothing can be"), "{run:?}");
}

#[test]
fn help_lists_every_variable() {
    let place = Place::new();
    for arguments in ["--help", "train --help"] {
        let run = place.run(arguments);
        run.expect(DONE, &["Environment:", "BACKBURN_DATA=FOLDER", "BACKBURN_SIMD=portable|avx2"]);
    }
    place.run("train --help").expect(DONE, &["Signals:", "SIGUSR2, SIGXCPU", "--stop-on <SIGNAL>"]);
}
