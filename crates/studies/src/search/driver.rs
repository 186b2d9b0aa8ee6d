//! The trials of a search one after the other: trains what is missing, and stops what is hopeless.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::Path;
use std::time::Instant;

use backburn_records::{EpochRecord, MANIFEST_FILE, number};
use backburn_training::failure::Failure;
use backburn_training::prepare::PrepareError;
use backburn_training::recipe_change::RecipeChange;
use backburn_training::run_folder::pages::Pages;
use backburn_training::run_options::RunOptions;
use backburn_training::session_error::SessionError;
use backburn_training::watch::{Brief, Event, Watch};

use crate::arms::{interrupted, named};
use crate::search::history::{Curve, Outcome, Tried, winner};
use crate::search::plan::Search;
use crate::search::proposal::{self, TRIAL_FILE};
use crate::search::pruning::watch::PruningWatch;
use crate::search::range::text;
use crate::trial::{Found, TrialEnd, read};

/// Columns of a terminal.
const WIDTH: usize = 80;

/// Carries out the trials that are not there yet, and gives what all of them came to. `resume`: the words that the
/// same command is given with again.
///
/// # Errors
///
/// If the folder holds something else, a run cannot be trained or read, or the search is asked to stop: it is resumed
/// by the same call.
pub fn carry_out(
    search: &Search,
    options: &RunOptions,
    resume: &[String],
    watch: &mut dyn Watch,
) -> Result<Vec<Tried>, Failure> {
    search.check()?;
    proposal::claim(search)?;
    let begun = |number: &usize| search.trial_folder(*number).join(TRIAL_FILE).exists();
    let begun = match (1..=search.all_trials()).filter(begun).count() {
        0 => String::new(),
        begun => format!(", of which {begun} {} begun", number::either(begun, "was", "were")),
    };
    let (all, folder) = (search.all_trials(), search.folder.display());
    watch.event(Event::Note(&format!("{} in {folder}{begun}", number::counted(all, "trial"))));
    let mut pace = Pace { trained: 0, seconds: 0.0 };
    let mut tried: Vec<Tried> = Vec::new();
    let mut number = 1;
    while number <= search.all_trials() {
        if options.stop.is_requested() {
            return Err(interrupted(resume, watch));
        }
        let Some(values) = point(search, number, &tried)? else {
            let (round, _) = search.round(number);
            watch.event(Event::Note(&format!(
                "round {round}: every point of the space has been tried, after {}",
                number::counted(tried.iter().filter(|it| it.round == round).count(), "trial")
            )));
            number = round.saturating_mul(search.trials).saturating_add(1);
            continue;
        };
        let started = Instant::now();
        let mut trial =
            TrialInWork { search, options, number, values, runs: Vec::new(), is_new: false };
        let Some(outcome) = trial.carry_out(&tried, watch)? else {
            return Err(interrupted(resume, watch));
        };
        let is_new = trial.is_new;
        tried.push(trial.ended(outcome));
        if is_new {
            let seconds = started.elapsed().as_secs_f64();
            pace = Pace { trained: pace.trained + 1, seconds: pace.seconds + seconds };
            watch.event(Event::Note(&line(search, &tried, seconds, pace)));
        }
        number += 1;
    }
    Ok(tried)
}

/// What a trial tries: what its folder says, else what the sampler proposes, which is written down first.
fn point(search: &Search, number: usize, tried: &[Tried]) -> Result<Option<RecipeChange>, Failure> {
    if let Some(values) = proposal::read_point(search, number)? {
        return Ok(Some(values));
    }
    let proposed = search.point(number, tried)?;
    if let Some(values) = &proposed {
        proposal::write_point(search, number, values)?;
    }
    Ok(proposed)
}

/// A trial that is being carried out.
struct TrialInWork<'a> {
    search: &'a Search,
    options: &'a RunOptions,
    number: usize,
    values: RecipeChange,
    /// Its runs so far: the score of each that came to its end, and how each learnt.
    runs: Vec<(Option<f64>, Curve)>,
    /// Whether anything was trained now.
    is_new: bool,
}

/// What one run of a trial came to.
enum RunEnd {
    /// Its accuracy on validation images.
    Scored(f64),
    /// The trial is over with it.
    Last(Outcome),
    /// The search was asked to stop.
    Stopped,
}

impl TrialInWork<'_> {
    /// Trains what is not there of it; `None` if the search was asked to stop. `tried`: the trials before it.
    fn carry_out(
        &mut self,
        tried: &[Tried],
        watch: &mut dyn Watch,
    ) -> Result<Option<Outcome>, Failure> {
        for (place, seed) in self.search.all_seeds().enumerate() {
            let earlier = tried.iter().filter_map(|it| it.curves.get(place)).collect();
            let (end, curve) = self.run(seed, earlier, watch)?;
            let (score, last) = match end {
                RunEnd::Stopped => return Ok(None),
                RunEnd::Scored(score) => (Some(score), None),
                RunEnd::Last(outcome) => (None, Some(outcome)),
            };
            self.runs.push((score, curve));
            if last.is_some() {
                return Ok(last);
            }
        }
        Ok(Some(Outcome::Scored(self.runs.iter().filter_map(|(score, _)| *score).collect())))
    }

    /// Carries out the run with a seed, and gives how it learnt.
    fn run(
        &mut self,
        seed: u64,
        earlier: Vec<&Curve>,
        watch: &mut dyn Watch,
    ) -> Result<(RunEnd, Curve), Failure> {
        let Self { search, number, .. } = *self;
        let trial = match search.run(number, &self.values, seed) {
            Ok(trial) => trial,
            Err(error) => {
                return Ok((RunEnd::Last(Outcome::Refused(error.to_string())), Curve::default()));
            }
        };
        let found = trial.find()?;
        let mut brief = Brief(watch);
        let mut watch = PruningWatch {
            rule: search.pruner()?,
            earlier,
            stop: self.options.stop.inner(),
            epochs: trial.recipe.epochs,
            seed,
            curve: Curve::of_part(&epochs(&trial.path)?),
            cut: None,
            inner: &mut brief,
        };
        if let Found::Part = found {
            // Where it was stopped, or would have been had its process not ended first.
            let cut = proposal::read_cut(search, number)?.filter(|cut| cut.seed == seed);
            watch.cut = cut.or_else(|| watch.first_cut());
        }
        if watch.cut.is_none() {
            self.is_new |= found.is_missing();
            let stop = watch.stop.clone();
            let options = RunOptions { stop, pages: Pages::none(), ..self.options.clone() };
            match trial.carry_out(found, &options, &mut watch) {
                Ok(TrialEnd::Scored(summary)) => {
                    // The summary has the test score too, which nothing is chosen by.
                    let score = summary.valid_accuracy.unwrap_or(f64::NAN);
                    return Ok((RunEnd::Scored(score), watch.curve.ended()));
                }
                Ok(TrialEnd::Diverged(reason)) => {
                    return Ok((RunEnd::Last(Outcome::Diverged(reason)), watch.curve));
                }
                Ok(TrialEnd::Interrupted) => {}
                Err(SessionError::Prepare(
                    error @ (PrepareError::Recipe(_)
                    | PrepareError::Loader(_)
                    | PrepareError::Model(_)),
                )) => {
                    return Ok((RunEnd::Last(Outcome::Refused(error.to_string())), watch.curve));
                }
                Err(error) => return Err(named(error.into(), &trial)),
            }
        }
        let Some(cut) = watch.cut else { return Ok((RunEnd::Stopped, watch.curve)) };
        proposal::write_cut(search, number, cut)?;
        Ok((RunEnd::Last(Outcome::Pruned(cut)), watch.curve))
    }

    fn ended(self, outcome: Outcome) -> Tried {
        let Self { search, number, values, runs, .. } = self;
        let curves = runs.into_iter().map(|(_, curve)| curve).collect();
        Tried { number, round: search.round(number).0, values, outcome, curves }
    }
}

/// The epochs that a run folder has; none of a folder without a run.
fn epochs(path: &Path) -> Result<Vec<EpochRecord>, Failure> {
    if !path.join(MANIFEST_FILE).exists() {
        return Ok(Vec::new());
    }
    read(path).map(|run| run.epochs)
}

/// Trials that this process has trained, and how long they took.
#[derive(Clone, Copy)]
struct Pace {
    trained: usize,
    seconds: f64,
}

/// What is told of the newest trial, in one line or two.
fn line(search: &Search, tried: &[Tried], seconds: f64, pace: Pace) -> String {
    let Some(newest) = tried.last() else { return String::new() };
    let all = search.all_trials();
    let width = all.to_string().len();
    let score = newest.score().map(|score| format!("valid {:>6.2} %", 100.0 * score));
    let came_to = match (&newest.outcome, score) {
        (Outcome::Scored(_), Some(score)) => score,
        (Outcome::Pruned(cut), Some(score)) => format!("{score} pruned at epoch {}", cut.epoch),
        (Outcome::Diverged(_), _) => "diverged".into(),
        (Outcome::Refused(_), _) => "left out".into(),
        (_, None) => "no score".into(),
    };
    let mut line = format!("{:>width$}/{all} {came_to}", newest.number);
    if let Some(best) = winner(tried) {
        line += &match best.number == newest.number {
            true => ", the best so far".to_owned(),
            false => format!(", best {:.2} %", 100.0 * best.score().unwrap_or(f64::NAN)),
        };
    }
    line += &format!(", {}", number::clock(seconds));
    let left = all.saturating_sub(newest.number);
    if left > 0 {
        let rest = pace.seconds / pace.trained.max(1) as f64 * left as f64;
        line += &format!(", {} left", number::clock(rest));
    }
    let mut lines = vec![line];
    let indent = 2 * width + 2;
    for varied in search.vary.varied() {
        let Some(value) = newest.values.value(&varied.setting) else { continue };
        let words = format!("{} {}", varied.setting, text(value));
        let fits = |line: &String| line.chars().count() + 2 + words.chars().count() <= WIDTH;
        match lines.last_mut().filter(|line| fits(line)) {
            Some(line) => *line += &format!("  {words}"),
            None => lines.push(format!("{:indent$}{words}", "")),
        }
    }
    lines.join("\n")
}
