//! The program's verbs, one file each.

pub mod ablate;
pub mod bench;
pub(crate) mod bench_child;
pub mod compare;
pub mod compare_regularizers;
pub mod data;
mod describe;
pub mod evaluate;
pub mod experiment;
mod explained;
pub mod export;
pub mod find_rate;
mod folds;
pub mod label_errors;
pub mod models;
mod near_copies;
pub mod predict;
pub mod preview;
pub mod replay;
pub mod report;
pub mod search;
mod seeds;
pub mod study;
pub mod train;
pub mod verify;
pub mod verify_kernels;
