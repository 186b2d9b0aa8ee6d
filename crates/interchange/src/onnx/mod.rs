//! Networks as ONNX graphs: IR version 8, operators of version 17, any number of images.
//!
//! A node a layer, by the layer's name, or two where ONNX has none that does the same; weights by PyTorch's names and in
//! its layout, which is ONNX's too, so that nothing is transposed. What acts in training only is left out. The same
//! network gives the same bytes.

mod folding;
mod graph;

use backburn_logs::protobuf::Message;
use std::collections::BTreeMap;

use backburn_models::Description;
use backburn_models::description::{Convolution2d, Layer, LayerKind, Value};
use backburn_training::version::VERSION;

use crate::error::ExportError;
use crate::onnx::graph::{Attribute, ElementType, Graph, byte_tensor, float_tensor, value};
use crate::trained_network::TrainedNetwork;

/// Version of the format.
const IR_VERSION: u64 = 8;

/// Version of the operators.
const OPSET: u64 = 17;

/// Most bytes of a message, which its readers count with 32 bits and a sign.
const MOST_BYTES: usize = i32::MAX as usize - (1 << 20);

/// What goes in and comes out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ends {
    /// `images`, normalized floats `[batch, channels, height, width]`, to `logits` `[batch, classes]`.
    #[default]
    Network,
    /// `pixels`, bytes `[batch, channels, height, width]`, to `probabilities` `[batch, classes]`: the normalization is
    /// inside, and so are temperature, if there is one, and softmax.
    Pixels,
}

/// What becomes of batch normalization.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BatchNorms {
    /// Nodes of their own.
    #[default]
    Kept,
    /// Part of the convolution or linear layer before them, also through maxima where no scale is negative.
    Folded,
}

/// How a network is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OnnxOptions {
    /// What goes in and comes out.
    pub ends: Ends,
    /// What becomes of batch normalization.
    pub batch_norms: BatchNorms,
}

/// The bytes of an ONNX file.
///
/// # Errors
///
/// If the weights are more than an ONNX file holds.
pub fn to_bytes(network: &TrainedNetwork, options: OnnxOptions) -> Result<Vec<u8>, ExportError> {
    let bytes = network.weight_bytes();
    if bytes > MOST_BYTES {
        let (format, instead) = ("onnx", "torch or safetensors");
        return Err(ExportError::TooLarge { format, bytes, most: MOST_BYTES, instead });
    }
    let description = network.description();
    let emitter = Emitter::new(network, options);
    let graph = emitter.graph();
    let (image, classes) = (description.image(), [description.classes()]);
    let (input, output) = match options.ends {
        Ends::Network => (
            value(IMAGES, ElementType::Float32, &image),
            value(LOGITS, ElementType::Float32, &classes),
        ),
        Ends::Pixels => (
            value(PIXELS, ElementType::Uint8, &image),
            value(PROBABILITIES, ElementType::Float32, &classes),
        ),
    };
    let graph = graph.into_message("backburn", &input, &output);
    let opset = Message::default().bytes(1, "").int(2, OPSET);
    let model = Message::default()
        .int(1, IR_VERSION)
        .bytes(2, "backburn")
        .bytes(3, VERSION)
        .message(7, &graph)
        .message(8, &opset);
    let model = network.metadata().iter().fold(model, |model, (key, value)| {
        model.message(14, &Message::default().bytes(1, key).bytes(2, value))
    });
    Ok(model.into_bytes())
}

/// Images and a network's answers to them as ONNX's test data: the bytes of `input_0.pb` and `output_0.pb`.
pub(crate) fn test_data(
    network: &TrainedNetwork,
    ends: Ends,
    pixels: &[u8],
    images: &[f32],
    answers: &[f32],
) -> [Vec<u8>; 2] {
    let classes = network.description().classes();
    let count = answers.len().checked_div(classes).unwrap_or(0);
    let [channels, height, width] = network.description().image();
    let (input, output) = ([count, channels, height, width], [count, classes]);
    let messages = match ends {
        Ends::Network => {
            [float_tensor(IMAGES, &input, images), float_tensor(LOGITS, &output, answers)]
        }
        Ends::Pixels => {
            [byte_tensor(PIXELS, &input, pixels), float_tensor(PROBABILITIES, &output, answers)]
        }
    };
    messages.map(Message::into_bytes)
}

/// Whether a file that begins so is one of [`test_data`]: by the tensor's name, which stands before its numbers.
pub(crate) fn is_test_data(start: &[u8]) -> bool {
    [IMAGES, PIXELS, LOGITS, PROBABILITIES].into_iter().any(|name| {
        let field = graph::name_of_tensor(name);
        start.windows(field.len()).any(|bytes| bytes == field)
    })
}

const IMAGES: &str = "images";
const PIXELS: &str = "pixels";
const LOGITS: &str = "logits";
const PROBABILITIES: &str = "probabilities";

/// Writes a network's layers as nodes.
struct Emitter<'a> {
    network: &'a TrainedNetwork,
    description: &'a Description,
    options: OnnxOptions,
    graph: Graph,
    /// The number of the normalization that a layer takes in, by the layer's.
    folds: BTreeMap<usize, usize>,
}

impl<'a> Emitter<'a> {
    fn new(network: &'a TrainedNetwork, options: OnnxOptions) -> Self {
        let description = network.description();
        let folds = match options.batch_norms {
            BatchNorms::Kept => BTreeMap::new(),
            BatchNorms::Folded => folding::pairs(network),
        };
        Self { network, description, options, graph: Graph::default(), folds }
    }

    fn graph(mut self) -> Graph {
        if self.options.ends == Ends::Pixels {
            self.prepare();
        }
        for (number, layer) in self.description.layers().iter().enumerate() {
            self.layer(number, layer);
        }
        if self.options.ends == Ends::Pixels {
            self.finish();
        }
        self.graph
    }

    /// Bytes to images.
    fn prepare(&mut self) {
        let normalization = self.network.normalization();
        let shape = [1, normalization.channels(), 1, 1];
        self.graph.floats("normalization.scale", &shape, &normalization.scale);
        self.graph.floats("normalization.shift", &shape, &normalization.shift);
        let to = Attribute::Integer("to", ElementType::Float32 as usize);
        self.graph.node("cast", "Cast", &[PIXELS], "floats", &[to]);
        let inputs = ["floats", "normalization.scale"];
        self.graph.node("normalization.mul", "Mul", &inputs, "scaled", &[]);
        let inputs = ["scaled", "normalization.shift"];
        self.graph.node("normalization.add", "Add", &inputs, IMAGES, &[]);
    }

    /// Logits to probabilities.
    fn finish(&mut self) {
        let mut logits = LOGITS;
        if let Some(temperature) = self.network.temperature() {
            self.graph.floats("temperature", &[], &[temperature as f32]);
            self.graph.node("calibration", "Div", &[LOGITS, "temperature"], "calibrated", &[]);
            logits = "calibrated";
        }
        let axis = Attribute::Integer("axis", 1);
        self.graph.node("softmax", "Softmax", &[logits], PROBABILITIES, &[axis]);
    }

    fn layer(&mut self, number: usize, layer: &Layer) {
        let inputs: Vec<String> = layer.inputs.iter().map(|&input| self.name_of(input)).collect();
        let Some(x) = inputs.first() else { return };
        let output = self.name_of_layer(number);
        let node =
            |graph: &mut Graph, operator: &str, inputs: &[&str], attributes: &[Attribute<'_>]| {
                graph.node(&layer.name, operator, inputs, &output, attributes);
            };
        match layer.kind {
            LayerKind::Conv2d(conv) => {
                let weights = self.weights(number, layer);
                let inputs = with(x, &weights);
                let Convolution2d {
                    kernel,
                    stride,
                    padding: [rows, columns],
                    dilation,
                    groups,
                    ..
                } = conv;
                let attributes = [
                    Attribute::Integers("dilations", &dilation),
                    Attribute::Integer("group", groups),
                    Attribute::Integers("kernel_shape", &kernel),
                    Attribute::Integers("pads", &[rows, columns, rows, columns]),
                    Attribute::Integers("strides", &stride),
                ];
                node(&mut self.graph, "Conv", &inputs, &attributes);
            }
            LayerKind::Linear { .. } => {
                let weights = self.weights(number, layer);
                let inputs = with(x, &weights);
                node(&mut self.graph, "Gemm", &inputs, &[Attribute::Integer("transB", 1)]);
            }
            LayerKind::BatchNorm { .. } if self.folds.values().any(|norm| *norm == number) => {}
            LayerKind::BatchNorm { epsilon, .. } => {
                let weights = self.weights(number, layer);
                let inputs = with(x, &weights);
                let epsilon = Attribute::Float("epsilon", epsilon);
                node(&mut self.graph, "BatchNormalization", &inputs, &[epsilon]);
            }
            LayerKind::Relu => node(&mut self.graph, "Relu", &[x], &[]),
            // Operators of this version have none for it.
            LayerKind::Silu => {
                let sigmoid = format!("{}.sigmoid", layer.name);
                self.graph.node(&sigmoid, "Sigmoid", &[x], &sigmoid, &[]);
                node(&mut self.graph, "Mul", &[x, &sigmoid], &[]);
            }
            LayerKind::MaxPool { kernel, stride, padding } => {
                let attributes = [
                    Attribute::Integers("kernel_shape", &[kernel; 2]),
                    Attribute::Integers("pads", &[padding; 4]),
                    Attribute::Integers("strides", &[stride; 2]),
                ];
                node(&mut self.graph, "MaxPool", &[x], &attributes);
            }
            // The maximum of a single pixel is that pixel.
            LayerKind::Subsample { stride } => {
                let attributes = [
                    Attribute::Integers("kernel_shape", &[1; 2]),
                    Attribute::Integers("strides", &[stride; 2]),
                ];
                node(&mut self.graph, "MaxPool", &[x], &attributes);
            }
            LayerKind::PadChannels { channels } => {
                let pads = format!("{}.pads", layer.name);
                self.graph.integers(&pads, &[0, 0, 0, 0, 0, channels as i64, 0, 0]);
                node(&mut self.graph, "Pad", &[x, &pads], &[]);
            }
            LayerKind::GlobalAveragePool => {
                let pooled = format!("{}.pooled", layer.name);
                self.graph.node(&layer.name, "GlobalAveragePool", &[x], &pooled, &[]);
                let flatten = format!("{}.flatten", layer.name);
                let axis = Attribute::Integer("axis", 1);
                self.graph.node(&flatten, "Flatten", &[&pooled], &output, &[axis]);
            }
            LayerKind::Flatten => {
                node(&mut self.graph, "Flatten", &[x], &[Attribute::Integer("axis", 1)]);
            }
            LayerKind::Add => {
                let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
                node(&mut self.graph, "Add", &inputs, &[]);
            }
            LayerKind::Dropout { .. }
            | LayerKind::SpatialDropout { .. }
            | LayerKind::StochasticDepth { .. } => {}
        }
    }

    /// Writes a layer's tensors and gives their names, in the order in which its node takes them.
    fn weights(&mut self, number: usize, layer: &Layer) -> Vec<String> {
        let folded = self.folds.get(&number).and_then(|norm| self.description.layers().get(*norm));
        let mut tensors = layer.tensors();
        let Some(norm) = folded else {
            for tensor in &tensors {
                self.graph.floats(&tensor.name, &tensor.shape, self.network.values(&tensor.name));
            }
            return tensors.into_iter().map(|tensor| tensor.name).collect();
        };
        let (weight, bias) = folding::folded(self.network, layer, norm);
        tensors.truncate(1);
        let mut names = Vec::new();
        for tensor in tensors {
            self.graph.floats(&tensor.name, &tensor.shape, &weight);
            names.push(tensor.name);
        }
        let name = format!("{}.bias", layer.name);
        self.graph.floats(&name, &[bias.len()], &bias);
        names.push(name);
        names
    }

    fn name_of(&self, value: Value) -> String {
        value.layer().map_or_else(|| IMAGES.to_owned(), |number| self.name_of_layer(number))
    }

    /// The name of a layer's output. What nothing is done to keeps its name.
    fn name_of_layer(&self, number: usize) -> String {
        if self.written(self.description.output()) == Some(number) {
            return LOGITS.to_owned();
        }
        let Some(layer) = self.description.layers().get(number) else { return String::new() };
        if self.is_left_out(number, layer)
            && let Some(&input) = layer.inputs.first()
        {
            return self.name_of(input);
        }
        format!("{}.output", layer.name)
    }

    /// The layer whose node gives a value; `None` for the images.
    fn written(&self, value: Value) -> Option<usize> {
        let number = value.layer()?;
        let layer = self.description.layers().get(number)?;
        if self.is_left_out(number, layer) {
            return self.written(*layer.inputs.first()?);
        }
        Some(number)
    }

    fn is_left_out(&self, number: usize, layer: &Layer) -> bool {
        match layer.kind {
            LayerKind::Dropout { .. }
            | LayerKind::SpatialDropout { .. }
            | LayerKind::StochasticDepth { .. } => true,
            LayerKind::BatchNorm { .. } => self.folds.values().any(|norm| *norm == number),
            _ => false,
        }
    }
}

/// A node's inputs.
fn with<'a>(x: &'a str, weights: &'a [String]) -> Vec<&'a str> {
    std::iter::once(x).chain(weights.iter().map(String::as_str)).collect()
}
