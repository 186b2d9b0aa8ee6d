//! What a difference comes to.

use serde::Serialize;

/// Which scores are better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// High ones, as of accuracy.
    Higher,
    /// Low ones, as of a loss.
    Lower,
}

/// What a difference comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Better, by more than the [`Basis`](super::Basis) puts down to chance.
    Better,
    /// Worse, by as much.
    Worse,
    /// Neither.
    NoClearEffect,
}

impl Verdict {
    /// The verdict in a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::NoClearEffect => "unclear",
        }
    }
}
