//! Who carries out the trials of a study: processes of this machine, or a scheduler that has many machines.
//!
//! An engine is told which trials are missing, and starts `backburn study trial` for each. What came of them is read
//! from their run folders; nothing that an engine prints is read. All machines see the study's folder, which is all
//! that they share.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod hyperqueue;
mod local;
pub mod slurm;

use std::path::{Path, PathBuf};

use backburn_records::shell::quoted;
use backburn_training::tuning::chosen_level;

/// Where a study's folder has what was submitted.
pub const SUBMITTED: &str = "submit";

/// A file in a study's folder that asks its trials to stop, and those that wait not to begin.
pub const CANCELLED: &str = "cancelled";

/// The most tasks of one submission: what Slurm allows in an array if its administrator has said nothing.
pub const MOST_TASKS: usize = 1000;

/// An engine.
#[derive(Clone, Copy, Debug)]
pub struct Engine {
    /// Name on the command line.
    pub name: &'static str,
    /// One line for help.
    pub summary: &'static str,
    /// The program that it is started by; `None` for this one.
    pub program: Option<&'static str>,
    /// Where that program is to be had, for whoever does not have it.
    pub source: &'static str,
    /// The script that a submission's tasks run.
    pub script: fn(&Submission) -> String,
    /// The words of the command that submits, program first. `script`: the file of the script.
    pub submit: fn(&Submission, script: &Path) -> Vec<String>,
    /// The words of a command that takes back what waits; `None` where the file [`CANCELLED`] must do.
    pub cancel: fn(&Submission) -> Option<Vec<String>>,
}

/// Every engine, one row each.
pub static CATALOG: &[Engine] = &[local::ENGINE, slurm::ENGINE, hyperqueue::ENGINE];

/// The engine of a name.
///
/// # Errors
///
/// If there is none; the error lists those that there are.
pub fn named(name: &str) -> Result<&'static Engine, String> {
    CATALOG.iter().find(|engine| engine.name == name).ok_or_else(|| {
        let known: Vec<&str> = CATALOG.iter().map(|engine| engine.name).collect();
        format!("`--engine`: unknown engine `{name}`; known: {}", known.join(", "))
    })
}

/// Trials that are handed over together.
#[derive(Clone, Debug, PartialEq)]
pub struct Submission {
    /// Folder of the study, absolute.
    pub study: PathBuf,
    /// The program `backburn`, absolute.
    pub program: PathBuf,
    /// Number of this submission, from 1: a study may be submitted again for what has failed.
    pub number: usize,
    /// How many trials its list has, at most [`MOST_TASKS`].
    pub tasks: usize,
    /// Threads of each trial.
    pub threads: usize,
    /// Trials at a time, at most; `None` for as many as the engine likes.
    pub at_a_time: Option<usize>,
    /// The engine's own words, such as `--partition=short`.
    pub more: Vec<String>,
}

impl Submission {
    /// What it is called among a scheduler's jobs.
    pub fn name(&self) -> String {
        let study = self.study.file_name().unwrap_or_default().to_string_lossy();
        let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
        format!("backburn-{}", study.chars().map(plain).collect::<String>())
    }

    /// A file of this submission in the study's folder.
    pub fn file(&self, ending: &str) -> PathBuf {
        self.study.join(SUBMITTED).join(format!("{}.{ending}", self.number))
    }

    /// The file with the indices of its trials, one a line.
    pub fn list(&self) -> PathBuf {
        self.file("txt")
    }

    /// The folder for what trials say.
    fn logs(&self) -> PathBuf {
        self.study.join(crate::jobs::LOGS)
    }

    /// Lines of a script that become the trial of `task`, an expression of the shell that counts from 0.
    fn trial(&self, task: &str, more: &str) -> String {
        let text = |path: &Path| quoted(&path.display().to_string());
        let tune = chosen_level().map_or_else(String::new, |level| format!(" --tune {level}"));
        format!(
            "index=$(sed -n \"$(({task} + 1))p\" {list}) || exit 1\n\
             # Signals reach the program itself, which a shell in between would keep from it.\n\
             exec {program} study trial {study} --index \"$index\" --threads {threads}{tune}{more}\n",
            list = text(&self.list()),
            program = text(&self.program),
            study = text(&self.study),
            threads = self.threads,
        )
    }
}

#[cfg(test)]
pub(crate) fn sample() -> Submission {
    Submission {
        study: "/data/my study".into(),
        program: "/opt/backburn".into(),
        number: 2,
        tasks: 12,
        threads: 4,
        at_a_time: Some(3),
        more: vec!["--partition=short".into()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_engine_starts_the_trial_of_its_list_and_is_replaced_by_it() {
        let submission = sample();
        for engine in CATALOG.iter().filter(|engine| engine.program.is_some()) {
            let script = (engine.script)(&submission);
            assert!(script.starts_with("#!/bin/sh\n") || script.starts_with("#!/bin/bash\n"));
            for part in ["exec /opt/backburn study trial '/data/my study'", "2.txt", "--threads 4"]
            {
                assert!(script.contains(part), "{}: no `{part}` in\n{script}", engine.name);
            }
            let words = (engine.submit)(&submission, Path::new("/data/my study/submit/2.sh"));
            assert_eq!(words.first().map(String::as_str), engine.program);
            assert!(words.contains(&"--partition=short".to_owned()), "{words:?}");
            assert!(!engine.source.is_empty());
        }
        assert!(named("slurm").is_ok());
        let error = named("pbs").unwrap_err();
        assert!(error.contains("known: local, slurm, hyperqueue"), "{error}");
    }

    #[test]
    fn a_study_is_named_for_its_folder() {
        assert_eq!(sample().name(), "backburn-my-study");
    }
}
