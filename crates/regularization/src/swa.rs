//! Stochastic weight averaging: the mean of the weights at the ends of epochs.

use burn::tensor::Tensor;

use crate::weight_average::WeightAverage;

/// `a ← a + (w − a) / n` after the last step of an epoch, the n-th from epoch `first` on, so that `a` is the mean
/// of the weights at the ends of these epochs.
///
/// From then on, validation and the weights that are kept are those of the average, before it the weights
/// themselves; training always goes on from the weights. The learning rate, which the paper keeps high or lets
/// cycle meanwhile, is left to the schedule. The running statistics of batch normalization are averaged with the
/// weights, as PyTorch's `AveragedModel` does with `use_buffers=True`; the paper's additional pass over the
/// training images, which measures them anew with the averaged weights, is not made.
///
/// Izmailov et al., [Averaging Weights Leads to Wider Optima and Better
/// Generalization](https://arxiv.org/abs/1803.05407), UAI 2018.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Swa {
    /// Epoch whose weights are the first of the mean, counted from 1.
    pub first: u64,
    /// Steps of the optimizer in an epoch, at least 1.
    pub steps_per_epoch: u64,
}

impl Swa {
    /// Epochs whose weights are in the mean after `step` steps.
    fn epochs(&self, step: u64) -> u64 {
        (step / self.steps_per_epoch + 1).saturating_sub(self.first)
    }
}

impl WeightAverage for Swa {
    fn includes_statistics(&self) -> bool {
        true
    }

    fn is_due(&self, step: u64) -> bool {
        step.is_multiple_of(self.steps_per_epoch) && self.has_begun(step)
    }

    fn average(&self, average: Tensor<1>, weights: Tensor<1>, step: u64) -> Tensor<1> {
        match self.epochs(step) {
            // Rounded, the formula would not give the weights themselves.
            1 => weights,
            n => average.clone() + (weights - average).div_scalar(n as f64),
        }
    }

    fn has_begun(&self, step: u64) -> bool {
        self.epochs(step) > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    /// The average after each step from 0 on, or nothing before it has begun.
    fn follow(swa: Swa, weights: &[f32]) -> Vec<Option<f32>> {
        let mut average = weights[0];
        let steps = (0..).zip(weights).map(|(step, &weight)| {
            let tensor = |value: f32| Tensor::<1>::from_floats([value], &Device::flex());
            if step > 0 && swa.is_due(step) {
                average = swa.average(tensor(average), tensor(weight), step).into_scalar();
            }
            swa.has_begun(step).then_some(average)
        });
        steps.collect()
    }

    #[test]
    fn it_is_the_mean_of_the_weights_at_the_ends_of_epochs() {
        let swa = Swa { first: 2, steps_per_epoch: 3 };
        let squares: Vec<f32> = (0..=12_u8).map(|step| f32::from(step).powi(2)).collect();
        let found = follow(swa, &squares);
        // Epochs end after steps 3, 6, 9 and 12.
        let (one, two, three) = (36.0, (36.0 + 81.0) / 2.0, (36.0 + 81.0 + 144.0) / 3.0);
        assert_eq!(found[..6], [None; 6]);
        assert_eq!(found[6..9], [Some(one); 3]);
        assert_eq!(found[9..12], [Some(two); 3]);
        assert_eq!(found[12], Some(three));
    }

    #[test]
    fn the_first_epoch_alone_gives_its_weights_bit_for_bit() {
        // From 1e8, the difference to 0.1 and back is another number.
        let swa = Swa { first: 1, steps_per_epoch: 1 };
        assert_eq!(follow(swa, &[1e8, 0.1]), [None, Some(0.1)]);
    }
}
