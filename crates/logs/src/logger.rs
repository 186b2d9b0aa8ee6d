//! A logger: who turns items into the bytes of a format.

use std::fmt;
use std::path::Path;

use crate::error::LogError;
use crate::item::{Costly, Item, Place};

/// The tag that says of an epoch that it has been logged: the first one of each.
pub(crate) const EPOCH_MARK: &str = "epoch/train_objective";

/// Writes a log into a run folder. Items are collected until [`write`](Self::write), which hands them to the system in
/// one call: whatever was written before a process is killed is there afterwards.
pub trait Logger: fmt::Debug {
    /// Makes ready for a run that stands at `start`: what an earlier process has logged of batches that will be trained
    /// again is dropped. Gives the first step from which on the log has nothing: the one after those that were trained,
    /// an earlier one if epochs are missing, or 1 if there was no log.
    ///
    /// # Errors
    ///
    /// If what is there cannot be read, or the log not be written.
    fn begin(&mut self, start: &Start<'_>) -> Result<u64, LogError>;

    /// Whether it wants such items.
    fn wants(&self, kind: Costly) -> bool;

    /// Takes an item, or passes over one of a kind that its format does not know.
    fn add(&mut self, place: Place, tag: &str, item: &Item<'_>);

    /// Hands what was taken to the system.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    fn write(&mut self) -> Result<(), LogError>;

    /// Waits until what was written is on the disk.
    ///
    /// # Errors
    ///
    /// If it cannot be.
    fn sync(&mut self) -> Result<(), LogError>;
}

/// Where a run stands when its log begins or goes on.
#[derive(Clone, Copy, Debug)]
pub struct Start<'a> {
    /// The run's folder.
    pub folder: &'a Path,
    /// Batches of an epoch.
    pub batches_per_epoch: u64,
    /// Whole epochs behind it.
    pub epochs: u64,
    /// Batches behind it of the epoch after them.
    pub batches: u64,
}

impl Start<'_> {
    /// Batches behind the run.
    pub fn trained(&self) -> u64 {
        self.epochs * self.batches_per_epoch + self.batches
    }

    /// The first step from which on a log has nothing that has scalars of epochs at the steps `marks`, and nothing else
    /// to tell whether it is whole.
    pub fn first_new(&self, marks: impl IntoIterator<Item = u64>) -> u64 {
        let marks: std::collections::BTreeSet<u64> = marks.into_iter().collect();
        let whole = (1..=self.epochs)
            .take_while(|epoch| marks.contains(&(epoch * self.batches_per_epoch)))
            .count() as u64;
        if whole == self.epochs { self.trained() + 1 } else { whole * self.batches_per_epoch + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_goes_on_where_its_epochs_end() {
        let start =
            Start { folder: Path::new("run"), batches_per_epoch: 10, epochs: 3, batches: 4 };
        assert_eq!(start.first_new([10, 20, 30]), 35);
        assert_eq!(start.first_new([10, 30]), 11);
        assert_eq!(start.first_new([]), 1);
        assert_eq!(Start { epochs: 0, ..start }.first_new([]), 5);
        assert_eq!(Start { epochs: 0, batches: 0, ..start }.first_new([10]), 1);
    }
}
