//! Optimizers: from a gradient to a step, as their papers write them.
//!
//! Written here rather than taken from Burn because the sources' and PyTorch's conventions differ
//! from Burn's (no dampening of momentum, ε outside the corrected root, running averages without
//! momentum in RMSProp), and because state is kept by parameter name, so that a checkpoint of it
//! can be read back into another process.
use std::collections::{BTreeMap, HashMap};

use backburn_kernels::{self as kernels, Moved, OptimizerStep, Rule};
use backburn_models::parameters::{NamedTensor, Path, Role};
use backburn_regularization::{DecayMode, L1, MaxNorm, ParameterKind, WeightDecay};
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::optimize::gradients::NamedGradients;

/// An optimizer with its settings. `w` are the weights, `g` their gradient, `η` the learning rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case", deny_unknown_fields)]
pub enum OptimizerConfig {
    /// Stochastic gradient descent: `w ← w − η g`.
    Sgd,
    /// Momentum without dampening: `v ← μ v + g`, `w ← w − η v`.
    Momentum {
        /// μ, in `[0, 1)`.
        #[serde(default = "momentum")]
        momentum: f64,
    },
    /// Nesterov's momentum, as in PyTorch: `v ← μ v + g`, `w ← w − η (g + μ v)`.
    ///
    /// Sutskever et al., [On the importance of initialization and momentum in deep learning](https://proceedings.mlr.press/v28/sutskever13.html),
    /// ICML 2013.
    Nesterov {
        /// μ, in `[0, 1)`.
        #[serde(default = "momentum")]
        momentum: f64,
    },
    /// AdaGrad: `h ← h + g²`, `w ← w − η g / (√h + ε)`.
    ///
    /// Duchi et al., [Adaptive Subgradient Methods](https://jmlr.org/papers/v12/duchi11a.html),
    /// JMLR 2011.
    Adagrad {
        /// ε, positive.
        #[serde(default = "adagrad_epsilon")]
        epsilon: f64,
    },
    /// RMSProp: `h ← ρ h + (1 − ρ) g²`, `w ← w − η g / (√h + ε)`.
    ///
    /// Tieleman & Hinton, lecture 6.5 of Neural Networks for Machine Learning, 2012.
    Rmsprop {
        /// ρ, in `[0, 1)`.
        #[serde(default = "decay")]
        decay: f64,
        /// ε, positive.
        #[serde(default = "epsilon")]
        epsilon: f64,
    },
    /// Adam: `m ← β₁ m + (1 − β₁) g`, `v ← β₂ v + (1 − β₂) g²`, both corrected for their start at
    /// zero (`m̂ = m / (1 − β₁ᵗ)`, `v̂` likewise), `w ← w − η m̂ / (√v̂ + ε)`.
    ///
    /// Kingma & Ba, [Adam](https://arxiv.org/abs/1412.6980), ICLR 2015.
    Adam {
        /// β₁, in `[0, 1)`.
        #[serde(default = "beta1")]
        beta1: f64,
        /// β₂, in `[0, 1)`.
        #[serde(default = "beta2")]
        beta2: f64,
        /// ε, positive.
        #[serde(default = "epsilon")]
        epsilon: f64,
    },
    /// Adam with decoupled weight decay.
    ///
    /// Loshchilov & Hutter,
    /// [Decoupled Weight Decay Regularization](https://arxiv.org/abs/1711.05101), ICLR 2019.
    Adamw {
        /// β₁, in `[0, 1)`.
        #[serde(default = "beta1")]
        beta1: f64,
        /// β₂, in `[0, 1)`.
        #[serde(default = "beta2")]
        beta2: f64,
        /// ε, positive.
        #[serde(default = "epsilon")]
        epsilon: f64,
    },
}

fn momentum() -> f64 {
    0.9
}

fn decay() -> f64 {
    0.99
}

fn beta1() -> f64 {
    0.9
}

fn beta2() -> f64 {
    0.999
}

fn epsilon() -> f64 {
    1e-8
}

fn adagrad_epsilon() -> f64 {
    1e-10
}

impl OptimizerConfig {
    /// The optimizers' names, as in recipes and on the command line.
    pub const NAMES: [&str; 7] =
        ["sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw"];

    /// The optimizer of that name with PyTorch's default settings (momentum 0.9).
    pub fn named(name: &str) -> Option<Self> {
        let (beta1, beta2, epsilon) = (beta1(), beta2(), epsilon());
        Some(match name {
            "sgd" => Self::Sgd,
            "momentum" => Self::Momentum { momentum: momentum() },
            "nesterov" => Self::Nesterov { momentum: momentum() },
            "adagrad" => Self::Adagrad { epsilon: adagrad_epsilon() },
            "rmsprop" => Self::Rmsprop { decay: decay(), epsilon },
            "adam" => Self::Adam { beta1, beta2, epsilon },
            "adamw" => Self::Adamw { beta1, beta2, epsilon },
            _ => return None,
        })
    }

    /// # Errors
    ///
    /// If a setting is outside its range: its name, the range and what was found.
    pub fn check(&self) -> Result<(), String> {
        let share = |name: &str, value: f64| {
            if (0.0..1.0).contains(&value) {
                return Ok(());
            }
            Err(format!("optimizer setting `{name}`: expected a value in [0, 1), found {value}"))
        };
        let positive = |name: &str, value: f64| {
            if value > 0.0 && value.is_finite() {
                return Ok(());
            }
            Err(format!("optimizer setting `{name}`: expected a positive number, found {value}"))
        };
        match *self {
            Self::Sgd => Ok(()),
            Self::Momentum { momentum } | Self::Nesterov { momentum } => {
                share("momentum", momentum)
            }
            Self::Adagrad { epsilon } => positive("epsilon", epsilon),
            Self::Rmsprop { decay, epsilon } => {
                share("decay", decay)?;
                positive("epsilon", epsilon)
            }
            Self::Adam { beta1, beta2, epsilon } | Self::Adamw { beta1, beta2, epsilon } => {
                share("beta1", beta1)?;
                share("beta2", beta2)?;
                positive("epsilon", epsilon)
            }
        }
    }

    /// Turns a gradient into the direction of the step, and moves the parameter's averages on.
    /// `step`: counted from 1.
    fn direction(&self, averages: &mut Averages, g: Tensor<1>, step: u64) -> Tensor<1> {
        match *self {
            Self::Sgd => g,
            Self::Momentum { momentum } => averages.decay_and_add("momentum", momentum, g),
            Self::Nesterov { momentum } => {
                let v = averages.decay_and_add("momentum", momentum, g.clone());
                g + v.mul_scalar(momentum)
            }
            Self::Adagrad { epsilon } => {
                let h = averages.decay_and_add("square", 1.0, g.clone().square());
                g / (h.sqrt() + epsilon)
            }
            Self::Rmsprop { decay, epsilon } => {
                let h = averages.moving("square", decay, g.clone().square());
                g / (h.sqrt() + epsilon)
            }
            Self::Adam { beta1, beta2, epsilon } | Self::Adamw { beta1, beta2, epsilon } => {
                let m = averages.moving("mean", beta1, g.clone());
                let v = averages.moving("square", beta2, g.square());
                let step = step as f64;
                let m = m.div_scalar(1.0 - beta1.powf(step));
                let v = v.div_scalar(1.0 - beta2.powf(step));
                m / (v.sqrt() + epsilon)
            }
        }
    }
}

impl OptimizerConfig {
    /// [`OptimizerConfig::direction`] of step `step`, as the kernel that does all of a step at once
    /// knows it.
    fn rule(&self, step: u64) -> Rule {
        match *self {
            Self::Sgd => Rule::Sgd,
            Self::Momentum { momentum } => Rule::Momentum { momentum: momentum as f32 },
            Self::Nesterov { momentum } => Rule::Nesterov { momentum: momentum as f32 },
            Self::Adagrad { epsilon } => {
                Rule::RootMeanSquare { decay: 1.0, gain: 1.0, epsilon: epsilon as f32 }
            }
            Self::Rmsprop { decay, epsilon } => Rule::RootMeanSquare {
                decay: decay as f32,
                gain: (1.0 - decay) as f32,
                epsilon: epsilon as f32,
            },
            Self::Adam { beta1, beta2, epsilon } | Self::Adamw { beta1, beta2, epsilon } => {
                let betas = [beta1, beta2];
                Rule::Adam {
                    betas: betas.map(|beta| beta as f32),
                    gains: betas.map(|beta| (1.0 - beta) as f32),
                    corrections: betas.map(|beta| (1.0 - beta.powf(step as f64)) as f32),
                    epsilon: epsilon as f32,
                }
            }
        }
    }

    /// The names of the running averages that `direction` keeps.
    fn averages(&self) -> &'static [&'static str] {
        match self {
            Self::Sgd => &[],
            Self::Momentum { .. } | Self::Nesterov { .. } => &["momentum"],
            Self::Adagrad { .. } | Self::Rmsprop { .. } => &["square"],
            Self::Adam { .. } | Self::Adamw { .. } => &["mean", "square"],
        }
    }

    /// The names of what [`Optimizer::export`] gives of a parameter that has been moved.
    pub(crate) fn state_names(&self, parameter: &str) -> impl Iterator<Item = String> {
        self.averages().iter().map(move |average| format!("{parameter}/{average}"))
    }
}

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

/// An optimizer at work: its settings and what it remembers of each parameter.
#[derive(Clone, Debug)]
pub struct Optimizer {
    config: OptimizerConfig,
    weight_decay: WeightDecay,
    l1: L1,
    max_norm: Option<MaxNorm>,
    steps: u64,
    averages: BTreeMap<String, Averages>,
}

impl Optimizer {
    /// Remembers nothing yet.
    pub fn new(config: OptimizerConfig, weight_decay: WeightDecay) -> Self {
        let averages = BTreeMap::new();
        Self { config, weight_decay, l1: L1::default(), max_norm: None, steps: 0, averages }
    }

    /// With an L1 penalty too.
    #[must_use]
    pub fn with_l1(self, l1: L1) -> Self {
        Self { l1, ..self }
    }

    /// With weights kept inside a ball after each step.
    #[must_use]
    pub fn with_max_norm(self, max_norm: Option<MaxNorm>) -> Self {
        Self { max_norm, ..self }
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

    /// Remembers what [`Optimizer::export`] gave after `steps` steps. `lengths`: of the
    /// parameters that are trained, by name.
    ///
    /// # Errors
    ///
    /// The name of a tensor that no optimizer keeps of this network.
    pub fn restore(
        &mut self,
        steps: u64,
        tensors: Vec<NamedTensor>,
        lengths: &HashMap<String, usize>,
        device: &Device,
    ) -> Result<(), String> {
        self.steps = steps;
        self.averages.clear();
        for NamedTensor { name, values, .. } in tensors {
            let found = name.rsplit_once('/').and_then(|(parameter, average)| {
                let average = self.config.averages().iter().copied().find(|n| *n == average)?;
                (lengths.get(parameter) == Some(&values.len())).then_some((parameter, average))
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
        let Some(gradient) = self.gradients.take(&name) else { return param };
        let kind = match self.path.role() {
            Role::Weight => ParameterKind::Weight,
            _ => ParameterKind::Other,
        };
        let ball = self.optimizer.max_norm.filter(|_| kind == ParameterKind::Weight);
        let units = self.path.unit_dimension();
        param.map(|weights| {
            let shape = weights.dims();
            let flat = weights.without_autodiff().reshape([-1]);
            let moved = self.step(&name, kind, flat, gradient).reshape(shape);
            let moved = match ball {
                Some(ball) => ball.clip(moved, units),
                None => moved,
            };
            moved.autodiff().require_grad()
        })
    }
}

impl Step<'_> {
    fn step(&mut self, name: &str, kind: ParameterKind, w: Tensor<1>, g: Tensor<1>) -> Tensor<1> {
        let Optimizer { config, weight_decay, l1, steps, averages, .. } = &mut *self.optimizer;
        let averages = averages.entry(name.to_owned()).or_default();
        let coupled = weight_decay.strength_for(kind, DecayMode::Coupled);
        let decoupled = weight_decay.strength_for(kind, DecayMode::Decoupled);
        if kernels::fuses_optimizer_steps(&w) {
            let step = OptimizerStep {
                rule: config.rule(*steps),
                learning_rate: self.learning_rate as f32,
                coupled_decay: coupled as f32,
                l1: l1.strength_for(kind) as f32,
                shrink: (1.0 - self.learning_rate * decoupled) as f32,
            };
            return averages.step(config.averages(), step, w, g);
        }
        let g = if coupled > 0.0 { g + w.clone().mul_scalar(coupled) } else { g };
        let g = l1.add_gradient(g, &w, kind);
        let direction = config.direction(averages, g, *steps);
        let w =
            if decoupled > 0.0 { w.mul_scalar(1.0 - self.learning_rate * decoupled) } else { w };
        w - direction.mul_scalar(self.learning_rate)
    }
}
