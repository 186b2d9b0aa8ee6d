//! Tensors and images of noise, the same in every process. No computation here is faster or slower
//! for what an image shows.

use std::sync::Arc;

use backburn_data::loader::{Loader, LoaderConfig};
use backburn_data::normalization::Normalization;
use backburn_data::{ImageSet, ImageShape};
use burn::tensor::{Device, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Seed of the generator.
const SEED: u64 = 1;

/// A tensor of uniform values with mean 0 and variance 1, as normalized images have.
pub fn tensor<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values(shape.iter().product()), shape), device)
}

fn values(count: usize) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let mut draw = || (f64::from(rng.next_u32()) / f64::from(u32::MAX) * 2.0 - 1.0) * 3_f64.sqrt();
    (0..count).map(|_| draw() as f32).collect()
}

/// A loader of one batch of images of noise, `[batch, channels, height, width]`, in classes that take turns.
///
/// # Panics
///
/// If there is no image in it.
pub fn loader(shape: [usize; 4], classes: usize) -> Loader {
    let [batch, channels, height, width] = shape;
    let labels: Vec<u16> = (0..batch).map(|image| (image * 7 % classes) as u16).collect();
    let pixels = bytes(shape.iter().product());
    let image = ImageShape { channels, height, width };
    let set = ImageSet::new(image, classes, pixels, labels).expect("its sizes suit each other");
    let normalization = Normalization::PerChannel.fit(&set).expect("there are images");
    let config = LoaderConfig { threads: 0, ..LoaderConfig::new(batch) };
    let loader = Loader::new(Arc::new(set), &normalization, Default::default(), config);
    loader.expect("there is an image")
}

/// Pixels of images.
pub fn bytes(count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    ChaCha8Rng::seed_from_u64(SEED).fill_bytes(&mut bytes);
    bytes
}
