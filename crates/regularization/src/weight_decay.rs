//! Weight decay: pull weights towards zero, through the gradient (L2) or beside it.

use serde::{Deserialize, Serialize};

/// How decay enters the update.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DecayMode {
    /// L2 regularization: the penalty `½ λ ‖w‖²` adds `λ w` to the gradient, which the optimizer
    /// then treats like the rest of it.
    #[default]
    Coupled,
    /// `w ← w − η λ w` beside the optimizer's own update.
    ///
    /// Loshchilov & Hutter,
    /// [Decoupled Weight Decay Regularization](https://arxiv.org/abs/1711.05101), ICLR 2019.
    Decoupled,
}

/// Which parameters decay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DecayedParameters {
    /// Weights of linear and convolution layers only, not biases nor the scale and shift of batch
    /// normalization.
    #[default]
    Weights,
    /// Every parameter.
    All,
}

impl DecayedParameters {
    /// Whether such a parameter is pulled.
    pub fn contains(self, parameter: ParameterKind) -> bool {
        self == Self::All || parameter == ParameterKind::Weight
    }
}

/// Weight decay of strength `λ`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WeightDecay {
    /// λ, at least 0; 0 is none.
    pub strength: f64,
    /// Way of the decay: through the gradient or beside it.
    pub mode: DecayMode,
    /// Weights only, or everything.
    pub parameters: DecayedParameters,
}

impl WeightDecay {
    /// λ for a parameter that is (or is not) the weight of a linear or convolution layer, if decay
    /// enters in the given mode; 0 otherwise.
    pub fn strength_for(&self, parameter: ParameterKind, mode: DecayMode) -> f64 {
        let decays = self.parameters.contains(parameter) && self.mode == mode;
        if decays { self.strength } else { 0.0 }
    }
}

/// What a parameter is to weight decay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterKind {
    /// The weight of a linear or convolution layer.
    Weight,
    /// A bias, or the scale or shift of batch normalization.
    Other,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn biases_decay_only_on_request() {
        let weights = WeightDecay { strength: 0.1, ..Default::default() };
        assert_eq!(weights.strength_for(ParameterKind::Weight, DecayMode::Coupled), 0.1);
        assert_eq!(weights.strength_for(ParameterKind::Other, DecayMode::Coupled), 0.0);
        let all = WeightDecay { parameters: DecayedParameters::All, ..weights };
        assert_eq!(all.strength_for(ParameterKind::Other, DecayMode::Coupled), 0.1);
    }

    #[test]
    fn decay_enters_once() {
        let decay = WeightDecay { strength: 0.1, mode: DecayMode::Decoupled, ..Default::default() };
        assert_eq!(decay.strength_for(ParameterKind::Weight, DecayMode::Coupled), 0.0);
        assert_eq!(decay.strength_for(ParameterKind::Weight, DecayMode::Decoupled), 0.1);
    }
}
