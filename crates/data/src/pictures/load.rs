//! Pictures become a data set: prepared once, then read from the file that this left.

use std::path::{Path, PathBuf};

use crate::data_set::DataSet;
use crate::image_set::ImageSet;
use crate::inspect::FileRecord;
use crate::test_split::TestSplit;

use super::build::{PictureProgress, build, damaged_pictures};
use super::cache::{self, Contents, Found, PreparedWith, SizeFrom};
use super::error::{DamagedPicture, PicturesError};
use super::layout::{Survey, survey};
use super::part::Part;
use super::preparation::Preparation;
use super::settings::PictureSettings;
use super::size::PictureSize;
use super::skipped::Skipped;
use super::splits::draw_test;

/// The files of the images of a data set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PicturePaths {
    /// Of the images to learn from, in their order.
    pub train: Vec<PathBuf>,
    /// Of the validation images, in their order.
    pub valid: Vec<PathBuf>,
    /// Of the test images, in their order.
    pub test: Vec<PathBuf>,
}

/// People's own pictures as a data set.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The images to learn from, those to validate on if the folders or the table name some, and the test split,
    /// sealed. What people should be told stands in its notes.
    pub data: DataSet,
    /// What was done to each picture.
    pub preparation: Preparation,
    /// Where each image comes from.
    pub pictures: PicturePaths,
    /// The pictures that could not be read and were left out.
    pub damaged: Vec<DamagedPicture>,
    /// What lay among the pictures and was not taken.
    pub skipped: Skipped,
}

/// Loads pictures from a folder or table, see [`survey`].
///
/// All are decoded and prepared into one file in `cache_folder`, `<name>-<key>.pictures`, and read from there the next
/// time, if neither the settings nor the names, sizes and times of the files have changed and the file is as it was
/// written. `progress` is told how preparing gets on.
///
/// Parts are taken as they are; if there is no test part, one is drawn from the images to learn from.
///
/// # Errors
///
/// If the folder is no data set, a setting is out of its range, pictures cannot be read (unless they are to be
/// skipped), or the file cannot be written. `group_near_copies` wants [`load_with_groups`].
pub fn load(
    path: &Path,
    settings: &PictureSettings,
    cache_folder: &Path,
    progress: &mut dyn FnMut(PictureProgress),
) -> Result<Loaded, PicturesError> {
    let groups = |_: &ImageSet| {
        let reason = "nobody has said which pictures are near copies; set it to false".to_owned();
        Err(PicturesError::Setting { name: "group_near_copies", reason })
    };
    load_with_groups(path, settings, cache_folder, &groups, progress)
}

/// Loads like [`load`], and asks `groups` for the group of each image if near copies are to stay on one side of a test
/// split that is drawn.
///
/// # Errors
///
/// As [`load`], or what `groups` says.
pub fn load_with_groups(
    path: &Path,
    settings: &PictureSettings,
    cache_folder: &Path,
    groups: &dyn Fn(&ImageSet) -> Result<Vec<usize>, PicturesError>,
    progress: &mut dyn FnMut(PictureProgress),
) -> Result<Loaded, PicturesError> {
    settings.check()?;
    let survey = survey(path)?;
    let mut notes = Vec::new();
    let (contents, all) = prepared(path, &survey, settings, cache_folder, &mut notes, progress)?;
    notes.extend(size_note(&contents));
    let damaged = damaged_pictures(&survey, &contents.damaged);
    if !damaged.is_empty() {
        notes.push(format!("{} pictures cannot be read and are left out", damaged.len()));
    }
    if survey.skipped.total() > 0 {
        notes.push(format!("not taken for pictures: {}", survey.skipped));
    }
    let places = Places::of(&survey, &contents);
    let split = split(&all, &places, settings, groups, &mut notes)?;
    check_train(&survey.class_names, &split.train)?;

    let Split { train, valid, test, pictures: [in_train, in_valid, in_test] } = split;
    let paths =
        |of: Vec<usize>| of.into_iter().filter_map(|at| places.paths.get(at).cloned()).collect();
    let pictures =
        PicturePaths { train: paths(in_train), valid: paths(in_valid), test: paths(in_test) };
    let parts = [("train", Some(&train)), ("valid", valid.as_ref()), ("test", Some(&test))];
    let files = records(parts);
    let name = format!("folder:{}", path.display());
    let left_out =
        damaged.iter().map(|picture| format!("{}: {}", picture.path.display(), picture.reason));
    let data = DataSet {
        valid,
        left_out: left_out.collect(),
        notes,
        ..DataSet::read(name, survey.class_names.clone(), train, TestSplit::seal(test), files)
    };
    let (preparation, skipped) = (contents.preparation, survey.skipped.clone());
    Ok(Loaded { data, preparation, pictures, damaged, skipped })
}

/// The prepared pictures, all in one set: from their file if it is right, else made anew.
fn prepared(
    path: &Path,
    survey: &Survey,
    settings: &PictureSettings,
    cache_folder: &Path,
    notes: &mut Vec<String>,
    progress: &mut dyn FnMut(PictureProgress),
) -> Result<(Contents, ImageSet), PicturesError> {
    let prepared_with = PreparedWith::from(settings);
    let file = cache::file_of(cache_folder, path, &prepared_with);
    let mut found = cache::open(&file, &prepared_with, survey);
    if let Found::Damaged(reason) = &found {
        notes.push(format!("{}: {reason}; the pictures were prepared anew", file.display()));
    }
    if !matches!(found, Found::Prepared(..)) {
        build(&file, survey, settings, progress)?;
        found = cache::open(&file, &prepared_with, survey);
    }
    let refuse = |reason: &str| {
        let source = std::io::Error::other(reason.to_owned());
        Err(PicturesError::Read { path: file.clone(), source })
    };
    match found {
        Found::Prepared(contents, pixels) => {
            let labels = Places::of(survey, &contents).labels;
            let shape = contents.preparation.shape();
            let all = ImageSet::sharing(shape, contents.class_names.len(), pixels, labels)?;
            Ok((*contents, all))
        }
        Found::Damaged(reason) => refuse(&format!("just written, and {reason}")),
        Found::Nothing => {
            refuse("another process has written other pictures there meanwhile; start again")
        }
    }
}

/// What is known of each image that has pixels, in their order.
struct Places {
    paths: Vec<PathBuf>,
    labels: Vec<u16>,
    parts: Vec<Option<Part>>,
}

impl Places {
    fn of(survey: &Survey, contents: &Contents) -> Self {
        let mut damaged = contents.damaged.iter().map(|left_out| left_out.index).peekable();
        let mut places = Self {
            paths: Vec::with_capacity(contents.images()),
            labels: Vec::with_capacity(contents.images()),
            parts: Vec::with_capacity(contents.images()),
        };
        for (index, file) in survey.files.iter().enumerate() {
            if damaged.next_if_eq(&index).is_none() {
                places.paths.push(survey.folder.join(&file.path));
                places.labels.push(file.label);
                places.parts.push(file.part);
            }
        }
        places
    }

    /// The images of a part; those without one are to learn from.
    fn of_part(&self, part: Part) -> Vec<usize> {
        let parts = self.parts.iter().enumerate();
        let of_part = parts.filter(|(_, found)| found.unwrap_or(Part::Train) == part);
        of_part.map(|(at, _)| at).collect()
    }
}

struct Split {
    train: ImageSet,
    valid: Option<ImageSet>,
    test: ImageSet,
    /// The places of train, valid and test among all images.
    pictures: [Vec<usize>; 3],
}

fn split(
    all: &ImageSet,
    places: &Places,
    settings: &PictureSettings,
    groups: &dyn Fn(&ImageSet) -> Result<Vec<usize>, PicturesError>,
    notes: &mut Vec<String>,
) -> Result<Split, PicturesError> {
    let [mut train, valid, mut test] = Part::ALL.map(|part| places.of_part(part));
    if test.is_empty() {
        let candidates = all.select(&train);
        let groups = settings.group_near_copies.then(|| groups(&candidates)).transpose()?;
        let (size, seed) = (settings.test_size, settings.split_seed);
        let labels = candidates.labels();
        let drawn = draw_test(labels, all.classes(), groups.as_deref(), size, seed)?;
        let chosen = |of: &[usize]| of.iter().filter_map(|&at| train.get(at).copied()).collect();
        (test, train) = (chosen(&drawn.test), chosen(&drawn.train));
        notes.push(format!(
            "no test pictures are named; {} of {} were drawn for the final score (test_size \
             {size}, split_seed {seed})",
            test.len(),
            labels.len()
        ));
        let alone = candidates.class_counts().into_iter().filter(|&count| count == 1).count();
        if alone > 0 {
            notes.push(format!(
                "classes with one picture, which is learnt from and not tested: {alone}"
            ));
        }
    }
    let of_valid = (!valid.is_empty()).then(|| all.select(&valid));
    Ok(Split {
        train: all.select(&train),
        valid: of_valid,
        test: all.select(&test),
        pictures: [train, valid, test],
    })
}

fn check_train(class_names: &[String], train: &ImageSet) -> Result<(), PicturesError> {
    let counts = train.class_counts();
    let lost = class_names.iter().zip(counts).find(|(_, count)| *count == 0);
    lost.map_or(Ok(()), |(class, _)| Err(PicturesError::ClassLost { class: class.clone() }))
}

/// Prepared pictures stand for the files that they come from. Their checksums are computed side by side.
fn records(parts: [(&str, Option<&ImageSet>); 3]) -> Vec<FileRecord> {
    use rayon::prelude::*;
    let record = |(part, images): (&str, Option<&ImageSet>)| {
        images.map(|images| FileRecord {
            name: format!("{part} ({} pictures)", images.len()),
            bytes: images.bytes() as u64,
            sha256: images.sha256(),
        })
    };
    parts.into_par_iter().filter_map(record).collect()
}

/// Where the size comes from, if nobody has asked for it.
fn size_note(contents: &Contents) -> Option<String> {
    let Preparation { height, width, .. } = contents.preparation;
    let size = PictureSize { height, width };
    match contents.size_from {
        SizeFrom::Settings => None,
        SizeFrom::Pictures => {
            Some(format!("size {size}, as all pictures measure {height} x {width}"))
        }
        SizeFrom::Default => Some(format!(
            "size {size}, as pictures differ in size or are larger; set another one if details \
             are lost"
        )),
    }
}
