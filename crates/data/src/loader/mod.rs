//! Shuffled, augmented, normalized batches, made ahead of time by background threads.
//!
//! What a batch holds depends only on the generators that are handed in: not on the number of
//! threads, nor on which of them is faster.

use std::sync::Arc;

use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::augment::{AugmentError, Draw, Image, Pipeline};
use crate::counted::counted;
use crate::image_set::ImageSet;
use crate::normalization::FittedNormalization;

mod batch;
mod epoch;
mod last_batch;
mod sampling;

pub use batch::{Batch, Delivered, Delivery};
pub use epoch::Epoch;
use epoch::{Draws, Plan};
pub use last_batch::LastBatch;
pub use sampling::Sampling;

/// More threads than any machine has use for; asking for more is taken for a mistake.
const MOST_THREADS: usize = 1024;

/// How to cut a set into batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoaderConfig {
    /// Images in a batch, at least 1.
    pub batch_size: usize,
    /// What becomes of the images left over when the batch size does not divide the set.
    pub last_batch: LastBatch,
    /// Background threads. With 0, each batch is made when it is asked for.
    pub threads: usize,
    /// Batches that each thread may have ready, besides the one it works on.
    pub prefetch: usize,
}

impl LoaderConfig {
    /// All images, made by one background thread that is up to two batches ahead.
    pub fn new(batch_size: usize) -> Self {
        Self { batch_size, last_batch: LastBatch::Keep, threads: 1, prefetch: 2 }
    }
}

/// Why a loader cannot be made.
#[derive(Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LoaderError {
    /// A batch of no image.
    #[error("batch size 0: a batch must hold at least one image")]
    NoBatchSize,
    /// A set of no image.
    #[error("there is no image to load; give this split at least one")]
    NoImages,
    /// Every batch would be an incomplete one, and those are dropped.
    #[error(
        "batch size {batch_size} is larger than the {} there {}, and an incomplete last batch is \
         dropped: no batch would be left; use a batch size of at most {images}",
        counted(*images, "image"),
        if *images == 1 { "is" } else { "are" }
    )]
    NoBatch {
        /// Batch size that was asked for.
        batch_size: usize,
        /// Images in the set.
        images: usize,
    },
    /// An absurd number of threads.
    #[error("{threads} loader threads; use at most {MOST_THREADS}, or 0 for none")]
    Threads {
        /// Threads that were asked for.
        threads: usize,
    },
    /// The normalization was fitted on other images.
    #[error("the normalization has {found} channels, the images have {expected}")]
    Channels {
        /// Channels of the images.
        expected: usize,
        /// Channels of the normalization.
        found: usize,
    },
    /// The augmentation does not fit the images.
    #[error(transparent)]
    Augment(#[from] AugmentError),
}

/// Delivers a set in batches, epoch after epoch.
#[derive(Clone, Debug)]
pub struct Loader {
    set: Arc<ImageSet>,
    tables: Arc<[[f32; 256]]>,
    augment: Pipeline,
    /// Buffer that images are put into while they are changed.
    blank: Image,
    config: LoaderConfig,
    delivery: Delivery,
}

impl Loader {
    /// A loader of `set`.
    ///
    /// # Errors
    ///
    /// If no batch could be made, or normalization or augmentation do not fit the images.
    pub fn new(
        set: Arc<ImageSet>,
        normalization: &FittedNormalization,
        augment: Pipeline,
        config: LoaderConfig,
    ) -> Result<Self, LoaderError> {
        let LoaderConfig { batch_size, last_batch, threads, .. } = config;
        let (images, expected) = (set.len(), set.shape().channels);
        if batch_size == 0 {
            return Err(LoaderError::NoBatchSize);
        }
        if images == 0 {
            return Err(LoaderError::NoImages);
        }
        if batch_size > images && last_batch == LastBatch::Drop {
            return Err(LoaderError::NoBatch { batch_size, images });
        }
        if threads > MOST_THREADS {
            return Err(LoaderError::Threads { threads });
        }
        if normalization.channels() != expected {
            return Err(LoaderError::Channels { expected, found: normalization.channels() });
        }
        augment.check(set.shape())?;
        let tables = normalization.tables();
        let blank = Image::with_neutral(set.shape(), tables.iter().map(neutral).collect());
        Ok(Self { set, tables: tables.into(), augment, blank, config, delivery: Delivery::Values })
    }

    /// The loader that delivers images like this.
    ///
    /// # Panics
    ///
    /// If they are to be places and its augmentation has none.
    #[must_use]
    pub fn delivering(self, delivery: Delivery) -> Self {
        let is_possible = delivery != Delivery::Places || self.augment.places().is_some();
        assert!(is_possible, "`{}` is more than a change of places", self.augment);
        Self { delivery, ..self }
    }

    /// What changes the images.
    pub fn augmentation(&self) -> &Pipeline {
        &self.augment
    }

    /// What each byte becomes, channel by channel.
    pub fn tables(&self) -> &[[f32; 256]] {
        &self.tables
    }

    /// The set that is loaded.
    pub fn set(&self) -> &Arc<ImageSet> {
        &self.set
    }

    /// Batches in an [`epoch`](Self::epoch).
    pub fn batches_per_epoch(&self) -> usize {
        self.config.last_batch.batches(self.set.len(), self.config.batch_size)
    }

    /// Images in batch number `number`, from 0, of an [`epoch`](Self::epoch).
    pub fn batch_images(&self, number: usize) -> usize {
        let LoaderConfig { batch_size, last_batch, .. } = self.config;
        last_batch.batch_images(self.set.len(), batch_size, number)
    }

    /// Every image once, in an order drawn from `order`, but for the images of a dropped last batch.
    ///
    /// The augmentation of image `i` of the set is drawn from `draw(i)`, so that it depends neither on
    /// the order nor on the batch size.
    pub fn epoch(
        &self,
        order: &mut ChaCha8Rng,
        draw: impl Fn(usize) -> Draw + Send + Sync + 'static,
    ) -> Epoch {
        let mut indices: Vec<usize> = (0..self.set.len()).collect();
        indices.shuffle(order);
        let batches = self.batches_per_epoch();
        if self.config.last_batch == LastBatch::Drop {
            indices.truncate(batches * self.full_batch());
        }
        self.deliver(indices, batches, self.draws(move |_, i| draw(i)))
    }

    /// As many images as an [`epoch`](Self::epoch) has, in batches of the same sizes, each drawn from `order`: first
    /// its class, all that have images equally likely, then one of the class's images. Rare images occur several
    /// times, frequent ones not in every epoch.
    ///
    /// `draw`: as for [`epoch_with_replacement`](Self::epoch_with_replacement).
    pub fn epoch_balanced(
        &self,
        order: &mut ChaCha8Rng,
        draw: impl Fn(usize, usize) -> Draw + Send + Sync + 'static,
    ) -> Epoch {
        let batches = self.batches_per_epoch();
        let images = self.config.last_batch.epoch_images(self.set.len(), self.config.batch_size);
        let indices = sampling::balanced(&self.set, images, order);
        self.deliver(indices, batches, self.draws(draw))
    }

    /// `batches` full batches of images drawn from `order` with replacement: some occur several
    /// times, some never. A batch holds at most as many images as the set.
    ///
    /// The augmentation of the image drawn as number `n`, from 0, if it is image `i` of the set, is drawn
    /// from `draw(n, i)`: from another generator for every `n`, so that an image that occurs twice does
    /// not look the same twice.
    pub fn epoch_with_replacement(
        &self,
        batches: usize,
        order: &mut ChaCha8Rng,
        draw: impl Fn(usize, usize) -> Draw + Send + Sync + 'static,
    ) -> Epoch {
        let images = batches.saturating_mul(self.full_batch());
        let indices = (0..images).map(|_| order.random_range(0..self.set.len())).collect();
        self.deliver(indices, batches, self.draws(draw))
    }

    /// Every image once, in the order of the set, without augmentation, last batch included: for
    /// evaluation.
    pub fn in_order(&self) -> Epoch {
        let batches = self.set.len().div_ceil(self.config.batch_size);
        self.deliver((0..self.set.len()).collect(), batches, None)
    }

    /// Image `index` of the set as an epoch shows it with this draw, before normalization.
    ///
    /// # Panics
    ///
    /// If there is no such image.
    pub fn look(&self, index: usize, mut draw: Draw) -> Vec<u8> {
        let mut image = self.blank.clone();
        image.load(self.set.image(index));
        self.augment.apply(&mut image, &mut draw);
        image.pixels().to_vec()
    }

    /// Images in a batch that is not cut short.
    fn full_batch(&self) -> usize {
        self.config.batch_size.min(self.set.len())
    }

    /// `draw` is given the number of the draw and the place of the image in the set.
    fn draws(&self, draw: impl Fn(usize, usize) -> Draw + Send + Sync + 'static) -> Option<Draws> {
        let pipeline = self.augment.clone();
        (!pipeline.is_empty()).then(|| Draws { pipeline, draw: Box::new(draw) })
    }

    /// The last of the `batches` takes all images that the others leave.
    fn deliver(&self, indices: Vec<usize>, batches: usize, draws: Option<Draws>) -> Epoch {
        let (set, tables) = (self.set.clone(), self.tables.clone());
        let LoaderConfig { threads, prefetch, .. } = self.config;
        let batch_size = self.full_batch();
        let blank = self.blank.clone();
        let delivery = self.delivery;
        let plan = Plan { set, tables, delivery, indices, batch_size, batches, draws, blank };
        Epoch::new(plan, threads, prefetch)
    }
}

/// The byte that comes nearest to zero.
fn neutral(table: &[f32; 256]) -> u8 {
    (0..=255)
        .min_by(|&a, &b| {
            let distance = |byte: u8| table[usize::from(byte)].abs();
            distance(a).total_cmp(&distance(b))
        })
        .expect("there are 256 bytes")
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use crate::augment;
    use crate::image_set::ImageShape;
    use crate::normalization::Normalization;

    fn rng(seed: u64) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(seed)
    }

    fn draw(seed: usize) -> Draw {
        Draw { rng: rng(seed as u64), lasting: rng(seed as u64 + 1000), epoch: 1 }
    }

    /// 23 images of two channels, no pixel like another within an image.
    fn images() -> Arc<ImageSet> {
        let shape = ImageShape { channels: 2, height: 5, width: 4 };
        let pixels = (0..23 * 40).map(|i| (i % 40 * 6 + i / 40) as u8).collect();
        let labels = (0..23).map(|i| i % 3).collect();
        Arc::new(ImageSet::new(shape, 3, pixels, labels).unwrap())
    }

    fn load(config: LoaderConfig, augment: &str) -> Result<Loader, LoaderError> {
        let fitted = Normalization::Unit.fit(&images()).unwrap();
        Loader::new(images(), &fitted, augment::parse(augment).unwrap(), config)
    }

    fn loader(batch_size: usize, threads: usize) -> Loader {
        let config = LoaderConfig { threads, prefetch: 1, ..LoaderConfig::new(batch_size) };
        load(config, "crop=1,flip").unwrap()
    }

    fn epoch(loader: &Loader) -> Epoch {
        loader.epoch(&mut rng(1), |i| draw(100 + i))
    }

    #[test]
    fn batches_are_equal_for_any_number_of_threads() {
        let expected: Vec<_> = epoch(&loader(4, 0)).collect();
        for threads in [1, 2, 8] {
            assert!(epoch(&loader(4, threads)).eq(expected.iter().cloned()), "{threads} threads");
        }
    }

    #[test]
    fn every_image_comes_once_an_epoch_with_its_label() {
        let loader = loader(4, 2);
        let batches: Vec<_> = epoch(&loader).collect();
        assert_eq!(batches.len(), loader.batches_per_epoch());
        let indices: Vec<_> = batches.iter().flat_map(|batch| batch.indices.clone()).collect();
        let mut sorted = indices.clone();
        sorted.sort_unstable();
        assert!(sorted.iter().copied().eq(0..23));
        assert_ne!(indices, sorted, "not shuffled");
        for batch in &batches {
            assert_eq!(batch.images.values().len(), batch.len() * 40);
            assert!(
                batch.indices.iter().zip(&batch.labels).all(|(i, label)| (i % 3) as u16 == *label)
            );
        }
    }

    #[test]
    fn labels_beyond_a_byte_arrive_as_they_are() {
        let shape = ImageShape { channels: 1, height: 1, width: 1 };
        let labels: Vec<u16> = (0..600).collect();
        let set = Arc::new(ImageSet::new(shape, 600, vec![7; 600], labels.clone()).unwrap());
        let fitted = Normalization::Unit.fit(&set).unwrap();
        let loader = Loader::new(set, &fitted, Pipeline::default(), LoaderConfig::new(64)).unwrap();
        assert!(loader.in_order().flat_map(|batch| batch.labels).eq(labels));
    }

    #[test]
    fn an_incomplete_last_batch_is_kept_or_dropped_or_joins_the_one_before() {
        let sizes = |last_batch| {
            let loader =
                load(LoaderConfig { last_batch, ..LoaderConfig::new(10) }, "none").unwrap();
            let sizes: Vec<_> = epoch(&loader).map(|batch| batch.len()).collect();
            assert_eq!(sizes.len(), loader.batches_per_epoch());
            assert!((0..sizes.len()).map(|number| loader.batch_images(number)).eq(sizes.clone()));
            assert_eq!(loader.batch_images(sizes.len()), 0);
            assert_eq!(loader.in_order().map(|batch| batch.len()).sum::<usize>(), 23);
            sizes
        };
        assert_eq!(sizes(LastBatch::Keep), [10, 10, 3]);
        assert_eq!(sizes(LastBatch::Drop), [10, 10]);
        assert_eq!(sizes(LastBatch::Merge), [10, 13]);
    }

    #[test]
    fn in_order_gives_the_normalized_images_themselves() {
        let set = images();
        let all: Vec<f32> =
            loader(4, 2).in_order().flat_map(|batch| batch.images.into_values()).collect();
        let pixels: Vec<u8> = set.images().flatten().copied().collect();
        assert_eq!(all.len(), pixels.len());
        for (value, &pixel) in all.iter().zip(&pixels) {
            assert!((value - f32::from(pixel) / 255.0).abs() < 1e-6);
        }
        assert!(loader(4, 2).in_order().flat_map(|batch| batch.indices).eq(0..23));
    }

    #[test]
    fn bytes_and_places_are_of_the_images_that_values_show() {
        let batches = |delivery| {
            epoch(&loader(4, 2).delivering(delivery)).zip(epoch(&loader(4, 0))).collect::<Vec<_>>()
        };
        for (found, expected) in batches(Delivery::Bytes) {
            assert_eq!((&found.labels, &found.indices), (&expected.labels, &expected.indices));
            let Delivered::Bytes(bytes) = found.images else { panic!("bytes were asked for") };
            let values = bytes.iter().map(|&byte| loader(4, 0).tables()[0][usize::from(byte)]);
            assert!(values.eq(expected.images.into_values()));
        }
        let pipeline = augment::parse("crop=1,flip").unwrap();
        let mut places = Vec::new();
        for (found, expected) in batches(Delivery::Places) {
            assert_eq!(found.indices, expected.indices);
            let Delivered::Places(of_batch) = found.images else { panic!("places were asked for") };
            let drawn = found.indices.iter().map(|i| pipeline.place(&mut draw(100 + i)));
            assert!(drawn.eq(of_batch.iter().copied()));
            places.extend(of_batch);
        }
        assert!(places.iter().any(|place| place.mirrored && place.down < 0));
    }

    #[test]
    #[should_panic(expected = "`rotate=15` is more than a change of places")]
    fn places_are_refused_where_images_are_changed_otherwise() {
        let _ = load(LoaderConfig::new(4), "rotate").unwrap().delivering(Delivery::Places);
    }

    #[test]
    fn an_epoch_can_be_left_early() {
        for threads in [1, 2, 8] {
            let mut epoch = epoch(&loader(1, threads));
            assert_eq!(epoch.next().unwrap().len(), 1);
            drop(epoch);
        }
    }

    #[test]
    fn starting_in_the_middle_gives_the_batches_that_skipping_leaves() {
        let loader = loader(4, 2);
        for from in 0..=7 {
            let started = epoch(&loader).skip_batches(from);
            assert_eq!(started.len(), 6_usize.saturating_sub(from));
            assert!(started.eq(epoch(&loader).skip(from)), "from {from}");
        }
        let mut begun = epoch(&loader);
        begun.next();
        assert!(begun.skip_batches(2).eq(epoch(&loader).skip(3)));
    }

    #[test]
    fn augmentation_does_not_depend_on_the_batch_size() {
        let all = |batch_size| {
            epoch(&loader(batch_size, 2)).flat_map(|b| b.images.into_values()).collect()
        };
        let (small, large): (Vec<f32>, Vec<f32>) = (all(3), all(23));
        assert_eq!(small, large);
    }

    #[test]
    fn every_augmentation_is_the_same_for_any_number_of_threads() {
        let shape = ImageShape { channels: 3, height: 10, width: 12 };
        let pixels = (0..20 * 360).map(|i| (i % 251) as u8).collect();
        let set = Arc::new(ImageSet::new(shape, 2, pixels, vec![0; 20]).unwrap());
        let fitted = Normalization::PerChannel.fit(&set).unwrap();
        for row in augment::CATALOG {
            let batches = |threads| {
                let config = LoaderConfig { threads, ..LoaderConfig::new(3) };
                let pipeline = augment::parse(row.name).unwrap();
                Loader::new(set.clone(), &fitted, pipeline, config).unwrap()
            };
            let one: Vec<Batch> = epoch(&batches(1)).collect();
            for threads in [0, 2, 8] {
                assert!(epoch(&batches(threads)).eq(one.iter().cloned()), "{}", row.name);
            }
        }
    }

    #[test]
    fn a_look_is_what_the_epoch_delivers() {
        let loader = loader(4, 2);
        for batch in epoch(&loader) {
            for (&index, image) in batch.indices.iter().zip(batch.images.values().chunks(40)) {
                let look = loader.look(index, draw(100 + index));
                let look: Vec<f32> =
                    look.iter().map(|&byte| loader.tables[0][byte as usize]).collect();
                assert_eq!(look, image);
            }
        }
    }

    #[test]
    fn a_cutout_is_zero_after_normalization_as_nearly_as_a_byte_can_be() {
        let fitted = Normalization::PerChannel.fit(&images()).unwrap();
        let pipeline = augment::parse("cutout=4").unwrap();
        let loader = Loader::new(images(), &fitted, pipeline, LoaderConfig::new(23)).unwrap();
        let batch = epoch(&loader).next().unwrap();
        for (channel, scale) in fitted.scale.iter().enumerate() {
            let covered = loader.tables[channel][usize::from(neutral(&loader.tables[channel]))];
            assert!(covered.abs() <= scale / 2.0, "{covered}");
            let values = batch.images.values();
            let planes = values.chunks(20).skip(channel).step_by(2);
            // At least a corner of the square lies in each image.
            assert!(
                planes.clone().all(|plane| plane.iter().filter(|&&v| v == covered).count() >= 4)
            );
        }
        assert_eq!(neutral(&Normalization::Unit.fit(&images()).unwrap().tables()[0]), 0);
    }

    #[test]
    fn drawing_with_replacement_repeats_images_and_augments_them_anew() {
        let loader = loader(20, 2);
        let draw = || loader.epoch_with_replacement(8, &mut rng(2), |n, _| draw(n));
        let batches: Vec<_> = draw().collect();
        assert_eq!(batches.iter().map(Batch::len).collect::<Vec<_>>(), [20; 8]);
        assert!(draw().skip_batches(1).eq(batches[1..].iter().cloned()));
        let looks = |batch: &Batch, image| -> Vec<Vec<f32>> {
            let values = batch.images.values();
            let drawn = batch.indices.iter().zip(values.chunks(40));
            drawn.filter(|(i, _)| **i == image).map(|(_, look)| look.to_vec()).collect()
        };
        let same: Vec<_> = batches.iter().flat_map(|batch| looks(batch, 7)).collect();
        assert!(same.len() > 1 && same.iter().any(|look| *look != same[0]));
    }

    #[test]
    #[should_panic(expected = "no generator for image 11")]
    fn a_panic_in_a_thread_reaches_the_caller() {
        let draw = |i| if i == 11 { panic!("no generator for image {i}") } else { draw(0) };
        loader(4, 2).epoch(&mut rng(1), draw).for_each(drop);
    }

    #[test]
    fn what_gives_no_batch_is_refused_with_the_cure() {
        let refused = |config| load(config, "none").unwrap_err().to_string();
        assert!(refused(LoaderConfig::new(0)).contains("at least one image"));
        let drop = LoaderConfig { last_batch: LastBatch::Drop, ..LoaderConfig::new(24) };
        assert!(refused(drop).contains("at most 23"));
        assert!(
            refused(LoaderConfig { threads: 100_000, ..LoaderConfig::new(4) }).contains("1024")
        );
        assert!(load(LoaderConfig::new(24), "none").is_ok());
        assert!(load(LoaderConfig::new(4), "crop=4").unwrap_err().to_string().contains("crop=4"));
        let gray = FittedNormalization { scale: vec![1.0], shift: vec![0.0] };
        let wrong = Loader::new(images(), &gray, Pipeline::default(), LoaderConfig::new(4));
        assert_eq!(wrong.unwrap_err(), LoaderError::Channels { expected: 2, found: 1 });
    }
}
