//! A folder of panels, one for each picture that was explained, by the pictures' names.

use std::collections::HashSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use backburn_records::origin::Origin;

use crate::error::ReportError;
use crate::figure::ExplanationPanel;
use crate::write::write_png;

/// A folder that was empty, and the names that were given in it.
#[derive(Debug)]
pub struct ExplanationPanels {
    folder: PathBuf,
    /// In lower case: some file systems take both cases for the same.
    taken: HashSet<String>,
}

impl ExplanationPanels {
    /// Makes the folder if it is not there.
    ///
    /// # Errors
    ///
    /// If it holds something, which could be written over, or cannot be made or read.
    pub fn create(folder: &Path) -> Result<Self, ReportError> {
        let failed = |source| ReportError::Write { path: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(failed)?;
        if fs::read_dir(folder).map_err(failed)?.next().is_some() {
            return Err(ReportError::NotEmpty { path: folder.to_owned() });
        }
        Ok(Self { folder: folder.to_owned(), taken: HashSet::new() })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file for the panel of a picture: the picture's own name, with the folders that it is named with, and the
    /// ending `png`; with a number behind it where another picture has that already. `name`: a path that is not left,
    /// whatever stands in it.
    pub fn file_for(&mut self, name: &Path) -> PathBuf {
        let parts = name.components().filter(|part| matches!(part, Component::Normal(_)));
        let plain: PathBuf = parts.collect();
        let stem = plain.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let named = |number: usize| match number {
            1 => plain.with_file_name(format!("{stem}.png")),
            _ => plain.with_file_name(format!("{stem}-{number}.png")),
        };
        let mut number = 1;
        // One more name than there are taken ones is free.
        while !self.taken.insert(named(number).to_string_lossy().to_lowercase()) {
            number += 1;
        }
        self.folder.join(named(number))
    }
}

/// Draws a panel and writes it to `file`, with the folders that it needs.
///
/// # Errors
///
/// If it cannot be drawn or written.
pub fn write_panel(
    panel: &ExplanationPanel,
    file: &Path,
    origin: &Origin,
) -> Result<(), ReportError> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)
            .map_err(|source| ReportError::Write { path: folder.to_owned(), source })?;
    }
    write_png(&panel.draw(), file, origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panels_have_the_names_of_their_pictures_and_none_is_another_ones() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        let mut panels = ExplanationPanels::create(&path).unwrap();
        let mut file = |name: &str| {
            let file = panels.file_for(Path::new(name));
            file.strip_prefix(&path).unwrap().to_str().unwrap().to_owned()
        };
        assert_eq!(file("cat/1.jpg"), "cat/1.png");
        assert_eq!(file("dog/1.jpg"), "dog/1.png");
        assert_eq!(file("cat/1.png"), "cat/1-2.png");
        assert_eq!(file("CAT/1.gif"), "CAT/1-3.png");
        assert_eq!(file("../../cat/2.v2.jpg"), "cat/2.v2.png");
        assert_eq!(file("/etc/x"), "etc/x.png");
    }

    #[test]
    fn a_folder_that_holds_something_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        ExplanationPanels::create(folder.path()).unwrap();
        fs::write(folder.path().join("x"), "kept").unwrap();
        let message = ExplanationPanels::create(folder.path()).unwrap_err().to_string();
        assert!(message.contains("expected a new or empty folder"), "{message}");
        assert!(ExplanationPanels::create(&folder.path().join("x")).is_err());
    }
}
