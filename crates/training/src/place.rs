//! Where a recipe is trained: what computes, and the folder of the data.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::fmt;
use std::path::PathBuf;

use serde::de::{DeserializeSeed, Error, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserializer, Serialize};

use crate::backend::Backend;

/// What computes and where the data lie: settings of a recipe's file that the weights do not depend on, as far as
/// backends round alike.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Place {
    /// Where the files of the data set are; unset means the usual places.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<PathBuf>,
    /// What computes.
    pub backend: Backend,
}

impl Default for Place {
    /// The usual places, and the backend to use if nothing was said.
    fn default() -> Self {
        Self { data_dir: None, backend: Backend::preferred() }
    }
}

impl Place {
    /// The names of its settings in the file.
    pub const SETTINGS: [&str; 2] = ["data_dir", "backend"];
}

/// A table from which the settings of a place are taken while the others are read. Unlike serde's `flatten`, it
/// leaves the others their lines in errors, and the list of the names that there are.
pub(crate) struct Beside<'a, A> {
    pub(crate) table: A,
    pub(crate) place: &'a mut Place,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Beside<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        let mut seed = Some(seed);
        loop {
            match self.table.next_key_seed(Name(&mut seed))? {
                Some(Key::DataDir) => self.place.data_dir = self.table.next_value()?,
                Some(Key::Backend) => self.place.backend = self.table.next_value()?,
                Some(Key::Other(key)) => return Ok(Some(key)),
                None => return Ok(None),
            }
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.table.next_value_seed(seed)
    }
}

/// The name of a setting: one of a place, or what the seed of the others makes of it.
enum Key<T> {
    DataDir,
    Backend,
    Other(T),
}

/// Reads a name. The seed is used up by the first name that is none of a place.
struct Name<'a, K>(&'a mut Option<K>);

impl<'de, K: DeserializeSeed<'de>> DeserializeSeed<'de> for Name<'_, K> {
    type Value = Key<K::Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de, K: DeserializeSeed<'de>> Visitor<'de> for Name<'_, K> {
    type Value = Key<K::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a setting")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        match name {
            "data_dir" => Ok(Key::DataDir),
            "backend" => Ok(Key::Backend),
            name => {
                let seed = self.0.take().ok_or_else(|| E::custom("two names for a value"))?;
                seed.deserialize(name.into_deserializer()).map(Key::Other)
            }
        }
    }
}
