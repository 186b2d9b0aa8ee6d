//! Whether a graphics card makes the batches that the processor would have made.

use std::fmt;
use std::sync::Arc;

use backburn_data::augment::{self, Draw};
use backburn_data::loader::{Batch, Delivered, Delivery, Epoch, Loader, LoaderConfig};
use backburn_data::normalization::Normalization;
use backburn_data::{ImageSet, ImageShape};
use backburn_kernels::upload_targets;
use backburn_regularization::{LabelRegularizers, LabelledBatch, Targets};
use burn::tensor::{Device, Int, Tensor};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::judge::{Deviation, Quantity};
use crate::device_batch::DeviceBatch;
use crate::device_images::DeviceImages;

/// Greatest error of a blended pixel, in units of the deviation that normalization makes 1.
const BLEND_TOLERANCE: f64 = 1e-5;

/// Images of a set, no multiple of the batch.
const IMAGES: usize = 45;
const BATCH: usize = 8;
const CLASSES: usize = 10;

/// Sides that are no multiples of anything, and with a plane of bytes that is not made of whole words.
const SHAPES: [ImageShape; 2] = [
    ImageShape { channels: 3, height: 19, width: 17 },
    ImageShape { channels: 1, height: 7, width: 9 },
];

/// What changes images by places alone, and one that needs the processor.
const AUGMENTATIONS: [(&str, Delivery); 6] = [
    ("none", Delivery::Places),
    ("flip", Delivery::Places),
    ("crop=3", Delivery::Places),
    ("crop=4:reflect,flip", Delivery::Places),
    ("alternating-flip,crop=2:reflect", Delivery::Places),
    ("brightness", Delivery::Bytes),
];

/// Label regularizers by flag and strength: those that change targets, and those that mix images.
const REGULARIZERS: [&[(&str, &str)]; 4] = [
    &[],
    &[("disturb-label", "30"), ("label-smoothing", "0.1")],
    &[("mixup", "1"), ("label-smoothing", "0.2:others")],
    &[("cutmix", "1")],
];

/// Classes of a row that have something else than the others, and what.
type Others = &'static [(usize, f32)];

/// Numbers of classes, and rows: of as many classes as there can be, with more that stand out than two, of too few classes for it.
const TARGETS: [(usize, &[Others]); 4] = [
    (65_536, &[&[(65_535, 1.0)], &[(65_534, 0.7), (3, 0.3)], &[]]),
    (6, &[&[(5, 0.5), (0, 0.25), (2, 0.25)], &[(1, 1.0)]]),
    (3, &[&[(2, 1.0)], &[(0, 0.5), (1, 0.25)]]),
    (1, &[&[(0, -2.5)], &[]]),
];

/// The finding that batches are the processor's.
#[derive(Clone, Copy, Debug, Default)]
pub struct BatchesVerified {
    /// Images that were compared; 0 for a device that is always given values.
    pub images: usize,
    /// Greatest error of a blended pixel; all others are equal bit for bit.
    pub blend: f64,
}

impl fmt::Display for BatchesVerified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { images, blend } = self;
        if *images == 0 {
            return f.write_str("given as values, so that there is nothing to compare");
        }
        write!(
            f,
            "{images} images, targets and labels as the processor makes them, bit for bit; blends within \
             {blend:.1e} (allowed {BLEND_TOLERANCE:.0e})"
        )
    }
}

/// Compares batches that `device` makes of bytes with those that it is given as values; of none if it is
/// always given values.
///
/// # Errors
///
/// If they differ by more than the rounding of a blend.
pub(super) fn verify_batches(device: &Device) -> Result<BatchesVerified, Deviation> {
    let mut found = BatchesVerified::default();
    let kinds =
        SHAPES.iter().flat_map(|shape| AUGMENTATIONS.map(|(spec, way)| (*shape, spec, way)));
    for (shape, spec, expected_way) in kinds {
        let loader = loader(shape, spec);
        let way = DeviceImages::of(&loader, device);
        if way.delivery() == Delivery::Values {
            break;
        }
        if way.delivery() != expected_way {
            let quantity = Quantity::Batch(format!("{spec} delivered as {:?}", way.delivery()));
            return Err(Deviation { quantity, step: 0, found: f64::INFINITY, allowed: 0.0 });
        }
        let epochs = |loader: &Loader| [epoch(loader, 1), epoch(loader, 2)].into_iter().flatten();
        let there = loader.clone().delivering(way.delivery());
        for regularizers in REGULARIZERS {
            for (number, (values, delivered)) in (1..).zip(epochs(&loader).zip(epochs(&there))) {
                let expected = OnProcessor::new(values, regularizers, number);
                let batch = upload(delivered, &way, regularizers, number, device);
                let blends = regularizers.iter().any(|(flag, _)| *flag == "mixup");
                let error = difference(&batch, &expected, blends);
                let allowed = if blends { BLEND_TOLERANCE } else { 0.0 };
                if error > allowed {
                    let quantity = Quantity::Batch(format!("{spec} {regularizers:?}"));
                    return Err(Deviation { quantity, step: number, found: error, allowed });
                }
                found.blend = found.blend.max(error);
                found.images += batch.images.dims()[0];
            }
        }
    }
    if found.images > 0 {
        verify_targets(device)?;
    }
    Ok(found)
}

/// Compares rows of targets of every kind, of few classes and of as many as there can be, with what they were made of.
fn verify_targets(device: &Device) -> Result<(), Deviation> {
    for (classes, rows) in TARGETS {
        let mut targets = vec![0.01; rows.len() * classes];
        for (row, others) in targets.chunks_exact_mut(classes).zip(rows) {
            others.iter().for_each(|&(class, value)| row[class] = value);
        }
        let labels: Vec<u16> = (0..rows.len()).map(|row| u16::MAX - row as u16).collect();
        let (found, found_labels) = upload_targets(targets.clone(), classes, &labels, device);
        if !is_same(&values(&found), &targets) || !is_same_labels(&found_labels, &labels) {
            let quantity = Quantity::Batch(format!("targets of {classes} classes"));
            return Err(Deviation { quantity, step: 0, found: f64::INFINITY, allowed: 0.0 });
        }
    }
    Ok(())
}

fn loader(shape: ImageShape, spec: &str) -> Loader {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let pixels = (0..IMAGES * shape.pixels()).map(|_| rng.random()).collect();
    let labels = (0..IMAGES).map(|image| (image % CLASSES) as u16).collect();
    let set = ImageSet::new(shape, CLASSES, pixels, labels).expect("its sizes suit each other");
    let normalization = Normalization::PerChannel.fit(&set).expect("there are images");
    let augment = augment::parse(spec).expect("it is written here");
    let config = LoaderConfig { threads: 0, ..LoaderConfig::new(BATCH) };
    Loader::new(Arc::new(set), &normalization, augment, config)
        .expect("sides are larger than crops")
}

fn epoch(loader: &Loader, epoch: usize) -> Epoch {
    let draw = move |image: usize| Draw {
        rng: ChaCha8Rng::seed_from_u64((epoch * IMAGES + image) as u64),
        lasting: ChaCha8Rng::seed_from_u64(image as u64),
        epoch,
    };
    loader.epoch(&mut ChaCha8Rng::seed_from_u64(epoch as u64), draw)
}

fn upload(
    batch: Batch,
    way: &DeviceImages,
    regularizers: &[(&str, &str)],
    number: usize,
    device: &Device,
) -> DeviceBatch {
    DeviceBatch::upload_changed(batch, CLASSES, way, device, |batch| {
        regularize(batch, regularizers, number);
    })
}

fn regularize(batch: &mut LabelledBatch, regularizers: &[(&str, &str)], number: usize) {
    let mut labels = LabelRegularizers::default();
    for (flag, strength) in regularizers {
        labels.set(flag, strength).expect("they are of the catalog");
    }
    labels.apply(batch, |_| ChaCha8Rng::seed_from_u64(number as u64));
}

/// A batch as the processor makes it, which never was on the device.
struct OnProcessor {
    images: Vec<f32>,
    targets: Vec<f32>,
    labels: Vec<u16>,
}

impl OnProcessor {
    fn new(batch: Batch, regularizers: &[(&str, &str)], number: usize) -> Self {
        let shape = batch.dims();
        let Batch { images, labels, .. } = batch;
        let Delivered::Values(values) = images else { unreachable!("values were asked for") };
        let targets = Targets::one_hot(&labels, CLASSES);
        let mut batch = LabelledBatch { images: values.into(), shape, targets };
        regularize(&mut batch, regularizers, number);
        let images = batch.images.values().to_vec();
        Self { images, targets: batch.targets.into_probabilities(), labels }
    }
}

/// The greatest difference of two pixels, never NaN; infinite if bits are to be equal and are not, and if targets or labels differ.
fn difference(batch: &DeviceBatch, expected: &OnProcessor, blends: bool) -> f64 {
    let (found, wanted) = (values(&batch.images), &expected.images);
    let is_same_target = is_same(&values(&batch.targets), &expected.targets)
        && is_same_labels(&batch.labels, &expected.labels);
    if !is_same_target || found.len() != wanted.len() {
        return f64::INFINITY;
    }
    if is_same(&found, wanted) {
        return 0.0;
    }
    if !blends {
        return f64::INFINITY;
    }
    let apart = |(a, b): (&f32, &f32)| (f64::from(*a) - f64::from(*b)).abs();
    found
        .iter()
        .zip(wanted)
        .map(apart)
        .fold(0.0, |greatest: f64, it| if it.is_nan() { f64::INFINITY } else { greatest.max(it) })
}

fn values<const D: usize>(tensor: &Tensor<D>) -> Vec<f32> {
    tensor.clone().into_data().try_to_vec().expect("they are 32-bit floats")
}

fn is_same(a: &[f32], b: &[f32]) -> bool {
    a.iter().map(|a| a.to_bits()).eq(b.iter().map(|b| b.to_bits()))
}

fn is_same_labels(found: &Tensor<2, Int>, expected: &[u16]) -> bool {
    found.clone().into_data().iter::<i64>().eq(expected.iter().copied().map(i64::from))
}
