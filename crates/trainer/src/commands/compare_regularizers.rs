//! `backburn compare-regularizers`: every regularizer alone, a few together, and none.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use backburn_data::SplitSize;
use backburn_studies::carry_out::PlannedStudy;
use backburn_studies::regularizer_study::{RegularizerStudy, list};
use backburn_training::failure::Failure;
use backburn_training::picture_names::short_name;
use backburn_training::recipe_change::RecipeChange;
use clap::Args;

use crate::help;
use crate::interrupt::{self, Notices};
use crate::output::print_line;
use crate::study_run::{PlaceFlags, StudyRun};

/// `compare-regularizers [DATASET]`
#[derive(Args, Clone, Debug)]
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
    let file = args.study().file()?;
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
    fn study(&self) -> RegularizerStudy {
        let settings = [
            ("model", self.model.clone()),
            ("train-size", self.train_size.map(|size| size.to_string())),
            ("epochs", self.epochs.map(|epochs| epochs.to_string())),
        ];
        let settings = settings.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let change = |base: RecipeChange, (name, text)| base.with(name, text);
        RegularizerStudy {
            dataset: self.dataset.clone(),
            change: settings.fold(RecipeChange::default(), change),
            seeds: self.seeds,
            first_seed: self.seed,
            only: self.only.clone(),
        }
    }
}
