//! A study's trials one after the other, and what comes out of its arms.

use std::path::Path;
use std::time::Instant;

use backburn_records::shell::quoted;
use backburn_records::{Arm, ArmRun, RunRecord, number};
use backburn_training::failure::Failure;
use backburn_training::prepare::PrepareError;
use backburn_training::run_options::RunOptions;
use backburn_training::session_error::SessionError;
use backburn_training::watch::{Brief, Event, Watch};

use crate::study::{Place, Study};
use crate::trial::{Found, Trial, TrialEnd, read};

/// A trial, and what there is of it.
struct Planned {
    place: Place,
    trial: Trial,
    found: Found,
}

/// Trains what is not there yet of a study, and gives its arms with their runs. An arm that diverges, or asks for
/// what does not go with the data, is left out with the reason; the first arm, which the others are compared
/// with, must not. `resume`: the words that the same command is given with again.
///
/// # Errors
///
/// If a run cannot be trained or read, or the study is asked to stop: it is resumed by the same call.
pub fn train(
    study: &Study,
    options: &RunOptions,
    resume: &[String],
    watch: &mut dyn Watch,
) -> Result<Vec<Arm>, Failure> {
    let mut planned = Vec::new();
    for index in 0..study.trials() {
        if let (Some(place), Some(trial)) = (study.place(index), study.trial(index)) {
            let found = trial.find()?;
            planned.push(Planned { place, trial, found });
        }
    }
    let mut arms: Vec<Arm> = study.arms.iter().map(without_runs).collect();
    carry_out(study, &planned, &mut arms, options, resume, watch)?;
    Ok(arms)
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

fn note(watch: &mut dyn Watch, text: &str) {
    watch.event(Event::Note(text));
}

/// Trains what is planned and not there yet, and adds the runs to their arms.
fn carry_out(
    study: &Study,
    planned: &[Planned],
    arms: &mut [Arm],
    options: &RunOptions,
    resume: &[String],
    watch: &mut dyn Watch,
) -> Result<(), Failure> {
    let mut left = planned.iter().filter(|run| run.found.is_missing()).count();
    let there = planned.len() - left;
    let known = if there > 0 { format!(", of which {there} are there") } else { String::new() };
    note(watch, &format!("{} runs in {}{known}", planned.len(), study.folder.display()));
    let width = arms.iter().map(|arm| arm.name.len()).max().unwrap_or(0);
    let (mut trained, mut seconds) = (0_usize, 0.0);
    for (number, run) in (1..).zip(planned) {
        let (arm, seed) = (&mut arms[run.place.arm], run.trial.recipe.seed);
        // Another seed of the arm has diverged.
        if arm.absent.is_some() {
            left -= usize::from(run.found.is_missing());
            continue;
        }
        let started = Instant::now();
        let (all, name) = (planned.len(), arm.name.clone());
        if run.found.is_missing() {
            if options.stop.is_requested() {
                return interrupted(resume, watch);
            }
            left -= 1;
        }
        let end = run.trial.carry_out(run.found.clone(), options, &mut Brief(watch));
        let mut line = format!("{number:>3}/{all} {name:<width$} seed {seed}");
        match end {
            Ok(TrialEnd::Interrupted) => return interrupted(resume, watch),
            // What the arm asks for does not go with the data.
            Err(SessionError::Prepare(
                error
                @ (PrepareError::Recipe(_) | PrepareError::Loader(_) | PrepareError::Model(_)),
            )) if run.place.arm != 0 => {
                note(watch, &format!("{line} left out"));
                arm.runs.clear();
                arm.absent = Some(error.to_string());
                continue;
            }
            Err(error) => return Err(named(error.into(), &run.trial)),
            Ok(TrialEnd::Scored(summary)) => {
                line += &format!(
                    " train {:>5.1} test {:>5.2} %",
                    100.0 * summary.train_accuracy,
                    100.0 * summary.test_accuracy
                );
                let path = run.trial.path.strip_prefix(&study.folder).unwrap_or(&run.trial.path);
                let folder = path.display().to_string();
                let test_looks = read(&run.trial.path)?.manifest.test_reads.len();
                arm.runs.push(ArmRun { seed, folder, summary: *summary, test_looks });
            }
            Ok(TrialEnd::Diverged(reason)) if run.place.arm == 0 => {
                return Err(Failure::Error(format!(
                    "nothing to compare with: {name} diverged with seed {seed}: {reason}"
                )));
            }
            Ok(TrialEnd::Diverged(reason)) => {
                line += " diverged";
                arm.runs.clear();
                arm.absent = Some(format!("seed {seed} diverged: {reason}"));
            }
        }
        if run.found.is_missing() {
            trained += 1;
            seconds += started.elapsed().as_secs_f64();
            line += &format!(" {}", number::clock(started.elapsed().as_secs_f64()));
            if left > 0 {
                let rest = seconds / trained as f64 * left as f64;
                line += &format!(", {} left", number::clock(rest));
            }
            note(watch, &line);
        }
    }
    Ok(())
}

pub(crate) fn interrupted(resume: &[String], watch: &mut dyn Watch) -> Result<(), Failure> {
    let words: Vec<String> = resume.iter().map(|word| quoted(word)).collect();
    let words = words.join(" ");
    note(watch, &format!("interrupted; resume with the same command, `cargo xtask {words}`"));
    Err(Failure::Interrupted)
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
