//! Many trainings that differ in one thing: every run is there, traceable, and trained once.

use std::fs;
use std::time::SystemTime;

use serde_json::Value;

use crate::place::*;

/// A comparison of a few seconds.
const COMPARE: &str = "compare-regularizers digits --only dropout --train-size 60 --epochs 1 \
    --seeds 2 --threads 1 --out all";
const RUNS: [&str; 4] = ["none/seed-1", "dropout/seed-1", "none/seed-2", "dropout/seed-2"];

fn written(place: &Place, run: &str) -> SystemTime {
    let file = place.path(&format!("all/{run}/model.safetensors"));
    file.metadata().and_then(|data| data.modified()).unwrap()
}

#[test]
fn an_arm_that_does_not_go_with_the_data_is_left_out_with_the_reason() {
    let place = Place::new();
    // Four steps, of which Lookahead would look after five.
    let run = place.run(
        "compare-regularizers digits --model mlp --train-size 200 --epochs 1 \
        --seeds 1 --only dropout,lookahead --threads 1 --out runs",
    );
    run.expect(DONE, &["lookahead", "left out", "at most the 4 steps of the run"]);
}

#[test]
fn a_comparison_leaves_whole_runs_a_page_and_goes_on_where_one_is_missing() {
    let place = Place::new();
    let run = place.run(COMPARE);
    run.expect(
        DONE,
        &["none ", "dropout ", "4/4 dropout", "against none", "page: all/report.html"],
    );
    let lines = || run.stdout.lines().chain(run.stderr.lines());
    assert!(lines().all(|line| line.chars().count() <= 80), "{run:?}");
    assert!(!run.stderr.contains("objective"), "a line a run, not one an epoch: {}", run.stderr);
    for run in RUNS {
        for file in RUN_FILES {
            assert!(place.path(&format!("all/{run}/{file}")).exists(), "{run}/{file}");
        }
        let manifest = place.json(&format!("all/{run}/manifest.json"));
        assert_eq!(manifest["status"], "finished");
        assert_eq!(manifest["test_reads"].as_array().unwrap().len(), 1);
        assert_eq!(manifest["command"][1], "compare-regularizers");
    }
    for file in [
        "comparison.json",
        "comparison.svg",
        "comparison.png",
        "forest.svg",
        "forest.png",
        "seeds.svg",
        "seeds.png",
        "table.csv",
        "table.md",
        "table.tex",
        "report.html",
    ] {
        assert!(place.path("all").join(file).metadata().unwrap().len() > 500, "{file}");
    }
    for run in RUNS {
        assert!(place.text("all/report.html").contains(&format!("href=\"{run}/report.html\"")));
    }
    place.expect_no_temporary_files();
    let comparison = place.json("all/comparison.json");

    let before = RUNS.map(|run| written(&place, run));
    fs::remove_dir_all(place.path("all/dropout/seed-2")).unwrap();
    let again = place.run(COMPARE);
    again.expect(DONE, &["4 runs in all, of which 3 are there"]);
    for (run, before) in RUNS.into_iter().zip(before).take(3) {
        assert_eq!(written(&place, run), before, "{run} was trained again");
    }
    let means = |comparison: &Value| {
        let arm = |arm: usize| comparison["arms"][arm]["scores"]["test_accuracy"].clone();
        [arm(0), arm(1)]
    };
    assert_eq!(means(&place.json("all/comparison.json")), means(&comparison));

    let other = place.run(&COMPARE.replace("--epochs 1", "--epochs 2"));
    other.refuse(USAGE, &["all holds another study", "base.toml", "--out"]);
    let inside = place.run(&COMPARE.replace("--out all", "--out all/none/seed-1"));
    inside.refuse(USAGE, &["all/none/seed-1 is the folder of a run", "--out"]);
}

#[test]
fn the_command_of_an_arm_repeats_its_run_bit_for_bit() {
    let place = Place::new();
    let json = place.run(&format!("{COMPARE} --seeds 1 --json").replace("--seeds 2 ", ""));
    json.expect(DONE, &[]);
    let comparison: Value = serde_json::from_str(&json.stdout).unwrap();
    let dropout = &comparison["arms"][1];
    assert_eq!(dropout["name"], "dropout");
    assert_eq!(dropout["runs"][0]["folder"], "dropout/seed-1");
    let words = dropout["command"].as_array().unwrap().iter().map(|word| word.as_str().unwrap());
    let words: Vec<&str> = words.collect();
    assert_eq!(words[..3], ["cargo", "xtask", "train"]);
    place.run(&format!("{} --out alone", words[2..].join(" "))).expect(DONE, &[]);
    for file in ["config.toml", "model.safetensors"] {
        let run = format!("all/dropout/seed-1/{file}");
        assert!(place.bytes(&run) == place.bytes(&format!("alone/{file}")), "{file} differs");
    }
}

#[test]
fn what_does_not_apply_to_a_model_is_said_and_not_trained() {
    let place = Place::new();
    let resnet = COMPARE.replace("--only dropout", "--only dropout,batch-norm,shift");
    let run = place.run(&format!("{resnet} --model lenet-bn --seeds 1").replace("--seeds 2 ", ""));
    run.expect(DONE, &["Left out: batch-norm:", "does not apply to the model `lenet-bn`"]);
    let mut names = place.names("all");
    // Files have endings.
    names.retain(|name| !name.contains('.'));
    names.sort();
    assert_eq!(names, ["dropout", "none", "shift"]);
}

#[test]
fn arms_are_listed_and_unknown_ones_refused_before_anything_is_written() {
    let place = Place::new();
    place.run("compare-regularizers --list").expect(DONE, &["dropout\n", "--dropout 0.5"]);
    for (arguments, parts) in [
        ("--only dropuot", &["`--only`", "dropuot", "known: none, dropout"][..]),
        ("--seeds 0", &["`--seeds`"]),
        ("--model vgg", &["unknown model `vgg`"]),
        ("--epochs 0", &["epochs"]),
    ] {
        place.run(&format!("compare-regularizers digits {arguments}")).refuse(USAGE, parts);
    }
    place.run("compare-regularizers mnits").refuse(USAGE, &["mnits"]);
    place.expect_empty();
}

#[cfg(unix)]
#[test]
fn an_interrupted_comparison_goes_on_to_the_weights_of_an_uninterrupted_one() {
    let place = Place::new();
    let long = COMPARE.replace("--epochs 1", "--epochs 6").replace("--seeds 2", "--seeds 1");
    place.run(&long.replace("--out all", "--out whole")).expect(DONE, &[]);
    let has_an_epoch = || place.path("all/none/seed-1/metrics.jsonl").exists();
    let run = place.stop("INT", &long, "all", has_an_epoch);
    run.expect(INTERRUPTED, &["resume with the same command", "--out all"]);
    // The signal may be heard in the first run, after it, or in the second.
    let status = |run: &str| {
        let manifest = place.path(&format!("all/{run}/manifest.json"));
        let manifest = manifest.exists().then(|| place.json(&format!("all/{run}/manifest.json")));
        manifest.map(|manifest| manifest["status"].as_str().unwrap().to_owned())
    };
    match (status("none/seed-1").as_deref(), status("dropout/seed-1").as_deref()) {
        (Some("interrupted"), None) | (Some("finished"), None | Some("interrupted")) => {}
        other => panic!("{other:?}"),
    }
    assert!(!place.path("all/comparison.json").exists());
    place.run(&long).expect(DONE, &["page: all/report.html"]);
    for run in ["none/seed-1", "dropout/seed-1"] {
        let weights = |folder: &str| place.bytes(&format!("{folder}/{run}/model.safetensors"));
        assert!(weights("all") == weights("whole"), "{run} differs");
    }
}
