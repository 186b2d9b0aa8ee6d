//! Scores of a network on a set: clean labels, no augmentation, no regularizer.
//!
//! [`predict`](predict()) asks the network once. [`temperature`] rescales what it said, and
//! [`test_time_augmentation`] and [`monte_carlo_dropout`] ask it several times and take the mean of
//! the probabilities. All of these are [`Predictions`], which know their scores. [`of_run`] scores a run's weights in
//! the ways that are asked for, [`other_sets`] on test sets and pictures that are not its own.

pub mod calibration;
mod labelled_pictures;
pub mod memorized;
pub mod monte_carlo_dropout;
pub mod of_run;
pub mod other_sets;
pub mod predict;
pub mod predictions;
#[cfg(test)]
mod sample;
pub mod score_table;
pub mod temperature;
pub mod test_time_augmentation;
mod which_weights;

pub use calibration::{CALIBRATION_BINS, CalibrationBin};
pub use memorized::memorized;
pub(crate) use predict::{BATCH_SIZE, forward};
pub use predict::{ValidationPredictions, predict, predict_validation};
pub use predictions::{Predictions, Scores, TOP_K};
