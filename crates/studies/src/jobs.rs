//! Trials in processes of their own, several at a time.
//!
//! A trial needs nothing but the study's folder and its index, and leaves nothing but its run folder; what it came to
//! is read from there, whoever started the process. A process that is asked to stop, by the end of its stdin, saves a
//! checkpoint: it does so too if the process that started it is gone.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use backburn_training::failure::Failure;
use backburn_training::stop::Stop;

use crate::trial::Trial;

/// Where the study's folder has what processes have said.
pub const LOGS: &str = "logs";

/// How often processes are looked after.
const PAUSE: Duration = Duration::from_millis(20);

/// How processes of trials are started.
pub struct Jobs<'a> {
    /// How many at a time, at least 1.
    pub count: usize,
    /// The command that carries out the trial of an index.
    pub command: &'a dyn Fn(usize) -> Command,
    /// Folder for what they say.
    pub logs: PathBuf,
}

/// A trial whose process has ended.
#[derive(Debug)]
pub struct Ended {
    /// Its index in the study.
    pub index: usize,
    /// How its process ended.
    pub status: ExitStatus,
    /// What it said on stderr.
    pub log: PathBuf,
    /// Seconds that it took.
    pub seconds: f64,
}

/// A trial that is being trained.
#[derive(Clone, Debug)]
pub struct Running {
    /// Its index in the study.
    pub index: usize,
    /// Its run folder.
    pub path: PathBuf,
    /// Since when.
    pub since: Instant,
}

/// What carrying out trials is accompanied by.
pub trait Overseer {
    /// A process has ended.
    ///
    /// # Errors
    ///
    /// If the others need not go on.
    fn ended(&mut self, trial: Ended) -> Result<(), Failure>;

    /// Whether a trial is wanted still.
    fn is_wanted(&self, index: usize) -> bool;

    /// What is being trained at the moment.
    fn running(&mut self, trials: &[Running]);
}

struct Process {
    running: Running,
    child: Child,
    log: PathBuf,
}

/// Carries out `trials`, by their indices, in processes of their own.
///
/// # Errors
///
/// What the overseer says, if a process cannot be started, or if it is asked to stop: then all have saved what they
/// had.
pub fn carry_out(
    trials: &[(usize, Trial)],
    jobs: &Jobs<'_>,
    stop: &Stop,
    overseer: &mut dyn Overseer,
) -> Result<(), Failure> {
    let mut waiting = trials.iter();
    let mut processes: Vec<Process> = Vec::new();
    let mut failure = None;
    loop {
        while failure.is_none() && !stop.is_requested() && processes.len() < jobs.count.max(1) {
            let Some((index, trial)) = waiting.find(|(index, _)| overseer.is_wanted(*index)) else {
                break;
            };
            match start(*index, trial, jobs) {
                Ok(process) => processes.push(process),
                Err(error) => failure = Some(Failure::Error(error.to_string())),
            }
        }
        if processes.is_empty() {
            break;
        }
        if failure.is_some() || stop.is_requested() {
            processes.iter_mut().for_each(|process| drop(process.child.stdin.take()));
        }
        let mut left = Vec::new();
        for mut process in processes.drain(..) {
            let status = match process.child.try_wait() {
                Ok(None) => {
                    left.push(process);
                    continue;
                }
                Ok(Some(status)) => status,
                Err(error) => {
                    failure.get_or_insert(Failure::Error(error.to_string()));
                    continue;
                }
            };
            // What was asked to stop has nothing to tell.
            let is_stopping = stop.is_requested() || failure.is_some();
            if status.success() || !is_stopping {
                let Process { running: Running { index, since, .. }, log, .. } = process;
                let seconds = since.elapsed().as_secs_f64();
                let told = overseer.ended(Ended { index, status, log, seconds });
                failure = failure.or(told.err());
            }
        }
        processes = left;
        let running: Vec<Running> =
            processes.iter().map(|process| process.running.clone()).collect();
        overseer.running(&running);
        sleep(PAUSE);
    }
    match failure {
        Some(failure) => Err(failure),
        None if stop.is_requested() => Err(Failure::Interrupted),
        None => Ok(()),
    }
}

fn start(index: usize, trial: &Trial, jobs: &Jobs<'_>) -> io::Result<Process> {
    let log = jobs.logs.join(format!("trial-{index:04}.txt"));
    let name = |error: io::Error| io::Error::other(format!("cannot start trial {index}: {error}"));
    fs::create_dir_all(&jobs.logs).map_err(name)?;
    let file = File::create(&log).map_err(name)?;
    let mut command = (jobs.command)(index);
    let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(file).spawn();
    let running = Running { index, path: trial.path.clone(), since: Instant::now() };
    Ok(Process { running, child: child.map_err(name)?, log })
}

/// The end of what a process has said, at most so many lines.
pub fn last_words(log: &Path, lines: usize) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let all: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    all.get(all.len().saturating_sub(lines)..).unwrap_or_default().join("\n")
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::collections::BTreeSet;

    use backburn_training::recipe::built_in;

    use super::*;

    #[derive(Default)]
    struct Seen {
        ended: Vec<(usize, Option<i32>)>,
        most: usize,
        /// What is written as soon as two are at work: those that wait for it end then.
        two: Option<PathBuf>,
        unwanted: BTreeSet<usize>,
        stop_after: Option<(usize, Stop)>,
    }

    impl Overseer for Seen {
        fn ended(&mut self, trial: Ended) -> Result<(), Failure> {
            self.ended.push((trial.index, trial.status.code()));
            if let Some((count, stop)) = &self.stop_after
                && self.ended.len() == *count
            {
                stop.request();
            }
            match trial.status.code() {
                Some(7) => Err(Failure::Error(last_words(&trial.log, 1))),
                _ => Ok(()),
            }
        }

        fn is_wanted(&self, index: usize) -> bool {
            !self.unwanted.contains(&index)
        }

        fn running(&mut self, trials: &[Running]) {
            self.most = self.most.max(trials.len());
            if let Some(two) = self.two.as_ref().filter(|_| trials.len() >= 2) {
                fs::write(two, "").unwrap();
            }
        }
    }

    fn run(script: &str, count: usize, seen: &mut Seen, stop: &Stop) -> Result<(), Failure> {
        let folder = tempfile::tempdir().unwrap();
        let recipe = built_in("digits").unwrap();
        let trials: Vec<(usize, Trial)> = (0..6)
            .map(|index| (index, Trial { path: folder.path().join("run"), recipe: recipe.clone() }))
            .collect();
        let command = |index: usize| {
            let mut command = Command::new("sh");
            command.args(["-c", script, "sh", &index.to_string()]);
            command
        };
        let jobs = Jobs { count, command: &command, logs: folder.path().join(LOGS) };
        carry_out(&trials, &jobs, stop, seen)
    }

    #[test]
    fn each_trial_that_is_wanted_is_carried_out_once_and_no_more_than_asked_for_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let two = folder.path().join("two");
        let unwanted = BTreeSet::from([3]);
        let mut seen = Seen { unwanted, two: Some(two.clone()), ..Seen::default() };
        // For ten minutes at most, if there is never more than one.
        let wait = "for _ in $(seq 6000); do [ -e";
        let script = format!("{wait} '{}' ] && break; sleep 0.1; done", two.display());
        run(&script, 2, &mut seen, &Stop::new()).unwrap();
        let mut indices: Vec<usize> = seen.ended.iter().map(|(index, _)| *index).collect();
        indices.sort_unstable();
        assert_eq!(indices, [0, 1, 2, 4, 5]);
        assert_eq!(seen.most, 2);
    }

    #[test]
    fn the_first_failure_ends_all_and_is_told() {
        let mut seen = Seen::default();
        let script = "if [ $1 = 1 ]; then echo first >&2; echo the reason >&2; exit 7; fi; cat";
        let failure = run(script, 2, &mut seen, &Stop::new()).unwrap_err();
        assert!(matches!(failure, Failure::Error(message) if message == "the reason"));
        assert!(seen.ended.len() <= 2, "{:?}", seen.ended);
    }

    #[test]
    fn a_request_to_stop_reaches_the_processes_by_the_end_of_their_stdin() {
        let stop = Stop::new();
        let mut seen = Seen { stop_after: Some((1, stop.clone())), ..Seen::default() };
        // The first ends by itself; the others only when their stdin does.
        let failure = run("[ $1 = 0 ] || cat", 2, &mut seen, &stop).unwrap_err();
        assert!(matches!(failure, Failure::Interrupted));
    }
}
