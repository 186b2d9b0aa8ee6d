//! A data set in memory.

use crate::{image_set::ImageSet, inspect::FileRecord, test_split::TestSplit};

/// A data set in memory.
#[derive(Clone, Debug)]
pub struct DataSet {
    /// Name in the [`CATALOG`](crate::CATALOG), or whatever who made it calls it.
    pub name: String,
    /// Name of each class, in label order.
    pub class_names: Vec<String>,
    /// The images to train and validate on.
    pub train: ImageSet,
    /// The images for the final score, sealed.
    pub test: TestSplit,
    /// The images to validate on, where the set keeps some apart; else they are drawn from those to train on.
    pub valid: Option<ImageSet>,
    /// The group of each image to train on, if near copies are to stay on one side where splits are drawn from these.
    pub groups: Option<Vec<usize>>,
    /// Files that could not be read and were left out, each with the reason.
    pub left_out: Vec<String>,
    /// What was read, for the run's `manifest.json`.
    pub files: Vec<FileRecord>,
    /// What the user should be told, such as that a file is not the published one.
    pub notes: Vec<String>,
    /// What only who sets a training up should be told, such as that the size of the images is one of several.
    pub advice: Vec<String>,
}

impl DataSet {
    /// A data set that was read from no files. `class_names`: in label order.
    pub fn new<C: Into<String>>(
        name: &str,
        class_names: impl IntoIterator<Item = C>,
        train: ImageSet,
        test: TestSplit,
    ) -> Self {
        let class_names = class_names.into_iter().map(C::into).collect();
        Self::read(name.to_owned(), class_names, train, test, vec![])
    }

    /// A data set that was read from these files.
    pub(crate) fn read(
        name: String,
        class_names: Vec<String>,
        train: ImageSet,
        test: TestSplit,
        files: Vec<FileRecord>,
    ) -> Self {
        let (valid, groups) = (None, None);
        let [left_out, notes, advice] = [const { Vec::new() }; 3];
        Self { name, class_names, train, test, valid, groups, left_out, files, notes, advice }
    }
}
