//! Dropout: silence random units in training, use all of them in evaluation.

use burn::module::{Flag, Module, Param};
use burn::tensor::{Device, Distribution, Tensor};

/// Sets each activation to zero with probability `rate` and scales the others by `1 / (1 - rate)`,
/// so that the expected activation stays the same and evaluation needs no scaling ("inverted"
/// dropout).
///
/// Acts only in training: on an autodiff device, while its flag is set. `network.valid()` turns it
/// into the identity. The mask is drawn by the device's own generator, which training reseeds
/// before each batch.
///
/// Srivastava et al., [Dropout](https://jmlr.org/papers/v15/srivastava14a.html), JMLR 2014.
#[derive(Module, Debug)]
pub struct Dropout {
    rate: f64,
    training: Param<Flag>,
}

impl Dropout {
    /// `rate`: share of activations that are dropped, in `[0, 1)`.
    ///
    /// # Panics
    ///
    /// If `rate` lies outside `[0, 1)`.
    pub fn new(rate: f64) -> Self {
        assert!((0.0..1.0).contains(&rate), "dropout rate must be in [0, 1), found {rate}");
        Self { rate, training: Param::from_bool(true) }
    }

    /// Share of activations that are dropped.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// # Shapes
    ///
    /// - `activations`: any
    /// - returns: the same shape
    pub fn forward<const D: usize>(&self, activations: Tensor<D>) -> Tensor<D> {
        let training = self.training.is_enabled() && activations.device().is_autodiff();
        if !training || self.rate == 0.0 {
            return activations;
        }
        backburn_kernels::dropout(activations, self.rate)
    }
}

/// Zero with probability `rate`, `1 / (1 - rate)` otherwise: on average 1.
pub(crate) fn scaled_mask<const D: usize>(
    shape: [usize; D],
    rate: f64,
    device: &Device,
) -> Tensor<D> {
    let keep = 1.0 - rate;
    Tensor::random(shape, Distribution::Bernoulli(keep), device).div_scalar(keep)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::{Mutex, MutexGuard, PoisonError};

    use super::*;

    /// The device's generator belongs to the process: one test draws at a time.
    pub(crate) fn one_at_a_time() -> MutexGuard<'static, ()> {
        static DRAWING: Mutex<()> = Mutex::new(());
        DRAWING.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ramp(device: &Device) -> Tensor<2> {
        Tensor::arange(0..20_000, device).float().reshape([200, 100]).div_scalar(10_000.0)
    }

    #[test]
    fn evaluation_is_the_identity() {
        let device = Device::flex();
        let x = ramp(&device);
        let y = Dropout::new(0.5).forward(x.clone());
        assert_eq!(x.into_data(), y.into_data());
    }

    #[test]
    fn a_frozen_copy_is_the_identity_on_a_training_device() {
        let device = Device::flex().autodiff();
        let x = ramp(&device);
        let y = Dropout::new(0.5).valid().forward(x.clone());
        assert_eq!(x.into_data(), y.into_data());
    }

    #[test]
    fn rate_zero_is_the_identity_in_training() {
        let device = Device::flex().autodiff();
        let x = ramp(&device);
        let y = Dropout::new(0.0).forward(x.clone());
        assert_eq!(x.into_data(), y.into_data());
    }

    #[test]
    fn activations_are_dropped_or_scaled_at_the_given_rate() {
        let _alone = one_at_a_time();
        let device = Device::flex().autodiff();
        device.seed(7);
        for rate in [0.1, 0.3, 0.5, 0.8] {
            let x = Tensor::<2>::ones([200, 100], &device);
            let y: Vec<f32> = Dropout::new(rate).forward(x).into_data().try_to_vec().unwrap();
            let scaled = (1.0 / (1.0 - rate)) as f32;
            assert!(y.iter().all(|&v| v == 0.0 || (v - scaled).abs() < 1e-6));
            let dropped = y.iter().filter(|&&v| v == 0.0).count() as f64 / y.len() as f64;
            // Five standard errors of a share among 20,000.
            let tolerance = 5.0 * (rate * (1.0 - rate) / 20_000.0).sqrt();
            assert!((dropped - rate).abs() < tolerance, "rate {rate}: dropped {dropped}");
        }
    }

    #[test]
    fn the_mean_activation_stays_the_same() {
        let _alone = one_at_a_time();
        let device = Device::flex().autodiff();
        for rate in [0.1, 0.3, 0.5, 0.8] {
            device.seed(11);
            let x = Tensor::<2>::full([200, 100], 2.0, &device);
            let y: Vec<f32> = Dropout::new(rate).forward(x).into_data().try_to_vec().unwrap();
            let mean = y.iter().map(|&v| f64::from(v)).sum::<f64>() / y.len() as f64;
            // Var[y] = x² rate / (1 - rate); five standard errors of the mean of 20,000.
            let tolerance = 5.0 * 2.0 * (rate / (1.0 - rate) / 20_000.0).sqrt();
            assert!((mean - 2.0).abs() < tolerance, "rate {rate}: mean {mean}");
        }
    }

    #[test]
    fn the_same_device_seed_draws_the_same_mask() {
        let _alone = one_at_a_time();
        let device = Device::flex().autodiff();
        let draw = |seed| {
            device.seed(seed);
            Dropout::new(0.5).forward(ramp(&device)).into_data()
        };
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
    }

    #[test]
    #[should_panic(expected = "dropout rate must be in [0, 1)")]
    fn rate_one_is_refused() {
        Dropout::new(1.0);
    }
}
