//! What to do when the loss is no longer a number: stop, or go back and be slower.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Times that `rollback` alone stands for: the learning rate falls to an eighth.
const USUAL_ROLLBACKS: usize = 3;

/// More halvings leave nothing of any learning rate.
const MOST_ROLLBACKS: usize = 50;

/// What becomes of a training that diverges. In text, as on the command line and in a recipe:
/// `stop`, `rollback`, `rollback=5`.
///
/// A rollback goes back to the last end of an epoch that was better than guessing, or to the beginning if
/// none was, and halves the learning rate from there on. It is part of the recipe because the weights depend on
/// it; they do not depend on how often checkpoints are written, because it takes no other ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum OnDivergence {
    /// The run ends, as `diverged`.
    #[default]
    Stop,
    /// Go back and halve the learning rate, so many times in a run at most, at least 1.
    Rollback(usize),
}

impl OnDivergence {
    /// Whether it stops at the first divergence, which a recipe need not say.
    pub fn is_stop(&self) -> bool {
        *self == Self::Stop
    }

    /// Rollbacks that a run may have.
    pub fn rollbacks(self) -> usize {
        match self {
            Self::Stop => 0,
            Self::Rollback(most) => most,
        }
    }
}

impl FromStr for OnDivergence {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "expected stop, rollback or rollback=TIMES, 1 to {MOST_ROLLBACKS}, found `{text}`"
            )
        };
        match text.split_once('=') {
            None if text == "stop" => Ok(Self::Stop),
            None if text == "rollback" => Ok(Self::Rollback(USUAL_ROLLBACKS)),
            Some(("rollback", times)) => match times.parse() {
                Ok(times) if (1..=MOST_ROLLBACKS).contains(&times) => Ok(Self::Rollback(times)),
                _ => Err(wrong()),
            },
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for OnDivergence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stop => formatter.write_str("stop"),
            Self::Rollback(times) => write!(formatter, "rollback={times}"),
        }
    }
}

impl TryFrom<String> for OnDivergence {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<OnDivergence> for String {
    fn from(it: OnDivergence) -> Self {
        it.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_text_is_read_back() {
        for (text, it) in [
            ("stop", OnDivergence::Stop),
            ("rollback", OnDivergence::Rollback(3)),
            ("rollback=1", OnDivergence::Rollback(1)),
        ] {
            assert_eq!(text.parse(), Ok(it));
            assert_eq!(it.to_string().parse(), Ok(it));
        }
        for text in ["", "rollback=0", "rollback=51", "rollback=x", "go on"] {
            assert!(text.parse::<OnDivergence>().unwrap_err().contains("rollback=TIMES"), "{text}");
        }
    }
}
