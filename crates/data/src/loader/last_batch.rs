//! What becomes of the images that do not fill a batch.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What becomes of the last batch if the batch size does not divide the set. In text, as on the command line
/// and in a recipe: `keep`, `drop`, `merge`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LastBatch {
    /// The last batch is delivered, smaller.
    #[default]
    Keep,
    /// The images of the last batch, others in each epoch, are left out.
    Drop,
    /// The images of the last batch join the one before it, which becomes larger than the others.
    Merge,
}

impl LastBatch {
    /// Names in recipes and on the command line.
    pub const NAMES: [&str; 3] = ["keep", "drop", "merge"];

    /// Number of batches of `batch_size`, at least 1, that so many images make.
    pub fn batches(self, images: usize, batch_size: usize) -> usize {
        match self {
            Self::Keep => images.div_ceil(batch_size),
            Self::Drop => images / batch_size,
            Self::Merge => (images / batch_size).max(1),
        }
    }

    /// Images in batch number `batch`, from 0, of the [`batches`](Self::batches) that so many images make;
    /// 0 if there is no such batch.
    pub fn batch_images(self, images: usize, batch_size: usize, batch: usize) -> usize {
        let batches = self.batches(images, batch_size);
        if batch >= batches {
            return 0;
        }
        let left = images - batch * batch_size;
        match self {
            Self::Merge if batch + 1 == batches => left,
            _ => left.min(batch_size),
        }
    }

    /// Images in the last of the [`batches`](Self::batches); 0 if there is none.
    pub fn last_images(self, images: usize, batch_size: usize) -> usize {
        let batches = self.batches(images, batch_size);
        batches.checked_sub(1).map_or(0, |last| self.batch_images(images, batch_size, last))
    }

    /// Images that all batches of an epoch hold together.
    pub fn epoch_images(self, images: usize, batch_size: usize) -> usize {
        match self {
            Self::Keep | Self::Merge => images,
            Self::Drop => images / batch_size * batch_size,
        }
    }
}

impl FromStr for LastBatch {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "keep" => Ok(Self::Keep),
            "drop" => Ok(Self::Drop),
            "merge" => Ok(Self::Merge),
            _ => Err(format!("expected {}, found `{text}`", Self::NAMES.join(", "))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_batches_hold_all_images_of_an_epoch() {
        for last_batch in LastBatch::NAMES.map(|name| name.parse::<LastBatch>().unwrap()) {
            for (images, batch_size) in [(23, 10), (20, 10), (7, 10), (129, 128), (5, 1)] {
                let batches = last_batch.batches(images, batch_size);
                let sizes = |batch| last_batch.batch_images(images, batch_size, batch);
                let all: usize = (0..batches).map(sizes).sum();
                let place = format!("{last_batch:?} {images} by {batch_size}");
                assert_eq!(all, last_batch.epoch_images(images, batch_size), "{place}");
                assert_eq!(sizes(batches), 0, "{place}");
                let last = last_batch.last_images(images, batch_size);
                assert_eq!(last, batches.checked_sub(1).map_or(0, sizes), "{place}");
                assert!((1..batches).all(|batch| sizes(batch - 1) == batch_size), "{place}");
            }
        }
    }

    #[test]
    fn its_names_are_those_of_recipes() {
        for name in LastBatch::NAMES {
            let last_batch: LastBatch = name.parse().unwrap();
            assert_eq!(toml::Value::try_from(last_batch).unwrap().as_str(), Some(name));
        }
        assert!("pad".parse::<LastBatch>().unwrap_err().contains("keep, drop, merge"));
    }
}
