//! `backburn compare`: whole recipes side by side, several seeds each.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use backburn_studies::arm_list::ListedArm;
use backburn_studies::carry_out::PlannedStudy;
use backburn_studies::study_file::StudyFile;
use backburn_training::failure::{Failure, usage};
use backburn_training::recipe;
use clap::Args;

use crate::help;
use crate::interrupt::{self, Notices};
use crate::study_run::{PlaceFlags, StudyFlags, StudyRun};
use crate::train_flags::Changes;

/// `compare RECIPE|CONFIG RECIPE|CONFIG…`
#[derive(Args, Clone, Debug)]
pub struct CompareArgs {
    /// Built-in recipes by name, or files such as the config.toml of a run; the others are compared with the first.
    #[arg(value_name = "RECIPE|CONFIG", num_args = 2.., required = true)]
    recipes: Vec<String>,
    /// Data set, in place of the recipes'.
    #[arg(long, value_name = "NAME|folder:PATH", help = help::data_sets_or_pictures())]
    dataset: Option<String>,
    #[command(flatten)]
    place: PlaceFlags,
    /// How many seeds; 10 if not given. With `--until-resolved`, at most.
    #[arg(long, value_name = "N", allow_negative_numbers = true, help_heading = "Study")]
    seeds: Option<u64>,
    #[command(flatten)]
    study: StudyFlags,
    #[command(flatten)]
    changes: Changes,
}

/// Compares recipes as the arguments say. `command`: the whole command line, for the manifests.
///
/// # Errors
///
/// What stands in the way, with the cure.
pub fn compare(args: &CompareArgs, command: Vec<String>) -> Result<(), Failure> {
    interrupt::hear(Notices::TRAINING, None);
    let arms: Vec<ListedArm> =
        args.recipes.iter().map(|asked| ListedArm::of_recipe(asked)).collect();
    let names: Vec<&str> = arms.iter().map(|arm| arm.name.as_str()).collect();
    let name = names.join("-against-");
    let first = arms.first().cloned().unwrap_or_default();
    let mut file = StudyFile {
        subject: "recipes".into(),
        recipe: first.recipe,
        config: first.config,
        dataset: args.dataset.clone(),
        base: args.changes.0.clone(),
        arms,
        ..StudyFile::default()
    };
    args.study.apply(args.seeds, &mut file);
    if let Some(seed) = args.first_seed()? {
        file.first_seed = seed;
    }
    // Paths are relative to where the program was started.
    let here = Path::new("");
    let recipe = file.named_recipe(here)?;
    let out = args.place.out.clone();
    let folder = out.unwrap_or_else(|| PathBuf::from(format!("runs/{name}")));
    let recipe = args.place.at(recipe)?;
    let run = StudyRun {
        planned: PlannedStudy { file, recipe, from: here.to_owned(), folder },
        jobs: args.study.jobs,
        threads: args.place.threads,
        json: args.place.json,
        command,
    };
    run.carry_out()
}

impl CompareArgs {
    /// The first seed, if `--seed` names one.
    fn first_seed(&self) -> Result<Option<u64>, Failure> {
        if !self.changes.0.sets("seed") {
            return Ok(None);
        }
        let any = recipe::built_in("small").and_then(|recipe| self.changes.0.apply(&recipe));
        Ok(Some(any.map_err(usage)?.seed))
    }
}
