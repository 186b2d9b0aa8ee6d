//! What the trials of a search came to.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use backburn_records::EpochRecord;
use backburn_records::statistics::Spread;
use backburn_training::recipe_change::RecipeChange;

/// A trial that has come to an end.
#[derive(Clone, Debug, PartialEq)]
pub struct Tried {
    /// Number, counted from 1 over all rounds.
    pub number: usize,
    /// Round, counted from 1.
    pub round: usize,
    /// What was tried.
    pub values: RecipeChange,
    /// What it came to.
    pub outcome: Outcome,
    /// How its runs learnt, one for each seed that was trained.
    pub curves: Vec<Curve>,
}

/// What a trial came to. Accuracies are of validation images, in `[0, 1]`.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Accuracy with the selected weights, one for each seed.
    Scored(Vec<f64>),
    /// Stopped before its end, which says little of what it would have come to.
    Pruned(Cut),
    /// The loss was not finite, for this reason.
    Diverged(String),
    /// What it asks for does not go with the data, for this reason.
    Refused(String),
}

/// Where a run was stopped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cut {
    /// Seed of the run.
    pub seed: u64,
    /// Last epoch that was trained, counted from 1.
    pub epoch: usize,
    /// Highest validation accuracy until then, in `[0, 1]`.
    pub score: f64,
}

impl Tried {
    /// What the trial is ranked by: the mean over its seeds; of one that was stopped, its score so far.
    pub fn score(&self) -> Option<f64> {
        match &self.outcome {
            Outcome::Scored(by_seed) => Some(Spread::of(by_seed).mean),
            Outcome::Pruned(cut) => Some(cut.score),
            Outcome::Diverged(_) | Outcome::Refused(_) => None,
        }
    }

    /// The mean over its seeds, if it came to its end.
    pub fn final_score(&self) -> Option<f64> {
        self.score().filter(|_| matches!(self.outcome, Outcome::Scored(_)))
    }
}

/// The trials that came to their end, the best first; of equals the earlier one.
pub fn ranked(tried: &[Tried]) -> Vec<&Tried> {
    let scored = tried.iter().filter_map(|it| Some((it.final_score()?, it)));
    let mut scored: Vec<(f64, &Tried)> = scored.collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    scored.into_iter().map(|(_, it)| it).collect()
}

/// The best trial that came to its end.
pub fn winner(tried: &[Tried]) -> Option<&Tried> {
    ranked(tried).first().copied()
}

/// How a run learnt.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// Highest validation accuracy so far after each epoch, in `[0, 1]`.
    best: Vec<f64>,
    /// Whether the run came to its end by itself.
    is_whole: bool,
}

impl Curve {
    /// The curve of a run that was stopped, or is under way.
    pub fn of_part(epochs: &[EpochRecord]) -> Self {
        let mut curve = Self::default();
        epochs.iter().for_each(|epoch| curve.push(epoch));
        curve
    }

    /// The curve of a run that came to its end, perhaps by early stopping.
    pub fn of_whole(epochs: &[EpochRecord]) -> Self {
        Self::of_part(epochs).ended()
    }

    /// Adds an epoch, in place of those from there on: a run that is resumed or rolled back may train one again.
    pub fn push(&mut self, epoch: &EpochRecord) {
        self.best.truncate(epoch.epoch.saturating_sub(1));
        let accuracy = epoch.valid_accuracy.unwrap_or(0.0);
        self.best.push(self.best.last().map_or(accuracy, |best| best.max(accuracy)));
    }

    /// The same curve, of a run that came to its end.
    #[must_use]
    pub fn ended(self) -> Self {
        Self { is_whole: true, ..self }
    }

    /// Epochs that were trained.
    pub fn epochs(&self) -> usize {
        self.best.len()
    }

    /// Highest validation accuracy until the end of an epoch, counted from 1. A run that has ended by itself keeps
    /// what it came to; `None` if the run did not come so far.
    pub fn at(&self, epoch: usize) -> Option<f64> {
        let last = self.best.last().filter(|_| self.is_whole && epoch > self.epochs());
        self.best.get(epoch.checked_sub(1)?).or(last).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(epoch: usize, accuracy: f64) -> EpochRecord {
        EpochRecord {
            epoch,
            train_objective: 1.0,
            train_accuracy: 0.5,
            valid_loss: Some(1.0),
            valid_accuracy: Some(accuracy),
            learning_rate: 0.1,
            seconds: 1.0,
            images_per_second: 1.0,
        }
    }

    fn tried(number: usize, outcome: Outcome) -> Tried {
        let values = RecipeChange::default();
        Tried { number, round: 1, values, outcome, curves: Vec::new() }
    }

    #[test]
    fn a_curve_is_of_the_best_so_far_and_lasts_if_the_run_ended_by_itself() {
        let epochs = [epoch(1, 0.5), epoch(2, 0.4), epoch(3, 0.7)];
        let at = |curve: &Curve| [0, 1, 2, 3, 4].map(|epoch| curve.at(epoch));
        let part = Curve::of_part(&epochs);
        assert_eq!(at(&part), [None, Some(0.5), Some(0.5), Some(0.7), None]);
        let whole = Curve::of_whole(&epochs);
        assert_eq!(at(&whole), [None, Some(0.5), Some(0.5), Some(0.7), Some(0.7)]);
        assert_eq!(at(&Curve::of_whole(&[])), [None; 5]);
        let mut again = part;
        again.push(&epoch(2, 0.6));
        assert_eq!(at(&again), [None, Some(0.5), Some(0.6), None, None]);
    }

    #[test]
    fn the_best_whole_trial_wins_and_of_equals_the_earlier() {
        let cut = Cut { seed: 1, epoch: 3, score: 0.99 };
        let all = [
            tried(1, Outcome::Scored(vec![0.8, 0.9])),
            tried(2, Outcome::Pruned(cut)),
            tried(3, Outcome::Scored(vec![0.9, 0.9])),
            tried(4, Outcome::Diverged("x".into())),
            tried(5, Outcome::Scored(vec![0.9, 0.9])),
            tried(6, Outcome::Refused("y".into())),
        ];
        let numbers: Vec<usize> = ranked(&all).iter().map(|it| it.number).collect();
        assert_eq!(numbers, [3, 5, 1]);
        assert_eq!(winner(&all).map(|it| it.number), Some(3));
        assert_eq!((all[1].score(), all[1].final_score()), (Some(0.99), None));
        assert_eq!(winner(&all[1..2]), None);
    }
}
