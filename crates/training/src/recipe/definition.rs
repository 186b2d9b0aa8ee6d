//! The settings of a recipe, and their form as a file.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::fmt;

use backburn_data::augment::Pipeline;
use backburn_data::loader::{LastBatch, Sampling};
use backburn_data::normalization::Normalization;
use backburn_data::pictures::PictureSettings;
use backburn_data::{Fold, LabelNoise, SplitSize};
use backburn_models::{Initialization, ModelConfig};
use backburn_regularization::{
    EarlyStoppingConfig, Keep, L1, LabelRegularizers, Lookahead, WeightDecay,
};
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::class_weights::ClassWeights;
use crate::init_from::InitFrom;
use crate::loss::Loss;
use crate::on_divergence::OnDivergence;
use crate::optimize::optimizer::OptimizerConfig;
use crate::optimize::parameter_group::ParameterGroup;
use crate::optimize::schedule::Schedule;
use crate::place::{Beside, Place};
use crate::views::Views;

use super::error::RecipeError;

/// Everything that decides what a training does, except how many threads do it.
///
/// Its file has the settings of its [`Place`] beside the others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct Recipe {
    /// Data set, by its name in the catalog, or `folder:` and the path of a folder of pictures.
    pub dataset: String,
    /// How pictures of people's own become images; of no meaning for a data set of the catalog.
    #[serde(default, skip_serializing_if = "is_default")]
    pub pictures: PictureSettings,
    /// Where it is trained.
    #[serde(flatten, skip_deserializing)]
    pub place: Place,
    /// Seed of every random draw.
    #[serde(default = "one")]
    pub seed: u64,
    /// Draws the validation split, the training subset, the sample of it that is scored, and the label noise, in
    /// place of `seed`: so several seeds share their images and labels. A drawn test split has a seed of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_seed: Option<u64>,
    /// Which of several trainings that share seed, images, labels and initial weights: another number has another
    /// order of the images and draws others for augmentations, label regularizers and dropout. 0 is the first.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub replicate: u64,
    /// Passes over the training split, at least 1.
    pub epochs: usize,
    /// Images per batch, at least 1.
    pub batch_size: usize,
    /// Peak learning rate, positive.
    pub learning_rate: f64,
    /// Images to train on; unset means all that validation leaves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_size: Option<SplitSize>,
    /// Images of the published training split that are kept for validation; 0 for none.
    #[serde(default = "no_images")]
    pub valid_size: SplitSize,
    /// The fold that validates, in place of `valid_size` images; unset means no cross-validation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fold: Option<Fold>,
    /// Wrong labels among the training images, drawn once; unset means none. Class weights, balanced sampling and
    /// everything else that training does go by the labels that come of it; validation and test keep theirs. With a
    /// fold it is drawn over all images before folds are cut, so that so many percent are wrong of all folds together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_noise: Option<LabelNoise>,
    /// Which images an epoch shows.
    #[serde(default, skip_serializing_if = "Sampling::is_shuffled")]
    pub sampling: Sampling,
    /// What becomes of images that do not fill a batch.
    #[serde(default)]
    pub last_batch: LastBatch,
    /// How bytes become the network's input.
    #[serde(default)]
    pub normalization: Normalization,
    /// Random changes of training images.
    #[serde(default)]
    pub augment: Pipeline,
    /// Batches whose gradients are averaged before a step, over their images; at least 1.
    #[serde(default = "one_batch")]
    pub accumulate: usize,
    /// Greatest norm of all gradients together; unset means no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f64>,
    /// What is minimized.
    #[serde(default)]
    pub loss: Loss,
    /// What an image of each class counts in the loss; unset means the same of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_weights: Option<ClassWeights>,
    /// Changes of the targets.
    #[serde(default, skip_serializing_if = "LabelRegularizers::is_off")]
    pub labels: LabelRegularizers,
    /// ρ of sharpness-aware minimization, positive; unset means plain gradients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sam: Option<f64>,
    /// Greatest norm of the weights into a unit, positive; unset means no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_norm: Option<f64>,
    /// Decay of the moving average of the weights, in `(0, 1)`; unset means no average.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ema: Option<f64>,
    /// Epoch from whose end on the weights at the ends of epochs are averaged, 1 to `epochs`; unset means no average.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swa: Option<usize>,
    /// Which epoch's weights the run ends with.
    #[serde(default)]
    pub keep: Keep,
    /// Views of each image that the final scores on validation and test are the mean over; unset means one look at each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tta: Option<Views>,
    /// What to do when the loss is no longer a number.
    #[serde(default, skip_serializing_if = "OnDivergence::is_stop")]
    pub on_divergence: OnDivergence,
    /// The network.
    pub model: ModelConfig,
    /// Initial weights of the network.
    #[serde(default)]
    pub initialization: Initialization,
    /// Weights to begin with instead, all of them or all but the head's; unset means none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init_from: Option<InitFrom>,
    /// How gradients become steps.
    pub optimizer: OptimizerConfig,
    /// Parts of the network that are trained in other ways; the first that chooses a parameter counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<ParameterGroup>,
    /// How the learning rate changes.
    #[serde(default)]
    pub schedule: Schedule,
    /// Slow weights that follow the optimizer's; unset means none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lookahead: Option<Lookahead>,
    /// Pull towards zero.
    #[serde(default)]
    pub weight_decay: WeightDecay,
    /// Pull to zero.
    #[serde(default)]
    pub l1: L1,
    /// When to stop before the last epoch; unset means never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<EarlyStoppingConfig>,
}

impl Serialize for Recipe {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // The derived one, of the type and not of the trait.
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for Recipe {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Table;
        impl<'de> Visitor<'de> for Table {
            type Value = Recipe;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of settings")
            }

            fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<Recipe, A::Error> {
                let mut place = Place::default();
                let others = Beside { table, place: &mut place };
                // The derived one again, which knows all settings but those of the place.
                let recipe = Recipe::deserialize(MapAccessDeserializer::new(others))?;
                Ok(Recipe { place, ..recipe })
            }
        }
        deserializer.deserialize_map(Table)
    }
}

/// The longest file that is read as a recipe.
pub const MOST_BYTES: u64 = 1 << 20;

pub(super) fn is_default(settings: &PictureSettings) -> bool {
    *settings == PictureSettings::default()
}

fn one() -> u64 {
    1
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn one_batch() -> usize {
    1
}

fn no_images() -> SplitSize {
    SplitSize::Count(0)
}

/// Settings by their names, those of a part in a table of their own.
pub type Settings = serde_json::Map<String, serde_json::Value>;

impl Recipe {
    /// Reads a recipe.
    ///
    /// # Errors
    ///
    /// If the text is not TOML, lacks a setting or has an unknown one; `origin` names the file.
    pub fn parse(text: &str, origin: &str) -> Result<Self, RecipeError> {
        toml::from_str(text).map_err(|error| RecipeError::Format {
            origin: origin.to_owned(),
            reason: error.to_string().trim_end().to_owned(),
        })
    }

    /// The recipe as TOML; [`Recipe::parse`] gives it back.
    #[expect(clippy::expect_used, reason = "the types decide what can be written, not the values")]
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a recipe is a table of plain values")
    }

    /// Every setting that the weights and the scores depend on: all but what computes and where files lie. As JSON,
    /// which has all 64-bit numbers; a table of TOML ends at 2⁶³.
    #[expect(clippy::expect_used, reason = "the types decide what can be written, not the values")]
    pub fn determinants(&self) -> Settings {
        let value = serde_json::to_value(self).expect("a recipe is a table of plain values");
        let mut settings: Settings =
            serde_json::from_value(value).expect("the names of settings are text");
        for name in Place::SETTINGS {
            settings.remove(name);
        }
        if let Some(serde_json::Value::Object(init_from)) = settings.get_mut(InitFrom::SETTING) {
            init_from.remove("file");
        }
        settings
    }

    /// The recipes of a cross-validation with so many folds: the same training, each with another fold to validate
    /// on.
    ///
    /// # Errors
    ///
    /// If there cannot be so many.
    pub fn folds(&self, of: usize) -> Result<Vec<Self>, RecipeError> {
        let folds = Fold::all(of).ok_or_else(|| RecipeError::Setting {
            setting: "folds",
            expected: "2 to 1000",
            found: of.to_string(),
        })?;
        Ok(folds.into_iter().map(|fold| Self { fold: Some(fold), ..self.clone() }).collect())
    }

    /// Whether images are kept for validation.
    pub fn validates(&self) -> bool {
        let keeps = match self.valid_size {
            SplitSize::Count(images) => images > 0,
            SplitSize::Share(share) => share > 0.0,
        };
        keeps || self.fold.is_some()
    }
}

#[cfg(test)]
mod tests {
    use backburn_models::FirstLayerInitialization;

    use super::super::built_in::built_in;
    use super::*;
    use crate::backend::Backend;

    #[test]
    fn the_place_stands_beside_the_other_settings() {
        let mut recipe = built_in("digits").unwrap();
        recipe.place = Place { data_dir: Some("some/folder".into()), backend: Backend::Wgpu };
        recipe.seed = u64::MAX >> 1;
        let text = recipe.to_toml();
        assert!(text.contains("\ndata_dir = \"some/folder\"\nbackend = \"wgpu\"\n"), "{text}");
        assert_eq!(Recipe::parse(&text, "test"), Ok(recipe.clone()));
        let json = serde_json::to_value(&recipe).unwrap();
        assert_eq!(json["backend"], "wgpu");
        assert_eq!(serde_json::from_value::<Recipe>(json).unwrap(), recipe);
        let determinants = recipe.determinants();
        assert!(determinants.contains_key("dataset"));
        assert!(Place::SETTINGS.iter().all(|name| !determinants.contains_key(*name)));
    }

    #[test]
    fn weights_to_begin_with_are_what_is_in_the_file_wherever_it_lies() {
        let sha256 = Some("5a".repeat(32));
        let from = |file: &str| InitFrom { file: file.into(), sha256: sha256.clone() };
        let recipe = |file| Recipe { init_from: Some(from(file)), ..built_in("digits").unwrap() };
        assert_eq!(Recipe::parse(&recipe("a.pt").to_toml(), "again").unwrap(), recipe("a.pt"));
        assert_eq!(recipe("a.pt").determinants(), recipe("b/a.pt").determinants());
        assert_ne!(recipe("a.pt").determinants(), built_in("digits").unwrap().determinants());
        assert!(!built_in("digits").unwrap().determinants().contains_key("init_from"));
        let mut wrong = recipe("a.pt");
        wrong.init_from = Some(InitFrom { sha256: Some("5".into()), ..from("a.pt") });
        let message = wrong.check().unwrap_err().to_string();
        assert!(message.contains("`init_from.sha256`") && message.contains("64"), "{message}");
    }

    #[test]
    fn what_is_wrong_in_a_file_is_told_with_its_line() {
        let text = built_in("digits").unwrap().to_toml();
        let line = |wrong: &str| {
            let text = text.replacen("epochs = 6", wrong, 1);
            Recipe::parse(&text, "test").unwrap_err().to_string()
        };
        let at = 1 + text.lines().position(|line| line == "epochs = 6").unwrap();
        let unknown = line("epochs = 6\nepoch = 7");
        assert!(unknown.contains(&format!("line {}", at + 1)), "{unknown}");
        assert!(unknown.contains("unknown field `epoch`, expected one of `dataset`"), "{unknown}");
        let kind = line("epochs = \"six\"");
        assert!(kind.contains(&format!("line {at}")), "{kind}");
        let place = line("epochs = 6\ndata_dir = 5");
        assert!(place.contains(&format!("line {}", at + 1)), "{place}");
    }

    #[test]
    fn the_determinants_of_a_schedule_are_those_of_earlier_versions() {
        // A checkpoint compares them with its own.
        let schedule = |recipe: &Recipe| recipe.determinants()["schedule"].to_string();
        let mut recipe = built_in("digits").unwrap();
        let one_cycle = r#"{"end":4e-6,"name":"one-cycle","start":0.04,"warmup":0.3}"#;
        assert_eq!(schedule(&recipe), one_cycle);
        recipe.schedule = Schedule::named("cosine").unwrap();
        assert_eq!(schedule(&recipe), r#"{"floor":0.0,"name":"cosine","warmup":0.0}"#);
    }

    #[test]
    fn folds_are_the_same_recipe_but_for_what_validates() {
        let recipe = Recipe { valid_size: SplitSize::Count(0), ..built_in("digits").unwrap() };
        let folds = recipe.folds(3).unwrap();
        let names: Vec<String> = folds.iter().map(|r| r.fold.unwrap().to_string()).collect();
        assert_eq!(names, ["1/3", "2/3", "3/3"]);
        assert!(folds[1].validates() && !recipe.validates());
        assert_eq!(Recipe { fold: None, ..folds[1].clone() }, recipe);
        assert_eq!(Recipe::parse(&folds[2].to_toml(), "again").unwrap(), folds[2]);
        assert!(recipe.folds(1).unwrap_err().to_string().contains("`folds`: expected 2 to 1000"));
    }

    #[test]
    fn label_noise_and_seeds_survive_toml_and_are_not_written_unless_they_are_set() {
        let mut recipe = built_in("digits").unwrap();
        let determinants = recipe.determinants();
        for name in ["label_noise", "data_seed", "replicate"] {
            assert!(!determinants.contains_key(name), "{name}");
        }
        (recipe.data_seed, recipe.replicate) = (Some(u64::MAX), u64::MAX);
        for (noise, line) in [("20", "\"20\""), ("12.5:pairs", "\"12.5:pairs\"")] {
            recipe.label_noise = noise.parse().ok();
            assert_eq!(recipe.check(), Ok(()));
            let text = recipe.to_toml();
            assert!(text.contains(&format!("label_noise = {line}\n")), "{text}");
            assert_eq!(Recipe::parse(&text, "again").unwrap(), recipe);
        }
        for noise in ["0", "-3", "100.5", "nan"] {
            recipe.label_noise = noise.parse().ok();
            let message = recipe.check().unwrap_err().to_string();
            assert!(message.contains("`label_noise`: expected more than 0 and at most 100"));
        }
    }

    #[test]
    fn the_ends_of_a_network_begin_as_ever_unless_they_are_set() {
        let mut recipe = built_in("digits").unwrap();
        let plain = recipe.to_toml();
        assert!(!plain.contains("head_factor") && !plain.contains("first_layer"), "{plain}");
        recipe.initialization.head_factor = 0.0;
        recipe.initialization.first_layer = FirstLayerInitialization::Whitening;
        assert_eq!(recipe.check(), Ok(()));
        let text = recipe.to_toml();
        assert!(text.contains("head_factor = 0.0\nfirst_layer = \"whitening\"\n"), "{text}");
        assert_eq!(Recipe::parse(&text, "again").unwrap(), recipe);
        recipe.model = (backburn_models::architecture("mlp").unwrap().config)();
        let message = recipe.check().unwrap_err().to_string();
        assert!(message.contains("`hidden.0`") && message.contains("--model cnn"), "{message}");
        recipe.initialization.head_factor = 2.0;
        let message = recipe.check().unwrap_err().to_string();
        assert!(message.contains("`initialization.head_factor`: expected a factor in [0, 1]"));
    }

    #[test]
    fn views_are_written_as_they_are_given_and_only_if_they_are_set() {
        let mut recipe = built_in("digits").unwrap();
        assert!(!recipe.determinants().contains_key("tta"));
        recipe.tta = "flip,diagonal=1,border=reflect,least-confident=0.25".parse().ok();
        assert_eq!(recipe.check(), Ok(()));
        let text = recipe.to_toml();
        let line = "tta = \"flip,diagonal=1,border=reflect,least-confident=0.25\"\n";
        assert!(text.contains(line), "{text}");
        assert_eq!(Recipe::parse(&text, "again").unwrap(), recipe);
        let message = Recipe::parse(&text.replace("diagonal=1", "diagonal=0"), "my.toml");
        let message = message.unwrap_err().to_string();
        assert!(message.contains("my.toml") && message.contains("at least 1 pixel"), "{message}");
    }

    #[test]
    fn a_misspelled_setting_is_refused_with_file_and_line() {
        let text = built_in("digits").unwrap().to_toml().replace("batch_size", "batchsize");
        let message = Recipe::parse(&text, "my.toml").unwrap_err().to_string();
        assert!(message.contains("my.toml") && message.contains("batchsize"), "{message}");
    }
}
