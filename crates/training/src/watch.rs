//! What is told of a training while it goes on, to whoever wants to know: a terminal, a page, a test.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use backburn_models::parameters::NamedTensor;
use backburn_records::{EpochRecord, EvaluationRecord, Manifest, Summary};

use crate::data_progress::DataProgress;
use crate::meter::EpochInProgress;
use crate::optimize::gradients::NamedGradients;
use crate::recipe::Recipe;

/// Hears what happens in a training. Nothing that it does changes a result.
pub trait Watch {
    /// Something has happened.
    fn event(&mut self, event: Event<'_>);
}

/// What happens in a training.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Data are on their way.
    Data(DataProgress<'a>),
    /// Something that must be known, however little is shown: a line of text.
    Note(&'a str),
    /// What is trained, on what, by what; a line of text.
    Detail(&'a str),
    /// A request to stop can be heeded from now on: what is trained will be saved.
    CanBeStopped,
    /// A run trains in its folder from here on: from its beginning, where its checkpoint stands, or where a rollback
    /// has put it.
    Run(RunAtWork<'a>),
    /// Training begins, or begins again after a rollback.
    Begun {
        /// Whether there are validation images.
        validates: bool,
    },
    /// An epoch begins.
    EpochBegun {
        /// Epoch, counted from 1.
        epoch: usize,
        /// Epochs of the whole training.
        epochs: usize,
        /// Batches of it that were trained before, by a process that was stopped.
        trained: usize,
        /// Batches of it.
        batches: usize,
    },
    /// Batches have been trained and their losses read back.
    Batches {
        /// Epoch, counted from 1.
        epoch: usize,
        /// How many of its batches have been trained.
        trained: usize,
        /// What came out of them.
        so_far: &'a EpochInProgress,
        /// How many of `so_far.objectives` are new since the last time.
        new: usize,
        /// Mean over the epoch's images so far of what was minimized.
        objective: f64,
        /// Learning rates of the steps that the new ones belong to, one a batch.
        learning_rates: &'a [f64],
    },
    /// The last step of an epoch is about to be taken.
    LastStep {
        /// Mean over the step's images, before it is clipped. Whoever wants its numbers reads them back.
        gradients: &'a NamedGradients,
    },
    /// An epoch has ended and been validated.
    EpochEnded {
        /// Record as it is written to `metrics.jsonl`.
        record: &'a EpochRecord,
        /// Whether its weights are kept so far.
        is_best: bool,
        /// The network's weights.
        weights: &'a dyn Weights,
    },
    /// Training has ended, however it did.
    Ended,
    /// A run's selected weights have been scored, and the scores written down.
    Scored {
        /// What `summary.json` has.
        summary: &'a Summary,
        /// What `evaluation.json` has.
        evaluation: &'a EvaluationRecord,
    },
    /// Several trainings are under way, in processes of their own.
    Trials {
        /// Those at work.
        at_work: &'a [TrialAtWork],
        /// How many have come to their end.
        done: usize,
        /// How many there are in all.
        all: usize,
    },
}

/// A run between two batches, in its folder, which is as the run's checkpoint knows it.
#[derive(Clone, Copy, Debug)]
pub struct RunAtWork<'a> {
    /// Its folder.
    pub folder: &'a Path,
    /// Where it comes from.
    pub manifest: &'a Manifest,
    /// What it is trained by, on what.
    pub setup: &'a dyn RunSetup,
    /// The epochs behind it.
    pub epochs: &'a [EpochRecord],
    /// Batches behind it of the epoch after them.
    pub batches: usize,
}

/// What a run is trained by, on what. Apart from [`Setup`](crate::setup::Setup), which stands above whatever tells of
/// itself while data and folders are made ready.
pub trait RunSetup: fmt::Debug {
    /// What is trained, and how.
    fn recipe(&self) -> &Recipe;

    /// Batches of an epoch.
    fn batches_per_epoch(&self) -> usize;

    /// What `epoch`, counted from 1, shows of the first `count` training images: channels, height and width, and the
    /// bytes of each after augmentation, before normalization and label regularizers.
    fn looks(&self, epoch: usize, count: usize) -> ([usize; 3], Vec<Vec<u8>>);
}

/// Weights that are read back from the device if somebody wants them.
pub trait Weights: fmt::Debug {
    /// Every parameter and buffer, as the next step will find it.
    fn read(&self) -> Vec<NamedTensor>;
}

/// A training in another process.
#[derive(Clone, Debug)]
pub struct TrialAtWork {
    /// What it is called among the others.
    pub name: String,
    /// Its run folder, which tells how far it is.
    pub folder: PathBuf,
    /// Epochs of the whole training.
    pub epochs: usize,
    /// When its process was started.
    pub since: Instant,
}

impl<W: Watch + ?Sized> Watch for &mut W {
    fn event(&mut self, event: Event<'_>) {
        (**self).event(event);
    }
}

/// Hears everything and tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Watch for Silent {
    fn event(&mut self, _: Event<'_>) {}
}

/// Keeps what must be known, in the order in which it was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes(pub Vec<String>);

impl Watch for Notes {
    fn event(&mut self, event: Event<'_>) {
        if let Event::Note(text) = event {
            self.0.push(text.to_owned());
        }
    }
}

/// Passes on what must be known and how far training is, and leaves out the rest: whoever trains many networks
/// tells a line a run.
pub struct Brief<'a>(pub &'a mut dyn Watch);

impl Watch for Brief<'_> {
    fn event(&mut self, event: Event<'_>) {
        let is_detail =
            matches!(event, Event::Detail(_) | Event::Begun { .. } | Event::EpochEnded { .. });
        if !is_detail {
            self.0.event(event);
        }
    }
}

/// Tells something that must be known.
pub(crate) fn note(watch: &mut dyn Watch, text: &str) {
    watch.event(Event::Note(text));
}

/// Tells a detail of what is trained.
pub(crate) fn detail(watch: &mut dyn Watch, text: &str) {
    watch.event(Event::Detail(text));
}
