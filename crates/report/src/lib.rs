//! Turns run folders into tables, figures and pages. Knows nothing of Burn.
//!
//! [`record`] and [`evaluation`] are the files of a run folder as types; the trainer writes them.
//! [`write_report`] turns a folder into `report.html` and `figures/`, [`comparison_table`] and
//! [`write_comparison`] set runs side by side, [`arms_table`] and [`write_arms`] whole arms of runs,
//! with and without a regularizer. [`write_experiment`] writes what an experiment found, beside what its
//! source printed.

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
pub mod arms_page;
pub mod at_work;
mod bounded;
pub mod checksum;
pub mod compare;
pub mod curves;
pub mod diagnosis;
mod error;
pub mod evaluation;
pub mod experiment;
pub mod experiment_page;
pub mod experiments_markdown;
#[allow(clippy::expect_used, clippy::indexing_slicing, reason = "geometry over its own points")]
pub mod figure;
mod html;
pub mod number;
pub mod origin;
pub mod page;
pub mod record;
pub mod run_figures;
#[cfg(test)]
mod sample;
pub mod statistics;
pub mod text_table;
pub mod whole_file;
mod write;

pub use agreement::{Agreement, Floor, Reference};
pub use arms::{Arm, ArmRun, ArmsComparison, arms_table};
pub use at_work::AtWork;
pub use bounded::read_bounded;
pub use checksum::{Changed, sha256};
pub use compare::{comparison_page, comparison_table};
pub use error::ReportError;
pub use evaluation::{
    ClassRecord, EvaluationRecord, Mistake, ReliabilityBin, TemperatureRecord, TopKRecord,
};
pub use experiment::{
    Compared, Comparison, DataTable, ExperimentFigure, ExperimentRecord, ExperimentTable, Findings,
    Provenance, Unit,
};
pub use origin::Origin;
pub use page::{run_page, sentence};
pub use record::{
    DatasetRecord, EpochRecord, ExtensionRecord, FileRecord, Manifest, ResumeRecord,
    RollbackRecord, RunRecord, Status, Summary, TestRead,
};
pub use write::{
    write_arms, write_comparison, write_experiment, write_experiments_index,
    write_experiments_markdown, write_figure, write_png, write_report, write_run_page,
};
