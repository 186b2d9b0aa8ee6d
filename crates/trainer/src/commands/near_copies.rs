//! The part of `backburn data verify` that searches for near copies of images.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::Path;

use backburn_data::near_copies::{CopyCount, NearCopies, NearCopy, THRESHOLDS};
use backburn_data::{DataSet, ImageItem, ImageSet, MOST_SHOWN};
use backburn_records::near_copies::{
    CopyCount as CountRecord, CopyPair, CopyPicture, CopySearch, NearCopiesRecord,
};
use backburn_records::{Origin, number};
use backburn_report::write_near_copies;
use backburn_training::failure::Failure;
use backburn_training::image_source::keep_found_copies;
use backburn_training::origin::origin;
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};

use crate::output::print_line;

/// Pairs that are printed.
const PRINTED: usize = 5;

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

/// Searches, prints what was found, and writes the page if one is asked for; gives the number of test images like a
/// training image. `command`: the command line, program
/// first.
///
/// # Errors
///
/// If there are too many images, or the page cannot be written.
pub(crate) fn near_copies(
    set: &DataSet,
    of: NearCopiesOf,
    page: Option<&Path>,
    command: Vec<String>,
) -> Result<usize, Failure> {
    if of == NearCopiesOf::None {
        return Ok(0);
    }
    let threshold = THRESHOLDS.into_iter().fold(1.0, f64::min);
    print_line("near copies, by the correlation of crops, also shifted and mirrored:");
    let found = search(set.test.len(), |progress| {
        set.test.near_copies(&set.train, threshold, progress).map_err(failure)
    })?;
    print(&found, "test", "training");
    let across = found.count(threshold);
    keep_found_copies(set, &sentence(set, across));
    let shown = set.test.shown(&set.train, &found, MOST_SHOWN);
    let pairs = shown.into_iter().map(|shown| pair(&shown.copy, shown.test, shown.train));
    let mut searches = vec![record(&found, "test", pairs.collect())];
    if of == NearCopiesOf::All {
        let found = search(set.train.len(), |progress| {
            NearCopies::within(&set.train, threshold, progress).map_err(failure)
        })?;
        print(&found, "training", "training");
        searches.push(record(&found, "training", pairs_within(&set.train, &found)));
    }
    let Some(path) = page else { return Ok(across.images) };
    let origin = Origin {
        // Nothing is drawn at random.
        seeds: Vec::new(),
        ..origin(path.display().to_string(), 0, None, set, command)
    };
    let (dataset, class_names) = (set.name.clone(), set.class_names.clone());
    let record = NearCopiesRecord { dataset, class_names, searches, origin };
    let written =
        write_near_copies(&record, path).map_err(|error| Failure::Error(error.to_string()))?;
    written.iter().for_each(|path| print_line(&path.display().to_string()));
    Ok(across.images)
}

/// What reports of trainings on the set say.
fn sentence(set: &DataSet, found: CopyCount) -> String {
    let CopyCount { threshold, images, other_label, .. } = found;
    let all = number::count(set.test.len() as u64);
    format!(
        "near copies: {images} of the {all} test images are like a training image (a correlation \
         of {threshold} and \
         more), {other_label} of them with another label"
    )
}

/// Searches with a bar on stderr, if that is a terminal.
fn search(
    images: usize,
    search: impl FnOnce(&(dyn Fn(usize) + Sync)) -> Result<NearCopies, Failure>,
) -> Result<NearCopies, Failure> {
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
}

// By value, so that it can stand in `map_err`.
#[allow(clippy::needless_pass_by_value)]
fn failure(error: backburn_data::NearCopiesError) -> Failure {
    Failure::Error(format!("{error}; `--near-copies none` searches for none"))
}

fn print(found: &NearCopies, split: &str, others: &str) {
    let all = number::count(found.images as u64);
    print_line(&format!("  of {all} {split} images, like one of {others}:"));
    for threshold in THRESHOLDS {
        let CopyCount { images, other_label, mirrored, .. } = found.count(threshold);
        print_line(&format!(
            "    {threshold:.2} and more: {images}, of which {other_label} with another label, \
             {mirrored} mirrored"
        ));
    }
    for copy in distinct(found, split == others).take(PRINTED) {
        let mirrored = if copy.mirrored { ", mirrored" } else { "" };
        print_line(&format!(
            "    {split} {} ≈ {others} {}: {:.4}{mirrored}",
            copy.image, copy.other, copy.similarity
        ));
    }
}

/// The pairs, the most similar first. Within one split most pairs are found from both sides: those are told from the
/// later image.
fn distinct(found: &NearCopies, is_within: bool) -> impl Iterator<Item = &NearCopy> {
    let is_told_twice = move |copy: &NearCopy| {
        let mut others = found.copies.iter();
        is_within
            && copy.image < copy.other
            && others.any(|it| (it.image, it.other) == (copy.other, copy.image))
    };
    found.copies.iter().filter(move |copy| !is_told_twice(copy))
}

fn pairs_within(train: &ImageSet, found: &NearCopies) -> Vec<CopyPair> {
    let item = |index: usize| ImageItem {
        pixels: train.image(index).to_vec(),
        label: train.label(index),
        shape: train.shape(),
    };
    let copies = distinct(found, true).take(MOST_SHOWN);
    copies.map(|copy| pair(copy, item(copy.image), item(copy.other))).collect()
}

fn record(found: &NearCopies, split: &str, pairs: Vec<CopyPair>) -> CopySearch {
    let counts = THRESHOLDS.map(|threshold| {
        let CopyCount { threshold, images, other_label, mirrored } = found.count(threshold);
        CountRecord { threshold, images, other_label, mirrored }
    });
    CopySearch {
        split: split.to_owned(),
        others: "training".to_owned(),
        images: found.images,
        counts: counts.into(),
        pairs,
    }
}

fn pair(copy: &NearCopy, image: ImageItem, other: ImageItem) -> CopyPair {
    let picture = |index: usize, item: ImageItem| CopyPicture {
        index,
        label: usize::from(item.label),
        shape: [item.shape.channels, item.shape.height, item.shape.width],
        pixels: item.pixels,
    };
    CopyPair {
        image: picture(copy.image, image),
        other: picture(copy.other, other),
        similarity: copy.similarity,
        mirrored: copy.mirrored,
        down: copy.down as i64,
        right: copy.right as i64,
    }
}
