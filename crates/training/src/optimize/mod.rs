//! The way from gradients to steps: the optimizers, their learning rate, and what follows the
//! weights.

pub mod averaging;
pub mod gradients;
pub mod muon;
pub mod named_weights;
pub mod optimizer;
pub mod parameter_group;
pub mod plateau;
pub mod rule;
pub mod schedule;
pub mod warm_up;
