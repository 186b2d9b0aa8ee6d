//! Images as a network sees them: to train on, to score on, to draw curves from.

use std::sync::Arc;

use backburn_data::loader::{Loader, LoaderConfig};
use backburn_data::normalization::FittedNormalization;
use backburn_data::{ImageSet, TestImages};
use backburn_training::device_batch::DeviceBatch;
use backburn_training::failure::Failure;
use backburn_training::seeds::Seeds;
use burn::tensor::Device;

/// Images to train on, as a network sees them.
#[derive(Clone, Debug)]
pub(crate) struct Images {
    /// The images and their labels.
    pub(crate) set: Arc<ImageSet>,
    /// How bytes become the network's input.
    pub(crate) normalization: FittedNormalization,
}

impl Images {
    /// Channels, height and width of an image.
    pub(crate) fn shape(&self) -> [usize; 3] {
        let shape = self.set.shape();
        [shape.channels, shape.height, shape.width]
    }

    /// Number of classes.
    pub(crate) fn classes(&self) -> usize {
        self.set.classes()
    }

    /// Other images, seen the same way.
    pub(crate) fn others(&self, set: ImageSet) -> Self {
        Self { set: Arc::new(set), normalization: self.normalization.clone() }
    }

    /// `count` batches of `size` images drawn with replacement, as source 003 does;
    /// the same for all that train with this seed.
    pub(crate) fn batches(
        &self,
        size: usize,
        count: usize,
        seeds: Seeds,
        device: &Device,
    ) -> Result<impl Iterator<Item = DeviceBatch> + use<>, Failure> {
        let loader = self.loader(size)?;
        // Nothing is augmented, so that nothing is drawn.
        let epoch = loader.epoch_with_replacement(count, &mut seeds.order(1), move |_, image| {
            seeds.augmentation(1)(image)
        });
        Ok(upload(epoch, self.classes(), device))
    }

    /// Every image once, in the order of this epoch, counted from 1.
    pub(crate) fn epoch(
        &self,
        size: usize,
        epoch: usize,
        seeds: Seeds,
        device: &Device,
    ) -> Result<impl Iterator<Item = DeviceBatch> + use<>, Failure> {
        let batches = self.loader(size)?.epoch(&mut seeds.order(epoch), seeds.augmentation(epoch));
        Ok(upload(batches, self.classes(), device))
    }

    fn loader(&self, size: usize) -> Result<Loader, Failure> {
        let (set, config) = (Arc::clone(&self.set), LoaderConfig::new(size));
        Loader::new(set, &self.normalization, Default::default(), config)
            .map_err(|error| Failure::Error(error.to_string()))
    }
}

fn upload(
    batches: backburn_data::loader::Epoch,
    classes: usize,
    device: &Device,
) -> impl Iterator<Item = DeviceBatch> + use<> {
    let device = device.clone().autodiff();
    batches.map(move |batch| DeviceBatch::upload(batch, classes, &device))
}

/// Test images as a network sees them. Another type than [`Images`], so that nobody trains or selects on
/// them by mistake.
#[derive(Clone, Debug)]
pub(crate) struct TestView {
    pub(crate) images: TestImages,
    pub(crate) normalization: FittedNormalization,
}

/// Test images that curves are drawn from. They give scores and nothing else, so that nobody trains on
/// them; what is selected is selected on [`Images`] of the training split.
#[derive(Clone, Debug)]
pub(crate) struct Diagnostic(pub(crate) TestView);

impl Diagnostic {
    /// Only the first `count` images.
    pub(crate) fn first(&self, count: usize) -> Self {
        Self(TestView { images: self.0.images.first(count), ..self.0.clone() })
    }
}
