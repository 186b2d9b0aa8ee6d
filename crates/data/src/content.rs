//! What a file of a data set holds, and what is said of one whose content is not of its format.

use std::{fmt, path::Path};

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

/// The format asks for one thing and there is another.
#[derive(Debug)]
pub(crate) struct Mismatch {
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

/// A message for the first label that names none of so many classes.
pub(crate) fn check_labels(labels: &[u16], classes: usize) -> Result<(), Mismatch> {
    match labels.iter().enumerate().find(|&(_, &label)| usize::from(label) >= classes) {
        None => Ok(()),
        Some((index, label)) => {
            let found = format!("label {label} at image {index}");
            Err(Mismatch::new(format!("labels from 0 to {}", classes.saturating_sub(1)), found))
        }
    }
}
