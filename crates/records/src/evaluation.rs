//! `evaluation.json`: scores of the answers, which classes are confused, how far confidence can be
//! trusted, and the worst mistakes.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::confusion::Confusion;
use crate::error::RecordError;
use crate::explanation::Explanation;
use crate::nan::null_as_nan;
use crate::pixels::{from_base64, to_base64};
use crate::tta::TtaRecord;

/// File name of the [`EvaluationRecord`].
pub const EVALUATION_FILE: &str = "evaluation.json";

/// A network's answers on one split, counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvaluationRecord {
    /// Name of each class, in label order.
    pub class_names: Vec<String>,
    /// Images by true class and answer.
    pub confusion: Confusion,
    /// Bins of equal width of the top label's confidence, from 0 to 1; usually 15.
    pub reliability: Vec<ReliabilityBin>,
    /// Wrong answers, the highest loss first; usually not all of them.
    pub mistakes: Vec<Mistake>,
    /// Mean cross-entropy in nats. Older records have neither this nor what follows.
    #[serde(default)]
    pub nll: Option<f64>,
    /// Brier score, summed over the classes, in `[0, 2]`.
    #[serde(default)]
    pub brier: Option<f64>,
    /// Expected calibration error over the bins of `reliability`, in `[0, 1]`.
    #[serde(default)]
    pub ece: Option<f64>,
    /// Mean of the classes' accuracies, whatever their numbers of images, in `[0, 1]`; of those that have images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balanced_accuracy: Option<f64>,
    /// Maximum calibration error over these bins, in `[0, 1]`.
    #[serde(default)]
    pub mce: Option<f64>,
    /// How often the label is among the most probable classes.
    #[serde(default)]
    pub top_k: Option<TopKRecord>,
    /// One record a class, in label order.
    #[serde(default)]
    pub per_class: Vec<ClassRecord>,
    /// Scores with the temperature fitted on the validation split; `None` without that split, or if
    /// no temperature is the best.
    #[serde(default)]
    pub temperature: Option<TemperatureRecord>,
    /// By which views of each image all of this was taken; `None` if the network was asked once about each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tta: Option<TtaRecord>,
}

/// How often the label is among the `k` most probable classes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TopKRecord {
    /// Classes that are looked at.
    pub k: usize,
    /// Share of images in `[0, 1]`.
    #[serde(deserialize_with = "null_as_nan")]
    pub accuracy: f64,
}

/// How well one class is recognized. A share of nothing is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassRecord {
    /// Images of the class (its support).
    pub images: u64,
    /// Share of them that is answered rightly (recall), in `[0, 1]`.
    pub accuracy: Option<f64>,
    /// Share of right answers among those that name the class, in `[0, 1]`.
    pub precision: Option<f64>,
    /// Harmonic mean of the two: `2 · right / (images + answers)`, in `[0, 1]`.
    pub f1: Option<f64>,
}

/// Scores of the same answers with logits divided by a temperature.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TemperatureRecord {
    /// The temperature, above 0; more than 1 makes a network less sure.
    #[serde(deserialize_with = "null_as_nan")]
    pub temperature: f64,
    /// Mean cross-entropy in nats.
    #[serde(deserialize_with = "null_as_nan")]
    pub nll: f64,
    /// Brier score, in `[0, 2]`.
    #[serde(deserialize_with = "null_as_nan")]
    pub brier: f64,
    /// Expected calibration error, in `[0, 1]`.
    #[serde(deserialize_with = "null_as_nan")]
    pub ece: f64,
}

/// One bin of the reliability diagram.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// Images in the bin.
    pub count: u64,
    /// Mean confidence in `[0, 1]`; of no meaning in an empty bin.
    #[serde(deserialize_with = "null_as_nan")]
    pub confidence: f64,
    /// Share of right answers in `[0, 1]`; of no meaning in an empty bin.
    #[serde(deserialize_with = "null_as_nan")]
    pub accuracy: f64,
}

/// One wrong answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mistake {
    /// Index in the split, from 0.
    pub index: usize,
    /// True class.
    pub label: usize,
    /// Answer.
    pub prediction: usize,
    /// Probability given to the answer, in `[0, 1]`.
    #[serde(deserialize_with = "null_as_nan")]
    pub confidence: f64,
    /// Cross-entropy against the true class, in nats.
    #[serde(deserialize_with = "null_as_nan")]
    pub loss: f64,
    /// Channels (1 or 3), height, width.
    pub shape: [usize; 3],
    /// The image, one byte a value, in the order of `shape`; base64 in JSON.
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    pub pixels: Vec<u8>,
    /// What in the image spoke for the answer. Older records have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<Explanation>,
    /// The picture's file, from the folder of the pictures on; a data set of the catalog has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// A temperature that is fitted on fewer validation images than this is a rough one.
pub const FEW_TO_CALIBRATE: usize = 100;

impl EvaluationRecord {
    /// Images counted in the confusion matrix.
    pub fn image_count(&self) -> u64 {
        self.confusion.images()
    }

    /// Wrong answers counted in the confusion matrix.
    pub fn mistake_count(&self) -> u64 {
        self.image_count() - self.confusion.right()
    }

    /// Checks that the parts fit together, so that nothing needs to be checked when they are counted or
    /// drawn.
    ///
    /// # Errors
    ///
    /// What does not fit; `path` names the file.
    pub fn check(&self, path: &Path) -> Result<(), RecordError> {
        let wrong = |expected: String, found: String| {
            Err(RecordError::Content {
                path: path.to_path_buf(),
                line: None,
                expected,
                found,
                cure: "repeat the run with `cargo xtask train --config` of its config.toml",
            })
        };
        let classes = self.class_names.len();
        if let Err((expected, found)) = self.confusion.check(classes) {
            return wrong(expected, found);
        }
        if ![0, classes].contains(&self.per_class.len()) {
            let rows = self.per_class.len();
            return wrong(format!("{classes} rows of `per_class`"), format!("{rows}"));
        }
        for (place, mistake) in self.mistakes.iter().enumerate() {
            let [channels, height, width] = mistake.shape;
            if channels != 1 && channels != 3 {
                return wrong(format!("1 or 3 channels in mistake {place}"), channels.to_string());
            }
            let size = channels.checked_mul(height).and_then(|n| n.checked_mul(width));
            if size != Some(mistake.pixels.len()) || mistake.pixels.is_empty() {
                let expected = format!("{:?} pixels in mistake {place}", mistake.shape);
                return wrong(expected, format!("{} bytes", mistake.pixels.len()));
            }
            if let Some(map) = mistake.explanation.as_ref().filter(|map| !map.is_whole()) {
                let expected =
                    format!("{} × {} values in the map of mistake {place}", map.height, map.width);
                return wrong(expected, map.values.len().to_string());
            }
            if mistake.label.max(mistake.prediction) >= classes {
                let found = mistake.label.max(mistake.prediction);
                return wrong(
                    format!("classes below {classes} in mistake {place}"),
                    found.to_string(),
                );
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn an_evaluation_survives_json_with_its_pixels_as_base64() {
        let evaluation = sample::evaluation();
        let json = serde_json::to_value(&evaluation).unwrap();
        assert!(json["mistakes"][0]["pixels"].is_string());
        for name in ["index", "label", "prediction", "confidence", "loss", "shape"] {
            assert!(!json["mistakes"][0][name].is_null(), "{name}");
        }
        assert_eq!(serde_json::from_value::<EvaluationRecord>(json).unwrap(), evaluation);
    }

    #[test]
    fn a_record_of_an_older_version_has_no_scores() {
        let mut json = serde_json::to_value(sample::evaluation()).unwrap();
        for name in ["nll", "brier", "ece", "mce", "top_k", "per_class", "temperature"] {
            assert!(!json.as_object_mut().unwrap().remove(name).unwrap().is_null(), "{name}");
        }
        for mistake in json["mistakes"].as_array_mut().unwrap() {
            assert!(mistake.as_object_mut().unwrap().remove("explanation").is_some());
        }
        let read: EvaluationRecord = serde_json::from_value(json).unwrap();
        read.check(Path::new("evaluation.json")).unwrap();
        assert!(read.nll.is_none() && read.per_class.is_empty() && read.temperature.is_none());
        assert!(read.mistakes.iter().all(|mistake| mistake.explanation.is_none()));
    }

    #[test]
    fn views_are_written_down_where_there_are_some() {
        let mut evaluation = sample::evaluation();
        assert!(serde_json::to_value(&evaluation).unwrap().get("tta").is_none());
        evaluation.tta = Some(sample::views());
        let json = serde_json::to_value(&evaluation).unwrap();
        assert_eq!(
            (&json["tta"]["count"], &json["tta"]["evaluations"]),
            (&6.into(), &22_500.into())
        );
        assert_eq!(serde_json::from_value::<EvaluationRecord>(json).unwrap(), evaluation);
    }

    #[test]
    fn mistakes_are_counted_off_the_diagonal() {
        let mut evaluation = sample::evaluation();
        evaluation.class_names = vec!["a".into(), "b".into()];
        evaluation.confusion = Confusion::Matrix(vec![vec![5, 2], vec![1, 7]]);
        assert_eq!((evaluation.mistake_count(), evaluation.image_count()), (3, 15));
    }

    #[test]
    fn parts_that_do_not_fit_together_are_refused() {
        let path = Path::new("evaluation.json");
        sample::evaluation().check(path).unwrap();
        let mut short = sample::evaluation();
        let Confusion::Matrix(rows) = &mut short.confusion else { panic!("a matrix") };
        rows[3].pop();
        let message = short.check(path).unwrap_err().to_string();
        assert!(message.contains("expected 10 counts in row 3"), "{message}");
        let mut shape = sample::evaluation();
        shape.mistakes[0].shape = [1, usize::MAX, 2];
        assert!(shape.check(path).is_err());
        let mut map = sample::evaluation();
        map.mistakes[1].explanation.as_mut().unwrap().values.pop();
        let message = map.check(path).unwrap_err().to_string();
        assert!(message.contains("expected 7 × 7 values in the map of mistake 1"), "{message}");
        let mut classes = sample::evaluation();
        classes.per_class.pop();
        assert!(classes.check(path).unwrap_err().to_string().contains("10 rows of `per_class`"));
        let mut label = sample::evaluation();
        label.mistakes[0].prediction = 10;
        assert!(label.check(path).unwrap_err().to_string().contains("classes below 10"));
    }
}
