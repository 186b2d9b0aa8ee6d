//! Reads published files with suspicion: is this the published one, another, or damaged?

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use serde::{Deserialize, Serialize};

use crate::{
    checksum::sha256,
    cifar_batch::{self, CIFAR_10, CIFAR_100_COARSE, CIFAR_100_FINE},
    content::{Content, Mismatch, Parsed},
    error::DataError,
    idx,
    owner::Owner,
    publication::{self, Format, Publication, PublishedFile},
};

/// A file that was read, for the run's `manifest.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// File name without folders.
    pub name: String,
    /// Size in bytes, as it lies on disk.
    pub bytes: u64,
    /// Checksum as it lies on disk, in hexadecimal.
    pub sha256: String,
}

/// A file that was read and may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspected {
    /// What it holds.
    pub content: Content,
    /// What identifies it.
    pub record: FileRecord,
    /// Whether it is the published file.
    pub recognition: Recognition,
    /// Whether it is gzipped.
    pub is_gzipped: bool,
    /// What to tell the user; `None` if it is the published file.
    pub note: Option<String>,
}

/// Whether a file of the right format is the published one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recognition {
    /// It is, by its checksum.
    Published,
    /// It may be: its size is right, and there is no checksum on record to compare with.
    Unrecorded,
    /// It is another one, though none that is known.
    Another,
}

/// Reads a file, and tells whether it is the published one by its checksum.
///
/// # Errors
///
/// If it cannot be read, is damaged, or is known as another file.
pub(crate) fn inspect(
    publication: &Publication,
    file: &PublishedFile,
    path: &Path,
) -> Result<Inspected, DataError> {
    let content = read_bounded(publication, path)?;
    inspect_content(publication, file, path, &content)
}

/// Reads the content of a file, and tells whether it is the published one by its checksum. `path` is
/// for messages only.
///
/// # Errors
///
/// If it is damaged, or is known as another file.
pub fn inspect_content(
    publication: &Publication,
    file: &PublishedFile,
    path: &Path,
    on_disk: &[u8],
) -> Result<Inspected, DataError> {
    let sum = sha256(on_disk);
    let mut is_right = is_published(publication, file, path, &sum)?;
    let parsed = parse(publication, file, on_disk, &sum);
    let parsed = parsed.map_err(|mismatch| mismatch.at(publication, path))?;
    is_right |= is_published(publication, file, path, &parsed.sha256)?;
    let recognition = match (is_right, &file.sha256) {
        (true, _) => Recognition::Published,
        (false, None) if parsed.bytes == file.bytes => Recognition::Unrecorded,
        (false, _) => Recognition::Another,
    };
    let (set, published, path_shown) = (&publication.name, &file.name, path.display());
    let note = match recognition {
        Recognition::Published => None,
        Recognition::Unrecorded => Some(format!(
            "{path_shown}: has the format and size of {set}'s {published}, of which no checksum \
             is on record (SHA-256 {sum})"
        )),
        Recognition::Another => Some(format!(
            "{path_shown}: not the published {set}'s {published} (SHA-256 {sum}); used as it is, \
             since its format is right"
        )),
    };
    let name = path.file_name().map_or(file.name.clone(), |name| name.to_string_lossy().into());
    let is_gzipped = parsed.sha256 != sum;
    let record = FileRecord { name, bytes: on_disk.len() as u64, sha256: sum };
    Ok(Inspected { content: parsed.content, record, recognition, is_gzipped, note })
}

/// Reads what is `on_disk`, of that checksum, as the format asks for.
fn parse(
    publication: &Publication,
    file: &PublishedFile,
    on_disk: &[u8],
    sha256: &str,
) -> Result<Parsed, Mismatch> {
    let content = match file.format {
        Format::IdxImages => return idx::images(on_disk),
        Format::IdxImagesTransposed => return idx::transposed_images(on_disk),
        Format::IdxLabels => return idx::labels(on_disk, 0, publication.classes),
        Format::IdxLabelsFromOne => return idx::labels(on_disk, 1, publication.classes),
        Format::CifarBatch => cifar_batch::read_whole(on_disk, file.bytes, &CIFAR_10)?,
        Format::Cifar100Fine => cifar_batch::read(on_disk, &CIFAR_100_FINE)?,
        Format::Cifar100Coarse => cifar_batch::read(on_disk, &CIFAR_100_COARSE)?,
        Format::Text => Content::Text,
    };
    Ok(Parsed { content, bytes: on_disk.len() as u64, sha256: sha256.to_owned() })
}

/// Whether the file at `other` holds what was `inspected` of another one, gzipped or not.
pub(crate) fn is_same(
    publication: &Publication,
    file: &PublishedFile,
    other: &Path,
    inspected: &Inspected,
) -> bool {
    let Ok(content) = read_bounded(publication, other) else { return false };
    // The usual case, in which neither need be unpacked: the published file in both forms.
    if file.has_sha256(&inspected.record.sha256) && file.has_sha256(&sha256(&content)) {
        return true;
    }
    let other = inspect_content(publication, file, other, &content);
    other.is_ok_and(|other| other.content == inspected.content)
}

/// Whether a checksum is that of the file. An error if it is that of another one.
fn is_published(
    publication: &Publication,
    file: &PublishedFile,
    path: &Path,
    sha256: &str,
) -> Result<bool, DataError> {
    let known = std::iter::once(publication)
        .chain(publication::all())
        .find_map(|other| Some((&other.name, &other.file_with(sha256)?.name)));
    match known {
        None => Ok(false),
        Some((set, name)) if *set == publication.name && *name == file.name => Ok(true),
        Some((set, name)) => Err(DataError::OtherFile {
            dataset: publication.name.clone(),
            path: path.to_owned(),
            owner: Owner::default(),
            expected: format!("{}'s {}", publication.name, file.name),
            found: format!("{set}'s {name}"),
        }),
    }
}

/// Twice the largest file of a data set, EMNIST's 697,932 images.
const MOST_BYTES: u64 = 1 << 30;

/// The whole file, unless it is absurdly long.
pub(crate) fn read_bounded(publication: &Publication, path: &Path) -> Result<Vec<u8>, DataError> {
    let read = || -> io::Result<Vec<u8>> {
        // Asked before opening, which would wait forever on a pipe.
        if !path.metadata()?.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        let mut content = Vec::new();
        File::open(path)?.take(MOST_BYTES + 1).read_to_end(&mut content)?;
        Ok(content)
    };
    let content = read().map_err(|source| DataError::Read {
        dataset: publication.name.clone(),
        path: path.to_owned(),
        owner: Owner::default(),
        source,
    })?;
    match content.len() as u64 > MOST_BYTES {
        true => {
            Err(Mismatch::new(format!("at most {MOST_BYTES} bytes"), "more").at(publication, path))
        }
        false => Ok(content),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mnist_and_fashion_mnist_are_told_apart_by_their_checksums() {
        let sets = [publication::of("mnist").unwrap(), publication::of("fashion-mnist").unwrap()];
        for (set, other) in [(sets[0], sets[1]), (sets[1], sets[0])] {
            for (file, of_other) in set.files.iter().zip(&other.files) {
                let path = Path::new(&file.name);
                assert!(is_published(set, file, path, file.sha256.as_ref().unwrap()).unwrap());
                let compressed = of_other.gzip.as_ref().map(|gzip| gzip.sha256.as_str());
                for sum in [of_other.sha256.as_deref().unwrap(), compressed.unwrap()] {
                    let error = is_published(set, file, path, sum).unwrap_err().to_string();
                    let found = format!("found {}'s {}", other.name, of_other.name);
                    assert!(error.contains(&found), "{error}");
                }
            }
        }
    }
}
