//! Watches a run of a trial, and asks it to stop when the rule says so.

use backburn_training::stop::Stop;
use backburn_training::watch::{Event, Watch};

use crate::search::history::{Curve, Cut};
use crate::search::pruning::look::{Look, Pruner};

/// Hears a run's epochs end, tells them to another watch, and stops the run when the rule does.
pub struct PruningWatch<'a> {
    /// The rule.
    pub rule: &'static Pruner,
    /// The runs of earlier trials with the same seed.
    pub earlier: Vec<&'a Curve>,
    /// Stops this run alone.
    pub stop: Stop,
    /// Epochs of the whole training.
    pub epochs: usize,
    /// Seed of the run.
    pub seed: u64,
    /// The run so far.
    pub curve: Curve,
    /// Where it was stopped.
    pub cut: Option<Cut>,
    /// Hears everything too.
    pub inner: &'a mut dyn Watch,
}

impl PruningWatch<'_> {
    /// Where the rule would have stopped the run so far.
    pub fn first_cut(&self) -> Option<Cut> {
        (1..=self.curve.epochs()).find_map(|epoch| self.cut_at(epoch))
    }

    fn cut_at(&self, epoch: usize) -> Option<Cut> {
        // What has come to its end is scored.
        if epoch >= self.epochs {
            return None;
        }
        let score = self.curve.at(epoch)?;
        let others: Vec<f64> = self.earlier.iter().filter_map(|curve| curve.at(epoch)).collect();
        let look = Look { epoch, epochs: self.epochs, score, others: &others };
        (self.rule.stops)(&look).then_some(Cut { seed: self.seed, epoch, score })
    }
}

impl Watch for PruningWatch<'_> {
    fn event(&mut self, event: Event<'_>) {
        if let Event::EpochEnded { record, .. } = event {
            self.curve.push(record);
            if self.cut.is_none() {
                self.cut = self.cut_at(record.epoch);
            }
            if self.cut.is_some() {
                self.stop.request();
            }
        }
        self.inner.event(event);
    }
}
