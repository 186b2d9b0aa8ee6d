//! What the publishers published: `datasets/manifest.toml`, parsed once.

use std::{
    path::{Path, PathBuf},
    sync::LazyLock,
};

use serde::Deserialize;

/// One data set as its publishers offer it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publication {
    /// Name in the catalog.
    pub name: String,
    /// Full title.
    pub title: String,
    /// Where it is described.
    pub homepage: String,
    /// Terms under which it may be used, as far as its publishers say.
    pub licence: String,
    /// The work to cite.
    pub citation: String,
    /// Number of classes that its labels name.
    pub classes: usize,
    /// Folders its files may lie in, below a data folder. A download goes into the first.
    pub folders: Vec<String>,
    /// Addresses to which a file's name is appended, best first.
    pub mirrors: Vec<String>,
    /// Where the files are for who unpacks them by hand, if no mirror offers them in a form that is read here.
    pub by_hand: Option<String>,
    /// The one archive which the mirrors offer instead of single files.
    pub archive: Option<Archive>,
    /// The files.
    pub files: Vec<PublishedFile>,
}

/// A gzipped tar archive of all files of a [`Publication`].
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Archive {
    /// File name.
    pub name: String,
    /// Size in bytes above which a download is broken off.
    pub bytes_at_most: u64,
    /// Checksum, in lower-case hexadecimal; `None` if it is not on record. It vouches for files without one.
    pub sha256: Option<String>,
}

/// One file of a [`Publication`], uncompressed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedFile {
    /// File name without `.gz`.
    pub name: String,
    /// How to read it.
    pub format: Format,
    /// Size in bytes.
    pub bytes: u64,
    /// Checksum, in lower-case hexadecimal; `None` if it is not on record. Then format and size must do.
    pub sha256: Option<String>,
    /// The same file as published, compressed.
    pub gzip: Option<Gzip>,
    /// Whether the data set can be used without it.
    #[serde(default)]
    pub optional: bool,
}

/// The compressed twin of a [`PublishedFile`]; `.gz` is appended to its name.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gzip {
    /// Size in bytes.
    pub bytes: u64,
    /// Checksum, in lower-case hexadecimal.
    pub sha256: String,
}

/// The format of a [`PublishedFile`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// IDX with three dimensions: images of 28 by 28 bytes.
    IdxImages,
    /// The same, column by column, as EMNIST has them; they are turned upright when read.
    IdxImagesTransposed,
    /// IDX with one dimension: labels.
    IdxLabels,
    /// The same, counted from 1.
    IdxLabelsFromOne,
    /// Records of one label and 3 × 32 × 32 pixels, as many as the published size holds.
    CifarBatch,
    /// Records of a coarse label, a fine label and 3 × 32 × 32 pixels; the fine one is read.
    Cifar100Fine,
    /// The same; the coarse one is read.
    Cifar100Coarse,
    /// Text that is not needed to read the images.
    Text,
}

impl Format {
    /// Whether it is IDX with images.
    pub(crate) fn is_idx_images(self) -> bool {
        matches!(self, Self::IdxImages | Self::IdxImagesTransposed)
    }

    /// Whether it is IDX with labels.
    pub(crate) fn is_idx_labels(self) -> bool {
        matches!(self, Self::IdxLabels | Self::IdxLabelsFromOne)
    }
}

/// Everything published, in the manifest's order.
///
/// # Panics
///
/// If the embedded manifest is not of this form, which a test excludes.
#[expect(clippy::expect_used, reason = "the manifest is part of the program")]
pub fn all() -> &'static [Publication] {
    static MANIFEST: LazyLock<Manifest> = LazyLock::new(|| {
        toml::from_str(include_str!("../../../datasets/manifest.toml"))
            .expect("datasets/manifest.toml is embedded and tested")
    });
    &MANIFEST.data_set
}

/// The publication of that name.
pub fn of(name: &str) -> Option<&'static Publication> {
    all().iter().find(|publication| publication.name == name)
}

impl Publication {
    /// The folders in which a data folder may hold the files: its own ones, and the data folder itself.
    pub(crate) fn folders_in(&self, root: &Path) -> Vec<PathBuf> {
        let own = self.folders.iter().map(|folder| root.join(folder));
        own.chain([root.to_owned()]).collect()
    }

    /// The file with that checksum, compressed or not.
    pub fn file_with(&self, sha256: &str) -> Option<&PublishedFile> {
        self.files.iter().find(|file| file.has_sha256(sha256))
    }
}

impl PublishedFile {
    /// The names that a fetch gives it: as it is, and compressed.
    pub(crate) fn own_names(&self) -> [String; 2] {
        [self.name.clone(), format!("{}.gz", self.name)]
    }

    /// The names it may have on disk, best first: its own ones, and for IDX those with a point in
    /// place of the last hyphen but one, `train-images.idx3-ubyte`, by which they are often passed on.
    pub fn names(&self) -> Vec<String> {
        let own = self.own_names();
        let is_idx = self.format.is_idx_images() || self.format.is_idx_labels();
        let dotted: Vec<String> = match is_idx {
            true => own.iter().map(|name| name.replace("-idx", ".idx")).collect(),
            false => Vec::new(),
        };
        own.into_iter().chain(dotted).collect()
    }

    /// Whether that is its published checksum, compressed or not.
    pub fn has_sha256(&self, sha256: &str) -> bool {
        self.sha256.as_deref() == Some(sha256)
            || self.gzip.as_ref().is_some_and(|gzip| gzip.sha256 == sha256)
    }

    /// Name, size in bytes and, if on record, checksum of the form in which mirrors offer it.
    pub(crate) fn offered(&self) -> (String, u64, Option<&str>) {
        match &self.gzip {
            Some(gzip) => (format!("{}.gz", self.name), gzip.bytes, Some(&gzip.sha256)),
            None => (self.name.clone(), self.bytes, self.sha256.as_deref()),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    data_set: Vec<Publication>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_manifest_is_complete() {
        for publication in all() {
            assert!(!publication.folders.is_empty(), "{}", publication.name);
            assert!(!publication.files.is_empty(), "{}", publication.name);
            for mirror in &publication.mirrors {
                assert!(mirror.starts_with("http") && mirror.ends_with('/'), "{mirror}");
            }
            let by_hand = publication.by_hand.is_some();
            assert_eq!(publication.mirrors.is_empty(), by_hand, "{}", publication.name);
        }
    }

    #[test]
    fn idx_files_are_known_with_a_point_too_and_other_files_are_not() {
        let names = |set: &str, file: usize| of(set).unwrap().files[file].names();
        let expected = [
            "train-images-idx3-ubyte",
            "train-images-idx3-ubyte.gz",
            "train-images.idx3-ubyte",
            "train-images.idx3-ubyte.gz",
        ];
        assert_eq!(names("mnist", 0), expected);
        assert_eq!(names("fashion-mnist", 3)[2], "t10k-labels.idx1-ubyte");
        assert_eq!(names("cifar10", 0), ["data_batch_1.bin", "data_batch_1.bin.gz"]);
    }

    #[test]
    fn files_without_a_checksum_come_with_one_that_vouches_for_them() {
        for publication in all() {
            let archive = publication.archive.as_ref();
            let is_vouched_for = archive.is_some_and(|archive| archive.sha256.is_some());
            for file in publication.files.iter().filter(|file| file.sha256.is_none()) {
                assert!(is_vouched_for || file.gzip.is_some(), "{}", file.name);
            }
        }
    }

    #[test]
    fn sizes_are_those_of_whole_records_and_of_as_many_labels_as_images() {
        for publication in all() {
            let mut images = None;
            for file in &publication.files {
                let (header, record) = match file.format {
                    Format::IdxImages | Format::IdxImagesTransposed => (16, 28 * 28),
                    Format::IdxLabels | Format::IdxLabelsFromOne => (8, 1),
                    Format::CifarBatch => (0, 1 + 3 * 32 * 32),
                    Format::Cifar100Fine | Format::Cifar100Coarse => (0, 2 + 3 * 32 * 32),
                    Format::Text => continue,
                };
                let content = file.bytes - header;
                assert_eq!(content % record, 0, "{}", file.name);
                if file.format.is_idx_labels() {
                    assert_eq!(images, Some(content), "{}", file.name);
                }
                images = Some(content / record);
            }
        }
    }

    #[test]
    fn every_checksum_is_a_sha256_and_occurs_once() {
        let files = all().iter().flat_map(|publication| &publication.files);
        let mut sums: Vec<&str> = files
            .flat_map(|file| file.sha256.iter().chain(file.gzip.iter().map(|gzip| &gzip.sha256)))
            .map(String::as_str)
            .collect();
        for sum in &sums {
            assert!(sum.len() == 64 && sum.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')));
        }
        let count = sums.len();
        sums.sort_unstable();
        sums.dedup();
        assert_eq!(sums.len(), count);
    }
}
