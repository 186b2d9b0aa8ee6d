//! The sources' experiments, one file each, and one row each in the [`CATALOG`].
//!
//! An experiment is a function from a [`Lab`] to [`Findings`]: it trains what it needs, by itself with
//! [`Trainee`]s or as whole runs with [`runs`], and says what came out. The lab knows what was asked for
//! on the command line; the findings are written by `experiment_command.rs`.

use backburn_report::Findings;

use crate::cli::Failure;

mod cifar10_dropout;
mod compare_optimizers;
mod curves;
mod early_stopping;
mod judging;
mod lab;
mod mnist_dropout;
mod runs;
mod trainee;

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
/// Every data set, that of the sources' convolutional networks first.
const PHOTOGRAPHS: &[&str] = &["cifar10", "mnist", "fashion-mnist", "digits"];

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
        name: "mnist-dropout",
        title: "Dropout in a five-layer network on MNIST",
        source: "000",
        question: "How far does a five-layer network with dropout 0.3 get on MNIST in 15 epochs, and what does it say of \
                   one test image?",
        datasets: GREY,
        run: mnist_dropout::run,
    },
    Experiment {
        name: "cifar10-dropout",
        title: "A CNN on CIFAR-10: plain, with L2, with dropout",
        source: "001",
        question: "How far do L2 and dropout keep a convolutional network from overfitting CIFAR-10?",
        datasets: PHOTOGRAPHS,
        run: cifar10_dropout::run,
    },
    Experiment {
        name: "early-stopping",
        title: "Early stopping: the best weights against the last",
        source: "004 §1",
        question: "How do the weights of the epoch with the lowest validation loss compare with the last ones, and with \
                   those that a fixed threshold selects?",
        datasets: PHOTOGRAPHS,
        run: early_stopping::run,
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
