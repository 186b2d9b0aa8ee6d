//! `backburn`: trains image classifiers that generalize.

use std::process::ExitCode;

use backburn_trainer::cli;

// The system's allocator hands memory back after every step only to ask for it again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::run()
}
