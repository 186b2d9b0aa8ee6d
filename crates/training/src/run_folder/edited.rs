//! A run's recipe that was edited after the run had ended.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::Path;

use crate::run_folder::folder::RunFolder;
use crate::run_folder::names::CONFIG;

/// What there is to say of a run's recipe that was edited after the run had ended.
pub fn changed_since(path: &Path) -> Option<String> {
    let folder = RunFolder::open(path.parent().filter(|_| path.ends_with(CONFIG))?).ok()?;
    let manifest = folder.manifest().ok()?;
    folder.read_as_written(CONFIG, &manifest).err()?;
    Some(format!(
        "{} has been edited since its run ended; what is trained now is what it says now, not a \
         repetition of that run",
        path.display()
    ))
}
