//! The machine's rate in matrix products, which all else is held against: no layer can be faster.

use backburn_training::speed::noise;
use backburn_training::speed::stopwatch::{repeat, wait};
use backburn_training::speed::work::Work;
use burn::tensor::Device;

/// Rows and columns of the matrices: large enough that the product is all computing and little moving.
pub(crate) const SIZE: usize = 1024;

/// Multiplies two square matrices for that many seconds.
pub(crate) fn multiply(seconds: f64, device: &Device) -> Work {
    let matrix = noise::tensor([SIZE; 2], device);
    let product = || drop(matrix.clone().matmul(matrix.clone()));
    product();
    let elapsed = repeat(seconds, || wait(device), product);
    let operations = 2.0 * (SIZE as f64).powi(3);
    Work { amount: elapsed.times as f64 * operations, seconds: elapsed.seconds }
}
