//! `backburn evaluate RUN --on PATH`: a run's network on other test sets of its classes.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::Path;

use backburn_data::TestLog;
use backburn_data::robustness::{self, CORRUPTIONS, NamedTestSet};
use backburn_records::Status;
use backburn_records::number::{count, loss, percent};
use backburn_records::statistics::Spread;
use backburn_records::text_table::table;
use backburn_training::backend::Backend;
use backburn_training::evaluate::Predictions;
use backburn_training::failure::{Failure, usage};
use backburn_training::predict::Predictor;
use backburn_training::run_folder::error::RunError;
use backburn_training::run_folder::folder::RunFolder;
use backburn_training::run_folder::test_log::ManifestLog;
use backburn_training::session_error::SessionError;
use serde_json::json;

use crate::output::{print_line, say};
use crate::pages::pages;
use crate::terminal::Terminal;

/// Scores on one set.
struct Row {
    name: String,
    images: usize,
    accuracy: f64,
    loss: f64,
    ece: f64,
}

/// All sets count as one access: they are looked at together, and many of them show the same test images.
struct OneAccess<'a> {
    log: ManifestLog<'a>,
    look: Option<usize>,
    purpose: String,
}

impl TestLog for OneAccess<'_> {
    type Error = RunError;

    fn record(&mut self, _: &str, weights: &str) -> Result<usize, RunError> {
        if let Some(look) = self.look {
            return Ok(look);
        }
        let look = self.log.record(&self.purpose, weights)?;
        self.look = Some(look);
        Ok(look)
    }
}

/// Scores a run's selected weights on the test sets at `path`, and prints a row for each.
///
/// # Errors
///
/// What stands in the way, with the cure.
pub(crate) fn evaluate_on(
    run: &Path,
    path: &Path,
    backend: Option<&str>,
    json: bool,
) -> Result<(), Failure> {
    let backend = backend.map(Backend::named).transpose().map_err(usage)?;
    let folder = RunFolder::open(run).map_err(SessionError::from)?;
    let mut watch = Terminal::new();
    // The access is written to the manifest, which another process must not change meanwhile.
    let _lock = folder.lock(&mut watch).map_err(SessionError::from)?;
    let mut manifest = folder.manifest().map_err(SessionError::from)?;
    let status = match manifest.status {
        // The lock is ours, so that nobody else is at work on it.
        Status::Running => Status::Killed,
        status => status,
    };
    let predictor = Predictor::of(&folder, &manifest, status, backend)?;
    let classes = predictor.class_names().len();
    let sets = robustness::load(path, predictor.shape(), classes);
    let sets = sets.map_err(|error| Failure::Error(error.to_string()))?;
    for note in sets.notes() {
        say(&format!("note: {note}"));
    }
    let log = ManifestLog {
        folder: &folder,
        manifest: &mut manifest,
        status,
        pages: pages(),
        watch: &mut watch,
    };
    let mut log = OneAccess { log, look: None, purpose: format!("evaluate on {}", path.display()) };
    let mut rows = Vec::new();
    for file in sets {
        for set in file.map_err(|error| Failure::Error(error.to_string()))? {
            rows.push(score(&predictor, &set, &mut log)?);
        }
    }
    if json {
        print_line(&as_json(&rows).to_string());
    } else {
        print_line(as_text(&rows).trim_end());
    }
    Ok(())
}

fn score(
    predictor: &Predictor,
    set: &NamedTestSet,
    log: &mut OneAccess<'_>,
) -> Result<Row, Failure> {
    let images = set.images.open(log, &set.name, "selected").map_err(SessionError::from)?;
    let predictions: Predictions = predictor
        .score(images.for_final_scores())
        .map_err(|error| Failure::from(SessionError::from(error)))?;
    let scores = predictions.scores();
    Ok(Row {
        name: set.name.clone(),
        images: predictions.images(),
        accuracy: scores.accuracy,
        loss: scores.loss,
        ece: predictions.calibration_error(),
    })
}

/// The rows of the published benchmark among those of corruptions.
fn of_benchmark(rows: &[Row]) -> Vec<&Row> {
    let benchmark = &CORRUPTIONS.get(..robustness::BENCHMARK).unwrap_or_default();
    let is_of_it = |row: &&Row| {
        row.name.split_once(',').is_some_and(|(corruption, _)| benchmark.contains(&corruption))
    };
    rows.iter().filter(is_of_it).collect()
}

fn mean(rows: &[&Row], value: fn(&Row) -> f64) -> f64 {
    Spread::of(&rows.iter().map(|row| value(row)).collect::<Vec<_>>()).mean
}

fn as_json(rows: &[Row]) -> serde_json::Value {
    let row = |row: &Row| {
        let Row { name, images, accuracy, loss, ece } = row;
        json!({ "set": name, "images": images, "accuracy": accuracy, "loss": loss, "ece": ece })
    };
    let benchmark = of_benchmark(rows);
    let mean_accuracy = (!benchmark.is_empty()).then(|| mean(&benchmark, |row| row.accuracy));
    json!({
        "sets": rows.iter().map(row).collect::<Vec<_>>(),
        "benchmark_sets": benchmark.len(),
        "benchmark_accuracy": mean_accuracy,
    })
}

fn as_text(rows: &[Row]) -> String {
    let head = ["set", "images", "accuracy", "NLL", "ECE"].map(String::from);
    let cells = |name: String, images: String, all: &[&Row]| {
        let [accuracy, ece] =
            [mean(all, |row| row.accuracy), mean(all, |row| row.ece)].map(percent);
        [name, images, accuracy, loss(mean(all, |row| row.loss)), ece]
    };
    let mut lines = vec![head];
    for row in rows {
        lines.push(cells(row.name.clone(), count(row.images as u64), &[row]));
    }
    let benchmark = of_benchmark(rows);
    if !benchmark.is_empty() {
        let name = format!("mean of the benchmark's {}", benchmark.len());
        lines.push(cells(name, String::new(), &benchmark));
    }
    table(&lines)
}
