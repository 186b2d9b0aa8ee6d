//! Tensors and images of noise, the same in every process. No computation here is faster or slower
//! for what an image shows.

use burn::tensor::{Device, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Of the generator.
const SEED: u64 = 1;

/// Uniform with mean 0 and variance 1, as normalized images have.
pub(crate) fn tensor<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let mut draw = || (f64::from(rng.next_u32()) / f64::from(u32::MAX) * 2.0 - 1.0) * 3_f64.sqrt();
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| draw() as f32).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Pixels of images.
pub(crate) fn bytes(count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    ChaCha8Rng::seed_from_u64(SEED).fill_bytes(&mut bytes);
    bytes
}
