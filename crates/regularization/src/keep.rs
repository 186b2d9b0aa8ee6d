//! Which weights a training ends with.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::monitor::Validation;

/// Which epoch's weights are kept. When training stops is another question, that of
/// [`EarlyStopping`](crate::EarlyStopping).
///
/// Without a validation split it is the last epoch's in any case. In text, as on the command line
/// and in a recipe: `best`, `best-accuracy`, `last`, `last-under=1.0`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Keep {
    /// Weights with the lowest validation loss; the first, if several have it.
    #[default]
    Best,
    /// Weights with the highest validation accuracy; of several, those with the lowest validation loss.
    BestAccuracy,
    /// Weights of the last epoch.
    Last,
    /// Weights of the last epoch whose validation loss was under this many nats; of the last epoch, if it never
    /// was.
    ///
    /// The rule of one of the sources, a ResNet on CIFAR-10. It saves the weights when `val_loss <
    /// early_stopping_loss`, with `early_stopping_loss = 1` throughout: it never stops early, and
    /// keeps the last epoch under 1, which need not be the one with the lowest loss.
    LastUnder(f64),
}

impl Keep {
    /// Whether the weights of an epoch with these validation scores replace those kept so far, which
    /// had the scores `kept`. Weights of the last epoch need not be kept: they are there at the end.
    ///
    /// A loss that is not a number is neither the lowest nor under anything, nor an accuracy the highest.
    pub fn replaces(self, validation: Validation, kept: Option<Validation>) -> bool {
        let Validation { loss, accuracy } = validation;
        match self {
            Self::Best => loss < kept.map_or(f64::INFINITY, |kept| kept.loss),
            Self::BestAccuracy => kept.map_or(accuracy >= 0.0, |kept| {
                accuracy > kept.accuracy || accuracy == kept.accuracy && loss < kept.loss
            }),
            Self::Last => false,
            Self::LastUnder(threshold) => loss < threshold,
        }
    }

    /// Whether it selects by the validation loss.
    pub fn follows_loss(self) -> bool {
        matches!(self, Self::Best | Self::LastUnder(_))
    }

    /// Checks the threshold.
    ///
    /// # Errors
    ///
    /// If it is not a positive number.
    pub fn check(self) -> Result<(), String> {
        match self {
            Self::LastUnder(threshold) if !(threshold > 0.0 && threshold.is_finite()) => {
                Err(format!("expected a positive loss in last-under=LOSS, found {threshold}"))
            }
            _ => Ok(()),
        }
    }
}

impl FromStr for Keep {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("expected best, best-accuracy, last or last-under=LOSS, found `{text}`");
        let keep = match text.split_once('=') {
            None if text == "best" => Self::Best,
            None if text == "best-accuracy" => Self::BestAccuracy,
            None if text == "last" => Self::Last,
            Some(("last-under", loss)) => Self::LastUnder(loss.parse().map_err(|_| wrong())?),
            _ => return Err(wrong()),
        };
        keep.check()?;
        Ok(keep)
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Best => formatter.write_str("best"),
            Self::BestAccuracy => formatter.write_str("best-accuracy"),
            Self::Last => formatter.write_str("last"),
            // Debug keeps the point of a whole number, so that it reads as a loss.
            Self::LastUnder(threshold) => write!(formatter, "last-under={threshold:?}"),
        }
    }
}

impl TryFrom<String> for Keep {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Keep> for String {
    fn from(keep: Keep) -> Self {
        keep.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The epoch whose weights are kept, counted from 1; none if only the last ones are there.
    fn kept(keep: Keep, losses: &[f64]) -> Option<usize> {
        kept_of(keep, losses.iter().map(|&loss| Validation { loss, accuracy: 0.5 }))
    }

    fn kept_of(keep: Keep, scores: impl IntoIterator<Item = Validation>) -> Option<usize> {
        let mut kept: Option<(usize, Validation)> = None;
        for (epoch, validation) in (1..).zip(scores) {
            if keep.replaces(validation, kept.map(|(_, kept)| kept)) {
                kept = Some((epoch, validation));
            }
        }
        kept.map(|(epoch, _)| epoch)
    }

    #[test]
    fn of_equal_accuracies_the_lowest_loss_is_kept() {
        let kept = |scores: &[(f64, f64)]| {
            let scores = scores.iter().map(|&(accuracy, loss)| Validation { loss, accuracy });
            kept_of(Keep::BestAccuracy, scores)
        };
        assert_eq!(kept(&[(0.5, 1.0), (0.75, 2.0), (0.75, 1.5), (0.75, 1.5), (0.5, 0.1)]), Some(3));
        assert_eq!(kept(&[(0.0, 3.0), (f64::NAN, 0.1)]), Some(1));
        assert_eq!(kept(&[(f64::NAN, 0.1)]), None);
    }

    #[test]
    fn the_best_is_the_lowest_and_the_last_under_a_threshold_is_the_last() {
        let losses = [1.2, 0.9, 0.4, 0.4, 0.8, 1.0, 1.1];
        assert_eq!(kept(Keep::Best, &losses), Some(3));
        assert_eq!(kept(Keep::LastUnder(1.0), &losses), Some(5));
        assert_eq!(kept(Keep::LastUnder(0.4), &losses), None);
        assert_eq!(kept(Keep::Last, &losses), None);
    }

    #[test]
    fn a_loss_that_is_not_finite_is_never_kept() {
        let losses = [f64::NAN, f64::INFINITY, 2.0, f64::NAN];
        assert_eq!(kept(Keep::Best, &losses), Some(3));
        assert_eq!(kept(Keep::LastUnder(3.0), &losses), Some(3));
        assert_eq!(kept(Keep::Best, &[f64::NAN, f64::INFINITY]), None);
    }

    #[test]
    fn its_text_is_read_back_and_anything_else_refused_with_the_forms() {
        for text in ["best", "best-accuracy", "last", "last-under=1.0", "last-under=0.25"] {
            let keep: Keep = text.parse().unwrap();
            assert_eq!(keep.to_string(), text);
            let json = serde_json::to_string(&keep).unwrap();
            assert_eq!(json, format!("\"{text}\""));
            assert_eq!(serde_json::from_str::<Keep>(&json).unwrap(), keep);
        }
        for text in ["", "first", "best=1", "last-under", "last-under=x"] {
            let message = text.parse::<Keep>().unwrap_err();
            assert!(message.contains("last-under=LOSS"), "{message}");
        }
        for text in ["last-under=0", "last-under=-1", "last-under=nan", "last-under=inf"] {
            assert!(text.parse::<Keep>().unwrap_err().contains("a positive loss"), "{text}");
        }
    }
}
