//! The trials of a study that are under way, as a table at the end of the terminal.

use std::fmt::Write as _;
use std::fs;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use backburn_records::number::clock;
use backburn_training::run_folder::names::METRICS;
use backburn_training::watch::TrialAtWork;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often the table is drawn anew.
const PAUSE: Duration = Duration::from_millis(500);

/// A bar over all trials, and a line for each that is trained. Nothing where stderr is no terminal.
#[derive(Debug, Default)]
pub(crate) struct TrialTable {
    bar: Option<ProgressBar>,
    drawn: Option<Instant>,
}

impl TrialTable {
    /// Shows these trials, of which `done` of `all` are behind us.
    pub(crate) fn show(&mut self, at_work: &[TrialAtWork], done: usize, all: usize) {
        if at_work.is_empty() {
            if let Some(bar) = self.bar.take() {
                bar.finish_and_clear();
            }
            return;
        }
        if !std::io::stderr().is_terminal() || self.drawn.is_some_and(|at| at.elapsed() < PAUSE) {
            return;
        }
        self.drawn = Some(Instant::now());
        let bar = self.bar.get_or_insert_with(|| {
            let target = ProgressDrawTarget::stderr_with_hz(5);
            let bar = ProgressBar::with_draw_target(None, target);
            let style = ProgressStyle::with_template("{wide_bar:.cyan/dim} {pos}/{len}{msg}");
            bar.set_style(style.expect("the template is well formed").progress_chars("━╸─"));
            bar
        });
        bar.set_length(all as u64);
        bar.set_position(done as u64);
        bar.set_message(table(at_work));
    }

    /// Prints a line above the table.
    pub(crate) fn line(&self, print: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }
}

/// A line a trial: its name, how far it is, how long it has been at work.
fn table(at_work: &[TrialAtWork]) -> String {
    let width = at_work.iter().map(|trial| trial.name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for trial in at_work {
        // A line an epoch.
        let metrics = fs::read(trial.folder.join(METRICS)).unwrap_or_default();
        let epochs = metrics.iter().filter(|byte| **byte == b'\n').count();
        let since = clock(trial.since.elapsed().as_secs_f64());
        let _ =
            write!(text, "\n  {:<width$}  epoch {epochs}/{}  {since}", trial.name, trial.epochs);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_how_many_epochs_are_behind_a_trial() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(METRICS), "{}\n{}\n").unwrap();
        let trial = |name: &str| TrialAtWork {
            name: name.into(),
            folder: folder.path().to_owned(),
            epochs: 15,
            since: Instant::now(),
        };
        let text = table(&[trial("dropout seed 1"), trial("l2 seed 1")]);
        assert!(text.starts_with("\n  dropout seed 1  epoch 2/15"), "{text}");
        assert!(text.contains("\n  l2 seed 1       epoch 2/15"), "{text}");
    }
}
