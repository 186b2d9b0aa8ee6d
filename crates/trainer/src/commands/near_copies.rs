//! The part of `backburn data verify` that searches for near copies of images.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::Path;

use backburn_data::{DataSet, NearCopiesError};
use backburn_report::write_near_copies;
use backburn_training::failure::Failure;
use backburn_training::near_copies::{
    CopiesFound, CopiesOf, ImageNames, of_test, of_training, record,
};
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};

use crate::output::{print_data, print_line};

/// Where near copies are searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum NearCopiesOf {
    /// Nowhere.
    None,
    /// Test images among training images.
    Test,
    /// Also training images among each other, which takes minutes.
    All,
}

/// Searches, prints what was found, and writes the page if one is asked for. `command`: the command line, program first.
///
/// # Errors
///
/// If there are too many images, or the page cannot be written.
pub(crate) fn near_copies(
    set: &DataSet,
    names: &ImageNames,
    of: NearCopiesOf,
    page: Option<&Path>,
    command: Vec<String>,
) -> Result<CopiesFound, Failure> {
    if of == NearCopiesOf::None {
        return Ok(CopiesFound::default());
    }
    print_line("near copies, by the correlation of crops, also shifted and mirrored:");
    let test = search(set.test.len(), |progress| of_test(set, names, progress))?;
    print_line(&test.text);
    let mut copies = CopiesFound { test: test.images, training: 0 };
    let mut searches = vec![test.record];
    if of == NearCopiesOf::All {
        let training = search(set.train.len(), |progress| of_training(set, names, progress))?;
        print_line(&training.text);
        copies.training = training.images;
        searches.push(training.record);
    }
    let Some(path) = page else { return Ok(copies) };
    let written = write_near_copies(&record(set, searches, path, command), path);
    let written = written.map_err(|error| Failure::Error(error.to_string()))?;
    written.iter().for_each(|path| print_data(&path.display().to_string()));
    Ok(copies)
}

/// Searches with a bar on stderr, if that is a terminal.
fn search(
    images: usize,
    search: impl FnOnce(&(dyn Fn(usize) + Sync)) -> Result<CopiesOf, NearCopiesError>,
) -> Result<CopiesOf, Failure> {
    let bar = ProgressBar::new(images as u64);
    let style = "near copies {wide_bar:.cyan/dim} {pos}/{len} images  {eta} left";
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style.progress_chars("━╸─"));
    }
    let found = search(&|done| {
        // Threads may tell in another order than they count.
        bar.set_position(bar.position().max(done as u64));
    });
    bar.finish_and_clear();
    found
        .map_err(|error| Failure::Error(format!("{error}; `--near-copies none` searches for none")))
}
