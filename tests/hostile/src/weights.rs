//! Weights in safetensors files.

use std::collections::HashMap;

use backburn_models::weights::{from_bytes, to_bytes};
use backburn_models::{NamedTensor, Role};

use crate::Seed;

/// What is read has values for its shape, and is read again from what it is written as.
pub(crate) fn read(input: &[u8]) -> bool {
    let Ok((tensors, metadata)) = from_bytes(input) else { return false };
    let mut values = 0;
    for tensor in &tensors {
        assert_eq!(tensor.shape.iter().product::<usize>(), tensor.values.len(), "{}", tensor.name);
        values += tensor.values.len();
    }
    assert!(4 * values <= input.len(), "{values} values from {} bytes", input.len());
    let bytes = to_bytes(&tensors, metadata.clone()).expect("what was read can be written");
    let (again, same_metadata) = from_bytes(&bytes).expect("what was written can be read");
    assert_eq!(metadata, same_metadata);
    assert_eq!(sorted(&tensors), sorted(&again));
    true
}

/// Tensors sorted by name, with the bits of each value: NaN differs from itself.
fn sorted(tensors: &[NamedTensor]) -> Vec<(&str, &[usize], Vec<u32>)> {
    let bits = |tensor: &NamedTensor| tensor.values.iter().map(|value| value.to_bits()).collect();
    let mut rows: Vec<_> =
        tensors.iter().map(|tensor| (&*tensor.name, &*tensor.shape, bits(tensor))).collect();
    rows.sort();
    rows
}

pub(crate) fn seeds() -> Vec<Seed> {
    let tensor = |name: &str, shape: &[usize], values: &[f32]| NamedTensor {
        name: name.into(),
        role: Role::Weight,
        shape: shape.into(),
        values: values.into(),
    };
    let tensors = [
        tensor("head.weight", &[2, 3], &[1.0, -2.5, 3e-8, f32::NAN, f32::MAX, -0.0]),
        tensor("head.bias", &[2], &[0.1, 0.2]),
    ];
    let whole = to_bytes(&tensors, HashMap::from([("key".to_owned(), "value".to_owned())]));
    let whole = whole.expect("these tensors fit");
    let claims = [&u64::MAX.to_le_bytes()[..], b"{}"].concat();
    let large = r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,4]}}"#;
    let large = [&(large.len() as u64).to_le_bytes()[..], large.as_bytes(), &[0; 4]].concat();
    vec![
        Seed::refused("cut", &whole[..whole.len() - 3]),
        Seed::valid("two-tensors", whole),
        Seed::valid("empty", [&2_u64.to_le_bytes()[..], b"{}"].concat()),
        Seed::refused("claims-all", claims),
        Seed::refused("large-shape", large),
    ]
}
