//! An optimizer's step as one pass over a parameter.

use rayon::prelude::*;

use super::activation::NUMBERS_OF_A_TASK;
use super::buffer::Writer;
use super::simd::{self, Simd, Task};

/// How a gradient becomes a direction; `first` and `second` are running averages, zero at first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// The gradient itself.
    Sgd,
    /// `first ← momentum · first + g`, and that is the direction.
    Momentum {
        /// Momentum in `[0, 1)`.
        momentum: f32,
    },
    /// `first` as for [`Rule::Momentum`]; the direction is `g + momentum · first`.
    Nesterov {
        /// Momentum in `[0, 1)`.
        momentum: f32,
    },
    /// `first ← decay · first + gain · g²`; the direction is `g / (√first + ε)`: AdaGrad with
    /// `decay = gain = 1`, RMSProp with `gain = 1 − decay`.
    RootMeanSquare {
        /// Decay in `[0, 1]`.
        decay: f32,
        /// Gain, positive.
        gain: f32,
        /// ε, positive.
        epsilon: f32,
    },
    /// `first ← β₁ · first + (1 − β₁) · g`, `second ← β₂ · second + (1 − β₂) · g²`; the direction is
    /// `first / correction₁ / (√(second / correction₂) + ε)`.
    Adam {
        /// β₁ and β₂, in `[0, 1)`.
        betas: [f32; 2],
        /// 1 − β₁ and 1 − β₂, which would lose digits if they were computed from those above.
        gains: [f32; 2],
        /// 1 − β₁ᵗ and 1 − β₂ᵗ after t steps.
        corrections: [f32; 2],
        /// ε, positive.
        epsilon: f32,
    },
}

/// A step of gradient descent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OptimizerStep {
    /// What makes a direction of the gradient.
    pub rule: Rule,
    /// How far to go.
    pub learning_rate: f32,
    /// Times the weights, is added to the gradient: coupled weight decay.
    pub coupled_decay: f32,
    /// Times the weights' signs, is added to the gradient.
    pub l1: f32,
    /// Weights are multiplied by this first: one minus the rate times decoupled weight decay.
    pub shrink: f32,
}

/// Moves `weights` along, and the running averages that the rule has.
///
/// # Panics
///
/// If the lengths differ. Averages that the rule lacks may be empty.
pub fn optimizer_step(
    step: OptimizerStep,
    weights: &mut [f32],
    gradient: &[f32],
    first: &mut [f32],
    second: &mut [f32],
) {
    let averages = match step.rule {
        Rule::Sgd => 0,
        Rule::Momentum { .. } | Rule::Nesterov { .. } | Rule::RootMeanSquare { .. } => 1,
        Rule::Adam { .. } => 2,
    };
    assert_eq!(weights.len(), gradient.len());
    assert!(averages < 1 || first.len() == gradient.len());
    assert!(averages < 2 || second.len() == gradient.len());
    let (weights, first, second) = (Writer::new(weights), Writer::new(first), Writer::new(second));
    let part = NUMBERS_OF_A_TASK;
    gradient.par_chunks(part).enumerate().for_each(|(number, gradient)| {
        let (start, length) = (number * part, gradient.len());
        // SAFETY: each part is touched by one task alone.
        unsafe {
            let weights = weights.slice(start, length);
            let first = if averages < 1 { &mut [] } else { first.slice(start, length) };
            let second = if averages < 2 { &mut [] } else { second.slice(start, length) };
            simd::run(Part { step, weights, gradient, first, second });
        }
    });
}

struct Part<'a> {
    step: OptimizerStep,
    weights: &'a mut [f32],
    gradient: &'a [f32],
    first: &'a mut [f32],
    second: &'a mut [f32],
}

impl Task for Part<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) {
        let Self { step, weights, gradient, first, second } = self;
        let OptimizerStep { rule, learning_rate, coupled_decay, l1, shrink } = step;
        let weights = &mut weights[..gradient.len()];
        // Plain loops without calls, which the compiler makes vectors of.
        macro_rules! walk {
            (|$g:ident, $at:ident| $direction:expr) => {
                for $at in 0..gradient.len() {
                    let w = weights[$at];
                    let sign = if w > 0.0 {
                        1.0
                    } else if w < 0.0 {
                        -1.0
                    } else {
                        0.0
                    };
                    let $g = gradient[$at] + coupled_decay * w + l1 * sign;
                    weights[$at] = w * shrink - learning_rate * $direction;
                }
            };
        }
        match rule {
            Rule::Sgd => walk!(|g, at| g),
            Rule::Momentum { momentum } => {
                let first = &mut first[..gradient.len()];
                walk!(|g, at| {
                    first[at] = momentum * first[at] + g;
                    first[at]
                });
            }
            Rule::Nesterov { momentum } => {
                let first = &mut first[..gradient.len()];
                walk!(|g, at| {
                    first[at] = momentum * first[at] + g;
                    g + momentum * first[at]
                });
            }
            Rule::RootMeanSquare { decay, gain, epsilon } => {
                let first = &mut first[..gradient.len()];
                walk!(|g, at| {
                    first[at] = decay * first[at] + gain * (g * g);
                    g / (first[at].sqrt() + epsilon)
                });
            }
            Rule::Adam { betas, gains, corrections: [mean, square], epsilon } => {
                let (of_mean, of_square) = (1.0 / mean, 1.0 / square);
                let first = &mut first[..gradient.len()];
                let second = &mut second[..gradient.len()];
                walk!(|g, at| {
                    first[at] = betas[0] * first[at] + gains[0] * g;
                    second[at] = betas[1] * second[at] + gains[1] * (g * g);
                    (first[at] * of_mean) / ((second[at] * of_square).sqrt() + epsilon)
                });
            }
        }
    }
}
