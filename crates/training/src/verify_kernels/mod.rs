//! Whether a backend computes what it should: the first steps of a training, beside the same steps in
//! double precision.
//!
//! The reference is Burn's own operations on Flex with 64-bit floats. Our kernels are for 32-bit floats
//! ([`backburn_kernels::fuses_optimizer_steps`] says on which tensors they work), so that not even on
//! Flex does the reference share a loop with what it judges. Every backend is held against this one
//! reference, so that two that pass agree with each other to twice the tolerance. Single convolutions have
//! the definition as theirs, and a graphics card's batches those of the processor.
//!
//! Each step starts from the same weights on both sides and takes the reference's gradients: errors
//! are those of one step, not of a training that has amplified them. What draws from the device's
//! generator (dropout and the like) is switched off, since no two devices draw alike.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Instant;

use backburn_models::parameters::Path;
use backburn_models::{NamedTensor, Network, Role, parameters};
use backburn_regularization::Targets;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{DType, Device, Tensor, TensorData};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::backend::{Backend, BackendError, OpenDevice};
use crate::device_batch::DeviceBatch;
use crate::learner::{self, Pass};
use crate::optimize::gradients::NamedGradients;
use crate::optimize::optimizer::Optimizer;
use crate::prepare::PrepareError;
use crate::seeds::Seeds;

mod batches;
mod convolutions;
mod judge;
mod task;

pub use batches::BatchesVerified;
pub use convolutions::ConvolutionsVerified;
pub use judge::{Deviation, Quantity};
use judge::{Judge, distance, norm, worst};
use task::Images;
pub use task::Task;

/// Steps that are compared, unless every one of them came upon a kink.
const STEPS: usize = 3;

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

/// Directions in which the reference is disturbed, each forth and back, since a kink lies on one side.
const DIRECTIONS: u64 = 2;

/// Distance between neighbouring 32-bit floats, relative: as much of a weight is lost when a step is
/// added to it.
const RESOLUTION: f64 = 1.0 / (1_u64 << 23) as f64;

/// Why training on a backend is refused, or cannot be judged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The backend computes something else.
    #[error(
        "the backend `{backend}` computes something else than it should: {worst}; nothing was \
         trained; {}",
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
        "kernels cannot be verified: the loss of the initial weights is not finite; set a smaller \
         `--initialization`"
    )]
    NotFinite,
    /// There is nothing to compare with.
    #[error(
        "kernels are verified against the backend `flex`: {0}; `cargo xtask` builds it along with \
         any other backend, by hand it is `--features flex,NAME`"
    )]
    NoReference(BackendError),
    /// The images cannot be had as batches, or the model does not take them.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
}

fn cure(backend: Backend) -> &'static str {
    match backend {
        Backend::Flex => {
            "try `BACKBURN_SIMD=portable`, which takes other instructions, or `--backend ndarray`, \
             and report it"
        }
        _ => "update the driver, or train with `--backend flex`, and report it",
    }
}

/// The finding that everything is within its tolerance.
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
            "largest relative errors in {steps}{kinks}: {:.1e} of the {} (allowed {:.0e}), {:.1e} \
             of the {} (allowed {:.0e}); {seconds:.1} s",
            loss.found, loss.quantity, loss.allowed, tensor.found, tensor.quantity, tensor.allowed,
        )
    }
}

/// Compares the first steps of `task` on a device with the reference.
///
/// # Errors
///
/// If one of its numbers is outside its tolerance; the error names the one furthest outside.
pub fn verify(task: &Task, backend: Backend, open: &OpenDevice) -> Result<Verified, VerifyError> {
    compare(task, backend, &open.device, |_| {})
}

/// Compares the batches that a graphics card makes of bytes with those that the processor makes.
///
/// # Errors
///
/// If they differ by more than the rounding of a blend.
pub fn verify_batches(backend: Backend, open: &OpenDevice) -> Result<BatchesVerified, VerifyError> {
    batches::verify_batches(&open.device).map_err(|worst| VerifyError::Wrong { backend, worst })
}

/// Compares both gradients of convolutions of many shapes with those of double precision.
///
/// # Errors
///
/// If one is outside its tolerance; the error names the one furthest outside.
pub fn verify_convolutions(
    backend: Backend,
    open: &OpenDevice,
) -> Result<ConvolutionsVerified, VerifyError> {
    convolutions::verify_convolutions(&open.device.clone().autodiff())
        .map_err(|worst| VerifyError::Wrong { backend, worst })
}

/// Values by the name of their parameter.
type ByName = BTreeMap<String, Vec<f64>>;

/// What one side gets out of a step.
struct StepValues {
    loss: f64,
    gradients: ByName,
    /// Amounts by which the weights change.
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
    let wrong = |worst| VerifyError::Wrong { backend, worst };
    let mut judge = Judge::default();
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
        let jumps = || jumps(task, &exact, images, &reference, &expected.gradients);
        judge.hear(expected.deviations(&found, &before, step), jumps).map_err(wrong)?;
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
        return Err(wrong(loss));
    }
    let (tensor, kinks) = judge.conclude().map_err(wrong)?;
    Ok(Verified { loss, tensor, steps, kinks, seconds: started.elapsed().as_secs_f64() })
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
    /// Size of the change as a share of the parameter.
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
    let Pass { objective, gradients, .. } =
        learner::backward(network, &upload(task, images, device, dtype), task.recipe.loss);
    (scalar(objective), gradients.into_values())
}

/// The loss on a batch in evaluation.
fn evaluate(task: &Task, network: &Network, images: &Images, device: &Device, dtype: DType) -> f64 {
    let batch = upload(task, images, &device.clone().without_autodiff(), dtype);
    scalar(batch.objective(network, task.recipe.loss).0)
}

/// A batch of floats of the kind `dtype`.
fn upload(task: &Task, images: &Images, device: &Device, dtype: DType) -> DeviceBatch {
    let (size, [channels, height, width]) = (images.labels.len(), task.shape);
    let pixels = TensorData::new(images.pixels.clone(), [size, channels, height, width]);
    let targets = Targets::one_hot(&images.labels, task.classes).into_probabilities();
    let targets = TensorData::new(targets, [size, task.classes]);
    let labels: Vec<i32> = images.labels.iter().map(|&label| i32::from(label)).collect();
    let plain = device.clone().without_autodiff();
    DeviceBatch {
        images: Tensor::from_data(pixels, (device, dtype)),
        targets: Tensor::from_data(targets, (device, dtype)),
        labels: Tensor::from_data(TensorData::new(labels, [size, 1]), &plain),
    }
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

/// Root mean square of all values together.
fn typical_size(all: &ByName) -> f64 {
    let squares: f64 = all.values().map(|values| norm(values).powi(2)).sum();
    let count: usize = all.values().map(Vec::len).sum();
    (squares / count.max(1) as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optimize::optimizer::OptimizerConfig;
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
    fn the_orthogonal_steps_of_muon_agree_with_double_precision() {
        let mut task = task("lenet-bn");
        task.recipe.optimizer = OptimizerConfig::named("muon").unwrap();
        let verified = flex(&task, |_| {}).unwrap();
        println!("{verified}");
        assert_eq!(verified.steps, STEPS);
        // Not by chance alone.
        assert!(verified.tensor.found > 0.0);
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
