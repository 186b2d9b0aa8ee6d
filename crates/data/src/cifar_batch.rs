//! Reads CIFAR-10's binary files: records of one label and 3 × 32 × 32 color planes, no header.

use crate::{
    content::{Content, Mismatch, check_labels},
    image_set::ImageShape,
};

/// What each image measures.
pub(crate) const SHAPE: ImageShape = ImageShape { channels: 3, height: 32, width: 32 };

/// One label and one image.
const RECORD_BYTES: usize = 1 + 3 * 32 * 32;

/// Reads a batch of `bytes` bytes, whose labels name one of so many classes.
pub(crate) fn read(file: &[u8], bytes: u64, classes: usize) -> Result<Content, Mismatch> {
    if file.len() as u64 != bytes || !file.len().is_multiple_of(RECORD_BYTES) {
        let records = bytes / RECORD_BYTES as u64;
        let expected = format!("{bytes} bytes ({records} records of {RECORD_BYTES})");
        return Err(Mismatch::new(expected, format!("{} bytes", file.len())));
    }
    let records = file.len() / RECORD_BYTES;
    let mut labels = Vec::with_capacity(records);
    let mut pixels = Vec::with_capacity(records * SHAPE.pixels());
    for (&label, image) in file.chunks_exact(RECORD_BYTES).filter_map(<[u8]>::split_first) {
        labels.push(u16::from(label));
        pixels.extend_from_slice(image);
    }
    check_labels(&labels, classes)?;
    Ok(Content::Labeled { pixels, labels })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::image_set::ImageSet;

    /// One record whose pixels differ along every axis.
    pub(crate) fn record(label: u8) -> Vec<u8> {
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
        let Ok(Content::Labeled { pixels, labels }) = read(&file, 2 * 3073, 10) else {
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
            let Err(error) = read(file, 3073, 10) else { panic!("{} bytes", file.len()) };
            let error = error.to_string();
            assert!(error.contains("3073 bytes (1 records of 3073)"), "{error}");
        }
    }

    #[test]
    fn a_label_above_nine_is_refused() {
        let Err(error) = read(&record(10), 3073, 10) else { panic!("ten is no label") };
        assert!(error.to_string().contains("label 10 at image 0"), "{error}");
    }
}
