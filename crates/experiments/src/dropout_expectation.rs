//! 002: what a network predicts in evaluation against the mean of what it predicts with dropout, and the two ways
//! to scale.

use backburn_models::{
    BiasInitialization, Classifier, Initialization, MlpConfig, ModelConfig, Network,
    WeightInitialization, parameters,
};
use backburn_records::statistics::Spread;
use backburn_records::{DataTable, ExperimentTable, number};
use backburn_regularization::Dropout;
use backburn_report::figure::{Axis, LineChart, Series};
use backburn_report::{ExperimentFigure, Findings};
use backburn_training::failure::{Failure, usage};
use backburn_training::seeds::Seeds;
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use rand_distr::{Distribution, StandardNormal};
use serde_json::json;

use super::curves::series;
use super::lab::Lab;
use super::settings::Settings;
use super::tables::spread;
use super::text::Text;

const TEXT: Text = Text(include_str!("dropout_expectation.md"));

/// Features of a sample, units of the hidden layer, and outputs.
const UNITS: usize = 100;
const SAMPLES: usize = 32;
/// Draws of every sample at once, each with a mask of its own; a power of two.
const DRAWS_AT_ONCE: usize = 64;
/// Draws of every sample; a power of two.
const DRAWS: usize = 16_384;
/// Shares of the inputs that are dropped.
const RATES: [f64; 3] = [0.2, 0.5, 0.8];
/// Place of the rate that the sentence and the first figure are about.
const SHOWN: usize = 1;
/// What the linear layer's slope should be, and how far it may lie off.
const SLOPE: f64 = -0.5;
const SLOPE_TOLERANCE: f64 = 0.05;
/// Points at the right end that say whether a curve still falls.
const TAIL: usize = 4;
/// Sums of 100 products of 32-bit floats differ by no more than this from each other, as a share.
const ROUNDING: f64 = UNITS as f64 * f32::EPSILON as f64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Behind {
    Linear,
    Relu,
}

const INITIALIZATION: Initialization =
    Initialization::new(WeightInitialization::HeNormal, BiasInitialization::Pytorch);

const NETWORKS: [Behind; 2] = [Behind::Linear, Behind::Relu];

impl Behind {
    fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear layer",
            Self::Relu => "ReLU network",
        }
    }

    /// Name in legends.
    fn short(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Relu => "ReLU",
        }
    }

    /// The layer that dropout's output goes into.
    fn first_weight(self) -> &'static str {
        match self {
            Self::Linear => "head.weight",
            Self::Relu => "hidden.0.weight",
        }
    }

    /// The network, without dropout of its own: that stands before it.
    fn model(self) -> ModelConfig {
        let hidden = if self == Self::Linear { vec![] } else { vec![UNITS] };
        ModelConfig::Mlp(MlpConfig { hidden, dropout: 0.0, batch_norm: false })
    }

    fn init(self, seeds: Seeds, device: &Device) -> Result<Network, Failure> {
        let network = self.model().init([1, 1, UNITS], UNITS, device).map_err(usage)?;
        Ok(INITIALIZATION.apply(network, |name| seeds.weights(name)))
    }
}

/// The mean of K training-mode outputs against the evaluation output, of one network and rate.
#[derive(Clone, Debug)]
struct Approach {
    /// Root mean square error of the mean of K outputs, as a share of the evaluation output's root mean
    /// square, for K = 1, 2, 4, …
    errors: Vec<f64>,
    /// What the spread of the outputs alone leads one to expect of the last of them.
    sampling: f64,
}

impl Approach {
    fn last(&self) -> f64 {
        self.errors[self.errors.len() - 1]
    }

    fn slope(&self) -> f64 {
        slope(&counts(self.errors.len()), &self.errors)
    }

    /// Slope over the last [`TAIL`] points.
    fn end_slope(&self) -> f64 {
        let from = self.errors.len() - TAIL;
        slope(&counts(self.errors.len())[from..], &self.errors[from..])
    }

    /// Whether the last error is more than sampling explains.
    fn stays(&self) -> bool {
        self.last() > 3.0 * self.sampling
    }

    /// The last error without what sampling adds to it; 0 where it stays nowhere.
    fn plateau(&self) -> f64 {
        let rest = (self.last().powi(2) - self.sampling.powi(2)).max(0.0).sqrt();
        if self.stays() { rest } else { 0.0 }
    }
}

/// The largest difference between both ways to scale, as a share of the outputs' root mean square.
#[derive(Clone, Copy, Debug)]
struct Conventions {
    training: f64,
    evaluation: f64,
}

/// What a seed gave, by rate and then network.
struct Outcome {
    approaches: Vec<[Approach; 2]>,
    conventions: Vec<[Conventions; 2]>,
}

/// Draws of every sample; a power of two.
fn draws(lab: &Lab) -> usize {
    lab.unless_smoke(DRAWS, 4 * DRAWS_AT_ONCE)
}

pub(super) fn settings(lab: &Lab) -> Result<Settings, Failure> {
    let arm = |settings: Settings, behind: &Behind| {
        let own = json!({ "model": behind.model(), "initialization": INITIALIZATION });
        let common = json!({ "samples": SAMPLES, "units": UNITS, "draws": draws(lab) });
        settings.arm(behind.name(), &[&own, &common, &json!({ "dropout": RATES })])
    };
    Ok(NETWORKS.iter().fold(Settings::default(), arm))
}

pub(super) fn run(lab: &Lab) -> Result<Findings, Failure> {
    let mut outcomes = Vec::new();
    for &seed in &lab.seeds {
        outcomes.push(measure(lab, Seeds::new(seed))?);
        lab.say(&format!("seed {seed}: {} draws at each of {} rates", draws(lab), RATES.len()));
    }
    Ok(Findings {
        sentence: sentence(&outcomes),
        setup: setup(lab),
        tables: vec![approach_table(lab, &outcomes), conventions_table(&outcomes)],
        figures: figures(&outcomes),
        data: vec![data(&outcomes)],
        differences: TEXT.list("differences", &[]),
        ..Findings::default()
    })
}

fn measure(lab: &Lab, seeds: Seeds) -> Result<Outcome, Failure> {
    let device = &lab.device;
    let mut rng = seeds.data("dropout-expectation");
    let samples: Vec<f32> = (0..SAMPLES * UNITS).map(|_| StandardNormal.sample(&mut rng)).collect();
    let samples = Tensor::<2>::from_data(TensorData::new(samples, [SAMPLES, UNITS]), device);
    let networks = [NETWORKS[0].init(seeds, device)?, NETWORKS[1].init(seeds, device)?];
    let mut outcome = Outcome { approaches: Vec::new(), conventions: Vec::new() };
    for (number, rate) in RATES.into_iter().enumerate() {
        outcome.approaches.push(approach(lab, &networks, &samples, rate, number, seeds)?);
        let compare =
            |place: usize| conventions(&networks[place], NETWORKS[place], &samples, rate, seeds);
        outcome.conventions.push([compare(0), compare(1)]);
    }
    Ok(outcome)
}

/// Draws masks with the project's own dropout, the same ones for both networks.
fn approach(
    lab: &Lab,
    networks: &[Network; 2],
    samples: &Tensor<2>,
    rate: f64,
    number: usize,
    seeds: Seeds,
) -> Result<[Approach; 2], Failure> {
    let dropout = Dropout::new(rate);
    // Dropout acts on a training device only.
    let many = samples.clone().repeat_dim(0, DRAWS_AT_ONCE).autodiff();
    let mut means = networks
        .each_ref()
        .map(|network| RunningMean::new(read(outputs(network, samples.clone()))));
    let passes = draws(lab) / DRAWS_AT_ONCE;
    for pass in 0..passes {
        lab.go_on()?;
        lab.device.seed(seeds.device((number * passes + pass) as u64));
        let dropped = dropout.forward(many.clone()).without_autodiff();
        for (network, mean) in networks.iter().zip(&mut means) {
            for draw in read(outputs(network, dropped.clone())).chunks_exact(SAMPLES * UNITS) {
                mean.add(draw);
            }
        }
    }
    Ok(means.map(RunningMean::finish))
}

/// The mean of what was drawn so far, and how far it lies from what evaluation says.
struct RunningMean {
    evaluation: Vec<f32>,
    sums: Vec<f64>,
    squares: Vec<f64>,
    count: usize,
    errors: Vec<f64>,
}

impl RunningMean {
    fn new(evaluation: Vec<f32>) -> Self {
        let zeros = vec![0.0; evaluation.len()];
        Self { evaluation, sums: zeros.clone(), squares: zeros, count: 0, errors: Vec::new() }
    }

    fn add(&mut self, draw: &[f32]) {
        self.count += 1;
        for ((sum, square), value) in self.sums.iter_mut().zip(&mut self.squares).zip(draw) {
            *sum += f64::from(*value);
            *square += f64::from(*value).powi(2);
        }
        if self.count.is_power_of_two() {
            let count = self.count as f64;
            let pairs = self.sums.iter().zip(&self.evaluation);
            let squares = pairs.map(|(sum, value)| (sum / count - f64::from(*value)).powi(2));
            self.errors.push((squares.sum::<f64>()).sqrt() / self.size());
        }
    }

    /// Size of the evaluation output: root of the sum of squares.
    fn size(&self) -> f64 {
        self.evaluation.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt()
    }

    fn finish(self) -> Approach {
        let count = self.count as f64;
        let variances = self
            .sums
            .iter()
            .zip(&self.squares)
            .map(|(sum, square)| (square - sum * sum / count) / (count - 1.0));
        let sampling = (variances.sum::<f64>() / count).sqrt() / self.size();
        Approach { errors: self.errors, sampling }
    }
}

/// The same network twice: with dropout that scales by 1/(1 − p) in training, and with the post's, which
/// scales by (1 − p) in evaluation and has weights 1/(1 − p) times as large; with the same masks.
fn conventions(
    network: &Network,
    behind: Behind,
    samples: &Tensor<2>,
    rate: f64,
    seeds: Seeds,
) -> Conventions {
    let (device, keep) = (samples.device(), 1.0 - rate);
    let dropout = Dropout::new(rate);
    let many = samples.clone().repeat_dim(0, DRAWS_AT_ONCE).autodiff();
    let drop = |x: Tensor<2>| {
        device.seed(seeds.device(0));
        dropout.forward(x).without_autodiff()
    };
    let inverted = drop(many.clone());
    let mask = drop(many.ones_like()).greater_elem(0.0).float();
    let classic = many.without_autodiff() * mask;
    let larger = scaled(network, behind.first_weight(), 1.0 / keep);
    let difference = |a: Tensor<2>, b: Tensor<2>| largest_difference(&read(a), &read(b));
    Conventions {
        training: difference(outputs(network, inverted), outputs(&larger, classic)),
        evaluation: difference(
            outputs(network, samples.clone()),
            outputs(&larger, samples.clone().mul_scalar(keep)),
        ),
    }
}

/// The network with one weight multiplied.
fn scaled(network: &Network, name: &str, factor: f64) -> Network {
    let mut tensors = parameters::export(network);
    let weight = tensors.iter_mut().find(|tensor| tensor.name == name);
    for value in &mut weight.expect("the network has that weight").values {
        *value = (f64::from(*value) * factor) as f32;
    }
    parameters::import(network.clone(), tensors).expect("a network takes its own tensors")
}

fn largest_difference(a: &[f32], b: &[f32]) -> f64 {
    let size = a.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>() / a.len() as f64;
    let differences = a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).abs());
    differences.fold(0.0, f64::max) / size.sqrt()
}

fn outputs(network: &Network, rows: Tensor<2>) -> Tensor<2> {
    let [count, features] = rows.dims();
    network.valid().forward(rows.reshape([count, 1, 1, features]))
}

fn read(x: Tensor<2>) -> Vec<f32> {
    x.into_data().try_to_vec().expect("outputs are 32-bit floats")
}

/// The first `length` of 1, 2, 4, …
fn counts(length: usize) -> Vec<f64> {
    (0..length).map(|power| (1_u64 << power) as f64).collect()
}

/// Slope of the straight line through points on logarithmic axes, by least squares.
fn slope(xs: &[f64], ys: &[f64]) -> f64 {
    let logs = |values: &[f64]| -> Vec<f64> { values.iter().map(|value| value.ln()).collect() };
    let (xs, ys) = (logs(xs), logs(ys));
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (x_mean, y_mean) = (mean(&xs), mean(&ys));
    let products = xs.iter().zip(&ys).map(|(x, y)| (x - x_mean) * (y - y_mean)).sum::<f64>();
    products / xs.iter().map(|x| (x - x_mean).powi(2)).sum::<f64>()
}

fn setup(lab: &Lab) -> Vec<String> {
    let values = [
        ("samples", SAMPLES.to_string()),
        ("units", UNITS.to_string()),
        ("rates", RATES.map(|rate| rate.to_string()).join(", ")),
        ("draws", number::count(draws(lab) as u64)),
    ];
    TEXT.list("set-up", &values)
}

fn values(outcomes: &[Outcome], value: impl Fn(&Outcome) -> f64) -> Vec<f64> {
    outcomes.iter().map(value).collect()
}

fn largest_of_conventions(outcomes: &[Outcome]) -> f64 {
    let all = outcomes.iter().flat_map(|outcome| outcome.conventions.iter().flatten());
    all.flat_map(|c| [c.training, c.evaluation]).fold(0.0, f64::max)
}

fn sentence(outcomes: &[Outcome]) -> String {
    let mean = |network: usize, value: fn(&Approach) -> f64| {
        Spread::of(&values(outcomes, |o| value(&o.approaches[SHOWN][network]))).mean
    };
    let every: Vec<f64> = outcomes
        .iter()
        .flat_map(|outcome| outcome.approaches.iter().map(|networks| networks[0].slope()))
        .collect();
    let (least, most) = (
        every.iter().copied().fold(f64::INFINITY, f64::min),
        every.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    );
    let holds = every.iter().all(|slope| (slope - SLOPE).abs() <= SLOPE_TOLERANCE);
    let power = if holds { "as the root" } else { "not as the root" };
    let stays = outcomes.iter().all(|o| o.approaches[SHOWN][1].stays());
    let difference = largest_of_conventions(outcomes);
    let agree = if difference <= ROUNDING { "agree" } else { "do not agree" };
    let slope = |slope: f64| format!("{slope:.3}").replace('-', "−");
    let values = [
        ("rate", RATES[SHOWN].to_string()),
        ("power", TEXT.paragraph(power, &[])),
        ("least", slope(least)),
        ("most", slope(most)),
        ("plateau", plateau(stays, mean(1, |a| a.last()), mean(1, |a| a.sampling))),
        ("agree", TEXT.paragraph(agree, &[])),
        ("difference", number::scientific(difference)),
    ];
    TEXT.paragraph("sentence", &values)
}

/// Where the error of the ReLU network ends, and what sampling alone would leave of it.
fn plateau(stays: bool, end: f64, sampling: f64) -> String {
    if stays {
        let times = format!("{:.0}", end / sampling);
        TEXT.paragraph("stays", &[("end", format!("{:.1}", 100.0 * end)), ("times", times)])
    } else {
        TEXT.paragraph("falls", &[("end", format!("{:.2}", 100.0 * end))])
    }
}

fn approach_table(lab: &Lab, outcomes: &[Outcome]) -> ExperimentTable {
    let mut rows = Vec::new();
    for (place, rate) in RATES.iter().enumerate() {
        for (number, network) in NETWORKS.iter().enumerate() {
            let of = |value: fn(&Approach) -> f64| {
                values(outcomes, |outcome| value(&outcome.approaches[place][number]))
            };
            let signed = |value: f64| number::short((value * 1e3).round() / 1e3);
            rows.push(vec![
                format!("{}, p = {rate}", network.name()),
                spread(&of(|a| a.slope()), signed),
                spread(&of(|a| a.end_slope()), signed),
                spread(&of(|a| 100.0 * a.last()), number::loss),
                spread(&of(|a| 100.0 * a.sampling), number::loss),
                spread(&of(|a| 100.0 * a.plateau()), number::loss),
            ]);
        }
    }
    ExperimentTable {
        title: format!("The mean of K outputs, K up to {}", number::count(draws(lab) as u64)),
        note: TEXT.paragraph("table of means", &[("tail", TAIL.to_string())]),
        head: [
            "network, rate",
            "slope",
            "slope at the end",
            "error at the last K (%)",
            "sampling (%)",
            "plateau (%)",
        ]
        .map(String::from)
        .into(),
        rows,
    }
}

fn conventions_table(outcomes: &[Outcome]) -> ExperimentTable {
    let mut rows = Vec::new();
    for (place, rate) in RATES.iter().enumerate() {
        for (number, network) in NETWORKS.iter().enumerate() {
            let largest = |value: fn(&Conventions) -> f64| {
                let all = values(outcomes, |outcome| value(&outcome.conventions[place][number]));
                number::scientific(all.into_iter().fold(0.0, f64::max))
            };
            rows.push(vec![
                format!("{}, p = {rate}", network.name()),
                largest(|c| c.training),
                largest(|c| c.evaluation),
            ]);
        }
    }
    ExperimentTable {
        title: "Scaling in training against scaling in evaluation".into(),
        note: TEXT.paragraph(
            "table of conventions",
            &[("units", UNITS.to_string()), ("rounding", number::scientific(ROUNDING))],
        ),
        head: ["network, rate", "in training, same masks", "in evaluation"]
            .map(String::from)
            .into(),
        rows,
    }
}

fn figures(outcomes: &[Outcome]) -> Vec<ExperimentFigure> {
    let counts = counts(outcomes[0].approaches[SHOWN][0].errors.len());
    let curve = |name: String, place: usize, number: usize| {
        let errors = |outcome: &Outcome| outcome.approaches[place][number].errors.clone();
        let rows: Vec<Vec<f64>> =
            outcomes.iter().map(|o| errors(o).iter().map(|e| 100.0 * e).collect()).collect();
        series(name, &counts, &rows)
    };
    let axes = || (Axis::log("K, outputs averaged (log)"), Axis::log("error of the mean (%, log)"));
    let both = {
        let (x, y) = axes();
        let first = Spread::of(&values(outcomes, |o| o.approaches[SHOWN][0].errors[0])).mean;
        let root = counts.iter().map(|k| (*k, 100.0 * first / k.sqrt())).collect();
        LineChart::new(format!("Mean of training-mode outputs, p = {}", RATES[SHOWN]), x, y)
            .with(curve(NETWORKS[0].name().into(), SHOWN, 0))
            .with(curve(NETWORKS[1].name().into(), SHOWN, 1))
            .with(Series::reference("falling as 1/√K", root))
    };
    let mut rates = {
        let (x, y) = axes();
        LineChart::new("Linear layer and ReLU network at three rates", x, y)
    };
    for (number, network) in NETWORKS.iter().enumerate() {
        for (place, rate) in RATES.iter().enumerate() {
            rates = rates.with(curve(format!("{}, p = {rate}", network.short()), place, number));
        }
    }
    vec![
        ExperimentFigure {
            name: "approach".into(),
            caption: TEXT.paragraph("figure of the approach", &[]),
            drawing: both.draw(),
        },
        ExperimentFigure {
            name: "rates".into(),
            caption: TEXT.paragraph("figure of rates", &[]),
            drawing: rates.draw(),
        },
    ]
}

fn data(outcomes: &[Outcome]) -> DataTable {
    let mut rows = Vec::new();
    for (run, outcome) in outcomes.iter().enumerate() {
        for (place, rate) in RATES.iter().enumerate() {
            for (number, network) in NETWORKS.iter().enumerate() {
                let errors = &outcome.approaches[place][number].errors;
                rows.extend(counts(errors.len()).iter().zip(errors).map(|(k, error)| {
                    let words = [network.name().to_owned(), rate.to_string(), run.to_string()];
                    words.into_iter().chain([k.to_string(), error.to_string()]).collect()
                }));
            }
        }
    }
    let columns = ["network", "rate", "run", "outputs_averaged", "relative_error"];
    DataTable { name: "errors".into(), columns: columns.map(String::from).into(), rows }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_of_a_power_is_its_exponent() {
        let xs = counts(15);
        let ys: Vec<f64> = xs.iter().map(|x| 3.0 * x.powf(-0.5)).collect();
        assert!((slope(&xs, &ys) + 0.5).abs() < 1e-12);
        assert!(slope(&xs, &vec![0.2; xs.len()]).abs() < 1e-12);
    }

    #[test]
    fn a_running_mean_knows_its_error_and_what_sampling_explains() {
        let mut mean = RunningMean::new(vec![2.0, 0.0]);
        for draw in [[4.0, 0.0], [0.0, 0.0], [4.0, 0.0], [0.0, 0.0]] {
            mean.add(&draw);
        }
        let approach = mean.finish();
        assert_eq!(approach.errors, [1.0, 0.0, 0.0]);
        // Variance 16/3 of four draws, over four, and then as a share of 2.
        assert!((approach.sampling - (16.0_f64 / 12.0).sqrt() / 2.0).abs() < 1e-12);
    }

    #[test]
    fn an_error_stays_or_falls() {
        let stays = "behind a ReLU it stays at 5.0 % of the output, 4 times what sampling explains";
        assert_eq!(plateau(true, 0.05, 0.0125), stays);
        assert_eq!(
            plateau(false, 0.0123, 0.01),
            "behind a ReLU it falls to 1.23 % of the output, too"
        );
    }

    #[test]
    fn differences_are_shares_of_the_outputs_size() {
        assert_eq!(largest_difference(&[3.0, -3.0], &[3.0, -2.7]), f64::from(3.0_f32 - 2.7) / 3.0);
    }
}
