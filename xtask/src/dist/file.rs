//! A file of a package: its name there, its bytes, whether it is a program.

use std::fs;
use std::path::Path;

/// Seconds from 1970 to the first of January 1980, the date of every packed file: a zip archive knows no earlier one.
pub(super) const TIME: u64 = 315_532_800;

/// Whether a file can be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// For reading.
    Plain,
    /// A program.
    Executable,
}

impl Kind {
    /// Permissions, as Unix has them.
    pub(super) fn mode(self) -> u32 {
        match self {
            Self::Plain => 0o644,
            Self::Executable => 0o755,
        }
    }
}

/// A file of a package.
#[derive(Clone, Debug)]
pub(super) struct File {
    /// Path in the package, with slashes.
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) content: Vec<u8>,
}

impl File {
    /// A file for reading.
    pub(super) fn plain(name: impl Into<String>, content: Vec<u8>) -> Self {
        Self { name: name.into(), kind: Kind::Plain, content }
    }

    /// A program.
    pub(super) fn executable(name: impl Into<String>, content: Vec<u8>) -> Self {
        Self { name: name.into(), kind: Kind::Executable, content }
    }

    /// The same file by another name.
    pub(super) fn renamed(&self, name: String) -> Self {
        Self { name, ..self.clone() }
    }

    /// Writes it whole, or leaves what was there.
    pub(super) fn write(&self, path: &Path) -> Result<(), String> {
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".partial");
        let temporary = Path::new(&temporary);
        let written = fs::write(temporary, &self.content)
            .and_then(|()| self.permit(temporary))
            .and_then(|()| fs::rename(temporary, path));
        written.map_err(|error| {
            // That it could not be written is what there is to tell, not that nothing is there to be removed.
            let _ = fs::remove_file(temporary);
            cannot("write", path, &error)
        })
    }

    #[cfg(unix)]
    fn permit(&self, path: &Path) -> std::io::Result<()> {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(self.kind.mode()))
    }

    #[cfg(not(unix))]
    fn permit(&self, _path: &Path) -> std::io::Result<()> {
        Ok(())
    }
}

/// What could not be done with a file of the machine.
pub(super) fn cannot(what: &str, path: &Path, error: &std::io::Error) -> String {
    format!("cannot {what} {}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_written_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let taken = folder.path().join("taken");
        fs::create_dir_all(taken.join("by a folder")).unwrap();
        let message = File::plain("a", b"x".to_vec()).write(&taken).unwrap_err();
        assert!(message.starts_with("cannot write "), "{message}");
        let names: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
        assert_eq!(names, ["taken"]);
        let free = folder.path().join("free");
        File::plain("a", b"x".to_vec()).write(&free).unwrap();
        assert_eq!(fs::read(&free).unwrap(), b"x");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
