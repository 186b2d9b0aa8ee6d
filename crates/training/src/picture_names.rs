//! How a recipe names people's own pictures, where a data set of the catalog has its name.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::Path;

/// What stands before the path of a folder of pictures, or of a table of them, in place of a data set's name.
pub const FOLDER: &str = "folder:";

/// The built-in recipe that trains on people's own pictures.
pub const RECIPE: &str = "pictures";

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
            "{}: expected a path in UTF-8, to be written to config.toml; give the folder another \
             name, or a link",
            absolute.display()
        )),
    }
}

/// The data set that somebody asks for, by its name in a recipe: one of the catalog, or pictures by their absolute path.
///
/// # Errors
///
/// If there is neither.
pub fn data_set(asked: &str) -> Result<String, String> {
    if backburn_data::entry(asked).is_ok() {
        return Ok(asked.to_owned());
    }
    let path = folder(asked);
    let looks_like_a_path = asked.contains(['/', '\\', '.']) || Path::new(asked).exists();
    let path = path.or_else(|| looks_like_a_path.then(|| Path::new(asked)));
    match path {
        Some(path) => named(path),
        None => backburn_data::entry(asked)
            .map(|entry| entry.name.to_owned())
            .map_err(|error| format!("{error}; or the path of a folder with pictures")),
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
