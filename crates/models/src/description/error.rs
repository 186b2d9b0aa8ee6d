//! Why a network cannot be described, with what would do.

use crate::description::layer::LayerKind;

/// Why a network cannot be described.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DescribeError {
    /// The network does not say how its layers are connected.
    #[error(
        "the network `{network}` does not say how its layers are connected; implement \
         `Classifier::describe` for it"
    )]
    Undescribed {
        /// The network's type.
        network: String,
    },
    /// A layer of a kind that nothing here can write down.
    #[error("layer `{name}`: `{kind}` is no kind of layer that can be described; known: {}", LayerKind::NAMES.join(", "))]
    Unknown {
        /// The layer's name.
        name: String,
        /// Its kind.
        kind: String,
    },
    /// A layer of a known kind with a setting that is not.
    #[error("layer `{name}`: expected {expected}, found {found}")]
    Setting {
        /// The layer's name.
        name: String,
        /// What can be described.
        expected: &'static str,
        /// What it was.
        found: String,
    },
    /// A layer takes or gives another shape than it can.
    #[error("layer `{layer}`: expected {expected}, found {found}")]
    Shape {
        /// The layer's name or kind.
        layer: String,
        /// Shape that would do.
        expected: &'static str,
        /// The shape.
        found: String,
    },
    /// Two layers of a name.
    #[error("the description has the parameter `{name}` twice; give each layer its own name")]
    Twice {
        /// The parameter's name.
        name: String,
    },
    /// A parameter with another shape than its layer's.
    #[error("`{name}`: described with shape {expected:?}, but the network has {found:?}")]
    Tensor {
        /// The parameter's name.
        name: String,
        /// The shape of the description.
        expected: Vec<usize>,
        /// The network's shape.
        found: Vec<usize>,
    },
    /// A parameter that no described layer has.
    #[error(
        "the network has `{parameter}`, a parameter of `{kind}`, which its description does not \
         speak of; known kinds of layers: {}",
        LayerKind::NAMES.join(", ")
    )]
    Left {
        /// The parameter's name.
        parameter: String,
        /// Type of the layer that has it.
        kind: String,
    },
    /// A described parameter that the network does not have.
    #[error(
        "the description speaks of `{parameter}`, which the network does not have; name layers by \
         the fields that they are in, such as `blocks.0.conv`"
    )]
    Absent {
        /// The parameter's name.
        parameter: String,
    },
}
