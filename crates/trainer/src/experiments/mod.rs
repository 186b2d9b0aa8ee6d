//! The sources' experiments, one file each, and one row each in the [`CATALOG`].
//!
//! An experiment is a function from a [`Lab`] to [`Findings`]: it trains what it needs, by itself with
//! [`Trainee`]s or as whole runs with [`runs`], and says what came out. The lab knows what was asked for
//! on the command line; the findings are written by `experiment_command.rs`.

use backburn_report::Findings;

use crate::cli::Failure;

mod compare_optimizers;
mod curves;
mod disturb_value;
mod dropout_expectation;
mod lab;
mod optimizer_paths;
mod runs;
mod tables;
mod trainee;
mod weight_init;

pub(crate) use lab::{Lab, Options, Preset};

/// An experiment of the sources.
#[derive(Debug)]
pub(crate) struct Experiment {
    /// As on the command line.
    pub(crate) name: &'static str,
    /// What it shows, as a heading.
    pub(crate) title: &'static str,
    /// Where it is described, such as `003 §6.1`.
    pub(crate) source: &'static str,
    /// What it asks, in a sentence or two.
    pub(crate) question: &'static str,
    /// Data sets that it can use, the source's first; none if it needs no images.
    pub(crate) datasets: &'static [&'static str],
    /// Carries it out.
    pub(crate) run: fn(&Lab) -> Result<Findings, Failure>,
}

/// Data sets of black-and-white images.
const GREY: &[&str] = &["mnist", "fashion-mnist", "digits"];

/// Every experiment, one row each, in the order of the sources.
pub(crate) static CATALOG: &[Experiment] = &[
    Experiment {
        name: "compare-optimizers",
        title: "Five optimizers on the same batches",
        source: "003 §6.1",
        question: "How fast do SGD, Momentum, AdaGrad, RMSProp and Adam lower the training loss of the same network \
                   on the same batches, from the same initial weights?",
        datasets: GREY,
        run: compare_optimizers::run,
    },
    Experiment {
        name: "optimizer-paths",
        title: "The zigzag of SGD",
        source: "003 §6.1",
        question: "Which ways do the optimizers take down a valley that is steep across and flat along, \
                   f = x²/20 + y²?",
        datasets: &[],
        run: optimizer_paths::run,
    },
    Experiment {
        name: "weight-init",
        title: "Activations under different initial weights",
        source: "003 §6.2",
        question: "How are the activations of five layers distributed before the first step, and what gradients do \
                   they leave, under five scales of the initial weights and with three activation functions?",
        datasets: &[],
        run: weight_init::run,
    },
    Experiment {
        name: "dropout-expectation",
        title: "Dropout in expectation",
        source: "002",
        question: "Is what a network says in evaluation the mean of what it says with dropout, for one linear layer and \
                   with a ReLU behind it? And does it matter whether one scales in training or in evaluation?",
        datasets: &[],
        run: dropout_expectation::run,
    },
    Experiment {
        name: "disturb-value",
        title: "Disturbed targets in regression",
        source: "004 ⑥",
        question: "Does noise on a share of the targets, drawn anew for every batch, keep a regression from \
                   overfitting?",
        datasets: &[],
        run: disturb_value::run,
    },
];

/// The experiment of that name.
///
/// # Errors
///
/// If there is none, with the names of those there are.
pub(crate) fn experiment(name: &str) -> Result<&'static Experiment, Failure> {
    CATALOG.iter().find(|experiment| experiment.name == name).ok_or_else(|| {
        let known: Vec<&str> = CATALOG.iter().map(|experiment| experiment.name).collect();
        Failure::Usage(format!("unknown experiment `{name}`; known: all, {}", known.join(", ")))
    })
}
