//! `backburn ablate`: which regularizer helps on these data, by how much, and how sure that is.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::PathBuf;

use backburn_studies::arm_list::ListedArm;
use backburn_studies::arm_words::{NONE, USUAL, against_none, arms, leave_one_out};
use backburn_studies::carry_out::PlannedStudy;
use backburn_studies::study_file::StudyFile;
use backburn_training::failure::{Failure, usage};
use backburn_training::picture_names::short_name;
use backburn_training::recipe::Recipe;
use backburn_training::recipe_change::RecipeChange;
use clap::{Args, ValueEnum};

use crate::commands::train::TrainArgs;
use crate::interrupt::{self, Notices};
use crate::study_run::{StudyFlags, StudyRun};

/// The recipe that arms change if none is named: no regularizer, and little data, which a network learns by heart.
const SMALL: &str = "small";

/// A size of a study.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Preset {
    /// 2,000 images and 15 epochs.
    Quick,
}

impl Preset {
    fn change(self) -> RecipeChange {
        match self {
            Self::Quick => RecipeChange::default().with("train-size", 2000).with("epochs", 15),
        }
    }
}

/// `ablate [DATASET|PATH]`
#[derive(Args, Clone, Debug)]
pub struct AblateArgs {
    #[command(flatten)]
    train: TrainArgs,
    /// What is compared: techniques by name, settings with their value, several with + between them, a range as
    /// FROM:TO:STEP. The first is what the others are compared with; `none` is put first if it is not there.
    #[arg(long, value_name = "ARM,ARM", value_delimiter = ',', help_heading = "Study")]
    arms: Vec<String>,
    /// Compare all arms together with all but one of them, for each.
    #[arg(long, help_heading = "Study")]
    leave_one_out: bool,
    /// A size of the study: quick has 2,000 images and 15 epochs. What other flags say counts.
    #[arg(long, value_enum, help_heading = "Study")]
    preset: Option<Preset>,
    #[command(flatten)]
    study: StudyFlags,
}

/// Compares regularizers as the arguments say. `command`: the whole command line, for the manifests.
///
/// # Errors
///
/// What stands in the way, with the cure.
pub fn ablate(args: &AblateArgs, command: Vec<String>) -> Result<(), Failure> {
    args.train.check_study("ablate")?;
    interrupt::hear(Notices::TRAINING, args.train.stop_on);
    let recipe = args.base()?;
    let mut file = StudyFile {
        subject: "regularizers".into(),
        first_seed: recipe.seed,
        arms: args.listed(&recipe)?,
        ..StudyFile::default()
    };
    args.study.apply(args.train.seeds, &mut file);
    let default = || PathBuf::from(format!("runs/ablate-{}", short_name(&recipe.dataset)));
    let folder = args.train.out.clone().unwrap_or_else(default);
    let run = StudyRun {
        planned: PlannedStudy { file, recipe, from: PathBuf::new(), folder },
        jobs: args.study.jobs,
        threads: args.train.threads,
        json: args.train.json,
        command,
    };
    run.carry_out()
}

impl AblateArgs {
    /// The recipe that arms change.
    fn base(&self) -> Result<Recipe, Failure> {
        let (names_a_recipe, pictures) =
            (self.train.names_a_recipe(), self.train.names_pictures()?);
        let asked = self.train.changes();
        let mut below = self.preset.map_or_else(RecipeChange::default, Preset::change);
        // Pictures of one's own begin with a recipe that has some.
        if pictures && !names_a_recipe {
            below = below.with("augment", NONE);
        }
        let small = (!names_a_recipe && !pictures).then_some(SMALL);
        let (mut recipe, _) = self.train.clone().above(small, below).recipe()?;
        // Some architectures have dropout unless they are told otherwise.
        let is_unasked = !names_a_recipe && !asked.sets("dropout");
        if is_unasked && *recipe.model.dropout_mut() > 0.0 {
            recipe = RecipeChange::default().with("dropout", 0).apply(&recipe).map_err(usage)?;
        }
        Ok(recipe)
    }

    /// The arms that are asked for.
    fn listed(&self, base: &Recipe) -> Result<Vec<ListedArm>, Failure> {
        let usual = || USUAL.map(str::to_owned).to_vec();
        let words = if self.arms.is_empty() { usual() } else { self.arms.clone() };
        let listed = match self.leave_one_out {
            true => arms(&words, base).and_then(|listed| leave_one_out(&listed)),
            false => against_none(&words, base),
        };
        listed.map_err(Failure::Usage)
    }
}
