//! A search as data, and what each of its trials is.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::PathBuf;

use backburn_records::number::counted;
use backburn_training::failure::{Failure, usage};
use backburn_training::recipe::{Recipe, RecipeError};
use backburn_training::recipe_change::RecipeChange;
use backburn_training::run_folder::names::CONFIG;
use backburn_training::seeds::Seeds;
use serde::{Deserialize, Serialize};

use crate::search::ask::{Ask, Sampler, Told};
use crate::search::history::{Outcome, Tried, ranked};
use crate::search::pruning::look::Pruner;
use crate::search::space::Space;
use crate::search::{pruning, samplers};
use crate::trial::Trial;

/// Trials whose range the next round searches, as in "Deep Learning from Scratch" (Saito, 2016), section 6.5.
pub const KEPT: usize = 5;

/// The most trials of a search; more are taken for a mistake.
pub const MOST_TRIALS: usize = 10_000;

/// The most seeds of a trial.
pub const MOST_SEEDS: usize = 1000;

/// The most values of a range in a grid.
pub const MOST_GRID_POINTS: usize = 1000;

/// Trials of a round if their number is not given.
const TRIALS: usize = 30;

/// Values of a range in a grid if their number is not given.
const GRID_POINTS: usize = 3;

/// What is asked of a search; `None` for what is usual.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// How points are chosen; the first of [`samplers::CATALOG`] if not given.
    pub sampler: Option<String>,
    /// Which runs are stopped early; the first of [`pruning::CATALOG`] if not given.
    pub pruning: Option<String>,
    /// Trials of a round; 30 if not given, the whole of a grid.
    pub trials: Option<usize>,
    /// Rounds; 1 if not given.
    pub rounds: Option<usize>,
    /// Seeds of a trial; 1 if not given.
    pub seeds: Option<u64>,
    /// Values of a range in a grid; 3 if not given.
    pub grid_points: Option<usize>,
}

/// Everything that decides what a search tries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// How points are chosen, by its name in [`samplers::CATALOG`].
    pub sampler: String,
    /// Which runs are stopped early, by its name in [`pruning::CATALOG`].
    pub pruning: String,
    /// Trials of a round, at least 1.
    pub trials: usize,
    /// Rounds, each in the range of the best trials before it; at least 1.
    pub rounds: usize,
    /// Seeds of a trial, from the recipe's on, at least 1: the same for every trial, so that all are compared on the
    /// same splits and initial weights.
    pub seeds: usize,
    /// Values of a range of numbers in a grid, at least 2; of no meaning for other samplers.
    pub grid_points: usize,
    /// What is varied.
    pub vary: Space,
    /// The recipe that the points change.
    pub recipe: Recipe,
    /// The folder of the trials.
    #[serde(skip)]
    pub folder: PathBuf,
}

impl Search {
    /// The search that is asked for.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    pub fn new(
        asked: Asked,
        vary: Space,
        recipe: Recipe,
        folder: PathBuf,
    ) -> Result<Self, Failure> {
        let first = |name: Option<&str>| name.unwrap_or_default().to_owned();
        let sampler = asked.sampler;
        let sampler =
            sampler.unwrap_or_else(|| first(samplers::CATALOG.first().map(|row| row.name)));
        let pruning = asked.pruning;
        let pruning =
            pruning.unwrap_or_else(|| first(pruning::CATALOG.first().map(|row| row.name)));
        let grid_points = asked.grid_points.unwrap_or(GRID_POINTS);
        let mut search = Self {
            trials: TRIALS,
            rounds: asked.rounds.unwrap_or(1),
            seeds: usize::try_from(asked.seeds.unwrap_or(1)).unwrap_or(usize::MAX),
            sampler,
            pruning,
            grid_points,
            vary,
            recipe,
            folder,
        };
        if search.is_grid() {
            search.trials = samplers::grid_size(&search.vary, grid_points);
        }
        search.trials = asked.trials.unwrap_or(search.trials);
        search.check()?;
        Ok(search)
    }

    /// Checks every number, every name, and that the recipe takes the whole space.
    ///
    /// # Errors
    ///
    /// The first that is outside its range, by name.
    pub fn check(&self) -> Result<(), Failure> {
        self.sampler()?;
        self.pruner()?;
        let within = |flag: &str, found: usize, least: usize, most: usize| {
            if (least..=most).contains(&found) {
                return Ok(());
            }
            Err(usage(format!("`--{flag}`: expected {least} to {most}, found {found}")))
        };
        within("seeds", self.seeds, 1, MOST_SEEDS)?;
        within("points", self.grid_points, 2, MOST_GRID_POINTS)?;
        within("rounds", self.rounds, 1, MOST_TRIALS)?;
        let most = MOST_TRIALS / self.rounds;
        if self.is_grid() {
            let points = samplers::grid_size(&self.vary, self.grid_points);
            if points > most {
                return Err(usage(format!(
                    "the grid has {points} points a round, more than {most}; take fewer values of a \
                     range with `--points`, vary fewer settings, or use another sampler"
                )));
            }
            if self.trials != points {
                return Err(usage(format!(
                    "`--trials`: the grid has {}, found {}; leave `--trials` out",
                    counted(points, "point"),
                    self.trials
                )));
            }
        }
        within("trials", self.trials, 1, most)?;
        if self.rounds > 1 && self.trials <= KEPT {
            return Err(usage(format!(
                "`--rounds`: a round searches the range of the best {KEPT} trials before it, and \
                 needs more than {KEPT} of them; found `--trials {}`",
                self.trials
            )));
        }
        let seeds = self.recipe.seed.checked_add(self.seeds as u64);
        seeds.ok_or_else(|| {
            usage("`--seed`: expected a number that leaves `--seeds` more behind it")
        })?;
        self.vary.check(&self.recipe)
    }

    /// How points are chosen.
    ///
    /// # Errors
    ///
    /// If there is no such sampler.
    pub fn sampler(&self) -> Result<&'static Sampler, Failure> {
        samplers::named(&self.sampler).map_err(|error| usage(format!("`--sampler`: {error}")))
    }

    /// Which runs are stopped early.
    ///
    /// # Errors
    ///
    /// If there is no such rule.
    pub fn pruner(&self) -> Result<&'static Pruner, Failure> {
        pruning::named(&self.pruning).map_err(|error| usage(format!("`--prune`: {error}")))
    }

    fn is_grid(&self) -> bool {
        self.sampler == "grid"
    }

    /// Trials of all rounds. A space with fewer points has fewer.
    pub fn all_trials(&self) -> usize {
        self.trials.saturating_mul(self.rounds)
    }

    /// The round of a trial, and the trial's number in it; all are counted from 1.
    pub fn round(&self, number: usize) -> (usize, usize) {
        let before = number.saturating_sub(1);
        (before / self.trials.max(1) + 1, before % self.trials.max(1) + 1)
    }

    /// What a round searches: everything, from the second on what the best trials before it span.
    pub fn space(&self, round: usize, tried: &[Tried]) -> Space {
        let before: Vec<Tried> = tried.iter().filter(|it| it.round < round).cloned().collect();
        let best = ranked(&before);
        let best: Vec<&RecipeChange> = best.iter().take(KEPT).map(|it| &it.values).collect();
        if best.is_empty() { self.vary.clone() } else { self.vary.spanned_by(&best) }
    }

    /// What trial `number` tries, given the trials before it; `None` if no point of its round is left.
    ///
    /// # Errors
    ///
    /// If there is no such sampler.
    pub fn point(&self, number: usize, tried: &[Tried]) -> Result<Option<RecipeChange>, Failure> {
        let before: Vec<&Tried> = tried.iter().filter(|it| it.number < number).collect();
        let (round, in_round) = self.round(number);
        let space = self.space(round, tried);
        let told: Vec<Told> = before
            .iter()
            .filter(|it| !matches!(it.outcome, Outcome::Refused(_)))
            .filter_map(|it| {
                let places = space.places(&it.values)?;
                Some(Told { places, accuracy: it.score().unwrap_or(0.0) })
            })
            .collect();
        let points: Vec<&RecipeChange> = before.iter().map(|it| &it.values).collect();
        let seeds = Seeds::new(self.recipe.seed);
        let (attempt, grid) = (0, self.grid_points);
        let ask = Ask { space: &space, seeds, round, number: in_round, attempt, grid, told: &told };
        Ok(self.sampler()?.propose(&ask, &points))
    }

    /// The folder of a trial: `trial-0007`.
    pub fn trial_folder(&self, number: usize) -> PathBuf {
        self.folder.join(format!("trial-{number:04}"))
    }

    /// The recipe of a trial's first run, as its folder has it.
    pub fn config(&self, number: usize) -> PathBuf {
        self.trial_folder(number).join(format!("seed-{}", self.recipe.seed)).join(CONFIG)
    }

    /// The seeds of every trial.
    pub fn all_seeds(&self) -> impl Iterator<Item = u64> + use<> {
        self.recipe.seed..self.recipe.seed.saturating_add(self.seeds as u64)
    }

    /// The run of a trial with a seed, in `trial-0007/seed-1`.
    ///
    /// # Errors
    ///
    /// If the recipe does not take the values.
    pub fn run(
        &self,
        number: usize,
        values: &RecipeChange,
        seed: u64,
    ) -> Result<Trial, RecipeError> {
        let recipe = Recipe { seed, ..values.apply(&self.recipe)? };
        recipe.check()?;
        let path = self.trial_folder(number).join(format!("seed-{seed}"));
        Ok(Trial { path, recipe })
    }
}

#[cfg(test)]
mod tests {
    use backburn_training::recipe::built_in;

    use super::*;
    use crate::search::space::varied;

    fn space(words: &[&str]) -> Space {
        Space::new(words.iter().map(|word| varied(word).unwrap()).collect()).unwrap()
    }

    fn search(sampler: &str) -> Search {
        Search {
            sampler: sampler.into(),
            pruning: "none".into(),
            trials: 12,
            rounds: 2,
            seeds: 2,
            grid_points: 3,
            vary: space(&["learning-rate=log:1e-4:1e-1", "dropout=0:0.8"]),
            recipe: built_in("small").unwrap(),
            folder: "runs/x".into(),
        }
    }

    /// Trials whose accuracy is higher the nearer dropout is to 0.4.
    fn tried(search: &Search, from: usize, to: usize, before: &[Tried]) -> Vec<Tried> {
        let mut all = before.to_vec();
        for number in from..=to {
            let values = search.point(number, &all).unwrap().unwrap();
            let dropout = values.value("dropout").unwrap().as_float().unwrap();
            let outcome = match number % 7 {
                3 => Outcome::Diverged("x".into()),
                _ => Outcome::Scored(vec![1.0 - (dropout - 0.4).abs(); 2]),
            };
            let round = search.round(number).0;
            all.push(Tried { number, round, values, outcome, curves: Vec::new() });
        }
        all
    }

    #[test]
    fn a_search_that_goes_on_tries_what_it_would_have_tried() {
        for sampler in ["random", "sobol", "tpe"] {
            let search = search(sampler);
            let whole = tried(&search, 1, 24, &[]);
            let part = tried(&search, 1, 9, &[]);
            assert_eq!(tried(&search, 10, 24, &part), whole, "{sampler}");
            // What comes after plays no part.
            assert_eq!(search.point(5, &whole).unwrap().as_ref(), Some(&whole[4].values));
        }
    }

    #[test]
    fn another_round_searches_what_the_best_trials_span() {
        let search = search("random");
        let first = tried(&search, 1, 12, &[]);
        assert_eq!((search.round(12), search.round(13)), ((1, 12), (2, 1)));
        assert_eq!(search.space(1, &first), search.vary);
        let narrow = search.space(2, &first);
        let best: Vec<&RecipeChange> = ranked(&first)[..KEPT].iter().map(|it| &it.values).collect();
        assert_eq!(narrow, search.vary.spanned_by(&best));
        let all = tried(&search, 13, 24, &first);
        assert!(all[12..].iter().all(|it| narrow.places(&it.values).is_some()));
        // A round does not narrow itself.
        assert_eq!(search.space(2, &all), narrow);
    }

    #[test]
    fn a_run_is_the_recipe_with_values_and_a_seed_in_a_folder_of_its_own() {
        let search = search("random");
        let values = search.point(1, &[]).unwrap().unwrap();
        let seeds: Vec<u64> = search.all_seeds().collect();
        assert_eq!(seeds, [1, 2]);
        let run = search.run(7, &values, 2).unwrap();
        assert_eq!(run.path.display().to_string(), "runs/x/trial-0007/seed-2");
        let expected = Recipe { seed: 2, ..values.apply(&search.recipe).unwrap() };
        assert_eq!(run.recipe, expected);
    }

    #[test]
    fn what_is_not_asked_for_is_as_usual() {
        let of = |asked: Asked| {
            let vary = space(&["learning-rate=log:1e-4:1e-1", "dropout=0:0.8"]);
            Search::new(asked, vary, built_in("small").unwrap(), "runs/x".into())
        };
        let usual = of(Asked::default()).unwrap();
        assert_eq!((usual.sampler.as_str(), usual.pruning.as_str()), ("tpe", "none"));
        assert_eq!((usual.trials, usual.rounds, usual.seeds), (TRIALS, 1, 1));
        let grid = |trials| Asked { sampler: Some("grid".into()), trials, ..Asked::default() };
        assert_eq!(of(grid(None)).unwrap().trials, GRID_POINTS * GRID_POINTS);
        assert!(of(grid(Some(4))).is_err());
    }

    #[test]
    fn a_search_is_read_back_as_written() {
        let search = search("tpe");
        let text = toml::to_string(&search).unwrap();
        let read: Search = toml::from_str(&text).unwrap();
        assert_eq!(Search { folder: search.folder.clone(), ..read }, search);
    }

    #[test]
    fn numbers_that_cannot_be_are_refused() {
        let refused = |change: fn(&mut Search), part: &str| {
            let mut search = search("random");
            change(&mut search);
            match search.check() {
                Err(Failure::Usage(message)) => assert!(message.contains(part), "{message}"),
                other => panic!("{part}: {other:?}"),
            }
        };
        search("random").check().unwrap();
        refused(|it| it.sampler = "bayes".into(), "`--sampler`: unknown sampler `bayes`");
        refused(|it| it.pruning = "asha".into(), "`--prune`: unknown rule of pruning `asha`");
        refused(|it| it.trials = 0, "`--trials`: expected 1 to 5000, found 0");
        refused(|it| it.trials = 5001, "`--trials`: expected 1 to 5000, found 5001");
        refused(|it| it.trials = 5, "needs more than 5");
        refused(|it| it.rounds = 0, "`--rounds`: expected 1 to 10000, found 0");
        refused(|it| it.seeds = 0, "`--seeds`: expected 1 to 1000, found 0");
        refused(|it| it.grid_points = 1, "`--points`: expected 2 to 1000, found 1");
        refused(|it| it.recipe.seed = u64::MAX, "`--seed`");
        refused(|it| it.sampler = "grid".into(), "the grid has 9 points, found 12");
        refused(
            |it| {
                it.sampler = "grid".into();
                it.grid_points = 100;
            },
            "the grid has 10000 points a round, more than 5000",
        );
    }
}
