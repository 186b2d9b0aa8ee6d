//! What there is to log, in words that every logger understands.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::picture::Picture;

/// Where in a training something belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Batches trained since the run's beginning, this one included: 1 for the first. One axis for everything, so that
    /// what a resumed run trains again is what lies behind one number.
    pub step: u64,
    /// Epoch, counted from 1; 0 before training.
    pub epoch: usize,
}

/// Something to log under a tag such as `epoch/valid_loss`.
#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    /// A number, finite or not.
    Scalar(f64),
    /// Numbers of which their distribution is of interest.
    Histogram(&'a [f64]),
    /// A picture.
    Picture(&'a Picture),
    /// Text in Markdown.
    Text(&'a str),
    /// The settings that the weights depend on, by their dotted names.
    Settings(&'a BTreeMap<String, Value>),
    /// The training has come to its end and been scored.
    Ended,
}

/// Kinds of items that are costly to come by, so that loggers are asked first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Costly {
    /// Weights and gradients, read back from the device once an epoch.
    Histograms,
    /// Augmented images and mistakes.
    Pictures,
}
