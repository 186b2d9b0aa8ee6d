//! `backburn`: trains image classifiers that generalize.

use std::process::ExitCode;

use backburn_trainer::allocator::Allocator;
use backburn_trainer::cli;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

fn main() -> ExitCode {
    cli::run()
}
