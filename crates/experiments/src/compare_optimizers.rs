//! 003 §6.1: SGD, Momentum, AdaGrad, Adam, and RMSProp on the same batches of MNIST.

use backburn_models::{
    BiasInitialization, Initialization, MlpConfig, ModelConfig, WeightInitialization,
};
use backburn_records::statistics::Spread;
use backburn_records::{Compared, Comparison, DataTable, Reference, Unit, number};
use backburn_regularization::WeightDecay;
use backburn_report::figure::{Axis, LineChart};
use backburn_report::{ExperimentFigure, Findings};
use backburn_training::failure::Failure;
use backburn_training::optimize::optimizer::OptimizerConfig;
use backburn_training::seeds::Seeds;
use serde_json::json;

use super::curves::{series, smoothed, window};
use super::few_images::{DATASET, beside};
use super::images::{Images, TestView};
use super::judging::on_data_of_source;
use super::lab::Lab;
use super::settings::Settings;
use super::text::Text;
use super::trainee::{Trainee, Training, read};

const TEXT: Text = Text(include_str!("compare_optimizers.md"));

const ITERATIONS: usize = 2000;
const BATCH_SIZE: usize = 128;
/// ε, outside the root, in all optimizers that have it.
const EPSILON: f64 = 1e-7;
/// Iterations between two looks at AdaGrad's sums of squares.
const RATE_INTERVAL: usize = 20;

/// An optimizer with the learning rate that the source gives it.
struct Row {
    name: &'static str,
    optimizer: OptimizerConfig,
    learning_rate: f64,
    /// Losses that the source printed, after the update, every [`PRINT_INTERVAL`] iterations from the first on;
    /// empty if it did not run this one.
    printed: &'static [f64],
    /// PyTorch's mean losses over [`WINDOWS`], mean and standard deviation of ten seeds: before, after.
    windows: [[(f64, f64); 3]; 2],
    /// PyTorch's test accuracy.
    test_accuracy: (f64, f64),
}

/// Iterations between two losses that the source prints.
const PRINT_INTERVAL: usize = 100;
/// Iterations that means are taken over, both ends included.
const WINDOWS: [(usize, usize); 3] = [(90, 109), (475, 524), (1800, 1999)];
/// Seeds behind PyTorch's numbers.
const REFERENCE_SEEDS: usize = 10;

const ROWS: [Row; 5] = [
    Row {
        name: "SGD",
        optimizer: OptimizerConfig::Sgd,
        learning_rate: 0.01,
        printed: &[
            2.3649, 1.5993, 0.8732, 0.5642, 0.5286, 0.4222, 0.2665, 0.2283, 0.2397, 0.1990, 0.2041,
            0.2637, 0.3805, 0.1776, 0.2379, 0.1137, 0.0994, 0.3108, 0.1919, 0.1492,
        ],
        windows: [
            [(1.524, 0.170), (0.412, 0.012), (0.230, 0.009)],
            [(1.499, 0.174), (0.383, 0.012), (0.205, 0.008)],
        ],
        test_accuracy: (0.934, 0.003),
    },
    Row {
        name: "Momentum",
        optimizer: OptimizerConfig::Momentum { momentum: 0.9 },
        learning_rate: 0.01,
        printed: &[
            2.3789, 0.2504, 0.3654, 0.1434, 0.1958, 0.1589, 0.0970, 0.1007, 0.1215, 0.1159, 0.0868,
            0.0749, 0.1899, 0.1009, 0.0686, 0.0258, 0.0200, 0.0771, 0.0371, 0.0974,
        ],
        windows: [
            [(0.396, 0.021), (0.173, 0.006), (0.077, 0.005)],
            [(0.369, 0.019), (0.158, 0.006), (0.067, 0.004)],
        ],
        test_accuracy: (0.968, 0.001),
    },
    Row {
        name: "AdaGrad",
        optimizer: OptimizerConfig::Adagrad { epsilon: EPSILON },
        learning_rate: 0.01,
        printed: &[
            2.5283, 0.0845, 0.1721, 0.0624, 0.0610, 0.0778, 0.0354, 0.0353, 0.0342, 0.0639, 0.0277,
            0.0254, 0.0871, 0.0447, 0.0197, 0.0107, 0.0133, 0.0332, 0.0165, 0.0200,
        ],
        windows: [
            [(0.268, 0.014), (0.124, 0.005), (0.059, 0.003)],
            [(0.161, 0.009), (0.069, 0.004), (0.032, 0.002)],
        ],
        test_accuracy: (0.971, 0.002),
    },
    Row {
        name: "Adam",
        optimizer: OptimizerConfig::Adam { beta1: 0.9, beta2: 0.999, epsilon: EPSILON },
        learning_rate: 0.001,
        printed: &[
            2.2360, 0.1635, 0.2104, 0.0889, 0.1003, 0.1447, 0.0539, 0.0350, 0.0506, 0.0934, 0.0392,
            0.0360, 0.0636, 0.0767, 0.0310, 0.0101, 0.0110, 0.0586, 0.0312, 0.0422,
        ],
        windows: [
            [(0.299, 0.013), (0.128, 0.008), (0.052, 0.004)],
            [(0.274, 0.012), (0.110, 0.007), (0.039, 0.003)],
        ],
        test_accuracy: (0.972, 0.002),
    },
    Row {
        name: "RMSProp",
        optimizer: OptimizerConfig::Rmsprop { decay: 0.99, epsilon: EPSILON },
        learning_rate: 0.01,
        printed: &[],
        windows: [
            [(0.605, 0.124), (0.288, 0.035), (0.169, 0.015)],
            [(0.457, 0.129), (0.166, 0.036), (0.076, 0.010)],
        ],
        test_accuracy: (0.946, 0.012),
    },
];

/// What became of one network.
#[derive(Default)]
struct Course {
    before: Vec<f64>,
    after: Vec<f64>,
    test_accuracy: f64,
    /// AdaGrad's median of η / (√h + ε) over all weights.
    rates: Vec<f64>,
}

/// Iterations; those of the preset that only tries an experiment out suffice for two of AdaGrad's steps.
fn iterations(lab: &Lab) -> usize {
    lab.unless_smoke(ITERATIONS, 2 * RATE_INTERVAL + 1)
}

fn training(row: &Row) -> Training {
    Training {
        model: ModelConfig::Mlp(MlpConfig {
            hidden: vec![100; 4],
            dropout: 0.0,
            batch_norm: false,
        }),
        initialization: Initialization::new(
            WeightInitialization::HeNormal,
            BiasInitialization::Zeros,
        ),
        optimizer: row.optimizer,
        learning_rate: row.learning_rate,
        weight_decay: WeightDecay::default(),
    }
}

pub(super) fn settings(lab: &Lab) -> Result<Settings, Failure> {
    let (images, iterations) = (lab.data().train.len(), iterations(lab));
    let length = json!({ "batch_size": BATCH_SIZE, "iterations": iterations, "images": images });
    let arm = |settings: Settings, row: &Row| settings.arm(row.name, &[&training(row), &length]);
    Ok(ROWS.iter().fold(Settings::default(), arm))
}

pub(super) fn run(lab: &Lab) -> Result<Findings, Failure> {
    let images = lab.all();
    let test = lab.test(&images, "test accuracy after training", "last iteration, all networks");
    // By optimizer, then seed.
    let mut courses: Vec<Vec<Course>> = ROWS.iter().map(|_| Vec::new()).collect();
    for &seed in &lab.seeds {
        for (all, course) in courses.iter_mut().zip(train(lab, &images, &test, seed)?) {
            all.push(course);
        }
        lab.say(&format!("seed {seed}: {} iterations of {} networks", iterations(lab), ROWS.len()));
    }
    Ok(Findings {
        sentence: sentence(&courses),
        setup: setup(lab),
        comparisons: vec![windows(lab, &courses), printed(lab, &courses)],
        figures: figures(lab, &courses),
        data: vec![data(&courses), steps(&courses)],
        mistakes: TEXT.list("mistakes", &[]),
        differences: TEXT.list("differences", &[]),
        ..Findings::default()
    })
}

/// All networks on the same batches.
fn train(lab: &Lab, images: &Images, test: &TestView, seed: u64) -> Result<Vec<Course>, Failure> {
    let seeds = Seeds::new(seed);
    let mut trainees = Vec::new();
    for row in &ROWS {
        trainees.push(Trainee::new(&training(row), images, seeds, &lab.device)?);
    }
    let mut losses: Vec<[Vec<_>; 2]> = ROWS.iter().map(|_| Default::default()).collect();
    let mut courses: Vec<Course> = ROWS.iter().map(|_| Course::default()).collect();
    for (iteration, batch) in
        images.batches(BATCH_SIZE, iterations(lab), seeds, &lab.device)?.enumerate()
    {
        lab.go_on()?;
        for (place, trainee) in trainees.iter_mut().enumerate() {
            let [before, after] = &mut losses[place];
            before.push(trainee.step(&batch));
            after.push(trainee.loss(&batch));
            if matches!(ROWS[place].optimizer, OptimizerConfig::Adagrad { .. })
                && iteration % RATE_INTERVAL == 0
            {
                courses[place].rates.push(median_rate(trainee, ROWS[place].learning_rate));
            }
        }
    }
    for ((course, trainee), [before, after]) in courses.iter_mut().zip(&trainees).zip(losses) {
        (course.before, course.after) = (read(before), read(after));
        course.test_accuracy = test.scores(trainee)?.accuracy;
    }
    Ok(courses)
}

/// The median over all weights of AdaGrad's η / (√h + ε). Weights that never had a gradient, those of
/// pixels that are always black, have no h yet and are left out. A mean would be that of the few pixels
/// that are hardly ever anything else.
fn median_rate(trainee: &Trainee, learning_rate: f64) -> f64 {
    let squares = trainee.optimizer().export();
    let squares = squares.iter().flat_map(|tensor| &tensor.values).filter(|h| **h > 0.0);
    let mut rates: Vec<f64> =
        squares.map(|&h| learning_rate / (f64::from(h).sqrt() + EPSILON)).collect();
    if rates.is_empty() {
        // Of a network that diverged no sum of squares is a number.
        return f64::NAN;
    }
    let middle = rates.len() / 2;
    *rates.select_nth_unstable_by(middle, f64::total_cmp).1
}

fn setup(lab: &Lab) -> Vec<String> {
    let values =
        [("iterations", iterations(lab).to_string()), ("batch_size", BATCH_SIZE.to_string())];
    TEXT.list("set-up", &values)
}

/// Values of a course, a seed each.
fn values(courses: &[Course], value: impl Fn(&Course) -> f64) -> Vec<f64> {
    courses.iter().map(value).collect()
}

fn sentence(courses: &[Vec<Course>]) -> String {
    let (from, to) = WINDOWS[2];
    let losses: Vec<f64> = courses
        .iter()
        .map(|courses| Spread::of(&values(courses, |c| window(&c.before, from, to))).mean)
        .collect();
    let rate = |at: fn(&Course) -> f64| Spread::of(&values(&courses[2], at)).mean;
    let shrinking =
        rate(|course| course.rates[1]) / rate(|course| course.rates[course.rates.len() - 1]);
    let step = if shrinking.is_finite() {
        let values = [
            ("iteration", RATE_INTERVAL.to_string()),
            ("shrinking", number::short((10.0 * shrinking).round() / 10.0)),
        ];
        format!(" {}", TEXT.paragraph("step", &values))
    } else {
        String::new()
    };
    let values = [
        ("from", from.to_string()),
        ("to", to.to_string()),
        ("losses", listed(&losses)),
        ("verdict", TEXT.paragraph(verdict(&losses), &[])),
        ("step", step),
    ];
    TEXT.paragraph("sentence", &values)
}

/// The losses of all rows, the lowest first, and those that diverged last.
fn listed(losses: &[f64]) -> String {
    let mut order: Vec<(&str, f64)> =
        ROWS.iter().map(|row| row.name).zip(losses.iter().copied()).collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    let (finite, diverged): (Vec<_>, Vec<_>) = order.iter().partition(|(_, loss)| loss.is_finite());
    let finite = finite.iter().map(|(name, loss)| format!("{name} {loss:.3}"));
    let diverged = diverged.iter().map(|(name, _)| format!("{name} diverged"));
    finite.chain(diverged).collect::<Vec<_>>().join(", ")
}

/// The heading for whether SGD has the highest loss of those optimizers that the source ran and that did not diverge
/// here.
fn verdict(losses: &[f64]) -> &'static str {
    let (sgd, others) = (losses[0], ROWS.iter().zip(losses).skip(1));
    let others = others.filter(|(row, loss)| !row.printed.is_empty() && loss.is_finite());
    let others: Vec<f64> = others.map(|(_, loss)| *loss).collect();
    if !sgd.is_finite() || others.is_empty() {
        "cannot be told"
    } else if others.iter().all(|loss| sgd > *loss) {
        "SGD is slowest"
    } else {
        "SGD is not the slowest"
    }
}

fn windows(lab: &Lab, courses: &[Vec<Course>]) -> Comparison {
    let mut rows = Vec::new();
    for (row, courses) in ROWS.iter().zip(courses) {
        for (when, losses) in [("before", 0), ("after", 1)] {
            for (window_number, (from, to)) in WINDOWS.into_iter().enumerate() {
                let (mean, deviation) = row.windows[losses][window_number];
                let ours = values(courses, |course| {
                    window(if losses == 0 { &course.before } else { &course.after }, from, to)
                });
                let quantity = format!("{}, loss {when} the update, {from} to {to}", row.name);
                let row = Compared::new(quantity, Unit::Plain, ours);
                rows.push(beside(row, Reference::new(mean, deviation, REFERENCE_SEEDS), lab));
            }
        }
        let (mean, deviation) = row.test_accuracy;
        let ours = values(courses, |course| course.test_accuracy);
        let row = Compared::new(format!("{}, test accuracy", row.name), Unit::Percent, ours);
        rows.push(beside(row, Reference::new(mean, deviation, REFERENCE_SEEDS), lab));
    }
    Comparison {
        title: "Means over windows of iterations".into(),
        note: TEXT.paragraph("comparison of windows", &[]),
        rows,
    }
}

/// The source prints single batches, so that ours are the iterations around that one: their spread is
/// that of single batches.
fn printed(lab: &Lab, courses: &[Vec<Course>]) -> Comparison {
    const AROUND: usize = 10;
    let mut rows = Vec::new();
    for (row, courses) in ROWS.iter().zip(courses) {
        for (at, loss) in (0..).step_by(PRINT_INTERVAL).zip(row.printed) {
            let around = if at == 0 { 0 } else { AROUND };
            if at + around >= iterations(lab) {
                break;
            }
            let ours = courses.iter().flat_map(|c| c.after[at - around..=at + around].to_vec());
            let quantity = format!("{}, iteration {at}", row.name);
            let row = Compared::new(quantity, Unit::Plain, ours.collect()).printed(*loss);
            rows.push(on_data_of_source(lab, DATASET, row));
        }
    }
    Comparison {
        title: "All losses that the source prints".into(),
        note: TEXT.paragraph("comparison of losses", &[("around", AROUND.to_string())]),
        rows,
    }
}

fn figures(lab: &Lab, courses: &[Vec<Course>]) -> Vec<ExperimentFigure> {
    let xs: Vec<f64> = (0..iterations(lab)).map(|iteration| iteration as f64).collect();
    let chart = |title: &str, losses: fn(&Course) -> &Vec<f64>| {
        let y = Axis::linear("training loss (nats)").within(0.0, 1.0);
        let mut chart = LineChart::new(title, Axis::counts("iteration"), y);
        for (row, courses) in ROWS.iter().zip(courses) {
            let rows: Vec<Vec<f64>> = courses.iter().map(|course| losses(course).clone()).collect();
            chart = chart.with(smoothed(row.name, &xs, &rows));
        }
        chart.draw()
    };
    let steps: Vec<f64> = xs.iter().step_by(RATE_INTERVAL).copied().skip(1).collect();
    let rates: Vec<Vec<f64>> = courses[2].iter().map(|course| course.rates[1..].to_vec()).collect();
    let shrinking = LineChart::new(
        "AdaGrad's shrinking step",
        Axis::log("iteration (log)"),
        Axis::log("median of η / (√h + ε) (log)"),
    )
    .with(series("AdaGrad", &steps, &rates));
    let figure =
        |name: &str, drawing, caption| ExperimentFigure { name: name.into(), caption, drawing };
    vec![
        figure(
            "loss_after",
            chart("Loss after the update", |course| &course.after),
            TEXT.paragraph("figure of losses after", &[]),
        ),
        figure(
            "loss_before",
            chart("Loss before the update", |course| &course.before),
            TEXT.paragraph("figure of losses before", &[]),
        ),
        figure("adagrad_step", shrinking.draw(), TEXT.paragraph("figure of AdaGrad's step", &[])),
    ]
}

fn data(courses: &[Vec<Course>]) -> DataTable {
    let mut rows = Vec::new();
    for (row, courses) in ROWS.iter().zip(courses) {
        for (run, course) in courses.iter().enumerate() {
            for (iteration, (before, after)) in course.before.iter().zip(&course.after).enumerate()
            {
                rows.push(vec![
                    row.name.to_owned(),
                    run.to_string(),
                    iteration.to_string(),
                    before.to_string(),
                    after.to_string(),
                ]);
            }
        }
    }
    let columns = ["optimizer", "run", "iteration", "loss_before", "loss_after"];
    DataTable { name: "losses".into(), columns: columns.map(String::from).into(), rows }
}

/// AdaGrad's step. The figure has no place for iteration 0 on its logarithmic axis.
fn steps(courses: &[Vec<Course>]) -> DataTable {
    let rows = courses[2].iter().enumerate().flat_map(|(run, course)| {
        let iterations = (0..).step_by(RATE_INTERVAL);
        iterations.zip(&course.rates).map(move |(at, rate): (usize, &f64)| {
            vec![run.to_string(), at.to_string(), rate.to_string()]
        })
    });
    let columns = ["run", "iteration", "median_step"];
    DataTable {
        name: "adagrad_steps".into(),
        columns: columns.map(String::from).into(),
        rows: rows.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SGD, Momentum, AdaGrad, Adam, RMSProp.
    const LOSSES: [f64; 5] = [0.23, 0.07, 0.06, 0.05, 0.2];

    #[test]
    fn the_source_prints_a_loss_every_hundred_iterations_of_four_optimizers() {
        for row in &ROWS[..4] {
            assert_eq!(row.printed.len() * PRINT_INTERVAL, ITERATIONS, "{}", row.name);
        }
        assert!(ROWS[4].printed.is_empty());
    }

    #[test]
    fn sgd_is_judged_by_those_that_the_source_ran() {
        assert_eq!(verdict(&LOSSES), "SGD is slowest");
        assert_eq!(verdict(&[0.23, 0.07, 0.06, 0.05, 0.3]), "SGD is slowest");
        assert_eq!(verdict(&[0.23, 0.07, 0.06, 0.3, 0.2]), "SGD is not the slowest");
    }

    #[test]
    fn what_diverged_is_named_and_decides_nothing() {
        let losses = [0.23, 0.07, f64::NAN, 0.05, f64::INFINITY];
        assert_eq!(
            listed(&losses),
            "Adam 0.050, Momentum 0.070, SGD 0.230, RMSProp diverged, AdaGrad diverged"
        );
        assert_eq!(verdict(&losses), "SGD is slowest");
        assert_eq!(verdict(&[f64::NAN, 0.07, 0.06, 0.05, 0.2]), "cannot be told");
        let alone = [0.23, f64::NAN, f64::NAN, f64::NAN, 0.2];
        assert_eq!(verdict(&alone), "cannot be told");
    }
}
