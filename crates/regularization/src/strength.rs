//! Whether the strength of a technique lies in its range.

use std::ops::RangeBounds;

/// A strength outside its range.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("`{setting}`: expected {expected}, found {found}")]
pub struct StrengthError {
    /// The setting, as in a recipe.
    pub setting: &'static str,
    /// Range of the strength.
    pub expected: &'static str,
    /// What it was.
    pub found: f64,
}

/// Fails if `found` lies outside `range`, in which nothing is that is not a number.
pub(crate) fn within(
    setting: &'static str,
    found: f64,
    range: impl RangeBounds<f64>,
    expected: &'static str,
) -> Result<(), StrengthError> {
    if range.contains(&found) { Ok(()) } else { Err(StrengthError { setting, expected, found }) }
}

/// The strength that a text says, in whatever range.
pub(crate) fn number(text: &str) -> Result<f64, String> {
    text.trim().parse().map_err(|_| format!("expected a number, found `{text}`"))
}
