//! `backburn verify`: whether a run folder is complete, undamaged, and agrees with itself.

// What it expects is about values of its own, never about a file.
#![deny(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::PathBuf;

use backburn_records::{AtWork, OtherFolder};
use backburn_training::failure::Failure;
use backburn_training::run_folder::verify::Inspection;
use clap::Args;

use crate::output::print_line;

/// `verify RUN`
#[derive(Args, Clone, Debug)]
pub struct VerifyArgs {
    /// Folder of a run, finished or not.
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
}

/// Prints a line for each file, and fails if one is missing, damaged or contradicts another. Reads
/// nothing but the folder.
///
/// # Errors
///
/// What is wrong with each file, with the cure.
pub fn verify(args: &VerifyArgs) -> Result<(), Failure> {
    if !args.run.is_dir() {
        return Err(Failure::Error(format!(
            "there is no folder {}; name a run folder, as `cargo xtask train` makes it under \
             `runs/`",
            args.run.display()
        )));
    }
    if let Some(other) = OtherFolder::at(&args.run) {
        return Err(Failure::Error(other.to_string()));
    }
    // Before any file is read: what a process writes meanwhile need not fit together.
    let at_work = AtWork::on(&args.run);
    let inspection = Inspection::of(&args.run, at_work);
    print_line(inspection.table().trim_end());
    inspection.check(at_work)
}
