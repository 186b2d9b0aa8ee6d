//! Networks: pixels in, logits out. One architecture, one file, one row in [`CATALOG`].
//!
//! The loss belongs to training, and so does the choice of a backend: a network lives wherever its
//! device is.

mod cifarnet;
mod classifier;
mod cnn;
pub mod description;
mod error;
pub mod initialization;
mod layers;
mod lenet_bn;
mod mlp;
pub mod parameters;
mod resnet;
pub mod state_dict;
mod symmetric_eigen;
pub mod torchvision;
pub mod weights;
pub mod whitening;

pub use backburn_kernels::PoolOptions;
pub use cifarnet::{CifarNet, CifarNetConfig};
pub use classifier::{Classifier, Tap};
pub use cnn::{Cnn, CnnConfig};
pub use description::{DescribeError, Describer, Description};
pub use error::ModelError;
pub use initialization::{
    BiasInitialization, FirstLayerInitialization, Initialization, WeightInitialization,
};
pub use lenet_bn::{LenetBn, LenetBnConfig};
pub use mlp::{Mlp, MlpConfig};
pub use parameters::{NamedTensor, ParameterSlot, Role};
pub use resnet::{ResNet, ResNetConfig, Stem};

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

/// An architecture by its name.
#[derive(Clone, Copy, Debug)]
pub struct Architecture {
    /// Name on the command line and in recipes.
    pub name: &'static str,
    /// One line for help.
    pub summary: &'static str,
    /// Default configuration.
    pub config: fn() -> ModelConfig,
}

/// Every architecture, one row each. Help, error messages and contract tests read this list.
pub static CATALOG: &[Architecture] = &[
    Architecture {
        name: "mlp",
        summary: "multilayer perceptron with dropout: 4 × 512 units, any widths",
        config: || ModelConfig::Mlp(MlpConfig::default()),
    },
    Architecture {
        name: "cnn",
        summary: "plain convolutions in blocks of 32, 64, 128 channels with dropout",
        config: || ModelConfig::Cnn(CnnConfig::default()),
    },
    Architecture {
        name: "lenet-bn",
        summary: "small LeNet with batch normalization",
        config: || ModelConfig::LenetBn(LenetBnConfig::default()),
    },
    Architecture {
        name: "cifarnet",
        summary: "network of CIFAR-10 speed runs: whitened patches, 64, 256, 256 channels, SiLU",
        config: || ModelConfig::Cifarnet(CifarNetConfig::default()),
    },
    Architecture {
        name: "resnet18",
        summary: "ResNet-18, for small images if not told otherwise, 11.2 million parameters",
        config: || ModelConfig::Resnet18(ResNetConfig::default()),
    },
    Architecture {
        name: "resnet34",
        summary: "ResNet-34, for small images if not told otherwise, 21.3 million parameters",
        config: || ModelConfig::Resnet34(ResNetConfig::default()),
    },
    Architecture {
        name: "resnet50",
        summary: "ResNet-50, for small images if not told otherwise, 23.5 million parameters",
        config: || ModelConfig::Resnet50(ResNetConfig::default()),
    },
    Architecture {
        name: "resnet20",
        summary: "He et al.'s CIFAR network of 20 layers, 0.27 million parameters",
        config: || ModelConfig::Resnet20(ResNetConfig::default()),
    },
    Architecture {
        name: "resnet32",
        summary: "He et al.'s CIFAR network of 32 layers, 0.46 million parameters",
        config: || ModelConfig::Resnet32(ResNetConfig::default()),
    },
    Architecture {
        name: "resnet44",
        summary: "He et al.'s CIFAR network of 44 layers, 0.66 million parameters",
        config: || ModelConfig::Resnet44(ResNetConfig::default()),
    },
    Architecture {
        name: "resnet56",
        summary: "He et al.'s CIFAR network of 56 layers, 0.85 million parameters",
        config: || ModelConfig::Resnet56(ResNetConfig::default()),
    },
];

/// The architecture of a name.
///
/// # Errors
///
/// If there is none; the error lists those that there are.
pub fn architecture(name: &str) -> Result<&'static Architecture, ModelError> {
    CATALOG.iter().find(|row| row.name == name).ok_or_else(|| ModelError::Unknown {
        name: name.to_owned(),
        known: CATALOG.iter().map(|row| row.name).collect::<Vec<_>>().join(", "),
    })
}

/// Greatest width of a layer: a layer between two of them has a gigabyte of weights.
const MAX_WIDTH: usize = 16_384;

/// Most weights that can be asked for: four gigabytes, and three times that with an optimizer.
const MAX_WEIGHTS: u64 = 1_000_000_000;

/// Most layers or blocks that can be asked for.
const MAX_LAYERS: usize = 64;

/// Configuration of a network, with the architecture's name as tag.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
#[allow(missing_docs)] // The names are those of the catalog, which describes them.
pub enum ModelConfig {
    Mlp(MlpConfig),
    Cnn(CnnConfig),
    LenetBn(LenetBnConfig),
    Cifarnet(CifarNetConfig),
    Resnet18(ResNetConfig),
    Resnet34(ResNetConfig),
    Resnet50(ResNetConfig),
    Resnet20(ResNetConfig),
    Resnet32(ResNetConfig),
    Resnet44(ResNetConfig),
    Resnet56(ResNetConfig),
}

impl ModelConfig {
    /// The architecture's name in [`CATALOG`].
    pub fn name(&self) -> &'static str {
        match self {
            Self::Mlp(_) => "mlp",
            Self::Cnn(_) => "cnn",
            Self::LenetBn(_) => "lenet-bn",
            Self::Cifarnet(_) => "cifarnet",
            Self::Resnet18(_) => "resnet18",
            Self::Resnet34(_) => "resnet34",
            Self::Resnet50(_) => "resnet50",
            Self::Resnet20(_) => "resnet20",
            Self::Resnet32(_) => "resnet32",
            Self::Resnet44(_) => "resnet44",
            Self::Resnet56(_) => "resnet56",
        }
    }

    /// The dropout rate.
    pub fn dropout_mut(&mut self) -> &mut f64 {
        match self {
            Self::Mlp(config) => &mut config.dropout,
            Self::Cnn(config) => &mut config.dropout,
            Self::LenetBn(config) => &mut config.dropout,
            Self::Cifarnet(config) => &mut config.dropout,
            Self::Resnet18(config)
            | Self::Resnet34(config)
            | Self::Resnet50(config)
            | Self::Resnet20(config)
            | Self::Resnet32(config)
            | Self::Resnet44(config)
            | Self::Resnet56(config) => &mut config.dropout,
        }
    }

    /// The rate of spatial dropout, for architectures that have it.
    pub fn spatial_dropout_mut(&mut self) -> Option<&mut f64> {
        match self {
            Self::Cnn(config) => Some(&mut config.spatial_dropout),
            _ => None,
        }
    }

    /// The rate at which the last residual is dropped, for architectures with residual blocks.
    pub fn stochastic_depth_mut(&mut self) -> Option<&mut f64> {
        self.resnet_mut().map(|config| &mut config.stochastic_depth)
    }

    /// Whether batch normalization is on, for architectures where it can be chosen.
    pub fn batch_norm_mut(&mut self) -> Option<&mut bool> {
        match self {
            Self::Mlp(config) => Some(&mut config.batch_norm),
            Self::Cnn(config) => Some(&mut config.batch_norm),
            Self::LenetBn(_) | Self::Cifarnet(_) => None,
            resnet => resnet.resnet_mut().map(|config| &mut config.batch_norm),
        }
    }

    /// What an image meets first, for architectures where it can be chosen.
    pub fn stem_mut(&mut self) -> Option<&mut Stem> {
        match self {
            Self::Resnet18(config) | Self::Resnet34(config) | Self::Resnet50(config) => {
                Some(&mut config.stem)
            }
            _ => None,
        }
    }

    /// Whether torchvision has the network, with names of its own ([`torchvision`]).
    pub fn is_of_torchvision(&self) -> bool {
        matches!(self, Self::Resnet18(_) | Self::Resnet34(_) | Self::Resnet50(_))
    }

    /// The name of the last linear layer, which gives the logits.
    pub fn head(&self) -> &'static str {
        "head"
    }

    /// The name of the first layer that has weights, which takes the images.
    pub fn first_layer(&self) -> &'static str {
        match self {
            Self::Mlp(config) if config.hidden.is_empty() => self.head(),
            Self::Mlp(_) => "hidden.0",
            Self::Cnn(config) if config.widths.is_empty() && config.dense == 0 => self.head(),
            Self::Cnn(config) if config.widths.is_empty() => "dense",
            Self::Cnn(_) => "blocks.0.convs.0",
            Self::LenetBn(_) => "conv1",
            Self::Cifarnet(_) => "whiten",
            _ => "stem",
        }
    }

    /// Whether that first layer is a convolution.
    pub fn begins_with_convolution(&self) -> bool {
        match self {
            Self::Mlp(_) => false,
            Self::Cnn(config) => !config.widths.is_empty(),
            _ => true,
        }
    }

    /// Values of an image and channel that batch normalization takes its statistics from, in the layer where
    /// they are fewest; `None` without batch normalization.
    ///
    /// `image`: channels, height, width.
    pub fn normalized_values(&self, image: [usize; 3]) -> Option<usize> {
        let [_, height, width] = image;
        let pixels = |side: &dyn Fn(usize) -> usize| side(height) * side(width);
        let resnet = |design: resnet::Design, config: &ResNetConfig| {
            config.batch_norm.then(|| pixels(&|side| design.smallest(config.stem, side)))
        };
        match self {
            Self::Mlp(config) => (config.batch_norm && !config.hidden.is_empty()).then_some(1),
            Self::Cnn(config) => config.batch_norm.then(|| pixels(&|side| config.smallest(side))),
            Self::LenetBn(_) => Some(pixels(&LenetBnConfig::smallest)),
            Self::Cifarnet(_) => Some(pixels(&CifarNetConfig::smallest)),
            Self::Resnet18(config) => resnet(resnet::RESNET18, config),
            Self::Resnet34(config) => resnet(resnet::RESNET34, config),
            Self::Resnet50(config) => resnet(resnet::RESNET50, config),
            Self::Resnet20(config) => resnet(resnet::RESNET20, config),
            Self::Resnet32(config) => resnet(resnet::RESNET32, config),
            Self::Resnet44(config) => resnet(resnet::RESNET44, config),
            Self::Resnet56(config) => resnet(resnet::RESNET56, config),
        }
    }

    fn resnet_mut(&mut self) -> Option<&mut ResNetConfig> {
        match self {
            Self::Resnet18(config)
            | Self::Resnet34(config)
            | Self::Resnet50(config)
            | Self::Resnet20(config)
            | Self::Resnet32(config)
            | Self::Resnet44(config)
            | Self::Resnet56(config) => Some(config),
            Self::Mlp(_) | Self::Cnn(_) | Self::LenetBn(_) | Self::Cifarnet(_) => None,
        }
    }

    /// Builds the network with all weights zero; [`Initialization::apply`] draws them.
    ///
    /// `image`: channels, height, width. `classes`: number of logits.
    ///
    /// # Errors
    ///
    /// If a setting is outside its range or the image is too small.
    pub fn init(
        &self,
        image: [usize; 3],
        classes: usize,
        device: &Device,
    ) -> Result<Network, ModelError> {
        self.check()?;
        let weights = self.linear_weights(image, classes);
        if weights > MAX_WEIGHTS {
            return Err(ModelError::Setting {
                setting: "widths",
                expected: "at most 1,000 million weights",
                found: weights.to_string(),
            });
        }
        let resnet = |design: resnet::Design, config: &ResNetConfig| {
            Network::ResNet(design.init(config, image[0], classes, device))
        };
        Ok(match self {
            Self::Mlp(config) => Network::Mlp(config.init(image.iter().product(), classes, device)),
            Self::Cnn(config) => Network::Cnn(config.init(image, classes, device)?),
            Self::LenetBn(config) => Network::LenetBn(config.init(image, classes, device)?),
            Self::Cifarnet(config) => Network::CifarNet(config.init(image, classes, device)?),
            Self::Resnet18(config) => resnet(resnet::RESNET18, config),
            Self::Resnet34(config) => resnet(resnet::RESNET34, config),
            Self::Resnet50(config) => resnet(resnet::RESNET50, config),
            Self::Resnet20(config) => resnet(resnet::RESNET20, config),
            Self::Resnet32(config) => resnet(resnet::RESNET32, config),
            Self::Resnet44(config) => resnet(resnet::RESNET44, config),
            Self::Resnet56(config) => resnet(resnet::RESNET56, config),
        })
    }

    /// Weights of the layers whose widths can be chosen, before any is allocated.
    fn linear_weights(&self, [channels, height, width]: [usize; 3], classes: usize) -> u64 {
        let product = |inputs: usize, outputs: usize| inputs as u64 * outputs as u64;
        let chain = |widths: &[usize]| -> u64 {
            widths.windows(2).map(|pair| product(pair[0], pair[1])).sum()
        };
        match self {
            Self::Mlp(config) => {
                let inputs = channels * height * width;
                chain(&[&[inputs], config.hidden.as_slice(), &[classes]].concat())
            }
            Self::Cnn(config) => {
                let convolutions = chain(&[&[channels], config.widths.as_slice()].concat());
                let repeated: u64 = config.widths.iter().map(|&w| product(w, w)).sum();
                let shrink = 1usize << config.widths.len().min(32);
                let pixels = (height / shrink) * (width / shrink);
                let features = config.widths.last().unwrap_or(&channels) * pixels;
                9 * (convolutions + repeated * (config.convolutions as u64 - 1))
                    + product(features, config.dense.max(classes))
            }
            Self::LenetBn(config) => {
                let [first, second] = config.widths;
                25 * product(first, second) + product(second * height * width / 16, 120)
            }
            Self::Cifarnet(config) => {
                let [first, second, third] = config.widths;
                let between = chain(&[first, first, second, second, third, third]);
                let pixels = CifarNetConfig::smallest(height) * CifarNetConfig::smallest(width);
                9 * (product(8 * channels, first) + between) + product(third * pixels, classes)
            }
            _ => 0,
        }
    }

    /// The rates at which activations are dropped while it trains, by their settings.
    fn rates(&self) -> [(&'static str, Option<f64>); 3] {
        let mut config = self.clone();
        [
            ("dropout", Some(*config.dropout_mut())),
            ("spatial_dropout", config.spatial_dropout_mut().copied()),
            ("stochastic_depth", config.stochastic_depth_mut().copied()),
        ]
    }

    /// Its name, size and [`drops`](Self::drops), as a training introduces it: `mlp with 1195018 parameters, dropout 0.3`.
    pub fn introduced(&self, parameters: usize) -> String {
        let drops = self.drops();
        let drops = if drops.is_empty() { drops } else { format!(", {drops}") };
        format!("{} with {parameters} parameters{drops}", self.name())
    }

    /// What is dropped while it trains, in words: `dropout 0.3`, `dropout 0.2, spatial dropout 0.1`; empty if nothing is.
    pub fn drops(&self) -> String {
        let rates = self.rates().into_iter();
        let rates = rates.filter_map(|(setting, rate)| Some((setting, rate.filter(|&r| r > 0.0)?)));
        let words = rates.map(|(setting, rate)| format!("{} {rate}", setting.replace('_', " ")));
        words.collect::<Vec<_>>().join(", ")
    }

    fn check(&self) -> Result<(), ModelError> {
        for (setting, rate) in self.rates() {
            if let Some(rate) = rate.filter(|rate| !(0.0..1.0).contains(rate)) {
                let (expected, found) = ("a rate in [0, 1)", rate.to_string());
                return Err(ModelError::Setting { setting, expected, found });
            }
        }
        let mut config = self.clone();
        if let Some(stem) = config.resnet_mut().map(|config| config.stem)
            && stem != Stem::Small
            && config.stem_mut().is_none()
        {
            let expected = "small: the CIFAR networks are for images of 32×32 pixels";
            return Err(ModelError::Setting {
                setting: "stem",
                expected,
                found: "imagenet".into(),
            });
        }
        let (setting, widths): (_, &[usize]) = match self {
            Self::Mlp(config) => ("hidden", &config.hidden),
            Self::Cnn(config) => ("widths", &config.widths),
            Self::LenetBn(config) => ("widths", &config.widths),
            Self::Cifarnet(config) => ("widths", &config.widths),
            _ => return Ok(()),
        };
        if widths.iter().any(|width| !(1..=MAX_WIDTH).contains(width)) {
            let (expected, found) = ("widths from 1 to 16384", format!("{widths:?}"));
            return Err(ModelError::Setting { setting, expected, found });
        }
        if widths.len() > MAX_LAYERS {
            let (expected, found) = ("at most 64 layers or blocks", widths.len().to_string());
            return Err(ModelError::Setting { setting, expected, found });
        }
        if let Self::Cnn(config) = self {
            if !(1..=MAX_LAYERS).contains(&config.convolutions) {
                let (setting, expected) = ("convolutions", "1 to 64 per block");
                let found = config.convolutions.to_string();
                return Err(ModelError::Setting { setting, expected, found });
            }
            if config.dense > MAX_WIDTH {
                let (setting, expected) = ("dense", "at most 16384 units");
                let found = config.dense.to_string();
                return Err(ModelError::Setting { setting, expected, found });
            }
        }
        Ok(())
    }
}

/// Any of the architectures.
#[derive(Module, Debug)]
#[allow(missing_docs)] // Each variant is the type of that name.
#[allow(clippy::large_enum_variant)] // There is one; its handles are small beside its weights.
pub enum Network {
    Mlp(Mlp),
    Cnn(Cnn),
    LenetBn(LenetBn),
    CifarNet(CifarNet),
    ResNet(ResNet),
}

impl Classifier for Network {
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        match self {
            Self::Mlp(network) => network.forward(images),
            Self::Cnn(network) => network.forward(images),
            Self::LenetBn(network) => network.forward(images),
            Self::CifarNet(network) => network.forward(images),
            Self::ResNet(network) => network.forward(images),
        }
    }

    fn forward_tapped(&self, images: Tensor<4>, tap: Tap<'_>) -> Tensor<2> {
        match self {
            Self::Mlp(network) => network.forward(images),
            Self::Cnn(network) => network.forward_tapped(images, tap),
            Self::LenetBn(network) => network.forward_tapped(images, tap),
            Self::CifarNet(network) => network.forward_tapped(images, tap),
            Self::ResNet(network) => network.forward_tapped(images, tap),
        }
    }

    fn describe(
        &self,
        describer: &mut Describer,
        images: description::Value,
    ) -> Result<description::Value, DescribeError> {
        match self {
            Self::Mlp(network) => network.describe(describer, images),
            Self::Cnn(network) => network.describe(describer, images),
            Self::LenetBn(network) => network.describe(describer, images),
            Self::CifarNet(network) => network.describe(describer, images),
            Self::ResNet(network) => network.describe(describer, images),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(name: &str, image: [usize; 3]) -> Option<usize> {
        let mut config = (architecture(name).unwrap().config)();
        if let Some(batch_norm) = config.batch_norm_mut() {
            *batch_norm = true;
        }
        config.normalized_values(image)
    }

    #[test]
    fn a_network_is_introduced_with_what_it_drops() {
        let mut cnn = (architecture("cnn").unwrap().config)();
        *cnn.dropout_mut() = 0.25;
        assert_eq!(cnn.introduced(7), "cnn with 7 parameters, dropout 0.25");
        *cnn.spatial_dropout_mut().unwrap() = 0.5;
        assert_eq!(cnn.drops(), "dropout 0.25, spatial dropout 0.5");
        let resnet = (architecture("resnet20").unwrap().config)();
        assert_eq!(resnet.introduced(7), "resnet20 with 7 parameters");
    }

    #[test]
    fn batch_normalization_sees_the_pixels_of_its_smallest_map() {
        // Three blocks see 32, 16 and 8 pixels a side; four stages 32, 16, 8 and 4; LeNet 28 and 10;
        // the speed runs' network 31, 15, 7 and 3.
        for (name, expected) in
            [("mlp", 1), ("cnn", 64), ("lenet-bn", 100), ("cifarnet", 9), ("resnet18", 16)]
        {
            assert_eq!(values(name, [3, 32, 32]), Some(expected), "{name}");
        }
        assert_eq!(values("resnet18", [1, 8, 9]), Some(2));
        assert_eq!(values("resnet50", [3, 32, 32]), Some(16));
        assert_eq!(values("resnet18", [1, 5, 8]), Some(1));
        assert_eq!(ModelConfig::Mlp(MlpConfig::default()).normalized_values([1, 9, 9]), None);
        let imagenet = ResNetConfig { stem: Stem::Imagenet, ..ResNetConfig::default() };
        let values =
            |side| ModelConfig::Resnet50(imagenet.clone()).normalized_values([3, side, 64]);
        assert_eq!((values(224), values(65), values(1)), (Some(14), Some(6), Some(2)));
    }

    fn resnet(name: &str, change: impl FnOnce(&mut ResNetConfig)) -> ModelConfig {
        let mut config = (architecture(name).unwrap().config)();
        change(config.resnet_mut().unwrap());
        config
    }

    #[test]
    fn networks_of_torchvision_have_its_number_of_parameters() {
        // torchvision's own documentation, with 1000 classes.
        let published =
            [("resnet18", 11_689_512), ("resnet34", 21_797_672), ("resnet50", 25_557_032)];
        for (name, expected) in published {
            let config = resnet(name, |config| config.stem = Stem::Imagenet);
            let network = config.init([3, 224, 224], 1000, &Device::flex()).unwrap();
            assert_eq!(parameters::count(&network), expected, "{name}");
        }
    }

    #[test]
    fn images_of_any_size_give_logits_behind_either_stem() {
        let device = Device::flex();
        for (stem, [height, width]) in [
            (Stem::Imagenet, [1, 1]),
            (Stem::Imagenet, [17, 30]),
            (Stem::Imagenet, [64, 33]),
            (Stem::Small, [5, 2]),
        ] {
            for name in ["resnet18", "resnet50"] {
                let config = resnet(name, |config| config.stem = stem);
                let network = config.init([3, height, width], 7, &device).unwrap();
                let images = Tensor::ones([2, 3, height, width], &device);
                assert_eq!(network.forward(images).dims(), [2, 7], "{name} {height}×{width}");
            }
        }
    }

    #[test]
    fn a_cifar_network_has_no_other_stem() {
        let config = resnet("resnet20", |config| config.stem = Stem::Imagenet);
        let error = config.init([3, 32, 32], 10, &Device::flex()).unwrap_err().to_string();
        assert!(error.contains("`stem`") && error.contains("found imagenet"), "{error}");
    }

    #[test]
    fn the_first_layer_and_the_head_are_those_of_every_network() {
        for row in CATALOG {
            let config = (row.config)();
            let network = config.init([3, 16, 16], 10, &Device::flex()).unwrap();
            let names: Vec<String> =
                parameters::export(&network).into_iter().map(|tensor| tensor.name).collect();
            let first = format!("{}.weight", config.first_layer());
            let last = format!("{}.bias", config.head());
            assert_eq!((names.first(), names.last()), (Some(&first), Some(&last)), "{}", row.name);
        }
        let without_blocks = CnnConfig { widths: Vec::new(), ..CnnConfig::default() };
        let configs = CATALOG.iter().map(|row| (row.config)());
        for config in configs.chain([ModelConfig::Cnn(without_blocks)]) {
            let network = config.init([3, 16, 16], 10, &Device::flex()).unwrap();
            let first = &parameters::export(&network)[0];
            assert_eq!(config.begins_with_convolution(), first.shape.len() == 4, "{config:?}");
        }
    }
}
