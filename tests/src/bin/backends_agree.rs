//! Compares runs of the same recipe on different backends: `backends_agree RUN RUN…`.
//!
//! From the same initial weights, losses must agree to 1e-3 relative over the first 20 batches and
//! validation accuracies to 1 percentage point. Later losses may part: rounding differs, and
//! training amplifies it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use backburn_records::RunRecord;
use backburn_trainer::output::{self, say};

const BATCHES: usize = 20;
const LOSS_TOLERANCE: f64 = 1e-3;
const ACCURACY_TOLERANCE: f64 = 0.01;

fn main() -> ExitCode {
    let folders: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let outcome = match compare(&folders) {
        Ok(true) => output::check().map_err(|error| error.to_string()),
        Ok(false) => Err("the backends do not agree".into()),
        Err(message) => Err(message),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            say(&format!("error: {message}"));
            ExitCode::FAILURE
        }
    }
}

fn compare(folders: &[PathBuf]) -> Result<bool, String> {
    let [first, others @ ..] = folders else { return Err("name at least two runs".into()) };
    if others.is_empty() {
        return Err("name at least two runs".into());
    }
    let (reference, expected_losses) = (read(first)?, losses(first)?);
    let mut agree = true;
    for folder in others {
        let (run, found_losses) = (read(folder)?, losses(folder)?);
        let distance = expected_losses
            .iter()
            .zip(&found_losses)
            .map(|(expected, found)| ((found - expected) / expected).abs())
            .fold(0.0, f64::max);
        let apart = (accuracy(&run)? - accuracy(&reference)?).abs();
        output::print_line(&format!(
            "{} against {}: losses of the first {BATCHES} batches within {distance:.1e}, \
             validation accuracy {:.2} against {:.2} %",
            run.manifest.backend,
            reference.manifest.backend,
            100.0 * accuracy(&run)?,
            100.0 * accuracy(&reference)?,
        ));
        agree &= distance <= LOSS_TOLERANCE && apart <= ACCURACY_TOLERANCE;
    }
    Ok(agree)
}

fn read(folder: &Path) -> Result<RunRecord, String> {
    RunRecord::read(folder).map_err(|error| error.to_string())
}

fn accuracy(run: &RunRecord) -> Result<f64, String> {
    let summary = run.summary.as_ref();
    summary
        .and_then(|summary| summary.valid_accuracy)
        .ok_or_else(|| format!("{} has no validation accuracy", run.dir.display()))
}

/// What was minimized on the first batches.
fn losses(folder: &Path) -> Result<Vec<f64>, String> {
    let path = folder.join("losses.csv");
    let text = std::fs::read_to_string(&path)
        .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let losses: Vec<f64> = text
        .lines()
        .skip(1)
        .take(BATCHES)
        .map(|line| line.rsplit(',').next().unwrap_or_default().parse())
        .collect::<Result<_, _>>()
        .map_err(|error| format!("{}: {error}", path.display()))?;
    if losses.len() < BATCHES {
        return Err(format!(
            "{}: expected {BATCHES} batches, found {}",
            path.display(),
            losses.len()
        ));
    }
    Ok(losses)
}
