//! Lists of arms, as TOML files have them.

use backburn_training::recipe_change::RecipeChange;
use serde::Deserialize;

/// An arm as a row of a list: what it changes of the recipe that all share.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListedArm {
    /// Name, also of its folder.
    pub name: String,
    /// What it is, in one line.
    pub summary: String,
    /// What it changes; nothing of the arm that the others are compared with, which is the first.
    #[serde(default)]
    pub change: RecipeChange,
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
    fn names_are_short_and_can_be_folders() {
        let arms = regularizers();
        for (place, arm) in arms.iter().enumerate() {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c);
            // Longer ones do not fit the table on a terminal of 80 columns.
            assert!(arm.name.len() <= 20 && arm.name.chars().all(plain), "{}", arm.name);
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
