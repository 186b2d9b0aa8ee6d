//! Named tensors as safetensors bytes: what `model.safetensors` and checkpoints hold.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::collections::{BTreeSet, HashMap};

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::parameters::{NamedTensor, Role};

/// Why bytes are not the weights of a network.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// The bytes are not a safetensors file, or a truncated one.
    #[error("not a complete safetensors file: {0}")]
    Format(#[from] safetensors::SafeTensorError),
    /// A tensor of another type.
    #[error("`{name}`: expected 32-bit floats (F32), found {found:?}")]
    Type {
        /// The tensor's name.
        name: String,
        /// Type of the tensor.
        found: Dtype,
    },
}

/// Tensors and text of a safetensors file.
pub type Contents = (Vec<NamedTensor>, HashMap<String, String>);

/// Serializes tensors, and `metadata` into the header. The same input gives the same bytes if
/// `metadata` has at most one entry.
pub fn to_bytes(
    tensors: &[NamedTensor],
    metadata: HashMap<String, String>,
) -> Result<Vec<u8>, WeightsError> {
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|tensor| {
            // Copied value by value: much faster than an iterator over single bytes.
            let mut bytes = Vec::with_capacity(4 * tensor.values.len());
            tensor.values.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
            bytes
        })
        .collect();
    let views = tensors
        .iter()
        .zip(&bytes)
        .map(|(tensor, bytes)| {
            let view = TensorView::new(Dtype::F32, tensor.shape.clone(), bytes)?;
            Ok((tensor.name.as_str(), view))
        })
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()?;
    let metadata = (!metadata.is_empty()).then_some(metadata);
    Ok(safetensors::serialize(views, metadata)?)
}

/// Reads tensors and metadata back.
///
/// # Errors
///
/// If the bytes are truncated, damaged or hold another type than 32-bit floats.
pub fn from_bytes(bytes: &[u8]) -> Result<Contents, WeightsError> {
    let (_, header) = SafeTensors::read_metadata(bytes)?;
    let metadata = header.metadata().clone().unwrap_or_default();
    let file = SafeTensors::deserialize(bytes)?;
    let mut tensors = Vec::with_capacity(file.len());
    for (name, view) in file.iter() {
        if view.dtype() != Dtype::F32 {
            return Err(WeightsError::Type { name: name.to_owned(), found: view.dtype() });
        }
        let (values, _) = view.data().as_chunks::<4>();
        let values = values.iter().map(|&value| f32::from_le_bytes(value)).collect();
        tensors.push((name.to_owned(), view.shape().to_vec(), values));
    }
    Ok((with_roles(tensors), metadata))
}

/// All tensors of a file, each a name, a shape and its values, with their roles.
pub(crate) fn with_roles(tensors: Vec<(String, Vec<usize>, Vec<f32>)>) -> Vec<NamedTensor> {
    let names: BTreeSet<String> = tensors.iter().map(|(name, ..)| name.clone()).collect();
    let named = tensors.into_iter().map(|(name, shape, values)| NamedTensor {
        role: role_of(&name, &|name| names.contains(name)),
        name,
        shape,
        values,
    });
    named.collect()
}

/// A file names a tensor but not its role. Batch normalization is the layer that has running statistics.
fn role_of(name: &str, is_there: &dyn Fn(&str) -> bool) -> Role {
    let (layer, last) = name.rsplit_once('.').unwrap_or(("", name));
    let normalizes = || is_there(&format!("{layer}.running_mean"));
    match last {
        "running_mean" => Role::RunningMean,
        "running_var" => Role::RunningVariance,
        "bias" if normalizes() => Role::NormShift,
        "bias" => Role::Bias,
        _ if normalizes() => Role::NormScale,
        _ => Role::Weight,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<NamedTensor> {
        let tensor = |name: &str, role, shape: &[usize], values: &[f32]| NamedTensor {
            name: name.into(),
            role,
            shape: shape.into(),
            values: values.into(),
        };
        vec![
            tensor("norm.weight", Role::NormScale, &[1], &[1.5]),
            tensor("norm.running_var", Role::RunningVariance, &[1], &[0.5]),
            tensor("norm.running_mean", Role::RunningMean, &[1], &[-0.5]),
            tensor("norm.bias", Role::NormShift, &[1], &[2.5]),
            tensor(
                "hidden.0.weight",
                Role::Weight,
                &[2, 3],
                &[1.0, -2.5, 3e-8, 4.0, f32::MAX, -0.0],
            ),
            tensor("hidden.0.bias", Role::Bias, &[2], &[0.1, 0.2]),
        ]
    }

    #[test]
    fn tensors_and_metadata_survive_a_round_trip() {
        let metadata = HashMap::from([("state".to_owned(), "{\"epoch\":3}".to_owned())]);
        let bytes = to_bytes(&sample(), metadata.clone()).unwrap();
        let (mut tensors, found) = from_bytes(&bytes).unwrap();
        tensors.sort_by(|a, b| b.name.cmp(&a.name));
        assert_eq!(tensors, sample());
        assert_eq!(found, metadata);
    }

    #[test]
    fn the_same_tensors_give_the_same_bytes() {
        let bytes = || to_bytes(&sample(), HashMap::new()).unwrap();
        assert_eq!(bytes(), bytes());
    }

    #[test]
    fn a_file_cut_short_anywhere_is_refused() {
        let bytes = to_bytes(&sample(), HashMap::new()).unwrap();
        for length in 0..bytes.len() {
            assert!(from_bytes(&bytes[..length]).is_err(), "accepted {length} bytes");
        }
    }
}
