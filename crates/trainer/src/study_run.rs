//! Carrying out a study on this machine, and showing what came out of it: what the verbs that compare share.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use backburn_records::Origin;
use backburn_records::arms::{Arm, ArmsComparison, ComparisonOf, Measure, SeedCount, SeedData};
use backburn_records::number::clock;
use backburn_records::statistics::sequential::{Plan, default_looks};
use backburn_studies::arms;
use backburn_studies::jobs::{Jobs, LOGS};
use backburn_studies::looks::{FORECAST_SEEDS, LOOKED_AT, forecasts, look};
use backburn_studies::study::Study;
use backburn_studies::study_file::{StudyError, StudyFile};
use backburn_training::backend::Backend;
use backburn_training::duration;
use backburn_training::failure::{Failure, usage};
use backburn_training::picture_names::short_name;
use backburn_training::recipe::Recipe;
use backburn_training::run_folder::names::CONFIG;
use backburn_training::run_options::RunOptions;
use backburn_training::watch::Silent;
use clap::{Args, ValueEnum};

use crate::help;
use crate::interrupt;
use crate::output::{print_line, say};
use crate::pages::pages_if;
use crate::terminal::Terminal;
use crate::threads::set_threads;

/// Trials are forecast arm by arm if there are at most so many; else the first arm stands for all.
const FORECAST_ARMS: usize = 8;

/// What of the data each seed draws, as a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DataFlag {
    /// The training subset and the validation split.
    Drawn,
    /// Nothing: all seeds train on the same images.
    Fixed,
}

/// Flags of a study that has arms and seeds.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct StudyFlags {
    /// What each seed draws of the data: its training subset and validation split (drawn), or nothing, so that all
    /// train on the same images and the result speaks of those alone (fixed).
    #[arg(long, value_enum, help_heading = "Study")]
    pub(crate) data: Option<DataFlag>,
    /// The score that verdicts are about, by its name in summary.json; test_accuracy if not given.
    #[arg(long, value_name = "NAME", help_heading = "Study")]
    pub(crate) metric: Option<String>,
    /// The difference that matters, in the unit of the metric, such as 0.5 points: after the first seeds it is told how
    /// many would show it.
    #[arg(long, value_name = "X", allow_negative_numbers = true, help_heading = "Study")]
    pub(crate) detect: Option<f64>,
    /// Stop before the last seed once every arm is told apart from the first, or is as good up to `--detect`: by a
    /// group-sequential rule on validation accuracy. Wants validation images.
    #[arg(long, help_heading = "Study")]
    pub(crate) until_resolved: bool,
    /// Draw no reports of the single runs, which take a second and a megabyte each; `report RUN` draws them later.
    #[arg(long, help_heading = "Study")]
    pub(crate) no_reports: bool,
    /// Trials at a time, each in a process of its own; the cores are shared out among them. 1 if not given:
    /// one after the other in this process. Results do not depend on it.
    #[arg(long, value_name = "N", allow_negative_numbers = true, help_heading = "Study")]
    pub(crate) jobs: Option<usize>,
}

impl StudyFlags {
    /// Puts what the flags say into a study's file. `seeds`: how many, if a flag says so.
    pub(crate) fn apply(&self, seeds: Option<u64>, file: &mut StudyFile) {
        file.seeds = seeds.unwrap_or(file.seeds);
        file.detect = self.detect.or(file.detect);
        file.until_resolved |= self.until_resolved;
        file.reports &= !self.no_reports;
        if let Some(metric) = &self.metric {
            file.metric.clone_from(metric);
        }
        if let Some(data) = self.data {
            file.data = match data {
                DataFlag::Drawn => SeedData::Drawn,
                DataFlag::Fixed => SeedData::Fixed,
            };
        }
    }
}

/// Flags of where a study is carried out, for verbs that have no flags of a single run.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct PlaceFlags {
    /// What computes, by its name.
    #[arg(long, help = help::backends())]
    pub(crate) backend: Option<String>,
    /// Folder with the data; nothing else is looked at.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Folder for the runs and the page; one under runs/ if not given. What it holds already is resumed.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Threads to compute with, in all; all cores if not given. Results do not depend on it.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) threads: Option<usize>,
    /// Print the comparison as JSON on stdout.
    #[arg(long)]
    pub(crate) json: bool,
}

impl PlaceFlags {
    /// The recipe, trained where the flags say.
    ///
    /// # Errors
    ///
    /// If there is no such backend.
    pub(crate) fn at(&self, mut recipe: Recipe) -> Result<Recipe, Failure> {
        if let Some(name) = &self.backend {
            recipe.place.backend = Backend::named(name).map_err(usage)?;
        }
        if let Some(folder) = &self.data_dir {
            let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.clone());
            recipe.place.data_dir = Some(absolute);
        }
        Ok(recipe)
    }
}

/// A study to be carried out here.
pub(crate) struct StudyRun {
    /// The study.
    pub(crate) file: StudyFile,
    /// The recipe that its arms share, but for what its file changes.
    pub(crate) recipe: Recipe,
    /// What paths in the file are relative to.
    pub(crate) from: PathBuf,
    /// Its folder.
    pub(crate) folder: PathBuf,
    /// Trials at a time, in processes of their own; `None` for one after the other in this one.
    pub(crate) jobs: Option<usize>,
    /// Threads to compute with in all; all cores if `None`.
    pub(crate) threads: Option<usize>,
    /// Whether the comparison is printed as JSON.
    pub(crate) json: bool,
    /// The command line, program first.
    pub(crate) command: Vec<String>,
}

impl StudyRun {
    /// Trains what is not there yet, and compares.
    ///
    /// # Errors
    ///
    /// What stands in the way, with the cure.
    pub(crate) fn carry_out(self) -> Result<(), Failure> {
        let study = self.study()?;
        let folder = &self.folder;
        let jobs = self.jobs()?;
        let threads = set_threads(self.threads)?;
        let mut watch = Terminal::new();
        self.forecast(&study, jobs.unwrap_or(1), threads)?;
        self.write()?;
        let options = RunOptions {
            stop: interrupt::stop(),
            pages: pages_if(self.file.reports),
            ..RunOptions::new(threads, self.command.clone())
        };
        let rest: Vec<String> = options.command.iter().skip(1).cloned().collect();
        let each = (threads / jobs.unwrap_or(1)).max(1);
        let program = this_program()?;
        let command = |index: usize| trial_command(&program, folder, index, each);
        let jobs = jobs.map(|count| Jobs { count, command: &command, logs: folder.join(LOGS) });
        if jobs.is_some() {
            interrupt::catch();
        }
        let mut train =
            |seeds: usize| arms::train(&study, seeds, &options, jobs.as_ref(), &rest, &mut watch);
        let all = study.seeds.len();
        let (arms, seed_count) = match self.file.until_resolved {
            true => self.until_resolved(&study, &mut train)?,
            false => (self.with_forecast(all, &mut train)?, SeedCount::Fixed),
        };
        self.show(&study, arms, seed_count, rest)
    }

    /// All seeds; after the first of them it is told how many are needed, if a difference is to be seen.
    fn with_forecast(&self, all: usize, train: &mut Train<'_>) -> Result<Vec<Arm>, Failure> {
        let Some(detect) = self.file.detect.filter(|_| all > FORECAST_SEEDS) else {
            return train(all);
        };
        let arms = train(FORECAST_SEEDS)?;
        let measure = looked_at()?;
        match validates(&arms) {
            true => forecasts(&arms, measure, detect).iter().for_each(|line| say(line)),
            false => say(
                "note: how many seeds are needed is told from validation images, and there are none",
            ),
        }
        train(all)
    }

    /// Seeds until every arm is resolved on validation, or there are no more.
    fn until_resolved(
        &self,
        study: &Study,
        train: &mut Train<'_>,
    ) -> Result<(Vec<Arm>, SeedCount), Failure> {
        let measure = looked_at()?;
        let most = study.seeds.len();
        let others = study.arms.len().saturating_sub(1);
        let plan = Plan::new(&default_looks(most), others)
            .map_err(|error| Failure::Usage(format!("`--until-resolved`: {error}")))?;
        let detect = self.file.detect.unwrap_or(0.0);
        let mut seeds = 0;
        while let Some(next) = plan.next_look(seeds) {
            seeds = next;
            let arms = train(seeds)?;
            if !validates(&arms) {
                return Err(Failure::Usage(
                    "`--until-resolved` looks at validation images; set `--valid-size`".into(),
                ));
            }
            let (is_enough, line) = look(&plan, &arms, measure, seeds, detect);
            say(&line);
            if is_enough || plan.next_look(seeds).is_none() {
                return Ok((arms, SeedCount::until_resolved(&plan, measure, seeds)));
            }
        }
        Ok((train(most)?, SeedCount::Fixed))
    }

    /// The study, with its folder made ready for trials in processes of their own unless `dry`.
    ///
    /// # Errors
    ///
    /// As [`carry_out`](Self::carry_out).
    pub(crate) fn ready(&self, dry: bool) -> Result<Study, Failure> {
        let study = self.study()?;
        if !dry {
            self.write()?;
        }
        Ok(study)
    }

    fn study(&self) -> Result<Study, Failure> {
        let Self { file, recipe, from, folder, .. } = self;
        if folder.join(CONFIG).exists() {
            return Err(Failure::Usage(format!(
                "{} is the folder of a run; name another folder with `--out`",
                folder.display()
            )));
        }
        let base = file.shared(recipe).map_err(failure)?;
        let study = file.study(&base, from, folder).map_err(failure)?;
        file.check_folder(&base, from, folder).map_err(failure)?;
        Ok(study)
    }

    /// Makes the folder; only when all else is right, so that a mistake leaves none behind.
    fn write(&self) -> Result<(), Failure> {
        let base = self.file.shared(&self.recipe).map_err(failure)?;
        self.file.write(&base, &self.from, &self.folder).map_err(failure)
    }

    /// How many trials at a time, if they have processes of their own.
    fn jobs(&self) -> Result<Option<usize>, Failure> {
        match self.jobs {
            Some(0) => Err(usage("`--jobs`: expected at least 1, found 0")),
            // In a process of its own too, so that it is the same whatever the number.
            jobs => Ok(jobs.filter(|jobs| *jobs > 1)),
        }
    }

    /// Says how long all will take.
    fn forecast(&self, study: &Study, jobs: usize, threads: usize) -> Result<(), Failure> {
        let started = Instant::now();
        let mut costs = Vec::new();
        let arms = study.arms.iter().filter_map(|arm| arm.recipe.as_ref().ok());
        let each = (threads / jobs).max(1);
        for recipe in arms.take(FORECAST_ARMS) {
            // What the data do not allow is said when its turn comes.
            if let Ok(seconds) = duration::seconds(recipe, each, &mut Silent) {
                costs.push(seconds);
            }
        }
        let mut missing = 0_u32;
        for index in 0..study.trials() {
            if let Some(trial) = study.trial(index)
                && trial.find()?.is_missing()
            {
                missing += 1;
            }
        }
        if missing == 0 || costs.is_empty() {
            return Ok(());
        }
        let mean = costs.iter().sum::<f64>() / costs.len() as f64;
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let at_a_time = jobs.min(cores) as f64;
        say(&format!(
            "{missing} runs of about {} each: {} in all, as some batches tell in {}",
            clock(mean),
            clock(mean * f64::from(missing) / at_a_time),
            clock(started.elapsed().as_secs_f64()),
        ));
        Ok(())
    }

    /// Writes the page and the tables, and prints what they say.
    fn show(
        &self,
        study: &Study,
        arms: Vec<Arm>,
        seed_count: SeedCount,
        words: Vec<String>,
    ) -> Result<(), Failure> {
        let folder = &self.folder;
        let runs = arms::records(&arms, folder)?;
        let origin = Origin::of_runs(&runs, folder.display().to_string());
        let words = ["cargo", "xtask"].map(str::to_owned).into_iter().chain(words).collect();
        let metric = Measure::that_decides(&self.file.metric).map_err(Failure::Usage)?;
        let of = ComparisonOf {
            subject: self.file.subject.clone(),
            dataset: short_name(&self.recipe.dataset),
            model: self.recipe.model.name().to_owned(),
            command: words,
            seeds: study.seeds.clone(),
            data: self.file.data,
            seed_count,
            metric,
            origin,
        };
        let comparison = ArmsComparison::new(of, arms);
        backburn_report::write_arms(&comparison, folder)
            .map_err(|error| Failure::Error(error.to_string()))?;
        if self.json {
            let text = serde_json::to_string(&comparison);
            print_line(&text.map_err(|error| Failure::Error(error.to_string()))?);
            return Ok(());
        }
        print_line(&backburn_report::arms_table(&comparison));
        print_line(&format!("page: {}", folder.join("report.html").display()));
        Ok(())
    }
}

/// Trains so many seeds of a study, and gives its arms.
type Train<'a> = dyn FnMut(usize) -> Result<Vec<Arm>, Failure> + 'a;

/// The measure that is looked at while a study goes on.
fn looked_at() -> Result<&'static Measure, Failure> {
    Measure::that_decides(LOOKED_AT).map_err(Failure::Error)
}

/// Whether there are scores on validation images.
fn validates(arms: &[Arm]) -> bool {
    let mut runs = arms.iter().flat_map(|arm| &arm.runs);
    runs.all(|run| run.summary.valid_accuracy.is_some())
}

/// The command that carries out a trial in a process of its own.
fn trial_command(program: &Path, folder: &Path, index: usize, threads: usize) -> Command {
    let mut command = Command::new(program);
    command.args(["study", "trial"]).arg(folder);
    command.args(["--index", &index.to_string(), "--threads", &threads.to_string()]);
    command.arg("--until-eof");
    command
}

/// This program's own file.
///
/// # Errors
///
/// If the system does not tell.
pub(crate) fn this_program() -> Result<PathBuf, Failure> {
    std::env::current_exe()
        .map_err(|error| Failure::Error(format!("cannot find this program's own file: {error}")))
}

/// What stands in the way of a study, by what its author can do about it.
// By value, so that it can stand in `map_err`.
#[allow(clippy::needless_pass_by_value)]
pub(crate) fn failure(error: StudyError) -> Failure {
    match error {
        StudyError::File { .. } => Failure::Error(error.to_string()),
        _ => Failure::Usage(error.to_string()),
    }
}
