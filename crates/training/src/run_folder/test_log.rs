//! The record of accesses to the test split in a run's `manifest.json`.

use backburn_data::TestLog;
use backburn_records::{Manifest, RunRecord, Status, TestRead};

use crate::run_folder::error::RunError;
use crate::run_folder::folder::{RunFolder, now};
use crate::run_folder::pages::{DrawError, Pages};
use crate::watch::{Watch, note};

/// Writes accesses into the manifest of a run, each before it happens, so that one that the program does
/// not survive is there too.
pub struct ManifestLog<'a> {
    /// Folder of the run.
    pub folder: &'a RunFolder,
    /// Manifest as it stands in the folder.
    pub manifest: &'a mut Manifest,
    /// How far the run has come. Whoever holds the lock of its folder cannot ask that any more.
    pub status: Status,
    /// What is drawn anew where it counts the accesses.
    pub pages: Pages,
    /// Hears when that cannot be, and of a second access.
    pub watch: &'a mut dyn Watch,
}

impl ManifestLog<'_> {
    fn write_page(&self) -> Result<(), DrawError> {
        let mut run = RunRecord::read(self.folder.path())?;
        run.manifest.status = self.status;
        (self.pages.page)(&run)
    }
}

impl TestLog for ManifestLog<'_> {
    type Error = RunError;

    fn record(&mut self, purpose: &str, weights: &str) -> Result<usize, RunError> {
        self.manifest.test_reads.push(TestRead {
            at: now(),
            purpose: purpose.to_owned(),
            weights: weights.to_owned(),
        });
        if let Err(error) = self.folder.write_manifest(self.manifest) {
            // There is no access, so it must not be written down later on.
            self.manifest.test_reads.pop();
            return Err(error);
        }
        let accesses = self.manifest.test_reads.len();
        // The page counts the accesses. A run that is about to have one gets it with this count.
        let page = self.folder.path().join("report.html");
        if page.exists()
            && let Err(error) = self.write_page()
        {
            note(
                self.watch,
                &format!(
                    "note: {} no longer counts every access to the test split: {error}",
                    page.display()
                ),
            );
        }
        if accesses > 1 {
            note(
                self.watch,
                &format!(
                    "note: this is access {accesses} to the test split, recorded in manifest.json; \
                     what is chosen among several accesses scores too well"
                ),
            );
        }
        Ok(accesses)
    }
}
