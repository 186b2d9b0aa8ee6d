//! `backburn export`: a run as other programs have it.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::PathBuf;

use backburn_records::RunRecord;
use backburn_training::failure::Failure;
use clap::{Args, ValueEnum};

use crate::output::print_line;

/// What a run is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// MLflow's file store: settings, every epoch, final scores; for `mlflow migrate-filestore`.
    Mlflow,
}

/// `export RUN --format FORMAT`
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Folder of a run.
    run: PathBuf,
    /// What to write.
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Format,
    /// Where to write it; export/mlflow in the run's folder if not given. A store takes many runs.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Writes the run, and prints where it is.
///
/// # Errors
///
/// If the run cannot be read, or the folder not be written to.
pub fn export(args: &ExportArgs) -> Result<(), Failure> {
    let failure = |error: &dyn std::fmt::Display| Failure::Error(error.to_string());
    let run = RunRecord::read(&args.run).map_err(|error| failure(&error))?;
    let written = match args.format {
        Format::Mlflow => {
            let out = args.out.clone().unwrap_or_else(|| args.run.join("export/mlflow"));
            backburn_logs::write_mlflow(&run, &out).map_err(|error| failure(&error))?
        }
    };
    print_line(&written.display().to_string());
    Ok(())
}
