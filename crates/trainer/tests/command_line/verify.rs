//! `verify`: a folder that is whole, and every file of it damaged.

use std::fs;
use std::path::Path;

use crate::place::*;

const RUN: &str = "train mnist --data-dir data --train-size 64 --valid-size 32 --epochs 3 --model \
    mlp --hidden 8 --batch-size 16 --learning-rate 0.01 --threads 1 --out run";

/// Changes a digit of the last number in a text.
fn change_a_digit(text: &str) -> String {
    let place = text.rfind(|c: char| c.is_ascii_digit()).unwrap();
    let digit = if &text[place..=place] == "7" { "3" } else { "7" };
    format!("{}{digit}{}", &text[..place], &text[place + 1..])
}

/// Does something to a file, sees what `verify` says, and undoes it.
fn spoil(place: &Place, file: &str, spoiled: Option<&[u8]>, parts: &[&str]) {
    let path = place.path("run").join(file);
    let before = fs::read(&path).unwrap();
    // For a moment two names of checkpoints are of one file; only this one is to be spoiled.
    fs::remove_file(&path).unwrap();
    if let Some(bytes) = spoiled {
        fs::write(&path, bytes).unwrap();
    }
    let run = place.run("verify run");
    run.expect(ERROR, &["wrong with run:", &format!("\n{file}: ")]);
    run.mention(parts);
    let line = run.stderr.lines().find(|line| line.starts_with(&format!("{file}: "))).unwrap();
    let cure = line.rsplit_once("; ").map_or("", |(_, cure)| cure);
    assert!(!cure.is_empty(), "no cure in: {line}");
    fs::write(path, before).unwrap();
}

#[test]
fn every_file_of_a_finished_run_is_checked() {
    let place = Place::with_mnist();
    place.run(RUN).expect(DONE, &[]);
    let good = place.run("verify run");
    good.expect(DONE, &["run: finished, 3 epochs", "1 access to the test split", "12 batches"]);
    assert!(good.stderr.is_empty(), "{}", good.stderr);
    place.run("evaluate run --split test").expect(DONE, &[]);
    place.run("verify run").expect(DONE, &["2 accesses to the test split"]);

    for file in RUN_FILES.into_iter().filter(|file| !file.starts_with("checkpoints")) {
        spoil(&place, file, None, &["the file is missing"]);
    }
    let texts = [
        "config.toml",
        "metrics.jsonl",
        "losses.csv",
        "summary.json",
        "evaluation.json",
        "normalization.json",
    ];
    for file in texts {
        let text = place.text(&format!("run/{file}"));
        spoil(&place, file, Some(change_a_digit(&text).as_bytes()), &[]);
        spoil(&place, file, Some(&text.as_bytes()[..text.len() / 2]), &[]);
        spoil(&place, file, Some(b""), &[]);
    }
    let manifest = place.text("run/manifest.json");
    spoil(&place, "manifest.json", Some(&manifest.as_bytes()[..manifest.len() / 2]), &[]);
    let unread = manifest.replace("final score", "evaluate");
    spoil(&place, "manifest.json", Some(unread.as_bytes()), &["final score"]);
    let epochs = "\"rollbacks\": [{\"epoch\": 1, \"batch\": 1, \"learning_rate\": 1.0}], \"files\"";
    for (from, to, reason) in [
        ("\"seed\": 1,", "\"seed\": 2,", "`seed` is 2, but config.toml has 1"),
        ("\"model\": \"mlp\"", "\"model\": \"cnn\"", "`model` is cnn, but config.toml has mlp"),
        ("\"name\": \"mnist\"", "\"name\": \"digits\"", "`dataset.name` is digits, but"),
        ("\"status\": \"finished\"", "\"status\": \"interrupted\"", "`files` names some"),
        ("\"files\"", epochs, "its `rollbacks`, 1, are not those of checkpoints/latest"),
    ] {
        let place_of = manifest.rfind(from).unwrap();
        let (before, after) = manifest.split_at(place_of);
        let changed = format!("{before}{}", after.replacen(from, to, 1));
        let parts = ["error: one thing", reason];
        spoil(&place, "manifest.json", Some(changed.as_bytes()), &parts);
    }
    for file in
        ["model.safetensors", "checkpoints/latest.safetensors", "checkpoints/previous.safetensors"]
    {
        let bytes = place.bytes(&format!("run/{file}"));
        for at in [0, bytes.len() / 2, bytes.len() - 1] {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            spoil(&place, file, Some(&flipped), &[]);
        }
        spoil(&place, file, Some(&bytes[..bytes.len() - 1]), &[]);
    }
    place.run("verify run").expect(DONE, &[]);
    // Checkpoints are not blamed for another file.
    let config = place.text("run/config.toml").replace("seed = 1", "seed = 2");
    let cure = "from the recipe that run/report.html shows";
    spoil(&place, "config.toml", Some(config.as_bytes()), &["error: one thing", cure]);
    // Nor is any other file blamed for the metrics.
    let metrics = place.text("run/metrics.jsonl");
    for text in [
        change_a_digit(&metrics),
        metrics.replacen("\"train_objective\":", "\"train_objective\":1", 1),
        metrics.lines().take(2).map(|line| format!("{line}\n")).collect(),
    ] {
        spoil(&place, "metrics.jsonl", Some(text.as_bytes()), &["error: one thing"]);
    }
    let run = place.run("verify run");
    run.expect(DONE, &["checkpoints/latest.safetensors   ok"]);
    // They may be deleted to save disk space, once the run is over.
    fs::remove_dir_all(place.path("run/checkpoints")).unwrap();
    place.run("verify run").expect(DONE, &[]);
    // Whether it is over, nobody knows then.
    let cut = &manifest.as_bytes()[..manifest.len() / 2];
    spoil(&place, "manifest.json", Some(cut), &["error: one thing", "repeat the run with"]);
}

#[test]
fn what_contradicts_another_file_is_found_without_its_checksum() {
    let place = Place::with_mnist();
    place.run(RUN).expect(DONE, &[]);
    let manifest = place.json("run/manifest.json");
    let mut without = manifest.clone();
    without.as_object_mut().unwrap().remove("files");
    fs::write(place.path("run/manifest.json"), without.to_string()).unwrap();
    place.run("verify run").expect(DONE, &["no checksums of results"]);
    let metrics = place.text("run/metrics.jsonl");
    let lines: Vec<&str> = metrics.lines().collect();
    let joined = |lines: &[&str]| lines.join("\n") + "\n";
    for (text, part) in [
        (joined(&[lines[0], lines[2]]), "line 2: expected epoch 2, found 3"),
        (joined(&[lines[0], lines[0], lines[2]]), "line 2: expected epoch 2, found 1"),
        (metrics.replacen("\"train_objective\":", "\"train_objective\":null,\"x\":", 1), "finite"),
        (metrics.replacen("\"valid_loss\":", "\"valid_loss\":null,\"x\":", 1), "`valid_loss`"),
    ] {
        spoil(&place, "metrics.jsonl", Some(text.as_bytes()), &[part]);
    }
    let two = joined(&lines[..2]);
    let rows = "its 2 rows do not fit the 3 epochs of checkpoints/latest.safetensors";
    spoil(&place, "metrics.jsonl", Some(two.as_bytes()), &["error: one thing", rows]);
    let checkpoints = place.path("run/checkpoints");
    fs::rename(&checkpoints, place.path("elsewhere")).unwrap();
    fs::write(place.path("run/metrics.jsonl"), two).unwrap();
    place.run("verify run").expect(ERROR, &["`last_epoch` is 3, but metrics.jsonl has 2 rows"]);
    fs::write(place.path("run/metrics.jsonl"), metrics).unwrap();
    fs::rename(place.path("elsewhere"), checkpoints).unwrap();
    let losses = place.text("run/losses.csv");
    let other = losses.replacen("\n1,1,", "\n1,1,1", 1);
    spoil(&place, "losses.csv", Some(other.as_bytes()), &["epoch 1: the mean is"]);
    let without = |begin: &str| {
        let kept = losses.lines().filter(|line| !line.starts_with(begin));
        kept.map(|line| format!("{line}\n")).collect::<String>()
    };
    for (begin, part) in [
        ("1,4,", "epoch 1: expected 4 batches, found 3"),
        ("1,", "epoch 1: its batches are missing"),
        ("3,", "epoch 3: its batches are missing"),
    ] {
        spoil(&place, "losses.csv", Some(without(begin).as_bytes()), &[part]);
    }
    let mut summary = place.json("run/summary.json");
    summary["test_accuracy"] = 0.999.into();
    spoil(&place, "summary.json", Some(summary.to_string().as_bytes()), &["generalization_gap"]);
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_is_whole_if_it_can_be_resumed() {
    let place = Place::with_mnist();
    // Halted, so that it is not at its end before it is looked at.
    let command = format!("train {LONG} --checkpoint-every 20 --out run");
    let child = place.halt(&command, "run", || {
        let metrics = fs::read_to_string(place.path("run/metrics.jsonl")).unwrap_or_default();
        metrics.lines().count() > 2
    });
    place.run("verify run").mention(&["a process is at work on it now"]);
    child.signal("KILL");
    assert_eq!(child.finish().code, None);
    place.run("verify run").expect(DONE, &["run: running", "0 accesses to the test split", "step"]);
    let latest = "checkpoints/latest.safetensors";
    spoil(&place, latest, Some(b"{"), &["resumes from the one before it"]);
    spoil(&place, latest, None, &["the file is missing", "resumes from the one before it"]);
    let text = place.text("run/metrics.jsonl");
    let half = &text.as_bytes()[..text.len() - 9];
    spoil(
        &place,
        "metrics.jsonl",
        Some(half),
        &["error: one thing", "--resume run` sets it right"],
    );
    spoil(&place, "metrics.jsonl", None, &["error: one thing", "--resume run` sets it right"]);
    // Rows that are lost or were changed are in the newest checkpoint still, but for one that may be newer.
    let lines: Vec<&str> = text.lines().collect();
    let cut: String = lines[..lines.len() - 2].iter().map(|line| format!("{line}\n")).collect();
    spoil(&place, "metrics.jsonl", Some(cut.as_bytes()), &["error: one thing", "not fit the"]);
    for (from, to) in [
        ("\"learning_rate\":0.", "\"learning_rate\":0.9"),
        ("\"train_objective\":", "\"train_objective\":1"),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text);
        let parts = ["error: one thing", "--resume run` sets it right"];
        spoil(&place, "metrics.jsonl", Some(changed.as_bytes()), &parts);
    }
    let first = "x".to_owned() + &text;
    spoil(&place, "metrics.jsonl", Some(first.as_bytes()), &["error: one thing", "line 1: "]);
    let config = place.text("run/config.toml");
    fs::write(place.path("run/config.toml"), config.replace("seed = 1", "seed = 2")).unwrap();
    place.run("verify run").expect(ERROR, &["`seed` was 1, is 2", "set run/config.toml right"]);
    fs::write(place.path("run/config.toml"), config).unwrap();
    fs::remove_dir_all(place.path("run/checkpoints")).unwrap();
    place.run("verify run").expect(ERROR, &[latest, "the file is missing", "begins anew"]);
}

#[test]
fn what_is_no_run_folder_is_refused() {
    let place = Place::new();
    place.run("verify nowhere").refuse(ERROR, &["there is no folder nowhere", "run folder"]);
    fs::create_dir(place.path("empty")).unwrap();
    place.run("verify empty").expect(ERROR, &["manifest.json: the file is missing", "config.toml"]);
    assert_eq!(fs::read_dir(Path::new(&place.path("empty"))).unwrap().count(), 0);
    place.run("verify").refuse(USAGE, &["<RUN>"]);
}

#[cfg(unix)]
#[test]
fn losses_that_are_lost_are_missed_by_their_own_file() {
    let place = Place::with_mnist();
    place.interrupt("INT", "run").expect(INTERRUPTED, &[]);
    let text = place.text("run/losses.csv");
    let rest = text.lines().filter(|line| !line.starts_with("1,"));
    let rest: String = rest.map(|line| format!("{line}\n")).collect();
    fs::write(place.path("run/losses.csv"), rest).unwrap();
    place.run("train --resume run").expect(DONE, &["losses.csv lacks batches"]);
    // It has a checksum now as it is, and the number of images is right all the same.
    let verified = place.run("verify run");
    verified.expect(ERROR, &["error: one thing", "losses.csv: epoch 1: its batches are missing"]);
}
