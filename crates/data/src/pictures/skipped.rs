//! What lay among the pictures and was not taken.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::counted::counted;

/// How many files were left out, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Files whose extension is none of a picture, by extension in lower case; empty for files without one.
    pub by_extension: BTreeMap<String, usize>,
    /// Hidden files and folders: a dot before the name, `__MACOSX`, `Thumbs.db`, `desktop.ini`. A folder counts once.
    pub hidden: usize,
    /// Pictures that lie beside the folders of the classes and so have none.
    pub without_class: usize,
}

/// The extensions of files that are taken for pictures, in lower case.
pub(super) const EXTENSIONS: [&str; 7] = ["png", "jpg", "jpeg", "jfif", "webp", "bmp", "gif"];

impl Skipped {
    /// Number of files and hidden folders that were left out.
    pub fn total(&self) -> usize {
        self.by_extension.values().sum::<usize>() + self.hidden + self.without_class
    }

    /// Whether a name is a hidden one; then it is counted.
    pub(super) fn hides(&mut self, name: &OsStr) -> bool {
        let hidden = is_hidden(name);
        self.hidden += usize::from(hidden);
        hidden
    }

    /// Whether a file is taken by its extension; if it is not, it is counted.
    pub(super) fn takes(&mut self, path: &Path) -> bool {
        let extension = extension(path);
        let taken = EXTENSIONS.contains(&extension.as_str());
        if !taken {
            *self.by_extension.entry(extension).or_default() += 1;
        }
        taken
    }
}

/// What the system or a program has put there for itself.
fn is_hidden(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    let named = ["__macosx", "thumbs.db", "desktop.ini"];
    name.starts_with('.') || named.contains(&name.to_lowercase().as_str())
}

/// In lower case, empty if there is none.
fn extension(path: &Path) -> String {
    path.extension()
        .map_or_else(String::new, |extension| extension.to_string_lossy().to_lowercase())
}

impl fmt::Display for Skipped {
    /// Such as `3 .txt, 1 without extension, 2 hidden`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of_extension =
            self.by_extension.iter().map(|(extension, count)| match extension.as_str() {
                "" => format!("{count} without extension"),
                extension => format!("{count} .{extension}"),
            });
        let hidden = self.hidden;
        let beside = counted(self.without_class, "picture") + " beside the class folders";
        let others = [
            (hidden > 0).then(|| format!("{hidden} hidden")),
            (self.without_class > 0).then_some(beside),
        ];
        let all: Vec<String> = of_extension.chain(others.into_iter().flatten()).collect();
        f.write_str(&if all.is_empty() { "nothing".to_owned() } else { all.join(", ") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_taken_by_extension_in_any_case_and_all_else_is_counted() {
        let mut skipped = Skipped::default();
        for name in ["a.png", "a.PNG", "b.JpEg", "c.jfif", "d.webp", "e.BMP", "f.gif", "g.jpg"] {
            assert!(skipped.takes(Path::new(name)), "{name}");
        }
        for name in ["a.txt", "b.TXT", "c", "d.tiff", "png"] {
            assert!(!skipped.takes(Path::new(name)), "{name}");
        }
        for name in [".a.png", "__MACOSX", "Thumbs.db", "DESKTOP.INI", ".git"] {
            assert!(skipped.hides(OsStr::new(name)), "{name}");
        }
        assert!(!skipped.hides(OsStr::new("a.png")));
        assert_eq!(skipped.to_string(), "2 without extension, 1 .tiff, 2 .txt, 5 hidden");
        assert_eq!(skipped.total(), 10);
        assert_eq!(Skipped::default().to_string(), "nothing");
    }
}
