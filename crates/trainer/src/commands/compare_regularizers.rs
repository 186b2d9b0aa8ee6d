//! `backburn compare-regularizers`: every regularizer alone, a few together, and none.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use backburn_data::SplitSize;
use backburn_studies::arm_list::{ListedArm, regularizers};
use backburn_studies::carry_out::PlannedStudy;
use backburn_studies::study_file::StudyFile;
use backburn_training::failure::{Failure, usage};
use backburn_training::picture_names::short_name;
use backburn_training::recipe_change::RecipeChange;
use clap::Args;

use crate::help;
use crate::interrupt::{self, Notices};
use crate::output::print_line;
use crate::study_run::{PlaceFlags, StudyRun};

/// What all arms have in common: little data, a network that learns it by heart, the last weights, and no regularizer.
const RECIPE: &str = "small";

/// `compare-regularizers [DATASET]`
#[derive(Args, Clone, Debug, Default)]
pub struct CompareRegularizersArgs {
    /// Data set, by its name in the catalog.
    #[arg(help = format!("{}; mnist if none is named", help::data_sets()))]
    dataset: Option<String>,
    /// Architecture; that of the recipe `small`, a cnn, if not given.
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Images to train on: a number, or a share such as 10%; 1000 if not given.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    train_size: Option<SplitSize>,
    /// Passes over the training images; 30 if not given.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    epochs: Option<usize>,
    /// How many seeds; 3 if not given, which are few.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    seeds: Option<u64>,
    /// The first seed; 1 if not given.
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    seed: Option<u64>,
    /// Only these arms, and the one that they are compared with.
    #[arg(long, value_name = "ARM,ARM", value_delimiter = ',')]
    only: Vec<String>,
    /// Trials at a time, each in a process of its own; 1 if not given. Results do not depend on it.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    jobs: Option<usize>,
    /// List the arms with their flags, and train nothing.
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    place: PlaceFlags,
}

/// Compares regularizers as the arguments say. `command`: the whole command line, for the manifests.
///
/// # Errors
///
/// What stands in the way, with the cure.
pub fn compare_regularizers(
    args: &CompareRegularizersArgs,
    command: Vec<String>,
) -> Result<(), Failure> {
    if args.list {
        print_line(list().trim_end());
        return Ok(());
    }
    interrupt::hear(Notices::TRAINING, None);
    let file = args.study()?;
    let from = Path::new("");
    let recipe = args.place.at(file.named_recipe(from)?)?;
    let default = || format!("runs/compare-regularizers-{}", short_name(&recipe.dataset)).into();
    let folder: PathBuf = args.place.out.clone().unwrap_or_else(default);
    let run = StudyRun {
        planned: PlannedStudy { file, recipe, from: from.to_owned(), folder },
        jobs: args.jobs,
        threads: args.place.threads,
        json: args.place.json,
        command,
    };
    run.carry_out()
}

impl CompareRegularizersArgs {
    /// The study that is asked for.
    fn study(&self) -> Result<StudyFile, Failure> {
        let dataset = self.dataset.as_deref().unwrap_or("mnist");
        backburn_data::entry(dataset).map_err(usage)?;
        let settings = [
            ("model", self.model.clone()),
            ("train-size", self.train_size.map(|size| size.to_string())),
            ("epochs", self.epochs.map(|epochs| epochs.to_string())),
        ];
        let settings = settings.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let change = |base: RecipeChange, (name, text)| base.with(name, text);
        let mut file = StudyFile {
            subject: "regularizers".into(),
            recipe: Some(RECIPE.into()),
            dataset: Some(dataset.into()),
            seeds: self.seeds.unwrap_or(3),
            first_seed: self.seed.unwrap_or(1),
            leave_out: true,
            base: settings.fold(RecipeChange::default(), change),
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

fn list() -> String {
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

    fn study(model: Option<&str>) -> backburn_studies::study::Study {
        let model = model.map(str::to_owned);
        let file = CompareRegularizersArgs { model, ..Default::default() }.study().unwrap();
        let base = file.load_base(Path::new("")).unwrap();
        file.study(&base, Path::new(""), Path::new("x")).unwrap()
    }

    /// The arms that cannot be compared, each with the reason.
    fn absent(model: Option<&str>) -> Vec<(String, String)> {
        let arms = study(model).arms.into_iter();
        arms.filter_map(|arm| Some((arm.name, arm.recipe.err()?))).collect()
    }

    #[test]
    fn arms_that_do_not_apply_to_a_model_are_absent_with_the_reason() {
        let cnn = absent(None);
        assert_eq!(cnn.len(), 1, "{cnn:?}");
        assert!(cnn[0].0 == "stochastic-depth" && cnn[0].1.contains("the model `cnn`"), "{cnn:?}");
        let resnet = absent(Some("resnet20"));
        let names: Vec<&str> = resnet.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["spatial-dropout", "batch-norm"]);
        assert!(resnet[0].1.contains("does not apply to the model `resnet20`"), "{resnet:?}");
        assert!(resnet[1].1.contains("has it already"), "{resnet:?}");
    }

    #[test]
    fn another_model_starts_without_dropout_too() {
        let mut base = study(Some("mlp")).arms[0].recipe.clone().unwrap();
        assert_eq!(*base.model.dropout_mut(), 0.0);
    }

    #[test]
    fn seeds_and_arms_that_cannot_be_are_refused() {
        let refused = |args: CompareRegularizersArgs| {
            let file = args.study();
            let study = file.and_then(|file| {
                let base = file.load_base(Path::new(""))?;
                file.study(&base, Path::new(""), Path::new("x")).map_err(failure)
            });
            matches!(study, Err(Failure::Usage(_)))
        };
        let args = CompareRegularizersArgs::default;
        assert!(refused(CompareRegularizersArgs { seeds: Some(0), ..args() }));
        assert!(refused(CompareRegularizersArgs { seed: Some(u64::MAX), ..args() }));
        assert!(refused(CompareRegularizersArgs { only: vec!["dropuot".into()], ..args() }));
        assert!(!refused(CompareRegularizersArgs { only: vec!["dropout".into()], ..args() }));
    }
}
