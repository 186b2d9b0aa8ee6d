//! Reads the binary files of CIFAR-10 and CIFAR-100: records of labels and 3 × 32 × 32 color planes, no
//! header.

use crate::{
    content::{Content, Mismatch, check_labels},
    counted::counted,
    image_set::ImageShape,
};

/// What each image measures.
pub(crate) const SHAPE: ImageShape = ImageShape { channels: 3, height: 32, width: 32 };

/// What stands in a record before the pixels.
pub(crate) struct Record {
    /// A byte each: what to call the label, and how many classes it names one of.
    labels: &'static [(&'static str, usize)],
    /// Which of them is read.
    wanted: usize,
}

pub(crate) const CIFAR_10: Record = Record { labels: &[("label", 10)], wanted: 0 };
pub(crate) const CIFAR_100_COARSE: Record = Record { labels: CIFAR_100_LABELS, wanted: 0 };
pub(crate) const CIFAR_100_FINE: Record = Record { labels: CIFAR_100_LABELS, wanted: 1 };

const CIFAR_100_LABELS: &[(&str, usize)] = &[("coarse label", 20), ("fine label", 100)];

impl Record {
    fn bytes(&self) -> usize {
        self.labels.len() + SHAPE.pixels()
    }
}

/// Reads a batch of `bytes` bytes, no fewer and no more.
pub(crate) fn read_whole(file: &[u8], bytes: u64, record: &Record) -> Result<Content, Mismatch> {
    if file.len() as u64 != bytes || !file.len().is_multiple_of(record.bytes()) {
        let size = record.bytes();
        let records = counted((bytes / size as u64) as usize, "record");
        let expected = format!("{bytes} bytes ({records} of {size})");
        return Err(Mismatch::new(expected, format!("{} bytes", file.len())));
    }
    read_records(file, record)
}

/// Reads any number of records but none.
pub(crate) fn read(file: &[u8], record: &Record) -> Result<Content, Mismatch> {
    let size = record.bytes();
    if file.is_empty() || !file.len().is_multiple_of(size) {
        let (whole, rest) = (file.len() / size, file.len() % size);
        let (whole, rest) = (counted(whole, "record"), counted(rest, "byte"));
        let found = format!("{} bytes ({whole} and {rest})", file.len());
        return Err(Mismatch::new(format!("whole records of {size} bytes"), found));
    }
    read_records(file, record)
}

fn read_records(file: &[u8], record: &Record) -> Result<Content, Mismatch> {
    let records = file.len() / record.bytes();
    let mut columns = vec![Vec::with_capacity(records); record.labels.len()];
    let mut pixels = Vec::with_capacity(records * SHAPE.pixels());
    let chunks = file.chunks_exact(record.bytes());
    for (labels, image) in chunks.filter_map(|chunk| chunk.split_at_checked(record.labels.len())) {
        for (column, &label) in columns.iter_mut().zip(labels) {
            column.push(u16::from(label));
        }
        pixels.extend_from_slice(image);
    }
    // Also those that are not asked for: if they are out of range, this is another file.
    for (column, &(what, classes)) in columns.iter().zip(record.labels) {
        check_labels(what, column, 0..classes)?;
    }
    let labels = columns.into_iter().nth(record.wanted).unwrap_or_default();
    Ok(Content::Labeled { pixels, labels })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::image_set::ImageSet;

    /// One record whose pixels differ along every axis.
    pub(crate) fn record(label: u8) -> Vec<u8> {
        record_of(&[label])
    }

    fn record_of(labels: &[u8]) -> Vec<u8> {
        let mut record = labels.to_vec();
        for channel in 0..3_u8 {
            for row in 0..32_u8 {
                record.extend((0..32_u8).map(|column| channel * 80 + row * 2 + column / 4));
            }
        }
        record
    }

    fn refusal(content: Result<Content, Mismatch>) -> String {
        content.unwrap_err().to_string()
    }

    #[test]
    fn a_record_is_a_label_and_three_planes_row_by_row() {
        let file = [record(6), record(9)].concat();
        let Ok(Content::Labeled { pixels, labels }) = read_whole(&file, 2 * 3073, &CIFAR_10) else {
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
            let error = refusal(read_whole(file, 3073, &CIFAR_10));
            assert!(error.contains("3073 bytes (1 record of 3073)"), "{error}");
        }
    }

    #[test]
    fn a_label_above_nine_is_refused() {
        let error = refusal(read_whole(&record(10), 3073, &CIFAR_10));
        assert_eq!(error, "expected labels from 0 to 9, found label 10 at image 0");
    }

    #[test]
    fn a_record_of_cifar_100_has_a_coarse_label_before_the_fine_one() {
        let file = [record_of(&[19, 3]), record_of(&[4, 99])].concat();
        for (record, expected) in [(&CIFAR_100_COARSE, [19, 4]), (&CIFAR_100_FINE, [3, 99])] {
            let Ok(Content::Labeled { pixels, labels }) = read(&file, record) else {
                panic!("two records are a file");
            };
            assert_eq!(labels, expected);
            assert_eq!(pixels, [&record_of(&[])[..]; 2].concat());
        }
    }

    #[test]
    fn both_labels_of_cifar_100_must_name_a_class_whichever_is_asked_for() {
        for record in [&CIFAR_100_COARSE, &CIFAR_100_FINE] {
            let error = refusal(read(&record_of(&[20, 3]), record));
            let expected = "expected coarse labels from 0 to 19, found coarse label 20 at image 0";
            assert_eq!(error, expected);
            let error = refusal(read(&record_of(&[2, 100]), record));
            assert!(error.contains("found fine label 100 at image 0"), "{error}");
        }
    }

    #[test]
    fn a_cut_record_and_an_empty_file_are_refused() {
        let file = [record_of(&[1, 2]), record_of(&[3, 4])].concat();
        let error = refusal(read(&file[..5000], &CIFAR_100_FINE));
        let expected =
            "expected whole records of 3074 bytes, found 5000 bytes (1 record and 1926 bytes)";
        assert_eq!(error, expected);
        assert!(refusal(read(&[], &CIFAR_100_FINE)).contains("0 bytes"));
    }
}
