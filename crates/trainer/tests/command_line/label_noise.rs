//! `--label-noise`, `--data-seed`, `--replicate`.

use std::fs;

use serde_json::Value;

use crate::place::*;

#[test]
fn label_noise_is_recorded_scored_told_and_repeated() {
    let place = Place::new();
    let run = place.run(&format!("train digits {TINY} --label-noise 25 --out run"));
    run.expect(DONE, &["label noise 25: 16 of 64 training labels replaced, "]);
    let noise = &place.json("run/manifest.json")["label_noise"];
    expect_keys(noise, "setting replaced wrong sha256");
    let wrong = noise["wrong"].as_u64().unwrap();
    assert!(noise["setting"] == "25" && noise["replaced"] == 16 && (8..=16).contains(&wrong));
    let summary = place.json("run/summary.json");
    let memorized = &summary["memorized"];
    assert_eq!(memorized["wrong_labels"], wrong);
    let share = |name: &str| memorized[name].as_f64().unwrap();
    let right =
        wrong as f64 * share("learnt_by_heart") + (64 - wrong) as f64 * share("clean_accuracy");
    assert!((summary["train_accuracy"].as_f64().unwrap() - right / 64.0).abs() < 1e-12);
    run.mention(&[&format!("{wrong} wrong labels, "), "learnt by heart; "]);
    let page = place.text("run/report.html");
    for part in ["25: 16 of 64 training labels replaced", "wrong labels learnt by heart"] {
        assert!(page.contains(part), "{part}");
    }
    assert!(place.text("run/config.toml").contains("label_noise = \"25\"\n"));
    place.run("verify run").expect(DONE, &["run: finished"]);

    let evaluated = place.run("evaluate run --json");
    evaluated.expect(DONE, &[]);
    let evaluated: Value = serde_json::from_str(&evaluated.stdout).unwrap();
    assert_eq!(evaluated["memorized"], *memorized);
    let told = format!("of the {wrong} wrong training labels are learnt by heart");
    place.run("evaluate run").expect(DONE, &[&told]);

    place.run("train --config run/config.toml --out again").expect(DONE, &[]);
    place.expect_same("run", "again");
    assert_eq!(place.json("again/manifest.json")["label_noise"], *noise);
    place.run("train --extend run --epochs 3 --out longer").expect(DONE, &["label noise 25"]);
    assert_eq!(place.json("longer/manifest.json")["label_noise"], *noise);

    place.run(&format!("train digits {TINY} --label-noise 0 --out clean")).expect(DONE, &[]);
    let clean = place.json("clean/summary.json");
    assert!(clean.get("memorized").is_none());
    assert!(!place.text("clean/config.toml").contains("label_noise"));
    place.run(&format!("train digits {TINY} --out plain")).expect(DONE, &[]);
    place.expect_same("clean", "plain");
}

#[test]
fn wrong_records_of_label_noise_are_found() {
    let place = Place::new();
    place.run(&format!("train digits {TINY} --label-noise 25:pairs --out run")).expect(DONE, &[]);
    let manifest = place.text("run/manifest.json");
    let spoilt = |from: &str, to: &str, parts: &[&str]| {
        assert!(manifest.contains(from), "{manifest}");
        fs::write(place.path("run/manifest.json"), manifest.replacen(from, to, 1)).unwrap();
        place.run("verify run").expect(ERROR, parts);
    };
    spoilt(
        "\"setting\": \"25:pairs\"",
        "\"setting\": \"25\"",
        &["`label_noise` is 25, but config.toml has 25:pairs"],
    );
    let wrong = &place.json("run/manifest.json")["label_noise"]["wrong"];
    let wrong = format!("\"wrong\": {wrong}");
    spoilt(&wrong, "\"wrong\": 3", &["`memorized.wrong_labels` is", "manifest.json has 3"]);
    spoilt("\"seed\": 1,", "\"seed\": 1, \"replicate\": 4,", &["`replicate` is 4", "has 0"]);
    spoilt("\"seed\": 1,", "\"seed\": 1, \"data_seed\": 4,", &["`data_seed` is 4", "has none"]);
    fs::write(place.path("run/manifest.json"), &manifest).unwrap();
    place.run("verify run").expect(DONE, &[]);

    // Labels that another version, say, would draw in another way are no longer those of the run.
    let sum = place.json("run/manifest.json")["label_noise"]["sha256"].as_str().unwrap().to_owned();
    let other = manifest.replacen(&sum, &"5a".repeat(32), 1);
    fs::write(place.path("run/manifest.json"), other).unwrap();
    place.run("evaluate run").refuse(ERROR, &["label noise: expected the training labels", &sum]);
}

#[cfg(unix)]
#[test]
fn a_run_with_label_noise_that_was_interrupted_ends_like_one_that_was_not() {
    let place = Place::with_mnist();
    let flags = "--label-noise 40 --replicate 2 --data-seed 9 --disturb-label 10";
    place.run(&format!("train {LONG} {flags} --out whole")).expect(DONE, &[]);
    let interrupted = place.interrupt("INT", &format!("run {flags}"));
    interrupted.expect(INTERRUPTED, &["seed 1, data seed 9, replicate 2"]);
    place.run("train --resume run").expect(DONE, &["label noise 40: 48 of 120"]);
    place.expect_same("run", "whole");
}

#[test]
fn several_seeds_share_images_and_labels_by_a_data_seed_and_a_replicate_shares_all_but_the_way() {
    let place = Place::new();
    let train = |flags: &str, out: &str| {
        let run = place.run(&format!("train digits {TINY} --label-noise 25 {flags} --out {out}"));
        run.expect(DONE, &[]);
        place.json(&format!("{out}/manifest.json"))
    };
    let [first, second, other, replicate] = [
        train("--seed 1 --data-seed 5", "first"),
        train("--seed 2 --data-seed 5", "second"),
        train("--seed 2", "other"),
        train("--seed 1 --data-seed 5 --replicate 1", "replicate"),
    ];
    let labels = |manifest: &Value| manifest["label_noise"]["sha256"].clone();
    assert_eq!(labels(&first), labels(&second));
    assert_eq!(labels(&first), labels(&replicate));
    assert_ne!(labels(&first), labels(&other));
    assert_eq!(first["data_seed"], 5);
    assert!(first.get("replicate").is_none() && other.get("data_seed").is_none());
    assert_eq!(replicate["replicate"], 1);
    // Fitted on the pixels of the training images.
    let images = |run: &str| place.bytes(&format!("{run}/normalization.json"));
    assert!(images("first") == images("second") && images("first") == images("replicate"));
    assert!(images("first") != images("other"));
    let weights = ["first", "second", "other", "replicate"]
        .map(|run| place.bytes(&format!("{run}/model.safetensors")));
    for (i, one) in weights.iter().enumerate() {
        assert!(!weights[..i].contains(one), "two of the four runs end with the same weights");
    }
    assert!(place.text("replicate/report.html").contains("seed 1, data seed 5, replicate 1"));
    place.run("verify replicate").expect(DONE, &[]);
}

#[test]
fn the_same_data_seed_as_the_seed_changes_nothing() {
    let place = Place::new();
    place.run(&format!("train digits {TINY} --seed 3 --out plain")).expect(DONE, &[]);
    let flags = "--seed 3 --data-seed 3 --replicate 0";
    place.run(&format!("train digits {TINY} {flags} --out named")).expect(DONE, &[]);
    place.expect_same("plain", "named");
}

#[test]
fn noise_outside_its_range_is_refused() {
    let place = Place::new();
    for (flags, mention) in [
        ("--label-noise 101", "`--label-noise`: expected more than 0 and at most 100 percent"),
        ("--label-noise=-1", "found -1"),
        ("--label-noise 20:next", "such as 20 or 20:pairs, found `20:next`"),
        ("--data-seed x", "`--data-seed`: expected a whole number"),
        ("--replicate 0.5", "`--replicate`: expected a whole number"),
    ] {
        place.run(&format!("train digits {flags}")).refuse(USAGE, &[mention]);
    }
    place.expect_empty();
}
