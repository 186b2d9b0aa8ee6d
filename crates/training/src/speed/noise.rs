//! Tensors and images of noise, the same in every process. No computation here is faster or slower
//! for what an image shows.

use burn::tensor::{Device, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::device_batch::DeviceBatch;

/// Of the generator.
const SEED: u64 = 1;

/// Uniform with mean 0 and variance 1, as normalized images have.
pub fn tensor<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let mut draw = || (f64::from(rng.next_u32()) / f64::from(u32::MAX) * 2.0 - 1.0) * 3_f64.sqrt();
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| draw() as f32).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// A batch of images of noise, `[batch, channels, height, width]`, in classes that take turns.
pub fn batch(shape: [usize; 4], classes: usize, device: &Device) -> DeviceBatch {
    let size = shape[0];
    let labels: Vec<usize> = (0..size).map(|image| image * 7 % classes).collect();
    let mut targets = vec![0.0_f32; size * classes];
    labels.iter().enumerate().for_each(|(image, &label)| targets[image * classes + label] = 1.0);
    let labels: Vec<i32> = labels.into_iter().map(|label| label as i32).collect();
    let plain = device.clone().without_autodiff();
    DeviceBatch {
        images: tensor(shape, device),
        targets: Tensor::from_data(TensorData::new(targets, [size, classes]), device),
        labels: Tensor::from_data(TensorData::new(labels, [size, 1]), &plain),
    }
}

/// Pixels of images.
pub fn bytes(count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    ChaCha8Rng::seed_from_u64(SEED).fill_bytes(&mut bytes);
    bytes
}
