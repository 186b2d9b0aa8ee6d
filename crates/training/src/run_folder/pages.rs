//! Who draws a run's report, which this crate does not know how to.

use backburn_records::{RecordError, RunRecord};

/// Draws something into the folder of a run.
pub type Draw = fn(&RunRecord) -> Result<(), RecordError>;

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
