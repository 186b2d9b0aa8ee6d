//! `backburn completions`: what a shell needs to complete the command line, made from its definition.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::io::{self, Write};

use clap::{Args, Command};
use clap_complete::{Shell, generate};

/// `completions SHELL`
#[derive(Args, Debug)]
pub struct CompletionsArgs {
    /// The shell that completes.
    shell: Shell,
}

/// Prints a script that completes the words of `command` for the program of that name.
pub fn completions(args: &CompletionsArgs, mut command: Command, program: &str) {
    let mut script = Vec::new();
    generate(args.shell, &mut command, program, &mut script);
    crate::output::attempt(|| io::stdout().lock().write_all(&script));
}
