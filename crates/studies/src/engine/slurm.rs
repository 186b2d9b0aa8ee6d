//! Slurm: an array of jobs.
//!
//! Slurm 22.05.8 behaves in ways that no guess would: `--signal=USR1@60` without `B:` reaches steps of `srun` only, with
//! `B:` the batch shell only, whose traps wait for its child; so the script becomes the program. A job that is queued
//! again begins its output anew unless it is told to append. `--requeue` does not bring a killed job back.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use backburn_training::failure::Failure;

use super::{Engine, Submission};

/// Seconds before the limit of time at which trials are asked to save and stop. Slurm may do so up to a minute early.
const WARNING: u64 = 90;

/// The row of the catalog.
pub(super) const ENGINE: Engine = Engine {
    name: "slurm",
    summary: "an array of jobs of Slurm (sbatch)",
    program: Some("sbatch"),
    source: "Slurm's client programs, which the machines of its cluster have",
    script,
    submit,
    cancel: |submission| {
        Some(vec!["scancel".into(), "--me".into(), format!("--name={}", submission.name())])
    },
};

fn script(submission: &Submission) -> String {
    format!("#!/bin/bash\n{}", submission.trial("SLURM_ARRAY_TASK_ID", " --stop-on USR1 --requeue"))
}

fn submit(submission: &Submission, script: &Path) -> Vec<String> {
    let limit = submission.at_a_time.map_or_else(String::new, |limit| format!("%{limit}"));
    let output = submission.logs().join(format!("submit-{}-%a.txt", submission.number));
    let mut words = vec![
        "sbatch".to_owned(),
        format!("--job-name={}", submission.name()),
        format!("--array=0-{}{limit}", submission.tasks.saturating_sub(1)),
        format!("--cpus-per-task={}", submission.threads),
        format!("--output={}", output.display()),
        "--open-mode=append".into(),
        format!("--signal=B:USR1@{WARNING}"),
        "--requeue".into(),
    ];
    words.extend(submission.more.iter().cloned());
    words.push(script.display().to_string());
    words
}

/// Has Slurm queue a job again.
///
/// # Errors
///
/// If Slurm cannot be asked, or refuses.
pub fn requeue(job: &OsStr) -> Result<(), Failure> {
    let status = Command::new("scontrol").arg("requeue").arg(job).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::Error(format!(
            "scontrol requeue {} ended with {status}; `study submit` queues the trial again",
            job.display()
        ))),
        Err(error) => Err(Failure::Error(format!(
            "cannot start scontrol: {error}; `study submit` queues the trial again"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::sample;

    #[test]
    fn an_array_has_a_task_a_trial_and_is_warned_before_its_limit() {
        let words = submit(&sample(), Path::new("/data/x.sh"));
        for word in [
            "--array=0-11%3",
            "--cpus-per-task=4",
            "--signal=B:USR1@90",
            "--open-mode=append",
            "--output=/data/my study/logs/submit-2-%a.txt",
        ] {
            assert!(words.contains(&word.to_owned()), "no {word} in {words:?}");
        }
        assert_eq!(words.last().map(String::as_str), Some("/data/x.sh"));
        assert!(script(&sample()).contains("--stop-on USR1 --requeue"));
    }
}
