//! Lists of arms, as TOML files have them.

use std::path::{Path, PathBuf};

use backburn_training::recipe;
use backburn_training::recipe_change::RecipeChange;
use serde::{Deserialize, Serialize};

/// An arm as a row of a list: what it changes of the recipe that all share.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListedArm {
    /// Name, also of its folder.
    pub name: String,
    /// Another name by which `ablate` knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// What it is, in one line.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub summary: String,
    /// A built-in recipe of its own, in place of the one that the others share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<String>,
    /// The same from a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<PathBuf>,
    /// What it changes; nothing of the arm that the others are compared with, which is the first.
    #[serde(default, skip_serializing_if = "RecipeChange::is_empty")]
    pub change: RecipeChange,
}

impl ListedArm {
    /// The arm of a built-in recipe by its name, or of a recipe's file.
    pub fn of_recipe(asked: &str) -> Self {
        if recipe::CATALOG.iter().any(|row| row.name == asked) {
            let (name, recipe) = (asked.to_owned(), Some(asked.to_owned()));
            return Self { summary: format!("recipe {name}"), name, recipe, ..Self::default() };
        }
        let path = Path::new(asked);
        // A run's file is called like all others; its folder tells them apart.
        let is_runs = path.file_name().is_some_and(|name| name == "config.toml");
        let named = if is_runs { path.parent().unwrap_or(path) } else { path };
        let stem = named.file_stem().unwrap_or(named.as_os_str()).to_string_lossy();
        let plain =
            |c: char| if c.is_ascii_alphanumeric() || "+-_.=".contains(c) { c } else { '-' };
        let name: String = stem.chars().map(plain).collect();
        let config = Some(path.to_owned());
        Self { name, summary: format!("recipe {asked}"), config, ..Self::default() }
    }

    /// Whether it has a recipe of its own.
    pub fn has_a_recipe(&self) -> bool {
        self.recipe.is_some() || self.config.is_some()
    }
}

/// The longest name of an arm.
pub const LONGEST_NAME: usize = 60;

/// Why a name cannot be that of an arm and of its folder; `None` if it can.
pub fn wrong_name(name: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "+-_.=:".contains(c);
    let fits = (1..=LONGEST_NAME).contains(&name.len()) && !name.starts_with('.');
    (!fits || !name.chars().all(plain)).then(|| {
        format!(
            "arm `{name}`: expected a name of 1 to {LONGEST_NAME} letters, digits and +-_.=: that \
             does not begin with a dot"
        )
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    arm: Vec<ListedArm>,
}

/// Reads a list of arms.
///
/// # Errors
///
/// If the text is none, with the line.
pub fn read(text: &str) -> Result<Vec<ListedArm>, String> {
    let list: List = toml::from_str(text).map_err(|error| error.to_string())?;
    Ok(list.arm)
}

/// Every regularizer alone, a few together, and none.
///
/// # Panics
///
/// If the built-in list is none.
pub fn regularizers() -> Vec<ListedArm> {
    read(include_str!("regularizers.toml")).expect("the built-in list is read by a test")
}

#[cfg(test)]
mod tests {
    use backburn_training::recipe::built_in;

    use super::*;

    #[test]
    fn every_arm_gives_a_valid_recipe_of_its_own() {
        let base = built_in("small").unwrap();
        let mut seen = Vec::new();
        for arm in regularizers() {
            // The only one that needs another model.
            if arm.name == "stochastic-depth" {
                assert!(arm.change.apply_as_arm(&base).is_err());
                continue;
            }
            let recipe = arm.change.apply_as_arm(&base);
            let recipe = recipe.unwrap_or_else(|error| panic!("{}: {error}", arm.name));
            assert!(!seen.contains(&recipe), "{} is the same as another arm", arm.name);
            seen.push(recipe);
        }
        assert_eq!(seen[0], base);
    }

    #[test]
    fn a_recipe_is_named_for_itself_its_file_or_its_run() {
        let named = |asked: &str| {
            let arm = ListedArm::of_recipe(asked);
            (arm.name, arm.recipe.is_some())
        };
        assert_eq!(named("small"), ("small".into(), true));
        assert_eq!(named("recipes/mine.toml"), ("mine".into(), false));
        assert_eq!(named("runs/a b/config.toml"), ("a-b".into(), false));
    }

    #[test]
    fn names_are_short_and_can_be_folders() {
        let arms = regularizers();
        for (place, arm) in arms.iter().enumerate() {
            // Longer ones do not fit the table on a terminal of 80 columns.
            assert!(arm.name.len() <= 20 && wrong_name(&arm.name).is_none(), "{}", arm.name);
            assert!(!arms[..place].iter().any(|other| other.name == arm.name), "{}", arm.name);
        }
        assert!(arms[0].name == "none" && arms[0].change.is_empty());
    }

    #[test]
    fn what_is_no_list_is_refused_with_its_line() {
        let error = read("[[arm]]\nname = \"x\"\nsumary = \"y\"\n").unwrap_err();
        assert!(error.contains("line 3") && error.contains("sumary"), "{error}");
    }
}
