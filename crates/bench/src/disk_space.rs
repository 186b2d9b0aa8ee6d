//! How much disk space is free for a folder.

use std::path::Path;

/// What there is of the file system that a folder is on, or will be once it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DiskSpace {
    /// Bytes that whoever runs the program may still write.
    pub(crate) free: u64,
    /// Bytes of the whole file system.
    pub(crate) total: u64,
}

impl DiskSpace {
    /// Of the file system of `folder`; `None` where the system does not tell.
    pub(crate) fn of(folder: &Path) -> Option<Self> {
        let whole = std::path::absolute(folder).ok()?;
        let (free, total) = free_and_total(whole.ancestors().find(|path| path.is_dir())?)?;
        Some(Self { free, total })
    }
}

#[cfg(unix)]
fn free_and_total(folder: &Path) -> Option<(u64, u64)> {
    let told = rustix::fs::statvfs(folder).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(told.f_frsize);
    Some((bytes(told.f_bavail), bytes(told.f_blocks)))
}

#[cfg(not(unix))]
fn free_and_total(_folder: &Path) -> Option<(u64, u64)> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_folder_that_is_not_there_yet_has_the_space_of_the_one_around_it() {
        let folder = tempfile::tempdir().unwrap();
        let there = DiskSpace::of(folder.path()).unwrap();
        let later = DiskSpace::of(&folder.path().join("runs/first")).unwrap();
        assert_eq!(later.total, there.total);
        assert!(there.free <= there.total && there.total > 1 << 20, "{there:?}");
    }
}
