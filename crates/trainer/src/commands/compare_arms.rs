//! Comparisons of arms on the command line: the same training with one thing changed, several seeds each.
//!
//! An arm is a row of flags for `train`, read by the same code, so that every run of a comparison can
//! be repeated alone.

use std::path::PathBuf;

use backburn_data::SplitSize;
use backburn_records::{ArmsComparison, Origin};
use backburn_studies::arms;
use backburn_studies::study::{Study, StudyArm};
use backburn_training::failure::{Failure, usage};
use backburn_training::recipe::Recipe;
use backburn_training::run_options::RunOptions;
use clap::Args;

use crate::commands::train::TrainArgs;
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
    /// Data set: mnist (if none is named), fashion-mnist, cifar10, or digits, which needs no files.
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
    /// What computes: flex, ndarray, wgpu, vulkan, metal, cuda, rocm.
    #[arg(long)]
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
    /// As on the command line.
    pub(crate) verb: &'static str,
    /// Flags of `train` that all arms share, each with its value.
    pub(crate) base: &'static [&'static str],
    /// The arms; the others are compared with the first, which has no flags of its own.
    pub(crate) arms: &'static [ArmFlags],
}

/// An arm, as a row of a catalog.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ArmFlags {
    /// Name, also of its folder.
    pub(crate) name: &'static str,
    /// What it is, in one line.
    pub(crate) summary: &'static str,
    /// Flags of `train` that make the difference.
    pub(crate) flags: &'static [&'static str],
}

/// What the flags of an arm come to.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// A recipe that can be trained.
    Recipe(Box<Recipe>),
    /// Nothing that can be compared, for this reason.
    Absent(String),
}

/// An arm and what its flags come to.
type ChangedBy = (&'static ArmFlags, Change);

/// The recipe that all arms share and, for each arm that is asked for, what its flags come to, all
/// for one seed.
///
/// # Errors
///
/// If the arguments ask for what cannot be, whatever the arm.
pub(crate) fn changes(
    experiment: &'static ArmsExperiment,
    args: &CompareArgs,
    seed: u64,
) -> Result<(Recipe, Vec<ChangedBy>), Failure> {
    let base = args.base_words(experiment)?;
    let args_of = |flags| TrainArgs::from_words(&with_arm(&base, flags, seed));
    let (common, _) = args_of(&[])?.recipe()?;
    let change = |arm: &'static ArmFlags| {
        // What cannot even be read is a mistake in the catalog; what is read and refused does not go
        // with the model or the data.
        let change = match args_of(arm.flags)?.recipe() {
            // The first arm is the common recipe; another one that is changes nothing.
            Ok((recipe, _)) if recipe == common && !arm.flags.is_empty() => Change::Absent(
                format!("nothing would change: the model `{}` has it already", common.model.name()),
            ),
            Ok((recipe, _)) => Change::Recipe(Box::new(recipe)),
            Err(Failure::Usage(reason)) => Change::Absent(reason),
            Err(other) => return Err(other),
        };
        Ok((arm, change))
    };
    let changes = args.arms(experiment)?.into_iter().map(change).collect::<Result<_, _>>()?;
    Ok((common, changes))
}

/// The words after `train` that repeat one run: the shared flags, each with its value, but for those
/// that the arm sets itself, and the arm's.
fn with_arm(base: &[String], flags: &[&str], seed: u64) -> Vec<String> {
    let (dataset, shared) = base.split_at(1);
    let kept = shared.chunks(2).filter(|pair| !flags.contains(&pair[0].as_str())).flatten();
    let flags = flags.iter().map(|flag| (*flag).to_owned());
    let seed = ["--seed".to_owned(), seed.to_string()];
    dataset.iter().chain(kept).cloned().chain(flags).chain(seed).collect()
}

impl CompareArgs {
    fn dataset(&self) -> &str {
        self.dataset.as_deref().unwrap_or("mnist")
    }

    /// The words after `train` that all runs share.
    fn base_words(&self, experiment: &ArmsExperiment) -> Result<Vec<String>, Failure> {
        let mut words = vec![self.dataset().to_owned()];
        words.extend(experiment.base.iter().map(|word| (*word).to_owned()));
        let folder = self.data_dir.as_ref().map(|folder| {
            let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.clone());
            absolute.into_os_string().into_string().map_err(|path| {
                let path = path.display();
                Failure::Usage(format!("`--data-dir`: expected a path in UTF-8, found {path}"))
            })
        });
        let flags = [
            ("--model", self.model.clone()),
            ("--train-size", self.train_size.map(|size| size.to_string())),
            ("--epochs", self.epochs.map(|epochs| epochs.to_string())),
            ("--backend", self.backend.clone()),
            ("--data-dir", folder.transpose()?),
        ];
        for (flag, value) in flags {
            words.extend(value.into_iter().flat_map(|value| [flag.to_owned(), value]));
        }
        // Some architectures have dropout unless they are told otherwise.
        let (mut recipe, _) = TrainArgs::from_words(&words)?.recipe()?;
        if *recipe.model.dropout_mut() > 0.0 {
            words.extend(["--dropout", "0"].map(str::to_owned));
        }
        Ok(words)
    }

    /// The arms that are asked for, the first of the catalog always among them.
    fn arms(&self, experiment: &'static ArmsExperiment) -> Result<Vec<&'static ArmFlags>, Failure> {
        let known = |name: &String| experiment.arms.iter().any(|arm| arm.name == name);
        if let Some(name) = self.only.iter().find(|name| !known(name)) {
            let known: Vec<&str> = experiment.arms.iter().map(|arm| arm.name).collect();
            return Err(Failure::Usage(format!(
                "`--only`: unknown arm `{name}`; known: {}",
                known.join(", ")
            )));
        }
        let wanted = |(place, arm): &(usize, &ArmFlags)| {
            *place == 0 || self.only.is_empty() || self.only.iter().any(|name| name == arm.name)
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
    experiment: &'static ArmsExperiment,
    args: &CompareArgs,
    command: Vec<String>,
) -> Result<(), Failure> {
    if args.list {
        print_line(list(experiment).trim_end());
        return Ok(());
    }
    interrupt::hear(Notices::TRAINING, None);
    let seeds = args.all_seeds()?;
    let (common, changes) = changes(experiment, args, seeds[0])?;
    let base = args.base_words(experiment)?;
    let arm = |(arm, change): ChangedBy| StudyArm {
        name: arm.name.into(),
        summary: arm.summary.into(),
        command: repeat(&with_arm(&base, arm.flags, seeds[0])),
        recipe: match change {
            Change::Recipe(recipe) => Ok(*recipe),
            Change::Absent(reason) => Err(reason),
        },
    };
    let default = || format!("runs/{}-{}", experiment.verb, args.dataset()).into();
    let folder: PathBuf = args.out.clone().unwrap_or_else(default);
    if folder.join("config.toml").exists() {
        return Err(Failure::Usage(format!(
            "{} is the folder of a run; name another folder with `--out`",
            folder.display()
        )));
    }
    let study = Study { arms: changes.into_iter().map(arm).collect(), seeds, folder };
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
    let words = repeat(&[]).into_iter().take(2).chain(rest).collect();
    let names = [args.dataset(), common.model.name()];
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

/// `cargo xtask train …`
fn repeat(words: &[String]) -> Vec<String> {
    ["cargo", "xtask", "train"]
        .map(str::to_owned)
        .into_iter()
        .chain(words.iter().cloned())
        .collect()
}

fn list(experiment: &ArmsExperiment) -> String {
    let arm = |arm: &ArmFlags| {
        let flags = if arm.flags.is_empty() { "(no flags)".into() } else { arm.flags.join(" ") };
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
