//! A recipe: everything that decides what a training does.
//!
//! Built-in recipes are TOML files under `recipes/`; the resolved recipe of a run is its
//! `config.toml`, and `backburn train --config` of that file repeats the run.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::fmt;

use backburn_data::augment::Pipeline;
use backburn_data::loader::{LastBatch, Sampling};
use backburn_data::nearest::did_you_mean;
use backburn_data::normalization::Normalization;
use backburn_data::pictures::PictureSettings;
use backburn_data::{Fold, LabelNoise, SplitSize};
use backburn_models::whitening::WhiteningError;
use backburn_models::{FirstLayerInitialization, Initialization, ModelConfig};
use backburn_regularization::{
    DecayMode, EarlyStoppingConfig, Keep, L1, LabelRegularizers, Lookahead, StrengthError,
    WeightDecay,
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
use crate::picture_names;
use crate::place::{Beside, Place};
use crate::views::Views;

/// A built-in recipe.
#[derive(Clone, Copy, Debug)]
pub struct BuiltIn {
    /// Name on the command line. A recipe named like a data set is that set's default, and trains on it
    /// even if its file, which several may share, names another.
    pub name: &'static str,
    /// One line for help.
    pub summary: &'static str,
    text: &'static str,
}

/// Every built-in recipe, one row each.
pub static CATALOG: &[BuiltIn] = &[
    BuiltIn {
        name: "digits",
        summary: "the default for digits: a small LeNet, under a minute on two cores",
        text: include_str!("recipes/digits.toml"),
    },
    BuiltIn {
        name: "mnist",
        summary: "the default for MNIST: LeNet with batch normalization and shifted images",
        text: include_str!("recipes/mnist.toml"),
    },
    BuiltIn {
        name: "fashion-mnist",
        summary: "the default for Fashion-MNIST: as for MNIST, with flips",
        text: include_str!("recipes/fashion-mnist.toml"),
    },
    BuiltIn {
        name: "cifar10",
        summary: "the default for CIFAR-10: a small CNN with crops and flips, 20 minutes",
        text: include_str!("recipes/cifar10.toml"),
    },
    BuiltIn {
        name: "cifar100",
        summary: "the default for CIFAR-100: as for CIFAR-10; not measured",
        text: include_str!("recipes/cifar100.toml"),
    },
    BuiltIn {
        name: "cifar100-coarse",
        summary: "the default for CIFAR-100 by coarse classes: the same",
        text: include_str!("recipes/cifar100.toml"),
    },
    BuiltIn {
        name: "kmnist",
        summary: "the default for KMNIST: as for MNIST; not measured",
        text: include_str!("recipes/kmnist.toml"),
    },
    BuiltIn {
        name: "emnist-balanced",
        summary: "the default for EMNIST Balanced: as for MNIST; not measured",
        text: include_str!("recipes/emnist.toml"),
    },
    BuiltIn {
        name: "emnist-byclass",
        summary: "the default for EMNIST ByClass: as for MNIST; not measured",
        text: include_str!("recipes/emnist.toml"),
    },
    BuiltIn {
        name: "emnist-bymerge",
        summary: "the default for EMNIST ByMerge: as for MNIST; not measured",
        text: include_str!("recipes/emnist.toml"),
    },
    BuiltIn {
        name: "emnist-letters",
        summary: "the default for EMNIST Letters: as for MNIST; not measured",
        text: include_str!("recipes/emnist.toml"),
    },
    BuiltIn {
        name: "emnist-digits",
        summary: "the default for EMNIST Digits: as for MNIST; not measured",
        text: include_str!("recipes/emnist.toml"),
    },
    BuiltIn {
        name: "emnist-mnist",
        summary: "the default for EMNIST MNIST: as for MNIST; not measured",
        text: include_str!("recipes/emnist.toml"),
    },
    BuiltIn {
        name: "pictures",
        summary: "the default for pictures of your own: a small CNN with crops and flips",
        text: include_str!("recipes/pictures.toml"),
    },
    BuiltIn {
        name: "mnist-dropout",
        summary: "the sources' five-layer MLP with dropout 0.3, 15 epochs of Adam",
        text: include_str!("recipes/mnist-dropout.toml"),
    },
    BuiltIn {
        name: "cifar10-dropout",
        summary: "the sources' CNN with dropout 0.2, 30 epochs of Adam as Keras has it",
        text: include_str!("recipes/cifar10-dropout.toml"),
    },
    BuiltIn {
        name: "early-stopping",
        summary: "the sources' ResNet-18, 51 epochs of Adam on 30,000 images",
        text: include_str!("recipes/early-stopping.toml"),
    },
    BuiltIn {
        name: "small",
        summary: "little data and no regularizer, to compare them: a cnn on 1,000 images",
        text: include_str!("recipes/small.toml"),
    },
];

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

fn is_default(settings: &PictureSettings) -> bool {
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

/// Why a recipe cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RecipeError {
    /// No built-in recipe of that name.
    #[error(
        "unknown recipe `{name}`{}; known: {known}; a file is given with `--config FILE`",
        did_you_mean(name, known.split(", "))
    )]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// The text is not TOML, or not a recipe's.
    #[error("{origin}: {reason}; compare it with `config.toml` of any run")]
    Format {
        /// The file.
        origin: String,
        /// What the parser says, with the line.
        reason: String,
    },
    /// A value outside its range.
    #[error("`{setting}`: expected {expected}, found {found}")]
    Setting {
        /// The setting, as in the recipe and, with dashes, on the command line.
        setting: &'static str,
        /// Range of the setting.
        expected: &'static str,
        /// What it was.
        found: String,
    },
    /// Settings that do not go together, or one that checks itself.
    #[error("{0}")]
    Invalid(String),
    /// A change of what the recipe's model or optimizer does not have.
    #[error("{0}")]
    DoesNotApply(String),
    /// A change that leaves the recipe as it is.
    #[error("nothing would change: the model `{model}` has it already")]
    ChangesNothing {
        /// The recipe's model.
        model: &'static str,
    },
}

impl From<StrengthError> for RecipeError {
    fn from(StrengthError { setting, expected, found }: StrengthError) -> Self {
        Self::Setting { setting, expected, found: found.to_string() }
    }
}

/// The built-in recipe of a name.
///
/// # Errors
///
/// If there is none; the error lists those that there are.
pub fn built_in(name: &str) -> Result<Recipe, RecipeError> {
    let row = CATALOG.iter().find(|row| row.name == name).ok_or_else(|| RecipeError::Unknown {
        name: name.to_owned(),
        known: CATALOG.iter().map(|row| row.name).collect::<Vec<_>>().join(", "),
    })?;
    let mut recipe = Recipe::parse(row.text, &format!("recipe `{name}`"))?;
    if backburn_data::entry(name).is_ok() {
        name.clone_into(&mut recipe.dataset);
    }
    Ok(recipe)
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

    /// Checks every value, and those that must go together.
    ///
    /// # Errors
    ///
    /// The first that is outside its range, by name.
    pub fn check(&self) -> Result<(), RecipeError> {
        let setting = |setting, expected, found: String| {
            Err(RecipeError::Setting { setting, expected, found })
        };
        if self.epochs == 0 {
            return setting("epochs", "at least 1", "0".into());
        }
        if self.epochs >> 32 != 0 {
            return setting("epochs", "fewer than 2³²", self.epochs.to_string());
        }
        if self.batch_size == 0 {
            return setting("batch_size", "at least 1", "0".into());
        }
        if self.accumulate == 0 {
            return setting("accumulate", "at least 1", "0".into());
        }
        if !(self.learning_rate > 0.0 && self.learning_rate.is_finite()) {
            let found = self.learning_rate.to_string();
            return setting("learning_rate", "a positive number", found);
        }
        let positive =
            [("clip_norm", self.clip_norm), ("max_norm", self.max_norm), ("sam", self.sam)];
        for (name, value) in positive {
            if let Some(value) = value.filter(|value| !(*value > 0.0 && value.is_finite())) {
                return setting(name, "a positive number", value.to_string());
            }
        }
        let decay = self.weight_decay.strength;
        for (name, value) in [("weight_decay", decay), ("l1", self.l1.strength)] {
            if !(value >= 0.0 && value.is_finite()) {
                return setting(name, "at least 0", value.to_string());
            }
        }
        self.check_averages()?;
        if let Some(folder) = &self.place.data_dir
            && folder.to_str().is_none()
        {
            let found = folder.display().to_string();
            return setting("data_dir", "a path in UTF-8, to be written to config.toml", found);
        }
        self.check_initialization()?;
        self.init_from.as_ref().map_or(Ok(()), InitFrom::check).map_err(RecipeError::Invalid)?;
        self.check_labels()?;
        if let Some(noise) = self.label_noise.filter(|noise| !noise.is_in_range()) {
            return setting("label_noise", LabelNoise::RANGE, noise.percent.to_string());
        }
        self.check_class_weights()?;
        self.check_pictures()?;
        self.check_stopping_and_keeping()?;
        self.optimizer.check().map_err(RecipeError::Invalid)?;
        for (number, group) in (1..).zip(&self.groups) {
            let numbered = |error| RecipeError::Invalid(format!("group {number}: {error}"));
            group.check().map_err(numbered)?;
        }
        self.schedule.check().map_err(RecipeError::Invalid)?;
        self.schedule.check_epochs(self.epochs).map_err(RecipeError::Invalid)?;
        if matches!(self.schedule, Schedule::Plateau { .. }) && !self.validates() {
            return Err(RecipeError::Invalid(
                "the schedule `plateau` follows the validation loss, but `valid_size` is 0; set \
                 `--valid-size`, for example to 10%"
                    .into(),
            ));
        }
        let of_group = |group: &ParameterGroup| {
            let rule = group.optimizer.unwrap_or(self.optimizer);
            (rule, group.decay(self.weight_decay))
        };
        let of_all = [(self.optimizer, self.weight_decay)];
        let is_coupled = |(rule, decay): (OptimizerConfig, WeightDecay)| {
            matches!(rule, OptimizerConfig::Adamw { .. })
                && decay.mode == DecayMode::Coupled
                && decay.strength > 0.0
        };
        if self.groups.iter().map(of_group).chain(of_all).any(is_coupled) {
            return Err(RecipeError::Invalid(
                "`adamw` is Adam with decoupled weight decay; set `weight_decay.mode`, or that of \
                 a group, to `decoupled`, or use `adam` for L2"
                    .into(),
            ));
        }
        Ok(())
    }

    fn check_averages(&self) -> Result<(), RecipeError> {
        let setting = |setting, expected, found: String| {
            Err(RecipeError::Setting { setting, expected, found })
        };
        if let Some(decay) = self.ema.filter(|decay| !(*decay > 0.0 && *decay < 1.0)) {
            return setting("ema", "a decay in (0, 1)", decay.to_string());
        }
        if let Some(Lookahead { steps, alpha }) = self.lookahead {
            if steps == 0 {
                return setting("lookahead.steps", "at least 1", "0".into());
            }
            if !(alpha > 0.0 && alpha <= 1.0) {
                return setting("lookahead.alpha", "a share in (0, 1]", alpha.to_string());
            }
        }
        let Some(first) = self.swa else { return Ok(()) };
        if first == 0 {
            return setting("swa", "at least 1", "0".into());
        }
        if first > self.epochs {
            return Err(RecipeError::Invalid(format!(
                "`swa`: expected at most the {} epochs of the run, found {first}: nothing would be \
                 averaged; set an earlier epoch, or a greater `--epochs`",
                self.epochs
            )));
        }
        if self.ema.is_some() {
            return Err(RecipeError::Invalid(
                "`swa` and `ema` both average the weights that are evaluated and kept; turn one \
                 of them off, with `--swa 0` or `--ema 0`"
                    .into(),
            ));
        }
        Ok(())
    }

    fn check_labels(&self) -> Result<(), RecipeError> {
        // A data set that does not exist is refused elsewhere.
        let classes =
            backburn_data::entry(&self.dataset).map_or(usize::MAX, |entry| entry.classes());
        self.labels.check(classes)?;
        for (technique, on_labels) in self.labels.on() {
            let name = technique.flag.replace('-', "_");
            let is_of_regression = on_labels.changes == backburn_regularization::Changes::Values;
            if self.loss == Loss::CrossEntropy && is_of_regression {
                return Err(RecipeError::Invalid(format!(
                    "`labels.{name}` adds noise to the targets of a regression, and cross-entropy \
                     needs distributions; set `--loss squared-error`, or use `--disturb-label`"
                )));
            }
            if self.loss == Loss::SquaredError && !is_of_regression {
                return Err(RecipeError::Invalid(format!(
                    "`labels.{name}` changes distributions over the classes, and `squared-error` \
                     is a regression; use `--loss cross-entropy`, or `--disturb-value`"
                )));
            }
        }
        Ok(())
    }

    fn check_class_weights(&self) -> Result<(), RecipeError> {
        let Some(weights) = &self.class_weights else { return Ok(()) };
        if self.loss == Loss::SquaredError {
            return Err(RecipeError::Invalid(
                "`class_weights` weighs a cross-entropy, and `squared-error` is a regression; use \
                 `--loss cross-entropy`, or `--sampling balanced`"
                    .into(),
            ));
        }
        weights.check().map_err(RecipeError::Invalid)
    }

    fn check_pictures(&self) -> Result<(), RecipeError> {
        let is_default = is_default(&self.pictures);
        if picture_names::folder(&self.dataset).is_none() && !is_default {
            return Err(RecipeError::DoesNotApply(format!(
                "`pictures`: how pictures are prepared is asked of people's own; the images of \
                 `{}` are as they are published; leave `--image-size` and its like out, or name a \
                 folder of pictures",
                self.dataset
            )));
        }
        self.pictures.check().map_err(|error| RecipeError::Invalid(format!("`pictures.{error}`")))
    }

    fn check_initialization(&self) -> Result<(), RecipeError> {
        self.initialization.check()?;
        let whitens = self.initialization.first_layer == FirstLayerInitialization::Whitening;
        if whitens && !self.model.begins_with_convolution() {
            let layer = self.model.first_layer().to_owned();
            let error = WhiteningError::NoConvolution { layer };
            return Err(RecipeError::Invalid(error.to_string()));
        }
        Ok(())
    }

    fn check_stopping_and_keeping(&self) -> Result<(), RecipeError> {
        let invalid = |setting: &str, reason: &str| {
            Err(RecipeError::Invalid(format!("`{setting}`: {reason}")))
        };
        if let Some(Err(reason)) = self.early_stopping.map(EarlyStoppingConfig::check) {
            return invalid("early_stopping", &reason);
        }
        if let Err(reason) = self.keep.check() {
            return invalid("keep", &reason);
        }
        let plateau = matches!(self.schedule, Schedule::Plateau { .. });
        let stops = self.early_stopping.is_some_and(|rule| rule.monitor().is_loss());
        if self.loss == Loss::SquaredError && (stops || plateau || self.keep.follows_loss()) {
            return Err(RecipeError::Invalid(
                "`squared-error` trains no probabilities, so its validation loss, a \
                 cross-entropy, says nothing to stop, slow down or select by; set `--keep last` or \
                 `best-accuracy`, no early stopping but `patience` with `monitor=accuracy`, and \
                 another schedule than `plateau`"
                    .into(),
            ));
        }
        let follows = match (self.early_stopping, self.keep) {
            (Some(_), _) => "early stopping",
            (None, Keep::LastUnder(_)) => "`keep` with last-under",
            (None, Keep::BestAccuracy) => "`keep` with best-accuracy",
            (None, Keep::Best | Keep::Last) => return Ok(()),
        };
        if !self.validates() {
            return Err(RecipeError::Invalid(format!(
                "{follows} follows the validation split, but `valid_size` is 0; set \
                 `--valid-size`, for example to 10%"
            )));
        }
        Ok(())
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
    use super::*;
    use crate::backend::Backend;

    #[test]
    fn every_built_in_recipe_is_valid_and_survives_toml() {
        for row in CATALOG {
            let recipe = built_in(row.name).unwrap();
            assert_eq!(recipe.check(), Ok(()), "{}", row.name);
            let again = Recipe::parse(&recipe.to_toml(), "again").unwrap();
            assert_eq!(again.to_toml(), recipe.to_toml(), "{}", row.name);
        }
    }

    #[test]
    fn every_data_set_has_a_recipe_of_its_name() {
        for entry in backburn_data::CATALOG {
            assert_eq!(built_in(entry.name).unwrap().dataset, entry.name);
        }
    }

    #[test]
    fn data_sets_of_a_kind_share_a_file_and_differ_in_nothing_else() {
        let letters = built_in("emnist-letters").unwrap();
        let digits = built_in("emnist-digits").unwrap();
        assert_eq!((&*letters.dataset, &*digits.dataset), ("emnist-letters", "emnist-digits"));
        assert_eq!(Recipe { dataset: letters.dataset.clone(), ..digits }, letters);
    }

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
    fn values_outside_their_range_are_refused_by_name() {
        type Spoil = fn(&mut Recipe);
        let cases: [(Spoil, &str); 11] = [
            (|r| r.epochs = 0, "epochs"),
            (|r| r.batch_size = 0, "batch_size"),
            (|r| r.accumulate = 0, "accumulate"),
            (|r| r.learning_rate = f64::NAN, "learning_rate"),
            (|r| r.learning_rate = -0.1, "learning_rate"),
            (|r| r.clip_norm = Some(0.0), "clip_norm"),
            (|r| r.weight_decay.strength = -1.0, "weight_decay"),
            (|r| r.swa = Some(0), "`swa`: expected at least 1, found 0"),
            (|r| (r.epochs, r.swa) = (3, Some(4)), "at most the 3 epochs of the run, found 4"),
            (|r| (r.swa, r.ema) = (Some(1), Some(0.9)), "`swa` and `ema` both"),
            (|r| r.optimizer = OptimizerConfig::Momentum { momentum: 1.0 }, "momentum"),
        ];
        for (spoil, name) in cases {
            let mut recipe = built_in("digits").unwrap();
            spoil(&mut recipe);
            let message = recipe.check().unwrap_err().to_string();
            assert!(message.contains(name), "{message}");
        }
    }

    #[test]
    fn what_follows_the_validation_loss_is_refused_without_validation() {
        let mut recipe = built_in("digits").unwrap();
        recipe.valid_size = SplitSize::Count(0);
        assert_eq!(recipe.check(), Ok(()));
        let stopping = Recipe { early_stopping: "gl=5".parse().ok(), ..recipe.clone() };
        let keeping = Recipe { keep: Keep::LastUnder(1.0), ..recipe.clone() };
        let by_accuracy = Recipe { keep: Keep::BestAccuracy, ..recipe };
        for recipe in [stopping, keeping, by_accuracy] {
            assert!(recipe.check().unwrap_err().to_string().contains("valid-size"));
        }
    }

    #[test]
    fn stopping_and_keeping_survive_toml_and_are_checked() {
        let mut recipe = built_in("digits").unwrap();
        for (rule, keep) in [
            ("patience=5,min-delta=0.001,warmup=3", "best"),
            ("gl=5", "last"),
            ("patience=5,monitor=accuracy", "best-accuracy"),
            ("pq=0.75,strip=4", "last-under=1.0"),
            ("up=3,warmup=2", "best"),
        ] {
            recipe.early_stopping = Some(rule.parse().unwrap());
            recipe.keep = keep.parse().unwrap();
            assert_eq!(recipe.check(), Ok(()));
            let toml = recipe.to_toml();
            assert!(toml.contains(&format!("keep = \"{keep}\"")), "{toml}");
            assert_eq!(Recipe::parse(&toml, "again").unwrap(), recipe);
        }
        let rule = EarlyStoppingConfig::Up { strips: 0, strip: 5, warmup: 0 };
        recipe.early_stopping = Some(rule);
        let message = recipe.check().unwrap_err().to_string();
        assert!(message.contains("`early_stopping`: expected"), "{message}");
    }

    #[test]
    fn a_regression_is_selected_by_accuracy_and_not_by_its_loss() {
        let mut recipe = built_in("digits").unwrap();
        recipe.loss = Loss::SquaredError;
        assert!(recipe.check().unwrap_err().to_string().contains("best-accuracy"));
        recipe.keep = Keep::BestAccuracy;
        recipe.early_stopping = Some("patience=2,monitor=accuracy".parse().unwrap());
        assert_eq!(recipe.check(), Ok(()));
        recipe.early_stopping = Some("patience=2".parse().unwrap());
        assert!(recipe.check().unwrap_err().to_string().contains("monitor=accuracy"));
    }

    #[test]
    fn a_warm_up_of_epochs_survives_toml_and_must_leave_one() {
        let mut recipe = built_in("digits").unwrap();
        recipe.schedule = "cosine=warmup:2".parse().unwrap();
        assert_eq!(recipe.check(), Ok(()));
        assert!(recipe.to_toml().contains("warmup = \"2 epochs\""), "{}", recipe.to_toml());
        assert_eq!(Recipe::parse(&recipe.to_toml(), "again").unwrap(), recipe);
        recipe.epochs = 2;
        let message = recipe.check().unwrap_err().to_string();
        assert!(message.contains("fewer epochs than the 2 of the run, found 2"), "{message}");
        let number = recipe.to_toml().replace("\"2 epochs\"", "2");
        let message = Recipe::parse(&number, "file").unwrap().check().unwrap_err().to_string();
        assert!(message.contains("\"2 epochs\" in a recipe, found 2"), "{message}");
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
    fn class_weights_and_sampling_survive_toml_and_weights_want_a_cross_entropy() {
        let mut recipe = built_in("digits").unwrap();
        assert!(!recipe.to_toml().contains("class_weights") && !recipe.to_toml().contains("fold"));
        let table = (0..10).map(|class| (class.to_string(), f64::from(class)));
        for weights in [ClassWeights::Balanced, ClassWeights::Given(table.collect())] {
            recipe.class_weights = Some(weights);
            recipe.sampling = Sampling::Balanced;
            assert_eq!(recipe.check(), Ok(()));
            assert_eq!(Recipe::parse(&recipe.to_toml(), "again").unwrap(), recipe);
        }
        recipe.loss = Loss::SquaredError;
        recipe.keep = Keep::Last;
        assert!(recipe.check().unwrap_err().to_string().contains("weighs a cross-entropy"));
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
    fn a_plateau_without_validation_is_refused() {
        let mut recipe = built_in("digits").unwrap();
        recipe.schedule = Schedule::named("plateau").unwrap();
        assert_eq!(recipe.check(), Ok(()));
        recipe.valid_size = SplitSize::Count(0);
        assert!(recipe.check().unwrap_err().to_string().contains("valid-size"));
    }

    #[test]
    fn a_misspelled_setting_is_refused_with_file_and_line() {
        let text = built_in("digits").unwrap().to_toml().replace("batch_size", "batchsize");
        let message = Recipe::parse(&text, "my.toml").unwrap_err().to_string();
        assert!(message.contains("my.toml") && message.contains("batchsize"), "{message}");
    }
}
