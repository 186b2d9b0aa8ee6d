//! Reads published files with suspicion: is this the published one, another, or damaged?

use std::{
    fmt::{self, Write as _},
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    Entry, cifar10,
    error::DataError,
    locate::{self, Source},
    mnist,
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

/// What [`verify`] found out about one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileReport {
    /// Where it is, or where it would be.
    pub path: PathBuf,
    /// Size in bytes, as it lies on disk; 0 if missing.
    pub bytes: u64,
    /// Checksum as it lies on disk, in hexadecimal; empty if missing or unreadable.
    pub sha256: String,
    /// Whether it is the published one.
    pub status: FileStatus,
    /// Images, or labels where the file holds only those; `None` if it holds neither.
    pub images: Option<usize>,
    /// How many labels each class has; empty if the file holds none.
    pub label_counts: Vec<usize>,
    /// Whose it is.
    pub owner: Owner,
    /// Files by its other names that hold something else, and are not read.
    pub notes: Vec<String>,
}

/// Whether a file is the published one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileStatus {
    /// Its checksum is the published one.
    Published,
    /// Its checksum is not known, but its format is right.
    Unknown,
    /// There is no such file.
    Missing,
    /// It cannot be used, for this reason.
    Damaged(String),
}

/// Checks every file of a data set where [`load`](crate::load) would find it. Downloads nothing.
/// A built-in set has no files.
///
/// # Errors
///
/// If no place holds any of the files. Missing and damaged ones are in the reports.
pub fn verify(entry: &Entry, source: &Source) -> Result<Vec<FileReport>, DataError> {
    let Some(publication) = entry.publication() else { return Ok(Vec::new()) };
    verify_published(publication, source)
}

fn verify_published(
    publication: &Publication,
    source: &Source,
) -> Result<Vec<FileReport>, DataError> {
    let folder = locate::find(publication, source)?;
    let owner = source.owner(publication, &folder.path);
    let report = |found: &locate::FoundFile<'_>| match &found.path {
        Some(path) => report(publication, found, path, owner),
        None => FileReport {
            path: folder.path.join(found.published.offered().0),
            bytes: 0,
            sha256: String::new(),
            status: FileStatus::Missing,
            images: None,
            label_counts: Vec::new(),
            owner,
            notes: Vec::new(),
        },
    };
    let mut reports: Vec<FileReport> = folder.files.iter().map(report).collect();
    refuse_unequal_counts(publication, &mut reports);
    Ok(reports)
}

/// Labels that do not fit the images listed before them are no use, however right their format.
fn refuse_unequal_counts(publication: &Publication, reports: &mut [FileReport]) {
    let mut before = None;
    for (file, report) in publication.files.iter().zip(reports) {
        if let (Some((Format::IdxImages, Some(images))), Format::IdxLabels, Some(labels)) =
            (before, file.format, report.images)
            && images != labels
        {
            let expected = format!("{images} labels, one for each image beside it");
            let error = Mismatch::new(expected, labels.to_string()).at(publication, &report.path);
            report.status = FileStatus::Damaged(error.of(report.owner).to_string());
        }
        before = Some((file.format, report.images));
    }
}

fn report(
    publication: &Publication,
    found: &locate::FoundFile<'_>,
    path: &Path,
    owner: Owner,
) -> FileReport {
    let on_disk = read_bounded(publication, path);
    let (bytes, sum) = match &on_disk {
        Ok(content) => (content.len() as u64, sha256(content)),
        Err(_) => (path.metadata().map_or(0, |metadata| metadata.len()), String::new()),
    };
    let mut report = FileReport {
        path: path.to_owned(),
        bytes,
        sha256: sum,
        status: FileStatus::Unknown,
        images: None,
        label_counts: Vec::new(),
        owner,
        notes: Vec::new(),
    };
    let file = found.published;
    match on_disk.and_then(|content| inspect_content(publication, file, path, &content)) {
        Ok(mut inspected) => {
            // Whether it is the published one says the status.
            let note = inspected.note.take();
            report.notes = found.notes(publication, &inspected);
            report.images = inspected.content.images();
            report.label_counts = inspected.content.label_counts();
            if note.is_none() {
                report.status = FileStatus::Published;
            }
        }
        Err(error) => report.status = FileStatus::Damaged(error.of(owner).to_string()),
    }
    report
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

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Images alone.
    Pixels {
        /// How many.
        images: usize,
        /// `[images, channels, height, width]`
        pixels: Vec<u8>,
    },
    /// One label an image.
    Labels(Vec<u8>),
    /// Both.
    Labeled {
        /// `[images, channels, height, width]`
        pixels: Vec<u8>,
        /// One label an image.
        labels: Vec<u8>,
    },
    /// Nothing that is needed.
    Text,
}

impl Content {
    fn images(&self) -> Option<usize> {
        match self {
            Content::Pixels { images, .. } => Some(*images),
            Content::Labels(labels) | Content::Labeled { labels, .. } => Some(labels.len()),
            Content::Text => None,
        }
    }

    fn label_counts(&self) -> Vec<usize> {
        let (Content::Labels(labels) | Content::Labeled { labels, .. }) = self else {
            return Vec::new();
        };
        let mut counts = vec![0; CLASSES];
        for &label in labels {
            // Which labels there are was checked in reading.
            if let Some(count) = counts.get_mut(usize::from(label)) {
                *count += 1;
            }
        }
        counts
    }
}

/// All published sets have as many.
const CLASSES: usize = 10;

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
        Format::IdxImages => mnist::images(on_disk),
        Format::IdxLabels => mnist::labels(on_disk),
        Format::CifarBatch => cifar10::batch(on_disk, file.bytes).map(|batch| (batch, sum.clone())),
        Format::Text => Ok((Content::Text, sum.clone())),
    };
    let (content, content_sum) = parsed.map_err(|mismatch| mismatch.at(publication, path))?;
    published |= is_published(publication, file, path, &content_sum)?;
    let note = (!published).then(|| {
        format!(
            "{}: not the published {}'s {} (SHA-256 {sum}); used as it is, since its format is right",
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

/// The format asks for one thing and there is another.
#[derive(Debug)]
pub(crate) struct Mismatch {
    expected: String,
    found: String,
}

impl Mismatch {
    pub(crate) fn new(expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self { expected: expected.into(), found: found.into() }
    }

    /// Says in which file.
    pub(crate) fn at(self, publication: &Publication, path: &Path) -> DataError {
        DataError::Format {
            dataset: publication.name.clone(),
            path: path.to_owned(),
            owner: Owner::default(),
            expected: self.expected,
            found: self.found,
        }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, found {}", self.expected, self.found)
    }
}

/// A message for the first label that names no class.
pub(crate) fn check_labels(labels: &[u8]) -> Result<(), Mismatch> {
    match labels.iter().enumerate().find(|&(_, &label)| usize::from(label) >= CLASSES) {
        None => Ok(()),
        Some((index, label)) => {
            let found = format!("label {label} at image {index}");
            Err(Mismatch::new(format!("labels from 0 to {}", CLASSES - 1), found))
        }
    }
}

/// SHA-256 in lower-case hexadecimal.
pub(crate) fn sha256(content: &[u8]) -> String {
    hexadecimal(&Sha256::digest(content))
}

/// Bytes in lower-case hexadecimal.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // A String takes everything.
        text
    })
}

/// Five times the largest file of a data set.
const MOST_BYTES: u64 = 1 << 28;

/// The whole file, unless it is absurdly long.
fn read_bounded(publication: &Publication, path: &Path) -> Result<Vec<u8>, DataError> {
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
    use std::fs;

    use super::*;
    use crate::{
        locate::tests::{FRUIT, groceries, only, write_groceries},
        mnist::tests::write_small_mnist,
    };

    #[test]
    fn sha256_is_that_of_the_standard() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(b"abc"), abc);
    }

    #[test]
    fn published_unknown_and_missing_files_are_told_apart() {
        let root = tempfile::tempdir().unwrap();
        write_groceries(root.path());
        fs::write(root.path().join("pulse.txt"), "lentils").unwrap();
        let reports = verify_published(&groceries(), &only(root.path())).unwrap();
        let statuses: Vec<&FileStatus> = reports.iter().map(|report| &report.status).collect();
        assert_eq!(statuses, [&FileStatus::Published, &FileStatus::Unknown, &FileStatus::Missing]);
        assert_eq!(reports[0].sha256, sha256(FRUIT.as_bytes()));
        assert_eq!(reports[1].bytes, 7);
        assert_eq!(reports[2].path, root.path().join("nuts.txt"));
    }

    #[test]
    fn damage_is_reported_and_labels_are_counted() {
        let root = tempfile::tempdir().unwrap();
        write_small_mnist(root.path());
        let images = root.path().join("train-images-idx3-ubyte.gz");
        let whole = fs::read(&images).unwrap();
        fs::write(&images, &whole[..whole.len() / 2]).unwrap();
        let reports = verify(crate::entry("mnist").unwrap(), &only(root.path())).unwrap();
        let FileStatus::Damaged(reason) = &reports[0].status else {
            panic!("{:?}", reports[0].status)
        };
        assert!(reason.contains("expected a whole gzip stream"), "{reason}");
        assert_eq!(reports[0].bytes as usize, whole.len() / 2);
        assert_eq!(reports[1].status, FileStatus::Unknown);
        assert_eq!(reports[1].images, Some(3));
        assert_eq!(reports[1].label_counts, [1, 0, 0, 0, 1, 1, 0, 0, 0, 0]);
    }

    #[test]
    fn labels_that_are_fewer_than_the_images_are_reported() {
        let root = tempfile::tempdir().unwrap();
        write_small_mnist(root.path());
        let labels = crate::idx::tests::idx(&[1], &[7]);
        fs::write(root.path().join("t10k-labels-idx1-ubyte"), labels).unwrap();
        let reports = verify(crate::entry("mnist").unwrap(), &only(root.path())).unwrap();
        let FileStatus::Damaged(reason) = &reports[3].status else {
            panic!("{:?}", reports[3].status)
        };
        assert!(reason.contains("expected 2 labels") && reason.contains("found 1"), "{reason}");
        assert_eq!(reports[1].status, FileStatus::Unknown);
    }

    #[test]
    fn a_place_without_any_file_is_an_error_and_a_built_in_set_has_no_files() {
        let root = tempfile::tempdir().unwrap();
        let error = verify(crate::entry("cifar10").unwrap(), &only(root.path())).unwrap_err();
        assert!(matches!(error, DataError::NotFound { .. }), "{error}");
        let reports = verify(crate::entry("digits").unwrap(), &only(root.path())).unwrap();
        assert_eq!(reports, []);
    }

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
