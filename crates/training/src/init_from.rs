//! Weights that exist, as a recipe names them: a file, and what it must be.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Digits of a SHA-256 in hexadecimal.
const DIGITS: usize = 64;

/// The file whose weights a training begins with, in place of those that the recipe's initialization draws.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InitFrom {
    /// A safetensors file, one of `torch.save`, or the folder of a run, whose weights they are then. A run's
    /// config.toml has the whole path of a file.
    pub file: PathBuf,
    /// SHA-256 of the file, in hexadecimal. A run's config.toml has it, so that nothing else repeats the run; if it is
    /// not given, any file will do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

impl InitFrom {
    /// The name of the setting.
    pub(crate) const SETTING: &str = "init_from";

    /// Whatever is in the file now.
    pub fn file(path: &Path) -> Self {
        Self { file: path.to_owned(), sha256: None }
    }

    /// # Errors
    ///
    /// If the path cannot be written to config.toml, or the checksum is none.
    pub fn check(&self) -> Result<(), String> {
        if self.file.to_str().is_none() {
            return Err(format!(
                "`init_from.file`: expected a path in UTF-8, to be written to config.toml, found \
                 {}",
                self.file.display()
            ));
        }
        match &self.sha256 {
            Some(sum) if sum.len() != DIGITS || !sum.bytes().all(|it| it.is_ascii_hexdigit()) => {
                Err(format!(
                    "`init_from.sha256`: expected {DIGITS} hexadecimal digits, found `{sum}`; \
                     leave it out to take the file as it is"
                ))
            }
            _ => Ok(()),
        }
    }
}
