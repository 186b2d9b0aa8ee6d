//! Why a recipe cannot be used.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use backburn_data::nearest::did_you_mean;
use backburn_regularization::StrengthError;

/// Why a recipe cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RecipeError {
    /// No built-in recipe of that name.
    #[error(
        "unknown recipe `{name}`{}; known: {known}; a file is given with `--config FILE`",
        did_you_mean(name, known.split(", "))
    )]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// The text is not TOML, or not a recipe's.
    #[error("{origin}: {reason}; compare it with `config.toml` of any run")]
    Format {
        /// The file.
        origin: String,
        /// What the parser says, with the line.
        reason: String,
    },
    /// A value outside its range.
    #[error("`{setting}`: expected {expected}, found {found}")]
    Setting {
        /// The setting, as in the recipe.
        setting: &'static str,
        /// Range of the setting.
        expected: &'static str,
        /// What it was.
        found: String,
    },
    /// Settings that do not go together, or one that checks itself.
    #[error("{0}")]
    Invalid(String),
    /// A change of what the recipe's model or optimizer does not have.
    #[error("{0}")]
    DoesNotApply(String),
    /// A change that leaves the recipe as it is.
    #[error("nothing would change: the model `{model}` has it already")]
    ChangesNothing {
        /// The recipe's model.
        model: &'static str,
    },
}

impl From<StrengthError> for RecipeError {
    fn from(StrengthError { setting, expected, found }: StrengthError) -> Self {
        Self::Setting { setting, expected, found: found.to_string() }
    }
}
