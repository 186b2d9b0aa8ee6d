//! The same training with several seeds: the study of `train --seeds`.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::PathBuf;

use backburn_records::statistics::Spread;
use backburn_training::failure::{Failure, usage};
use backburn_training::recipe::Recipe;
use backburn_training::run_folder::names::CONFIG;

use crate::study::{Study, StudyArm};
use crate::study_file::MOST_SEEDS;

/// A study of one recipe with so many seeds, from its own on, whose runs stand in `folder` itself.
///
/// # Errors
///
/// If there cannot be so many seeds, or `folder` is that of a run.
pub fn study(recipe: &Recipe, seeds: u64, folder: PathBuf) -> Result<Study, Failure> {
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
    Ok(Study { arms: vec![arm], seeds: (recipe.seed..last).collect(), folder })
}

/// What the seeds came to, of test accuracies in percent.
pub fn sentence(accuracies: &[f64]) -> String {
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
    use backburn_training::recipe::built_in;

    use super::*;

    #[test]
    fn several_seeds_have_a_mean_and_a_spread() {
        assert_eq!(
            sentence(&[90.0, 92.0]),
            "test accuracy 91.00 ± 1.41 % over 2 seeds (mean ± standard deviation)"
        );
        assert!(sentence(&[90.0]).contains("no spread"));
    }

    #[test]
    fn runs_stand_in_the_folder_itself_one_a_seed() {
        let recipe = Recipe { seed: 5, ..built_in("digits").unwrap() };
        let two = study(&recipe, 2, "runs/x".into()).unwrap();
        let paths = [0, 1].map(|index| two.trial(index).unwrap().path.display().to_string());
        assert_eq!(paths, ["runs/x/seed-5", "runs/x/seed-6"]);
        for seeds in [0, MOST_SEEDS + 1] {
            assert!(matches!(study(&recipe, seeds, "runs/x".into()), Err(Failure::Usage(_))));
        }
        let last = Recipe { seed: u64::MAX, ..recipe };
        assert!(study(&last, 1, "runs/x".into()).is_err());
    }
}
