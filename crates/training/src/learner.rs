//! A network that learns: gradients of a batch, and a step along them.

use std::collections::BTreeSet;

use backburn_models::parameters::{self, ImportError, NamedTensor};
use backburn_models::{Classifier, Network};
use backburn_regularization::Sam;
use burn::tensor::{Device, Tensor};

use crate::device_batch::DeviceBatch;
use crate::loss::Loss;
use crate::optimize::averaging::Averaging;
use crate::optimize::gradients::NamedGradients;
use crate::optimize::optimizer::Optimizer;

/// A network with all that its steps depend on.
#[derive(Clone, Debug)]
pub struct Learner<N = Network> {
    /// The network, absent only while the optimizer moves it.
    network: Option<N>,
    /// Turns gradients into steps.
    pub optimizer: Optimizer,
    /// Follows the weights.
    pub averaging: Averaging,
    /// Takes gradients at the worst point nearby.
    sam: Option<Sam>,
    /// The greatest norm of a step's gradients.
    clip_norm: Option<f64>,
    /// The parameters that stay as they are.
    frozen: BTreeSet<String>,
}

/// What a forward and backward pass over a batch gives.
#[derive(Debug)]
pub struct Pass {
    /// `[1]`, what is minimized.
    pub objective: Tensor<1>,
    /// `[batch, classes]`, without gradients.
    pub outputs: Tensor<2>,
    /// Gradients of the objective.
    pub gradients: NamedGradients,
}

impl<N: Classifier> Learner<N> {
    /// A network before its first step. It lives on a device with gradients.
    pub fn new(network: N, optimizer: Optimizer) -> Self {
        let averaging = Averaging::default();
        let frozen = optimizer.frozen(&network);
        let network = parameters::freeze(network, &frozen);
        Self { network: Some(network), optimizer, averaging, sam: None, clip_norm: None, frozen }
    }

    /// The learner with averages that follow the weights.
    #[must_use]
    pub fn with_averaging(self, averaging: Averaging) -> Self {
        Self { averaging: averaging.without(&self.frozen), ..self }
    }

    /// The learner with gradients of sharpness-aware minimization.
    #[must_use]
    pub fn with_sam(self, sam: Option<Sam>) -> Self {
        Self { sam, ..self }
    }

    /// The learner with gradients of at most this norm.
    #[must_use]
    pub fn with_clip_norm(self, clip_norm: Option<f64>) -> Self {
        Self { clip_norm, ..self }
    }

    /// The network as it stands, with gradients and dropout.
    pub fn network(&self) -> &N {
        self.network.as_ref().expect("the optimizer puts the network back")
    }

    /// The network that is evaluated and kept, without gradients, dropout and the like: an average
    /// of the weights, if there is one.
    pub fn evaluation_copy(&self) -> N {
        self.averaging.evaluation_copy(self.network(), self.optimizer.steps())
    }

    /// Replaces the network's weights.
    ///
    /// # Errors
    ///
    /// If they are not those of this network.
    pub fn load_weights(&mut self, weights: Vec<NamedTensor>) -> Result<(), ImportError> {
        self.network = Some(parameters::import(self.network().clone(), weights)?);
        Ok(())
    }

    /// The loss on a batch and its gradients. `device` draws what dropout drops, from `seed` on.
    pub fn gradients(&self, batch: &DeviceBatch, loss: Loss, device: &Device, seed: u64) -> Pass {
        device.seed(seed);
        let pass = self.backward(self.network(), batch, loss);
        let Some(sam) = self.sam else { return pass };
        let neighbour = pass.gradients.perturb(self.network(), sam);
        // The same units are dropped, so that the two gradients differ by the place alone.
        device.seed(seed);
        Pass { gradients: self.backward(&neighbour, batch, loss).gradients, ..pass }
    }

    fn backward(&self, network: &N, batch: &DeviceBatch, loss: Loss) -> Pass {
        backward(network, batch, loss)
    }

    /// One step of the optimizer against `gradients`.
    pub fn step(&mut self, gradients: NamedGradients, learning_rate: f64) {
        let gradients = match self.clip_norm {
            Some(limit) => gradients.clip_norm(limit),
            None => gradients,
        };
        let network = self.network.take().expect("the optimizer puts the network back");
        let network = self.optimizer.step(network, gradients, learning_rate);
        self.network = Some(self.averaging.follow(network, self.optimizer.steps()));
    }
}

/// A forward and backward pass over a batch.
pub fn backward<N: Classifier>(network: &N, batch: &DeviceBatch, loss: Loss) -> Pass {
    let (objective, outputs) = batch.objective(network, loss);
    let gradients = NamedGradients::gather(network, objective.backward());
    Pass { objective, outputs, gradients }
}

impl DeviceBatch {
    /// What is minimized on this batch, `[1]`, and the network's outputs, `[batch, classes]`, without gradients.
    pub fn objective<N: Classifier>(&self, network: &N, loss: Loss) -> (Tensor<1>, Tensor<2>) {
        let outputs = network.forward(self.images.clone());
        let plain = outputs.clone().without_autodiff();
        (loss.forward(outputs, self.targets.clone()), plain)
    }

    /// The number of right answers among a network's outputs, `[1]`.
    pub fn right(&self, outputs: Tensor<2>) -> Tensor<1> {
        outputs.argmax(1).equal(self.labels.clone()).float().sum()
    }
}
