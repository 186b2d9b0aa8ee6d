//! CIFAR-10, binary version: records of one label and 3 × 32 × 32 color planes, no header.

use crate::{
    DataSet, Entry, FetchProgress, ImageSet, ImageShape, TestSplit,
    error::DataError,
    locate::{self, Folder, Source},
    verify::{Content, FileRecord, Mismatch, check_labels},
};

/// The classes, in label order.
pub(crate) const CLASS_NAMES: &[&str] =
    &["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

const SHAPE: ImageShape = ImageShape { channels: 3, height: 32, width: 32 };

/// One label and one image.
const RECORD_BYTES: usize = 1 + 3 * 32 * 32;

/// Loads the five training batches, in order, and the test batch.
pub(crate) fn load(
    entry: &Entry,
    source: &Source,
    progress: &mut dyn FnMut(FetchProgress<'_>),
) -> Result<DataSet, DataError> {
    locate::load(entry, source, progress, |folder| {
        let (mut files, mut notes) = (Vec::new(), Vec::new());
        let train = split(folder, "data_batch_", &mut files, &mut notes)?;
        let test = split(folder, "test_batch", &mut files, &mut notes)?;
        let test = TestSplit::seal(test);
        let (name, class_names) = (entry.name, entry.class_names);
        Ok(DataSet { name, class_names, train, test, files, notes })
    })
}

fn split(
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
    Ok(ImageSet::new(SHAPE, CLASS_NAMES.len(), all_pixels, all_labels)?)
}

/// Reads a batch of `bytes` bytes.
pub(crate) fn batch(file: &[u8], bytes: u64) -> Result<Content, Mismatch> {
    if file.len() as u64 != bytes || !file.len().is_multiple_of(RECORD_BYTES) {
        let records = bytes / RECORD_BYTES as u64;
        let expected = format!("{bytes} bytes ({records} records of {RECORD_BYTES})");
        return Err(Mismatch::new(expected, format!("{} bytes", file.len())));
    }
    let records = file.len() / RECORD_BYTES;
    let mut labels = Vec::with_capacity(records);
    let mut pixels = Vec::with_capacity(records * SHAPE.pixels());
    for (&label, image) in file.chunks_exact(RECORD_BYTES).filter_map(<[u8]>::split_first) {
        labels.push(label);
        pixels.extend_from_slice(image);
    }
    check_labels(&labels)?;
    Ok(Content::Labeled { pixels, labels })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::locate::tests::only;

    /// One record whose pixels differ along every axis.
    fn record(label: u8) -> Vec<u8> {
        let mut record = vec![label];
        for channel in 0..3_u8 {
            for row in 0..32_u8 {
                record.extend((0..32_u8).map(|column| channel * 80 + row * 2 + column / 4));
            }
        }
        record
    }

    #[test]
    fn a_record_is_a_label_and_three_planes_row_by_row() {
        let file = [record(6), record(9)].concat();
        let Ok(Content::Labeled { pixels, labels }) = batch(&file, 2 * 3073) else {
            panic!("two records are a batch");
        };
        assert_eq!(labels, [6, 9]);
        let set = ImageSet::new(SHAPE, 10, pixels, labels).unwrap();
        let (channel, row, column) = (2, 5, 17);
        assert_eq!(set.image(1)[(channel * 32 + row) * 32 + column], 2 * 80 + 5 * 2 + 17 / 4);
    }

    #[test]
    fn a_batch_of_another_length_is_refused() {
        for file in [&record(1)[..3072], &[&record(1)[..], &[0]].concat(), &[]] {
            let Err(error) = batch(file, 3073) else { panic!("{} bytes", file.len()) };
            let error = error.to_string();
            assert!(error.contains("3073 bytes (1 records of 3073)"), "{error}");
        }
    }

    #[test]
    fn a_label_above_nine_is_refused() {
        let Err(error) = batch(&record(10), 3073) else { panic!("ten is no label") };
        assert!(error.to_string().contains("label 10 at image 0"), "{error}");
    }

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
