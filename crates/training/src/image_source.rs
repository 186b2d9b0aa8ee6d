//! Where a recipe's images come from: a data set of the catalog, or people's own pictures.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::env;
use std::path::{Path, PathBuf};

use backburn_data::near_copies::groups;
use backburn_data::pictures::{PictureProgress, PicturesError, load_with_groups};
use backburn_data::{DataSet, FetchProgress, ImageSet, Source};

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

/// Loads the recipe's images from its place, preparing pictures that have not been prepared before.
///
/// # Errors
///
/// If they cannot be had.
pub fn load(
    recipe: &Recipe,
    progress: &mut dyn FnMut(DataProgress<'_>),
) -> Result<DataSet, PrepareError> {
    let Some(path) = folder(&recipe.dataset) else {
        let source = Source::from_environment(recipe.place.data_dir.clone());
        let mut told = |it: FetchProgress<'_>| progress(DataProgress::Download(it));
        return Ok(backburn_data::load_with_progress(&recipe.dataset, &source, &mut told)?);
    };
    // Pictures that have been moved are named anew.
    let path = recipe.place.data_dir.as_deref().unwrap_or(path);
    let mut told = |it: PictureProgress| progress(DataProgress::Pictures(it));
    let groups = |images: &ImageSet| {
        groups(images, SIMILAR, &|_| ()).map_err(|error| {
            let reason = format!("{error}; or leave `--group-near-copies` out");
            PicturesError::Setting { name: "group_near_copies", reason }
        })
    };
    let loaded = load_with_groups(path, &recipe.pictures, &cache(), &groups, &mut told)?;
    // Whoever verifies the run finds the name of its recipe, wherever the pictures lie now.
    Ok(DataSet { name: recipe.dataset.clone(), ..loaded.data })
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
