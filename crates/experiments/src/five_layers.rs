//! Five layers before any training, as 003 §6.2 looks at them: their activations under a scale of the initial
//! weights, and what gradients they leave.

use backburn_training::loss::Loss;
use backburn_training::seeds::Seeds;
use burn::tensor::activation::{relu, sigmoid, tanh};
use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::matrix_rank::rank;

pub(super) const SAMPLES: usize = 1000;
/// Features of a sample, and units of every layer.
pub(super) const UNITS: usize = 100;
pub(super) const LAYERS: usize = 5;
/// Classes of the random labels that gradients are taken against.
pub(super) const CLASSES: usize = 10;

/// A scale of the initial weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    Constant,
    One,
    Hundredth,
    Xavier,
    He,
}

pub(super) const SCALES: [Scale; 5] =
    [Scale::Constant, Scale::One, Scale::Hundredth, Scale::Xavier, Scale::He];

impl Scale {
    pub(super) fn name(self) -> &'static str {
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
        draws.iter().map(|draw| self.weight(*draw)).collect()
    }

    /// The weight that a standard normal draw gives.
    pub(super) fn weight(self, draw: f32) -> f32 {
        let n = UNITS as f32;
        match self {
            // So that a unit's sum is the mean of its inputs.
            Self::Constant => 1.0 / n,
            Self::One => draw,
            Self::Hundredth => 0.01 * draw,
            Self::Xavier => (1.0 / n).sqrt() * draw,
            Self::He => (2.0 / n).sqrt() * draw,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Sigmoid,
    Tanh,
    Relu,
}

pub(super) const FUNCTIONS: [Function; 3] = [Function::Sigmoid, Function::Tanh, Function::Relu];

impl Function {
    pub(super) fn name(self) -> &'static str {
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
pub(super) type Activations = Vec<f32>;

/// What is known of a layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Layer {
    pub(super) mean: f64,
    pub(super) deviation: f64,
    /// Standard deviation over the samples, as the mean over units: how much a unit tells of its input.
    pub(super) over_samples: f64,
    pub(super) saturated: f64,
    pub(super) zero: f64,
    pub(super) rank: f64,
    /// Norm of the loss's gradient by the layer's weights.
    pub(super) gradient: f64,
}

impl Layer {
    pub(super) fn of(function: Function, values: &[f32], gradient: f64) -> Self {
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
pub(super) fn moments(values: impl Iterator<Item = f32> + Clone) -> (f64, f64) {
    let count = values.clone().count() as f64;
    let mean = values.clone().map(f64::from).sum::<f64>() / count;
    let squares: f64 = values.map(|value| (f64::from(value) - mean).powi(2)).sum();
    (mean, (squares / count).sqrt())
}

/// What is drawn once a seed, and then the same for all networks.
pub(super) struct Draws {
    pub(super) input: Vec<f32>,
    /// Standard normal, by layer.
    layers: Vec<Vec<f32>>,
    /// Weights of the linear layer behind the last one, normal with standard deviation √(1/n).
    head: Vec<f32>,
    /// One-hot rows.
    labels: Vec<f32>,
}

impl Draws {
    pub(super) fn new(seeds: Seeds) -> Self {
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
    pub(super) fn pass(
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_tells_units_that_differ_from_samples_that_differ() {
        // Every unit has a value of its own, the same for all samples.
        let values: Vec<f32> = (0..3 * UNITS).map(|i| (i % UNITS) as f32).collect();
        let layer = Layer::of(Function::Relu, &values, 2.0);
        assert_eq!(layer.over_samples, 0.0);
        assert!(layer.deviation > 28.0 && layer.deviation < 29.0);
        assert_eq!((layer.rank, layer.zero, layer.saturated), (1.0, 0.01, 0.01));
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
