//! A row of the catalog.

use crate::{
    data_set::DataSet,
    error::DataError,
    fetch_progress::FetchProgress,
    image_set::ImageShape,
    publication::{self, Publication},
    source::Source,
};

/// One row of the [`CATALOG`](crate::CATALOG).
#[derive(Debug)]
pub struct Entry {
    /// What the command line calls it.
    pub name: &'static str,
    /// What its images show, in a few words.
    pub summary: &'static str,
    /// What each image measures.
    pub shape: ImageShape,
    /// Name of each class, in label order.
    pub class_names: &'static [&'static str],
    /// Images in the published training split.
    pub train: usize,
    /// Images in the published test split.
    pub test: usize,
    /// Whether the program draws it, so that it needs no file.
    pub built_in: bool,
    /// How pictures from elsewhere become images like its own.
    pub pictures: OtherPictures,
    pub(crate) load: Load,
}

/// How pictures from elsewhere become images like those of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherPictures {
    /// Brought to the size: the shorter side first, then the centre is cut out.
    Resized,
    /// As MNIST's digits were made; see [`prepare_digit`](crate::pictures::prepare_digit).
    Digits,
}

/// How a row of the catalog loads its images.
pub(crate) type Load =
    fn(&Entry, &Source, &mut dyn FnMut(FetchProgress<'_>)) -> Result<DataSet, DataError>;

impl Entry {
    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.class_names.len()
    }

    /// Name of each class, in label order, for a [`DataSet`] to keep.
    pub(crate) fn class_names(&self) -> Vec<String> {
        self.class_names.iter().map(|&name| name.to_owned()).collect()
    }

    /// Sizes, checksums, licence and citation; `None` if the set is built in.
    pub fn publication(&self) -> Option<&'static Publication> {
        publication::of(self.name)
    }
}
