//! What a command says: on stderr as it goes, on stdout what came out, and whether that could be said.
//!
//! A line that cannot be printed on stdout ends nothing by itself: what was trained is in its folder. The first
//! error is remembered, and gives the exit status when all is done.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::io::{self, ErrorKind, Write};
use std::sync::OnceLock;

use backburn_records::command_name::{IN_TEXTS, as_typed};

/// What the program is called once it is installed.
pub(crate) const PROGRAM: &str = "backburn";

/// What is typed to start this program: cargo leaves a trace.
pub(crate) fn typed() -> &'static str {
    if std::env::var_os("CARGO").is_some() { IN_TEXTS } else { PROGRAM }
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

/// Prints a line of words on stdout, with commands as they are typed. Whether it arrived is told by [`check`].
pub fn print_line(text: &str) {
    print_data(&as_typed(text));
}

/// Prints a line on stdout as it is: what programs read, such as JSON and rows, and paths. Whether it arrived is told by
/// [`check`].
pub fn print_data(text: &str) {
    attempt(|| {
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{text}")
    });
}

/// Prints a line on stderr. That nobody reads it (`2>&1 | head`) is no reason to stop training.
pub fn say(text: &str) {
    let text = as_typed(text);
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
