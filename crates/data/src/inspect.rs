//! Reads published files with suspicion: is this the published one, another, or damaged?

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use serde::{Deserialize, Serialize};

use crate::{
    checksum::sha256,
    cifar_batch,
    content::{Content, Mismatch},
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
    /// What to tell the user; `None` if it is the published file.
    pub note: Option<String>,
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
    let mut published = is_published(publication, file, path, &sum)?;
    let parsed = match file.format {
        Format::IdxImages => idx::images(on_disk),
        Format::IdxLabels => idx::labels(on_disk, publication.classes),
        Format::CifarBatch => {
            let batch = cifar_batch::read(on_disk, file.bytes, publication.classes);
            batch.map(|batch| (batch, sum.clone()))
        }
        Format::Text => Ok((Content::Text, sum.clone())),
    };
    let (content, content_sum) = parsed.map_err(|mismatch| mismatch.at(publication, path))?;
    published |= is_published(publication, file, path, &content_sum)?;
    let note = (!published).then(|| {
        format!(
            "{}: not the published {}'s {} (SHA-256 {sum}); used as it is, since its format is \
             right",
            path.display(),
            publication.name,
            file.name
        )
    });
    let name = path.file_name().map_or(file.name.clone(), |name| name.to_string_lossy().into());
    let record = FileRecord { name, bytes: on_disk.len() as u64, sha256: sum };
    Ok(Inspected { content, record, note })
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

/// Five times the largest file of a data set.
const MOST_BYTES: u64 = 1 << 28;

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
                assert!(is_published(set, file, path, &file.sha256).unwrap());
                let compressed = of_other.gzip.as_ref().map(|gzip| gzip.sha256.as_str());
                for sum in [&of_other.sha256, compressed.unwrap()] {
                    let error = is_published(set, file, path, sum).unwrap_err().to_string();
                    let found = format!("found {}'s {}", other.name, of_other.name);
                    assert!(error.contains(&found), "{error}");
                }
            }
        }
    }
}
