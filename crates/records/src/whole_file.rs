//! Writing a file whole or not at all: the one place where this program does so.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// What the name of a file begins with while it is written.
const PREFIX: &str = ".backburn-";
/// What the name of a file ends with while it is written.
const SUFFIX: &str = ".tmp";

/// Writes a file under a temporary name in the same folder, syncs it, renames it, and syncs the
/// folder. Whoever reads the file, also after a crash, finds the old content or the new one.
///
/// # Errors
///
/// What the system says. The old content is still there then, and nothing else.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_checked(path, bytes, |_| Ok(()))
}

/// Writes like [`write_whole`], but before the new content takes the old one's place it is read
/// back and compared, and `before` makes ready for it.
///
/// # Errors
///
/// What the system says, or that other bytes were read than written.
pub fn replace_verified(
    path: &Path,
    bytes: &[u8],
    before: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    write_checked(path, bytes, |temporary| {
        if fs::read(temporary)? != bytes {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "other bytes were read back than had been written",
            ));
        }
        before()
    })
}

fn write_checked(
    path: &Path,
    bytes: &[u8],
    check: impl FnOnce(&Path) -> io::Result<()>,
) -> io::Result<()> {
    let folder = folder_of(path);
    // Removes itself if anything below fails.
    let mut file = tempfile::Builder::new().prefix(PREFIX).suffix(SUFFIX).tempfile_in(folder)?;
    // Past the wrapper, which would put the temporary name into the message.
    file.as_file_mut().write_all(bytes)?;
    file.as_file().sync_all()?;
    // Temporary files are private; results are for everyone that the folder is for.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
    }
    check(file.path())?;
    file.persist(path).map_err(|error| error.error)?;
    sync_folder(folder)
}

/// Makes sure that what was renamed in a folder stays so when the machine stops.
///
/// # Errors
///
/// What the system says; other systems than Unix cannot open a folder and are not asked.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    match fs::File::open(folder)?.sync_all() {
        // Some file systems, such as a few network ones, know no such thing.
        Err(error)
            if matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::InvalidInput) =>
        {
            Ok(())
        }
        synced => synced,
    }
}

/// Removes the temporary files that a killed process has left in a folder. Only for a folder that no
/// other process writes to.
///
/// # Errors
///
/// If the folder cannot be read or a file not be removed.
pub fn remove_leftovers(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if is_leftover(&entry.file_name()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Whether a file of this name is a temporary one, half written perhaps.
pub fn is_leftover(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with(PREFIX) && name.ends_with(SUFFIX)
}

/// The folder that a file is in; that of a bare name is the current one.
pub fn folder_of(path: &Path) -> &Path {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        entries.map(|name| name.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_file_is_replaced_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        write_whole(&path, b"one").unwrap();
        write_whole(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(names(folder.path()), ["a.txt"]);
    }

    #[test]
    fn what_fails_leaves_the_old_content_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        write_whole(&path, b"one").unwrap();
        let refused = replace_verified(&path, b"two", || Err(io::ErrorKind::StorageFull.into()));
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!(names(folder.path()), ["a.txt"]);
    }

    #[test]
    fn leftovers_of_a_killed_process_are_removed_and_other_files_are_not() {
        let folder = tempfile::tempdir().unwrap();
        for name in [".backburn-x7Ya2.tmp", ".backburn-notes", "notes.tmp", "a.txt"] {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        remove_leftovers(folder.path()).unwrap();
        let mut left = names(folder.path());
        left.sort();
        assert_eq!(left, [".backburn-notes", "a.txt", "notes.tmp"]);
    }
}
