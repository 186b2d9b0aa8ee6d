//! What is logged of a run for other programs, by whoever knows their formats: this crate does not.

use crate::watch::Watch;

/// The loggers of a run.
#[derive(Clone, Debug)]
pub struct RunLogs {
    /// Each by its name, with what it is asked for, such as `tensorboard:histograms`. A run that is resumed without any
    /// logs on as before.
    pub names: Vec<String>,
    /// Knows them.
    pub open: Open,
}

/// Begins to log: gives a watch that tells everything to the loggers of these names and to another watch. Files are
/// opened when it hears of a run ([`Event::Run`](crate::watch::Event::Run)); one that cannot be written to is told to the
/// other watch, and training goes on.
///
/// An error is a name that is not known, with those that are.
pub type Open = for<'a> fn(&[String], &'a mut dyn Watch) -> Result<Box<dyn Watch + 'a>, String>;

impl RunLogs {
    /// No loggers; names of a run that is resumed are passed over.
    pub fn none() -> Self {
        Self { names: Vec::new(), open: |_, watch| Ok(Box::new(watch)) }
    }
}
