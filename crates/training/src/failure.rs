//! Why something that was asked for could not be carried out, by what its caller can do about it.

/// Why something failed. Each message names the cure.
#[derive(Debug)]
pub enum Failure {
    /// What was asked for cannot be: a flag, a recipe or a setting must change.
    Usage(String),
    /// Anything else that went wrong.
    Error(String),
    /// The program was asked to stop, and what can be resumed is saved.
    Interrupted,
}

/// Makes an error that says that a flag or a recipe asks for what cannot be.
// By value, so that it can stand in `map_err`.
#[allow(clippy::needless_pass_by_value)]
pub fn usage(error: impl ToString) -> Failure {
    Failure::Usage(error.to_string())
}
