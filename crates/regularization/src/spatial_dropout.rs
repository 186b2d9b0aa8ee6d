//! Spatial dropout: silence whole channels of a convolution in training.

use burn::module::{Flag, Module, Param};
use burn::tensor::Tensor;

use crate::dropout::scaled_mask;

/// Sets each channel of each image to zero with probability `rate` and scales the others by
/// `1 / (1 - rate)`.
///
/// Neighbouring activations of a convolution are so alike that dropping single ones takes little
/// away; dropping the whole channel does.
///
/// Acts only in training, as [`Dropout`](crate::Dropout).
///
/// Tompson et al.,
/// [Efficient Object Localization Using Convolutional Networks](https://arxiv.org/abs/1411.4280),
/// CVPR 2015, section 3.2.
#[derive(Module, Debug)]
pub struct SpatialDropout {
    rate: f64,
    training: Param<Flag>,
}

impl SpatialDropout {
    /// `rate`: share of channels that are dropped, in `[0, 1)`.
    ///
    /// # Panics
    ///
    /// If `rate` lies outside `[0, 1)`.
    pub fn new(rate: f64) -> Self {
        assert!((0.0..1.0).contains(&rate), "spatial dropout must be in [0, 1), found {rate}");
        Self { rate, training: Param::from_bool(true) }
    }

    /// Share of channels that are dropped.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// # Shapes
    ///
    /// - `activations`: `[batch, height, width, channels]`
    /// - returns: the same shape
    pub fn forward(&self, activations: Tensor<4>) -> Tensor<4> {
        let device = activations.device();
        if !self.training.is_enabled() || !device.is_autodiff() || self.rate == 0.0 {
            return activations;
        }
        let [batch, _, _, channels] = activations.dims();
        activations * scaled_mask([batch, 1, 1, channels], self.rate, &device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dropout::tests::one_at_a_time;
    use burn::tensor::Device;

    /// 40 images of 2 × 3 pixels of 50 channels, all ones; each channel as a row of 6.
    fn channels(rate: f64) -> Vec<Vec<f32>> {
        let _alone = one_at_a_time();
        let device = Device::flex().autodiff();
        device.seed(3);
        let x = Tensor::<4>::ones([40, 2, 3, 50], &device);
        let y = SpatialDropout::new(rate).forward(x).permute([0, 3, 1, 2]);
        let y: Vec<f32> = y.into_data().try_to_vec().unwrap();
        y.chunks(6).map(<[f32]>::to_vec).collect()
    }

    #[test]
    fn a_channel_is_dropped_as_a_whole_at_the_given_rate() {
        for rate in [0.1, 0.5, 0.7] {
            let channels = channels(rate);
            assert!(channels.iter().all(|channel| channel.iter().all(|&v| v == channel[0])));
            let dropped = channels.iter().filter(|channel| channel[0] == 0.0).count() as f64;
            // Five standard errors of a share among 2,000.
            let tolerance = 5.0 * (rate * (1.0 - rate) / 2_000.0).sqrt();
            assert!((dropped / 2_000.0 - rate).abs() < tolerance, "rate {rate}: {dropped}");
        }
    }

    #[test]
    fn the_mean_activation_stays_the_same() {
        for rate in [0.1, 0.5, 0.7] {
            let channels = channels(rate);
            let mean = channels.iter().map(|c| f64::from(c[0])).sum::<f64>() / 2_000.0;
            let tolerance = 5.0 * (rate / (1.0 - rate) / 2_000.0).sqrt();
            assert!((mean - 1.0).abs() < tolerance, "rate {rate}: mean {mean}");
        }
    }

    #[test]
    fn evaluation_and_rate_zero_are_the_identity() {
        let x = || Tensor::<4>::ones([2, 3, 2, 2], &Device::flex());
        assert_eq!(SpatialDropout::new(0.5).forward(x()).into_data(), x().into_data());
        let x = || Tensor::<4>::ones([2, 3, 2, 2], &Device::flex().autodiff());
        assert_eq!(SpatialDropout::new(0.5).valid().forward(x()).into_data(), x().into_data());
        assert_eq!(SpatialDropout::new(0.0).forward(x()).into_data(), x().into_data());
    }
}
