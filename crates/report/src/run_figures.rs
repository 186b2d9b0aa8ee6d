//! The figures of a run: those that its records allow.

use backburn_records::{ExplanationMethod, RunRecord};

use crate::figure::Drawing;
use crate::{curves, diagnosis};

/// The split that `evaluation.json` is about.
const SPLIT: &str = "test";

/// A figure with its name and what helps to read it.
#[derive(Clone, Debug)]
pub struct RunFigure {
    /// File name without its ending.
    pub name: &'static str,
    /// How to read it, in a sentence.
    pub caption: &'static str,
    /// The figure.
    pub drawing: Drawing,
}

/// Curves, if the run has epochs.
pub fn curve_figures(run: &RunRecord) -> Vec<RunFigure> {
    if run.epochs.is_empty() {
        return Vec::new();
    }
    vec![
        RunFigure {
            name: "loss",
            caption: "The objective is what was minimized, with regularizers, while learning; the \
                      validation loss is cross-entropy on clean labels after the epoch. The two \
                      need not meet.",
            drawing: curves::loss(run),
        },
        RunFigure {
            name: "accuracy",
            caption: "Training accuracy is measured while learning, on augmented images; \
                      validation accuracy after the epoch, on clean ones.",
            drawing: curves::accuracy(run),
        },
        RunFigure {
            name: "learning_rate",
            caption: "The learning rate of each epoch's last step.",
            drawing: curves::learning_rate(run),
        },
    ]
}

/// Confusion, reliability and worst mistakes, if the run was evaluated.
pub fn diagnosis_figures(run: &RunRecord) -> Vec<RunFigure> {
    let Some(evaluation) = &run.evaluation else { return Vec::new() };
    let mut figures = vec![
        RunFigure {
            name: "confusion",
            caption: "Each row is a true class, each column an answer; the diagonal is right.",
            drawing: diagnosis::confusion(evaluation, SPLIT),
        },
        RunFigure {
            name: "reliability",
            caption: "Points below the line: more confident than right. Bins with few images have \
                      long intervals and say little.",
            drawing: diagnosis::reliability(evaluation, SPLIT),
        },
    ];
    figures.extend(diagnosis::mistakes(evaluation, SPLIT).map(|drawing| RunFigure {
        name: "mistakes",
        caption: match diagnosis::method(evaluation) {
            None => "The answers that cost most cross-entropy.",
            Some(ExplanationMethod::LayerCam) => {
                "The answers that cost most cross-entropy, the worst first. Beside each, where the last feature map \
                 speaks for the answer that was given (LayerCAM): yellow most, grey not at all, \
                 each map with a scale of its own."
            }
            Some(ExplanationMethod::GradientTimesInput) => {
                "The answers that cost most cross-entropy, the worst first. Beside each, which pixels speak for the \
                 answer that was given (gradient × input): yellow most, grey not at all, each map \
                 with a scale of its own."
            }
        },
        drawing,
    }));
    figures
}
