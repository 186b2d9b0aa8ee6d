//! The loggers there are, and what `--log` takes.

use crate::csv::Csv;
use crate::logger::Logger;
use crate::tensorboard::{Histograms, TensorBoard};

/// A logger as `--log` names it.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Its name, with what more is asked of it behind a colon.
    pub name: &'static str,
    /// What it writes, in a line.
    pub summary: &'static str,
    /// Makes it.
    make: fn() -> Box<dyn Logger>,
}

/// All of them.
pub const CATALOG: &[Entry] = &[
    Entry {
        name: "tensorboard",
        summary: "tensorboard/: event files with scalars, settings, augmented images, worst mistakes",
        make: || Box::new(TensorBoard::new(Histograms::Off)),
    },
    Entry {
        name: "tensorboard:histograms",
        summary: "the same with weights and gradients, read back once an epoch",
        make: || Box::new(TensorBoard::new(Histograms::On)),
    },
    Entry {
        name: "csv",
        summary: "logs/scalars.csv: every scalar as a row `step,epoch,tag,value`",
        make: || Box::new(Csv::default()),
    },
];

impl Entry {
    /// A logger of this kind, which has not begun yet.
    pub fn logger(&self) -> Box<dyn Logger> {
        (self.make)()
    }

    /// What its name begins with: two rows with the same write the same files.
    fn kind(&self) -> &'static str {
        self.name.split(':').next().unwrap_or(self.name)
    }
}

/// The rows of these names.
///
/// # Errors
///
/// A name that there is not, with those that there are, or two names that stand for the same files.
pub fn chosen(names: &[String]) -> Result<Vec<&'static Entry>, String> {
    let mut chosen: Vec<&Entry> = Vec::new();
    for name in names {
        let entry = CATALOG.iter().find(|entry| entry.name == name).ok_or_else(|| {
            let known: Vec<&str> = CATALOG.iter().map(|entry| entry.name).collect();
            format!("unknown logger `{name}`; known: {}", known.join(", "))
        })?;
        if let Some(other) = chosen.iter().find(|other| other.kind() == entry.kind()) {
            return Err(format!("`{name}` writes the same files as `{}`; name one", other.name));
        }
        chosen.push(entry);
    }
    Ok(chosen)
}

/// Help of the flag that names them.
pub fn help() -> String {
    let rows: Vec<String> =
        CATALOG.iter().map(|entry| format!("{} ({})", entry.name, entry.summary)).collect();
    format!(
        "Log for other programs into the run folder, with commas between: {}. A run that is resumed \
         logs on as before. Results do not depend on it",
        rows.join("; ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_told_apart_and_listed() {
        let names: BTreeSet<&str> = CATALOG.iter().map(|entry| entry.name).collect();
        assert_eq!(names.len(), CATALOG.len());
        for name in names {
            assert_eq!(chosen(&[name.to_owned()]).unwrap()[0].name, name);
            assert!(help().contains(&format!("{name} (")) && !name.contains(','));
        }
        let refused = chosen(&["csv".to_owned(), "wandb".to_owned()]).unwrap_err();
        assert!(refused.contains("`wandb`") && refused.contains("tensorboard:histograms, csv"));
        let refused = chosen(&["tensorboard:histograms", "tensorboard"].map(str::to_owned));
        assert!(refused.unwrap_err().contains("the same files"));
    }
}
