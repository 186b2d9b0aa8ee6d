//! How far a study is, as its folder tells.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::fs;

use backburn_records::at_work::AtWork;
use backburn_records::number::{counted, either};
use backburn_training::failure::Failure;
use serde_json::{Value, json};

use crate::arms::NOT_FINITE;
use crate::study::Study;
use crate::trial::{Found, Trial};

/// Trials in a state are listed one by one up to so many.
const MOST_LISTED: usize = 12;

/// How far a trial is.
#[derive(Clone, Debug, PartialEq)]
pub enum TrialState {
    /// It has its scores.
    Done,
    /// It cannot be compared, for this reason.
    LeftOut(String),
    /// A process is at work on it.
    AtWork,
    /// It was stopped or killed, and can be resumed.
    Stopped,
    /// It has failed, for this reason.
    Failed(String),
    /// Nothing is there of it.
    Missing,
}

impl TrialState {
    /// A word for it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::LeftOut(_) => "left out",
            Self::AtWork => "at work",
            Self::Stopped => "stopped",
            Self::Failed(_) => "failed",
            Self::Missing => "missing",
        }
    }

    /// Whether it should be handed to an engine again.
    pub fn is_wanted(&self) -> bool {
        matches!(self, Self::Stopped | Self::Failed(_) | Self::Missing)
    }

    /// Whether something is still to be done for it, by whomever.
    pub fn is_left(&self) -> bool {
        self.is_wanted() || *self == Self::AtWork
    }
}

/// How far every trial is, by its index. Trials of arms that do not apply are not among them.
///
/// # Errors
///
/// If a run folder holds another run, or cannot be read.
pub fn states(study: &Study) -> Result<Vec<(usize, Trial, TrialState)>, Failure> {
    let mut states = Vec::new();
    for index in 0..study.trials() {
        if let Some(trial) = study.trial(index) {
            let state = state(&trial)?;
            states.push((index, trial, state));
        }
    }
    Ok(states)
}

fn state(trial: &Trial) -> Result<TrialState, Failure> {
    if AtWork::on(&trial.path) == AtWork::Yes {
        return Ok(TrialState::AtWork);
    }
    let found = trial.find()?;
    Ok(match (found, trial.refusal(), trial.failure()) {
        (Found::Whole(_), ..) => TrialState::Done,
        (Found::Diverged, ..) => TrialState::LeftOut(NOT_FINITE.into()),
        (_, Some(reason), _) => TrialState::LeftOut(reason),
        (_, _, Some(reason)) => TrialState::Failed(reason),
        (Found::Part, ..) => TrialState::Stopped,
        (Found::Nothing, ..) => TrialState::Missing,
    })
}

/// The indices of the trials that should be handed to an engine.
///
/// # Errors
///
/// As [`states`].
pub fn wanted(study: &Study) -> Result<Vec<usize>, Failure> {
    let wanted = states(study)?.into_iter().filter(|(.., state)| state.is_wanted());
    Ok(wanted.map(|(index, ..)| index).collect())
}

/// Checks that every trial is there that can be.
///
/// # Errors
///
/// If one is not, with how far all are; else as [`states`].
pub fn check_complete(study: &Study) -> Result<(), Failure> {
    let states = states(study)?;
    let left = states.iter().filter(|(.., state)| state.is_left()).count();
    if left == 0 {
        return Ok(());
    }
    let (folder, them) = (study.folder.display(), either(left, "it", "them"));
    Err(Failure::Error(format!(
        "{left} of {} {} not there yet:\n{}\nhand {them} over with `cargo xtask study submit {folder} \
         --engine NAME`, or train {them} here with `cargo xtask study collect {folder} --finish`",
        counted(states.len(), "trial"),
        either(left, "is", "are"),
        as_text(study, &states)
    )))
}

/// How far a study is, in lines for a terminal. `states`: what [`states`] gave.
pub fn as_text(study: &Study, states: &[(usize, Trial, TrialState)]) -> String {
    let count = |name: &str| states.iter().filter(|(.., state)| state.name() == name).count();
    let names = ["done", "left out", "at work", "stopped", "failed", "missing"];
    let counts = names.iter().map(|name| (count(name), name)).filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counts.map(|(count, name)| format!("{count} {name}")).collect();
    let mut text = format!("{}: {}", counted(states.len(), "trial"), counts.join(", "));
    for name in ["at work", "stopped", "failed", "missing"] {
        let of_it: Vec<_> = states.iter().filter(|(.., state)| state.name() == name).collect();
        for (index, trial, state) in of_it.iter().take(MOST_LISTED) {
            let run = trial.path.strip_prefix(&study.folder).unwrap_or(&trial.path);
            text += &format!("\n{index:>5} {:<8} {}", state.name(), run.display());
            if let TrialState::Failed(reason) = state {
                text += &format!(": {reason}");
            }
        }
        if of_it.len() > MOST_LISTED {
            text += &format!("\n      and {} more {name}", of_it.len() - MOST_LISTED);
        }
    }
    if is_cancelled(study) {
        text += "\ncancelled; `study submit` begins again";
    }
    text
}

/// How far a study is, as one object. `states`: what [`states`] gave.
pub fn as_json(study: &Study, states: &[(usize, Trial, TrialState)]) -> Value {
    let trial = |(index, trial, state): &(usize, Trial, TrialState)| {
        let run = trial.path.strip_prefix(&study.folder).unwrap_or(&trial.path);
        let reason = match state {
            TrialState::LeftOut(reason) | TrialState::Failed(reason) => Some(reason),
            _ => None,
        };
        let (run, state) = (run.display().to_string(), state.name());
        json!({ "index": index, "run": run, "state": state, "reason": reason })
    };
    let trials: Vec<Value> = states.iter().map(trial).collect();
    json!({ "trials": trials, "cancelled": is_cancelled(study) })
}

/// Whether a study has been cancelled.
pub fn is_cancelled(study: &Study) -> bool {
    fs::exists(study.folder.join(crate::engine::CANCELLED)).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use backburn_training::recipe::built_in;

    use super::*;
    use crate::study::StudyArm;

    #[test]
    fn a_folder_tells_what_is_missing_refused_and_failed() {
        let folder = tempfile::tempdir().unwrap();
        let recipe = Ok(built_in("digits").unwrap());
        let arm =
            StudyArm { name: "none".into(), summary: String::new(), command: Vec::new(), recipe };
        let study = Study { arms: vec![arm], seeds: vec![1, 2, 3], folder: folder.path().into() };
        let trial = |index: usize| study.trial(index).unwrap();
        trial(1).refuse("too few images").unwrap();
        trial(2).fail("no disk space").unwrap();
        let states: Vec<TrialState> =
            states(&study).unwrap().into_iter().map(|(.., state)| state).collect();
        let expected = [
            TrialState::Missing,
            TrialState::LeftOut("too few images".into()),
            TrialState::Failed("no disk space".into()),
        ];
        assert_eq!(states, expected);
        let message = |study| match check_complete(study) {
            Err(Failure::Error(message)) => message,
            _ => panic!("nothing is said to be missing"),
        };
        let several = message(&study);
        assert!(several.starts_with("2 of 3 trials are not there yet:"), "{several}");
        let alone = Study { seeds: vec![1], ..study.clone() };
        let message = message(&alone);
        assert!(message.starts_with("1 of 1 trial is not there yet:\n1 trial: 1 missing"));
        assert!(message.contains("hand it over with") && message.contains("train it here"));
        trial(2).forget_failure().unwrap();
        assert_eq!(state(&trial(2)).unwrap(), TrialState::Missing);
    }
}
