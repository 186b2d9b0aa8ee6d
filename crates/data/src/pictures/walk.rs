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
