//! `cargo xtask <verb> …`: builds `backburn` with the backend that is asked for and hands over. Flex is
//! always there too, and verifies the others' kernels.
//!
//! Of the arguments it reads `--backend` only; everything else is for `backburn`. Its own verbs are
//! `check`: what a change must pass, cheapest first; and `dist`: what a release consists of. Continuous integration
//! (`.ci/run`) does the same as `check`, checks licences, fuzzes for a moment, emulates older CPUs, and trains on three
//! backends.

mod dist;

use std::env;
use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::process::{Command, ExitCode};

/// Backends and Cargo features have the same names.
const BACKENDS: [&str; 7] = ["flex", "ndarray", "wgpu", "vulkan", "metal", "cuda", "rocm"];

fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    if arguments.first().is_some_and(|verb| verb == "check") {
        return check();
    }
    if let Some((_, arguments)) = arguments.split_first().filter(|(verb, _)| *verb == "dist") {
        return dist::dist(arguments);
    }
    // `backburn` itself refuses a backend that does not exist, with the list of those that do.
    let backend = backend(&arguments).filter(|name| BACKENDS.contains(&name.as_str()));
    let backend = backend.unwrap_or_else(|| "flex".into());
    let mut command = cargo();
    command
        .arg("run")
        // A first build takes minutes, of which a person should see something.
        .args((!std::io::stderr().is_terminal()).then_some("--quiet"))
        .args(["--release", "--package", "backburn-trainer", "--bin", "backburn"])
        .args(["--no-default-features", "--features", &features(&backend), "--"])
        .args(&arguments);
    hand_over(&mut command)
}

/// The Cargo features for a backend.
fn features(backend: &str) -> String {
    if backend == "flex" { backend.to_owned() } else { format!("flex,{backend}") }
}

/// The value of `--backend`, if it is there.
fn backend(arguments: &[OsString]) -> Option<String> {
    let mut arguments = arguments.iter().map(|argument| argument.to_string_lossy());
    while let Some(argument) = arguments.next() {
        if argument == "--" {
            return None;
        }
        if argument == "--backend" {
            return arguments.next().map(String::from);
        }
        if let Some(name) = argument.strip_prefix("--backend=") {
            return Some(name.to_owned());
        }
    }
    None
}

/// Format, lints, documentation, tests.
fn check() -> ExitCode {
    let steps: [(&str, &[&str]); 4] = [
        ("format", &["fmt", "--all", "--check"]),
        ("lints", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
        ("docs", &["doc", "--workspace", "--no-deps"]),
        ("tests", &["test", "--workspace"]),
    ];
    for (name, arguments) in steps {
        say(&format!("check: {name}"));
        let status = cargo().args(arguments).env("RUSTDOCFLAGS", "-D warnings").status();
        match status {
            Ok(status) if status.success() => {}
            Ok(_) => {
                say(&format!(
                    "error: {name} failed; run `cargo {}` to see it alone",
                    arguments.join(" ")
                ));
                return ExitCode::FAILURE;
            }
            Err(error) => {
                say(&format!("error: cannot start cargo: {error}"));
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

/// Prints a line on stderr. `eprintln!` would panic where nobody can read it.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// The cargo that started us, without what it set for us: build scripts that look at these variables
/// would run again, and all that depends on them be built again, whenever cargo is used without
/// xtask in between.
fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in env::vars_os() {
        let ours = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];
        if ours.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command
}

/// Becomes the other program, so that Ctrl-C and exit status are its own.
#[cfg(unix)]
fn hand_over(command: &mut Command) -> ExitCode {
    use std::os::unix::process::CommandExt;
    // Only returns if it fails.
    let error = command.exec();
    say(&format!("error: cannot start cargo: {error}"));
    ExitCode::FAILURE
}

/// Runs the other program and passes its exit status on.
#[cfg(not(unix))]
fn hand_over(command: &mut Command) -> ExitCode {
    match command.status() {
        Ok(status) => ExitCode::from(status.code().map_or(1, |code| code as u8)),
        Err(error) => {
            say(&format!("error: cannot start cargo: {error}"));
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(arguments: &[&str]) -> Option<String> {
        backend(&arguments.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn every_program_has_the_backend_that_verifies_the_others() {
        assert_eq!(features("flex"), "flex");
        assert_eq!(features("wgpu"), "flex,wgpu");
    }

    #[test]
    fn the_backend_is_found_in_both_spellings() {
        assert_eq!(found(&["train", "mnist", "--backend", "wgpu"]).as_deref(), Some("wgpu"));
        assert_eq!(found(&["train", "--backend=cuda", "mnist"]).as_deref(), Some("cuda"));
        assert_eq!(found(&["train", "mnist"]), None);
        assert_eq!(found(&["train", "--", "--backend", "wgpu"]), None);
    }
}
