//! The loader alone: images a second that it can deliver, whatever the network then makes of them.

use std::hint::black_box;
use std::sync::Arc;

use backburn_data::loader::{LastBatch, Loader};
use backburn_data::normalization::Normalization;
use backburn_data::{ImageSet, ImageShape, augment};
use backburn_training::prepare::loader_config;
use backburn_training::seeds::Seeds;
use backburn_training::speed::noise;
use backburn_training::speed::stopwatch::repeat;
use backburn_training::speed::work::Work;

/// What the loader is measured with, in the words of `--augment`.
pub(crate) const AUGMENTATIONS: [&str; 2] = ["none", "crop=4:reflect,flip"];

/// Shape of CIFAR-10's images.
const SHAPE: ImageShape = ImageShape { channels: 3, height: 32, width: 32 };

/// Number of images, enough that starting the threads does not count.
const IMAGES: usize = 8192;

const BATCH_SIZE: usize = 128;

/// Loads epochs for that many seconds.
///
/// # Errors
///
/// If `augment` is no augmentation.
pub(crate) fn load(augment: &str, seconds: f64, threads: usize) -> Result<Work, String> {
    let pixels = noise::bytes(IMAGES * SHAPE.pixels());
    let set = ImageSet::new(SHAPE, 10, pixels, vec![0; IMAGES]).expect("lengths fit");
    let normalization = Normalization::PerChannel.fit(&set).expect("there are images");
    let pipeline = augment::parse(augment).map_err(|error| error.to_string())?;
    let config = loader_config(BATCH_SIZE, LastBatch::Keep, threads);
    let loader = Loader::new(Arc::new(set), &normalization, pipeline, config)
        .map_err(|error| error.to_string())?;
    let seeds = Seeds::new(1);
    let mut number = 0;
    let epoch = || {
        number += 1;
        let batches = loader.epoch(&mut seeds.order(number), seeds.augmentation(number));
        batches.for_each(|batch| drop(black_box(batch)));
    };
    let elapsed = repeat(seconds, || (), epoch);
    Ok(Work { amount: (elapsed.times * IMAGES) as f64, seconds: elapsed.seconds })
}
