//! An epoch of a run: a line of its metrics.

use serde::{Deserialize, Serialize};

use crate::nan::null_as_nan;

/// File name of the [`EpochRecord`]s, one JSON object a line.
pub const METRICS_FILE: &str = "metrics.jsonl";

/// One line of `metrics.jsonl`. Accuracies are fractions in `[0, 1]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Epoch, counted from 1.
    pub epoch: usize,
    /// What was minimized, with regularizers: mean over the epoch's images, a short batch counting by those it
    /// holds. In runs that versions before 0.2 began, mean over the epoch's batches.
    #[serde(deserialize_with = "null_as_nan")]
    pub train_objective: f64,
    /// Running accuracy against the labels trained on, before any label regularizer, while training.
    #[serde(deserialize_with = "null_as_nan")]
    pub train_accuracy: f64,
    /// Mean cross-entropy in nats; `None` without a validation split.
    pub valid_loss: Option<f64>,
    /// Accuracy; `None` without a validation split.
    pub valid_accuracy: Option<f64>,
    /// Learning rate of the epoch's last step.
    #[serde(deserialize_with = "null_as_nan")]
    pub learning_rate: f64,
    /// Wall clock of the epoch with its validation, in seconds.
    #[serde(deserialize_with = "null_as_nan")]
    pub seconds: f64,
    /// Training images a second.
    #[serde(deserialize_with = "null_as_nan")]
    pub images_per_second: f64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn a_loss_that_is_not_finite_is_written_as_null_and_read_as_nan() {
        let mut epoch = sample::run().epochs[0].clone();
        epoch.train_objective = f64::INFINITY;
        epoch.valid_loss = None;
        let json = serde_json::to_string(&epoch).unwrap();
        assert!(json.contains("\"train_objective\":null"), "{json}");
        let read: EpochRecord = serde_json::from_str(&json).unwrap();
        assert!(read.train_objective.is_nan());
        assert_eq!(read.valid_loss, None);
        assert_eq!(read.train_accuracy, epoch.train_accuracy);
    }
}
