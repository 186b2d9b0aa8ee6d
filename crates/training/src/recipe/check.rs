//! Which values a recipe may have, and which go together.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use backburn_data::LabelNoise;
use backburn_data::pictures::PicturesError;
use backburn_models::FirstLayerInitialization;
use backburn_models::whitening::WhiteningError;
use backburn_records::number::counted;
use backburn_regularization::{DecayMode, EarlyStoppingConfig, Keep, Lookahead, WeightDecay};

use super::definition::{Recipe, is_default};
use super::error::RecipeError;
use crate::init_from::InitFrom;
use crate::loss::Loss;
use crate::optimize::optimizer::OptimizerConfig;
use crate::optimize::parameter_group::ParameterGroup;
use crate::optimize::schedule::Schedule;
use crate::picture_names;

impl Recipe {
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
                "`swa`: expected at most the {} of the run, found {first}: nothing would be \
                 averaged; set an earlier epoch, or a greater `--epochs`",
                counted(self.epochs, "epoch")
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
            let name = technique.flag;
            let is_of_regression = on_labels.changes == backburn_regularization::Changes::Values;
            if self.loss == Loss::CrossEntropy && is_of_regression {
                return Err(RecipeError::Invalid(format!(
                    "`--{name}` adds noise to the targets of a regression, and cross-entropy \
                     needs distributions; set `--loss squared-error`, or use `--disturb-label`"
                )));
            }
            if self.loss == Loss::SquaredError && !is_of_regression {
                return Err(RecipeError::Invalid(format!(
                    "`--{name}` changes distributions over the classes, and `squared-error` \
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
        self.pictures.check().map_err(|error| {
            RecipeError::Invalid(match error {
                PicturesError::Setting { name, reason } => format!("`pictures.{name}`: {reason}"),
                other => other.to_string(),
            })
        })
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
}

#[cfg(test)]
mod tests {
    use backburn_data::SplitSize;
    use backburn_data::loader::Sampling;

    use super::super::built_in::built_in;
    use super::*;
    use crate::class_weights::ClassWeights;

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
    fn a_plateau_without_validation_is_refused() {
        let mut recipe = built_in("digits").unwrap();
        recipe.schedule = Schedule::named("plateau").unwrap();
        assert_eq!(recipe.check(), Ok(()));
        recipe.valid_size = SplitSize::Count(0);
        assert!(recipe.check().unwrap_err().to_string().contains("valid-size"));
    }
}
