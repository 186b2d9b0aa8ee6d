//! The kernels themselves: slices in, slices out, nothing of Burn.

mod activation;
mod arrange;
mod buffer;
mod convolve;
mod dropout;
mod exp;
mod features;
mod finish;
mod kept;
mod normalize;
mod optimizer_step;
mod panels;
mod pool;
mod pool_windows;
mod product;
mod rate;
mod shape;
mod simd;
mod weight_gradient;
mod winograd;

pub use activation::{Activation, activate, activation_gradient, relu_gradient};
pub use convolve::{PackedWeights, convolve, convolve_packed, input_gradient, pack};
pub use dropout::{DropoutMask, dropout};
pub use features::cpu_features;
pub use finish::Finish;
pub use normalize::{
    FollowedBy, Forward as NormalizeForward, Moments, NormalizeGradients, Statistics, moments,
    normalize, normalize_gradient,
};
pub use optimizer_step::{OptimizerStep, Rule, optimizer_step};
pub use panels::WeightLayout;
pub use pool::{PoolShape, max_pool, max_pool_gradient};
pub use pool_windows::{PoolWindows, max_pool_windows, max_pool_windows_gradient};
/// For the example `layers` alone.
#[doc(hidden)]
pub use rate::{product_rate, products_of_a_thread};
pub use shape::ConvShape;
pub use simd::{INSTRUCTION_SETS, available_instruction_sets, instruction_set};
pub use weight_gradient::{bias_gradient, weight_gradient};
pub use winograd::{filters, filters_weight_gradient};
