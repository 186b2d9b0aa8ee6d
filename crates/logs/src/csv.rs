//! `logs/scalars.csv`: every scalar of a run as a row of one tidy table, for spreadsheets, pandas and R.
//!
//! ```text
//! step,epoch,tag,value
//! 469,1,epoch/valid_loss,0.1234
//! ```
//!
//! A value that is not finite is written as `NaN`, `inf` or `-inf`. When a run is resumed, the file is written anew without
//! a last line that a kill has cut, and without rows of batches that are trained again.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::PathBuf;

use backburn_records::whole_file::{folder_of, remove_leftovers, write_whole};

use crate::error::LogError;
use crate::item::{Costly, Item, Place};
use crate::logger::{EPOCH_MARK, Logger, Start};

/// The file inside a run folder.
pub const SCALARS_FILE: &str = "logs/scalars.csv";

const HEAD: &str = "step,epoch,tag,value";

/// Writes the table.
#[derive(Debug, Default)]
pub(crate) struct Csv {
    path: PathBuf,
    file: Option<File>,
    /// Rows that have not been handed to the system.
    rows: String,
}

impl Logger for Csv {
    fn begin(&mut self, start: &Start<'_>) -> Result<u64, LogError> {
        let path = start.folder.join(SCALARS_FILE);
        let folder = folder_of(&path);
        fs::create_dir_all(folder).map_err(LogError::make(folder))?;
        remove_leftovers(folder).map_err(LogError::write(folder))?;
        let before = match fs::read(&path) {
            Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(LogError::read(&path)(error)),
        };
        let rows: Vec<(u64, &str, &str)> = before.iter().flat_map(|text| rows(text)).collect();
        let marks = rows.iter().filter(|(_, tag, _)| *tag == EPOCH_MARK).map(|(step, ..)| *step);
        let first_new = if before.is_some() { start.first_new(marks) } else { 1 };
        let mut kept = format!("{HEAD}\n");
        for (_, _, line) in rows.iter().filter(|(step, ..)| *step < first_new) {
            kept.push_str(line);
            kept.push('\n');
        }
        write_whole(&path, kept.as_bytes()).map_err(LogError::write(&path))?;
        let file = OpenOptions::new().append(true).open(&path).map_err(LogError::write(&path))?;
        *self = Self { path, file: Some(file), rows: String::new() };
        Ok(first_new)
    }

    fn wants(&self, _: Costly) -> bool {
        false
    }

    fn add(&mut self, place: Place, tag: &str, item: &Item<'_>) {
        if let Item::Scalar(value) = item {
            let Place { step, epoch } = place;
            let _ = writeln!(self.rows, "{step},{epoch},{tag},{value}");
        }
    }

    fn write(&mut self) -> Result<(), LogError> {
        let rows = std::mem::take(&mut self.rows);
        match &mut self.file {
            Some(file) => file.write_all(rows.as_bytes()).map_err(LogError::write(&self.path)),
            None => Ok(()),
        }
    }

    fn sync(&mut self) -> Result<(), LogError> {
        let sync = |file: &File| file.sync_data().map_err(LogError::write(&self.path));
        self.file.as_ref().map_or(Ok(()), sync)
    }
}

/// The rows that are whole: step, tag, and the line.
fn rows(text: &str) -> impl Iterator<Item = (u64, &str, &str)> {
    // Behind the last line's end stands what a kill has cut.
    let whole = text.rfind('\n').and_then(|end| text.get(..end)).unwrap_or_default();
    whole.lines().skip(1).filter_map(|line| {
        let mut fields = line.split(',');
        let step = fields.next()?.parse().ok()?;
        let _: usize = fields.next()?.parse().ok()?;
        let tag = fields.next()?;
        let _: f64 = fields.next()?.parse().ok()?;
        fields.next().is_none().then_some((step, tag, line))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn start(folder: &Path, epochs: u64, batches: u64) -> Start<'_> {
        Start { folder, batches_per_epoch: 2, epochs, batches }
    }

    fn scalar(log: &mut Csv, step: u64, tag: &str, value: f64) {
        let epoch = step.div_ceil(2) as usize;
        log.add(Place { step, epoch }, tag, &Item::Scalar(value));
    }

    #[test]
    fn rows_of_batches_that_are_trained_again_are_dropped_with_the_one_that_is_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(SCALARS_FILE);
        let mut log = Csv::default();
        assert_eq!(log.begin(&start(folder.path(), 0, 0)).unwrap(), 1);
        for (step, loss) in [(1, 2.5), (2, f64::NAN), (3, f64::INFINITY)] {
            scalar(&mut log, step, "batch/objective", loss);
        }
        scalar(&mut log, 2, EPOCH_MARK, 0.1 + 0.2);
        log.write().unwrap();
        log.sync().unwrap();
        let written = "step,epoch,tag,value\n1,1,batch/objective,2.5\n2,1,batch/objective,NaN\n\
            3,2,batch/objective,inf\n2,1,epoch/train_objective,0.30000000000000004\n";
        assert_eq!(fs::read_to_string(&path).unwrap(), written);
        fs::write(&path, format!("{written}4,2,batch/objective,1.2")).unwrap();
        // The third batch is trained again.
        assert_eq!(log.begin(&start(folder.path(), 1, 0)).unwrap(), 3);
        scalar(&mut log, 3, "batch/objective", 1.5);
        log.write().unwrap();
        let expected =
            written.replace("3,2,batch/objective,inf\n", "") + "3,2,batch/objective,1.5\n";
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
    }

    #[test]
    fn epochs_that_are_missing_are_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Csv::default();
        // There was no log when the first three epochs were trained.
        assert_eq!(log.begin(&start(folder.path(), 3, 1)).unwrap(), 1);
        scalar(&mut log, 2, EPOCH_MARK, 1.0);
        scalar(&mut log, 6, EPOCH_MARK, 1.0);
        log.write().unwrap();
        // Of the second one nothing is there.
        assert_eq!(log.begin(&start(folder.path(), 3, 1)).unwrap(), 3);
        fs::write(folder.path().join(SCALARS_FILE), b"\xff\xfe no table").unwrap();
        assert_eq!(log.begin(&start(folder.path(), 3, 1)).unwrap(), 1);
    }
}
