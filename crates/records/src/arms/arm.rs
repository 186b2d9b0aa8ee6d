//! An arm and its runs.

use serde::Serialize;

use crate::summary::Summary;

/// One arm and what its runs came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Arm {
    /// Short name, such as `dropout`.
    pub name: String,
    /// What it is, in one line.
    pub summary: String,
    /// The command line that repeats its first run, word by word.
    pub command: Vec<String>,
    /// Finished runs, at most one of each seed. What is compared are the seeds that the first arm has too.
    pub runs: Vec<ArmRun>,
    /// Why there are no runs, if there are none.
    pub absent: Option<String>,
}

/// One run of an arm.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ArmRun {
    /// Seed of the run.
    pub seed: u64,
    /// Folder of the run, relative to the comparison's, with `/`.
    pub folder: String,
    /// Scores of the run.
    pub summary: Summary,
    /// How often its test split was accessed.
    pub test_looks: usize,
}
