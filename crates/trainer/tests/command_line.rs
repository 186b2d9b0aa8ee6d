//! The program as a person meets it: what it prints, what it leaves behind, how it exits.
//!
//! Every test runs the real binary in a folder of its own. Data are drawn by the program, or a few
//! images in MNIST's format that the test writes.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

const DONE: i32 = 0;
const ERROR: i32 = 1;
const USAGE: i32 = 2;
const INTERRUPTED: i32 = 130;

/// A training of less than a second.
const TINY: &str = "--train-size 64 --valid-size 32 --epochs 2 --model mlp --hidden 8 --batch-size 16 --learning-rate 0.01 --augment crop=2 --dropout 0.2 --threads 1";

/// A training of a few seconds on [`Place::with_mnist`], for tests that stop it.
const LONG: &str = "mnist --data-dir data --train-size 120 --valid-size 20 --epochs 120 --model mlp --hidden 32 --batch-size 2 --learning-rate 0.001 --augment crop=2 --dropout 0.2 --threads 1";

/// A training whose first step is far too long.
const DIVERGING: &str = "--train-size 64 --valid-size 16 --epochs 1 --model mlp --hidden 8 --optimizer sgd --schedule constant --learning-rate 1e38 --threads 1";

/// What a finished run leaves behind, by the run folder's contract.
const RUN_FILES: [&str; 9] = [
    "config.toml",
    "manifest.json",
    "metrics.jsonl",
    "summary.json",
    "model.safetensors",
    "checkpoints/latest.safetensors",
    "report.html",
    "figures/loss.svg",
    "figures/loss.png",
];

// ---------------------------------------------------------------------------------------------
// Trainings that go well

#[test]
fn a_finished_run_leaves_every_file_of_the_contract() {
    let place = Place::new();
    let run = place.run(&format!("train digits {TINY} --out run"));
    run.expect(DONE, &["test accuracy", "generalization gap", "report: run/report.html"]);
    for file in RUN_FILES {
        assert!(place.path("run").join(file).metadata().unwrap().len() > 0, "{file}");
    }
    for figure in ["accuracy", "confusion", "learning_rate", "mistakes", "reliability"] {
        for format in ["svg", "png"] {
            assert!(place.path(&format!("run/figures/{figure}.{format}")).exists(), "{figure}");
        }
    }
    place.expect_no_temporary_files();

    let manifest = place.json("run/manifest.json");
    expect_keys(
        &manifest,
        "name model command backburn_version burn_version git_commit backend device threads \
         dataset seed started ended status test_reads",
    );
    assert_eq!(manifest["status"], "finished");
    assert_eq!(manifest["threads"], 1);
    assert_eq!(manifest["dataset"]["name"], "digits");
    assert_eq!(manifest["dataset"]["files"][0]["sha256"].as_str().unwrap().len(), 64);

    expect_keys(
        &place.json("run/summary.json"),
        "best_epoch last_epoch train_loss train_accuracy valid_loss valid_accuracy test_loss \
         test_accuracy generalization_gap test_ece train_seconds images_per_second parameters",
    );
    let metrics = place.text("run/metrics.jsonl");
    let epochs: Vec<Value> =
        metrics.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(epochs.len(), 2);
    for (number, epoch) in (1..).zip(&epochs) {
        assert_eq!(epoch["epoch"], number);
        expect_keys(
            epoch,
            "epoch train_objective train_accuracy valid_loss valid_accuracy learning_rate seconds \
             images_per_second",
        );
    }
}

#[test]
fn the_config_of_a_run_repeats_it_bit_for_bit_for_any_number_of_threads() {
    let place = Place::with_mnist();
    place.run(&format!("train mnist --data-dir data {TINY} --seed 7 --out one")).expect(DONE, &[]);
    place.run("train --config one/config.toml --threads 2 --out two").expect(DONE, &[]);
    assert_eq!(place.bytes("one/model.safetensors"), place.bytes("two/model.safetensors"));
    assert_eq!(place.text("one/config.toml"), place.text("two/config.toml"));
    assert_eq!(place.json("two/manifest.json")["threads"], 2);

    place.run("train --config one/config.toml --seed 8 --out other").expect(DONE, &[]);
    assert_ne!(place.bytes("one/model.safetensors"), place.bytes("other/model.safetensors"));
}

#[test]
fn the_config_of_a_run_repeats_it_from_any_folder() {
    let place = Place::with_mnist();
    place.run(&format!("train mnist --data-dir data {TINY} --out one")).expect(DONE, &[]);
    let elsewhere = Place::new();
    let config = place.path("one/config.toml");
    let mut again = elsewhere.command(["train", "--out", "two", "--config"]);
    finish(again.arg(config)).expect(DONE, &[]);
    assert_eq!(place.bytes("one/model.safetensors"), elsewhere.bytes("two/model.safetensors"));
}

#[test]
fn json_on_stdout_is_one_object_and_nothing_else() {
    let place = Place::with_mnist();
    let run = place.run(&format!("train mnist --data-dir data {TINY} --json --out run"));
    run.expect(DONE, &[]);
    let printed: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(printed, place.json("run/summary.json"));

    let run = place.run("evaluate run --json");
    run.expect(DONE, &[]);
    let printed: Value = serde_json::from_str(&run.stdout).unwrap();
    expect_keys(&printed, "split images loss accuracy ece");
    assert_eq!(printed["accuracy"], place.json("run/summary.json")["valid_accuracy"]);
}

#[test]
fn every_look_at_the_test_split_is_recorded() {
    let place = Place::with_mnist();
    let reads = || place.json("run/manifest.json")["test_reads"].as_array().unwrap().len();
    place.run(&format!("train mnist --data-dir data {TINY} --out run")).expect(DONE, &[]);
    assert_eq!(reads(), 1);
    place.run("evaluate run").expect(DONE, &["on 32 images"]);
    place.run("report run").expect(DONE, &[]);
    assert_eq!(reads(), 1);
    let run = place.run("evaluate run --split test");
    run.expect(DONE, &["look 2 at the test split", "on 30 images"]);
    assert_eq!(reads(), 2);
    let accuracy = 100.0 * place.json("run/summary.json")["test_accuracy"].as_f64().unwrap();
    assert!(run.stdout.contains(&format!("accuracy {accuracy:.2} %")), "{}", run.stdout);
}

#[test]
fn without_out_a_run_gets_a_folder_of_its_own_under_runs() {
    let place = Place::with_mnist();
    for _ in 0..2 {
        place.run(&format!("train mnist --data-dir data {TINY}")).expect(DONE, &[]);
    }
    let mut names = place.names("runs");
    names.sort();
    assert_eq!(names.len(), 2);
    assert!(names.iter().all(|name| name.contains("-mnist-mlp")), "{names:?}");
}

#[test]
fn several_runs_are_compared_in_a_table_and_a_page() {
    let place = Place::with_mnist();
    for (seed, out) in [(1, "one"), (2, "two")] {
        let run = format!("train mnist --data-dir data {TINY} --seed {seed} --out {out}");
        place.run(&run).expect(DONE, &[]);
    }
    fs::remove_file(place.path("one/report.html")).unwrap();
    place.run("report one").expect(DONE, &["test accuracy", "report: one/report.html"]);
    assert!(place.path("one/report.html").exists());
    let run = place.run("report one two --out both.html");
    run.expect(DONE, &["mnist-mlp", "test %", "page: both.html"]);
    assert!(run.stdout.lines().all(|line| line.chars().count() <= 80), "{}", run.stdout);
    assert!(place.text("both.html").contains("mnist-mlp"));
}

#[test]
fn no_line_of_a_training_is_wider_than_a_terminal() {
    let place = Place::new();
    let run = place.run(&format!("train digits {TINY} --out run"));
    run.expect(DONE, &["digits: 64 training, 32 validation, 2000 test images", "1/2"]);
    let mut lines = run.stdout.lines().chain(run.stderr.lines());
    // The name of the processor may be as long as it likes.
    assert!(lines.all(|line| line.chars().count() < 80 || line.contains(" on ")), "{run:?}");
}

#[test]
fn the_catalog_is_listed_and_built_in_data_need_no_files() {
    let place = Place::new();
    let run = place.run("data list --data-dir nowhere");
    run.expect(DONE, &["mnist", "fashion-mnist", "cifar10", "digits", "data fetch cifar10"]);
    place.run("data verify digits").expect(DONE, &["has no files"]);
    place.expect_empty();
}

#[test]
fn help_and_version_are_on_stdout() {
    let place = Place::new();
    for arguments in ["--help", "train --help", "data fetch --help", "--version"] {
        let run = place.run(arguments);
        run.expect(DONE, &[]);
        assert!(run.stderr.is_empty() && !run.stdout.is_empty(), "{run:?}");
    }
}

// ---------------------------------------------------------------------------------------------
// What cannot be

#[test]
fn a_command_line_that_cannot_be_is_refused_with_what_can() {
    let place = Place::new();
    let cases: [(&str, i32, &[&str]); 46] = [
        ("", USAGE, &["train", "evaluate", "report", "data"]),
        ("dance", USAGE, &["`dance`|'dance'"]),
        ("train", USAGE, &["which data set?", "mnist, fashion-mnist, cifar10, digits"]),
        ("train minst", USAGE, &["unknown data set `minst`", "mnist, fashion-mnist"]),
        ("train digits --recipe best", USAGE, &["unknown recipe `best`", "digits", "--config"]),
        ("train digits --model vgg", USAGE, &["unknown model `vgg`", "mlp", "resnet18"]),
        ("train digits --optimizer lion", USAGE, &["unknown optimizer `lion`", "adamw"]),
        ("train digits --schedule poly", USAGE, &["unknown schedule `poly`", "cosine"]),
        ("train digits --backend tpu", USAGE, &["unknown backend `tpu`", "flex", "cuda"]),
        ("train digits --augment spin", USAGE, &["unknown augmentation `spin`", "crop"]),
        ("train digits --augment crop=40", USAGE, &["crop=40", "28"]),
        ("train digits --augment crop=-1", USAGE, &["crop=-1", "expected"]),
        ("train digits --initialization zeros", USAGE, &["zeros", "he-normal"]),
        ("train digits --epochs 0", USAGE, &["epochs", "at least 1", "found 0"]),
        ("train digits --epochs -1", USAGE, &["--epochs", "-1"]),
        ("train digits --epochs 1.5", USAGE, &["--epochs", "1.5"]),
        ("train digits --epochs 99999999999", USAGE, &["epochs", "99999999999"]),
        ("train digits --batch-size 0", USAGE, &["batch_size", "at least 1", "found 0"]),
        ("train digits --batch-size 100000", USAGE, &["at most the 9000", "--batch-size"]),
        ("train digits --learning-rate nan", USAGE, &["learning_rate", "positive", "NaN"]),
        ("train digits --learning-rate -1", USAGE, &["learning_rate", "positive", "-1"]),
        ("train digits --learning-rate 0", USAGE, &["learning_rate", "positive", "0"]),
        ("train digits --learning-rate inf", USAGE, &["learning_rate", "positive", "inf"]),
        ("train digits --learning-rate fast", USAGE, &["--learning-rate", "fast"]),
        ("train digits --accumulate 0", USAGE, &["accumulate", "at least 1"]),
        ("train digits --clip-norm -1", USAGE, &["clip_norm", "positive"]),
        ("train digits --weight-decay -1", USAGE, &["weight_decay", "at least 0"]),
        ("train digits --optimizer momentum --momentum 2", USAGE, &["momentum", "[0, 1)"]),
        ("train digits --model mlp --dropout 1", USAGE, &["--dropout", "[0, 1)"]),
        ("train digits --model resnet18 --dropout 0.5", USAGE, &["--dropout", "resnet18"]),
        ("train digits --model mlp --hidden 0", USAGE, &["hidden", "at least 1"]),
        ("train digits --model cnn --widths 8,8,8,8,8,8", USAGE, &["widths", "6 blocks"]),
        ("train digits --early-stopping patience=0", USAGE, &["patience", "at least 1"]),
        ("train digits --early-stopping patience=2 --valid-size 0", USAGE, &["--valid-size"]),
        ("train digits --seed 18446744073709551616", USAGE, &["--seed", "18446744073709551616"]),
        ("train digits --seed -1", USAGE, &["--seed", "-1"]),
        ("train digits --threads 0", USAGE, &["--threads", "expected 1 to", "found 0"]),
        ("train digits --threads 100000", USAGE, &["--threads", "expected 1 to", "found 100000"]),
        ("train digits --train-size 0", USAGE, &["no image is left to train on", "--train-size"]),
        ("train digits --valid-size 100%", USAGE, &["no image is left to train on"]),
        ("train digits --train-size 20000", USAGE, &["20000", "9000 are left", "--train-size"]),
        ("train digits --train-size 101%", USAGE, &["101%", "from 0 to 1"]),
        ("train --resume run --epochs 9", USAGE, &["--resume", "--config RUN/config.toml"]),
        ("evaluate run --split train", USAGE, &["valid, test"]),
        ("report", USAGE, &["<RUN>"]),
        ("data verify minst", USAGE, &["unknown data set `minst`", "cifar10"]),
    ];
    for (arguments, code, parts) in cases {
        place.run(arguments).refuse(code, parts);
    }
    place.expect_empty();
}

#[test]
fn what_is_not_there_is_named_with_the_cure() {
    let place = Place::new();
    let cases: [(&str, &[&str]); 9] = [
        (
            "train mnist --data-dir nowhere --out run",
            &["nowhere (no such folder)", "data fetch mnist --from DIR", "train digits"],
        ),
        ("train cifar10 --data-dir . --out run", &["holds none of its files", "cifar-10/"]),
        ("train --resume nowhere", &["nowhere/config.toml", "the folder of a run?"]),
        ("train --config nowhere.toml --out run", &["nowhere.toml", "config.toml of a run"]),
        ("evaluate nowhere", &["nowhere/config.toml", "the folder of a run?"]),
        ("report nowhere", &["nowhere/manifest.json", "run folder"]),
        ("data verify mnist --data-dir nowhere", &["no such folder", "data fetch mnist --from"]),
        ("data fetch mnist --from nowhere --data-dir data", &["nowhere"]),
        ("data fetch digits", &["no files", "train digits"]),
    ];
    for (arguments, parts) in cases {
        place.run(arguments).refuse(ERROR, parts);
        place.expect_empty();
    }
}

#[test]
fn a_backend_that_was_not_built_is_refused_with_the_command_that_builds_it() {
    let place = Place::new();
    // No build has both of these.
    let other = if cfg!(feature = "metal") { "cuda" } else { "metal" };
    let run = place.run(&format!("train digits --backend {other} --out run"));
    run.refuse(ERROR, &["was built without", &format!("--backend {other}")]);
    place.expect_empty();
}

/// What is done to the data, and what the refusal says.
type Damage = (fn(&Path), &'static [&'static str]);

#[test]
fn damaged_data_are_refused_by_file_with_what_was_expected_and_found() {
    const IMAGES: &str = "train-images-idx3-ubyte";
    const LABELS: &str = "train-labels-idx1-ubyte";
    const TEST_IMAGES: &str = "t10k-images-idx3-ubyte";
    let cases: [Damage; 10] = [
        // The first bytes of a gzip stream and no more.
        (
            |data| {
                fs::remove_file(data.join(IMAGES)).unwrap();
                let cut = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xed];
                fs::write(data.join(format!("{IMAGES}.gz")), cut).unwrap();
            },
            &["train-images-idx3-ubyte.gz", "whole gzip stream", "ends early"],
        ),
        (
            |data| fs::write(data.join(LABELS), idx(&[1, 1, 1], &[1])).unwrap(),
            &[LABELS, "magic number 2049", "magic number 2051"],
        ),
        (
            |data| fs::write(data.join(IMAGES), "\u{89}PNG\r\n").unwrap(),
            &[IMAGES, "magic number 2051"],
        ),
        (
            |data| fs::write(data.join(LABELS), idx(&[3], &[1, 10, 3])).unwrap(),
            &[LABELS, "labels from 0 to 9", "label 10 at image 1"],
        ),
        (|data| fs::write(data.join(LABELS), "").unwrap(), &[LABELS, "an empty file"]),
        (
            |data| fs::write(data.join(TEST_IMAGES), idx(&[u32::MAX, 28, 28], b"abc")).unwrap(),
            &[TEST_IMAGES, "4294967295"],
        ),
        (
            |data| fs::write(data.join(TEST_IMAGES), idx(&[1_000_000, 28, 28], b"abc")).unwrap(),
            &[TEST_IMAGES, "784000000 bytes", "3 bytes"],
        ),
        (
            |data| fs::write(data.join(LABELS), idx(&[3], &[1, 2, 3])).unwrap(),
            &[LABELS, "200 labels", "found 3"],
        ),
        (
            |data| fs::write(data.join(IMAGES), idx(&[2, 14, 56], &[0; 1568])).unwrap(),
            &[IMAGES, "28 by 28", "[2, 14, 56]"],
        ),
        (|data| fs::remove_file(data.join(LABELS)).unwrap(), &["lacks train-labels-idx1-ubyte"]),
    ];
    for (damage, parts) in cases {
        let place = Place::with_mnist();
        damage(&place.path("data"));
        let run = place.run(&format!("train mnist --data-dir data {TINY} --out run"));
        run.refuse(ERROR, parts);
        assert!(run.stderr.contains("data fetch mnist"), "no cure: {}", run.stderr);
        assert!(!place.path("run").exists(), "{}", run.stderr);
        let verify = place.run("data verify mnist --data-dir data");
        assert_eq!(verify.code, Some(ERROR), "not noticed by `data verify`: {}", run.stderr);
    }
}

#[test]
fn a_cifar_batch_of_another_length_is_refused() {
    let place = Place::new();
    fs::create_dir(place.path("data")).unwrap();
    for name in ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5"]
        .into_iter()
        .chain(["test_batch"])
    {
        fs::write(place.path(&format!("data/{name}.bin")), [3; 3073]).unwrap();
    }
    let run = place.run(&format!("train cifar10 --data-dir data {TINY} --out run"));
    run.refuse(ERROR, &["data_batch_1.bin", "30730000 bytes", "3073 bytes", "data fetch cifar10"]);
    assert!(!place.path("run").exists());
}

#[test]
fn files_that_are_right_but_not_the_published_ones_are_used_with_a_note() {
    let place = Place::with_mnist();
    let run = place.run(&format!("train mnist --data-dir data {TINY} --out run"));
    run.expect(DONE, &["note: ", "not the published mnist's train-images-idx3-ubyte"]);
    let notes = place.json("run/manifest.json")["dataset"]["notes"].clone();
    assert_eq!(notes.as_array().unwrap().len(), 4);
    place.run("data verify mnist --data-dir data").expect(DONE, &["not the published file"]);
}

#[test]
fn a_recipe_that_cannot_be_read_is_refused_by_file_and_place() {
    let place = Place::with_mnist();
    place.run(&format!("train mnist --data-dir data {TINY} --out good")).expect(DONE, &[]);
    let good = place.text("good/config.toml");
    let with = |from: &str, to: &str| {
        assert!(good.contains(from), "{good}");
        good.replace(from, to).into_bytes()
    };
    let cases: [(Vec<u8>, &[&str]); 9] = [
        (b"this is no recipe".to_vec(), &["line 1"]),
        (Vec::new(), &["missing field `dataset`"]),
        (vec![0, 159, 146, 150], &["UTF-8"]),
        (with("epochs = 2", "epochs = \"two\""), &["line", "epochs = \"two\""]),
        (with("epochs = 2", "epocs = 2"), &["unknown field `epocs`", "`epochs`"]),
        (with("epochs = 2", ""), &["missing field `epochs`"]),
        (with("epochs = 2", "epochs = 0"), &["`epochs`: expected at least 1, found 0"]),
        (with("\"mlp\"", "\"vgg\""), &["`vgg`", "resnet18"]),
        (with("\"mnist\"", "\"minst\""), &["unknown data set `minst`", "cifar10"]),
    ];
    for (content, parts) in cases {
        fs::write(place.path("bad.toml"), content).unwrap();
        let run = place.run("train --config bad.toml --out run");
        run.refuse(ERROR, parts);
        assert!(run.stderr.contains("bad.toml"), "{}", run.stderr);
        assert!(!place.path("run").exists());
    }
    place.run("train --config good --out run").refuse(ERROR, &["cannot read good"]);
}

#[test]
fn an_out_that_cannot_be_a_new_folder_is_refused_and_left_as_it_is() {
    let place = Place::with_mnist();
    fs::create_dir(place.path("full")).unwrap();
    fs::write(place.path("full/thesis.tex"), "x").unwrap();
    fs::write(place.path("file"), "x").unwrap();
    let train = |out: &str| place.run(&format!("train mnist --data-dir data {TINY} --out {out}"));
    train("full").refuse(USAGE, &["full is not empty", "--out", "--resume"]);
    train("file").refuse(ERROR, &["cannot write file", "--out"]);
    train("file/run").refuse(ERROR, &["cannot write file/run", "--out"]);
    if cfg!(target_os = "linux") {
        train("/proc/run").refuse(ERROR, &["cannot write /proc/run", "--out"]);
    }
    assert_eq!(place.names("full"), ["thesis.tex"]);
    assert_eq!(place.text("file"), "x");

    fs::create_dir(place.path("empty")).unwrap();
    train("empty").expect(DONE, &[]);
}

#[test]
fn a_run_that_is_damaged_is_refused_by_file() {
    let place = Place::with_mnist();
    place.run(&format!("train mnist --data-dir data {TINY} --out run")).expect(DONE, &[]);
    let weights = place.bytes("run/model.safetensors");
    let evaluate = |parts| {
        place.run("evaluate run --split test").refuse(ERROR, parts);
        // Data that were not used were not looked at either.
        assert_eq!(place.json("run/manifest.json")["test_reads"].as_array().unwrap().len(), 1);
    };
    for damaged in [&weights[..weights.len() / 2], &[], &[0xff; 100]] {
        fs::write(place.path("run/model.safetensors"), damaged).unwrap();
        evaluate(&["run/model.safetensors", "damaged", "--config run/config.toml"]);
    }
    fs::remove_file(place.path("run/model.safetensors")).unwrap();
    evaluate(&["run/model.safetensors"]);

    fs::write(place.path("run/summary.json"), "{").unwrap();
    place.run("report run").refuse(ERROR, &["run/summary.json", "expected", "--config"]);
    fs::write(place.path("run/manifest.json"), "{").unwrap();
    place.run("evaluate run").refuse(ERROR, &["run/manifest.json", "damaged"]);
}

#[test]
fn a_run_that_is_over_is_not_resumed() {
    let place = Place::with_mnist();
    place.run(&format!("train mnist --data-dir data {TINY} --out run")).expect(DONE, &[]);
    let before = place.bytes("run/manifest.json");
    place.run("train --resume run").refuse(ERROR, &["finished", "--config run/config.toml"]);
    assert_eq!(place.bytes("run/manifest.json"), before);
}

#[test]
fn a_training_that_diverges_says_so_and_never_sees_the_test_split() {
    // Within an epoch, and at the very last step, which no batch comes after.
    for (batch_size, seen) in [(16, "batch 2"), (64, "batch 1")] {
        let place = Place::with_mnist();
        let run = place.run(&format!(
            "train mnist --data-dir data {DIVERGING} --batch-size {batch_size} --out run"
        ));
        assert_eq!(run.code, Some(ERROR), "{run:?}");
        run.mention(&["training diverged", "epoch 1", seen, "--learning-rate"]);
        let manifest = place.json("run/manifest.json");
        assert_eq!(manifest["status"], "diverged");
        assert_eq!(manifest["test_reads"].as_array().unwrap().len(), 0);
        assert!(!place.path("run/model.safetensors").exists());
        place.run("report run").expect(DONE, &["diverged"]);
        place.run("evaluate run").refuse(ERROR, &["diverged", "smaller learning rate"]);
        place.run("train --resume run").refuse(ERROR, &["diverged", "smaller learning rate"]);
    }
}

#[test]
fn a_run_folder_deleted_while_training_ends_the_training() {
    let place = Place::with_mnist();
    let long = LONG.replace("--epochs 120", "--epochs 9999");
    let child = start(place.command(format!("train {long} --out run").split(' ')));
    wait_for("the first epoch", || place.path("run/metrics.jsonl").exists());
    // A file may be on its way into the folder just now.
    wait_for("the folder's end", || {
        let _ = fs::remove_dir_all(place.path("run"));
        !place.path("run").exists()
    });
    let run = child.finish();
    run.mention(&["cannot write run/", "--out"]);
    assert_eq!(run.code, Some(ERROR), "{run:?}");
    assert!(!place.path("run").exists());
}

// ---------------------------------------------------------------------------------------------
// Ctrl-C, and on from there

#[cfg(unix)]
#[test]
fn an_interrupted_run_resumes_to_the_weights_of_an_uninterrupted_one() {
    let place = Place::with_mnist();
    place.run(&format!("train {LONG} --out whole")).expect(DONE, &[]);
    for (signal, out) in [("INT", "one"), ("TERM", "two")] {
        let run = place.interrupt(signal, out);
        assert_eq!(run.code, Some(INTERRUPTED), "{run:?}");
        run.mention(&["a checkpoint was saved", &format!("--resume {out}")]);
        assert!(run.stdout.is_empty(), "{}", run.stdout);
        let manifest = place.json(&format!("{out}/manifest.json"));
        assert_eq!(manifest["status"], "interrupted");
        assert_eq!(manifest["test_reads"].as_array().unwrap().len(), 0, "test data were read");
        assert!(!place.path(&format!("{out}/summary.json")).exists());
        let refused = place.run(&format!("evaluate {out}"));
        refused.refuse(ERROR, &["interrupted", &format!("--resume {out}")]);
        place.run(&format!("report {out}")).expect(DONE, &["report"]);

        let resumed = place.run(&format!("train --resume {out} --threads 2"));
        resumed.expect(DONE, &["resuming at epoch", "test accuracy"]);
        for file in ["model.safetensors", "config.toml", "losses.csv"] {
            let (resumed, whole) = (format!("{out}/{file}"), format!("whole/{file}"));
            assert!(place.bytes(&resumed) == place.bytes(&whole), "{resumed} differs");
        }
        assert_eq!(place.objectives(out), place.objectives("whole"));
        let manifest = place.json(&format!("{out}/manifest.json"));
        assert_eq!(manifest["status"], "finished");
        assert_eq!(manifest["test_reads"].as_array().unwrap().len(), 1);
        place.expect_no_temporary_files();
    }
}

#[cfg(unix)]
#[test]
fn a_killed_run_resumes_from_its_last_epoch_to_the_same_weights() {
    let place = Place::with_mnist();
    let long = LONG.replace("--epochs 120", "--epochs 40");
    place.run(&format!("train {long} --out whole")).expect(DONE, &[]);
    let child = start(place.command(format!("train {long} --out run").split(' ')));
    wait_for("the first epoch", || place.path("run/checkpoints/latest.safetensors").exists());
    child.signal("KILL");
    assert_eq!(child.finish().code, None);
    assert_eq!(place.json("run/manifest.json")["status"], "running");
    place.run("train --resume run").expect(DONE, &["resuming at epoch"]);
    assert!(place.bytes("run/model.safetensors") == place.bytes("whole/model.safetensors"));
}

#[cfg(unix)]
#[test]
fn a_damaged_checkpoint_is_refused_and_a_missing_one_means_from_the_start() {
    let place = Place::with_mnist();
    assert_eq!(place.interrupt("INT", "run").code, Some(INTERRUPTED));
    let path = place.path("run/checkpoints/latest.safetensors");
    let whole = fs::read(&path).unwrap();
    let flipped = |byte: usize| {
        let mut bytes = whole.clone();
        bytes[byte] ^= 0x10;
        bytes
    };
    for damaged in [
        whole[..whole.len() / 2].to_vec(),
        Vec::new(),
        vec![0; whole.len()],
        flipped(3),
        flipped(200),
        flipped(whole.len() / 2),
        flipped(whole.len() - 1000),
        flipped(whole.len() - 1),
    ] {
        fs::write(&path, damaged).unwrap();
        let run = place.run("train --resume run");
        run.refuse(ERROR, &["checkpoints/latest.safetensors", "--config run/config.toml"]);
        assert_eq!(place.json("run/manifest.json")["status"], "interrupted");
    }

    let config = place.text("run/config.toml");
    let narrower = config.replace("hidden = [32]", "hidden = [16]");
    assert_ne!(narrower, config);
    fs::write(&path, &whole).unwrap();
    fs::write(place.path("run/config.toml"), narrower).unwrap();
    place.run("train --resume run").refuse(ERROR, &["expected shape", "found", "another model"]);

    let shorter = config.replace("epochs = 120", "epochs = 2");
    assert_ne!(shorter, config);
    fs::write(place.path("run/config.toml"), shorter).unwrap();
    fs::remove_dir_all(place.path("run/checkpoints")).unwrap();
    place.run("train --resume run").expect(DONE, &["1/2", "2/2"]);
}

#[cfg(unix)]
#[test]
fn a_second_ctrl_c_quits_at_once() {
    let place = Place::with_mnist();
    // One batch of this takes seconds.
    let slow = "train mnist --data-dir data --train-size 150 --valid-size 10 --epochs 1 --model resnet34 --batch-size 150 --threads 1 --out run";
    let child = start(place.command(slow.split(' ')));
    wait_for("the training", || place.path("run/manifest.json").exists());
    child.signal("INT");
    wait_for("the answer", || child.stderr().contains("Ctrl-C again quits at once"));
    child.signal("INT");
    let run = child.finish();
    assert_eq!(run.code, Some(INTERRUPTED), "{run:?}");
    assert!(!place.path("run/checkpoints/latest.safetensors").exists(), "it was saved: {run:?}");
    assert_eq!(place.json("run/manifest.json")["status"], "running");
}

// ---------------------------------------------------------------------------------------------
// Nobody reads what is printed

#[cfg(target_os = "linux")]
#[test]
fn a_training_whose_output_nobody_takes_goes_on_to_its_end() {
    let place = Place::with_mnist();
    let train = format!("train mnist --data-dir data {TINY} --out run");
    for json in ["", " --json"] {
        let full = || fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = place.command(format!("{train}{json}").split(' '));
        let status = command.stdout(full()).stderr(full()).status().unwrap();
        assert_eq!(status.code(), Some(DONE));
        assert_eq!(place.json("run/manifest.json")["status"], "finished");
        fs::remove_dir_all(place.path("run")).unwrap();
    }
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let status = place.command(["train", "minst"]).stderr(full).status().unwrap();
    assert_eq!(status.code(), Some(USAGE));
}

#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_is_no_error() {
    let place = Place::with_mnist();
    for arguments in ["data list --data-dir .", "--help", "train --help"] {
        let mut command = place.command(arguments.split(' '));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop((child.stdout.take(), child.stderr.take()));
        assert_eq!(child.wait().unwrap().code(), Some(DONE), "{arguments}");
    }
}

// ---------------------------------------------------------------------------------------------
// A folder to run the program in, and what came of it

/// An empty folder for one test.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// With 200 training and 30 test images in MNIST's format under `data`.
    fn with_mnist() -> Self {
        let place = Self::new();
        fs::create_dir(place.path("data")).unwrap();
        for (prefix, images) in [("train", 200_usize), ("t10k", 30)] {
            let labels: Vec<u8> = (0..images).map(|i| (i % 10) as u8).collect();
            // Each class has a row of its own, not alike in all images and not symmetric.
            let pixel = |i: usize| match (i / 784 % 10, i % 784 / 28, i % 28) {
                (class, row, column) if row == 2 * class + 3 && column > 4 => 200 + (i % 41) as u8,
                _ => (i * 7919 % 61) as u8,
            };
            let pixels: Vec<u8> = (0..images * 784).map(pixel).collect();
            let files = [
                ("images-idx3", idx(&[images as u32, 28, 28], &pixels)),
                ("labels-idx1", idx(&[images as u32], &labels)),
            ];
            for (name, content) in files {
                fs::write(place.path(&format!("data/{prefix}-{name}-ubyte")), content).unwrap();
            }
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn text(&self, name: &str) -> String {
        String::from_utf8(self.bytes(name)).unwrap()
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&self.bytes(name)).unwrap()
    }

    /// Names in a folder.
    fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).unwrap();
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }

    /// What was minimized in each epoch of a run.
    fn objectives(&self, run: &str) -> Vec<Value> {
        let metrics = self.text(&format!("{run}/metrics.jsonl"));
        let epoch = |line| serde_json::from_str::<Value>(line).unwrap()["train_objective"].clone();
        metrics.lines().map(epoch).collect()
    }

    fn command(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_backburn"));
        command.args(arguments).current_dir(self.0.path());
        command.env_remove("BACKBURN_DATA").env_remove("COLUMNS").stdin(Stdio::null());
        command
    }

    /// Runs the program with arguments between single spaces.
    fn run(&self, arguments: &str) -> Run {
        finish(&mut self.command(arguments.split(' ').filter(|argument| !argument.is_empty())))
    }

    /// Starts [`LONG`] and sends a signal in its second epoch or a little later.
    #[cfg(unix)]
    fn interrupt(&self, signal: &str, out: &str) -> Run {
        let child = start(self.command(format!("train {LONG} --out {out}").split(' ')));
        wait_for("the first epoch", || self.path(out).join("metrics.jsonl").exists());
        child.signal(signal);
        child.finish()
    }

    fn expect_empty(&self) {
        assert_eq!(self.names("."), [""; 0], "something was left behind");
    }

    fn expect_no_temporary_files(&self) {
        let mut folders = vec![self.0.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                assert!(!name.starts_with('.') && !name.contains("tmp"), "{}", path.display());
                if path.is_dir() {
                    folders.push(path);
                }
            }
        }
    }
}

/// What came of running the program.
#[derive(Debug)]
struct Run {
    /// `None` if a signal ended it.
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Run {
    /// It ended so, and said this on stdout or stderr.
    fn expect(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stdout, self.stderr);
        self.mention(parts);
    }

    /// It said this on stdout or stderr. `a|b` stands for one of the two.
    fn mention(&self, parts: &[&str]) {
        let said = format!("{}{}", self.stdout, self.stderr);
        for part in parts {
            assert!(part.split('|').any(|part| said.contains(part)), "no `{part}` in:\n{said}");
        }
        assert!(!said.contains("panicked") && !said.contains("RUST_BACKTRACE"), "{said}");
    }

    /// It refused with one paragraph on stderr that says this.
    fn refuse(&self, code: i32, parts: &[&str]) {
        self.expect(code, parts);
        let by_clap = code == USAGE && self.stderr.contains("Usage:");
        // Notes about the data may come first.
        let mut lines = self.stderr.lines().skip_while(|line| line.starts_with("note: "));
        let is_error = lines.next().is_some_and(|line| line.starts_with("error: "));
        assert!(by_clap || is_error, "{}", self.stderr);
        if code == ERROR {
            assert!(self.stdout.is_empty(), "{}", self.stdout);
            assert!(!self.stderr.trim_end().contains("\n\n"), "{}", self.stderr);
        }
    }
}

fn finish(command: &mut Command) -> Run {
    let output = command.output().unwrap();
    Run {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The program while it runs; killed if the test fails first.
struct Child {
    process: std::process::Child,
    stdout: PathBuf,
    stderr: PathBuf,
    /// Holds the two files.
    _folder: TempDir,
}

fn start(mut command: Command) -> Child {
    let folder = tempfile::tempdir().unwrap();
    let (stdout, stderr) = (folder.path().join("stdout"), folder.path().join("stderr"));
    command.stdout(fs::File::create(&stdout).unwrap()).stderr(fs::File::create(&stderr).unwrap());
    Child { process: command.spawn().unwrap(), stdout, stderr, _folder: folder }
}

impl Child {
    #[cfg(unix)]
    fn signal(&self, name: &str) {
        // The shell's own `kill` is everywhere.
        let kill = format!("kill -{name} {}", self.process.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    #[cfg(unix)]
    fn stderr(&self) -> String {
        fs::read_to_string(&self.stderr).unwrap()
    }

    fn finish(mut self) -> Run {
        let code = self.process.wait().unwrap().code();
        let read = |path| fs::read_to_string(path).unwrap();
        Run { code, stdout: read(&self.stdout), stderr: read(&self.stderr) }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Waits until something has happened, for a minute at most.
fn wait_for(what: &str, happened: impl Fn() -> bool) {
    let started = Instant::now();
    while !happened() {
        assert!(started.elapsed() < Duration::from_secs(60), "waited for {what} in vain");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// An IDX file of unsigned bytes.
fn idx(dimensions: &[u32], data: &[u8]) -> Vec<u8> {
    let mut file = (0x0800 + dimensions.len() as u32).to_be_bytes().to_vec();
    for size in dimensions {
        file.extend_from_slice(&size.to_be_bytes());
    }
    file.extend_from_slice(data);
    file
}

fn expect_keys(object: &Value, names: &str) {
    let mut found: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected: Vec<&str> = names.split_whitespace().collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
}
