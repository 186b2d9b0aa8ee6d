//! What every experiment trains, held against `settings/<name>.toml`, without training anything.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use backburn_data::{DataSet, ImageSet, ImageShape, TestSplit, entry};
use backburn_experiments::{CATALOG, Experiment, Lab, Preset};
use backburn_training::place::Place;
use backburn_training::run_options::RunOptions;
use serde_json::{Map, Value};

/// Shared by all arms of a file's part; what an arm says itself comes before it.
const EVERY_ARM: &str = "every-arm";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("settings")
}

/// A data set of as many images as the one of that name has, of a pixel: settings depend on their
/// number and colours alone.
fn images(name: &str) -> DataSet {
    let entry = entry(name).unwrap();
    let shape = ImageShape { height: 1, width: 1, ..entry.shape };
    let set = |count: usize| {
        let labels = (0..count).map(|i| (i % entry.classes()) as u16).collect();
        ImageSet::new(shape, entry.classes(), vec![0; count * shape.pixels()], labels).unwrap()
    };
    let class_names = entry.class_names.iter().copied();
    DataSet::new(entry.name, class_names, set(entry.train), TestSplit::seal(set(entry.test)))
}

fn found(row: &Experiment, preset: Preset, dataset: Option<&str>) -> BTreeMap<String, Value> {
    let data = dataset.map(images);
    let options = RunOptions::new(1, Vec::new());
    let lab = Lab::new(preset, Place::default(), data, PathBuf::new(), options).unwrap();
    flat(&(row.settings)(&lab).unwrap().0)
}

/// Every setting by its path, such as `none.optimizer.beta1`.
fn flat(settings: &Map<String, Value>) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for (name, value) in settings {
        match value {
            Value::Object(inner) => {
                all.extend(
                    flat(inner).into_iter().map(|(path, value)| (format!("{name}.{path}"), value)),
                );
            }
            // One number, however it is written.
            Value::Number(number) => {
                all.insert(name.clone(), number.as_f64().into());
            }
            Value::Array(values) => {
                for (place, value) in values.iter().enumerate() {
                    let one = Map::from_iter([(place.to_string(), value.clone())]);
                    all.extend(
                        flat(&one)
                            .into_iter()
                            .map(|(path, value)| (format!("{name}.{path}"), value)),
                    );
                }
                all.insert(format!("{name}.length"), values.len().into());
            }
            value => {
                all.insert(name.clone(), value.clone());
            }
        }
    }
    all
}

/// `every` with what `own` says otherwise, part by part.
fn merged(every: &Map<String, Value>, own: &Map<String, Value>) -> Map<String, Value> {
    let mut all = every.clone();
    for (name, value) in own {
        let value = match (all.get(name), value) {
            // Another model or optimizer shares no settings with the common one.
            (Some(Value::Object(every)), Value::Object(own)) if !own.contains_key("name") => {
                Value::Object(merged(every, own))
            }
            _ => value.clone(),
        };
        all.insert(name.clone(), value);
    }
    all
}

fn expected(part: &Value) -> BTreeMap<String, Value> {
    let part = part.as_object().expect("a preset is a table of arms");
    let none = Map::new();
    let every = part.get(EVERY_ARM).map_or(&none, |every| every.as_object().unwrap());
    let arms = part.iter().filter(|(name, _)| *name != EVERY_ARM);
    let arms = arms
        .map(|(name, own)| (name.clone(), Value::Object(merged(every, own.as_object().unwrap()))));
    flat(&arms.collect())
}

/// What is not as the file says, a line each.
fn differences(expected: &BTreeMap<String, Value>, found: &BTreeMap<String, Value>) -> Vec<String> {
    let show = |value: Option<&Value>| value.map_or("nothing".into(), Value::to_string);
    let paths: BTreeSet<&String> = expected.keys().chain(found.keys()).collect();
    paths
        .into_iter()
        .filter(|path| expected.get(*path) != found.get(*path))
        .map(|path| {
            let (expected, found) = (show(expected.get(path)), show(found.get(path)));
            format!("{path}: expected {expected}, found {found}")
        })
        .collect()
}

/// The presets and the data set that a part's name stands for: `both`, `paper`, `quick on mnist`.
fn stands_for<'a>(row: &'a Experiment, part: &'a str) -> (Vec<Preset>, Option<&'a str>) {
    let (presets, dataset) = match part.split_once(" on ") {
        Some((presets, dataset)) => (presets, Some(dataset)),
        None => (part, row.datasets.first().copied()),
    };
    let presets = match presets {
        "both" => vec![Preset::Quick, Preset::Paper],
        "quick" => vec![Preset::Quick],
        "paper" => vec![Preset::Paper],
        other => panic!("{}: expected `both`, `quick` or `paper`, found `{other}`", row.name),
    };
    (presets, dataset)
}

#[test]
fn every_experiment_trains_with_the_settings_of_its_file() {
    let mut wrong = Vec::new();
    for row in CATALOG {
        let path = folder().join(format!("{}.toml", row.name));
        let text = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let file: Map<String, Value> =
            toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", row.name));
        let mut covered = Vec::new();
        for (part, value) in &file {
            let (presets, dataset) = stands_for(row, part);
            for preset in presets {
                let found = found(row, preset, dataset);
                let which = match dataset {
                    Some(dataset) => format!("{}, {} on {dataset}", row.name, preset.name()),
                    None => format!("{}, {}", row.name, preset.name()),
                };
                let lines = differences(&expected(value), &found);
                wrong.extend(lines.into_iter().map(|line| format!("{which}: {line}")));
                if dataset == row.datasets.first().copied() {
                    covered.push(preset);
                }
            }
        }
        let all = [Preset::Quick, Preset::Paper];
        assert!(
            all.iter().all(|preset| covered.contains(preset)) && covered.len() == all.len(),
            "{}: expected both presets once, found {covered:?}",
            path.display()
        );
    }
    assert!(
        wrong.is_empty(),
        "settings that are not those of crates/experiments/settings/:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn every_file_of_settings_belongs_to_an_experiment() {
    for file in std::fs::read_dir(folder()).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        let stem = name.strip_suffix(".toml").expect("only TOML files are there");
        assert!(CATALOG.iter().any(|row| row.name == stem), "{name}");
    }
}

#[test]
fn a_setting_that_differs_is_told_with_its_path() {
    let part: Value = toml::from_str(
        "[every-arm]\nepochs = 3\noptimizer = { name = \"adam\", beta1 = 0.9 }\nmean = [0.5, 0.5]\n\
         [none]\n[l2]\nweight_decay.strength = 1e-3\n[sgd]\noptimizer.name = \"sgd\"\n",
    )
    .unwrap();
    let expected = expected(&part);
    assert_eq!(differences(&expected, &expected), Vec::<String>::new());
    assert_eq!(expected["l2.weight_decay.strength"], 1e-3);
    assert_eq!(expected["none.optimizer.beta1"], 0.9);
    assert!(!expected.contains_key("sgd.optimizer.beta1"), "another optimizer is another one");
    let mut found = expected.clone();
    found.insert("l2.weight_decay.strength".into(), 1e-2.into());
    found.insert("none.mean.2".into(), 0.5.into());
    found.remove("sgd.epochs");
    let told = differences(&expected, &found);
    assert_eq!(
        told,
        [
            "l2.weight_decay.strength: expected 0.001, found 0.01",
            "none.mean.2: expected nothing, found 0.5",
            "sgd.epochs: expected 3.0, found nothing",
        ]
    );
}
