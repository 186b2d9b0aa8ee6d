//! What a person sees while a network trains.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use backburn_report::EpochRecord;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use backburn_training::train::EpochInProgress;

/// How much is said about a training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// What is trained, and a line an epoch.
    Full,
    /// Nothing but the bar: whoever trains many networks says a line a run.
    Brief,
}

/// Progress on stderr: a bar and a line an epoch on a terminal, plain lines elsewhere.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    epochs: usize,
    validates: bool,
    detail: Detail,
    /// On a narrow terminal the table leaves its least important columns out.
    is_narrow: bool,
}

/// Columns of the table of epochs.
const TABLE_WIDTH: u16 = 78;

impl Progress {
    /// For a training of `epochs` epochs.
    pub fn new(epochs: usize, validates: bool, detail: Detail) -> Self {
        let bar = std::io::stderr()
            .is_terminal()
            .then(|| ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(5)));
        let width = terminal_size::terminal_size_of(std::io::stderr());
        let is_narrow = width.is_some_and(|(width, _)| width.0 < TABLE_WIDTH);
        Self { bar, epochs, validates, detail, is_narrow }
    }

    /// Prints the head of the table of epochs.
    pub fn start(&self) {
        let valid = if self.validates { "  valid loss  valid %" } else { "" };
        let speed = if self.is_narrow { "" } else { "      rate  images/s" };
        self.line(&format!("  epoch  objective  train %{valid} {speed}    time"));
    }

    /// An epoch of `batches` batches begins; `done` of them are behind us.
    pub fn start_epoch(&self, epoch: usize, done: usize, batches: usize) {
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
    pub fn update(&self, epoch: usize, batches: usize, so_far: &EpochInProgress, objective: f64) {
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
    pub fn end_epoch(&self, record: &EpochRecord, is_best: bool) {
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
    pub fn line(&self, text: &str) {
        if self.detail == Detail::Brief {
            return;
        }
        match &self.bar {
            Some(bar) => bar.suspend(|| say(text)),
            None => say(text),
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Prints a line on stderr. That nobody reads it (`2>&1 | head`) is no reason to stop training.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{prefix} {wide_bar:.cyan/dim} {percent:>3}% {msg}")
        .expect("the template is well formed")
        .progress_chars("━╸─")
}
