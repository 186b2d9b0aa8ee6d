//! What cannot be is refused, with what was expected, what was found and the cure.

use std::fs;
use std::path::Path;

use crate::place::*;

#[test]
fn a_command_line_that_cannot_be_is_refused_with_what_can() {
    let place = Place::new();
    let cases: [(&str, i32, &[&str]); 69] = [
        ("", USAGE, &["train", "evaluate", "report", "data"]),
        ("dance", USAGE, &["`dance`|'dance'"]),
        ("train", USAGE, &["which data set?", "mnist, fashion-mnist, cifar10, digits"]),
        ("train minst", USAGE, &["unknown data set `minst`", "mnist, fashion-mnist"]),
        ("train digits --recipe best", USAGE, &["unknown recipe `best`", "digits", "--config"]),
        ("train digits --model vgg", USAGE, &["unknown model `vgg`", "mlp", "resnet18"]),
        ("train digits --optimizer lion", USAGE, &["unknown optimizer `lion`", "adamw"]),
        ("train digits --schedule poly", USAGE, &["unknown schedule `poly`", "cosine"]),
        ("train digits --backend tpu", USAGE, &["unknown backend `tpu`", "flex", "cuda"]),
        ("train digits --tune full", USAGE, &["--tune", "no backend for graphics cards"]),
        ("train digits --tune fast", USAGE, &["--tune", "minimal, balanced or full", "`fast`"]),
        ("train digits --augment spin", USAGE, &["unknown augmentation `spin`", "crop"]),
        ("train digits --augment crop=40", USAGE, &["crop=40", "28"]),
        ("train digits --augment crop=-1", USAGE, &["crop=-1", "expected"]),
        ("train digits --initialization zeros", USAGE, &["zeros", "he-normal"]),
        (
            "train digits --model mlp --set initialization.first_layer=whitening",
            USAGE,
            &["`initialization.first_layer`", "`hidden.0`", "`drawn`", "--model cnn"],
        ),
        (
            "train digits --set initialization.head_factor=1.5",
            USAGE,
            &["`initialization.head_factor`", "a factor in [0, 1]", "found 1.5"],
        ),
        ("train digits --tta flop", USAGE, &["--tta", "unknown view `flop`", "diagonal=PIXELS"]),
        ("train digits --tta flip,shift=28", USAGE, &["`tta`", "`shift=28`", "28×28"]),
        ("train digits --epochs 0", USAGE, &["epochs", "at least 1", "found 0"]),
        ("train digits --epochs -1", USAGE, &["--epochs", "-1"]),
        ("train digits --epochs 1.5", USAGE, &["--epochs", "1.5"]),
        ("train digits --epochs 99999999999", USAGE, &["epochs", "99999999999"]),
        ("train digits --batch-size 0", USAGE, &["`--batch-size`", "at least 1", "found 0"]),
        (
            "train digits --batch-size 100000",
            USAGE,
            &["at most the 9,000 training images", "--batch-size"],
        ),
        ("train digits --learning-rate nan", USAGE, &["`--learning-rate`", "positive", "NaN"]),
        ("train digits --learning-rate -1", USAGE, &["`--learning-rate`", "positive", "-1"]),
        ("train digits --learning-rate 0", USAGE, &["`--learning-rate`", "positive", "0"]),
        ("train digits --learning-rate inf", USAGE, &["`--learning-rate`", "positive", "inf"]),
        ("train digits --learning-rate fast", USAGE, &["--learning-rate", "fast"]),
        ("train digits --accumulate 0", USAGE, &["`--accumulate`", "at least 1"]),
        ("train digits --clip-norm -1", USAGE, &["`--clip-norm`", "positive"]),
        ("train digits --weight-decay -1", USAGE, &["`--weight-decay`", "at least 0"]),
        ("train digits --optimizer momentum --momentum 2", USAGE, &["momentum", "[0, 1)"]),
        ("train digits --model mlp --dropout 1", USAGE, &["--dropout", "[0, 1)"]),
        (
            "train digits --model resnet18 --spatial-dropout 0.5",
            USAGE,
            &["--spatial-dropout", "resnet18"],
        ),
        ("train digits --stem imagenet", USAGE, &["--stem", "lenet-bn"]),
        (
            "train digits --freeze conv1,hidden",
            USAGE,
            &["`--freeze`: expected", "found `hidden`", "conv1, norm1"],
        ),
        ("train digits --init-from none.pt", ERROR, &["cannot read", "none.pt", "--init-from"]),
        (
            "train digits --pretrained",
            USAGE,
            &[
                "none are fetched",
                "resnet18-f37072fd.pth",
                "--stem imagenet --normalization imagenet --init-from",
            ],
        ),
        ("train digits --model mlp --hidden 0", USAGE, &["hidden", "from 1 to 16384"]),
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
        (
            "train --resume run --epochs 9",
            USAGE,
            &["--resume", "--config RUN/config.toml", "--extend"],
        ),
        ("train --resume run --out other", USAGE, &["in the run's own folder, run", "--out"]),
        ("train --resume run --recipe mnist", USAGE, &["takes the recipe of run", "--recipe"]),
        ("train digits --last-batch pad", USAGE, &["--last-batch", "keep, drop, merge", "`pad`"]),
        ("evaluate run --split train", USAGE, &["valid, test"]),
        ("evaluate run --tta flop", USAGE, &["--tta", "unknown view `flop`", "shift=PIXELS"]),
        ("evaluate run --tta shift=0", USAGE, &["--tta", "at least 1 pixel", "shift=0"]),
        ("evaluate run --tta flip,diagonal=x", USAGE, &["--tta", "`diagonal`", "diagonal=PIXELS"]),
        ("evaluate run --tta mean=logits", USAGE, &["--tta", "names none", "add flip"]),
        ("evaluate run --tta flip,least-confident=2", USAGE, &["--tta", "a share in (0, 1]"]),
        ("evaluate run --tta flip --mc-dropout 9", USAGE, &["--tta", "--mc-dropout"]),
        ("evaluate run --mc-dropout 1", USAGE, &["--mc-dropout", "2..=1000"]),
        ("evaluate run --mc-dropout 1001", USAGE, &["--mc-dropout", "2..=1000"]),
        ("evaluate run --mc-dropout -3", USAGE, &["--mc-dropout", "2..=1000"]),
        ("evaluate run --top-k -1", USAGE, &["--top-k", "-1"]),
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
fn nothing_is_written_among_a_runs_own_files() {
    let place = Place::new();
    let small = "--train-size 100 --valid-size 50 --epochs 1 --model mlp --hidden 4";
    place.run(&format!("train digits {small} --out run")).expect(DONE, &[]);
    let (before, weights) = (place.names("run"), place.bytes("run/model.safetensors"));
    for (arguments, out) in [
        ("report run run --out", "run/report.html"),
        ("data preview digits --out", "run/figures/loss.png"),
        ("data describe pictures --out", "run/sheet.png"),
        ("data describe pictures --page", "run/pairs.html"),
        ("data verify digits --page", "run/new/pairs.html"),
        ("experiment all --preset quick --markdown", "run/page.md"),
        ("experiment dropout --dataset digits --out", "run"),
        ("experiment all --preset quick --out", "run/all"),
        ("bench --models mlp --batch-sizes 1 --out", "run/model.safetensors"),
        ("label-errors folds --out", "run"),
    ] {
        let refused = [out, "is inside the folder of a run", "name a path elsewhere"];
        place.run(&format!("{arguments} {out}")).refuse(USAGE, &refused);
    }
    assert_eq!(place.names("run"), before);
    assert_eq!(place.bytes("run/model.safetensors"), weights);
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
            |data| fs::write(data.join(TEST_IMAGES), idx(&[300_000, 28, 28], b"abc")).unwrap(),
            &[TEST_IMAGES, "235200000 bytes", "3 bytes"],
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
        // They are the user's own, and the cure is not to delete them.
        assert!(!run.stderr.contains("delete"), "{}", run.stderr);
        assert!(!place.path("run").exists(), "{}", run.stderr);
        let verify = place.run("data verify mnist --data-dir data");
        assert_eq!(verify.code, Some(ERROR), "not noticed by `data verify`: {}", run.stderr);
        let said = format!("{}{}", verify.stdout, verify.stderr);
        assert!(said.contains("--data-dir DIR") && !said.contains("delete"), "{said}");
    }
}

#[test]
fn files_named_with_a_point_are_trained_on_verified_and_offered_to_a_fetch() {
    let place = Place::with_mnist();
    for (prefix, kind) in [
        ("train", "images-idx3"),
        ("train", "labels-idx1"),
        ("t10k", "images-idx3"),
        ("t10k", "labels-idx1"),
    ] {
        let name = format!("data/{prefix}-{kind}-ubyte");
        fs::rename(place.path(&name), place.path(&name.replace("-idx", ".idx"))).unwrap();
    }
    let run = place.run(&format!("train mnist --data-dir data {TINY} --out run"));
    run.expect(DONE, &["note: ", "data/train-images.idx3-ubyte: not the published"]);
    let run = place.run("data verify mnist --data-dir data");
    run.expect(DONE, &["t10k-labels.idx1-ubyte: right format, but not the published file"]);
    let run = place.run("data fetch mnist --from data --data-dir other");
    run.refuse(ERROR, &["data/train-images.idx3-ubyte: expected the published file"]);
    assert_eq!(place.names("data").len(), 4);
}

#[test]
fn where_a_download_would_lie_the_cure_is_to_fetch_again_which_keeps_what_is_there() {
    let place = Place::with_mnist();
    fs::create_dir(place.path("datasets")).unwrap();
    fs::rename(place.path("data"), place.path("datasets/mnist")).unwrap();
    fs::write(place.path("datasets/mnist/train-labels-idx1-ubyte"), idx(&[3], &[1, 2, 3])).unwrap();
    for command in [format!("train mnist {TINY} --out run"), "data verify mnist".to_owned()] {
        let run = place.run(&command);
        run.expect(ERROR, &["`cargo xtask data fetch mnist`, which", "as NAME.unverified"]);
        assert!(!format!("{}{}", run.stdout, run.stderr).contains("delete"), "{run:?}");
    }
    // Nothing is fetched in place of what is the user's own without being asked to.
    fs::remove_file(place.path("datasets/mnist/train-labels-idx1-ubyte")).unwrap();
    let run = place.run(&format!("train mnist {TINY} --out run"));
    run.refuse(
        ERROR,
        &["lacks train-labels-idx1-ubyte", "add what is missing", "--data-dir datasets"],
    );
    assert_eq!(place.names("datasets/mnist").len(), 3);
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
    run.expect(ERROR, &["data_batch_1.bin", "30730000 bytes", "3073 bytes", "data fetch cifar10"]);
    // Its own recipe would not take the model.
    run.expect(ERROR, &["note: recipe cifar10-plain: that of cifar10 is fitted to its own model"]);
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
#[cfg(unix)]
fn what_never_ends_is_refused_in_place_of_a_file() {
    let place = Place::with_mnist();
    let run = place.run("train --config /dev/zero --out run");
    run.refuse(ERROR, &["/dev/zero", "more than 1048576 bytes", "config.toml of a run"]);
    place.run(&format!("train mnist --data-dir data {TINY} --out run")).expect(DONE, &[]);
    let endless = |name: &str| {
        fs::remove_file(place.path(name)).unwrap();
        std::os::unix::fs::symlink("/dev/zero", place.path(name)).unwrap();
    };
    endless("run/metrics.jsonl");
    place.run("report run").refuse(ERROR, &["run/metrics.jsonl", "not a regular file"]);
    endless("run/model.safetensors");
    place.run("evaluate run").refuse(ERROR, &["run/model.safetensors", "not a regular file"]);
    endless("run/config.toml");
    place.run("train --resume run").refuse(ERROR, &["run/config.toml", "not a regular file"]);
    endless("data/train-labels-idx1-ubyte");
    let run = place.run(&format!("train mnist --data-dir data {TINY} --out other"));
    run.refuse(ERROR, &["train-labels-idx1-ubyte", "not a regular file"]);
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
        evaluate(&["run/model.safetensors", "SHA-256", "--config run/config.toml"]);
    }
    fs::remove_file(place.path("run/model.safetensors")).unwrap();
    evaluate(&["run/model.safetensors"]);

    fs::write(place.path("run/summary.json"), "{").unwrap();
    place.run("report run").refuse(ERROR, &["run/summary.json", "expected", "--config"]);
    fs::write(place.path("run/manifest.json"), "{").unwrap();
    place.run("evaluate run").refuse(ERROR, &["run/manifest.json", "damaged"]);
}

#[test]
fn a_score_that_a_run_cannot_have_is_refused_before_the_test_split_is_looked_at() {
    let place = Place::with_mnist();
    let tiny = TINY.replace("--valid-size 32", "--valid-size 0").replace("0.2", "0");
    place.run(&format!("train mnist --data-dir data {tiny} --out run")).expect(DONE, &[]);
    let cases: [(&str, i32, &[&str]); 7] = [
        ("--temperature", ERROR, &["--temperature", "no images for it", "--valid-size"]),
        ("--tta shift=28", USAGE, &["--tta", "`shift=28`", "28×28"]),
        ("--tta flip,diagonal=28", USAGE, &["--tta", "`diagonal=28`", "28×28"]),
        ("--mc-dropout 3", USAGE, &["--mc-dropout", "needs dropout", "mlp", "at rate 0"]),
        ("--top-k 0", USAGE, &["--top-k", "expected 1 to 10", "found 0"]),
        ("--top-k 11", USAGE, &["--top-k", "expected 1 to 10", "found 11"]),
        ("--top-k 65536", USAGE, &["--top-k", "65536"]),
    ];
    for (flags, code, parts) in cases {
        place.run(&format!("evaluate run --split test {flags}")).refuse(code, parts);
    }
    assert_eq!(place.json("run/manifest.json")["test_reads"].as_array().unwrap().len(), 1);
    let written = place.json("run/evaluation.json");
    assert!(written["temperature"].is_null() && written["brier"].is_number(), "{written}");
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
    // Within an epoch, and at the very last step, which no batch comes after: its weights are numbers still.
    for (batch_size, valid_size, seen) in [
        (16, 16, "batch 2"),
        (64, 16, "batch 1 (step 1,"),
        (64, 0, "their loss on the training images is not"),
    ] {
        let place = Place::with_mnist();
        let diverging = DIVERGING.replace("--valid-size 16", &format!("--valid-size {valid_size}"));
        let run = place.run(&format!(
            "train mnist --data-dir data {diverging} --batch-size {batch_size} --out run"
        ));
        assert_eq!(run.code, Some(ERROR), "{run:?}");
        run.mention(&["training diverged", "epoch 1", seen, "--learning-rate"]);
        let manifest = place.json("run/manifest.json");
        assert_eq!(manifest["status"], "diverged");
        assert_eq!(manifest["test_reads"].as_array().unwrap().len(), 0);
        assert!(!place.path("run/model.safetensors").exists());
        place.run("report run").expect(DONE, &["diverged"]);
        // Without validation the epoch was saved.
        let unscored: &[&str] = match valid_size {
            0 => &["no images for validation"],
            _ => &["diverged", "has no checkpoint", "smaller learning rate"],
        };
        place.run("evaluate run").refuse(ERROR, unscored);
        place.run("train --resume run").refuse(ERROR, &["diverged", "smaller learning rate"]);
    }
}

#[test]
fn a_run_folder_deleted_while_training_ends_the_training() {
    let place = Place::with_mnist();
    let child = place.start(&format!("train {} --out run", long(9999)));
    child.wait_for("the first epoch", || place.path("run/metrics.jsonl").exists());
    // A file may be on its way into the folder just now.
    let _ = child.reaches("the folder's end", || {
        let _ = fs::remove_dir_all(place.path("run"));
        !place.path("run").exists()
    });
    let run = child.finish();
    run.mention(&["cannot write run/", "--out"]);
    assert_eq!(run.code, Some(ERROR), "{run:?}");
    assert!(!place.path("run").exists());
}
