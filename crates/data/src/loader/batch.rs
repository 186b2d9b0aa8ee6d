//! What a loader delivers.

use crate::image_set::ImageShape;

/// Images and labels that go through a network together.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// `[images, channels, height, width]`, normalized.
    pub images: Vec<f32>,
    /// `[images]`, the class of each.
    pub labels: Vec<u16>,
    /// `[images]`, the place of each in the set.
    pub indices: Vec<usize>,
    /// Shape of each image.
    pub shape: ImageShape,
}

impl Batch {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no image; a [`Loader`](super::Loader) makes no such batch.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }
}
