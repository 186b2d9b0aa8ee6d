//! A recipe from a file that somebody names.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::failure::Failure;
use crate::picture_names;
use crate::recipe::{MOST_BYTES, Recipe};

/// Stands for stdin where a file is asked for.
pub const STDIN: &str = "-";

/// Reads the recipe in a file, or from stdin.
///
/// # Errors
///
/// If it cannot be read, is no recipe, or asks for what cannot be; the error says that the file is to be set right.
pub fn read(path: &Path) -> Result<Recipe, Failure> {
    let origin = if path == Path::new(STDIN) { Path::new("stdin") } else { path };
    // A pipe will do, but not one without end.
    let read = || -> io::Result<String> {
        let mut text = String::new();
        let source: &mut dyn Read =
            if path == Path::new(STDIN) { &mut io::stdin().lock() } else { &mut File::open(path)? };
        source.take(MOST_BYTES + 1).read_to_string(&mut text)?;
        match text.len() as u64 > MOST_BYTES {
            true => Err(io::Error::other(format!("more than {} bytes", MOST_BYTES))),
            false => Ok(text),
        }
    };
    let text = read().map_err(|error| {
        Failure::Error(format!(
            "cannot read {}: {error}; `--config` wants a recipe such as the config.toml of a run",
            origin.display()
        ))
    })?;
    let recipe = Recipe::parse(&text, &origin.display().to_string())
        .map_err(|error| Failure::Error(error.to_string()))?;
    // Flags are checked later; what is wrong before them is wrong in the file.
    let in_file = |error: &dyn std::fmt::Display| {
        Failure::Error(format!("{}: {error}; set it right in the file", origin.display()))
    };
    if picture_names::folder(&recipe.dataset).is_none() {
        backburn_data::entry(&recipe.dataset).map_err(|error| in_file(&error))?;
    }
    recipe.check().map_err(|error| in_file(&error))?;
    Ok(recipe)
}
