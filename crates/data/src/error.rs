//! What can go wrong between a file or a mirror and an image set, each with its cure.

use std::{io, path::PathBuf};

use crate::{counted::counted, image_set::ImageSetError, nearest::did_you_mean, owner::Owner};

/// Why a data set could not be loaded, fetched, verified or split.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The catalog has no data set of that name.
    #[error("unknown data set `{name}`{}; known: {known}", did_you_mean(name, known.split(", ")))]
    UnknownDataSet {
        /// The name asked for.
        name: String,
        /// The names of the catalog, separated by commas.
        known: String,
    },
    /// The data set is drawn by the program, so there is nothing to fetch.
    #[error(
        "`{dataset}` is drawn by the program and has no files; use it at once, as in \
         `cargo xtask train {dataset}`"
    )]
    BuiltIn {
        /// Name of the data set.
        dataset: String,
    },
    /// No place holds the files.
    #[error(
        "{dataset} was not found; tried {}; if you have its files, run \
         `cargo xtask data fetch {dataset} --from DIR`; without any file or network, \
         `cargo xtask train digits` works",
        tried.join("; ")
    )]
    NotFound {
        /// Name of the data set.
        dataset: String,
        /// Each place, with the reason it would not do.
        tried: Vec<String>,
    },
    /// A file is missing or unreadable.
    #[error("cannot read {}: {source}; check that it is a readable file, or {}", path.display(),
            owner.alternative(dataset))]
    Read {
        /// Name of the data set.
        dataset: String,
        /// The file.
        path: PathBuf,
        /// Whose it is.
        owner: Owner,
        /// What the system says.
        source: io::Error,
    },
    /// A file or folder cannot be written.
    #[error(
        "cannot write {}: {source}; make the folder writable and see that the disk has space, or \
         keep the data elsewhere and name its folder with `--data-dir DIR` or $BACKBURN_DATA",
        path.display()
    )]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The content of a file is not in the format of its name.
    #[error("{}: expected {expected}, found {found}; set it right, or {}", path.display(),
            owner.alternative(dataset))]
    Format {
        /// Name of the data set.
        dataset: String,
        /// The file.
        path: PathBuf,
        /// Whose it is.
        owner: Owner,
        /// What the format asks for.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A file is well known, but as another one.
    #[error("{}: expected {expected}, found {found} (by its SHA-256); {}", path.display(),
            owner.alternative(dataset))]
    OtherFile {
        /// Name of the data set.
        dataset: String,
        /// The file.
        path: PathBuf,
        /// Whose it is.
        owner: Owner,
        /// What the name promises, such as `mnist's train-labels-idx1-ubyte`.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A file that was to be copied is not the published one.
    #[error(
        "{}: expected the published file with {expected}, found {found}; nothing was kept; to \
             use the file as it is, name its folder with `--data-dir`",
        origin
    )]
    Checksum {
        /// Where the file came from: a path or an address.
        origin: String,
        /// The published checksum, such as `SHA-256 0402a96d…`, or the size if there is none on record.
        expected: String,
        /// The checksum found.
        found: String,
    },
    /// No mirror delivered a file.
    #[error("could not download {file} of {dataset}: {}; check the network and run the command \
             again (it resumes), or run `cargo xtask data fetch {dataset} --from DIR`",
             reasons.join("; "))]
    Download {
        /// Name of the data set.
        dataset: String,
        /// Name of the file.
        file: String,
        /// One reason for each mirror.
        reasons: Vec<String>,
    },
    /// No mirror offers the files in a form that is read here.
    #[error(
        "no mirror offers the files of {dataset} one by one; download and unpack {archive}, then \
         run `cargo xtask data fetch {dataset} --from DIR` with the folder of its files"
    )]
    ByHand {
        /// Name of the data set.
        dataset: String,
        /// Where its files are.
        archive: String,
    },
    /// Another process writes the same file.
    #[error("{} is being written by another process; wait for it, then run the command again",
            path.display())]
    Busy {
        /// The unfinished file.
        path: PathBuf,
    },
    /// A split cannot be cut as asked.
    #[error("cannot split {}: {reason}", counted(*images, "image"))]
    Split {
        /// Images in the set.
        images: usize,
        /// What does not fit, with the cure.
        reason: String,
    },
    /// Pixels and labels do not fit each other.
    #[error(transparent)]
    Images(#[from] ImageSetError),
}

impl DataError {
    /// The same about a file of that owner, so that the cure is one for it.
    pub(crate) fn of(mut self, whose: Owner) -> Self {
        if let Self::Read { owner, .. }
        | Self::Format { owner, .. }
        | Self::OtherFile { owner, .. } = &mut self
        {
            *owner = whose;
        }
        self
    }
}
