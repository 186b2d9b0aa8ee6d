//! Temperature scaling: one number, fitted on the validation split, that makes a network less or
//! more sure of all its answers.

use super::predict::ValidationPredictions;
use super::predictions::Predictions;

/// Steps after which the fit is as exact as double precision allows, far more than it needs.
const MOST_STEPS: usize = 200;

/// The fit ends when the inverse temperature changes by less than this share of itself.
const TOLERANCE: f64 = 1e-9;

/// Why no temperature is the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemperatureError {
    /// The loss falls as the temperature does, without end.
    #[error(
        "the network is wrong on none of the {images} validation images, so that no temperature is \
         the best: the lower, the smaller their loss"
    )]
    AllRight {
        /// Validation images.
        images: usize,
    },
    /// The loss falls as the temperature rises, without end.
    #[error(
        "the network's answers tell nothing about the labels of the validation images, so that no \
         temperature is the best: the higher, the smaller their loss"
    )]
    Uninformed,
    /// The loss is not a number.
    #[error("the network's answers to the validation images are not finite")]
    NotFinite,
}

/// The temperature `T > 0` with the least mean cross-entropy of `softmax(logits / T)` on the images
/// of the validation split, to a relative 1e-6 or better.
///
/// The cross-entropy is a convex function of `β = 1/T`, with
///
/// ```text
/// slope      mean over images of  E[z] − z_label
/// curvature  mean over images of  Var[z]          under softmax(β z)
/// ```
///
/// so that the one zero of the slope is the minimum. Newton's method finds it, kept inside an
/// interval that shrinks around the zero.
///
/// Guo et al., [On Calibration of Modern Neural Networks](https://arxiv.org/abs/1706.04599), ICML
/// 2017, section 4.2.
///
/// # Errors
///
/// If the cross-entropy has no minimum: on images that are all answered rightly, it falls towards
/// `T = 0`; if answers are no better than chance, towards infinity.
pub fn fit_temperature(valid: &ValidationPredictions) -> Result<f64, TemperatureError> {
    fit(valid)
}

fn fit(valid: &Predictions) -> Result<f64, TemperatureError> {
    let (start, _) = slope_and_curvature(valid, 0.0);
    if !start.is_finite() {
        return Err(TemperatureError::NotFinite);
    }
    if start >= 0.0 {
        return Err(TemperatureError::Uninformed);
    }
    let is_surpassed = |i: usize| valid.row(i).iter().any(|&z| z > valid.row(i)[valid.label(i)]);
    if !(0..valid.images()).any(is_surpassed) {
        return Err(TemperatureError::AllRight { images: valid.images() });
    }
    // The slope is negative at `low` and, once doubling has found such a place, positive at `high`.
    let (mut low, mut high, mut inverse) = (0.0, f64::INFINITY, 1.0);
    for _ in 0..MOST_STEPS {
        let (slope, curvature) = slope_and_curvature(valid, inverse);
        if slope < 0.0 {
            low = inverse;
        } else {
            high = inverse;
        }
        let newton = inverse - slope / curvature;
        let next = match (low <= newton && newton <= high, high.is_finite()) {
            (_, false) => newton.clamp(inverse, 2.0 * inverse),
            (true, true) => newton,
            (false, true) => f64::midpoint(low, high),
        };
        let is_found = (next - inverse).abs() <= TOLERANCE * inverse;
        inverse = next;
        if is_found {
            break;
        }
    }
    Ok(1.0 / inverse)
}

/// First and second derivative of the mean cross-entropy by the inverse temperature.
fn slope_and_curvature(predictions: &Predictions, inverse: f64) -> (f64, f64) {
    // Log-probabilities are logits up to a constant in each row, which cancels.
    let moments = |i: usize| {
        let row = predictions.row(i);
        let greatest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weight = |z: f64| (inverse * (z - greatest)).exp();
        let total: f64 = row.iter().map(|&z| weight(z)).sum();
        let mean = row.iter().map(|&z| weight(z) * z).sum::<f64>() / total;
        let variance = row.iter().map(|&z| weight(z) * (z - mean).powi(2)).sum::<f64>() / total;
        (mean - row[predictions.label(i)], variance)
    };
    (predictions.mean(|i| moments(i).0), predictions.mean(|i| moments(i).1))
}

impl Predictions {
    /// The probabilities `softmax(logits / temperature)`. The order of the classes stays the same,
    /// and with it every answer. A temperature of 1 changes nothing.
    ///
    /// # Panics
    ///
    /// If the temperature is not positive.
    #[must_use]
    pub fn scaled(&self, temperature: f64) -> Self {
        assert!(temperature > 0.0, "a temperature must be positive, found {temperature}");
        if temperature == 1.0 {
            return self.clone();
        }
        self.map(|log_probability| log_probability / temperature)
    }
}

#[cfg(test)]
mod tests {
    use super::super::predictions::tests::{assert_close, sample, six_images};
    use super::*;

    // Printed by `tests/pytorch/scores.py`.
    const TEMPERATURE: f64 = 1.376_061_096_015_395_4;
    const SCALED_NLL: f64 = 0.976_385_458_066_391_5;

    #[test]
    fn the_temperature_equals_that_of_pytorch() {
        let temperature = fit(&six_images()).unwrap();
        assert!((temperature - TEMPERATURE).abs() < 1e-6, "{temperature}");
        assert_close(six_images().scaled(TEMPERATURE).scores().loss, SCALED_NLL);
    }

    #[test]
    fn the_temperature_of_two_classes_equals_the_one_worked_out_by_hand() {
        // Three of four answers with the same logits are right: the best probability is 3/4.
        let predictions = Predictions::new(&[3.0, 0.0].repeat(4), vec![0, 0, 0, 1], 2);
        let temperature = fit(&predictions).unwrap();
        assert!((temperature - 3.0 / 3.0f64.ln()).abs() < 1e-8, "{temperature}");
        assert_close(predictions.scaled(3.0 / 3.0f64.ln()).answer(0).1, 0.75);
    }

    #[test]
    fn no_other_temperature_has_a_smaller_loss() {
        for predictions in [six_images(), six_images().scaled(1e-3), six_images().scaled(1e3)] {
            let temperature = fit(&predictions).unwrap();
            let best = predictions.scaled(temperature).scores().loss;
            for factor in [0.5, 0.99, 1.01, 2.0] {
                let other = predictions.scaled(factor * temperature).scores().loss;
                assert!(best < other, "{factor} × {temperature}: {other} below {best}");
            }
        }
    }

    #[test]
    fn a_temperature_undoes_the_one_before() {
        let temperature = fit(&six_images()).unwrap();
        for factor in [1e-4, 0.3, 7.0, 1e4] {
            let found = fit(&six_images().scaled(factor)).unwrap() * factor;
            assert!((found / temperature - 1.0).abs() < 1e-6, "{factor}: {found}");
        }
    }

    #[test]
    fn no_temperature_changes_an_answer_and_one_changes_nothing() {
        for temperature in [0.01, 0.7, 1.0, 3.0, 100.0] {
            let scaled = six_images().scaled(temperature);
            assert_eq!(scaled.confusion(), six_images().confusion());
            assert_eq!(scaled.scores().accuracy, six_images().scores().accuracy);
            assert_eq!(scaled.top_k_accuracy(2), six_images().top_k_accuracy(2));
        }
        let (same, plain) = (six_images().scaled(1.0), six_images());
        assert!((0..6).all(|i| same.row(i) == plain.row(i)));
    }

    #[test]
    fn a_loss_without_a_minimum_is_refused_with_the_reason() {
        let right = Predictions::new(&[2.0, 0.0, 0.0, 1.0], vec![0, 1], 2);
        assert_eq!(fit(&right), Err(TemperatureError::AllRight { images: 2 }));
        // Two of three are wrong, and as sure as the right one.
        assert_eq!(fit(&sample().map(|_| 0.5)), Err(TemperatureError::Uninformed));
        let wrong = Predictions::new(&[2.0, 0.0].repeat(3), vec![0, 1, 1], 2);
        assert_eq!(fit(&wrong), Err(TemperatureError::Uninformed));
        let broken = Predictions::new(&[f32::NAN, 0.0], vec![0], 2);
        assert_eq!(fit(&broken), Err(TemperatureError::NotFinite));
    }
}
