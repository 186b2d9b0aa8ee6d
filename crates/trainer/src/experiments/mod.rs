//! The sources' experiments, one file each, and one row each in the [`CATALOG`].
//!
//! An experiment is a function from a [`Lab`] to [`Findings`]: it trains what it needs, by itself with
//! [`Trainee`]s or as whole runs with [`runs`], and says what came out. The lab knows what was asked for
//! on the command line; the findings are written by `experiment_command.rs`.

use backburn_report::Findings;

use crate::cli::Failure;

mod augmentation;
mod compare_depths;
mod compare_optimizers;
mod curves;
mod disturb_label;
mod l2;
mod lab;
mod label_smoothing;
mod resnet_runs;
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
        name: "disturb-label",
        title: "Training on labels that are partly wrong, anew in every batch",
        source: "004 §2",
        question: "Does a network overfit less if DisturbLabel redraws 30 % of the labels in every batch, and can its \
                   training loss be what the source prints?",
        datasets: resnet_runs::DATASETS,
        run: disturb_label::run,
    },
    Experiment {
        name: "label-smoothing",
        title: "Asking for less than certainty",
        source: "004 §3",
        question: "What does label smoothing of 0.2, in either of its two conventions, do to test accuracy, gap and \
                   calibration?",
        datasets: resnet_runs::DATASETS,
        run: label_smoothing::run,
    },
    Experiment {
        name: "augmentation",
        title: "The same training with and without augmented images",
        source: "004 ①",
        question: "Do random crops and flips of the training images narrow the gap and raise the test accuracy?",
        // A mirrored digit is another sign, or none.
        datasets: &["cifar10", "fashion-mnist"],
        run: augmentation::run,
    },
    Experiment {
        name: "l2",
        title: "Adam with L2 regularization",
        source: "004 ③",
        question: "What does weight decay of 0.001 in Adam's gradient do to the gap and the test accuracy?",
        datasets: resnet_runs::DATASETS,
        run: l2::run,
    },
    Experiment {
        name: "compare-depths",
        title: "Two depths of ResNet, with and without batch normalization, and a small CNN",
        source: "004",
        question: "How do depth and batch normalization change how far a ResNet comes, and how does a small CNN with \
                   dropout compare?",
        datasets: resnet_runs::DATASETS,
        run: compare_depths::run,
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
