//! 000: a five-layer MLP with dropout on MNIST, and one test image with its prediction.

use backburn_data::TestImages;
use backburn_data::normalization::Normalization;
use backburn_records::statistics::Spread;
use backburn_records::{
    Compared, Comparison, DataTable, ExperimentTable, Floor, Reference, Unit, number,
};
use backburn_report::figure::{Axis, GridImage, ImageGrid, LineChart, Series};
use backburn_report::{ExperimentFigure, Findings};
use backburn_training::evaluate::Predictions;
use backburn_training::failure::{Failure, usage};
use backburn_training::recipe::built_in;
use backburn_training::seeds::Seeds;

use super::curves::series;
use super::images::TestView;
use super::judging::{difference, on_data_of_source};
use super::lab::Lab;
use super::runs::{self, Arm, ArmRuns, Run, Weights, unless_smoke};
use super::settings::Settings;
use super::text::Text;

const TEXT: Text = Text(include_str!("mnist_dropout.md"));

/// The source's data set.
const DATASET: &str = "mnist";
/// Mean training cost of each epoch, as the source prints it, rounded.
const PRINTED_COSTS: [f64; 15] = [
    0.3117, 0.1467, 0.1124, 0.0927, 0.0846, 0.0725, 0.0671, 0.0602, 0.0607, 0.0542, 0.0505, 0.0496,
    0.0470, 0.0455, 0.0455,
];
/// PyTorch's mean training cost of each epoch, mean and standard deviation over seeds.
const PYTORCH_COSTS: [(f64, f64); 15] = [
    (0.3108, 0.0039),
    (0.1438, 0.0020),
    (0.1124, 0.0021),
    (0.0943, 0.0011),
    (0.0818, 0.0007),
    (0.0745, 0.0014),
    (0.0672, 0.0012),
    (0.0635, 0.0015),
    (0.0592, 0.0011),
    (0.0556, 0.0020),
    (0.0509, 0.0020),
    (0.0499, 0.0018),
    (0.0467, 0.0015),
    (0.0440, 0.0010),
    (0.0434, 0.0021),
];
/// Seeds behind PyTorch's numbers.
const REFERENCE_SEEDS: usize = 6;
/// The source's test accuracy, on pixels that were not divided.
const PRINTED_ACCURACY: f64 = 0.9798;

/// A trained network's answers to the test images.
struct Answers {
    test: TestImages,
    /// Answers to pixels from 0 to 1, as in training.
    divided: Predictions,
    /// Answers to pixels from 0 to 255, as in the source's test.
    undivided: Predictions,
}

fn arms(lab: &Lab) -> Result<Vec<Arm>, Failure> {
    let recipe = built_in("mnist-dropout").map_err(usage)?;
    Ok(vec![Arm { name: "dropout", recipe: unless_smoke(lab, recipe) }])
}

pub(super) fn settings(lab: &Lab) -> Result<Settings, Failure> {
    Ok(runs::settings(&arms(lab)?))
}

pub(super) fn run(lab: &Lab) -> Result<Findings, Failure> {
    let arms = runs::train(lab, arms(lab)?)?;
    let runs = &arms[0].runs;
    let mut answers = Vec::new();
    for run in runs {
        let purpose = "pixels divided and not, and one image to draw";
        let test = run.test(lab, purpose, "last epoch")?;
        answers.push(Answers::new(lab, run, &test)?);
    }
    let drawn = drawn_predictions(lab, &answers);
    Ok(Findings {
        sentence: sentence(&arms[0], &answers, &drawn[0]),
        setup: TEXT.list("set-up", &[]),
        comparisons: vec![costs(lab, &arms[0]), accuracies(lab, &answers)],
        tables: vec![mistake(&answers), prediction_table(&drawn)],
        figures: vec![cost_figure(lab, &arms[0]), prediction_figure(&drawn)],
        data: vec![data(&arms[0])],
        mistakes: TEXT.list("mistakes", &[]),
        differences: TEXT.list("differences", &[]),
        ..Findings::default()
    })
}

impl Answers {
    fn new(lab: &Lab, run: &Run, test: &TestView) -> Result<Self, Failure> {
        let images = test.images.for_final_scores();
        let normalization = Normalization::None.fit(images).expect("it fits any images");
        let bytes = TestView { normalization, ..test.clone() };
        Ok(Self {
            test: test.images.clone(),
            divided: run.predictions(lab, Weights::Last, test)?,
            undivided: run.predictions(lab, Weights::Last, &bytes)?,
        })
    }
}

fn cost(arm: &ArmRuns) -> Vec<Vec<f64>> {
    arm.curves(|epoch| Some(epoch.train_objective))
}

/// The same epoch of every run.
fn of_epoch(costs: &[Vec<f64>], epoch: usize) -> Vec<f64> {
    costs.iter().map(|costs| costs[epoch - 1]).collect()
}

fn sentence(arm: &ArmRuns, answers: &[Answers], drawn: &Prediction<'_>) -> String {
    let costs = cost(arm);
    let epochs = costs[0].len();
    let cost_of = |epoch| Spread::of(&of_epoch(&costs, epoch)).mean;
    let (first, last) = (cost_of(1), cost_of(epochs));
    let mean = |value: fn(&Answers) -> f64| {
        Spread::of(&answers.iter().map(value).collect::<Vec<_>>()).mean
    };
    let pairs: Vec<_> = answers.iter().map(|a| (&a.divided, &a.undivided)).collect();
    let (accuracy, loss) =
        (mean(|a| a.divided.scores().accuracy), mean(|a| a.divided.scores().loss));
    let (undivided_accuracy, undivided_loss) =
        (mean(|a| a.undivided.scores().accuracy), mean(|a| a.undivided.scores().loss));
    let values = [
        ("falls", if last < first { "falls" } else { "goes" }.into()),
        ("first", number::loss(first)),
        ("last", number::loss(last)),
        ("epochs", epochs.to_string()),
        ("accuracy", number::percent(accuracy)),
        ("undivided_accuracy", number::percent(undivided_accuracy)),
        ("difference", difference(&pairs)),
        ("times", number::rate(undivided_loss / loss)),
        ("undivided_loss", number::loss(undivided_loss)),
        ("loss", number::loss(loss)),
        ("label", drawn.label.into()),
        ("class", drawn.class.into()),
    ];
    TEXT.paragraph("sentence", &values)
}

fn costs(lab: &Lab, arm: &ArmRuns) -> Comparison {
    let costs = cost(arm);
    let row = |epoch: usize| {
        let (mean, deviation) = PYTORCH_COSTS[epoch - 1];
        let row = Compared::new(format!("epoch {epoch}"), Unit::Plain, of_epoch(&costs, epoch))
            .printed(PRINTED_COSTS[epoch - 1])
            .reference(Reference::new(mean, deviation, REFERENCE_SEEDS))
            .floor(Floor::Share(0.10));
        on_data_of_source(lab, DATASET, row)
    };
    Comparison {
        title: "Mean training cost of an epoch".into(),
        note: TEXT.paragraph("comparison of costs", &[]),
        rows: (1..=costs[0].len()).map(row).collect(),
    }
}

fn accuracies(lab: &Lab, answers: &[Answers]) -> Comparison {
    let divided = answers.iter().map(|a| a.divided.scores().accuracy).collect();
    let undivided = answers.iter().map(|a| a.undivided.scores().accuracy).collect();
    let rows = vec![
        Compared::new("pixels from 0 to 1", Unit::Percent, divided).reference(Reference::new(
            0.981,
            0.002,
            REFERENCE_SEEDS,
        )),
        Compared::new("pixels from 0 to 255, as the source tests", Unit::Percent, undivided)
            .printed(PRINTED_ACCURACY)
            .reference(Reference::new(0.980, 0.002, REFERENCE_SEEDS)),
    ];
    Comparison {
        title: "Test accuracy after the last epoch".into(),
        note: String::new(),
        rows: rows.into_iter().map(|row| on_data_of_source(lab, DATASET, row)).collect(),
    }
}

fn mistake(answers: &[Answers]) -> ExperimentTable {
    let row = |name: &str, of: fn(&Answers) -> &Predictions| {
        let spread = |unit: Unit, value: fn(&Predictions) -> f64| {
            unit.spread(&answers.iter().map(|answers| value(of(answers))).collect::<Vec<_>>())
        };
        vec![
            name.to_owned(),
            spread(Unit::Percent, |p| p.scores().accuracy),
            spread(Unit::Plain, |p| p.scores().loss),
            spread(Unit::Percent, confidence),
            spread(Unit::Percent, Predictions::calibration_error),
        ]
    };
    ExperimentTable {
        title: "What pixels that are not divided do".into(),
        note: TEXT.paragraph("table of pixels", &[]),
        head: [
            "test pixels",
            "accuracy (%)",
            "loss (nats)",
            "confidence (%)",
            "calibration error (%)",
        ]
        .map(String::from)
        .into(),
        rows: vec![
            row("0 to 1, as in training", |answers| &answers.divided),
            row("0 to 255, as in the source", |answers| &answers.undivided),
        ],
    }
}

/// Mean probability of the answers.
fn confidence(predictions: &Predictions) -> f64 {
    let images = predictions.images();
    (0..images).map(|i| predictions.answer(i).1).sum::<f64>() / images as f64
}

fn cost_figure(lab: &Lab, arm: &ArmRuns) -> ExperimentFigure {
    let costs = cost(arm);
    let xs: Vec<f64> = (1..=costs[0].len()).map(|epoch| epoch as f64).collect();
    let y = Axis::log("mean training cost (nats, log scale)");
    let mut chart = LineChart::new("Training cost of each epoch", Axis::counts("epoch"), y)
        .with(series("ours", &xs, &costs));
    let mut caption = TEXT.paragraph("figure of costs", &[]);
    if lab.data().name == DATASET {
        let printed = xs.iter().copied().zip(PRINTED_COSTS).collect();
        let reference: Vec<(f64, f64, f64)> = xs
            .iter()
            .zip(PYTORCH_COSTS)
            .map(|(&x, (mean, deviation))| (x, mean - deviation, mean + deviation))
            .collect();
        let means = xs.iter().copied().zip(PYTORCH_COSTS.map(|(mean, _)| mean)).collect();
        chart = chart
            .with(Series::line("PyTorch, six seeds", means).with_band(reference))
            .with(Series::points("the source", printed));
        caption += " ";
        caption += &TEXT.paragraph("figure of PyTorch's costs", &[]);
    }
    ExperimentFigure { name: "cost".into(), caption, drawing: chart.draw() }
}

/// What the network predicts for the test image that the seed draws, in one scale of its pixels.
struct Prediction<'a> {
    seed: u64,
    scale: &'static str,
    answers: &'a Answers,
    /// Place of the image among the test images.
    place: usize,
    label: &'a str,
    class: &'a str,
    probability: f64,
}

/// One test image of each seed, twice: as the network answers it in either scale.
fn drawn_predictions<'a>(lab: &'a Lab, answers: &'a [Answers]) -> Vec<Prediction<'a>> {
    let names = &lab.data().class_names;
    let mut all = Vec::new();
    for (&seed, answers) in lab.seeds.iter().zip(answers) {
        let test = answers.test.for_final_scores();
        let place = Seeds::new(seed).example(test.len());
        let label = &names[usize::from(test.label(place))];
        let scales = [
            ("pixels from 0 to 1, as in training", &answers.divided),
            ("pixels from 0 to 255, as the source tests", &answers.undivided),
        ];
        for (scale, predictions) in scales {
            let (class, probability) = predictions.answer(place);
            let class = &names[class];
            all.push(Prediction { seed, scale, answers, place, label, class, probability });
        }
    }
    all
}

fn prediction_table(drawn: &[Prediction<'_>]) -> ExperimentTable {
    let row = |drawn: &Prediction<'_>| {
        vec![
            drawn.scale.to_owned(),
            drawn.seed.to_string(),
            drawn.place.to_string(),
            drawn.label.to_owned(),
            drawn.class.to_owned(),
            number::bare_percent(drawn.probability),
        ]
    };
    ExperimentTable {
        title: "One test image and its prediction".into(),
        note: TEXT.paragraph("table of predictions", &[]),
        head: ["test pixels", "seed", "image", "label", "prediction", "probability (%)"]
            .map(String::from)
            .into(),
        rows: drawn.iter().map(row).collect(),
    }
}

fn prediction_figure(drawn: &[Prediction<'_>]) -> ExperimentFigure {
    let image = |drawn: &Prediction<'_>| {
        let test = drawn.answers.test.for_final_scores();
        let shape = test.shape();
        let Prediction { label, class, .. } = drawn;
        let probability = number::percent(drawn.probability);
        GridImage {
            shape: [shape.channels, shape.height, shape.width],
            pixels: test.image(drawn.place).to_vec(),
            caption: vec![
                format!("label {label}, prediction {class} with {probability}"),
                drawn.scale.to_owned(),
            ],
        }
    };
    let grid = ImageGrid {
        title: "One test image and its prediction".into(),
        note: "The image is drawn by the seed.".into(),
        images: drawn.iter().map(image).collect(),
    };
    ExperimentFigure {
        name: "prediction".into(),
        caption: TEXT.paragraph("figure of a prediction", &[]),
        drawing: grid.draw(),
    }
}

fn data(arm: &ArmRuns) -> DataTable {
    let mut rows = Vec::new();
    for (run, costs) in cost(arm).iter().enumerate() {
        for (epoch, cost) in (1..).zip(costs) {
            rows.push(vec![run.to_string(), epoch.to_string(), cost.to_string()]);
        }
    }
    let columns = ["run", "epoch", "training_cost_nats"];
    DataTable { name: "costs".into(), columns: columns.map(String::from).into(), rows }
}
