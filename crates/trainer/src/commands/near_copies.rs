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

/// How many images have a near copy among the training images.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CopiesFound {
    /// Of the test images.
    pub(crate) test: usize,
    /// Of the training images; 0 if they were not searched.
    pub(crate) training: usize,
}

/// What images of both splits are called, if not by their places.
#[derive(Clone, Debug, Default)]
pub(crate) struct ImageNames {
    /// Of the test images, in their order; empty if they have none.
    pub(crate) test: Vec<String>,
    /// Of the training images.
    pub(crate) training: Vec<String>,
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
    let threshold = THRESHOLDS.into_iter().fold(1.0, f64::min);
    print_line("near copies, by the correlation of crops, also shifted and mirrored:");
    let found = search(set.test.len(), |progress| {
        set.test.near_copies(&set.train, threshold, progress).map_err(failure)
    })?;
    let (test, training) =
        (Split::new("test", &names.test), Split::new("training", &names.training));
    print(&found, test, training);
    let across = found.count(threshold);
    keep_found_copies(set, &sentence(set, across));
    let shown = set.test.shown(&set.train, &found, MOST_SHOWN);
    let pairs = shown.into_iter().map(|shown| {
        pair(
            &shown.copy,
            test.picture(shown.copy.image, shown.test),
            training.picture(shown.copy.other, shown.train),
        )
    });
    let mut searches = vec![record(&found, test, pairs.collect())];
    let mut copies = CopiesFound { test: across.images, training: 0 };
    if of == NearCopiesOf::All {
        let found = search(set.train.len(), |progress| {
            NearCopies::within(&set.train, threshold, progress).map_err(failure)
        })?;
        print(&found, training, training);
        copies.training = found.count(threshold).images;
        searches.push(record(&found, training, pairs_within(&set.train, training, &found)));
    }
    let Some(path) = page else { return Ok(copies) };
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
    Ok(copies)
}

/// What reports of trainings on the set say.
fn sentence(set: &DataSet, found: CopyCount) -> String {
    let CopyCount { threshold, images, other_label, .. } = found;
    let all = number::count(set.test.len() as u64);
    let measure = format!("like a training image (a correlation of {threshold} and more)");
    if images == 0 {
        return format!("near copies: none of the {all} test images is {measure}");
    }
    format!(
        "near copies: {images} of the {all} test images are {measure}, {other_label} of them with \
         another label"
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

/// A split, and what its images are called.
#[derive(Clone, Copy)]
struct Split<'a> {
    name: &'static str,
    images: &'a [String],
}

impl<'a> Split<'a> {
    fn new(name: &'static str, images: &'a [String]) -> Self {
        Self { name, images }
    }

    fn image(self, index: usize) -> String {
        self.images.get(index).cloned().unwrap_or_else(|| format!("{} {index}", self.name))
    }

    fn picture(self, index: usize, item: ImageItem) -> CopyPicture {
        CopyPicture {
            index,
            file: self.images.get(index).cloned(),
            label: usize::from(item.label),
            shape: [item.shape.channels, item.shape.height, item.shape.width],
            pixels: item.pixels,
        }
    }
}

fn print(found: &NearCopies, split: Split<'_>, others: Split<'_>) {
    let all = number::count(found.images as u64);
    print_line(&format!("  of {all} {} images, like one of {}:", split.name, others.name));
    for threshold in THRESHOLDS {
        let CopyCount { images, other_label, mirrored, .. } = found.count(threshold);
        print_line(&format!(
            "    {threshold:.2} and more: {images}, of which {other_label} with another label, \
             {mirrored} mirrored"
        ));
    }
    for copy in distinct(found, split.name == others.name).take(PRINTED) {
        let mirrored = if copy.mirrored { ", mirrored" } else { "" };
        print_line(&format!(
            "    {} ≈ {}: {:.4}{mirrored}",
            split.image(copy.image),
            others.image(copy.other),
            copy.similarity
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

fn pairs_within(train: &ImageSet, split: Split<'_>, found: &NearCopies) -> Vec<CopyPair> {
    let picture = |index: usize| {
        let (pixels, label, shape) =
            (train.image(index).to_vec(), train.label(index), train.shape());
        split.picture(index, ImageItem { pixels, label, shape })
    };
    let copies = distinct(found, true).take(MOST_SHOWN);
    copies.map(|copy| pair(copy, picture(copy.image), picture(copy.other))).collect()
}

fn record(found: &NearCopies, split: Split<'_>, pairs: Vec<CopyPair>) -> CopySearch {
    let counts = THRESHOLDS.map(|threshold| {
        let CopyCount { threshold, images, other_label, mirrored } = found.count(threshold);
        CountRecord { threshold, images, other_label, mirrored }
    });
    CopySearch {
        split: split.name.to_owned(),
        others: "training".to_owned(),
        images: found.images,
        counts: counts.into(),
        pairs,
    }
}

fn pair(copy: &NearCopy, image: CopyPicture, other: CopyPicture) -> CopyPair {
    CopyPair {
        image,
        other,
        similarity: copy.similarity,
        mirrored: copy.mirrored,
        down: copy.down as i64,
        right: copy.right as i64,
    }
}
