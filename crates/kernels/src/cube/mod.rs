//! Loops on graphics cards, written in CubeCL: one source for every backend that compiles it. Each knows CubeCL's tensors
//! only; the operations that call them are in the files beside this folder.

use burn::tensor::{DType, Shape};
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;

pub(crate) mod batch_norm;
pub(crate) mod cross_entropy;
pub(crate) mod image_batch;
pub(crate) mod input_gradient;
pub(crate) mod optimizer_step;
pub(crate) mod running_statistics;
pub(crate) mod targets;
pub(crate) mod weight_gradient;

/// `count` as kernels count.
fn number(count: usize) -> u32 {
    u32::try_from(count).expect("fewer than four billion numbers")
}

/// Makes sure that every place in the tensors can be counted in 32 bits.
fn assert_countable(tensors: &[&CubeTensor]) {
    for tensor in tensors {
        number(tensor.meta.num_elements());
    }
}

/// A tensor of 32-bit floats beside `x`, row by row, of any content.
fn empty_beside(x: &CubeTensor, shape: Shape) -> CubeTensor {
    empty_device_contiguous_dtype(x.client.clone(), x.device.clone(), shape, DType::F32)
}
