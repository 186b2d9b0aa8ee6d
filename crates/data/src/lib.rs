//! Bytes on disk → image sets → splits → augmented batches, on the host, without tensors.
//!
//! [`CATALOG`] lists the data sets, one row each. To add one: a file beside `mnist.rs`, a row here,
//! and the files' sizes and checksums in `datasets/manifest.toml`.

// What comes from a file, a mirror or the command line must not end the program.
#![deny(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used
)]

#[allow(clippy::expect_used, clippy::indexing_slicing, reason = "loops over pixels in memory")]
pub mod augment;
mod checksum;
mod cifar10;
mod cifar100;
mod cifar_batch;
pub mod content;
mod counted;
pub mod data_set;
#[allow(clippy::expect_used, clippy::indexing_slicing, reason = "draws from its own numbers")]
pub mod digits;
mod download;
pub mod duplicates;
mod emnist;
pub mod entry;
pub mod error;
pub mod fetch;
pub mod fetch_progress;
pub mod folds;
#[allow(clippy::indexing_slicing, reason = "labels were checked against the number of classes")]
pub mod grouped_split;
mod idx;
#[allow(clippy::indexing_slicing, reason = "its accessors panic beyond the last image, and say so")]
pub mod image_set;
pub mod inspect;
#[allow(clippy::indexing_slicing, reason = "labels were checked against the number of classes")]
pub mod label_noise;
#[allow(clippy::expect_used, clippy::indexing_slicing, reason = "loops over images in memory")]
pub mod loader;
mod locate;
mod mnist;
#[allow(clippy::indexing_slicing, reason = "loops over crops and pairs of images in memory")]
pub mod near_copies;
pub mod nearest;
#[allow(clippy::indexing_slicing, reason = "loops over channels in memory")]
pub mod normalization;
pub mod npy;
pub mod owner;
pub mod pictures;
pub mod publication;
pub mod robustness;
pub mod source;
#[allow(clippy::indexing_slicing, reason = "labels were checked against the number of classes")]
pub mod split;
pub mod test_split;
pub mod verify;
pub mod whereabouts;

pub use data_set::DataSet;
pub use duplicates::{Duplicates, Repeats};
pub use entry::{Entry, OtherPictures};
pub use error::DataError;
pub use fetch::{Fetched, fetch};
pub use fetch_progress::FetchProgress;
pub use folds::Fold;
pub use grouped_split::stratified_by_groups;
pub use image_set::{ImageItem, ImageSet, ImageSetError, ImageShape};
pub use inspect::FileRecord;
pub use label_noise::{LabelNoise, LabelNoiseKind, Mislabelled};
pub use near_copies::{CopyCount, NearCopies, NearCopiesError, NearCopy};
pub use owner::Owner;
pub use source::Source;
pub use split::{SplitSize, stratified};
pub use test_split::{MOST_SHOWN, ShownCopy, TestImages, TestLog, TestSplit};
pub use verify::{FileReport, FileStatus, place, verify};

/// The data sets, in the order in which `data list` shows them.
pub static CATALOG: &[Entry] = &[
    Entry {
        name: "mnist",
        summary: "handwritten digits",
        shape: ImageShape { channels: 1, height: 28, width: 28 },
        class_names: DIGIT_NAMES,
        train: 60_000,
        test: 10_000,
        built_in: false,
        pictures: OtherPictures::Digits,
        load: mnist::load,
    },
    Entry {
        name: "fashion-mnist",
        summary: "articles of clothing, in MNIST's format",
        shape: ImageShape { channels: 1, height: 28, width: 28 },
        class_names: mnist::FASHION_NAMES,
        train: 60_000,
        test: 10_000,
        built_in: false,
        pictures: OtherPictures::Resized,
        load: mnist::load,
    },
    Entry {
        name: "cifar10",
        summary: "small color photographs of animals and vehicles",
        shape: ImageShape { channels: 3, height: 32, width: 32 },
        class_names: cifar10::CLASS_NAMES,
        train: 50_000,
        test: 10_000,
        built_in: false,
        pictures: OtherPictures::Resized,
        load: cifar10::load,
    },
    Entry {
        name: "digits",
        summary: "digits drawn by the program; needs no file and no network",
        shape: ImageShape { channels: 1, height: 28, width: 28 },
        class_names: DIGIT_NAMES,
        train: 10_000,
        test: 2_000,
        built_in: true,
        pictures: OtherPictures::Digits,
        load: load_digits,
    },
    Entry {
        name: "cifar100",
        summary: "small color photographs of 100 kinds of things",
        shape: ImageShape { channels: 3, height: 32, width: 32 },
        class_names: cifar100::FINE_NAMES,
        train: 50_000,
        test: 10_000,
        built_in: false,
        pictures: OtherPictures::Resized,
        load: cifar100::load,
    },
    Entry {
        name: "cifar100-coarse",
        summary: "the images of cifar100 by the 20 groups of their kinds",
        shape: ImageShape { channels: 3, height: 32, width: 32 },
        class_names: cifar100::COARSE_NAMES,
        train: 50_000,
        test: 10_000,
        built_in: false,
        pictures: OtherPictures::Resized,
        load: cifar100::load,
    },
    Entry {
        name: "kmnist",
        summary: "handwritten characters of the hiragana, in MNIST's format",
        shape: ImageShape { channels: 1, height: 28, width: 28 },
        class_names: mnist::KUZUSHIJI_NAMES,
        train: 60_000,
        test: 10_000,
        built_in: false,
        pictures: OtherPictures::Resized,
        load: mnist::load,
    },
    Entry {
        name: "emnist-balanced",
        summary: "handwritten digits and letters, as many of each",
        shape: ImageShape { channels: 1, height: 28, width: 28 },
        class_names: emnist::MERGED_NAMES,
        train: 112_800,
        test: 18_800,
        built_in: false,
        pictures: OtherPictures::Digits,
        load: emnist::load,
    },
    Entry {
        name: "emnist-byclass",
        summary: "handwritten digits, capital and small letters, as often as they were written",
        shape: ImageShape { channels: 1, height: 28, width: 28 },
        class_names: emnist::CHARACTER_NAMES,
        train: 697_932,
        test: 116_323,
        built_in: false,
        pictures: OtherPictures::Digits,
        load: emnist::load,
    },
    Entry {
        name: "emnist-bymerge",
        summary: "the same, with small letters that look like capitals counted as these",
        shape: ImageShape { channels: 1, height: 28, width: 28 },
        class_names: emnist::MERGED_NAMES,
        train: 697_932,
        test: 116_323,
        built_in: false,
        pictures: OtherPictures::Digits,
        load: emnist::load,
    },
    Entry {
        name: "emnist-letters",
        summary: "handwritten letters, capital and small together",
        shape: ImageShape { channels: 1, height: 28, width: 28 },
        class_names: emnist::LETTER_NAMES,
        train: 124_800,
        test: 20_800,
        built_in: false,
        pictures: OtherPictures::Digits,
        load: emnist::load,
    },
    Entry {
        name: "emnist-digits",
        summary: "four times the digits of MNIST, from the same source",
        shape: ImageShape { channels: 1, height: 28, width: 28 },
        class_names: DIGIT_NAMES,
        train: 240_000,
        test: 40_000,
        built_in: false,
        pictures: OtherPictures::Digits,
        load: emnist::load,
    },
    Entry {
        name: "emnist-mnist",
        summary: "as many digits as MNIST has, from the same source",
        shape: ImageShape { channels: 1, height: 28, width: 28 },
        class_names: DIGIT_NAMES,
        train: 60_000,
        test: 10_000,
        built_in: false,
        pictures: OtherPictures::Digits,
        load: emnist::load,
    },
];

/// The catalog's row of that name.
///
/// # Errors
///
/// If there is none; the message lists the names there are.
pub fn entry(name: &str) -> Result<&'static Entry, DataError> {
    CATALOG.iter().find(|entry| entry.name == name).ok_or_else(|| DataError::UnknownDataSet {
        name: name.to_owned(),
        known: CATALOG.iter().map(|entry| entry.name).collect::<Vec<_>>().join(", "),
    })
}

/// Loads a data set from where `source` says, downloading it in silence if that is allowed.
///
/// # Errors
///
/// If the name is unknown, no place holds the files, or a file is damaged or another than its name
/// says. No other data set is ever taken instead.
pub fn load(name: &str, source: &Source) -> Result<DataSet, DataError> {
    load_with_progress(name, source, &mut |_| {})
}

/// Loads like [`load`], and tells `progress` how a download gets on.
///
/// # Errors
///
/// See [`load`].
pub fn load_with_progress(
    name: &str,
    source: &Source,
    progress: &mut dyn FnMut(FetchProgress<'_>),
) -> Result<DataSet, DataError> {
    let entry = entry(name)?;
    (entry.load)(entry, source, progress)
}

const DIGIT_NAMES: &[&str] = &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

fn load_digits(
    entry: &Entry,
    _: &Source,
    _: &mut dyn FnMut(FetchProgress<'_>),
) -> Result<DataSet, DataError> {
    let (train, test) = digits::load();
    let files = vec![drawn("train", &train), drawn("test", &test)];
    let test = TestSplit::seal(test);
    let (name, class_names) = (entry.name.to_owned(), entry.class_names());
    Ok(DataSet::read(name, class_names, train, test, files))
}

/// A built-in split has no file; its pixels and labels stand for one.
fn drawn(split: &str, images: &ImageSet) -> FileRecord {
    let bytes = images.bytes() as u64;
    FileRecord { name: format!("{split} (drawn)"), bytes, sha256: images.sha256() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nowhere() -> Source {
        Source {
            data_dir: None,
            environment: None,
            local: "no such folder".into(),
            download: false,
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let error = load("minst", &nowhere()).unwrap_err().to_string();
        let expected =
            "unknown data set `minst` (did you mean `mnist`?); known: mnist, fashion-mnist, ";
        assert!(error.starts_with(expected), "{error}");
        assert!(error.ends_with("emnist-digits, emnist-mnist"), "{error}");
    }

    #[test]
    fn every_row_is_built_in_or_published() {
        for entry in CATALOG {
            assert_eq!(entry.built_in, entry.publication().is_none(), "{}", entry.name);
            let published = entry.publication().map(|publication| publication.classes);
            assert_eq!(published.unwrap_or(entry.classes()), entry.classes(), "{}", entry.name);
        }
    }

    #[test]
    fn nothing_else_is_taken_for_a_set_that_is_not_there() {
        for entry in CATALOG.iter().filter(|entry| !entry.built_in) {
            let error = load(entry.name, &nowhere()).unwrap_err();
            assert!(matches!(error, DataError::NotFound { .. }), "{error}");
        }
    }

    #[test]
    fn a_built_in_set_needs_no_place_and_keeps_the_promises_of_its_row() {
        for entry in CATALOG.iter().filter(|entry| entry.built_in) {
            let set = load(entry.name, &nowhere()).unwrap();
            assert_eq!(set.name, entry.name);
            assert_eq!((set.train.len(), set.test.len()), (entry.train, entry.test));
            assert_eq!((set.train.shape(), set.test.shape()), (entry.shape, entry.shape));
            assert_eq!(set.train.classes(), entry.classes());
            assert_eq!(set.class_names, entry.class_names);
            assert_eq!(set.files[0].sha256, set.train.sha256());
        }
    }
}
