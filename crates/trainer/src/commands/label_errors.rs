//! `backburn label-errors`: which labels of a cross-validation's images are likely wrong.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::PathBuf;

use backburn_report::{MOST_SHOWN, write_label_errors};
use backburn_studies::label_errors::{LabelErrorsOf, label_errors};
use backburn_training::backend::Backend;
use backburn_training::failure::{Failure, usage};
use backburn_training::outside_runs::check_outside_runs;
use clap::Args;

use crate::help;
use crate::output::{print_data, print_line};
use crate::terminal::Terminal;
use crate::threads::set_threads;

/// `label-errors FOLDER`
#[derive(Debug, Args)]
pub struct LabelErrorsArgs {
    /// Folder of a cross-validation, as `train --folds K` leaves it: each fold's network is asked about the images
    /// that it has not trained on.
    folder: PathBuf,
    /// Where to write label-errors.csv and label-errors.html; the folder itself if not given.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Folder with the data; the runs' own if not given.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// What computes; the runs' own backend if not given.
    #[arg(long, help = help::backends())]
    backend: Option<String>,
    /// Threads to compute with; all cores if not given.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    threads: Option<usize>,
}

/// Ranks the images, and writes the table and the page. `command`: the command line, program first.
///
/// # Errors
///
/// What stands in the way, with the cure.
pub(crate) fn run(args: &LabelErrorsArgs, command: Vec<String>) -> Result<(), Failure> {
    args.out.iter().try_for_each(|folder| check_outside_runs("--out", folder))?;
    set_threads(args.threads)?;
    let backend = args.backend.as_deref().map(Backend::named).transpose().map_err(usage)?;
    let (folder, data_dir) = (args.folder.clone(), args.data_dir.clone());
    let asked = LabelErrorsOf { folder, data_dir, backend, pictures: MOST_SHOWN, command };
    let record = label_errors(&asked, &mut Terminal::new())?;
    let written = write_label_errors(&record, args.out.as_ref().unwrap_or(&args.folder));
    let written = written.map_err(|error| Failure::Error(error.to_string()))?;
    print_line(&record.sentence());
    if let Some(noise) = &record.noise {
        print_line(&noise.sentence(record.ranked.len()));
    }
    written.iter().for_each(|path| print_data(&path.display().to_string()));
    Ok(())
}
