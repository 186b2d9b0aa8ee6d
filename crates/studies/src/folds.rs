//! Cross-validation: a run for each fold, one after the other.

use std::path::{Path, PathBuf};
use std::time::Instant;

use backburn_records::{RunRecord, number};
use backburn_training::failure::Failure;
use backburn_training::recipe::{Recipe, RecipeError};
use backburn_training::run_options::RunOptions;
use backburn_training::watch::{Brief, Event, Watch};

use crate::arms::{interrupted, named};
use crate::trial::{Trial, TrialEnd, read};

/// The trials of a cross-validation with so many folds: the recipe with each to validate on, in `<folder>/fold-<K>`.
///
/// # Errors
///
/// If there cannot be so many.
pub fn trials(recipe: &Recipe, folds: usize, folder: &Path) -> Result<Vec<Trial>, RecipeError> {
    let recipes = (1..).zip(recipe.folds(folds)?);
    let trial = |(number, recipe)| Trial { path: fold_folder(folder, number), recipe };
    Ok(recipes.map(trial).collect())
}

/// The run folder of a fold, counted from 1, in the folder of a cross-validation.
pub fn fold_folder(folder: &Path, number: usize) -> PathBuf {
    folder.join(format!("fold-{number}"))
}

/// Trains the trials that are not there yet, and gives the records of all. `resume`: the words that the same command
/// is given with again.
///
/// # Errors
///
/// If a run cannot be trained or read, diverges, or is asked to stop: what is there is found by the same call.
pub fn train(
    trials: &[Trial],
    options: &RunOptions,
    resume: &[String],
    watch: &mut dyn Watch,
) -> Result<Vec<RunRecord>, Failure> {
    // Before any is trained, so that another recipe's runs are found at once.
    let found: Vec<_> = trials.iter().map(Trial::find).collect::<Result<_, _>>()?;
    let (mut left, mut seconds) = (found.iter().filter(|found| found.is_missing()).count(), 0.0);
    let all = left;
    for (number, (trial, found)) in (1..).zip(trials.iter().zip(found)) {
        let is_missing = found.is_missing();
        if is_missing && options.stop.is_requested() {
            return Err(interrupted(resume, watch));
        }
        let started = Instant::now();
        let end = trial.carry_out(found, options, &mut Brief(watch));
        let mut line = format!("fold {number}/{}", trials.len());
        match end.map_err(|error| named(error.into(), trial))? {
            TrialEnd::Interrupted => return Err(interrupted(resume, watch)),
            TrialEnd::Diverged(reason) => {
                return Err(Failure::Error(format!("{}: {reason}", trial.path.display())));
            }
            TrialEnd::Scored(summary) => {
                let valid = summary.valid_accuracy.unwrap_or(f64::NAN);
                line += &format!(
                    " train {:>5.1} validation {:>5.2} %",
                    100.0 * summary.train_accuracy,
                    100.0 * valid
                );
            }
        }
        if is_missing {
            left -= 1;
            seconds += started.elapsed().as_secs_f64();
            line += &format!(" {}", number::clock(started.elapsed().as_secs_f64()));
            if left > 0 {
                let rest = seconds / (all - left) as f64 * left as f64;
                line += &format!(", {} left", number::clock(rest));
            }
        }
        watch.event(Event::Note(&line));
    }
    trials.iter().map(|trial| read(&trial.path)).collect()
}

#[cfg(test)]
mod tests {
    use backburn_training::recipe::built_in;

    use super::*;

    #[test]
    fn a_fold_is_the_recipe_with_that_fold_in_a_folder_of_its_own() {
        let recipe = built_in("digits").unwrap();
        let trials = trials(&recipe, 3, Path::new("runs/x")).unwrap();
        let paths: Vec<String> = trials.iter().map(|t| t.path.display().to_string()).collect();
        assert_eq!(paths, ["runs/x/fold-1", "runs/x/fold-2", "runs/x/fold-3"]);
        let folds = trials.iter().map(|trial| trial.recipe.fold.unwrap().to_string());
        assert_eq!(folds.collect::<Vec<_>>(), ["1/3", "2/3", "3/3"]);
        let plain = Recipe { fold: None, ..trials[1].recipe.clone() };
        assert_eq!(plain, recipe);
    }
}
