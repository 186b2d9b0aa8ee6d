//! What a batch counts in a mean over several: its images, so that the mean is one over images.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

/// How means over batches are taken: of what was minimized in an epoch or before a step, and of the gradients
/// of a step that takes several batches. The mean over a batch is always one over its images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weighing {
    /// A batch counts by its images, so that a short one does not count for more than it holds.
    Images,
    /// Every batch counts the same, as in runs that versions before 0.2 began: such a run stays one thing
    /// throughout, whichever version resumes it.
    Batches,
}

impl Weighing {
    /// Weighing of a run that a version of the program began, such as `0.1.0`.
    pub fn of_version(version: &str) -> Self {
        let mut numbers = version.split('.').map(|number| number.parse::<u64>().ok());
        match (numbers.next(), numbers.next()) {
            (Some(Some(0)), Some(Some(0 | 1))) => Self::Batches,
            _ => Self::Images,
        }
    }

    /// What a batch of `images` images counts beside one of `unit` images. Exactly 1 where both are equal, so
    /// that the mean over batches of one size has no rounding of its own.
    pub fn weight(self, images: usize, unit: usize) -> f64 {
        match self {
            Self::Images => images as f64 / unit.max(1) as f64,
            Self::Batches => 1.0,
        }
    }

    /// The mean of values of batches, each with the number of its images; 0 of none.
    pub fn mean(self, batches: impl IntoIterator<Item = (f64, usize)>) -> f64 {
        let (mut unit, mut sum, mut weights) = (None, 0.0, 0.0);
        for (value, images) in batches {
            let weight = self.weight(images, *unit.get_or_insert(images));
            sum += weight * value;
            weights += weight;
        }
        if weights > 0.0 { sum / weights } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_over_batches_of_any_sizes_is_that_over_their_images() {
        // Losses that differ from image to image, cut in every way.
        let loss = |image: usize| ((image * 7919 % 61) as f64).sqrt();
        for images in 1..40 {
            let expected = (0..images).map(loss).sum::<f64>() / images as f64;
            for batch_size in 1..=images {
                let all: Vec<usize> = (0..images).collect();
                let batches = all.chunks(batch_size).map(|batch| {
                    let sum: f64 = batch.iter().map(|&image| loss(image)).sum();
                    (sum / batch.len() as f64, batch.len())
                });
                let found = Weighing::Images.mean(batches);
                assert!((found - expected).abs() < 1e-12, "{images} in {batch_size}: {found}");
            }
        }
        assert_eq!(Weighing::Images.mean([]), 0.0);
    }

    #[test]
    fn batches_of_one_size_have_the_same_mean_either_way_to_the_last_bit() {
        let losses: Vec<f64> = (1..100).map(|n| f64::from(n).sqrt()).collect();
        let plain = losses.iter().sum::<f64>() / losses.len() as f64;
        for size in [1, 3, 128] {
            for weighing in [Weighing::Images, Weighing::Batches] {
                let found = weighing.mean(losses.iter().map(|&loss| (loss, size)));
                assert_eq!(found.to_bits(), plain.to_bits(), "{weighing:?}, {size}");
            }
        }
    }

    #[test]
    fn runs_of_versions_before_0_2_keep_their_means_over_batches() {
        for version in ["0.1.0", "0.1.9", "0.0.1", "0.1"] {
            assert_eq!(Weighing::of_version(version), Weighing::Batches, "{version}");
        }
        for version in ["0.2.0", "0.10.0", "1.0.0", "1.1.0", env!("CARGO_PKG_VERSION")] {
            assert_eq!(Weighing::of_version(version), Weighing::Images, "{version}");
        }
        assert_eq!(Weighing::Batches.mean([(1.0, 128), (5.0, 1)]), 3.0);
        assert_eq!(Weighing::Images.mean([(1.0, 3), (5.0, 1)]), 2.0);
    }
}
