//! The command line: verbs, flags, exit status.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Args, Command, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use backburn_bench::child;
use backburn_training::evaluate::test_time_augmentation::Views;
pub use crate::output::print_line;
use crate::terminal::say;
use crate::commands::bench;
use backburn_studies::compare_arms;
use crate::commands::compare_regularizers;
use crate::commands::data;
use crate::environment;
use crate::commands::evaluate;
use crate::commands::experiment;
use crate::commands::find_rate;
use crate::interrupt;
use crate::output;
use crate::commands::replay;
use crate::commands::report;
use crate::commands::train;
use crate::commands::verify;
use crate::commands::verify_kernels;

/// Trains image classifiers and measures what keeps them from memorizing.
#[derive(Debug, Parser)]
#[command(name = "backburn", bin_name = "cargo xtask", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Trains a network, by a built-in recipe or your own.
    Train(Box<train_command::TrainArgs>),
    /// Looks for a learning rate: trains a few steps while the rate rises.
    FindRate(Box<find_rate_command::FindRateArgs>),
    /// Scores a finished run on its validation or test split.
    Evaluate(EvaluateArgs),
    /// Draws the report of a run anew, or compares several runs.
    Report(ReportArgs),
    /// Tells where each stopping criterion would have ended a run, without training again.
    Replay(replay_command::ReplayArgs),
    /// Checks whether a run folder is complete and undamaged.
    Verify(verify_command::VerifyArgs),
    /// Trains on little data without and with each regularizer, several seeds, and compares.
    CompareRegularizers(Box<compare_arms::CompareArgs>),
    /// Carries out one of the sources' experiments, or all of them.
    Experiment(experiment_command::ExperimentArgs),
    /// Trains the same network with five optimizers on the same batches, and compares.
    CompareOptimizers(experiment_command::ExperimentFlags),
    /// Lists, fetches and verifies data sets.
    Data(data_command::DataArgs),
    /// Compares a backend's losses and gradients with double precision, for every kind of network.
    VerifyKernels(verify_kernels_command::VerifyKernelsArgs),
    /// Measures how fast this machine trains, and compares with PyTorch.
    Bench(Box<bench_command::BenchArgs>),
    /// Measures for `bench`, which asks over stdin.
    #[command(hide = true)]
    BenchChild(child::BenchChildArgs),
}

/// `evaluate RUN`
#[derive(Debug, Args)]
pub struct EvaluateArgs {
    /// Folder of a finished run.
    pub run: PathBuf,
    /// The split to score on. Every look at the test split is recorded in the run's manifest.
    #[arg(long, value_enum, default_value_t = Split::Valid)]
    pub split: Split,
    /// Also score with logits divided by the temperature that suits the validation split best.
    #[arg(long)]
    pub temperature: bool,
    /// Also score the mean over views of each image: flip, shift=PIXELS, or both with a comma.
    #[arg(long, value_name = "VIEWS", conflicts_with = "mc_dropout")]
    pub tta: Option<Views>,
    /// Also score the mean over that many passes with dropout, 2 to 1000.
    #[arg(long, value_name = "PASSES", allow_negative_numbers = true, value_parser = clap::value_parser!(u16).range(2..=1000))]
    pub mc_dropout: Option<u16>,
    /// Count an answer as right if the label is among the K most probable classes; 5 if not given.
    #[arg(long, value_name = "K", allow_negative_numbers = true)]
    pub top_k: Option<u16>,
    /// Backend to compute on; the run's own if not given.
    #[arg(long)]
    pub backend: Option<String>,
    /// Folder with the data; the run's own if not given.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Threads to compute with; all cores if not given.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub threads: Option<usize>,
    /// Print the scores as JSON.
    #[arg(long)]
    pub json: bool,
}

/// A split that can be scored on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Split {
    /// Images kept from the published training split.
    Valid,
    /// The published test split.
    Test,
}

/// `report RUN…`
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Folders of runs; one is drawn anew, several are compared.
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// Where to write the page that compares several runs.
    #[arg(long, value_name = "FILE", default_value = "comparison.html")]
    pub out: PathBuf,
}

/// Why a verb failed, for the last line on stderr and the exit status.
#[derive(Debug)]
pub enum Failure {
    /// The command line or a recipe asks for what cannot be: exit status 2.
    Usage(String),
    /// Anything else that went wrong: exit status 1.
    Error(String),
    /// Ctrl-C: exit status 130.
    Interrupted,
}

/// Makes an error that says that a flag or a recipe asks for what cannot be.
// By value, so that it can stand in `map_err`.
#[allow(clippy::needless_pass_by_value)]
pub fn usage(error: impl ToString) -> Failure {
    Failure::Usage(error.to_string())
}

/// Runs the program and gives its exit status.
pub fn run() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let parsed = command().try_get_matches_from(&arguments);
    let outcome = match parsed.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => {
            let data = match cli.verb {
                Verb::Data(_) => environment::Data::Managed,
                _ => environment::Data::Read,
            };
            environment::check(data).and_then(|()| carry_out(cli.verb, &arguments))
        }
        // clap prints help to stdout and mistakes to stderr.
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                output::attempt(|| error.print());
                Ok(())
            }
            _ => {
                let _ = error.print();
                return ExitCode::from(2);
            }
        },
    };
    // What a verb itself failed at comes first.
    let outcome =
        outcome.and_then(|()| output::check().map_err(|error| Failure::Error(error.to_string())));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Usage(message)) => {
            say(&format!("error: {message}"));
            ExitCode::from(2)
        }
        Err(Failure::Error(message)) => {
            say(&format!("error: {message}"));
            ExitCode::FAILURE
        }
        Err(Failure::Interrupted) => ExitCode::from(interrupt::EXIT_STATUS),
    }
}

fn carry_out(verb: Verb, arguments: &[OsString]) -> Result<(), Failure> {
    match verb {
        Verb::Train(args) => train_command::train(&args, command_line(arguments)),
        Verb::FindRate(args) => find_rate_command::find_rate(&args, command_line(arguments)),
        Verb::Evaluate(args) => evaluate_command::evaluate(&args),
        Verb::Report(args) => report_command::report(&args),
        Verb::Replay(args) => replay_command::replay(&args),
        Verb::Verify(args) => verify_command::verify(&args),
        Verb::CompareRegularizers(args) => {
            compare_regularizers::compare_regularizers(&args, command_line(arguments))
        }
        Verb::Experiment(args) => experiment_command::run(&args, &command_line(arguments)),
        Verb::CompareOptimizers(flags) => {
            experiment_command::compare_optimizers(&flags, &command_line(arguments))
        }
        Verb::Data(args) => data_command::data(&args, command_line(arguments)),
        Verb::VerifyKernels(args) => verify_kernels_command::verify_kernels(&args),
        Verb::Bench(args) => bench_command::bench(&args),
        Verb::BenchChild(args) => child::serve(&args),
    }
}

/// The command line's grammar, with the catalogs in the help of `train` and `find-rate`.
fn command() -> Command {
    Cli::command()
        .after_help(environment::help())
        .mut_subcommand("train", |train| {
            let sections = [train_command::catalogs(), interrupt::help(), environment::help()];
            train.after_help(sections.join("\n"))
        })
        .mut_subcommand("find-rate", |find_rate| {
            let notes = [find_rate_command::NOTES, &train_command::catalogs()].join("\n\n");
            let hidden = ["resume", "extend", "checkpoint_every"];
            hidden.into_iter().fold(find_rate.after_help(notes), |find_rate, name| {
                find_rate.mut_arg(name, |flag| flag.hide(true))
            })
        })
}

/// The command line as text, for the manifest: the program by its name only.
fn command_line(arguments: &[OsString]) -> Vec<String> {
    let rest = arguments.iter().skip(1).map(|argument| argument.to_string_lossy().into_owned());
    ["backburn".to_owned()].into_iter().chain(rest).collect()
}

/// More than any machine has cores; many more would take minutes to start.
const MOST_THREADS: usize = 1024;

/// Makes the pool of threads that everything computes in.
///
/// # Errors
///
/// If `threads` is 0 or absurdly many.
pub fn set_threads(threads: Option<usize>) -> Result<usize, Failure> {
    if let Some(found) = threads.filter(|threads| !(1..=MOST_THREADS).contains(threads)) {
        return Err(Failure::Usage(format!(
            "`--threads`: expected 1 to {MOST_THREADS}, found {found}"
        )));
    }
    let threads = threads
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get));
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
        .map_err(|error| {
            Failure::Error(format!(
                "cannot start {threads} threads: {error}; start fewer with `--threads`, or allow more of them (`ulimit -u`) and more memory (`ulimit -v`)"
            ))
        })?;
    Ok(threads)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        command().debug_assert();
    }

    #[test]
    fn help_lists_every_member_of_the_catalogs() {
        let help = command().find_subcommand_mut("train").unwrap().render_help().to_string();
        let data = backburn_data::CATALOG.iter().map(|row| row.name);
        let models = backburn_models::CATALOG.iter().map(|row| row.name);
        let augmentations = backburn_data::augment::CATALOG.iter().map(|row| row.name);
        let techniques = backburn_regularization::CATALOG.iter().map(|row| row.flag);
        for name in data.chain(models).chain(augmentations).chain(techniques.clone()) {
            assert!(help.contains(&format!("\n  {name} ")), "{name} is not in:\n{help}");
        }
        for (name, _) in interrupt::SIGNALS {
            assert!(help.contains(&format!("\n  {name} ")), "{name} is not in:\n{help}");
        }
        let own = command().render_help().to_string();
        for row in environment::CATALOG {
            let line = format!("\n  {}={} ", row.name, row.values);
            assert!(help.contains(&line) && own.contains(&line), "{} is not in help", row.name);
        }
        for flag in techniques {
            assert!(help.contains(&format!("--{flag} <")), "{flag} is no flag of train");
        }
    }

    #[test]
    fn the_manifest_names_the_program_without_its_folder() {
        let arguments = ["/opt/x/backburn", "train", "digits"].map(OsString::from);
        assert_eq!(command_line(&arguments), ["backburn", "train", "digits"]);
    }
}
