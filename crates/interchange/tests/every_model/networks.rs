//! The networks that are exported: all of the catalog with all that can be chosen, and one of layers that none of them
//! has, with weights by formula.

use backburn_data::normalization::FittedNormalization;
use backburn_interchange::TrainedNetwork;
use backburn_models::description::{DescribeError, Describer, Value};
use backburn_models::parameters::{self, NamedTensor};
use backburn_models::{
    CATALOG, Classifier, CnnConfig, MlpConfig, ModelConfig, Network, PoolOptions, Role, Stem,
};
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
use burn::tensor::activation::silu;
use burn::tensor::module::max_pool2d;
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Device, Tensor, TensorData};

/// A network with its images.
pub(crate) struct Case<N = Network> {
    pub(crate) name: String,
    /// Channels, height, width; no two alike, so that swapped axes are found.
    pub(crate) image: [usize; 3],
    pub(crate) classes: usize,
    network: N,
}

/// SiLU of maps and of rows.
#[derive(Module, Debug)]
pub(crate) struct WithSilu {
    conv: Conv2d,
    norm: BatchNorm,
    hidden: Linear,
    head: Linear,
}

impl Classifier for WithSilu {
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let halved = MaxPoolOptions::new([2, 2]).with_stride([2, 2]);
        let x = silu(self.norm.forward(max_pool2d(self.conv.forward(images), halved)));
        self.head.forward(silu(self.hidden.forward(x.flatten(1, 3))))
    }

    fn describe(&self, it: &mut Describer, images: Value) -> Result<Value, DescribeError> {
        let x = it.conv2d("conv", &self.conv, images)?;
        let x = it.max_pool(x, PoolOptions::HALVE)?;
        let x = it.batch_norm("norm", &self.norm, x)?;
        let x = it.silu(x)?;
        let x = it.flatten(x)?;
        let x = it.linear("hidden", &self.hidden, x)?;
        let x = it.silu(x)?;
        it.linear("head", &self.head, x)
    }
}

/// What is built of a network only when it is needed.
struct Plan {
    name: String,
    config: ModelConfig,
    image: [usize; 3],
    /// Whether it is as the catalog has it.
    is_plain: bool,
}

/// Architectures that are others with another number of blocks.
const ONLY_DEEPER: [&str; 4] = ["resnet34", "resnet32", "resnet44", "resnet56"];

/// Every network as the catalog has it, and with what can be chosen chosen otherwise.
pub(crate) fn cases() -> impl Iterator<Item = Case> {
    plans().into_iter().map(built)
}

/// Every network as the catalog has it.
pub(crate) fn plain_cases() -> impl Iterator<Item = Case> {
    plans().into_iter().filter(|plan| plan.is_plain).map(built)
}

/// The network of that name, as the catalog has it.
pub(crate) fn case(name: &str) -> Case {
    built(plans().into_iter().find(|plan| plan.name == name).unwrap())
}

/// A network with SiLU.
pub(crate) fn case_with_silu() -> Case<WithSilu> {
    let device = Device::flex();
    let network = WithSilu {
        conv: Conv2dConfig::new([2, 5], [3, 3]).init(&device),
        norm: BatchNormConfig::new(5).init(&device),
        hidden: LinearConfig::new(5 * 3 * 4, 6).init(&device),
        head: LinearConfig::new(6, 7).init(&device),
    };
    with_weights("with SiLU".to_owned(), [2, 8, 10], 7, network)
}

fn plans() -> Vec<Plan> {
    let mut plans = Vec::new();
    let mut add = |name: &str, config, image, is_plain| {
        plans.push(Plan { name: name.to_owned(), config, image, is_plain });
    };
    for row in CATALOG {
        let config = (row.config)();
        let small = [3, 9, 10];
        let image = if row.name.starts_with("resnet") { small } else { [2, 17, 18] };
        add(row.name, config.clone(), image, true);
        if ONLY_DEEPER.contains(&row.name) {
            continue;
        }
        let mut other = config;
        *other.dropout_mut() = 0.25;
        other.batch_norm_mut().into_iter().for_each(|it| *it = !*it);
        other.spatial_dropout_mut().into_iter().for_each(|it| *it = 0.1);
        other.stochastic_depth_mut().into_iter().for_each(|it| *it = 0.3);
        let with_stem = other.stem_mut().is_some();
        other.stem_mut().into_iter().for_each(|it| *it = Stem::Imagenet);
        let image = if with_stem { [1, 33, 26] } else { image };
        add(&format!("{} otherwise", row.name), other.clone(), image, false);
        if let Some(batch_norm) = other.batch_norm_mut().filter(|it| !**it) {
            *batch_norm = true;
            add(&format!("{} with all", row.name), other, image, false);
        }
    }
    let linear = MlpConfig { hidden: Vec::new(), ..MlpConfig::default() };
    add("linear", ModelConfig::Mlp(linear), [2, 3, 5], false);
    let deep = CnnConfig { convolutions: 3, dense: 0, widths: vec![4, 6], ..CnnConfig::default() };
    add("cnn without dense", ModelConfig::Cnn(deep), [2, 9, 6], false);
    let pixels = CnnConfig { widths: Vec::new(), dense: 5, ..CnnConfig::default() };
    add("cnn without blocks", ModelConfig::Cnn(pixels), [2, 3, 4], false);
    plans
}

fn built(plan: Plan) -> Case {
    let Plan { name, config, image, .. } = plan;
    let classes = 7;
    let network = config.init(image, classes, &Device::flex()).unwrap();
    with_weights(name, image, classes, network)
}

fn with_weights<N: Classifier>(
    name: String,
    image: [usize; 3],
    classes: usize,
    network: N,
) -> Case<N> {
    let mut noise = Noise(name.len() as u64);
    let tensors = parameters::export(&network).into_iter().map(|it| filled(it, &mut noise));
    let network = parameters::import(network, tensors.collect()).unwrap();
    Case { name, image, classes, network }
}

/// Values that neither grow nor vanish from layer to layer.
fn filled(mut tensor: NamedTensor, noise: &mut Noise) -> NamedTensor {
    let inputs: usize = tensor.shape.iter().skip(1).product();
    for value in &mut tensor.values {
        let random = noise.next();
        *value = match tensor.role {
            Role::Weight => random * (6.0 / inputs as f32).sqrt(),
            Role::NormScale => 1.0 + 0.3 * random,
            Role::RunningVariance => 1.0 + 0.5 * random,
            Role::Bias | Role::NormShift | Role::RunningMean => 0.2 * random,
        };
    }
    tensor
}

/// Numbers in [-1, 1).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f32 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    }
}

impl<N: Classifier> Case<N> {
    /// Changes the values of one tensor.
    pub(crate) fn replace(&mut self, name: &str, change: impl FnOnce(&mut [f32])) {
        let mut tensors = parameters::export(&self.network);
        change(&mut tensors.iter_mut().find(|it| it.name == name).unwrap().values);
        self.network = parameters::import(self.network.clone(), tensors).unwrap();
    }

    /// The network as data, with classes whose names need care.
    pub(crate) fn trained(&self) -> TrainedNetwork {
        let classes = (0..self.classes).map(|class| format!("class \"{class}\"\\ é")).collect();
        TrainedNetwork::new(&self.network, self.image, classes, self.normalization()).unwrap()
    }

    fn normalization(&self) -> FittedNormalization {
        let channels = 0..self.image[0];
        FittedNormalization {
            scale: channels.clone().map(|it| 0.015 + 0.001 * it as f32).collect(),
            shift: channels.map(|it| -2.0 + 0.1 * it as f32).collect(),
        }
    }

    /// Bytes, `[images, channels, height, width]`.
    pub(crate) fn pixels(&self, images: usize) -> Vec<u8> {
        let mut noise = Noise(77);
        let byte = || (127.5 * (noise.next() + 1.0)) as u8;
        std::iter::repeat_with(byte).take(images * self.image.iter().product::<usize>()).collect()
    }

    /// The same as the network takes them.
    pub(crate) fn images(&self, images: usize) -> Vec<f32> {
        let [channels, height, width] = self.image;
        let normalization = self.normalization();
        let pixels = self.pixels(images);
        let planes = pixels.chunks(height * width).zip((0..channels).cycle());
        planes
            .flat_map(|(plane, channel)| plane.iter().map(move |&pixel| (channel, pixel)))
            .map(|(channel, pixel)| normalization.apply(channel, pixel))
            .collect()
    }

    /// What the network itself gives, `[images, classes]`.
    pub(crate) fn logits(&self, images: usize) -> Vec<f32> {
        let [channels, height, width] = self.image;
        let shape = [images, channels, height, width];
        let data = TensorData::new(self.images(images), shape);
        let logits = self.network.forward(Tensor::<4>::from_data(data, &Device::flex()));
        logits.into_data().try_to_vec().unwrap()
    }
}
