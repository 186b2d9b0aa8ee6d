//! What is logged of a training, and when.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use backburn_records::{EpochRecord, EvaluationRecord, Summary};
use backburn_training::optimize::gradients::NamedGradients;
use backburn_training::watch::{Event, RunAtWork, Watch, Weights};

use crate::catalog::{Entry, chosen};
use crate::error::LogError;
use crate::item::{Costly, Item, Place};
use crate::logger::{Logger, Start};
use crate::picture::Picture;
use crate::scalars::{BATCH_LEARNING_RATE, BATCH_OBJECTIVE, of_epoch, of_summary};
use crate::settings::flat;
use crate::thinning::Thinning;

/// Augmented training images that are shown at the beginning.
const AUGMENTED: usize = 32;

/// Hears of a training, tells it to loggers, and to another watch.
///
/// Nothing is read back from the device that training does not read back itself, but for what a logger asks for by
/// [`Costly`].
#[derive(Debug)]
pub struct RunLog<'a> {
    inner: Inner<'a>,
    loggers: Vec<Box<dyn Logger>>,
    training: Option<LoggedTraining>,
    /// Time spent here.
    spent: Duration,
}

/// The other watch.
struct Inner<'a>(&'a mut dyn Watch);

impl std::fmt::Debug for Inner<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Watch")
    }
}

/// The training that is logged.
#[derive(Debug)]
struct LoggedTraining {
    batches_per_epoch: u64,
    thinning: Thinning,
    /// The last epoch that ended.
    epochs: usize,
    since: Instant,
}

impl LoggedTraining {
    /// The place after so many batches of an epoch, which counts from 1.
    fn place(&self, epoch: usize, trained: usize) -> Place {
        let step = (epoch.saturating_sub(1) as u64) * self.batches_per_epoch + trained as u64;
        Place { step, epoch }
    }

    fn end_of(&self, epoch: usize) -> Place {
        Place { step: epoch as u64 * self.batches_per_epoch, epoch }
    }
}

/// A watch that logs by the loggers of these names, and tells everything to `inner` too.
///
/// # Errors
///
/// If they cannot be together; see [`chosen`].
pub fn open<'a>(names: &[String], inner: &'a mut dyn Watch) -> Result<Box<dyn Watch + 'a>, String> {
    let rows = chosen(names)?;
    Ok(match rows.is_empty() {
        true => Box::new(inner),
        false => Box::new(RunLog::new(&rows, inner)),
    })
}

impl<'a> RunLog<'a> {
    /// Logs nothing before it hears of a run.
    pub fn new(rows: &[&Entry], inner: &'a mut dyn Watch) -> Self {
        let loggers = rows.iter().map(|row| row.logger()).collect();
        Self { inner: Inner(inner), loggers, training: None, spent: Duration::ZERO }
    }
}

impl Watch for RunLog<'_> {
    fn event(&mut self, event: Event<'_>) {
        let began = Instant::now();
        match event {
            Event::Run(run) => self.begin(&run),
            Event::Batches { epoch, trained, so_far, new, learning_rates, .. } => {
                let first = so_far.objectives.len().saturating_sub(new);
                let objectives = so_far.objectives.get(first..).unwrap_or_default();
                self.batches(epoch, trained.saturating_sub(new), objectives, learning_rates);
            }
            Event::LastStep { gradients } => self.gradients(gradients),
            Event::EpochEnded { record, weights, .. } => self.epoch(record, weights),
            Event::Scored { summary, evaluation } => self.scored(summary, evaluation),
            _ => {}
        }
        self.spent += began.elapsed();
        self.inner.0.event(event);
        if let (Event::Scored { .. }, Some(training)) = (event, &self.training) {
            let share = self.spent.as_secs_f64() / training.since.elapsed().as_secs_f64().max(1e-9);
            let told = format!("logging took {:.2} % of the time", 100.0 * share);
            self.inner.0.event(Event::Detail(&told));
        }
    }
}

impl RunLog<'_> {
    /// Begins the logs of a run, or resumes them, and adds what they lack.
    fn begin(&mut self, run: &RunAtWork<'_>) {
        let batches_per_epoch = run.setup.batches_per_epoch() as u64;
        let start = Start {
            folder: run.folder,
            batches_per_epoch,
            epochs: run.epochs.len() as u64,
            batches: run.batches as u64,
        };
        let all = batches_per_epoch * run.setup.recipe().epochs as u64;
        let since = self.training.as_ref().map_or_else(Instant::now, |training| training.since);
        let training = LoggedTraining {
            batches_per_epoch,
            thinning: Thinning::of(all),
            epochs: run.epochs.len(),
            since,
        };
        self.each(|logger| {
            let first_new = logger.begin(&start)?;
            if first_new == 1 {
                introduce(logger, run);
            }
            for record in run.epochs {
                let place = training.end_of(record.epoch);
                if place.step >= first_new {
                    add_scalars(logger, place, &of_epoch(record));
                }
            }
            logger.write()
        });
        self.training = Some(training);
    }

    /// Batches of `epoch` have been trained; `before` is the number of those before them.
    fn batches(&mut self, epoch: usize, before: usize, objectives: &[f64], rates: &[f64]) {
        let Some(training) = &self.training else { return };
        let mut kept = Vec::new();
        for (trained, (objective, rate)) in (before + 1..).zip(objectives.iter().zip(rates)) {
            let place = training.place(epoch, trained);
            if training.thinning.keeps(place.step) {
                kept.push((place, [(BATCH_OBJECTIVE, *objective), (BATCH_LEARNING_RATE, *rate)]));
            }
        }
        self.each(|logger| {
            kept.iter().for_each(|(place, scalars)| add_scalars(logger, *place, scalars));
            logger.write()
        });
    }

    /// The distributions of the gradients of an epoch's last step.
    fn gradients(&mut self, gradients: &NamedGradients) {
        let Some(training) = &self.training else { return };
        let place = training.end_of(training.epochs + 1);
        if self.wants(Costly::Histograms) {
            let values = gradients.clone().into_values();
            let rows =
                values.iter().map(|(name, values)| (format!("gradients/{name}"), &values[..]));
            self.histograms(place, &rows.collect::<Vec<_>>());
        }
    }

    /// An epoch has ended.
    fn epoch(&mut self, record: &EpochRecord, weights: &dyn Weights) {
        let Some(training) = &mut self.training else { return };
        training.epochs = record.epoch;
        let place = training.end_of(record.epoch);
        if self.wants(Costly::Histograms) {
            let values: Vec<(String, Vec<f64>)> = weights
                .read()
                .into_iter()
                .map(|it| {
                    (format!("weights/{}", it.name), it.values.into_iter().map(f64::from).collect())
                })
                .collect();
            let rows = values.iter().map(|(tag, values)| (tag.clone(), &values[..]));
            self.histograms(place, &rows.collect::<Vec<_>>());
        }
        self.each(|logger| {
            add_scalars(logger, place, &of_epoch(record));
            // All of it is there before the checkpoint that knows of the epoch.
            logger.write()?;
            logger.sync()
        });
    }

    /// The run is over. One step behind the last, so that whoever is killed here and scores again takes this back.
    fn scored(&mut self, summary: &Summary, evaluation: &EvaluationRecord) {
        let Some(training) = &self.training else { return };
        let end = training.end_of(summary.last_epoch);
        let place = Place { step: end.step + 1, ..end };
        let mistakes = &evaluation.mistakes;
        let shape = mistakes.first().map(|mistake| mistake.shape);
        let pixels: Vec<&[u8]> = mistakes.iter().map(|mistake| &mistake.pixels[..]).collect();
        let sheet = shape.and_then(|shape| Picture::sheet(shape, &pixels));
        let table = table_of_mistakes(evaluation);
        self.each(|logger| {
            add_scalars(logger, place, &of_summary(summary));
            if let Some(sheet) = sheet.as_ref().filter(|_| logger.wants(Costly::Pictures)) {
                logger.add(place, "worst_mistakes", &Item::Picture(sheet));
                logger.add(place, "worst_mistakes/table", &Item::Text(&table));
            }
            logger.add(place, "", &Item::Ended);
            logger.write()?;
            logger.sync()
        });
    }

    fn wants(&self, kind: Costly) -> bool {
        self.loggers.iter().any(|logger| logger.wants(kind))
    }

    fn histograms(&mut self, place: Place, rows: &[(String, &[f64])]) {
        self.each(|logger| {
            if logger.wants(Costly::Histograms) {
                rows.iter()
                    .for_each(|(tag, values)| logger.add(place, tag, &Item::Histogram(values)));
            }
            Ok(())
        });
    }

    /// Tells each logger something. One that cannot write is told about and heard of no more.
    fn each(&mut self, mut tell: impl FnMut(&mut dyn Logger) -> Result<(), LogError>) {
        let mut failed = Vec::new();
        self.loggers.retain_mut(|logger| match tell(&mut **logger) {
            Ok(()) => true,
            Err(error) => {
                failed.push(error);
                false
            }
        });
        for error in failed {
            let told = format!(
                "warning: {error}; training goes on without this log, which `--resume` takes up again"
            );
            self.inner.0.event(Event::Note(&told));
        }
    }
}

fn add_scalars(logger: &mut dyn Logger, place: Place, scalars: &[(&str, f64)]) {
    scalars.iter().for_each(|(tag, value)| logger.add(place, tag, &Item::Scalar(*value)));
}

/// What a log begins with: the settings, and what the network is shown first.
fn introduce(logger: &mut dyn Logger, run: &RunAtWork<'_>) {
    let place = Place { step: 1, epoch: 1 };
    let recipe = run.setup.recipe();
    logger.add(place, "", &Item::Settings(&flat(&recipe.determinants())));
    let config: String = recipe.to_toml().lines().fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "    {line}");
        text
    });
    logger.add(place, "config.toml", &Item::Text(&config));
    if logger.wants(Costly::Pictures) {
        let (shape, images) = run.setup.looks(1, AUGMENTED);
        let images: Vec<&[u8]> = images.iter().map(Vec::as_slice).collect();
        if let Some(sheet) = Picture::sheet(shape, &images) {
            logger.add(place, "augmented_images", &Item::Picture(&sheet));
        }
    }
}

/// The worst mistakes in the order of their pictures, as a table of Markdown.
fn table_of_mistakes(evaluation: &EvaluationRecord) -> String {
    let name = |class: usize| evaluation.class_names.get(class).map_or("?", String::as_str);
    let mut table = "| place | test image | label | answer | confidence | loss |\n\
        | --- | --- | --- | --- | --- | --- |\n"
        .to_owned();
    for (place, it) in evaluation.mistakes.iter().enumerate() {
        let (label, answer) = (name(it.label), name(it.prediction));
        let _ = writeln!(
            table,
            "| {} | {} | {label} | {answer} | {:.3} | {:.3} |",
            place + 1,
            it.index,
            it.confidence,
            it.loss
        );
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use backburn_records::sample;
    use backburn_training::watch::{Notes, Silent};

    #[test]
    fn without_names_nothing_stands_between() {
        assert!(open(&[], &mut Silent).is_ok());
        let refused = open(&["wandb".to_owned()], &mut Silent).err().unwrap();
        assert!(refused.contains("unknown logger `wandb`"), "{refused}");
    }

    #[test]
    fn a_logger_that_cannot_write_is_told_about_once_and_then_left_alone() {
        let mut notes = Notes::default();
        let mut log = RunLog::new(&chosen(&["csv".to_owned()]).unwrap(), &mut notes);
        let folder = tempfile::tempdir().unwrap();
        let taken = folder.path().join("logs");
        std::fs::write(&taken, "a file where a folder should be").unwrap();
        let start = Start { folder: folder.path(), batches_per_epoch: 1, epochs: 0, batches: 0 };
        for _ in 0..2 {
            log.each(|logger| logger.begin(&start).map(|_| ()));
        }
        let [note] = &notes.0[..] else { panic!("{:?}", notes.0) };
        assert!(
            note.starts_with("warning: ") && note.contains("logs: expected a folder"),
            "{note}"
        );
    }

    #[test]
    fn mistakes_are_told_by_their_names() {
        let evaluation = sample::evaluation();
        let table = table_of_mistakes(&evaluation);
        assert_eq!(table.lines().count(), 2 + evaluation.mistakes.len());
        let first = &evaluation.mistakes[0];
        let label = &evaluation.class_names[first.label];
        assert!(table.contains(&format!("| 1 | {} | {label} |", first.index)), "{table}");
    }
}
