//! What a person at a terminal sees of a training.

use std::collections::HashSet;
use std::io::IsTerminal;

use backburn_records::EpochRecord;
use backburn_records::number::clock;
use backburn_training::meter::EpochInProgress;
use backburn_training::watch::{Event, Watch};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::data_bar::DataBar;
use crate::interrupt;
use crate::output::say;
use crate::trial_table::TrialTable;

/// Tells on stderr how a training goes: a bar and a line an epoch on a terminal, plain lines elsewhere.
#[derive(Debug)]
pub struct Terminal {
    data: DataBar,
    trials: TrialTable,
    bar: Option<ProgressBar>,
    /// The notes that were told.
    noted: HashSet<String>,
    epochs: usize,
    /// On a narrow terminal the table leaves its least important columns out.
    is_narrow: bool,
}

/// Columns of the table of epochs.
const TABLE_WIDTH: u16 = 78;

impl Default for Terminal {
    fn default() -> Self {
        Self::new()
    }
}

impl Watch for Terminal {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Data(progress) => self.data.show(progress),
            // Runs of one command often have the same to note.
            Event::Note(text) if text.starts_with("note: ") && !self.noted.insert(text.into()) => {}
            Event::Note(text) => self.trials.line(|| say(text)),
            Event::Detail(text) => self.line(text),
            Event::CanBeStopped => interrupt::catch(),
            Event::Begun { validates } => self.begin(validates),
            Event::EpochBegun { epoch, epochs, trained, batches } => {
                self.epochs = epochs;
                self.begin_epoch(epoch, trained, batches);
            }
            Event::Batches { epoch, trained, so_far, objective, .. } => {
                self.update(epoch, trained, so_far, objective);
            }
            Event::EpochEnded { record, is_best, .. } => self.end_epoch(record, is_best),
            Event::Trials { at_work, done, all } => self.trials.show(at_work, done, all),
            Event::Ended => {
                if let Some(bar) = self.bar.take() {
                    bar.finish_and_clear();
                }
            }
            _ => {}
        }
    }
}

impl Terminal {
    /// Tells nothing yet.
    pub fn new() -> Self {
        let width = terminal_size::terminal_size_of(std::io::stderr());
        let is_narrow = width.is_some_and(|(width, _)| width.0 < TABLE_WIDTH);
        let (data, trials) = (DataBar::default(), TrialTable::default());
        Self { data, trials, bar: None, noted: HashSet::new(), epochs: 1, is_narrow }
    }

    /// Prints the head of the table of epochs.
    fn begin(&self, validates: bool) {
        let valid = if validates { "  valid loss  valid %" } else { "" };
        let speed = if self.is_narrow { "" } else { "      rate  images/s" };
        self.line(&format!("  epoch  objective  train %{valid} {speed}    time"));
    }

    /// An epoch of `batches` batches begins; `done` of them are behind us.
    fn begin_epoch(&mut self, epoch: usize, done: usize, batches: usize) {
        if self.bar.is_none() && std::io::stderr().is_terminal() {
            let target = ProgressDrawTarget::stderr_with_hz(5);
            self.bar = Some(ProgressBar::with_draw_target(None, target));
        }
        let Some(bar) = &self.bar else { return };
        bar.reset();
        bar.set_length(batches as u64);
        bar.set_position(done as u64);
        bar.set_style(style());
        bar.set_prefix(format!("{epoch}/{}", self.epochs));
        bar.set_message("");
    }

    /// The epoch has come to `batches` batches, with these results so far. `objective`: the mean of what was
    /// minimized.
    fn update(&self, epoch: usize, batches: usize, so_far: &EpochInProgress, objective: f64) {
        let Some(bar) = &self.bar else { return };
        bar.set_position(batches as u64);
        let all = bar.length().unwrap_or(1).max(1) as f64;
        let epochs_left = self.epochs as f64 - epoch as f64 + 1.0 - batches as f64 / all;
        let left = so_far.seconds / batches.max(1) as f64 * all * epochs_left;
        bar.set_message(format!(
            "loss {:.4}  acc {:.2} %  {:.0} img/s  {} left",
            objective,
            100.0 * so_far.accuracy(),
            so_far.speed(),
            clock(left),
        ));
    }

    /// Prints the line of an epoch.
    fn end_epoch(&self, record: &EpochRecord, is_best: bool) {
        let valid = match (record.valid_loss, record.valid_accuracy) {
            (Some(loss), Some(accuracy)) => format!("  {loss:>10.4}  {:>7.2}", 100.0 * accuracy),
            _ => String::new(),
        };
        let speed = if self.is_narrow {
            String::new()
        } else {
            format!(" {:>9.3e}  {:>8.0}", record.learning_rate, record.images_per_second)
        };
        self.line(&format!(
            "{:>7}  {:>9.4}  {:>7.2}{valid}{}{speed}  {:>6}",
            format!("{}/{}", record.epoch, self.epochs),
            record.train_objective,
            100.0 * record.train_accuracy,
            if is_best { "*" } else { " " },
            clock(record.seconds),
        ));
    }

    /// Prints a line above the bar.
    fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| say(text)),
            None => say(text),
        }
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{prefix} {wide_bar:.cyan/dim} {percent:>3}% {msg}")
        .expect("the template is well formed")
        .progress_chars("━╸─")
}
