//! ONNX's messages: nodes, tensors, inputs and outputs, the graph.
//!
//! Fields by number, of [onnx.proto](https://github.com/onnx/onnx/blob/v1.23.2/onnx/onnx.proto).

use backburn_logs::protobuf::Message;

/// Types of a tensor's numbers, as ONNX counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ElementType {
    Float32 = 1,
    Uint8 = 2,
    Int64 = 7,
}

/// What a node is told beside its inputs.
pub(super) enum Attribute<'a> {
    Integer(&'a str, usize),
    Integers(&'a str, &'a [usize]),
    Float(&'a str, f64),
}

/// A graph that is being written.
#[derive(Debug, Default)]
pub(super) struct Graph {
    nodes: Vec<Message>,
    tensors: Vec<Message>,
}

impl Graph {
    /// Adds a node with one output.
    pub(super) fn node(
        &mut self,
        name: &str,
        operator: &str,
        inputs: &[&str],
        output: &str,
        attributes: &[Attribute<'_>],
    ) {
        let inputs = inputs.iter().fold(Message::default(), |node, input| node.bytes(1, input));
        let node = inputs.bytes(2, output).bytes(3, name).bytes(4, operator);
        let node = attributes.iter().fold(node, |node, it| node.message(5, &it.message()));
        self.nodes.push(node);
    }

    /// Adds numbers that nodes take by `name`.
    pub(super) fn floats(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        self.tensors.push(float_tensor(name, shape, values));
    }

    /// Adds a row of whole numbers that nodes take by `name`.
    pub(super) fn integers(&mut self, name: &str, values: &[i64]) {
        let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.tensors.push(tensor(name, &[values.len()], ElementType::Int64).bytes(9, &raw));
    }

    /// The whole graph. `input`, `output`: of [`value`].
    pub(super) fn into_message(self, name: &str, input: &Message, output: &Message) -> Message {
        let graph = self.nodes.iter().fold(Message::default(), |graph, it| graph.message(1, it));
        let graph = graph.bytes(2, name);
        let graph = self.tensors.iter().fold(graph, |graph, it| graph.message(5, it));
        graph.message(11, input).message(12, output)
    }
}

impl Attribute<'_> {
    fn message(&self) -> Message {
        match *self {
            Self::Float(name, value) => {
                Message::default().bytes(1, name).float(2, value as f32).int(20, 1)
            }
            Self::Integer(name, value) => {
                Message::default().bytes(1, name).int(3, value as u64).int(20, 2)
            }
            Self::Integers(name, values) => {
                let attribute = Message::default().bytes(1, name);
                // This field is not packed in onnx.proto.
                let add = |attribute: Message, value: &usize| attribute.int(8, *value as u64);
                values.iter().fold(attribute, add).int(20, 7)
            }
        }
    }
}

/// A tensor of floats.
pub(super) fn float_tensor(name: &str, shape: &[usize], values: &[f32]) -> Message {
    tensor(name, shape, ElementType::Float32).raw_floats(9, values)
}

/// A tensor of bytes.
pub(super) fn byte_tensor(name: &str, shape: &[usize], values: &[u8]) -> Message {
    tensor(name, shape, ElementType::Uint8).bytes(9, values)
}

/// The bytes that a tensor's name takes in its message.
pub(super) fn name_of_tensor(name: &str) -> Vec<u8> {
    Message::default().bytes(TENSOR_NAME, name).into_bytes()
}

/// Field of a tensor that has its name.
const TENSOR_NAME: u64 = 8;

/// A tensor without its numbers.
fn tensor(name: &str, shape: &[usize], kind: ElementType) -> Message {
    let shape = shape.iter().fold(Message::default(), |it, side| it.int(1, *side as u64));
    shape.int(2, kind as u64).bytes(TENSOR_NAME, name)
}

/// An input or output of the graph: any number of images by `sides`.
pub(super) fn value(name: &str, kind: ElementType, sides: &[usize]) -> Message {
    let batch = Message::default().bytes(2, "batch");
    let shape = Message::default().message(1, &batch);
    let shape = sides
        .iter()
        .fold(shape, |shape, side| shape.message(1, &Message::default().int(1, *side as u64)));
    let tensor = Message::default().int(1, kind as u64).message(2, &shape);
    Message::default().bytes(1, name).message(2, &Message::default().message(1, &tensor))
}
