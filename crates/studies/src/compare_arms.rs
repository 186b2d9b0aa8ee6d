//! Comparisons of arms: the same training with one thing changed, several seeds each.
//!
//! An arm is a row of flags for `train`, read by the same code, so that every run of a comparison can
//! be repeated alone.

use std::path::{Path, PathBuf};
use std::time::Instant;

use backburn_data::SplitSize;
use backburn_report::{
    Arm, ArmRun, ArmsComparison, Origin, RunRecord, Status, Summary, page::quoted,
};
use clap::Args;

use crate::cli::{Failure, print_line, set_threads, usage};
use crate::interrupt::{self, Notices};
use crate::prepare::PrepareError;
use crate::progress::{Detail, clock, say};
use crate::recipe::Recipe;
use crate::run::{RunError, RunFolder};
use crate::session::{self, Means, Outcome, SessionError};
use crate::train_command::TrainArgs;

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
    /// not given. What it holds already is gone on with.
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
            None => Err(usage("`--seed`: expected a number that leaves room for `--seeds` more")),
        }
    }
}

/// A run of an arm, and what there is of it.
struct Planned {
    /// Place of the arm among those of the comparison.
    arm: usize,
    seed: u64,
    path: PathBuf,
    recipe: Box<Recipe>,
    found: Found,
}

/// What a folder has of a run.
#[derive(Clone)]
pub(crate) enum Found {
    Nothing,
    /// It can be resumed.
    Part,
    Whole(Box<Summary>),
    Diverged,
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
    let (common, first) = changes(experiment, args, seeds[0])?;
    let base = args.base_words(experiment)?;
    let mut arms: Vec<Arm> = first
        .into_iter()
        .map(|(arm, change)| Arm {
            name: arm.name.into(),
            summary: arm.summary.into(),
            command: repeat(&with_arm(&base, arm.flags, seeds[0])),
            runs: Vec::new(),
            absent: match change {
                Change::Recipe(_) => None,
                Change::Absent(reason) => Some(reason),
            },
        })
        .collect();
    let default = || format!("runs/{}-{}", experiment.verb, args.dataset()).into();
    let out: PathBuf = args.out.clone().unwrap_or_else(default);
    if out.join("config.toml").exists() {
        return Err(Failure::Usage(format!(
            "{} is the folder of a run; name another folder with `--out`",
            out.display()
        )));
    }
    let planned = plan(experiment, args, &seeds, &out)?;
    let means = Means {
        threads: set_threads(args.threads)?,
        command,
        detail: Detail::Brief,
        checkpoint_every: None,
        verify_kernels: false,
    };
    train(&planned, &mut arms, &out, &means)?;

    let runs = arms.iter().flat_map(|arm| &arm.runs).map(|run| read(&out.join(&run.folder)));
    let runs = runs.collect::<Result<Vec<_>, _>>()?;
    let origin = Origin::of_runs(&runs, out.display().to_string());
    let words = repeat(&[]).into_iter().take(2).chain(means.command.into_iter().skip(1)).collect();
    let names = [args.dataset(), common.model.name()];
    let comparison = ArmsComparison::new(experiment.subject, names, words, seeds, arms, origin);
    backburn_report::write_arms(&comparison, &out)
        .map_err(|error| Failure::Error(error.to_string()))?;
    if args.json {
        print_line(&serde_json::to_string(&comparison).expect("a comparison is plain values"));
    } else {
        print_line(&backburn_report::arms_table(&comparison));
        print_line(&format!("page: {}", out.join("report.html").display()));
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

/// Every run of the comparison, seed by seed, so that one that is stopped has whole seeds.
///
/// # Errors
///
/// If a folder holds a run by another recipe: it would be compared as what it is not.
fn plan(
    experiment: &'static ArmsExperiment,
    args: &CompareArgs,
    seeds: &[u64],
    out: &Path,
) -> Result<Vec<Planned>, Failure> {
    let mut planned = Vec::new();
    for &seed in seeds {
        for (arm, (flags, change)) in changes(experiment, args, seed)?.1.into_iter().enumerate() {
            let Change::Recipe(recipe) = change else { continue };
            let path = out.join(flags.name).join(format!("seed-{seed}"));
            let found = find(&path, &recipe)?;
            planned.push(Planned { arm, seed, path, recipe, found });
        }
    }
    Ok(planned)
}

fn read(path: &Path) -> Result<RunRecord, Failure> {
    RunRecord::read(path).map_err(|error| Failure::Error(error.to_string()))
}

/// What `path` has of a run by `recipe`.
///
/// # Errors
///
/// If it holds a run by another recipe, or one that cannot be read.
pub(crate) fn find(path: &Path, recipe: &Recipe) -> Result<Found, Failure> {
    match RunFolder::check_free(path) {
        Ok(()) => return Ok(Found::Nothing),
        Err(RunError::NotEmpty { .. }) => {}
        Err(error) => return Err(SessionError::from(error).into()),
    }
    let folder = RunFolder::open(path).map_err(SessionError::from)?;
    if folder.recipe().map_err(SessionError::from)? != *recipe {
        return Err(Failure::Usage(format!(
            "{} holds a run by another recipe; name another folder with `--out`",
            path.display()
        )));
    }
    if folder.has_only_its_recipe() {
        return Ok(Found::Part);
    }
    let record = read(path)?;
    Ok(match (record.manifest.status, record.summary) {
        (Status::Finished | Status::StoppedEarly, Some(summary)) => Found::Whole(Box::new(summary)),
        (Status::Finished | Status::StoppedEarly, None) => {
            return Err(Failure::Error(format!(
                "{} has lost its summary.json; restore it from a copy, or move the folder elsewhere, and it is trained again",
                path.display()
            )));
        }
        (Status::Diverged, _) => Found::Diverged,
        _ => Found::Part,
    })
}

/// Trains what is planned and not there yet, and adds the runs to their arms.
fn train(planned: &[Planned], arms: &mut [Arm], out: &Path, means: &Means) -> Result<(), Failure> {
    let missing = |run: &&Planned| matches!(run.found, Found::Nothing | Found::Part);
    let mut left = planned.iter().filter(missing).count();
    let there = planned.len() - left;
    let known = if there > 0 { format!(", of which {there} are there") } else { String::new() };
    say(&format!("{} runs in {}{known}", planned.len(), out.display()));
    let width = arms.iter().map(|arm| arm.name.len()).max().unwrap_or(0);
    let (mut trained, mut seconds) = (0_usize, 0.0);
    for (number, run) in (1..).zip(planned) {
        let arm = &mut arms[run.arm];
        // Another seed of the arm has diverged.
        if arm.absent.is_some() {
            left -= usize::from(missing(&run));
            continue;
        }
        let started = Instant::now();
        let (all, name) = (planned.len(), arm.name.clone());
        let summary = match &run.found {
            Found::Whole(summary) => Ok(summary.clone()),
            Found::Diverged => Err("its loss was not finite".to_owned()),
            Found::Nothing | Found::Part => {
                if interrupt::is_requested() {
                    return interrupted(means);
                }
                left -= 1;
                match start_or_resume(&run.path, &run.recipe, run.found.clone(), means) {
                    Ok(Outcome::Done(summary)) => Ok(summary),
                    Ok(Outcome::Interrupted) => return interrupted(means),
                    Err(error) if error.is_divergence() => Err(error.to_string()),
                    // What the arm asks for does not go with the data.
                    Err(SessionError::Prepare(PrepareError::Recipe(error))) if run.arm != 0 => {
                        say(&format!(
                            "{number:>3}/{all} {name:<width$} seed {} left out",
                            run.seed
                        ));
                        arm.runs.clear();
                        arm.absent = Some(error.to_string());
                        continue;
                    }
                    Err(error) => return Err(named(error.into(), run)),
                }
            }
        };
        let mut line = format!("{number:>3}/{all} {name:<width$} seed {}", run.seed);
        match summary {
            Ok(summary) => {
                line += &format!(
                    " train {:>5.1} test {:>5.2} %",
                    100.0 * summary.train_accuracy,
                    100.0 * summary.test_accuracy
                );
                let folder = format!("{}/seed-{}", arm.name, run.seed);
                let test_looks = read(&run.path)?.manifest.test_reads.len();
                arm.runs.push(ArmRun { seed: run.seed, folder, summary: *summary, test_looks });
            }
            Err(reason) if run.arm == 0 => {
                return Err(Failure::Error(format!(
                    "nothing to compare with: {name} diverged with seed {}: {reason}",
                    run.seed
                )));
            }
            Err(reason) => {
                line += " diverged";
                arm.runs.clear();
                arm.absent = Some(format!("seed {} diverged: {reason}", run.seed));
            }
        }
        if missing(&run) {
            trained += 1;
            seconds += started.elapsed().as_secs_f64();
            line += &format!(" {}", clock(started.elapsed().as_secs_f64()));
            if left > 0 {
                line += &format!(", {} left", clock(seconds / trained as f64 * left as f64));
            }
            say(&line);
        }
    }
    Ok(())
}

/// Trains what is not there yet of a run.
pub(crate) fn start_or_resume(
    path: &Path,
    recipe: &Recipe,
    found: Found,
    means: &Means,
) -> Result<Outcome, SessionError> {
    let run = match found {
        Found::Whole(summary) => return Ok(Outcome::Done(summary)),
        // Of one that diverged it says so.
        Found::Part | Found::Diverged => session::resume(path, |_| {}, means),
        Found::Nothing => session::start(recipe, Some(path), "run", means),
    };
    Ok(run?.outcome)
}

fn interrupted(means: &Means) -> Result<(), Failure> {
    let words: Vec<String> = means.command.iter().skip(1).map(|word| quoted(word)).collect();
    say(&format!("interrupted; go on with the same command, `cargo xtask {}`", words.join(" ")));
    Err(Failure::Interrupted)
}

/// The failure with the run's name before it.
fn named(failure: Failure, run: &Planned) -> Failure {
    let name = |message: String| format!("{}: {message}", run.path.display());
    match failure {
        Failure::Usage(message) => Failure::Usage(name(message)),
        Failure::Error(message) => Failure::Error(name(message)),
        Failure::Interrupted => Failure::Interrupted,
    }
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
