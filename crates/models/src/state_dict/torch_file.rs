//! What `torch.save` writes: a pickle, and beside it the numbers that it points to. Since PyTorch 1.6 in a zip archive,
//! before in a file of pickles with the numbers behind them.

use std::collections::BTreeMap;

use crate::state_dict::error::StateDictError;
use crate::state_dict::number_type::NumberType;
use crate::state_dict::pickle::{Pickle, Value};
use crate::state_dict::zip::Archive;

/// Beginning of a file of the old format behind the byte of the protocol: a number that says what it is.
const MAGIC: &[u8] = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

/// Version of the old format.
const LEGACY_VERSION: i128 = 1001;

/// A pickle with the numbers that it points to.
#[derive(Debug)]
pub(super) struct TorchFile<'a> {
    pub(super) pickle: Pickle<'a>,
    numbers: Numbers<'a>,
}

#[derive(Debug)]
enum Numbers<'a> {
    /// Records of an archive, and the name of the folder that they are in.
    Archive(Archive<'a>, &'a str),
    /// Bytes by key.
    File(BTreeMap<&'a str, &'a [u8]>),
}

/// Whether bytes begin like a file of the old format.
pub(super) fn is_legacy(bytes: &[u8]) -> bool {
    let pickle = match bytes {
        [0x80, _, rest @ ..] => rest,
        _ => return false,
    };
    // From protocol 4 on the number may stand in a frame.
    let framed = pickle.strip_prefix(b"\x95").and_then(|frame| frame.get(8..));
    framed.unwrap_or(pickle).starts_with(MAGIC)
}

/// Reads an archive.
///
/// # Errors
///
/// If it is damaged, or not one of `torch.save`.
pub(super) fn read_archive(bytes: &[u8]) -> Result<TorchFile<'_>, StateDictError> {
    const FORMAT: &str = "zip";
    const PICKLE: &str = "/data.pkl";
    let archive = Archive::read(bytes).map_err(|reason| damaged(FORMAT, reason))?;
    let folders: Vec<&str> = archive.names().filter_map(|name| name.strip_suffix(PICKLE)).collect();
    let &[folder] = folders.as_slice() else {
        return Err(StateDictError::Format("a zip archive without one record `data.pkl`"));
    };
    let get = |name: &str| archive.get(name).map_err(|reason| damaged(FORMAT, reason));
    if archive.names().any(|name| name.strip_prefix(folder) == Some("/constants.pkl")) {
        return Err(StateDictError::Object("a TorchScript program".to_owned()));
    }
    let order = format!("{folder}/byteorder");
    if archive.names().any(|name| name == order) && get(&order)? != b"little" {
        return Err(StateDictError::Format("one whose numbers begin with their highest byte"));
    }
    let pickle = get(&format!("{folder}{PICKLE}"))?;
    let pickle = Pickle::read(pickle).map_err(|reason| damaged("pickle", reason))?;
    Ok(TorchFile { pickle, numbers: Numbers::Archive(archive, folder) })
}

/// Reads a file of the old format: pickles of a magic number, a version, the machine, what is saved, the keys of its
/// storages; then the storages, each behind its number of numbers.
///
/// # Errors
///
/// If it is damaged.
pub(super) fn read_legacy(bytes: &[u8]) -> Result<TorchFile<'_>, StateDictError> {
    let fault = |reason: String| damaged("PyTorch", reason);
    let mut rest = bytes;
    let mut next = || -> Result<Pickle<'_>, String> {
        let pickle = Pickle::read(rest)?;
        rest = rest.get(pickle.length..).unwrap_or_default();
        Ok(pickle)
    };
    let mut pickles = || Ok([next()?, next()?, next()?, next()?, next()?]);
    let [_, version, machine, pickle, keys] = pickles().map_err(fault)?;
    if !matches!(version.root(), Value::Integer(LEGACY_VERSION)) {
        return Err(fault("it is of another version than 1001".to_owned()));
    }
    // The pickle of the machine is {"protocol_version": 1001, "little_endian": True, …}.
    if is_big_endian(&machine) {
        return Err(StateDictError::Format("one whose numbers begin with their highest byte"));
    }
    let numbers = storages(rest, &pickle, &keys).map_err(fault)?;
    Ok(TorchFile { pickle, numbers: Numbers::File(numbers) })
}

fn is_big_endian(machine: &Pickle<'_>) -> bool {
    let Value::Dictionary(entries) = machine.root() else { return false };
    entries.iter().any(|(key, value)| {
        matches!(machine.at(*key), Value::Text("little_endian"))
            && matches!(machine.at(*value), Value::Bool(false))
    })
}

/// The bytes of each storage.
fn storages<'a>(
    mut rest: &'a [u8],
    pickle: &Pickle<'a>,
    keys: &Pickle<'a>,
) -> Result<BTreeMap<&'a str, &'a [u8]>, String> {
    let Value::Sequence(places) = keys.root() else {
        return Err("the keys of its storages are no list".to_owned());
    };
    let known: BTreeMap<&str, _> = pickle.storages().map(|it| (it.key, it.numbers)).collect();
    let mut found = BTreeMap::new();
    for place in places {
        let Value::Text(key) = keys.at(*place) else {
            return Err("the key of a storage is no text".to_owned());
        };
        let numbers: &NumberType = known.get(key).ok_or("a storage belongs to nothing")?;
        let (count, behind) = rest.split_first_chunk::<8>().ok_or("it is cut")?;
        let bytes = usize::try_from(u64::from_le_bytes(*count)).ok();
        let bytes = bytes.and_then(|count| count.checked_mul(numbers.bytes));
        let cut = bytes.and_then(|bytes| behind.split_at_checked(bytes));
        let (own, after) = cut.ok_or_else(|| format!("it is cut in the storage `{key}`"))?;
        found.insert(*key, own);
        rest = after;
    }
    Ok(found)
}

impl<'a> TorchFile<'a> {
    /// The bytes of the storage that is called `key`.
    ///
    /// # Errors
    ///
    /// If there is none, or it is damaged.
    pub(super) fn storage(&self, key: &str) -> Result<&'a [u8], StateDictError> {
        match &self.numbers {
            Numbers::Archive(archive, folder) => archive
                .get(&format!("{folder}/data/{key}"))
                .map_err(|reason| damaged("zip", reason)),
            Numbers::File(storages) => storages
                .get(key)
                .copied()
                .ok_or_else(|| damaged("PyTorch", format!("it lacks the storage `{key}`"))),
        }
    }
}

fn damaged(format: &'static str, reason: String) -> StateDictError {
    StateDictError::Damaged { format, reason }
}
