//! What a person sees while a network trains.

use std::io::IsTerminal;
use std::time::Duration;

use backburn_report::EpochRecord;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Progress on stderr: a bar and a line an epoch on a terminal, plain lines elsewhere.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    epochs: usize,
    validates: bool,
}

impl Progress {
    /// For a training of `epochs` epochs.
    pub fn new(epochs: usize, validates: bool) -> Self {
        let bar = std::io::stderr()
            .is_terminal()
            .then(|| ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(5)));
        Self { bar, epochs, validates }
    }

    /// Prints the head of the table of epochs.
    pub fn start(&self) {
        let valid = if self.validates { "  valid loss    acc" } else { "" };
        self.line(&format!("epoch    objective  train acc{valid}  learning rate  images/s   time"));
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

    /// The epoch has come to `batches` batches, with these means so far.
    pub fn update(&self, batches: usize, objective: f64, accuracy: f64, images_per_second: f64) {
        let Some(bar) = &self.bar else { return };
        bar.set_position(batches as u64);
        bar.set_message(format!(
            "loss {objective:.4}  acc {:.2} %  {images_per_second:.0} img/s",
            100.0 * accuracy
        ));
    }

    /// Prints the line of an epoch.
    pub fn end_epoch(&self, record: &EpochRecord, is_best: bool) {
        let valid = match (record.valid_loss, record.valid_accuracy) {
            (Some(loss), Some(accuracy)) => format!("  {loss:>10.4}  {:>5.2}", 100.0 * accuracy),
            _ => String::new(),
        };
        self.line(&format!(
            "{:>7}  {:>9.4}      {:>5.2}{valid}{}     {:>10.3e}  {:>8.0}  {:>5}",
            format!("{}/{}", record.epoch, self.epochs),
            record.train_objective,
            100.0 * record.train_accuracy,
            if is_best { "*" } else { " " },
            record.learning_rate,
            record.images_per_second,
            clock(record.seconds),
        ));
    }

    /// Prints a line above the bar.
    pub fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{text}")),
            None => eprintln!("{text}"),
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{prefix} {wide_bar:.cyan/dim} {percent:>3}% {msg}  {eta} left")
        .expect("the template is well formed")
        .progress_chars("━╸─")
}

/// Seconds as a person reads them: `0.4 s`, `59 s`, `12:03`, `1:02:03`.
pub fn clock(seconds: f64) -> String {
    if seconds < 10.0 {
        return format!("{seconds:.1} s");
    }
    let whole = Duration::from_secs_f64(seconds.min(1e9)).as_secs_f64().round() as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m}:{s:02}"),
        (h, m, s) => format!("{h}:{m:02}:{s:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_as_people_read_them() {
        let shown = [0.42, 59.0, 723.0, 3723.4].map(clock);
        assert_eq!(shown, ["0.4 s", "59 s", "12:03", "1:02:03"]);
    }
}
