//! The sources' experiments by name: what they print and leave behind, and what is refused.

use std::fs;

use crate::place::*;

const FILES: [&str; 2] = ["result.json", "report.html"];

#[test]
fn the_list_names_every_experiment_of_the_sources() {
    let place = Place::new();
    let run = place.run("experiment --list");
    run.expect(DONE, &["compare-optimizers\n", "003 §6.1", "The sources are Korean study posts"]);
    let entries = run.stdout.lines().take_while(|line| !line.is_empty());
    let names = entries.filter(|line| !line.starts_with(' ')).count();
    assert_eq!(names, 20, "{}", run.stdout);
}

#[test]
fn an_experiment_leaves_numbers_figures_and_a_page() {
    let place = Place::new();
    let run = place.run("experiment optimizer-paths --out paths");
    run.expect(DONE, &["page: paths/report.html"]);
    assert!(run.stdout.lines().all(|line| line.chars().count() <= 80), "{run:?}");
    for file in FILES {
        assert!(place.path("paths").join(file).metadata().unwrap().len() > 500, "{file}");
    }
    let result = place.json("paths/result.json");
    assert_eq!(result["name"], "optimizer-paths");
    assert_eq!(result["provenance"]["preset"], "quick");
    let figures = result["figures"].as_array().unwrap();
    assert!(!figures.is_empty());
    for figure in figures {
        let name = figure["name"].as_str().unwrap();
        for extension in ["svg", "png"] {
            assert!(place.path(&format!("paths/figures/{name}.{extension}")).exists(), "{name}");
        }
    }
    let page = fs::read_to_string(place.path("paths/report.html")).unwrap();
    assert!(page.contains(result["sentence"].as_str().unwrap().split(' ').next().unwrap()));
    place.expect_no_temporary_files();
}

#[test]
fn the_same_experiment_gives_the_same_numbers_for_any_number_of_threads() {
    let place = Place::new();
    let sentence = |threads: &str, out: &str| {
        let command = format!(
            "experiment weight-decay --preset smoke --dataset digits --threads {threads} --out {out}"
        );
        place.run(&command).expect(DONE, &[]);
        let mut result = place.json(&format!("{out}/result.json"));
        // When, how long and with how many threads is no result.
        result.as_object_mut().unwrap().remove("provenance");
        result
    };
    assert_eq!(sentence("1", "one"), sentence("2", "two"));
}

#[test]
fn what_cannot_be_is_refused_with_what_can() {
    let place = Place::new();
    let refusals: [(&str, &[&str]); 7] = [
        ("experiment", &["<NAME>"]),
        ("experiment wieght-decay", &["unknown experiment `wieght-decay`", "`weight-decay`?"]),
        ("experiment compare-optimizers --seeds 0", &["--seeds", "1 to 1000"]),
        ("experiment compare-optimizers --dataset cifar10", &["--dataset", "mnist", "digits"]),
        ("experiment optimizer-paths --dataset mnist", &["--dataset", "no data set"]),
        ("experiment all --dataset digits", &["--dataset", "one experiment"]),
        ("experiment optimizer-paths --markdown x.md", &["--markdown", "all"]),
    ];
    for (command, words) in refusals {
        place.run(command).refuse(USAGE, words);
    }
    let missing = place.run("compare-optimizers --data-dir nowhere");
    missing.refuse(ERROR, &["mnist", "nowhere"]);
    assert!(!place.path("runs").exists(), "a refused experiment leaves nothing behind");
}
