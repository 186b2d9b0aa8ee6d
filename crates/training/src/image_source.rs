//! Where a recipe's images come from: a data set of the catalog, or people's own pictures.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::{env, fs};

use backburn_data::near_copies::groups;
use backburn_data::pictures::{
    Described, Loaded, PictureProgress, PictureSettings, PicturesError, load_described,
    load_with_groups, name_in,
};
use backburn_data::{DataError, DataSet, FetchProgress, ImageSet, Source};
use backburn_records::whole_file::write_whole;
use backburn_records::{read_bounded, sha256};

use crate::data_progress::DataProgress;
use crate::picture_names::folder;
use crate::recipe::Recipe;

/// From this similarity on, `group_near_copies` keeps images together.
const SIMILAR: f64 = 0.95;

/// The environment variable that names the folder of prepared pictures.
pub const CACHE: &str = "BACKBURN_CACHE";

/// Why images cannot be had.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // Each variant passes the error of that name on.
pub enum ImageSourceError {
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    Pictures(#[from] PicturesError),
}

/// Where prepared pictures are kept: in `$BACKBURN_CACHE`, else in `datasets/prepared`.
pub fn cache() -> PathBuf {
    cache_if_set().unwrap_or_else(|| Path::new("datasets").join("prepared"))
}

/// What `$BACKBURN_CACHE` names, which kernels of graphics cards are kept in as well.
pub fn cache_if_set() -> Option<PathBuf> {
    env::var_os(CACHE).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Loads the recipe's images from its place, preparing pictures that have not been prepared before. What a search for
/// near copies has found in them is among the notes.
///
/// # Errors
///
/// If they cannot be had.
pub fn load(
    recipe: &Recipe,
    progress: &mut dyn FnMut(DataProgress<'_>),
) -> Result<DataSet, ImageSourceError> {
    Ok(load_named(recipe, progress)?.0)
}

/// Loads like [`load`], and names the file of each image to train and validate on, in their order, from the folder of the
/// pictures on; a data set of the catalog has no names.
///
/// # Errors
///
/// As [`load`].
pub fn load_named(
    recipe: &Recipe,
    progress: &mut dyn FnMut(DataProgress<'_>),
) -> Result<(DataSet, Vec<String>), ImageSourceError> {
    let mut names = Vec::new();
    let mut data = match folder(&recipe.dataset) {
        Some(path) => {
            // Pictures that have been moved are named anew.
            let path = recipe.place.data_dir.as_deref().unwrap_or(path);
            let Loaded { folder, data, pictures, .. } =
                load_pictures(path, &recipe.pictures, progress)?;
            names = pictures.train.iter().map(|file| name_in(&folder, file)).collect();
            // Whoever verifies the run finds the name of its recipe, wherever the pictures lie now.
            DataSet { name: recipe.dataset.clone(), ..data }
        }
        None => {
            let source = Source::from_environment(recipe.place.data_dir.clone());
            let mut told = |it: FetchProgress<'_>| progress(DataProgress::Download(it));
            backburn_data::load_with_progress(&recipe.dataset, &source, &mut told)?
        }
    };
    data.notes.extend(found_copies(&data));
    Ok((data, names))
}

/// Loads pictures from a folder or table, preparing those that have not been prepared before.
///
/// # Errors
///
/// If there are none, or they cannot be read or prepared.
fn load_pictures(
    path: &Path,
    settings: &PictureSettings,
    progress: &mut dyn FnMut(DataProgress<'_>),
) -> Result<Loaded, PicturesError> {
    let mut told = |it: PictureProgress| progress(DataProgress::Pictures(it));
    let groups = |images: &ImageSet| {
        groups(images, SIMILAR, &|_| ()).map_err(|error| {
            let reason = format!("{error}; or leave `--group-near-copies` out");
            PicturesError::Setting { name: "group_near_copies", reason }
        })
    };
    load_with_groups(path, settings, &cache(), &groups, &mut told)
}

/// Says what a folder or table of pictures holds, and loads it as a training would, which finds the pictures prepared.
///
/// # Errors
///
/// If it is no data set of pictures. That it cannot be loaded is told beside its description.
pub fn describe_pictures(
    path: &Path,
    settings: &PictureSettings,
    progress: &mut dyn FnMut(DataProgress<'_>),
) -> Result<Described, PicturesError> {
    load_described(path, settings, &cache(), &mut |it| progress(DataProgress::Pictures(it)))
}

/// Keeps what a search for near copies has found in these very files, for the reports of trainings on them. That it
/// cannot be kept is told to nobody: it is found again by the same search.
pub fn keep_found_copies(data: &DataSet, sentence: &str) {
    // What is drawn needs no folder, and leaves none behind.
    if backburn_data::entry(&data.name).is_ok_and(|entry| entry.built_in) {
        return;
    }
    if fs::create_dir_all(cache()).is_ok() {
        let _ = write_whole(&copies_file(data), sentence.as_bytes());
    }
}

/// What was kept of a search in these files.
fn found_copies(data: &DataSet) -> Option<String> {
    let bytes = read_bounded(&copies_file(data), 1 << 12).ok()?;
    String::from_utf8(bytes).ok().filter(|sentence| !sentence.trim().is_empty())
}

fn copies_file(data: &DataSet) -> PathBuf {
    let sums: Vec<&str> = data.files.iter().map(|file| file.sha256.as_str()).collect();
    let key = sha256(sums.join(" ").as_bytes());
    cache().join(format!("near-copies-{}.txt", key.get(..16).unwrap_or(&key)))
}
