//! `backburn`: trains image classifiers that generalize.

use std::process::ExitCode;

use backburn_trainer::cli;
use backburn_training::memory::allocator::Allocator;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

fn main() -> ExitCode {
    cli::run()
}
