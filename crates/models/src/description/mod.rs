//! A network as data: its layers, in the order in which they act, with the shapes that they give.
//!
//! A network describes itself ([`Classifier::describe`]) with a [`Describer`]. Exports, PyTorch code and tables of
//! layers are all made from that, so that a network has to say only once what it is made of.

pub(crate) mod describer;
pub(crate) mod error;
pub(crate) mod layer;

pub use describer::Describer;
pub use error::DescribeError;
pub use layer::{Convolution2d, Layer, LayerKind, Shape, TensorOutline, Value};

use std::collections::{BTreeMap, BTreeSet};

use crate::classifier::Classifier;
use crate::parameters;

/// The layers of a network, each behind those whose outputs it takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    image: [usize; 3],
    layers: Vec<Layer>,
    output: Value,
}

impl Description {
    /// Asks `network` for its layers and checks that they are all that it has: every parameter belongs to one layer,
    /// with the layer's shape. What the network computes is not checked.
    ///
    /// `image`: channels, height, width.
    ///
    /// # Errors
    ///
    /// If the network does not describe itself, has a layer that is not known, or does not have what it describes.
    pub fn of<N: Classifier>(network: &N, image: [usize; 3]) -> Result<Self, DescribeError> {
        let mut describer = Describer::new(image);
        let images = describer.images();
        let output = network.describe(&mut describer, images)?;
        let description = Self { image, layers: named(describer.into_layers()), output };
        if !matches!(description.shape(output), Shape::Row(_)) {
            return Err(DescribeError::Shape {
                layer: "the network".to_owned(),
                expected: "a row of logits as output",
                found: description.shape(output).to_string(),
            });
        }
        description.check_tensors(network)?;
        Ok(description)
    }

    /// Channels, height and width of an image.
    pub fn image(&self) -> [usize; 3] {
        self.image
    }

    /// The layers, each behind those whose outputs it takes.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The value that holds the logits.
    pub fn output(&self) -> Value {
        self.output
    }

    /// The layer that gives a value; `None` for the images.
    pub fn layer_of(&self, value: Value) -> Option<&Layer> {
        self.layers.get(value.layer()?)
    }

    /// What a value measures for one image.
    pub fn shape(&self, value: Value) -> Shape {
        self.layer_of(value).map_or(Shape::Map(self.image), |layer| layer.shape)
    }

    /// Number of logits.
    pub fn classes(&self) -> usize {
        self.shape(self.output).values()
    }

    /// How many layers take a value.
    pub fn uses(&self, value: Value) -> usize {
        self.layers.iter().flat_map(|layer| &layer.inputs).filter(|input| **input == value).count()
    }

    /// Number of trained values.
    pub fn parameters(&self) -> u64 {
        self.layers.iter().map(Layer::parameters).sum()
    }

    /// Multiplications with additions that convolutions and linear layers take for one image.
    pub fn multiply_adds(&self) -> u64 {
        self.layers
            .iter()
            .filter_map(|layer| layer.multiply_adds(self.shape(*layer.inputs.first()?)))
            .sum()
    }

    /// Bytes of all layers' outputs for one image, as 32-bit floats: what training would keep for the gradients if
    /// every layer were computed by itself.
    pub fn activation_bytes(&self) -> u64 {
        self.layers.iter().map(|layer| (layer.shape.values() * size_of::<f32>()) as u64).sum()
    }

    /// Every parameter and statistic, in the order of the layers.
    pub fn tensors(&self) -> Vec<TensorOutline> {
        self.layers.iter().flat_map(Layer::tensors).collect()
    }

    /// Compares what the description says with what the network has.
    fn check_tensors<N: Classifier>(&self, network: &N) -> Result<(), DescribeError> {
        let mut described = BTreeMap::new();
        for TensorOutline { name, shape, .. } in self.tensors() {
            if described.insert(name.clone(), shape).is_some() {
                return Err(DescribeError::Twice { name });
            }
        }
        for found in parameters::outlines(network) {
            match described.remove(&found.name) {
                Some(shape) if shape == found.shape => {}
                Some(shape) => {
                    return Err(DescribeError::Tensor {
                        name: found.name,
                        expected: shape,
                        found: found.shape,
                    });
                }
                None => {
                    return Err(DescribeError::Left { parameter: found.name, kind: found.layer });
                }
            }
        }
        match described.into_keys().next() {
            Some(parameter) => Err(DescribeError::Absent { parameter }),
            None => Ok(()),
        }
    }
}

/// The layers with names for those that have no parameters: their kind, with a number from the second one on.
fn named(mut layers: Vec<Layer>) -> Vec<Layer> {
    let mut taken: BTreeSet<String> = layers.iter().map(|layer| layer.name.clone()).collect();
    for layer in layers.iter_mut().filter(|layer| layer.name.is_empty()) {
        let kind = layer.kind.name();
        let mut numbers = 1_usize..;
        let numbered =
            |number| if number == 1 { kind.to_owned() } else { format!("{kind}_{number}") };
        let free =
            numbers.find_map(|number| Some(numbered(number)).filter(|it| !taken.contains(it)));
        layer.name = free.unwrap_or_default();
        taken.insert(layer.name.clone());
    }
    layers
}

#[cfg(test)]
mod tests;
