//! 003 §6.2: activations of five layers, before any training, under different initial weights.

use backburn_report::figure::{Axis, Drawing, Histogram, HistogramGrid, HistogramRow, LineChart};
use backburn_report::statistics::Spread;
use backburn_report::{DataTable, ExperimentFigure, ExperimentTable, Findings, number};
use burn::tensor::activation::{relu, sigmoid, tanh};
use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::curves::series;
use super::lab::Lab;
use super::tables::{spread, three_digits, two_digits};
use crate::cli::Failure;
use crate::loss::Loss;
use crate::seeds::Seeds;

const SAMPLES: usize = 1000;
/// Features of a sample, and units of every layer.
const UNITS: usize = 100;
const LAYERS: usize = 5;
/// Of the random labels that gradients are taken against.
const CLASSES: usize = 10;
/// The source's.
const BINS: usize = 30;

/// A scale of the initial weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scale {
    Constant,
    One,
    Hundredth,
    Xavier,
    He,
}

const SCALES: [Scale; 5] =
    [Scale::Constant, Scale::One, Scale::Hundredth, Scale::Xavier, Scale::He];

impl Scale {
    fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::One => "std 1",
            Self::Hundredth => "std 0.01",
            Self::Xavier => "Xavier",
            Self::He => "He",
        }
    }

    /// The weights of a layer. Those that are drawn are the same draws, scaled.
    fn weights(self, draws: &[f32]) -> Vec<f32> {
        let n = UNITS as f32;
        match self {
            // So that a unit's sum is the mean of its inputs.
            Self::Constant => vec![1.0 / n; draws.len()],
            Self::One => draws.to_vec(),
            Self::Hundredth => draws.iter().map(|draw| 0.01 * draw).collect(),
            Self::Xavier => draws.iter().map(|draw| (1.0 / n).sqrt() * draw).collect(),
            Self::He => draws.iter().map(|draw| (2.0 / n).sqrt() * draw).collect(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Function {
    Sigmoid,
    Tanh,
    Relu,
}

const FUNCTIONS: [Function; 3] = [Function::Sigmoid, Function::Tanh, Function::Relu];

impl Function {
    fn name(self) -> &'static str {
        match self {
            Self::Sigmoid => "sigmoid",
            Self::Tanh => "tanh",
            Self::Relu => "ReLU",
        }
    }

    fn apply(self, x: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Sigmoid => sigmoid(x),
            Self::Tanh => tanh(x),
            Self::Relu => relu(x),
        }
    }

    /// Whether the function is nearly flat where it has this value: within a twentieth of its range from
    /// an end; of ReLU, exactly flat, at zero.
    fn is_saturated(self, value: f32) -> bool {
        match self {
            Self::Sigmoid => !(0.05..=0.95).contains(&value),
            Self::Tanh => value.abs() > 0.9,
            Self::Relu => value == 0.0,
        }
    }
}

/// The activations of a layer, sample after sample.
type Activations = Vec<f32>;

/// What is known of a layer.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Layer {
    mean: f64,
    deviation: f64,
    /// Standard deviation over the samples, as the mean over units: how much a unit tells of its input.
    over_samples: f64,
    saturated: f64,
    zero: f64,
    rank: f64,
    /// Norm of the loss's gradient by the layer's weights.
    gradient: f64,
}

impl Layer {
    fn of(function: Function, values: &[f32], gradient: f64) -> Self {
        let share = |is: &dyn Fn(f32) -> bool| {
            values.iter().filter(|value| is(**value)).count() as f64 / values.len() as f64
        };
        let (mean, deviation) = moments(values.iter().copied());
        let unit = |unit: usize| moments(values.iter().skip(unit).step_by(UNITS).copied()).1;
        Self {
            mean,
            deviation,
            over_samples: (0..UNITS).map(unit).sum::<f64>() / UNITS as f64,
            saturated: share(&|value| function.is_saturated(value)),
            zero: share(&|value| value == 0.0),
            rank: rank(values, UNITS) as f64,
            gradient,
        }
    }
}

/// Mean and standard deviation of all values that there are.
fn moments(values: impl Iterator<Item = f32> + Clone) -> (f64, f64) {
    let count = values.clone().count() as f64;
    let mean = values.clone().map(f64::from).sum::<f64>() / count;
    let squares: f64 = values.map(|value| (f64::from(value) - mean).powi(2)).sum();
    (mean, (squares / count).sqrt())
}

/// Numerical rank of a matrix with rows of `width` values, at most as many as there are rows: singular
/// values above the greatest times the number of rows times the distance of 32-bit floats at 1, as NumPy
/// counts them.
fn rank(values: &[f32], width: usize) -> usize {
    let mut gram = vec![vec![0.0_f64; width]; width];
    for row in values.chunks_exact(width) {
        for (sums, value) in gram.iter_mut().zip(row) {
            for (sum, other) in sums.iter_mut().zip(row) {
                *sum += f64::from(*value) * f64::from(*other);
            }
        }
    }
    // Eigenvalues are squares of the singular values; 64-bit floats hold them finely enough.
    let eigenvalues = eigenvalues(gram);
    let greatest = eigenvalues.iter().copied().fold(0.0, f64::max);
    let rows = values.len() / width;
    let bound = greatest * (rows.max(width) as f64 * f64::from(f32::EPSILON)).powi(2);
    eigenvalues.into_iter().filter(|value| *value > bound).count()
}

/// Eigenvalues of a symmetric matrix, by Jacobi's rotations.
///
/// Golub & Van Loan, "Matrix Computations", 4th edition, 2013, section 8.5.
fn eigenvalues(mut a: Vec<Vec<f64>>) -> Vec<f64> {
    const SWEEPS: usize = 30;
    let n = a.len();
    let square = |row: &[f64]| row.iter().map(|value| value * value).sum::<f64>();
    for _ in 0..SWEEPS {
        let on_diagonal = square(&diagonal(&a));
        let below: f64 = a.iter().enumerate().map(|(i, row)| square(&row[..i])).sum();
        if below <= 1e-30 * on_diagonal {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                rotate(&mut a, p, q);
            }
        }
    }
    diagonal(&a)
}

fn diagonal(a: &[Vec<f64>]) -> Vec<f64> {
    a.iter().enumerate().map(|(i, row)| row[i]).collect()
}

/// Turns the axes `p` and `q` so that their product becomes zero.
fn rotate(a: &mut [Vec<f64>], p: usize, q: usize) {
    if a[p][q] == 0.0 {
        return;
    }
    let tau = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
    let t = tau.signum() / (tau.abs() + tau.hypot(1.0));
    let c = 1.0 / t.hypot(1.0);
    let s = t * c;
    for row in a.iter_mut() {
        (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
    }
    let (low, high) = a.split_at_mut(q);
    for (x, y) in low[p].iter_mut().zip(&mut high[0]) {
        (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
    }
}

/// What is drawn once a seed, and then the same for all networks.
struct Draws {
    input: Vec<f32>,
    /// Standard normal, by layer.
    layers: Vec<Vec<f32>>,
    /// Weights of the linear layer behind the last one, normal with standard deviation √(1/n).
    head: Vec<f32>,
    /// One-hot rows.
    labels: Vec<f32>,
}

impl Draws {
    fn new(seeds: Seeds) -> Self {
        let normal = |mut rng: ChaCha8Rng, count: usize| -> Vec<f32> {
            (0..count).map(|_| StandardNormal.sample(&mut rng)).collect()
        };
        let layer = |number| normal(seeds.weights(&format!("layer.{number}")), UNITS * UNITS);
        let mut labels = vec![0.0; SAMPLES * CLASSES];
        let mut rng = seeds.data("weight-init/labels");
        for row in labels.chunks_exact_mut(CLASSES) {
            row[rng.random_range(0..CLASSES)] = 1.0;
        }
        let head = normal(seeds.weights("head"), UNITS * CLASSES);
        Self {
            input: normal(seeds.data("weight-init"), SAMPLES * UNITS),
            layers: (1..=LAYERS).map(layer).collect(),
            head: head.into_iter().map(|draw| draw / (UNITS as f32).sqrt()).collect(),
            labels,
        }
    }

    /// Activations of each layer, and the norm of the gradient by each layer's weights.
    fn pass(
        &self,
        function: Function,
        scale: Scale,
        input: &[f32],
        device: &Device,
    ) -> Vec<(Activations, f64)> {
        let device = device.clone().autodiff();
        let tensor = |values: Vec<f32>, columns: usize| {
            let rows = values.len() / columns;
            Tensor::<2>::from_data(TensorData::new(values, [rows, columns]), &device)
        };
        let mut x = tensor(input.to_vec(), UNITS);
        let (mut weights, mut activations) = (Vec::new(), Vec::new());
        for draws in &self.layers {
            let layer = tensor(scale.weights(draws), UNITS).require_grad();
            x = function.apply(x.matmul(layer.clone()));
            weights.push(layer);
            activations.push(read(x.clone()));
        }
        let logits = x.matmul(tensor(self.head.clone(), CLASSES));
        let labels = tensor(self.labels.clone(), CLASSES);
        let gradients = Loss::CrossEntropy.forward(logits, labels).backward();
        let norm = |layer: &Tensor<2>| {
            let gradient = read(layer.grad(&gradients).expect("every layer is part of the loss"));
            gradient.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt()
        };
        activations.into_iter().zip(weights.iter().map(norm)).collect()
    }
}

fn read(x: Tensor<2>) -> Vec<f32> {
    x.into_data().try_to_vec().expect("activations are 32-bit floats")
}

/// All seeds' networks of one function and scale.
struct Cell {
    function: Function,
    scale: Scale,
    /// By seed, then layer.
    layers: Vec<Vec<Layer>>,
    /// Of the first seed, by layer.
    activations: Vec<Activations>,
}

impl Cell {
    /// A value of a layer, counted from 0, by seed.
    fn values(&self, layer: usize, value: impl Fn(&Layer) -> f64) -> Vec<f64> {
        self.layers.iter().map(|layers| value(&layers[layer])).collect()
    }

    fn mean(&self, layer: usize, value: impl Fn(&Layer) -> f64) -> f64 {
        Spread::of(&self.values(layer, value)).mean
    }
}

pub(super) fn run(lab: &Lab) -> Result<Findings, Failure> {
    let mut cells = Vec::new();
    for function in FUNCTIONS {
        for scale in SCALES {
            let (layers, activations) = (Vec::new(), Vec::new());
            cells.push(Cell { function, scale, layers, activations });
        }
    }
    let mut listings = Vec::new();
    for &seed in &lab.seeds {
        let draws = Draws::new(Seeds::new(seed));
        for cell in &mut cells {
            lab.go_on()?;
            let Cell { function, scale, .. } = *cell;
            let passed = draws.pass(function, scale, &draws.input, &lab.device);
            let layers = passed.iter().map(|(values, norm)| Layer::of(function, values, *norm));
            cell.layers.push(layers.collect());
            if cell.activations.is_empty() {
                cell.activations = passed.into_iter().map(|(values, _)| values).collect();
            }
        }
        if listings.is_empty() {
            listings = listed(&draws, &lab.device);
        }
        lab.say(&format!("seed {seed}: {} networks", cells.len()));
    }
    Ok(Findings {
        sentence: sentence(&cells),
        setup: setup(),
        tables: FUNCTIONS.map(|function| table(&cells, function)).into_iter().chain([mistake_table(&listings)]).collect(),
        figures: figures(&cells, &listings),
        data: vec![data(&cells), source_data(&listings)],
        mistakes: vec![mistake(&listings)],
        differences: [
            "The source shows four of the fifteen networks, as histograms on [0, 1]; of ReLU that cuts off what \
             lies above 1.",
            "It prints no numbers, so none are compared.",
            "Its networks have no loss; the random labels and the linear layer behind the last one are ours, for \
             the gradients.",
            "Constant weights are described there, but not run. The constant is our choice.",
        ]
        .map(String::from)
        .into(),
        ..Findings::default()
    })
}

/// A listing of the source: its function and scale, and the activations that it plots.
struct Listing {
    function: Function,
    scale: Scale,
    /// As the text says: fed with the input.
    right: Vec<Activations>,
    /// As it is run: all but the first are fed with what the one before left in `x`, the output of its
    /// fourth layer.
    as_run: Vec<Activations>,
}

fn listed(draws: &Draws, device: &Device) -> Vec<Listing> {
    let rows = [
        (Function::Sigmoid, Scale::One),
        (Function::Sigmoid, Scale::Hundredth),
        (Function::Sigmoid, Scale::Xavier),
        (Function::Relu, Scale::He),
    ];
    let mut left = draws.input.clone();
    let mut listings = Vec::new();
    for (function, scale) in rows {
        let pass = |input: &[f32]| -> Vec<Activations> {
            let passed = draws.pass(function, scale, input, device);
            passed.into_iter().map(|(values, _)| values).collect()
        };
        let (right, as_run) = (pass(&draws.input), pass(&left));
        left = as_run[LAYERS - 2].clone();
        listings.push(Listing { function, scale, right, as_run });
    }
    listings
}

fn setup() -> Vec<String> {
    vec![
        format!(
            "{SAMPLES} samples of {UNITS} features from N(0, 1) through {LAYERS} layers of {UNITS} units without biases, before any \
             training."
        ),
        "Weights: constant 1/n (a unit's sum is the mean of its inputs), or normal with standard deviation 1, 0.01, \
         Xavier's √(1/n), He's √(2/n); n = 100 inputs. The draws are the same for all, scaled."
            .into(),
        format!(
            "Gradients: of the mean cross-entropy between random labels of {CLASSES} classes and a linear layer behind the last one, whose weights are \
             normal with standard deviation √(1/n) and the same for all; the Frobenius norm by each layer's weights."
        ),
        "Saturated: sigmoid below 0.05 or above 0.95, tanh beyond ±0.9, ReLU at zero. Rank: singular values above the greatest \
         times 1.2e-4, NumPy's bound for matrices of this size."
            .into(),
    ]
}

fn cell(cells: &[Cell], function: Function, scale: Scale) -> &Cell {
    let found = cells.iter().find(|cell| cell.function == function && cell.scale == scale);
    found.expect("the grid is complete")
}

fn sentence(cells: &[Cell]) -> String {
    let last = |function, scale, value: fn(&Layer) -> f64| {
        cell(cells, function, scale).mean(LAYERS - 1, value)
    };
    let sigmoid = |scale, value| last(Function::Sigmoid, scale, value);
    let relu = |scale, value| last(Function::Relu, scale, value);
    let constant: Vec<f64> = FUNCTIONS
        .iter()
        .map(|function| last(*function, Scale::Constant, |layer| layer.rank))
        .collect();
    let symmetric = if constant.iter().all(|rank| *rank <= 1.0) {
        "with constant weights all units of a layer say the same (rank 1)"
    } else {
        "constant weights do not make all units alike"
    };
    let alive =
        relu(Scale::He, |layer| layer.deviation) / relu(Scale::Xavier, |layer| layer.deviation);
    let kept = cell(cells, Function::Relu, Scale::He);
    let ratio = kept.mean(LAYERS - 1, |l| l.deviation) / kept.mean(0, |l| l.deviation);
    format!(
        "In the fifth layer, sigmoid units with std 1 are saturated in {:.0} % of the cases, with std 0.01 all lie at {:.2} ± {}, and with Xavier they spread by {:.2}, \
         but by {} over the samples; ReLU with He has {:.2} times the spread of its first layer and {:.1} times that of Xavier; {symmetric}.",
        100.0 * sigmoid(Scale::One, |layer| layer.saturated),
        sigmoid(Scale::Hundredth, |layer| layer.mean),
        three_digits(sigmoid(Scale::Hundredth, |layer| layer.deviation)),
        sigmoid(Scale::Xavier, |layer| layer.deviation),
        three_digits(sigmoid(Scale::Xavier, |layer| layer.over_samples)),
        ratio,
        alive,
    )
}

fn mistake(listings: &[Listing]) -> String {
    let xavier = &listings[2];
    let spread =
        |all: &[Activations]| Layer::of(xavier.function, &all[LAYERS - 1], 0.0).over_samples;
    format!(
        "Only the first listing sets x to the input; each later one starts with what the one before left in x, the output of that one's fourth \
         layer. The histograms of std 0.01, Xavier and He are therefore not of N(0, 1) inputs. In the Xavier figure all samples go in nearly \
         alike: what spreads there are the units, while the samples differ by {} in the fifth layer (by {} with the right input). The figure \
         of the source's four networks shows both.",
        three_digits(spread(&xavier.as_run)),
        three_digits(spread(&xavier.right)),
    )
}

fn mistake_table(listings: &[Listing]) -> ExperimentTable {
    let mut rows = Vec::new();
    for listing in listings {
        for (name, all) in [("", &listing.right), (", as run", &listing.as_run)] {
            let layer = Layer::of(listing.function, &all[LAYERS - 1], 0.0);
            rows.push(vec![
                format!("{} {}{name}", listing.function.name(), listing.scale.name()),
                three_digits(layer.mean),
                three_digits(layer.deviation),
                three_digits(layer.over_samples),
                layer.rank.to_string(),
            ]);
        }
    }
    ExperimentTable {
        title: "The source's four networks, with the right input and as run".into(),
        note: "Fifth layer, first seed.".into(),
        head: ["network", "mean", "std", "std over samples", "rank"].map(String::from).into(),
        rows,
    }
}

fn table(cells: &[Cell], function: Function) -> ExperimentTable {
    let mut rows = Vec::new();
    for scale in SCALES {
        let cell = cell(cells, function, scale);
        for layer in 0..LAYERS {
            let plain = |value: fn(&Layer) -> f64| spread(&cell.values(layer, value), three_digits);
            let percent =
                |value: fn(&Layer) -> f64| spread(&cell.values(layer, value), number::bare_percent);
            rows.push(vec![
                format!("{}, layer {}", scale.name(), layer + 1),
                plain(|layer| layer.mean),
                plain(|layer| layer.deviation),
                plain(|layer| layer.over_samples),
                percent(|layer| layer.saturated),
                percent(|layer| layer.zero),
                plain(|layer| layer.rank),
                plain(|layer| layer.gradient),
            ]);
        }
    }
    ExperimentTable {
        title: format!("Layers with {}", function.name()),
        note: "Std over samples: of each unit over the samples, then the mean over units. Rank: of the 1000 × 100 activations."
            .into(),
        head: [
            "weights, layer",
            "mean",
            "std",
            "std over samples",
            "saturated (%)",
            "zero (%)",
            "rank",
            "gradient norm",
        ]
        .map(String::from)
        .into(),
        rows,
    }
}

fn figures(cells: &[Cell], listings: &[Listing]) -> Vec<ExperimentFigure> {
    let mut figures = vec![ExperimentFigure {
        name: "source".into(),
        caption: "The source's four networks in its 30 bins on [0, 1], with N(0, 1) inputs, as its text says, and as its listings run: fed \
                  with what the network before left behind. Above each panel: standard deviation; of ReLU the share above 1, \
                  which these bins leave out."
            .into(),
        drawing: source_figure(listings),
    }];
    for function in FUNCTIONS {
        let name = function.name();
        figures.push(ExperimentFigure {
            name: format!("activations_{}", name.to_lowercase()),
            caption: format!(
                "Activations of five layers with {name}, {SAMPLES} samples of {UNITS} units each."
            ),
            drawing: histograms(cells, function),
        });
    }
    for function in FUNCTIONS {
        let name = function.name();
        figures.push(ExperimentFigure {
            name: format!("gradients_{}", name.to_lowercase()),
            caption: format!(
                "How large the gradient by the weights of each layer is before the first step, with {name}."
            ),
            drawing: gradients(cells, function),
        });
    }
    figures
}

fn columns() -> Vec<String> {
    (1..=LAYERS).map(|layer| format!("layer {layer}")).collect()
}

fn source_figure(listings: &[Listing]) -> Drawing {
    let mut rows = Vec::new();
    for (number, listing) in listings.iter().enumerate() {
        let ways: &[_] = if number == 0 {
            // The first listing is fed with the input either way.
            &[(None, &listing.right)]
        } else {
            &[(None, &listing.right), (Some("as run"), &listing.as_run)]
        };
        for (way, all) in ways {
            let panel = |values: &Activations| {
                let panel = Histogram::of(values.iter().map(|v| f64::from(*v)), 0.0, 1.0, BINS);
                match listing.function {
                    Function::Relu => {
                        panel.noted(format!("{:.0} % above", 100.0 * share_above(values)))
                    }
                    _ => panel.noted(deviation_note(values)),
                }
            };
            rows.push(HistogramRow {
                name: [listing.function.name(), listing.scale.name()]
                    .into_iter()
                    .chain(*way)
                    .map(String::from)
                    .collect(),
                panels: all.iter().map(panel).collect(),
            });
        }
    }
    HistogramGrid {
        title: "The source's four networks".into(),
        notes: vec!["Vertical: share of the activations, rows have axes of their own.".into()],
        x: "activation (no unit)".into(),
        columns: columns(),
        rows,
    }
    .draw()
}

/// The share of the activations that the source's bins leave out.
fn share_above(values: &[f32]) -> f64 {
    values.iter().filter(|value| **value > 1.0).count() as f64 / values.len() as f64
}

fn deviation_note(values: &[f32]) -> String {
    format!("std {}", two_digits(moments(values.iter().copied()).1))
}

fn histograms(cells: &[Cell], function: Function) -> Drawing {
    let panel = |values: &Activations| match function {
        Function::Relu => {
            let greatest = values.iter().copied().fold(0.0, f32::max);
            // Zeros would be one bar that makes the others flat: they are told, not drawn.
            let drawn = values.iter().map(|v| if *v == 0.0 { -1.0 } else { f64::from(*v) });
            let zero = values.iter().filter(|value| **value == 0.0).count() as f64;
            Histogram::of(drawn, 0.0, greatest.into(), BINS)
                .noted(format!("{:.0} % zero", 100.0 * zero / values.len() as f64))
        }
        _ => {
            let low = if function == Function::Tanh { -1.0 } else { 0.0 };
            let values_of = values.iter().map(|value| f64::from(*value));
            Histogram::of(values_of, low, 1.0, BINS).noted(deviation_note(values))
        }
    };
    let row = |scale: Scale| HistogramRow {
        name: vec![scale.name().into()],
        panels: cell(cells, function, scale).activations.iter().map(panel).collect(),
    };
    let note = match function {
        Function::Relu => {
            "Vertical: share of the activations. Zeros are not drawn. Each panel ends at its greatest value."
        }
        _ => "Vertical: share of the activations, rows have axes of their own.",
    };
    HistogramGrid {
        title: format!("Activations with {}", function.name()),
        notes: vec![note.into()],
        x: "activation (no unit)".into(),
        columns: columns(),
        rows: SCALES.map(row).into(),
    }
    .draw()
}

fn gradients(cells: &[Cell], function: Function) -> Drawing {
    let mut chart = LineChart::new(
        format!("Gradients before the first step, {}", function.name()),
        Axis::counts("layer"),
        Axis::log("norm of the gradient (nats, log)"),
    );
    let layers: Vec<f64> = (1..=LAYERS).map(|layer| layer as f64).collect();
    for scale in SCALES {
        let cell = cell(cells, function, scale);
        let rows: Vec<Vec<f64>> = cell
            .layers
            .iter()
            .map(|layers| layers.iter().map(|layer| layer.gradient).collect())
            .collect();
        chart = chart.with(series(scale.name(), &layers, &rows));
    }
    chart.draw()
}

fn data(cells: &[Cell]) -> DataTable {
    let mut rows = Vec::new();
    for cell in cells {
        for (run, layers) in cell.layers.iter().enumerate() {
            for (number, layer) in layers.iter().enumerate() {
                let Layer { mean, deviation, over_samples, saturated, zero, rank, gradient } =
                    layer;
                let mut row = vec![
                    cell.function.name().to_owned(),
                    cell.scale.name().to_owned(),
                    run.to_string(),
                    (number + 1).to_string(),
                ];
                let values = [mean, deviation, over_samples, saturated, zero, rank, gradient];
                row.extend(values.map(f64::to_string));
                rows.push(row);
            }
        }
    }
    let columns = [
        "function",
        "weights",
        "run",
        "layer",
        "mean",
        "std",
        "std_over_samples",
        "saturated",
        "zero",
        "rank",
        "gradient_norm",
    ];
    DataTable { name: "layers".into(), columns: columns.map(String::from).into(), rows }
}

/// What stands above the panels of the source's four networks.
fn source_data(listings: &[Listing]) -> DataTable {
    let mut rows = Vec::new();
    for listing in listings {
        for (input, all) in [("right", &listing.right), ("as run", &listing.as_run)] {
            rows.extend((1..).zip(all).map(|(layer, values): (usize, &Activations)| {
                vec![
                    listing.function.name().to_owned(),
                    listing.scale.name().to_owned(),
                    input.to_owned(),
                    layer.to_string(),
                    moments(values.iter().copied()).1.to_string(),
                    share_above(values).to_string(),
                ]
            }));
        }
    }
    let columns = ["function", "weights", "input", "layer", "std", "share_above_1"];
    DataTable { name: "source_networks".into(), columns: columns.map(String::from).into(), rows }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rank_is_the_number_of_independent_directions() {
        assert_eq!(rank(&[0.0; 12], 3), 0);
        assert_eq!(rank(&[1.0; 12], 3), 1);
        // Third column: sum of the others.
        let two = [1.0, 2.0, 3.0, 4.0, -1.0, 3.0, 0.5, 0.5, 1.0, 7.0, 0.0, 7.0];
        assert_eq!(rank(&two, 3), 2);
        let three = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.01, 0.0, 0.0, 0.0];
        assert_eq!(rank(&three, 3), 3);
        // Below what 32-bit floats tell from zero.
        let faint = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1e-8, 0.0, 0.0, 0.0];
        assert_eq!(rank(&faint, 3), 2);
    }

    #[test]
    fn eigenvalues_of_a_known_matrix_are_found() {
        let mut found = eigenvalues(vec![vec![2.0, 1.0], vec![1.0, 2.0]]);
        found.sort_by(f64::total_cmp);
        assert!((found[0] - 1.0).abs() < 1e-12 && (found[1] - 3.0).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn a_layer_tells_units_that_differ_from_samples_that_differ() {
        // Every unit has a value of its own, the same for all samples.
        let values: Vec<f32> = (0..3 * UNITS).map(|i| (i % UNITS) as f32).collect();
        let layer = Layer::of(Function::Relu, &values, 2.0);
        assert_eq!(layer.over_samples, 0.0);
        assert!(layer.deviation > 28.0 && layer.deviation < 29.0);
        assert_eq!((layer.rank, layer.zero, layer.saturated), (1.0, 0.01, 0.01));
        // All units but the first two lie above 1.
        assert_eq!(share_above(&values), 0.98);
    }

    #[test]
    fn scales_are_the_formulas() {
        let draws = [1.0, -2.0];
        assert_eq!(Scale::Constant.weights(&draws), [0.01, 0.01]);
        assert_eq!(Scale::Hundredth.weights(&draws), [0.01, -0.02]);
        assert!((Scale::Xavier.weights(&draws)[1] + 0.2).abs() < 1e-6);
        assert!((Scale::He.weights(&draws)[0] - 0.02_f32.sqrt()).abs() < 1e-6);
    }
}
