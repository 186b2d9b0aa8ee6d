//! The study of `compare-regularizers`: every regularizer alone, a few together, and none.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::Path;

use backburn_training::failure::{Failure, usage};
use backburn_training::recipe_change::RecipeChange;

use crate::arm_list::{ListedArm, regularizers};
use crate::study_file::StudyFile;

/// What all arms have in common: little data, a network that learns it by heart, the last weights, and no regularizer.
const RECIPE: &str = "small";

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct RegularizerStudy {
    /// Data set, by its name in the catalog; mnist if `None`.
    pub dataset: Option<String>,
    /// What all arms change of the recipe `small`.
    pub change: RecipeChange,
    /// How many seeds; 3 if `None`.
    pub seeds: Option<u64>,
    /// The first seed; 1 if `None`.
    pub first_seed: Option<u64>,
    /// Only these arms, and the one that they are compared with; all if empty.
    pub only: Vec<String>,
}

impl RegularizerStudy {
    /// The study as a file.
    ///
    /// # Errors
    ///
    /// If there is no such data set or arm, or the recipe cannot be changed so.
    pub fn file(&self) -> Result<StudyFile, Failure> {
        let dataset = self.dataset.as_deref().unwrap_or("mnist");
        backburn_data::entry(dataset).map_err(usage)?;
        let mut file = StudyFile {
            subject: "regularizers".into(),
            recipe: Some(RECIPE.into()),
            dataset: Some(dataset.into()),
            seeds: self.seeds.unwrap_or(3),
            first_seed: self.first_seed.unwrap_or(1),
            leave_out: true,
            base: self.change.clone(),
            arms: self.arms()?,
            ..StudyFile::default()
        };
        // Some architectures have dropout unless they are told otherwise.
        let mut recipe = file.load_base(Path::new(""))?;
        if *recipe.model.dropout_mut() > 0.0 {
            file.base = file.base.with("dropout", 0);
        }
        Ok(file)
    }

    /// The arms that are asked for, the first of the list always among them.
    fn arms(&self) -> Result<Vec<ListedArm>, Failure> {
        let listed = regularizers();
        let known = |name: &String| listed.iter().any(|arm| arm.name == *name);
        if let Some(name) = self.only.iter().find(|name| !known(name)) {
            let known: Vec<&str> = listed.iter().map(|arm| arm.name.as_str()).collect();
            return Err(Failure::Usage(format!(
                "`--only`: unknown arm `{name}`; known: {}",
                known.join(", ")
            )));
        }
        let wanted = |(place, arm): &(usize, ListedArm)| {
            *place == 0 || self.only.is_empty() || self.only.contains(&arm.name)
        };
        Ok(listed.into_iter().enumerate().filter(wanted).map(|(_, arm)| arm).collect())
    }
}

/// The arms with what they are and the flags that make them, for a terminal.
pub fn list() -> String {
    let arm = |arm: &ListedArm| {
        let words = arm.change.words();
        let flags = if words.is_empty() { "(no flags)".into() } else { words.join(" ") };
        format!("{}\n  {}\n  {flags}\n", arm.name, arm.summary)
    };
    regularizers().iter().map(arm).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::Study;

    fn study(asked: &RegularizerStudy) -> Result<Study, Failure> {
        let file = asked.file()?;
        let base = file.load_base(Path::new(""))?;
        Ok(file.study(&base, Path::new(""), Path::new("x"))?)
    }

    fn of_model(model: &str) -> Study {
        let change = RecipeChange::default().with("model", model);
        study(&RegularizerStudy { change, ..RegularizerStudy::default() }).unwrap()
    }

    /// The arms that cannot be compared, each with the reason.
    fn absent(study: Study) -> Vec<(String, String)> {
        study.arms.into_iter().filter_map(|arm| Some((arm.name, arm.recipe.err()?))).collect()
    }

    #[test]
    fn arms_that_do_not_apply_to_a_model_are_absent_with_the_reason() {
        let cnn = absent(study(&RegularizerStudy::default()).unwrap());
        assert_eq!(cnn.len(), 1, "{cnn:?}");
        assert!(cnn[0].0 == "stochastic-depth" && cnn[0].1.contains("the model `cnn`"), "{cnn:?}");
        let resnet = absent(of_model("resnet20"));
        let names: Vec<&str> = resnet.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["spatial-dropout", "batch-norm"]);
        assert!(resnet[0].1.contains("does not apply to the model `resnet20`"), "{resnet:?}");
        assert!(resnet[1].1.contains("has it already"), "{resnet:?}");
    }

    #[test]
    fn another_model_starts_without_dropout_too() {
        let mut base = of_model("mlp").arms[0].recipe.clone().unwrap();
        assert_eq!(*base.model.dropout_mut(), 0.0);
    }

    #[test]
    fn seeds_and_arms_that_cannot_be_are_refused() {
        let refused = |asked: RegularizerStudy| matches!(study(&asked), Err(Failure::Usage(_)));
        let asked = RegularizerStudy::default;
        assert!(refused(RegularizerStudy { seeds: Some(0), ..asked() }));
        assert!(refused(RegularizerStudy { first_seed: Some(u64::MAX), ..asked() }));
        assert!(refused(RegularizerStudy { only: vec!["dropuot".into()], ..asked() }));
        assert!(!refused(RegularizerStudy { only: vec!["dropout".into()], ..asked() }));
    }
}
