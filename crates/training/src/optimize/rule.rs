//! The rules by which optimizers turn gradients into steps, with their settings.

use backburn_kernels::Rule;
use serde::{Deserialize, Serialize};

use crate::optimize::muon::MuonConfig;

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
    /// Momentum whose step for a weight matrix is orthogonal.
    Muon(MuonConfig),
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
    pub const NAMES: [&str; 8] =
        ["sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw", "muon"];

    /// The optimizer of that name with PyTorch's default settings (momentum 0.9; Muon's 0.95).
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
            "muon" => Self::Muon(MuonConfig::default()),
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
            Self::Muon(muon) => muon.check(),
        }
    }
}

impl OptimizerConfig {
    /// The direction of step `step`, as the kernel that does all of a step at once
    /// knows it; Muon's before it is made orthogonal.
    pub(crate) fn rule(&self, step: u64) -> Rule {
        match *self {
            Self::Sgd => Rule::Sgd,
            Self::Momentum { momentum } => Rule::Momentum { momentum: momentum as f32 },
            Self::Nesterov { momentum } | Self::Muon(MuonConfig { momentum, .. }) => {
                Rule::Nesterov { momentum: momentum as f32 }
            }
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

    /// The names of the running averages that the rule keeps.
    pub(crate) fn averages(&self) -> &'static [&'static str] {
        match self {
            Self::Sgd => &[],
            Self::Momentum { .. } | Self::Nesterov { .. } | Self::Muon(_) => &["momentum"],
            Self::Adagrad { .. } | Self::Rmsprop { .. } => &["square"],
            Self::Adam { .. } | Self::Adamw { .. } => &["mean", "square"],
        }
    }
}
