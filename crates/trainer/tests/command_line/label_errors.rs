//! `label-errors`: which labels of a cross-validation's images are likely wrong.

use std::fs;

use image::{GrayImage, Luma};

use crate::place::*;

/// Two folds of digits, 5,000 images each, in a second or two.
const FOLDS: &str = "train digits --folds 2 --train-size 500 --epochs 3 --model mlp --hidden 32 \
    --dropout 0 --batch-size 20 --learning-rate 0.003 --augment none --keep last --threads 1";

#[test]
fn labels_that_noise_made_wrong_stand_at_the_head_of_the_ranking() {
    let place = Place::new();
    place.run(&format!("{FOLDS} --label-noise 2 --out all")).expect(DONE, &[]);
    let run = place.run("label-errors all --threads 1");
    run.expect(DONE, &["of 10,000 images have a label", "label noise 2: ", "precision"]);
    run.mention(&["all/label-errors.csv", "all/label-errors.html"]);
    let csv = place.text("all/label-errors.csv");
    let rows: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows[0][0], "index");
    assert_eq!(rows.len(), 10_001);
    let is_wrong = |row: &&Vec<&str>| row[7] == "true";
    let wrong = rows.iter().filter(is_wrong).count();
    assert!((150..=200).contains(&wrong), "{wrong}");
    // By chance it would be one in fifty of the first 200, however little such a training has learnt.
    let found = rows[1..=200].iter().filter(is_wrong).count();
    assert!(found > wrong / 4, "{found} of {wrong}");
    run.mention(&[&format!("have {found} of them")]);
    let confidence = |row: &Vec<&str>| row[4].parse::<f64>().unwrap();
    assert!(rows[1..].is_sorted_by(|a, b| confidence(a) <= confidence(b)));
    let page = place.text("all/label-errors.html");
    assert_eq!(page.matches("<image").count(), 96);
    place.expect_no_temporary_files();

    // Training in the folds is told of the same wrong labels, between them of all.
    let folds = [1, 2].map(|fold| place.json(&format!("all/fold-{fold}/manifest.json")));
    assert!(folds.iter().all(|manifest| manifest["label_noise"]["setting"] == "2"));

    fs::remove_dir_all(place.path("all/fold-2")).unwrap();
    place.run("label-errors all").refuse(ERROR, &["expected the run of fold 2 of 2, found none"]);
    place.run("label-errors all/fold-1").refuse(USAGE, &["a single run", "--folds 5"]);
    place.run("label-errors none").refuse(USAGE, &["no folder `fold-1`"]);
}

#[test]
fn peoples_own_pictures_are_named_by_their_files() {
    let place = Place::new();
    // Test pictures have a folder of their own, so that none is drawn from those that are asked about.
    for (part, numbers) in [("train", 0..20), ("test", 20..22)] {
        for (class, level) in [("dark", 30), ("light", 200)] {
            let folder = format!("pictures/{part}/{class}");
            fs::create_dir_all(place.path(&folder)).unwrap();
            for number in numbers.clone() {
                // One of the dark pictures lies among the light ones.
                let level = if class == "light" && number == 7 { 30 } else { level };
                let pixel =
                    |x: u32, y: u32| Luma([(level + (x * 7 + y * 13 + number * 29) % 23) as u8]);
                let path = place.path(&format!("{folder}/{number}.png"));
                GrayImage::from_fn(12, 12, pixel).save(path).unwrap();
            }
        }
    }
    let flags = "--epochs 30 --model mlp --hidden 16 --dropout 0 --batch-size 8 \
        --learning-rate 0.01 --augment none --threads 1";
    place.run(&format!("train ./pictures {flags} --folds 3 --out all")).expect(DONE, &[]);
    place.run("label-errors all --out found").expect(DONE, &["3 networks"]);
    let csv = place.text("found/label-errors.csv");
    assert!(!csv.contains("known_wrong") && !place.path("all/label-errors.csv").exists());
    let paths: Vec<&str> =
        csv.lines().skip(1).map(|line| line.split(',').nth(1).unwrap()).collect();
    assert_eq!(paths.len(), 40);
    let mut sorted = paths.clone();
    sorted.sort_unstable();
    let mut expected: Vec<String> = ["dark", "light"]
        .into_iter()
        .flat_map(|class| (0..20).map(move |number| format!("train/{class}/{number}.png")))
        .collect();
    expected.sort_unstable();
    assert_eq!(sorted, expected);
    assert_eq!(paths[0], "train/light/7.png");
}
