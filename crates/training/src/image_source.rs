//! Where a recipe's images come from: a data set of the catalog, or people's own pictures.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::{env, fs};

use backburn_data::near_copies::groups;
use backburn_data::pictures::{PictureProgress, PictureSettings, PicturesError, load_with_groups};
use backburn_data::{DataSet, FetchProgress, ImageSet, Source};
use backburn_records::whole_file::write_whole;
use backburn_records::{read_bounded, sha256};

use crate::prepare::PrepareError;
use crate::recipe::Recipe;

/// What stands before the path of a folder of pictures, or of a table of them, in place of a data set's name.
pub const FOLDER: &str = "folder:";

/// From this similarity on, `group_near_copies` keeps images together.
const SIMILAR: f64 = 0.95;

/// The environment variable that names the folder of prepared pictures.
pub const CACHE: &str = "BACKBURN_CACHE";

/// How far data are from being there.
#[derive(Clone, Copy, Debug)]
pub enum DataProgress<'a> {
    /// A file is being downloaded.
    Download(FetchProgress<'a>),
    /// Pictures are being prepared.
    Pictures(PictureProgress),
}

/// The folder or table of pictures that a data set's name stands for; `None` of a data set of the catalog.
pub fn folder(dataset: &str) -> Option<&Path> {
    dataset.strip_prefix(FOLDER).map(Path::new)
}

/// The name that stands for the pictures in a folder or table, wherever it is used from.
///
/// # Errors
///
/// If the path is not in UTF-8, and so cannot be written to `config.toml`.
pub fn named(path: &Path) -> Result<String, String> {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    match absolute.to_str() {
        Some(path) => Ok(format!("{FOLDER}{path}")),
        None => Err(format!(
            "{}: expected a path in UTF-8, to be written to config.toml; give the folder another name, or a link",
            absolute.display()
        )),
    }
}

/// A data set's name as part of the name of a file: of a folder of pictures only its own.
pub fn short_name(dataset: &str) -> String {
    let name = folder(dataset).map(|path| path.file_stem().unwrap_or_default().to_string_lossy());
    match name {
        Some(name) if !name.is_empty() => name.into_owned(),
        Some(_) => "pictures".to_owned(),
        None => dataset.to_owned(),
    }
}

/// Where prepared pictures are kept: in `$BACKBURN_CACHE`, else in `datasets/prepared`.
fn cache() -> PathBuf {
    let set = env::var_os(CACHE).filter(|value| !value.is_empty());
    set.map_or_else(|| Path::new("datasets").join("prepared"), PathBuf::from)
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
) -> Result<DataSet, PrepareError> {
    let mut data = match folder(&recipe.dataset) {
        Some(path) => {
            // Pictures that have been moved are named anew.
            let path = recipe.place.data_dir.as_deref().unwrap_or(path);
            let data = load_pictures(path, &recipe.pictures, progress)?;
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
    Ok(data)
}

/// Loads pictures from a folder or table, preparing those that have not been prepared before.
///
/// # Errors
///
/// If there are none, or they cannot be read or prepared.
pub fn load_pictures(
    path: &Path,
    settings: &PictureSettings,
    progress: &mut dyn FnMut(DataProgress<'_>),
) -> Result<DataSet, PicturesError> {
    let mut told = |it: PictureProgress| progress(DataProgress::Pictures(it));
    let groups = |images: &ImageSet| {
        groups(images, SIMILAR, &|_| ()).map_err(|error| {
            let reason = format!("{error}; or leave `--group-near-copies` out");
            PicturesError::Setting { name: "group_near_copies", reason }
        })
    };
    Ok(load_with_groups(path, settings, &cache(), &groups, &mut told)?.data)
}

/// Keeps what a search for near copies has found in these very files, for the reports of trainings on them. That it
/// cannot be kept is told to nobody: it is found again by the same search.
pub fn keep_found_copies(data: &DataSet, sentence: &str) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_named_by_its_absolute_path_and_shortly_by_its_own_name() {
        let name = named(Path::new("some/cats and dogs")).unwrap();
        let path = folder(&name).unwrap();
        assert!(path.is_absolute() && path.ends_with("some/cats and dogs"), "{name}");
        assert_eq!(short_name(&name), "cats and dogs");
        assert_eq!(short_name("folder:/data/birds.csv"), "birds");
        assert_eq!(short_name("folder:/"), "pictures");
        assert_eq!((folder("mnist"), short_name("mnist")), (None, "mnist".to_owned()));
    }
}
