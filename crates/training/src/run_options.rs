//! How a run is carried out, as far as its results do not depend on it.

use crate::run_folder::checkpoint_every::CheckpointEvery;
use crate::run_folder::pages::Pages;
use crate::run_logs::RunLogs;
use crate::stop::Stop;

/// Everything about a run that is not its recipe.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Threads that compute.
    pub threads: usize,
    /// The command line, program first.
    pub command: Vec<String>,
    /// How often a checkpoint is written inside epochs; a run that is resumed without it goes on as
    /// it was started.
    pub checkpoint_every: Option<CheckpointEvery>,
    /// What other programs can look at while it trains.
    pub logs: RunLogs,
    /// Whether the backend must prove itself before the first step.
    pub verify_kernels: bool,
    /// Ends the run when it is asked to.
    pub stop: Stop,
    /// Draws the run's report.
    pub pages: Pages,
}

impl RunOptions {
    /// A run with so many threads that nobody stops and that leaves no report.
    pub fn new(threads: usize, command: Vec<String>) -> Self {
        Self {
            threads,
            command,
            checkpoint_every: None,
            logs: RunLogs::none(),
            verify_kernels: false,
            stop: Stop::new(),
            pages: Pages::none(),
        }
    }
}
