//! What a loader delivers.

use crate::augment::Place;
use crate::image_set::ImageShape;

/// Images and labels that go through a network together.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// `[images]`
    pub images: Delivered,
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

    /// Images, channels, height and width.
    pub fn dims(&self) -> [usize; 4] {
        [self.len(), self.shape.channels, self.shape.height, self.shape.width]
    }
}

/// As what a loader delivers images: what the processor makes of them, and what is left to the device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delivery {
    /// Augmented and normalized.
    #[default]
    Values,
    /// Augmented; the device normalizes.
    Bytes,
    /// Where their pixels are to be found in the set, for a device that holds it; only for augmentations that
    /// [`places`](crate::augment::Pipeline::places) knows.
    Places,
}

/// The images of a batch as they were asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Delivered {
    /// `[images, channels, height, width]`, normalized.
    Values(Vec<f32>),
    /// `[images, channels, height, width]`
    Bytes(Vec<u8>),
    /// `[images]`
    Places(Vec<Place>),
}

impl Delivered {
    /// `[images, channels, height, width]`, normalized.
    ///
    /// # Panics
    ///
    /// If the loader was asked for another [`Delivery`].
    pub fn values(&self) -> &[f32] {
        match self {
            Self::Values(values) => values,
            Self::Bytes(_) | Self::Places(_) => unreachable!("the loader was asked for values"),
        }
    }

    /// The same, for good.
    ///
    /// # Panics
    ///
    /// As [`values`](Self::values).
    pub fn into_values(self) -> Vec<f32> {
        match self {
            Self::Values(values) => values,
            Self::Bytes(_) | Self::Places(_) => unreachable!("the loader was asked for values"),
        }
    }
}
