//! What is to be trained: arms, each with several seeds.

use std::path::{Path, PathBuf};

use backburn_training::failure::{Failure, usage};
use backburn_training::recipe::Recipe;

use crate::trial::Trial;

/// An arm: the same training as the others but for what its recipe changes.
#[derive(Clone, Debug, PartialEq)]
pub struct StudyArm {
    /// Name, also of its folder.
    pub name: String,
    /// What it is, in one line.
    pub summary: String,
    /// The command that repeats its run with the study's first seed.
    pub command: Vec<String>,
    /// What it is trained by, but for the seed; or why it cannot be compared.
    pub recipe: Result<Recipe, String>,
}

/// Arms with several seeds each, and the folder of their runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Study {
    /// The arms.
    pub arms: Vec<StudyArm>,
    /// The seeds that every arm is trained with.
    pub seeds: Vec<u64>,
    /// Where the run folders are, as `<arm>/seed-<N>`.
    pub folder: PathBuf,
}

/// The place of a trial in a study.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Place among the arms.
    pub arm: usize,
    /// Place among the seeds.
    pub seed: usize,
}

impl Study {
    /// How many trials there are, those of arms that cannot be compared among them.
    pub fn trials(&self) -> usize {
        self.arms.len() * self.seeds.len()
    }

    /// The place of trial number `index`: all arms of a seed come before the next seed, so that a study that is
    /// stopped has whole seeds. `None` behind the last one.
    pub fn place(&self, index: usize) -> Option<Place> {
        let arms = self.arms.len();
        (index < self.trials()).then(|| Place { arm: index % arms, seed: index / arms })
    }

    /// Trial number `index`.
    ///
    /// # Errors
    ///
    /// If it is behind the last one, or its arm cannot be compared.
    pub fn trial_to_train(&self, index: usize) -> Result<Trial, Failure> {
        self.trial(index).ok_or_else(|| {
            let arm = self.place(index).and_then(|place| self.arms.get(place.arm));
            match arm.map(|arm| &arm.recipe) {
                Some(Err(reason)) => Failure::Usage(format!("trial {index}: {reason}")),
                _ => {
                    usage(format!("`--index`: expected less than {}, found {index}", self.trials()))
                }
            }
        })
    }

    /// Trial number `index`; `None` behind the last one, and of an arm that cannot be compared.
    pub fn trial(&self, index: usize) -> Option<Trial> {
        let Place { arm, seed } = self.place(index)?;
        let (arm, &seed) = (self.arms.get(arm)?, self.seeds.get(seed)?);
        let recipe = Recipe { seed, ..arm.recipe.clone().ok()? };
        Some(Trial { path: run_folder(&self.folder, &arm.name, seed), recipe })
    }
}

/// The name of an arm's folder.
pub fn arm_folder(arm: &str) -> String {
    arm.replace(' ', "-")
}

/// The folder of an arm's run with a seed.
pub fn run_folder(study: &Path, arm: &str, seed: u64) -> PathBuf {
    study.join(arm_folder(arm)).join(format!("seed-{seed}"))
}

#[cfg(test)]
mod tests {
    use backburn_training::recipe::built_in;

    use super::*;

    fn study() -> Study {
        let arm = |name: &str, recipe| StudyArm {
            name: name.into(),
            summary: String::new(),
            command: Vec::new(),
            recipe,
        };
        let recipe = built_in("digits").unwrap();
        Study {
            arms: vec![
                arm("none", Ok(recipe.clone())),
                arm("two words", Ok(Recipe { epochs: 1, ..recipe })),
                arm("absent", Err("no".into())),
            ],
            seeds: vec![7, 8],
            folder: "runs/x".into(),
        }
    }

    #[test]
    fn trials_are_ordered_by_seed_and_their_number_tells_all_of_them() {
        let study = study();
        assert_eq!(study.trials(), 6);
        let trials: Vec<Option<Trial>> = (0..7).map(|index| study.trial(index)).collect();
        let paths = trials.iter().flatten().map(|trial| trial.path.display().to_string());
        let expected = ["none/seed-7", "two-words/seed-7", "none/seed-8", "two-words/seed-8"];
        assert_eq!(paths.collect::<Vec<_>>(), expected.map(|path| format!("runs/x/{path}")));
        let recipes: Vec<(u64, usize)> =
            trials.iter().flatten().map(|trial| (trial.recipe.seed, trial.recipe.epochs)).collect();
        assert_eq!(recipes[1], (7, 1));
        assert_eq!(recipes[2].0, 8);
        assert!(trials[2].is_none() && trials[6].is_none());
        assert_eq!(study.trial(4), trials[4]);
        let refusal = |index| match study.trial_to_train(index) {
            Err(Failure::Usage(reason)) => reason,
            other => panic!("{other:?}"),
        };
        assert_eq!(refusal(2), "trial 2: no");
        assert_eq!(refusal(6), "`--index`: expected less than 6, found 6");
    }
}
