//! `backburn train --folds K`: a run for each fold, and a page over them.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::PathBuf;

use backburn_records::cross_validation::{CAUTION, CrossValidation};
use backburn_studies::folds::{train, trials};
use backburn_training::failure::{Failure, usage};
use backburn_training::recipe::Recipe;
use backburn_training::run_folder::names::CONFIG;
use backburn_training::run_options::RunOptions;

use crate::output::{print_data, print_line};
use crate::terminal::Terminal;

/// A cross-validation, as flags ask for it.
#[derive(Debug)]
pub(crate) struct CrossValidate {
    /// How many folds.
    pub(crate) folds: usize,
    /// The folder of the runs and the page. What it holds already is resumed.
    pub(crate) folder: PathBuf,
    /// Whether the scores are printed as JSON.
    pub(crate) json: bool,
}

/// Trains the folds that are not there yet, and draws their page.
///
/// # Errors
///
/// What stands in the way, with the cure.
pub(crate) fn cross_validate(
    asked: CrossValidate,
    recipe: &Recipe,
    options: &RunOptions,
    watch: &mut Terminal,
) -> Result<(), Failure> {
    let CrossValidate { folds, folder, json } = asked;
    if folder.join(CONFIG).exists() {
        return Err(Failure::Usage(format!(
            "{} is the folder of a run; name another folder with `--out`",
            folder.display()
        )));
    }
    let trials = trials(recipe, folds, &folder).map_err(usage)?;
    let resume: Vec<String> = options.command.iter().skip(1).cloned().collect();
    let runs = train(&trials, options, &resume, watch)?;
    let all = CrossValidation::of(&runs, folder.display().to_string());
    let written = backburn_report::write_folds(&all, &runs, &folder);
    written.map_err(|error| Failure::Error(error.to_string()))?;
    if json {
        let text = serde_json::to_string(&all);
        print_data(&text.map_err(|error| Failure::Error(error.to_string()))?);
        return Ok(());
    }
    print_line(&format!("{}\n{CAUTION}", all.sentence()));
    print_data(&format!("page: {}", folder.join("report.html").display()));
    Ok(())
}
