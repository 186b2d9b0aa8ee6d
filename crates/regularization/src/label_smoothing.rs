//! Label smoothing: ask for less than certainty.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::fmt;
use std::str::FromStr;

use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::labelled_batch::{LabelRegularizer, LabelledBatch};
use crate::strength::{StrengthError, within};

/// Takes probability `ε` from the label and spreads it over the classes.
///
/// Linear in the target, so it also holds for a mixture of labels. Two conventions are in use; see
/// [`SmoothingConvention`]. As text `0.1` (uniform) or `0.1:others`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LabelSmoothing {
    /// ε, at least 0 and below [`SmoothingConvention::limit`]; 0 is off.
    pub strength: f64,
    /// Classes that ε is spread over.
    pub convention: SmoothingConvention,
}

/// Which of the `K` classes the probability is spread over.
///
/// `others` with `ε` is `uniform` with `ε · K/(K − 1)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SmoothingConvention {
    /// All classes, the label included: `y ← (1 − ε) y + ε/K`, as PyTorch's `CrossEntropyLoss`.
    ///
    /// Szegedy et al., [Rethinking the Inception
    /// Architecture](https://arxiv.org/abs/1512.00567), CVPR 2016.
    #[default]
    Uniform,
    /// All classes but the label, which keeps `1 − ε`: `y ← (1 − ε) y + (1 − y) ε/(K − 1)`. Common
    /// in hand-written losses, and where the label is to get a stated probability.
    Others,
}

impl SmoothingConvention {
    /// Where all `classes` get the same probability, so that nothing is left to learn: 1 for
    /// `uniform`, `(K − 1)/K` for `others`. Beyond it the label would be the least likely class.
    pub fn limit(self, classes: usize) -> f64 {
        match self {
            Self::Uniform => 1.0,
            Self::Others => 1.0 - 1.0 / classes as f64,
        }
    }
}

impl LabelSmoothing {
    /// Smoothing is linear, `y ← keep · y + floor`: keep and floor for targets over `classes` classes.
    pub fn line(self, classes: usize) -> (f64, f64) {
        let classes = classes as f64;
        match self.convention {
            SmoothingConvention::Uniform => (1.0 - self.strength, self.strength / classes),
            SmoothingConvention::Others => {
                let floor = self.strength / (classes - 1.0);
                (1.0 - self.strength - floor, floor)
            }
        }
    }
}

impl LabelRegularizer for LabelSmoothing {
    fn is_off(&self) -> bool {
        self.strength == 0.0
    }

    fn check(&self, classes: usize) -> Result<(), StrengthError> {
        if self.is_off() {
            return Ok(());
        }
        let expected = match self.convention {
            SmoothingConvention::Uniform => "at least 0 and below 1",
            SmoothingConvention::Others => {
                "at least 0 and, with `others`, below (classes − 1) / classes, where all \
                 classes become equally likely"
            }
        };
        let range = 0.0..self.convention.limit(classes);
        within("labels.label_smoothing", self.strength, range, expected)
    }

    fn set(&mut self, text: &str) -> Result<(), String> {
        *self = text.parse()?;
        Ok(())
    }

    fn apply(&self, batch: &mut LabelledBatch, _rng: &mut ChaCha8Rng) {
        if self.is_off() {
            return;
        }
        let (keep, floor) = self.line(batch.targets.classes());
        for probability in batch.targets.probabilities_mut() {
            *probability = (keep * f64::from(*probability) + floor) as f32;
        }
    }
}

impl fmt::Display for LabelSmoothing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.convention {
            SmoothingConvention::Uniform => write!(f, "{}", self.strength),
            SmoothingConvention::Others => write!(f, "{}:others", self.strength),
        }
    }
}

impl FromStr for LabelSmoothing {
    type Err = String;

    /// Reads `0.1`, `0.1:uniform` or `0.1:others`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (strength, convention) = match text.trim().split_once(':') {
            None => (text.trim(), Some(SmoothingConvention::Uniform)),
            Some((strength, "uniform")) => (strength, Some(SmoothingConvention::Uniform)),
            Some((strength, "others")) => (strength, Some(SmoothingConvention::Others)),
            Some((strength, _)) => (strength, None),
        };
        strength
            .parse()
            .ok()
            .zip(convention)
            .map(|(strength, convention)| Self { strength, convention })
            .ok_or_else(|| {
                format!(
                    "expected a share such as 0.1, or 0.1:others to spread it over the other \
                     classes only, found `{text}`"
                )
            })
    }
}

#[cfg(test)]
mod tests {
    use super::SmoothingConvention::{Others, Uniform};
    use super::*;
    use crate::labelled_batch::tests::{labels_only, rng};
    use crate::mixup::Mixup;

    fn smoothed(labels: &[u16], classes: usize, smoothing: LabelSmoothing) -> Vec<Vec<f64>> {
        let mut batch = labels_only(labels, classes);
        smoothing.apply(&mut batch, &mut rng(0));
        batch.targets.rows().map(|row| row.iter().copied().map(f64::from).collect()).collect()
    }

    #[test]
    fn both_conventions_follow_their_formulas() {
        for classes in [2, 3, 10, 200] {
            for strength in [0.05, 0.1, 0.2, 0.45] {
                let k = classes as f64;
                let expectations = [
                    (Uniform, 1.0 - strength + strength / k, strength / k),
                    (Others, 1.0 - strength, strength / (k - 1.0)),
                ];
                for (convention, on_label, elsewhere) in expectations {
                    let smoothing = LabelSmoothing { strength, convention };
                    let target = &smoothed(&[1], classes, smoothing)[0];
                    for (class, probability) in target.iter().enumerate() {
                        let expected = if class == 1 { on_label } else { elsewhere };
                        assert!((probability - expected).abs() < 1e-6, "{smoothing}: {target:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn others_is_uniform_with_more_strength() {
        for (classes, strength) in [(2, 0.3), (10, 0.2), (100, 0.5)] {
            let k = classes as f64;
            let others = LabelSmoothing { strength, convention: Others };
            let strength = strength * k / (k - 1.0);
            let uniform = LabelSmoothing { strength, convention: Uniform };
            let rows = smoothed(&[0, 1], classes, others);
            for (a, b) in rows.concat().iter().zip(smoothed(&[0, 1], classes, uniform).concat()) {
                assert!((a - b).abs() < 1e-6, "{others} of {classes}: {a} {b}");
            }
        }
    }

    #[test]
    fn at_its_limit_every_class_is_equally_likely() {
        for convention in [Uniform, Others] {
            let smoothing = LabelSmoothing { strength: convention.limit(4), convention };
            assert!(smoothed(&[2], 4, smoothing)[0].iter().all(|p| (p - 0.25).abs() < 1e-6));
        }
    }

    #[test]
    fn smoothing_a_mixture_is_mixing_what_was_smoothed() {
        for convention in [Uniform, Others] {
            let smoothing = LabelSmoothing { strength: 0.3, convention };
            let (mut first, mut second) = (labels_only(&[0, 1, 2], 5), labels_only(&[0, 1, 2], 5));
            Mixup { alpha: 1.0 }.apply(&mut first, &mut rng(1));
            smoothing.apply(&mut first, &mut rng(0));
            smoothing.apply(&mut second, &mut rng(0));
            Mixup { alpha: 1.0 }.apply(&mut second, &mut rng(1));
            let mixtures = first.targets.rows().flatten().zip(second.targets.rows().flatten());
            for (a, b) in mixtures {
                assert!((a - b).abs() < 1e-6, "{a} {b}");
            }
        }
    }

    #[derive(Deserialize)]
    struct Reference {
        convention: SmoothingConvention,
        strength: f64,
        logits: Vec<Vec<f64>>,
        labels: Vec<u16>,
        loss: f64,
    }

    /// Reference: `tests/pytorch/label_smoothing.py`, PyTorch's own loss for `uniform`.
    #[test]
    fn the_loss_against_smooth_targets_is_that_of_pytorch() {
        let text = include_str!("../../../tests/reference/label_smoothing.json");
        let cases: Vec<Reference> = serde_json::from_str(text).unwrap();
        for convention in [Uniform, Others] {
            assert!(cases.iter().any(|case| case.convention == convention));
        }
        for Reference { convention, strength, logits, labels, loss } in cases {
            let smoothing = LabelSmoothing { strength, convention };
            let targets = smoothed(&labels, logits[0].len(), smoothing);
            let ours: f64 = logits.iter().zip(targets).map(|(z, y)| cross_entropy(z, &y)).sum();
            let ours = ours / logits.len() as f64;
            assert!((ours - loss).abs() < 1e-6, "{smoothing}: {ours}, PyTorch {loss}");
        }
    }

    /// `−Σ y (z − ln Σ exp z)`
    fn cross_entropy(logits: &[f64], target: &[f64]) -> f64 {
        let normalizer = logits.iter().map(|z| z.exp()).sum::<f64>().ln();
        logits.iter().zip(target).map(|(z, y)| y * (normalizer - z)).sum()
    }

    #[test]
    fn its_text_can_be_read_back() {
        for (text, strength, convention) in
            [("0.1", 0.1, Uniform), ("0.2:others", 0.2, Others), ("0", 0.0, Uniform)]
        {
            let smoothing = LabelSmoothing { strength, convention };
            assert_eq!(text.parse(), Ok(smoothing));
            assert_eq!(smoothing.to_string(), text);
        }
        assert_eq!("0.1:uniform".parse(), "0.1".parse::<LabelSmoothing>());
        for wrong in ["", "a", "0.1:", "0.1:other", ":others", "0.1:others:uniform"] {
            assert!(wrong.parse::<LabelSmoothing>().unwrap_err().contains("0.1:others"));
        }
    }
}
