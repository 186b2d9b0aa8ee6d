//! What can go wrong between a folder of pictures and a data set, each with its cure.

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;

use crate::counted::counted;
use crate::image_set::ImageSetError;

/// Why the bytes of a file do not make a picture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The file cannot be read.
    #[error("cannot be read: {reason}")]
    Unreadable {
        /// What the system says.
        reason: String,
    },
    /// The content is that of no picture, whatever the name says.
    #[error("expected a PNG, JPEG, WebP, BMP or GIF picture, found {found}")]
    NotAPicture {
        /// What it looks like.
        found: String,
    },
    /// The end of the file is missing.
    #[error("cut short: {missing}; copy the file anew")]
    CutShort {
        /// What should be there and is not.
        missing: String,
    },
    /// The picture is larger than is read.
    #[error(
        "{width} x {height} pixels (width x height) are more than the {most} that are read; make \
         the picture smaller, or raise the limit by `--most-pixels`"
    )]
    TooLarge {
        /// Columns, as the header says.
        width: u64,
        /// Rows, as the header says.
        height: u64,
        /// The limit, in pixels.
        most: u64,
    },
    /// The decoder gave up.
    #[error("damaged, or a kind of {format} that is not read: {reason}")]
    Damaged {
        /// Name of the format.
        format: &'static str,
        /// What the decoder says.
        reason: String,
    },
}

/// A picture that could not be read, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedPicture {
    /// Its path, with that of the folder.
    pub path: PathBuf,
    /// Why.
    pub reason: String,
}

/// Why a folder of pictures could not be made a data set.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PicturesError {
    /// A file or folder cannot be read.
    #[error(
        "cannot read {}: {source}; check that it is there and that you may read it",
        path.display()
    )]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The folders are not those of a data set.
    #[error("{}: expected {expected}, found {found}; {cure}", path.display())]
    Layout {
        /// The folder.
        path: PathBuf,
        /// What was looked for.
        expected: String,
        /// What is there.
        found: String,
        /// What to do.
        cure: String,
    },
    /// A link leads back to a folder that it lies in.
    #[error(
        "{} is a link to {}, which it lies in, so that its pictures would never end; remove the \
         link",
        path.display(), target.display()
    )]
    Loop {
        /// The link.
        path: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// A table of pictures cannot be used.
    #[error(
        "{}, line {line}: expected {expected}, found {found}; set it right in the table",
        path.display()
    )]
    Table {
        /// The table.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What should be there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A setting is out of its range.
    #[error("`{name}`: {reason}")]
    Setting {
        /// The setting's name.
        name: &'static str,
        /// What is wrong with it, with the cure.
        reason: String,
    },
    /// Some pictures could not be read.
    #[error("{}", damaged_text(pictures, *of))]
    Damaged {
        /// All of them, in the order of the pictures.
        pictures: Vec<DamagedPicture>,
        /// Number of pictures that were tried.
        of: usize,
    },
    /// A class has lost all of its pictures, as they are damaged.
    #[error(
        "class `{class}` has no picture left to learn from, as all of its pictures are damaged; put \
         sound ones in, or remove the class"
    )]
    ClassLost {
        /// Name of the class.
        class: String,
    },
    /// The file of prepared pictures cannot be written.
    #[error("cannot write {}: {source}; {}", path.display(), write_cure(source))]
    Write {
        /// The file, or its folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A test split cannot be drawn as asked.
    #[error("cannot draw a test split from {}: {reason}", counted(*images, "picture"))]
    Split {
        /// Number of pictures to draw from.
        images: usize,
        /// What does not fit, with the cure.
        reason: String,
    },
    /// Pixels and labels do not fit each other.
    #[error(transparent)]
    Images(#[from] ImageSetError),
}

/// Most damaged pictures that a message names.
const MOST_LINES: usize = 20;

fn damaged_text(pictures: &[DamagedPicture], of: usize) -> String {
    let mut text = format!(
        "{} of {} cannot be read; put sound copies in their place or remove them, or go on without \
         them by `--skip-damaged`:",
        pictures.len(),
        counted(of, "picture")
    );
    for DamagedPicture { path, reason } in pictures.iter().take(MOST_LINES) {
        let _ = write!(text, "\n  {}: {reason}", path.display()); // A String takes everything.
    }
    if pictures.len() > MOST_LINES {
        let _ = write!(text, "\n  and {} more", pictures.len() - MOST_LINES);
    }
    text
}

fn write_cure(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "make room on the disk, or name a cache folder on another one, or prepare the \
             pictures at a smaller size"
        }
        _ => "make the folder writable, or name another cache folder",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_damaged_picture_is_in_the_error_and_twenty_are_in_its_message() {
        let damaged = |number: usize| DamagedPicture {
            path: format!("cats/{number}.png").into(),
            reason: "cut short".to_owned(),
        };
        let error = PicturesError::Damaged { pictures: (0..23).map(damaged).collect(), of: 100 };
        let text = error.to_string();
        assert!(text.starts_with("23 of 100 pictures cannot be read"), "{text}");
        assert_eq!(text.lines().count(), 22);
        assert!(text.contains("cats/19.png: cut short") && !text.contains("cats/20.png"), "{text}");
        assert!(text.ends_with("and 3 more"), "{text}");
        let PicturesError::Damaged { pictures, .. } = error else { unreachable!() };
        assert_eq!(pictures.len(), 23);
    }

    #[test]
    fn a_full_disk_is_told_with_its_cure() {
        let source = io::Error::from(io::ErrorKind::StorageFull);
        let text = PicturesError::Write { path: "cache/a.pictures".into(), source }.to_string();
        assert!(text.contains("cache/a.pictures") && text.contains("make room"), "{text}");
    }
}
