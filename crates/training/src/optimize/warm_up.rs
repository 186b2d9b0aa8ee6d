//! How long a learning rate takes to rise to its peak: so many epochs, or a share of all steps.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// How long a learning rate rises. On the command line `2` are epochs, `0.1` and `10%` a share of all
/// steps; in a recipe a number is always a share, as it was in all versions, and epochs are the text
/// `"2 epochs"`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum WarmUp {
    /// Share of all steps, below 1.
    Share(f64),
    /// Passes over the training images, at least 1.
    Epochs(usize),
}

impl WarmUp {
    /// No warm-up.
    pub const NONE: Self = Self::Share(0.0);

    /// Length of the warm-up in steps, not rounded.
    pub fn steps(self, steps_per_epoch: usize, total_steps: usize) -> f64 {
        match self {
            Self::Share(share) => share * total_steps as f64,
            Self::Epochs(epochs) => epochs as f64 * steps_per_epoch as f64,
        }
    }

    /// Checks that it is at least a share of `least` and leaves steps after it.
    ///
    /// # Errors
    ///
    /// If it does not.
    pub fn check(self, least: f64) -> Result<(), String> {
        match self {
            Self::Share(share) if (least..=0.99).contains(&share) => Ok(()),
            Self::Epochs(1..) => Ok(()),
            Self::Share(found) => Err(format!(
                "expected a share from {least} to 0.99, or epochs, such as 2 on the command line \
                 and \"2 epochs\" in a recipe, found {found}"
            )),
            Self::Epochs(0) => Err("expected at least 1 epoch, found 0".to_owned()),
        }
    }
}

impl Default for WarmUp {
    fn default() -> Self {
        Self::NONE
    }
}

impl FromStr for WarmUp {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "expected epochs, such as 2, or a share of the steps below 1, such as 0.1 or 10%, \
                 found `{text}`"
            )
        };
        let named = text.strip_suffix(" epochs").or_else(|| text.strip_suffix(" epoch"));
        match named.unwrap_or(text).parse() {
            Ok(0) if named.is_none() => return Ok(Self::NONE),
            Ok(0) => return Err(wrong()),
            Ok(epochs) => return Ok(Self::Epochs(epochs)),
            Err(_) if named.is_some() => return Err(wrong()),
            Err(_) => {}
        }
        let share = match text.strip_suffix('%') {
            Some(percent) => percent.parse().map(|percent: f64| percent / 100.0),
            None => text.parse(),
        };
        let share = share.ok().filter(|share| *share < 1.0);
        share.map(Self::Share).ok_or_else(wrong)
    }
}

impl fmt::Display for WarmUp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Share(share) => write!(formatter, "{share}"),
            Self::Epochs(epochs) => write!(formatter, "{epochs}"),
        }
    }
}

impl Serialize for WarmUp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Share(share) => serializer.serialize_f64(*share),
            Self::Epochs(epochs) => serializer.collect_str(&format_args!("{epochs} epochs")),
        }
    }
}

impl<'de> Deserialize<'de> for WarmUp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WarmUpVisitor)
    }
}

struct WarmUpVisitor;

impl de::Visitor<'_> for WarmUpVisitor {
    type Value = WarmUp;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a share of the steps, such as 0.1, or epochs, such as \"2 epochs\"")
    }

    fn visit_f64<E: de::Error>(self, share: f64) -> Result<WarmUp, E> {
        Ok(WarmUp::Share(share))
    }

    fn visit_u64<E: de::Error>(self, share: u64) -> Result<WarmUp, E> {
        Ok(WarmUp::Share(share as f64))
    }

    fn visit_i64<E: de::Error>(self, share: i64) -> Result<WarmUp, E> {
        Ok(WarmUp::Share(share as f64))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<WarmUp, E> {
        text.parse().map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_from_one_on_are_epochs_and_those_below_are_shares() {
        for (text, warm_up, shown) in [
            ("2", WarmUp::Epochs(2), "2"),
            ("1", WarmUp::Epochs(1), "1"),
            ("3 epochs", WarmUp::Epochs(3), "3"),
            ("1 epoch", WarmUp::Epochs(1), "1"),
            ("0", WarmUp::NONE, "0"),
            ("0.3", WarmUp::Share(0.3), "0.3"),
            ("10%", WarmUp::Share(0.1), "0.1"),
        ] {
            assert_eq!(text.parse(), Ok(warm_up), "{text}");
            assert_eq!(warm_up.to_string(), shown);
            assert_eq!(shown.parse(), Ok(warm_up), "{text}");
        }
        for text in ["", "x", "1.5", "1.0", "100%", "nan", "inf", "0 epochs", "x epochs", "epochs"]
        {
            let message = text.parse::<WarmUp>().unwrap_err();
            assert!(message.contains(&format!("found `{text}`")), "{message}");
        }
    }

    #[test]
    fn shares_are_written_to_recipes_as_they_always_were_and_epochs_as_text() {
        for (json, warm_up) in [
            ("0.3", WarmUp::Share(0.3)),
            ("0.0", WarmUp::Share(0.0)),
            ("\"2 epochs\"", WarmUp::Epochs(2)),
        ] {
            assert_eq!(serde_json::to_string(&warm_up).unwrap(), json);
            assert_eq!(serde_json::from_str::<WarmUp>(json).unwrap(), warm_up);
        }
        // A whole number was a share before there were epochs, and one out of range.
        let two: WarmUp = serde_json::from_str("2").unwrap();
        assert!(two.check(0.0).unwrap_err().contains("\"2 epochs\" in a recipe, found 2"));
        assert_eq!(serde_json::from_str::<WarmUp>("0").unwrap(), WarmUp::NONE);
    }

    #[test]
    fn its_steps_are_those_of_its_epochs_or_its_share_of_all() {
        assert_eq!(WarmUp::Epochs(2).steps(5, 50), 10.0);
        assert_eq!(WarmUp::Share(0.25).steps(5, 50), 12.5);
    }
}
