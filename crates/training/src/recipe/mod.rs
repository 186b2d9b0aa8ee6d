//! A recipe: everything that decides what a training does.
//!
//! Built-in recipes are TOML files under `recipes/`; the resolved recipe of a run is its
//! `config.toml`, and `backburn train --config` of that file repeats the run.

mod built_in;
mod check;
mod definition;
mod error;

pub use built_in::{BuiltIn, CATALOG, built_in};
pub use definition::{MOST_BYTES, Recipe, Settings};
pub use error::RecipeError;
