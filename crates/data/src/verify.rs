//! Whether the files of a data set are the published ones, or why they cannot be used.

use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::{
    checksum::sha256,
    content::Mismatch,
    counted::counted,
    entry::Entry,
    error::DataError,
    inspect::{Recognition, inspect_content, read_bounded},
    locate,
    owner::Owner,
    publication::Publication,
    source::Source,
    whereabouts::Whereabouts,
};

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
    /// The checksum is the published one.
    Published,
    /// Format and size are those of the published file, whose checksum is not on record.
    Unrecorded,
    /// The checksum is not the published one, but the format is right.
    Unknown,
    /// There is no such file.
    Missing,
    /// The file cannot be used, for this reason.
    Damaged(String),
}

impl FileReport {
    /// Whether it can be trained on.
    pub fn is_usable(&self) -> bool {
        !matches!(self.status, FileStatus::Missing | FileStatus::Damaged(_))
    }
}

/// In lines for a terminal: whose content it is, what else there is to say, its labels.
impl Display for FileReport {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        let verdict = match &self.status {
            FileStatus::Published => "published file".to_owned(),
            FileStatus::Unrecorded => {
                "right format and size; no checksum of the published file is on record".to_owned()
            }
            FileStatus::Unknown => "right format, but not the published file".to_owned(),
            FileStatus::Missing => "missing".to_owned(),
            FileStatus::Damaged(reason) => {
                // The line begins with the path anyway.
                let path = format!("{path}: ");
                format!("damaged: {}", reason.strip_prefix(&path).unwrap_or(reason))
            }
        };
        write!(formatter, "{path}: {verdict}")?;
        for note in &self.notes {
            write!(formatter, "\n  {note}")?;
        }
        if !self.label_counts.is_empty() {
            write!(formatter, "\n  labels {:?}, sha256 {}", self.label_counts, self.sha256)?;
        }
        Ok(())
    }
}

/// Where the files of a data set are, in a few words: their folder, how many of them are good, or that there are none.
pub fn place(entry: &Entry, source: &Source) -> String {
    if entry.built_in {
        return Whereabouts::BuiltIn.to_string();
    }
    let Ok(files) = verify(entry, source) else {
        return Whereabouts::Absent.to_string();
    };
    let found = files.iter().filter(|file| file.is_usable()).count();
    let folder = files.first().and_then(|file| file.path.parent());
    let folder = folder.unwrap_or(Path::new("")).display().to_string();
    if found == files.len() {
        return folder;
    }
    format!("{found} of {} files good in {folder}", files.len())
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
        if let (Some(images), Some(labels)) = (before, report.images)
            && file.format.is_idx_labels()
            && images != labels
        {
            let expected = format!("{}, one for each image beside it", counted(images, "label"));
            let error = Mismatch::new(expected, labels.to_string()).at(publication, &report.path);
            report.status = FileStatus::Damaged(error.of(report.owner).to_string());
        }
        before = report.images.filter(|_| file.format.is_idx_images());
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
            inspected.note = None;
            report.notes = found.notes(publication, &inspected);
            report.images = inspected.content.images();
            report.label_counts = inspected.content.label_counts(publication.classes);
            report.status = match inspected.recognition {
                Recognition::Published => FileStatus::Published,
                Recognition::Unrecorded => FileStatus::Unrecorded,
                Recognition::Another => FileStatus::Unknown,
            };
        }
        Err(error) => report.status = FileStatus::Damaged(error.of(owner).to_string()),
    }
    report
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
        let told: Vec<String> = reports.iter().map(FileReport::to_string).collect();
        assert!(told[1].ends_with("pulse.txt: right format, but not the published file"));
        assert!(told[2].ends_with("nuts.txt: missing"), "{told:?}");
        let usable: Vec<bool> = reports.iter().map(FileReport::is_usable).collect();
        assert_eq!(usable, [true, true, false]);
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
        let place = |name: &str| place(crate::entry(name).unwrap(), &only(root.path()));
        assert_eq!(place("digits"), "drawn by the program");
        assert_eq!(place("cifar10"), "not here");
        write_small_mnist(root.path());
        let all = root.path().display().to_string();
        assert!(place("mnist").ends_with(&all), "{}", place("mnist"));
    }
}
