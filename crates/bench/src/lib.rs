//! How fast this machine trains: what `backburn bench` measures, and how.
//!
//! Every figure is the median of a few short repetitions. Everything is measured in processes of its
//! own ([`child`]), which sit idle until they are asked over a pipe ([`protocol`]): so nothing is warm
//! when the first step is timed, the peak of memory is that of one network, and those that are
//! compared can take turns ([`turns`]). They must, because the speed of a machine that others use too
//! drifts within minutes, by as much as what is to be found out.

pub mod bystanders;
pub mod case;
pub mod child;
pub mod figure;
pub mod layers;
pub mod loader;
pub mod machine;
pub mod matrix_product;
pub mod measure;
pub mod memory;
pub mod plan;
pub mod process;
pub mod protocol;
pub mod pytorch;
pub mod record;
pub mod tables;
pub mod turns;
