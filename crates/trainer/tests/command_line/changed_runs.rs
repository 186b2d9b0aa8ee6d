//! What a run folder says is computed with only if it is still what was written.

use std::fs;

use crate::place::*;

/// Replaces text in a file of a run, which must be there.
fn edit(place: &Place, file: &str, from: &str, to: &str) {
    let text = place.text(file);
    assert!(text.contains(from), "no `{from}` in {file}");
    fs::write(place.path(file), text.replacen(from, to, 1)).unwrap();
}

#[test]
fn a_run_whose_recipe_was_edited_is_not_scored() {
    let place = Place::new();
    place.run(&format!("train digits {TINY} --out run")).expect(DONE, &[]);
    let scored = place.run("evaluate run --json");
    scored.expect(DONE, &[]);
    // With another seed most validation images would be training images.
    edit(&place, "run/config.toml", "seed = 1", "seed = 2");
    let parts = ["run/config.toml: expected", "SHA-256", "manifest.json has it", "report.html"];
    place.run("evaluate run").refuse(ERROR, &parts);
    place.run("evaluate run --split test").refuse(ERROR, &parts);
    assert_eq!(place.json("run/manifest.json")["test_reads"].as_array().unwrap().len(), 1);
    for verb in ["report run", "replay run", "train --extend run --epochs 3"] {
        place.run(verb).refuse(ERROR, &parts);
    }
    // It is a recipe like any other, but no longer that of the run.
    let repeated = place.run("train --config run/config.toml --out other");
    repeated.expect(DONE, &["note: run/config.toml has been edited since its run ended"]);

    edit(&place, "run/config.toml", "seed = 2", "seed = 1");
    assert_eq!(place.run("evaluate run --json").stdout, scored.stdout);
    let repeated = place.run("train --config run/config.toml --out again");
    assert!(!repeated.stderr.contains("edited"), "{}", repeated.stderr);
}

#[test]
fn every_verb_names_the_file_that_has_changed() {
    let place = Place::new();
    for run in ["run", "other"] {
        place.run(&format!("train digits {TINY} --out {run}")).expect(DONE, &[]);
    }
    let cases = [
        ("metrics.jsonl", "\"epoch\":1", "\"epoch\":2", &["report run", "replay run"][..]),
        (
            "summary.json",
            "\"last_epoch\": 2",
            "\"last_epoch\": 3",
            &["report run", "report run other"],
        ),
        ("evaluation.json", "\"nll\": ", "\"nll\": 1", &["report run", "report other run"]),
        ("losses.csv", "1,1,", "1,1,9", &["train --extend run --epochs 3"]),
    ];
    for (file, from, to, verbs) in cases {
        let path = format!("run/{file}");
        let before = place.bytes(&path);
        edit(&place, &path, from, to);
        for verb in verbs {
            place.run(verb).refuse(ERROR, &[&format!("{path}: expected"), "SHA-256", "restore"]);
        }
        fs::write(place.path(&path), before).unwrap();
    }
    let model = place.bytes("run/model.safetensors");
    let mut damaged = model.clone();
    *damaged.last_mut().unwrap() ^= 1;
    fs::write(place.path("run/model.safetensors"), damaged).unwrap();
    let parts = ["run/model.safetensors: expected", "SHA-256", "--config run/config.toml"];
    place.run("evaluate run").refuse(ERROR, &parts);
    fs::write(place.path("run/model.safetensors"), model).unwrap();
    for verb in ["evaluate run", "report run other", "replay run", "verify run"] {
        place.run(verb).expect(DONE, &[]);
    }
}

#[test]
fn a_comparison_does_not_reuse_a_run_that_has_changed() {
    let place = Place::new();
    let command = "compare-regularizers digits --model mlp --train-size 200 --epochs 1 --seeds 1 \
        --only dropout --threads 1 --out runs";
    place.run(command).expect(DONE, &[]);
    edit(&place, "runs/dropout/seed-1/summary.json", "\"test_accuracy\": ", "\"test_accuracy\": 0");
    place.run(command).expect(ERROR, &["runs/dropout/seed-1/summary.json: expected", "SHA-256"]);
}
