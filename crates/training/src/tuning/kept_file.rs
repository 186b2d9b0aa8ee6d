//! A file of entries that several processes add to: read whole, written whole under a lock, begun anew where it is damaged.
//!
//! A line that names the format; then namespace, key and value of each entry, each behind its length as four bytes, the
//! smallest first; then the SHA-256 of all that.

// What such a file holds must not end the program.
#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]
// Without a backend that tunes, only tests use it.
#![cfg_attr(not(feature = "cube"), allow(dead_code))]

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use backburn_records::whole_file::{folder_of, remove_leftovers, write_whole};
use sha2::{Digest, Sha256};

/// Values by key, by namespace.
pub(crate) type Entries = BTreeMap<String, BTreeMap<Vec<u8>, Vec<u8>>>;

const FORMAT: &[u8] = b"backburn kept kernels 1\n";
const HASH: usize = 32;
/// The ending of the name of such a file.
pub(crate) const ENDING: &str = "kept";
/// The file in a folder that whoever writes there holds.
const LOCK: &str = "lock";
/// How long others are waited for, and between two looks.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(20);
/// Most bytes of all files of a folder; those that were written longest ago go first.
const MOST_BYTES: u64 = 256 << 20;

/// What a file holds; nothing if it is not there, or not as it was written.
pub(crate) fn read(path: &Path) -> Entries {
    fs::read(path).ok().and_then(|bytes| parsed(&bytes)).unwrap_or_default()
}

/// Adds entries to a file. What it holds under the same key stays. Makes its folder, and keeps that within its limit.
///
/// # Errors
///
/// What the system says. The file is as before then.
pub(crate) fn add(path: &Path, entries: &Entries) -> io::Result<()> {
    let folder = folder_of(path);
    fs::create_dir_all(folder)?;
    let _lock = Lock::take(folder)?;
    // Of processes that were killed; nobody else writes here now.
    remove_leftovers(folder)?;
    let before = read(path);
    let mut all = entries.clone();
    for (namespace, kept) in &before {
        all.entry(namespace.clone()).or_default().extend(kept.clone());
    }
    if all == before && path.is_file() {
        return Ok(());
    }
    let mut bytes = written(&all);
    if bytes.len() as u64 > MOST_BYTES {
        // Without what earlier processes had.
        bytes = written(entries);
    }
    if bytes.len() as u64 <= MOST_BYTES {
        write_whole(path, &bytes)?;
    }
    // That there is too much is no reason to say that nothing was written.
    let _ = keep_within(folder, path, MOST_BYTES);
    Ok(())
}

/// The SHA-256 of entries, in hexadecimal digits.
pub(crate) fn digest(entries: &Entries) -> String {
    let bytes = written(entries);
    let (_, hash) = bytes.split_at(bytes.len() - HASH);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn written(entries: &Entries) -> Vec<u8> {
    let mut bytes = FORMAT.to_vec();
    for (namespace, kept) in entries {
        for (key, value) in kept {
            for part in [namespace.as_bytes(), key, value] {
                // Longer ones than four gigabytes are no keys, choices or kernels.
                bytes.extend(u32::try_from(part.len()).unwrap_or(0).to_le_bytes());
                bytes.extend(part);
            }
        }
    }
    let hash = Sha256::digest(&bytes);
    bytes.extend(hash);
    bytes
}

fn parsed(bytes: &[u8]) -> Option<Entries> {
    let (body, hash) = bytes.split_at_checked(bytes.len().checked_sub(HASH)?)?;
    if Sha256::digest(body).as_slice() != hash {
        return None;
    }
    let mut rest = body.strip_prefix(FORMAT)?;
    let mut entries = Entries::new();
    while !rest.is_empty() {
        let namespace = String::from_utf8(part(&mut rest)?.to_vec()).ok()?;
        let (key, value) = (part(&mut rest)?.to_vec(), part(&mut rest)?.to_vec());
        entries.entry(namespace).or_default().insert(key, value);
    }
    Some(entries)
}

/// What stands behind a length, which is taken off too.
fn part<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (part, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    *bytes = rest;
    Some(part)
}

/// Removes files of a folder until all are within a limit, those written longest ago first, but not `newest`.
fn keep_within(folder: &Path, newest: &Path, most_bytes: u64) -> io::Result<()> {
    let mut files: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
    for file in fs::read_dir(folder)? {
        let path = file?.path();
        // One that was removed meanwhile takes no space.
        let Ok(about) = path.metadata() else { continue };
        if path.extension().is_some_and(|it| it == ENDING) {
            files.push((about.modified()?, about.len(), path));
        }
    }
    files.sort();
    let mut bytes: u64 = files.iter().map(|file| file.1).sum();
    for (_, length, path) in files.iter().filter(|file| file.2 != newest) {
        if bytes <= most_bytes {
            break;
        }
        fs::remove_file(path)?;
        bytes -= length;
    }
    Ok(())
}

/// Held while files of a folder are written. The system releases it when the process ends, however it ends.
struct Lock(File);

impl Lock {
    fn take(folder: &Path) -> io::Result<Self> {
        let path = folder.join(LOCK);
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        let started = Instant::now();
        // Some network file systems have no locks; there two processes at once may lose what one of them has chosen.
        while matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
            // Whoever holds it writes for a moment, unless it was stopped in that moment.
            if started.elapsed() > PATIENCE {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "another process holds its lock",
                ));
            }
            sleep(PAUSE);
        }
        Ok(Self(file))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "over its own files")]
mod tests {
    use super::*;

    fn entries(of: &[(&str, &str, &str)]) -> Entries {
        let mut entries = Entries::new();
        for (namespace, key, value) in of {
            let values = entries.entry((*namespace).to_owned()).or_default();
            values.insert(key.as_bytes().to_vec(), value.as_bytes().to_vec());
        }
        entries
    }

    #[test]
    fn what_is_written_is_read_and_what_is_added_later_comes_beside_it() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("new/card.kept");
        assert_eq!(read(&path), Entries::new());
        add(&path, &entries(&[("autotune/a", "k", "1"), ("autotune/b", "", "")])).unwrap();
        add(&path, &entries(&[("autotune/a", "k", "2"), ("autotune/a", "l", "3")])).unwrap();
        let both =
            entries(&[("autotune/a", "k", "1"), ("autotune/a", "l", "3"), ("autotune/b", "", "")]);
        assert_eq!(read(&path), both);
    }

    #[test]
    fn a_file_that_is_not_as_it_was_written_is_begun_anew() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("card.kept");
        let one = entries(&[("autotune", "key", "value")]);
        add(&path, &one).unwrap();
        let whole = fs::read(&path).unwrap();
        for length in 0..whole.len() {
            assert_eq!(parsed(&whole[..length]), None, "{length}");
        }
        for place in 0..whole.len() {
            let mut changed = whole.clone();
            changed[place] ^= 1;
            assert_eq!(parsed(&changed), None, "{place}");
        }
        fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        // What a process leaves that is killed while it writes.
        let leftover = place.path().join(".backburn-x.tmp");
        fs::write(&leftover, "").unwrap();
        assert_eq!(read(&path), Entries::new());
        add(&path, &one).unwrap();
        assert_eq!(read(&path), one);
        assert!(!leftover.exists());
    }

    #[test]
    fn several_writers_at_once_lose_nothing() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("card.kept");
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let path = &path;
                scope.spawn(move || {
                    for number in 0..10 {
                        let key = format!("{writer} {number}");
                        add(path, &entries(&[("autotune", &key, "1")])).unwrap();
                    }
                });
            }
        });
        assert_eq!(read(&path)["autotune"].len(), 40);
    }

    #[test]
    fn the_oldest_files_of_a_folder_over_its_limit_go() {
        let place = tempfile::tempdir().unwrap();
        let names = ["old.kept", "newer.kept", "newest.kept", "other.txt"];
        let paths = names.map(|name| place.path().join(name));
        for (age, path) in paths.iter().rev().enumerate() {
            fs::write(path, [0; 100]).unwrap();
            let file = OpenOptions::new().write(true).open(path).unwrap();
            let written = SystemTime::now() - std::time::Duration::from_secs(60 * age as u64);
            file.set_modified(written).unwrap();
        }
        keep_within(place.path(), &paths[2], 250).unwrap();
        assert_eq!(paths.clone().map(|path| path.is_file()), [false, true, true, true]);
        keep_within(place.path(), &paths[2], 0).unwrap();
        assert_eq!(paths.map(|path| path.is_file()), [false, false, true, true]);
    }

    #[test]
    fn the_digest_is_that_of_the_entries() {
        let one = entries(&[("a", "k", "1")]);
        assert_eq!(digest(&one), digest(&one.clone()));
        assert_ne!(digest(&one), digest(&entries(&[("a", "k", "2")])));
        assert_eq!(digest(&one).len(), 2 * HASH);
    }
}
