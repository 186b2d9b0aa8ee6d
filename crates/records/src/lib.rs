//! What runs, comparisons and experiments leave behind, as types. Knows neither Burn nor drawing.
//!
//! [`Manifest`], [`EpochRecord`], [`Summary`] and [`evaluation`] are the files of a run folder; [`RunRecord::read`] reads
//! them all. [`arms`] is what a comparison of whole runs writes, [`experiment`] what an experiment does; [`Origin`] says
//! where any of them comes from. [`whole_file`] writes a file whole or not at all. [`statistics`] and [`agreement`] judge
//! numbers, and [`number`] writes them.

// What a run folder holds must not end the program.
#![deny(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used
)]

pub mod agreement;
pub mod arms;
pub mod at_work;
mod bounded;
pub mod checksum;
pub mod command_name;
pub mod confusion;
pub mod cross_validation;
mod enclosing_run;
mod epoch_record;
mod error;
pub mod evaluation;
pub mod experiment;
pub mod explanation;
pub mod label_errors;
mod manifest;
mod nan;
pub mod near_copies;
pub mod number;
pub mod origin;
mod other_folder;
mod pixels;
mod run_record;
#[cfg(any(test, feature = "sample"))]
#[allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "for tests, over its own numbers")]
pub mod sample;
pub mod search;
pub mod seed_group;
pub mod shell;
pub mod statistics;
mod summary;
pub mod text_table;
pub mod tta;
pub mod whole_file;

pub use agreement::{Agreement, Floor, Reference};
pub use arms::{Arm, ArmRun, ArmsComparison, ComparisonOf, SeedCount, SeedData};
pub use at_work::AtWork;
pub use bounded::read_bounded;
pub use checksum::{Changed, FileRecord, sha256};
pub use confusion::Confusion;
pub use enclosing_run::{enclosing_run, without_links};
pub use epoch_record::{EpochRecord, METRICS_FILE};
pub use error::RecordError;
pub use evaluation::{
    ClassRecord, EVALUATION_FILE, EvaluationRecord, Mistake, ReliabilityBin, TemperatureRecord,
    TopKRecord,
};
pub use experiment::{Compared, Comparison, DataTable, ExperimentTable, Provenance, Unit};
pub use explanation::{Explanation, ExplanationMethod};
pub use label_errors::{FoundByNoise, LabelErrorsRecord, Suspect, SuspectPicture};
pub use manifest::{
    DatasetRecord, ExtensionRecord, LabelNoiseRecord, MANIFEST_FILE, Manifest, ResumeRecord,
    RollbackRecord, Status, TestRead, TuningRecord,
};
pub use near_copies::{CopyCount, CopyPair, CopyPicture, CopySearch, NearCopiesRecord};
pub use origin::Origin;
pub use other_folder::OtherFolder;
pub use run_record::{CHANGED_RECIPE, CONFIG_FILE, MOST_BYTES, RunRecord};
pub use seed_group::{Grouped, SeedGroup, grouped};
pub use summary::{Memorized, SUMMARY_FILE, Summary};
pub use tta::{PlainScores, TtaRecord};
