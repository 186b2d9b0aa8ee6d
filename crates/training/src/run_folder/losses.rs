//! What was minimized on every batch: `losses.csv`, and `diverged.csv` for the batches that a rollback gave up.
//!
//! Both are CSV with a row a batch, in the order in which they were trained. A value that is not finite is
//! written as `NaN`, `inf` or `-inf`, which Rust, Python and spreadsheets read back.

// What it expects is about values of its own, never about a file.
#![deny(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::fmt::Write as _;
use std::io;

use backburn_records::read_bounded;

use crate::run_folder::error::RunError;
use crate::run_folder::folder::RunFolder;
use crate::run_folder::names::{GIVEN_UP, LOSSES};
use crate::state::State;

/// First line of `losses.csv`.
pub(crate) const LOSSES_HEAD: &str = "epoch,batch,objective";

/// First line of `diverged.csv`. Rollbacks count from 1.
pub(crate) const GIVEN_UP_HEAD: &str = "rollback,epoch,batch,objective";

/// `losses.csv` while a run writes to it: its rows come before the checkpoint that knows of them.
#[derive(Debug)]
pub(crate) struct LossLog<'a> {
    folder: &'a RunFolder,
    /// The epoch that was written to last, from 1.
    epoch: usize,
    /// Batches of that epoch that are in the file.
    written: usize,
    /// Objectives of the batches behind them that could not be written.
    unwritten: Vec<f64>,
}

impl<'a> LossLog<'a> {
    /// The log of a file that has the batches which `state` knows of, and no others.
    pub(crate) fn of(folder: &'a RunFolder, state: &State) -> Self {
        let (epoch, written) = (state.epochs.len() + 1, state.current.objectives.len());
        Self { folder, epoch, written, unwritten: Vec::new() }
    }

    /// Adds those of the batches of `epoch` that are not in the file. `objectives`: of all its batches so far.
    ///
    /// # Errors
    ///
    /// If they cannot be written. Then none of them is.
    pub(crate) fn write(&mut self, epoch: usize, objectives: &[f64]) -> Result<(), RunError> {
        if epoch != self.epoch {
            (self.epoch, self.written) = (epoch, 0);
        }
        let new = objectives.get(self.written..).unwrap_or_default();
        let appended = self.folder.append_losses(epoch, self.written + 1, new);
        match &appended {
            Ok(()) => self.written += new.len(),
            Err(_) => self.unwritten = new.to_vec(),
        }
        appended
    }

    /// Adds what an error has kept from the file, as much of it as there is disk space for: where a training
    /// ended, the last batches are those that tell why.
    pub(crate) fn rescue(&self, state: &State) {
        let epoch = state.epochs.len() + 1;
        if !self.unwritten.is_empty() {
            return self.folder.append_losses_that_fit(
                self.epoch,
                self.written + 1,
                &self.unwritten,
            );
        }
        let written = if epoch == self.epoch { self.written } else { 0 };
        let rest = state.current.objectives.get(written..).unwrap_or_default();
        self.folder.append_losses_that_fit(epoch, written + 1, rest);
    }
}

impl RunFolder {
    /// Adds what was minimized on batches of `epoch` to `losses.csv`, from batch number `first` on, counted from
    /// 1.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn append_losses(
        &self,
        epoch: usize,
        first: usize,
        objectives: &[f64],
    ) -> Result<(), RunError> {
        if objectives.is_empty() {
            return Ok(());
        }
        self.append(LOSSES, rows(epoch, first, objectives).as_bytes())
    }

    /// Appends like [`append_losses`](Self::append_losses), as many whole rows as there is disk space for.
    fn append_losses_that_fit(&self, epoch: usize, first: usize, objectives: &[f64]) {
        self.append_what_fits(LOSSES, rows(epoch, first, objectives).as_bytes());
    }

    /// Makes `losses.csv`, or cuts it down to its first `epochs` epochs and the batches of the next one that a
    /// checkpoint has, `current`: what a killed run wrote after its checkpoint will be trained again. Says whether
    /// it has all batches of the whole epochs, which are `batches` each.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn keep_losses(
        &self,
        epochs: usize,
        batches: usize,
        current: &[f64],
    ) -> Result<bool, RunError> {
        let before = self.read_rows(LOSSES)?;
        let mut kept = format!("{LOSSES_HEAD}\n");
        let mut found = Vec::new();
        for line in before.lines().skip(1) {
            let Some((epoch, batch, _)) = loss_row(line) else { continue };
            if epoch <= epochs {
                found.push((epoch, batch));
                kept.push_str(line);
                kept.push('\n');
            }
        }
        kept.push_str(&rows(epochs + 1, 1, current));
        self.write(LOSSES, kept.as_bytes())?;
        let expected =
            (1..=epochs).flat_map(|epoch| (1..=batches).map(move |batch| (epoch, batch)));
        Ok(expected.eq(found))
    }

    /// Copies the rows of `losses.csv` after its first `epochs` epochs to `diverged.csv`, as those that rollback
    /// number `rollback`, from 1, gave up. Doing so twice changes nothing.
    ///
    /// # Errors
    ///
    /// If a file cannot be read or written.
    pub(crate) fn give_up_losses(&self, rollback: usize, epochs: usize) -> Result<(), RunError> {
        let mut text = self.given_up_before(rollback)?;
        for line in self.read_rows(LOSSES)?.lines().skip(1) {
            if loss_row(line).is_some_and(|(epoch, ..)| epoch > epochs) {
                let _ = writeln!(text, "{rollback},{line}");
            }
        }
        self.write(GIVEN_UP, text.as_bytes())
    }

    /// Cuts `diverged.csv` down to the first `rollbacks` rollbacks: what a killed run wrote of the next one it
    /// will come to again.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or written.
    pub(crate) fn keep_given_up(&self, rollbacks: usize) -> Result<(), RunError> {
        if rollbacks == 0 {
            return self.remove(GIVEN_UP);
        }
        if !self.path().join(GIVEN_UP).exists() {
            return Ok(());
        }
        let text = self.given_up_before(rollbacks + 1)?;
        self.write(GIVEN_UP, text.as_bytes())
    }

    /// `diverged.csv` with the rows of the rollbacks before number `rollback`.
    fn given_up_before(&self, rollback: usize) -> Result<String, RunError> {
        let mut text = format!("{GIVEN_UP_HEAD}\n");
        for line in self.read_rows(GIVEN_UP)?.lines().skip(1) {
            if given_up_row(line).is_some_and(|(number, _)| number < rollback) {
                text.push_str(line);
                text.push('\n');
            }
        }
        Ok(text)
    }

    /// A file of rows; empty if it is not there.
    fn read_rows(&self, name: &str) -> Result<String, RunError> {
        let path = self.path().join(name);
        match read_bounded(&path, u64::MAX) {
            Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            Err(source) => Err(RunError::Read { path, source }),
        }
    }
}

/// Rows of `losses.csv`.
fn rows(epoch: usize, first: usize, objectives: &[f64]) -> String {
    let mut rows = String::new();
    for (batch, objective) in (first..).zip(objectives) {
        let _ = writeln!(rows, "{epoch},{batch},{objective}");
    }
    rows
}

/// Epoch, batch and objective of a line of `losses.csv`.
pub(crate) fn loss_row(line: &str) -> Option<(usize, usize, f64)> {
    let mut fields = line.split(',');
    let row =
        (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    fields.next().is_none().then_some(row)
}

/// Rollback, and epoch, batch and objective, of a line of `diverged.csv`.
pub(crate) fn given_up_row(line: &str) -> Option<(usize, (usize, usize, f64))> {
    let (rollback, row) = line.split_once(',')?;
    Some((rollback.parse().ok()?, loss_row(row)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new_run(folder: &tempfile::TempDir) -> RunFolder {
        RunFolder::create(&folder.path().join("run")).unwrap()
    }

    fn text(run: &RunFolder, name: &str) -> String {
        String::from_utf8(run.read(name).unwrap()).unwrap()
    }

    #[test]
    fn losses_after_the_checkpoint_are_dropped_on_resume() {
        let folder = tempfile::tempdir().unwrap();
        let run = new_run(&folder);
        assert!(run.keep_losses(0, 2, &[]).unwrap());
        run.append_losses(1, 1, &[2.5, 1.25]).unwrap();
        run.append_losses(2, 1, &[0.5]).unwrap();
        run.append_losses(2, 2, &[0.25]).unwrap();
        assert!(run.keep_losses(1, 2, &[0.5]).unwrap());
        assert_eq!(text(&run, LOSSES), "epoch,batch,objective\n1,1,2.5\n1,2,1.25\n2,1,0.5\n");
        // Rows that are not whole, or missing, of what the checkpoint knows too.
        run.write(LOSSES, b"epoch,batch,objective\n1,1,2.5\n1,2,1.25\n2,").unwrap();
        assert!(run.keep_losses(1, 2, &[0.5]).unwrap());
        assert_eq!(text(&run, LOSSES), "epoch,batch,objective\n1,1,2.5\n1,2,1.25\n2,1,0.5\n");
        for (damaged, is_whole) in [("1,1,2.5\n1,2,1.2", true), ("1,1,2.5\n", false), ("", false)] {
            run.write(LOSSES, format!("epoch,batch,objective\n{damaged}").as_bytes()).unwrap();
            assert_eq!(run.keep_losses(1, 2, &[]).unwrap(), is_whole, "{damaged}");
        }
    }

    #[test]
    fn values_that_are_not_finite_are_read_back() {
        let rows = rows(3, 7, &[f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1e38]);
        let read: Vec<_> = rows.lines().map(|line| loss_row(line).unwrap()).collect();
        assert_eq!(read[..2], [(3, 7, f64::INFINITY), (3, 8, f64::NEG_INFINITY)]);
        assert!(read[2].2.is_nan() && read[3] == (3, 10, 1e38));
        assert!(rows.contains("3,7,inf\n3,8,-inf\n3,9,NaN\n"), "{rows}");
    }

    #[test]
    fn what_a_rollback_gives_up_is_kept_by_its_number() {
        let folder = tempfile::tempdir().unwrap();
        let run = new_run(&folder);
        run.keep_losses(0, 1, &[]).unwrap();
        for (epoch, loss) in [(1, 2.0), (2, 1e9), (3, f64::NAN)] {
            run.append_losses(epoch, 1, &[loss]).unwrap();
        }
        // Once more, as by a run that was killed in between.
        for _ in 0..2 {
            run.give_up_losses(1, 1).unwrap();
        }
        let first = "rollback,epoch,batch,objective\n1,2,1,1000000000\n1,3,1,NaN\n";
        assert_eq!(text(&run, GIVEN_UP), first);
        run.give_up_losses(2, 2).unwrap();
        assert_eq!(text(&run, GIVEN_UP), format!("{first}2,3,1,NaN\n"));
        run.keep_given_up(1).unwrap();
        assert_eq!(text(&run, GIVEN_UP), first);
        run.keep_given_up(0).unwrap();
        assert!(!run.path().join(GIVEN_UP).exists());
    }
}
