//! How much is tried before a kernel is chosen.

use std::fmt;

/// How much is tried before a kernel is chosen. Numbers that a network computes with may differ in their last digits by it,
/// as by everything that chooses another kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TuningLevel {
    /// Each candidate is timed once; sizes that are near each other share a choice.
    Minimal,
    /// Three to ten times; near sizes share a choice.
    #[default]
    Balanced,
    /// Five to twenty times, each size by itself.
    Full,
}

/// No level of that name.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("expected minimal, balanced or full, found `{0}`")]
pub struct UnknownLevel(String);

impl TuningLevel {
    /// All of them, by rising effort.
    pub const ALL: [Self; 3] = [Self::Minimal, Self::Balanced, Self::Full];

    /// Name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Minimal => "minimal",
            Self::Balanced => "balanced",
            Self::Full => "full",
        }
    }

    /// The level of that name.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn named(name: &str) -> Result<Self, UnknownLevel> {
        let found = Self::ALL.into_iter().find(|level| level.name() == name);
        found.ok_or_else(|| UnknownLevel(name.to_owned()))
    }
}

impl fmt::Display for TuningLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_is_found_by_its_name_and_no_other() {
        for level in TuningLevel::ALL {
            assert_eq!(TuningLevel::named(level.name()), Ok(level));
        }
        let message = TuningLevel::named("extensive").unwrap_err().to_string();
        assert_eq!(message, "expected minimal, balanced or full, found `extensive`");
    }
}
