//! Trainings that go well, and what they leave behind.

use std::fs;

use serde_json::Value;

use crate::place::*;

#[test]
fn a_recipe_may_come_from_stdin() {
    use std::io::Write;

    let place = Place::new();
    place.run(&format!("train digits {TINY} --out run")).expect(DONE, &[]);
    let piped = |recipe: &[u8], out: &str| {
        let mut command = place.command(["train", "--config", "-", "--out", out]);
        use std::process::Stdio;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(recipe).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (stdout, stderr) = (text(output.stdout), text(output.stderr));
        Run { code: output.status.code(), stdout, stderr }
    };
    piped(&place.bytes("run/config.toml"), "again").expect(DONE, &[]);
    place.expect_same("again", "run");
    piped(b"epochs = ", "none").refuse(ERROR, &["stdin: ", "config.toml"]);
    piped(b"", "none").refuse(ERROR, &["stdin: ", "missing field"]);
}

#[test]
fn the_data_set_may_be_named_beside_a_run_that_is_resumed() {
    let place = Place::with_mnist();
    place.run(&format!("train mnist --data-dir data {TINY} --out run")).expect(DONE, &[]);
    let resume = |dataset: &str| place.run(&format!("train {dataset} --resume run"));
    // That it is the run's is not what stands in the way.
    resume("mnist").refuse(ERROR, &["run is finished", "--extend run --epochs N"]);
    let parts = [
        "run was trained on mnist, not on digits",
        "train --resume run",
        "--config run/config.toml digits",
    ];
    resume("digits").refuse(USAGE, &parts);
}

#[test]
fn a_class_without_an_image_is_named_once() {
    let place = Place::new();
    let few = TINY.replace("--valid-size 32", "--valid-size 8");
    let run = place.run(&format!("train digits {few} --out run"));
    run.expect(DONE, &["note: the 8 validation images have none of ", "--valid-size"]);
    assert_eq!(run.stderr.matches("images have none of").count(), 1, "{}", run.stderr);
}

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
         dataset train_images valid_images seed started ended status test_reads files",
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
fn every_seed_that_can_be_given_can_be_repeated() {
    let place = Place::new();
    let seed = u64::MAX;
    place.run(&format!("train digits {TINY} --seed {seed} --out run")).expect(DONE, &[]);
    assert_eq!(place.json("run/manifest.json")["seed"], seed);
    place.run("train --config run/config.toml --out again").expect(DONE, &[]);
    place.expect_same("run", "again");
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
    expect_keys(
        &printed,
        "split images class_names loss accuracy top_k brier ece mce balanced_accuracy per_class \
         confusion reliability variants test_looks status weights",
    );
    assert_eq!(printed["accuracy"], place.json("run/summary.json")["valid_accuracy"]);
    assert_eq!(printed["loss"], place.json("run/summary.json")["valid_loss"]);
    assert_eq!(printed["per_class"].as_array().unwrap().len(), 10);
}

/// Two epochs of [`TINY`], after which the network is wrong now and then and right more often.
const LEARNED: &str = "train mnist --data-dir data --train-size 160 --valid-size 40 --epochs 3 \
    --model mlp --hidden 16 --batch-size 8 --learning-rate 0.003 --dropout 0.3 --threads 1 --out \
    run";

#[test]
fn every_variant_of_an_evaluation_is_a_row_and_repeats_itself() {
    let place = Place::with_mnist();
    place.run(LEARNED).expect(DONE, &[]);
    let evaluate = |flags: &str| {
        let run = place.run(&format!("evaluate run --split test --temperature {flags}"));
        run.expect(DONE, &[]);
        // The number of the access, in the last line and in the JSON, is another one each time.
        let (rest, _) = run.stdout.rsplit_once("\n\nthe test split").unwrap_or((&run.stdout, ""));
        rest.to_owned()
    };
    let table = evaluate("--tta flip,shift=1 --top-k 3");
    for part in ["on 30 images of the test split", "\nplain ", "\ntemperature T=", "top-3"] {
        assert!(table.contains(part), "no `{part}` in:\n{table}");
    }
    assert!(table.contains("\ntta flip,shift=1 ") && table.contains("\nclass "), "{table}");
    // 30 images in 18 views.
    assert!(table.contains("18 views of an image, 540 evaluations of the network"), "{table}");
    let some = evaluate("--tta flip,diagonal=1,border=reflect,least-confident=0.2,mean=logits");
    assert!(some.contains("6 views of an image, 60 evaluations of the network"), "{some}");
    assert!(some.lines().all(|line| line.chars().count() <= 80), "{some}");
    let printed: Value = serde_json::from_str(&evaluate("--mc-dropout 3 --json")).unwrap();
    let [temperature, dropout] = printed["variants"].as_array().unwrap().as_slice() else {
        panic!("expected two variants: {printed}")
    };
    assert_eq!(temperature["accuracy"], printed["accuracy"]);
    expect_keys(
        dropout,
        "name loss accuracy top_k brier ece mce balanced_accuracy passes predictive_entropy \
         mutual_information",
    );
    assert!(dropout["mutual_information"].as_f64().unwrap() > 0.0, "{dropout}");

    // What a run writes down is what an evaluation of its test split says.
    let written = place.json("run/evaluation.json");
    assert_eq!(written["temperature"]["temperature"], temperature["temperature"]);
    assert_eq!(written["temperature"]["nll"], temperature["loss"]);
    for (name, key) in [("nll", "loss"), ("brier", "brier"), ("ece", "ece"), ("mce", "mce")] {
        assert_eq!(written[name], printed[key], "{name}");
    }
    for name in ["top_k", "per_class", "confusion", "reliability"] {
        assert_eq!(written[name], printed[name], "{name}");
    }

    let dropout = evaluate("--mc-dropout 3");
    assert!(dropout.contains("mutual information"), "{dropout}");
    assert_eq!(dropout, evaluate("--mc-dropout 3"));
    assert!(table.lines().chain(dropout.lines()).all(|line| line.chars().count() <= 80), "{table}");
    let page = place.text("run/report.html");
    assert!(page.contains("with temperature") && page.contains("Brier"), "{page}");
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
    run.expect(DONE, &["access 2 to the test split", "on 30 images"]);
    assert_eq!(reads(), 2);
    let accuracy = 100.0 * place.json("run/summary.json")["test_accuracy"].as_f64().unwrap();
    assert!(run.stdout.contains(&format!(" {accuracy:.2} %")), "{}", run.stdout);
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
    fs::create_dir(place.path("other")).unwrap();
    place
        .run("report one other two --out both.html")
        .expect(DONE, &["note: other is not the folder of a run, and is left out"]);
    let run = place.run("report one two --out both.html");
    // The same data and model: only the folders' names tell the two apart.
    run.expect(DONE, &["\none ", "\ntwo ", "mlp", "mnist", "test %", "page: both.html"]);
    assert!(run.stdout.lines().all(|line| line.chars().count() <= 80), "{}", run.stdout);
    let page = place.text("both.html");
    assert!(page.contains(">one<") && page.contains(">two<"), "{page}");
    assert!(page.contains("<a href=\"two/report.html\">two</a>"), "{page}");
}

#[test]
fn a_report_clears_away_what_a_killed_one_left_but_nothing_of_a_run_under_way() {
    let place = Place::with_mnist();
    place.run(&format!("train mnist --data-dir data {TINY} --out run")).expect(DONE, &[]);
    let half = place.path("run/figures/.backburn-x1.tmp");
    fs::write(&half, "<svg").unwrap();
    let lock = fs::File::open(place.path("run/lock")).unwrap();
    lock.lock().unwrap();
    place.run("report run").expect(DONE, &["report: run/report.html"]);
    assert!(half.exists());
    // Not by closing the file, which what another test starts just now may have inherited.
    lock.unlock().unwrap();
    place.run("report run").expect(DONE, &["report: run/report.html"]);
    place.expect_no_temporary_files();
    // What lacks its recipe is drawn too.
    fs::remove_file(place.path("run/config.toml")).unwrap();
    place.run("report run").expect(DONE, &["report: run/report.html"]);
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
    run.expect(DONE, &["mnist", "fashion-mnist", "cifar10", "digits", "data fetch NAME"]);
    assert!(run.stdout.lines().all(|line| line.chars().count() <= 80), "{run:?}");
    place.run("data verify digits").expect(DONE, &["has no files"]);
    place.expect_empty();
}

#[test]
fn a_preview_is_a_picture_and_the_same_every_time() {
    let place = Place::new();
    let preview = |flags: &str| {
        place.run(&format!("data preview digits --images 2 {flags}")).expect(DONE, &[".png"]);
    };
    preview("--augment rotate=20,erase");
    preview("--augment rotate=20,erase --out again.png");
    preview("--augment rotate=20,erase --out other.png --seed 2");
    // From the pixels on: before them stands the file's own name.
    let read = |name| {
        let bytes = place.bytes(name);
        assert!(bytes.starts_with(b"\x89PNG"));
        let pixels = bytes.windows(4).position(|kind| kind == b"IDAT").unwrap();
        bytes[pixels..].to_vec()
    };
    assert_eq!(read("preview.png"), read("again.png"));
    assert_ne!(read("preview.png"), read("other.png"));
    let images = place.run("data preview digits --images 0 --out none.png");
    images.refuse(USAGE, &["`--images`", "1 to 64, found 0"]);
    let rotation = place.run("data preview digits --augment rotate=181 --out none.png");
    rotation.refuse(USAGE, &["`rotate=181`", "from 0 to 180"]);
    assert!(!place.path("none.png").exists());
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
