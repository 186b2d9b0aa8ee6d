//! The test split, sealed: its images are reached only by an access that is written down first.

use std::fmt;
use std::sync::Arc;

use crate::duplicates::Duplicates;
use crate::image_set::{ImageItem, ImageSet, ImageShape};
use crate::near_copies::{NearCopies, NearCopiesError, NearCopy, Progress};

/// Where accesses to the test split are written down.
pub trait TestLog {
    /// Why an access could not be written down.
    type Error;

    /// Writes an access down, before it happens: what for, and with which weights. Returns how many there
    /// were, this one included.
    ///
    /// # Errors
    ///
    /// If it cannot be written; then there is no access.
    fn record(&mut self, purpose: &str, weights: &str) -> Result<usize, Self::Error>;
}

/// The test images, sealed. Only [`open`](Self::open) shows them, and it wants a [`TestLog`]. What
/// selects (early stopping, the choice of weights, searches) has none:
///
/// ```compile_fail
/// let split = backburn_data::load("digits", &backburn_data::Source::from_environment(None)).unwrap().test;
/// let images = split.open();
/// ```
///
/// and what it takes, an [`ImageSet`], is not what an access gives:
///
/// ```compile_fail
/// fn select_on(images: std::sync::Arc<backburn_data::ImageSet>) {}
/// fn look(images: backburn_data::TestImages) {
///     select_on(images);
/// }
/// ```
#[derive(Clone)]
pub struct TestSplit {
    images: Arc<ImageSet>,
    /// The file of each image, where it has one. A name may tell the class, and is sealed too.
    names: Arc<Vec<String>>,
}

impl TestSplit {
    /// Seals a test split.
    pub fn seal(images: ImageSet) -> Self {
        Self::seal_named(images, Vec::new())
    }

    /// Seals a test split with the name of each image, in their order.
    pub fn seal_named(images: ImageSet, names: Vec<String>) -> Self {
        Self { images: Arc::new(images), names: Arc::new(names) }
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.images.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// What each image measures.
    pub fn shape(&self) -> ImageShape {
        self.images.shape()
    }

    /// The images and labels, once `log` has it in writing what they are accessed for and with which
    /// weights.
    ///
    /// # Errors
    ///
    /// If the access cannot be written down.
    pub fn open<L: TestLog>(
        &self,
        log: &mut L,
        purpose: &str,
        weights: &str,
    ) -> Result<TestImages, L::Error> {
        let look = log.record(purpose, weights)?;
        let (images, names) = (Arc::clone(&self.images), Arc::clone(&self.names));
        Ok(TestImages { images, names, look })
    }

    /// Images that occur more than once, here or in `train`. Counts and places only, and no access: nobody
    /// can select by them.
    pub fn duplicates(&self, train: &ImageSet) -> Duplicates {
        Duplicates::between(train, &self.images)
    }

    /// The test images that have a near copy in `train`, at least `threshold` similar. Counts, places and
    /// similarities only, and no access, as with [`duplicates`](Self::duplicates).
    ///
    /// # Errors
    ///
    /// As [`NearCopies::between`].
    pub fn near_copies(
        &self,
        train: &ImageSet,
        threshold: f64,
        progress: &Progress<'_>,
    ) -> Result<NearCopies, NearCopiesError> {
        NearCopies::between(&self.images, train, threshold, progress)
    }

    /// The first `most` of the near copies that [`near_copies`](Self::near_copies) has found in `train`, as
    /// pictures for a person to look at; [`MOST_SHOWN`] at most. No access either: what is shown is that test images are known from
    /// training, nothing is shown of the others, and so few images with their labels select nothing.
    pub fn shown(&self, train: &ImageSet, found: &NearCopies, most: usize) -> Vec<ShownCopy> {
        let item = |set: &ImageSet, index: usize| {
            let is_there = index < set.len();
            is_there.then(|| ImageItem {
                pixels: set.image(index).to_vec(),
                label: set.label(index),
                shape: set.shape(),
            })
        };
        let shown = |&copy: &NearCopy| {
            let (test, train) = (item(&self.images, copy.image)?, item(train, copy.other)?);
            Some(ShownCopy { copy, test, train })
        };
        found.copies.iter().filter_map(shown).take(most.min(MOST_SHOWN)).collect()
    }
}

/// Test images that are shown beside their near copies at most.
pub const MOST_SHOWN: usize = 50;

/// A test image with the training image that it is like.
#[derive(Clone, Debug, PartialEq)]
pub struct ShownCopy {
    /// Where they are and how similar.
    pub copy: NearCopy,
    /// The test image.
    pub test: ImageItem,
    /// The training image.
    pub train: ImageItem,
}

impl fmt::Debug for TestSplit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TestSplit({} sealed images)", self.len())
    }
}

/// Test images after an access that was written down. A type of its own, so that they are not taken for
/// images to train, to validate or to select on.
#[derive(Clone, Debug)]
pub struct TestImages {
    images: Arc<ImageSet>,
    names: Arc<Vec<String>>,
    look: usize,
}

impl TestImages {
    /// Number of this access, counted from 1.
    pub fn look(&self) -> usize {
        self.look
    }

    /// What final scores are taken on, and figures drawn from. Whoever selects by these images has
    /// broken the seal knowingly.
    pub fn for_final_scores(&self) -> &Arc<ImageSet> {
        &self.images
    }

    /// The name of an image, such as of its file; `None` if it has none.
    pub fn name(&self, index: usize) -> Option<&str> {
        self.names.get(index).map(String::as_str)
    }

    /// Only the first `count` images, or all if there are fewer.
    #[must_use]
    pub fn first(&self, count: usize) -> Self {
        let chosen: Vec<usize> = (0..count.min(self.images.len())).collect();
        Self { images: Arc::new(self.images.select(&chosen)), ..self.clone() }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    #[derive(Default)]
    pub(crate) struct Log {
        lines: Vec<String>,
        is_full: bool,
    }

    impl TestLog for Log {
        type Error = &'static str;

        fn record(&mut self, purpose: &str, weights: &str) -> Result<usize, &'static str> {
            if self.is_full {
                return Err("no disk space");
            }
            self.lines.push(format!("{purpose} of {weights}"));
            Ok(self.lines.len())
        }
    }

    fn split() -> TestSplit {
        let shape = ImageShape { channels: 1, height: 1, width: 2 };
        let images = ImageSet::new(shape, 2, vec![201, 202, 203, 204], vec![1, 0]).unwrap();
        TestSplit::seal_named(images, ["a/1.png", "b/2.png"].map(String::from).into())
    }

    #[test]
    fn every_look_is_written_down_and_numbered() {
        let mut log = Log::default();
        assert_eq!(split().open(&mut log, "score", "epoch 3").unwrap().look(), 1);
        let again = split().open(&mut log, "evaluate", "epoch 3").unwrap();
        assert_eq!(again.look(), 2);
        assert_eq!(again.for_final_scores().labels(), [1, 0]);
        assert_eq!(again.first(1).for_final_scores().labels(), [1]);
        assert_eq!((again.name(1), again.name(2)), (Some("b/2.png"), None));
        assert_eq!(log.lines, ["score of epoch 3", "evaluate of epoch 3"]);
    }

    #[test]
    fn a_look_that_cannot_be_written_down_does_not_happen() {
        let mut log = Log { is_full: true, ..Log::default() };
        assert_eq!(split().open(&mut log, "score", "epoch 3").unwrap_err(), "no disk space");
    }

    #[test]
    fn near_copies_are_found_without_an_access_and_a_few_are_shown() {
        let shape = ImageShape { channels: 1, height: 4, width: 5 };
        let image = |factor: usize| -> Vec<u8> {
            (0..shape.pixels()).map(|place| (place * place * factor % 251) as u8).collect()
        };
        let images: Vec<u8> = (1..=60).flat_map(image).collect();
        let train = ImageSet::new(shape, 2, images.clone(), vec![0; 60]).unwrap();
        let test = TestSplit::seal(ImageSet::new(shape, 2, images, vec![1; 60]).unwrap());
        let found = test.near_copies(&train, 0.999, &|_| {}).unwrap();
        assert_eq!(found.count(0.999).other_label, 60);
        let shown = test.shown(&train, &found, 3);
        assert_eq!(shown.len(), 3);
        assert_eq!(shown[2].copy, found.copies[2]);
        assert_eq!(shown[2].test.pixels, train.image(found.copies[2].image));
        assert_eq!((shown[2].test.label, shown[2].train.label), (1, 0));
        assert_eq!(test.shown(&train, &found, 60).len(), MOST_SHOWN);
    }

    #[test]
    fn a_sealed_split_prints_no_pixel() {
        assert_eq!(format!("{:?}", split()), "TestSplit(2 sealed images)");
    }
}
