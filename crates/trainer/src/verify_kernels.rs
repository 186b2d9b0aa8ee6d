//! Whether a backend computes what it should: the first steps of a training, beside the same steps in
//! double precision.
//!
//! The reference is Burn's own operations on Flex with 64-bit floats. Our kernels are for 32-bit floats
//! ([`backburn_kernels::fuses_optimizer_steps`] says on which tensors they work), so that not even on
//! Flex does the reference share a loop with what it judges. Every backend is held against this one
//! reference, so that two that pass agree with each other to twice the tolerance.
//!
//! Each step starts from the same weights on both sides and takes the reference's gradients: errors
//! are those of one step, not of a training that has amplified them. What draws from the device's
//! generator (dropout and the like) is switched off, since no two devices draw alike.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Instant;

use backburn_data::loader::{Loader, LoaderConfig};
use backburn_models::parameters::Path;
use backburn_models::{Architecture, ModelConfig, NamedTensor, Network, Role, parameters};
use backburn_regularization::{MaxNorm, Targets};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{DType, Device, Tensor, TensorData};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::backend::{Backend, BackendError, OpenDevice};
use crate::gradients::NamedGradients;
use crate::optimizer::Optimizer;
use crate::prepare::{PrepareError, Prepared};
use crate::recipe::{Recipe, built_in};
use crate::seeds::Seeds;

/// Steps that are compared, unless every one of them came upon a kink.
const STEPS: usize = 3;

/// Steps after which no more chances are given.
const MOST_STEPS: usize = 6;

/// Greatest relative error of a loss.
pub const LOSS_TOLERANCE: f64 = 1e-4;

/// Greatest relative error of a gradient, of a step's change of the weights and of running
/// statistics, each in the Euclidean norm over one parameter tensor.
pub const TENSOR_TOLERANCE: f64 = 2e-3;

/// A gradient that is this much smaller than the others, value by value, is compared with that share
/// of theirs: what is zero but for rounding (a bias before batch normalization) has no relative error.
const SMALLEST_SHARE: f64 = 1e-2;

/// Rounding may put a value on the other side of a ReLU's kink, or make another pixel the maximum of a
/// window. The gradient jumps there, by 1e-3 to 2e-2 in a residual network, however exact the device is.
/// Such a step is told by the reference: weights that are disturbed by this share of themselves, far more
/// than a 32-bit float's rounding, make its own gradient jump.
const DISTURBANCE: f64 = 1e-5;

/// Directions in which the reference is disturbed, each forth and back, since a kink lies on one side; and
/// how much further than it a device may jump. A gradient that is off in every step is refused all the same:
/// a wrong kernel is wrong on all images.
const DIRECTIONS: u64 = 2;
const JUMP: f64 = 3.0;

/// Distance between neighbouring 32-bit floats, relative: as much of a weight is lost when a step is
/// added to it.
const RESOLUTION: f64 = 1.0 / (1_u64 << 23) as f64;

/// Why training on a backend is refused, or cannot be judged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The backend computes something else.
    #[error(
        "the backend `{backend}` computes something else than it should: {worst}; nothing was trained; {}",
        cure(*backend)
    )]
    Wrong {
        /// What computed.
        backend: Backend,
        /// What is furthest outside its tolerance.
        worst: Deviation,
    },
    /// The weights before the first step are too large to compute with.
    #[error(
        "kernels cannot be verified: the loss of the initial weights is not finite; set a smaller `--initialization`"
    )]
    NotFinite,
    /// There is nothing to compare with.
    #[error(
        "kernels are verified against the backend `flex`: {0}; `cargo xtask` builds it along with any other backend, by hand it is `--features flex,NAME`"
    )]
    NoReference(BackendError),
    /// The images cannot be had as batches, or the model does not take them.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
}

fn cure(backend: Backend) -> &'static str {
    match backend {
        Backend::Flex => {
            "try `BACKBURN_SIMD=portable`, which takes other instructions, or `--backend ndarray`, and report it"
        }
        _ => "update the driver, or train with `--backend flex`, and report it",
    }
}

/// What is compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quantity {
    /// The loss in training.
    Loss,
    /// The gradient of the parameter of that name.
    Gradient(String),
    /// What the optimizer's step changes the parameter of that name by.
    Step(String),
    /// The running mean or variance of that name.
    RunningStatistic(String),
    /// The loss of the weights that the last step leads to, in evaluation.
    EvaluationLoss,
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loss => write!(f, "loss"),
            Self::Gradient(name) => write!(f, "gradient of `{name}`"),
            Self::Step(name) => write!(f, "optimizer's step of `{name}`"),
            Self::RunningStatistic(name) => write!(f, "`{name}`"),
            Self::EvaluationLoss => write!(f, "loss in evaluation"),
        }
    }
}

/// How far a quantity is from the reference.
#[derive(Clone, Debug)]
pub struct Deviation {
    /// What was compared.
    pub quantity: Quantity,
    /// In which step, counted from 1.
    pub step: usize,
    /// The relative error; infinite where a tensor is missing.
    pub found: f64,
    /// The greatest that is accepted.
    pub allowed: f64,
}

impl Deviation {
    /// NaN is accepted nowhere.
    fn is_accepted(&self) -> bool {
        self.found <= self.allowed
    }

    /// The error in units of what is allowed.
    fn size(&self) -> f64 {
        if self.found.is_nan() { f64::INFINITY } else { self.found / self.allowed }
    }
}

impl fmt::Display for Deviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { quantity, step, found, allowed } = self;
        write!(
            f,
            "relative error {found:.1e} of the {quantity} in step {step}, allowed {allowed:.0e}"
        )
    }
}

/// That everything is within its tolerance.
#[derive(Clone, Debug)]
pub struct Verified {
    /// The loss that is furthest from the reference's.
    pub loss: Deviation,
    /// The gradient, step or statistic that is.
    pub tensor: Deviation,
    /// Steps compared; fewer than usual if the reference left the finite numbers.
    pub steps: usize,
    /// How many of them came upon a kink of the network.
    pub kinks: usize,
    /// Wall clock.
    pub seconds: f64,
}

impl fmt::Display for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { loss, tensor, steps, kinks, seconds } = self;
        let kinks = match kinks {
            0 => String::new(),
            1 => ", one at a kink".into(),
            many => format!(", {many} at kinks"),
        };
        let steps = if *steps == 1 { "1 step".into() } else { format!("{steps} steps") };
        write!(
            f,
            "largest relative errors in {steps}{kinks}: {:.1e} of the {} (allowed {:.0e}), {:.1e} of the {} (allowed {:.0e}); {seconds:.1} s",
            loss.found, loss.quantity, loss.allowed, tensor.found, tensor.quantity, tensor.allowed,
        )
    }
}

/// Images and labels of one step.
#[derive(Clone, Debug)]
struct Images {
    /// `[images, channels, height, width]`
    pixels: Vec<f32>,
    labels: Vec<u8>,
}

/// What is trained for the comparison.
#[derive(Clone, Debug)]
pub struct Task {
    recipe: Recipe,
    /// Channels, height, width.
    shape: [usize; 3],
    classes: usize,
    batches: Vec<Images>,
}

impl Task {
    /// The recipe's own network and optimizer on its own training images, not augmented.
    ///
    /// # Errors
    ///
    /// If the images do not fit their normalization.
    pub fn of(recipe: &Recipe, prepared: &Prepared) -> Result<Self, PrepareError> {
        let size = images_of_a_step(&recipe.model).min(prepared.train.len());
        let seeds = Seeds::new(recipe.seed);
        let train = prepared.train.clone();
        let loader = Loader::new(
            train,
            &prepared.normalization,
            Default::default(),
            LoaderConfig::new(size),
        )?;
        let epoch = loader.epoch(&mut seeds.order(1), seeds.augmentation(1));
        let batches = epoch.take(MOST_STEPS);
        let batches = batches.map(|batch| Images { pixels: batch.images, labels: batch.labels });
        Ok(Self {
            recipe: undisturbed(recipe),
            shape: prepared.image(),
            classes: prepared.classes(),
            batches: batches.collect(),
        })
    }

    /// An architecture in its default size, with Nesterov momentum and weight decay, on noise: colour
    /// images of odd and unequal sides, so that swapped axes and forgotten edges show.
    ///
    /// # Panics
    ///
    /// If the built-in recipe `digits` is gone.
    pub fn of_architecture(row: &Architecture) -> Self {
        const SHAPE: [usize; 3] = [3, 19, 17];
        let mut recipe = built_in("digits").expect("there is a recipe of that name");
        recipe.model = (row.config)();
        let size = images_of_a_step(&recipe.model);
        let mut rng = Seeds::new(recipe.seed).data("verify-kernels");
        let values = size * SHAPE.iter().product::<usize>();
        let batches = (0..MOST_STEPS).map(|_| Images {
            pixels: (0..values).map(|_| rng.random_range(-2.0..2.0)).collect(),
            labels: (0..size).map(|_| rng.random_range(0..10)).collect(),
        });
        let batches = batches.collect();
        Self { recipe: undisturbed(&recipe), shape: SHAPE, classes: 10, batches }
    }

    /// The network with its initial weights.
    fn network(&self, device: &Device) -> Result<Network, PrepareError> {
        let network = self.recipe.model.init(self.shape, self.classes, device)?;
        let seeds = Seeds::new(self.recipe.seed);
        Ok(self.recipe.initialization.apply(network, |name| seeds.weights(name)))
    }

    fn optimizer(&self) -> Optimizer {
        Optimizer::new(self.recipe.optimizer, self.recipe.weight_decay)
            .with_l1(self.recipe.l1)
            .with_max_norm(self.recipe.max_norm.map(|limit| MaxNorm { limit }))
    }
}

/// The more values a network computes of an image, the fewer images, so that few steps come upon a kink.
fn images_of_a_step(model: &ModelConfig) -> usize {
    match model {
        ModelConfig::Mlp(_) => 64,
        ModelConfig::Cnn(_) | ModelConfig::LenetBn(_) => 16,
        _ => 4,
    }
}

/// Without what draws from the device's generator.
fn undisturbed(recipe: &Recipe) -> Recipe {
    let mut recipe = recipe.clone();
    *recipe.model.dropout_mut() = 0.0;
    for rate in [ModelConfig::spatial_dropout_mut, ModelConfig::stochastic_depth_mut] {
        if let Some(rate) = rate(&mut recipe.model) {
            *rate = 0.0;
        }
    }
    recipe
}

/// Compares the first steps of `task` on a device with the reference.
///
/// # Errors
///
/// If one of its numbers is outside its tolerance; the error names the one furthest outside.
pub fn verify(task: &Task, backend: Backend, open: &OpenDevice) -> Result<Verified, VerifyError> {
    compare(task, backend, &open.device, |_| {})
}

/// Values by the name of their parameter.
type ByName = BTreeMap<String, Vec<f64>>;

/// What one side gets out of a step.
struct StepValues {
    loss: f64,
    gradients: ByName,
    /// By which the weights change.
    changes: ByName,
    running: ByName,
}

/// `disturb` changes what the device gets out of each step, for tests of the comparison.
fn compare(
    task: &Task,
    backend: Backend,
    device: &Device,
    disturb: impl Fn(&mut StepValues),
) -> Result<Verified, VerifyError> {
    let started = Instant::now();
    let reference = Backend::Flex.open().map_err(VerifyError::NoReference)?.device.autodiff();
    let device = device.clone().autodiff();
    // Takes the weights of the device over to the reference before each step.
    let template = task.network(&reference)?;
    let mut network = task.network(&device)?;
    let (mut optimizer, mut exact_optimizer) = (task.optimizer(), task.optimizer());
    let mut judge = Judge { backend, ..Judge::default() };
    let mut losses = Vec::new();
    let mut steps = 0;
    for (step, images) in (1..).zip(&task.batches) {
        if step > STEPS && judge.is_content() {
            break;
        }
        let exact = in_double(import(&template, &parameters::export(&network.valid())));
        let (loss, gradients) = backward(task, &network, images, &device, DType::F32);
        let (exact_loss, exact_gradients) = backward(task, &exact, images, &reference, DType::F64);
        if !exact_loss.is_finite() {
            break;
        }
        steps = step;
        let before = values(&network.valid(), Role::is_trained);
        let moved = advance(task, &mut optimizer, network, &exact_gradients, DType::F32);
        let exact_moved =
            advance(task, &mut exact_optimizer, exact.clone(), &exact_gradients, DType::F64);
        let mut found = StepValues::new(loss, gradients, &before, &moved);
        let expected = StepValues::new(exact_loss, exact_gradients, &before, &exact_moved);
        disturb(&mut found);
        losses.push(Deviation {
            quantity: Quantity::Loss,
            step,
            found: distance(&[found.loss], &[expected.loss], 0.0),
            allowed: LOSS_TOLERANCE,
        });
        judge.hear(expected.deviations(&found, &before, step), || {
            jumps(task, &exact, images, &reference, &expected.gradients)
        })?;
        network = moved;
    }
    if steps == 0 {
        return Err(VerifyError::NotFinite);
    }
    if let Some(images) = task.batches.first() {
        let exact = in_double(import(&template, &parameters::export(&network.valid())));
        let loss = evaluate(task, &network.valid(), images, &device, DType::F32);
        let expected = evaluate(task, &exact.valid(), images, &reference, DType::F64);
        if expected.is_finite() {
            losses.push(Deviation {
                quantity: Quantity::EvaluationLoss,
                step: steps,
                found: distance(&[loss], &[expected], 0.0),
                allowed: LOSS_TOLERANCE,
            });
        }
    }
    let loss = worst(losses).expect("the loss of initial weights is finite");
    if !loss.is_accepted() {
        return Err(VerifyError::Wrong { backend, worst: loss });
    }
    let (tensor, kinks) = judge.conclude()?;
    Ok(Verified { loss, tensor, steps, kinks, seconds: started.elapsed().as_secs_f64() })
}

/// The one furthest outside its tolerance, or nearest to it.
fn worst(deviations: impl IntoIterator<Item = Deviation>) -> Option<Deviation> {
    deviations.into_iter().max_by(|a, b| a.size().total_cmp(&b.size()))
}

/// What is made of the deviations of several steps.
#[derive(Clone, Debug, Default)]
struct Judge {
    backend: Backend,
    /// Of each quantity, the least of all steps.
    best: BTreeMap<Quantity, Deviation>,
    /// Of those that were accepted, the greatest.
    accepted: Vec<Deviation>,
    kinks: usize,
}

impl Judge {
    /// Takes in the deviations of a step. `jumps`: how far the gradient of each parameter jumps when the
    /// reference is disturbed.
    ///
    /// # Errors
    ///
    /// If one is outside its tolerance and no kink explains it.
    fn hear(
        &mut self,
        deviations: Vec<Deviation>,
        jumps: impl FnOnce() -> BTreeMap<String, f64>,
    ) -> Result<(), VerifyError> {
        let (accepted, others): (Vec<_>, Vec<_>) =
            deviations.iter().cloned().partition(Deviation::is_accepted);
        self.accepted.extend(worst(accepted));
        if !others.is_empty() {
            let jumps = jumps();
            let unexplained = others.into_iter().map(|deviation| {
                let jump = match &deviation.quantity {
                    Quantity::Gradient(name) => jumps.get(name).copied().unwrap_or(0.0),
                    _ => 0.0,
                };
                Deviation { allowed: deviation.allowed + JUMP * jump, ..deviation }
            });
            if let Some(worst) = worst(unexplained.filter(|deviation| !deviation.is_accepted())) {
                return Err(VerifyError::Wrong { backend: self.backend, worst });
            }
            self.kinks += 1;
        }
        for deviation in deviations {
            let best = self.best.entry(deviation.quantity.clone()).or_insert(deviation.clone());
            if deviation.size() < best.size() {
                *best = deviation;
            }
        }
        Ok(())
    }

    /// Whether every quantity was within its tolerance at least once.
    fn is_content(&self) -> bool {
        self.best.values().all(Deviation::is_accepted)
    }

    /// The greatest deviation that was accepted, and the number of steps at kinks.
    ///
    /// # Errors
    ///
    /// If a quantity was outside its tolerance in every step.
    fn conclude(self) -> Result<(Deviation, usize), VerifyError> {
        let worst_best = worst(self.best.into_values()).expect("a step was heard");
        if !worst_best.is_accepted() {
            return Err(VerifyError::Wrong { backend: self.backend, worst: worst_best });
        }
        Ok((worst(self.accepted).unwrap_or(worst_best), self.kinks))
    }
}

/// How far the gradient of each parameter jumps, at most, when the reference's weights are disturbed.
fn jumps(
    task: &Task,
    exact: &Network,
    images: &Images,
    device: &Device,
    gradients: &ByName,
) -> BTreeMap<String, f64> {
    let typical = typical_size(gradients);
    let mut jumps = BTreeMap::new();
    for (direction, size) in
        (0..DIRECTIONS).flat_map(|direction| [(direction, DISTURBANCE), (direction, -DISTURBANCE)])
    {
        let rng = Seeds::new(direction).data("verify-kernels disturbance");
        let disturbed = apart(exact).map(&mut Disturb { rng, size });
        let (_, found) = backward(task, &disturbed, images, device, DType::F64);
        for (name, expected) in gradients {
            let jump = distance(&found[name], expected, least_gradient(typical, expected));
            let greatest = jumps.entry(name.clone()).or_insert(0.0_f64);
            *greatest = greatest.max(jump);
        }
    }
    jumps
}

/// Changes every parameter a little.
struct Disturb {
    rng: ChaCha8Rng,
    /// As a share of the parameter.
    size: f64,
}

impl ModuleMapper for Disturb {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|old| {
            let (device, is_trained, shape) = (old.device(), old.is_require_grad(), old.dims());
            let mut change = || 1.0 + self.size * self.rng.random_range(-1.0..1.0);
            let values: Vec<f64> =
                old.into_data().iter::<f64>().map(|value| value * change()).collect();
            Tensor::from_data(TensorData::new(values, shape), (&device, DType::F64))
                .set_require_grad(is_trained)
        })
    }
}

/// What a gradient is compared with if it is smaller.
fn least_gradient(typical: f64, expected: &[f64]) -> f64 {
    SMALLEST_SHARE * typical * (expected.len() as f64).sqrt()
}

impl StepValues {
    fn new(loss: f64, gradients: ByName, before: &ByName, after: &Network) -> Self {
        let after = after.valid();
        let mut changes = values(&after, Role::is_trained);
        for (name, values) in &mut changes {
            for (value, before) in values.iter_mut().zip(&before[name]) {
                *value -= before;
            }
        }
        let running = values(&after, |role| !role.is_trained());
        Self { loss, gradients, changes, running }
    }

    /// How far `found` is from this, tensor by tensor.
    fn deviations(&self, found: &Self, before: &ByName, step: usize) -> Vec<Deviation> {
        let mut deviations = Vec::new();
        let mut add = |quantity, found| {
            let allowed = TENSOR_TOLERANCE;
            deviations.push(Deviation { quantity, step, found, allowed });
        };
        let typical = typical_size(&self.gradients);
        for (name, expected) in &self.gradients {
            let least = least_gradient(typical, expected);
            let error = found
                .gradients
                .get(name)
                .map_or(f64::INFINITY, |found| distance(found, expected, least));
            add(Quantity::Gradient(name.clone()), error);
        }
        for (name, expected) in &self.changes {
            let rounding = RESOLUTION * norm(&before[name]);
            let error = distance(&found.changes[name], expected, rounding / TENSOR_TOLERANCE);
            add(Quantity::Step(name.clone()), error);
        }
        for (name, expected) in &self.running {
            let error = distance(&found.running[name], expected, 0.0);
            add(Quantity::RunningStatistic(name.clone()), error);
        }
        deviations
    }
}

/// The loss on a batch, and its gradients.
fn backward(
    task: &Task,
    network: &Network,
    images: &Images,
    device: &Device,
    dtype: DType,
) -> (f64, ByName) {
    let loss = forward(task, network, images, device, dtype);
    let gradients = NamedGradients::gather(network, loss.backward());
    (scalar(loss), gradients.into_values())
}

/// The loss on a batch in evaluation.
fn evaluate(task: &Task, network: &Network, images: &Images, device: &Device, dtype: DType) -> f64 {
    scalar(forward(task, network, images, &device.clone().without_autodiff(), dtype))
}

fn forward(
    task: &Task,
    network: &Network,
    images: &Images,
    device: &Device,
    dtype: DType,
) -> Tensor<1> {
    let (size, [channels, height, width]) = (images.labels.len(), task.shape);
    let pixels = TensorData::new(images.pixels.clone(), [size, channels, height, width]);
    let targets = Targets::one_hot(&images.labels, task.classes).into_probabilities();
    let targets = TensorData::new(targets, [size, task.classes]);
    let outputs = network.forward(Tensor::from_data(pixels, (device, dtype)));
    task.recipe.loss.forward(outputs, Tensor::from_data(targets, (device, dtype)))
}

/// The network after a step with these gradients.
fn advance(
    task: &Task,
    optimizer: &mut Optimizer,
    network: Network,
    gradients: &ByName,
    dtype: DType,
) -> Network {
    // The optimizer works on parameters without their history.
    let device = network.valid().devices().remove(0);
    let gradients = NamedGradients::from_values(gradients, &device, dtype);
    optimizer.step(network, gradients, task.recipe.learning_rate)
}

fn scalar(tensor: Tensor<1>) -> f64 {
    tensor.into_data().iter::<f64>().next().expect("a loss is one number")
}

/// A copy whose running statistics are its own: those of a clone are shared.
fn apart(network: &Network) -> Network {
    network.valid().train()
}

/// `network` with other weights.
fn import(network: &Network, weights: &[NamedTensor]) -> Network {
    parameters::import(apart(network), weights.to_vec())
        .expect("both sides have the same architecture")
}

/// The network with 64-bit floats.
fn in_double(network: Network) -> Network {
    struct Widen;
    impl ModuleMapper for Widen {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            param.map(|narrow| {
                let (device, is_trained) = (narrow.device(), narrow.is_require_grad());
                let values = narrow.into_data();
                Tensor::from_data(values, (&device, DType::F64)).set_require_grad(is_trained)
            })
        }
    }
    network.map(&mut Widen)
}

/// The parameters and running statistics of an evaluation copy that are `wanted`.
fn values(network: &Network, wanted: fn(Role) -> bool) -> ByName {
    struct Gather {
        path: Path,
        wanted: fn(Role) -> bool,
        by_name: ByName,
    }
    impl ModuleVisitor for Gather {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.path.enter(name, container);
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.exit();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if (self.wanted)(self.path.role()) {
                let values = param.val().into_data().iter::<f64>().collect();
                self.by_name.insert(self.path.name(), values);
            }
        }
    }
    let mut gather = Gather { path: Path::default(), wanted, by_name: ByName::new() };
    network.visit(&mut gather);
    gather.by_name
}

/// `‖found − expected‖ / max(‖expected‖, least)` in the Euclidean norm; infinite if there are more or
/// fewer values than expected.
fn distance(found: &[f64], expected: &[f64], least: f64) -> f64 {
    if found.len() != expected.len() {
        return f64::INFINITY;
    }
    let difference: Vec<f64> = found.iter().zip(expected).map(|(a, b)| a - b).collect();
    match norm(&difference) {
        0.0 => 0.0,
        difference => difference / norm(expected).max(least),
    }
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}

/// Root mean square of all values together.
fn typical_size(all: &ByName) -> f64 {
    let squares: f64 = all.values().map(|values| norm(values).powi(2)).sum();
    let count: usize = all.values().map(Vec::len).sum();
    (squares / count.max(1) as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use backburn_models::architecture;

    fn task(name: &str) -> Task {
        Task::of_architecture(architecture(name).unwrap())
    }

    fn flex(task: &Task, disturb: impl Fn(&mut StepValues)) -> Result<Verified, VerifyError> {
        compare(task, Backend::Flex, &Backend::Flex.open().unwrap().device, disturb)
    }

    #[test]
    fn our_kernels_agree_with_double_precision_in_every_family() {
        for name in ["mlp", "cnn", "lenet-bn", "resnet20"] {
            let verified =
                flex(&task(name), |_| {}).unwrap_or_else(|error| panic!("{name}: {error}"));
            println!("{name}: {verified}");
            assert_eq!(verified.steps, STEPS);
            // Not by chance alone.
            assert!(verified.tensor.found > 0.0 && verified.loss.found < LOSS_TOLERANCE);
        }
    }

    #[test]
    fn a_gradient_that_is_wrong_in_one_layer_is_found_and_named() {
        let scale = |values: &mut StepValues| {
            for value in values.gradients.get_mut("conv2.weight").unwrap() {
                *value *= 1.01;
            }
        };
        let error = flex(&task("lenet-bn"), scale).unwrap_err().to_string();
        for part in [
            "`flex`",
            "gradient of `conv2.weight`",
            "1.0e-2",
            "allowed 2e-3",
            "nothing was trained",
        ] {
            assert!(error.contains(part), "no `{part}` in: {error}");
        }
    }

    #[test]
    fn a_single_wrong_value_a_missing_layer_and_a_value_that_is_no_number_are_found() {
        type Disturbance = fn(&mut StepValues);
        let wrong: [(&str, Disturbance); 5] = [
            ("gradient of `conv1.bias`", |values| {
                values.gradients.get_mut("conv1.bias").unwrap()[3] = f64::NAN;
            }),
            ("gradient of `head.weight`", |values| drop(values.gradients.remove("head.weight"))),
            ("gradient of `conv1.weight`", |values| {
                let weights = values.gradients.get_mut("conv1.weight").unwrap();
                let last = weights.len() - 1;
                weights[last] = -weights[last];
            }),
            ("step of `dense1.weight`", |values| {
                values.changes.get_mut("dense1.weight").unwrap().fill(0.0);
            }),
            ("norm1.running_var", |values| {
                values.running.get_mut("norm1.running_var").unwrap()[0] *= 1.1;
            }),
        ];
        for (part, disturb) in wrong {
            let error = flex(&task("lenet-bn"), disturb).unwrap_err().to_string();
            assert!(error.contains(part), "no `{part}` in: {error}");
        }
    }

    /// The relative error of one gradient in some step.
    fn deviation(step: usize, found: f64) -> Deviation {
        let quantity = Quantity::Gradient("head.bias".into());
        Deviation { quantity, step, found, allowed: TENSOR_TOLERANCE }
    }

    #[test]
    fn a_jump_is_accepted_where_the_reference_jumps_too_and_not_in_every_step() {
        let jump = |size: f64| move || BTreeMap::from([("head.bias".to_owned(), size)]);
        let mut judge = Judge::default();
        judge.hear(vec![deviation(1, 1e-2)], jump(1e-2)).unwrap();
        assert!(!judge.is_content());
        assert!(judge.clone().conclude().is_err(), "it was never within its tolerance");
        judge
            .hear(vec![deviation(2, 1e-5)], || unreachable!("nothing is to be explained"))
            .unwrap();
        assert!(judge.is_content());
        let (worst, kinks) = judge.clone().conclude().unwrap();
        assert_eq!((worst.found, kinks), (1e-5, 1));
        let error = judge.hear(vec![deviation(3, 1e-2)], jump(1e-5)).unwrap_err().to_string();
        assert!(error.contains("1.0e-2 of the gradient of `head.bias` in step 3"), "{error}");
    }

    #[test]
    fn a_wrong_loss_is_found() {
        let error = flex(&task("mlp"), |values| values.loss *= 1.001).unwrap_err().to_string();
        assert!(error.contains("relative error 1.0e-3 of the loss in step"), "{error}");
    }

    #[test]
    fn the_reference_shares_no_kernel_with_what_it_judges() {
        let device = Backend::Flex.open().unwrap().device;
        let tensor = |dtype| Tensor::<1>::zeros([4], (&device, dtype));
        assert!(backburn_kernels::fuses_optimizer_steps(&tensor(DType::F32)));
        assert!(!backburn_kernels::fuses_optimizer_steps(&tensor(DType::F64)));
    }
}
