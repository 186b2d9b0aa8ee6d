//! Lookahead: k steps forward, 1 step back.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::str::FromStr;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::weight_average::WeightAverage;

/// After every `steps` steps of the optimizer ("fast" weights `θ`) the "slow" weights `φ` go part
/// of the way to them, `φ ← φ + α (θ − φ)`, and the fast ones start anew from there, `θ ← φ`.
///
/// Validation and the weights that are kept are the slow ones, as in the paper's algorithm 1; steps since the
/// last look count as if there were one more, so that none is lost at the end of a training. The optimizer's
/// own averages are kept over the jump.
///
/// Zhang et al., [Lookahead Optimizer](https://arxiv.org/abs/1907.08610), NeurIPS 2019.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lookahead {
    /// Steps between two looks, the paper's k, at least 1.
    pub steps: u64,
    /// How far the slow weights go, the paper's α, in `(0, 1]`; 1 is the optimizer alone.
    pub alpha: f64,
}

impl Lookahead {
    /// The paper's choice: k = 5, α = 0.5.
    pub const PAPER: Self = Self { steps: 5, alpha: 0.5 };
}

impl WeightAverage for Lookahead {
    fn includes_statistics(&self) -> bool {
        false
    }

    fn is_due(&self, step: u64) -> bool {
        step.is_multiple_of(self.steps)
    }

    fn average(&self, slow: Tensor<1>, fast: Tensor<1>, _step: u64) -> Tensor<1> {
        slow.mul_scalar(1.0 - self.alpha) + fast.mul_scalar(self.alpha)
    }

    fn replaces_weights(&self) -> bool {
        true
    }

    /// The slow weights as if it looked now: the steps since the last look count too.
    fn evaluated(&self, slow: Tensor<1>, fast: Tensor<1>, step: u64) -> Tensor<1> {
        if self.is_due(step) { slow } else { self.average(slow, fast, step) }
    }
}

impl FromStr for Lookahead {
    type Err = String;

    /// Reads `k=5,alpha=0.5`; what is not named is as in the paper.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("expected k=STEPS,alpha=SHARE, such as k=5,alpha=0.5, found `{text}`");
        let mut lookahead = Self::PAPER;
        for part in text.split(',') {
            match part.trim().split_once('=').ok_or_else(wrong)? {
                ("k", value) => lookahead.steps = value.parse().map_err(|_| wrong())?,
                ("alpha", value) => lookahead.alpha = value.parse().map_err(|_| wrong())?,
                _ => return Err(wrong()),
            }
        }
        Ok(lookahead)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn slow_weights_follow_the_closed_form() {
        // Fast weights walk +1 a step. Each look takes the slow ones α k further than the last.
        let lookahead = Lookahead { steps: 4, alpha: 0.25 };
        let (mut slow, mut fast) = (0.0_f32, 0.0_f32);
        for step in 1..=12 {
            fast += 1.0;
            if lookahead.is_due(step) {
                let tensor = |value: f32| Tensor::<1>::from_floats([value], &Device::flex());
                slow = lookahead.average(tensor(slow), tensor(fast), step).into_scalar();
                fast = slow;
            }
        }
        assert_eq!(slow, 3.0 * 0.25 * 4.0);
    }

    #[test]
    fn the_text_form_names_its_settings() {
        assert_eq!("k=6,alpha=0.8".parse(), Ok(Lookahead { steps: 6, alpha: 0.8 }));
        assert_eq!("alpha=0.8".parse(), Ok(Lookahead { alpha: 0.8, ..Lookahead::PAPER }));
        for wrong in ["5", "k=", "k=-1", "beta=0.5", ""] {
            assert!(wrong.parse::<Lookahead>().unwrap_err().contains("k=5,alpha=0.5"), "{wrong}");
        }
    }

    #[test]
    fn with_alpha_one_nothing_is_taken_back() {
        let lookahead = Lookahead { steps: 1, alpha: 1.0 };
        let tensor = |values: [f32; 2]| Tensor::<1>::from_floats(values, &Device::flex());
        let slow = lookahead.average(tensor([0.1, -7.3]), tensor([0.3, 1e-9]), 1);
        assert_eq!(slow.into_data(), tensor([0.3, 1e-9]).into_data());
    }
}
