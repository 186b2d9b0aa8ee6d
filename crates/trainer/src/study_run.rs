//! Carrying out a study on this machine, and showing what came out of it: what the verbs that compare share.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::PathBuf;

use backburn_records::arms::SeedData;
use backburn_studies::carry_out::{PlannedStudy, Processes};
use backburn_studies::study_file::StudyFile;
use backburn_training::backend::Backend;
use backburn_training::failure::{Failure, usage};
use backburn_training::recipe::Recipe;
use backburn_training::run_options::RunOptions;
use clap::{Args, ValueEnum};

use crate::help;
use crate::interrupt;
use crate::output::{print_data, print_line};
use crate::pages::pages_if;
use crate::terminal::Terminal;
use crate::threads::set_threads;

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
    /// The study, with its folder.
    pub(crate) planned: PlannedStudy,
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
        let Self { planned, jobs, threads, json, command } = self;
        let study = planned.study()?;
        let processes = match jobs {
            Some(0) => return Err(usage("`--jobs`: expected at least 1, found 0")),
            // One after the other, they need no processes of their own.
            None | Some(1) => None,
            Some(count) => Some(Processes { program: this_program()?, count }),
        };
        let options = RunOptions {
            stop: interrupt::stop(),
            pages: pages_if(planned.file.reports),
            ..RunOptions::new(set_threads(threads)?, command)
        };
        let mut watch = Terminal::new();
        let comparison = planned.carry_out(&study, processes.as_ref(), &options, &mut watch)?;
        let folder = &planned.folder;
        backburn_report::write_arms(&comparison, folder)
            .map_err(|error| Failure::Error(error.to_string()))?;
        if json {
            let text = serde_json::to_string(&comparison);
            print_data(&text.map_err(|error| Failure::Error(error.to_string()))?);
            return Ok(());
        }
        print_line(&backburn_report::arms_table(&comparison));
        print_data(&format!("page: {}", folder.join("report.html").display()));
        Ok(())
    }
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
