//! A run's scores as other programs read them: while it trains by a logger ([`CATALOG`]), afterwards as runs of MLflow
//! ([`write_mlflow`]).
//!
//! [`RunLog`] hears of a training as any other watch does, says in the words of [`item`] what there is to log, and tells
//! it to every [`Logger`]. A logger is one file here: it turns items into bytes. Nothing that it does changes a result,
//! and one that fails ends itself, not the training.

// What lies in a run folder must not end the program.
#![deny(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used
)]

mod catalog;
mod csv;
mod error;
mod histogram;
pub mod item;
pub mod logger;
mod mlflow;
mod picture;
pub mod protobuf;
mod run_log;
mod scalars;
mod settings;
mod tensorboard;
mod thinning;

pub use catalog::{CATALOG, Entry, chosen, help};
pub use csv::SCALARS_FILE;
pub use error::LogError;
pub use logger::Logger;
pub use mlflow::write_mlflow;
pub use picture::Picture;
pub use run_log::{RunLog, open};
pub use tensorboard::EVENTS_FOLDER;
