//! Why a network cannot be built, with what would do.

/// Why a network cannot be built.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// No architecture of that name.
    #[error("unknown model `{name}`; known: {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// A setting outside its range.
    #[error("model setting `{setting}`: expected {expected}, found {found}")]
    Setting {
        /// The setting's name.
        setting: &'static str,
        /// Range of the setting.
        expected: &'static str,
        /// What it was.
        found: String,
    },
    /// Nothing would be left of the image inside the network.
    #[error("`{model}` needs images of at least {least}×{least} pixels, found {height}×{width}")]
    ImageTooSmall {
        /// The architecture.
        model: &'static str,
        /// Least height and width in pixels.
        least: usize,
        /// The image's height.
        height: usize,
        /// The image's width.
        width: usize,
    },
}
