//! What a search came to, as it is written down and shown.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::collections::BTreeMap;

use backburn_records::search::{
    SearchRecord, TrialEndRecord, TrialRecord, VariedRange, VariedRecord, WinnerRecord,
};
use backburn_records::statistics::Spread;
use backburn_records::{MANIFEST_FILE, Origin, RunRecord};
use backburn_training::failure::Failure;
use backburn_training::recipe_change::RecipeChange;
use serde_json::Value;

use crate::search::history::{Curve, Outcome, Tried, winner};
use crate::search::plan::Search;
use crate::search::range::{Range, text};
use crate::search::space::Varied;
use crate::trial::read;

/// The record of a search. `words`: those of a command that trains the recipe with a change; `command`: that of the
/// search.
///
/// # Errors
///
/// If a file of a run cannot be read.
pub fn record(
    search: &Search,
    tried: &[Tried],
    dataset: String,
    words: impl Fn(&RecipeChange) -> Result<Vec<String>, Failure>,
    command: Vec<String>,
) -> Result<SearchRecord, Failure> {
    let mut runs = Vec::new();
    for trial in tried {
        runs.extend(runs_of(search, trial)?);
    }
    let winner = match winner(tried) {
        Some(trial) => Some(chosen(search, trial, words(&trial.values)?)?),
        None => None,
    };
    Ok(SearchRecord {
        dataset,
        model: search.recipe.model.name().to_owned(),
        sampler: search.sampler.clone(),
        pruning: search.pruning.clone(),
        tta: search.recipe.tta.map(|views| views.to_string()),
        seeds: search.all_seeds().collect(),
        rounds: search.rounds,
        vary: search.vary.varied().iter().map(varied).collect(),
        trials: tried.iter().map(|trial| trial_record(search, trial)).collect(),
        winner,
        command,
        origin: Origin::of_runs(&runs, search.folder.display().to_string()),
    })
}

/// Checks that a search has found something.
///
/// # Errors
///
/// If no trial of it has scores, with the reason of the first.
pub fn check_winner(record: &SearchRecord) -> Result<(), Failure> {
    if record.winner.is_some() {
        return Ok(());
    }
    let why = record.trials.iter().find_map(|trial| trial.reason.clone());
    Err(Failure::Error(format!(
        "no trial came to its end{}; search other ranges, in another folder (`--out`)",
        why.map_or(String::new(), |why| format!(", the first: {why}"))
    )))
}

/// The runs of a trial that have begun.
fn runs_of(search: &Search, trial: &Tried) -> Result<Vec<RunRecord>, Failure> {
    let run = |seed| search.run(trial.number, &trial.values, seed).ok();
    let paths = search.all_seeds().filter_map(run).map(|run| run.path);
    paths.filter(|path| path.join(MANIFEST_FILE).exists()).map(|path| read(&path)).collect()
}

/// The winner. Only here are test scores read, of the runs of the trial that was chosen.
fn chosen(search: &Search, trial: &Tried, command: Vec<String>) -> Result<WinnerRecord, Failure> {
    let runs = runs_of(search, trial)?;
    let tests = runs.iter().filter_map(|run| Some(run.summary.as_ref()?.test_accuracy));
    Ok(WinnerRecord {
        number: trial.number,
        valid_accuracy: Spread::of(by_seed(trial)),
        test_accuracy: Spread::of(&tests.collect::<Vec<_>>()),
        command,
    })
}

fn by_seed(trial: &Tried) -> &[f64] {
    match &trial.outcome {
        Outcome::Scored(by_seed) => by_seed,
        _ => &[],
    }
}

fn trial_record(search: &Search, trial: &Tried) -> TrialRecord {
    let (end, reason) = match &trial.outcome {
        Outcome::Scored(_) => (TrialEndRecord::Scored, None),
        Outcome::Pruned(cut) => {
            let reason = format!("seed {}, after epoch {}", cut.seed, cut.epoch);
            (TrialEndRecord::Pruned, Some(reason))
        }
        Outcome::Diverged(reason) => (TrialEndRecord::Diverged, Some(reason.clone())),
        Outcome::Refused(reason) => (TrialEndRecord::Refused, Some(reason.clone())),
    };
    let values = search.vary.varied().iter().filter_map(|Varied { setting, .. }| {
        let value = trial.values.value(setting)?;
        Some((setting.clone(), serde_json::to_value(value).unwrap_or(Value::Null)))
    });
    let folder = search.trial_folder(trial.number);
    TrialRecord {
        number: trial.number,
        round: trial.round,
        values: values.collect::<BTreeMap<_, _>>(),
        end,
        valid_accuracy: trial.score(),
        by_seed: by_seed(trial).to_vec(),
        epochs: trial.curves.iter().map(Curve::epochs).sum(),
        reason,
        folder: folder.file_name().unwrap_or_default().to_string_lossy().into_owned(),
    }
}

fn varied(varied: &Varied) -> VariedRecord {
    let range = match &varied.range {
        Range::Linear { low, high } => VariedRange::Linear { low: *low, high: *high },
        Range::Log { low, high } => VariedRange::Log { low: *low, high: *high },
        Range::Integer { low, high } => {
            VariedRange::Linear { low: *low as f64, high: *high as f64 }
        }
        Range::LogInteger { low, high } => {
            VariedRange::Log { low: *low as f64, high: *high as f64 }
        }
        Range::Choice(values) => VariedRange::Choice { values: values.iter().map(text).collect() },
    };
    VariedRecord { setting: varied.setting.clone(), range }
}
