//! The scores of a run.

use serde::{Deserialize, Serialize};

use crate::nan::null_as_nan;

/// File name of the [`Summary`].
pub const SUMMARY_FILE: &str = "summary.json";

/// `summary.json`: the scores of a run, all with the selected weights. Losses are mean
/// cross-entropy in nats on clean labels and unaugmented images, of the mean over views for validation and test if
/// `tta` names some; accuracies and the gap are fractions in `[0, 1]`. With label noise, those on training images are by the labels trained on, wrong
/// ones among them; validation and test have none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Epoch whose weights were selected, counted from 1.
    pub best_epoch: usize,
    /// Last epoch trained, counted from 1.
    pub last_epoch: usize,
    /// Loss on training images.
    #[serde(deserialize_with = "null_as_nan")]
    pub train_loss: f64,
    /// Accuracy on training images.
    #[serde(deserialize_with = "null_as_nan")]
    pub train_accuracy: f64,
    /// Loss on the validation split; `None` without one.
    pub valid_loss: Option<f64>,
    /// Accuracy on the validation split; `None` without one.
    pub valid_accuracy: Option<f64>,
    /// Loss on the test split.
    #[serde(deserialize_with = "null_as_nan")]
    pub test_loss: f64,
    /// Accuracy on the test split.
    #[serde(deserialize_with = "null_as_nan")]
    pub test_accuracy: f64,
    /// `train_accuracy` minus `test_accuracy`.
    #[serde(deserialize_with = "null_as_nan")]
    pub generalization_gap: f64,
    /// Expected calibration error on the test split: top label, 15 equal-width bins, in `[0, 1]`.
    #[serde(deserialize_with = "null_as_nan")]
    pub test_ece: f64,
    /// Wall clock of the training loop with validation, in seconds.
    #[serde(deserialize_with = "null_as_nan")]
    pub train_seconds: f64,
    /// Training images a second, over the run.
    #[serde(deserialize_with = "null_as_nan")]
    pub images_per_second: f64,
    /// Trainable parameters of the model.
    pub parameters: u64,
    /// What has become of the wrong labels; `None` without label noise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memorized: Option<Memorized>,
    /// The views of each image that validation and test are scored by, as the recipe has them, such as `flip`; `None`
    /// for one look at each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tta: Option<String>,
}

/// How far wrong labels have been learnt by heart, over all training images, unaugmented.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Memorized {
    /// Training images with another label than the data have.
    pub wrong_labels: usize,
    /// Share of these that are answered with their wrong label, in `[0, 1]`; NaN if there is none. 0 for a network
    /// that knows the classes, about one in the number of classes for one that guesses.
    #[serde(deserialize_with = "null_as_nan")]
    pub learnt_by_heart: f64,
    /// Accuracy on the other training images, whose labels are right, in `[0, 1]`; NaN if there is none.
    #[serde(deserialize_with = "null_as_nan")]
    pub clean_accuracy: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_no_image_is_written_as_null_and_read_as_nan() {
        let memorized =
            Memorized { wrong_labels: 0, learnt_by_heart: f64::NAN, clean_accuracy: 1.0 };
        let text = serde_json::to_string(&memorized).unwrap();
        assert!(text.contains("\"learnt_by_heart\":null"), "{text}");
        let read: Memorized = serde_json::from_str(&text).unwrap();
        assert!(read.learnt_by_heart.is_nan() && read.clean_accuracy == 1.0);
    }
}
