//! Who draws a run's report, which this crate does not know how to.

use std::error::Error;

use backburn_records::RunRecord;

/// Draws something into the folder of a run.
pub type Draw = fn(&RunRecord) -> Result<(), DrawError>;

/// Why something could not be drawn, with the cure.
pub type DrawError = Box<dyn Error + Send + Sync>;

/// What is drawn of a run.
#[derive(Clone, Copy, Debug)]
pub struct Pages {
    /// The report with its figures, when the run has come to its end.
    pub report: Draw,
    /// The report's page alone, when something in it has changed.
    pub page: Draw,
}

impl Pages {
    /// Draws nothing.
    pub fn none() -> Self {
        Self { report: |_| Ok(()), page: |_| Ok(()) }
    }
}
