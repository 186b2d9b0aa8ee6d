//! Exponential moving average of the weights: evaluate where training has been lately, not where it
//! happens to stand.

use burn::tensor::Tensor;

use crate::weight_average::WeightAverage;

/// `a ← d · a + (1 − d) · w` after every step, with `d = min(decay, (1 + t) / (10 + t))` after `t`
/// steps, so that the initial weights are soon forgotten.
///
/// Validation and the weights that are kept are those of the average; training goes on from the
/// weights themselves. The statistics of batch normalization are averaged with the weights that they
/// belong to, as timm's `ModelEma` does.
///
/// Polyak & Juditsky,
/// [Acceleration of Stochastic Approximation by Averaging](https://doi.org/10.1137/0330046), 1992;
/// the exponential form and its warm-up as in TensorFlow's `ExponentialMovingAverage`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ema {
    /// Largest `d`, in `(0, 1)`: the average looks back on about `1 / (1 − decay)` steps.
    pub decay: f64,
}

impl Ema {
    /// `d` after `step` steps, counted from 1.
    pub fn decay_at(&self, step: u64) -> f64 {
        let step = step as f64;
        self.decay.min((1.0 + step) / (10.0 + step))
    }
}

impl WeightAverage for Ema {
    fn includes_statistics(&self) -> bool {
        true
    }

    fn is_due(&self, _step: u64) -> bool {
        true
    }

    fn average(&self, average: Tensor<1>, weights: Tensor<1>, step: u64) -> Tensor<1> {
        let decay = self.decay_at(step);
        average.mul_scalar(decay) + weights.mul_scalar(1.0 - decay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn follow(ema: Ema, weights: &[f32]) -> f64 {
        let tensor = |value: f32| Tensor::<1>::from_floats([value], &Device::flex());
        let average = (1..)
            .zip(&weights[1..])
            .fold(tensor(weights[0]), |average, (step, &w)| ema.average(average, tensor(w), step));
        f64::from(average.into_scalar::<f32>())
    }

    #[test]
    fn from_a_jump_it_follows_the_closed_form() {
        // With d constant from the start, the distance to the new value falls by d each step.
        let ema = Ema { decay: 0.15 };
        assert_eq!(ema.decay_at(1), 0.15);
        let mut weights = vec![1.0; 6];
        weights[0] = 0.0;
        let expected = 1.0 - 0.15_f64.powi(5);
        assert!((follow(ema, &weights) - expected).abs() < 1e-6);
    }

    #[test]
    fn warm_up_lets_the_initial_weights_be_forgotten() {
        let ema = Ema { decay: 0.999 };
        let mut weights = vec![1.0; 101];
        weights[0] = 0.0;
        // The product of all d: (2 / 11) (3 / 12) … telescopes to 10! · 101! / 110! for 100 steps.
        let left: f64 = (1..=100).map(|t| (1.0 + f64::from(t)) / (10.0 + f64::from(t))).product();
        assert!((follow(ema, &weights) - (1.0 - left)).abs() < 1e-6);
        assert!(left < 1e-6, "{left}");
        assert_eq!(ema.decay_at(100_000), 0.999);
    }
}
