//! `backburn search`: from flags to a search, from a search to a winner.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::PathBuf;

use backburn_records::RunRecord;
use backburn_records::search::SearchRecord;
use backburn_studies::search::driver::carry_out;
use backburn_studies::search::history::{Tried, winner};
use backburn_studies::search::outcome::{check_winner, record};
use backburn_studies::search::plan::{Asked, Search};
use backburn_studies::search::range::FORMS;
use backburn_studies::search::space::Space;
use backburn_studies::search::{pruning, samplers};
use backburn_training::failure::{Failure, usage};
use backburn_training::picture_names::short_name;
use backburn_training::recipe_change::RecipeChange;
use clap::Args;

use crate::commands::train::TrainArgs;
use crate::interrupt::{self, Notices};
use crate::output::{print_data, print_line};
use crate::terminal::Terminal;

/// What the flags do not say, for the end of help.
pub(crate) fn notes() -> String {
    let table = |head: &str, rows: Vec<(&str, &str)>| {
        let lines = rows.iter().map(|(name, summary)| format!("  {name:<16} {summary}\n"));
        format!("{head}:\n{}", lines.collect::<String>())
    };
    let about = "Every trial is the recipe with some settings changed, trained with the same seeds \
        as all others. What is best is told by validation images; the test score of the winner \
        alone is looked at, at the end. What the folder holds already is not trained again.\n";
    let samplers = samplers::CATALOG.iter().map(|row| (row.name, row.summary)).collect();
    let rules = pruning::CATALOG.iter().map(|row| (row.name, row.summary)).collect();
    [about.to_owned(), table("Samplers", samplers), table("Rules of pruning", rules)].join("\n")
}

/// `search [DATASET|PATH]`
#[derive(Args, Clone, Debug)]
pub struct SearchArgs {
    #[command(flatten)]
    train: TrainArgs,
    /// A setting to vary, by its flag's name or its place in config.toml, and over what; may be given again.
    #[arg(long, value_name = "SETTING=RANGE", help_heading = "Search")]
    #[arg(help = format!(
        "A setting to vary, by its flag or its place in config.toml, and over what: SETTING={}; may be given again",
        FORMS.join(", SETTING=")
    ))]
    vary: Vec<String>,
    /// More of them in a file: a table [vary] with lines such as `dropout = { linear = [0, 0.8] }`; log, integer,
    /// log-integer and choice likewise.
    #[arg(long, value_name = "FILE", help_heading = "Search")]
    space: Option<PathBuf>,
    /// How the points are chosen; see the samplers below.
    #[arg(long, value_name = "NAME", help_heading = "Search")]
    sampler: Option<String>,
    /// Trials of a round; 30 if not given. More than before resumes the search with more.
    #[arg(long, value_name = "N", help_heading = "Search", allow_negative_numbers = true)]
    trials: Option<usize>,
    /// Rounds, each in the range of the best five trials before it; 1 if not given.
    #[arg(long, value_name = "R", help_heading = "Search", allow_negative_numbers = true)]
    rounds: Option<usize>,
    /// Which runs are stopped early; none if not given. See the rules of pruning below.
    #[arg(long, value_name = "RULE", help_heading = "Search")]
    prune: Option<String>,
    /// Values of each range in a grid; 3 if not given.
    #[arg(long, value_name = "N", help_heading = "Search", allow_negative_numbers = true)]
    points: Option<usize>,
}

/// Searches as the arguments say. `command`: the whole command line, for the manifests.
///
/// # Errors
///
/// What stands in the way, with the cure.
pub fn search(args: &SearchArgs, command: Vec<String>) -> Result<(), Failure> {
    interrupt::hear(Notices::TRAINING, args.train.stop_on);
    let search = args.search()?;
    let options = args.train.options(command)?;
    let resume: Vec<String> = options.command.iter().skip(1).cloned().collect();
    let tried = carry_out(&search, &options, &resume, &mut Terminal::new())?;
    let words = |values: &RecipeChange| args.winner_words(&search, values, &tried);
    let again = ["cargo", "xtask"].map(str::to_owned).into_iter().chain(resume).collect();
    let dataset = short_name(&search.recipe.dataset);
    let record = record(&search, &tried, dataset, words, again)?;
    write(&search, &record)?;
    if args.train.json {
        let text = serde_json::to_string(&record);
        print_data(&text.map_err(|error| Failure::Error(error.to_string()))?);
    } else {
        print_line(backburn_report::search_table(&record).trim_end());
        if let Some(winner) = &record.winner {
            let words = winner.command.iter().map(|word| backburn_records::shell::quoted(word));
            print_line(&format!("train it: {}", words.collect::<Vec<_>>().join(" ")));
        }
        print_data(&format!("page: {}", search.folder.join("report.html").display()));
    }
    check_winner(&record)
}

/// Writes record and page, and the reports of the winner's runs.
fn write(search: &Search, record: &SearchRecord) -> Result<(), Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::Error(error.to_string());
    let winner = record.winner.as_ref();
    let trial =
        winner.and_then(|winner| record.trials.iter().find(|it| it.number == winner.number));
    if let Some(trial) = trial {
        for seed in &record.seeds {
            let folder = search.folder.join(&trial.folder).join(format!("seed-{seed}"));
            let run = RunRecord::read(&folder).map_err(|error| failed(&error))?;
            backburn_report::write_report(&run).map_err(|error| failed(&error))?;
        }
    }
    backburn_report::write_search(record, &search.folder).map_err(|error| failed(&error))
}

impl SearchArgs {
    /// What the flags ask for.
    ///
    /// # Errors
    ///
    /// If a flag asks for what cannot be.
    fn search(&self) -> Result<Search, Failure> {
        for (flag, is_given) in [
            ("resume", self.train.resume.is_some()),
            ("extend", self.train.extend.is_some()),
            ("folds", self.train.folds.is_some()),
        ] {
            if is_given {
                return Err(usage(format!(
                    "`search` trains runs of its own and resumes them by the same command; leave \
                     `--{flag}` out"
                )));
            }
        }
        let (recipe, name) = self.train.recipe()?;
        let default = || PathBuf::from(format!("runs/search-{name}-{}", recipe.model.name()));
        let folder = self.train.out.clone().unwrap_or_else(default);
        let asked = Asked {
            sampler: self.sampler.clone(),
            pruning: self.prune.clone(),
            trials: self.trials,
            rounds: self.rounds,
            seeds: self.train.seeds,
            grid_points: self.points,
        };
        Search::new(asked, Space::of(self.space.as_deref(), &self.vary)?, recipe, folder)
    }

    /// The command that trains the winner.
    fn winner_words(
        &self,
        search: &Search,
        values: &RecipeChange,
        tried: &[Tried],
    ) -> Result<Vec<String>, Failure> {
        if let Some(words) = self.train.words_with(values)? {
            return Ok(words);
        }
        let config = search.config(winner(tried).map_or(1, |trial| trial.number));
        let config = config.display().to_string();
        Ok(["cargo", "xtask", "train", "--config", &config].map(str::to_owned).into())
    }
}
