//! Loops on graphics cards, written in CubeCL: one source for every backend that compiles it. Each knows CubeCL's tensors
//! only; the operations that call them are in the files beside this folder.

pub(crate) mod batch_norm;
pub(crate) mod cross_entropy;
pub(crate) mod optimizer_step;
pub(crate) mod running_statistics;
pub(crate) mod weight_gradient;
