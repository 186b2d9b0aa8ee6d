//! Whether a file is still as it was written.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A result of a run has changed since it was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found {found}")]
pub struct Changed {
    /// Length and checksum, as written.
    pub expected: String,
    /// Length and checksum, as read.
    pub found: String,
}

/// One file: of a data set, or a result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FileRecord {
    /// File name.
    pub name: String,
    /// Length in bytes.
    pub bytes: u64,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
}

impl FileRecord {
    /// Length and checksum of what is written as `name`.
    pub fn of(name: &str, bytes: &[u8]) -> Self {
        Self { name: name.to_owned(), bytes: bytes.len() as u64, sha256: sha256(bytes) }
    }

    /// Checks that `bytes` are what was written.
    ///
    /// # Errors
    ///
    /// If length or checksum differ.
    pub fn check(&self, bytes: &[u8]) -> Result<(), Changed> {
        let found = Self::of(&self.name, bytes);
        if found == *self {
            return Ok(());
        }
        Err(Changed {
            expected: format!(
                "{} bytes with SHA-256 {}, as manifest.json has it",
                self.bytes, self.sha256
            ),
            found: format!("{} with {}", found.bytes, found.sha256),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        // FIPS 180-4, the example of one block.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(b"abc"), abc);
    }
}
