//! People's own pictures: `train ./pictures`, `predict`.

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::{GrayImage, Luma, Rgb, RgbImage};
use serde_json::{Value, json};

use crate::place::*;

/// A training of a second on small pictures.
const SMALL: &str = "--epochs 3 --model mlp --hidden 16 --batch-size 8 --learning-rate 0.01 \
                     --augment none --threads 1";

/// `each` pictures of 12 × 12 in each of the classes `dark`, `half` and `light`, a bar that tells them apart.
fn draw(place: &Place, folder: &str, each: u32) {
    for (class, level) in [("dark", 30), ("half", 130), ("light", 230)] {
        let folder = place.path(folder).join(class);
        fs::create_dir_all(&folder).unwrap();
        for number in 0..each {
            let noise = |x: u32, y: u32| (x * 7 + y * 13 + number * 29) % 23;
            let pixel = |x, y| Luma([(level + noise(x, y)) as u8]);
            GrayImage::from_fn(12, 12, pixel).save(folder.join(format!("{number}.png"))).unwrap();
        }
    }
}

fn lines(run: &Run) -> Vec<Value> {
    run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_folder_of_pictures_is_trained_on_reported_verified_repeated_and_predicted_with() {
    let place = Place::new();
    draw(&place, "pictures", 30);
    place
        .run(&format!("train ./pictures {SMALL} --out run"))
        .expect(DONE, &["65 training, 7 validation, 18 test"]);
    let manifest = place.json("run/manifest.json");
    assert_eq!(manifest["dataset"]["shape"], serde_json::json!([1, 12, 12]));
    assert!(manifest["dataset"]["name"].as_str().unwrap().ends_with("/pictures"));
    assert_eq!(
        place.json("run/evaluation.json")["class_names"],
        serde_json::json!(["dark", "half", "light"])
    );
    assert_eq!(manifest["valid_images"], 7);
    place.run("verify run").expect(DONE, &[]);
    let scores = place.run("evaluate run --split test");
    scores.expect(DONE, &["half"]);
    assert!(!scores.stdout.contains("top-"), "{}", scores.stdout);
    let evaluation = place.json("run/evaluation.json");
    for mistake in evaluation["mistakes"].as_array().unwrap() {
        let class = evaluation["class_names"][mistake["label"].as_u64().unwrap() as usize].clone();
        let path = mistake["path"].as_str().unwrap();
        assert!(path.starts_with(class.as_str().unwrap()) && path.ends_with(".png"), "{path}");
    }
    // By another name of the same folder, from what was prepared before.
    fs::create_dir(place.path("elsewhere")).unwrap();
    fs::rename(place.path("pictures"), place.path("elsewhere/moved")).unwrap();
    place
        .run("train --config run/config.toml --data-dir elsewhere/moved --out again")
        .expect(DONE, &[]);
    place.expect_same("again", "run");
    place
        .run("train --config run/config.toml --out none")
        .refuse(ERROR, &["pictures", "check that it is there"]);

    let json = place.run("predict run elsewhere/moved --json --top-k 2");
    json.expect(DONE, &[]);
    let rows = lines(&json);
    assert_eq!(rows.len(), 90);
    let right = rows.iter().filter(|row| {
        let class = row["predictions"][0]["class"].as_str().unwrap();
        row["path"].as_str().unwrap().contains(&format!("/{class}/"))
    });
    assert!(right.count() > 80, "{}", json.stdout);
    let probability = |rank: usize| rows[0]["predictions"][rank]["probability"].as_f64().unwrap();
    assert!(probability(0) >= probability(1) && probability(0) + probability(1) <= 1.0 + 1e-9);
    place.expect_no_temporary_files();
}

#[test]
fn predictions_name_what_cannot_be_read_and_go_on() {
    let place = Place::new();
    draw(&place, "pictures", 12);
    place.run(&format!("train ./pictures {SMALL} --out run")).expect(DONE, &[]);
    fs::write(place.path("text.png"), "no picture").unwrap();
    let good = "pictures/dark/0.png";
    fs::write(place.path("half.png"), &place.bytes(good)[..60]).unwrap();
    let csv = place.run(&format!("predict run {good} text.png half.png none.png --csv"));
    csv.expect(ERROR, &["3 of 4 pictures could not be read"]);
    let rows: Vec<&str> = csv.stdout.lines().collect();
    assert_eq!(
        rows[0],
        "path,class_1,probability_1,class_2,probability_2,class_3,probability_3,error"
    );
    assert!(rows[1].starts_with("pictures/dark/0.png,") && rows[1].ends_with(','), "{}", rows[1]);
    assert!(
        rows[2].starts_with("text.png,,,,,,,") && rows[2].contains("found text"),
        "{}",
        rows[2]
    );
    assert!(rows[3].contains("cut short") && rows[4].contains("cannot be read"), "{rows:?}");
    let table = place.run(&format!("predict run {good} text.png"));
    assert!(table.stdout.lines().next().unwrap().ends_with(good), "{}", table.stdout);
    place.run("predict run pictures --top-k 4").refuse(USAGE, &["`--top-k`: expected 1 to 3"]);
    fs::create_dir(place.path("empty")).unwrap();
    place.run("predict run empty").refuse(ERROR, &["no picture was named: none is in empty;"]);
    place.run("predict none pictures").refuse(ERROR, &["none"]);
}

#[test]
fn a_list_on_stdin_is_predicted_as_the_folder_is() {
    use std::io::Write;
    use std::process::Stdio;

    let place = Place::new();
    draw(&place, "pictures", 12);
    place.run(&format!("train ./pictures {SMALL} --out run")).expect(DONE, &[]);
    let folder = place.run("predict run pictures --json");
    let list: String =
        lines(&folder).iter().map(|row| format!("{}\n", row["path"].as_str().unwrap())).collect();
    let mut command = place.command(["predict", "run", "-", "--json"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(list.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), folder.stdout);
}

#[test]
fn digits_written_as_pictures_are_answered_as_in_the_set() {
    let place = Place::new();
    place.run(&format!("train digits {TINY} --out run")).expect(DONE, &[]);
    let evaluation = place.json("run/evaluation.json");
    let mistakes = evaluation["mistakes"].as_array().unwrap();
    assert!(mistakes.len() > 5);
    for (number, mistake) in mistakes.iter().enumerate() {
        let pixels = STANDARD.decode(mistake["pixels"].as_str().unwrap()).unwrap();
        let picture = GrayImage::from_vec(28, 28, pixels).unwrap();
        picture.save(place.path(&format!("{number}.png"))).unwrap();
    }
    let names: Vec<String> = (0..mistakes.len()).map(|number| format!("{number}.png")).collect();
    let answers = place.run(&format!("predict run {} --json --top-k 1", names.join(" ")));
    answers.expect(DONE, &["not calibrated", "no temperature suits them"]);
    let rows = lines(&answers);
    for (row, mistake) in rows.iter().zip(mistakes) {
        assert_eq!(row["predictions"][0]["index"], mistake["prediction"], "{}", row["path"]);
    }
}

#[test]
fn pictures_that_cannot_be_used_are_named_and_damaged_ones_left_out_on_request() {
    let place = Place::new();
    draw(&place, "pictures", 12);
    fs::write(place.path("pictures/dark/bad.png"), "no picture").unwrap();
    fs::write(place.path("pictures/half/cut.png"), &place.bytes("pictures/half/3.png")[..70])
        .unwrap();
    fs::write(place.path("pictures/notes.txt"), "").unwrap();
    let train = |flags: &str, out: &str| {
        place.run(&format!("train ./pictures {SMALL} {flags} --out {out}"))
    };
    train("", "none").expect(
        ERROR,
        &["2 of 38 pictures cannot be read", "dark/bad.png", "half/cut.png", "--skip-damaged"],
    );
    assert!(!place.path("none").exists());
    train("--skip-damaged", "run")
        .expect(DONE, &["2 pictures cannot be read and are left out", "1 .txt"]);
    let left_out = place.json("run/manifest.json")["dataset"]["left_out"].clone();
    assert_eq!(left_out.as_array().unwrap().len(), 2, "{left_out}");
    assert!(place.text("run/config.toml").contains("skip_damaged = true"));

    train("--image-size 0", "none").refuse(USAGE, &["--image-size"]);
    place
        .run("train ./pictures --skip-damaged --image-size 5 --model cnn --batch-size 8")
        .refuse(USAGE, &["fewer blocks or larger images", "images of 5×5 pixels"]);
    let share = ["`pictures.test_size`: expected a share", "--test-size 20%"];
    train("--test-size 100%", "none").refuse(USAGE, &share);
    let colours = ["for each of 1 channels, found 3", "per-channel"];
    train("--skip-damaged --normalization imagenet", "none").refuse(USAGE, &colours);
    train("--skip-damaged --channels rgb --normalization imagenet", "colours").expect(DONE, &[]);
    assert!(place.text("colours/config.toml").contains("std = [0.229, 0.224, 0.225]"));
    place.run("train digits --image-size 32").refuse(USAGE, &["people's own", "digits"]);
    place.run("train ./nothing").refuse(ERROR, &["nothing"]);
    place.run("train nothing").refuse(USAGE, &["unknown data set `nothing`", "path of a folder"]);
    fs::create_dir_all(place.path("one/class")).unwrap();
    fs::copy(place.path("pictures/dark/0.png"), place.path("one/class/0.png")).unwrap();
    place.run("train ./one").refuse(ERROR, &["one"]);
}

#[test]
fn a_thousand_classes_are_trained_and_evaluated_in_files_of_a_few_megabytes() {
    let place = Place::new();
    for class in 0..1000_u32 {
        let folder = place.path("many").join(format!("class {class}"));
        fs::create_dir_all(&folder).unwrap();
        for number in 0..3_u32 {
            let pixel =
                |x, y| Luma([((class >> ((x + 2 * y) % 10)) & 1) as u8 * 200 + number as u8]);
            GrayImage::from_fn(4, 4, pixel).save(folder.join(format!("{number}.png"))).unwrap();
        }
    }
    let run = place.run(
        "train ./many --epochs 1 --model mlp --hidden 16 --augment none --valid-size 0 --keep last \
         --out run",
    );
    run.expect(DONE, &["test accuracy"]);
    let size = |name: &str| fs::metadata(place.path(name)).unwrap().len();
    assert!(size("run/evaluation.json") < 10_000_000);
    assert!(place.text("run/report.html").contains("The 40 most confused of 1,000 classes"));
    place.run("verify run").expect(DONE, &[]);
    // More than are answered at a time.
    let scored = place.run("evaluate run --on many --json");
    let object: Value = serde_json::from_str(scored.stdout.trim()).unwrap();
    let rows = lines(&place.run("predict run many --json --top-k 1"));
    let class = |row: &Value| row["predictions"][0]["class"].as_str().unwrap().to_owned();
    let is_right =
        |row: &&Value| row["path"].as_str().unwrap().contains(&format!("/{}/", class(row)));
    let right = rows.iter().filter(is_right).count();
    assert_eq!(object["sets"][0]["images"], json!(rows.len()));
    assert_eq!(object["sets"][0]["accuracy"], json!(right as f64 / rows.len() as f64));
}

#[test]
fn a_run_is_scored_on_other_test_sets_of_its_classes_and_that_is_one_access() {
    let place = Place::new();
    for class in 0..10_u32 {
        let folder = place.path("ten").join(class.to_string());
        fs::create_dir_all(&folder).unwrap();
        for number in 0..4_u32 {
            let pixel = |x, y| Rgb([(25 * class) as u8, (x * 7 + number) as u8, (y * 5) as u8]);
            RgbImage::from_fn(32, 32, pixel).save(folder.join(format!("{number}.png"))).unwrap();
        }
    }
    let flags = SMALL.replace("--epochs 3", "--epochs 1");
    place
        .run(&format!("train ./ten {flags} --valid-size 0 --keep last --out run"))
        .expect(DONE, &[]);
    let formats = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/tests/formats");
    let found = place.run(&format!("evaluate run --on {formats}/CIFAR-10-C --json"));
    found.expect(DONE, &["this is access 2 to the test split"]);
    let object: Value = serde_json::from_str(found.stdout.trim()).unwrap();
    assert_eq!(object["sets"].as_array().unwrap().len(), 10);
    assert_eq!(object["sets"][2]["set"], "gaussian_noise, severity 3");
    let reads = place.json("run/manifest.json")["test_reads"].clone();
    assert_eq!(reads.as_array().unwrap().len(), 2, "{reads}");
    assert!(reads[1]["purpose"].as_str().unwrap().starts_with("evaluate on "), "{reads}");
    let table = place.run(&format!("evaluate run --on {formats}/CIFAR-10.1"));
    table.expect(DONE, &["cifar10.1_v6"]);
    // Pictures, here those of the run itself.
    let ten = place.run("evaluate run --on ten --json");
    ten.expect(
        DONE,
        &["this is access 4 to the test split", "40 of 40 pictures are the run's own"],
    );
    let object: Value = serde_json::from_str(ten.stdout.trim()).unwrap();
    let set = &object["sets"][0];
    assert_eq!((&set["set"], &set["images"]), (&json!("ten"), &json!(40)));
    let rows = lines(&place.run("predict run ten --json --top-k 1"));
    let answer = |row: &Value| row["predictions"][0]["class"].as_str().unwrap().to_owned();
    let path = |row: &Value| row["path"].as_str().unwrap().to_owned();
    let is_right = |row: &&Value| path(row).starts_with(&format!("ten/{}/", answer(row)));
    assert_eq!(set["accuracy"], json!(rows.iter().filter(is_right).count() as f64 / 40.0));
    // One of a class that is not the run's first, alone in its part, and one of another part.
    let row = rows.iter().find(|row| answer(row) != "0").unwrap();
    for (part, class) in [("test", answer(row)), ("valid", "0".into())] {
        let folder = place.path("parts").join(part).join(class);
        fs::create_dir_all(&folder).unwrap();
        fs::copy(place.path(&path(row)), folder.join("1.png")).unwrap();
    }
    let parts = place.run("evaluate run --on parts --json");
    assert!(!parts.stderr.contains("the run's own"), "{parts:?}");
    let object: Value = serde_json::from_str(parts.stdout.trim()).unwrap();
    let accuracy = |part: usize| (&object["sets"][part]["set"], &object["sets"][part]["accuracy"]);
    assert_eq!(accuracy(0), (&json!("valid"), &json!(0.0)));
    assert_eq!(accuracy(1), (&json!("test"), &json!(1.0)));
    fs::write(place.path("parts/valid/0/bad.png"), "no picture").unwrap();
    let small = place.run("evaluate run --on parts --most-pixels 9");
    small.refuse(ERROR, &["3 of 3 pictures in parts cannot be read", "valid/0/bad.png"]);
    fs::create_dir(place.path("parts/test/zero")).unwrap();
    place
        .run("evaluate run --on parts")
        .refuse(ERROR, &["expected classes of the run, `0`, `1`, `2`, ", "found `zero`"]);
    fs::create_dir(place.path("empty")).unwrap();
    place
        .run("evaluate run --on empty")
        .refuse(ERROR, &["empty: expected CIFAR-10-C's files", "or pictures in a folder for each"]);
    // What was refused has looked at nothing.
    let reads = place.json("run/manifest.json")["test_reads"].as_array().unwrap().len();
    assert_eq!(reads, 5);
    place.run(&format!("evaluate run --on {formats} --tta flip")).refuse(USAGE, &["--tta"]);
}

#[test]
fn pictures_are_described_with_their_near_copies_and_what_was_found_is_quoted_by_trainings() {
    let place = Place::new();
    draw(&place, "pictures", 12);
    for number in 0..8 {
        let [from, to] = ["0", "1"].map(|name| place.path(&format!("pictures/dark/{name}.png")));
        // The same picture again and again.
        fs::copy(&from, to.with_file_name(format!("again-{number}.png"))).unwrap();
    }
    let found = place.run("data describe ./pictures --out sheet.png --page copies.html");
    found.expect(DONE, &["44 pictures of 3 classes", "sizes: height 12, width 12 ", "dark", "20"]);
    found
        .mention(&["near copies", "cargo xtask train ./pictures --epochs 100 --group-near-copies"]);
    found.mention(&["--batch-size 8"]);
    found.mention(&["dark/again-", " ≈ dark/"]);
    assert!(place.text("copies.html").contains("dark: dark/again-"));
    for file in ["sheet.png", "copies.html", "copies.json"] {
        assert!(place.path(file).metadata().unwrap().len() > 0, "{file}");
    }
    place.run(&format!("train ./pictures {SMALL} --out run")).expect(DONE, &["near copies: "]);
    assert!(
        place
            .text("run/report.html")
            .contains(" are like one of the 35 images to train and validate on (")
    );
    place.run("data describe ./none").refuse(ERROR, &["none"]);
    let preview = "data preview ./pictures --images 2 --epochs 1 --augment flip --out preview.png";
    place.run(preview).expect(DONE, &["preview.png"]);
    fs::create_dir_all(place.path("pictures/lonely")).unwrap();
    fs::copy(place.path("sheet.png"), place.path("pictures/lonely/one.png")).unwrap();
    place.run("data describe ./pictures --out sheet.png").expect(
        DONE,
        &["before a training: class `lonely` has one picture, which would be learnt"],
    );
    place
        .run(&format!("train ./pictures {SMALL} --out lonely"))
        .expect(DONE, &["learnt from and not tested: `lonely`"]);
    fs::remove_dir_all(place.path("pictures/lonely")).unwrap();

    let folds = place.run(&format!("train ./pictures {SMALL} --folds 2 --out folds"));
    folds.expect(DONE, &["over 2 folds"]);
    for verb in ["verify", "report", "replay", "evaluate", "export --format onnx", "train --resume"]
    {
        let told = ["folds is the folder of a cross-validation", "such as folds/fold-1"];
        place.run(&format!("{verb} folds")).refuse(ERROR, &told);
    }
    assert_eq!(folds.stderr.matches("no test pictures are named").count(), 1, "{}", folds.stderr);
}
