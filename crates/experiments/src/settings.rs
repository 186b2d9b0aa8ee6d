//! What an experiment trains, setting by setting, before anything is trained.
//!
//! `settings/<name>.toml` says what it should be, and where in the sources that stands;
//! `tests/settings.rs` holds the code against it.

use serde::Serialize;
use serde_json::{Map, Value};

/// The settings of an experiment's arms: by arm, then by name, those of a part in a map of their own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings(pub Map<String, Value>);

impl Settings {
    /// Adds an arm, whose settings stand in `parts`: maps that have no name in common.
    ///
    /// # Panics
    ///
    /// If a part is no map, or two parts, or two arms, have a name in common.
    #[must_use]
    pub(crate) fn arm(mut self, name: impl Into<String>, parts: &[&dyn Part]) -> Self {
        let mut arm = Map::new();
        for part in parts {
            for (name, value) in part.settings() {
                let before = arm.insert(name.clone(), value);
                assert!(before.is_none(), "two parts of an arm set `{name}`");
            }
        }
        let name = name.into();
        let before = self.0.insert(name.clone(), Value::Object(arm));
        assert!(before.is_none(), "two arms are named `{name}`");
        self
    }
}

/// Some of an arm's settings.
pub(crate) trait Part {
    /// The settings by name. One that is not set is left out.
    fn settings(&self) -> Map<String, Value>;
}

impl<T: Serialize> Part for T {
    fn settings(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(settings)) => {
                settings.into_iter().filter(|(_, value)| !value.is_null()).collect()
            }
            other => panic!("settings are a map, found {other:?}"),
        }
    }
}
