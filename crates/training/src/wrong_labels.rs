//! The wrong labels of a training with label noise: which there are.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use backburn_data::{ImageSet, LabelNoise};
use backburn_records::{LabelNoiseRecord, sha256};

/// Which labels of the training images are not those that the data have.
#[derive(Clone, Debug, PartialEq)]
pub struct WrongLabels {
    /// What made them wrong.
    pub noise: LabelNoise,
    /// How many labels were replaced, some perhaps by themselves.
    pub replaced: usize,
    /// The places of the wrong ones among the training images, ascending.
    pub places: Vec<usize>,
}

impl WrongLabels {
    /// What a run's manifest says of them. `train`: the images with the labels that are trained on.
    pub(crate) fn record(&self, train: &ImageSet) -> LabelNoiseRecord {
        let labels: Vec<u8> = train.labels().iter().flat_map(|label| label.to_le_bytes()).collect();
        LabelNoiseRecord {
            setting: self.noise.to_string(),
            replaced: self.replaced,
            wrong: self.places.len(),
            sha256: sha256(&labels),
        }
    }
}

#[cfg(test)]
mod tests {
    use backburn_data::ImageShape;

    use super::*;

    #[test]
    fn the_record_has_the_checksum_of_the_labels_in_two_bytes_each() {
        let shape = ImageShape { channels: 1, height: 1, width: 1 };
        let set = ImageSet::new(shape, 300, vec![0; 2], vec![258, 1]).unwrap();
        let noise = "20:pairs".parse().unwrap();
        let record = WrongLabels { noise, replaced: 2, places: vec![1] }.record(&set);
        assert_eq!((&*record.setting, record.replaced, record.wrong), ("20:pairs", 2, 1));
        assert_eq!(record.sha256, sha256(&[2, 1, 1, 0]));
    }
}
