//! `--tta`: a run that is scored by views of each image.

use std::fs;

use serde_json::Value;

use crate::place::*;

const VIEWS: &str = "flip,diagonal=1,border=reflect,least-confident=0.5,mean=logits";

/// A run that is wrong now and then on validation and test.
fn run(place: &Place, flags: &str, out: &str) -> Run {
    place.run(&format!(
        "train mnist --data-dir data --train-size 160 --valid-size 40 --epochs 3 --model mlp \
         --hidden 16 --batch-size 8 --learning-rate 0.003 --dropout 0.3 --threads 1 {flags} --out {out}"
    ))
}

fn scores(place: &Place, run: &str, flags: &str) -> Value {
    let evaluated = place.run(&format!("evaluate {run} --json {flags}"));
    evaluated.expect(DONE, &[]);
    serde_json::from_str(&evaluated.stdout).unwrap()
}

#[test]
fn views_of_a_recipe_change_the_final_scores_and_nothing_of_the_training() {
    let place = Place::with_mnist();
    run(&place, "", "plain").expect(DONE, &[]);
    let told = format!("test and validation by views: {VIEWS}");
    run(&place, &format!("--tta {VIEWS}"), "viewed").expect(DONE, &[&told]);
    for file in ["model.safetensors", "losses.csv", "normalization.json"] {
        assert_eq!(place.bytes(&format!("plain/{file}")), place.bytes(&format!("viewed/{file}")));
    }
    assert_eq!(place.rows("plain"), place.rows("viewed"));
    assert!(place.text("viewed/config.toml").contains(&format!("tta = \"{VIEWS}\"\n")));
    assert!(!place.text("plain/config.toml").contains("tta"));

    let [plain, viewed] = ["plain", "viewed"].map(|run| place.json(&format!("{run}/summary.json")));
    assert!(plain.get("tta").is_none() && viewed["tta"] == VIEWS, "{viewed}");
    assert_eq!(plain["train_loss"], viewed["train_loss"]);
    for name in ["valid_loss", "test_loss"] {
        assert_ne!(plain[name], viewed[name], "{name}");
    }
    // The test split was accessed once all the same, and what one look comes to is written down too.
    assert_eq!(place.json("viewed/manifest.json")["test_reads"].as_array().unwrap().len(), 1);
    let written = place.json("viewed/evaluation.json");
    assert!(place.json("plain/evaluation.json").get("tta").is_none());
    let tta = &written["tta"];
    assert_eq!(
        (&tta["views"], &tta["count"], &tta["evaluations"]),
        (&VIEWS.into(), &6.into(), &105.into())
    );
    assert_eq!(tta["plain"]["nll"], plain["test_loss"]);
    assert_eq!(tta["plain"]["accuracy"], plain["test_accuracy"]);
    let fitted = &place.json("plain/evaluation.json")["temperature"]["temperature"];
    assert_eq!(&tta["plain"]["temperature"], fitted);

    let page = place.text("viewed/report.html");
    for part in ["test-time augmentation", "asked once", "105 times about 30 images"] {
        assert!(page.contains(part), "no `{part}`");
    }
    place.run("verify viewed").expect(DONE, &[]);
    place.run("verify plain").expect(DONE, &[]);
    let both = place.run("report plain viewed --out both.html");
    both.expect(DONE, &["Of some runs, validation and test", "test-time augmentation"]);
    assert!(place.text("both.html").contains("Of some runs, validation and test"));

    place.run("train --config viewed/config.toml --threads 2 --out again").expect(DONE, &[]);
    place.expect_same("viewed", "again");
    place.run("train --config viewed/config.toml --tta none --out off").expect(DONE, &[]);
    place.expect_same("plain", "off");
}

#[test]
fn a_run_is_evaluated_by_the_views_of_its_recipe_unless_others_are_named() {
    let place = Place::with_mnist();
    run(&place, &format!("--tta {VIEWS}"), "run").expect(DONE, &[]);
    let (summary, written) = (place.json("run/summary.json"), place.json("run/evaluation.json"));
    let valid = scores(&place, "run", "--temperature");
    assert_eq!(
        (&valid["loss"], &valid["accuracy"]),
        (&summary["valid_loss"], &summary["valid_accuracy"])
    );
    assert_eq!(valid["scored_by"], format!("tta {VIEWS}"));
    let temperature = &valid["variants"][0]["temperature"];
    assert_eq!(*temperature, written["temperature"]["temperature"]);

    let test = scores(&place, "run", "--split test");
    assert_eq!(
        (&test["loss"], &test["accuracy"]),
        (&summary["test_loss"], &summary["test_accuracy"])
    );
    for name in ["per_class", "confusion", "reliability", "top_k", "brier"] {
        assert_eq!(test[name], written[name], "{name}");
    }
    for name in ["accuracy", "brier", "ece"] {
        assert_eq!(test["plain"][name], written["tta"]["plain"][name], "{name}");
    }
    assert_eq!(test["variants"][0]["evaluations"], 105);
    let text = place.run("evaluate run");
    text.expect(
        DONE,
        &[
            "note: the recipe's views are taken; `--tta` takes others",
            &format!("are of\ntta {VIEWS}\n"),
            "\nplain ",
            "6 views of an image, 140 evaluations of the network",
        ],
    );
    assert!(text.stdout.lines().all(|line| line.chars().count() <= 80), "{}", text.stdout);

    let other = scores(&place, "run", "--tta flip");
    assert_eq!(other["scored_by"], "tta flip");
    assert_eq!(other["plain"], valid["plain"]);
    assert_ne!(other["loss"], valid["loss"]);
}

#[test]
fn what_looks_once_says_so_and_is_calibrated_for_one_look() {
    let place = Place::with_mnist();
    run(&place, "", "plain").expect(DONE, &[]);
    run(&place, &format!("--tta {VIEWS}"), "viewed").expect(DONE, &[]);
    let image = image::GrayImage::from_fn(28, 28, |x, y| image::Luma([(x * 7 + y) as u8]));
    image.save(place.path("picture.png")).unwrap();
    let [plain, viewed] =
        ["plain", "viewed"].map(|run| place.run(&format!("predict {run} picture.png --json")));
    plain.expect(DONE, &[]);
    viewed.expect(DONE, &["note: the run is scored by views of each image", "looks once"]);
    assert!(!plain.stderr.contains("views"), "{}", plain.stderr);
    assert_eq!(plain.stdout, viewed.stdout);

    place.run("export viewed --format safetensors").expect(DONE, &[]);
    let card = place.text("viewed/export/model.safetensors.md");
    let told =
        format!("by the mean over 6 views of each image (test-time augmentation, `{VIEWS}`)");
    assert!(card.contains(&told) && card.contains("Asked once about each image"), "{card}");
}

#[test]
fn scores_by_other_views_than_the_recipes_are_found() {
    let place = Place::with_mnist();
    run(&place, "--tta flip", "run").expect(DONE, &[]);
    // Without checksums, so that only what the files say speaks.
    let mut manifest = place.json("run/manifest.json");
    manifest.as_object_mut().unwrap().remove("files");
    fs::write(place.path("run/manifest.json"), manifest.to_string()).unwrap();
    place.run("verify run").expect(DONE, &[]);
    let spoilt = |file: &str, from: &str, to: &str, parts: &[&str]| {
        let before = place.text(&format!("run/{file}"));
        assert!(before.contains(from), "{before}");
        fs::write(place.path(&format!("run/{file}")), before.replacen(from, to, 1)).unwrap();
        place.run("verify run").expect(ERROR, parts);
        fs::write(place.path(&format!("run/{file}")), before).unwrap();
    };
    let (own, other) = ("\"tta\": \"flip\"", "\"tta\": \"shift=1\"");
    spoilt(
        "summary.json",
        own,
        other,
        &["summary.json: `tta` is shift=1, but config.toml has flip"],
    );
    let (own, other) = ("\"views\": \"flip\"", "\"views\": \"shift=1\"");
    spoilt("evaluation.json", own, other, &["`tta.views` is shift=1, but summary.json has flip"]);
    place.run("verify run").expect(DONE, &[]);
}
