//! How fast this machine trains: what `backburn bench` measures, and how; and what it has to train with ([`doctor`]).
//!
//! Every figure is the median of a few short repetitions. Everything is measured in processes of its
//! own ([`child`]), which sit idle until they are asked over a pipe (`protocol.rs`): so nothing is warm
//! when the first step is timed, the peak of memory is that of one network, and those that are
//! compared can take turns (`turns.rs`). They must, because the speed of a machine that others use too
//! drifts within minutes, by as much as what is to be found out.

mod busy;
mod bystanders;
pub mod case;
pub mod child;
mod cores;
mod disk_space;
pub mod doctor;
mod figure;
mod layers;
mod loader;
mod machine;
mod matrix_product;
pub mod measure;
mod memory;
pub mod plan;
mod process;
mod protocol;
pub mod pytorch;
pub mod record;
pub mod tables;
mod turns;
mod way;
