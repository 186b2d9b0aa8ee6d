//! Where each stopping criterion would have ended a run, read off its log.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use backburn_records::number::{self, bare_percent, loss};
use backburn_records::{EpochRecord, RunRecord};
use backburn_regularization::{
    EarlyStopping, EarlyStoppingConfig, Keep, Monitor, Validation, Verdict,
};
use serde::Serialize;

use crate::failure::Failure;

/// The criteria that are compared if none is named: those of Prechelt's paper, today's patience,
/// and which weights are kept without any.
const CRITERIA: [&str; 21] = [
    "last",
    "best",
    "best-accuracy",
    "patience=1",
    "patience=2",
    "patience=3",
    "patience=5",
    "patience=10",
    "gl=1",
    "gl=2",
    "gl=3",
    "gl=5",
    "pq=0.5",
    "pq=0.75",
    "pq=1",
    "pq=2",
    "pq=3",
    "up=2",
    "up=3",
    "up=4",
    "last-under=1.0",
];

/// Columns of a criterion's text in the table. A longer one gets a line of its own, so that the
/// table fits a terminal of 80 columns.
const CRITERION_WIDTH: usize = 18;

/// What stands below the tables.
pub const NOTE: &str = "\
A rule that stops keeps the epoch with the lowest validation loss up to there,
one with monitor=accuracy that with the highest accuracy, as best-accuracy does.
\"above\" is how far that loss is above the lowest of the whole log. The log ends
where the run ended, which may itself have been stopped early: nothing is known
of what a criterion would have done after that.";

/// What is replayed: when to stop, or which weights to keep without stopping.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Criterion {
    /// Stop by this rule and keep the best epoch.
    Stop(EarlyStoppingConfig),
    /// Train on, and keep this.
    Keep(Keep),
}

/// What a criterion would have made of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Choice {
    /// The criterion as text.
    pub criterion: String,
    /// Epoch after which it stops; none if it does not within the log.
    pub stops_after: Option<usize>,
    /// Epoch whose weights it keeps.
    pub keeps: usize,
    /// Validation loss of the kept epoch, in nats.
    pub valid_loss: f64,
    /// Validation accuracy of the kept epoch, in `[0, 1]`.
    pub valid_accuracy: f64,
    /// Epochs of the run that it would not have trained.
    pub epochs_saved: usize,
    /// Part of the run's epochs, in `[0, 1]`.
    pub share_saved: f64,
    /// Validation loss minus the lowest of the log, in nats.
    pub above_best: f64,
    /// Why it has chosen nothing.
    pub remark: Option<String>,
}

/// The criteria that are compared if none is named.
///
/// # Panics
///
/// If the built-in list is not well formed.
#[expect(clippy::expect_used, reason = "the list is part of the program")]
pub fn usual() -> Vec<Criterion> {
    CRITERIA.map(|text| text.parse().expect("the list is well formed")).to_vec()
}

/// What each criterion would have made of a run whose log has validation losses, as [`read`] gives one. Nothing is
/// trained, and no image is looked at.
///
/// # Panics
///
/// If the log has no epochs.
pub fn replay(criteria: &[Criterion], run: &RunRecord) -> Vec<Choice> {
    criteria.iter().map(|criterion| choose(*criterion, &run.epochs)).collect()
}

/// Reads a run whose log has validation losses.
///
/// # Errors
///
/// If the folder is not a run's, or its log has none.
pub fn read(path: &Path) -> Result<RunRecord, Failure> {
    let run = RunRecord::read(path).map_err(|error| Failure::Error(error.to_string()))?;
    if run.epochs.iter().all(|epoch| epoch.valid_loss.is_none()) {
        return Err(Failure::Error(format!(
            "{}: expected epochs with a validation loss in metrics.jsonl, found none; a run has \
             them if it is trained with `--valid-size`, for example 10%",
            path.display()
        )));
    }
    Ok(run)
}

/// `epochs`: at least one.
#[expect(clippy::indexing_slicing, reason = "epochs that were just found in the log")]
fn choose(criterion: Criterion, epochs: &[EpochRecord]) -> Choice {
    let stops_after = match criterion {
        Criterion::Stop(config) => stops_after(config, epochs),
        Criterion::Keep(_) => None,
    };
    let keep = match criterion {
        Criterion::Stop(config) => match config.monitor() {
            Monitor::Loss => Keep::Best,
            Monitor::Accuracy => Keep::BestAccuracy,
        },
        Criterion::Keep(keep) => keep,
    };
    let trained = stops_after.unwrap_or(epochs.len());
    let kept = kept(keep, &epochs[..trained]);
    let remark = match (criterion, kept) {
        (Criterion::Stop(_), _) if stops_after.is_none() => {
            Some(format!("not within the {}", number::epochs(epochs.len())))
        }
        (Criterion::Keep(Keep::LastUnder(_)), None) => {
            Some(format!("under it in none of the {}", number::epochs(epochs.len())))
        }
        _ => None,
    };
    // Where nothing is selected, the last weights are there.
    let keeps = kept.unwrap_or(trained - 1);
    let valid_loss = validation_loss(&epochs[keeps]);
    let lowest = epochs.iter().map(validation_loss).fold(f64::NAN, f64::min);
    Choice {
        criterion: criterion.to_string(),
        stops_after,
        keeps: keeps + 1,
        valid_loss,
        valid_accuracy: epochs[keeps].valid_accuracy.unwrap_or(f64::NAN),
        epochs_saved: epochs.len() - trained,
        share_saved: (epochs.len() - trained) as f64 / epochs.len() as f64,
        above_best: valid_loss - lowest,
        remark,
    }
}

/// The epoch after which a rule stops, counted from 1.
fn stops_after(config: EarlyStoppingConfig, epochs: &[EpochRecord]) -> Option<usize> {
    let mut stopping = EarlyStopping::new(config);
    let stops = |epoch: &EpochRecord| {
        stopping.observe(epoch.train_objective, validation(epoch)) == Verdict::Stop
    };
    epochs.iter().position(stops).map(|index| index + 1)
}

/// Place of the epoch whose weights are selected.
#[expect(clippy::indexing_slicing, reason = "an epoch that was just found in the log")]
fn kept(keep: Keep, epochs: &[EpochRecord]) -> Option<usize> {
    epochs.iter().enumerate().fold(None, |kept, (index, epoch)| {
        let before = kept.map(|kept: usize| validation(&epochs[kept]));
        if keep.replaces(validation(epoch), before) { Some(index) } else { kept }
    })
}

/// Validation scores of an epoch; not numbers if they were not measured or not finite.
fn validation(epoch: &EpochRecord) -> Validation {
    let accuracy = epoch.valid_accuracy.unwrap_or(f64::NAN);
    Validation { loss: validation_loss(epoch), accuracy }
}

/// Validation loss of an epoch; not a number if it was not measured or not finite.
fn validation_loss(epoch: &EpochRecord) -> f64 {
    epoch.valid_loss.unwrap_or(f64::NAN)
}

/// The choices of a run as a table for a terminal.
pub fn table(choices: &[Choice]) -> String {
    let width = CRITERION_WIDTH;
    let mut lines = format!(
        "{:<width$}  stops  keeps  valid loss  valid %  epochs saved      above\n",
        "criterion"
    );
    for choice in choices {
        let mut name = choice.criterion.as_str();
        if name.len() > width {
            lines += &format!("{name}\n");
            name = "";
        }
        lines += &format!("{name:<width$}  ");
        lines += &match &choice.remark {
            Some(remark) => format!("{remark}\n"),
            None => format!(
                "{:>5}  {:>5}  {:>10}  {:>7}  {:>12}  {:>9}\n",
                choice.stops_after.map_or("—".into(), |epoch| epoch.to_string()),
                choice.keeps,
                loss(choice.valid_loss),
                bare_percent(choice.valid_accuracy),
                format!("{} ({:.0} %)", choice.epochs_saved, 100.0 * choice.share_saved),
                loss(choice.above_best),
            ),
        };
    }
    lines
}

impl FromStr for Criterion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(keep) => return Ok(Self::Keep(keep)),
            Err(error) if text.starts_with("last-under") => return Err(error),
            Err(_) => {}
        }
        let stop = text.parse().map(Self::Stop);
        stop.map_err(|error| format!("{error}; also best, best-accuracy, last and last-under=LOSS"))
    }
}

impl fmt::Display for Criterion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stop(config) => config.fmt(formatter),
            Self::Keep(keep @ (Keep::Best | Keep::BestAccuracy | Keep::Last)) => {
                write!(formatter, "{keep} epoch")
            }
            Self::Keep(keep) => keep.fmt(formatter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log with these validation losses and an objective that falls by a tenth an epoch.
    fn log(valid: &[f64]) -> Vec<EpochRecord> {
        let record = |(index, &loss): (usize, &f64)| EpochRecord {
            epoch: index + 1,
            train_objective: 0.9_f64.powi(index as i32),
            train_accuracy: 0.5,
            valid_loss: loss.is_finite().then_some(loss),
            valid_accuracy: Some(0.01 * (index + 1) as f64),
            learning_rate: 0.1,
            seconds: 1.0,
            images_per_second: 1.0,
        };
        valid.iter().enumerate().map(record).collect()
    }

    fn choice(criterion: &str, valid: &[f64]) -> Choice {
        choose(criterion.parse().unwrap(), &log(valid))
    }

    const VALID: [f64; 8] = [2.0, 1.0, 0.5, 0.75, 0.25, 0.5, 0.5, 1.5];

    #[test]
    fn a_rule_keeps_the_best_epoch_up_to_its_stop_and_saves_the_rest() {
        // The first rise is that of epoch 4; the best epoch of all comes after it.
        let choice = choice("patience=1", &VALID);
        assert_eq!((choice.stops_after, choice.keeps), (Some(4), 3));
        assert_eq!((choice.valid_loss, choice.valid_accuracy), (0.5, 0.03));
        assert_eq!((choice.epochs_saved, choice.share_saved), (4, 0.5));
        assert_eq!((choice.above_best, choice.remark), (0.25, None));
    }

    #[test]
    fn a_rule_that_is_not_met_within_the_log_says_so() {
        let choice = choice("patience=4", &VALID);
        assert_eq!((choice.stops_after, choice.keeps, choice.epochs_saved), (None, 5, 0));
        assert_eq!(choice.remark.as_deref(), Some("not within the 8 epochs"));
    }

    #[test]
    fn a_log_of_one_epoch_is_told_of_in_the_singular() {
        let remark = |criterion| choice(criterion, &[2.0]).remark.unwrap();
        assert_eq!(remark("patience=4"), "not within the 1 epoch");
        assert_eq!(remark("last-under=0.1"), "under it in none of the 1 epoch");
    }

    #[test]
    fn rules_of_keeping_see_the_whole_log() {
        let keeps = |criterion| choice(criterion, &VALID).keeps;
        assert_eq!((keeps("last"), keeps("best"), keeps("last-under=1.0")), (8, 5, 7));
        // Accuracy rises in every epoch of this log.
        assert_eq!(keeps("best-accuracy"), 8);
        let by_accuracy = choice("patience=1,monitor=accuracy", &VALID);
        assert_eq!((by_accuracy.stops_after, by_accuracy.keeps), (None, 8));
        assert_eq!(choice("last", &VALID).above_best, 1.25);
        let never = choice("last-under=0.1", &VALID);
        assert_eq!(never.keeps, 8);
        assert_eq!(never.remark.as_deref(), Some("under it in none of the 8 epochs"));
    }

    #[test]
    fn an_epoch_without_a_finite_loss_is_never_chosen() {
        let valid = [1.0, f64::NAN, 0.5, f64::NAN];
        assert_eq!(choice("best", &valid).keeps, 3);
        assert_eq!(choice("patience=1", &valid).stops_after, Some(2));
        assert_eq!(choice("patience=1", &valid).above_best, 0.5);
        assert!(table(&[choice("last", &valid)]).contains('—'));
    }

    #[test]
    fn the_table_fits_80_columns_however_long_a_criterion_is() {
        let long = "patience=2,min-delta=0.001,warmup=1";
        let criteria = CRITERIA.into_iter().chain([long]);
        let mut valid = VALID.map(|loss| 1234.5 * loss);
        valid[4] = 1e-7;
        let text = table(&criteria.map(|c| choice(c, &valid)).collect::<Vec<_>>());
        assert!(text.contains(&format!("\n{long}\n")), "{text}");
        assert!(text.lines().chain(NOTE.lines()).all(|l| l.chars().count() <= 80), "{text}");
    }

    #[test]
    fn a_text_that_is_no_criterion_is_refused_with_what_is() {
        let message = "soon".parse::<Criterion>().unwrap_err();
        assert!(message.contains("gl=PERCENT") && message.contains("last-under"), "{message}");
        assert!("up=0".parse::<Criterion>().unwrap_err().contains("at least 1"));
    }
}
