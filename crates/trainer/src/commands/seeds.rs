//! `backburn train --seeds N`: the same training with several seeds, and a page over them.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::PathBuf;

use backburn_records::statistics::Spread;
use backburn_studies::arms;
use backburn_studies::study::{Study, StudyArm};
use backburn_studies::study_file::MOST_SEEDS;
use backburn_training::failure::{Failure, usage};
use backburn_training::recipe::Recipe;
use backburn_training::run_folder::names::CONFIG;
use backburn_training::run_options::RunOptions;

use crate::output::print_line;
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
    if !(1..=MOST_SEEDS).contains(&seeds) {
        return Err(usage(format!("`--seeds`: expected 1 to {MOST_SEEDS}, found {seeds}")));
    }
    let last = recipe
        .seed
        .checked_add(seeds)
        .ok_or_else(|| usage("`--seed`: expected a number that leaves `--seeds` more behind it"))?;
    if folder.join(CONFIG).exists() {
        return Err(Failure::Usage(format!(
            "{} is the folder of a run; name another folder with `--out`",
            folder.display()
        )));
    }
    // An arm without a name: its runs stand in the folder itself.
    let arm = StudyArm {
        name: String::new(),
        summary: String::new(),
        command: Vec::new(),
        recipe: Ok(recipe.clone()),
    };
    let study = Study { arms: vec![arm], seeds: (recipe.seed..last).collect(), folder };
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
        print_line(&text.map_err(|error| Failure::Error(error.to_string()))?);
        return Ok(());
    }
    let accuracies: Vec<f64> = summaries.iter().map(|run| 100.0 * run.test_accuracy).collect();
    print_line(&sentence(&accuracies));
    print_line(&format!("page: {}", page.display()));
    Ok(())
}

/// What the seeds came to, of test accuracies in percent.
fn sentence(accuracies: &[f64]) -> String {
    let Spread { mean, standard_deviation } = Spread::of(accuracies);
    match accuracies {
        [only] => format!("test accuracy {only:.2} %: one seed has no spread"),
        _ => format!(
            "test accuracy {mean:.2} ± {standard_deviation:.2} % over {} seeds (mean ± standard deviation)",
            accuracies.len()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_seeds_have_a_mean_and_a_spread() {
        assert_eq!(
            sentence(&[90.0, 92.0]),
            "test accuracy 91.00 ± 1.41 % over 2 seeds (mean ± standard deviation)"
        );
        assert!(sentence(&[90.0]).contains("no spread"));
    }
}
