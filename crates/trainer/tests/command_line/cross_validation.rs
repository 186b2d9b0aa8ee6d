//! `train --folds`, class weights and balanced sampling.

use std::fs;

use crate::place::*;

#[test]
fn a_cross_validation_leaves_a_run_a_fold_and_a_page_and_is_resumed_by_its_command() {
    let place = Place::new();
    let command = format!("train digits {TINY} --folds 3 --out all");
    let first = place.run(&command);
    first.expect(DONE, &["over 3 folds (mean and standard deviation)", "page: all/report.html"]);
    let record = place.json("all/folds.json");
    let folds = record["folds"].as_array().unwrap();
    assert_eq!(folds.len(), 3);
    let valid = |fold: usize| {
        place.json(&format!("all/fold-{fold}/summary.json"))["valid_accuracy"].as_f64()
    };
    let mean = (1..=3).map(|fold| valid(fold).unwrap()).sum::<f64>() / 3.0;
    assert!((record["valid_accuracy"]["mean"].as_f64().unwrap() - mean).abs() < 1e-12);
    assert!(place.text("all/report.html").contains("Cross-validation with 3 folds"));
    assert!(place.text("all/fold-2/config.toml").contains("fold = \"2/3\""));
    place.expect_no_temporary_files();

    // What is there is not trained again; one that is lost is.
    let before = place.bytes("all/fold-1/manifest.json");
    let weights = place.bytes("all/fold-3/model.safetensors");
    fs::remove_dir_all(place.path("all/fold-3")).unwrap();
    place.run(&command).expect(DONE, &["over 3 folds"]);
    assert_eq!(place.bytes("all/fold-1/manifest.json"), before);
    assert_eq!(place.bytes("all/fold-3/model.safetensors"), weights);
    place
        .run(&command.replace("--hidden 8", "--hidden 9"))
        .refuse(USAGE, &["another recipe", "--out"]);
    // A fold by itself is the same run.
    place.run(&format!("train digits {TINY} --fold 3/3 --out alone")).expect(DONE, &[]);
    place.expect_same("alone", "all/fold-3");
}

#[test]
fn folds_that_cannot_be_are_refused() {
    let place = Place::new();
    place.run("train digits --folds 1").refuse(USAGE, &["`folds`: expected 2 to 1000, found 1"]);
    place
        .run("train digits --fold 4/3")
        .refuse(USAGE, &["`--fold`: expected a fold", "found `4/3`"]);
    place.run("find-rate digits --folds 3").refuse(USAGE, &["--folds"]);
    place.expect_empty();
}

#[test]
fn class_weights_change_what_is_minimized_and_come_from_a_file() {
    let place = Place::new();
    let train =
        |flags: &str, out: &str| place.run(&format!("train digits {TINY} {flags} --out {out}"));
    train("", "plain").expect(DONE, &[]);
    // All classes of the set are equally frequent, so that their weights are near 1 and not 1.
    train("--class-weights balanced", "balanced").expect(DONE, &[]);
    train("--sampling balanced", "sampled").expect(DONE, &[]);
    let objectives = ["plain", "balanced", "sampled"].map(|run| place.objectives(run));
    assert!(objectives[0] != objectives[1] && objectives[0] != objectives[2]);

    let table: String = (0..10).map(|class| format!("{class} = {}\n", 1 + class)).collect();
    fs::write(place.path("weights.toml"), &table).unwrap();
    train("--class-weights weights.toml", "given").expect(DONE, &[]);
    // The table stands in the run's recipe, so that the file is not needed to repeat it.
    fs::remove_file(place.path("weights.toml")).unwrap();
    place.run("train --config given/config.toml --out again").expect(DONE, &[]);
    place.expect_same("again", "given");

    fs::write(place.path("weights.toml"), "0 = 1\ncat = 2\n").unwrap();
    let wrong = train("--class-weights weights.toml", "wrong");
    wrong.refuse(USAGE, &["`class_weights`", "missing: `1`, `2`", "not among them: `cat`"]);
    train("--class-weights no.toml", "wrong").refuse(USAGE, &["no.toml: expected a line"]);
    let both = "--class-weights balanced --sampling balanced";
    train(both, "both").expect(DONE, &["together they favour rare classes twice"]);
}
