//! Turns records into tables, figures and pages. Knows nothing of Burn.
//!
//! [`write_report`] turns a run folder into `report.html` and `figures/`, [`comparison_table`] and
//! [`write_comparison`] set runs side by side, [`arms_table()`] and [`write_arms`] whole arms of runs,
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

mod arms_columns;
pub mod arms_csv;
pub mod arms_figures;
pub mod arms_latex;
pub mod arms_markdown;
pub mod arms_page;
pub mod arms_table;
pub mod compare;
pub mod curves;
pub mod diagnosis;
mod error;
pub mod experiment;
pub mod experiment_page;
pub mod experiments_markdown;
pub mod explanation_panels;
#[allow(clippy::expect_used, clippy::indexing_slicing, reason = "geometry over its own points")]
pub mod figure;
pub mod folds_page;
mod html;
pub mod label_errors_csv;
pub mod label_errors_page;
pub mod near_copies_page;
pub mod page;
pub mod prediction_rows;
pub mod rate_curve;
pub mod run_figures;
pub mod search_page;
pub mod search_table;
mod wrapped;
mod write;

pub use arms_table::arms_table;
pub use compare::{comparison_page, comparison_table};
pub use error::ReportError;
pub use experiment::{ExperimentFigure, ExperimentRecord, Findings};
pub use explanation_panels::{ExplanationPanels, write_panel};
pub use label_errors_page::{MOST_SHOWN, label_errors_page};
pub use near_copies_page::near_copies_page;
pub use page::{run_page, sentence};
pub use prediction_rows::{PredictionRows, RowFormat};
pub use search_table::search_table;
pub use write::{
    write_arms, write_comparison, write_experiment, write_experiments_index,
    write_experiments_markdown, write_figure, write_folds, write_label_errors, write_near_copies,
    write_png, write_report, write_run_page, write_search,
};
