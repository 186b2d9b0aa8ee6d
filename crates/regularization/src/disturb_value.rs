//! DisturbValue: train on values of which some are wrong, others in every batch.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::fmt;
use std::str::FromStr;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal};
use serde::{Deserialize, Serialize};

use crate::labelled_batch::{LabelRegularizer, LabelledBatch};
use crate::strength::{StrengthError, within};

/// Adds noise from `N(0, noise²)` to each value of a share of the target rows, anew in every batch.
///
/// For regression, where [DisturbLabel](crate::DisturbLabel) has no classes to draw from. Training
/// regresses on rows of class indicators when it minimizes the squared error; with that loss this
/// is the only label regularizer, and with cross-entropy it has no meaning, because a disturbed row
/// is no distribution. As text `share=0.1,noise=0.5`.
///
/// Kim et al., [Disturbing Target Values for Neural Network
/// Regularization](https://arxiv.org/abs/2110.05003), 2021.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DisturbValue {
    /// Share of the rows that are disturbed, 0 to 1.
    pub share: f64,
    /// Standard deviation of the noise, at least 0, in the unit of the values.
    pub noise: f64,
}

impl LabelRegularizer for DisturbValue {
    fn is_off(&self) -> bool {
        self.share == 0.0 || self.noise == 0.0
    }

    fn check(&self, _classes: usize) -> Result<(), StrengthError> {
        let Self { share, noise } = *self;
        within("labels.disturb_value.share", share, 0.0..=1.0, "a share from 0 to 1")?;
        let expected = "a standard deviation of at least 0";
        within("labels.disturb_value.noise", noise, 0.0..f64::INFINITY, expected)
    }

    /// Reads `share=0.1,noise=0.5`, or `none`.
    fn set(&mut self, text: &str) -> Result<(), String> {
        *self = if text == "none" { Self::default() } else { text.parse()? };
        Ok(())
    }

    #[expect(clippy::expect_used, reason = "`check` has refused what cannot be drawn")]
    fn apply(&self, batch: &mut LabelledBatch, rng: &mut ChaCha8Rng) {
        if self.is_off() {
            return;
        }
        let noise = Normal::new(0.0, self.noise).expect("`check` refuses noise that is infinite");
        for row in batch.targets.rows_mut() {
            if rng.random_bool(self.share) {
                for value in row {
                    *value += noise.sample(rng) as f32;
                }
            }
        }
    }
}

impl fmt::Display for DisturbValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "share={},noise={}", self.share, self.noise)
    }
}

impl FromStr for DisturbValue {
    type Err = String;

    /// Reads `share=0.1,noise=0.5`, in either order.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("expected a text such as share=0.1,noise=0.5, found `{text}`");
        let (mut share, mut noise) = (None, None);
        for part in text.split(',') {
            let (key, value) = part.split_once('=').ok_or_else(wrong)?;
            let setting = match key.trim() {
                "share" => &mut share,
                "noise" => &mut noise,
                _ => return Err(wrong()),
            };
            if setting.replace(value.trim().parse().map_err(|_| wrong())?).is_some() {
                return Err(wrong());
            }
        }
        let (share, noise) = share.zip(noise).ok_or_else(wrong)?;
        Ok(Self { share, noise })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labelled_batch::tests::{labels_only, rng};

    const ROWS: usize = 20_000;
    const CLASSES: usize = 4;

    /// What was added to each row that changed.
    fn disturbances(disturb: DisturbValue) -> Vec<Vec<f64>> {
        let original = labels_only(&[1; ROWS], CLASSES);
        let mut batch = original.clone();
        disturb.apply(&mut batch, &mut rng(7));
        let rows = batch.targets.rows().zip(original.targets.rows());
        rows.filter(|(new, old)| new != old)
            .map(|(new, old)| new.iter().zip(old).map(|(a, b)| f64::from(a - b)).collect())
            .collect()
    }

    #[test]
    fn the_given_share_of_the_rows_is_disturbed() {
        for share in [0.1, 0.5, 1.0] {
            let found = disturbances(DisturbValue { share, noise: 0.5 }).len() as f64;
            let error = (share * (1.0 - share) * ROWS as f64).sqrt();
            assert!((found - share * ROWS as f64).abs() <= 5.0 * error, "{share}: {found}");
        }
    }

    #[test]
    fn the_noise_has_mean_zero_and_the_given_deviation_on_every_value() {
        for noise in [0.1, 0.5, 3.0] {
            let rows = disturbances(DisturbValue { share: 0.5, noise });
            let count = rows.len() as f64;
            for class in 0..CLASSES {
                let mean = rows.iter().map(|row| row[class]).sum::<f64>() / count;
                let variance = rows.iter().map(|row| row[class].powi(2)).sum::<f64>() / count;
                assert!(mean.abs() < 5.0 * noise / count.sqrt(), "mean {mean} of noise {noise}");
                // The variance of a Gaussian's square is 2 σ⁴.
                let error = noise * noise * (2.0 / count).sqrt();
                assert!((variance - noise * noise).abs() < 5.0 * error, "{variance} of {noise}");
            }
            let product: f64 = rows.iter().map(|row| row[0] * row[1]).sum::<f64>() / count;
            assert!(product.abs() < 5.0 * noise * noise / count.sqrt(), "values move together");
        }
    }

    #[test]
    fn without_noise_nothing_changes() {
        assert!(disturbances(DisturbValue { share: 1.0, noise: 0.0 }).is_empty());
    }

    #[test]
    fn its_text_can_be_read_back() {
        let disturb = DisturbValue { share: 0.1, noise: 0.5 };
        assert_eq!("share=0.1,noise=0.5".parse(), Ok(disturb));
        assert_eq!(" noise = 0.5, share = 0.1".parse(), Ok(disturb));
        assert_eq!(disturb.to_string().parse(), Ok(disturb));
        let wrong =
            ["", "0.1", "share=0.1", "share=0.1,noise=x", "share=0.1,share=0.1,noise=1", "rate=1"];
        for text in wrong {
            let message = text.parse::<DisturbValue>().unwrap_err();
            assert!(message.contains("share=0.1,noise=0.5"), "{message}");
        }
    }
}
