//! What a bench is to measure, and the processes for it.

use std::path::PathBuf;
use std::process::Command;

use super::process::Process;
use super::protocol::Greeting;
use super::pytorch::PyTorch;
use crate::backend::Backend;
use crate::cli::Failure;

/// What all measurements share.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// This program.
    pub(crate) program: PathBuf,
    pub(crate) backend: Backend,
    /// To compute with, at least 1.
    pub(crate) threads: usize,
    /// Least length of a repetition.
    pub(crate) seconds: f64,
    /// Of each measurement, at least 1.
    pub(crate) repetitions: usize,
    /// To compare with.
    pub(crate) pytorch: Option<PyTorch>,
}

/// A network to be trained.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// Architecture.
    pub(crate) model: String,
    /// Images in a batch.
    pub(crate) batch_size: usize,
}

impl Plan {
    /// Starts a process of this program, with a network or, without `case`, for everything else.
    ///
    /// # Errors
    ///
    /// If it cannot be started, or not with this backend.
    pub(crate) fn start(
        &self,
        case: Option<&Case>,
        threads: usize,
    ) -> Result<(Process, Greeting), Failure> {
        let mut command = Command::new(&self.program);
        command.args(["bench-child", "--backend", self.backend.name()]);
        command.args(["--threads", &threads.to_string()]);
        let mut what = "bench".to_owned();
        if let Some(case) = case {
            let batch_size = case.batch_size.to_string();
            command.args(["--model", &case.model, "--batch-size", &batch_size]);
            what = case.name();
        }
        Process::start(command, what, "it must stay where it is while it measures")
    }
}

impl Case {
    /// As messages and tables name it.
    pub(crate) fn name(&self) -> String {
        format!("{}, batch {}", self.model, self.batch_size)
    }
}
