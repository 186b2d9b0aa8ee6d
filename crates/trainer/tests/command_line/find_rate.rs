//! The range test of the learning rate.

use serde_json::Value;

use crate::place::*;

/// A range test of a few seconds.
const TEST: &str = "digits --valid-size 64 --model mlp --hidden 32 --batch-size 32 --optimizer \
    adam --augment crop=2 --dropout 0.2";

fn numbers(record: &Value, name: &str) -> Vec<f64> {
    record[name].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

#[test]
fn the_rate_that_is_found_lies_within_the_range_and_trains() {
    let place = Place::new();
    let run = place.run(&format!("find-rate {TEST} --train-size 640 --threads 1 --out found"));
    run.expect(DONE, &["640 training images", "recommended: --learning-rate", "found/curve.png"]);
    assert!(run.stdout.lines().all(|line| line.chars().count() < 80), "{}", run.stdout);
    let mut names = place.names("found");
    names.sort();
    assert_eq!(names, ["curve.png", "curve.svg", "find-rate.json"]);
    assert!(place.text("found/curve.svg").contains("learning rate (per step, log scale)"));

    let record = place.json("found/find-rate.json");
    expect_keys(
        &record,
        "backburn_version origin seed recipe range smoothing suggestions recommended no_suggestion \
         end rates losses smoothed",
    );
    let rates = numbers(&record, "rates");
    assert!(rates.windows(2).all(|pair| pair[0] < pair[1]), "{rates:?}");
    assert_eq!(record["end"], "rose", "{record}");
    assert!(rates.len() < 100 && (rates[0] / 1e-7 - 1.0).abs() < 1e-9, "{rates:?}");
    for series in ["losses", "smoothed"] {
        assert_eq!(numbers(&record, series).len(), rates.len());
    }
    for name in ["steepest", "lowest", "tenth_of_lowest"] {
        let rate = record["suggestions"][name].as_f64().unwrap();
        assert!(rates[0] < rate && rate < rates[rates.len() - 1], "{name}: {rate:e}");
    }

    let rate = record["recommended"].as_f64().unwrap();
    let train = format!(
        "train {TEST} --train-size 640 --threads 1 --epochs 20 --learning-rate {rate:e} --out run"
    );
    place.run(&train).expect(DONE, &["test accuracy"]);
    let accuracy = place.json("run/summary.json")["train_accuracy"].as_f64().unwrap();
    assert!(accuracy > 0.8, "{accuracy} with {rate:e}");
}

#[test]
fn the_same_seed_finds_the_same_for_any_number_of_threads_and_prints_it_as_json() {
    let place = Place::new();
    // Several epochs, and two batches a step.
    let test = format!("find-rate {TEST} --train-size 100 --accumulate 2 --steps 40 --json");
    let found = |rest: &str| {
        let run = place.run(&format!("{test} {rest}"));
        run.expect(DONE, &[]);
        let mut found: Value = serde_json::from_str(&run.stdout).unwrap();
        // Where it lies, and what asked for it, is each test's own.
        assert!(found["origin"]["folder"].take().is_string());
        assert!(found["origin"]["command"].take().is_array());
        found
    };
    let one = found("--threads 1");
    assert_eq!(found("--threads 2"), one);
    assert_ne!(found("--threads 1 --seed 2")["losses"], one["losses"]);
    let folders = place.names("runs");
    assert_eq!(folders.len(), 3);
    assert!(folders.iter().all(|name| name.contains("-find-rate-digits-mlp")), "{folders:?}");
    assert!(
        folders
            .iter()
            .any(|name| place.json(&format!("runs/{name}/find-rate.json"))["losses"]
                == one["losses"])
    );
}

#[test]
fn a_range_in_which_nothing_happens_gives_no_suggestion() {
    let place = Place::new();
    let run = place.run(&format!("find-rate {TEST} --threads 1 --to 1e-6 --steps 20 --out found"));
    run.expect(DONE, &["no suggestion can be made", "--from", "--to"]);
    let record = place.json("found/find-rate.json");
    assert!(record["suggestions"].is_null() && record["recommended"].is_null());
    assert!(record["no_suggestion"].as_str().unwrap().contains("never fell"));
}

#[test]
fn what_cannot_be_is_refused_and_leaves_nothing_behind() {
    let place = Place::new();
    let cases: [(&str, &[&str]); 9] = [
        ("find-rate", &["which data set?", "digits"]),
        ("find-rate minst", &["unknown data set `minst`"]),
        ("find-rate digits --from 0", &["--from", "positive", "found 0"]),
        ("find-rate digits --from -1", &["--from", "positive", "found -1"]),
        ("find-rate digits --from 1 --to 0.1", &["--to", "more than `--from` (1e0)", "1e-1"]),
        ("find-rate digits --to inf", &["--to", "found inf"]),
        ("find-rate digits --steps 5", &["--steps", "at least 20", "found 5"]),
        ("find-rate digits --batch-size 0", &["`--batch-size`", "at least 1"]),
        ("find-rate --resume run", &["find-rate", "--config RUN/config.toml"]),
    ];
    for (arguments, parts) in cases {
        place.run(arguments).refuse(USAGE, parts);
    }
    place.expect_empty();
    std::fs::create_dir(place.path("full")).unwrap();
    std::fs::write(place.path("full/thesis.tex"), "x").unwrap();
    place.run("find-rate digits --out full").refuse(USAGE, &["full is not empty", "--out"]);
    assert_eq!(place.names("full"), ["thesis.tex"]);
}

#[cfg(unix)]
#[test]
fn an_interrupted_test_leaves_nothing_behind() {
    let place = Place::new();
    let test = format!("find-rate {TEST} --steps 1000000");
    for out in ["", " --out found"] {
        let child = place.start(&format!("{test}{out}"));
        child.wait_for("the first step", || child.stderr().contains("1000000 steps"));
        child.signal("INT");
        let run = child.finish();
        assert_eq!(run.code, Some(INTERRUPTED), "{run:?}");
        assert!(run.stdout.is_empty(), "{}", run.stdout);
    }
    place.expect_empty();
}
