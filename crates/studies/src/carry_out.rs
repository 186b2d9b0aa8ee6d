//! A study from its file to its comparison: how long it will take, its trials, how many seeds it needs, what came out.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use backburn_records::Origin;
use backburn_records::arms::{Arm, ArmsComparison, ComparisonOf, Measure, SeedCount};
use backburn_records::number::{clock, counted, either};
use backburn_records::statistics::sequential::{Plan, default_looks};
use backburn_training::duration;
use backburn_training::failure::Failure;
use backburn_training::picture_names::short_name;
use backburn_training::recipe::Recipe;
use backburn_training::run_folder::names::CONFIG;
use backburn_training::run_options::RunOptions;
use backburn_training::tuning::chosen_level;
use backburn_training::watch::{Event, Silent, Watch};

use crate::arms;
use crate::jobs::{Jobs, LOGS};
use crate::looks::{FORECAST_SEEDS, LOOKED_AT, forecasts, look};
use crate::study::Study;
use crate::study_file::StudyFile;

/// Most arms of which some batches are trained to tell how long all will take; they stand for the others.
const FORECAST_ARMS: usize = 8;

/// A study that is to be carried out into a folder.
#[derive(Clone, Debug)]
pub struct PlannedStudy {
    /// Its file.
    pub file: StudyFile,
    /// The recipe that its arms share, but for what its file changes.
    pub recipe: Recipe,
    /// What paths in the file are relative to.
    pub from: PathBuf,
    /// Its folder.
    pub folder: PathBuf,
}

/// Processes in which trials are carried out.
#[derive(Clone, Debug)]
pub struct Processes {
    /// The program `backburn`.
    pub program: PathBuf,
    /// How many trials at a time, at least 1.
    pub count: usize,
}

impl PlannedStudy {
    /// The study, of which nothing is written.
    ///
    /// # Errors
    ///
    /// If it cannot be, or its folder holds something else.
    pub fn study(&self) -> Result<Study, Failure> {
        let Self { file, recipe, from, folder } = self;
        if folder.join(CONFIG).exists() {
            return Err(Failure::Usage(format!(
                "{} is the folder of a run; name another folder with `--out`",
                folder.display()
            )));
        }
        let base = file.shared(recipe)?;
        let study = file.study(&base, from, folder)?;
        file.check_folder(&base, from, folder)?;
        Ok(study)
    }

    /// Makes the folder, from which processes take what they train; only when all else is right, so that a mistake leaves
    /// none behind.
    ///
    /// # Errors
    ///
    /// As [`study`](Self::study), and if a file cannot be written.
    pub fn write(&self) -> Result<(), Failure> {
        let base = self.file.shared(&self.recipe)?;
        Ok(self.file.write(&base, &self.from, &self.folder)?)
    }

    /// Trains what is not there yet of `study`, which [`study`](Self::study) gave, and compares its arms. `processes`:
    /// those that trials are carried out in; this one if `None`. `options`: their threads, in all, their reports, and the
    /// command line.
    ///
    /// # Errors
    ///
    /// If the folder cannot be written, or a run cannot be trained or read. A study that is asked to stop is resumed by
    /// the same call.
    pub fn carry_out(
        &self,
        study: &Study,
        processes: Option<&Processes>,
        options: &RunOptions,
        watch: &mut dyn Watch,
    ) -> Result<ArmsComparison, Failure> {
        let folder = &self.folder;
        let at_a_time = processes.map_or(1, |processes| processes.count.max(1));
        let each = (options.threads / at_a_time).max(1);
        // Which look is the last is not known before.
        let bound = if self.file.until_resolved { "at most " } else { "" };
        introduce(study, watch);
        forecast(study, bound, at_a_time, each, watch)?;
        self.write()?;
        let command = processes.map(|Processes { program, .. }| {
            move |index: usize| trial_command(program, folder, index, each)
        });
        let jobs = command.as_ref().map(|command| {
            let command: &dyn Fn(usize) -> Command = command;
            Jobs { count: at_a_time, command, logs: folder.join(LOGS) }
        });
        if jobs.is_some() {
            watch.event(Event::CanBeStopped);
        }
        let words: Vec<String> = options.command.iter().skip(1).cloned().collect();
        let mut train = |seeds: usize, watch: &mut dyn Watch| {
            arms::train(study, seeds, options, jobs.as_ref(), &words, watch)
        };
        let all = study.seeds.len();
        let (arms, seed_count) = match self.file.until_resolved {
            true => self.until_resolved(study, &mut train, watch)?,
            false => (self.with_forecast(all, &mut train, watch)?, SeedCount::Fixed),
        };
        self.compare(study, arms, seed_count, words)
    }

    /// All seeds; after the first of them it is told how many are needed, if a difference is to be seen.
    fn with_forecast(
        &self,
        all: usize,
        train: &mut Train<'_>,
        watch: &mut dyn Watch,
    ) -> Result<Vec<Arm>, Failure> {
        let Some(detect) = self.file.detect.filter(|_| all > FORECAST_SEEDS) else {
            return train(all, watch);
        };
        let arms = train(FORECAST_SEEDS, watch)?;
        let measure = looked_at()?;
        let lines = match validates(&arms) {
            true => forecasts(&arms, measure, detect),
            false => vec![
                "note: how many seeds are needed is told from validation images, and there are none"
                    .to_owned(),
            ],
        };
        lines.iter().for_each(|line| watch.event(Event::Note(line)));
        train(all, watch)
    }

    /// Seeds until every arm is resolved on validation, or there are no more.
    fn until_resolved(
        &self,
        study: &Study,
        train: &mut Train<'_>,
        watch: &mut dyn Watch,
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
            let arms = train(seeds, watch)?;
            if !validates(&arms) {
                return Err(Failure::Usage(
                    "`--until-resolved` looks at validation images; set `--valid-size`".into(),
                ));
            }
            let (is_enough, line) = look(&plan, &arms, measure, seeds, detect);
            watch.event(Event::Note(&line));
            if is_enough || plan.next_look(seeds).is_none() {
                return Ok((arms, SeedCount::until_resolved(&plan, measure, seeds)));
            }
        }
        Ok((train(most, watch)?, SeedCount::Fixed))
    }

    /// What came out. `words`: the command line, without the program.
    fn compare(
        &self,
        study: &Study,
        arms: Vec<Arm>,
        seed_count: SeedCount,
        words: Vec<String>,
    ) -> Result<ArmsComparison, Failure> {
        let runs = arms::records(&arms, &self.folder)?;
        let of = ComparisonOf {
            subject: self.file.subject.clone(),
            dataset: short_name(&self.recipe.dataset),
            model: self.recipe.model.name().to_owned(),
            command: ["cargo", "xtask"].map(str::to_owned).into_iter().chain(words).collect(),
            seeds: study.seeds.clone(),
            data: self.file.data,
            seed_count,
            metric: Measure::that_decides(&self.file.metric).map_err(Failure::Usage)?,
            origin: Origin::of_runs(&runs, self.folder.display().to_string()),
        };
        Ok(ArmsComparison::new(of, arms))
    }
}

/// Trains so many seeds of a study, and gives its arms.
type Train<'a> = dyn FnMut(usize, &mut dyn Watch) -> Result<Vec<Arm>, Failure> + 'a;

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
    if let Some(level) = chosen_level() {
        command.args(["--tune", level.name()]);
    }
    command
}

/// Says what the network of the first arm drops, which a name such as `none` does not tell.
fn introduce(study: &Study, watch: &mut dyn Watch) {
    if let Some(first) = study.arms.first()
        && let Ok(recipe) = &first.recipe
        && !recipe.model.drops().is_empty()
    {
        let (name, model) = (&first.name, &recipe.model);
        let text = format!("the first arm, `{name}`: `{}` with {}", model.name(), model.drops());
        watch.event(Event::Note(&text));
    }
}

/// Says how long all will take that is missing, if anything is. `bound`: what stands before numbers that may turn out
/// smaller. `threads`: those of each of the trials.
fn forecast(
    study: &Study,
    bound: &str,
    at_a_time: usize,
    threads: usize,
    watch: &mut dyn Watch,
) -> Result<(), Failure> {
    let started = Instant::now();
    let missing = missing(study)?;
    let (mut seconds, mut timed) = (0.0, 0.0);
    for (recipe, runs) in missing.iter().take(FORECAST_ARMS) {
        // What the data do not allow is said when its turn comes.
        if let Ok(each) = duration::seconds(recipe, threads, &mut Silent) {
            seconds += each * f64::from(*runs);
            timed += f64::from(*runs);
        }
    }
    if timed == 0.0 {
        return Ok(());
    }
    let runs: u32 = missing.iter().map(|(_, runs)| runs).sum();
    let mean = seconds / timed;
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let at_a_time = at_a_time.min(cores) as f64;
    watch.event(Event::Note(&format!(
        "{bound}{}: {bound}{} in all, as some batches tell in {}",
        runs_of_about(runs, mean),
        clock(mean * f64::from(runs) / at_a_time),
        clock(started.elapsed().as_secs_f64()),
    )));
    Ok(())
}

/// `1 run of about 12 s`, `3 runs of about 12 s each`.
fn runs_of_about(runs: u32, seconds: f64) -> String {
    let each = either(runs as usize, "", " each");
    format!("{} of about {}{each}", counted(runs as usize, "run"), clock(seconds))
}

/// The recipes of the arms that miss runs, each with how many. Those that are known to be refused are not missed.
fn missing(study: &Study) -> Result<Vec<(&Recipe, u32)>, Failure> {
    let mut missing = vec![0; study.arms.len()];
    for index in 0..study.trials() {
        if let (Some(place), Some(trial)) = (study.place(index), study.trial(index))
            && trial.find()?.is_missing()
            && trial.refusal().is_none()
            && let Some(runs) = missing.get_mut(place.arm)
        {
            *runs += 1;
        }
    }
    let recipes = study.arms.iter().map(|arm| arm.recipe.as_ref().ok());
    let counted = recipes.zip(missing).filter(|(_, runs)| *runs > 0);
    Ok(counted.filter_map(|(recipe, runs)| Some((recipe?, runs))).collect())
}

#[cfg(test)]
mod tests {
    use backburn_training::recipe::built_in;
    use backburn_training::watch::Notes;

    use super::*;
    use crate::study::StudyArm;

    /// Two arms with three seeds.
    fn study(folder: &Path) -> Study {
        let digits = Recipe { train_size: "200".parse().ok(), ..built_in("digits").unwrap() };
        let arm = |name: &str, epochs: usize| StudyArm {
            name: name.into(),
            summary: String::new(),
            command: Vec::new(),
            recipe: Ok(Recipe { epochs, ..digits.clone() }),
        };
        let arms = vec![arm("few", 1), arm("many", 2)];
        Study { arms, seeds: vec![1, 2, 3], folder: folder.to_owned() }
    }

    #[test]
    fn what_is_left_is_one_run_or_several() {
        assert_eq!(runs_of_about(1, 12.0), "1 run of about 12 s");
        assert_eq!(runs_of_about(3, 12.0), "3 runs of about 12 s each");
    }

    #[test]
    fn only_arms_that_miss_runs_are_timed() {
        let folder = tempfile::tempdir().unwrap();
        let study = study(folder.path());
        let epochs = |study| -> Vec<(usize, u32)> {
            let missing = missing(study).unwrap();
            missing.into_iter().map(|(recipe, runs)| (recipe.epochs, runs)).collect()
        };
        assert_eq!(epochs(&study), [(1, 3), (2, 3)]);
        for index in 0..5 {
            study.trial(index).unwrap().refuse("too few images").unwrap();
        }
        assert_eq!(epochs(&study), [(2, 1)]);
        let mut notes = Notes::default();
        forecast(&study, "", 1, 1, &mut notes).unwrap();
        assert!(notes.0.len() == 1 && notes.0[0].starts_with("1 run of about "), "{:?}", notes.0);
        let mut notes = Notes::default();
        forecast(&study, "at most ", 1, 1, &mut notes).unwrap();
        assert!(notes.0[0].starts_with("at most 1 run of about "), "{:?}", notes.0);
        assert!(notes.0[0].contains(" s: at most "), "{:?}", notes.0);
        study.trial(5).unwrap().refuse("too few images").unwrap();
        assert_eq!(epochs(&study), []);
        let mut notes = Notes::default();
        forecast(&study, "", 1, 1, &mut notes).unwrap();
        assert!(notes.0.is_empty(), "{:?}", notes.0);
    }
}
