//! What `train --log` writes, read back by a reader of its own: TensorBoard's event files as TensorBoard reads them, and the
//! table of scalars.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::place::*;

/// The points of each tag, in the order in which a reader meets them.
type Points = BTreeMap<String, Vec<(u64, f64)>>;

/// CRC-32C a bit at a time, masked as TFRecord has it.
fn checksum(bytes: &[u8]) -> u32 {
    let mut rest = !0_u32;
    for byte in bytes {
        rest ^= u32::from(*byte);
        for _ in 0..8 {
            rest = if rest & 1 == 1 { (rest >> 1) ^ 0x82F6_3B78 } else { rest >> 1 };
        }
    }
    (!rest).rotate_right(15).wrapping_add(0xA282_EAD8)
}

fn number(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(bytes.try_into().unwrap())
}

/// The records of an event file; the last may be cut, all others are whole.
fn records(file: &[u8]) -> Vec<&[u8]> {
    let (mut at, mut records) = (0, Vec::new());
    while at + 12 <= file.len() {
        let length = u64::from_le_bytes(file[at..at + 8].try_into().unwrap()) as usize;
        assert_eq!(number(&file[at + 8..at + 12]), checksum(&file[at..at + 8]), "length at {at}");
        let Some(record) = file.get(at + 12..at + 12 + length) else { break };
        let Some(sum) = file.get(at + 12 + length..at + 16 + length) else { break };
        assert_eq!(number(sum), checksum(record), "record at {at}");
        records.push(record);
        at += 16 + length;
    }
    records
}

/// A message's fields: number, wire type, and the value as bytes; integers as eight.
fn fields(mut message: &[u8]) -> Vec<(u64, u64, Vec<u8>)> {
    fn varint(message: &mut &[u8]) -> u64 {
        let length = message.iter().position(|byte| byte & 128 == 0).unwrap() + 1;
        let digits = message[..length].iter().rev();
        let value = digits.fold(0, |value, byte| (value << 7) | u64::from(byte & 127));
        *message = &message[length..];
        value
    }
    let mut fields = Vec::new();
    while !message.is_empty() {
        let key = varint(&mut message);
        let value = match key & 7 {
            0 => varint(&mut message).to_le_bytes().to_vec(),
            kind => {
                let length = match kind {
                    1 => 8,
                    5 => 4,
                    2 => varint(&mut message) as usize,
                    other => panic!("wire type {other}"),
                };
                let (value, rest) = message.split_at(length);
                message = rest;
                value.to_vec()
            }
        };
        fields.push((key >> 3, key & 7, value));
    }
    fields
}

fn field(message: &[u8], number: u64) -> Option<Vec<u8>> {
    fields(message).into_iter().find(|field| field.0 == number).map(|field| field.2)
}

/// What TensorBoard's reader shows of a run: its files in the order of their names, where the start of a session takes
/// back what has its step or a later one. Gives the scalars, and how often each other tag is there.
fn tensorboard(place: &Place, run: &str) -> (Points, BTreeMap<String, usize>) {
    let folder = format!("{run}/tensorboard");
    let mut names = place.names(&folder);
    names.sort();
    let (mut points, mut others) = (Points::new(), BTreeMap::<String, Vec<u64>>::new());
    for name in names {
        let file = place.bytes(&format!("{folder}/{name}"));
        for (index, record) in records(&file).into_iter().enumerate() {
            let step =
                field(record, 2).map_or(0, |step| u64::from_le_bytes(step.try_into().unwrap()));
            if index == 0 {
                assert_eq!(field(record, 3).unwrap(), b"brain.Event:2", "{name}");
            }
            if let Some(log) = field(record, 7) {
                assert_eq!((index, &fields(&log)[0].2[..]), (1, &[1, 0, 0, 0, 0, 0, 0, 0][..]));
                points.values_mut().for_each(|points| points.retain(|point| point.0 < step));
                others.values_mut().for_each(|steps| steps.retain(|other| *other < step));
            }
            let Some(summary) = field(record, 5) else { continue };
            let value = field(&summary, 1).unwrap();
            let tag = String::from_utf8(field(&value, 1).unwrap()).unwrap();
            match field(&value, 2) {
                Some(float) => {
                    let float = f32::from_le_bytes(float.try_into().unwrap());
                    points.entry(tag).or_default().push((step, f64::from(float)));
                }
                None => others.entry(tag).or_default().push(step),
            }
        }
    }
    (points, others.into_iter().map(|(tag, steps)| (tag, steps.len())).collect())
}

/// The table of scalars, where every line is whole and has its epoch.
fn table(place: &Place, run: &str, batches: u64) -> Points {
    let text = place.text(&format!("{run}/logs/scalars.csv"));
    assert!(text.ends_with('\n'));
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("step,epoch,tag,value"));
    let mut points = Points::new();
    for line in lines {
        let [step, epoch, tag, value] = line.split(',').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        let (step, epoch): (u64, u64) = (step.parse().unwrap(), epoch.parse().unwrap());
        if !tag.starts_with("final/") {
            assert_eq!(epoch, step.div_ceil(batches), "{line}");
        }
        points.entry(tag.to_owned()).or_default().push((step, value.parse().unwrap()));
    }
    points
}

/// What the run's own files have: every epoch, every `stride`-th batch's objective, and the final scores.
fn recorded(place: &Place, run: &str, batches: u64, stride: u64) -> Points {
    let mut points = Points::new();
    let mut last = 0;
    for line in place.text(&format!("{run}/metrics.jsonl")).lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        last = record["epoch"].as_u64().unwrap() * batches;
        for (name, value) in record.as_object().unwrap() {
            if name != "epoch" {
                let points = points.entry(format!("epoch/{name}")).or_default();
                points.push((last, value.as_f64().unwrap()));
            }
        }
    }
    for (index, line) in place.text(&format!("{run}/losses.csv")).lines().skip(1).enumerate() {
        let (step, value) = (index as u64 + 1, line.rsplit(',').next().unwrap());
        if step % stride == 0 {
            let points = points.entry("batch/objective".into()).or_default();
            points.push((step, value.parse().unwrap()));
        }
    }
    let summary = place.json(&format!("{run}/summary.json"));
    for name in ["test_accuracy", "test_loss", "valid_loss", "train_accuracy", "parameters"] {
        points.insert(format!("final/{name}"), vec![(last + 1, summary[name].as_f64().unwrap())]);
    }
    points
}

/// Checks that a log has what the run's own files have, as exactly as its numbers are.
fn expect_recorded(logged: &Points, recorded: &Points, round: fn(f64) -> f64) {
    for (tag, points) in recorded {
        let expected: Vec<_> = points.iter().map(|(step, value)| (*step, round(*value))).collect();
        let found = logged.get(tag).unwrap_or_else(|| panic!("no {tag}"));
        assert_eq!(found, &expected, "{tag}");
    }
    for (tag, points) in logged {
        assert!(points.is_sorted_by(|a, b| a.0 < b.0), "{tag}: {points:?}");
    }
    let steps = |tag: &str| logged[tag].iter().map(|point| point.0).collect::<Vec<_>>();
    assert_eq!(steps("batch/learning_rate"), steps("batch/objective"));
}

fn single(value: f64) -> f64 {
    f64::from(value as f32)
}

#[test]
fn logs_have_what_the_runs_own_files_have_and_change_nothing() {
    let place = Place::new();
    place.run(&format!("train digits {TINY} --out plain")).expect(DONE, &[]);
    let logged = format!("train digits {TINY} --log tensorboard:histograms,csv --out run");
    place.run(&logged).expect(DONE, &["logging took"]);
    place.expect_same("run", "plain");
    place.run("verify run").expect(DONE, &["model.safetensors"]);
    assert_eq!(place.text("run/config.toml"), place.text("plain/config.toml"));
    let names = &place.json("run/manifest.json")["log"];
    assert_eq!(names, &serde_json::json!(["tensorboard:histograms", "csv"]));
    assert!(place.json("plain/manifest.json")["log"].is_null());

    let recorded = recorded(&place, "run", 4, 1);
    expect_recorded(&table(&place, "run", 4), &recorded, |value| value);
    let (points, others) = tensorboard(&place, "run");
    expect_recorded(&points, &recorded, single);
    for (tag, count) in [
        ("_hparams_/session_start_info", 1),
        ("_hparams_/session_end_info", 1),
        ("config.toml", 1),
        ("augmented_images", 1),
        ("worst_mistakes", 1),
        // One an epoch.
        ("weights/hidden.0.weight", 2),
        ("gradients/hidden.0.weight", 2),
        ("gradients/head.bias", 2),
    ] {
        assert_eq!(others.get(tag), Some(&count), "{tag} in {others:?}");
    }
    place.expect_no_temporary_files();
}

#[test]
fn distributions_are_those_of_the_weights() {
    let place = Place::new();
    let flags = "--train-size 64 --valid-size 0 --epochs 1 --model mlp --hidden 8 --batch-size 16 --threads 1";
    place
        .run(&format!("train digits {flags} --log tensorboard:histograms --out run"))
        .expect(DONE, &[]);
    let name = place.names("run/tensorboard").remove(0);
    let file = place.bytes(&format!("run/tensorboard/{name}"));
    let histogram = records(&file).into_iter().find_map(|record| {
        let value = field(&field(record, 5)?, 1)?;
        (field(&value, 1)? == b"weights/hidden.0.weight").then(|| field(&value, 5).unwrap())
    });
    let histogram = histogram.unwrap();
    let double = |bytes: &[u8]| f64::from_le_bytes(bytes.try_into().unwrap());
    let doubles = |number| {
        let packed = field(&histogram, number).unwrap();
        packed.chunks(8).map(double).collect::<Vec<f64>>()
    };
    let (limits, counts) = (doubles(6), doubles(7));
    assert_eq!(limits.len(), counts.len());
    assert!(limits.is_sorted());
    // 784 inputs, 8 units.
    assert_eq!(counts.iter().sum::<f64>(), 784.0 * 8.0);
    assert_eq!(doubles(3), [784.0 * 8.0]);
    let (least, greatest) = (doubles(1)[0], doubles(2)[0]);
    assert!(least < 0.0 && greatest > 0.0 && limits.last() == Some(&greatest));
}

/// Sixty batches an epoch.
#[cfg(unix)]
#[test]
fn logs_are_whole_after_two_kills() {
    let place = Place::with_mnist();
    place.run(&format!("train {LONG} --out whole")).expect(DONE, &[]);
    let begin = format!("train {LONG} --checkpoint-every 7 --log tensorboard,csv --out run");
    in_time(|| {
        for (number, command) in [(1, &begin[..]), (2, "train --resume run")] {
            killed_while_it_logs(&place, number, command)?;
            // As if the kill had come in the middle of a line and a record.
            let events = newest_events(&place);
            let record = place.bytes(&events)[..20].to_vec();
            let cut = [("run/logs/scalars.csv", b"17,1,epoch/va".to_vec()), (&events, record)];
            for (file, rest) in cut {
                std::fs::write(place.path(file), [place.bytes(file), rest].concat()).unwrap();
            }
        }
        Some(())
    });
    place.run("train --resume run").expect(DONE, &[]);
    place.expect_same("run", "whole");
    place.run("verify run").expect(DONE, &[]);
    // 2,400 batches, of which every third is logged.
    let recorded = recorded(&place, "run", 60, 3);
    expect_recorded(&table(&place, "run", 60), &recorded, |value| value);
    let (points, others) = tensorboard(&place, "run");
    expect_recorded(&points, &recorded, single);
    assert_eq!(points["batch/objective"].len(), 800);
    assert_eq!(others["_hparams_/session_start_info"], 1);
    assert_eq!(place.names("run/tensorboard").len(), 3);
    place.expect_no_temporary_files();
}

/// Kills the process of this number that trains the run after some epochs of its own; `None` if it came to the end first.
#[cfg(unix)]
fn killed_while_it_logs(place: &Place, number: usize, command: &str) -> Option<()> {
    let lines = || {
        std::fs::read_to_string(place.path("run/metrics.jsonl"))
            .map_or(0, |text| text.lines().count())
    };
    let files = || {
        let names = std::fs::read_dir(place.path("run/tensorboard"));
        names.map_or(0, |names| names.count())
    };
    let before = lines();
    let child = place.start(command);
    let _ = child.reaches("some epochs", || files() == number && lines() > before + 2);
    child.signal("KILL");
    let killed = place.if_stopped(child.finish(), "run")?;
    assert_eq!(killed.code, None, "{killed:?}");
    Some(())
}

/// The event file that is written to, and that sorts behind all others.
#[cfg(unix)]
fn newest_events(place: &Place) -> String {
    let newest = place.names("run/tensorboard").into_iter().max().unwrap();
    format!("run/tensorboard/{newest}")
}

#[test]
fn what_was_not_logged_from_the_beginning_is_filled_in() {
    let place = Place::new();
    place.run(&format!("train digits {TINY} --out short")).expect(DONE, &[]);
    let longer = "train --extend short --epochs 4 --out run --threads 1 --log tensorboard,csv";
    place.run(longer).expect(DONE, &[]);
    let mut recorded = recorded(&place, "run", 4, 1);
    // Of the batches before it was asked for, the losses are in losses.csv alone.
    recorded.get_mut("batch/objective").unwrap().retain(|point| point.0 > 8);
    expect_recorded(&table(&place, "run", 4), &recorded, |value| value);
    expect_recorded(&tensorboard(&place, "run").0, &recorded, single);
    // The run before is not changed.
    assert!(!place.path("short/logs").exists());
}

#[test]
fn every_seed_has_its_logs() {
    let place = Place::new();
    let run = format!("train digits {TINY} --seeds 2 --log tensorboard,csv --out seeds");
    place.run(&run).expect(DONE, &["over 2 seeds"]);
    let seeds: Vec<String> =
        place.names("seeds").into_iter().filter(|name| name.starts_with("seed-")).collect();
    assert_eq!(seeds.len(), 2);
    for seed in seeds {
        let run = format!("seeds/{seed}");
        expect_recorded(&table(&place, &run, 4), &recorded(&place, &run, 4, 1), |value| value);
    }
}

#[test]
fn loggers_that_are_not_known_are_refused_before_anything_is_trained() {
    let place = Place::new();
    for (flags, part) in [
        ("train digits --log wandb", "unknown logger `wandb`; known: tensorboard, "),
        ("train digits --log csv,csv", "`csv` writes the same files as `csv`"),
        ("find-rate digits --log csv", "`--log`"),
        ("ablate digits --seeds 2 --log csv", "`--log`"),
    ] {
        place.run(flags).refuse(USAGE, &[part]);
    }
    place.expect_empty();
}
