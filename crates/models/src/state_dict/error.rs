//! Why a file gives no tensors, with what would do.

/// Why a file gives no tensors.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StateDictError {
    /// Neither a safetensors file nor one of `torch.save`.
    #[error(
        "expected a safetensors file, or one that `torch.save(model.state_dict(), FILE)` wrote; \
         found {0}"
    )]
    Format(&'static str),
    /// The file begins as one of its format and does not go on like one.
    #[error("not a complete {format} file: {reason}; fetch or save it again")]
    Damaged {
        /// What the file began like.
        format: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// A whole module instead of its tensors: objects of Python, which nothing here runs.
    #[error(
        "expected a state dictionary, tensors by name; found an object, `{0}`; save \
         `model.state_dict()` instead of the model"
    )]
    Object(String),
    /// Several dictionaries of tensors.
    #[error(
        "expected one state dictionary, found several: {0}; save the one that is wanted to a file \
         of its own"
    )]
    Several(String),
    /// No dictionary of tensors.
    #[error("expected a state dictionary, tensors by name; found {0}")]
    NoTensors(String),
    /// What stands under a name is no tensor.
    #[error("`{name}`: expected a tensor, found {found}")]
    NoTensor {
        /// The name.
        name: String,
        /// What it is.
        found: String,
    },
    /// A tensor of numbers that are no weights.
    #[error(
        "`{name}`: expected numbers of the types float32, float16, bfloat16 or float64, found \
         {found}"
    )]
    Type {
        /// The tensor's name.
        name: String,
        /// Type of its numbers.
        found: String,
    },
    /// A number that 32-bit floats do not reach.
    #[error("`{name}`: expected numbers that 32-bit floats can hold, found {found:e}")]
    Range {
        /// The tensor's name.
        name: String,
        /// The number.
        found: f64,
    },
    /// A name twice.
    #[error("expected one tensor of each name, found `{0}` twice")]
    Duplicate(String),
    /// A tensor reaches beyond the numbers that belong to it.
    #[error(
        "`{name}`: expected a tensor within the {numbers} numbers of its storage, found {found}"
    )]
    Bounds {
        /// The tensor's name.
        name: String,
        /// Numbers of the storage.
        numbers: u64,
        /// Offset, shape and strides.
        found: String,
    },
    /// Tensors share numbers, so that together they have more than could be in the file.
    #[error(
        "expected tensors of at most {most} numbers together, as many as the file has bytes; found \
         more from `{name}` on"
    )]
    Expanded {
        /// The tensor that is too many.
        name: String,
        /// Most numbers.
        most: usize,
    },
}
