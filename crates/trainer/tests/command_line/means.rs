//! Means over batches of several sizes: over their images, but in runs that earlier versions began.

use std::fs;

use crate::place::*;

/// Two batches an epoch, of 128 images and of 1.
const RAGGED: &str = "train digits --train-size 129 --valid-size 0 --batch-size 128 --epochs 5 \
    --model mlp --hidden 32 --dropout 0 --optimizer adam --learning-rate 0.01 --schedule constant \
    --threads 1";

/// Three batches of 64 images and one of 1, in two steps.
const ACCUMULATED: &str = "train digits --train-size 193 --valid-size 0 --batch-size 64 \
    --accumulate 2 --epochs 1 --model mlp --hidden 8 --dropout 0 --learning-rate 0.01 \
    --checkpoint-every 1 --keep last --threads 1";

const LATEST: &str = "checkpoints/latest.safetensors";

/// What was minimized on the batches of an epoch.
fn losses(place: &Place, run: &str, epoch: usize) -> Vec<f64> {
    let text = place.text(&format!("{run}/losses.csv"));
    let rows = text.lines().filter(|line| line.starts_with(&format!("{epoch},")));
    rows.map(|line| line.rsplit(',').next().unwrap().parse().unwrap()).collect()
}

/// Makes a run one that an earlier version began.
fn begun_by_0_1(place: &Place, run: &str) {
    let mut manifest = place.json(&format!("{run}/manifest.json"));
    manifest["backburn_version"] = "0.1.0".into();
    for later in ["train_images", "files"] {
        manifest.as_object_mut().unwrap().remove(later);
    }
    fs::write(place.path(&format!("{run}/manifest.json")), manifest.to_string()).unwrap();
}

fn assert_close(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() < tolerance, "{found} against {expected}");
}

#[test]
fn the_objective_of_an_epoch_is_the_mean_over_its_images() {
    let place = Place::new();
    place.run(&format!("{RAGGED} --out run")).expect(DONE, &[]);
    let objectives = place.objectives("run");
    let objective = |epoch: usize| objectives[epoch - 1].as_f64().unwrap();
    // Counting both batches alike it would be 3.0657.
    assert_close(objective(4), 2.0908, 1e-4);
    for epoch in 1..=5 {
        let losses = losses(&place, "run", epoch);
        assert_eq!(losses.len(), 2);
        assert_close(objective(epoch), (128.0 * losses[0] + losses[1]) / 129.0, 1e-9);
    }
    let verify = || place.run("verify run");
    verify().expect(DONE, &["10 batches"]);
    let manifest = place.json("run/manifest.json");
    assert_eq!(
        (&manifest["train_images"], &manifest["backburn_version"]),
        (&129.into(), &env!("CARGO_PKG_VERSION").into())
    );
    // What the means are taken over is checked against the files that have their checksums.
    for (images, parts) in [
        (
            Some(128),
            [
                "manifest.json: its `train_images` do not fit losses.csv",
                "expected 1 batch, found 2",
            ],
        ),
        (
            Some(255),
            ["manifest.json: its `train_images` do not fit losses.csv", "epoch 1: the mean is"],
        ),
        (None, ["manifest.json: `train_images` is missing", "version 0.2"]),
    ] {
        let mut changed = manifest.clone();
        changed["train_images"] = images.into();
        fs::write(place.path("run/manifest.json"), changed.to_string()).unwrap();
        verify().expect(ERROR, &["error: one thing", parts[0], parts[1]]);
    }
}

#[test]
fn runs_of_earlier_versions_are_verified_by_their_means_over_batches() {
    let place = Place::new();
    place.run(&format!("{RAGGED} --out run")).expect(DONE, &[]);
    begun_by_0_1(&place, "run");
    place.run("verify run").expect(ERROR, &["losses.csv: epoch 1: the mean is"]);
    let metrics = place.text("run/metrics.jsonl");
    let rows = (1..).zip(metrics.lines()).map(|(epoch, line)| {
        let mut row: serde_json::Value = serde_json::from_str(line).unwrap();
        let losses = losses(&place, "run", epoch);
        row["train_objective"] = (losses.iter().sum::<f64>() / losses.len() as f64).into();
        format!("{row}\n")
    });
    fs::write(place.path("run/metrics.jsonl"), rows.collect::<String>()).unwrap();
    fs::remove_dir_all(place.path("run/checkpoints")).unwrap();
    place.run("verify run").expect(DONE, &["10 batches", "of an earlier version"]);
    assert_close(place.objectives("run")[3].as_f64().unwrap(), 3.0657, 1e-4);
    place.run("report run").expect(DONE, &["report"]);
}

#[test]
fn a_run_that_an_earlier_version_began_goes_on_with_its_means_over_batches() {
    let place = Place::new();
    place.run(&format!("{ACCUMULATED} --out new")).expect(DONE, &[]);
    // As it was after the first of its two steps.
    fs::create_dir_all(place.path("old/checkpoints")).unwrap();
    for file in ["config.toml", "manifest.json"] {
        fs::copy(place.path("new").join(file), place.path("old").join(file)).unwrap();
    }
    let previous = place.path("new/checkpoints/previous.safetensors");
    fs::copy(previous, place.path("old").join(LATEST)).unwrap();
    let mut manifest = place.json("old/manifest.json");
    manifest["status"] = "interrupted".into();
    fs::write(place.path("old/manifest.json"), manifest.to_string()).unwrap();
    fs::create_dir_all(place.path("same/checkpoints")).unwrap();
    for file in ["config.toml", "manifest.json", LATEST] {
        fs::copy(place.path("old").join(file), place.path("same").join(file)).unwrap();
    }
    let mut manifest = place.json("same/manifest.json");
    manifest.as_object_mut().unwrap().remove("files");
    fs::write(place.path("same/manifest.json"), manifest.to_string()).unwrap();
    begun_by_0_1(&place, "old");

    let same = place.run("train --resume same");
    same.expect(DONE, &["resuming at epoch 1, after 2 of its batches"]);
    assert!(!same.stderr.contains("began this run"), "{}", same.stderr);
    place.expect_same("same", "new");
    place.run("train --resume old").expect(DONE, &["note: version 0.1.0 began this run"]);
    place.run("verify old").expect(DONE, &["finished"]);
    let objective = |run: &str| place.objectives(run)[0].as_f64().unwrap();
    let batches = losses(&place, "old", 1);
    assert_eq!(batches, losses(&place, "new", 1));
    assert_close(objective("old"), batches.iter().sum::<f64>() / 4.0, 1e-9);
    let images = (64.0 * batches[..3].iter().sum::<f64>() + batches[3]) / 193.0;
    assert_close(objective("new"), images, 1e-9);
    assert!((objective("old") - objective("new")).abs() > 1e-3);
    // The second step took 64 images and 1.
    assert!(place.bytes("old/model.safetensors") != place.bytes("new/model.safetensors"));
}
