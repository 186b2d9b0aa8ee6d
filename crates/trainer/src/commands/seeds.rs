//! `backburn train --seeds N`: the same training with several seeds, and a page over them.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::PathBuf;

use backburn_records::tta::by_views;
use backburn_studies::{arms, seeds};
use backburn_training::failure::Failure;
use backburn_training::recipe::Recipe;
use backburn_training::run_options::RunOptions;

use crate::output::{print_data, print_line};
use crate::terminal::Terminal;

/// A training with several seeds, as flags ask for it.
#[derive(Debug)]
pub(crate) struct TrainSeeds {
    /// How many, from the recipe's on.
    pub(crate) seeds: u64,
    /// The folder of the runs and the page. What it holds already is resumed.
    pub(crate) folder: PathBuf,
    /// Whether the scores are printed as JSON.
    pub(crate) json: bool,
}

/// Trains the seeds that are not there yet, and draws their page.
///
/// # Errors
///
/// What stands in the way, with the cure.
pub(crate) fn train_seeds(
    asked: TrainSeeds,
    recipe: &Recipe,
    options: &RunOptions,
    watch: &mut Terminal,
) -> Result<(), Failure> {
    let TrainSeeds { seeds, folder, json } = asked;
    let study = seeds::study(recipe, seeds, folder)?;
    let resume: Vec<String> = options.command.iter().skip(1).cloned().collect();
    let all = study.seeds.len();
    let arms = arms::train(&study, all, options, None, &resume, watch)?;
    let runs = arms::records(&arms, &study.folder)?;
    let page = study.folder.join("report.html");
    backburn_report::write_comparison(&runs, &page)
        .map_err(|error| Failure::Error(error.to_string()))?;
    let summaries: Vec<_> = arms.iter().flat_map(|arm| &arm.runs).map(|run| &run.summary).collect();
    if json {
        let text = serde_json::to_string(&summaries);
        print_data(&text.map_err(|error| Failure::Error(error.to_string()))?);
        return Ok(());
    }
    let accuracies: Vec<f64> = summaries.iter().map(|run| 100.0 * run.test_accuracy).collect();
    print_line(&seeds::sentence(&accuracies));
    if let Some(views) = by_views(summaries.iter().map(|run| run.tta.as_deref())) {
        print_line(&views);
    }
    print_data(&format!("page: {}", page.display()));
    Ok(())
}
