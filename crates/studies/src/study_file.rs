//! A study as a file: what its arms share, what each of them changes, the seeds, how it is judged.
//!
//! ```toml
//! recipe = "small"          # a built-in recipe; or config = "FILE", a recipe's file
//! dataset = "mnist"         # instead of the recipe's
//! seeds = 10                # how many, from first-seed = 1 on
//! metric = "test_accuracy"  # what the verdicts are about
//! data = "drawn"            # each seed draws its training subset and validation split; or "fixed"
//! detect = 0.5              # the difference that matters, in the metric's unit
//! base = { train-size = 2000, epochs = 15 }
//!
//! [[arm]]
//! name = "none"
//!
//! [[arm]]
//! name = "dropout"
//! change = { dropout = 0.3 }
//! ```
//!
//! A file in a study's own folder is like any other; the recipe that the arms share stands beside it, as
//! [`BASE_FILE`], so that a trial needs nothing but the folder and its index.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use backburn_records::arms::{Measure, SeedData};
use backburn_records::whole_file;
use backburn_training::failure::Failure;
use backburn_training::recipe::{MOST_BYTES, Recipe, built_in};
use backburn_training::recipe_change::RecipeChange;
use serde::{Deserialize, Serialize};

use crate::arm_list::{ListedArm, wrong_name};
use crate::study::{Study, StudyArm, arm_folder};

/// The study's file in its folder.
pub const STUDY_FILE: &str = "study.toml";

/// The recipe that the arms of a study share, in its folder.
pub const BASE_FILE: &str = "base.toml";

/// Recipes of arms that have their own, in the study's folder.
const RECIPES: &str = "recipes";

/// More seeds than anybody has the time for; asking for more is taken for a mistake.
pub const MOST_SEEDS: u64 = 1000;

/// A study as its file has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct StudyFile {
    /// What the arms differ in, in the plural.
    #[serde(default = "arms", skip_serializing_if = "is_arms")]
    pub subject: String,
    /// The built-in recipe that the arms share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<String>,
    /// The same from a file, relative to the study's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<PathBuf>,
    /// Data set, in place of the recipe's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
    /// How many seeds each arm is trained with; if until resolved, at most.
    #[serde(default = "ten")]
    pub seeds: u64,
    /// The first of them.
    #[serde(default = "one")]
    pub first_seed: u64,
    /// The measure that verdicts are about, by its name in a run's summary.
    #[serde(default = "test_accuracy")]
    pub metric: String,
    /// What of the data a seed draws.
    #[serde(default)]
    pub data: SeedData,
    /// The difference that matters, in the unit of the metric; positive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detect: Option<f64>,
    /// Whether the study ends before its last seed once every arm is resolved on validation.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub until_resolved: bool,
    /// Whether every run gets a report of its own, which takes a second and a megabyte.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub reports: bool,
    /// Whether an arm that does not apply is left out with the reason, in place of refusing the study.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leave_out: bool,
    /// What all arms change of the recipe.
    #[serde(default, skip_serializing_if = "RecipeChange::is_empty")]
    pub base: RecipeChange,
    /// The arms, the one that the others are compared with first.
    #[serde(rename = "arm")]
    pub arms: Vec<ListedArm>,
}

fn arms() -> String {
    "arms".into()
}

fn is_arms(subject: &str) -> bool {
    subject == arms()
}

fn ten() -> u64 {
    10
}

fn one() -> u64 {
    1
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over the field")]
fn is_yes(answer: &bool) -> bool {
    *answer
}

fn test_accuracy() -> String {
    "test_accuracy".into()
}

impl Default for StudyFile {
    fn default() -> Self {
        Self {
            subject: arms(),
            recipe: None,
            config: None,
            dataset: None,
            seeds: ten(),
            first_seed: one(),
            metric: test_accuracy(),
            data: SeedData::Drawn,
            detect: None,
            until_resolved: false,
            reports: true,
            leave_out: false,
            base: RecipeChange::default(),
            arms: Vec::new(),
        }
    }
}

/// Why a study cannot be.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StudyError {
    /// A file that cannot be read or written.
    #[error("cannot {action} {}: {reason}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// A text that is no study.
    #[error("{}: {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What the parser says, with the line.
        reason: String,
    },
    /// A setting outside its range, or that does not go with another one.
    #[error("{0}")]
    Invalid(String),
    /// An arm that cannot be trained.
    #[error("arm `{arm}`: {reason}")]
    Arm {
        /// Its name.
        arm: String,
        /// What stands in the way.
        reason: String,
    },
    /// A folder with another study.
    #[error(
        "{} holds another study ({differs}); name another folder with `--out`, or remove this one",
        folder.display()
    )]
    Another {
        /// The folder.
        folder: PathBuf,
        /// In what it differs.
        differs: String,
    },
}

/// By what the study's author can do about it.
impl From<StudyError> for Failure {
    fn from(error: StudyError) -> Self {
        match error {
            StudyError::File { .. } => Self::Error(error.to_string()),
            _ => Self::Usage(error.to_string()),
        }
    }
}

impl StudyFile {
    /// Reads a study.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or is no study.
    pub fn read(path: &Path) -> Result<Self, StudyError> {
        let text = read(path).map_err(|error| match error {
            StudyError::File { action, path, reason } => {
                let cure =
                    "name the TOML file of a study, or the folder that one is carried out in";
                StudyError::File { action, path, reason: format!("{reason}; {cure}") }
            }
            other => other,
        })?;
        toml::from_str(&text).map_err(|error| StudyError::Format {
            path: path.to_owned(),
            reason: error.to_string().trim_end().to_owned(),
        })
    }

    /// The recipe that all arms share. `folder`: what paths in the file are relative to.
    ///
    /// # Errors
    ///
    /// If there is none, a file of it cannot be read, or it cannot be trained.
    pub fn load_base(&self, folder: &Path) -> Result<Recipe, StudyError> {
        self.shared(&self.named_recipe(folder)?)
    }

    /// The recipe that the file names, before what it changes of it. `folder`: what paths in the file are relative to.
    ///
    /// # Errors
    ///
    /// If there is none, or a file of it cannot be read.
    pub fn named_recipe(&self, folder: &Path) -> Result<Recipe, StudyError> {
        let invalid = |error: &dyn std::fmt::Display| StudyError::Invalid(format!("base: {error}"));
        let mut recipe = match (&self.recipe, &self.config) {
            (Some(_), Some(_)) => {
                return Err(StudyError::Invalid(
                    "both `recipe` and `config` are given; leave one of them out".into(),
                ));
            }
            (Some(name), None) => built_in(name).map_err(|error| invalid(&error))?,
            (None, Some(file)) => read_recipe(&folder.join(file))?,
            (None, None) => {
                return Err(StudyError::Invalid(
                    "no recipe: expected `recipe = \"NAME\"`, such as \"small\", or `config = \
                     \"FILE\"`"
                        .into(),
                ));
            }
        };
        if let Some(dataset) = &self.dataset {
            recipe.dataset.clone_from(dataset);
        }
        Ok(recipe)
    }

    /// What all arms share if it begins with `recipe`: with the file's changes, its first seed, and its data.
    ///
    /// # Errors
    ///
    /// If it cannot be trained.
    pub fn shared(&self, recipe: &Recipe) -> Result<Recipe, StudyError> {
        let invalid = |error: &dyn std::fmt::Display| StudyError::Invalid(format!("base: {error}"));
        let recipe = self.base.apply(recipe).map_err(|error| invalid(&error))?;
        let mut recipe = Recipe { seed: self.first_seed, ..recipe };
        if self.data == SeedData::Fixed {
            let fixed = RecipeChange::default().with("data_seed", self.first_seed as i64);
            recipe = fixed.apply(&recipe).map_err(|error| invalid(&error))?;
        }
        recipe.check().map_err(|error| invalid(&error))?;
        Ok(recipe)
    }

    /// The study, ready to be trained into `out`. `base`: what its arms share. `folder`: what paths of arms are
    /// relative to.
    ///
    /// # Errors
    ///
    /// If a setting is outside its range, two arms have one name or one recipe, or an arm changes nothing or
    /// does not apply to the recipe.
    pub fn study(&self, base: &Recipe, folder: &Path, out: &Path) -> Result<Study, StudyError> {
        self.check()?;
        let mut arms: Vec<StudyArm> = Vec::new();
        for (place, listed) in self.arms.iter().enumerate() {
            let recipe = self.arm_recipe(listed, place, base, folder)?;
            let same = |other: &&StudyArm| recipe.is_ok() && other.recipe == recipe;
            if let Some(other) = arms.iter().find(same) {
                let reason = format!("it is the same as the arm `{}`", other.name);
                return Err(StudyError::Arm { arm: listed.name.clone(), reason });
            }
            arms.push(StudyArm {
                name: listed.name.clone(),
                summary: listed.summary.clone(),
                command: command(out, listed, self.first_seed),
                recipe,
            });
        }
        let seeds = (self.first_seed..self.first_seed + self.seeds).collect();
        Ok(Study { arms, seeds, folder: out.to_owned() })
    }

    /// What an arm is trained by; or, where arms may be left out, why it is not.
    fn arm_recipe(
        &self,
        listed: &ListedArm,
        place: usize,
        base: &Recipe,
        folder: &Path,
    ) -> Result<Result<Recipe, String>, StudyError> {
        let refused = |reason: String| StudyError::Arm { arm: listed.name.clone(), reason };
        let named = match (&listed.recipe, &listed.config) {
            (Some(_), Some(_)) => {
                return Err(refused("it has both `recipe` and `config`; leave one out".into()));
            }
            (Some(name), None) => Some(built_in(name).map_err(|error| refused(error.to_string()))?),
            (None, Some(file)) => Some(read_recipe(&folder.join(file))?),
            (None, None) => None,
        };
        let has_its_own = named.is_some();
        let own = match named {
            Some(mut named) => {
                if let Some(dataset) = &self.dataset {
                    named.dataset.clone_from(dataset);
                }
                named.place.clone_from(&base.place);
                let own = self.shared(&named)?;
                if own.dataset != base.dataset {
                    return Err(refused(format!(
                        "it trains on {}, the others on {}; give all one data set",
                        own.dataset, base.dataset
                    )));
                }
                own
            }
            None => base.clone(),
        };
        if !has_its_own && place > 0 && listed.change.is_empty() {
            return Err(refused("it changes nothing of what all arms share".into()));
        }
        let recipe = if has_its_own {
            listed.change.apply_checked(&own)
        } else {
            listed.change.apply_as_arm(&own)
        };
        match recipe {
            Ok(recipe) => Ok(Ok(recipe)),
            Err(error) if self.leave_out && place > 0 => Ok(Err(error.to_string())),
            Err(error) => Err(refused(error.to_string())),
        }
    }

    /// Checks what needs no recipe.
    fn check(&self) -> Result<(), StudyError> {
        let invalid = |text: String| Err(StudyError::Invalid(text));
        if self.arms.is_empty() {
            return invalid("no arms: expected at least one `[[arm]]`".into());
        }
        if !(1..=MOST_SEEDS).contains(&self.seeds) {
            return invalid(format!(
                "`seeds` (`--seeds`): expected 1 to {MOST_SEEDS}, found {}",
                self.seeds
            ));
        }
        // TOML has no whole numbers beyond.
        if self.first_seed > i64::MAX as u64 - MOST_SEEDS {
            let found = self.first_seed;
            return invalid(format!(
                "`first-seed`: expected fewer than 2⁶³ − {MOST_SEEDS}, found {found}"
            ));
        }
        if let Err(wrong) = Measure::that_decides(&self.metric) {
            return invalid(format!("`metric`: {wrong}"));
        }
        if self.detect.is_some_and(|detect| !(detect > 0.0 && detect.is_finite())) {
            return invalid("`detect`: expected a positive number".into());
        }
        for (place, arm) in self.arms.iter().enumerate() {
            if let Some(wrong) = wrong_name(&arm.name) {
                return invalid(wrong);
            }
            let folder = arm_folder(&arm.name);
            let others = self.arms.iter().take(place);
            if others.clone().any(|other| arm_folder(&other.name) == folder) {
                return invalid(format!(
                    "two arms have the name `{}`; rename one, where it is a run's by renaming the \
                     folder of that, or give both a name in a study file",
                    arm.name
                ));
            }
        }
        Ok(())
    }

    /// Checks that the folder `out` holds this study or none. `base`: what its arms share. `folder`: what paths of arms
    /// are relative to.
    ///
    /// # Errors
    ///
    /// If it holds another study: one that differs in more than how many seeds there are and how it is judged. Else if a
    /// file cannot be read.
    pub fn check_folder(&self, base: &Recipe, folder: &Path, out: &Path) -> Result<(), StudyError> {
        let path = out.join(STUDY_FILE);
        if !path.exists() {
            return Ok(());
        }
        let (kept, files) = self.kept(base, folder)?;
        let judged = |file: &Self| Self {
            seeds: 0,
            detect: None,
            until_resolved: false,
            reports: true,
            metric: String::new(),
            ..file.clone()
        };
        let another = |differs: &str| {
            Err(StudyError::Another { folder: out.to_owned(), differs: differs.to_owned() })
        };
        if judged(&Self::read(&path)?) != judged(&kept) {
            return another("other arms, first seed or data");
        }
        for (name, text) in &files {
            if read(&out.join(name))? != *text {
                return another(&format!("another {}", name.display()));
            }
        }
        Ok(())
    }

    /// Writes what a trial needs into the study's folder: the file itself and the recipes that it names, `base` for
    /// what the arms share. `folder`: what paths of arms are relative to.
    ///
    /// # Errors
    ///
    /// As [`check_folder`](Self::check_folder), and if a file cannot be written.
    pub fn write(&self, base: &Recipe, folder: &Path, out: &Path) -> Result<(), StudyError> {
        self.check_folder(base, folder, out)?;
        let (kept, mut files) = self.kept(base, folder)?;
        let text =
            toml::to_string(&kept).map_err(|error| StudyError::Invalid(error.to_string()))?;
        files.push((STUDY_FILE.into(), text));
        for (name, text) in files {
            let path = out.join(name);
            let failed = |reason: std::io::Error| StudyError::File {
                action: "write",
                path: path.clone(),
                reason: reason.to_string(),
            };
            fs::create_dir_all(path.parent().unwrap_or(out)).map_err(failed)?;
            whole_file::write_whole(&path, text.as_bytes()).map_err(failed)?;
        }
        Ok(())
    }

    /// The file as a study's own folder has it, and the recipes that it names there, by their file.
    fn kept(
        &self,
        base: &Recipe,
        folder: &Path,
    ) -> Result<(Self, Vec<(PathBuf, String)>), StudyError> {
        let mut kept = Self {
            recipe: None,
            config: Some(BASE_FILE.into()),
            dataset: None,
            base: RecipeChange::default(),
            ..self.clone()
        };
        let mut files = vec![(PathBuf::from(BASE_FILE), base.to_toml())];
        for (place, arm) in kept.arms.iter_mut().enumerate().filter(|(_, arm)| arm.has_a_recipe()) {
            let Ok(recipe) = self.arm_recipe(&arm.clone(), place, base, folder)? else { continue };
            let file = recipe_file(arm);
            files.push((file.clone(), recipe.to_toml()));
            let change = RecipeChange::default();
            *arm = ListedArm { recipe: None, config: Some(file), change, ..arm.clone() };
        }
        Ok((kept, files))
    }

    /// The study in a folder where [`write`](Self::write) has put it, with its file.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn open(folder: &Path) -> Result<(Self, Study), StudyError> {
        let file = Self::read(&folder.join(STUDY_FILE))?;
        let study = file.study(&file.load_base(folder)?, folder, folder)?;
        Ok((file, study))
    }
}

/// Where a study's folder has the recipe of an arm that has its own.
fn recipe_file(arm: &ListedArm) -> PathBuf {
    Path::new(RECIPES).join(format!("{}.toml", arm_folder(&arm.name)))
}

/// The command that repeats an arm's run with the study's first seed.
fn command(out: &Path, arm: &ListedArm, seed: u64) -> Vec<String> {
    let config = match arm.has_a_recipe() {
        true => recipe_file(arm),
        false => BASE_FILE.into(),
    };
    let config = out.join(config).display().to_string();
    let words = ["cargo", "xtask", "train", "--config", &config].map(str::to_owned);
    let change = if arm.has_a_recipe() { Vec::new() } else { arm.change.words() };
    let seed = ["--seed".to_owned(), seed.to_string()];
    words.into_iter().chain(change).chain(seed).collect()
}

fn read(path: &Path) -> Result<String, StudyError> {
    let failed =
        |reason: String| StudyError::File { action: "read", path: path.to_owned(), reason };
    let mut text = String::new();
    let file = File::open(path).map_err(|error| failed(error.to_string()))?;
    let mut limited = file.take(MOST_BYTES + 1);
    limited.read_to_string(&mut text).map_err(|error| failed(error.to_string()))?;
    match text.len() as u64 > MOST_BYTES {
        true => Err(failed(format!("expected at most {MOST_BYTES} bytes, found more"))),
        false => Ok(text),
    }
}

fn read_recipe(path: &Path) -> Result<Recipe, StudyError> {
    let text = read(path)?;
    Recipe::parse(&text, &path.display().to_string())
        .map_err(|error| StudyError::Invalid(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> StudyFile {
        toml::from_str(text).unwrap()
    }

    fn of(file: &StudyFile, out: &str) -> Result<Study, StudyError> {
        let here = Path::new(".");
        file.study(&file.load_base(here)?, here, Path::new(out))
    }

    fn write(file: &StudyFile, folder: &Path, out: &Path) -> Result<(), StudyError> {
        file.write(&file.load_base(folder)?, folder, out)
    }

    fn refused(text: &str) -> String {
        let file = toml::from_str::<StudyFile>(text).map_err(|error| error.to_string());
        let study = file.and_then(|file| of(&file, "out").map_err(|error| error.to_string()));
        study.map(drop).unwrap_err()
    }

    const TWO: &str = "recipe = \"small\"\nseeds = 3\nbase = { epochs = 2 }\n\
        [[arm]]\nname = \"none\"\n[[arm]]\nname = \"dropout\"\nchange = { dropout = 0.3 }\n";

    #[test]
    fn a_file_is_arms_over_a_shared_recipe() {
        let study = of(&parsed(TWO), "runs/x").unwrap();
        assert_eq!((study.seeds.as_slice(), study.trials()), (&[1, 2, 3][..], 6));
        let recipe = |arm: usize| study.arms[arm].recipe.clone().unwrap();
        assert_eq!((recipe(0).epochs, recipe(0).dataset.as_str()), (2, "mnist"));
        assert_eq!(*recipe(1).model.dropout_mut(), 0.3);
        assert_eq!(
            study.arms[1].command.join(" "),
            "cargo xtask train --config runs/x/base.toml --dropout 0.3 --seed 1"
        );
    }

    #[test]
    fn what_is_wrong_is_refused_by_name() {
        let arm =
            |text: &str| format!("recipe = \"small\"\n[[arm]]\nname = \"none\"\n[[arm]]\n{text}");
        for (text, part) in [
            (format!("seds = 3\n{TWO}"), "seds"),
            (TWO.replace("seeds = 3", "seeds = 0"), "expected 1 to 1000, found 0"),
            (TWO.replace("\"small\"", "\"smal\""), "unknown recipe `smal`"),
            (TWO.replace("recipe = \"small\"", ""), "no recipe"),
            (TWO.replace("epochs = 2", "epoch = 2"), "base: `epoch`: unknown field"),
            (TWO.replace("epochs = 2", "epochs = 0"), "epochs"),
            (format!("metric = \"accuracy\"\n{TWO}"), "`metric`: expected a score that decides"),
            (format!("detect = 0.0\n{TWO}"), "`detect`"),
            (TWO.replace("\"dropout\"", "\"none\""), "two arms have the name `none`"),
            (TWO.replace("\"dropout\"", "\"../x\""), "arm `../x`"),
            (TWO.replace("dropout = 0.3", "dropuot = 0.3"), "arm `dropout`: `dropuot`"),
            (TWO.replace("dropout = 0.3", "dropout = 1.5"), "arm `dropout`: "),
            (TWO.replace("dropout = 0.3", "dropout = 0"), "arm `dropout`: nothing would change"),
            (arm("name = \"x\""), "arm `x`: it changes nothing"),
            (arm("name = \"x\"\nchange = { stochastic-depth = 0.2 }"), "the model `cnn` has none"),
            (
                arm(
                    "name = \"x\"\nchange = { l1 = 1e-4 }\n[[arm]]\nname = \"y\"\nchange = { l1 = 0.0001 }",
                ),
                "arm `y`: it is the same as the arm `x`",
            ),
            ("recipe = \"small\"\narm = []".into(), "no arms"),
        ] {
            let found = refused(&text);
            assert!(found.contains(part), "{text}\n{found}");
        }
    }

    #[test]
    fn arms_that_do_not_apply_are_left_out_where_that_is_asked_for() {
        let file = parsed(&format!(
            "leave-out = true\n{}",
            TWO.replace("dropout = 0.3", "stochastic-depth = 0.2")
        ));
        let study = of(&file, "x").unwrap();
        assert!(study.arms[1].recipe.as_ref().unwrap_err().contains("the model `cnn` has none"));
        assert!(study.trial(1).is_none() && study.trial(0).is_some());
    }

    #[test]
    fn what_is_written_is_read_again_and_no_other_study_takes_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let file = parsed(TWO);
        write(&file, Path::new("."), &out).unwrap();
        let (kept, study) = StudyFile::open(&out).unwrap();
        assert_eq!(study, of(&file, &out.display().to_string()).unwrap());
        assert_eq!(kept.config.as_deref(), Some(Path::new(BASE_FILE)));
        // As often as one likes, and with more seeds or another judgement.
        write(&file, Path::new("."), &out).unwrap();
        let more = StudyFile { seeds: 5, detect: Some(1.0), ..file.clone() };
        write(&more, Path::new("."), &out).unwrap();
        assert_eq!(StudyFile::open(&out).unwrap().1.seeds.len(), 5);
        for other in [
            StudyFile { first_seed: 2, ..file.clone() },
            StudyFile { data: SeedData::Fixed, ..file.clone() },
            parsed(&TWO.replace("epochs = 2", "epochs = 3")),
            parsed(&TWO.replace("dropout = 0.3", "dropout = 0.4")),
        ] {
            let error = write(&other, Path::new("."), &out).unwrap_err();
            assert!(matches!(error, StudyError::Another { .. }), "{error}");
        }
    }

    #[test]
    fn arms_may_have_whole_recipes_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let recipe = built_in("digits").unwrap();
        for (name, epochs) in [("a", 1), ("b", 2)] {
            let text = Recipe { epochs, seed: 9, ..recipe.clone() }.to_toml();
            fs::write(folder.path().join(format!("{name}.toml")), text).unwrap();
        }
        let file = parsed(
            "config = \"a.toml\"\nseeds = 2\n[[arm]]\nname = \"a\"\nconfig = \"a.toml\"\n[[arm]]\nname = \"b\"\n\
             config = \"b.toml\"\nchange = { dropout = 0.1 }\n",
        );
        let out = folder.path().join("out");
        write(&file, folder.path(), &out).unwrap();
        let (_, study) = StudyFile::open(&out).unwrap();
        let epochs = |arm: usize| study.arms[arm].recipe.as_ref().unwrap().epochs;
        assert_eq!((epochs(0), epochs(1)), (1, 2));
        let mut second = study.trial(3).unwrap();
        assert_eq!((second.recipe.seed, *second.recipe.model.dropout_mut()), (2, 0.1));
    }
}
