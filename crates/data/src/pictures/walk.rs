//! Goes through the folders below one, in an order that does not depend on the file system.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::error::PicturesError;
use super::natural_order;
use super::skipped::Skipped;

/// What lies directly in a folder, without what is hidden, each in natural order.
pub(super) struct Listing {
    /// Folders, and links to folders.
    pub(super) folders: Vec<OsString>,
    /// Everything else.
    pub(super) files: Vec<OsString>,
}

/// What lies directly in a folder. What is hidden is counted.
///
/// # Errors
///
/// If the folder cannot be read.
pub(super) fn list(folder: &Path, skipped: &mut Skipped) -> Result<Listing, PicturesError> {
    let wrong = |source| PicturesError::Read { path: folder.to_owned(), source };
    let mut listing = Listing { folders: Vec::new(), files: Vec::new() };
    for entry in fs::read_dir(folder).map_err(wrong)? {
        let entry = entry.map_err(wrong)?;
        let name = entry.file_name();
        if skipped.hides(&name) {
            continue;
        }
        let kind = entry.file_type().map_err(wrong)?;
        // A link is what it leads to; one that leads nowhere is a file, which reading it will tell.
        let is_folder = kind.is_dir() || kind.is_symlink() && entry.path().is_dir();
        match is_folder {
            true => listing.folders.push(name),
            false => listing.files.push(name),
        }
    }
    for names in [&mut listing.folders, &mut listing.files] {
        names.sort_by(|a, b| natural_order::compare(a.as_encoded_bytes(), b.as_encoded_bytes()));
    }
    Ok(listing)
}

/// The pictures in a folder and in all folders below it, by extension; paths are relative to `root`.
///
/// # Errors
///
/// If a folder cannot be read, or a link leads to a folder that it lies in.
pub(super) fn pictures_below(
    root: &Path,
    folder: &Path,
    skipped: &mut Skipped,
) -> Result<Vec<PathBuf>, PicturesError> {
    let real = fs::canonicalize(root);
    let real = real.map_err(|source| PicturesError::Read { path: root.to_owned(), source })?;
    let mut walk = Walk { root, skipped, above: vec![real], found: Vec::new() };
    walk.visit(folder)?;
    walk.found.sort_by(|a, b| natural_order::compare_paths(a, b));
    Ok(walk.found)
}

struct Walk<'a> {
    root: &'a Path,
    skipped: &'a mut Skipped,
    /// The folders that the walk is in, the root first, without links.
    above: Vec<PathBuf>,
    found: Vec<PathBuf>,
}

impl Walk<'_> {
    fn visit(&mut self, folder: &Path) -> Result<(), PicturesError> {
        let path = self.root.join(folder);
        let real = fs::canonicalize(&path)
            .map_err(|source| PicturesError::Read { path: path.clone(), source })?;
        if self.above.iter().any(|above| above.starts_with(&real)) {
            return Err(PicturesError::Loop { path, target: real });
        }
        self.above.push(real);
        let listing = list(&path, self.skipped)?;
        for file in listing.files {
            let file = folder.join(file);
            if self.skipped.takes(&file) {
                self.found.push(file);
            }
        }
        for inner in listing.folders {
            self.visit(&folder.join(inner))?;
        }
        self.above.pop();
        Ok(())
    }
}

/// The pictures in a folder and in all folders below it, by extension, one after the other: in each folder first its
/// pictures and then its folders, in natural order. Holds no more than the names in the folders that it is in.
///
/// What cannot be looked into is given with its path, and the walk goes on; so is a link to a folder that it lies in.
#[derive(Debug)]
pub struct PictureWalk {
    /// What is left of the folders that the walk is in, the outermost first.
    open: Vec<OpenFolder>,
    skipped: Skipped,
}

#[derive(Debug)]
struct OpenFolder {
    path: PathBuf,
    /// Without links.
    real: PathBuf,
    files: std::vec::IntoIter<OsString>,
    folders: std::vec::IntoIter<OsString>,
}

impl PictureWalk {
    /// Begins at a folder.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read.
    pub fn below(folder: &Path) -> Result<Self, PicturesError> {
        let mut walk = Self { open: Vec::new(), skipped: Skipped::default() };
        walk.enter(folder.to_owned())?;
        Ok(walk)
    }

    fn enter(&mut self, path: PathBuf) -> Result<(), PicturesError> {
        let real = fs::canonicalize(&path);
        let real = real.map_err(|source| PicturesError::Read { path: path.clone(), source })?;
        if self.open.iter().any(|above| above.real.starts_with(&real)) {
            return Err(PicturesError::Loop { path, target: real });
        }
        let Listing { folders, files } = list(&path, &mut self.skipped)?;
        let (files, folders) = (files.into_iter(), folders.into_iter());
        self.open.push(OpenFolder { path, real, files, folders });
        Ok(())
    }
}

impl Iterator for PictureWalk {
    type Item = Result<PathBuf, (PathBuf, PicturesError)>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let folder = self.open.last_mut()?;
            if let Some(name) = folder.files.next() {
                let path = folder.path.join(name);
                if self.skipped.takes(&path) {
                    return Some(Ok(path));
                }
            } else if let Some(name) = folder.folders.next() {
                let path = folder.path.join(name);
                if let Err(error) = self.enter(path.clone()) {
                    return Some(Err((path, error)));
                }
            } else {
                self.open.pop();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_gives_all_pictures_below_and_goes_on_behind_what_cannot_be_looked_into() {
        let root = tempfile::tempdir().unwrap();
        for path in ["b/10.png", "b/2.png", "a.jpg", "b/c/x.gif", "b/notes.txt", ".hidden/y.png"] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let walk = || PictureWalk::below(root.path()).unwrap();
        let relative =
            |path: PathBuf| path.strip_prefix(root.path()).unwrap().display().to_string();
        let found: Vec<String> = walk().map(|found| relative(found.unwrap())).collect();
        assert_eq!(found, ["a.jpg", "b/2.png", "b/10.png", "b/c/x.gif"]);
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(root.path(), root.path().join("b/again")).unwrap();
            let (found, faults): (Vec<_>, Vec<_>) = walk().partition(Result::is_ok);
            assert_eq!((found.len(), faults.len()), (4, 1));
            let (path, error) = faults.into_iter().next().unwrap().unwrap_err();
            assert!(path.ends_with("b/again") && matches!(error, PicturesError::Loop { .. }));
        }
        assert!(PictureWalk::below(&root.path().join("none")).is_err());
    }
}
