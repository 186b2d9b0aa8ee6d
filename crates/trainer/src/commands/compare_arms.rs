//! Comparisons of arms on the command line: the same training with one thing changed, several seeds each.
//!
//! An arm is what it changes of a recipe, and every run of a comparison can be repeated alone by the flags of `train`
//! that ask for the same.

use std::path::PathBuf;

use backburn_data::SplitSize;
use backburn_records::{ArmsComparison, Origin};
use backburn_studies::arm_list::ListedArm;
use backburn_studies::arms;
use backburn_studies::study::{Study, StudyArm};
use backburn_training::failure::{Failure, usage};
use backburn_training::picture_names::short_name;
use backburn_training::recipe::Recipe;
use backburn_training::recipe_change::RecipeChange;
use backburn_training::run_folder::names::CONFIG;
use backburn_training::run_options::RunOptions;
use clap::Args;

use crate::commands::train::TrainArgs;
use crate::help;
use crate::interrupt::{self, Notices};
use crate::output::print_line;
use crate::pages::pages;
use crate::terminal::Terminal;
use crate::threads::set_threads;

/// More seeds than anybody has the time for; asking for more is taken for a mistake.
const MOST_SEEDS: u64 = 1000;

/// `compare-… [DATASET]`
#[derive(Args, Clone, Debug, Default)]
pub struct CompareArgs {
    /// Data set, by its name in the catalog.
    #[arg(help = format!("{}; mnist if none is named", help::data_sets()))]
    dataset: Option<String>,
    /// Architecture; that of the recipe `small`, a cnn, if not given.
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
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
    /// What computes, by its name.
    #[arg(long, help = help::backends())]
    backend: Option<String>,
    /// Folder with the data; nothing else is looked at.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Folder for the runs and the page; one under runs/, named for the comparison and the data set, if
    /// not given. What it holds already is resumed.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Threads to compute with; all cores if not given. Results do not depend on it.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    threads: Option<usize>,
    /// List the arms with their flags, and train nothing.
    #[arg(long)]
    list: bool,
    /// Print the comparison as JSON on stdout.
    #[arg(long)]
    json: bool,
}

/// A comparison: its name, and its arms.
#[derive(Debug)]
pub(crate) struct ArmsExperiment {
    /// What the arms differ in, in the plural.
    pub(crate) subject: &'static str,
    /// Name on the command line.
    pub(crate) verb: &'static str,
    /// The built-in recipe that the arms change.
    pub(crate) recipe: &'static str,
    /// The arms; the others are compared with the first, which changes nothing.
    pub(crate) arms: Vec<ListedArm>,
}

impl CompareArgs {
    fn dataset(&self) -> &str {
        self.dataset.as_deref().unwrap_or("mnist")
    }

    /// The recipe that all arms share but for the seed and, for each arm that is asked for, what is trained.
    ///
    /// # Errors
    ///
    /// If the arguments ask for what cannot be, whatever the arm.
    pub(crate) fn study_arms(
        &self,
        experiment: &ArmsExperiment,
        seed: u64,
    ) -> Result<(Recipe, Vec<StudyArm>), Failure> {
        let place = self.place_words(experiment)?;
        let (given, _) = TrainArgs::from_words(&place)?.recipe()?;
        let settings = [
            ("model", self.model.clone()),
            ("train-size", self.train_size.map(|size| size.to_string())),
            ("epochs", self.epochs.map(|epochs| epochs.to_string())),
            ("seed", Some(seed.to_string())),
        ];
        let settings = settings.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let mut shared =
            settings.fold(RecipeChange::default(), |change, (name, text)| change.with(name, text));
        // Some architectures have dropout unless they are told otherwise.
        if *shared.apply(&given).map_err(usage)?.model.dropout_mut() > 0.0 {
            shared = shared.with("dropout", 0);
        }
        let common = shared.apply(&given).map_err(usage)?;
        common.check().map_err(usage)?;
        let arm = |arm: &ListedArm| {
            let repeat = ["cargo", "xtask", "train"].map(str::to_owned).into_iter();
            let words = shared.clone().and(&arm.change).words();
            StudyArm {
                name: arm.name.clone(),
                summary: arm.summary.clone(),
                command: repeat.chain(place.clone()).chain(words).collect(),
                recipe: arm.change.apply_as_arm(&common).map_err(|error| error.to_string()),
            }
        };
        let arms = self.arms(experiment)?.into_iter().map(arm).collect();
        Ok((common, arms))
    }

    /// The words after `train` that name the data, the recipe and what computes.
    fn place_words(&self, experiment: &ArmsExperiment) -> Result<Vec<String>, Failure> {
        let folder = self.data_dir.as_ref().map(|folder| {
            let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.clone());
            absolute.into_os_string().into_string().map_err(|path| {
                let path = path.display();
                Failure::Usage(format!("`--data-dir`: expected a path in UTF-8, found {path}"))
            })
        });
        let flags = [
            ("--recipe", Some(experiment.recipe.to_owned())),
            ("--backend", self.backend.clone()),
            ("--data-dir", folder.transpose()?),
        ];
        let flags = flags.into_iter().filter_map(|(flag, value)| Some([flag.to_owned(), value?]));
        Ok([self.dataset().to_owned()].into_iter().chain(flags.flatten()).collect())
    }

    /// The arms that are asked for, the first of the catalog always among them.
    fn arms<'a>(&self, experiment: &'a ArmsExperiment) -> Result<Vec<&'a ListedArm>, Failure> {
        let known = |name: &String| experiment.arms.iter().any(|arm| arm.name == *name);
        if let Some(name) = self.only.iter().find(|name| !known(name)) {
            let known: Vec<&str> = experiment.arms.iter().map(|arm| arm.name.as_str()).collect();
            return Err(Failure::Usage(format!(
                "`--only`: unknown arm `{name}`; known: {}",
                known.join(", ")
            )));
        }
        let wanted = |(place, arm): &(usize, &ListedArm)| {
            *place == 0 || self.only.is_empty() || self.only.contains(&arm.name)
        };
        Ok(experiment.arms.iter().enumerate().filter(wanted).map(|(_, arm)| arm).collect())
    }

    fn all_seeds(&self) -> Result<Vec<u64>, Failure> {
        let (first, count) = (self.seed.unwrap_or(1), self.seeds.unwrap_or(3));
        match first.checked_add(count) {
            _ if !(1..=MOST_SEEDS).contains(&count) => {
                Err(usage(format!("`--seeds`: expected 1 to {MOST_SEEDS}, found {count}")))
            }
            Some(end) => Ok((first..end).collect()),
            None => Err(usage("`--seed`: expected a number that leaves `--seeds` more behind it")),
        }
    }
}

/// Trains the arms that are not there yet, and compares all of them. `command`: the whole command
/// line, for the manifests.
///
/// # Errors
///
/// What stands in the way, with the cure.
pub(crate) fn compare(
    experiment: &ArmsExperiment,
    args: &CompareArgs,
    command: Vec<String>,
) -> Result<(), Failure> {
    if args.list {
        print_line(list(experiment).trim_end());
        return Ok(());
    }
    interrupt::hear(Notices::TRAINING, None);
    let seeds = args.all_seeds()?;
    let (common, arms) = args.study_arms(experiment, seeds[0])?;
    let dataset = short_name(&common.dataset);
    let default = || format!("runs/{}-{dataset}", experiment.verb).into();
    let folder: PathBuf = args.out.clone().unwrap_or_else(default);
    if folder.join(CONFIG).exists() {
        return Err(Failure::Usage(format!(
            "{} is the folder of a run; name another folder with `--out`",
            folder.display()
        )));
    }
    let study = Study { arms, seeds, folder };
    let options = RunOptions {
        stop: interrupt::stop(),
        pages: pages(),
        ..RunOptions::new(set_threads(args.threads)?, command)
    };
    let rest: Vec<String> = options.command.iter().skip(1).cloned().collect();
    let arms = arms::train(&study, &options, &rest, &mut Terminal::new())?;

    let Study { seeds, folder, .. } = study;
    let runs = arms::records(&arms, &folder)?;
    let origin = Origin::of_runs(&runs, folder.display().to_string());
    let words = ["cargo", "xtask"].map(str::to_owned).into_iter().chain(rest).collect();
    let names = [dataset.as_str(), common.model.name()];
    let comparison = ArmsComparison::new(experiment.subject, names, words, seeds, arms, origin);
    backburn_report::write_arms(&comparison, &folder)
        .map_err(|error| Failure::Error(error.to_string()))?;
    if args.json {
        print_line(&serde_json::to_string(&comparison).expect("a comparison is plain values"));
    } else {
        print_line(&backburn_report::arms_table(&comparison));
        print_line(&format!("page: {}", folder.join("report.html").display()));
    }
    Ok(())
}

fn list(experiment: &ArmsExperiment) -> String {
    let arm = |arm: &ListedArm| {
        let words = arm.change.words();
        let flags = if words.is_empty() { "(no flags)".into() } else { words.join(" ") };
        format!("{}\n  {}\n  {flags}\n", arm.name, arm.summary)
    };
    experiment.arms.iter().map(arm).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_count_from_the_first() {
        let seeds = |seed, seeds| CompareArgs { seed, seeds, ..CompareArgs::default() }.all_seeds();
        assert_eq!(seeds(None, None).unwrap(), [1, 2, 3]);
        assert_eq!(seeds(Some(7), Some(2)).unwrap(), [7, 8]);
        assert!(seeds(None, Some(0)).is_err());
        assert!(seeds(Some(u64::MAX), None).is_err());
    }
}
