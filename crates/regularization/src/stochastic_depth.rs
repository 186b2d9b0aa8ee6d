//! Stochastic depth: skip random residual blocks in training.

use burn::module::{Flag, Module, Param};
use burn::tensor::Tensor;

use crate::dropout::scaled_mask;

/// Sets the residual of each image to zero with probability `rate`, so that only the shortcut is
/// left of the block, and scales the residuals of the others by `1 / (1 - rate)`, so that
/// evaluation, which uses all blocks, needs no scaling.
///
/// The paper draws once for a whole batch and scales in evaluation; drawing for each image and
/// scaling in training are what torchvision (`mode="row"`) and timm (`DropPath`) do, with the same
/// expectation and less noise between batches.
///
/// Acts only in training, as [`Dropout`](crate::Dropout).
///
/// Huang et al., [Deep Networks with Stochastic Depth](https://arxiv.org/abs/1603.09382), ECCV
/// 2016.
#[derive(Module, Debug)]
pub struct StochasticDepth {
    rate: f64,
    training: Param<Flag>,
}

impl StochasticDepth {
    /// `rate`: probability that the residual is dropped, in `[0, 1)`.
    ///
    /// # Panics
    ///
    /// If `rate` lies outside `[0, 1)`.
    pub fn new(rate: f64) -> Self {
        assert!((0.0..1.0).contains(&rate), "stochastic depth must be in [0, 1), found {rate}");
        Self { rate, training: Param::from_bool(true) }
    }

    /// The rate of block `block` (counted from 1) of `blocks`, where the last is dropped with
    /// probability `last`: `block / blocks · last`, the paper's linear decay of survival
    /// (equation 4). Early blocks extract what all later ones need.
    pub fn linear(last: f64, block: usize, blocks: usize) -> Self {
        Self::new(last * block as f64 / blocks as f64)
    }

    /// Probability that the residual is dropped.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// Whether [`StochasticDepth::forward`] would change `residual`.
    pub fn acts_on(&self, residual: &Tensor<4>) -> bool {
        self.training.is_enabled() && residual.device().is_autodiff() && self.rate > 0.0
    }

    /// # Shapes
    ///
    /// - `residual`: `[batch, …]`
    /// - returns: the same shape
    pub fn forward(&self, residual: Tensor<4>) -> Tensor<4> {
        if !self.acts_on(&residual) {
            return residual;
        }
        let [batch, ..] = residual.dims();
        let mask = scaled_mask([batch, 1, 1, 1], self.rate, &residual.device());
        residual * mask
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dropout::tests::one_at_a_time;
    use burn::tensor::Device;

    #[test]
    fn a_residual_is_dropped_as_a_whole_and_its_mean_stays_the_same() {
        let _alone = one_at_a_time();
        let device = Device::flex().autodiff();
        for rate in [0.2, 0.5] {
            device.seed(5);
            let y = StochasticDepth::new(rate).forward(Tensor::ones([2_000, 2, 1, 2], &device));
            let y: Vec<f32> = y.into_data().try_to_vec().unwrap();
            assert!(y.chunks(4).all(|image| image.iter().all(|&v| v == image[0])));
            let mean = y.iter().map(|&v| f64::from(v)).sum::<f64>() / y.len() as f64;
            // Five standard errors of the mean of 2,000 images.
            let tolerance = 5.0 * (rate / (1.0 - rate) / 2_000.0).sqrt();
            assert!((mean - 1.0).abs() < tolerance, "rate {rate}: mean {mean}");
        }
    }

    #[test]
    fn survival_decays_linearly_with_depth() {
        let rates: Vec<f64> = (1..=4).map(|l| StochasticDepth::linear(0.4, l, 4).rate()).collect();
        let expected = [0.1, 0.2, 0.3, 0.4];
        assert!(rates.iter().zip(expected).all(|(rate, want)| (rate - want).abs() < 1e-12));
    }

    #[test]
    fn evaluation_and_rate_zero_are_the_identity() {
        let x = || Tensor::<4>::ones([2, 3, 2, 2], &Device::flex());
        assert_eq!(StochasticDepth::new(0.5).forward(x()).into_data(), x().into_data());
        let x = || Tensor::<4>::ones([2, 3, 2, 2], &Device::flex().autodiff());
        assert_eq!(StochasticDepth::new(0.5).valid().forward(x()).into_data(), x().into_data());
        assert_eq!(StochasticDepth::new(0.0).forward(x()).into_data(), x().into_data());
    }
}
