//! Tensors by name from a file that others wrote: safetensors, or what `torch.save` makes of a state dictionary.
//!
//! Nothing of a file is run: a pickle is read as plain data (`pickle.rs`). What is read takes memory in proportion to
//! the file.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod error;
mod number_type;
mod pickle;
mod safetensors_file;
mod tensors;
mod torch_file;
mod zip;

pub use error::StateDictError;

use crate::parameters::NamedTensor;
use crate::state_dict::tensors::Floats;
use crate::weights::with_roles;

/// What wrappers of PyTorch and Lightning put before every name.
const PREFIXES: [&str; 3] = ["module.", "_orig_mod.", "model."];

/// Tensors by name.
#[derive(Clone, Debug, PartialEq)]
pub struct StateDict {
    /// The tensors as 32-bit floats, without the prefix that all of them had, sorted by name.
    pub tensors: Vec<NamedTensor>,
    /// Tensors of whole numbers, such as batch normalization's `num_batches_tracked`: known, and nothing that is
    /// trained.
    pub counts: Vec<String>,
}

/// Reads the tensors of a safetensors file, or of one that `torch.save` wrote: a state dictionary, or a table with one
/// entry that is one. 16-bit and 64-bit floats become 32-bit ones; `module.`, `_orig_mod.` and `model.` are taken from
/// the names if all have them.
///
/// # Errors
///
/// If the bytes are of another format, damaged, without tensors or with two state dictionaries; if a tensor is of
/// another type, has a name that another one has too, or a number that 32-bit floats do not reach.
pub fn read(bytes: &[u8]) -> Result<StateDict, StateDictError> {
    let floats = if bytes.starts_with(zip::SIGNATURE) {
        tensors::tensors(&torch_file::read_archive(bytes)?, bytes.len())?
    } else if torch_file::is_legacy(bytes) {
        tensors::tensors(&torch_file::read_legacy(bytes)?, bytes.len())?
    } else if safetensors_file::is_safetensors(bytes) {
        safetensors_file::tensors(bytes)?
    } else {
        return Err(StateDictError::Format(match bytes {
            [] => "an empty file",
            [0x80, ..] => "another pickle",
            [b'<' | b'{', ..] => "a text or a web page",
            _ => "something else",
        }));
    };
    if floats.iter().all(|tensor| tensor.values.is_none()) {
        return Err(StateDictError::NoTensors("none of floats".to_owned()));
    }
    Ok(of(floats))
}

/// The tensors without the prefixes that all of them have.
fn of(mut floats: Vec<Floats>) -> StateDict {
    let common = |floats: &[Floats]| {
        PREFIXES.into_iter().find(|prefix| {
            let is_before = |name: &str| name.len() > prefix.len() && name.starts_with(prefix);
            floats.iter().all(|tensor| is_before(&tensor.name))
        })
    };
    while let Some(prefix) = common(&floats) {
        for tensor in &mut floats {
            tensor.name.drain(..prefix.len());
        }
    }
    floats.sort_by(|a, b| a.name.cmp(&b.name));
    let (mut tensors, mut counts) = (Vec::new(), Vec::new());
    for Floats { name, shape, values } in floats {
        match values {
            Some(values) => tensors.push((name, shape, values)),
            None => counts.push(name),
        }
    }
    StateDict { tensors: with_roles(tensors), counts }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::PathBuf;

    use super::*;
    use crate::parameters::Role;

    /// Shape and bits of tensors by name.
    type Bits = BTreeMap<String, (Vec<usize>, Vec<i32>)>;

    #[derive(serde::Deserialize)]
    struct Expected {
        files: BTreeMap<String, Option<String>>,
        values: BTreeMap<String, Bits>,
    }

    fn folder() -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/state-dicts")
    }

    fn file(name: &str) -> Vec<u8> {
        fs::read(folder().join(name)).unwrap()
    }

    fn bits(state: &StateDict) -> Bits {
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits() as i32).collect();
        let tensors = state.tensors.iter();
        tensors.map(|it| (it.name.clone(), (it.shape.clone(), bits(&it.values)))).collect()
    }

    /// Written by tests/pytorch/state_dicts.py.
    fn expected() -> Expected {
        serde_json::from_slice(&file("expected.json")).unwrap()
    }

    #[test]
    fn every_way_of_pytorch_to_save_a_network_is_read_bit_for_bit() {
        let Expected { files, values } = expected();
        let mut read_files = 0;
        for (name, gives) in &files {
            let Some(gives) = gives else { continue };
            let state = read(&file(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(bits(&state), values[gives], "{name}");
            let counts: &[&str] = &["norm.num_batches_tracked"];
            assert_eq!(state.counts, counts, "{name}");
            read_files += 1;
        }
        assert_eq!(read_files, 16);
    }

    #[test]
    fn what_is_no_state_dictionary_is_refused_by_name_and_with_the_cure() {
        let cases: [(&str, &[&str]); 5] = [
            ("refused-too-large.pt", &["`head.bias`", "1e39", "32-bit"]),
            ("refused-complex.pt", &["`a`", "complex64", "bfloat16"]),
            ("refused-two.pt", &["`net`, `average`", "one state dictionary"]),
            ("refused-module.pt", &["torch.nn.modules.linear.Linear", "model.state_dict()"]),
            ("refused-no-weights.pt", &["`epoch`, `accuracy`"]),
        ];
        for (name, parts) in cases {
            let message = read(&file(name)).unwrap_err().to_string();
            assert!(parts.iter().all(|part| message.contains(part)), "{name}: {message}");
        }
        for (bytes, part) in
            [(b"".as_slice(), "empty"), (b"<!DOCTYPE html>", "web page"), (b"\x80\x02N.", "pickle")]
        {
            assert!(read(bytes).unwrap_err().to_string().contains(part), "{part}");
        }
    }

    #[test]
    fn roles_are_those_of_layers_with_running_statistics_and_without() {
        let state = read(&file("plain.pt")).unwrap();
        let roles: Vec<(&str, Role)> =
            state.tensors.iter().map(|it| (it.name.as_str(), it.role)).collect();
        let expected = [
            ("conv.weight", Role::Weight),
            ("head.bias", Role::Bias),
            ("head.weight", Role::Weight),
            ("norm.bias", Role::NormShift),
            ("norm.running_mean", Role::RunningMean),
            ("norm.running_var", Role::RunningVariance),
            ("norm.weight", Role::NormScale),
        ];
        assert_eq!(roles, expected);
    }

    #[test]
    fn a_file_cut_anywhere_is_refused() {
        for name in ["plain.pt", "legacy.pt", "single.safetensors"] {
            let whole = file(name);
            for length in 0..whole.len() {
                assert!(read(&whole[..length]).is_err(), "{name}: accepted {length} bytes");
            }
        }
    }

    #[test]
    fn a_flipped_bit_among_the_numbers_of_an_archive_is_noticed() {
        let mut bytes = file("plain.pt");
        let bias = expected().values["single"]["head.bias"].1[0].to_le_bytes();
        let at = bytes.windows(4).position(|window| window == bias).unwrap();
        bytes[at] ^= 1;
        let message = read(&bytes).unwrap_err().to_string();
        assert!(message.contains("checksum"), "{message}");
    }

    /// The legacy file of four numbers in a storage whose shape and strides are `pickled`.
    fn legacy(pickled: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.".to_vec();
        bytes.extend(b"\x80\x02M\xe9\x03.\x80\x02}.\x80\x02}(");
        for name in [b'a', b'b'] {
            bytes.extend([b'U', 1, name]);
            bytes.extend(b"ctorch._utils\n_rebuild_tensor\n(");
            bytes.extend(b"(U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuK\x04tQ");
            bytes.extend(pickled);
            bytes.extend(b"tR");
        }
        bytes.extend(b"u.\x80\x02]U\x010a.");
        bytes.extend(4_u64.to_le_bytes());
        (0..4_u8).for_each(|value| bytes.extend(f32::from(value).to_le_bytes()));
        bytes
    }

    #[test]
    fn offset_and_strides_choose_the_numbers_and_cannot_leave_the_storage() {
        let values = |pickled: &[u8]| read(&legacy(pickled)).map(|it| it.tensors[0].values.clone());
        assert_eq!(values(b"K\x00K\x04\x85K\x01\x85"), Ok(vec![0.0, 1.0, 2.0, 3.0]));
        assert_eq!(values(b"K\x01K\x02\x85K\x02\x85"), Ok(vec![1.0, 3.0]));
        assert_eq!(values(b"K\x00K\x02K\x02\x86K\x01K\x02\x86"), Ok(vec![0.0, 2.0, 1.0, 3.0]));
        assert_eq!(values(b"K\x03))"), Ok(vec![3.0]));
        assert_eq!(values(b"K\x09K\x00\x85K\x01\x85"), Ok(Vec::new()));
        for outside in [
            b"K\x01K\x04\x85K\x01\x85".as_slice(),
            b"K\x04))",
            b"K\x00K\x02\x85\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x85",
        ] {
            let error = values(outside).unwrap_err();
            assert!(matches!(error, StateDictError::Bounds { numbers: 4, .. }), "{error}");
        }
        // A hundred thousand times the first number.
        let error = values(b"K\x00J\xa0\x86\x01\x00\x85K\x00\x85").unwrap_err();
        assert!(matches!(error, StateDictError::Expanded { .. }), "{error}");
    }

    #[test]
    fn a_name_twice_in_a_safetensors_file_is_refused() {
        let entry = r#""a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}"#;
        let header = format!("{{{entry},{entry}}}");
        let length = header.len() as u64;
        let bytes = [&length.to_le_bytes()[..], header.as_bytes(), &[0; 4]].concat();
        assert_eq!(read(&bytes), Err(StateDictError::Duplicate("a".to_owned())));
    }

    #[test]
    fn prefixes_are_taken_only_from_all_names_together() {
        let tensor =
            |name: &str| Floats { name: name.to_owned(), shape: vec![1], values: Some(vec![0.0]) };
        let names = |names: &[&str]| -> Vec<String> {
            let state = of(names.iter().map(|name| tensor(name)).collect());
            state.tensors.into_iter().map(|tensor| tensor.name).collect()
        };
        assert_eq!(names(&["model.module.a", "model.module.b"]), ["a", "b"]);
        assert_eq!(names(&["module.a", "b"]), ["b", "module.a"]);
        assert_eq!(names(&["module.", "module.a"]), ["module.", "module.a"]);
    }
}
