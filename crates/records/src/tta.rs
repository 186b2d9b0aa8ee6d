//! Test-time augmentation in records: by which views of each image a score was taken, and what it is without.

use serde::{Deserialize, Serialize};

use crate::nan::null_as_nan;

/// How answers were come by for which the network was asked in several views of each image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TtaRecord {
    /// The views, as the recipe has them, such as `flip,diagonal=1`.
    pub views: String,
    /// How many there are of an image, itself among them.
    pub count: usize,
    /// How often the network was asked about the images of the split, in all.
    pub evaluations: u64,
    /// Scores of the same network, asked once about each image.
    pub plain: PlainScores,
}

/// Scores of a network that is asked once about each image of the split.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlainScores {
    /// Share of right answers, in `[0, 1]`.
    #[serde(deserialize_with = "null_as_nan")]
    pub accuracy: f64,
    /// Mean cross-entropy in nats.
    #[serde(deserialize_with = "null_as_nan")]
    pub nll: f64,
    /// Brier score, in `[0, 2]`.
    #[serde(deserialize_with = "null_as_nan")]
    pub brier: f64,
    /// Expected calibration error, in `[0, 1]`.
    #[serde(deserialize_with = "null_as_nan")]
    pub ece: f64,
    /// The temperature that was fitted on answers to the validation images, asked once; `None` without that split, or if
    /// no temperature is the best.
    #[serde(default)]
    pub temperature: Option<f64>,
}

/// That scores of runs were taken by views, in a sentence; `None` if none was. `views`: those of each run, as its
/// summary has them.
pub fn by_views<'a>(views: impl IntoIterator<Item = Option<&'a str>>) -> Option<String> {
    let all: Vec<Option<&str>> = views.into_iter().collect();
    let mut different: Vec<&str> = all.iter().copied().flatten().collect();
    different.sort_unstable();
    different.dedup();
    if different.is_empty() {
        return None;
    }
    let whose = if all.contains(&None) { "Of some runs, validation" } else { "Validation" };
    Some(format!(
        "{whose} and test are scored by the mean over views of each image (test-time augmentation: \
         {}), training images by one look at each.",
        different.join("; ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_names_the_views_once_and_whether_all_runs_have_them() {
        assert_eq!(by_views([]), None);
        assert_eq!(by_views([None, None]), None);
        let one = by_views([Some("flip"), Some("flip")]).unwrap();
        assert!(one.starts_with("Validation and test"), "{one}");
        assert!(one.contains("(test-time augmentation: flip)"), "{one}");
        let some = by_views([Some("shift=1"), None, Some("flip")]).unwrap();
        assert!(some.starts_with("Of some runs, validation and test"), "{some}");
        assert!(some.contains("(test-time augmentation: flip; shift=1)"), "{some}");
    }
}
