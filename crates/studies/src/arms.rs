//! A study's trials, and what comes out of its arms.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use backburn_records::shell::quoted;
use backburn_records::{Arm, ArmRun, RunRecord, Summary, number};
use backburn_training::failure::Failure;
use backburn_training::prepare::PrepareError;
use backburn_training::run_options::RunOptions;
use backburn_training::session_error::SessionError;
use backburn_training::watch::{Brief, Event, TrialAtWork, Watch};

use crate::jobs::{self, Ended, Jobs, Overseer, Running, last_words};
use crate::study::{Place, Study};
use crate::trial::{Found, Trial, TrialEnd, read};

/// Why a trial that diverged is left out.
pub(crate) const NOT_FINITE: &str = "its loss was not finite";

/// How a trial has ended that has.
#[derive(Clone, Debug)]
enum End {
    Scored(Box<Summary>),
    /// It diverged, or asks for what does not go with the data: the arm is left out, with the reason.
    LeftOut(String),
}

/// A study under way: what there is of its trials, by their indices.
struct Progress<'a> {
    study: &'a Study,
    ends: BTreeMap<usize, End>,
    /// Trials that were there before.
    there: usize,
    /// Trials that are to be trained.
    missing: usize,
    trained: usize,
    started: Instant,
    resume: &'a [String],
    watch: &'a mut dyn Watch,
}

/// Trains what is not there yet of the first `seeds` seeds of a study, and gives its arms with their runs. An arm that
/// diverges, or asks for what does not go with the data, is left out with the reason; the first arm, which the others
/// are compared with, must not. `jobs`: processes to train in, each trial in one of its own; this one if `None`.
/// `resume`: the words that the same command is given with again.
///
/// # Errors
///
/// If a run cannot be trained or read, or the study is asked to stop: it is resumed by the same call.
pub fn train(
    study: &Study,
    seeds: usize,
    options: &RunOptions,
    jobs: Option<&Jobs<'_>>,
    resume: &[String],
    watch: &mut dyn Watch,
) -> Result<Vec<Arm>, Failure> {
    let mut planned = Vec::new();
    for index in 0..study.trials() {
        if let (Some(place), Some(trial)) = (study.place(index), study.trial(index))
            && place.seed < seeds
        {
            let found = trial.find()?;
            planned.push((index, trial, found));
        }
    }
    let missing = planned.iter().filter(|(.., found)| found.is_missing()).count();
    let there = planned.len() - missing;
    let known = match there {
        0 => String::new(),
        there => format!(", of which {there} {} there", number::either(there, "is", "are")),
    };
    let runs = number::counted(planned.len(), "run");
    let text = format!("{runs} in {}{known}", study.folder.display());
    watch.event(Event::Note(&text));
    let mut progress = Progress {
        study,
        ends: BTreeMap::new(),
        there,
        missing,
        trained: 0,
        started: Instant::now(),
        resume,
        watch,
    };
    let mut left = Vec::new();
    for (index, trial, found) in planned {
        match (found, trial.refusal()) {
            (Found::Whole(summary), _) => progress.keep(index, End::Scored(summary)),
            (Found::Diverged, _) => progress.leave_out(index, NOT_FINITE)?,
            (found, None) => left.push((index, trial, found)),
            (_, Some(reason)) => progress.leave_out(index, &reason)?,
        }
    }
    match jobs {
        Some(jobs) => {
            let left: Vec<(usize, Trial)> =
                left.into_iter().map(|(index, trial, _)| (index, trial)).collect();
            jobs::carry_out(&left, jobs, &options.stop, &mut progress)
                .map_err(|failure| progress.told(failure))?;
        }
        None => progress.here(left, options)?,
    }
    progress.arms()
}

impl Progress<'_> {
    /// Trains in this process, one after the other.
    fn here(
        &mut self,
        left: Vec<(usize, Trial, Found)>,
        options: &RunOptions,
    ) -> Result<(), Failure> {
        for (index, trial, found) in left {
            if !self.is_wanted(index) {
                continue;
            }
            if options.stop.is_requested() {
                return Err(self.told(Failure::Interrupted));
            }
            let started = Instant::now();
            match attempt(&trial, found, options, &mut Brief(&mut *self.watch))? {
                Attempt::Interrupted => return Err(self.told(Failure::Interrupted)),
                Attempt::Scored(summary) => {
                    self.scored(index, summary, started.elapsed().as_secs_f64());
                }
                Attempt::LeftOut(reason) => self.leave_out(index, &reason)?,
            }
        }
        Ok(())
    }

    fn place(&self, index: usize) -> Place {
        self.study.place(index).unwrap_or(Place { arm: 0, seed: 0 })
    }

    fn keep(&mut self, index: usize, end: End) {
        self.ends.insert(index, end);
    }

    /// The beginning of a line about a trial.
    fn line(&self, index: usize) -> String {
        let all = self.there + self.missing;
        let arms = &self.study.arms;
        let width = arms.iter().map(|arm| arm.name.len()).max().unwrap_or(0);
        let Place { arm, seed } = self.place(index);
        let name = arms.get(arm).map_or("", |arm| &arm.name);
        let seed = self.study.seeds.get(seed).copied().unwrap_or(0);
        format!("{:>3}/{all} {name:<width$} seed {seed}", self.there + self.trained)
    }

    /// A trial has been trained.
    fn scored(&mut self, index: usize, summary: Box<Summary>, seconds: f64) {
        self.trained += 1;
        let mut line = self.line(index);
        line += &format!(
            " train {:>5.1} test {:>5.2} %",
            100.0 * summary.train_accuracy,
            100.0 * summary.test_accuracy
        );
        line += &format!(" {}", number::clock(seconds));
        let left = self.missing - self.trained;
        if left > 0 {
            let rest = self.started.elapsed().as_secs_f64() / self.trained as f64 * left as f64;
            line += &format!(", {} left", number::clock(rest));
        }
        self.watch.event(Event::Note(&line));
        self.keep(index, End::Scored(summary));
    }

    /// An arm cannot be compared.
    fn leave_out(&mut self, index: usize, reason: &str) -> Result<(), Failure> {
        let Place { arm, seed } = self.place(index);
        let seed = self.study.seeds.get(seed).copied().unwrap_or(0);
        if arm == 0 {
            let name = self.study.arms.first().map_or("", |arm| &arm.name);
            return Err(Failure::Error(format!(
                "nothing to compare with: {name} with seed {seed}: {reason}"
            )));
        }
        self.watch.event(Event::Note(&format!("{} left out: {reason}", self.line(index))));
        self.keep(index, End::LeftOut(format!("seed {seed}: {reason}")));
        Ok(())
    }

    /// Says how an interrupted study is resumed.
    fn told(&mut self, failure: Failure) -> Failure {
        if matches!(failure, Failure::Interrupted) {
            return interrupted(self.resume, &mut *self.watch);
        }
        failure
    }

    /// The arms with their runs.
    fn arms(self) -> Result<Vec<Arm>, Failure> {
        let Self { study, ends, .. } = self;
        let mut arms: Vec<Arm> = study.arms.iter().map(without_runs).collect();
        for (index, end) in ends {
            let (Some(place), Some(trial)) = (study.place(index), study.trial(index)) else {
                continue;
            };
            let Some(arm) = arms.get_mut(place.arm).filter(|arm| arm.absent.is_none()) else {
                continue;
            };
            match end {
                End::LeftOut(reason) => {
                    arm.runs.clear();
                    arm.absent = Some(reason);
                }
                End::Scored(summary) => {
                    let path = trial.path.strip_prefix(&study.folder).unwrap_or(&trial.path);
                    let folder = path.display().to_string();
                    let test_looks = read(&trial.path)?.manifest.test_reads.len();
                    let seed = trial.recipe.seed;
                    arm.runs.push(ArmRun { seed, folder, summary: *summary, test_looks });
                }
            }
        }
        Ok(arms)
    }
}

impl Overseer for Progress<'_> {
    fn ended(&mut self, Ended { index, status, log, seconds }: Ended) -> Result<(), Failure> {
        let Some(trial) = self.study.trial(index) else { return Ok(()) };
        match trial.find()? {
            Found::Whole(summary) => {
                self.scored(index, summary, seconds);
                Ok(())
            }
            Found::Diverged => self.leave_out(index, NOT_FINITE),
            _ if trial.refusal().is_some() => {
                self.leave_out(index, &trial.refusal().unwrap_or_default())
            }
            _ => Err(Failure::Error(format!(
                "{}: its process ended with {status}:\n{}\nthe whole of it: {}",
                trial.path.display(),
                last_words(&log, 5),
                log.display()
            ))),
        }
    }

    /// Of an arm that is left out, no further seed is trained.
    fn is_wanted(&self, index: usize) -> bool {
        let arm = self.place(index).arm;
        !self
            .ends
            .iter()
            .any(|(index, end)| matches!(end, End::LeftOut(_)) && self.place(*index).arm == arm)
    }

    fn running(&mut self, trials: &[Running]) {
        let at_work: Vec<TrialAtWork> = trials
            .iter()
            .filter_map(|running| {
                let trial = self.study.trial(running.index)?;
                let arm = self.study.arms.get(self.place(running.index).arm)?;
                Some(TrialAtWork {
                    name: format!("{} seed {}", arm.name, trial.recipe.seed),
                    folder: running.path.clone(),
                    epochs: trial.recipe.epochs,
                    since: running.since,
                })
            })
            .collect();
        let all = self.there + self.missing;
        let done = self.there + self.trained;
        self.watch.event(Event::Trials { at_work: &at_work, done, all });
    }
}

/// What an attempt at a trial came to.
#[derive(Debug)]
pub enum Attempt {
    /// Scores.
    Scored(Box<Summary>),
    /// The trial's arm cannot be compared, for this reason.
    LeftOut(String),
    /// It was asked to stop; another attempt resumes it.
    Interrupted,
}

/// Trains what is not there yet of a trial. What it asks for and the data do not allow is noted beside its folder, so
/// that whoever else carries out the study knows. `found`: what [`Trial::find`] gave.
///
/// # Errors
///
/// If it cannot be trained.
pub fn attempt(
    trial: &Trial,
    found: Found,
    options: &RunOptions,
    watch: &mut dyn Watch,
) -> Result<Attempt, Failure> {
    match trial.carry_out(found, options, watch) {
        Ok(TrialEnd::Scored(summary)) => Ok(Attempt::Scored(summary)),
        Ok(TrialEnd::Diverged(reason)) => Ok(Attempt::LeftOut(format!("diverged: {reason}"))),
        Ok(TrialEnd::Interrupted) => Ok(Attempt::Interrupted),
        Err(SessionError::Prepare(
            error @ (PrepareError::Recipe(_) | PrepareError::Loader(_) | PrepareError::Model(_)),
        )) => {
            let reason = error.to_string();
            trial.refuse(&reason)?;
            Ok(Attempt::LeftOut(reason))
        }
        Err(error) => Err(named(error.into(), trial)),
    }
}

/// [`attempt`]s a trial that a process of its own carries out, and notes beside its folder why it has failed, if it
/// has. What was noted of an attempt before is to be forgotten first.
///
/// # Errors
///
/// If it cannot be trained, or that cannot be noted.
pub fn attempt_alone(
    trial: &Trial,
    options: &RunOptions,
    watch: &mut dyn Watch,
) -> Result<Attempt, Failure> {
    match attempt(trial, trial.find()?, options, &mut Brief(watch)) {
        Err(Failure::Usage(reason) | Failure::Error(reason)) => {
            trial.fail(&reason)?;
            Err(Failure::Error(reason))
        }
        other => other,
    }
}

fn without_runs(arm: &crate::study::StudyArm) -> Arm {
    Arm {
        name: arm.name.clone(),
        summary: arm.summary.clone(),
        command: arm.command.clone(),
        runs: Vec::new(),
        absent: arm.recipe.as_ref().err().cloned(),
    }
}

/// Reads every run of these arms.
///
/// # Errors
///
/// If a file of a run cannot be read.
pub fn records(arms: &[Arm], folder: &Path) -> Result<Vec<RunRecord>, Failure> {
    let runs = arms.iter().flat_map(|arm| &arm.runs);
    runs.map(|run| read(&folder.join(&run.folder))).collect()
}

/// Says how what was interrupted is resumed.
pub(crate) fn interrupted(resume: &[String], watch: &mut dyn Watch) -> Failure {
    let words: Vec<String> = resume.iter().map(|word| quoted(word)).collect();
    let words = words.join(" ");
    watch.event(Event::Note(&format!(
        "interrupted; resume with the same command, `cargo xtask {words}`"
    )));
    Failure::Interrupted
}

/// The failure with the run's name before it.
pub(crate) fn named(failure: Failure, trial: &Trial) -> Failure {
    let name = |message: String| format!("{}: {message}", trial.path.display());
    match failure {
        Failure::Usage(message) => Failure::Usage(name(message)),
        Failure::Error(message) => Failure::Error(name(message)),
        Failure::Interrupted => Failure::Interrupted,
    }
}
