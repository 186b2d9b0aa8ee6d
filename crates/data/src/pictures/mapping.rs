//! A file's bytes as memory: the system reads a page when it is looked at, and drops it when memory is scarce.

use std::fs::File;
use std::io;
use std::ops::Range;

use memmap2::Mmap;

/// A stretch of a file.
pub(super) struct Mapping {
    map: Mmap,
    range: Range<usize>,
}

impl Mapping {
    /// Maps `range` of a file, in bytes.
    ///
    /// # Errors
    ///
    /// What the system says, or that the file is shorter.
    #[allow(
        unsafe_code,
        reason = "mapping a file is unsafe, as another process may cut or change it"
    )]
    pub(super) fn of(file: &File, range: Range<usize>) -> io::Result<Self> {
        // SAFETY: this program writes such a file under another name and then renames it, so a file that bears its
        // name, and one that has been replaced while it is mapped, is never written to nor cut. Who does that from
        // outside gets other pixels, or the signal SIGBUS, as with any program that maps a file.
        let map = unsafe { Mmap::map(file)? };
        if map.get(range.clone()).is_none() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Self { map, range })
    }
}

impl AsRef<[u8]> for Mapping {
    fn as_ref(&self) -> &[u8] {
        self.map.get(self.range.clone()).unwrap_or_default()
    }
}
