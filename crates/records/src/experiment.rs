//! What an experiment measured, beside what its source printed: the parts of `result.json`.

use std::fmt::Write as _;

use serde::Serialize;

use crate::agreement::{Agreement, Floor, Reference};
use crate::manifest::{DatasetRecord, TestRead};
use crate::number;
use crate::statistics::{Spread, finite};

/// How an experiment was carried out.
#[derive(Clone, Debug, Serialize)]
pub struct Provenance {
    /// `quick` or `paper`.
    pub preset: String,
    /// The command line, program first.
    pub command: Vec<String>,
    /// Version of this program.
    pub backburn_version: String,
    /// Version of Burn.
    pub burn_version: String,
    /// Commit of the source tree, if it was built from one.
    pub git_commit: Option<String>,
    /// Backend, such as `flex`.
    pub backend: String,
    /// Name of the device, such as the processor's.
    pub device: String,
    /// Threads used for computing.
    pub threads: usize,
    /// Seeds of the repetitions.
    pub seeds: Vec<u64>,
    /// UTC, ISO 8601.
    pub started: String,
    /// Wall clock in seconds.
    pub seconds: f64,
    /// The data, if there are any.
    pub dataset: Option<DatasetRecord>,
    /// Every access to test images, also of those that curves are drawn from.
    pub test_reads: Vec<TestRead>,
}

/// Some of the source's numbers beside ours.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// What is compared.
    pub title: String,
    /// What a reader should know of these numbers.
    pub note: String,
    /// A quantity each.
    pub rows: Vec<Compared>,
}

/// One quantity, the source's and ours.
#[derive(Clone, Debug, Serialize)]
pub struct Compared {
    /// Name of the quantity.
    pub quantity: String,
    /// How it is written.
    pub unit: Unit,
    /// What the source printed.
    pub printed: Option<f64>,
    /// What PyTorch gives with the same settings.
    pub reference: Option<Reference>,
    /// One value a seed.
    pub ours: Vec<f64>,
    /// Least difference that counts for the rule.
    pub floor: Floor,
    /// What the rule says: of the reference, if there is one, else of what was printed.
    pub agreement: Agreement,
}

/// How a quantity is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Nats, or a number without a unit.
    Plain,
    /// A fraction, written in percent.
    Percent,
    /// A difference of fractions, written in percentage points.
    Points,
    /// A number of things, such as epochs.
    Count,
}

impl Unit {
    fn format(self, value: f64) -> String {
        match self {
            Self::Plain => number::loss(value),
            Self::Percent => number::bare_percent(value),
            Self::Points => number::bare_points(value),
            // The mean of several counts is seldom whole.
            Self::Count => number::short((10.0 * value).round() / 10.0),
        }
    }

    /// What stands behind the quantity's name.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Plain | Self::Count => "",
            Self::Percent => " (%)",
            Self::Points => " (points)",
        }
    }

    /// Mean and, of several values, standard deviation. Values that are not finite are those of trainings that
    /// diverged: they are counted beside the mean of the others.
    pub fn spread(self, values: &[f64]) -> String {
        let finite = finite(values);
        let spread = Spread::of(&finite);
        let text = self.mean_and_deviation(spread.mean, spread.standard_deviation);
        match values.len() - finite.len() {
            diverged if diverged > 0 && !finite.is_empty() => {
                format!("{text} ({diverged} of {} diverged)", values.len())
            }
            _ => text,
        }
    }

    /// Mean and, of several runs, standard deviation of what others measured.
    pub fn reference(self, reference: Reference) -> String {
        self.mean_and_deviation(reference.mean, reference.standard_deviation)
    }

    fn mean_and_deviation(self, mean: f64, deviation: f64) -> String {
        if !mean.is_finite() {
            return "diverged".into();
        }
        let mut text = self.format(mean);
        if deviation.is_finite() {
            let deviation = match self {
                Self::Points => number::bare_percent(deviation),
                unit => unit.format(deviation),
            };
            let _ = write!(text, " ± {deviation}");
        }
        text
    }
}

impl Compared {
    /// A quantity of which we have these values, a seed each, and nothing to compare with yet.
    pub fn new(quantity: impl Into<String>, unit: Unit, ours: Vec<f64>) -> Self {
        let floor = match unit {
            Unit::Plain | Unit::Count => Floor::LOSS,
            Unit::Percent | Unit::Points => Floor::ACCURACY,
        };
        let agreement = Agreement::NotCompared(number::ABSENT.into());
        let (printed, reference) = (None, None);
        Self { quantity: quantity.into(), unit, printed, reference, ours, floor, agreement }
    }

    /// Adds what the source printed.
    #[must_use]
    pub fn printed(mut self, value: f64) -> Self {
        self.printed = Some(value);
        self.judged()
    }

    /// Adds what PyTorch gives.
    #[must_use]
    pub fn reference(mut self, reference: Reference) -> Self {
        self.reference = Some(reference);
        self.judged()
    }

    /// Sets another floor than 15 % of a plain number, or 1.5 points of the others.
    #[must_use]
    pub fn floor(mut self, floor: Floor) -> Self {
        self.floor = floor;
        self.judged()
    }

    /// Marks the row as not to be compared, for this reason, which should be short.
    #[must_use]
    pub fn not_compared(mut self, reason: impl Into<String>) -> Self {
        self.agreement = Agreement::NotCompared(reason.into());
        self
    }

    fn judged(mut self) -> Self {
        let other = self.reference.or(self.printed.map(Reference::single));
        if let Some(other) = other {
            self.agreement = Agreement::of(&self.ours, other, self.floor);
        }
        self
    }
}

/// Numbers that the source has no counterpart of.
#[derive(Clone, Debug, Serialize)]
pub struct ExperimentTable {
    /// What it shows.
    pub title: String,
    /// What a reader should know of it.
    pub note: String,
    /// Names of the columns; the first column holds words.
    pub head: Vec<String>,
    /// Rows, each of as many cells as there are columns.
    pub rows: Vec<Vec<String>>,
}

/// Numbers in columns.
#[derive(Clone, Debug)]
pub struct DataTable {
    /// Name of the file, without extension.
    pub name: String,
    /// Names of the columns, with units.
    pub columns: Vec<String>,
    /// Rows, each of as many cells as there are columns.
    pub rows: Vec<Vec<String>>,
}

impl DataTable {
    /// The table as CSV, with a line of names.
    pub fn to_csv(&self) -> String {
        let cell = |cell: &String| {
            if cell.contains([',', '"', '\n']) {
                format!("\"{}\"", cell.replace('"', "\"\""))
            } else {
                cell.clone()
            }
        };
        let line =
            |cells: &Vec<String>| cells.iter().map(cell).collect::<Vec<_>>().join(",") + "\n";
        [&self.columns].into_iter().chain(&self.rows).map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_decides_before_the_printed_number() {
        let row = Compared::new("accuracy", Unit::Percent, vec![0.90, 0.90]).printed(0.5);
        assert_eq!(row.agreement, Agreement::Disagrees);
        let row = row.reference(Reference::new(0.91, 0.001, 10));
        assert_eq!(row.agreement, Agreement::Agrees);
        assert_eq!(row.floor(Floor::Absolute(0.001)).agreement, Agreement::Disagrees);
    }

    #[test]
    fn spreads_are_written_in_their_unit() {
        assert_eq!(Unit::Percent.spread(&[0.5, 0.6]), "55.00 ± 7.07");
        assert_eq!(Unit::Points.spread(&[0.5]), "+50.00");
        assert_eq!(Unit::Points.spread(&[0.5, 0.6]), "+55.00 ± 7.07");
        assert_eq!(Unit::Plain.spread(&[f64::NAN]), "diverged");
        assert_eq!(Unit::Plain.spread(&[f64::NAN, f64::INFINITY]), "diverged");
        assert_eq!(Unit::Percent.spread(&[0.5, f64::NAN]), "50.00 (1 of 2 diverged)");
        let two_of_three = Unit::Percent.spread(&[0.5, f64::NAN, 0.6]);
        assert_eq!(two_of_three, "55.00 ± 7.07 (1 of 3 diverged)");
        assert_eq!(Unit::Count.spread(&[17.0]), "17");
        assert_eq!(Unit::Count.spread(&[8.0, 8.0, 9.0]), "8.3 ± 0.6");
    }

    #[test]
    fn cells_with_commas_are_quoted() {
        let data = DataTable {
            name: "x".into(),
            columns: vec!["a".into(), "b, c".into()],
            rows: vec![vec!["1".into(), "say \"no\"".into()]],
        };
        assert_eq!(data.to_csv(), "a,\"b, c\"\n1,\"say \"\"no\"\"\"\n");
    }
}
