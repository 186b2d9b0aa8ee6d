//! Regressions, which learn a function from noisy samples of it: Friedman's first, and a wave.

use backburn_models::{
    BiasInitialization, Classifier, Initialization, MlpConfig, ModelConfig, Network,
    WeightInitialization,
};
use backburn_regularization::{
    DisturbValue, LabelRegularizer, LabelledBatch, Targets, WeightDecay,
};
use backburn_training::device_batch::DeviceBatch;
use backburn_training::failure::{Failure, usage};
use backburn_training::learner::Learner;
use backburn_training::loss::Loss;
use backburn_training::optimize::optimizer::{Optimizer, OptimizerConfig};
use backburn_training::seeds::Seeds;
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal, StandardUniform};

use super::lab::Lab;
use super::trainee::Training;

pub(super) const HIDDEN: [usize; 2] = [100, 100];
pub(super) const BATCH_SIZE: usize = 20;
pub(super) const LEARNING_RATE: f64 = 1e-3;
/// Epochs between two looks at the test samples.
pub(super) const INTERVAL: usize = 20;
pub(super) const FRIEDMAN_FEATURES: usize = 10;
pub(super) const FRIEDMAN_SAMPLES: usize = 200;
pub(super) const FRIEDMAN_NOISE: f64 = 1.0;
pub(super) const FRIEDMAN_TEST: usize = 2000;
pub(super) const WAVE_SAMPLES: usize = 30;
pub(super) const WAVE_NOISE: f64 = 0.3;
pub(super) const WAVE_TEST: usize = 201;

/// Inputs with values to predict.
#[derive(Clone, Debug)]
pub(super) struct Samples {
    width: usize,
    /// Features, row by row.
    pub(super) features: Vec<f32>,
    pub(super) targets: Vec<f32>,
}

impl Samples {
    pub(super) fn len(&self) -> usize {
        self.targets.len()
    }

    fn batch(&self, chosen: &[usize]) -> LabelledBatch {
        let row = |&place: &usize| &self.features[place * self.width..(place + 1) * self.width];
        LabelledBatch {
            images: chosen.iter().flat_map(row).copied().collect::<Vec<_>>().into(),
            shape: [chosen.len(), 1, 1, self.width],
            targets: Targets::values(chosen.iter().map(|&place| self.targets[place]).collect()),
        }
    }
}

/// A regression problem: what to learn from, and what to be measured by.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    pub(super) train: Samples,
    /// Fresh inputs with the values of the function, without noise.
    pub(super) test: Samples,
    pub(super) epochs: usize,
}

/// Friedman's first function of features in `[0, 1]`; five of the ten have no effect.
///
/// Friedman, [Multivariate Adaptive Regression Splines](https://doi.org/10.1214/aos/1176347963), Annals of
/// Statistics 1991.
fn friedman(x: &[f64]) -> f64 {
    10.0 * (std::f64::consts::PI * x[0] * x[1]).sin()
        + 20.0 * (x[2] - 0.5).powi(2)
        + 10.0 * x[3]
        + 5.0 * x[4]
}

fn wave(x: &[f64]) -> f64 {
    (std::f64::consts::TAU * x[0]).sin()
}

/// `count` samples with uniform features.
fn draw(
    count: usize,
    width: usize,
    noise: f64,
    function: fn(&[f64]) -> f64,
    rng: &mut ChaCha8Rng,
) -> Samples {
    let noise = Normal::new(0.0, noise).expect("noise is finite");
    let mut samples = Samples { width, features: Vec::new(), targets: Vec::new() };
    for _ in 0..count {
        let x: Vec<f64> = (0..width).map(|_| StandardUniform.sample(rng)).collect();
        samples.push(&x, function(&x) + noise.sample(rng));
    }
    samples
}

impl Samples {
    /// Features are moved to mean 0 and standard deviation 1.
    fn push(&mut self, x: &[f64], target: f64) {
        self.features.extend(x.iter().map(|x| ((x - 0.5) * 12.0_f64.sqrt()) as f32));
        self.targets.push(target as f32);
    }
}

pub(super) fn friedman_problem(mut rng: ChaCha8Rng, epochs: usize) -> Problem {
    Problem {
        train: draw(FRIEDMAN_SAMPLES, FRIEDMAN_FEATURES, FRIEDMAN_NOISE, friedman, &mut rng),
        test: draw(FRIEDMAN_TEST, FRIEDMAN_FEATURES, 0.0, friedman, &mut rng),
        epochs,
    }
}

pub(super) fn wave_problem(mut rng: ChaCha8Rng, epochs: usize) -> Problem {
    let mut test = Samples { width: 1, features: Vec::new(), targets: Vec::new() };
    for place in 0..WAVE_TEST {
        let x = [place as f64 / (WAVE_TEST - 1) as f64];
        test.push(&x, wave(&x));
    }
    let train = draw(WAVE_SAMPLES, 1, WAVE_NOISE, wave, &mut rng);
    Problem { train, test, epochs }
}

/// What became of one network.
#[derive(Clone, Debug, Default)]
pub(super) struct Course {
    /// Root mean square error on the test samples, every [`INTERVAL`] epochs.
    pub(super) test: Vec<f64>,
    /// Root mean square error on the training samples with their noise, undisturbed, at the end.
    pub(super) train: f64,
    /// What the network predicts for the test samples at the end.
    pub(super) predictions: Vec<f64>,
}

impl Course {
    pub(super) fn last(&self) -> f64 {
        *self.test.last().expect("a course is measured at its end")
    }
}

/// A regression in training. The targets it sees have mean 0 and standard deviation 1, so that noise is
/// counted in standard deviations.
pub(super) struct Regression<'a> {
    pub(super) lab: &'a Lab,
    pub(super) problem: &'a Problem,
    pub(super) seeds: Seeds,
    /// Number of the repetition, counted from 0; each has streams of its own.
    pub(super) repetition: usize,
}

impl Regression<'_> {
    pub(super) fn train(&self, disturb: DisturbValue) -> Result<Course, Failure> {
        let device = self.lab.device.clone().autodiff();
        let Problem { train, test, epochs } = self.problem;
        let Moments { mean, deviation } = Moments::of(&train.targets);
        let mut standard = train.clone();
        standard.targets.iter_mut().for_each(|y| *y = ((f64::from(*y) - mean) / deviation) as f32);

        let Training { optimizer, learning_rate, weight_decay, .. } = training();
        let network = self.network(&device)?;
        let mut learner = Learner::new(network, Optimizer::new(optimizer, weight_decay));
        let mut course = Course::default();
        let answers = |network: &Network, samples: &Samples| -> Vec<f64> {
            let answers = predict(network, samples, &self.lab.device);
            answers.into_iter().map(|y| y * deviation + mean).collect()
        };
        for epoch in 0..*epochs {
            self.lab.go_on()?;
            // Repetitions take the streams of epochs one after the other.
            let stream = self.repetition * epochs + epoch;
            let mut order: Vec<usize> = (0..standard.len()).collect();
            order.shuffle(&mut self.seeds.order(stream + 1));
            for (number, chosen) in order.chunks(BATCH_SIZE).enumerate() {
                let mut batch = standard.batch(chosen);
                let mut rng = self.seeds.labels("disturb-value", stream + 1, number);
                disturb.apply(&mut batch, &mut rng);
                // There are no right answers to be counted.
                let batch = DeviceBatch::of(batch, &vec![0; chosen.len()], &device);
                let pass = learner.gradients(&batch, Loss::SquaredError, &device, 0);
                learner.step(pass.gradients, learning_rate);
            }
            if (epoch + 1) % INTERVAL == 0 || epoch + 1 == *epochs {
                course.test.push(error(&answers(learner.network(), test), &test.targets));
            }
        }
        course.train = error(&answers(learner.network(), train), &train.targets);
        course.predictions = answers(learner.network(), test);
        Ok(course)
    }

    fn network(&self, device: &Device) -> Result<Network, Failure> {
        let Training { model, initialization, .. } = training();
        let network = model.init([1, 1, self.problem.train.width], 1, device).map_err(usage)?;
        let stream = |name: &str| self.seeds.weights(&format!("{}/{name}", self.repetition));
        Ok(initialization.apply(network, stream))
    }
}

fn predict(network: &Network, samples: &Samples, device: &Device) -> Vec<f64> {
    let shape = [samples.len(), 1, 1, samples.width];
    let features = TensorData::new(samples.features.clone(), shape);
    let outputs = network.valid().forward(Tensor::from_data(features, device));
    let outputs: Vec<f32> = outputs.into_data().try_to_vec().expect("outputs are 32-bit floats");
    outputs.into_iter().map(f64::from).collect()
}

/// Root mean square difference.
fn error(answers: &[f64], targets: &[f32]) -> f64 {
    let squares = answers.iter().zip(targets).map(|(a, y)| (a - f64::from(*y)).powi(2));
    (squares.sum::<f64>() / answers.len() as f64).sqrt()
}

/// Mean and standard deviation of all values that there are.
pub(super) struct Moments {
    mean: f64,
    deviation: f64,
}

impl Moments {
    fn of(values: &[f32]) -> Self {
        let count = values.len() as f64;
        let mean = values.iter().map(|value| f64::from(*value)).sum::<f64>() / count;
        let squares = values.iter().map(|value| (f64::from(*value) - mean).powi(2));
        Self { mean, deviation: (squares.sum::<f64>() / count).sqrt() }
    }
}

/// The same for both problems and all arms.
pub(super) fn training() -> Training {
    Training {
        model: ModelConfig::Mlp(MlpConfig {
            hidden: HIDDEN.into(),
            dropout: 0.0,
            batch_norm: false,
        }),
        initialization: Initialization::new(
            WeightInitialization::HeNormal,
            BiasInitialization::Zeros,
        ),
        optimizer: OptimizerConfig::named("adam").expect("Adam is an optimizer"),
        learning_rate: LEARNING_RATE,
        weight_decay: WeightDecay::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn friedmans_function_has_its_published_values() {
        let mut x = [0.5; 10];
        // 10 sin(π/4) + 0 + 5 + 2.5
        assert!((friedman(&x) - (10.0 * std::f64::consts::FRAC_1_SQRT_2 + 7.5)).abs() < 1e-12);
        (x[2], x[9]) = (0.0, 0.1);
        assert!((friedman(&x) - (10.0 * std::f64::consts::FRAC_1_SQRT_2 + 12.5)).abs() < 1e-12);
    }

    #[test]
    fn training_samples_have_noise_and_test_samples_none() {
        let problem = friedman_problem(Seeds::new(1).data("friedman/0"), 1);
        assert_eq!((problem.train.len(), problem.test.len()), (FRIEDMAN_SAMPLES, FRIEDMAN_TEST));
        let residual = |samples: &Samples, place: usize| {
            let row = &samples.features[place * 10..(place + 1) * 10];
            let x: Vec<f64> = row.iter().map(|x| f64::from(*x) / 12.0_f64.sqrt() + 0.5).collect();
            f64::from(samples.targets[place]) - friedman(&x)
        };
        let size = |samples: &Samples| {
            let squares = (0..samples.len()).map(|place| residual(samples, place).powi(2));
            (squares.sum::<f64>() / samples.len() as f64).sqrt()
        };
        assert!(size(&problem.test) < 1e-4);
        assert!((size(&problem.train) - 1.0).abs() < 0.25, "{}", size(&problem.train));
    }

    #[test]
    fn a_batch_holds_the_chosen_rows() {
        let samples = Samples {
            width: 2,
            features: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
            targets: vec![7.0, 8.0, 9.0],
        };
        let batch = samples.batch(&[2, 0]);
        assert_eq!((batch.images.values(), batch.shape), (&[5.0, 6.0, 1.0, 2.0][..], [2, 1, 1, 2]));
        assert_eq!(batch.targets.into_probabilities(), [9.0, 7.0]);
    }

    #[test]
    fn the_error_is_a_root_mean_square() {
        assert_eq!(error(&[1.0, 2.0], &[1.0, 4.0]), 2.0_f64.sqrt());
    }
}
