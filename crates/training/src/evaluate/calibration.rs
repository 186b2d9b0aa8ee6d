//! How far the network's confidence can be trusted.

use super::predictions::Predictions;

/// Equal-width confidence bins of the calibration error.
pub const CALIBRATION_BINS: usize = 15;

/// One confidence bin of a reliability diagram.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CalibrationBin {
    /// Answers in the bin.
    pub count: u64,
    /// Mean confidence of the answers.
    pub confidence: f64,
    /// Share of right answers.
    pub accuracy: f64,
}

impl CalibrationBin {
    /// Distance between confidence and accuracy, in `[0, 1]`; 0 in an empty bin.
    fn error(self) -> f64 {
        (self.accuracy - self.confidence).abs()
    }
}

impl Predictions {
    /// Answers by confidence, in [`CALIBRATION_BINS`] bins of equal width over `[0, 1]`.
    pub fn reliability(&self) -> Vec<CalibrationBin> {
        let mut bins = vec![CalibrationBin::default(); CALIBRATION_BINS];
        for i in 0..self.images() {
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
        let images = self.images().max(1) as f64;
        let weighted = |bin: CalibrationBin| bin.count as f64 * bin.error();
        self.reliability().into_iter().map(weighted).sum::<f64>() / images
    }

    /// Maximum calibration error: the greatest distance between confidence and accuracy of any bin,
    /// in `[0, 1]`. A bin of a single image counts as much as one of a thousand. Guo et al., 2017.
    pub fn maximum_calibration_error(&self) -> f64 {
        self.reliability().into_iter().map(CalibrationBin::error).fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::super::predictions::tests::{assert_close, sample, sigmoid};

    #[test]
    fn calibration_error_weighs_bins_by_their_answers() {
        let p = [sigmoid(2.0), sigmoid(3.0), sigmoid(f64::from(0.1f32))];
        // 0.88, 0.95 and 0.525 lie in bins 14, 15 and 8 of 15.
        assert_close(sample().calibration_error(), ((1.0 - p[0]) + p[1] + (1.0 - p[2])) / 3.0);
        let counts: Vec<u64> = sample().reliability().iter().map(|bin| bin.count).collect();
        assert_eq!((counts[7], counts[13], counts[14], counts.iter().sum()), (1, 1, 1, 3));
    }

    #[test]
    fn the_maximum_calibration_error_is_that_of_the_worst_bin() {
        // Sure and wrong.
        assert_close(sample().maximum_calibration_error(), sigmoid(3.0));
    }
}
