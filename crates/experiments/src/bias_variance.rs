//! 002: "dropout raises bias a little and lowers variance a lot", measured over training sets.

use backburn_data::{SplitSize, stratified};
use backburn_models::{
    BiasInitialization, Initialization, MlpConfig, ModelConfig, WeightInitialization,
};
use backburn_records::statistics::{Basis, Better, Judged, Spread, Verdict};
use backburn_records::{DataTable, ExperimentTable, number};
use backburn_regularization::WeightDecay;
use backburn_report::figure::interval_plot::{Estimate, IntervalPanel, IntervalPlot};
use backburn_report::figure::{Axis, LineChart};
use backburn_report::{ExperimentFigure, Findings};
use backburn_training::failure::{Failure, usage};
use backburn_training::optimize::optimizer::OptimizerConfig;
use backburn_training::seeds::Seeds;
use serde_json::json;

use super::curves::series;
use super::decomposition::{CONFIDENCE, Residuals, Terms, interval, redraw};
use super::images::{Diagnostic, Images};
use super::lab::Lab;
use super::settings::Settings;
use super::text::Text;
use super::trainee::{Trainee, Training};

const TEXT: Text = Text(include_str!("bias_variance.md"));

const SETS: usize = 20;
const SET_SIZE: usize = 1000;
const TEST_IMAGES: usize = 2000;
const EPOCHS: usize = 20;
/// Images in a batch; the source does not give it.
const BATCH_SIZE: usize = 100;
const LEARNING_RATE: f64 = 0.001;
const DROPOUT: f64 = 0.5;
/// Epochs after which the networks are asked; the last one counts.
const LOOKS: [usize; 8] = [1, 2, 3, 5, 7, 10, 15, EPOCHS];
/// Drawn collections of training sets.
const DRAWS: usize = 10_000;

/// Both arms, without dropout first.
const ARMS: [(&str, f64); 2] = [("without dropout", 0.0), ("with dropout 0.5", DROPOUT)];

/// How errors are counted.
struct Loss {
    name: &'static str,
    /// Label of axes.
    label: &'static str,
    /// What values are multiplied with to be shown.
    factor: f64,
    decimals: usize,
    residuals: fn(&Look) -> &Residuals,
}

const LOSSES: [Loss; 2] = [
    Loss {
        name: "squared error of the probabilities",
        label: "squared error (0 to 2)",
        factor: 1.0,
        decimals: 4,
        residuals: |look| &look.squared,
    },
    Loss {
        name: "0-1 loss",
        label: "0-1 loss (%)",
        factor: 100.0,
        decimals: 2,
        residuals: |look| &look.zero_one,
    },
];

/// A term of an error.
struct Term {
    name: &'static str,
    of: fn(&Terms) -> f64,
}

const TERMS: [Term; 3] = [
    Term { name: "bias²", of: |terms| terms.bias },
    Term { name: "variance", of: |terms| terms.variance },
    Term { name: "error", of: |terms| terms.error },
];

/// What the networks of one arm predict for the test images after one epoch.
struct Look {
    squared: Residuals,
    zero_one: Residuals,
}

/// What one seed gives, by arm.
struct Found {
    /// Predictions after each of the epochs [`LOOKS`].
    looks: [Vec<Look>; 2],
    /// Share of its training images that each network gets right at the end.
    fitted: [Vec<f64>; 2],
}

/// A value and what it is between.
#[derive(Clone, Copy)]
struct Measured {
    value: f64,
    low: f64,
    high: f64,
}

impl Measured {
    /// What it says as a change of a term of the error.
    fn verdict(self) -> Verdict {
        let interval = Some((self.low, self.high));
        Judged::by_interval(self.value, interval, Better::Lower, Basis::Redrawn).verdict
    }
}

/// A loss, with its terms in the order of [`TERMS`].
struct Measurement {
    /// Terms of each arm.
    arms: [[Measured; 3]; 2],
    /// Terms with dropout less those without.
    change: [Measured; 3],
}

fn epochs(lab: &Lab) -> usize {
    lab.unless_smoke(EPOCHS, 2)
}

/// Epochs after which the networks are asked.
fn looks(lab: &Lab) -> Vec<usize> {
    LOOKS.into_iter().filter(|epoch| *epoch <= epochs(lab)).collect()
}

/// Drawn collections of training sets.
fn draws(lab: &Lab) -> usize {
    lab.unless_smoke(DRAWS, 100)
}

/// Images of a training set.
fn set_size(lab: &Lab) -> usize {
    SET_SIZE.min(lab.data().train.len() / SETS)
}

fn training(dropout: f64) -> Training {
    Training {
        model: ModelConfig::Mlp(MlpConfig { hidden: vec![256; 2], dropout, batch_norm: false }),
        initialization: Initialization::new(
            WeightInitialization::HeNormal,
            BiasInitialization::Zeros,
        ),
        optimizer: OptimizerConfig::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
        learning_rate: LEARNING_RATE,
        weight_decay: WeightDecay::default(),
    }
}

pub(super) fn settings(lab: &Lab) -> Result<Settings, Failure> {
    let (epochs, draws) = (epochs(lab), draws(lab));
    let data = json!({ "sets": SETS, "set_size": set_size(lab), "test_images": TEST_IMAGES });
    let length = json!({ "batch_size": BATCH_SIZE, "epochs": epochs, "bootstrap_draws": draws });
    let arm = |settings: Settings, (name, dropout): (&str, f64)| {
        settings.arm(name, &[&training(dropout), &data, &length])
    };
    Ok(ARMS.into_iter().fold(Settings::default(), arm))
}

pub(super) fn run(lab: &Lab) -> Result<Findings, Failure> {
    let published = &lab.data().train;
    let size = set_size(lab);
    if size < published.classes() {
        return Err(usage(format!(
            "{SETS} disjoint training sets need more images than there are"
        )));
    }
    let mut found = Vec::new();
    for &seed in &lab.seeds {
        found.push(train_all(lab, size, Seeds::new(seed))?);
    }
    let measurements: Vec<Measurement> =
        LOSSES.iter().map(|loss| measure(lab, &found, loss)).collect();
    let mut differences = TEXT.list("differences", &[("batch_size", BATCH_SIZE.to_string())]);
    if size < SET_SIZE {
        let values = [
            ("size", size.to_string()),
            ("sets", SETS.to_string()),
            ("set_size", SET_SIZE.to_string()),
        ];
        differences.push(TEXT.paragraph("small training sets", &values));
    }
    Ok(Findings {
        sentence: sentence(&measurements, &found),
        setup: setup(lab, size),
        tables: LOSSES.iter().zip(&measurements).map(|(loss, m)| table(loss, m)).collect(),
        figures: figures(&found, &measurements),
        data: vec![data(&found)],
        differences,
        ..Findings::default()
    })
}

fn setup(lab: &Lab, size: usize) -> Vec<String> {
    let values = [
        ("learning_rate", LEARNING_RATE.to_string()),
        ("batch_size", BATCH_SIZE.to_string()),
        ("epochs", epochs(lab).to_string()),
        ("dropout", DROPOUT.to_string()),
        ("sets", SETS.to_string()),
        ("size", size.to_string()),
        ("test_images", TEST_IMAGES.to_string()),
        ("confidence", confidence()),
        ("draws", draws(lab).to_string()),
    ];
    TEXT.list("set-up", &values)
}

/// [`CONFIDENCE`] in percent.
fn confidence() -> String {
    (100.0 * CONFIDENCE).to_string()
}

/// Trains a network without and one with dropout on every set.
fn train_all(lab: &Lab, size: usize, seeds: Seeds) -> Result<Found, Failure> {
    let published = &lab.data().train;
    let sizes = [SplitSize::Count(size); SETS];
    let sets = stratified(published, &sizes, &mut seeds.split())
        .map_err(|error| Failure::Error(error.to_string()))?;
    let test = lab.diagnostic(&lab.first(1), "bias and variance").first(TEST_IMAGES);
    // By arm, look and network.
    let mut answers = [(); 2].map(|()| vec![Vec::new(); looks(lab).len()]);
    let mut fitted = [const { Vec::new() }; 2];
    let mut labels = Vec::new();
    for (number, set) in sets.iter().enumerate() {
        let images = lab.images(published.select(set));
        for (arm, (_, dropout)) in ARMS.into_iter().enumerate() {
            let trained = train(lab, &images, &test, dropout, seeds.member(number))?;
            for (look, predictions) in trained.answers.into_iter().enumerate() {
                answers[arm][look].push(predictions);
            }
            fitted[arm].push(trained.fitted);
            labels = trained.labels;
        }
        if (number + 1) % 5 == 0 {
            lab.say(&format!("{} of {SETS} training sets", number + 1));
        }
    }
    let look = |answers: &Vec<Vec<f64>>| Look {
        squared: Residuals::squared(answers, &labels),
        zero_one: Residuals::zero_one(answers, &labels),
    };
    Ok(Found { looks: answers.map(|looks| looks.iter().map(look).collect()), fitted })
}

/// A network after its last epoch.
struct Trained {
    /// Probabilities of the test images at [`LOOKS`].
    answers: Vec<Vec<f64>>,
    labels: Vec<usize>,
    fitted: f64,
}

fn train(
    lab: &Lab,
    images: &Images,
    test: &Diagnostic,
    dropout: f64,
    seeds: Seeds,
) -> Result<Trained, Failure> {
    let mut trainee = Trainee::new(&training(dropout), images, seeds, &lab.device)?;
    let looks = looks(lab);
    let mut trained = Trained { answers: Vec::new(), labels: Vec::new(), fitted: 0.0 };
    for epoch in 1..=epochs(lab) {
        lab.go_on()?;
        for batch in images.epoch(BATCH_SIZE, epoch, seeds, &lab.device)? {
            trainee.step(&batch);
        }
        if looks.contains(&epoch) {
            let predictions = test.predictions(&trainee)?;
            trained.answers.push(predictions.probabilities());
            trained.labels = predictions.labels();
        }
    }
    trained.fitted = trainee.scores(images)?.accuracy;
    Ok(trained)
}

/// The terms of a loss after the last epoch, mean over seeds, with intervals over training sets.
fn measure(lab: &Lab, found: &[Found], loss: &Loss) -> Measurement {
    let last = |arm: usize| {
        found.iter().map(move |found| {
            let look = found.looks[arm].last().expect("the last epoch is looked at");
            (loss.residuals)(look)
        })
    };
    let point = [0, 1].map(|arm| {
        let all: Vec<Terms> = last(arm).map(Residuals::terms).collect();
        Terms::mean(&all)
    });
    let mut rng = Seeds::new(lab.seed()).bootstrap();
    let mut drawn = [const { Vec::new() }; 3];
    for _ in 0..draws(lab) {
        // The same sets for both arms, which were trained on the same ones.
        let counts: Vec<Vec<usize>> =
            last(0).map(|residuals| redraw(residuals.networks(), &mut rng)).collect();
        let [without, with] = [0, 1].map(|arm| {
            let all: Vec<Terms> = last(arm)
                .zip(&counts)
                .map(|(residuals, counts)| residuals.terms_of(counts))
                .collect();
            Terms::mean(&all)
        });
        drawn[0].push(without);
        drawn[1].push(with);
        drawn[2].push(with.minus(without));
    }
    let measured = |point: Terms, drawn: &[Terms]| {
        TERMS.each_ref().map(|term| {
            let (low, high) = interval(drawn.iter().map(term.of).collect());
            Measured { value: (term.of)(&point), low, high }
        })
    };
    Measurement {
        arms: [measured(point[0], &drawn[0]), measured(point[1], &drawn[1])],
        change: measured(point[1].minus(point[0]), &drawn[2]),
    }
}

/// What the changes say of "bias a little up, variance a lot down". What their sum does decides which of two
/// opposite ones is greater.
fn verdict(change: [Measured; 3]) -> &'static str {
    use Verdict::{Better, NoClearEffect, Worse};
    match change.map(Measured::verdict) {
        [Worse, Better, Better] => "bias rises and variance falls by more",
        [Worse, Better, Worse] => "variance falls, but bias rises by more",
        [Worse, Better, NoClearEffect] => "variance falls, but bias rises by about as much",
        [Better, Better, _] => "variance falls, and so does bias",
        [NoClearEffect, Better, _] => "variance falls, and bias does not clearly change",
        [Worse, ..] => "bias rises, but variance does not clearly fall",
        _ => "variance does not clearly fall",
    }
}

/// Whether "bias a little up, variance a lot down" holds.
fn holds(change: [Measured; 3]) -> bool {
    change.map(Measured::verdict) == [Verdict::Worse, Verdict::Better, Verdict::Better]
}

fn sentence(measurements: &[Measurement], found: &[Found]) -> String {
    let of_loss = |(loss, measurement): (&Loss, &Measurement)| {
        let [bias, variance, error] = measurement.change;
        let relative = |place: usize| {
            let before = measurement.arms[0][place].value;
            let share = 100.0 * measurement.change[place].value / before;
            if before > 0.0 { format!(" ({} %)", signed(share, 0)) } else { String::new() }
        };
        let direction = match error.verdict() {
            Verdict::Worse => "rises",
            Verdict::Better => "falls",
            Verdict::NoClearEffect => "does not clearly change",
        };
        let unit = if loss.factor == 1.0 { "" } else { " points" };
        let show = |measured: Measured| signed(loss.factor * measured.value, loss.decimals) + unit;
        let values = [
            ("loss", loss.name.into()),
            ("bias", show(bias)),
            ("bias_share", relative(0)),
            ("variance", show(variance)),
            ("variance_share", relative(1)),
            ("verdict", verdict(measurement.change).into()),
            ("direction", direction.into()),
            ("error", show(error)),
        ];
        TEXT.paragraph("change", &values)
    };
    let parts: Vec<String> = LOSSES.iter().zip(measurements).map(of_loss).collect();
    let verdicts: Vec<String> = LOSSES
        .iter()
        .zip(measurements)
        .map(|(loss, measurement)| {
            let holds = if holds(measurement.change) { "holds" } else { "does not hold" };
            format!("{holds} for the {}", loss.name)
        })
        .collect();
    let fitted = [0, 1].map(|arm| {
        let all: Vec<f64> = found.iter().flat_map(|found| found.fitted[arm].clone()).collect();
        number::percent(Spread::of(&all).mean)
    });
    let [fitted, fitted_with] = fitted;
    let values = [
        ("verdicts", verdicts.join(" and ")),
        ("dropout", DROPOUT.to_string()),
        ("changes", parts.join("; ")),
        ("fitted", fitted),
        ("fitted_with", fitted_with),
    ];
    TEXT.paragraph("sentence", &values)
}

/// A number with its sign.
fn signed(value: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", value.abs());
    let is_zero = text.chars().all(|c| matches!(c, '0' | '.'));
    let sign = match value {
        _ if is_zero => "",
        value if value < 0.0 => "−",
        _ => "+",
    };
    format!("{sign}{text}")
}

fn table(loss: &Loss, measurement: &Measurement) -> ExperimentTable {
    let plain = |value: f64| signed(loss.factor * value, loss.decimals).replace('+', "");
    let with_sign = |value: f64| signed(loss.factor * value, loss.decimals);
    let level = |m: Measured| format!("{} [{}, {}]", plain(m.value), plain(m.low), plain(m.high));
    let row = |(place, term): (usize, &Term)| {
        let change = measurement.change[place];
        vec![
            term.name.to_owned(),
            level(measurement.arms[0][place]),
            level(measurement.arms[1][place]),
            with_sign(change.value),
            format!("{} to {}", with_sign(change.low), with_sign(change.high)),
        ]
    };
    let unit = if loss.factor == 1.0 { "" } else { " Percent and percentage points." };
    let values = [
        ("test_images", TEST_IMAGES.to_string()),
        ("confidence", confidence()),
        ("unit", unit.into()),
    ];
    ExperimentTable {
        title: format!("Bias and variance: {}", loss.name),
        note: TEXT.paragraph("table", &values),
        head: ["", ARMS[0].0, ARMS[1].0, "change", "interval of the change"]
            .map(String::from)
            .into(),
        rows: TERMS.iter().enumerate().map(row).collect(),
    }
}

fn figures(found: &[Found], measurements: &[Measurement]) -> Vec<ExperimentFigure> {
    let estimate = |loss: &Loss, measured: Measured, group: usize| Estimate {
        value: loss.factor * measured.value,
        low: loss.factor * measured.low,
        high: loss.factor * measured.high,
        group,
    };
    let names: Vec<String> = TERMS.iter().map(|term| term.name.to_owned()).collect();
    let levels = IntervalPlot {
        title: "Bias and variance over training sets".into(),
        groups: ARMS.map(|(name, _)| name.to_owned()).into(),
        rows: names.clone(),
        panels: LOSSES
            .iter()
            .zip(measurements)
            .map(|(loss, measurement)| IntervalPanel {
                axis: Axis::linear(loss.label),
                estimates: (0..TERMS.len())
                    .map(|place| {
                        let arm = |arm: usize| estimate(loss, measurement.arms[arm][place], arm);
                        vec![arm(0), arm(1)]
                    })
                    .collect(),
            })
            .collect(),
    };
    let changes = IntervalPlot {
        title: format!("What dropout {DROPOUT} changes"),
        groups: vec!["with dropout less without".into()],
        rows: names,
        panels: LOSSES
            .iter()
            .zip(measurements)
            .map(|(loss, measurement)| IntervalPanel {
                axis: Axis::linear(loss.label.replace("(%)", "(points)").replace("(0 to 2)", "")),
                estimates: measurement.change.map(|change| vec![estimate(loss, change, 0)]).into(),
            })
            .collect(),
    };
    let mut figures = vec![
        ExperimentFigure {
            name: "terms".into(),
            caption: TEXT.paragraph("figure of terms", &[("confidence", confidence())]),
            drawing: levels.draw(),
        },
        ExperimentFigure {
            name: "change".into(),
            caption: TEXT.paragraph("figure of changes", &[("confidence", confidence())]),
            drawing: changes.draw(),
        },
    ];
    for (loss, name) in LOSSES.iter().zip(["course_squared", "course_zero_one"]) {
        figures.push(ExperimentFigure {
            name: name.into(),
            caption: TEXT.paragraph("figure of courses", &[]),
            drawing: course(found, loss).draw(),
        });
    }
    figures
}

/// Bias² and variance by epoch.
fn course(found: &[Found], loss: &Loss) -> LineChart {
    let looks = found[0].looks[0].len();
    let epochs: Vec<f64> = LOOKS[..looks].iter().map(|epoch| *epoch as f64).collect();
    let mut chart = LineChart::new(
        format!("Course of the {}", loss.name),
        Axis::counts("epoch"),
        Axis::linear(loss.label),
    );
    for (arm, (arm_name, _)) in ARMS.iter().enumerate() {
        for term in &TERMS[..2] {
            let row = |found: &Found| {
                let value = |look: &Look| loss.factor * (term.of)(&(loss.residuals)(look).terms());
                found.looks[arm].iter().map(value).collect()
            };
            let rows: Vec<Vec<f64>> = found.iter().map(row).collect();
            chart = chart.with(series(format!("{} {arm_name}", term.name), &epochs, &rows));
        }
    }
    chart
}

fn data(found: &[Found]) -> DataTable {
    let mut rows = Vec::new();
    for (run, found) in found.iter().enumerate() {
        for (arm, (name, _)) in ARMS.iter().enumerate() {
            for (epoch, look) in LOOKS.iter().zip(&found.looks[arm]) {
                for loss in &LOSSES {
                    let terms = (loss.residuals)(look).terms();
                    rows.push(vec![
                        run.to_string(),
                        (*name).to_owned(),
                        epoch.to_string(),
                        loss.name.to_owned(),
                        terms.bias.to_string(),
                        terms.variance.to_string(),
                        terms.error.to_string(),
                    ]);
                }
            }
        }
    }
    let columns = ["run", "arm", "epoch", "loss", "bias_squared", "variance", "error"];
    DataTable { name: "terms".into(), columns: columns.map(String::from).into(), rows }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(low: f64, high: f64) -> Measured {
        Measured { value: (low + high) / 2.0, low, high }
    }

    #[test]
    fn the_claim_holds_only_if_bias_rises_and_variance_falls_by_more() {
        let (down, up, unclear) = (between(-3.0, -1.0), between(0.5, 1.5), between(-1.0, 1.0));
        let says = |changes: [Measured; 3], what: &str, claim: bool| {
            assert!(verdict(changes).ends_with(what), "{}", verdict(changes));
            assert_eq!(holds(changes), claim, "{what}");
        };
        says([up, down, down], "variance falls by more", true);
        says([up, down, up], "bias rises by more", false);
        says([up, down, unclear], "about as much", false);
        says([down, down, down], "so does bias", false);
        says([unclear, down, down], "bias does not clearly change", false);
        says([up, unclear, up], "variance does not clearly fall", false);
        says([unclear, up, up], "variance does not clearly fall", false);
    }

    #[test]
    fn signs_are_written_unless_nothing_is_left_of_the_number() {
        assert_eq!(signed(0.5, 2), "+0.50");
        assert_eq!(signed(-0.5, 2), "−0.50");
        assert_eq!(signed(-0.001, 2), "0.00");
    }
}
