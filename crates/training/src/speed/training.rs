//! A network that is trained on noise, with the network, loss, gradients and optimizer of a real run.

use std::time::Instant;

use backburn_data::loader::Loader;
use backburn_kernels::{keeping_packed_weights, reserved_bytes};
use backburn_models::{Initialization, ModelConfig, ModelError};
use backburn_regularization::WeightDecay;
use burn::tensor::Device;

use super::launches::launches_of;
use super::noise;
use super::stopwatch::{repeat, wait};
use super::work::Work;
use crate::device_batch::DeviceBatch;
use crate::device_images::DeviceImages;
use crate::evaluate::forward;
use crate::learner::Learner;
use crate::loss::Loss;
use crate::optimize::optimizer::{Optimizer, OptimizerConfig};
use crate::seeds::Seeds;

/// Classes, as many as all data sets of the catalog have.
const CLASSES: usize = 10;

/// Learning rate at which the weights hardly move. Else thousands of steps would learn the one
/// batch by heart, and computing with gradients that vanish is slow on some machines.
const LEARNING_RATE: f64 = 1e-6;

/// Channels, height and width of the images that an architecture is measured on: MNIST's for those
/// that were made for it, CIFAR-10's for the others.
pub fn image(model: &str) -> [usize; 3] {
    match model {
        "mlp" | "lenet-bn" => [1, 28, 28],
        _ => [3, 32, 32],
    }
}

/// A network between two steps.
#[derive(Debug)]
pub struct Training {
    learner: Learner,
    /// Device with gradients.
    device: Device,
    /// Delivers the batch, over and over.
    loader: Loader,
    /// How its images get to the device.
    images: DeviceImages,
    batch: DeviceBatch,
}

impl Training {
    /// Builds a network for images of these channels, height and width, draws its weights and does a
    /// first step; also returns how many seconds that took.
    ///
    /// # Errors
    ///
    /// If the images are too small for the network.
    ///
    /// # Panics
    ///
    /// If Adam is gone.
    pub fn start(
        model: &ModelConfig,
        image: [usize; 3],
        batch_size: usize,
        device: &Device,
    ) -> Result<(Self, f64), ModelError> {
        let device = device.clone().autodiff();
        let [channels, height, width] = image;
        let loader = noise::loader([batch_size, channels, height, width], CLASSES);
        let images = DeviceImages::of(&loader, &device);
        let loader = loader.delivering(images.delivery());
        let batch = upload(&loader, &images, &device);
        wait(&device);

        let started = Instant::now();
        let seeds = Seeds::new(1);
        let network = model.init(image, CLASSES, &device)?;
        let network = Initialization::default().apply(network, |name| seeds.weights(name));
        let adam = OptimizerConfig::named("adam").expect("it is one of the optimizers");
        let learner = Learner::new(network, Optimizer::new(adam, WeightDecay::default()));
        let mut training = Self { learner, device, loader, images, batch };
        training.step();
        wait(&training.device);
        Ok((training, started.elapsed().as_secs_f64()))
    }

    /// Forward pass, loss, backward pass and a step of the optimizer.
    fn step(&mut self) {
        let seed = self.learner.optimizer.steps();
        let pass = self.learner.gradients(&self.batch, Loss::CrossEntropy, &self.device, seed);
        self.learner.step(pass.gradients, LEARNING_RATE);
    }

    /// A step on a batch that is uploaded for it.
    pub fn step_on_another_batch(&mut self) {
        self.batch = upload(&self.loader, &self.images, &self.device);
        self.step();
    }

    /// Waits until the device has done what it was given.
    pub fn wait(&self) {
        wait(&self.device);
    }

    /// Trains for that many seconds.
    pub fn train(&mut self, seconds: f64) -> Work {
        let device = self.device.clone();
        let elapsed = repeat(seconds, || wait(&device), || self.step());
        Work { amount: (elapsed.times * self.batch_size()) as f64, seconds: elapsed.seconds }
    }

    /// Forward passes as an evaluation does them, for that many seconds.
    pub fn evaluate(&self, seconds: f64) -> Work {
        let network = self.learner.evaluation_copy();
        let images = self.batch.images.clone().without_autodiff();
        let pass = || drop(forward(&network, images.clone()));
        let elapsed = keeping_packed_weights(|| repeat(seconds, || wait(&self.device), pass));
        Work { amount: (elapsed.times * self.batch_size()) as f64, seconds: elapsed.seconds }
    }

    /// Kernels that a step launches on a graphics card; `None` of a device that is none.
    pub fn launches_of_a_step(&mut self) -> Option<u64> {
        self.reserved_bytes()?;
        self.wait();
        Some(launches_of(|| {
            self.step_on_another_batch();
            self.wait();
        }))
    }

    /// Bytes that a graphics card has set aside for this process; `None` of a device that is none.
    pub fn reserved_bytes(&self) -> Option<u64> {
        reserved_bytes(&self.device)
    }

    fn batch_size(&self) -> usize {
        self.batch.images.dims()[0]
    }
}

/// The batch as a training gets it.
fn upload(loader: &Loader, images: &DeviceImages, device: &Device) -> DeviceBatch {
    let batch = loader.in_order().next().expect("there is one");
    DeviceBatch::upload_changed(batch, CLASSES, images, device, |_| ())
}

#[cfg(test)]
mod tests {
    use backburn_models::{CATALOG, parameters};

    use super::*;

    fn start(model: &ModelConfig, batch_size: usize) -> Training {
        Training::start(model, image(model.name()), batch_size, &Device::flex()).unwrap().0
    }

    #[test]
    fn every_architecture_can_be_measured_on_its_images() {
        for architecture in CATALOG {
            let model = (architecture.config)();
            assert!(model.init(image(model.name()), CLASSES, &Device::flex()).is_ok());
        }
    }

    #[test]
    fn training_moves_the_weights_and_counts_images() {
        let mut training = start(&(CATALOG[0].config)(), 3);
        let weights = |training: &Training| {
            let head = parameters::export(training.learner.network());
            head.into_iter().find(|tensor| tensor.name == "head.weight").unwrap().values
        };
        let before = weights(&training);
        let work = training.train(0.0);
        assert_eq!(work.amount, 3.0);
        assert_ne!(weights(&training), before);
        assert_eq!(training.evaluate(0.0).amount, 3.0);
    }
}
