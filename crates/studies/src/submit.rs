//! Handing the trials of a study to an engine, and taking them back.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use backburn_records::number::{counted, either};
use backburn_records::shell::quoted;
use backburn_records::whole_file::write_whole;
use backburn_training::failure::Failure;
use backburn_training::stop::Stop;

use crate::engine::{CANCELLED, CATALOG, Engine, MOST_TASKS, SUBMITTED, Submission};
use crate::jobs::LOGS;
use crate::study::Study;

/// How often a trial looks whether its study has been cancelled.
const LOOK: Duration = Duration::from_secs(1);

/// How trials are carried out that are handed over.
#[derive(Clone, Debug)]
pub struct HandOver {
    /// Who carries them out.
    pub engine: &'static Engine,
    /// The program `backburn`.
    pub program: PathBuf,
    /// Threads of each trial.
    pub threads: usize,
    /// Trials at a time, at most; `None` for as many as the engine likes.
    pub at_a_time: Option<usize>,
    /// The engine's own words, such as `--partition=short`.
    pub more: Vec<String>,
}

/// Trials that go to the engine together, and all that it is told of them.
#[derive(Debug)]
pub struct Parcel {
    engine: &'static Engine,
    submission: Submission,
    script: String,
    /// The trials' indices, one a line.
    list: String,
    /// The command that submits, program first.
    words: Vec<String>,
}

/// The trials of these indices in parcels of at most [`MOST_TASKS`].
///
/// # Errors
///
/// If the study's folder cannot be named from the root on.
pub fn parcels(study: &Study, wanted: &[usize], how: &HandOver) -> Result<Vec<Parcel>, Failure> {
    let folder = std::path::absolute(&study.folder)
        .map_err(|error| Failure::Error(format!("{}: {error}", study.folder.display())))?;
    let numbered = (next_number(&folder)..).zip(wanted.chunks(MOST_TASKS));
    let parcel = |(number, trials): (usize, &[usize])| {
        let submission = Submission {
            study: folder.clone(),
            program: how.program.clone(),
            number,
            tasks: trials.len(),
            threads: how.threads,
            at_a_time: how.at_a_time,
            more: how.more.clone(),
        };
        Parcel::new(how.engine, submission, trials)
    };
    Ok(numbered.map(parcel).collect())
}

/// The number of the next submission of the study in `folder`.
fn next_number(folder: &Path) -> usize {
    let names = fs::read_dir(folder.join(SUBMITTED)).into_iter().flatten().flatten();
    let numbers = names.filter_map(|entry| {
        let name = entry.file_name();
        Path::new(&name).file_stem()?.to_str()?.parse::<usize>().ok()
    });
    numbers.max().unwrap_or(0) + 1
}

impl Parcel {
    fn new(engine: &'static Engine, submission: Submission, trials: &[usize]) -> Self {
        let script = (engine.script)(&submission);
        let mut words = (engine.submit)(&submission, &submission.file("sh"));
        if engine.program.is_none() {
            words.insert(0, submission.program.display().to_string());
        }
        let list = trials.iter().map(|index| format!("{index}\n")).collect();
        Self { engine, submission, script, list, words }
    }

    /// What would be handed over: the trials, the script if there is one, the command.
    pub fn shown(&self) -> String {
        let Self { submission, script, list, .. } = self;
        let trials = counted(submission.tasks, "trial");
        let mut lines = vec![format!("{trials}: {}", list.trim_end().replace('\n', " "))];
        if !script.is_empty() {
            lines.push(format!("{}:\n{}", submission.file("sh").display(), script.trim_end()));
        }
        lines.push(self.line());
        lines.join("\n")
    }

    /// The command as a shell reads it.
    fn line(&self) -> String {
        self.words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
    }

    /// Hands it over, and says so. What was cancelled is wanted again.
    ///
    /// # Errors
    ///
    /// If a file cannot be written, or the engine's program cannot be started or fails.
    pub fn hand_over(&self) -> Result<String, Failure> {
        let Self { engine, submission, script, list, words } = self;
        let failed = |path: &Path, error: io::Error| {
            Failure::Error(format!("cannot write {}: {error}", path.display()))
        };
        for folder in [SUBMITTED, LOGS] {
            let path = submission.study.join(folder);
            fs::create_dir_all(&path).map_err(|error| failed(&path, error))?;
        }
        for (path, text) in [(submission.list(), list), (submission.file("sh"), script)] {
            write_whole(&path, text.as_bytes()).map_err(|error| failed(&path, error))?;
        }
        let cancelled = submission.study.join(CANCELLED);
        if fs::exists(&cancelled).unwrap_or(false) {
            fs::remove_file(&cancelled).map_err(|error| failed(&cancelled, error))?;
        }
        let Some((program, rest)) = words.split_first() else { return Ok(String::new()) };
        let mut command = Command::new(program);
        command.args(rest);
        if engine.program.is_none() {
            start_here(&mut command, submission)?;
        } else {
            let status = command.status().map_err(|error| {
                Failure::Error(format!(
                    "cannot start {program}: {error}; it comes with {}. `--dry-run` shows what \
                     would be submitted",
                    engine.source
                ))
            })?;
            if !status.success() {
                let line = self.line();
                return Err(Failure::Error(format!("{program} ended with {status}: {line}")));
            }
        }
        Ok(format!(
            "{} handed to {}; `cargo xtask study status {}` tells how far {}",
            counted(submission.tasks, "trial"),
            engine.name,
            submission.study.display(),
            either(submission.tasks, "it is", "they are")
        ))
    }
}

/// Starts a process that goes on when this one and its terminal are gone.
fn start_here(command: &mut Command, submission: &Submission) -> Result<(), Failure> {
    let log = submission.study.join(LOGS).join(format!("submit-{}.txt", submission.number));
    let failed = |error: io::Error| Failure::Error(format!("{}: {error}", log.display()));
    let out = fs::File::create(&log).map_err(failed)?;
    let errors = out.try_clone().map_err(failed)?;
    command.stdin(Stdio::null()).stdout(out).stderr(errors);
    // Not among those whom Ctrl-C on this terminal reaches.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    command.spawn().map(drop).map_err(failed)
}

/// Asks the trials of a study to save and stop, and those that wait not to begin.
///
/// # Errors
///
/// If the file that says so cannot be written.
pub fn cancel(study: &Study) -> Result<(), Failure> {
    let path = study.folder.join(CANCELLED);
    write_whole(&path, b"")
        .map_err(|error| Failure::Error(format!("cannot write {}: {error}", path.display())))?;
    // Whoever has Slurm is asked to take the waiting jobs back; with the file they would end at once.
    let submission = Submission {
        study: std::path::absolute(&study.folder).unwrap_or_else(|_| study.folder.clone()),
        program: PathBuf::new(),
        number: 0,
        tasks: 0,
        threads: 0,
        at_a_time: None,
        more: Vec::new(),
    };
    for words in CATALOG.iter().filter_map(|engine| (engine.cancel)(&submission)) {
        if let Some((program, rest)) = words.split_first() {
            let _ = Command::new(program).args(rest).stderr(Stdio::null()).status();
        }
    }
    Ok(())
}

/// Asks to stop as soon as the study in this folder has been cancelled.
pub fn stop_when_cancelled(folder: PathBuf, stop: Stop) {
    std::thread::spawn(move || {
        while !fs::exists(folder.join(CANCELLED)).unwrap_or(false) {
            std::thread::sleep(LOOK);
        }
        stop.request();
    });
}

#[cfg(test)]
mod tests {
    use backburn_training::recipe::built_in;

    use super::*;
    use crate::engine::named;
    use crate::study::StudyArm;

    fn study(folder: &Path) -> Study {
        let recipe = Ok(built_in("digits").unwrap());
        let (name, summary, command) = ("none".into(), String::new(), Vec::new());
        let arm = StudyArm { name, summary, command, recipe };
        Study { arms: vec![arm], seeds: (1..=3000).collect(), folder: folder.to_owned() }
    }

    fn slurm() -> HandOver {
        HandOver {
            engine: named("slurm").unwrap(),
            program: "/opt/backburn".into(),
            threads: 2,
            at_a_time: None,
            more: Vec::new(),
        }
    }

    #[test]
    fn parcels_are_no_larger_than_an_array_and_are_numbered_on() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(SUBMITTED)).unwrap();
        fs::write(folder.path().join(SUBMITTED).join("4.txt"), "").unwrap();
        let wanted: Vec<usize> = (0..MOST_TASKS + 2).collect();
        let study = study(folder.path());
        let alone = parcels(&study, &[7], &slurm()).unwrap();
        assert!(alone[0].shown().starts_with("1 trial: 7\n"), "{}", alone[0].shown());
        let parcels = parcels(&study, &wanted, &slurm()).unwrap();
        let sizes: Vec<(usize, usize)> =
            parcels.iter().map(|it| (it.submission.number, it.submission.tasks)).collect();
        assert_eq!(sizes, [(5, MOST_TASKS), (6, 2)]);
        let shown = parcels[1].shown();
        assert!(shown.starts_with("2 trials: 1000 1001\n"), "{shown}");
        assert!(shown.contains("6.sh:\n#!/bin/bash"), "{shown}");
        assert!(shown.lines().last().unwrap().starts_with("sbatch "), "{shown}");
    }

    #[test]
    fn a_study_that_is_cancelled_asks_its_trials_to_stop() {
        let folder = tempfile::tempdir().unwrap();
        let (study, stop) = (study(folder.path()), Stop::new());
        stop_when_cancelled(study.folder.clone(), stop.clone());
        assert!(!stop.is_requested());
        cancel(&study).unwrap();
        let since = std::time::Instant::now();
        while !stop.is_requested() {
            assert!(since.elapsed() < 600 * LOOK, "nobody was asked to stop");
            std::thread::sleep(LOOK / 100);
        }
    }
}
