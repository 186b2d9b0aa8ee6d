//! Pictures become a data set: prepared once, then read from the file that this left.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::counted::counted;
use crate::data_set::DataSet;
use crate::duplicates::Repeats;
use crate::image_set::ImageSet;
use crate::inspect::FileRecord;
use crate::test_split::TestSplit;

use super::build::{PictureProgress, build, damaged_pictures};
use super::cache::{self, Contents, Found, PreparedWith, SizeFrom};
use super::describe::Description;
use super::error::{DamagedPicture, PicturesError};
use super::facts::{Looked, look};
use super::layout::{Survey, named, survey};
use super::part::Part;
use super::preparation::Preparation;
use super::settings::PictureSettings;
use super::size::PictureSize;
use super::skipped::Skipped;
use super::source::PictureFile;
use super::splits::draw_test;

/// Pictures that are looked at before progress is told.
const AT_ONCE: usize = 1024;

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
    /// The folder that pictures are [named](name_in) from: that of the classes, or the one that the table is in.
    pub folder: PathBuf,
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
    load_with_groups(path, settings, cache_folder, &nobody_says, progress)
}

/// Stands for groups that are not known.
fn nobody_says(_: &ImageSet) -> Result<Vec<usize>, PicturesError> {
    let reason = "nobody has said which pictures are near copies; set it to false".to_owned();
    Err(PicturesError::Setting { name: "group_near_copies", reason })
}

/// Loads like [`load`], and asks `groups` for the group of each image to learn from if near copies are to stay on one
/// side: of a test split that is drawn here, and of what is drawn later from the images that are left, whose groups
/// stand in the data set.
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
    let prepared = prepared(path, &survey, settings, cache_folder, &mut notes, progress)?;
    loaded(path, &survey, settings, prepared, groups, notes)
}

/// What a folder or table of pictures holds.
#[derive(Debug)]
pub struct Described {
    /// Which pictures there are.
    pub survey: Survey,
    /// What there is to say of them.
    pub description: Description,
    /// The data set that a training would have, without the pictures that cannot be read; or why there is none.
    pub loaded: Result<Loaded, PicturesError>,
}

/// Looks at all pictures of a folder or table, and loads them like [`load`] in the same pass, so that a training with
/// these settings finds them prepared. Pictures that cannot be read are left out, as if `skip_damaged` were set where
/// there are such, and only there.
///
/// # Errors
///
/// If it is no data set of pictures, or a setting is out of its range. That nothing can be loaded from it is told beside
/// its description.
pub fn load_described(
    path: &Path,
    settings: &PictureSettings,
    cache_folder: &Path,
    progress: &mut dyn FnMut(PictureProgress),
) -> Result<Described, PicturesError> {
    settings.check()?;
    let survey = survey(path)?;
    let mut looked = vec![None; survey.files.len()];
    let settled = match kept(path, &survey, settings, cache_folder) {
        Some(settings) => Ok(settings),
        None => prepare_described(path, &survey, settings, cache_folder, progress, &mut looked),
    };
    if looked.iter().any(Option::is_none) {
        looked = look_at_all(&survey, settings, progress);
    }
    let description = Description::of(&survey, looked.into_iter().flatten().collect());
    let loaded = settled.and_then(|settings| {
        let mut notes = Vec::new();
        let prepared = prepared(path, &survey, &settings, cache_folder, &mut notes, progress)?;
        loaded(path, &survey, &settings, prepared, &nobody_says, notes)
    });
    Ok(Described { survey, description, loaded })
}

/// The settings with which these very pictures have been prepared before, skipping damaged ones or not.
fn kept(
    path: &Path,
    survey: &Survey,
    settings: &PictureSettings,
    cache_folder: &Path,
) -> Option<PictureSettings> {
    [false, true].into_iter().find_map(|skip_damaged| {
        let settings = PictureSettings { skip_damaged, ..*settings };
        let prepared_with = PreparedWith::from(&settings);
        let file = cache::file_of(cache_folder, path, &prepared_with);
        match cache::open(&file, &prepared_with, survey) {
            // Where none is damaged, a training need not skip any.
            Found::Prepared(contents, _) if skip_damaged != contents.damaged.is_empty() => {
                Some(settings)
            }
            _ => None,
        }
    })
}

/// Prepares the pictures for a training that skips damaged ones if there are such. Gives its settings, and puts what was
/// seen of each picture into its place.
fn prepare_described(
    path: &Path,
    survey: &Survey,
    settings: &PictureSettings,
    cache_folder: &Path,
    progress: &mut dyn FnMut(PictureProgress),
    looked: &mut [Option<Looked>],
) -> Result<PictureSettings, PicturesError> {
    let file = |settings| cache::file_of(cache_folder, path, &PreparedWith::from(settings));
    let [strict, skipping] =
        [false, true].map(|skip_damaged| PictureSettings { skip_damaged, ..*settings });
    let mut see = |index: usize, facts| {
        if let Some(place) = looked.get_mut(index) {
            *place = Some(facts);
        }
    };
    let built = build(&file(&skipping), survey, &skipping, progress, &mut see)?;
    if built.has_damaged() {
        built.finish()?;
        return Ok(skipping);
    }
    built.kept_as(&file(&strict), &strict).finish()?;
    Ok(strict)
}

/// What there is to tell of each picture.
fn look_at_all(
    survey: &Survey,
    settings: &PictureSettings,
    progress: &mut dyn FnMut(PictureProgress),
) -> Vec<Option<Looked>> {
    let decoding = settings.decoding();
    let look = |file: &PictureFile| {
        Some(look(&survey.folder.join(&file.path), &decoding).map(|(_, facts)| facts))
    };
    let mut looked = Vec::with_capacity(survey.files.len());
    for files in survey.files.chunks(AT_ONCE) {
        looked.par_extend(files.par_iter().map(look));
        progress(PictureProgress { done: looked.len(), of: survey.files.len() });
    }
    looked
}

/// Splits and seals what is prepared.
fn loaded(
    path: &Path,
    survey: &Survey,
    settings: &PictureSettings,
    (contents, all): (Contents, ImageSet),
    groups: &dyn Fn(&ImageSet) -> Result<Vec<usize>, PicturesError>,
    mut notes: Vec<String>,
) -> Result<Loaded, PicturesError> {
    let mut advice = Vec::new();
    match contents.size_from {
        SizeFrom::Default => advice.extend(size_note(&contents)),
        SizeFrom::Settings | SizeFrom::Pictures => notes.extend(size_note(&contents)),
    }
    let damaged = damaged_pictures(survey, &contents.damaged);
    match damaged.len() {
        0 => {}
        1 => notes.push("1 picture cannot be read and is left out".to_owned()),
        several => notes.push(format!("{several} pictures cannot be read and are left out")),
    }
    if survey.skipped.total() > 0 {
        notes.push(format!("not taken for pictures: {}", survey.skipped));
    }
    let places = Places::of(survey, &contents);
    let split = split(&all, &survey.class_names, &places, settings, groups, &mut notes)?;
    check_train(&survey.class_names, &split.train)?;
    notes
        .extend(copies_note(&split, survey.files.iter().any(|file| file.part == Some(Part::Test))));

    let Split { train, valid, test, groups, pictures: [in_train, in_valid, in_test] } = split;
    let paths =
        |of: Vec<usize>| of.into_iter().filter_map(|at| places.paths.get(at).cloned()).collect();
    let pictures =
        PicturePaths { train: paths(in_train), valid: paths(in_valid), test: paths(in_test) };
    let parts = [("train", Some(&train)), ("valid", valid.as_ref()), ("test", Some(&test))];
    let files = records(parts);
    let name = format!("folder:{}", path.display());
    let folder = survey.folder.clone();
    let named = pictures.test.iter().map(|file| name_in(&folder, file)).collect();
    let test = TestSplit::seal_named(test, named);
    let left_out =
        damaged.iter().map(|picture| format!("{}: {}", picture.path.display(), picture.reason));
    let data = DataSet {
        valid,
        groups,
        left_out: left_out.collect(),
        notes,
        advice,
        ..DataSet::read(name, survey.class_names.clone(), train, test, files)
    };
    let (preparation, skipped) = (contents.preparation, survey.skipped.clone());
    Ok(Loaded { folder, data, preparation, pictures, damaged, skipped })
}

/// What a picture's file is called in tables and records: its path from `folder` on.
pub fn name_in(folder: &Path, file: &Path) -> String {
    file.strip_prefix(folder).unwrap_or(file).display().to_string()
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
        build(&file, survey, settings, progress, &mut |_, _| ())?.finish()?;
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
    /// The group of each image in `train`, if near copies are to stay on one side.
    groups: Option<Vec<usize>>,
    /// The places of train, valid and test among all images.
    pictures: [Vec<usize>; 3],
}

fn split(
    all: &ImageSet,
    names: &[String],
    places: &Places,
    settings: &PictureSettings,
    groups: &dyn Fn(&ImageSet) -> Result<Vec<usize>, PicturesError>,
    notes: &mut Vec<String>,
) -> Result<Split, PicturesError> {
    let [mut train, valid, mut test] = Part::ALL.map(|part| places.of_part(part));
    let candidates = all.select(&train);
    let mut of_train = settings.group_near_copies.then(|| groups(&candidates)).transpose()?;
    if test.is_empty() {
        let (size, seed) = (settings.test_size, settings.split_seed);
        let labels = candidates.labels();
        let drawn = draw_test(labels, all.classes(), of_train.as_deref(), size, seed)?;
        of_train = of_train
            .map(|groups| drawn.train.iter().filter_map(|&at| groups.get(at).copied()).collect());
        let chosen = |of: &[usize]| of.iter().filter_map(|&at| train.get(at).copied()).collect();
        (test, train) = (chosen(&drawn.test), chosen(&drawn.train));
        notes.push(format!(
            "no test pictures are named; {} of {} were drawn for the final score \
             (`--test-size {size}`, `--test-seed {seed}`)",
            test.len(),
            labels.len()
        ));
        let counts = names.iter().zip(candidates.class_counts());
        let alone: Vec<&String> =
            counts.filter(|(_, count)| *count == 1).map(|(name, _)| name).collect();
        if !alone.is_empty() {
            notes.push(format!(
                "classes with one picture, which is learnt from and not tested: {}",
                named(&alone)
            ));
        }
    } else if settings.group_near_copies && !valid.is_empty() {
        notes.push(
            "validation and test pictures are named and stay as they are; near copies are kept on \
             one side where folds are drawn, and nowhere else"
                .to_owned(),
        );
    }
    let of_valid = (!valid.is_empty()).then(|| all.select(&valid));
    Ok(Split {
        train: all.select(&train),
        valid: of_valid,
        test: all.select(&test),
        groups: of_train,
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
            "size {size}, as pictures differ in size or are larger; set `--image-size` if details \
             are lost"
        )),
    }
}

/// That test images are known from training, pixel by pixel. `is_named`: whether folders or a table name the test
/// pictures. Of the test split it tells a count alone.
fn copies_note(split: &Split, is_named: bool) -> Option<String> {
    let Repeats { count, other_label, .. } = Repeats::across(&split.train, &split.test);
    let all = counted(split.test.len(), "test image");
    let cure = match is_named {
        true => "take them out of one of the two",
        false => "`--group-near-copies` keeps copies on one side",
    };
    let are = if count == 1 { "is" } else { "are" };
    (count > 0).then(|| {
        format!(
            "{count} of the {all} {are} equal to a training image, {other_label} with \
             another label: what is known by heart is no test; {cure}"
        )
    })
}
