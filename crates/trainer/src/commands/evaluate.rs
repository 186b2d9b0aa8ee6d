//! `backburn evaluate`.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::PathBuf;

use backburn_training::evaluate::of_run::{self, HowToScore, ScoredSplit};
use backburn_training::evaluate::other_sets;
use backburn_training::failure::Failure;
use backburn_training::views::Views;
use clap::{Args, ValueEnum};

use crate::output::{print_data, print_line, say};
use crate::pages::pages;
use crate::terminal::Terminal;
use crate::threads::set_threads;

/// `evaluate RUN`
#[derive(Debug, Args)]
pub struct EvaluateArgs {
    /// Folder of a finished run.
    pub run: PathBuf,
    /// The split to score on. Every access to the test split is recorded in the run's manifest.
    #[arg(long, value_enum, default_value_t = Split::Valid)]
    pub split: Split,
    /// Score on other test sets of the same classes instead: pictures in a folder for each class, or in a table
    /// `path,label`; a folder or file of CIFAR-10-C, CIFAR-100-C or CIFAR-10.1. Needs no other data; counts as one access
    /// to the test split.
    #[arg(long, value_name = "PATH")]
    #[arg(conflicts_with_all = ["split", "temperature", "tta", "mc_dropout", "top_k", "data_dir"])]
    pub on: Option<PathBuf>,
    /// Most pixels of a picture that `--on` reads; a larger one is an error. The run's own limit if not given.
    #[arg(long, value_name = "N", requires = "on")]
    pub most_pixels: Option<u64>,
    /// Also score with logits divided by the temperature that suits the validation split best.
    #[arg(long)]
    pub temperature: bool,
    /// Also score the mean over views of each image: flip, shift=PIXELS, diagonal=PIXELS, joined by commas; beside them
    /// border=reflect (what shifts uncover), least-confident=0.25 (all views of that share of the images alone that the
    /// network is least sure of), mean=logits. The recipe's, if it has some and none are named.
    #[arg(long, value_name = "VIEWS", conflicts_with = "mc_dropout")]
    pub tta: Option<Views>,
    /// Also score the mean over that many passes with dropout, 2 to 1000.
    #[arg(long, value_name = "PASSES", allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u16).range(2..=1000))]
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

/// Scores a run's selected weights.
///
/// # Errors
///
/// What stands in the way, with the cure.
pub fn evaluate(args: &EvaluateArgs) -> Result<(), Failure> {
    set_threads(args.threads)?;
    let mut watch = Terminal::new();
    if let Some(path) = &args.on {
        let backend = args.backend.as_deref();
        let most = args.most_pixels;
        let scores = other_sets::evaluate_on(&args.run, path, most, backend, pages(), &mut watch)?;
        match args.json {
            true => print_data(&other_sets::as_json(&scores).to_string()),
            false => print_line(other_sets::as_text(&scores).trim_end()),
        }
        return Ok(());
    }
    let how = HowToScore {
        split: match args.split {
            Split::Valid => ScoredSplit::Valid,
            Split::Test => ScoredSplit::Test,
        },
        temperature: args.temperature,
        views: args.tta,
        passes: args.mc_dropout.map(usize::from),
        top_k: args.top_k.map(usize::from),
        backend: args.backend.clone(),
        data_dir: args.data_dir.clone(),
    };
    let scores = of_run::evaluate(&args.run, &how, pages(), &mut watch)?;
    if !args.json {
        print_line(&scores.as_text());
        return Ok(());
    }
    if let Some(remark) = &scores.remark {
        say(&format!("note: {remark}"));
    }
    print_data(&scores.as_json().to_string());
    Ok(())
}
