//! 004 §1: ResNet-18 on CIFAR-10, the best weights against the last, and against those of a fixed threshold.

use backburn_data::SplitSize;
use backburn_data::normalization::Normalization;
use backburn_models::{LenetBnConfig, ModelConfig};
use backburn_records::statistics::Spread;
use backburn_records::{Compared, Comparison, EpochRecord, ExperimentTable, Unit, number};
use backburn_regularization::{EarlyStoppingConfig, Keep, Monitor};
use backburn_report::figure::{Axis, LineChart, Mark, Series};
use backburn_report::{ExperimentFigure, Findings};
use backburn_training::evaluate::Predictions;
use backburn_training::failure::{Failure, usage};
use backburn_training::recipe::{Recipe, built_in};

use super::curves::series;
use super::judging::{as_in_source, difference};
use super::lab::Lab;
use super::runs::{self, Arm, ArmRuns, Run, Weights, unless_smoke};
use super::settings::Settings;
use super::text::Text;

const TEXT: Text = Text(include_str!("early_stopping.md"));

/// The source's data set.
const DATASET: &str = "cifar10";
/// Epochs without improvement before training stops, in the arm that does stop.
const PATIENCE: usize = 5;
/// The source's threshold, in nats.
const THRESHOLD: f64 = 1.0;
/// Images to train on and to validate on, and epochs, in the quick preset.
const QUICK: (usize, usize, usize) = (6000, 4000, 15);
/// Threshold of the quick preset, whose validation loss does not come below 1, in the place of the source's.
const QUICK_THRESHOLD: f64 = 1.4;

/// Epochs of the source's second figure.
const FIRST: usize = 15;

/// What the source prints: test accuracy with the last weights, and with those it keeps.
const PRINTED_LAST: f64 = 0.7557;
const PRINTED_KEPT: f64 = 0.7622;
/// Where the source sees the lowest validation loss in its figure.
const PRINTED_BEST_EPOCH: f64 = 6.0;

/// One seed's runs: the same training to the end and, up to where it stops, with early stopping.
struct Course<'a> {
    to_the_end: &'a Run,
    stopped: &'a Run,
    /// Choices of the training to the end.
    choices: Choices,
    /// The test images, by weights.
    test: Answers,
}

/// Epochs, counted from 1, whose weights one may keep.
#[derive(Debug, PartialEq)]
struct Choices {
    /// The last one with a validation loss below the threshold; none if there is none.
    under_threshold: Option<usize>,
    /// The one with the lowest validation loss.
    best: usize,
    /// The last one.
    last: usize,
}

/// Answers to the test images.
struct Answers {
    /// Answers with the weights that the source's rule keeps; of no use if no epoch is below the threshold.
    source: Predictions,
    last: Predictions,
    /// Answers with the weights that early stopping keeps.
    stopped: Predictions,
    /// Answers with the weights of the lowest validation loss; none yet if none of the others are those.
    best: Option<Predictions>,
}

pub(super) fn settings(lab: &Lab) -> Result<Settings, Failure> {
    let recipe = recipe(lab)?;
    let mut all = arms(&recipe);
    all.push(lowest_loss(&recipe));
    Ok(runs::settings(&all))
}

pub(super) fn run(lab: &Lab) -> Result<Findings, Failure> {
    let recipe = recipe(lab)?;
    let arms = runs::train(lab, arms(&recipe))?;
    let mut courses = Vec::new();
    for (stopped, to_the_end) in arms[0].runs.iter().zip(&arms[1].runs) {
        courses.push(Course::new(lab, to_the_end, stopped)?);
    }
    if courses.iter().any(|course| course.best().is_none()) {
        // Early stopping stopped before it: the same training once more, which keeps it.
        let best = runs::train(lab, vec![lowest_loss(&recipe)])?;
        for (course, run) in courses.iter_mut().zip(&best[0].runs) {
            let images = run.test(lab, "weights of the lowest validation loss", "best epoch")?;
            course.test.best = Some(run.predictions(lab, Weights::Kept, &images)?);
        }
    }
    Ok(Findings {
        sentence: sentence(lab, &courses),
        setup: setup(lab, &recipe),
        reduced: reduced(lab),
        comparisons: vec![comparison(lab, &courses)],
        tables: courses
            .iter()
            .zip(&lab.seeds)
            .map(|(course, seed)| choices(lab, course, *seed))
            .collect(),
        figures: figures(lab, &arms[1], &courses),
        data: vec![runs::epochs(&arms)],
        mistakes: TEXT.list("mistakes", &[]),
        differences: TEXT.list("differences", &[("patience", PATIENCE.to_string())]),
    })
}

fn recipe(lab: &Lab) -> Result<Recipe, Failure> {
    let source = built_in("early-stopping").map_err(usage)?;
    let halves = vec![0.5; lab.data().train.shape().channels];
    let source = Recipe {
        normalization: Normalization::Given { mean: halves.clone(), std: halves },
        keep: Keep::LastUnder(threshold(lab)),
        ..source
    };
    if lab.is_paper() {
        return Ok(source);
    }
    let (train, valid, epochs) = QUICK;
    let recipe = Recipe {
        model: ModelConfig::LenetBn(LenetBnConfig { dropout: 0.0, ..LenetBnConfig::default() }),
        epochs,
        train_size: Some(SplitSize::Count(train)),
        valid_size: SplitSize::Count(valid),
        ..source
    };
    Ok(unless_smoke(lab, recipe))
}

fn threshold(lab: &Lab) -> f64 {
    if lab.is_paper() { THRESHOLD } else { QUICK_THRESHOLD }
}

fn arms(recipe: &Recipe) -> Vec<Arm> {
    let rule = EarlyStoppingConfig::Patience {
        patience: PATIENCE,
        min_delta: 0.0,
        monitor: Monitor::Loss,
        warmup: 0,
    };
    let stopped = Recipe { keep: Keep::Best, early_stopping: Some(rule), ..recipe.clone() };
    vec![
        Arm { name: "stopped early", recipe: stopped },
        Arm { name: "to the end", recipe: recipe.clone() },
    ]
}

/// The training to the end once more, for the weights that neither of the arms has kept.
fn lowest_loss(recipe: &Recipe) -> Arm {
    Arm { name: "lowest loss", recipe: Recipe { keep: Keep::Best, ..recipe.clone() } }
}

fn setup(lab: &Lab, recipe: &Recipe) -> Vec<String> {
    let network = if lab.is_paper() { "large network" } else { "small network" };
    let values = [
        ("network", TEXT.paragraph(network, &[])),
        ("learning_rate", recipe.learning_rate.to_string()),
        ("batch_size", recipe.batch_size.to_string()),
        ("epochs", recipe.epochs.to_string()),
        ("threshold", threshold(lab).to_string()),
        ("patience", PATIENCE.to_string()),
    ];
    TEXT.list("set-up", &values)
}

fn reduced(lab: &Lab) -> Vec<String> {
    if lab.is_paper() {
        return Vec::new();
    }
    let (train, valid, epochs) = QUICK;
    let values = [
        ("train", number::count(train as u64)),
        ("valid", number::count(valid as u64)),
        ("epochs", epochs.to_string()),
        ("threshold", threshold(lab).to_string()),
        ("of_source", THRESHOLD.to_string()),
    ];
    TEXT.list("reduced", &values)
}

impl<'a> Course<'a> {
    fn new(lab: &Lab, to_the_end: &'a Run, stopped: &'a Run) -> Result<Self, Failure> {
        let images = to_the_end.test(lab, "kept weights against last", "kept and last epoch")?;
        let purpose = "weights that early stopping keeps";
        let also = stopped.test(lab, purpose, "best epoch")?;
        let test = Answers {
            source: to_the_end.predictions(lab, Weights::Kept, &images)?,
            last: to_the_end.predictions(lab, Weights::Last, &images)?,
            stopped: stopped.predictions(lab, Weights::Kept, &also)?,
            best: None,
        };
        let choices = Choices::of(&losses(to_the_end), threshold(lab));
        Ok(Self { to_the_end, stopped, choices, test })
    }

    fn epoch(&self, epoch: usize) -> &EpochRecord {
        &self.to_the_end.record.epochs[epoch - 1]
    }

    /// The answers with the weights of the lowest validation loss of all; none if no training kept those.
    fn best(&self) -> Option<&Predictions> {
        let is_last = self.choices.best == self.choices.last;
        let is_stopped = self.choices.best == self.stopped.summary.best_epoch;
        let is_source = Some(self.choices.best) == self.choices.under_threshold;
        match (is_stopped, is_last, is_source) {
            (true, _, _) => Some(&self.test.stopped),
            (_, true, _) => Some(&self.test.last),
            (_, _, true) => Some(&self.test.source),
            _ => self.test.best.as_ref(),
        }
    }
}

/// Validation losses, NaN where there is none.
fn losses(run: &Run) -> Vec<f64> {
    run.record.epochs.iter().map(|epoch| epoch.valid_loss.unwrap_or(f64::NAN)).collect()
}

impl Choices {
    fn of(losses: &[f64], threshold: f64) -> Self {
        let below = |loss: &f64| *loss < threshold;
        let under_threshold = losses.iter().rposition(below).map(|place| place + 1);
        let place =
            |best: usize, place: usize| if losses[place] < losses[best] { place } else { best };
        Self { under_threshold, best: (0..losses.len()).fold(0, place) + 1, last: losses.len() }
    }
}

fn mean(courses: &[Course<'_>], value: impl Fn(&Course<'_>) -> f64) -> f64 {
    Spread::of(&courses.iter().map(value).collect::<Vec<_>>()).mean
}

/// An epoch as text; of several seeds the mean, with a decimal.
fn epoch(courses: &[Course<'_>], value: impl Fn(&Course<'_>) -> usize) -> String {
    number::short((mean(courses, |course| value(course) as f64) * 10.0).round() / 10.0)
}

fn sentence(lab: &Lab, courses: &[Course<'_>]) -> String {
    let valid_loss = |of: fn(&Choices) -> usize| {
        mean(courses, |c| c.epoch(of(&c.choices)).valid_loss.unwrap_or(f64::NAN))
    };
    let train_loss =
        |of: fn(&Choices) -> usize| mean(courses, |c| c.epoch(of(&c.choices)).train_objective);
    let (lowest, last) = (valid_loss(|c| c.best), valid_loss(|c| c.last));
    let turn = if last > lowest {
        let (before, after) = (train_loss(|c| c.best), train_loss(|c| c.last));
        let values = [
            ("epoch", epoch(courses, |c| c.choices.best)),
            ("lowest", number::loss(lowest)),
            ("last", number::loss(last)),
            ("falls", if after < before { "falls" } else { "goes" }.into()),
            ("train_lowest", number::loss(before)),
            ("train_last", number::loss(after)),
        ];
        TEXT.paragraph("turns up", &values)
    } else {
        TEXT.paragraph("does not turn up", &[])
    };
    let (kept, seeds) = (kept_by_source(courses), courses.len());
    let threshold = threshold(lab).to_string();
    let rule = if kept.len() == seeds {
        let last = |c: &Course<'_>| c.choices.under_threshold.unwrap_or(c.choices.last);
        let values = [("threshold", threshold), ("epoch", epoch(courses, last))];
        TEXT.paragraph("rule keeps", &values)
    } else {
        let where_not = match seeds {
            1 => String::new(),
            _ => format!(" with {} of {seeds} seeds", seeds - kept.len()),
        };
        let values = [("where_not", where_not), ("threshold", threshold)];
        TEXT.paragraph("rule keeps nothing", &values)
    };
    let accuracy = |of: fn(&Answers) -> &Predictions| {
        number::percent(mean(courses, |c| of(&c.test).scores().accuracy))
    };
    let loss = |of: fn(&Answers) -> &Predictions| {
        number::loss(mean(courses, |c| of(&c.test).scores().loss))
    };
    let pairs: Vec<_> = courses.iter().map(|c| (&c.test.last, &c.test.stopped)).collect();
    let accuracy_of_rule = match kept.as_slice() {
        [] => String::new(),
        kept => {
            format!("{} with those of the source's rule, ", number::percent(Spread::of(kept).mean))
        }
    };
    let values = [
        ("turn", turn),
        ("rule", rule),
        ("kept", epoch(courses, |c| c.stopped.summary.best_epoch)),
        ("stopped_after", epoch(courses, |c| c.stopped.summary.last_epoch)),
        ("epochs", courses[0].choices.last.to_string()),
        ("accuracy", accuracy(|test| &test.stopped)),
        ("accuracy_of_rule", accuracy_of_rule),
        ("last_accuracy", accuracy(|test| &test.last)),
        ("difference", difference(&pairs)),
        ("loss", loss(|test| &test.stopped)),
        ("last_loss", loss(|test| &test.last)),
    ];
    TEXT.paragraph("sentence", &values)
}

/// Test accuracies with the weights that the source's rule keeps, of the seeds with which it keeps any.
fn kept_by_source(courses: &[Course<'_>]) -> Vec<f64> {
    let keeping = courses.iter().filter(|course| course.choices.under_threshold.is_some());
    keeping.map(|course| course.test.source.scores().accuracy).collect()
}

fn comparison(lab: &Lab, courses: &[Course<'_>]) -> Comparison {
    let values = |value: fn(&Course<'_>) -> f64| courses.iter().map(value).collect();
    let kept = Compared::new(
        "test accuracy, last epoch below the threshold",
        Unit::Percent,
        kept_by_source(courses),
    )
    .printed(PRINTED_KEPT);
    let kept = match kept.ours.is_empty() {
        true => kept.not_compared("no epoch below it"),
        false => as_in_source(lab, DATASET, kept),
    };
    let rows = vec![
        Compared::new(
            "epoch of the lowest validation loss",
            Unit::Count,
            values(|c| c.choices.best as f64),
        )
        .printed(PRINTED_BEST_EPOCH)
        .not_compared("read off a figure"),
        kept,
        as_in_source(
            lab,
            DATASET,
            Compared::new(
                "test accuracy, last epoch",
                Unit::Percent,
                values(|c| c.test.last.scores().accuracy),
            )
            .printed(PRINTED_LAST),
        ),
    ];
    Comparison {
        title: "What the source prints".into(),
        note: TEXT.paragraph("comparison", &[]),
        rows,
    }
}

fn choices(lab: &Lab, course: &Course<'_>, seed: u64) -> ExperimentTable {
    let row = |name: String, epoch: Option<usize>, test: Option<&Predictions>| {
        let of =
            |value: fn(&EpochRecord) -> Option<f64>| epoch.and_then(|e| value(course.epoch(e)));
        vec![
            name,
            epoch.map_or(number::ABSENT.into(), |epoch| epoch.to_string()),
            number::loss(of(|epoch| Some(epoch.train_objective))),
            number::loss(of(|epoch| epoch.valid_loss)),
            number::bare_percent(of(|epoch| epoch.valid_accuracy)),
            number::bare_percent(test.map(|test| test.scores().accuracy)),
            number::loss(test.map(|test| test.scores().loss)),
        ]
    };
    let Course { choices, test, stopped, .. } = course;
    let rows = vec![
        row(format!("last below {} (the source)", threshold(lab)), choices.under_threshold, {
            choices.under_threshold.map(|_| &test.source)
        }),
        row("lowest validation loss".into(), Some(choices.best), course.best()),
        row("last".into(), Some(choices.last), Some(&test.last)),
        row(
            format!("early stopping, after {}", number::epochs(stopped.summary.last_epoch)),
            Some(stopped.summary.best_epoch),
            Some(&test.stopped),
        ),
    ];
    ExperimentTable {
        title: format!("Whose weights to keep, seed {seed}"),
        note: TEXT.paragraph("table of choices", &[]),
        head: [
            "choice",
            "epoch",
            "training loss",
            "validation loss",
            "validation accuracy (%)",
            "test accuracy (%)",
            "test loss",
        ]
        .map(String::from)
        .into(),
        rows,
    }
}

fn figures(lab: &Lab, arm: &ArmRuns, courses: &[Course<'_>]) -> Vec<ExperimentFigure> {
    let all = courses[0].choices.last;
    type Column = (&'static str, fn(&EpochRecord) -> Option<f64>);
    let chart = |title: &str, y: Axis, columns: [Column; 2], limit: Option<f64>, epochs: usize| {
        let xs: Vec<f64> = (1..=epochs).map(|epoch| epoch as f64).collect();
        let mut chart = LineChart::new(title, Axis::counts("epoch"), y);
        for (name, value) in columns {
            let mut curves = arm.curves(value);
            curves.iter_mut().for_each(|curve| curve.truncate(epochs));
            chart = chart.with(series(name, &xs, &curves));
        }
        if let Some(limit) = limit {
            let points = vec![(xs[0], limit), (xs[xs.len() - 1], limit)];
            chart = chart.with(Series::reference(format!("threshold {limit}"), points));
        }
        // The choices of several seeds would not be told apart.
        if let [course] = courses {
            let (_, value) = columns[1];
            let shown = named(&course.choices).into_iter().filter(|(_, epoch)| *epoch <= epochs);
            for (name, epoch) in shown {
                let y = value(course.epoch(epoch));
                chart =
                    chart.mark(Mark { x: epoch as f64, y, name: format!("{name}: epoch {epoch}") });
            }
        }
        chart.draw()
    };
    let loss: [Column; 2] = [
        ("training", |epoch| Some(epoch.train_objective)),
        ("validation", |epoch| epoch.valid_loss),
    ];
    let accuracy: [Column; 2] = [
        ("training", |epoch| Some(100.0 * epoch.train_accuracy)),
        ("validation", |epoch| epoch.valid_accuracy.map(|accuracy| 100.0 * accuracy)),
    ];
    let percent = Axis::linear("accuracy (%)").within(0.0, 100.0);
    let nats = || Axis::linear("loss (nats)");
    let limit = Some(threshold(lab));
    let mut figures = vec![
        ExperimentFigure {
            name: "loss".into(),
            caption: TEXT.paragraph("figure of losses", &[]),
            drawing: chart("Loss", nats(), loss, limit, all),
        },
        ExperimentFigure {
            name: "accuracy".into(),
            caption: TEXT.paragraph("figure of accuracies", &[]),
            drawing: chart("Accuracy", percent, accuracy, None, all),
        },
    ];
    if all > FIRST {
        let title = format!("Loss, the first {FIRST} epochs");
        let first = ExperimentFigure {
            name: "first-loss".into(),
            caption: TEXT.paragraph("figure of the first losses", &[("first", FIRST.to_string())]),
            drawing: chart(&title, nats(), loss, limit, FIRST),
        };
        figures.insert(1, first);
    }
    figures
}

/// The choices by name; of those that fall on the same epoch, one.
fn named(choices: &Choices) -> Vec<(String, usize)> {
    let mut all: Vec<(String, usize)> = Vec::new();
    let source = choices.under_threshold.map(|epoch| ("the source's rule", epoch));
    let rest = [("lowest loss", choices.best), ("last", choices.last)];
    for (name, epoch) in rest.into_iter().chain(source) {
        match all.iter_mut().find(|(_, other)| *other == epoch) {
            Some((names, _)) => *names += &format!(", {name}"),
            None => all.push((name.to_owned(), epoch)),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sources_rule_keeps_the_last_below_the_threshold_and_not_the_lowest() {
        let choices = Choices::of(&[1.3, 0.8, 0.7, 0.9, 1.1], 1.0);
        assert_eq!(choices, Choices { under_threshold: Some(4), best: 3, last: 5 });
        let choices = Choices::of(&[f64::NAN, 3.0, 3.0], 1.0);
        assert_eq!(choices.under_threshold, None);
    }

    #[test]
    fn choices_that_fall_together_share_a_mark() {
        let choices = Choices { under_threshold: Some(5), best: 3, last: 5 };
        let expected = [("lowest loss".to_owned(), 3), ("last, the source's rule".to_owned(), 5)];
        assert_eq!(named(&choices), expected);
    }
}
