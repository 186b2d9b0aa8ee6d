//! DisturbLabel: train on labels of which some are wrong, others in every batch.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::labelled_batch::{LabelRegularizer, LabelledBatch};
use crate::strength::{StrengthError, number, within};

/// Redraws each label over all `C` classes, its own included, with probability `α / 100`, anew in
/// every batch.
///
/// A label stays with probability `p_c = 1 − (C − 1)/C · α/100`, and becomes each other class with
/// `p_i = (1 − p_c) / (C − 1) = α/100 / C`. The expected target is that of uniform
/// [label smoothing](crate::LabelSmoothing) with `ε = α/100`.
///
/// Xie et al., [DisturbLabel](https://arxiv.org/abs/1605.00055), CVPR 2016.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DisturbLabel {
    /// α, percent of the labels that are redrawn, 0 to 100; 0 is off.
    pub alpha: f64,
}

impl LabelRegularizer for DisturbLabel {
    fn is_off(&self) -> bool {
        self.alpha == 0.0
    }

    fn check(&self, _classes: usize) -> Result<(), StrengthError> {
        within("labels.disturb_label", self.alpha, 0.0..=100.0, "0 to 100 percent")
    }

    fn set(&mut self, text: &str) -> Result<(), String> {
        self.alpha = number(text)?;
        Ok(())
    }

    fn apply(&self, batch: &mut LabelledBatch, rng: &mut ChaCha8Rng) {
        let classes = batch.targets.classes();
        for target in batch.targets.rows_mut() {
            if rng.random_bool(self.alpha / 100.0) {
                target.fill(0.0);
                target[rng.random_range(0..classes)] = 1.0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::label_smoothing::{LabelSmoothing, SmoothingConvention};
    use crate::labelled_batch::tests::{labels_only, rng};

    const CLASSES: usize = 10;
    const IMAGES_OF_A_CLASS: usize = 20_000;

    /// How often the label of the row became the class of the column.
    fn confusion(alpha: f64) -> [[f64; CLASSES]; CLASSES] {
        let mut rng = rng(alpha.to_bits());
        std::array::from_fn(|label| {
            let mut batch = labels_only(&[label as u16; IMAGES_OF_A_CLASS], CLASSES);
            DisturbLabel { alpha }.apply(&mut batch, &mut rng);
            let mut counts = [0.0; CLASSES];
            for target in batch.targets.rows() {
                assert_eq!(target.iter().filter(|&&p| p == 1.0).count(), 1);
                assert_eq!(target.iter().filter(|&&p| p == 0.0).count(), CLASSES - 1);
                counts[target.iter().position(|&p| p == 1.0).unwrap()] += 1.0;
            }
            counts
        })
    }

    /// Pearson's statistic of the counts against the source's probabilities at `alpha`.
    fn chi_square(confusion: &[[f64; CLASSES]; CLASSES], alpha: f64) -> f64 {
        let classes = CLASSES as f64;
        let stays = 1.0 - (classes - 1.0) / classes * alpha / 100.0;
        let becomes = (1.0 - stays) / (classes - 1.0);
        let mut statistic = 0.0;
        for (label, counts) in confusion.iter().enumerate() {
            for (class, count) in counts.iter().enumerate() {
                let probability = if class == label { stays } else { becomes };
                let expected = probability * IMAGES_OF_A_CLASS as f64;
                statistic += (count - expected).powi(2) / expected;
            }
        }
        statistic
    }

    #[test]
    fn labels_become_classes_with_the_probabilities_of_the_source() {
        // 99.9 % quantile of χ² with ten rows of 9 degrees of freedom (`scipy.stats.chi2`).
        const CRITICAL: f64 = 137.208;
        for alpha in [5.0, 10.0, 30.0, 100.0] {
            let confusion = confusion(alpha);
            let statistic = chi_square(&confusion, alpha);
            assert!(statistic < CRITICAL, "alpha {alpha}: {statistic}");
            // The test can tell this alpha from the next.
            let statistic = chi_square(&confusion, alpha - 2.0);
            assert!(statistic > CRITICAL, "alpha {alpha} passes for {}: {statistic}", alpha - 2.0);
        }
    }

    #[test]
    fn alpha_100_leaves_nothing_of_the_labels() {
        let confusion = confusion(100.0);
        let kept: f64 = (0..CLASSES).map(|class| confusion[class][class]).sum();
        // A tenth of 200,000, within five standard deviations.
        assert!((kept - 20_000.0).abs() < 5.0 * (200_000.0 * 0.09_f64).sqrt(), "{kept}");
    }

    #[test]
    fn the_mean_target_is_that_of_uniform_smoothing() {
        for alpha in [10.0, 30.0, 80.0] {
            let confusion = confusion(alpha);
            let convention = SmoothingConvention::Uniform;
            let smoothing = LabelSmoothing { strength: alpha / 100.0, convention };
            let labels: Vec<u16> = (0..CLASSES as u16).collect();
            let mut smooth = labels_only(&labels, CLASSES);
            smoothing.apply(&mut smooth, &mut rng(0));
            for (counts, smooth) in confusion.iter().zip(smooth.targets.rows()) {
                for (count, &probability) in counts.iter().zip(smooth) {
                    let probability = f64::from(probability);
                    let images = IMAGES_OF_A_CLASS as f64;
                    let error = (probability * (1.0 - probability) / images).sqrt();
                    let mean = count / images;
                    assert!((mean - probability).abs() < 5.0 * error, "{mean} {probability}");
                }
            }
        }
    }
}
