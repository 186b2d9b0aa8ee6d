//! Initial weights, drawn on the host so that they are the same on every backend.

use std::str::FromStr;

use burn::module::Module;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal, Uniform};
use serde::{Deserialize, Serialize};

use crate::parameters::{self, Role};

/// Distribution of the weights of linear layers and convolutions.
///
/// `fan_in` and `fan_out` count the inputs and outputs of a unit: for a convolution, channels ×
/// kernel height × kernel width.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WeightInitialization {
    /// Every weight has this value: all units of a layer stay the same.
    Constant(f64),
    /// Normal with mean 0 and this standard deviation.
    Normal(f64),
    /// Uniform in ±√(6 / (fan_in + fan_out)).
    ///
    /// Glorot & Bengio,
    /// [Understanding the difficulty of training deep feedforward neural networks](https://proceedings.mlr.press/v9/glorot10a.html),
    /// AISTATS 2010.
    XavierUniform,
    /// Normal with standard deviation √(2 / (fan_in + fan_out)).
    XavierNormal,
    /// Uniform in ±√(6 / fan_in).
    ///
    /// He et al., [Delving Deep into Rectifiers](https://arxiv.org/abs/1502.01852), ICCV 2015.
    HeUniform,
    /// Normal with standard deviation √(2 / fan_in).
    #[default]
    HeNormal,
    /// PyTorch's default for linear layers and convolutions: uniform in ±1/√fan_in.
    Pytorch,
}

/// Distribution of the biases of linear layers and convolutions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BiasInitialization {
    /// All zero.
    #[default]
    Zeros,
    /// PyTorch's default: uniform in ±1/√fan_in of the layer's weight.
    Pytorch,
}

/// Initial values of a whole network. Batch normalization always starts as the identity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Initialization {
    /// Weights of linear layers and convolutions.
    pub weights: WeightInitialization,
    /// Biases of linear layers and convolutions.
    pub biases: BiasInitialization,
}

impl Initialization {
    /// PyTorch's default for weights and biases.
    pub const PYTORCH: Self =
        Self { weights: WeightInitialization::Pytorch, biases: BiasInitialization::Pytorch };

    /// What [`Initialization::from_str`] reads.
    pub const FORMS: [&str; 7] = [
        "he-normal",
        "he-uniform",
        "xavier-normal",
        "xavier-uniform",
        "normal=STD",
        "constant=X",
        "pytorch",
    ];

    /// Draws all values of `network` anew.
    ///
    /// `stream` gives the generator for the parameter of a name, so that a parameter's values do
    /// not depend on the other parameters.
    pub fn apply<M: Module>(&self, network: M, stream: impl Fn(&str) -> ChaCha8Rng) -> M {
        let mut tensors = parameters::export(&network);
        let mut fans = Fans { inputs: 1, outputs: 1 };
        for tensor in &mut tensors {
            let mut rng = stream(&tensor.name);
            match tensor.role {
                Role::Weight => {
                    // A layer's bias follows its weight and is scaled by the same fan.
                    fans = Fans::of(&tensor.shape);
                    self.weights.fill(&mut tensor.values, fans, &mut rng);
                }
                Role::Bias => match self.biases {
                    BiasInitialization::Zeros => tensor.values.fill(0.0),
                    BiasInitialization::Pytorch => {
                        uniform(&mut tensor.values, 1.0 / (fans.inputs as f64).sqrt(), &mut rng);
                    }
                },
                Role::NormScale | Role::RunningVariance => tensor.values.fill(1.0),
                Role::NormShift | Role::RunningMean => tensor.values.fill(0.0),
            }
        }
        parameters::import(network, tensors).expect("a network takes its own tensors")
    }
}

impl FromStr for Initialization {
    type Err = String;

    /// Reads `he-normal`, `normal=0.01` and the like. Biases are zero then, but for `pytorch`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        let number = || {
            let value = value.parse::<f64>();
            value.map_err(|_| format!("expected a number, as in {name}=0.01, found `{text}`"))
        };
        if !value.is_empty() && !matches!(name, "normal" | "constant") {
            return Err(format!("`{name}` takes no value, found `{text}`"));
        }
        let weights = match name {
            "he-normal" => WeightInitialization::HeNormal,
            "he-uniform" => WeightInitialization::HeUniform,
            "xavier-normal" => WeightInitialization::XavierNormal,
            "xavier-uniform" => WeightInitialization::XavierUniform,
            "normal" => WeightInitialization::Normal(number()?),
            "constant" => WeightInitialization::Constant(number()?),
            "pytorch" => return Ok(Self::PYTORCH),
            _ => return Err(format!("unknown `{name}`; known: {}", Self::FORMS.join(", "))),
        };
        Ok(Self { weights, biases: BiasInitialization::Zeros })
    }
}

#[derive(Clone, Copy)]
struct Fans {
    inputs: usize,
    outputs: usize,
}

impl Fans {
    /// `shape`: `[out, in]` or `[out, in, height, width]`.
    fn of(shape: &[usize]) -> Self {
        let kernel: usize = shape[2..].iter().product();
        Self { inputs: shape[1] * kernel, outputs: shape[0] * kernel }
    }
}

impl WeightInitialization {
    fn fill(self, values: &mut [f32], fans: Fans, rng: &mut ChaCha8Rng) {
        let (inputs, both) = (fans.inputs as f64, (fans.inputs + fans.outputs) as f64);
        match self {
            Self::Constant(value) => values.fill(value as f32),
            Self::Normal(std) => normal(values, std, rng),
            Self::XavierUniform => uniform(values, (6.0 / both).sqrt(), rng),
            Self::XavierNormal => normal(values, (2.0 / both).sqrt(), rng),
            Self::HeUniform => uniform(values, (6.0 / inputs).sqrt(), rng),
            Self::HeNormal => normal(values, (2.0 / inputs).sqrt(), rng),
            Self::Pytorch => uniform(values, 1.0 / inputs.sqrt(), rng),
        }
    }
}

fn uniform(values: &mut [f32], bound: f64, rng: &mut ChaCha8Rng) {
    let distribution = Uniform::new_inclusive(-bound, bound).expect("bounds are finite");
    values.fill_with(|| distribution.sample(rng) as f32);
}

fn normal(values: &mut [f32], std: f64, rng: &mut ChaCha8Rng) {
    let distribution = Normal::new(0.0, std).expect("the recipe was checked");
    values.fill_with(|| distribution.sample(rng) as f32);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_and_nothing_else() {
        for form in Initialization::FORMS {
            let text = form.replace("STD", "0.5").replace('X', "0.5");
            let read: Initialization = text.parse().unwrap();
            assert_eq!(read.biases == BiasInitialization::Pytorch, form == "pytorch", "{form}");
        }
        let normal: Initialization = "normal=0.01".parse().unwrap();
        assert_eq!(normal.weights, WeightInitialization::Normal(0.01));
        let wrong = |text: &str| text.parse::<Initialization>().unwrap_err();
        assert!(wrong("zeros").contains("known: he-normal, "));
        assert!(wrong("he-normal=2").contains("takes no value"));
        assert!(wrong("normal").contains("as in normal=0.01"));
    }
    use crate::{CnnConfig, MlpConfig, ModelConfig, Network};
    use burn::tensor::Device;
    use rand::SeedableRng;

    fn stream(name: &str) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(
            name.bytes().fold(7u64, |hash, b| hash.wrapping_mul(31).wrapping_add(u64::from(b))),
        )
    }

    fn mlp() -> Network {
        ModelConfig::Mlp(MlpConfig { hidden: vec![300, 200], ..MlpConfig::default() })
            .init([1, 28, 28], 10, &Device::flex())
            .unwrap()
    }

    fn weights(initialization: WeightInitialization) -> Vec<f32> {
        let initialization =
            Initialization { weights: initialization, biases: BiasInitialization::Pytorch };
        let tensors = parameters::export(&initialization.apply(mlp(), stream));
        tensors.into_iter().find(|tensor| tensor.name == "hidden.1.weight").unwrap().values
    }

    fn std(values: &[f32]) -> f64 {
        let squares: f64 = values.iter().map(|&v| f64::from(v).powi(2)).sum();
        (squares / values.len() as f64).sqrt()
    }

    #[test]
    fn spreads_follow_the_formulas() {
        // hidden.1 has 300 inputs and 200 outputs: 60,000 draws, spread known to about 1 %.
        let cases = [
            (WeightInitialization::Normal(0.01), 0.01),
            (WeightInitialization::XavierUniform, (2.0f64 / 500.0).sqrt()),
            (WeightInitialization::XavierNormal, (2.0f64 / 500.0).sqrt()),
            (WeightInitialization::HeUniform, (2.0f64 / 300.0).sqrt()),
            (WeightInitialization::HeNormal, (2.0f64 / 300.0).sqrt()),
            (WeightInitialization::Pytorch, 1.0 / (3.0f64 * 300.0).sqrt()),
        ];
        for (initialization, expected) in cases {
            let found = std(&weights(initialization));
            assert!((found / expected - 1.0).abs() < 0.02, "{initialization:?}: {found}");
        }
        assert!(weights(WeightInitialization::Constant(0.25)).iter().all(|&v| v == 0.25));
    }

    #[test]
    fn uniform_draws_stay_inside_their_bound() {
        let bound = (6.0f32 / 500.0).sqrt();
        assert!(weights(WeightInitialization::XavierUniform).iter().all(|v| v.abs() <= bound));
    }

    #[test]
    fn convolutions_count_their_kernel_in_the_fan() {
        let network =
            ModelConfig::Cnn(CnnConfig::default()).init([3, 32, 32], 10, &Device::flex()).unwrap();
        let tensors = parameters::export(&Initialization::default().apply(network, stream));
        let conv = tensors.iter().find(|t| t.shape == [128, 128, 3, 3]).unwrap();
        let expected = (2.0f64 / (128.0 * 9.0)).sqrt();
        assert!((std(&conv.values) / expected - 1.0).abs() < 0.02);
    }

    #[test]
    fn biases_are_zero_or_scaled_by_their_layers_inputs() {
        let bias = |initialization: Initialization| {
            let tensors = parameters::export(&initialization.apply(mlp(), stream));
            tensors.into_iter().find(|tensor| tensor.name == "hidden.1.bias").unwrap().values
        };
        assert!(bias(Initialization::default()).iter().all(|&v| v == 0.0));
        let bound = 1.0 / 300.0f32.sqrt();
        let drawn = bias(Initialization::PYTORCH);
        assert!(drawn.iter().all(|v| v.abs() <= bound));
        assert!(drawn.iter().any(|v| v.abs() > 0.9 * bound));
    }

    #[test]
    fn the_same_stream_draws_the_same_weights() {
        let he = || weights(WeightInitialization::HeNormal);
        assert_eq!(he(), he());
    }
}
