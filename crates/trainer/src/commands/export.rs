//! `backburn export`: a run for other programs.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::PathBuf;

use backburn_interchange::onnx::{BatchNorms, Ends, OnnxOptions};
use backburn_interchange::{ExportOptions, FORMATS};
use backburn_training::backend::Backend;
use backburn_training::failure::{Failure, usage};
use clap::Args;

use crate::help;
use crate::output::print_data;

/// `export RUN --format FORMAT`
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Folder of a finished run.
    run: PathBuf,
    /// What to write; the formats are below.
    #[arg(long, value_name = "FORMAT")]
    format: String,
    /// The file to write; export/ in the run's folder if not given.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// ONNX from bytes to probabilities: with normalization, temperature and softmax inside.
    #[arg(long)]
    with_preparation: bool,
    /// ONNX with batch normalization as part of the layers before it.
    #[arg(long)]
    fold_batch_norm: bool,
    /// ONNX with N images of noise and the network's answers to them, as ONNX's test data.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    test_data: Option<u16>,
    /// What computes; the run's own backend if not given.
    #[arg(long, help = help::backends())]
    backend: Option<String>,
}

/// The formats, for help.
pub(crate) fn notes() -> String {
    let rows = FORMATS.iter().map(|row| format!("  {:<13} {}\n", row.name, row.summary));
    format!("Formats:\n{}", rows.collect::<String>())
}

/// Writes the network and a model card, and prints the files' names.
///
/// # Errors
///
/// If the run cannot be used, or a file not be written.
pub fn export(args: &ExportArgs) -> Result<(), Failure> {
    let onnx = OnnxOptions {
        ends: if args.with_preparation { Ends::Pixels } else { Ends::Network },
        batch_norms: if args.fold_batch_norm { BatchNorms::Folded } else { BatchNorms::Kept },
    };
    let options = ExportOptions {
        format: args.format.parse()?,
        out: args.out.clone(),
        onnx,
        test_data: args.test_data.map(usize::from),
        backend: args.backend.as_deref().map(Backend::named).transpose().map_err(usage)?,
    };
    for file in backburn_interchange::export(&args.run, &options)? {
        print_data(&file.display().to_string());
    }
    Ok(())
}
