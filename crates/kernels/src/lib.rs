//! What a training step spends its time on, written for the CPU, and in part for graphics cards.
//!
//! Each operation takes and returns Burn tensors. On Burn's Flex backend it is ours, with a gradient
//! written by hand, and so are some on graphics cards; everywhere else it is made of Burn's own operations, which on
//! NdArray means that convolutions are matrix products. Feature maps are channels-last, `[batch, height, width, channels]`:
//! a pixel's channels lie side by side, which is what vectors of the CPU read, and what GPU libraries turn images
//! into anyway. Weights keep Burn's and PyTorch's shapes.
//!
//! | operation | file |
//! | --- | --- |
//! | convolution, with bias and activation | `conv2d.rs` |
//! | convolution with its batch normalization, in evaluations | `conv2d_batch_norm.rs` |
//! | linear layer, with bias and activation | `linear.rs` |
//! | product of two matrices | `matrix_product.rs` |
//! | batch normalization, with a residual and an activation | `batch_norm.rs` |
//! | batch normalization in training with the convolution behind it | `batch_norm_conv2d.rs` |
//! | running statistics of a normalization | `running_statistics.rs` |
//! | an activation by itself | `activate.rs` |
//! | pooling: maximum over windows | `max_pool.rs` |
//! | dropout | `dropout.rs` |
//! | cross-entropy | `cross_entropy.rs` |
//! | batches of images that lie on a card | `image_batch.rs`; what they show: `looks.rs` |
//! | what a batch should be answered with, on a device | `targets.rs`; in words: `target_records.rs` |
//! | an optimizer's step | `optimizer_step.rs` |
//! | weights packed once for many batches | `packed_weights.rs` |
//! | how many images an evaluation takes at once | `pieces.rs` |
//! | a convolution as one matrix product, on NdArray | `window_product.rs` |
//!
//! The loops themselves are in `cpu/`, which knows slices only. They give the same bits for any
//! number of threads: what is summed by several threads is cut into parts by the shapes alone. Those for graphics cards,
//! written in CubeCL, are in `cube/`: batch normalization, its running statistics, gradients
//! of convolutions, cross-entropy, optimizer steps, batches of images and their targets.

mod activate;
mod batch_norm;
mod batch_norm_conv2d;
mod conv2d;
mod conv2d_batch_norm;
mod conv_options;
pub mod cpu;
mod cross_entropy;
#[cfg(feature = "cube")]
mod cube;
mod device;
mod dropout;
#[cfg(feature = "flex")]
mod flex;
mod image_batch;
mod linear;
mod looks;
mod matrix_product;
mod max_pool;
mod optimizer_step;
mod packed_weights;
mod pieces;
mod running_statistics;
mod target_records;
mod targets;
#[cfg(any(all(test, feature = "flex"), feature = "ndarray"))]
mod window_product;

pub use activate::activate;
pub use batch_norm::{
    BatchNormParameters, BatchStatistics, Normalized, batch_norm, batch_norm_train,
};
pub use batch_norm_conv2d::batch_norm_train_conv2d;
pub use conv_options::ConvOptions;
pub use conv2d::conv2d;
pub use conv2d_batch_norm::conv2d_batch_norm;
pub use cpu::Activation;
pub use cpu::{OptimizerStep, Rule};
pub use cross_entropy::cross_entropy;
pub use device::reserved_bytes;
pub use dropout::dropout;
pub use image_batch::{ByteImages, ByteTables};
pub use linear::linear;
pub use looks::{Looks, MixedLooks, PlacedImage};
pub use matrix_product::{matrix_product, product_with_transposed};
pub use max_pool::{PoolOptions, max_pool, max_pool2x2};
pub use optimizer_step::{Moved, fuses_optimizer_steps, optimizer_step};
pub use packed_weights::keeping_packed_weights;
pub use pieces::images_at_once;
pub use running_statistics::moved_statistics;
pub use targets::upload_targets;
