//! The pictures that paths name: files, folders with all below them, or a list of both.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use super::walk::PictureWalk;

/// A picture that was named, or a place that cannot be looked into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed {
    /// A picture's file, which need not be there.
    Picture {
        /// The file.
        path: PathBuf,
        /// What it is called: its path from the folder that was named on, or else the file's own name.
        name: PathBuf,
    },
    /// A place with the reason why it cannot be looked into.
    Fault(PathBuf, String),
}

impl Listed {
    /// The file or place.
    pub fn path(&self) -> &Path {
        let (Self::Picture { path, .. } | Self::Fault(path, _)) = self;
        path
    }
}

/// The pictures that a path names: the file itself, or those in the folder and in all folders below it, as they are
/// found.
pub fn listed(path: PathBuf) -> Box<dyn Iterator<Item = Listed>> {
    if !path.is_dir() {
        let name = path.file_name().unwrap_or_default().into();
        return Box::new([Listed::Picture { path, name }].into_iter());
    }
    match PictureWalk::below(&path) {
        Ok(walk) => Box::new(walk.map(move |found| match found {
            Ok(found) => {
                let name = found.strip_prefix(&path).unwrap_or(&found).to_owned();
                Listed::Picture { path: found, name }
            }
            Err((path, error)) => Listed::Fault(path, error.to_string()),
        })),
        Err(error) => Box::new([Listed::Fault(path, error.to_string())].into_iter()),
    }
}

/// The pictures that a list names, a path a line; empty lines are passed over. `name`: what a list is called that cannot
/// be read.
pub fn listed_by_lines(lines: impl BufRead, name: &str) -> impl Iterator<Item = Listed> {
    let lines = lines.lines().filter(|line| !matches!(line, Ok(line) if line.trim().is_empty()));
    lines.flat_map(move |line| match line {
        Ok(line) => listed(PathBuf::from(line.trim_end_matches('\r'))),
        Err(error) => {
            let reason = format!("the list cannot be read: {error}");
            Box::new([Listed::Fault(name.into(), reason)].into_iter())
        }
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_folder_names_its_pictures_from_there_on_and_a_file_itself() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("cat")).unwrap();
        for name in ["cat/2.png", "1.jpg", "text.txt"] {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        let names = |found: &mut dyn Iterator<Item = Listed>| -> Vec<String> {
            let name = |it: Listed| match it {
                Listed::Picture { name, path } => {
                    assert!(path.ends_with(&name));
                    name.to_str().unwrap().replace('\\', "/")
                }
                Listed::Fault(path, reason) => panic!("{}: {reason}", path.display()),
            };
            let mut names: Vec<String> = found.map(name).collect();
            names.sort();
            names
        };
        assert_eq!(names(&mut listed(folder.path().to_owned())), ["1.jpg", "cat/2.png"]);
        let list = format!("{}\r\n\n  \nnone/3.png\n", folder.path().join("cat").display());
        assert_eq!(names(&mut listed_by_lines(list.as_bytes(), "-")), ["2.png", "3.png"]);
    }

    #[test]
    fn a_list_that_is_no_text_is_a_fault_and_the_rest_is_read() {
        let found: Vec<Listed> = listed_by_lines(&b"a.png\n\xff\nb.png\n"[..], "-").collect();
        let paths: Vec<&Path> = found.iter().map(Listed::path).collect();
        assert_eq!(paths, [Path::new("a.png"), Path::new("-"), Path::new("b.png")]);
        assert!(matches!(&found[1], Listed::Fault(_, reason) if reason.contains("cannot be read")));
    }
}
