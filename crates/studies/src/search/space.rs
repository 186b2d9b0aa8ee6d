//! The settings that a search varies, each over its range.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;

use backburn_records::read_bounded;
use backburn_training::failure::{Failure, usage};
use backburn_training::recipe::{MOST_BYTES, Recipe};
use backburn_training::recipe_change::RecipeChange;
use backburn_training::recipe_settings::CATALOG;
use serde::{Deserialize, Serialize};
use toml::Value;

use crate::search::range::{Range, text};

/// The most settings of a search; more are taken for a mistake.
pub const MOST_SETTINGS: usize = 64;

/// Combinations of ends that are tried on the recipe; of a space with more, each end is tried alone.
const MOST_CORNERS: usize = 4096;

/// What decides which images score a trial, or where it is trained: scores that differ in it cannot be compared.
const NOT_SEARCHED: [&str; 12] = [
    "seed",
    "data-seed",
    "replicate",
    "valid-size",
    "fold",
    "test-size",
    "test-seed",
    "group-near-copies",
    "skip-damaged",
    "dataset",
    "backend",
    "data_dir",
];

/// A setting, and what it is varied over.
#[derive(Clone, Debug, PartialEq)]
pub struct Varied {
    /// Name, as a [`RecipeChange`] has it.
    pub setting: String,
    /// The values.
    pub range: Range,
}

/// What a search varies: at least one setting, none of them twice, in the order in which a change applies them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, Range>", into = "BTreeMap<String, Range>")]
pub struct Space {
    varied: Vec<Varied>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SpaceFile {
    vary: BTreeMap<String, Range>,
}

impl From<Space> for BTreeMap<String, Range> {
    fn from(space: Space) -> Self {
        space.varied.into_iter().map(|Varied { setting, range }| (setting, range)).collect()
    }
}

impl TryFrom<BTreeMap<String, Range>> for Space {
    type Error = String;

    fn try_from(ranges: BTreeMap<String, Range>) -> Result<Self, String> {
        Self::new(ranges.into_iter().map(|(setting, range)| Varied { setting, range }).collect())
    }
}

/// Reads a setting with its range, `learning-rate=log:1e-4:1e-1`.
///
/// # Errors
///
/// If there is no `=`, or what follows is no range or an empty one.
pub fn varied(text: &str) -> Result<Varied, String> {
    let (setting, range) = text.split_once('=').ok_or_else(|| {
        format!("expected SETTING=RANGE, such as learning-rate=log:1e-4:1e-1, found `{text}`")
    })?;
    let setting = setting.trim().to_owned();
    let range = range.trim().parse().map_err(|error| format!("`{setting}`: {error}"))?;
    Ok(Varied { setting, range })
}

/// Reads a file of settings with their ranges, in a table `[vary]`.
///
/// # Errors
///
/// If the text is none, with the line.
pub fn read(text: &str) -> Result<Vec<Varied>, String> {
    let file: SpaceFile = toml::from_str(text).map_err(|error| error.to_string())?;
    Ok(file.vary.into_iter().map(|(setting, range)| Varied { setting, range }).collect())
}

impl Space {
    /// The space of the settings of a file, if there is one, and of `words` as [`varied`] reads them.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, it or a word is none, or as [`new`](Self::new).
    pub fn of(file: Option<&Path>, words: &[String]) -> Result<Self, Failure> {
        let refused = |error: String| usage(format!("`--vary`: {error}"));
        let mut all = Vec::new();
        if let Some(path) = file {
            let failed = |error: &dyn std::fmt::Display| {
                Failure::Error(format!(
                    "{}: {error}; `--space` wants a file with a table [vary]",
                    path.display()
                ))
            };
            let bytes = read_bounded(path, MOST_BYTES).map_err(|error| failed(&error))?;
            let text = String::from_utf8(bytes).map_err(|error| failed(&error))?;
            all = read(&text).map_err(|error| failed(&error.trim_end()))?;
        }
        for text in words {
            all.push(varied(text).map_err(refused)?);
        }
        Self::new(all).map_err(refused)
    }

    /// The space of these settings.
    ///
    /// # Errors
    ///
    /// If there is none, one of them twice, or one that scores cannot be compared over.
    pub fn new(mut varied: Vec<Varied>) -> Result<Self, String> {
        if varied.is_empty() || varied.len() > MOST_SETTINGS {
            return Err(format!(
                "expected 1 to {MOST_SETTINGS} settings to vary, such as `--vary \
                 learning-rate=log:1e-4:1e-1`, found {}",
                varied.len()
            ));
        }
        for (place, Varied { setting, .. }) in varied.iter().enumerate() {
            if varied.iter().take(place).any(|other| other.setting == *setting) {
                return Err(format!("`{setting}` is varied twice; name it once"));
            }
            if NOT_SEARCHED.contains(&setting.replace('_', "-").as_str())
                || NOT_SEARCHED.contains(&setting.as_str())
            {
                return Err(format!(
                    "`{setting}` cannot be varied: trials are compared by the same validation \
                     images, trained in the same place; give it to all of them as a flag"
                ));
            }
        }
        // As a change applies them, so that the order in which they are given plays no part.
        let place = |setting: &str| {
            CATALOG.iter().position(|row| row.name == setting).unwrap_or(CATALOG.len())
        };
        varied.sort_by(|a, b| {
            let [a, b] = [a, b].map(|it| (place(&it.setting), &it.setting));
            a.cmp(&b)
        });
        Ok(Self { varied })
    }

    /// The settings with their ranges.
    pub fn varied(&self) -> &[Varied] {
        &self.varied
    }

    /// How many points there are, if they can be counted; of more than fit, as many as fit.
    pub fn points(&self) -> Option<usize> {
        let counts = self.varied.iter().map(|varied| varied.range.count());
        counts.into_iter().try_fold(1_usize, |all, count| Some(all.saturating_mul(count?)))
    }

    /// The values at these places, one for each setting.
    pub fn change(&self, places: &[f64]) -> RecipeChange {
        let settings = self.varied.iter().zip(places);
        settings.fold(RecipeChange::default(), |change, (varied, place)| {
            change.with(&varied.setting, varied.range.value(*place))
        })
    }

    /// The places of values; `None` if one is missing or lies outside.
    pub fn places(&self, values: &RecipeChange) -> Option<Vec<f64>> {
        let place = |varied: &Varied| varied.range.place(values.value(&varied.setting)?);
        self.varied.iter().map(place).collect()
    }

    /// The space that these points span.
    #[must_use]
    pub fn spanned_by(&self, points: &[&RecipeChange]) -> Self {
        let narrow = |Varied { setting, range }: &Varied| Varied {
            setting: setting.clone(),
            range: range.spanned_by(points.iter().filter_map(|point| point.value(setting))),
        };
        Self { varied: self.varied.iter().map(narrow).collect() }
    }

    /// Checks that every trial can be trained: that the recipe takes both ends of every range and all values of a
    /// choice, in every combination with those of the other settings if these are not too many, and that none of them
    /// is the same as another.
    ///
    /// # Errors
    ///
    /// If a setting is unknown, a value is not taken, or two values make no difference, by name.
    pub fn check(&self, base: &Recipe) -> Result<(), Failure> {
        if !base.validates() {
            return Err(usage(
                "a search chooses by validation accuracy, and the recipe keeps no images for \
                 validation; set `--valid-size`, for example to 10%",
            ));
        }
        let ends: Vec<Vec<Value>> = self.varied.iter().map(|varied| varied.range.ends()).collect();
        let at = |items: &[usize]| {
            let values = self.varied.iter().zip(&ends).zip(items);
            let change = values.fold(RecipeChange::default(), |change, ((varied, ends), item)| {
                match ends.get(*item) {
                    Some(value) => change.with(&varied.setting, value.clone()),
                    None => change,
                }
            });
            change.apply_checked(base).map_err(|error| {
                usage(format!("`--vary`: with `{}`: {error}", change.words().join(" ")))
            })
        };
        let corners = ends.iter().try_fold(1_usize, |all, ends| all.checked_mul(ends.len()));
        for corner in 0..corners.filter(|corners| *corners <= MOST_CORNERS).unwrap_or(0) {
            let mut rest = corner;
            let item = |ends: &Vec<Value>| {
                let item = rest % ends.len().max(1);
                rest /= ends.len().max(1);
                item
            };
            at(&ends.iter().map(item).collect::<Vec<_>>())?;
        }
        for (place, (varied, values)) in self.varied.iter().zip(&ends).enumerate() {
            let mut recipes = Vec::new();
            for (item, value) in values.iter().enumerate() {
                let items: Vec<usize> =
                    (0..ends.len()).map(|other| if other == place { item } else { 0 }).collect();
                let recipe = at(&items)?;
                if let Some((_, same)) = recipes.iter().find(|(other, _)| *other == recipe) {
                    let [same, value] = [same, value].map(text);
                    return Err(usage(format!(
                        "`--vary {}={}`: nothing would change: the recipe is the same with {same} \
                         and {value}",
                        varied.setting, varied.range
                    )));
                }
                recipes.push((recipe, value.clone()));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use backburn_data::SplitSize;
    use backburn_training::recipe::built_in;

    use super::*;

    fn space(words: &[&str]) -> Result<Space, String> {
        Space::new(words.iter().map(|word| varied(word)).collect::<Result<_, _>>()?)
    }

    fn refusal(words: &[&str]) -> String {
        let base = built_in("small").unwrap();
        match space(words).map_err(usage).and_then(|space| space.check(&base)) {
            Err(Failure::Usage(message)) => message,
            other => panic!("{words:?}: {other:?}"),
        }
    }

    #[test]
    fn settings_stand_as_a_change_applies_them_whatever_their_order() {
        let words = ["dropout=0:0.8", "optimizer.beta2=0.9:0.999", "learning-rate=log:1e-4:1"];
        let one = space(&words).unwrap();
        let names: Vec<&str> = one.varied().iter().map(|it| it.setting.as_str()).collect();
        assert_eq!(names, ["learning-rate", "dropout", "optimizer.beta2"]);
        let [a, b, c] = words;
        assert_eq!(space(&[c, b, a]), Ok(one.clone()));
        let change = one.change(&[0.0, 0.5, 1.0]);
        assert_eq!(
            change.words().join(" "),
            "--learning-rate 0.0001 --dropout 0.4 --set optimizer.beta2=0.999"
        );
        assert_eq!(one.change(&one.places(&change).unwrap()), change);
        assert_eq!(one.places(&RecipeChange::default()), None);
        one.check(&built_in("small").unwrap()).unwrap();
    }

    #[test]
    fn a_file_has_them_in_a_table() {
        let text = "[vary]\nlearning-rate = { log = [1e-4, 1e-1] }\n\
            optimizer = { choice = [\"sgd\", \"adam\"] }\n\"optimizer.eps\" = { log = [1e-9, 1e-7] }\n";
        let found = Space::new(read(text).unwrap()).unwrap();
        let words =
            ["learning-rate=log:1e-4:1e-1", "optimizer=sgd|adam", "optimizer.eps=log:1e-9:1e-7"];
        assert_eq!(found, space(&words).unwrap());
        assert_eq!(toml::from_str::<Space>(&toml::to_string(&found).unwrap()).unwrap(), found);
        for (text, part) in [
            (text.replace("log = [1e-4", "log = [0"), "no place for 0"),
            (text.replace("[\"sgd\", \"adam\"]", "[\"sgd\"]"), "at least two values"),
            (text.replace("{ log = [1e-9, 1e-7] }", "3"), "line 4"),
            (format!("{text}optimizer = {{ choice = [1, 2] }}\n"), "duplicate key"),
            (format!("{text}[varied]\n"), "unknown field `varied`"),
        ] {
            let error = read(&text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn what_cannot_be_searched_is_refused_by_name() {
        for (words, part) in [
            (&[][..], "expected 1 to 64 settings"),
            (&["dropout"], "found `dropout`"),
            (&["dropout=0:0.5", "dropout=0:0.8"], "`dropout` is varied twice"),
            (&["seed=int:1:9"], "`seed` cannot be varied"),
            (&["valid_size=0.1:0.2"], "`valid_size` cannot be varied"),
            (&["drop-out=0:0.5"], "`drop-out`: unknown field"),
            (&["optimizer.beta3=0:0.5"], "`optimizer.beta3`: unknown field `beta3`"),
            (&["dropout=0.5:0.2"], "`dropout`: the range is empty"),
            (&["learning-rate=log:0:1"], "`learning-rate`: a range in log has no place for 0"),
            (&["optimizer=sgd"], "`optimizer`: expected a range"),
            (&["dropout=0:1"], "`--dropout`: expected a rate in [0, 1), found 1"),
            (&["learning-rate=0:0.1"], "`--learning-rate`: expected a positive number, found 0"),
            (&["epochs=1:9.5"], "`--epochs`: expected a whole number"),
            (&["optimizer=sgd|lion"], "unknown optimizer `lion`"),
            (&["momentum=0:0.9"], "`--momentum` applies to"),
            (&["optimizer=momentum|adam", "momentum=0:0.9"], "with `--optimizer adam --momentum"),
            (&["augment=flip|flip "], "`flip` stands twice"),
            (
                &["schedule=constant|cosine|cosine=floor:0"],
                "nothing would change: the recipe is the same with",
            ),
        ] {
            let message = refusal(words);
            assert!(message.contains(part), "{words:?}: {message}");
        }
        let all = space(&["optimizer=momentum|nesterov", "momentum=0:0.9", "dropout=0:0.5"]);
        all.unwrap().check(&built_in("small").unwrap()).unwrap();
    }

    #[test]
    fn a_recipe_without_validation_images_cannot_be_searched() {
        let base = Recipe { valid_size: SplitSize::Count(0), ..built_in("small").unwrap() };
        let message = match space(&["dropout=0:0.5"]).unwrap().check(&base) {
            Err(Failure::Usage(message)) => message,
            other => panic!("{other:?}"),
        };
        assert!(message.contains("--valid-size"), "{message}");
    }

    #[test]
    fn points_are_counted_and_spanned() {
        assert_eq!(space(&["dropout=0:0.5", "optimizer=sgd|adam"]).unwrap().points(), None);
        let counted = space(&["batch-size=int:1:10", "optimizer=sgd|adam|adamw"]).unwrap();
        assert_eq!(counted.points(), Some(30));
        let all = space(&["dropout=0:0.8", "optimizer=sgd|adam|adamw"]).unwrap();
        let point = |dropout: f64, optimizer: &str| {
            RecipeChange::default().with("dropout", dropout).with("optimizer", optimizer)
        };
        let [a, b] = [point(0.2, "adamw"), point(0.5, "sgd")];
        let found = all.spanned_by(&[&a, &b]);
        assert_eq!(found, space(&["dropout=0.2:0.5", "optimizer=sgd|adamw"]).unwrap());
        // What is fixed stays so.
        assert_eq!(all.spanned_by(&[&a]).points(), Some(1));
    }
}
