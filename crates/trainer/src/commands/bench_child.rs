//! `backburn bench-child`: a process that measures for `bench`.

use backburn_bench::case::Case;
use backburn_bench::child;
use backburn_training::backend::Backend;
use backburn_training::failure::{Failure, usage};
use clap::Args;

use crate::threads::set_threads;

/// `bench-child`, which `bench` starts.
#[derive(Args, Clone, Debug)]
pub(crate) struct BenchChildArgs {
    /// What computes.
    #[arg(long)]
    backend: String,
    /// Threads to compute with.
    #[arg(long)]
    threads: usize,
    /// Architecture to train; without it only layers, products and the loader can be asked for.
    #[arg(long, requires = "batch_size")]
    model: Option<String>,
    /// Images in a training batch.
    #[arg(long)]
    batch_size: Option<usize>,
}

/// Measures what it is asked for on stdin.
///
/// # Errors
///
/// If the backend cannot be used, or a request is none.
pub(crate) fn serve(args: &BenchChildArgs) -> Result<(), Failure> {
    let threads = set_threads(Some(args.threads))?;
    let backend = Backend::named(&args.backend).map_err(usage)?;
    let case = (args.model.clone().zip(args.batch_size))
        .map(|(model, batch_size)| Case { model, batch_size });
    child::serve(backend, threads, case.as_ref())
}
