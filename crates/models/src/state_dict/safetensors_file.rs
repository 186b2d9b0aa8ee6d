//! The tensors of a safetensors file, of any type of floats.
//!
//! Hugging Face, [Safetensors](https://github.com/huggingface/safetensors#format).

use std::collections::BTreeSet;
use std::fmt;

use safetensors::SafeTensors;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::state_dict::error::StateDictError;
use crate::state_dict::number_type::{Kind, NumberType};
use crate::state_dict::tensors::Floats;

/// Bytes of the header's length.
const LENGTH: usize = 8;

/// Whether bytes begin like a safetensors file: a length, and a table of JSON.
pub(super) fn is_safetensors(bytes: &[u8]) -> bool {
    bytes.get(LENGTH) == Some(&b'{')
}

/// # Errors
///
/// If the file is cut or damaged, has a name twice or a tensor that is none of weights.
pub(super) fn tensors(bytes: &[u8]) -> Result<Vec<Floats>, StateDictError> {
    let damaged = |reason: String| StateDictError::Damaged { format: "safetensors", reason };
    let file = SafeTensors::deserialize(bytes).map_err(|error| damaged(error.to_string()))?;
    if let Some(name) = repeated_name(bytes).map_err(damaged)? {
        return Err(StateDictError::Duplicate(name));
    }
    let mut tensors = Vec::with_capacity(file.len());
    for (name, view) in file.iter() {
        let numbers = NumberType::of_safetensors(&view.dtype().to_string());
        let numbers = numbers.filter(|numbers| numbers.kind != Kind::Other).ok_or_else(|| {
            StateDictError::Type { name: name.to_owned(), found: view.dtype().to_string() }
        })?;
        let values = match numbers.kind {
            Kind::Integer => None,
            _ => Some(
                numbers
                    .floats(view.data())
                    .map_err(|found| StateDictError::Range { name: name.to_owned(), found })?,
            ),
        };
        tensors.push(Floats { name: name.to_owned(), shape: view.shape().to_vec(), values });
    }
    Ok(tensors)
}

/// A name that stands twice in the header, of which readers take the last in silence.
fn repeated_name(bytes: &[u8]) -> Result<Option<String>, String> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH>().ok_or("it is cut")?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| "it is cut")?;
    let header = rest.get(..length).ok_or("it is cut")?;
    let Names { repeated } = serde_json::from_slice(header).map_err(|error| error.to_string())?;
    Ok(repeated)
}

/// The names of a table.
struct Names {
    /// The first that is there twice.
    repeated: Option<String>,
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Table;
        impl<'de> Visitor<'de> for Table {
            type Value = Names;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<Names, A::Error> {
                let (mut names, mut repeated) = (BTreeSet::new(), None);
                while let Some((name, IgnoredAny)) = table.next_entry::<String, IgnoredAny>()? {
                    if let Some(name) = names.replace(name) {
                        repeated = repeated.or(Some(name));
                    }
                }
                Ok(Names { repeated })
            }
        }
        deserializer.deserialize_map(Table)
    }
}
