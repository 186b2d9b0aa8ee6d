//! Which of the validation scores decides.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What validation says of an epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Validation {
    /// Mean cross-entropy, in nats.
    pub loss: f64,
    /// Share of right answers, in `[0, 1]`.
    pub accuracy: f64,
}

/// The validation score that a rule follows. In text: `loss`, `accuracy`.
///
/// The loss also tells how sure the network is of its answers, and so moves in small steps and rises earlier;
/// the accuracy counts what people ask for, in steps of one image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Monitor {
    /// The mean cross-entropy.
    #[default]
    Loss,
    /// The share of right answers.
    Accuracy,
}

impl Monitor {
    /// Whether it is the loss, which a recipe need not say.
    pub fn is_loss(&self) -> bool {
        *self == Self::Loss
    }

    /// What the rule wants to be low: the loss in nats, or the share of wrong answers.
    pub fn error(self, validation: Validation) -> f64 {
        match self {
            Self::Loss => validation.loss,
            Self::Accuracy => 1.0 - validation.accuracy,
        }
    }
}

impl fmt::Display for Monitor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Loss => "loss",
            Self::Accuracy => "accuracy",
        })
    }
}

impl FromStr for Monitor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "loss" => Ok(Self::Loss),
            "accuracy" => Ok(Self::Accuracy),
            _ => Err(format!("expected loss or accuracy, found `{text}`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_right_answers_are_a_lower_error() {
        let validation = |accuracy| Validation { loss: 0.5, accuracy };
        assert_eq!(Monitor::Loss.error(validation(0.75)), 0.5);
        assert_eq!(Monitor::Accuracy.error(validation(0.75)), 0.25);
        assert!(Monitor::Accuracy.error(validation(f64::NAN)).is_nan());
    }

    #[test]
    fn its_text_is_read_back() {
        for monitor in [Monitor::Loss, Monitor::Accuracy] {
            assert_eq!(monitor.to_string().parse(), Ok(monitor));
            let json = serde_json::to_string(&monitor).unwrap();
            assert_eq!(json, format!("\"{monitor}\""));
        }
        assert!("f1".parse::<Monitor>().unwrap_err().contains("loss or accuracy"));
    }
}
