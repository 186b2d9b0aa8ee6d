//! What a command says: on stderr as it goes, on stdout what came out, and whether that could be said.
//!
//! A line that cannot be printed on stdout ends nothing by itself: what was trained is in its folder. The first
//! error is remembered, and gives the exit status when all is done.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::borrow::Cow;
use std::io::{self, ErrorKind, Write};
use std::sync::OnceLock;

/// What the program is called once it is installed.
pub(crate) const PROGRAM: &str = "backburn";

/// How the texts of all crates begin a command that they advise.
const IN_TEXTS: &str = "cargo xtask";

/// What is typed to start this program: cargo leaves a trace.
pub(crate) fn typed() -> &'static str {
    if std::env::var_os("CARGO").is_some() { IN_TEXTS } else { PROGRAM }
}

/// A text with its commands as this program's user types them.
fn with_commands_as_typed<'a>(text: &'a str, typed: &str) -> Cow<'a, str> {
    // What programs read, a line of JSON, quotes commands as they were typed.
    if typed == IN_TEXTS || text.starts_with(['{', '[']) || !text.contains(IN_TEXTS) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace(IN_TEXTS, typed))
}

/// Stdout cannot be written to.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot write to stdout: {0}; send it where there is disk space and permission for it, such as \
     to a file in another folder with `>`; what the command wrote into folders is there all the \
     same"
)]
pub struct LostOutput(&'static io::Error);

/// The first error. After it nothing more is printed: lines without those before them mislead.
static LOST: OnceLock<io::Error> = OnceLock::new();

/// Prints a line on stdout. Whether it arrived is told by [`check`].
pub fn print_line(text: &str) {
    let text = with_commands_as_typed(text, typed());
    attempt(|| {
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{text}")
    });
}

/// Prints a line on stderr. That nobody reads it (`2>&1 | head`) is no reason to stop training.
pub fn say(text: &str) {
    let text = with_commands_as_typed(text, typed());
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Prints something on stdout that prints itself, unless something before could not be printed.
pub(crate) fn attempt(print: impl FnOnce() -> io::Result<()>) {
    // What waits in a buffer when the program ends would be lost without a word.
    let printed = || print().and_then(|()| io::stdout().flush());
    if LOST.get().is_none()
        && let Err(error) = printed()
    {
        let _ = LOST.set(error);
    }
}

/// Whether what is printed still arrives somewhere.
pub(crate) fn is_open() -> bool {
    LOST.get().is_none()
}

/// Checks whether everything could be printed; to be called at the end.
///
/// # Errors
///
/// If something could not be. A reader that has gone away, as of `| head`, has what it wanted.
pub fn check() -> Result<(), LostOutput> {
    attempt(accepts);
    match LOST.get() {
        Some(error) if error.kind() != ErrorKind::BrokenPipe => Err(LostOutput(error)),
        _ => Ok(()),
    }
}

/// Writes nothing. Rust's stdout passes over a descriptor that is open for reading only, in silence.
#[cfg(unix)]
fn accepts() -> io::Result<()> {
    use std::os::fd::AsFd;
    let stdout = io::stdout().as_fd().try_clone_to_owned()?;
    std::fs::File::from(stdout).write(&[]).map(|_| ())
}

#[cfg(not(unix))]
fn accepts() -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_advised_as_it_is_typed() {
        let text = "not here: cargo xtask data fetch mnist, or `cargo xtask train digits`";
        let installed = "not here: backburn data fetch mnist, or `backburn train digits`";
        assert_eq!(with_commands_as_typed(text, PROGRAM), installed);
        assert_eq!(with_commands_as_typed(text, IN_TEXTS), text);
        let record = r#"{"command": "cargo xtask train digits"}"#;
        assert_eq!(with_commands_as_typed(record, PROGRAM), record);
    }
}
