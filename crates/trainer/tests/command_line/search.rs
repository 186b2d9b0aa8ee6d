//! Searches for settings: every trial is there, traceable, and trained once; the choice is by validation.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::place::*;

/// Trials of a fraction of a second.
const SPACE: &str = "--vary learning-rate=log:1e-4:1e-1 --vary optimizer=sgd|adam";

fn search(flags: &str) -> String {
    format!("search digits {TINY} {SPACE} --out all {flags}")
}

/// The trials of a search without what depends on the clock.
fn trials(place: &Place) -> Vec<Value> {
    place.json("all/search.json")["trials"].as_array().unwrap().clone()
}

fn expect_narrow(run: &Run) {
    let lines = || run.stdout.lines().chain(run.stderr.lines());
    let is_command = |line: &&str| line.starts_with("train it: ");
    let long = lines().filter(|line| !is_command(line)).find(|line| line.chars().count() > 80);
    assert_eq!(long, None);
}

#[test]
fn a_search_leaves_trials_a_page_and_the_command_of_its_winner_and_goes_on_where_one_is_missing() {
    let place = Place::new();
    let command = search("--trials 4 --seeds 2 --sampler random");
    let first = place.run(&command);
    first.expect(
        DONE,
        &[
            "4 trials in all",
            "4/4 valid",
            "4 trials: 4 scored.",
            "chosen by validation",
            "page: all/",
        ],
    );
    expect_narrow(&first);
    for trial in 1..=4 {
        for file in ["trial.toml", "seed-1/model.safetensors", "seed-2/model.safetensors"] {
            assert!(place.path(&format!("all/trial-000{trial}/{file}")).exists(), "{trial} {file}");
        }
    }
    for file in ["search.json", "search.toml", "history.svg", "trials.png", "report.html"] {
        assert!(place.path("all").join(file).metadata().unwrap().len() > 100, "{file}");
    }
    place.expect_no_temporary_files();

    // The winner is that of validation; of test scores only its own are there.
    let record = place.json("all/search.json");
    let all = trials(&place);
    let accuracy = |trial: &Value| trial["valid_accuracy"].as_f64().unwrap();
    let best = all.iter().map(accuracy).fold(0.0, f64::max);
    let winner = record["winner"]["number"].as_u64().unwrap();
    let chosen = &all[winner as usize - 1];
    assert_eq!(accuracy(chosen), best);
    let mean = [1, 2].map(|seed| {
        let run = format!("all/trial-000{winner}/seed-{seed}/summary.json");
        place.json(&run)["valid_accuracy"].as_f64().unwrap()
    });
    assert!((best - (mean[0] + mean[1]) / 2.0).abs() < 1e-12);
    assert_eq!(place.text("all/search.json").matches("test_accuracy").count(), 1);
    assert!(place.path(&format!("all/trial-000{winner}/seed-1/report.html")).exists());

    // Its command trains the same network.
    let words =
        record["winner"]["command"].as_array().unwrap().iter().map(|it| it.as_str().unwrap());
    let words: Vec<&str> = words.skip(2).collect();
    place.run(&format!("{} --threads 1 --out alone", words.join(" "))).expect(DONE, &[]);
    place.expect_same("alone", &format!("all/trial-000{winner}/seed-1"));

    // What is there is not trained again; what is lost is, with the same values.
    let before = place.bytes("all/trial-0002/seed-1/manifest.json");
    let weights = place.bytes("all/trial-0003/seed-2/model.safetensors");
    fs::remove_dir_all(place.path("all/trial-0003")).unwrap();
    place.run(&command).expect(DONE, &["4 trials in all, of which 3 were begun", "3/4 valid"]);
    assert_eq!(place.bytes("all/trial-0002/seed-1/manifest.json"), before);
    assert!(place.bytes("all/trial-0003/seed-2/model.safetensors") == weights);
    assert_eq!(trials(&place), all);

    // More trials are more of the same search; anything else is another one.
    place.run(&search("--trials 5 --seeds 2 --sampler random")).expect(DONE, &["5/5 valid"]);
    assert_eq!(trials(&place)[..4], all);
    let other = place.run(&search("--trials 4 --seeds 2 --sampler random --momentum 0.5"));
    other.refuse(USAGE, &["--momentum"]);
    let other = place
        .run(&search("--trials 4 --seeds 2 --sampler sobol --epochs 3").replace("--epochs 2", ""));
    other.refuse(
        USAGE,
        &["all holds another search", "`recipe.epochs` is 2 there, 3 here", "`sampler`"],
    );
}

#[test]
fn a_run_that_falls_behind_is_stopped_and_stays_so() {
    let place = Place::new();
    let long =
        search("--sampler sobol --trials 6 --prune halving").replace("--epochs 2", "--epochs 8");
    let run = place.run(&long);
    run.expect(DONE, &["pruned at epoch"]);
    expect_narrow(&run);
    let all = trials(&place);
    let pruned: Vec<&Value> = all.iter().filter(|trial| trial["end"] == "pruned").collect();
    assert!(!pruned.is_empty() && pruned.len() < all.len(), "{all:?}");
    let folder = format!("all/{}", pruned[0]["folder"].as_str().unwrap());
    assert_eq!(place.json(&format!("{folder}/seed-1/manifest.json"))["status"], "interrupted");
    assert!(place.text(&format!("{folder}/pruned.toml")).contains("rule = \"halving\""));
    assert!(pruned[0]["epochs"].as_u64() < Some(8) && pruned[0]["valid_accuracy"].is_number());
    let record = place.bytes("all/search.json");
    let again = place.run(&long);
    again.expect(DONE, &["6 trials in all, of which 6 were begun"]);
    assert!(!again.stderr.contains("valid"), "nothing is trained again: {}", again.stderr);
    assert!(place.bytes("all/search.json") == record);
    // It can be trained to its end all the same, and counts then.
    place.run(&format!("train --resume {folder}/seed-1")).expect(DONE, &[]);
    place.run(&long).expect(DONE, &[]);
    let number = pruned[0]["number"].as_u64().unwrap() as usize;
    assert_eq!(trials(&place)[number - 1]["end"], "scored");
}

#[cfg(unix)]
#[test]
fn an_interrupted_search_goes_on_to_the_trials_of_an_uninterrupted_one() {
    let place = Place::new();
    let long = search("--trials 12 --rounds 1 --prune median").replace("--epochs 2", "--epochs 5");
    place.run(&long.replace("--out all", "--out whole")).expect(DONE, &[]);
    let has_trials = || place.path("all/trial-0004/seed-1/metrics.jsonl").exists();
    let run = place.stop("INT", &long, "all", has_trials);
    run.expect(INTERRUPTED, &["resume with the same command", "--out all"]);
    assert!(!place.path("all/search.json").exists());
    place.run(&long).expect(DONE, &["page: all/report.html"]);
    let whole = place.json("whole/search.json")["trials"].as_array().unwrap().clone();
    assert_eq!(trials(&place), whole);
    let points: BTreeSet<String> = whole.iter().map(|trial| trial["values"].to_string()).collect();
    assert_eq!(points.len(), 12, "no point is tried twice");
}

#[test]
fn rounds_narrow_and_a_space_of_few_points_ends_early() {
    let place = Place::new();
    fs::write(
        place.path("space.toml"),
        "[vary]\nlearning-rate = { log = [1e-5, 1e-1] }\nbatch-size = { integer = [8, 32] }\n",
    )
    .unwrap();
    let rounds = format!("search digits {TINY} --space space.toml --trials 8 --rounds 2 --out all");
    place.run(&rounds).expect(DONE, &["16/16 valid"]);
    let all = trials(&place);
    let rates = |round: u64| -> Vec<f64> {
        let trials = all.iter().filter(|trial| trial["round"] == round);
        trials.map(|trial| trial["values"]["learning-rate"].as_f64().unwrap()).collect()
    };
    let span = |rates: &[f64]| {
        let (low, high) =
            (rates.iter().copied().fold(1.0, f64::min), rates.iter().copied().fold(0.0, f64::max));
        (high / low).ln()
    };
    assert_eq!(rates(2).len(), 8);
    assert!(span(&rates(2)) < span(&rates(1)), "{all:?}");

    let few = format!("search digits {TINY} --vary optimizer=sgd|adam|adamw --trials 9 --out few");
    let run = place.run(&few);
    run.expect(
        DONE,
        &["every point of the space has been tried, after 3 trials", "3 trials: 3 scored"],
    );
    let grid = format!(
        "search digits {TINY} --sampler grid --points 2 --vary dropout=0:0.5 --vary \
         optimizer=sgd|adam --out grid"
    );
    place.run(&grid).expect(DONE, &["4/4 valid"]);
}

#[test]
fn a_search_in_which_every_trial_diverges_says_so() {
    let place = Place::new();
    let run = place.run(&format!(
        "search digits {DIVERGING} --vary learning-rate=log:1e37:1e38 --trials 2 --out all"
    ));
    run.expect(ERROR, &["2/2 diverged", "no trial came to its end", "training diverged"]);
    assert_eq!(trials(&place)[0]["end"], "diverged");
}

#[test]
fn what_cannot_be_searched_is_refused_by_name_before_anything_is_written() {
    let place = Place::new();
    fs::create_dir(place.path("input")).unwrap();
    fs::write(place.path("input/space.toml"), "[vary]\ndropout = { log = [0, 1] }\n").unwrap();
    fs::write(place.path("input/twice.toml"), "[vary]\ndropout = { linear = [0, 0.5] }\n").unwrap();
    for (arguments, parts) in [
        ("", &["`--vary`", "expected 1 to 64 settings"][..]),
        ("--vary drop-out=0:1", &["`drop-out`: unknown field"]),
        ("--vary dropout=0.5:0.2", &["`dropout`: the range is empty"]),
        ("--vary learning-rate=log:0:1", &["`learning-rate`", "no place for 0"]),
        ("--vary optimizer=adam", &["`optimizer`: expected a range"]),
        ("--vary dropout=0:1", &["`--dropout`: expected a rate in [0, 1)"]),
        ("--vary dropout=0:0.5 --vary dropout=0:0.6", &["`dropout` is varied twice"]),
        ("--vary dropout=0:0.5 --space input/twice.toml", &["`dropout` is varied twice"]),
        ("--vary seed=int:1:9", &["`seed` cannot be varied"]),
        ("--vary dropout=0:0.5 --valid-size 0", &["--valid-size"]),
        ("--vary dropout=0:0.5 --sampler bayes", &["`--sampler`", "known: "]),
        ("--vary dropout=0:0.5 --prune asha", &["`--prune`", "known: none"]),
        ("--vary dropout=0:0.5 --trials 0", &["`--trials`: expected 1 to"]),
        ("--vary dropout=0:0.5 --folds 3", &["leave `--folds` out"]),
        ("--vary dropout=0:0.5 --resume runs/x", &["leave `--resume` out"]),
    ] {
        place.run(&format!("search digits {arguments}")).refuse(USAGE, parts);
    }
    let file = place.run("search digits --space input/space.toml");
    file.refuse(ERROR, &["input/space.toml", "line 2", "no place for 0"]);
    let lost = place.run("search digits --space input/no.toml");
    lost.refuse(ERROR, &["input/no.toml", "[vary]"]);
    assert_eq!(place.names("."), ["input"]);
    place
        .run("search --help")
        .expect(DONE, &["--vary", "Samplers:", "Rules of pruning:", "halving"]);
}
