//! Near copies of images that were found in a data set: what the page of `data verify` shows and the JSON file beside it
//! holds.

use serde::{Deserialize, Serialize};

use crate::origin::Origin;
use crate::pixels::{from_base64, to_base64};

/// What was found in a data set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NearCopiesRecord {
    /// Name of the data set.
    pub dataset: String,
    /// Name of each class, in label order.
    pub class_names: Vec<String>,
    /// Each search, in the order in which they are shown.
    pub searches: Vec<CopySearch>,
    /// Where this comes from.
    pub origin: Origin,
}

/// Images that were searched for near copies among others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CopySearch {
    /// The images' split: `test` or `training`.
    pub split: String,
    /// The split that was searched.
    pub others: String,
    /// Images that were searched for.
    pub images: usize,
    /// How many have a near copy, the highest similarity first.
    pub counts: Vec<CopyCount>,
    /// The most similar pairs; usually not all.
    pub pairs: Vec<CopyPair>,
}

/// How many images have a near copy.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CopyCount {
    /// Least similarity that counts, in `(0, 1]`.
    pub threshold: f64,
    /// Images with a near copy at least as similar.
    pub images: usize,
    /// Those whose most similar one has another label.
    pub other_label: usize,
    /// Those that are mirrored.
    pub mirrored: usize,
}

/// An image with the one that it is most similar to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CopyPair {
    /// The image.
    pub image: CopyPicture,
    /// The one that it is like.
    pub other: CopyPicture,
    /// How similar they are, at most 1.
    pub similarity: f64,
    /// Whether it is like the other's mirror image.
    pub mirrored: bool,
    /// How many pixels further down it shows what the other shows, after mirroring.
    pub down: i64,
    /// How many pixels further to the right it shows what the other shows, after mirroring.
    pub right: i64,
}

/// An image of a split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CopyPicture {
    /// Index in the split, from 0.
    pub index: usize,
    /// Its file, of people's own pictures; from their folder on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Its class.
    pub label: usize,
    /// Channels (1 or 3), height, width.
    pub shape: [usize; 3],
    /// One byte a value, in the order of `shape`; base64 in JSON.
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    pub pixels: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn a_search_survives_json_with_its_pixels_as_base64() {
        let record = sample::near_copies();
        let json = serde_json::to_value(&record).unwrap();
        assert!(json["searches"][0]["pairs"][0]["image"]["pixels"].is_string());
        assert!(json["origin"]["data"].is_array());
        let read: Vec<CopySearch> = serde_json::from_value(json["searches"].clone()).unwrap();
        assert_eq!(read, record.searches);
    }
}
