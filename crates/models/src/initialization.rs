//! Initial weights, drawn on the host so that they are the same on every backend.

use std::str::FromStr;

use backburn_regularization::StrengthError;
use burn::module::Module;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal, Uniform};
use serde::{Deserialize, Serialize};

use crate::parameters::{self, NamedTensor, Role};

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
    /// PyTorch's default, but the first filters of each convolution pass a channel on unchanged, as PyTorch's
    /// `nn.init.dirac_` has it: 1 in the middle of their own channel, 0 elsewhere; as many as there are channels, or
    /// filters if these are fewer. For kernels of odd sides, larger than 1×1: others have no middle, or nothing
    /// beside it.
    ///
    /// Zagoruyko & Komodakis, [DiracNets](https://arxiv.org/abs/1706.00388), 2017.
    Dirac,
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

/// What the weights of the first layer begin as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FirstLayerInitialization {
    /// Drawn, as the others are.
    #[default]
    Drawn,
    /// The axes of the training images' patches, for a convolution; see [`whitening`](crate::whitening).
    Whitening,
}

impl FirstLayerInitialization {
    fn is_drawn(&self) -> bool {
        *self == Self::Drawn
    }
}

/// Initial values of a whole network. Batch normalization always starts as the identity.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Initialization {
    /// Weights of linear layers and convolutions.
    pub weights: WeightInitialization,
    /// Biases of linear layers and convolutions.
    pub biases: BiasInitialization,
    /// What the weights of the last linear layer, which gives the logits, are multiplied by once they are drawn; in
    /// `[0, 1]`. With a small one a network begins by believing all classes equally likely; with 0, no gradient of the
    /// first step reaches the other layers.
    #[serde(skip_serializing_if = "is_one")]
    pub head_factor: f64,
    /// What the weights of the first layer begin as.
    #[serde(skip_serializing_if = "FirstLayerInitialization::is_drawn")]
    pub first_layer: FirstLayerInitialization,
}

impl Default for Initialization {
    fn default() -> Self {
        Self::new(WeightInitialization::default(), BiasInitialization::default())
    }
}

// The signature that serde calls.
fn is_one(factor: &f64) -> bool {
    *factor == 1.0
}

impl Initialization {
    /// PyTorch's default for weights and biases.
    pub const PYTORCH: Self = Self::new(WeightInitialization::Pytorch, BiasInitialization::Pytorch);

    /// What [`Initialization::from_str`] reads.
    pub const FORMS: [&str; 8] = [
        "he-normal",
        "he-uniform",
        "xavier-normal",
        "xavier-uniform",
        "normal=STD",
        "constant=X",
        "pytorch",
        "dirac",
    ];

    /// All layers drawn alike.
    pub const fn new(weights: WeightInitialization, biases: BiasInitialization) -> Self {
        let first_layer = FirstLayerInitialization::Drawn;
        Self { weights, biases, head_factor: 1.0, first_layer }
    }

    /// The same for the first and the last layer, with other draws.
    #[must_use]
    pub fn drawn_as(self, other: Self) -> Self {
        Self { weights: other.weights, biases: other.biases, ..self }
    }

    /// Checks every number.
    ///
    /// # Errors
    ///
    /// If one is outside its range.
    pub fn check(&self) -> Result<(), StrengthError> {
        let wrong = |setting, expected, found| Err(StrengthError { setting, expected, found });
        match self.weights {
            WeightInitialization::Normal(std) if !(std >= 0.0 && std.is_finite()) => {
                wrong("initialization", "a standard deviation of at least 0", std)
            }
            WeightInitialization::Constant(value) if !value.is_finite() => {
                wrong("initialization", "a finite constant", value)
            }
            _ if !(0.0..=1.0).contains(&self.head_factor) => {
                wrong("initialization.head_factor", "a factor in [0, 1]", self.head_factor)
            }
            _ => Ok(()),
        }
    }

    /// Draws all values of `network` anew. What the first layer begins with instead needs images; see
    /// [`whitening::whiten`](crate::whitening::whiten).
    ///
    /// `stream` gives the generator for the parameter of a name, so that a parameter's values do
    /// not depend on the other parameters.
    pub fn apply<M: Module>(&self, network: M, stream: impl Fn(&str) -> ChaCha8Rng) -> M {
        let mut tensors = parameters::export(&network);
        let mut fans = Fans { inputs: 1, outputs: 1 };
        let is_linear = |it: &NamedTensor| it.role == Role::Weight && it.shape.len() == 2;
        let head = tensors.iter().rposition(is_linear);
        for (place, tensor) in tensors.iter_mut().enumerate() {
            let mut rng = stream(&tensor.name);
            match tensor.role {
                Role::Weight => {
                    // A layer's bias follows its weight and is scaled by the same fan.
                    fans = Fans::of(&tensor.shape);
                    self.weights.fill(&mut tensor.values, fans, &mut rng);
                    if self.weights == WeightInitialization::Dirac {
                        pass_channels_on(&mut tensor.values, &tensor.shape);
                    }
                    if Some(place) == head && self.head_factor != 1.0 {
                        let factor = self.head_factor as f32;
                        tensor.values.iter_mut().for_each(|value| *value *= factor);
                    }
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
            "dirac" => WeightInitialization::Dirac,
            _ => return Err(format!("unknown `{name}`; known: {}", Self::FORMS.join(", "))),
        };
        Ok(Self::new(weights, BiasInitialization::Zeros))
    }
}

/// Makes the first filters of a convolution those that pass a channel on, if its kernel has a middle and more.
///
/// `values`: of the weights, of `shape`.
fn pass_channels_on(values: &mut [f32], shape: &[usize]) {
    let &[_, inputs, height, width] = shape else { return };
    let has_middle = height % 2 == 1 && width % 2 == 1;
    let kernel = height * width;
    if !has_middle || kernel == 1 {
        return;
    }
    for (channel, filter) in values.chunks_exact_mut(inputs * kernel).enumerate().take(inputs) {
        filter.fill(0.0);
        filter[channel * kernel + kernel / 2] = 1.0;
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
            Self::Pytorch | Self::Dirac => uniform(values, 1.0 / inputs.sqrt(), rng),
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
    use std::collections::BTreeSet;

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
        let initialization = Initialization::new(initialization, BiasInitialization::Pytorch);
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

    /// All tensors of a network of the catalog, drawn, by name.
    fn drawn(name: &str, initialization: Initialization) -> Vec<NamedTensor> {
        let network = (crate::architecture(name).unwrap().config)();
        let network = network.init([3, 16, 16], 10, &Device::flex()).unwrap();
        parameters::export(&initialization.apply(network, stream))
    }

    #[test]
    fn dirac_filters_pass_a_channel_on_and_all_else_is_pytorchs() {
        let dirac: Initialization = "dirac".parse().unwrap();
        let pytorch = Initialization::new(WeightInitialization::Pytorch, BiasInitialization::Zeros);
        let mut kernels = BTreeSet::new();
        for name in ["mlp", "cnn", "lenet-bn", "resnet20"] {
            for (found, expected) in drawn(name, dirac).iter().zip(&drawn(name, pytorch)) {
                let is_convolution = found.role == Role::Weight && found.shape.len() == 4;
                if !is_convolution {
                    assert_eq!(found, expected);
                    continue;
                }
                let &[_, inputs, height, width] = &found.shape[..] else { unreachable!() };
                kernels.insert(height);
                let size = inputs * height * width;
                let pairs = found.values.chunks_exact(size).zip(expected.values.chunks_exact(size));
                for (number, (filter, other)) in pairs.enumerate() {
                    if number >= inputs {
                        assert_eq!(filter, other, "{} {number}", found.name);
                        continue;
                    }
                    // In the middle of the kernel over the filter's own channel.
                    let one = (number * height + height / 2) * width + width / 2;
                    let right =
                        |(at, value): (usize, &f32)| *value == f32::from(u8::from(at == one));
                    assert!(filter.iter().enumerate().all(right), "{} {number}", found.name);
                }
            }
        }
        assert_eq!(kernels, BTreeSet::from([3, 5]));
    }

    #[test]
    fn kernels_without_a_middle_are_drawn_and_more_channels_than_filters_have_none_left_over() {
        let mut even = [0.5; 2 * 3 * 2 * 2];
        pass_channels_on(&mut even, &[2, 3, 2, 2]);
        pass_channels_on(&mut even, &[2, 3, 1, 4]);
        pass_channels_on(&mut even, &[6, 4, 1, 1]);
        pass_channels_on(&mut even, &[6, 4]);
        assert_eq!(even, [0.5; 24]);
        let mut few = [0.5; 2 * 3 * 3];
        pass_channels_on(&mut few, &[2, 3, 1, 3]);
        assert_eq!(few[..9], [0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(few[9..], [0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn the_head_factor_scales_the_weights_of_the_head_alone() {
        for name in ["mlp", "cnn", "lenet-bn", "resnet20"] {
            let head = format!("{}.weight", (crate::architecture(name).unwrap().config)().head());
            let plain = drawn(name, Initialization::PYTORCH);
            for factor in [0.0, 0.25] {
                let scaled = Initialization { head_factor: factor, ..Initialization::PYTORCH };
                for (found, plain) in drawn(name, scaled).iter().zip(&plain) {
                    let factor = if plain.name == head { factor as f32 } else { 1.0 };
                    let expected = plain.values.iter().map(|value| value * factor);
                    assert!(found.values.iter().copied().eq(expected), "{}", found.name);
                }
            }
        }
    }

    #[test]
    fn numbers_outside_their_range_are_refused_by_name() {
        let with = |head_factor| Initialization { head_factor, ..Initialization::default() };
        for right in [0.0, 0.1, 1.0] {
            assert_eq!(with(right).check(), Ok(()));
        }
        for wrong in [-0.1, 1.5, f64::INFINITY, f64::NAN] {
            let error = with(wrong).check().unwrap_err();
            assert_eq!(
                (error.setting, error.expected),
                ("initialization.head_factor", "a factor in [0, 1]")
            );
        }
        let normal = Initialization::new(WeightInitialization::Normal(-1.0), Default::default());
        assert_eq!(normal.check().unwrap_err().setting, "initialization");
    }

    #[test]
    fn what_is_as_ever_is_not_written_down() {
        let text = |it: Initialization| serde_json::to_string(&it).unwrap();
        let plain = Initialization::default();
        assert_eq!(text(plain), r#"{"weights":"he-normal","biases":"zeros"}"#);
        let first_layer = FirstLayerInitialization::Whitening;
        let other = Initialization { head_factor: 0.5, first_layer, ..plain };
        assert!(text(other).ends_with(r#""head_factor":0.5,"first_layer":"whitening"}"#));
        for it in [plain, other, "dirac".parse().unwrap()] {
            assert_eq!(serde_json::from_str::<Initialization>(&text(it)).unwrap(), it);
        }
        let kept = other.drawn_as(Initialization::PYTORCH);
        assert_eq!((kept.weights, kept.head_factor), (WeightInitialization::Pytorch, 0.5));
        assert_eq!(kept.first_layer, first_layer);
    }

    #[test]
    fn the_same_stream_draws_the_same_weights() {
        let he = || weights(WeightInitialization::HeNormal);
        assert_eq!(he(), he());
    }
}
