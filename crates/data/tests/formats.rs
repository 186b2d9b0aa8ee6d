//! A small valid file of each format, written by `tests/pytorch/data_formats.py` and read as other tools read it.

use std::convert::Infallible;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use backburn_data::robustness::{self, NamedTestSet};
use backburn_data::{
    DataSet, FileStatus, ImageSet, ImageShape, Source, TestLog, TestSplit, entry, load, verify,
};

const COLOR: ImageShape = ImageShape { channels: 3, height: 32, width: 32 };

fn formats() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats")
}

fn only(folder: &Path) -> Source {
    let data_dir = Some(folder.to_owned());
    Source { data_dir, environment: None, local: "no such folder".into(), download: false }
}

/// The test images; these tests keep their accesses to themselves.
fn opened(split: &TestSplit) -> Arc<ImageSet> {
    struct Log;
    impl TestLog for Log {
        type Error = Infallible;
        fn record(&mut self, _: &str, _: &str) -> Result<usize, Infallible> {
            Ok(1)
        }
    }
    let Ok(test) = split.open(&mut Log, "test of the readers", "none");
    Arc::clone(test.for_final_scores())
}

/// Whether the labels, and some pixels, are those that another tool read.
fn assert_as_expected(name: &str, images: &ImageSet) {
    let text = fs::read_to_string(formats().join("expected.toml")).unwrap();
    let expected: toml::Table = toml::from_str(&text).unwrap();
    let numbers = |value: &toml::Value| -> Vec<usize> {
        let numbers = value.as_array().unwrap().iter();
        numbers.map(|number| number.as_integer().unwrap().try_into().unwrap()).collect()
    };
    let labels: Vec<usize> = images.labels().iter().copied().map(usize::from).collect();
    assert_eq!(labels, numbers(&expected[name]["labels"]), "{name}");
    let ImageShape { height, width, .. } = images.shape();
    for probe in expected[name]["pixels"].as_array().unwrap() {
        let [image, channel, row, column, value] = numbers(probe)[..] else {
            panic!("{name}: {probe}")
        };
        let found = images.image(image)[(channel * height + row) * width + column];
        assert_eq!(usize::from(found), value, "{name}: {probe}");
    }
}

fn assert_set(name: &str) -> DataSet {
    let set = load(name, &only(&formats())).unwrap();
    assert_as_expected(&format!("{name} train"), &set.train);
    assert_as_expected(&format!("{name} test"), &opened(&set.test));
    assert_eq!(set.train.classes(), entry(name).unwrap().classes());
    // Each file is told apart from the published one, by its size if not by its checksum.
    assert_eq!(set.notes.len(), set.files.len());
    assert!(set.notes.iter().all(|note| note.contains("not the published")), "{:?}", set.notes);
    set
}

#[test]
fn cifar_100_is_read_by_its_fine_and_by_its_coarse_labels() {
    let (fine, coarse) = (assert_set("cifar100"), assert_set("cifar100-coarse"));
    assert_eq!(fine.class_names[usize::from(fine.train.label(0))], "mountain");
    assert_eq!(coarse.class_names[usize::from(coarse.train.label(1))], "vehicles 2");
    assert_eq!(fine.train.image(1), coarse.train.image(1));
}

#[test]
fn emnist_is_upright_and_its_letters_count_from_zero() {
    let letters = assert_set("emnist-letters");
    assert_eq!(letters.class_names[usize::from(letters.train.label(2))], "z");
    let characters = assert_set("emnist-byclass");
    assert_eq!(characters.class_names[usize::from(characters.train.label(2))], "z");
    assert_eq!(characters.train.classes(), 62);
}

#[test]
fn kmnist_is_read_by_mnists_names() {
    let set = assert_set("kmnist");
    assert_eq!(set.class_names[usize::from(set.train.label(0))], "wo");
}

#[test]
fn a_file_of_the_published_size_is_told_to_lack_a_checksum_and_another_is_not() {
    let root = tempfile::tempdir().unwrap();
    let record: Vec<u8> = [4, 30].into_iter().chain((0..3072).map(|i| (i % 251) as u8)).collect();
    fs::write(root.path().join("train.bin"), &record).unwrap();
    fs::write(root.path().join("test.bin"), record.repeat(10_000)).unwrap();
    let reports = verify(entry("cifar100").unwrap(), &only(root.path())).unwrap();
    assert_eq!(reports[0].status, FileStatus::Unknown);
    assert_eq!(reports[1].status, FileStatus::Unrecorded);
    assert_eq!(reports[1].label_counts[30], 10_000);
    let set = load("cifar100", &only(root.path())).unwrap();
    assert!(set.notes[0].contains("train.bin: not the published cifar100's train.bin"));
    assert!(set.notes[1].contains("test.bin: has the format and size of cifar100's test.bin"));
}

/// What is said of the data set after one of its files has become something else.
fn refusal(name: &str, file: &str, spoil: impl FnOnce(Vec<u8>) -> Vec<u8>) -> String {
    let root = tempfile::tempdir().unwrap();
    let file = copied(&formats().join(file), root.path(), spoil);
    let error = load(name, &only(root.path())).unwrap_err().to_string();
    assert!(error.contains(file.to_str().unwrap()), "{error}");
    assert!(error.contains("; set it right, or name another folder"), "{error}");
    error
}

/// Copies all of a file's folder, then changes the file.
fn copied(file: &Path, to: &Path, spoil: impl FnOnce(Vec<u8>) -> Vec<u8>) -> PathBuf {
    for entry in fs::read_dir(file.parent().unwrap()).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
    let copy = to.join(file.file_name().unwrap());
    fs::write(&copy, spoil(fs::read(&copy).unwrap())).unwrap();
    copy
}

#[test]
fn files_of_data_sets_that_are_damaged_are_refused_by_name() {
    let cut = |file: Vec<u8>| file[..file.len() - 1].to_vec();
    let twenty_first = |mut file: Vec<u8>| {
        file[0] = 20;
        file
    };
    let error = refusal("cifar100", "cifar-100-binary/train.bin", cut);
    assert!(error.contains("expected whole records of 3074 bytes, found 6147 bytes"), "{error}");
    let error = refusal("cifar100-coarse", "cifar-100-binary/test.bin", twenty_first);
    assert!(
        error.contains("expected coarse labels from 0 to 19, found coarse label 20"),
        "{error}"
    );
    let error = refusal("kmnist", "kmnist/train-images-idx3-ubyte.gz", cut);
    assert!(error.contains("expected a whole gzip stream, found one that ends early"), "{error}");
    let letters = "emnist/emnist-letters-test-labels-idx1-ubyte.gz";
    let error = refusal("emnist-letters", letters, |_| vec![0, 0, 8, 1, 0, 0, 0, 2, 3, 0]);
    assert!(error.contains("expected labels from 1 to 26, found label 0 at image 1"), "{error}");
    let error = refusal("emnist-letters", letters, |_| vec![0, 0, 8, 1, 0, 0, 0, 1, 3]);
    assert!(error.contains("expected 2 labels, one for each image beside it"), "{error}");
    let byclass = "emnist/emnist-byclass-train-images-idx3-ubyte";
    let error = refusal("emnist-byclass", byclass, |file| [&file[..], &[0]].concat());
    assert!(error.contains("found more"), "{error}");
}

fn robust(path: &Path) -> Vec<NamedTestSet> {
    let sets = robustness::load(path, COLOR, 10).unwrap();
    sets.flat_map(Result::unwrap).collect()
}

#[test]
fn corruptions_are_read_one_after_another_in_five_severities_each() {
    let folder = formats().join("CIFAR-10-C");
    let mut sets = robustness::load(&folder, COLOR, 10).unwrap();
    assert_eq!((sets.len(), sets.notes()), (2, &[][..]));
    let noise = sets.next().unwrap().unwrap();
    let fog = sets.next().unwrap().unwrap();
    assert!(sets.next().is_none());
    let expected =
        |name: &str| (1..=5).map(|n| format!("{name}, severity {n}")).collect::<Vec<_>>();
    for (found, name) in [(&noise, "gaussian_noise"), (&fog, "fog")] {
        assert_eq!(found.iter().map(|set| set.name.clone()).collect::<Vec<_>>(), expected(name));
        for set in found {
            assert_as_expected(&set.name, &opened(&set.images));
            assert_eq!(set.files[0].name, format!("{name}.npy"));
            assert_eq!(set.files[0].bytes, 15_488);
            assert_eq!(set.files[1].name, "labels.npy");
        }
    }
    let one = robust(&folder.join("fog.npy"));
    assert_eq!(one.iter().map(|set| set.name.clone()).collect::<Vec<_>>(), expected("fog"));
    assert_eq!(one[4].files, fog[4].files);
    assert_eq!(opened(&one[4].images).image(0), opened(&fog[4].images).image(0));
}

#[test]
fn images_collected_anew_are_one_set() {
    for path in ["CIFAR-10.1", "CIFAR-10.1/cifar10.1_v6_data.npy"] {
        let sets = robust(&formats().join(path));
        assert_eq!(sets.len(), 1);
        assert_eq!(sets[0].name, "cifar10.1_v6");
        assert_as_expected("cifar10.1_v6", &opened(&sets[0].images));
    }
}

/// What is said of the arrays after one of them has become something else.
fn array_refusal(file: &str, spoil: impl FnOnce(Vec<u8>) -> Vec<u8>) -> String {
    let root = tempfile::tempdir().unwrap();
    let file = copied(&formats().join(file), root.path(), spoil);
    let sets = robustness::load(root.path(), COLOR, 10).unwrap();
    let error = sets.filter_map(Result::err).next().unwrap().to_string();
    assert!(error.contains(file.to_str().unwrap()), "{error}");
    error
}

/// With one text of the header replaced by another of the same length.
fn replaced(from: &str, to: &str) -> impl FnOnce(Vec<u8>) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    move |mut file| {
        let at = file.windows(from.len()).position(|text| text == from.as_bytes()).unwrap();
        file[at..at + to.len()].copy_from_slice(to.as_bytes());
        file
    }
}

#[test]
fn arrays_that_are_damaged_or_of_another_kind_are_refused_by_name() {
    let (noise, anew) = ("CIFAR-10-C/gaussian_noise.npy", "CIFAR-10.1/cifar10.1_v6_data.npy");
    let labels = "CIFAR-10.1/cifar10.1_v6_labels.npy";
    let error = array_refusal(noise, replaced("False", "True "));
    assert!(error.contains("found Fortran order"), "{error}");
    assert!(error.contains("take the file as it was published"), "{error}");
    let error = array_refusal(labels, replaced("<i4", ">i4"));
    assert!(error.contains("big-endian elements (>i4)"), "{error}");
    let error = array_refusal(labels, replaced("'<i4',", "'|O', "));
    assert!(error.contains("Python objects"), "{error}");
    let error = array_refusal(anew, |file| file[..file.len() - 1].to_vec());
    assert!(error.contains("expected 2 × 3072 bytes of data"), "{error}");
    let error = array_refusal(anew, replaced("(2, 32, 32, 3)", "(2, 3, 32, 32)"));
    assert!(error.contains("expected images of shape [2, 32, 32, 3]"), "{error}");
    let error = array_refusal(labels, |mut file| {
        file[128] = 10;
        file
    });
    assert!(error.contains("expected labels from 0 to 9, found label 10 at image 0"), "{error}");
    let error = array_refusal("CIFAR-10-C/labels.npy", |mut file| {
        file[130] = 4;
        file
    });
    assert!(error.contains("the same labels for each of 5 severities"), "{error}");
    let error = array_refusal("CIFAR-10-C/labels.npy", |file| {
        replaced("(5,)", "(4,)")(file[..132].to_vec())
    });
    assert!(error.contains("found 4 labels"), "{error}");
}

#[test]
fn a_place_without_such_arrays_is_refused_and_others_are_told() {
    let error = |path: &Path| robustness::load(path, COLOR, 10).unwrap_err().to_string();
    let nowhere = error(&formats().join("nowhere"));
    assert!(nowhere.contains("cannot read") && nowhere.contains("nowhere"), "{nowhere}");
    let others = error(&formats().join("kmnist"));
    assert!(others.contains("labels.npy beside gaussian_noise.npy"), "{others}");
    assert!(error(&formats().join("CIFAR-10-C/labels.npy")).contains("found another file"));

    let root = tempfile::tempdir().unwrap();
    let fog = copied(&formats().join("CIFAR-10-C/fog.npy"), root.path(), |file| file);
    fs::rename(&fog, root.path().join("mist.npy")).unwrap();
    let sets = robustness::load(root.path(), COLOR, 10).unwrap();
    assert_eq!((sets.len(), sets.notes().len()), (1, 1));
    assert!(sets.notes()[0].contains("mist.npy: not read"), "{:?}", sets.notes());
    fs::remove_file(root.path().join("labels.npy")).unwrap();
    let missing = sets.filter_map(Result::err).next().unwrap().to_string();
    assert!(missing.contains("cannot read") && missing.contains("labels.npy"), "{missing}");
}
