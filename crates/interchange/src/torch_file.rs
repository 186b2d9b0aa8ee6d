//! Weights as `torch.save(network.state_dict(), FILE)` writes them: a zip archive with a pickle, and a record for each
//! tensor's numbers.
//!
//! The pickle names nothing but `torch._utils._rebuild_tensor_v2`, `torch.FloatStorage` and
//! `collections.OrderedDict`, so that `torch.load(FILE, weights_only=True)` takes it.
//!
//! Python, [pickletools](https://docs.python.org/3/library/pickletools.html).

use backburn_models::parameters::NamedTensor;

use crate::error::ExportError;
use crate::trained_network::TrainedNetwork;
use crate::zip::ZipWriter;

/// Most bytes of weights: places in the archive are 32-bit numbers, and some bytes are needed beside the weights.
const MOST_BYTES: usize = u32::MAX as usize - (64 << 20);

/// Most tensors: an archive counts its records with 16 bits, of which the greatest number says that the count stands
/// elsewhere, and has three beside one for each tensor: the pickle, the order of bytes, the version.
const MOST_TENSORS: usize = u16::MAX as usize - 4;

/// The bytes of a `.pt` file. Its tensors are contiguous floats on the CPU, in the order of the network's modules.
///
/// # Errors
///
/// If the weights are more than such an archive holds.
pub fn to_bytes(network: &TrainedNetwork) -> Result<Vec<u8>, ExportError> {
    let (bytes, tensors) = (network.weight_bytes(), network.tensors());
    if bytes > MOST_BYTES || tensors.len() > MOST_TENSORS {
        let (format, instead) = ("torch", "safetensors");
        return Err(ExportError::TooLarge { format, bytes, most: MOST_BYTES, instead });
    }
    let mut zip = ZipWriter::default();
    zip.add("archive/data.pkl", &pickle(tensors));
    zip.add("archive/byteorder", b"little");
    for (tensor, key) in tensors.iter().zip(0_usize..) {
        let mut bytes = Vec::with_capacity(size_of_val(tensor.values.as_slice()));
        tensor.values.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
        zip.add(&format!("archive/data/{key}"), &bytes);
    }
    zip.add("archive/version", b"3\n");
    Ok(zip.finish())
}

/// `{name: _rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks)}` in protocol 2.
fn pickle(tensors: &[NamedTensor]) -> Vec<u8> {
    let mut bytes = b"\x80\x02}(".to_vec();
    for (tensor, key) in tensors.iter().zip(0_usize..) {
        text(&mut bytes, &tensor.name);
        bytes.extend_from_slice(b"ctorch._utils\n_rebuild_tensor_v2\n(");
        // ("storage", torch.FloatStorage, key, device, number of values), told by a persistent id.
        bytes.push(b'(');
        text(&mut bytes, "storage");
        bytes.extend_from_slice(b"ctorch\nFloatStorage\n");
        text(&mut bytes, &key.to_string());
        text(&mut bytes, "cpu");
        integer(&mut bytes, tensor.values.len());
        bytes.extend_from_slice(b"tQ");
        integer(&mut bytes, 0);
        tuple(&mut bytes, &tensor.shape);
        tuple(&mut bytes, &strides(&tensor.shape));
        // False, and no hooks.
        bytes.extend_from_slice(b"\x89ccollections\nOrderedDict\n)RtR");
    }
    bytes.extend_from_slice(b"u.");
    bytes
}

/// Numbers from one index to the next in each dimension, of a tensor whose last dimension is the fastest.
fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides: Vec<usize> = shape
        .iter()
        .rev()
        .scan(1, |step, side| {
            let stride = *step;
            *step *= side;
            Some(stride)
        })
        .collect();
    strides.reverse();
    strides
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    bytes.push(b'X');
    bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

/// Four bytes, which reach beyond [`MOST_BYTES`] of floats.
fn integer(bytes: &mut Vec<u8>, number: usize) {
    bytes.push(b'J');
    bytes.extend_from_slice(&(number as i32).to_le_bytes());
}

fn tuple(bytes: &mut Vec<u8>, numbers: &[usize]) {
    bytes.push(b'(');
    numbers.iter().for_each(|&number| integer(bytes, number));
    bytes.push(b't');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_dimension_is_the_fastest() {
        assert_eq!(strides(&[4, 3, 5, 2]), [30, 10, 2, 1]);
        assert_eq!(strides(&[7]), [1]);
        assert!(strides(&[]).is_empty());
    }
}
