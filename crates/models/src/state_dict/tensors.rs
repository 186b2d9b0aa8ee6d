//! A state dictionary inside what `torch.save` wrote, and its tensors' numbers.

use std::collections::{BTreeMap, BTreeSet};

use crate::state_dict::error::StateDictError;
use crate::state_dict::number_type::Kind;
use crate::state_dict::pickle::{Pickle, Place, Tensor, Value};
use crate::state_dict::torch_file::TorchFile;

/// A tensor of 32-bit floats, row by row; without numbers if it is of integers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Floats {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    /// `None` if they are whole numbers.
    pub(super) values: Option<Vec<f32>>,
}

/// The tensors of the one state dictionary in a file.
///
/// # Errors
///
/// If there is none or more than one, or a tensor is damaged or of another type. All tensors together may have as many
/// numbers as the file has bytes, `most`: a few can be shared, but not one be everywhere.
pub(super) fn tensors(file: &TorchFile<'_>, most: usize) -> Result<Vec<Floats>, StateDictError> {
    let pickle = &file.pickle;
    let entries = state_dict(pickle)?;
    let mut left = most;
    let mut names = BTreeSet::new();
    let mut tensors = Vec::with_capacity(entries.len());
    for (name, place) in entries {
        if !names.insert(name) {
            return Err(StateDictError::Duplicate(name.to_owned()));
        }
        let Value::Tensor(tensor) = pickle.at(*place) else {
            let found = pickle.at(*place).kind();
            return Err(StateDictError::NoTensor { name: name.to_owned(), found });
        };
        let expanded = || StateDictError::Expanded { name: name.to_owned(), most };
        let shape: Option<Vec<usize>> =
            tensor.shape.iter().map(|&size| usize::try_from(size).ok()).collect();
        let shape = shape.ok_or_else(expanded)?;
        let values = match tensor.numbers.kind {
            Kind::Integer => None,
            Kind::Other => {
                let (name, found) = (name.to_owned(), tensor.numbers.name.to_owned());
                return Err(StateDictError::Type { name, found });
            }
            _ => {
                let count = shape.iter().try_fold(1_usize, |all, &size| all.checked_mul(size));
                let count = count.filter(|count| *count <= left).ok_or_else(expanded)?;
                left -= count;
                Some(values(file, name, tensor, count)?)
            }
        };
        tensors.push(Floats { name: name.to_owned(), shape, values });
    }
    Ok(tensors)
}

type Entry<'a, 'p> = (&'a str, &'p Place);

/// The entries of a dictionary of tensors, if it is one.
fn tensors_by_name<'a, 'p>(
    pickle: &'p Pickle<'a>,
    value: &'p Value<'a>,
) -> Option<Vec<Entry<'a, 'p>>> {
    let Value::Dictionary(entries) = value else { return None };
    let entry = |(name, value): &'p (Place, Place)| match (pickle.at(*name), pickle.at(*value)) {
        (Value::Text(name), Value::Tensor(_)) => Some((*name, value)),
        _ => None,
    };
    entries.iter().map(entry).collect::<Option<Vec<_>>>().filter(|tensors| !tensors.is_empty())
}

/// The state dictionary: what is saved, or the one entry of it that is one.
fn state_dict<'a, 'p>(pickle: &'p Pickle<'a>) -> Result<Vec<Entry<'a, 'p>>, StateDictError> {
    let entries = match pickle.root() {
        Value::Dictionary(entries) => entries,
        Value::Object(name) => return Err(StateDictError::Object(name.to_string())),
        other => return Err(StateDictError::NoTensors(other.kind())),
    };
    // An entry may be there a thousand times, and is looked at once.
    let places: BTreeSet<Place> = entries.iter().map(|(_, value)| *value).collect();
    let inside: BTreeMap<Place, _> = places
        .into_iter()
        .filter_map(|place| Some((place, tensors_by_name(pickle, pickle.at(place))?)))
        .collect();
    let named: Vec<String> = entries
        .iter()
        .filter(|(_, value)| inside.contains_key(value))
        .map(|(name, _)| text(pickle, *name))
        .collect();
    match (inside.into_values().next(), named.as_slice()) {
        (Some(tensors), [_]) => Ok(tensors),
        (Some(_), _) => Err(StateDictError::Several(listed(&named))),
        (None, _) => own_tensors(pickle, entries),
    }
}

/// The entries of what is saved, if there are tensors among them.
fn own_tensors<'a, 'p>(
    pickle: &'p Pickle<'a>,
    entries: &'p [(Place, Place)],
) -> Result<Vec<Entry<'a, 'p>>, StateDictError> {
    let has = |wanted: fn(&Value<'a>) -> bool| {
        entries.iter().find(|(_, value)| wanted(pickle.at(*value)))
    };
    if has(|value| matches!(value, Value::Tensor(_))).is_some() {
        let named = entries.iter().map(|(name, value)| match pickle.at(*name) {
            Value::Text(name) => Ok((*name, value)),
            other => Err(StateDictError::NoTensors(format!("{} as a tensor's name", other.kind()))),
        });
        return named.collect();
    }
    if let Some((name, value)) = has(|value| matches!(value, Value::Object(_))) {
        let found = pickle.at(*value).kind();
        return Err(StateDictError::Object(format!("{}: {found}", text(pickle, *name))));
    }
    let names: Vec<String> = entries.iter().map(|(name, _)| text(pickle, *name)).collect();
    Err(StateDictError::NoTensors(match names.as_slice() {
        [] => "an empty dictionary".to_owned(),
        names => format!("a dictionary without tensors, of {}", listed(names)),
    }))
}

/// The first few names.
fn listed(names: &[String]) -> String {
    const MOST: usize = 8;
    let more = if names.len() > MOST { ", …" } else { "" };
    let names: Vec<&str> = names.iter().take(MOST).map(String::as_str).collect();
    names.join(", ") + more
}

fn text(pickle: &Pickle<'_>, place: Place) -> String {
    match pickle.at(place) {
        Value::Text(text) => format!("`{text}`"),
        Value::Integer(number) => number.to_string(),
        other => other.kind(),
    }
}

/// A tensor's numbers, row by row.
fn values(
    file: &TorchFile<'_>,
    name: &str,
    tensor: &Tensor<'_>,
    count: usize,
) -> Result<Vec<f32>, StateDictError> {
    let bytes = file.storage(tensor.storage.key)?;
    let width = tensor.numbers.bytes;
    let numbers = (bytes.len() / width) as u64;
    let said = tensor.storage.count.checked_mul(tensor.storage.numbers.bytes as u64);
    let bounds = || {
        let Tensor { offset, shape, strides, .. } = tensor;
        let found = format!("offset {offset}, shape {shape:?}, strides {strides:?}");
        StateDictError::Bounds { name: name.to_owned(), numbers, found }
    };
    if said != Some(bytes.len() as u64) {
        return Err(bounds());
    }
    if count == 0 {
        return Ok(Vec::new());
    }
    let last =
        tensor.shape.iter().zip(&tensor.strides).try_fold(tensor.offset, |last, (size, stride)| {
            last.checked_add(size.checked_sub(1)?.checked_mul(*stride)?)
        });
    if last.is_none_or(|last| last >= numbers) {
        return Err(bounds());
    }
    // Every number that is asked for lies in the storage, whose length is one of this machine's sizes.
    let at = |place: u64| bytes.get(place as usize * width..(place as usize + 1) * width);
    let in_order = if is_in_order(tensor) {
        let from = tensor.offset as usize * width;
        bytes.get(from..from + count * width).ok_or_else(bounds)?.to_vec()
    } else {
        let mut gathered = Vec::with_capacity(count * width);
        for place in places(tensor, count) {
            gathered.extend_from_slice(at(place).ok_or_else(bounds)?);
        }
        gathered
    };
    let floats = tensor.numbers.floats(&in_order);
    floats.map_err(|found| StateDictError::Range { name: name.to_owned(), found })
}

/// Whether the numbers lie side by side, row by row.
fn is_in_order(tensor: &Tensor<'_>) -> bool {
    let mut expected = 1;
    tensor.shape.iter().zip(&tensor.strides).rev().all(|(&size, &stride)| {
        let fits = size == 1 || stride == expected;
        expected *= size;
        fits
    })
}

/// Where the numbers lie in the storage, row by row.
fn places(tensor: &Tensor<'_>, count: usize) -> impl Iterator<Item = u64> {
    let axes: Vec<(u64, u64)> =
        tensor.shape.iter().copied().zip(tensor.strides.iter().copied()).collect();
    let offset = tensor.offset;
    (0..count as u64).map(move |number| {
        let mut rest = number;
        axes.iter().rev().fold(offset, |place, (size, stride)| {
            let index = rest % size;
            rest /= size;
            place + index * stride
        })
    })
}
