//! Which way crates and modules may depend on each other, read from `cargo metadata` and the sources.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use backburn_tests::module_graph::{ModuleGraph, lines_of_code};
use serde_json::Value;

/// Every crate of ours with those of ours that it may be compiled with.
const DIRECTIONS: [(&str, &[&str]); 14] = [
    ("kernels", &[]),
    ("data", &[]),
    ("records", &[]),
    ("regularization", &["kernels"]),
    ("models", &["regularization", "kernels"]),
    ("report", &["records"]),
    ("training", &["data", "models", "regularization", "kernels", "records"]),
    ("logs", &["training", "models", "records"]),
    ("studies", &["training", "data", "records"]),
    (
        "experiments",
        &[
            "studies",
            "training",
            "data",
            "models",
            "regularization",
            "kernels",
            "records",
            "report",
        ],
    ),
    ("bench", &["training", "data", "models", "kernels", "records"]),
    ("interchange", &["logs", "training", "data", "models", "records"]),
    (
        "trainer",
        &[
            "bench",
            "interchange",
            "experiments",
            "logs",
            "studies",
            "training",
            "data",
            "models",
            "regularization",
            "kernels",
            "records",
            "report",
        ],
    ),
    ("xtask", &[]),
];

/// What only some crates may be compiled with: packages, and those crates.
const RESERVED: [(&[&str], &[&str]); 3] = [
    // What belongs to a command line, a terminal, a process.
    (
        &[
            "clap",
            "clap_complete",
            "clap_mangen",
            "indicatif",
            "terminal_size",
            "signal-hook",
            "ctrlc",
        ],
        &["backburn-trainer"],
    ),
    (&["resvg"], &["backburn-report"]),
    (
        &["burn"],
        &[
            "backburn-kernels",
            "backburn-regularization",
            "backburn-models",
            "backburn-training",
            "backburn-experiments",
            "backburn-bench",
            "backburn-interchange",
            "backburn-trainer",
        ],
    ),
];

/// Most lines of the program, without those of its tests: what it does is in the other crates.
const MOST_LINES_OF_THE_PROGRAM: usize = 5000;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The packages of the workspace, as cargo has them.
fn packages() -> &'static [Value] {
    static PACKAGES: OnceLock<Vec<Value>> = OnceLock::new();
    PACKAGES.get_or_init(|| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.args(["metadata", "--format-version", "1", "--no-deps", "--offline"]);
        let output = command.current_dir(root()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
        metadata["packages"].as_array().unwrap().clone()
    })
}

/// What a package is compiled with, without what only its tests need.
fn dependencies(package: &Value) -> impl Iterator<Item = &Value> {
    package["dependencies"].as_array().unwrap().iter().filter(|it| it["kind"] != "dev")
}

fn name(value: &Value) -> &str {
    value["name"].as_str().unwrap()
}

/// The crates of ours that are neither tests nor tools for them.
fn crates() -> impl Iterator<Item = &'static Value> {
    packages().iter().filter(|it| !["backburn-tests", "backburn-hostile"].contains(&name(it)))
}

#[test]
fn crates_depend_on_each_other_one_way() {
    let allowed: BTreeMap<&str, &[&str]> = DIRECTIONS.into_iter().collect();
    let mut seen = BTreeSet::new();
    for package in crates() {
        let krate = name(package).trim_start_matches("backburn-");
        let allowed = allowed.get(krate).unwrap_or_else(|| panic!("{krate} has no direction"));
        for dependency in dependencies(package) {
            if let Some(other) = name(dependency).strip_prefix("backburn-") {
                assert!(allowed.contains(&other), "{krate} depends on {other}");
            }
        }
        seen.insert(krate);
    }
    assert_eq!(seen, allowed.keys().copied().collect(), "a crate of the table is gone");
}

#[test]
fn terminals_belong_to_the_program_and_drawing_to_the_report() {
    for package in crates() {
        for dependency in dependencies(package).map(name) {
            for (reserved, crates) in RESERVED {
                let may = !reserved.contains(&dependency) || crates.contains(&name(package));
                assert!(may, "{} depends on {dependency}", name(package));
            }
        }
    }
}

#[test]
fn library_crates_never_choose_a_backend() {
    for package in crates().filter(|it| name(it) != "backburn-trainer") {
        let default = &package["features"]["default"];
        assert!(default.is_null(), "{}: {default}", name(package));
        for dependency in dependencies(package) {
            let features = dependency["features"].as_array().unwrap();
            for backend in backburn_training::backend::Backend::ALL {
                let names = |it: &&Value| it.as_str() == Some(backend.name());
                let named = features.iter().find(names);
                assert!(named.is_none(), "{} names the backend {backend}", name(package));
            }
        }
    }
}

#[test]
fn backends_are_features_that_are_passed_on_to_the_engine() {
    let package = |wanted: &str| packages().iter().find(|it| name(it) == wanted).unwrap();
    let (program, engine) = (package("backburn-trainer"), package("backburn-training"));
    for backend in backburn_training::backend::Backend::ALL {
        let passed = &program["features"][backend.name()];
        assert_eq!(passed[0], format!("backburn-training/{backend}"), "{passed}");
        assert!(engine["features"][backend.name()].is_array(), "{backend}");
    }
    let all = backburn_training::backend::Backend::ALL.map(|it| format!("\"{it}\"")).join(", ");
    let xtask = fs::read_to_string(root().join("xtask/src/main.rs")).unwrap();
    assert!(xtask.contains(&format!("= [{all}];")), "xtask knows other backends than {all}");
}

#[test]
fn no_modules_of_a_crate_stand_in_a_circle() {
    for package in crates() {
        let manifest = Path::new(package["manifest_path"].as_str().unwrap());
        let graph = ModuleGraph::of(&manifest.parent().unwrap().join("src"));
        let circles = graph.circles();
        assert!(circles.is_empty(), "{}: {circles:?}", name(package));
    }
}

#[test]
fn the_program_is_no_more_than_a_program() {
    let lines = lines_of_code(&root().join("crates/trainer/src"));
    assert!((1000..MOST_LINES_OF_THE_PROGRAM).contains(&lines), "{lines} lines");
}

#[test]
fn the_training_loop_fits_a_screen() {
    let text = fs::read_to_string(root().join("crates/training/src/train.rs")).unwrap();
    let from = text.find("pub fn train<").unwrap();
    let lines = text[from..].split("\n}\n").next().unwrap().lines().count();
    assert!((20..=60).contains(&lines), "{lines} lines");
}
