//! `--initialization`, and what the first and the last layer begin as.

use crate::place::*;

/// One epoch of two batches.
const SHORT: &str = "mnist --data-dir data --model lenet-bn --train-size 80 --valid-size 20 \
    --epochs 1 --batch-size 40 --augment none --schedule constant --threads 1";

const ENDS: &str = "--initialization dirac --set initialization.first_layer=whitening --set \
    initialization.head_factor=0";

#[test]
fn a_network_begins_with_whitening_filters_and_a_silent_head_and_repeats_itself() {
    let place = Place::with_mnist();
    place.run(&format!("train {SHORT} {ENDS} --out run")).expect(DONE, &[]);
    let config = place.text("run/config.toml");
    for line in ["weights = \"dirac\"\n", "head_factor = 0.0\n", "first_layer = \"whitening\"\n"] {
        assert!(config.contains(line), "no {line} in {config}");
    }
    // All classes are equally likely to a head of zeros.
    let losses = place.text("run/losses.csv");
    let first = losses.lines().nth(1).and_then(|line| line.strip_prefix("1,1,")).unwrap();
    let first: f64 = first.parse().unwrap();
    assert!((first - 10.0f64.ln()).abs() < 1e-5, "{losses}");

    place.run("train --config run/config.toml --threads 2 --out again").expect(DONE, &[]);
    place.expect_same("run", "again");
    place.run("verify run").expect(DONE, &[]);
    // What is saved takes the place of what would be begun with.
    place.run("train --extend run --epochs 2 --out longer").expect(DONE, &[]);
    assert_eq!(place.objectives("run"), place.objectives("longer")[..1]);

    place.run(&format!("train {SHORT} --out plain")).expect(DONE, &[]);
    let plain = place.text("plain/config.toml");
    assert!(!plain.contains("head_factor") && !plain.contains("first_layer"), "{plain}");
    assert_ne!(place.bytes("run/model.safetensors"), place.bytes("plain/model.safetensors"));
}

#[test]
fn weights_of_a_file_take_the_place_of_whitening_filters() {
    let place = Place::with_mnist();
    place.run(&format!("train {SHORT} --out run")).expect(DONE, &[]);
    let tune = format!("train {SHORT} --init-from run --learning-rate 1e-4");
    place.run(&format!("{tune} --out drawn")).expect(DONE, &[]);
    place.run(&format!("{tune} {ENDS} --out whitened")).expect(DONE, &[]);
    assert_eq!(place.bytes("drawn/model.safetensors"), place.bytes("whitened/model.safetensors"));
}
