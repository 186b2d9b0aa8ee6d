//! The command line: verbs, flags, exit status.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::ffi::OsString;
use std::process::ExitCode;

use backburn_records::command_name;
use backburn_training::backend::Backend;
use backburn_training::failure::Failure;
use backburn_training::image_source::cache_if_set;
use backburn_training::tuning::{self, TuningLevel};
use backburn_training::version;
use clap::error::ErrorKind;
use clap::{Command, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::commands::{
    ablate, bench, bench_child, compare, compare_regularizers, completions, data, doctor, evaluate,
    experiment, export, find_rate, label_errors, man, models, predict, replay, report, search,
    study, train, verify, verify_kernels,
};
use crate::output::{PROGRAM, say};
use crate::{environment, interrupt, out_of_memory, output, unknown_flag};

/// Trains image classifiers and measures what keeps them from memorizing.
#[derive(Debug, Parser)]
#[command(name = PROGRAM, version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
    /// How much a graphics card tries before it chooses a kernel: minimal, balanced (the default) or full. What it chose
    /// is kept for the next process.
    #[arg(long, global = true, value_name = "LEVEL", value_parser = TuningLevel::named, hide = !tunes())]
    tune: Option<TuningLevel>,
}

/// Whether the program has a backend that chooses its kernels.
fn tunes() -> bool {
    Backend::compiled().into_iter().any(|backend| !backend.computes_on_the_host())
}

/// Sets how kernels are chosen, and where they are kept; not by `doctor`, which writes nothing.
fn set_tuning(cli: &Cli) -> Result<(), Failure> {
    if let Some(level) = cli.tune {
        if !tunes() {
            return Err(Failure::Usage(
                "`--tune`: this program has no backend for graphics cards; leave it out, or build \
                 one that has by `cargo xtask … --backend wgpu`"
                    .into(),
            ));
        }
        tuning::set_level(level);
    }
    if !matches!(cli.verb, Verb::Doctor(_)) {
        tuning::usual_folder(cache_if_set().as_deref()).into_iter().for_each(tuning::keep_in);
    }
    Ok(())
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Trains a network, by a built-in recipe or your own.
    Train(Box<train::TrainArgs>),
    /// Looks for a learning rate: trains a few steps while the rate rises.
    FindRate(Box<find_rate::FindRateArgs>),
    /// Scores a finished run on its validation or test split.
    Evaluate(evaluate::EvaluateArgs),
    /// Tells what a finished run sees in pictures: files, folders, or a list on stdin.
    Predict(predict::PredictArgs),
    /// Ranks the images of a cross-validation by how likely their labels are wrong.
    LabelErrors(label_errors::LabelErrorsArgs),
    /// Writes a finished run for other programs: ONNX, PyTorch, safetensors, MLflow.
    Export(export::ExportArgs),
    /// Draws the report of a run anew, or compares several runs.
    Report(report::ReportArgs),
    /// Tells where each stopping criterion would have ended a run, without training again.
    Replay(replay::ReplayArgs),
    /// Checks whether a run folder is complete and undamaged.
    Verify(verify::VerifyArgs),
    /// Trains without and with each of several regularizers, several seeds each, and says which help.
    Ablate(Box<ablate::AblateArgs>),
    /// Trains by several recipes, several seeds each, and compares.
    Compare(Box<compare::CompareArgs>),
    /// Carries out a study from its file: any arms, many processes.
    Study(Box<study::StudyArgs>),
    /// Trains on little data without and with each regularizer, several seeds, and compares.
    CompareRegularizers(Box<compare_regularizers::CompareRegularizersArgs>),
    /// Searches for settings: trains with many values, and chooses by validation.
    Search(Box<search::SearchArgs>),
    /// Carries out one of the sources' experiments, or all of them.
    Experiment(experiment::ExperimentArgs),
    /// Trains the same network with five optimizers on the same batches, and compares.
    CompareOptimizers(experiment::ExperimentFlags),
    /// Lists models, and shows what one is made of and costs.
    Models(models::ModelsArgs),
    /// Lists, fetches and verifies data sets.
    Data(data::DataArgs),
    /// Compares a backend's losses and gradients with double precision, for every kind of network.
    VerifyKernels(verify_kernels::VerifyKernelsArgs),
    /// Measures how fast this machine trains, and compares with PyTorch.
    Bench(Box<bench::BenchArgs>),
    /// Tells what this machine and this program have to train with.
    Doctor(doctor::DoctorArgs),
    /// Prints a script that completes this command line in a shell.
    Completions(completions::CompletionsArgs),
    /// Writes pages of the manual.
    Man(man::ManArgs),
    /// Measures for `bench`, which asks over stdin.
    #[command(hide = true)]
    BenchChild(bench_child::BenchChildArgs),
}

/// The commit that this program was built from, with `-modified` behind it if its sources differed;
/// `None` if that is not known. See `build/commit.rs`.
const GIT_COMMIT: Option<&str> = option_env!("BACKBURN_COMMIT");

/// Runs the program and gives its exit status.
pub fn run() -> ExitCode {
    out_of_memory::catch();
    version::set_commit(GIT_COMMIT);
    command_name::set(output::typed());
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let parsed = command().bin_name(output::typed()).try_get_matches_from(&arguments);
    let outcome = match parsed.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => {
            let data = match cli.verb {
                Verb::Data(_) => environment::Data::Managed,
                _ => environment::Data::Read,
            };
            environment::check(data)
                .and_then(|()| set_tuning(&cli))
                .and_then(|()| carry_out(cli.verb, &arguments))
        }
        // clap prints help to stdout and errors to stderr.
        Err(mut error) => match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                output::attempt(|| error.print());
                Ok(())
            }
            _ => {
                let grammar = command().bin_name(output::typed());
                unknown_flag::say_ours(&mut error, grammar, &command_line(&arguments));
                let _ = error.print();
                return ExitCode::from(2);
            }
        },
    };
    tuning::finish().iter().for_each(|problem| say(&format!("note: {problem}")));
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
        Verb::Train(args) => train::train(&args, command_line(arguments)),
        Verb::FindRate(args) => find_rate::find_rate(&args, command_line(arguments)),
        Verb::Evaluate(args) => evaluate::evaluate(&args),
        Verb::Predict(args) => predict::predict(&args, command_line(arguments)),
        Verb::LabelErrors(args) => label_errors::run(&args, command_line(arguments)),
        Verb::Report(args) => report::report(&args),
        Verb::Replay(args) => replay::replay(&args),
        Verb::Export(args) => export::export(&args),
        Verb::Verify(args) => verify::verify(&args),
        Verb::Ablate(args) => ablate::ablate(&args, command_line(arguments)),
        Verb::Compare(args) => compare::compare(&args, command_line(arguments)),
        Verb::Study(args) => study::study(&args, command_line(arguments)),
        Verb::CompareRegularizers(args) => {
            compare_regularizers::compare_regularizers(&args, command_line(arguments))
        }
        Verb::Search(args) => search::search(&args, command_line(arguments)),
        Verb::Experiment(args) => experiment::run(&args, &command_line(arguments)),
        Verb::CompareOptimizers(flags) => {
            experiment::compare_optimizers(&flags, &command_line(arguments))
        }
        Verb::Models(args) => models::models(&args),
        Verb::Data(args) => data::data(&args, command_line(arguments)),
        Verb::VerifyKernels(args) => verify_kernels::verify_kernels(&args),
        Verb::Bench(args) => bench::bench(&args),
        Verb::Doctor(args) => doctor::doctor(&args),
        Verb::Completions(args) => {
            completions::completions(&args, command(), PROGRAM);
            Ok(())
        }
        Verb::Man(args) => man::man(&args, command(), PROGRAM),
        Verb::BenchChild(args) => bench_child::serve(&args),
    }
}

/// The command line's grammar, with the catalogs in the help of `train`, `find-rate` and `search`.
pub(crate) fn command() -> Command {
    Cli::command()
        .after_help(environment::help())
        .mut_subcommand("train", |train| {
            let sections = [train::catalogs(), interrupt::help(), environment::help()];
            train.after_help(sections.join("\n"))
        })
        .mut_subcommand("export", |it| it.after_help(export::notes()))
        .mut_subcommand("find-rate", |find_rate| {
            let notes = [find_rate::NOTES, &train::catalogs()].join("\n\n");
            let hidden = ["resume", "extend", "checkpoint_every", "log", "folds", "seeds"];
            hidden.into_iter().fold(find_rate.after_help(notes), |find_rate, name| {
                find_rate.mut_arg(name, |flag| flag.hide(true))
            })
        })
        .mut_subcommand("ablate", |ablate| {
            let hidden = ["resume", "extend", "checkpoint_every", "log", "folds", "verify_kernels"];
            hidden.into_iter().fold(ablate.after_help(train::catalogs()), |ablate, name| {
                ablate.mut_arg(name, |flag| flag.hide(true))
            })
        })
        .mut_subcommand("search", |search| {
            let notes = [search::notes(), train::catalogs()].join("\n");
            let hidden = ["resume", "extend", "folds"];
            hidden.into_iter().fold(search.after_help(notes), |search, name| {
                search.mut_arg(name, |flag| flag.hide(true))
            })
        })
}

/// The command line as text, for the manifest: the program by its name only.
fn command_line(arguments: &[OsString]) -> Vec<String> {
    let rest = arguments.iter().skip(1).map(|argument| argument.to_string_lossy().into_owned());
    ["backburn".to_owned()].into_iter().chain(rest).collect()
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
        for row in backburn_logs::CATALOG {
            assert!(help.contains(row.name), "{} is not in:\n{help}", row.name);
        }
        for (name, _) in interrupt::SIGNALS {
            assert!(help.contains(&format!("\n  {name} ")), "{name} is not in:\n{help}");
        }
        let own = command().render_help().to_string();
        for row in environment::for_people() {
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
