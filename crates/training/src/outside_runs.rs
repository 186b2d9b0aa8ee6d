//! Where a program may write what it makes: nowhere among a run's own files, which stay as training left them.

use std::path::Path;

use backburn_records::enclosing_run;

use crate::failure::Failure;

/// Checks the path that a flag names, which begins with `--`, before anything is computed.
///
/// # Errors
///
/// If it lies in the folder of a run.
pub fn check_outside_runs(flag: &str, path: &Path) -> Result<(), Failure> {
    match enclosing_run(path) {
        None => Ok(()),
        Some(run) => Err(Failure::Usage(format!(
            "{} is inside the folder of a run, {}, whose own files stay as they are; name a path elsewhere with `{flag}`",
            path.display(),
            run.display()
        ))),
    }
}
