//! What a bench is to measure, and the processes for it.

use std::path::{Path, PathBuf};
use std::process::Command;

use backburn_training::backend::Backend;
use backburn_training::failure::Failure;
use backburn_training::stop::Stop;
use backburn_training::tuning::chosen_level;

use super::case::Case;
use super::process::Process;
use super::protocol::Greeting;
use super::pytorch::PyTorch;

/// What all measurements share.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Path of this program.
    pub program: PathBuf,
    /// What computes.
    pub backend: Backend,
    /// Threads to compute with, at least 1.
    pub threads: usize,
    /// Least length of a repetition.
    pub seconds: f64,
    /// Repetitions of each measurement, at least 1.
    pub repetitions: usize,
    /// PyTorch, if there is one to compare with.
    pub pytorch: Option<PyTorch>,
    /// Ends the measurement when it is asked to.
    pub stop: Stop,
}

impl Plan {
    /// Starts a process of this program, with a network or, without `case`, for everything else. What it learns of a
    /// graphics card it keeps in `kernels`, or where the user's programs keep it.
    ///
    /// # Errors
    ///
    /// If it cannot be started, or not with this backend.
    pub(crate) fn start(
        &self,
        case: Option<&Case>,
        threads: usize,
        kernels: Option<&Path>,
    ) -> Result<(Process, Greeting), Failure> {
        let mut command = Command::new(&self.program);
        if let Some(folder) = kernels {
            command.env("BACKBURN_CACHE", folder);
        }
        command.args(["bench-child", "--backend", self.backend.name()]);
        command.args(["--threads", &threads.to_string()]);
        if let Some(level) = chosen_level() {
            command.args(["--tune", level.name()]);
        }
        let mut what = "bench".to_owned();
        if let Some(case) = case {
            let batch_size = case.batch_size.to_string();
            command.args(["--model", &case.model, "--batch-size", &batch_size]);
            what = case.name();
        }
        let cure = "it must stay where it is while it measures";
        Process::start(command, what, cure, &self.stop)
    }
}
