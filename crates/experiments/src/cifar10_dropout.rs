//! 001: a CNN on CIFAR-10, plain, with L2 and with dropout.

use backburn_data::SplitSize;
use backburn_models::ModelConfig;
use backburn_records::statistics::Spread;
use backburn_records::{
    Compared, Comparison, EpochRecord, ExperimentTable, Reference, Unit, number,
};
use backburn_regularization::{Keep, WeightDecay};
use backburn_report::figure::{Axis, Drawing, LineChart, Mark, Series};
use backburn_report::{ExperimentFigure, Findings};
use backburn_training::evaluate::Predictions;
use backburn_training::failure::{Failure, usage};
use backburn_training::recipe::{Recipe, built_in};

use super::curves::series;
use super::judging::{as_in_source, difference};
use super::lab::Lab;
use super::runs::{self, Arm, ArmRuns, Weights, unless_smoke};
use super::settings::Settings;
use super::text::Text;

const TEXT: Text = Text(include_str!("cifar10_dropout.md"));

/// The source's data set.
const DATASET: &str = "cifar10";
/// λ of the arm with L2, our choice: the penalty `½ λ ‖w‖²` is what Keras writes as `l2(0.001)`, the strength
/// that its guides use.
const L2: f64 = 0.002;
/// Place of the arm that the source shows.
const DROPOUT: usize = 2;
/// Images to train on and to validate on, and epochs, in the quick preset.
const QUICK: (usize, usize, usize) = (2000, 1000, 15);
/// Learning rate of the quick preset; the source's would need far more steps.
const QUICK_LEARNING_RATE: f64 = 0.001;

/// Epochs whose numbers are set beside the source's.
const SHOWN_EPOCHS: [usize; 5] = [1, 10, 17, 20, 30];
/// What the source prints of each epoch: loss, accuracy, validation loss, validation accuracy.
const PRINTED: [[f64; 4]; 30] = [
    [1.7470, 0.3639, 1.4444, 0.4709],
    [1.3831, 0.4986, 1.2439, 0.5505],
    [1.2292, 0.5634, 1.1219, 0.6006],
    [1.1184, 0.6021, 1.0927, 0.6105],
    [1.0252, 0.6369, 1.0047, 0.6463],
    [0.9492, 0.6669, 0.9574, 0.6561],
    [0.8829, 0.6873, 0.8542, 0.6955],
    [0.8212, 0.7109, 0.8493, 0.7032],
    [0.7762, 0.7305, 0.8358, 0.7061],
    [0.7321, 0.7451, 0.7525, 0.7369],
    [0.6845, 0.7608, 0.7592, 0.7347],
    [0.6452, 0.7737, 0.7428, 0.7456],
    [0.6080, 0.7858, 0.6977, 0.7545],
    [0.5680, 0.8001, 0.7060, 0.7578],
    [0.5417, 0.8093, 0.6861, 0.7650],
    [0.5072, 0.8199, 0.6939, 0.7638],
    [0.4775, 0.8329, 0.6803, 0.7690],
    [0.4469, 0.8428, 0.7043, 0.7669],
    [0.4197, 0.8523, 0.6979, 0.7693],
    [0.3932, 0.8591, 0.7432, 0.7636],
    [0.3729, 0.8677, 0.7171, 0.7666],
    [0.3450, 0.8777, 0.7368, 0.7704],
    [0.3226, 0.8848, 0.7502, 0.7646],
    [0.3007, 0.8922, 0.7080, 0.7765],
    [0.2787, 0.8999, 0.7744, 0.7677],
    [0.2611, 0.9053, 0.7566, 0.7763],
    [0.2451, 0.9127, 0.8006, 0.7696],
    [0.2271, 0.9184, 0.7863, 0.7774],
    [0.2152, 0.9234, 0.8100, 0.7746],
    [0.2013, 0.9277, 0.8327, 0.7735],
];
/// What PyTorch gives with the same settings and one seed, after these epochs.
const PYTORCH: [(usize, [f64; 4]); 2] =
    [(1, [1.7514, 0.3621, 1.4513, 0.4757]), (30, [0.2002, 0.9293, 0.8329, 0.7708])];
/// PyTorch's test accuracy with the last weights.
const PYTORCH_TEST_ACCURACY: f64 = 0.7667;
/// A validation loss that ends no more than this share above its lowest value has not turned up.
const LEVEL: f64 = 0.05;

/// What became of one arm.
struct Course {
    runs: ArmRuns,
    /// Validation loss by run, then epoch.
    valid_loss: Vec<Vec<f64>>,
    /// Answers to the test images with the last weights, a run each.
    last: Vec<Predictions>,
}

pub(super) fn settings(lab: &Lab) -> Result<Settings, Failure> {
    Ok(runs::settings(&arms(&recipe(lab)?)))
}

pub(super) fn run(lab: &Lab) -> Result<Findings, Failure> {
    let recipe = recipe(lab)?;
    let mut courses = Vec::new();
    for runs in runs::train(lab, arms(&recipe))? {
        courses.push(Course::new(lab, runs)?);
    }
    let dropout = &courses[DROPOUT];
    let mut best = Vec::new();
    for run in &dropout.runs.runs {
        let images = run.test(lab, "best weights against last, image by image", "best epoch")?;
        best.push(run.predictions(lab, Weights::Kept, &images)?);
    }
    Ok(Findings {
        sentence: sentence(&courses, &best),
        setup: setup(&recipe),
        reduced: reduced(lab),
        comparisons: comparisons(lab, dropout),
        tables: vec![validation_scores(&courses), test_scores(&courses)],
        figures: figures(lab, &courses),
        data: vec![runs::epochs(courses.iter().map(|course| &course.runs))],
        mistakes: TEXT.list("mistakes", &[]),
        differences: TEXT.list("differences", &[]),
    })
}

fn recipe(lab: &Lab) -> Result<Recipe, Failure> {
    let source = built_in("cifar10-dropout").map_err(usage)?;
    let source = Recipe { keep: Keep::Best, ..source };
    if lab.is_paper() {
        return Ok(source);
    }
    let (train, valid, epochs) = QUICK;
    let mut model = source.model.clone();
    if let ModelConfig::Cnn(cnn) = &mut model {
        cnn.widths.iter_mut().for_each(|width| *width /= 2);
        cnn.dense /= 2;
    }
    let recipe = Recipe {
        model,
        epochs,
        train_size: Some(SplitSize::Count(train)),
        valid_size: SplitSize::Count(valid),
        learning_rate: QUICK_LEARNING_RATE,
        ..source
    };
    Ok(unless_smoke(lab, recipe))
}

fn arms(recipe: &Recipe) -> Vec<Arm> {
    let mut plain = recipe.clone();
    *plain.model.dropout_mut() = 0.0;
    let mut l2 = plain.clone();
    l2.weight_decay = WeightDecay { strength: L2, ..WeightDecay::default() };
    vec![
        Arm { name: "plain", recipe: plain },
        Arm { name: "L2", recipe: l2 },
        Arm { name: "dropout", recipe: recipe.clone() },
    ]
}

fn setup(recipe: &Recipe) -> Vec<String> {
    let ModelConfig::Cnn(cnn) = &recipe.model else { return Vec::new() };
    let widths: Vec<String> = cnn.widths.iter().map(usize::to_string).collect();
    let values = [
        ("channels", widths.join(", ")),
        ("hidden", cnn.dense.to_string()),
        ("strength", L2.to_string()),
        ("dropout", cnn.dropout.to_string()),
        ("learning_rate", number::short(recipe.learning_rate)),
        ("batch_size", recipe.batch_size.to_string()),
        ("epochs", recipe.epochs.to_string()),
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
        ("learning_rate", QUICK_LEARNING_RATE.to_string()),
    ];
    TEXT.list("reduced", &values)
}

impl Course {
    fn new(lab: &Lab, runs: ArmRuns) -> Result<Self, Failure> {
        let mut last = Vec::new();
        for run in &runs.runs {
            let images = run.test(lab, "score of the last weights", "last epoch")?;
            last.push(run.predictions(lab, Weights::Last, &images)?);
        }
        Ok(Self { valid_loss: runs.curves(|epoch| epoch.valid_loss), runs, last })
    }

    fn name(&self) -> &'static str {
        self.runs.name
    }

    /// A value of each run, from its validation losses.
    fn values(&self, value: impl Fn(&[f64]) -> f64) -> Vec<f64> {
        self.valid_loss.iter().map(|losses| value(losses)).collect()
    }

    fn mean(&self, value: impl Fn(&[f64]) -> f64) -> f64 {
        Spread::of(&self.values(value)).mean
    }

    /// A value of an epoch, counted from 1, of each run.
    fn of_epoch(&self, epoch: usize, value: impl Fn(&EpochRecord) -> Option<f64>) -> Vec<f64> {
        self.runs.curves(value).iter().map(|row| row[epoch - 1]).collect()
    }

    fn last_epoch(&self) -> usize {
        self.valid_loss[0].len()
    }

    /// Test accuracy with the last weights.
    fn last_accuracy(&self) -> Vec<f64> {
        self.last.iter().map(|answers| answers.scores().accuracy).collect()
    }

    /// Test loss with the last weights.
    fn last_loss(&self) -> Vec<f64> {
        self.last.iter().map(|answers| answers.scores().loss).collect()
    }

    /// Test loss with the weights of the lowest validation loss.
    fn best_loss(&self) -> Vec<f64> {
        self.runs.values(|run| run.summary.test_loss)
    }
}

/// The epoch of the lowest loss, counted from 1; the first, if several have it.
fn lowest(losses: &[f64]) -> usize {
    let place = |best: usize, place: usize| if losses[place] < losses[best] { place } else { best };
    (0..losses.len()).fold(0, place) + 1
}

fn least(losses: &[f64]) -> f64 {
    losses[lowest(losses) - 1]
}

fn last(losses: &[f64]) -> f64 {
    losses[losses.len() - 1]
}

/// Share by which the last loss is above the lowest.
fn rise(losses: &[f64]) -> f64 {
    last(losses) / least(losses) - 1.0
}

/// `best`: answers to the test images with the best weights of the arm with dropout.
fn sentence(courses: &[Course], best: &[Predictions]) -> String {
    let arms: Vec<String> = courses
        .iter()
        .map(|course| {
            format!(
                "{} at epoch {} and {} % higher at the end",
                course.name(),
                number::short(tenths(course.mean(|losses| lowest(losses) as f64))),
                number::rate(100.0 * course.mean(rise))
            )
        })
        .collect();
    let rises: Vec<f64> = courses.iter().map(|course| course.mean(rise)).collect();
    let dropout = &courses[DROPOUT];
    let pairs: Vec<_> = dropout.last.iter().zip(best).collect();
    let mean = |values: Vec<f64>| Spread::of(&values).mean;
    let accuracies: Vec<String> = courses
        .iter()
        .map(|course| {
            format!("{} {}", course.name(), number::percent(mean(course.last_accuracy())))
        })
        .collect();
    let values = [
        ("lowest", arms.join("; ")),
        ("epochs", dropout.last_epoch().to_string()),
        ("verdict", TEXT.paragraph(verdict(rises[0], rises[DROPOUT]), &[])),
        ("accuracies", accuracies.join(", ")),
        ("difference", difference(&pairs)),
        ("loss", number::loss(mean(dropout.best_loss()))),
        ("last_loss", number::loss(mean(dropout.last_loss()))),
    ];
    TEXT.paragraph("sentence", &values)
}

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// The heading of what the data say of the source's claim, given how far the validation loss rises after its lowest value.
fn verdict(plain: f64, dropout: f64) -> &'static str {
    if dropout <= LEVEL && dropout < plain {
        "does not turn up"
    } else if dropout < plain {
        "turns up less"
    } else {
        "turns up as much"
    }
}

fn comparisons(lab: &Lab, dropout: &Course) -> Vec<Comparison> {
    let printed = |column: usize| PRINTED.map(|row| row[column]);
    let losses = printed(2);
    let row = |name: &str, unit: Unit, value: fn(&[f64]) -> f64| {
        Compared::new(name, unit, dropout.values(value)).printed(value(&losses))
    };
    let rows = vec![
        row("epoch of the lowest validation loss", Unit::Count, |losses| lowest(losses) as f64)
            .not_compared("one epoch is like its neighbours"),
        as_in_source(lab, DATASET, row("lowest validation loss (nats)", Unit::Plain, least)),
        as_in_source(lab, DATASET, row("last validation loss (nats)", Unit::Plain, last)),
        as_in_source(
            lab,
            DATASET,
            Compared::new("test accuracy, last weights", Unit::Percent, dropout.last_accuracy())
                .reference(Reference::single(PYTORCH_TEST_ACCURACY)),
        ),
    ];
    let mut all = vec![Comparison {
        title: "Where the validation loss turns up, with dropout".into(),
        note: TEXT.paragraph("comparison of losses", &[]),
        rows,
    }];
    if lab.is_paper() {
        all.push(epochs(lab, dropout));
    }
    all
}

fn epochs(lab: &Lab, dropout: &Course) -> Comparison {
    type Column = (&'static str, Unit, fn(&EpochRecord) -> Option<f64>);
    let columns: [Column; 4] = [
        ("training loss", Unit::Plain, |epoch| Some(epoch.train_objective)),
        ("training accuracy", Unit::Percent, |epoch| Some(epoch.train_accuracy)),
        ("validation loss", Unit::Plain, |epoch| epoch.valid_loss),
        ("validation accuracy", Unit::Percent, |epoch| epoch.valid_accuracy),
    ];
    let mut rows = Vec::new();
    for epoch in SHOWN_EPOCHS {
        let twin = PYTORCH.iter().find(|(of, _)| *of == epoch);
        for (place, (name, unit, value)) in columns.into_iter().enumerate() {
            let ours = dropout.of_epoch(epoch, value);
            let mut row = Compared::new(format!("epoch {epoch}, {name}"), unit, ours)
                .printed(PRINTED[epoch - 1][place]);
            if let Some((_, values)) = twin {
                row = row.reference(Reference::single(values[place]));
            }
            rows.push(as_in_source(lab, DATASET, row));
        }
    }
    Comparison {
        title: "Epochs that the source prints, with dropout".into(),
        note: TEXT.paragraph("comparison of epochs", &[]),
        rows,
    }
}

fn validation_scores(courses: &[Course]) -> ExperimentTable {
    let row = |course: &Course| {
        let plain = |value: fn(&[f64]) -> f64| Unit::Plain.spread(&course.values(value));
        let epochs: Vec<String> =
            course.valid_loss.iter().map(|losses| lowest(losses).to_string()).collect();
        let at_the_end = course.of_epoch(course.last_epoch(), |epoch| Some(epoch.train_objective));
        vec![
            course.name().to_owned(),
            epochs.join(", "),
            plain(least),
            plain(last),
            Unit::Percent.spread(&course.values(rise)),
            Unit::Plain.spread(&at_the_end),
        ]
    };
    ExperimentTable {
        title: "Validation loss".into(),
        note: TEXT.paragraph("table of validation losses", &[]),
        head: ["arm", "lowest at epoch", "lowest", "last", "rise (%)", "last training loss"]
            .map(String::from)
            .into(),
        rows: courses.iter().map(row).collect(),
    }
}

fn test_scores(courses: &[Course]) -> ExperimentTable {
    let row = |course: &Course| {
        let best = course.runs.values(|run| run.summary.test_accuracy);
        vec![
            course.name().to_owned(),
            Unit::Percent.spread(&best),
            Unit::Percent.spread(&course.last_accuracy()),
            Unit::Plain.spread(&course.best_loss()),
            Unit::Plain.spread(&course.last_loss()),
        ]
    };
    ExperimentTable {
        title: "Best weights against last on the test images".into(),
        note: TEXT.paragraph("table of test scores", &[]),
        head: [
            "arm",
            "accuracy, best (%)",
            "accuracy, last (%)",
            "loss, best (nats)",
            "loss, last (nats)",
        ]
        .map(String::from)
        .into(),
        rows: courses.iter().map(row).collect(),
    }
}

fn figures(lab: &Lab, courses: &[Course]) -> Vec<ExperimentFigure> {
    let figure =
        |name: &str, drawing, caption| ExperimentFigure { name: name.into(), caption, drawing };
    let compare = |title: &str, y: Axis, value: fn(&EpochRecord) -> Option<f64>| -> LineChart {
        let mut chart = LineChart::new(title, Axis::counts("epoch"), y);
        for course in courses {
            let rows = course.runs.curves(value);
            chart = chart.with(series(course.name(), &numbers(course), &rows));
        }
        chart
    };
    let mut losses = compare("Validation loss", Axis::linear("validation loss (nats)"), |epoch| {
        epoch.valid_loss
    });
    for mark in minima(courses) {
        losses = losses.mark(mark);
    }
    let training =
        compare("Training loss", Axis::linear("training loss (nats)"), |e| Some(e.train_objective));
    let accuracy = compare(
        "Validation accuracy",
        Axis::linear("validation accuracy (%)").within(0.0, 100.0),
        |epoch| epoch.valid_accuracy.map(|accuracy| 100.0 * accuracy),
    );
    vec![
        figure(
            "validation_loss",
            losses.draw(),
            TEXT.paragraph("figure of validation losses", &[]),
        ),
        figure("training_loss", training.draw(), TEXT.paragraph("figure of training losses", &[])),
        figure(
            "validation_accuracy",
            accuracy.draw(),
            TEXT.paragraph("figure of validation accuracies", &[]),
        ),
        figure(
            "dropout_loss",
            as_the_source_draws_it(lab, &courses[DROPOUT]),
            TEXT.paragraph("figure of the source", &[]),
        ),
    ]
}

/// Where the mean validation loss of each arm is lowest; one mark for arms that share the epoch.
fn minima(courses: &[Course]) -> Vec<Mark> {
    let mut marks: Vec<(usize, f64, String)> = Vec::new();
    for course in courses {
        let mean = |place: usize| course.mean(|losses| losses[place]);
        let means: Vec<f64> = (0..course.last_epoch()).map(mean).collect();
        let (epoch, loss) = (lowest(&means), least(&means));
        match marks.iter_mut().find(|(other, ..)| *other == epoch) {
            Some((_, lower, names)) => {
                *lower = lower.min(loss);
                *names += &format!(", {}", course.name());
            }
            None => marks.push((epoch, loss, course.name().to_owned())),
        }
    }
    let mark = |(epoch, loss, names): (usize, f64, String)| Mark {
        x: epoch as f64,
        y: Some(loss),
        name: format!("{names}: lowest at epoch {epoch}"),
    };
    marks.into_iter().map(mark).collect()
}

fn numbers(course: &Course) -> Vec<f64> {
    (1..=course.last_epoch()).map(|epoch| epoch as f64).collect()
}

fn as_the_source_draws_it(lab: &Lab, dropout: &Course) -> Drawing {
    let xs = numbers(dropout);
    let mut chart =
        LineChart::new("The arm with dropout", Axis::counts("epoch"), Axis::linear("loss (nats)"))
            .with(series("training", &xs, &dropout.runs.curves(|e| Some(e.train_objective))))
            .with(series("validation", &xs, &dropout.valid_loss));
    if lab.is_paper() && lab.data().name == DATASET {
        for (name, column) in [("training, the source", 0), ("validation, the source", 2)] {
            let printed = PRINTED.map(|row| row[column]);
            chart = chart.with(Series::points(name, xs.iter().copied().zip(printed).collect()));
        }
    }
    chart.draw()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_loss_is_the_first_of_equals_and_the_rise_counts_from_it() {
        let losses = [1.5, 0.8, 1.0, 0.8, 1.2];
        assert_eq!(lowest(&losses), 2);
        assert!((rise(&losses) - 0.5).abs() < 1e-12);
        assert_eq!(rise(&[1.0, 0.5]), 0.0);
    }

    #[test]
    fn the_printed_losses_are_lowest_where_the_source_says() {
        let losses = PRINTED.map(|row| row[2]);
        assert_eq!((lowest(&losses), least(&losses), last(&losses)), (17, 0.6803, 0.8327));
    }

    #[test]
    fn the_verdict_follows_the_losses() {
        assert_eq!(verdict(1.5, 0.02), "does not turn up");
        assert_eq!(verdict(1.5, 0.2), "turns up less");
        assert_eq!(verdict(0.1, 0.2), "turns up as much");
        assert_eq!(verdict(0.01, 0.02), "turns up as much");
    }
}
