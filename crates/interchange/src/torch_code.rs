//! A network as Python that builds it from PyTorch's own layers, for the weights beside it.
//!
//! Modules have the names that the weights have; the forward pass is a line a layer.

use std::collections::BTreeMap;
use std::fmt::Write;

use backburn_models::Description;
use backburn_models::description::{Convolution2d, Layer, LayerKind, Shape, Value};
use serde_json::json;

use crate::error::ExportError;
use crate::trained_network::TrainedNetwork;

/// What every generated file begins with.
pub const FIRST_WORDS: &str = "\"\"\"Written by Backburn";

/// The text of the Python file. `weights`: the name of the file of weights, for its example.
///
/// # Errors
///
/// If a layer has a name that a module of PyTorch cannot have.
pub fn source(network: &TrainedNetwork, weights: &str) -> Result<String, ExportError> {
    let description = network.description();
    let [channels, height, width] = description.image();
    let normalization = network.normalization();
    let calibrated = match network.temperature() {
        Some(_) => "(logits / TEMPERATURE).softmax(1)",
        None => "logits.softmax(1)",
    };
    let weights = json!(weights);
    let mut text = format!(
        "{FIRST_WORDS}: a network in PyTorch, for the weights that were exported with it.

    network = Network().eval()
    network.load_state_dict(torch.load({weights}, weights_only=True))
    with torch.inference_mode():
        answers = probabilities(network(prepare(pixels)))

`pixels`: bytes, [batch, {channels}, {height}, {width}].
\"\"\"

import torch
from torch import Tensor, nn
from torch.nn import functional as F

"
    );
    let classes = network.class_names().iter().map(|name| format!("    {},\n", json!(name)));
    let classes: String = classes.collect();
    let _ = writeln!(text, "CLASSES = [\n{classes}]");
    let _ = writeln!(text, "# Of each channel: byte * scale + shift.");
    let _ = writeln!(text, "SCALE = [{}]", numbers(&normalization.scale));
    let _ = writeln!(text, "SHIFT = [{}]", numbers(&normalization.shift));
    if let Some(temperature) = network.temperature() {
        let _ = writeln!(text, "# Fitted on the validation split.\nTEMPERATURE = {temperature:?}");
    }
    let _ = write!(
        text,
        "

def prepare(pixels: Tensor) -> Tensor:
    \"\"\"Bytes as the network was trained with them.\"\"\"
    scale, shift = (torch.tensor(it, device=pixels.device).reshape(-1, 1, 1) for it in (SCALE, SHIFT))
    return pixels.float() * scale + shift


def probabilities(logits: Tensor) -> Tensor:
    return {calibrated}

"
    );
    let tree = Tree::of(description)?;
    text += &helpers(description, &tree);
    text += "
class Network(nn.Module):
    def __init__(self):
        super().__init__()
";
    for (name, child) in &tree.children {
        text += &child.assignment(name);
    }
    text += "\n    def forward(self, images: Tensor) -> Tensor:\n";
    text += &forward(description, &tree);
    Ok(text)
}

/// Numbers with commas between them, each in the fewest digits that give it again; zero without a sign.
fn numbers(values: &[f32]) -> String {
    values.iter().map(|value| format!("{:?}", value + 0.0)).collect::<Vec<_>>().join(", ")
}

/// What PyTorch has no function of its own for, as far as the network needs it.
fn helpers(description: &Description, tree: &Tree) -> String {
    let mut text = String::new();
    if tree.children.iter().any(|(_, child)| child.has_parts()) {
        text += "
class Part(nn.Module):
    \"\"\"Layers by name.\"\"\"

    def __init__(self, **layers: nn.Module):
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)

";
    }
    let is_deep = |layer: &Layer| matches!(layer.kind, LayerKind::StochasticDepth { .. });
    if description.layers().iter().any(is_deep) {
        text += "
def stochastic_depth(x: Tensor, rate: float, training: bool) -> Tensor:
    \"\"\"Drops the whole of x for some images, and scales it up for the others.\"\"\"
    if not training:
        return x
    kept = torch.rand(len(x), *[1] * (x.dim() - 1), device=x.device) >= rate
    return x * kept / (1.0 - rate)

";
    }
    text
}

/// A module of modules in PyTorch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    /// `nn.ModuleList`: numbered from 0 on.
    List,
    /// `nn.ModuleDict`: numbered otherwise, since layers without parameters have no module. No name of Python is a number.
    Dict,
    /// `Part`, by names.
    Part,
}

/// The modules of a network, as their names nest.
#[derive(Debug, Default)]
struct Tree {
    /// In the order of the description.
    children: Vec<(String, Tree)>,
    /// What builds it, if it is a layer.
    constructor: Option<String>,
}

impl Tree {
    fn of(description: &Description) -> Result<Self, ExportError> {
        let mut root = Self::default();
        for layer in description.layers() {
            let Some(constructor) = constructor(layer, description) else { continue };
            let mut parts = layer.name.split('.');
            // A field of the network itself is a name of Python.
            let first = parts.next().filter(|part| is_taken(part) || is_number(part));
            if let Some(part) = first.or_else(|| parts.find(|part| is_taken(part))) {
                let (name, part) = (layer.name.clone(), part.to_owned());
                return Err(ExportError::PythonName { name, part });
            }
            root.put(&layer.name, constructor);
        }
        Ok(root)
    }

    fn put(&mut self, path: &str, constructor: String) {
        let (first, rest) = path.split_once('.').map_or((path, None), |(a, b)| (a, Some(b)));
        let place = self.children.iter().position(|(name, _)| name == first).unwrap_or_else(|| {
            self.children.push((first.to_owned(), Self::default()));
            self.children.len() - 1
        });
        let Some((_, child)) = self.children.get_mut(place) else { return };
        match rest {
            Some(rest) => child.put(rest, constructor),
            None => child.constructor = Some(constructor),
        }
    }

    /// What the children are kept in.
    fn group(&self) -> Group {
        let mut numbered = self.children.iter().zip(0_usize..);
        if numbered.all(|((name, _), number)| *name == number.to_string()) {
            Group::List
        } else if self.children.iter().any(|(name, _)| is_number(name)) {
            Group::Dict
        } else {
            Group::Part
        }
    }

    fn has_parts(&self) -> bool {
        let own = self.constructor.is_none() && self.group() == Group::Part;
        own || self.children.iter().any(|(_, child)| child.has_parts())
    }

    /// `self.name…`, the module of that path.
    fn access<'t>(&'t self, path: &str) -> String {
        let mut text = "self".to_owned();
        // The network itself is a class, whatever its fields are called.
        let (mut group, mut place) = (Group::Part, Some(self));
        for part in path.split('.') {
            text += &match group {
                Group::List => format!("[{part}]"),
                Group::Dict => format!("[\"{part}\"]"),
                Group::Part => format!(".{part}"),
            };
            let child = |tree: &'t Self| tree.children.iter().find(|(name, _)| name == part);
            place = place.and_then(child).map(|(_, child)| child);
            group = place.map_or(Group::Part, Self::group);
        }
        text
    }

    /// `self.name = …`, in a function of a class.
    fn assignment(&self, name: &str) -> String {
        format!("        self.{name} = {}\n", self.expression(8))
    }

    /// What builds it. `indent`: of the line that it stands in, in columns.
    fn expression(&self, indent: usize) -> String {
        if let Some(constructor) = &self.constructor {
            return constructor.clone();
        }
        let group = self.group();
        let inner = " ".repeat(indent + 4);
        let mut lines = String::new();
        for (name, child) in &self.children {
            let name = match group {
                Group::List => String::new(),
                Group::Dict => format!("\"{name}\": "),
                Group::Part => format!("{name}="),
            };
            let _ = writeln!(lines, "{inner}{name}{},", child.expression(indent + 4));
        }
        let outer = " ".repeat(indent);
        match group {
            Group::List => format!("nn.ModuleList([\n{lines}{outer}])"),
            Group::Dict => format!("nn.ModuleDict({{\n{lines}{outer}}})"),
            Group::Part => format!("Part(\n{lines}{outer})"),
        }
    }
}

fn is_number(part: &str) -> bool {
    part.bytes().all(|byte| byte.is_ascii_digit())
}

/// Words of Python, and names that `nn.Module` has functions or settings by, as far as they can be names of fields.
const TAKEN: &[&str] = &[
    "and",
    "apply",
    "assert",
    "bfloat16",
    "buffers",
    "children",
    "class",
    "compile",
    "cpu",
    "cuda",
    "def",
    "del",
    "double",
    "elif",
    "eval",
    "except",
    "exec",
    "finally",
    "float",
    "forward",
    "from",
    "global",
    "half",
    "import",
    "ipu",
    "is",
    "lambda",
    "modules",
    "mtia",
    "nonlocal",
    "not",
    "or",
    "parameters",
    "pass",
    "raise",
    "to",
    "train",
    "training",
    "type",
    "with",
    "xpu",
];

fn is_taken(part: &str) -> bool {
    let prefixes = [
        "add_",
        "get_",
        "named_",
        "register_",
        "load_state",
        "state_dict",
        "set_",
        "zero_grad",
        "__",
    ];
    TAKEN.contains(&part) || prefixes.iter().any(|prefix| part.starts_with(prefix))
}

/// The module of a layer that has parameters.
fn constructor(layer: &Layer, description: &Description) -> Option<String> {
    match layer.kind {
        LayerKind::Conv2d(conv) => Some(conv2d(conv)),
        LayerKind::Linear { inputs, outputs, bias } => {
            let bias = if bias { "" } else { ", bias=False" };
            Some(format!("nn.Linear({inputs}, {outputs}{bias})"))
        }
        LayerKind::BatchNorm { features, epsilon, momentum } => {
            let dimensions = match description.shape(*layer.inputs.first()?) {
                Shape::Map(_) => 2,
                Shape::Row(_) => 1,
            };
            let mut settings = features.to_string();
            if epsilon != 1e-5 {
                let _ = write!(settings, ", eps={epsilon:?}");
            }
            if momentum != 0.1 {
                let _ = write!(settings, ", momentum={momentum:?}");
            }
            Some(format!("nn.BatchNorm{dimensions}d({settings})"))
        }
        _ => None,
    }
}

fn conv2d(conv: Convolution2d) -> String {
    let Convolution2d { inputs, outputs, kernel, stride, padding, dilation, groups, bias } = conv;
    let pair = |[down, right]: [usize; 2]| match down == right {
        true => down.to_string(),
        false => format!("({down}, {right})"),
    };
    let mut text = format!("nn.Conv2d({inputs}, {outputs}, {}", pair(kernel));
    for (name, value, usual) in
        [("stride", stride, [1; 2]), ("padding", padding, [0; 2]), ("dilation", dilation, [1; 2])]
    {
        if value != usual {
            let _ = write!(text, ", {name}={}", pair(value));
        }
    }
    if groups != 1 {
        let _ = write!(text, ", groups={groups}");
    }
    if !bias {
        text += ", bias=False";
    }
    text + ")"
}

/// The lines of the forward pass. A variable is used again as soon as nothing needs what is in it.
fn forward(description: &Description, tree: &Tree) -> String {
    let layers = description.layers();
    let mut last_use: BTreeMap<Value, usize> = BTreeMap::new();
    for (number, layer) in layers.iter().enumerate() {
        last_use.extend(layer.inputs.iter().map(|&input| (input, number)));
    }
    let mut variables: BTreeMap<Value, usize> = BTreeMap::new();
    let mut text = String::new();
    for (number, layer) in layers.iter().enumerate() {
        let inputs: Vec<String> = layer
            .inputs
            .iter()
            .map(|input| {
                variables.get(input).map_or_else(|| "images".to_owned(), |&it| variable(it))
            })
            .collect();
        layer.inputs.iter().for_each(|input| {
            let ends = last_use.get(input) == Some(&number) && *input != description.output();
            if ends {
                variables.remove(input);
            }
        });
        let free = (0..).find(|it| !variables.values().any(|taken| taken == it)).unwrap_or(0);
        variables.insert(Value::of_layer(number), free);
        let _ = writeln!(text, "        {} = {}", variable(free), call(layer, &inputs, tree));
    }
    let output =
        variables.get(&description.output()).map_or("images".to_owned(), |&it| variable(it));
    text + &format!("        return {output}\n")
}

fn variable(number: usize) -> String {
    match number {
        0 => "x".to_owned(),
        1 => "y".to_owned(),
        2 => "z".to_owned(),
        more => format!("x{more}"),
    }
}

/// What a layer does to its inputs.
fn call(layer: &Layer, inputs: &[String], tree: &Tree) -> String {
    let x = inputs.first().map_or("", String::as_str);
    match layer.kind {
        LayerKind::Conv2d(_) | LayerKind::Linear { .. } | LayerKind::BatchNorm { .. } => {
            format!("{}({x})", tree.access(&layer.name))
        }
        LayerKind::Relu => format!("F.relu({x})"),
        LayerKind::Silu => format!("F.silu({x})"),
        LayerKind::MaxPool { kernel, stride, padding } => {
            let padding = if padding == 0 { String::new() } else { format!(", padding={padding}") };
            format!("F.max_pool2d({x}, {kernel}, {stride}{padding})")
        }
        LayerKind::GlobalAveragePool => format!("{x}.mean((2, 3))"),
        LayerKind::Flatten => format!("{x}.flatten(1)"),
        LayerKind::Add => inputs.join(" + "),
        LayerKind::Subsample { stride } => format!("{x}[:, :, ::{stride}, ::{stride}]"),
        LayerKind::PadChannels { channels } => format!("F.pad({x}, (0, 0, 0, 0, 0, {channels}))"),
        LayerKind::Dropout { rate } => format!("F.dropout({x}, {rate:?}, self.training)"),
        LayerKind::SpatialDropout { rate } => format!("F.dropout2d({x}, {rate:?}, self.training)"),
        LayerKind::StochasticDepth { rate } => {
            format!("stochastic_depth({x}, {rate:?}, self.training)")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(names: &[&str]) -> Tree {
        let mut tree = Tree::default();
        names.iter().for_each(|name| tree.put(name, format!("nn.{}()", name.len())));
        tree
    }

    #[test]
    fn modules_numbered_from_zero_are_a_list_and_others_a_dictionary() {
        let tree = tree(&["stem.0", "stem.1", "blocks.1.conv", "blocks.3.conv", "head"]);
        let written: String =
            tree.children.iter().map(|(name, child)| child.assignment(name)).collect();
        let expected = "        self.stem = nn.ModuleList([
            nn.6(),
            nn.6(),
        ])
        self.blocks = nn.ModuleDict({
            \"1\": Part(
                conv=nn.13(),
            ),
            \"3\": Part(
                conv=nn.13(),
            ),
        })
        self.head = nn.4()
";
        assert_eq!(written, expected);
        let paths = ["stem.1", "blocks.3.conv", "head"].map(|path| tree.access(path));
        assert_eq!(paths, ["self.stem[1]", "self.blocks[\"3\"].conv", "self.head"]);
    }
}
