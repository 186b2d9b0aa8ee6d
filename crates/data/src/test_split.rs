//! The test split, sealed: its images are reached only by an access that is written down first.

use std::fmt;
use std::sync::Arc;

use crate::duplicates::Duplicates;
use crate::image_set::{ImageSet, ImageShape};

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
pub struct TestSplit(Arc<ImageSet>);

impl TestSplit {
    /// Seals a test split.
    pub fn seal(images: ImageSet) -> Self {
        Self(Arc::new(images))
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What each image measures.
    pub fn shape(&self) -> ImageShape {
        self.0.shape()
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
        Ok(TestImages { images: Arc::clone(&self.0), look })
    }

    /// Images that occur more than once, here or in `train`. Counts and places only, and no access: nobody
    /// can select by them.
    pub fn duplicates(&self, train: &ImageSet) -> Duplicates {
        Duplicates::between(train, &self.0)
    }
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

    /// Only the first `count` images, or all if there are fewer.
    #[must_use]
    pub fn first(&self, count: usize) -> Self {
        let chosen: Vec<usize> = (0..count.min(self.images.len())).collect();
        Self { images: Arc::new(self.images.select(&chosen)), look: self.look }
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
        TestSplit::seal(ImageSet::new(shape, 2, vec![201, 202, 203, 204], vec![1, 0]).unwrap())
    }

    #[test]
    fn every_look_is_written_down_and_numbered() {
        let mut log = Log::default();
        assert_eq!(split().open(&mut log, "score", "epoch 3").unwrap().look(), 1);
        let again = split().open(&mut log, "evaluate", "epoch 3").unwrap();
        assert_eq!(again.look(), 2);
        assert_eq!(again.for_final_scores().labels(), [1, 0]);
        assert_eq!(again.first(1).for_final_scores().labels(), [1]);
        assert_eq!(log.lines, ["score of epoch 3", "evaluate of epoch 3"]);
    }

    #[test]
    fn a_look_that_cannot_be_written_down_does_not_happen() {
        let mut log = Log { is_full: true, ..Log::default() };
        assert_eq!(split().open(&mut log, "score", "epoch 3").unwrap_err(), "no disk space");
    }

    #[test]
    fn a_sealed_split_prints_no_pixel() {
        assert_eq!(format!("{:?}", split()), "TestSplit(2 sealed images)");
    }
}
