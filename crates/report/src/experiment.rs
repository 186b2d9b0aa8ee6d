//! What an experiment found, with its figures: `result.json`, and all that its page shows.

use backburn_records::agreement::Agreement;
use backburn_records::experiment::{Comparison, DataTable, ExperimentTable, Provenance};
use serde::Serialize;

use crate::figure::Drawing;

/// An experiment that was carried out.
#[derive(Clone, Debug, Serialize)]
pub struct ExperimentRecord {
    /// Name on the command line.
    pub name: String,
    /// What it shows, as a heading.
    pub title: String,
    /// Where the source describes it, such as `003 §6.1`.
    pub source: String,
    /// What it asks.
    pub question: String,
    /// How it was carried out.
    pub provenance: Provenance,
    /// What came out.
    #[serde(flatten)]
    pub findings: Findings,
}

/// What came out of an experiment. Nothing in it was written in advance but what describes the set-up
/// and the source.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Findings {
    /// What happened, computed from the data.
    pub sentence: String,
    /// How it was set up, a statement each.
    pub setup: Vec<String>,
    /// What was reduced against the source for this preset.
    pub reduced: Vec<String>,
    /// The source's numbers beside ours.
    pub comparisons: Vec<Comparison>,
    /// Other numbers.
    pub tables: Vec<ExperimentTable>,
    /// The figures.
    pub figures: Vec<ExperimentFigure>,
    /// Numbers behind the figures, written as CSV.
    #[serde(skip)]
    pub data: Vec<DataTable>,
    /// The source's mistakes, with what is right.
    pub mistakes: Vec<String>,
    /// What differs from the source, and why.
    pub differences: Vec<String>,
}

/// A figure with its file name and caption.
#[derive(Clone, Debug, Serialize)]
pub struct ExperimentFigure {
    /// Name of its files, without extension.
    pub name: String,
    /// What it shows, for readers who have only the figure.
    pub caption: String,
    /// What it looks like.
    #[serde(skip)]
    pub drawing: Drawing,
}

impl Findings {
    /// How many of the compared rows agree, and of how many.
    pub fn agreeing(&self) -> (usize, usize) {
        let rows = || self.comparisons.iter().flat_map(|comparison| &comparison.rows);
        let agree = rows().filter(|row| row.agreement == Agreement::Agrees).count();
        let disagree = rows().filter(|row| row.agreement == Agreement::Disagrees).count();
        (agree, agree + disagree)
    }
}
