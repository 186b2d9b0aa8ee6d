//! Reads files that others may have put there: regular ones, and no more than they may hold.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Reads a whole file of at most `most` bytes.
///
/// # Errors
///
/// If it is not a regular file, longer than that, or cannot be read.
pub fn read_bounded(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    // Asked before opening, which would wait forever on a pipe.
    let metadata = path.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let too_long = || io::Error::other(format!("expected at most {most} bytes, found more"));
    if metadata.len() > most {
        return Err(too_long());
    }
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(usize::try_from(metadata.len()).map_err(|_| too_long())?)?;
    // Files of the system tell no length, and others may grow meanwhile.
    File::open(path)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(too_long());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_be_as_long_as_allowed_but_not_longer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, b"four").unwrap();
        assert_eq!(read_bounded(&path, 4).unwrap(), b"four");
        let message = read_bounded(&path, 3).unwrap_err().to_string();
        assert_eq!(message, "expected at most 3 bytes, found more");
        assert_eq!(
            read_bounded(&folder.path().join("none"), 4).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }

    #[test]
    fn a_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let message = read_bounded(folder.path(), 9).unwrap_err().to_string();
        assert_eq!(message, "it is not a regular file");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_never_ends_is_refused() {
        for path in ["/dev/zero", "/dev/tty"] {
            let message = read_bounded(Path::new(path), 9).unwrap_err().to_string();
            assert_eq!(message, "it is not a regular file", "{path}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_file_of_the_system_that_tells_no_length_is_read_or_refused() {
        let path = Path::new("/proc/self/status");
        assert!(read_bounded(path, 1 << 20).unwrap().starts_with(b"Name:"));
        assert!(read_bounded(path, 9).is_err());
    }
}
