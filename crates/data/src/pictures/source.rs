//! A picture's file, as a survey finds it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::part::Part;

/// A picture's file: where it is, what it shows, and by what a change of it is seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PictureFile {
    /// Its path, relative to the surveyed folder, or to that of the table.
    pub path: PathBuf,
    /// Its class, from 0.
    pub label: u16,
    /// What it is for, where the folders or the table say so.
    pub part: Option<Part>,
    /// Its size in bytes; 0 if the file cannot be asked, which reading it will tell.
    pub bytes: u64,
    /// When it was last changed, in nanoseconds since 1970; 0 if that is not known.
    pub modified: i64,
}

impl PictureFile {
    /// Asks the system for size and time of `folder/path`.
    pub(super) fn find(folder: &Path, path: PathBuf, label: u16, part: Option<Part>) -> Self {
        let metadata = fs::metadata(folder.join(&path)).ok();
        let bytes = metadata.as_ref().map_or(0, fs::Metadata::len);
        let modified =
            metadata.and_then(|metadata| metadata.modified().ok()).map_or(0, nanoseconds);
        Self { path, label, part, bytes, modified }
    }
}

fn nanoseconds(time: SystemTime) -> i64 {
    let whole =
        |duration: std::time::Duration| i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => whole(after),
        Err(before) => -whole(before.duration()),
    }
}

/// A path as text that no other path has, also where it is not UTF-8: what is not, and backslashes, stand as `\xNN`.
pub(super) fn as_text(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        text.push_str(&chunk.valid().replace('\\', "\\x5c"));
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}"); // A String takes everything.
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_is_text_stands_as_it_is() {
        assert_eq!(as_text(Path::new("kätzchen/1 a.png")), "kätzchen/1 a.png");
    }

    #[cfg(unix)]
    #[test]
    fn paths_that_are_no_text_stay_apart() {
        use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
        let paths: [&[u8]; 4] = [b"a\xff", b"a\xfe", b"a\\xff", "a\u{fffd}".as_bytes()];
        let texts = paths.map(|bytes| as_text(Path::new(OsStr::from_bytes(bytes))));
        assert_eq!(texts, ["a\\xff", "a\\xfe", "a\\x5cxff", "a\u{fffd}"]);
    }
}
