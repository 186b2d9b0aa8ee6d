//! A network in training on batches that it is handed, so that several can be handed the same.

use backburn_models::{Classifier, Initialization, ModelConfig, Network};
use backburn_regularization::WeightDecay;
use backburn_training::device_batch::DeviceBatch;
use backburn_training::evaluate::{Predictions, Scores, predict};
use backburn_training::failure::{Failure, usage};
use backburn_training::learner::Learner;
use backburn_training::loss::Loss;
use backburn_training::optimize::optimizer::{Optimizer, OptimizerConfig};
use backburn_training::seeds::Seeds;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::Serialize;

use super::images::{Diagnostic, Images, TestView};

/// How a network is made and trained.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Training {
    /// The network.
    pub(crate) model: ModelConfig,
    /// Initial weights of the network.
    pub(crate) initialization: Initialization,
    /// How gradients become steps.
    pub(crate) optimizer: OptimizerConfig,
    /// Learning rate, the same in every step.
    pub(crate) learning_rate: f64,
    /// Pull towards zero.
    pub(crate) weight_decay: WeightDecay,
}

/// A network in training.
#[derive(Debug)]
pub(crate) struct Trainee {
    learner: Learner,
    learning_rate: f64,
    seeds: Seeds,
    /// Device without gradients.
    device: Device,
}

impl Trainee {
    /// A network for `images` before its first step. `seeds` give the initial weights, which do not depend on
    /// what else is drawn, and what dropout drops.
    ///
    /// # Errors
    ///
    /// If the images are too small for the model.
    pub(crate) fn new(
        training: &Training,
        images: &Images,
        seeds: Seeds,
        device: &Device,
    ) -> Result<Self, Failure> {
        let Training { model, initialization, optimizer, learning_rate, weight_decay } = training;
        let with_gradients = device.clone().autodiff();
        let network =
            model.init(images.shape(), images.classes(), &with_gradients).map_err(usage)?;
        let network = initialization.apply(network, |name| seeds.weights(name));
        Ok(Self {
            learner: Learner::new(network, Optimizer::new(*optimizer, *weight_decay)),
            learning_rate: *learning_rate,
            seeds,
            device: device.clone(),
        })
    }

    /// The network as it stands, with gradients and dropout.
    pub(crate) fn network(&self) -> &Network {
        self.learner.network()
    }

    /// What the optimizer remembers.
    pub(crate) fn optimizer(&self) -> &Optimizer {
        &self.learner.optimizer
    }

    /// One step. Returns the loss before it, `[1]`, which waits on the device.
    pub(crate) fn step(&mut self, batch: &DeviceBatch) -> Tensor<1> {
        // One seed a step, the same for all networks that were given these seeds.
        let seed = self.seeds.device(self.learner.optimizer.steps());
        let pass = self.learner.gradients(batch, Loss::CrossEntropy, &self.device, seed);
        self.learner.step(pass.gradients, self.learning_rate);
        pass.objective.without_autodiff()
    }

    /// The loss on a batch in evaluation, `[1]`, which waits on the device.
    pub(crate) fn loss(&self, batch: &DeviceBatch) -> Tensor<1> {
        let outputs = self.network().valid().forward(batch.images.clone().without_autodiff());
        Loss::CrossEntropy.forward(outputs, batch.targets.clone().without_autodiff())
    }

    /// What the network predicts for every image, in evaluation.
    ///
    /// # Errors
    ///
    /// If there are no images.
    pub(crate) fn predictions(&self, images: &Images) -> Result<Predictions, Failure> {
        let Images { set, normalization } = images;
        predict(&self.network().valid(), set, normalization, &self.device)
            .map_err(|error| Failure::Error(error.to_string()))
    }

    /// What the network predicts for every test image, in evaluation.
    ///
    /// # Errors
    ///
    /// If there are no images.
    pub(crate) fn test_predictions(&self, test: &TestView) -> Result<Predictions, Failure> {
        let TestView { images, normalization } = test;
        predict(&self.network().valid(), images.for_final_scores(), normalization, &self.device)
            .map_err(|error| Failure::Error(error.to_string()))
    }

    /// Loss and accuracy in evaluation.
    ///
    /// # Errors
    ///
    /// If there are no images.
    pub(crate) fn scores(&self, images: &Images) -> Result<Scores, Failure> {
        Ok(self.predictions(images)?.scores())
    }
}

impl TestView {
    /// Loss and accuracy.
    ///
    /// # Errors
    ///
    /// If there are no images.
    pub(crate) fn scores(&self, trainee: &Trainee) -> Result<Scores, Failure> {
        Ok(self.predictions(trainee)?.scores())
    }

    /// The answers.
    ///
    /// # Errors
    ///
    /// If there are no images.
    pub(crate) fn predictions(&self, trainee: &Trainee) -> Result<Predictions, Failure> {
        trainee.test_predictions(self)
    }
}

impl Diagnostic {
    /// Loss and accuracy.
    ///
    /// # Errors
    ///
    /// If there are no images.
    pub(crate) fn scores(&self, trainee: &Trainee) -> Result<Scores, Failure> {
        self.0.scores(trainee)
    }

    /// The answers.
    ///
    /// # Errors
    ///
    /// If there are no images.
    pub(crate) fn predictions(&self, trainee: &Trainee) -> Result<Predictions, Failure> {
        self.0.predictions(trainee)
    }
}

/// Reads losses that wait on the device, in one go.
pub(crate) fn read(losses: Vec<Tensor<1>>) -> Vec<f64> {
    if losses.is_empty() {
        return Vec::new();
    }
    let values: Vec<f32> =
        Tensor::cat(losses, 0).into_data().try_to_vec().expect("losses are 32-bit floats");
    values.into_iter().map(f64::from).collect()
}
