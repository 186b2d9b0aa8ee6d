//! The sources' experiments, one file each, and one row each in the [`CATALOG`].
//!
//! An experiment is a function from a [`Lab`] to [`Findings`]: it trains what it needs, by itself with
//! `Trainee`s or as whole runs with `runs.rs`, and says what came out. The lab knows what was asked for; a
//! [`request::Request`] makes one, and writes the findings.

use backburn_data::nearest::did_you_mean;
use backburn_report::Findings;
use backburn_training::failure::Failure;

mod augmentation;
mod batch_norm;
mod bias_variance;
mod capacity_and_data;
mod cifar10_dropout;
mod compare_depths;
mod compare_optimizers;
mod curves;
mod decomposition;
mod disturb_label;
mod disturb_value;
mod dropout;
mod dropout_expectation;
mod early_stopping;
mod ensemble;
mod few_images;
mod five_layers;
mod hyperparameter_search;
mod images;
mod judging;
mod l2;
pub mod lab;
mod label_smoothing;
mod matrix_rank;
mod mnist_dropout;
mod optimizer_paths;
mod overfitting;
mod random_against_grid;
mod random_search;
mod regression;
pub mod request;
mod resnet_runs;
mod runs;
pub mod settings;
mod tables;
mod text;
mod trainee;
mod weight_decay;
mod weight_init;

pub use lab::{Lab, Options, Preset};
pub use settings::Settings;

/// An experiment of the sources.
#[derive(Debug)]
pub struct Experiment {
    /// Name on the command line.
    pub name: &'static str,
    /// What it shows, as a heading.
    pub title: &'static str,
    /// Where it is described, such as `003 §6.1`.
    pub source: &'static str,
    /// What it asks, in a sentence or two.
    pub question: &'static str,
    /// Data sets that it can use, the source's first; none if it needs no images.
    pub datasets: &'static [&'static str],
    /// What it trains, setting by setting, without training anything.
    pub settings: fn(&Lab) -> Result<Settings, Failure>,
    /// Carries it out; use [`Experiment::carry_out`].
    pub(crate) run: fn(&Lab) -> Result<Findings, Failure>,
}

impl Experiment {
    /// Carries it out with the settings that [`settings`](Self::settings) gives.
    ///
    /// # Errors
    ///
    /// If something in it fails, or it is asked to stop.
    ///
    /// # Panics
    ///
    /// If it needs images, and the lab has none.
    pub fn carry_out(&self, lab: &Lab) -> Result<Findings, Failure> {
        let mut findings = (self.run)(lab)?;
        if lab.preset == Preset::Smoke {
            findings.reduced = vec![TRIED_OUT.into()];
        }
        Ok(findings)
    }
}

/// What the preset `smoke` reduces.
const TRIED_OUT: &str = "Next to everything: so few images and steps only show that the experiment \
    comes to its end. Its numbers mean nothing.";

/// Data sets of black-and-white images.
const GREY: &[&str] = &["mnist", "fashion-mnist", "digits"];
/// Every data set, that of the sources' convolutional networks first.
const PHOTOGRAPHS: &[&str] = &["cifar10", "mnist", "fashion-mnist", "digits"];

/// Every experiment, one row each, in the order of the sources.
pub static CATALOG: &[Experiment] = &[
    Experiment {
        name: "compare-optimizers",
        title: "Five optimizers on the same batches",
        source: "003 §6.1",
        question: "How fast do SGD, Momentum, AdaGrad, RMSProp and Adam lower the training loss of \
            the same network on the same batches, from the same initial weights?",
        datasets: GREY,
        settings: compare_optimizers::settings,
        run: compare_optimizers::run,
    },
    Experiment {
        name: "optimizer-paths",
        title: "The zigzag of SGD",
        source: "003 §6.1",
        question: "Which ways do the optimizers take down a valley that is steep across and flat \
            along, f = x²/20 + y²?",
        datasets: &[],
        settings: optimizer_paths::settings,
        run: optimizer_paths::run,
    },
    Experiment {
        name: "weight-init",
        title: "Activations under different initial weights",
        source: "003 §6.2",
        question: "How are the activations of five layers distributed before the first step, and \
            what gradients do they leave, under five scales of the initial weights and with three \
            activation functions?",
        datasets: &[],
        settings: weight_init::settings,
        run: weight_init::run,
    },
    Experiment {
        name: "batch-norm",
        title: "Batch normalization at sixteen scales of initial weights",
        source: "003 §6.3",
        question: "Does batch normalization make learning faster, less dependent on initial \
            weights, and less prone to overfitting?",
        datasets: GREY,
        settings: batch_norm::settings,
        run: batch_norm::run,
    },
    Experiment {
        name: "weight-decay",
        title: "Weight decay on 300 images",
        source: "003 §6.4",
        question: "A network that learns 300 images by heart: does weight decay narrow the gap \
            between training and test accuracy, and does it help the test accuracy?",
        datasets: GREY,
        settings: weight_decay::settings,
        run: weight_decay::run,
    },
    Experiment {
        name: "dropout",
        title: "Dropout on 300 images, and a sweep over its rate",
        source: "003 §6.4, 002",
        question: "The same 300 images with dropout: does it narrow the gap, does it help the test \
            accuracy, and which rates are too low or too high?",
        datasets: GREY,
        settings: dropout::settings,
        run: dropout::run,
    },
    Experiment {
        name: "ensemble",
        title: "Several networks, averaged",
        source: "003 §6.4, 002",
        question: "How much better than one network is the mean of several that were trained \
            apart, and does dropout give the same within a single one?",
        datasets: GREY,
        settings: ensemble::settings,
        run: ensemble::run,
    },
    Experiment {
        name: "hyperparameter-search",
        title: "Random search for learning rate and weight decay",
        source: "003 §6.5",
        question: "Which learning rates and weight decays does a random search in log space find \
            on a validation split, and does it find better ones than a grid of as many trials?",
        datasets: GREY,
        settings: hyperparameter_search::settings,
        run: hyperparameter_search::run,
    },
    Experiment {
        name: "mnist-dropout",
        title: "Dropout in a five-layer network on MNIST",
        source: "000",
        question: "How far does a five-layer network with dropout 0.3 get on MNIST in 15 epochs, \
            and what does it predict for one test image?",
        datasets: GREY,
        settings: mnist_dropout::settings,
        run: mnist_dropout::run,
    },
    Experiment {
        name: "cifar10-dropout",
        title: "A CNN on CIFAR-10: plain, with L2, with dropout",
        source: "001",
        question: "How far do L2 and dropout keep a convolutional network from overfitting \
            CIFAR-10?",
        datasets: PHOTOGRAPHS,
        settings: cifar10_dropout::settings,
        run: cifar10_dropout::run,
    },
    Experiment {
        name: "dropout-expectation",
        title: "Dropout in expectation",
        source: "002",
        question: "Is what a network predicts in evaluation the mean of what it predicts with \
            dropout, for one linear layer and with a ReLU behind it? And does it matter whether \
            one scales in training or in evaluation?",
        datasets: &[],
        settings: dropout_expectation::settings,
        run: dropout_expectation::run,
    },
    Experiment {
        name: "bias-variance",
        title: "What dropout does to bias and variance",
        source: "002",
        question: "Does dropout raise bias a little and lower variance a lot, as the source says?",
        datasets: GREY,
        settings: bias_variance::settings,
        run: bias_variance::run,
    },
    Experiment {
        name: "early-stopping",
        title: "Early stopping: the best weights against the last",
        source: "004 §1",
        question: "How do the weights of the epoch with the lowest validation loss compare with \
            the last ones, and with those that a fixed threshold selects?",
        datasets: PHOTOGRAPHS,
        settings: early_stopping::settings,
        run: early_stopping::run,
    },
    Experiment {
        name: "disturb-label",
        title: "Training on labels that are partly wrong, anew in every batch",
        source: "004 §2",
        question: "Does a network overfit less if DisturbLabel redraws 30 % of the labels in every \
            batch, and can its training loss be what the source prints?",
        datasets: resnet_runs::DATASETS,
        settings: disturb_label::settings,
        run: disturb_label::run,
    },
    Experiment {
        name: "disturb-value",
        title: "Disturbed targets in regression",
        source: "004 ⑥",
        question: "Does noise on a share of the targets, drawn anew for every batch, keep a \
            regression from overfitting?",
        datasets: &[],
        settings: disturb_value::settings,
        run: disturb_value::run,
    },
    Experiment {
        name: "label-smoothing",
        title: "Asking for less than certainty",
        source: "004 §3",
        question: "What does label smoothing of 0.2, in either of its two conventions, do to test \
            accuracy, gap and calibration?",
        datasets: resnet_runs::DATASETS,
        settings: label_smoothing::settings,
        run: label_smoothing::run,
    },
    Experiment {
        name: "augmentation",
        title: "The same training with and without augmented images",
        source: "004 ①",
        question: "Do random crops and flips of the training images narrow the gap and raise the \
            test accuracy?",
        // A mirrored digit is another sign, or none.
        datasets: &["cifar10", "fashion-mnist"],
        settings: augmentation::settings,
        run: augmentation::run,
    },
    Experiment {
        name: "l2",
        title: "Adam with L2 regularization",
        source: "004 ③",
        question: "What does weight decay of 0.001 in Adam's gradient do to the gap and the test \
            accuracy?",
        datasets: resnet_runs::DATASETS,
        settings: l2::settings,
        run: l2::run,
    },
    Experiment {
        name: "compare-depths",
        title: "Two depths of ResNet, with and without batch normalization, and a small CNN",
        source: "004",
        question: "How do depth and batch normalization change how far a ResNet comes, and how \
            does a small CNN with dropout compare?",
        datasets: resnet_runs::DATASETS,
        settings: compare_depths::settings,
        run: compare_depths::run,
    },
    Experiment {
        name: "capacity-and-data",
        title: "The two causes of overfitting",
        source: "003 §6.4",
        question: "How does the gap between training and test accuracy depend on the width of the \
            network and on the number of training samples?",
        datasets: GREY,
        settings: capacity_and_data::settings,
        run: capacity_and_data::run,
    },
];

/// The experiment of that name.
///
/// # Errors
///
/// If there is none, with the names of those there are.
pub fn experiment(name: &str) -> Result<&'static Experiment, Failure> {
    CATALOG.iter().find(|experiment| experiment.name == name).ok_or_else(|| {
        let known: Vec<&str> = CATALOG.iter().map(|experiment| experiment.name).collect();
        let meant = did_you_mean(name, known.iter().copied());
        let known = known.join(", ");
        Failure::Usage(format!("unknown experiment `{name}`{meant}; known: all, {known}"))
    })
}
