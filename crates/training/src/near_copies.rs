//! Near copies in a data set, as they are told, kept for reports and recorded.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::Path;

use backburn_data::near_copies::{CopyCount, NearCopies, NearCopy, THRESHOLDS};
use backburn_data::{DataSet, ImageItem, ImageSet, MOST_SHOWN, NearCopiesError};
use backburn_records::near_copies::{
    CopyCount as CountRecord, CopyPair, CopyPicture, CopySearch, NearCopiesRecord,
};
use backburn_records::{Origin, number};

use crate::image_source::keep_found_copies;
use crate::origin::origin;

/// Pairs that are told.
const TOLD: usize = 5;

/// What images of both splits are called, if not by their places.
#[derive(Clone, Debug, Default)]
pub struct ImageNames {
    /// Of the test images, in their order; empty if they have none.
    pub test: Vec<String>,
    /// Of the training images.
    pub training: Vec<String>,
}

/// How many images have a near copy among the training images.
#[derive(Clone, Copy, Debug, Default)]
pub struct CopiesFound {
    /// Of the test images.
    pub test: usize,
    /// Of the training images; 0 if they were not searched.
    pub training: usize,
}

/// A search that has come to its end.
#[derive(Clone, Debug)]
pub struct CopiesOf {
    /// How many images have a near copy.
    pub images: usize,
    /// What was found, in lines for a terminal.
    pub text: String,
    /// The same as a record, with the most similar pairs as pictures.
    pub record: CopySearch,
}

/// Searches for the test images among the training images, and keeps what was found for the reports of trainings on
/// the set. `progress` is told how many images have been searched for.
///
/// # Errors
///
/// If there are too many images.
pub fn of_test(
    set: &DataSet,
    names: &ImageNames,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<CopiesOf, NearCopiesError> {
    let found = set.test.near_copies(&set.train, least(), progress)?;
    let test = Split::new("test", &names.test);
    let training = Split::new("training", &names.training);
    keep_found_copies(set, &sentence(set, found.count(least())));
    let pairs = set.test.shown(&set.train, &found, MOST_SHOWN).into_iter().map(|shown| {
        pair(
            &shown.copy,
            test.picture(shown.copy.image, shown.test),
            training.picture(shown.copy.other, shown.train),
        )
    });
    let pairs = pairs.collect();
    Ok(CopiesOf::new(&found, test, training, pairs))
}

/// Searches for the training images among each other. `progress` is told how many have been searched for.
///
/// # Errors
///
/// If there are too many images.
pub fn of_training(
    set: &DataSet,
    names: &ImageNames,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<CopiesOf, NearCopiesError> {
    let found = NearCopies::within(&set.train, least(), progress)?;
    let training = Split::new("training", &names.training);
    let pairs = pairs_within(&set.train, training, &found);
    Ok(CopiesOf::new(&found, training, training, pairs))
}

/// What the searches of a set have found, for the page at `path`. `command`: the command line, program first.
pub fn record(
    set: &DataSet,
    searches: Vec<CopySearch>,
    path: &Path,
    command: Vec<String>,
) -> NearCopiesRecord {
    let origin = Origin {
        // Nothing is drawn at random.
        seeds: Vec::new(),
        ..origin(path.display().to_string(), 0, None, set, command)
    };
    let (dataset, class_names) = (set.name.clone(), set.class_names.clone());
    NearCopiesRecord { dataset, class_names, searches, origin }
}

impl CopiesOf {
    fn new(found: &NearCopies, split: Split<'_>, others: Split<'_>, pairs: Vec<CopyPair>) -> Self {
        let counts = THRESHOLDS.map(|threshold| {
            let CopyCount { threshold, images, other_label, mirrored } = found.count(threshold);
            CountRecord { threshold, images, other_label, mirrored }
        });
        let record = CopySearch {
            split: split.name.to_owned(),
            others: others.name.to_owned(),
            images: found.images,
            counts: counts.into(),
            pairs,
        };
        let images = found.count(least()).images;
        Self { images, text: told(found, split, others), record }
    }
}

/// The least similarity that is searched for.
fn least() -> f64 {
    THRESHOLDS.into_iter().fold(1.0, f64::min)
}

/// What reports of trainings on the set say.
fn sentence(set: &DataSet, found: CopyCount) -> String {
    let CopyCount { threshold, images, other_label, .. } = found;
    let all = number::counted(set.test.len(), "test image");
    let others = number::counted(set.train.len(), "image");
    let measure = format!(
        "like one of the {others} to train and validate on (a correlation of {threshold} and more)"
    );
    if images == 0 {
        return format!("near copies: none of the {all} is {measure}");
    }
    let are = number::either(images, "is", "are");
    format!(
        "near copies: {images} of the {all} {are} {measure}, {other_label} of them with another \
         label; `--page FILE` of the command that counted them shows which"
    )
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

fn told(found: &NearCopies, split: Split<'_>, others: Split<'_>) -> String {
    let all = number::counted(found.images, &format!("{} image", split.name));
    let mut lines = vec![format!("  of {all}, like one of {}:", others.name)];
    for threshold in THRESHOLDS {
        let CopyCount { images, other_label, mirrored, .. } = found.count(threshold);
        lines.push(format!(
            "    {threshold:.2} and more: {images}, of which {other_label} with another label, \
             {mirrored} mirrored"
        ));
    }
    for copy in distinct(found, split.name == others.name).take(TOLD) {
        let mirrored = if copy.mirrored { ", mirrored" } else { "" };
        lines.push(format!(
            "    {} ≈ {}: {:.4}{mirrored}",
            split.image(copy.image),
            others.image(copy.other),
            copy.similarity
        ));
    }
    lines.join("\n")
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

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(image: usize, other: usize, similarity: f64) -> NearCopy {
        let (mirrored, down, right, other_label) = (image == 3, 0, 0, false);
        NearCopy { image, other, similarity, mirrored, down, right, other_label }
    }

    #[test]
    fn pairs_within_a_split_are_told_once_and_by_their_names() {
        let copies = vec![copy(1, 3, 0.99), copy(3, 1, 0.99), copy(4, 0, 0.96)];
        let found = NearCopies { threshold: 0.95, images: 5, copies };
        let names = ["a", "b", "c", "d"].map(String::from);
        let split = Split::new("training", &names);
        let text = told(&found, split, split);
        let expected = "  of 5 training images, like one of training:\n    \
            0.99 and more: 2, of which 0 with another label, 1 mirrored\n    \
            0.97 and more: 2, of which 0 with another label, 1 mirrored\n    \
            0.95 and more: 3, of which 0 with another label, 1 mirrored\n    \
            d ≈ b: 0.9900, mirrored\n    \
            training 4 ≈ a: 0.9600";
        assert_eq!(text, expected);
        // Across splits the same places are of other images.
        assert!(told(&found, Split::new("test", &[]), split).contains("test 1 ≈ d: 0.9900\n"));
    }
}
