//! `backburn train`: from flags to a recipe, from a recipe to a run.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use backburn_data::augment;
use backburn_records::Summary;
use backburn_records::number::{self, clock};
use backburn_training::backend::Backend;
use backburn_training::extend::EndedRun;
use backburn_training::failure::{Failure, usage};
use backburn_training::picture_names::{self, short_name};
use backburn_training::recipe::{self, Recipe};
use backburn_training::recipe_change::RecipeChange;
use backburn_training::recipe_file::{self, STDIN};
use backburn_training::run_folder::checkpoint_every::CheckpointEvery;
use backburn_training::run_folder::edited::changed_since;
use backburn_training::run_folder::folder::RunFolder;
use backburn_training::run_logs::RunLogs;
use backburn_training::run_options::RunOptions;
use backburn_training::session::{self, Outcome, Run};
use backburn_training::session_error::SessionError;
use backburn_training::starting_weights::PRETRAINED;
use clap::{Args, FromArgMatches};

use crate::commands::folds::{CrossValidate, cross_validate};
use crate::commands::seeds::{TrainSeeds, train_seeds};
use crate::help;
use crate::interrupt::{self, Notices, StopOn};
use crate::output::{print_data, print_line, say};
use crate::pages::pages;
use crate::terminal::Terminal;
use crate::threads::set_threads;
use crate::train_flags::Changes;

/// Settings that a run which has no checkpoint yet can be resumed with.
const BATCHES: [&str; 2] = ["batch-size", "accumulate"];

/// `train [DATASET|PATH]`
#[derive(Args, Clone, Debug, Default)]
pub struct TrainArgs {
    /// Data set, by its name in the catalog, or pictures of one's own.
    #[arg(value_name = "DATASET|PATH", help = help::data_sets_or_pictures())]
    pub dataset: Option<String>,
    /// Data set as a flag, in place of DATASET|PATH; `folder:PATH` for pictures whose path looks like a name.
    #[arg(long = "dataset", value_name = "NAME|folder:PATH", conflicts_with = "dataset")]
    named_dataset: Option<String>,

    /// Built-in recipe; the data set's own if not given.
    #[arg(long, value_name = "NAME", conflicts_with = "config")]
    recipe: Option<String>,
    /// Recipe from a file, such as the config.toml of a run; - for stdin.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Resume a run that was interrupted; if memory did not suffice and it has no checkpoint yet, with another
    /// `--batch-size` and `--accumulate`.
    #[arg(long, value_name = "RUN")]
    pub(crate) resume: Option<PathBuf>,
    /// Train a finished run further, as a new run: with `--epochs`, the number of all epochs; with
    /// `--learning-rate`, `--schedule`, `--early-stopping` and `--keep`, if they change from here on.
    #[arg(long, value_name = "RUN", conflicts_with = "resume")]
    pub(crate) extend: Option<PathBuf>,
    /// New folder for the results; one under runs/, named for time, data and model, if not given.
    #[arg(long, value_name = "RUN")]
    pub(crate) out: Option<PathBuf>,
    /// What computes, by its name.
    #[arg(long, help = help::backends())]
    backend: Option<String>,
    /// Folder with the data; nothing else is looked at.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Threads to compute with; all cores if not given. Results do not depend on it.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) threads: Option<usize>,
    /// Write a checkpoint inside epochs too: after so many steps, such as 500, or so much time, such
    /// as 30s or 5min. Results do not depend on it.
    #[arg(long, value_name = "STEPS|TIME")]
    pub(crate) checkpoint_every: Option<CheckpointEvery>,
    /// Loggers by their names.
    #[arg(long, value_name = "LIST", value_delimiter = ',', help = backburn_logs::help())]
    pub(crate) log: Vec<String>,
    /// Stop on a signal that otherwise saves a checkpoint only: what a cluster's scheduler sends before
    /// its limit. See the signals below.
    #[arg(long, value_enum, value_name = "SIGNAL", ignore_case = true)]
    pub(crate) stop_on: Option<StopOn>,
    /// Compare the first steps with double precision, and train only if the backend computes them right.
    #[arg(long)]
    pub(crate) verify_kernels: bool,
    /// Cross-validate: a run for each of so many folds of the training images, and a page over them. What the
    /// folder holds already is resumed.
    #[arg(long, value_name = "K", conflicts_with_all = ["resume", "extend"])]
    pub(crate) folds: Option<usize>,
    /// Train with so many seeds, from `--seed` on: a run for each, and a page over them. What the folder holds already
    /// is resumed.
    #[arg(long, value_name = "N", allow_negative_numbers = true, conflicts_with_all = ["resume", "extend", "folds"])]
    pub(crate) seeds: Option<u64>,
    /// Print the summary as JSON on stdout.
    #[arg(long)]
    pub(crate) json: bool,

    /// No weights are brought along: says which files there are, and how to begin with one (`--init-from`).
    #[arg(long)]
    pretrained: bool,

    #[command(flatten)]
    changes: Changes,
}

/// Every data set, model, recipe, regularizer and augmentation, a line each, for help.
pub fn catalogs() -> String {
    let techniques: Vec<(&str, String)> = backburn_regularization::CATALOG
        .iter()
        .map(|row| (row.flag, format!("{}: {}", row.acts_on, row.summary)))
        .collect();
    let techniques = techniques.iter().map(|(flag, line)| (*flag, line.as_str())).collect();
    let table = |head: &str, rows: Vec<(&str, &str)>| {
        let lines = rows.iter().map(|(name, summary)| format!("  {name:<16} {summary}\n"));
        format!("{head}:\n{}", lines.collect::<String>())
    };
    [
        table("Data sets", backburn_data::CATALOG.iter().map(|r| (r.name, r.summary)).collect()),
        table("Models", backburn_models::CATALOG.iter().map(|r| (r.name, r.summary)).collect()),
        table("Recipes", recipe::CATALOG.iter().map(|r| (r.name, r.summary)).collect()),
        table("Regularizers", techniques),
        table("Augmentations", augment::CATALOG.iter().map(|r| (r.name, r.summary)).collect()),
    ]
    .join("\n")
}

/// Trains as the arguments say. `command`: the whole command line, for the manifest.
///
/// # Errors
///
/// What stands in the way, with the cure.
pub fn train(args: &TrainArgs, command: Vec<String>) -> Result<(), Failure> {
    // Before a pipe is read or data are fetched.
    interrupt::hear(Notices::TRAINING, args.stop_on);
    let mut watch = Terminal::new();
    if let Some(run) = &args.resume {
        args.check_resume(run)?;
        let backend = named_backend(args.backend.as_deref())?;
        let options = args.options(command)?;
        let change = |recipe: &mut Recipe| {
            args.change_place(recipe, backend);
            *recipe = args.changes.0.apply(recipe)?;
            Ok(())
        };
        return finish(session::resume(run, change, &options, &mut watch)?, args.json);
    }
    if let Some(run) = &args.extend {
        return finish(args.extend(run, command, &mut watch)?, args.json);
    }
    let (recipe, name) = args.recipe()?;
    let name = format!("{name}-{}", recipe.model.name());
    let options = args.options(command)?;
    if let Some(folds) = args.folds {
        let default = || PathBuf::from(format!("runs/{name}-{folds}-folds"));
        let folder = args.out.clone().unwrap_or_else(default);
        let asked = CrossValidate { folds, folder, json: args.json };
        return cross_validate(asked, &recipe, &options, &mut watch);
    }
    if let Some(seeds) = args.seeds {
        let default = || PathBuf::from(format!("runs/{name}-{seeds}-seeds"));
        let folder = args.out.clone().unwrap_or_else(default);
        let asked = TrainSeeds { seeds, folder, json: args.json };
        return train_seeds(asked, &recipe, &options, &mut watch);
    }
    let out = args.out.as_deref();
    finish(session::start(&recipe, out, &name, &options, &mut watch)?, args.json)
}

#[expect(clippy::expect_used, reason = "a summary is numbers by name")]
fn finish(run: Run, json: bool) -> Result<(), Failure> {
    match run.outcome {
        Outcome::Interrupted => {
            // xtask builds the backend that the command line names.
            let backend = match run.backend {
                Backend::Flex => String::new(),
                other => format!(" --backend {other}"),
            };
            say(&format!(
                "interrupted; a checkpoint was saved, resume it with `cargo xtask train --resume \
                 {}{backend}`",
                run.path.display()
            ));
            Err(Failure::Interrupted)
        }
        Outcome::Done(summary) if json => {
            print_data(&serde_json::to_string(&summary).expect("a summary is plain values"));
            Ok(())
        }
        Outcome::Done(summary) => {
            print_line(&result(&summary, &run.path));
            Ok(())
        }
    }
}

/// The result as a person reads it.
fn result(summary: &Summary, run: &Path) -> String {
    let percent = |share: f64| format!("{:.2} %", 100.0 * share);
    let valid = summary
        .valid_accuracy
        .map_or_else(String::new, |accuracy| format!("; validation {}", percent(accuracy)));
    let memorized = summary.memorized.map_or_else(String::new, |it| {
        format!(
            "{}, {} learnt by heart; {} of the other training images right\n",
            number::counted(it.wrong_labels, "wrong label"),
            number::percent(it.learnt_by_heart),
            number::percent(it.clean_accuracy)
        )
    });
    let views = summary.tta.as_ref();
    let views = views.map_or_else(String::new, |views| {
        format!("test and validation by views: {views}; training by one look\n")
    });
    format!(
        "test accuracy {} with the weights of epoch {} of {}\n\
         training {}, generalization gap {} points{valid}\n{views}{memorized}\
         test loss {:.4}, calibration error {}\n\
         trained in {} at {:.0} images/s\n\
         report: {}",
        percent(summary.test_accuracy),
        summary.best_epoch,
        summary.last_epoch,
        percent(summary.train_accuracy),
        number::decimals(100.0 * summary.generalization_gap, 2),
        summary.test_loss,
        percent(summary.test_ece),
        clock(summary.train_seconds),
        summary.images_per_second,
        run.join("report.html").display(),
    )
}

impl TrainArgs {
    /// Reads the words that follow `train` on a command line.
    ///
    /// # Errors
    ///
    /// If there is no such flag, or its value is not of its kind.
    pub fn from_words(words: &[String]) -> Result<Self, Failure> {
        let command = Self::augment_args(clap::Command::new("train").no_binary_name(true));
        let matches = command.try_get_matches_from(words).map_err(usage)?;
        Self::from_arg_matches(&matches).map_err(usage)
    }

    /// Checks that nothing is asked for that a study of many runs has no use for. `verb`: its name.
    ///
    /// # Errors
    ///
    /// The first flag that it has no use for.
    pub(crate) fn check_study(&self, verb: &str) -> Result<(), Failure> {
        let flags = [
            ("resume", self.resume.is_some()),
            ("extend", self.extend.is_some()),
            ("checkpoint-every", self.checkpoint_every.is_some()),
            ("log", !self.log.is_empty()),
            ("verify-kernels", self.verify_kernels),
            ("folds", self.folds.is_some()),
        ];
        match flags.into_iter().find(|(_, is_given)| *is_given) {
            Some((flag, _)) => Err(Failure::Usage(format!(
                "`--{flag}` is for a single run, and `{verb}` trains many; leave it out (the same \
                 command resumes what was stopped)"
            ))),
            None => Ok(()),
        }
    }

    /// Whether a recipe or its file is named, and not only a data set.
    pub(crate) fn names_a_recipe(&self) -> bool {
        self.recipe.is_some() || self.config.is_some()
    }

    /// Whether the data set is pictures of one's own.
    ///
    /// # Errors
    ///
    /// If there is no such data set.
    pub(crate) fn names_pictures(&self) -> Result<bool, Failure> {
        let dataset = self.dataset()?;
        Ok(dataset.is_some_and(|dataset| picture_names::folder(&dataset).is_some()))
    }

    /// What the flags change of the recipe.
    pub(crate) fn changes(&self) -> &RecipeChange {
        &self.changes.0
    }

    /// The same with another built-in recipe, changed first by `below` and then as the flags say.
    #[must_use]
    pub(crate) fn above(self, recipe: Option<&str>, below: RecipeChange) -> Self {
        let recipe = recipe.map(str::to_owned).or(self.recipe);
        Self { recipe, changes: Changes(below.and(&self.changes.0)), ..self }
    }

    /// The data set that is asked for, by its name in a recipe: one of the catalog, or pictures by their absolute
    /// path.
    ///
    /// # Errors
    ///
    /// If there is neither.
    fn dataset(&self) -> Result<Option<String>, Failure> {
        let Some(asked) = self.dataset.as_ref().or(self.named_dataset.as_ref()) else {
            return Ok(None);
        };
        picture_names::data_set(asked).map(Some).map_err(Failure::Usage)
    }

    /// The words of a command that trains the recipe of these flags with `change` on top; `None` if the recipe came by a
    /// pipe, which nobody can read again.
    ///
    /// # Errors
    ///
    /// If there is no such data set.
    pub(crate) fn words_with(&self, change: &RecipeChange) -> Result<Option<Vec<String>>, Failure> {
        if self.config.as_deref() == Some(Path::new(STDIN)) {
            return Ok(None);
        }
        let path = |path: &PathBuf| absolute(path).display().to_string();
        let flags = [
            ("--recipe", self.recipe.clone()),
            ("--config", self.config.as_ref().map(path)),
            ("--backend", self.backend.clone()),
            ("--data-dir", self.data_dir.as_ref().map(path)),
        ];
        let flags = flags.into_iter().filter_map(|(flag, value)| Some([flag.to_owned(), value?]));
        let start = ["cargo", "xtask", "train"].map(str::to_owned).into_iter();
        let words = self.changes.0.clone().and(change).words();
        Ok(Some(start.chain(self.dataset()?).chain(flags.flatten()).chain(words).collect()))
    }

    /// Checks that nothing is asked of a run that is resumed but to be what it is, or to take other batches.
    fn check_resume(&self, run: &Path) -> Result<(), Failure> {
        if !self.changes.0.values().all(|(name, _)| BATCHES.contains(&name)) {
            return Err(Failure::Usage(
                "`--resume` continues with the run's own recipe, but for `--batch-size` and \
                 `--accumulate` of one without a checkpoint; other flags that change it need a new \
                 run, `cargo xtask train --config RUN/config.toml …`, or, for more epochs of a \
                 finished one, `--extend RUN --epochs N`"
                    .into(),
            ));
        }
        if self.out.is_some() {
            return Err(Failure::Usage(format!(
                "`--resume` continues in the run's own folder, {0}; leave `--out` out, or begin a \
                 new run with `cargo xtask train --config {0}/config.toml --out RUN`",
                run.display()
            )));
        }
        self.check_same_recipe("--resume", run)
    }

    /// Checks that no other data set or recipe is named beside a run that has its own.
    fn check_same_recipe(&self, flag: &str, run: &Path) -> Result<(), Failure> {
        let (folder, run) = (run, run.display());
        if self.recipe.is_some() || self.config.is_some() {
            return Err(Failure::Usage(format!(
                "`{flag}` takes the recipe of {run}; leave `--recipe` and `--config` out, or begin \
                 a new run without `{flag}`"
            )));
        }
        let Some(asked) = &self.dataset()? else { return Ok(()) };
        let folder = RunFolder::open(folder).map_err(SessionError::from)?;
        let dataset = folder.recipe().map_err(SessionError::from)?.dataset;
        if *asked == dataset {
            return Ok(());
        }
        Err(Failure::Usage(format!(
            "{run} was trained on {dataset}, not on {asked}; leave the data set out, `cargo xtask \
             train {flag} {run}`, or begin a new run, `cargo xtask train --config \
             {run}/config.toml {asked}`"
        )))
    }

    /// Trains a run further.
    fn extend(
        &self,
        run: &Path,
        command: Vec<String>,
        watch: &mut Terminal,
    ) -> Result<Run, Failure> {
        self.check_same_recipe("--extend", run)?;
        let ended = EndedRun::open(run)?;
        if !self.changes.0.sets("epochs") {
            return Err(Failure::Usage(format!(
                "`--extend` wants `--epochs`, the number of all epochs, more than the {} of {}",
                ended.recipe().epochs,
                run.display()
            )));
        }
        let mut recipe = ended.recipe().clone();
        self.change_place(&mut recipe, named_backend(self.backend.as_deref())?);
        let recipe = self.changes.0.apply_checked(&recipe).map_err(usage)?;
        let options = self.options(command)?;
        Ok(ended.extend(&recipe, self.out.as_deref(), &options, watch)?)
    }

    /// Says what computes and where the data lie, if the flags do.
    fn change_place(&self, recipe: &mut Recipe, backend: Option<Backend>) {
        recipe.place.backend = backend.unwrap_or(recipe.place.backend);
        if let Some(folder) = &self.data_dir {
            recipe.place.data_dir = Some(absolute(folder));
        }
    }

    pub(crate) fn options(&self, command: Vec<String>) -> Result<RunOptions, Failure> {
        backburn_logs::chosen(&self.log).map_err(|error| usage(format!("`--log`: {error}")))?;
        Ok(RunOptions {
            logs: RunLogs { names: self.log.clone(), open: backburn_logs::open },
            checkpoint_every: self.checkpoint_every,
            verify_kernels: self.verify_kernels,
            stop: interrupt::stop(),
            pages: pages(),
            ..RunOptions::new(set_threads(self.threads)?, command)
        })
    }

    /// The recipe with all flags applied, and a name for the run.
    ///
    /// # Errors
    ///
    /// If a flag asks for what cannot be.
    pub fn recipe(&self) -> Result<(Recipe, String), Failure> {
        if self.pretrained {
            return Err(Failure::Usage(format!("`--pretrained`: {PRETRAINED}")));
        }
        let asked = self.dataset()?;
        let (mut recipe, name) = if let Some(path) = &self.config {
            let recipe = recipe_file::read(path)?;
            if let Some(note) = changed_since(path) {
                say(&format!("note: {note}"));
            }
            let name = short_name(asked.as_ref().unwrap_or(&recipe.dataset));
            (recipe, name)
        } else if let (None, Some(dataset)) = (&self.recipe, &asked)
            && picture_names::folder(dataset).is_some()
        {
            (recipe::built_in(picture_names::RECIPE).map_err(usage)?, short_name(dataset))
        } else {
            let Some(name) = self.recipe.as_ref().or(asked.as_ref()) else {
                let known: Vec<&str> = backburn_data::CATALOG.iter().map(|row| row.name).collect();
                return Err(Failure::Usage(format!(
                    "which data set? `cargo xtask train DATASET`, one of {}, or the path of a \
                     folder with pictures; or `--config`, `--resume` or `--extend`",
                    known.join(", ")
                )));
            };
            let recipe = match self.recipe {
                Some(_) => recipe::built_in(name).map_err(usage)?,
                None => self.default_for(name)?,
            };
            (recipe, name.clone())
        };
        if let Some(dataset) = asked {
            recipe.dataset = dataset;
        }
        if let Some(folder) = &self.data_dir {
            recipe.place.data_dir = Some(absolute(folder));
        }
        // A built-in recipe leaves the backend to the program.
        recipe.place.backend =
            named_backend(self.backend.as_deref())?.unwrap_or(recipe.place.backend);
        let recipe = self.changes.0.apply_checked(&recipe).map_err(usage)?;
        Ok((recipe, name))
    }

    /// The recipe of a data set, which depends on what else is asked for.
    fn default_for(&self, dataset: &str) -> Result<Recipe, Failure> {
        let (name, recipe) = self.changes.0.base(dataset).map_err(usage)?;
        if name != dataset {
            say(&format!(
                "note: recipe {name}: that of {dataset} is fitted to its own model and optimizer"
            ));
        }
        Ok(recipe)
    }
}

fn named_backend(name: Option<&str>) -> Result<Option<Backend>, Failure> {
    name.map(Backend::named).transpose().map_err(usage)
}

/// The same folder for whoever repeats the run from elsewhere.
fn absolute(folder: &Path) -> PathBuf {
    std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned())
}
