//! Tensors and images of noise, the same in every process. No computation here is faster or slower
//! for what an image shows.

use backburn_regularization::{LabelledBatch, Targets};
use burn::tensor::{Device, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::device_batch::DeviceBatch;

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

/// A batch of images of noise, `[batch, channels, height, width]`, in classes that take turns.
pub fn batch(shape: [usize; 4], classes: usize, device: &Device) -> DeviceBatch {
    let labels: Vec<u16> = (0..shape[0]).map(|image| (image * 7 % classes) as u16).collect();
    let (images, targets) = (values(shape.iter().product()), Targets::one_hot(&labels, classes));
    DeviceBatch::of(LabelledBatch { images, shape, targets }, &labels, device)
}

/// Pixels of images.
pub fn bytes(count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    ChaCha8Rng::seed_from_u64(SEED).fill_bytes(&mut bytes);
    bytes
}
