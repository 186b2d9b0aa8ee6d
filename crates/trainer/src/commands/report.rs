//! `backburn report`.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use backburn_records::{MANIFEST_FILE, RunRecord};
use backburn_training::failure::Failure;
use backburn_training::outside_runs::check_outside_runs;
use backburn_training::run_folder::folder::RunFolder;
use clap::Args;

use crate::output::{print_data, print_line, say};
use crate::terminal::Terminal;

/// `report RUN…`
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Folders of runs; one is drawn anew, several are compared.
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// Where to write the page that compares several runs.
    #[arg(long, value_name = "FILE", default_value = "comparison.html")]
    pub out: PathBuf,
}

/// Columns of a table where the terminal does not tell its width.
const TABLE_WIDTH: usize = 80;

/// Draws one run's report anew, or compares several runs.
///
/// # Errors
///
/// If a folder is not a run's, or the page cannot be written.
pub fn report(args: &ReportArgs) -> Result<(), Failure> {
    if let [run] = args.runs.as_slice() {
        let record = read(run)?;
        // Clears away what a report left that was killed. One is drawn all the same of a run that is under
        // way, or that lacks its recipe.
        let _lock = RunFolder::open(run).and_then(|folder| folder.lock(&mut Terminal::new())).ok();
        backburn_report::write_report(&record).map_err(report_failure)?;
        print_line(&backburn_report::sentence(&record));
        print_data(&format!("report: {}", run.join("report.html").display()));
        return Ok(());
    }
    check_outside_runs("--out", &args.out)?;
    let runs = with_a_manifest(&args.runs);
    let runs: Vec<RunRecord> = runs.into_iter().map(read).collect::<Result<_, _>>()?;
    let width = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    let table = backburn_report::comparison_table(&runs, width.unwrap_or(TABLE_WIDTH));
    print_line(table.trim_end());
    backburn_report::write_comparison(&runs, &args.out).map_err(report_failure)?;
    print_data(&format!("page: {}", args.out.display()));
    Ok(())
}

/// The folders of runs among `folders`. `runs/*` also names what `find-rate` and comparisons leave
/// there; it is passed over with a note. Where there is no run at all, the first is kept to say so.
fn with_a_manifest(folders: &[PathBuf]) -> Vec<&Path> {
    let is_run = |folder: &&PathBuf| folder.join(MANIFEST_FILE).exists();
    if !folders.iter().any(|folder| is_run(&folder)) {
        return folders.iter().take(1).map(PathBuf::as_path).collect();
    }
    for other in folders.iter().filter(|folder| !is_run(folder)) {
        say(&format!("note: {} is not the folder of a run, and is left out", other.display()));
    }
    folders.iter().filter(is_run).map(PathBuf::as_path).collect()
}

fn read(run: &Path) -> Result<RunRecord, Failure> {
    RunRecord::read(run).map_err(|error| report_failure(error.into()))
}

// By value, so that it can stand in `map_err`.
#[allow(clippy::needless_pass_by_value)]
fn report_failure(error: backburn_report::ReportError) -> Failure {
    Failure::Error(error.to_string())
}
