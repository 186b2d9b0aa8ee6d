//! Scores of a network on a set: clean labels, no augmentation, no regularizer.

use std::sync::Arc;

use backburn_data::ImageSet;
use backburn_data::augment::Pipeline;
use backburn_data::loader::{Loader, LoaderConfig, LoaderError};
use backburn_data::normalization::FittedNormalization;
use backburn_models::Network;
use burn::tensor::{Device, Tensor, TensorData};

/// Images per batch. Scores do not depend on it.
const BATCH_SIZE: usize = 250;

/// Equal-width confidence bins of the calibration error.
pub const CALIBRATION_BINS: usize = 15;

/// The network's answer to every image of a set.
#[derive(Clone, Debug)]
pub struct Predictions {
    classes: usize,
    /// Log-probabilities `[images, classes]`, in the order of the set.
    log_probabilities: Vec<f64>,
    labels: Vec<u8>,
}

/// Means over a set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scores {
    /// Mean cross-entropy against clean labels, in nats.
    pub loss: f64,
    /// Share of right answers, in `[0, 1]`.
    pub accuracy: f64,
}

/// One confidence bin of a reliability diagram.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CalibrationBin {
    /// Answers in the bin.
    pub count: u64,
    /// Their mean confidence.
    pub confidence: f64,
    /// Their share of right answers.
    pub accuracy: f64,
}

/// Puts every image of `images` through an evaluation copy (`network.valid()`) of a network.
///
/// # Errors
///
/// If the set is empty or does not have the channels that the normalization was fitted on.
pub fn predict(
    network: &Network,
    images: &Arc<ImageSet>,
    normalization: &FittedNormalization,
    device: &Device,
) -> Result<Predictions, LoaderError> {
    let config = LoaderConfig::new(BATCH_SIZE.min(images.len().max(1)));
    let loader = Loader::new(Arc::clone(images), normalization, Pipeline::default(), config)?;
    let mut logits = Vec::new();
    for batch in loader.in_order() {
        let shape = [batch.len(), batch.shape.channels, batch.shape.height, batch.shape.width];
        let input = Tensor::<4>::from_data(TensorData::new(batch.images, shape), device);
        logits.push(network.forward(input));
    }
    let logits = Tensor::cat(logits, 0);
    let [_, classes] = logits.dims();
    let logits: Vec<f32> = logits.into_data().try_to_vec().expect("logits are 32-bit floats");
    Ok(Predictions::new(&logits, images.labels().to_vec(), classes))
}

impl Predictions {
    /// `logits`: `[images, classes]`. Softmax is taken in double precision on the host.
    pub fn new(logits: &[f32], labels: Vec<u8>, classes: usize) -> Self {
        let log_probabilities = logits.chunks_exact(classes).flat_map(log_softmax).collect();
        Self { classes, log_probabilities, labels }
    }

    /// Loss and accuracy.
    pub fn scores(&self) -> Scores {
        let images = self.labels.len().max(1) as f64;
        let loss: f64 = (0..self.labels.len()).map(|i| self.loss(i)).sum();
        let right = (0..self.labels.len()).filter(|&i| self.is_right(i)).count();
        Scores { loss: loss / images, accuracy: right as f64 / images }
    }

    /// Cross-entropy of image `i`, in nats.
    pub fn loss(&self, i: usize) -> f64 {
        -self.row(i)[usize::from(self.labels[i])]
    }

    /// The most probable class of image `i` (the first, if several are) and its probability.
    pub fn answer(&self, i: usize) -> (usize, f64) {
        let row = self.row(i);
        let mut best = 0;
        for class in 1..self.classes {
            if row[class] > row[best] {
                best = class;
            }
        }
        (best, row[best].exp())
    }

    /// Whether the answer to image `i` is its label.
    pub fn is_right(&self, i: usize) -> bool {
        self.answer(i).0 == usize::from(self.labels[i])
    }

    /// Counts by label (row) and answer (column).
    pub fn confusion(&self) -> Vec<Vec<u64>> {
        let mut counts = vec![vec![0; self.classes]; self.classes];
        for (i, &label) in self.labels.iter().enumerate() {
            counts[usize::from(label)][self.answer(i).0] += 1;
        }
        counts
    }

    /// Answers by confidence, in [`CALIBRATION_BINS`] bins of equal width over `[0, 1]`.
    pub fn reliability(&self) -> Vec<CalibrationBin> {
        let mut bins = vec![CalibrationBin::default(); CALIBRATION_BINS];
        for i in 0..self.labels.len() {
            let (_, confidence) = self.answer(i);
            // Bins are open below and closed above, as in Guo et al.
            let place = (confidence * CALIBRATION_BINS as f64).ceil() as usize;
            let bin = &mut bins[place.clamp(1, CALIBRATION_BINS) - 1];
            bin.count += 1;
            bin.confidence += confidence;
            bin.accuracy += f64::from(u8::from(self.is_right(i)));
        }
        for bin in &mut bins {
            let count = bin.count.max(1) as f64;
            bin.confidence /= count;
            bin.accuracy /= count;
        }
        bins
    }

    /// Expected calibration error: mean distance between confidence and accuracy, weighted by bin,
    /// in `[0, 1]`.
    ///
    /// Guo et al., [On Calibration of Modern Neural Networks](https://arxiv.org/abs/1706.04599),
    /// ICML 2017.
    pub fn calibration_error(&self) -> f64 {
        let images = self.labels.len().max(1) as f64;
        let weighted =
            |bin: CalibrationBin| bin.count as f64 * (bin.accuracy - bin.confidence).abs();
        self.reliability().into_iter().map(weighted).sum::<f64>() / images
    }

    /// The wrongly answered images with the greatest loss, worst first.
    pub fn worst_mistakes(&self, count: usize) -> Vec<usize> {
        let mut wrong: Vec<usize> = (0..self.labels.len()).filter(|&i| !self.is_right(i)).collect();
        wrong.sort_by(|&a, &b| self.loss(b).total_cmp(&self.loss(a)).then(a.cmp(&b)));
        wrong.truncate(count);
        wrong
    }

    fn row(&self, i: usize) -> &[f64] {
        &self.log_probabilities[i * self.classes..(i + 1) * self.classes]
    }
}

fn log_softmax(logits: &[f32]) -> Vec<f64> {
    let greatest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let shifted: Vec<f64> = logits.iter().map(|&z| f64::from(z) - f64::from(greatest)).collect();
    let log_sum = shifted.iter().map(|z| z.exp()).sum::<f64>().ln();
    shifted.into_iter().map(|z| z - log_sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three images, two classes: right and sure, wrong and sure, right by a little.
    fn sample() -> Predictions {
        Predictions::new(&[2.0, 0.0, 3.0, 0.0, 0.0, 0.1], vec![0, 1, 1], 2)
    }

    fn sigmoid(x: f64) -> f64 {
        1.0 / (1.0 + (-x).exp())
    }

    #[test]
    fn loss_and_accuracy_follow_their_definitions() {
        let scores = sample().scores();
        let expected = [sigmoid(2.0), sigmoid(-3.0), sigmoid(f64::from(0.1f32))];
        let expected = -expected.iter().map(|p| p.ln()).sum::<f64>() / 3.0;
        assert!((scores.loss - expected).abs() < 1e-12);
        assert_eq!(scores.accuracy, 2.0 / 3.0);
    }

    #[test]
    fn confusion_counts_labels_in_rows_and_answers_in_columns() {
        assert_eq!(sample().confusion(), [[1, 0], [1, 1]]);
    }

    #[test]
    fn calibration_error_weighs_bins_by_their_answers() {
        let p = [sigmoid(2.0), sigmoid(3.0), sigmoid(f64::from(0.1f32))];
        // 0.88, 0.95 and 0.525 lie in bins 14, 15 and 8 of 15.
        let expected = ((1.0 - p[0]) + p[1] + (1.0 - p[2])) / 3.0;
        assert!((sample().calibration_error() - expected).abs() < 1e-12);
        let counts: Vec<u64> = sample().reliability().iter().map(|bin| bin.count).collect();
        assert_eq!((counts[7], counts[13], counts[14], counts.iter().sum()), (1, 1, 1, 3));
    }

    #[test]
    fn logits_of_any_size_give_finite_probabilities() {
        let predictions = Predictions::new(&[1e30, -1e30, -1e30, 1e30], vec![0, 1], 2);
        assert_eq!(predictions.scores(), Scores { loss: 0.0, accuracy: 1.0 });
    }

    #[test]
    fn the_worst_mistake_comes_first_and_right_answers_not_at_all() {
        let predictions = Predictions::new(&[1.0, 0.0, 5.0, 0.0, 0.0, 9.0], vec![1, 1, 1], 2);
        assert_eq!(predictions.worst_mistakes(5), [1, 0]);
    }
}
