//! `backburn doctor`: what this machine and this program have to train with.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use backburn_bench::doctor::Doctor;
use backburn_data::Source;
use backburn_training::failure::Failure;
use clap::Args;

use crate::environment;
use crate::output::{print_data, print_line};

/// `doctor [--json]`
#[derive(Args, Debug)]
pub struct DoctorArgs {
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
    /// The only data folder to look at.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<std::path::PathBuf>,
}

/// Prints what there is. What is missing is told, and is no error.
///
/// # Errors
///
/// If the JSON cannot be made.
pub fn doctor(args: &DoctorArgs) -> Result<(), Failure> {
    let variables = environment::for_people().map(|row| (row.name, std::env::var_os(row.name)));
    let found = Doctor::examine(&Source::from_environment(args.data_dir.clone()), variables);
    match args.json {
        true => print_data(&found.json()?),
        false => print_line(&found.text()),
    }
    Ok(())
}
