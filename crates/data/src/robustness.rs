//! Test sets that try a network on other images than those of the set that it was trained on: CIFAR-10-C, whose
//! images are CIFAR-10's test images corrupted in nineteen ways and five severities, and CIFAR-10.1, whose
//! images were collected anew.
//!
//! Hendrycks, Dietterich, [Benchmarking neural network robustness to common corruptions and
//! perturbations](https://arxiv.org/abs/1903.12261), ICLR 2019; Recht, Roelofs, Schmidt, Shankar, [Do CIFAR-10
//! classifiers generalize to CIFAR-10?](https://arxiv.org/abs/1806.00451), 2018. CIFAR-100-C has the files of
//! CIFAR-10-C.

use std::{
    fs::{self, File},
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use crate::{
    checksum::hexadecimal,
    content::Mismatch,
    counted::counted,
    image_set::{ImageSet, ImageSetError, ImageShape},
    inspect::FileRecord,
    npy,
    test_split::TestSplit,
};

/// The corruptions by the names of their files: the fifteen of the benchmark, then the four that are meant for
/// choosing settings.
pub const CORRUPTIONS: [&str; 19] = [
    "gaussian_noise",
    "shot_noise",
    "impulse_noise",
    "defocus_blur",
    "glass_blur",
    "motion_blur",
    "zoom_blur",
    "snow",
    "frost",
    "fog",
    "brightness",
    "contrast",
    "elastic_transform",
    "pixelate",
    "jpeg_compression",
    "speckle_noise",
    "gaussian_blur",
    "spatter",
    "saturate",
];

/// How many of [`CORRUPTIONS`], from the first on, make the published benchmark.
pub const BENCHMARK: usize = 15;

/// How strong each corruption is: 1 to 5, one after another in its file.
pub const SEVERITIES: usize = 5;

/// A set of test images with the name of what was done to them.
#[derive(Clone, Debug)]
pub struct NamedTestSet {
    /// Such as `gaussian_noise, severity 3`, or `cifar10.1_v6`.
    pub name: String,
    /// The images, sealed.
    pub images: TestSplit,
    /// What was read: the images' file and the labels'.
    pub files: [FileRecord; 2],
}

/// Why test sets could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RobustnessError {
    /// A file or folder is missing or unreadable.
    #[error("cannot read {}: {source}; check that it is there and readable", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// There is nothing that is read here.
    #[error(
        "{}: expected CIFAR-10-C's files (labels.npy beside gaussian_noise.npy and others) or \
         CIFAR-10.1's (cifar10.1_v6_data.npy beside cifar10.1_v6_labels.npy), found {found}; name \
         the folder of such files, or one of images among them",
        path.display()
    )]
    Nothing {
        /// The file or folder.
        path: PathBuf,
        /// What is there.
        found: String,
    },
    /// The content of a file is not what it should be.
    #[error("{}: {mismatch}; take the file as it was published", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What was expected, and what was found.
        mismatch: Mismatch,
    },
    /// Pixels and labels do not fit each other.
    #[error(transparent)]
    Images(#[from] ImageSetError),
}

/// Looks for the test sets at `path`: a folder, or one file of images in it, with its labels beside it. `shape`
/// and `classes` are those of the data set that the network was trained on.
///
/// # Errors
///
/// If there is no such file. What the files hold is read by the iterator.
pub fn load(path: &Path, shape: ImageShape, classes: usize) -> Result<TestSets, RobustnessError> {
    let is_folder = path.metadata().map_err(read_error(path))?.is_dir();
    let (found, notes) = match is_folder {
        true => survey(path)?,
        false => (vec![Pair::of(path).ok_or_else(|| nothing(path, "another file"))?], Vec::new()),
    };
    Ok(TestSets { shape, classes, remaining: found.into_iter(), notes })
}

/// The test sets of one file of images after another, so that no more than one need be in memory: five sets
/// of a corruption, one of any other file.
#[derive(Debug)]
pub struct TestSets {
    shape: ImageShape,
    classes: usize,
    remaining: std::vec::IntoIter<Pair>,
    notes: Vec<String>,
}

impl TestSets {
    /// What the user should be told, such as which files are not read.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}

impl Iterator for TestSets {
    type Item = Result<Vec<NamedTestSet>, RobustnessError>;

    fn next(&mut self) -> Option<Self::Item> {
        let pair = self.remaining.next()?;
        Some(pair.read(self.shape, self.classes))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.remaining.size_hint()
    }
}

impl ExactSizeIterator for TestSets {}

/// A file of images and that of their labels.
#[derive(Debug)]
struct Pair {
    name: String,
    images: PathBuf,
    labels: PathBuf,
    severities: usize,
}

impl Pair {
    /// The pair of a file of images, by its name.
    fn of(images: &Path) -> Option<Self> {
        let stem = images.file_name()?.to_str()?.strip_suffix(".npy")?;
        let (name, labels, severities) = match stem.strip_suffix("_data") {
            Some(name) => (name, format!("{name}_labels.npy"), 1),
            None if CORRUPTIONS.contains(&stem) => (stem, "labels.npy".to_owned(), SEVERITIES),
            None => return None,
        };
        let labels = images.with_file_name(labels);
        Some(Self { name: name.to_owned(), images: images.to_owned(), labels, severities })
    }

    fn read(self, shape: ImageShape, classes: usize) -> Result<Vec<NamedTestSet>, RobustnessError> {
        let (labels, labels_file) = read(&self.labels, |file| npy::labels(file, classes))?;
        let each = self.each(&labels)?;
        let count = labels.len();
        let (pixels, images_file) = read(&self.images, |file| npy::images(file, shape, count))?;
        let all = ImageSet::new(shape, classes, pixels, labels)?;
        let sets = (0..self.severities).map(|index| {
            let own: Vec<usize> = (index * each..(index + 1) * each).collect();
            let name = match self.severities {
                1 => self.name.clone(),
                _ => format!("{}, severity {}", self.name, index + 1),
            };
            let images = TestSplit::seal(all.select(&own));
            NamedTestSet { name, images, files: [images_file.clone(), labels_file.clone()] }
        });
        Ok(sets.collect())
    }

    /// How many images each severity has. Its images are the same in all, and so are their labels; if they are
    /// not, the file is divided in another way.
    fn each(&self, labels: &[u16]) -> Result<usize, RobustnessError> {
        let (count, severities) = (labels.len(), self.severities);
        let wrong = |expected: String, found: String| {
            let mismatch = Mismatch::new(expected, found);
            Err(RobustnessError::Format { path: self.labels.clone(), mismatch })
        };
        let each = count / severities;
        if each == 0 || !count.is_multiple_of(severities) {
            let expected = format!("as many labels for each of {severities} severities");
            return wrong(expected, counted(count, "label"));
        }
        let mut pairs = labels.iter().zip(labels.iter().skip(each)).enumerate();
        match pairs.find(|(_, (label, next))| label != next) {
            None => Ok(each),
            Some((index, (label, next))) => wrong(
                format!("the same labels for each of {severities} severities"),
                format!("label {label} at image {index} and {next} at {}", index + each),
            ),
        }
    }
}

/// The pairs in a folder, corruptions first in the order of [`CORRUPTIONS`], and notes on other arrays there.
fn survey(folder: &Path) -> Result<(Vec<Pair>, Vec<String>), RobustnessError> {
    let corruption = |name: &&str| Pair::of(&folder.join(format!("{name}.npy")));
    let mut found: Vec<Pair> = CORRUPTIONS.iter().filter_map(corruption).collect();
    found.retain(|pair| pair.images.exists());
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(read_error(folder))? {
        let name = entry.map_err(read_error(folder))?.file_name();
        names.extend(name.to_str().and_then(|name| Some(name.strip_suffix(".npy")?.to_owned())));
    }
    names.sort();
    let mut notes = Vec::new();
    for name in names {
        let path = folder.join(format!("{name}.npy"));
        match Pair::of(&path) {
            Some(pair) if pair.severities == 1 => found.push(pair),
            Some(_) => {}
            None if name == "labels" || name.ends_with("_labels") => {}
            None => notes.push(format!(
                "{}: not read, as its name is neither that of a corruption nor ends with _data.npy",
                path.display()
            )),
        }
    }
    match found.is_empty() {
        true => Err(nothing(folder, "none of them")),
        false => Ok((found, notes)),
    }
}

/// Reads a whole file with `parse`; also gives what identifies it.
fn read<T>(
    path: &Path,
    parse: impl FnOnce(&mut Hashing) -> Result<T, Mismatch>,
) -> Result<(T, FileRecord), RobustnessError> {
    // Asked before opening, which would wait forever on a pipe.
    if !path.metadata().map_err(read_error(path))?.is_file() {
        return Err(read_error(path)(io::Error::other("it is not a regular file")));
    }
    let file = BufReader::with_capacity(1 << 16, File::open(path).map_err(read_error(path))?);
    let mut hashing = Hashing { file, hasher: Sha256::new(), bytes: 0 };
    let content = parse(&mut hashing)
        .map_err(|mismatch| RobustnessError::Format { path: path.to_owned(), mismatch })?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let sha256 = hexadecimal(&hashing.hasher.finalize());
    Ok((content, FileRecord { name, bytes: hashing.bytes, sha256 }))
}

/// A file that is hashed as it is read.
struct Hashing {
    file: BufReader<File>,
    hasher: Sha256,
    bytes: u64,
}

impl Read for Hashing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.hasher.update(buffer.get(..read).unwrap_or_default());
        self.bytes += read as u64;
        Ok(read)
    }
}

fn read_error(path: &Path) -> impl Fn(io::Error) -> RobustnessError {
    let path = path.to_owned();
    move |source| RobustnessError::Read { path: path.clone(), source }
}

fn nothing(path: &Path, found: &str) -> RobustnessError {
    RobustnessError::Nothing { path: path.to_owned(), found: found.to_owned() }
}
