//! `backburn evaluate` and `backburn report`.

use std::path::Path;
use std::sync::Arc;

use backburn_models::{parameters, weights};
use backburn_report::{RunRecord, Status};
use serde_json::json;

use crate::backend::Backend;
use crate::cli::{EvaluateArgs, Failure, ReportArgs, Split, print_line, set_threads};
use crate::evaluate::predict;
use crate::prepare::PrepareError;
use crate::progress::say;
use crate::run::{RunError, RunFolder};
use crate::session::{self, SessionError};

/// Columns of a table where the terminal does not tell its width.
const TABLE_WIDTH: usize = 80;

/// Scores a run's selected weights.
///
/// # Errors
///
/// What stands in the way, with the cure.
pub fn evaluate(args: &EvaluateArgs) -> Result<(), Failure> {
    set_threads(args.threads)?;
    let folder = RunFolder::open(&args.run).map_err(failure)?;
    let mut manifest = folder.manifest().map_err(failure)?;
    let run = args.run.display();
    if manifest.status == Status::Diverged {
        return Err(Failure::Error(format!(
            "{run} is diverged, so it has no selected weights; start a new run with a smaller learning rate, `cargo xtask train --config {run}/config.toml --learning-rate X`"
        )));
    }
    if !matches!(manifest.status, Status::Finished | Status::StoppedEarly) {
        return Err(Failure::Error(format!(
            "{run} is {}, so it has no selected weights; finish it with `cargo xtask train --resume {run}`",
            manifest.status
        )));
    }
    let mut recipe = folder.recipe().map_err(failure)?;
    if let Some(name) = &args.backend {
        recipe.backend = Backend::named(name).map_err(|e| Failure::Usage(e.to_string()))?;
    }
    if args.data_dir.is_some() {
        recipe.data_dir.clone_from(&args.data_dir);
    }
    let (open, prepared) = session::make_ready(&recipe)?;
    session::check_same_data(&prepared, &manifest)?;
    let network = prepared.network(&recipe, &open.device).map_err(PrepareError::from);
    let network = load(&folder, network.map_err(SessionError::from)?)?;

    let images = match args.split {
        Split::Valid => prepared.valid.clone().ok_or_else(|| {
            Failure::Error("the run kept no images for validation; use `--split test`".into())
        })?,
        Split::Test => {
            let reads = session::record_test_read(&folder, &mut manifest, "evaluate", "selected")
                .map_err(failure)?;
            say(&format!(
                "note: this is look {reads} at the test split; it is recorded in manifest.json"
            ));
            Arc::new(prepared.data.test.open().clone())
        }
    };
    let predictions = predict(&network, &images, &prepared.normalization, &open.device)
        .map_err(PrepareError::from)
        .map_err(SessionError::from)?;
    let scores = predictions.scores();
    let calibration_error = predictions.calibration_error();
    if args.json {
        let split = if args.split == Split::Test { "test" } else { "valid" };
        let scores = json!({
            "split": split,
            "images": images.len(),
            "loss": scores.loss,
            "accuracy": scores.accuracy,
            "ece": calibration_error,
        });
        print_line(&scores.to_string());
    } else {
        let accuracy = 100.0 * scores.accuracy;
        print_line(&format!(
            "accuracy {accuracy:.2} %, loss {:.4}, calibration error {:.2} % on {} images",
            scores.loss,
            100.0 * calibration_error,
            images.len(),
        ));
    }
    Ok(())
}

fn load(
    folder: &RunFolder,
    network: backburn_models::Network,
) -> Result<backburn_models::Network, Failure> {
    let damaged = |reason: String| {
        let path = folder.path().join("model.safetensors");
        failure(RunError::Damaged { path, reason })
    };
    let bytes = folder.read("model.safetensors").map_err(failure)?;
    let (tensors, _) = weights::from_bytes(&bytes).map_err(|e| damaged(e.to_string()))?;
    parameters::import(network, tensors).map_err(|e| damaged(e.to_string()))
}

/// Draws one run's report anew, or compares several runs.
///
/// # Errors
///
/// If a folder is not a run's, or the page cannot be written.
pub fn report(args: &ReportArgs) -> Result<(), Failure> {
    if let [run] = args.runs.as_slice() {
        let record = read(run)?;
        backburn_report::write_report(run).map_err(report_failure)?;
        print_line(&backburn_report::sentence(&record));
        print_line(&format!("report: {}", run.join("report.html").display()));
        return Ok(());
    }
    let runs: Vec<RunRecord> = args.runs.iter().map(|run| read(run)).collect::<Result<_, _>>()?;
    let width = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    let table = backburn_report::comparison_table(&runs, width.unwrap_or(TABLE_WIDTH));
    print_line(table.trim_end());
    backburn_report::write_comparison(&runs, &args.out).map_err(report_failure)?;
    print_line(&format!("page: {}", args.out.display()));
    Ok(())
}

fn read(run: &Path) -> Result<RunRecord, Failure> {
    RunRecord::read(run).map_err(report_failure)
}

fn failure(error: RunError) -> Failure {
    SessionError::from(error).into()
}

// By value, so that it can stand in `map_err`.
#[allow(clippy::needless_pass_by_value)]
fn report_failure(error: backburn_report::ReportError) -> Failure {
    Failure::Error(error.to_string())
}
