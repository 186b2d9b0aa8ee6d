//! What a network describes itself with: a function for each kind of layer.

use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, Linear, PaddingConfig2d};

use backburn_kernels::PoolOptions;
use backburn_regularization::{Dropout, SpatialDropout, StochasticDepth};

use crate::description::error::DescribeError;
use crate::description::layer::{Convolution2d, Layer, LayerKind, Shape, Value, places};

/// Collects layers. `name` is always that of the field which the layer is in, with those of the modules around it,
/// such as `stages.1.0.conv1`.
///
/// Every function fails if the layer cannot take what it is given.
#[derive(Clone, Debug)]
pub struct Describer {
    image: [usize; 3],
    layers: Vec<Layer>,
}

type Described = Result<Value, DescribeError>;

impl Describer {
    /// `image`: channels, height, width.
    pub(super) fn new(image: [usize; 3]) -> Self {
        Self { image, layers: Vec::new() }
    }

    pub(super) fn images(&self) -> Value {
        Value::IMAGES
    }

    pub(super) fn into_layers(self) -> Vec<Layer> {
        self.layers
    }

    /// What a value measures for one image.
    pub fn shape(&self, value: Value) -> Shape {
        let layer = value.layer().and_then(|number| self.layers.get(number));
        layer.map_or(Shape::Map(self.image), |layer| layer.shape)
    }

    /// A convolution.
    ///
    /// # Errors
    ///
    /// If `x` is no map of its channels, it does not fit on it, or its padding differs on opposite sides.
    pub fn conv2d(&mut self, name: impl Into<String>, conv: &Conv2d, x: Value) -> Described {
        let name = name.into();
        let [outputs, inputs, height, width] = conv.weight.dims();
        let kernel = [height, width];
        let conv = Convolution2d {
            inputs: inputs * conv.groups,
            outputs,
            kernel,
            stride: conv.stride,
            padding: padding(&name, conv)?,
            dilation: conv.dilation,
            groups: conv.groups,
            bias: conv.bias.is_some(),
        };
        let [channels, height, width] = self.map(&name, x)?;
        if channels != conv.inputs {
            return Err(DescribeError::Shape {
                layer: name,
                expected: "as many channels as its weights have",
                found: format!("{channels} for {}", conv.inputs),
            });
        }
        let Some([height, width]) = conv.output([height, width]) else {
            return Err(DescribeError::Shape {
                layer: name,
                expected: "an image that its kernel fits on",
                found: self.shape(x).to_string(),
            });
        };
        Ok(self.push(name, LayerKind::Conv2d(conv), vec![x], Shape::Map([outputs, height, width])))
    }

    /// A linear layer.
    ///
    /// # Errors
    ///
    /// If `x` is no row of its inputs.
    pub fn linear(&mut self, name: impl Into<String>, linear: &Linear, x: Value) -> Described {
        let name = name.into();
        let [inputs, outputs] = linear.weight.dims();
        if self.shape(x) != Shape::Row(inputs) {
            return Err(DescribeError::Shape {
                layer: name,
                expected: "a row of as many numbers as its weights have inputs",
                found: format!("{} for {inputs}", self.shape(x)),
            });
        }
        let kind = LayerKind::Linear { inputs, outputs, bias: linear.bias.is_some() };
        Ok(self.push(name, kind, vec![x], Shape::Row(outputs)))
    }

    /// Batch normalization of a map's channels or a row's numbers.
    ///
    /// # Errors
    ///
    /// If `x` has another number of them.
    pub fn batch_norm(&mut self, name: impl Into<String>, norm: &BatchNorm, x: Value) -> Described {
        let (name, shape) = (name.into(), self.shape(x));
        let [features] = norm.gamma.dims();
        let (Shape::Map([found, ..]) | Shape::Row(found)) = shape;
        if found != features {
            return Err(DescribeError::Shape {
                layer: name,
                expected: "as many channels as it has scales",
                found: format!("{found} for {features}"),
            });
        }
        let (epsilon, momentum) = (norm.epsilon, norm.momentum);
        let kind = LayerKind::BatchNorm { features, epsilon, momentum };
        Ok(self.push(name, kind, vec![x], shape))
    }

    /// `max(0, x)`.
    ///
    /// # Errors
    ///
    /// None so far.
    pub fn relu(&mut self, x: Value) -> Described {
        let shape = self.shape(x);
        Ok(self.push(String::new(), LayerKind::Relu, vec![x], shape))
    }

    /// `x · σ(x)` with `σ(x) = 1 / (1 + e⁻ˣ)`.
    ///
    /// # Errors
    ///
    /// None so far.
    pub fn silu(&mut self, x: Value) -> Described {
        let shape = self.shape(x);
        Ok(self.push(String::new(), LayerKind::Silu, vec![x], shape))
    }

    /// The maximum over windows of a map.
    ///
    /// # Errors
    ///
    /// If `x` is no map that a window fits on.
    pub fn max_pool(&mut self, x: Value, options: PoolOptions) -> Described {
        let PoolOptions { kernel, stride, padding } = options;
        let kind = LayerKind::MaxPool { kernel, stride, padding };
        let [channels, height, width] = self.map(kind.name(), x)?;
        let side = |pixels| places(pixels, kernel, stride, padding);
        let Some((height, width)) = side(height).zip(side(width)) else {
            return Err(DescribeError::Shape {
                layer: kind.name().to_owned(),
                expected: "an image that a window fits on",
                found: self.shape(x).to_string(),
            });
        };
        Ok(self.push(String::new(), kind, vec![x], Shape::Map([channels, height, width])))
    }

    /// The mean of each channel.
    ///
    /// # Errors
    ///
    /// If `x` is no map.
    pub fn global_average_pool(&mut self, x: Value) -> Described {
        let kind = LayerKind::GlobalAveragePool;
        let [channels, ..] = self.map(kind.name(), x)?;
        Ok(self.push(String::new(), kind, vec![x], Shape::Row(channels)))
    }

    /// All numbers of a map in a row: channel by channel, row by row, as PyTorch flattens. A network whose maps are
    /// channels-last brings them into that order first, as ours do, and says no more than this.
    ///
    /// # Errors
    ///
    /// If `x` is no map.
    pub fn flatten(&mut self, x: Value) -> Described {
        let sides = self.map(LayerKind::Flatten.name(), x)?;
        let values = sides.iter().product();
        Ok(self.push(String::new(), LayerKind::Flatten, vec![x], Shape::Row(values)))
    }

    /// The sum of two values.
    ///
    /// # Errors
    ///
    /// If they have other shapes.
    pub fn add(&mut self, a: Value, b: Value) -> Described {
        let shape = self.shape(a);
        if shape != self.shape(b) {
            return Err(DescribeError::Shape {
                layer: LayerKind::Add.name().to_owned(),
                expected: "two values of one shape",
                found: format!("{shape} and {}", self.shape(b)),
            });
        }
        Ok(self.push(String::new(), LayerKind::Add, vec![a, b], shape))
    }

    /// Every `stride`-th row and column of a map, starting with the first.
    ///
    /// # Errors
    ///
    /// If `x` is no map, or `stride` 0.
    pub fn subsample(&mut self, x: Value, stride: usize) -> Described {
        let kind = LayerKind::Subsample { stride };
        let [channels, height, width] = self.map(kind.name(), x)?;
        if stride == 0 {
            return Err(DescribeError::Setting {
                name: kind.name().to_owned(),
                expected: "a stride of at least 1",
                found: stride.to_string(),
            });
        }
        let shape = Shape::Map([channels, height.div_ceil(stride), width.div_ceil(stride)]);
        Ok(self.push(String::new(), kind, vec![x], shape))
    }

    /// So many channels of zeros behind those of a map.
    ///
    /// # Errors
    ///
    /// If `x` is no map.
    pub fn pad_channels(&mut self, x: Value, channels: usize) -> Described {
        let kind = LayerKind::PadChannels { channels };
        let [own, height, width] = self.map(kind.name(), x)?;
        Ok(self.push(String::new(), kind, vec![x], Shape::Map([own + channels, height, width])))
    }

    /// Dropout; nothing if its rate is 0.
    ///
    /// # Errors
    ///
    /// None so far.
    pub fn dropout(&mut self, dropout: &Dropout, x: Value) -> Described {
        let rate = dropout.rate();
        Ok(self.in_training(LayerKind::Dropout { rate }, rate, x))
    }

    /// Dropout of whole channels; nothing if its rate is 0.
    ///
    /// # Errors
    ///
    /// If `x` is no map.
    pub fn spatial_dropout(&mut self, dropout: &SpatialDropout, x: Value) -> Described {
        let rate = dropout.rate();
        let kind = LayerKind::SpatialDropout { rate };
        self.map(kind.name(), x)?;
        Ok(self.in_training(kind, rate, x))
    }

    /// Stochastic depth; nothing if its rate is 0.
    ///
    /// # Errors
    ///
    /// None so far.
    pub fn stochastic_depth(&mut self, depth: &StochasticDepth, x: Value) -> Described {
        let rate = depth.rate();
        Ok(self.in_training(LayerKind::StochasticDepth { rate }, rate, x))
    }

    /// A layer of a kind that has no function here.
    ///
    /// # Errors
    ///
    /// Always, with the layer's name and kind: a network that has one cannot be exported.
    pub fn unknown(&mut self, name: impl Into<String>, kind: impl Into<String>) -> Described {
        Err(DescribeError::Unknown { name: name.into(), kind: kind.into() })
    }

    fn in_training(&mut self, kind: LayerKind, rate: f64, x: Value) -> Value {
        if rate == 0.0 {
            return x;
        }
        let shape = self.shape(x);
        self.push(String::new(), kind, vec![x], shape)
    }

    /// Channels, height and width of a value that must be a map.
    fn map(&self, layer: &str, x: Value) -> Result<[usize; 3], DescribeError> {
        match self.shape(x) {
            Shape::Map(sides) => Ok(sides),
            Shape::Row(values) => Err(DescribeError::Shape {
                layer: layer.to_owned(),
                expected: "a map of channels, height and width",
                found: format!("a row of {values} numbers"),
            }),
        }
    }

    fn push(&mut self, name: String, kind: LayerKind, inputs: Vec<Value>, shape: Shape) -> Value {
        self.layers.push(Layer { name, kind, inputs, shape });
        Value::of_layer(self.layers.len() - 1)
    }
}

/// Rows and columns of zeros around the images of a convolution.
fn padding(name: &str, conv: &Conv2d) -> Result<[usize; 2], DescribeError> {
    let other = || DescribeError::Setting {
        name: name.to_owned(),
        expected: "the same padding above and below, left and right",
        found: format!("{:?}", conv.padding),
    };
    match conv.padding {
        PaddingConfig2d::Valid => Ok([0, 0]),
        PaddingConfig2d::Explicit(top, left, bottom, right) if (top, left) == (bottom, right) => {
            Ok([top, left])
        }
        PaddingConfig2d::Same if conv.stride == [1, 1] => {
            let [_, _, height, width] = conv.weight.dims();
            let around: [usize; 2] = [
                conv.dilation[0] * height.saturating_sub(1),
                conv.dilation[1] * width.saturating_sub(1),
            ];
            if around.iter().all(|pixels| pixels.is_multiple_of(2)) {
                Ok(around.map(|pixels| pixels / 2))
            } else {
                Err(other())
            }
        }
        _ => Err(other()),
    }
}
