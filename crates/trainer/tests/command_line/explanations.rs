//! What in a picture speaks for the answer: `predict --explain`, and beside the worst mistakes of a run's report.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::{GrayImage, Luma};
use serde_json::Value;

use crate::place::*;

/// A training of a second on digits with a network that has a feature map.
const SMALL: &str = "--train-size 64 --valid-size 32 --epochs 1 --model cnn --set model.widths=[4,4] \
    --set model.dense=8 --batch-size 16 --learning-rate 0.01 --augment none --threads 1";

/// Pictures of 28 × 28 with a bar, in folders, two of one name.
fn draw(place: &Place) {
    for (name, row) in [("pictures/a/1.png", 5), ("pictures/b/1.png", 20), ("pictures/2.png", 12)] {
        let path = place.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let pixel =
            |x: u32, y: u32| Luma([if y == row && x > 5 { 250 } else { (x * 7 % 40) as u8 }]);
        GrayImage::from_fn(28, 28, pixel).save(path).unwrap();
    }
}

#[test]
fn every_picture_has_a_panel_by_its_name_and_nothing_is_written_over() {
    let place = Place::new();
    draw(&place);
    place.run(&format!("train digits {SMALL} --out run")).expect(DONE, &[]);
    fs::write(place.path("text.png"), "no picture").unwrap();
    let json = place.run("predict run pictures text.png pictures/a/1.png --json --explain maps");
    json.expect(ERROR, &["1 of 5 pictures could not be read"]);
    let rows: Vec<Value> =
        json.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let panels: Vec<Option<&str>> = rows.iter().map(|row| row["explanation"].as_str()).collect();
    let expected = ["maps/2.png", "maps/a/1.png", "maps/b/1.png"].map(Some).into_iter();
    assert_eq!(panels, expected.chain([None, Some("maps/1.png")]).collect::<Vec<_>>());
    for panel in panels.into_iter().flatten() {
        let drawn = image::open(place.path(panel)).unwrap();
        assert_eq!(drawn.width(), 1280);
        let text = String::from_utf8_lossy(&place.bytes(panel)).into_owned();
        assert!(text.contains("folder: run") && text.contains("--explain"), "{panel}");
    }
    // Without the panels the answers are the same.
    let plain = place.run("predict run pictures --json");
    for (line, row) in plain.stdout.lines().zip(&rows) {
        let plain: Value = serde_json::from_str(line).unwrap();
        assert_eq!(plain["predictions"], row["predictions"]);
        assert!(plain.get("explanation").is_none());
    }
    let before = place.bytes("maps/2.png");
    place
        .run("predict run pictures --explain maps")
        .refuse(ERROR, &["maps: expected a new or empty folder"]);
    assert_eq!(place.bytes("maps/2.png"), before);
    place.expect_no_temporary_files();
}

#[test]
fn panels_among_the_pictures_are_not_explained_and_lists_are_taken() {
    let place = Place::new();
    draw(&place);
    place.run(&format!("train digits {SMALL} --out run")).expect(DONE, &[]);
    let csv = place.run("predict run pictures --csv --top-k 1 --explain pictures/z");
    csv.expect(DONE, &[]);
    let lines: Vec<&str> = csv.stdout.lines().collect();
    assert_eq!(lines[0], "path,class_1,probability_1,explanation,error");
    assert_eq!(lines.len(), 4, "{}", csv.stdout);
    assert!(lines[1].ends_with(",pictures/z/2.png,"), "{}", lines[1]);
    let mut command = place.command(["predict", "run", "-", "--explain", "listed"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"pictures/b/1.png\npictures/a/1.png\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.contains("pictures/b/1.png → listed/1.png"), "{table}");
    assert!(table.contains("pictures/a/1.png → listed/1-2.png"), "{table}");
    assert!(place.path("listed/1-2.png").exists());
}

#[test]
fn the_report_shows_what_spoke_for_the_worst_mistakes() {
    let place = Place::new();
    place.run(&format!("train digits {SMALL} --out cnn")).expect(DONE, &[]);
    place.run(&format!("train digits {TINY} --out mlp")).expect(DONE, &[]);
    // Two halvings of 28 pixels, of which the last comes after the map.
    for (run, method, side) in [("cnn", "layer-cam", 14), ("mlp", "gradient-times-input", 28)] {
        let evaluation = place.json(&format!("{run}/evaluation.json"));
        let mistakes = evaluation["mistakes"].as_array().unwrap();
        assert!(!mistakes.is_empty());
        for mistake in mistakes {
            let map = &mistake["explanation"];
            expect_keys(map, "method class height width values");
            assert_eq!(map["class"], mistake["prediction"]);
            assert_eq!((&map["method"], &map["height"]), (&method.into(), &side.into()));
            let values = STANDARD.decode(map["values"].as_str().unwrap()).unwrap();
            assert_eq!(values.len(), side * side);
        }
        // One access, whatever is drawn from it.
        let manifest = place.json(&format!("{run}/manifest.json"));
        assert_eq!(manifest["test_reads"].as_array().unwrap().len(), 1);
        place.run(&format!("verify {run}")).expect(DONE, &[]);
    }
    assert!(place.text("cnn/report.html").contains("(LayerCAM)"));
    assert!(place.text("mlp/report.html").contains("(gradient × input)"));
}
