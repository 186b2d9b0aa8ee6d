//! What is told of a training while it goes on, to whoever wants to know: a terminal, a page, a test.

use std::path::PathBuf;
use std::time::Instant;

use backburn_records::EpochRecord;

use crate::data_progress::DataProgress;
use crate::meter::EpochInProgress;

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
    },
    /// An epoch has ended and been validated.
    EpochEnded {
        /// Record as it is written to `metrics.jsonl`.
        record: &'a EpochRecord,
        /// Whether its weights are kept so far.
        is_best: bool,
    },
    /// Training has ended, however it did.
    Ended,
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

/// Hears everything and tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Watch for Silent {
    fn event(&mut self, _: Event<'_>) {}
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
