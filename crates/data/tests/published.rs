//! The published data sets themselves, where `$BACKBURN_DATA` holds them; otherwise nothing.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;

use backburn_data::{
    DataError, DataSet, FileStatus, ImageSet, NearCopies, Source, TestLog, entry, fetch, load,
    verify,
};

/// `$BACKBURN_DATA` alone; `None` if it is not set or does not hold the data set.
fn source(name: &str) -> Option<Source> {
    let data_dir = std::env::var_os("BACKBURN_DATA").map(PathBuf::from)?;
    let source = Source { download: false, ..Source::from_environment(Some(data_dir)) };
    match verify(entry(name).unwrap(), &source) {
        Err(DataError::NotFound { .. }) => None,
        _ => Some(source),
    }
}

fn published(name: &str) -> Option<DataSet> {
    let set = load(name, &source(name)?).unwrap();
    let entry = entry(name).unwrap();
    assert_eq!((set.train.len(), set.test.len()), (entry.train, entry.test));
    assert_eq!((set.train.shape(), set.test.shape()), (entry.shape, entry.shape));
    assert_eq!(set.notes, [""; 0]);
    Some(set)
}

/// Mean and standard deviation of one channel, pixels scaled to `[0, 1]`.
fn moments(set: &ImageSet, channel: usize) -> (f64, f64) {
    let area = set.shape().height * set.shape().width;
    let mut counts = [0_u64; 256];
    for index in 0..set.len() {
        for &pixel in &set.image(index)[channel * area..(channel + 1) * area] {
            counts[usize::from(pixel)] += 1;
        }
    }
    let pixels = (set.len() * area) as f64;
    let values = || counts.iter().enumerate().map(|(v, &count)| (v as f64 / 255.0, count as f64));
    let mean = values().map(|(value, count)| value * count).sum::<f64>() / pixels;
    let variance = values().map(|(v, count)| (v - mean).powi(2) * count).sum::<f64>() / pixels;
    (mean, variance.sqrt())
}

fn assert_moments(set: &ImageSet, channel: usize, mean: f64, deviation: f64) {
    let found = moments(set, channel);
    assert!((found.0 - mean).abs() < 1e-6 && (found.1 - deviation).abs() < 1e-6, "{found:?}");
}

/// The test images; these tests keep their accesses to themselves.
fn opened(set: &DataSet) -> Arc<ImageSet> {
    struct Log;
    impl TestLog for Log {
        type Error = Infallible;
        fn record(&mut self, _: &str, _: &str) -> Result<usize, Infallible> {
            Ok(1)
        }
    }
    let Ok(test) = set.test.open(&mut Log, "test of the loader", "none");
    Arc::clone(test.for_final_scores())
}

#[test]
fn mnist_is_the_published_one() {
    let Some(set) = published("mnist") else { return };
    let train = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949];
    let test = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009];
    assert_eq!(set.train.class_counts(), train);
    assert_eq!(opened(&set).class_counts(), test);
    assert_eq!(set.train.labels()[..10], [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
    assert_eq!(opened(&set).labels()[..10], [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
    assert_moments(&set.train, 0, 0.130_660, 0.308_108);
}

#[test]
fn fashion_mnist_is_the_published_one() {
    let Some(set) = published("fashion-mnist") else { return };
    assert_eq!(set.train.class_counts(), [6000; 10]);
    assert_eq!(opened(&set).class_counts(), [1000; 10]);
}

#[test]
fn cifar10_is_the_published_one() {
    let Some(set) = published("cifar10") else { return };
    assert_eq!(set.train.class_counts(), [5000; 10]);
    assert_eq!(opened(&set).class_counts(), [1000; 10]);
    assert_eq!(set.train.labels()[..10], [6, 9, 9, 4, 1, 1, 2, 7, 8, 3]);
    assert_eq!(opened(&set).labels()[..10], [3, 8, 8, 0, 6, 6, 1, 6, 3, 1]);
    assert_moments(&set.train, 0, 0.491_400, 0.247_032);
    assert_moments(&set.train, 1, 0.482_158, 0.243_485);
    assert_moments(&set.train, 2, 0.446_531, 0.261_588);
}

#[test]
fn every_file_of_a_complete_set_is_verified_and_can_be_copied() {
    for name in ["mnist", "cifar10"] {
        let Some(source) = source(name) else { continue };
        let entry = entry(name).unwrap();
        let reports = verify(entry, &source).unwrap();
        for report in &reports {
            assert_eq!(report.status, FileStatus::Published, "{}", report.path.display());
        }
        let root = tempfile::tempdir().unwrap();
        let from = source.data_dir.as_deref().and_then(|path| path.to_str());
        let copied = fetch(entry, root.path(), from, &mut |_| {}).unwrap();
        assert_eq!(copied.files.len(), reports.len());
        let copy = Source::from_environment(Some(root.path().to_owned()));
        assert_eq!(load(name, &copy).unwrap().train, load(name, &source).unwrap().train);
    }
}

#[test]
fn mnist_offered_as_fashion_mnist_is_refused() {
    let Some(source) = source("mnist") else { return };
    let folder = source.data_dir.map(|root| root.join("mnist")).filter(|folder| folder.is_dir());
    let Some(folder) = folder else { return };
    let error = load("fashion-mnist", &Source::from_environment(Some(folder))).unwrap_err();
    assert!(matches!(error, DataError::OtherFile { .. }), "{error}");
}

/// Test images of CIFAR-10 with the training images that they are copies of, whether mirrored, and how similar: by
/// tests/pytorch/near_copies.py, which compares all with all.
const COPIES: [(usize, usize, bool, f64); 12] = [
    (4838, 29986, true, 0.999_798),
    (6341, 44230, true, 0.999_367),
    (3187, 13237, true, 0.999_187),
    (4602, 42341, true, 0.998_295),
    (7294, 16453, false, 0.998_282),
    (6080, 9148, false, 0.996_386),
    (2807, 25507, false, 0.996_047),
    (1455, 44259, true, 0.995_307),
    (4105, 15579, false, 0.994_807),
    (402, 40374, false, 0.994_628),
    (5164, 5657, false, 0.994_570),
    (1423, 27629, false, 0.994_346),
];

#[test]
fn the_closest_near_copies_of_cifar10_are_found_among_others() {
    let Some(set) = published("cifar10") else { return };
    let test = opened(&set).select(&COPIES.map(|(image, ..)| image));
    // Among a twenty-fifth of the training images. The most similar of all 50,000 is the same one.
    let mut places: Vec<usize> = (0..set.train.len()).step_by(25).collect();
    places.extend(COPIES.map(|(_, other, ..)| other));
    let found = NearCopies::between(&test, &set.train.select(&places), 0.90, &|_| {}).unwrap();
    assert_eq!(found.copies.len(), COPIES.len());
    for (number, (copy, expected)) in found.copies.iter().zip(COPIES).enumerate() {
        let (_, other, mirrored, similarity) = expected;
        assert_eq!((copy.image, places[copy.other]), (number, other));
        assert_eq!((copy.mirrored, copy.other_label), (mirrored, false));
        let moved = if number == 8 { (2, 0) } else { (0, 0) };
        assert_eq!((copy.down, copy.right), moved);
        assert!((copy.similarity - similarity).abs() < 2e-6, "{copy:?}");
    }
}
