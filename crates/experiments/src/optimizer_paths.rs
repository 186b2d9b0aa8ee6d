//! 003 §6.1: the paths of the optimizers down f = x²/20 + y², a valley that is steep across and flat along.

use backburn_models::{Classifier, MlpConfig, ModelConfig, Network, parameters};
use backburn_records::{DataTable, ExperimentTable, number};
use backburn_regularization::WeightDecay;
use backburn_report::figure::{Axis, ContourChart, ContourPanel, LineChart, Series, Surface};
use backburn_report::{ExperimentFigure, Findings};
use backburn_training::failure::{Failure, usage};
use backburn_training::optimize::gradients::NamedGradients;
use backburn_training::optimize::optimizer::{Optimizer, OptimizerConfig};
use burn::tensor::{Device, Tensor};
use serde_json::json;

use super::lab::Lab;
use super::settings::Settings;
use super::text::Text;

const TEXT: Text = Text(include_str!("optimizer_paths.md"));

const START: (f64, f64) = (-7.0, 2.0);
const STEPS: usize = 30;
/// f = x² · first + y² · second
const COEFFICIENTS: [f64; 2] = [1.0 / 20.0, 1.0];
const EPSILON: f64 = 1e-7;
const LEVELS: [f64; 7] = [0.1, 0.5, 1.0, 2.0, 4.0, 6.0, 9.0];
/// SGD's rates in the table that says where its zigzag comes from.
const SGD_RATES: [f64; 4] = [0.1, 0.5, 0.95, 1.05];

struct Row {
    name: &'static str,
    optimizer: OptimizerConfig,
    learning_rate: f64,
}

const ROWS: [Row; 6] = [
    Row { name: "SGD", optimizer: OptimizerConfig::Sgd, learning_rate: 0.95 },
    Row {
        name: "Momentum",
        optimizer: OptimizerConfig::Momentum { momentum: 0.9 },
        learning_rate: 0.1,
    },
    Row {
        name: "AdaGrad",
        optimizer: OptimizerConfig::Adagrad { epsilon: EPSILON },
        learning_rate: 1.5,
    },
    Row {
        name: "Adam",
        optimizer: OptimizerConfig::Adam { beta1: 0.9, beta2: 0.999, epsilon: EPSILON },
        learning_rate: 0.3,
    },
    Row {
        name: "Nesterov",
        optimizer: OptimizerConfig::Nesterov { momentum: 0.9 },
        learning_rate: 0.1,
    },
    Row {
        name: "RMSProp",
        optimizer: OptimizerConfig::Rmsprop { decay: 0.9, epsilon: EPSILON },
        learning_rate: 0.3,
    },
];
/// The first of them are the source's.
const SOURCE_ROWS: usize = 4;

/// The points of a path, the start first.
#[derive(Clone, Debug)]
struct Way(Vec<(f64, f64)>);

impl Way {
    fn end(&self) -> (f64, f64) {
        *self.0.last().expect("a path has a start")
    }

    /// Distance of the end from the minimum, which lies at the origin.
    fn distance(&self) -> f64 {
        let (x, y) = self.end();
        x.hypot(y)
    }

    /// Length of the path, measured by the straight way from its start to its end.
    fn detour(&self) -> f64 {
        let length = |from: (f64, f64), to: (f64, f64)| (to.0 - from.0).hypot(to.1 - from.1);
        let all: f64 = self.0.windows(2).map(|pair| length(pair[0], pair[1])).sum();
        all / length(self.0[0], self.end())
    }

    /// How often a step crosses the valley's floor: the zigzag.
    fn crossings(&self) -> usize {
        self.0.windows(2).filter(|pair| pair[0].1 * pair[1].1 < 0.0).count()
    }
}

pub(super) fn settings(_: &Lab) -> Result<Settings, Failure> {
    let arm = |settings: Settings, row: &Row| {
        let (optimizer, learning_rate) = (row.optimizer, row.learning_rate);
        let own = json!({ "optimizer": optimizer, "learning_rate": learning_rate });
        let common = json!({ "coefficients": COEFFICIENTS, "start": START, "steps": STEPS });
        settings.arm(row.name, &[&own, &common])
    };
    Ok(ROWS.iter().fold(Settings::default(), arm))
}

pub(super) fn run(lab: &Lab) -> Result<Findings, Failure> {
    let mut ways = Vec::new();
    for row in &ROWS {
        lab.go_on()?;
        ways.push(descend(&lab.device, row.optimizer, row.learning_rate)?);
    }
    let mut sgd = Vec::new();
    for rate in SGD_RATES {
        sgd.push(descend(&lab.device, OptimizerConfig::Sgd, rate)?);
    }
    Ok(Findings {
        sentence: sentence(&ways),
        setup: setup(),
        tables: vec![numbers(&ways), rates(&sgd)],
        figures: figures(&ways),
        data: vec![data(&ways)],
        differences: TEXT.list("differences", &[]),
        ..Findings::default()
    })
}

/// Takes the steps with the optimizer that trains networks: the point is the weight of a layer with two
/// inputs and one output, and the two unit vectors as a batch read its coordinates out.
fn descend(
    device: &Device,
    optimizer: OptimizerConfig,
    learning_rate: f64,
) -> Result<Way, Failure> {
    let device = device.clone().autodiff();
    let model = ModelConfig::Mlp(MlpConfig { hidden: vec![], dropout: 0.0, batch_norm: false });
    let mut network = at(model.init([1, 1, 2], 1, &device).map_err(usage)?, START);
    let unit_vectors = Tensor::<4>::from_floats([[[[1.0, 0.0]]], [[[0.0, 1.0]]]], &device);
    let coefficients = COEFFICIENTS.map(|value| [value as f32]);
    let coefficients = Tensor::<2>::from_floats(coefficients, &device);
    let mut optimizer = Optimizer::new(optimizer, WeightDecay::default());
    let mut way = vec![START];
    for _ in 0..STEPS {
        let coordinates = network.forward(unit_vectors.clone());
        let value = (coordinates.square() * coefficients.clone()).sum();
        let mut gradients = NamedGradients::gather(&network, value.backward());
        // The bias would move both coordinates at once; without a gradient it stays zero.
        gradients.take("head.bias");
        network = optimizer.step(network, gradients, learning_rate);
        way.push(position(&network));
    }
    Ok(Way(way))
}

/// The network whose weight is that point.
fn at(network: Network, (x, y): (f64, f64)) -> Network {
    let mut tensors = parameters::export(&network);
    let weight = tensors.iter_mut().find(|tensor| tensor.name == "head.weight");
    weight.expect("a linear network has a head").values = vec![x as f32, y as f32];
    parameters::import(network, tensors).expect("a network takes its own tensors")
}

fn position(network: &Network) -> (f64, f64) {
    let tensors = parameters::export(network);
    let weight = tensors.iter().find(|tensor| tensor.name == "head.weight");
    let values = &weight.expect("a linear network has a head").values;
    (values[0].into(), values[1].into())
}

fn setup() -> Vec<String> {
    let rates = |rows: &[Row]| {
        let rates = rows.iter().map(|row| format!("{} {}", row.name, row.learning_rate));
        rates.collect::<Vec<_>>().join(", ")
    };
    let values = [
        ("start_x", number::short(START.0)),
        ("start_y", number::short(START.1)),
        ("steps", STEPS.to_string()),
        ("source_rates", rates(&ROWS[..SOURCE_ROWS])),
        ("our_rates", rates(&ROWS[SOURCE_ROWS..])),
    ];
    TEXT.list("set-up", &values)
}

fn sentence(ways: &[Way]) -> String {
    let sgd = &ways[0];
    let others = || ways[1..SOURCE_ROWS].iter().zip(&ROWS[1..]);
    let told: Vec<String> = others()
        .map(|(way, row)| format!("{} {} ({:.1} times)", row.name, way.crossings(), way.detour()))
        .collect();
    let is_worst =
        others().all(|(way, _)| way.crossings() < sgd.crossings() && way.detour() < sgd.detour());
    let verdict = if is_worst { "SGD is worst" } else { "SGD is not worst" };
    let ends: Vec<String> =
        others().map(|(way, row)| format!("{} {:.2}", row.name, way.distance())).collect();
    let values = [
        ("steps", STEPS.to_string()),
        ("crossings", sgd.crossings().to_string()),
        ("detour", format!("{:.1}", sgd.detour())),
        ("others", told.join(", ")),
        ("verdict", TEXT.paragraph(verdict, &[])),
        ("distance", format!("{:.2}", sgd.distance())),
        ("ends", ends.join(", ")),
    ];
    TEXT.paragraph("sentence", &values)
}

fn numbers(ways: &[Way]) -> ExperimentTable {
    let rows = ROWS.iter().zip(ways).map(|(row, way)| {
        vec![
            row.name.to_owned(),
            row.learning_rate.to_string(),
            number::loss(way.distance()),
            format!("{:.2}", way.detour()),
            way.crossings().to_string(),
        ]
    });
    ExperimentTable {
        title: format!("After {STEPS} steps"),
        note: TEXT.paragraph("table of ends", &[]),
        head: ["optimizer", "learning rate", "distance to the minimum", "detour", "crossings"]
            .map(String::from)
            .into(),
        rows: rows.collect(),
    }
}

/// One step of SGD multiplies x by 1 − η/10 and y by 1 − 2η.
fn rates(ways: &[Way]) -> ExperimentTable {
    let rows = SGD_RATES.iter().zip(ways).map(|(rate, way)| {
        let factor = |coefficient: f64| number::short(round(1.0 - 2.0 * coefficient * rate));
        vec![
            rate.to_string(),
            factor(COEFFICIENTS[0]),
            factor(COEFFICIENTS[1]),
            number::loss(way.distance()),
            way.crossings().to_string(),
        ]
    });
    ExperimentTable {
        title: "Where SGD's zigzag comes from".into(),
        note: TEXT.paragraph("table of rates", &[]),
        head: ["η", "factor of x", "factor of y", "distance to the minimum", "crossings"]
            .map(String::from)
            .into(),
        rows: rows.collect(),
    }
}

fn round(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

fn figures(ways: &[Way]) -> Vec<ExperimentFigure> {
    let all = || ways.iter().flat_map(|way| &way.0);
    // Wide enough for every path, and for the start to have some air.
    let reach = |values: &mut dyn Iterator<Item = f64>, least: f64| {
        let reach = values.filter(|value| value.is_finite()).map(f64::abs).fold(least, f64::max);
        reach.ceil()
    };
    let x = reach(&mut all().map(|point| point.0), 8.0);
    let y = reach(&mut all().map(|point| point.1), 3.0);
    let function = |x: f64, y: f64| COEFFICIENTS[0] * x * x + COEFFICIENTS[1] * y * y;
    let panel = |(row, way): (&Row, &Way)| ContourPanel {
        name: format!("{}, η = {}", row.name, row.learning_rate),
        note: format!("{} crossings", way.crossings()),
        path: way.0.clone(),
    };
    let paths = ContourChart {
        title: format!("{STEPS} steps down f = x²/20 + y²"),
        note: format!(
            "Ring: start. Square: after {STEPS} steps. Cross: minimum. Lines: f = {}.",
            LEVELS.map(number::short).join(", ")
        ),
        x: Axis::linear("x (no unit)").within(-x, x),
        y: Axis::linear("y (no unit)").within(-y, y),
        surface: Surface::sample((-x, x), (-y, y), 48, function),
        levels: LEVELS.into(),
        minimum: (0.0, 0.0),
        panels: ROWS.iter().zip(ways).map(panel).collect(),
    };
    let mut distances = LineChart::new(
        "Distance to the minimum",
        Axis::counts("step"),
        Axis::log("distance to the minimum (log)"),
    );
    for (row, way) in ROWS.iter().zip(ways) {
        let points = (0..).map(f64::from).zip(way.0.iter().map(|(x, y)| x.hypot(*y)));
        distances = distances.with(Series::line(row.name, points.collect()));
    }
    vec![
        ExperimentFigure {
            name: "paths".into(),
            caption: TEXT.paragraph("figure of paths", &[]),
            drawing: paths.draw(),
        },
        ExperimentFigure {
            name: "distance".into(),
            caption: TEXT.paragraph("figure of distances", &[]),
            drawing: distances.draw(),
        },
    ]
}

fn data(ways: &[Way]) -> DataTable {
    let rows = ROWS.iter().zip(ways).flat_map(|(row, way)| {
        way.0.iter().enumerate().map(|(step, (x, y))| {
            vec![row.name.to_owned(), step.to_string(), x.to_string(), y.to_string()]
        })
    });
    DataTable {
        name: "paths".into(),
        columns: ["optimizer", "step", "x", "y"].map(String::from).into(),
        rows: rows.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_knows_its_detour_and_its_crossings() {
        let way = Way(vec![(0.0, 3.0), (0.0, -1.0), (4.0, -1.0), (4.0, 0.0), (4.0, 0.5)]);
        assert_eq!(way.crossings(), 1);
        // 4 + 4 + 1.5 over the hypotenuse of 4 and 2.5.
        assert!((way.detour() - 9.5 / 4.0_f64.hypot(2.5)).abs() < 1e-12);
        assert!((way.distance() - 4.0_f64.hypot(0.5)).abs() < 1e-12);
    }

    /// SGD multiplies the coordinates by 1 − 0.095 and 1 − 1.9; AdaGrad's first step is η in each.
    #[test]
    fn the_steps_are_those_that_the_formulas_give() {
        let device = Device::flex();
        let way = descend(&device, OptimizerConfig::Sgd, 0.95).unwrap();
        assert_eq!(way.0.len(), STEPS + 1);
        let expected = (-7.0 * 0.905_f64.powi(30), 2.0 * 0.9_f64.powi(30));
        assert!((way.end().0 - expected.0).abs() < 1e-5, "{:?}", way.end());
        assert!((way.end().1 - expected.1).abs() < 1e-5, "{:?}", way.end());
        assert_eq!(way.crossings(), STEPS);
        let way = descend(&device, OptimizerConfig::Adagrad { epsilon: 1e-7 }, 1.5).unwrap();
        assert!((way.0[1].0 + 5.5).abs() < 1e-4 && (way.0[1].1 - 0.5).abs() < 1e-4);
    }
}
