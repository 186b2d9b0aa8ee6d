//! A network in training on batches that it is handed, so that several can be handed the same.

use backburn_data::loader::Batch;
use backburn_models::{Initialization, ModelConfig, Network};
use backburn_regularization::{Targets, WeightDecay};
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};

use super::lab::{Images, TestView};
use backburn_training::failure::Failure;
use backburn_training::failure::usage;
use backburn_training::evaluate::{Predictions, Scores, predict};
use backburn_training::optimize::gradients::NamedGradients;
use backburn_training::loss::Loss;
use backburn_training::optimize::optimizer::{Optimizer, OptimizerConfig};
use backburn_training::seeds::Seeds;

/// A batch on the training device.
#[derive(Clone, Debug)]
pub(crate) struct DeviceBatch {
    /// `[batch, channels, height, width]`
    pub(crate) images: Tensor<4>,
    /// `[batch, classes]`, distributions
    pub(crate) targets: Tensor<2>,
}

impl DeviceBatch {
    /// `device`: with gradients.
    pub(crate) fn new(batch: Batch, classes: usize, device: &Device) -> Self {
        let size = batch.len();
        let shape = [size, batch.shape.channels, batch.shape.height, batch.shape.width];
        let targets = Targets::one_hot(&batch.labels, classes).into_probabilities();
        Self {
            images: Tensor::from_data(TensorData::new(batch.images, shape), device),
            targets: Tensor::from_data(TensorData::new(targets, [size, classes]), device),
        }
    }
}

/// How a network is made and trained.
#[derive(Clone, Debug)]
pub(crate) struct Training {
    /// The network.
    pub(crate) model: ModelConfig,
    /// Its initial weights.
    pub(crate) initialization: Initialization,
    /// How gradients become steps.
    pub(crate) optimizer: OptimizerConfig,
    /// The same in every step.
    pub(crate) learning_rate: f64,
    /// Pull towards zero.
    pub(crate) weight_decay: WeightDecay,
}

/// A network in training.
#[derive(Debug)]
pub(crate) struct Trainee {
    /// Only absent while the optimizer moves it.
    network: Option<Network>,
    optimizer: Optimizer,
    learning_rate: f64,
    seeds: Seeds,
    /// Without gradients.
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
        Ok(Self {
            network: Some(initialization.apply(network, |name| seeds.weights(name))),
            optimizer: Optimizer::new(*optimizer, *weight_decay),
            learning_rate: *learning_rate,
            seeds,
            device: device.clone(),
        })
    }

    /// The network as it stands, with gradients and dropout.
    pub(crate) fn network(&self) -> &Network {
        self.network.as_ref().expect("the optimizer puts the network back")
    }

    /// What the optimizer remembers.
    pub(crate) fn optimizer(&self) -> &Optimizer {
        &self.optimizer
    }

    /// One step. Returns the loss before it, `[1]`, which waits on the device.
    pub(crate) fn step(&mut self, batch: &DeviceBatch) -> Tensor<1> {
        // Dropout draws from the device's generator: one seed a step, the same for all networks that
        // were given these seeds.
        self.device.seed(self.seeds.device(self.optimizer.steps()));
        let network = self.network.take().expect("the optimizer puts the network back");
        let outputs = network.forward(batch.images.clone());
        let loss = Loss::CrossEntropy.forward(outputs, batch.targets.clone());
        let gradients = NamedGradients::gather(&network, loss.backward());
        self.network = Some(self.optimizer.step(network, gradients, self.learning_rate));
        loss.without_autodiff()
    }

    /// The loss on a batch in evaluation, `[1]`, which waits on the device.
    pub(crate) fn loss(&self, batch: &DeviceBatch) -> Tensor<1> {
        let outputs = self.network().valid().forward(batch.images.clone().without_autodiff());
        Loss::CrossEntropy.forward(outputs, batch.targets.clone().without_autodiff())
    }

    /// What the network says of every image, in evaluation.
    ///
    /// # Errors
    ///
    /// If there are no images.
    pub(crate) fn predictions(&self, images: &Images) -> Result<Predictions, Failure> {
        let Images { set, normalization } = images;
        predict(&self.network().valid(), set, normalization, &self.device)
            .map_err(|error| Failure::Error(error.to_string()))
    }

    /// What the network says of every test image, in evaluation.
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

/// Reads losses that wait on the device, in one go.
pub(crate) fn read(losses: Vec<Tensor<1>>) -> Vec<f64> {
    if losses.is_empty() {
        return Vec::new();
    }
    let values: Vec<f32> =
        Tensor::cat(losses, 0).into_data().try_to_vec().expect("losses are 32-bit floats");
    values.into_iter().map(f64::from).collect()
}
