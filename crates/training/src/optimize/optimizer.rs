//! Optimizers: from a gradient to a step, as their papers write them.
//!
//! Written here rather than taken from Burn because the sources' and PyTorch's conventions differ
//! from Burn's (no dampening of momentum, ε outside the corrected root, running averages without
//! momentum in RMSProp), and because state is kept by parameter name, so that a checkpoint of it
//! can be read back into another process.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use backburn_kernels::{self as kernels, Moved, OptimizerStep};
use backburn_models::parameters::{self, NamedTensor, Path, Role};
use backburn_regularization::{DecayMode, L1, MaxNorm, ParameterKind, WeightDecay};
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Tensor, TensorData};

use crate::optimize::gradients::NamedGradients;
use crate::optimize::muon::{MatrixShape, MuonConfig};
use crate::optimize::parameter_group::{GroupTraining, ParameterGroup};
pub use crate::optimize::rule::OptimizerConfig;

/// Running averages of one parameter, by the name of the average.
#[derive(Clone, Debug, Default)]
struct Averages {
    by_name: BTreeMap<&'static str, Tensor<1>>,
}

impl Averages {
    /// `a ← factor · a + x`, starting from zero.
    fn decay_and_add(&mut self, name: &'static str, factor: f64, x: Tensor<1>) -> Tensor<1> {
        let next = match self.by_name.remove(name) {
            Some(average) => average.mul_scalar(factor) + x,
            None => x,
        };
        self.by_name.insert(name, next.clone());
        next
    }

    /// Takes the step of a parameter at once, with the averages of these names.
    fn step(
        &mut self,
        names: &[&'static str],
        step: OptimizerStep,
        weights: Tensor<1>,
        gradient: Tensor<1>,
    ) -> Tensor<1> {
        let ([values], device) = (weights.dims(), weights.device());
        let mut average = |place: usize| match names.get(place) {
            None => Tensor::empty([0], &device),
            Some(name) => {
                self.by_name.remove(name).unwrap_or_else(|| Tensor::zeros([values], &device))
            }
        };
        let before = Moved { weights, first: average(0), second: average(1) };
        let after = kernels::optimizer_step(step, before, gradient);
        self.by_name.extend(names.iter().copied().zip([after.first, after.second]));
        after.weights
    }

    /// `a ← rate · a + (1 − rate) · x`, starting from zero.
    fn moving(&mut self, name: &'static str, rate: f64, x: Tensor<1>) -> Tensor<1> {
        self.decay_and_add(name, rate, x.mul_scalar(1.0 - rate))
    }
}

/// Turns a gradient into the direction of the step, and moves the parameter's averages on; Muon's before it
/// is made orthogonal. `step`: counted from 1.
fn direction(
    config: OptimizerConfig,
    averages: &mut Averages,
    g: Tensor<1>,
    step: u64,
) -> Tensor<1> {
    match config {
        OptimizerConfig::Sgd => g,
        OptimizerConfig::Momentum { momentum } => averages.decay_and_add("momentum", momentum, g),
        OptimizerConfig::Nesterov { momentum }
        | OptimizerConfig::Muon(MuonConfig { momentum, .. }) => {
            let v = averages.decay_and_add("momentum", momentum, g.clone());
            g + v.mul_scalar(momentum)
        }
        OptimizerConfig::Adagrad { epsilon } => {
            let h = averages.decay_and_add("square", 1.0, g.clone().square());
            g / (h.sqrt() + epsilon)
        }
        OptimizerConfig::Rmsprop { decay, epsilon } => {
            let h = averages.moving("square", decay, g.clone().square());
            g / (h.sqrt() + epsilon)
        }
        OptimizerConfig::Adam { beta1, beta2, epsilon }
        | OptimizerConfig::Adamw { beta1, beta2, epsilon } => {
            let m = averages.moving("mean", beta1, g.clone());
            let v = averages.moving("square", beta2, g.square());
            let step = step as f64;
            let m = m.div_scalar(1.0 - beta1.powf(step));
            let v = v.div_scalar(1.0 - beta2.powf(step));
            m / (v.sqrt() + epsilon)
        }
    }
}

/// How a parameter is trained.
#[derive(Clone, Copy, Debug)]
struct Treatment {
    /// Turns its gradients into steps.
    config: OptimizerConfig,
    /// Learning rate as a multiple of the step's.
    rate_factor: f64,
    weight_decay: WeightDecay,
}

/// An optimizer at work: its settings and what it remembers of each parameter.
#[derive(Clone, Debug)]
pub struct Optimizer {
    config: OptimizerConfig,
    weight_decay: WeightDecay,
    l1: L1,
    max_norm: Option<MaxNorm>,
    groups: Vec<ParameterGroup>,
    steps: u64,
    averages: BTreeMap<String, Averages>,
}

impl Optimizer {
    /// Remembers nothing yet.
    pub fn new(config: OptimizerConfig, weight_decay: WeightDecay) -> Self {
        Self {
            config,
            weight_decay,
            l1: L1::default(),
            max_norm: None,
            groups: Vec::new(),
            steps: 0,
            averages: BTreeMap::new(),
        }
    }

    /// The optimizer with an L1 penalty too.
    #[must_use]
    pub fn with_l1(self, l1: L1) -> Self {
        Self { l1, ..self }
    }

    /// The optimizer with weights kept inside a ball after each step.
    #[must_use]
    pub fn with_max_norm(self, max_norm: Option<MaxNorm>) -> Self {
        Self { max_norm, ..self }
    }

    /// The optimizer with parts of the network that are trained in other ways.
    #[must_use]
    pub fn with_groups(self, groups: Vec<ParameterGroup>) -> Self {
        Self { groups, ..self }
    }

    /// The names of the parameters of `network` that stay as they are.
    pub fn frozen<M: Module>(&self, network: &M) -> BTreeSet<String> {
        if self.groups.iter().all(|group| group.training == GroupTraining::On) {
            return BTreeSet::new();
        }
        let parameters = parameters::roles(network).into_iter();
        let frozen = parameters.filter(|(name, role)| self.treatment(name, *role).is_none());
        frozen.map(|(name, _)| name).collect()
    }

    /// How a parameter is trained; `None` if it stays as it is.
    fn treatment(&self, name: &str, role: Role) -> Option<Treatment> {
        let Self { config, weight_decay, .. } = *self;
        match self.groups.iter().find(|group| group.chooses(name, role)) {
            None => Some(Treatment { config, rate_factor: 1.0, weight_decay }),
            Some(group) if group.training == GroupTraining::Frozen => None,
            Some(group) => Some(Treatment {
                config: group.optimizer.unwrap_or(config),
                rate_factor: group.rate_factor,
                weight_decay: group.decay(weight_decay),
            }),
        }
    }

    /// Steps taken so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The network after one step against `gradients`.
    pub fn step<M: Module>(
        &mut self,
        network: M,
        gradients: NamedGradients,
        learning_rate: f64,
    ) -> M {
        self.steps += 1;
        network.map(&mut Step { path: Path::default(), optimizer: self, gradients, learning_rate })
    }

    /// The names of what [`export`](Self::export) gives of a parameter that has been moved.
    pub(crate) fn state_names(&self, parameter: &str, role: Role) -> Vec<String> {
        let averages = self.treatment(parameter, role).map_or(&[][..], |it| it.config.averages());
        averages.iter().map(|average| format!("{parameter}/{average}")).collect()
    }

    /// Everything remembered, as tensors named `<parameter>/<average>`, for a checkpoint.
    pub fn export(&self) -> Vec<NamedTensor> {
        let mut tensors = Vec::new();
        for (parameter, averages) in &self.averages {
            for (average, tensor) in &averages.by_name {
                let values: Vec<f32> =
                    tensor.clone().into_data().try_to_vec().expect("averages are 32-bit floats");
                tensors.push(NamedTensor {
                    name: format!("{parameter}/{average}"),
                    role: Role::Weight,
                    shape: vec![values.len()],
                    values,
                });
            }
        }
        tensors
    }

    /// Remembers what [`Optimizer::export`] gave after `steps` steps. `parameters`: role and length of
    /// those that are trained, by name.
    ///
    /// # Errors
    ///
    /// The name of a tensor that no optimizer keeps of this network.
    pub fn restore(
        &mut self,
        steps: u64,
        tensors: Vec<NamedTensor>,
        parameters: &HashMap<String, (Role, usize)>,
        device: &Device,
    ) -> Result<(), String> {
        self.steps = steps;
        self.averages.clear();
        for NamedTensor { name, values, .. } in tensors {
            let found = name.rsplit_once('/').and_then(|(parameter, average)| {
                let (role, length) = *parameters.get(parameter)?;
                let Treatment { config, .. } = self.treatment(parameter, role)?;
                let average = config.averages().iter().copied().find(|n| *n == average)?;
                (length == values.len()).then_some((parameter, average))
            });
            let Some((parameter, average)) = found else { return Err(name) };
            let length = values.len();
            let tensor = Tensor::from_data(TensorData::new(values, [length]), device);
            let averages = self.averages.entry(parameter.to_owned()).or_default();
            averages.by_name.insert(average, tensor);
        }
        Ok(())
    }
}

/// Walks the network and moves each parameter that has a gradient.
struct Step<'a> {
    path: Path,
    optimizer: &'a mut Optimizer,
    gradients: NamedGradients,
    learning_rate: f64,
}

impl ModuleMapper for Step<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.path.name();
        let role = self.path.role();
        let Some(gradient) = self.gradients.take(&name) else { return param };
        let Some(treatment) = self.optimizer.treatment(&name, role) else { return param };
        let kind = match role {
            Role::Weight => ParameterKind::Weight,
            _ => ParameterKind::Other,
        };
        let ball = self.optimizer.max_norm.filter(|_| kind == ParameterKind::Weight);
        let units = self.path.unit_dimension();
        param.map(|weights| {
            let shape = weights.dims();
            let matrix = MatrixShape::of(&shape, units).filter(|_| role == Role::Weight);
            let flat = weights.without_autodiff().reshape([-1]);
            let moved = self.step(&name, kind, treatment, matrix, flat, gradient).reshape(shape);
            let moved = match ball {
                Some(ball) => ball.clip(moved, units),
                None => moved,
            };
            moved.autodiff().require_grad()
        })
    }
}

impl Step<'_> {
    /// The parameter `w` after a step against `g`. `matrix`: how a weight of two dimensions or more is one.
    fn step(
        &mut self,
        name: &str,
        kind: ParameterKind,
        treatment: Treatment,
        matrix: Option<MatrixShape>,
        w: Tensor<1>,
        g: Tensor<1>,
    ) -> Tensor<1> {
        let Treatment { config, rate_factor, weight_decay } = treatment;
        let (orthogonal, others_rate) = match (config, matrix) {
            (OptimizerConfig::Muon(muon), Some(matrix)) => (Some((muon, matrix)), 1.0),
            (OptimizerConfig::Muon(muon), None) => (None, muon.others_rate),
            _ => (None, 1.0),
        };
        let learning_rate = self.learning_rate * rate_factor * others_rate;
        let Optimizer { l1, steps, averages, .. } = &mut *self.optimizer;
        let averages = averages.entry(name.to_owned()).or_default();
        let coupled = weight_decay.strength_for(kind, DecayMode::Coupled);
        let decoupled = weight_decay.strength_for(kind, DecayMode::Decoupled);
        if orthogonal.is_none() && kernels::fuses_optimizer_steps(&w) {
            let step = OptimizerStep {
                rule: config.rule(*steps),
                learning_rate: learning_rate as f32,
                coupled_decay: coupled as f32,
                l1: l1.strength_for(kind) as f32,
                shrink: (1.0 - learning_rate * decoupled) as f32,
            };
            return averages.step(config.averages(), step, w, g);
        }
        let w = match orthogonal {
            Some((muon, matrix)) => muon.before_step(w, matrix),
            None => w,
        };
        let g = if coupled > 0.0 { g + w.clone().mul_scalar(coupled) } else { g };
        let g = l1.add_gradient(g, &w, kind);
        let direction = direction(config, averages, g, *steps);
        let direction = match orthogonal {
            Some((muon, matrix)) => muon.step(direction, matrix),
            None => direction,
        };
        let w = if decoupled > 0.0 { w.mul_scalar(1.0 - learning_rate * decoupled) } else { w };
        w - direction.mul_scalar(learning_rate)
    }
}
