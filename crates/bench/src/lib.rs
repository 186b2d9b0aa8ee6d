//! How fast this machine trains: what `backburn bench` measures, and how.
//!
//! Every figure is the median of a few short repetitions. Everything is measured in processes of its
//! own ([`child`]), which sit idle until they are asked over a pipe ([`protocol`]): so nothing is warm
//! when the first step is timed, the peak of memory is that of one network, and those that are
//! compared can take turns ([`turns`]). They must, because the speed of a machine that others use too
//! drifts within minutes, by as much as what is to be found out.

pub(crate) mod bystanders;
pub(crate) mod child;
pub(crate) mod figure;
pub(crate) mod layers;
pub(crate) mod loader;
pub(crate) mod machine;
pub(crate) mod matrix_product;
pub(crate) mod memory;
pub(crate) mod noise;
pub(crate) mod plan;
pub(crate) mod process;
pub(crate) mod protocol;
pub(crate) mod pytorch;
pub(crate) mod record;
pub(crate) mod stopwatch;
pub(crate) mod tables;
pub(crate) mod training;
pub(crate) mod turns;
