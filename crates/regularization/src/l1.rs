//! L1 regularization: pull every weight towards zero by the same amount, so that many end there.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::weight_decay::{DecayedParameters, ParameterKind};

/// The penalty `λ ‖w‖₁` of strength `λ`: it adds `λ sign(w)` to the gradient, with `sign(0) = 0`.
///
/// Unlike weight decay it does not shrink small weights more slowly than large ones, and so makes
/// them sparse. The optimizer treats it like the rest of the gradient; with adaptive ones a weight
/// hovers around zero rather than staying there.
///
/// Goodfellow et al., [Deep Learning](https://www.deeplearningbook.org), 2016, section 7.1.2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct L1 {
    /// λ, at least 0; 0 is none.
    pub strength: f64,
    /// Weights only, or everything.
    pub parameters: DecayedParameters,
}

impl L1 {
    /// λ, or 0 for a parameter that is not pulled.
    pub fn strength_for(&self, parameter: ParameterKind) -> f64 {
        if self.parameters.contains(parameter) { self.strength } else { 0.0 }
    }

    /// The gradient of loss and penalty together, given that of the loss alone.
    ///
    /// # Shapes
    ///
    /// - `gradient`, `weights`, returns: `[values]`
    pub fn add_gradient(
        &self,
        gradient: Tensor<1>,
        weights: &Tensor<1>,
        parameter: ParameterKind,
    ) -> Tensor<1> {
        let strength = self.strength_for(parameter);
        if strength == 0.0 {
            return gradient;
        }
        gradient + weights.clone().sign().mul_scalar(strength)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn gradient(l1: L1, parameter: ParameterKind) -> Vec<f32> {
        let tensor = |values: [f32; 3]| Tensor::<1>::from_floats(values, &Device::flex());
        let weights = tensor([2.0, 0.0, -0.5]);
        let sum = l1.add_gradient(tensor([1.0, 1.0, 1.0]), &weights, parameter);
        sum.into_data().try_to_vec().unwrap()
    }

    #[test]
    fn the_pull_does_not_depend_on_how_large_a_weight_is() {
        let l1 = L1 { strength: 0.25, ..L1::default() };
        assert_eq!(gradient(l1, ParameterKind::Weight), [1.25, 1.0, 0.75]);
    }

    #[test]
    fn biases_are_pulled_only_on_request() {
        let l1 = L1 { strength: 0.25, ..L1::default() };
        assert_eq!(gradient(l1, ParameterKind::Other), [1.0; 3]);
        let all = L1 { parameters: DecayedParameters::All, ..l1 };
        assert_eq!(gradient(all, ParameterKind::Other), [1.25, 1.0, 0.75]);
    }
}
