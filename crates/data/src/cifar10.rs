//! CIFAR-10, binary version: five batches to train on, one to test on.

use crate::{
    cifar_batch::SHAPE,
    content::Content,
    data_set::DataSet,
    entry::Entry,
    error::DataError,
    fetch_progress::FetchProgress,
    image_set::ImageSet,
    inspect::FileRecord,
    locate::{self, Folder},
    source::Source,
};

/// The classes, in label order.
pub(crate) const CLASS_NAMES: &[&str] =
    &["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// Loads the five training batches, in order, and the test batch.
pub(crate) fn load(
    entry: &Entry,
    source: &Source,
    progress: &mut dyn FnMut(FetchProgress<'_>),
) -> Result<DataSet, DataError> {
    load_splits(entry, source, progress, "data_batch_", "test_batch")
}

/// Loads the files whose names begin with `training` and `test`.
pub(crate) fn load_splits(
    entry: &Entry,
    source: &Source,
    progress: &mut dyn FnMut(FetchProgress<'_>),
    training: &str,
    test: &str,
) -> Result<DataSet, DataError> {
    locate::load_splits(entry, source, progress, split, [training, test])
}

fn split(
    entry: &Entry,
    folder: &Folder<'_>,
    prefix: &str,
    files: &mut Vec<FileRecord>,
    notes: &mut Vec<String>,
) -> Result<ImageSet, DataError> {
    let mut all_pixels = Vec::new();
    let mut all_labels = Vec::new();
    for found in folder.files_of(prefix) {
        let inspected = found.inspect(folder.publication)?;
        notes.extend(found.notes(folder.publication, &inspected));
        files.push(inspected.record);
        if let Content::Labeled { pixels, labels } = inspected.content {
            all_pixels.extend_from_slice(&pixels);
            all_labels.extend_from_slice(&labels);
        }
    }
    Ok(ImageSet::new(SHAPE, entry.classes(), all_pixels, all_labels)?)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::{cifar_batch::tests::record, locate::tests::only};

    #[test]
    fn a_truncated_file_is_refused_with_its_name_and_the_cure() {
        let root = tempfile::tempdir().unwrap();
        for name in
            (1..=5).map(|n| format!("data_batch_{n}.bin")).chain(["test_batch.bin".to_owned()])
        {
            fs::write(root.path().join(name), record(3)).unwrap();
        }
        let error = crate::load("cifar10", &only(root.path())).unwrap_err().to_string();
        assert!(error.contains("data_batch_1.bin: expected 30730000 bytes"), "{error}");
        assert!(error.contains("found 3073 bytes"), "{error}");
        assert!(error.contains("data fetch cifar10"), "{error}");
    }
}
