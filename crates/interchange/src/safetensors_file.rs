//! Weights as a safetensors file: PyTorch's names, contiguous, in the order of the network's modules; classes,
//! normalization and facts in the header, sorted by name. The same network gives the same bytes.
//!
//! Hugging Face, [Safetensors](https://github.com/huggingface/safetensors#format).

use serde_json::{Value, json};

use crate::trained_network::TrainedNetwork;

/// What the length of the header is a multiple of, so that the numbers begin at one of that too.
const ALIGNMENT: usize = 8;

/// The bytes of a `.safetensors` file.
pub fn to_bytes(network: &TrainedNetwork) -> Vec<u8> {
    let mut metadata = network.metadata();
    // Says to readers of Hugging Face whose layout it is.
    metadata.insert("format".to_owned(), "pt".to_owned());
    let mut entries = vec![format!("\"__metadata__\":{}", json!(metadata))];
    let mut end = 0;
    for tensor in network.tensors() {
        let begin = end;
        end += size_of_val(tensor.values.as_slice());
        let name = Value::from(tensor.name.as_str());
        let entry = json!({ "dtype": "F32", "shape": tensor.shape, "data_offsets": [begin, end] });
        entries.push(format!("{name}:{entry}"));
    }
    let mut header = format!("{{{}}}", entries.join(","));
    let length = header.len().next_multiple_of(ALIGNMENT);
    header.extend(std::iter::repeat_n(' ', length - header.len()));
    let mut bytes = Vec::with_capacity(size_of::<u64>() + length + end);
    bytes.extend_from_slice(&(length as u64).to_le_bytes());
    bytes.extend_from_slice(header.as_bytes());
    for value in network.tensors().iter().flat_map(|tensor| &tensor.values) {
        bytes.extend_from_slice(&value.to_le_bytes());
    }
    bytes
}
