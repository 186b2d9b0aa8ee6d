//! MNIST, Fashion-MNIST and KMNIST: gzipped IDX files of 28 × 28 gray images, in the same format.

use crate::{
    content::{Content, Mismatch},
    counted::counted,
    data_set::DataSet,
    entry::Entry,
    error::DataError,
    fetch_progress::FetchProgress,
    idx::SHAPE,
    image_set::ImageSet,
    inspect::FileRecord,
    locate::{self, Folder},
    source::Source,
};

/// Fashion-MNIST's classes, in label order.
pub(crate) const FASHION_NAMES: &[&str] = &[
    "T-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
];

/// KMNIST's classes, in label order: a character of the hiragana each, by its sound.
pub(crate) const KUZUSHIJI_NAMES: &[&str] =
    &["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"];

/// Loads one of them, as the entry's name says.
pub(crate) fn load(
    entry: &Entry,
    source: &Source,
    progress: &mut dyn FnMut(FetchProgress<'_>),
) -> Result<DataSet, DataError> {
    load_splits(entry, source, progress, "train-", "t10k-")
}

/// Loads the files whose names begin with `training` and `test`.
pub(crate) fn load_splits(
    entry: &Entry,
    source: &Source,
    progress: &mut dyn FnMut(FetchProgress<'_>),
    training: &str,
    test: &str,
) -> Result<DataSet, DataError> {
    locate::load_splits(entry, source, progress, split, [training, test])
}

fn split(
    entry: &Entry,
    folder: &Folder<'_>,
    prefix: &str,
    files: &mut Vec<FileRecord>,
    notes: &mut Vec<String>,
) -> Result<ImageSet, DataError> {
    let mut all_pixels = Vec::new();
    let mut all_labels = Vec::new();
    let mut all_images = 0;
    for found in folder.files_of(prefix) {
        let inspected = found.inspect(folder.publication)?;
        notes.extend(found.notes(folder.publication, &inspected));
        files.push(inspected.record);
        match inspected.content {
            Content::Pixels { images, pixels } => (all_images, all_pixels) = (images, pixels),
            Content::Labels(labels) => {
                let path = found.path.as_deref().unwrap_or(&folder.path);
                if labels.len() != all_images {
                    let all = counted(all_images, "label");
                    let expected = format!("{all}, one for each image beside it");
                    let mismatch = Mismatch::new(expected, format!("{}", labels.len()));
                    return Err(mismatch.at(folder.publication, path));
                }
                all_labels = labels;
            }
            Content::Labeled { .. } | Content::Text => {}
        }
    }
    Ok(ImageSet::new(SHAPE, entry.classes(), all_pixels, all_labels)?)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::{fs, path::Path};

    use crate::{
        idx::tests::{gzip, idx},
        load,
        locate::tests::only,
    };

    /// Three training and two test images, none symmetric, under MNIST's names in `folder`.
    pub(crate) fn write_small_mnist(folder: &Path) {
        fs::create_dir_all(folder).unwrap();
        for (prefix, labels) in [("train", &[5_u8, 0, 4][..]), ("t10k", &[7, 2])] {
            let images = labels.len();
            let pixels: Vec<u8> = (0..images * 784).map(|i| (i % 251) as u8).collect();
            let file = gzip(&idx(&[images as u32, 28, 28], &pixels));
            fs::write(folder.join(format!("{prefix}-images-idx3-ubyte.gz")), file).unwrap();
            let file = idx(&[images as u32], labels);
            fs::write(folder.join(format!("{prefix}-labels-idx1-ubyte")), file).unwrap();
        }
    }

    #[test]
    fn files_of_the_right_format_are_accepted_with_a_note_each() {
        let root = tempfile::tempdir().unwrap();
        write_small_mnist(&root.path().join("mnist"));
        let set = load("mnist", &only(root.path())).unwrap();
        assert_eq!(set.train.labels(), [5, 0, 4]);
        assert_eq!(set.train.image(1)[..2], [(784 % 251) as u8, (785 % 251) as u8]);
        let test = set.test.open(&mut crate::test_split::tests::Log::default(), "test", "none");
        assert_eq!(test.unwrap().for_final_scores().labels(), [7, 2]);
        assert_eq!(set.files.len(), 4);
        assert_eq!(set.notes.len(), 4);
        assert!(set.notes[0].contains("not the published mnist's train-images-idx3-ubyte"));
    }

    /// Writes the files of [`write_small_mnist`] with a point in their names.
    fn write_dotted_mnist(folder: &Path) {
        write_small_mnist(folder);
        for name in ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte"]
            .into_iter()
            .chain(["t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte"])
        {
            fs::rename(folder.join(name), folder.join(name.replace("-idx", ".idx"))).unwrap();
        }
    }

    #[test]
    fn names_with_a_point_are_found_too() {
        let root = tempfile::tempdir().unwrap();
        write_dotted_mnist(&root.path().join("MNIST/raw"));
        let set = load("mnist", &only(root.path())).unwrap();
        assert_eq!((set.train.len(), set.test.len()), (3, 2));
        assert_eq!(set.files[0].name, "train-images.idx3-ubyte.gz");
        assert_eq!(set.notes.len(), 4);
        let reports = crate::verify(crate::entry("mnist").unwrap(), &only(root.path())).unwrap();
        assert!(reports[1].path.ends_with("train-labels.idx1-ubyte"), "{reports:?}");
        assert_eq!(reports[1].images, Some(3));
    }

    #[test]
    fn of_several_files_that_differ_the_first_is_read_with_a_note() {
        let root = tempfile::tempdir().unwrap();
        write_small_mnist(root.path());
        let path = |name: &str| root.path().join(name);
        // The same, otherwise packed.
        let images = fs::read(path("train-images-idx3-ubyte.gz")).unwrap();
        fs::write(path("train-images.idx3-ubyte"), crate::idx::tests::gunzip(&images)).unwrap();
        let set = load("mnist", &only(root.path())).unwrap();
        assert_eq!(set.notes.len(), 4, "{:?}", set.notes);
        // Others.
        fs::write(path("train-labels.idx1-ubyte"), idx(&[3], &[1, 2, 3])).unwrap();
        fs::write(path("t10k-labels.idx1-ubyte.gz"), "damaged").unwrap();
        let set = load("mnist", &only(root.path())).unwrap();
        assert_eq!(set.train.labels(), [5, 0, 4]);
        let unread: Vec<&String> = set.notes.iter().filter(|n| n.contains("not read")).collect();
        assert_eq!(unread.len(), 2, "{unread:?}");
        assert!(unread[0].contains("train-labels.idx1-ubyte: not read, as"), "{unread:?}");
        assert!(unread[0].contains("train-labels-idx1-ubyte comes before it"), "{unread:?}");
        let reports = crate::verify(crate::entry("mnist").unwrap(), &only(root.path())).unwrap();
        assert_eq!(reports.iter().map(|report| report.notes.len()).sum::<usize>(), 2);
    }

    #[test]
    fn a_folder_of_the_name_is_passed_over_if_there_is_a_file() {
        // As one archive that goes about has them.
        let root = tempfile::tempdir().unwrap();
        write_dotted_mnist(root.path());
        fs::create_dir(root.path().join("train-images-idx3-ubyte")).unwrap();
        assert_eq!(load("mnist", &only(root.path())).unwrap().train.len(), 3);
    }

    #[test]
    fn nothing_found_says_by_which_names_it_was_looked_for() {
        let root = tempfile::tempdir().unwrap();
        let error = load("mnist", &only(root.path())).unwrap_err().to_string();
        let names = "such as train-images-idx3-ubyte or train-images-idx3-ubyte.gz or \
            train-images.idx3-ubyte or train-images.idx3-ubyte.gz, neither directly nor in mnist/ \
            or MNIST/raw/";
        assert!(error.contains(names), "{error}");
    }

    #[test]
    fn nobody_is_told_to_delete_files_of_their_own() {
        let error = refusal_after(|folder| {
            fs::write(folder.join("t10k-labels-idx1-ubyte"), idx(&[3], &[1, 2, 3])).unwrap();
        });
        assert!(!error.contains("delete"), "{error}");
        assert!(
            error.contains("set it right, or name another folder with `--data-dir`"),
            "{error}"
        );
    }

    #[test]
    fn the_files_may_lie_in_the_folder_itself() {
        let root = tempfile::tempdir().unwrap();
        write_small_mnist(root.path());
        assert_eq!(load("fashion-mnist", &only(root.path())).unwrap().train.len(), 3);
    }

    fn refusal_after(damage: impl Fn(&Path)) -> String {
        let root = tempfile::tempdir().unwrap();
        write_small_mnist(root.path());
        damage(root.path());
        load("mnist", &only(root.path())).unwrap_err().to_string()
    }

    #[test]
    fn counts_of_images_and_labels_that_differ_are_refused() {
        let error = refusal_after(|folder| {
            fs::write(folder.join("t10k-labels-idx1-ubyte"), idx(&[3], &[1, 2, 3])).unwrap();
        });
        assert!(error.contains("t10k-labels-idx1-ubyte: expected 2 labels"), "{error}");
        assert!(error.contains("found 3") && error.contains("data fetch mnist"), "{error}");
    }

    #[test]
    fn a_label_above_nine_is_refused() {
        let error = refusal_after(|folder| {
            fs::write(folder.join("train-labels-idx1-ubyte"), idx(&[3], &[1, 10, 3])).unwrap();
        });
        assert!(error.contains("label 10 at image 1"), "{error}");
    }

    #[test]
    fn images_of_another_size_are_refused() {
        let error = refusal_after(|folder| {
            let file = idx(&[3, 16, 49], &[9; 3 * 784]);
            fs::write(folder.join("train-images-idx3-ubyte.gz"), file).unwrap();
        });
        assert!(error.contains("28 by 28") && error.contains("[3, 16, 49]"), "{error}");
    }

    #[test]
    fn an_empty_file_is_refused_by_name() {
        let error = refusal_after(|folder| {
            fs::write(folder.join("train-images-idx3-ubyte.gz"), []).unwrap();
        });
        assert!(error.contains("train-images-idx3-ubyte.gz: expected an IDX file"), "{error}");
        assert!(error.contains("an empty file"), "{error}");
    }

    #[test]
    fn a_folder_in_place_of_a_file_is_refused() {
        let error = refusal_after(|folder| {
            fs::remove_file(folder.join("train-labels-idx1-ubyte")).unwrap();
            fs::create_dir(folder.join("train-labels-idx1-ubyte")).unwrap();
        });
        assert!(error.contains("train-labels-idx1-ubyte"), "{error}");
    }
}
