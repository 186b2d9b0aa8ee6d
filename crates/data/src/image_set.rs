//! Images and labels as they lie in memory: one byte a pixel, two a label.

use std::fmt;
use std::sync::Arc;

use burn_dataset::{Dataset, DatasetError};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::checksum::hexadecimal;
use crate::counted::counted;

/// What one image measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ImageShape {
    /// Color planes: 1 for gray, 3 for red, green, blue.
    pub channels: usize,
    /// Rows of pixels.
    pub height: usize,
    /// Columns of pixels.
    pub width: usize,
}

impl ImageShape {
    /// Values in one image, all channels together.
    pub fn pixels(self) -> usize {
        self.channels * self.height * self.width
    }
}

impl fmt::Display for ImageShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}x{}", self.channels, self.height, self.width)
    }
}

/// Why pixels and labels do not make an [`ImageSet`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImageSetError {
    /// There are more or fewer pixels than the labels ask for.
    #[error("expected {expected} pixel values for {}, found {found}", counted(*labels, "label"))]
    Pixels {
        /// Labels given.
        labels: usize,
        /// Pixel values that many images have.
        expected: usize,
        /// Pixel values given.
        found: usize,
    },
    /// A label names no class.
    #[error("expected labels below {classes}, found {label} at image {index}")]
    Label {
        /// Position of the image, from 0.
        index: usize,
        /// The label found there.
        label: u16,
        /// Number of classes.
        classes: usize,
    },
    /// There is nothing to tell apart, or more than a label can name.
    #[error("expected from 2 to {MOST_CLASSES} classes, found {found}")]
    Classes {
        /// Number of classes given.
        found: usize,
    },
}

/// Most classes that a set may have, as labels are numbers of 16 bits.
pub const MOST_CLASSES: usize = u16::MAX as usize;

/// Bytes that several sets have a part of: in memory, or a file's as the system pages them in.
pub(crate) type SharedBytes = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// Images and their labels. A selection shares the pixels with the set that it is of.
///
/// # Shapes
///
/// - pixels: `[images, channels, height, width]`, bytes in `0..=255`, row by row
/// - labels: `[images]`, each in `0..classes`; from 2 to [`MOST_CLASSES`] classes
#[derive(Clone)]
pub struct ImageSet {
    shape: ImageShape,
    classes: usize,
    pixels: SharedBytes,
    /// Where in `pixels` each image stands, counted in images; in their order if there is no list.
    places: Option<Arc<[usize]>>,
    labels: Arc<[u16]>,
}

impl ImageSet {
    /// Puts pixels and labels together.
    ///
    /// # Errors
    ///
    /// If the lengths do not fit each other, a label is not below `classes`, or these are not from 2 to
    /// [`MOST_CLASSES`].
    pub fn new(
        shape: ImageShape,
        classes: usize,
        pixels: Vec<u8>,
        labels: Vec<u16>,
    ) -> Result<Self, ImageSetError> {
        Self::sharing(shape, classes, Arc::new(pixels), labels)
    }

    /// Puts labels to pixels that others share.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub(crate) fn sharing(
        shape: ImageShape,
        classes: usize,
        pixels: SharedBytes,
        labels: Vec<u16>,
    ) -> Result<Self, ImageSetError> {
        if !(2..=MOST_CLASSES).contains(&classes) {
            return Err(ImageSetError::Classes { found: classes });
        }
        let expected = labels.len() * shape.pixels();
        let found = pixels.as_ref().as_ref().len();
        if found != expected {
            let labels = labels.len();
            return Err(ImageSetError::Pixels { labels, expected, found });
        }
        let mut numbered = labels.iter().enumerate();
        if let Some((index, &label)) = numbered.find(|&(_, &label)| usize::from(label) >= classes) {
            return Err(ImageSetError::Label { index, label, classes });
        }
        Ok(Self { shape, classes, pixels, places: None, labels: labels.into() })
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// What each image measures.
    pub fn shape(&self) -> ImageShape {
        self.shape
    }

    /// Number of classes, whether or not each has an image here.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The pixels of one image, `[channels, height, width]`.
    ///
    /// # Panics
    ///
    /// If `index` is not below [`len`](Self::len).
    pub fn image(&self, index: usize) -> &[u8] {
        assert!(index < self.len(), "image {index} of {}", self.len());
        let place = self.places.as_ref().map_or(index, |places| places[index]);
        let pixels = self.shape.pixels();
        &self.bytes_of_all()[place * pixels..(place + 1) * pixels]
    }

    /// The label of one image, in `0..classes`.
    ///
    /// # Panics
    ///
    /// If `index` is not below [`len`](Self::len).
    pub fn label(&self, index: usize) -> u16 {
        self.labels[index]
    }

    /// All labels, in the order of the images.
    pub fn labels(&self) -> &[u16] {
        &self.labels
    }

    /// The pixels of every image, `[channels, height, width]` each, in their order.
    pub fn images(&self) -> impl ExactSizeIterator<Item = &[u8]> + '_ {
        (0..self.len()).map(|index| self.image(index))
    }

    /// The pixels of this set and of those that it shares them with.
    fn bytes_of_all(&self) -> &[u8] {
        self.pixels.as_ref().as_ref()
    }

    /// How many images each class has.
    pub fn class_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes];
        for &label in self.labels.iter() {
            counts[usize::from(label)] += 1;
        }
        counts
    }

    /// The images at `indices`, in that order; an index may occur more than once. The pixels are not copied.
    ///
    /// # Panics
    ///
    /// If an index is not below [`len`](Self::len).
    #[must_use]
    pub fn select(&self, indices: &[usize]) -> ImageSet {
        let place = |&index: &usize| match &self.places {
            Some(places) => places[index],
            None => index,
        };
        let labels = indices.iter().map(|&index| self.labels[index]).collect();
        let places = indices.iter().map(place).collect();
        let pixels = Arc::clone(&self.pixels);
        ImageSet { pixels, places: Some(places), labels, ..*self }
    }

    /// The same images with other labels, as many, each below the number of classes. The pixels are not copied.
    pub(crate) fn with_labels(&self, labels: Vec<u16>) -> ImageSet {
        debug_assert_eq!(labels.len(), self.len());
        debug_assert!(labels.iter().all(|&label| usize::from(label) < self.classes));
        let (pixels, places) = (Arc::clone(&self.pixels), self.places.clone());
        ImageSet { pixels, places, labels: labels.into(), ..*self }
    }

    /// Bytes that a label is written in: one where each class can be told by it, else two.
    fn label_bytes(&self) -> usize {
        if self.classes <= 1 << 8 { 1 } else { 2 }
    }

    /// Size in bytes of the pixels and labels, as [`sha256`](Self::sha256) reads them.
    pub fn bytes(&self) -> usize {
        self.len() * (self.shape.pixels() + self.label_bytes())
    }

    /// SHA-256 of the pixels followed by the labels, in hexadecimal: the same images in the same
    /// order have the same, whatever file they came from. A label is one byte, or two, the lower one
    /// first, in a set of more than 256 classes.
    pub fn sha256(&self) -> String {
        let mut hasher = Sha256::new();
        self.images().for_each(|image| hasher.update(image));
        let labels = self.labels.iter().map(|label| label.to_le_bytes());
        let bytes: Vec<u8> =
            labels.flat_map(|bytes| bytes.into_iter().take(self.label_bytes())).collect();
        hasher.update(&bytes);
        hexadecimal(&hasher.finalize())
    }
}

impl PartialEq for ImageSet {
    fn eq(&self, other: &Self) -> bool {
        self.shape == other.shape
            && self.classes == other.classes
            && self.labels == other.labels
            && self.images().eq(other.images())
    }
}

impl Eq for ImageSet {}

impl fmt::Debug for ImageSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ImageSet({} images of {}, {} classes)", self.len(), self.shape, self.classes)
    }
}

/// One image with its label, as [`burn_dataset::Dataset`] hands it out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageItem {
    /// Bytes in `0..=255`, `[channels, height, width]`.
    pub pixels: Vec<u8>,
    /// The class, in `0..classes`.
    pub label: u16,
    /// What the image measures.
    pub shape: ImageShape,
}

impl Dataset<ImageItem> for ImageSet {
    fn get(&self, index: usize) -> Result<ImageItem, DatasetError> {
        let pixels = self.image(index).to_vec();
        Ok(ImageItem { pixels, label: self.label(index), shape: self.shape })
    }

    fn len(&self) -> usize {
        ImageSet::len(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: ImageShape = ImageShape { channels: 1, height: 2, width: 3 };

    fn three_images() -> ImageSet {
        ImageSet::new(SHAPE, 4, (0..18).collect(), vec![3, 0, 3]).unwrap()
    }

    #[test]
    fn an_image_is_its_own_stretch_of_pixels() {
        let set = three_images();
        assert_eq!(set.image(1), [6, 7, 8, 9, 10, 11]);
        assert_eq!(set.label(1), 0);
        assert_eq!(set.class_counts(), [1, 0, 0, 2]);
    }

    #[test]
    fn selecting_keeps_the_order_asked_for() {
        let set = three_images().select(&[2, 0, 2]);
        assert_eq!(set.len(), 3);
        assert_eq!(set.image(0), three_images().image(2));
        assert_eq!(set.image(1), three_images().image(0));
        assert_eq!(set.labels(), [3, 3, 3]);
    }

    #[test]
    fn a_selection_of_a_selection_shares_the_pixels_and_equals_a_copy() {
        let set = three_images();
        let twice = set.select(&[2, 0]).select(&[1, 1, 0]);
        assert!(Arc::ptr_eq(&twice.pixels, &set.pixels));
        let copied = [set.image(0), set.image(0), set.image(2)].concat();
        let copy = ImageSet::new(SHAPE, 4, copied, vec![3, 3, 3]).unwrap();
        assert_eq!(twice, copy);
        assert_eq!((twice.sha256(), twice.bytes()), (copy.sha256(), copy.bytes()));
        assert_ne!(twice, copy.select(&[0, 2, 1]));
    }

    #[test]
    fn lengths_that_do_not_fit_are_refused() {
        let error = ImageSet::new(SHAPE, 4, vec![0; 17], vec![0; 3]).unwrap_err();
        assert_eq!(error, ImageSetError::Pixels { labels: 3, expected: 18, found: 17 });
    }

    #[test]
    fn a_label_that_names_no_class_is_refused() {
        let error = ImageSet::new(SHAPE, 4, vec![0; 12], vec![0, 4]).unwrap_err();
        assert_eq!(error, ImageSetError::Label { index: 1, label: 4, classes: 4 });
    }

    #[test]
    fn as_many_classes_as_labels_can_name_are_taken_and_no_more_and_no_fewer_than_two() {
        let set = |classes| ImageSet::new(SHAPE, classes, vec![0; 6], vec![0]);
        assert_eq!(set(65_535).unwrap().class_counts().len(), 65_535);
        assert_eq!(set(2).unwrap().classes(), 2);
        for found in [0, 1, 65_536] {
            assert_eq!(set(found).unwrap_err(), ImageSetError::Classes { found });
        }
        let last = ImageSet::new(SHAPE, 65_535, vec![0; 6], vec![65_534]).unwrap();
        assert_eq!(last.label(0), 65_534);
        assert!(ImageSet::new(SHAPE, 65_535, vec![0; 6], vec![65_535]).is_err());
    }

    #[test]
    fn burn_reads_the_same_items() {
        let set = three_images();
        let items: Vec<ImageItem> =
            Dataset::iter(&set).collect::<Result<_, DatasetError>>().unwrap();
        assert_eq!(items.len(), 3);
        assert_eq!(items[2].pixels, set.image(2));
        assert_eq!(items[2].label, 3);
    }

    #[test]
    fn the_checksum_sees_pixels_labels_and_their_order() {
        let set = three_images();
        assert_eq!(set.sha256(), three_images().sha256());
        assert_ne!(set.sha256(), set.select(&[1, 0, 2]).sha256());
        assert_eq!(set.sha256().len(), 64);
    }

    #[test]
    fn the_checksum_is_of_one_byte_a_label_or_of_two_where_one_cannot_tell_the_classes() {
        let of_bytes = |labels: &[u8]| {
            let pixels: Vec<u8> = (0..12).collect();
            crate::checksum::sha256(&[&pixels, labels].concat())
        };
        let set = |classes, labels| ImageSet::new(SHAPE, classes, (0..12).collect(), labels);
        let few = set(256, vec![255, 1]).unwrap();
        assert_eq!((few.sha256(), few.bytes()), (of_bytes(&[255, 1]), 14));
        let many = set(257, vec![256, 1]).unwrap();
        assert_eq!((many.sha256(), many.bytes()), (of_bytes(&[0, 1, 1, 0]), 16));
    }
}
