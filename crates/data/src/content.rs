//! What a file of a data set holds, and what is said of one whose content is not of its format.

use std::{fmt, ops::Range, path::Path};

use crate::{error::DataError, owner::Owner, publication::Publication};

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Images alone.
    Pixels {
        /// How many.
        images: usize,
        /// `[images, channels, height, width]`
        pixels: Vec<u8>,
    },
    /// One label an image.
    Labels(Vec<u16>),
    /// Images with their labels.
    Labeled {
        /// `[images, channels, height, width]`
        pixels: Vec<u8>,
        /// One label an image.
        labels: Vec<u16>,
    },
    /// A text, of which nothing is needed.
    Text,
}

impl Content {
    /// How many images, or labels where there are only those; `None` if there is neither.
    pub(crate) fn images(&self) -> Option<usize> {
        match self {
            Content::Pixels { images, .. } => Some(*images),
            Content::Labels(labels) | Content::Labeled { labels, .. } => Some(labels.len()),
            Content::Text => None,
        }
    }

    /// How many labels each of so many classes has; empty if there are none.
    pub(crate) fn label_counts(&self, classes: usize) -> Vec<usize> {
        let (Content::Labels(labels) | Content::Labeled { labels, .. }) = self else {
            return Vec::new();
        };
        let mut counts = vec![0; classes];
        for &label in labels {
            // Which labels there are was checked in reading.
            if let Some(count) = counts.get_mut(usize::from(label)) {
                *count += 1;
            }
        }
        counts
    }
}

/// What was read of a file, and what identifies it without compression.
pub(crate) struct Parsed {
    pub(crate) content: Content,
    /// Size in bytes, uncompressed.
    pub(crate) bytes: u64,
    /// SHA-256 of the file, uncompressed.
    pub(crate) sha256: String,
}

/// The format asks for one thing and there is another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    expected: String,
    found: String,
}

impl Mismatch {
    pub(crate) fn new(expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self { expected: expected.into(), found: found.into() }
    }

    /// Says in which file.
    pub(crate) fn at(self, publication: &Publication, path: &Path) -> DataError {
        DataError::Format {
            dataset: publication.name.clone(),
            path: path.to_owned(),
            owner: Owner::default(),
            expected: self.expected,
            found: self.found,
        }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, found {}", self.expected, self.found)
    }
}

/// A message for the first label that is none of `allowed`. `what`: such as `label`.
pub(crate) fn check_labels(
    what: &str,
    labels: &[u16],
    allowed: Range<usize>,
) -> Result<(), Mismatch> {
    let mut numbered = labels.iter().enumerate();
    match numbered.find(|&(_, &label)| !allowed.contains(&usize::from(label))) {
        None => Ok(()),
        Some((index, label)) => Err(label_mismatch(what, label, index, allowed)),
    }
}

/// The message for a label that is none of `allowed`.
pub(crate) fn label_mismatch(
    what: &str,
    label: impl fmt::Display,
    index: usize,
    allowed: Range<usize>,
) -> Mismatch {
    let (first, last) = (allowed.start, allowed.end.saturating_sub(1));
    let expected = format!("{what}s from {first} to {last}");
    Mismatch::new(expected, format!("{what} {label} at image {index}"))
}
