//! One layer of a description: what it does, to what, and what it costs.

use std::fmt;

use crate::parameters::Role;

/// What a layer takes or gives: the images, or another layer's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Value(usize);

impl Value {
    /// The images.
    pub(super) const IMAGES: Self = Self(0);

    /// The output of the layer of this number.
    pub fn of_layer(number: usize) -> Self {
        Self(number + 1)
    }

    /// The number of the layer that gives it; `None` for the images.
    pub fn layer(self) -> Option<usize> {
        self.0.checked_sub(1)
    }
}

/// What a value measures for one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Feature maps: channels, height, width.
    Map([usize; 3]),
    /// So many numbers in a row.
    Row(usize),
}

impl Shape {
    /// Numbers of one image.
    pub fn values(self) -> usize {
        match self {
            Self::Map(sides) => sides.iter().product(),
            Self::Row(values) => values,
        }
    }
}

/// Written as `64×32×32` or `512`.
impl fmt::Display for Shape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Map([channels, height, width]) => {
                formatter.pad(&format!("{channels}×{height}×{width}"))
            }
            Self::Row(values) => formatter.pad(&values.to_string()),
        }
    }
}

/// A convolution of images. Padding is the same on opposite sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Convolution2d {
    /// Channels that come in.
    pub inputs: usize,
    /// Channels that go out.
    pub outputs: usize,
    /// Height and width in pixels.
    pub kernel: [usize; 2],
    /// Pixels from one place of the kernel to the next, down and right.
    pub stride: [usize; 2],
    /// Rows above and below, columns left and right that are zero.
    pub padding: [usize; 2],
    /// Pixels between neighbours under the kernel, down and right; 1 for a dense one.
    pub dilation: [usize; 2],
    /// Groups of channels that do not see each other; 1 if all do.
    pub groups: usize,
    /// Whether each output has a bias.
    pub bias: bool,
}

impl Convolution2d {
    /// Height and width of the output, of an image with these; `None` if the kernel does not fit on it.
    pub fn output(&self, image: [usize; 2]) -> Option<[usize; 2]> {
        let [height, width] = image;
        let side = |axis: usize, pixels| {
            let covered = self.dilation[axis] * (self.kernel[axis].checked_sub(1)?) + 1;
            places(pixels, covered, self.stride[axis], self.padding[axis])
        };
        Some([side(0, height)?, side(1, width)?])
    }

    /// Multiplications with additions for one image with this height and width, those on padding too.
    pub fn multiply_adds(&self, image: [usize; 2]) -> u64 {
        let [height, width] = self.output(image).unwrap_or([0; 2]);
        let of_output = self.inputs / self.groups.max(1) * self.kernel[0] * self.kernel[1];
        (self.outputs * height * width) as u64 * of_output as u64
    }
}

/// How often a window of `covered` pixels fits on a side with `padding` at both ends.
pub(super) fn places(
    pixels: usize,
    covered: usize,
    stride: usize,
    padding: usize,
) -> Option<usize> {
    let free = (pixels + 2 * padding).checked_sub(covered)?;
    Some(free.checked_div(stride)? + 1)
}

/// What a layer does. Dropout and its like act in training only.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LayerKind {
    /// A convolution.
    Conv2d(Convolution2d),
    /// Every number with every number.
    Linear {
        /// Numbers that come in.
        inputs: usize,
        /// Numbers that go out.
        outputs: usize,
        /// Whether each output has a bias.
        bias: bool,
    },
    /// Batch normalization over channels, or over the numbers of a row.
    BatchNorm {
        /// Channels or numbers.
        features: usize,
        /// What is added to the variance.
        epsilon: f64,
        /// How far the running statistics move to those of a batch.
        momentum: f64,
    },
    /// `max(0, x)`.
    Relu,
    /// `x · σ(x)` with `σ(x) = 1 / (1 + e⁻ˣ)`.
    Silu,
    /// The maximum over square windows.
    MaxPool {
        /// Height and width of a window in pixels.
        kernel: usize,
        /// Pixels from one window to the next, down and right.
        stride: usize,
        /// Pixels around the image, which are never the maximum.
        padding: usize,
    },
    /// The mean of each channel, as a row.
    GlobalAveragePool,
    /// All numbers in a row, channel by channel.
    Flatten,
    /// The sum of two values.
    Add,
    /// Every so many rows and columns, the first ones included.
    Subsample {
        /// Pixels from one that stays to the next, down and right.
        stride: usize,
    },
    /// Channels of zeros behind those that there are.
    PadChannels {
        /// Channels of zeros.
        channels: usize,
    },
    /// Single numbers are dropped in training.
    Dropout {
        /// Their share.
        rate: f64,
    },
    /// Whole channels are dropped in training.
    SpatialDropout {
        /// Their share.
        rate: f64,
    },
    /// The whole value is dropped for some images in training.
    StochasticDepth {
        /// The share of these.
        rate: f64,
    },
}

impl LayerKind {
    /// The name of each kind, in the order of the variants.
    pub const NAMES: [&str; 14] = [
        "conv2d",
        "linear",
        "batch_norm",
        "relu",
        "silu",
        "max_pool",
        "global_average_pool",
        "flatten",
        "add",
        "subsample",
        "pad_channels",
        "dropout",
        "spatial_dropout",
        "stochastic_depth",
    ];

    /// Its name.
    pub fn name(&self) -> &'static str {
        let number = match self {
            Self::Conv2d(_) => 0,
            Self::Linear { .. } => 1,
            Self::BatchNorm { .. } => 2,
            Self::Relu => 3,
            Self::Silu => 4,
            Self::MaxPool { .. } => 5,
            Self::GlobalAveragePool => 6,
            Self::Flatten => 7,
            Self::Add => 8,
            Self::Subsample { .. } => 9,
            Self::PadChannels { .. } => 10,
            Self::Dropout { .. } => 11,
            Self::SpatialDropout { .. } => 12,
            Self::StochasticDepth { .. } => 13,
        };
        Self::NAMES[number]
    }
}

/// One layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// The module's name in the network, as parameters have it before their last dot; for a layer without parameters
    /// its kind, with a number if there are several.
    pub name: String,
    /// What it does.
    pub kind: LayerKind,
    /// What it takes: two values for a sum, else one.
    pub inputs: Vec<Value>,
    /// What it gives.
    pub shape: Shape,
}

/// A parameter or statistic of a layer.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorOutline {
    /// Name in the PyTorch twin's `state_dict`.
    pub name: String,
    /// What it is to its layer.
    pub role: Role,
    /// PyTorch's shape.
    pub shape: Vec<usize>,
}

impl Layer {
    /// Its parameters and statistics, in PyTorch's order.
    pub fn tensors(&self) -> Vec<TensorOutline> {
        let tensor = |last: &str, role, shape: &[usize]| TensorOutline {
            name: format!("{}.{last}", self.name),
            role,
            shape: shape.to_vec(),
        };
        let with_bias = |weight: Vec<usize>, bias: bool, outputs: usize| {
            let bias = bias.then(|| tensor("bias", Role::Bias, &[outputs]));
            [tensor("weight", Role::Weight, &weight)].into_iter().chain(bias).collect()
        };
        match self.kind {
            LayerKind::Conv2d(it) => {
                let [height, width] = it.kernel;
                let inputs = it.inputs / it.groups.max(1);
                with_bias(vec![it.outputs, inputs, height, width], it.bias, it.outputs)
            }
            LayerKind::Linear { inputs, outputs, bias } => {
                with_bias(vec![outputs, inputs], bias, outputs)
            }
            LayerKind::BatchNorm { features, .. } => [
                ("weight", Role::NormScale),
                ("bias", Role::NormShift),
                ("running_mean", Role::RunningMean),
                ("running_var", Role::RunningVariance),
            ]
            .map(|(last, role)| tensor(last, role, &[features]))
            .into(),
            _ => Vec::new(),
        }
    }

    /// Number of trained values.
    pub fn parameters(&self) -> u64 {
        let trained = self.tensors().into_iter().filter(|tensor| tensor.role.is_trained());
        trained.map(|tensor| tensor.shape.iter().product::<usize>() as u64).sum()
    }

    /// Multiplications with additions for one image, of which it takes a value of the shape `input`; `None` for layers
    /// that are neither convolutions nor linear.
    pub fn multiply_adds(&self, input: Shape) -> Option<u64> {
        match (self.kind, input) {
            (LayerKind::Conv2d(conv), Shape::Map([_, height, width])) => {
                Some(conv.multiply_adds([height, width]))
            }
            (LayerKind::Linear { inputs, outputs, .. }, _) => Some(inputs as u64 * outputs as u64),
            _ => None,
        }
    }
}
