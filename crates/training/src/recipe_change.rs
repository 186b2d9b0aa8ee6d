//! A change to a recipe as data: what the flags of `train` ask for, what makes an arm of a study.
//!
//! ```toml
//! dropout = 0.5
//! augment = "crop=4,flip"
//! "optimizer.beta2" = 0.99
//! ```

use std::collections::BTreeMap;

use backburn_data::nearest::nearest;
use serde::{Deserialize, Serialize};
use toml::Value;

use crate::recipe::{BuiltIn, Recipe, RecipeError, built_in};
use crate::recipe_settings::{CATALOG, Setting};

/// Values for settings. One that is named in [`CATALOG`] takes what its flag takes; any other is a path of names
/// with dots between them, as the settings stand in `config.toml`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecipeChange {
    values: BTreeMap<String, Value>,
}

/// The flag of `train` for a setting without a flag of its own.
pub const SET: &str = "set";

impl RecipeChange {
    /// Whether it changes nothing of any recipe.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Whether it gives this setting a value.
    pub fn sets(&self, setting: &str) -> bool {
        self.values.contains_key(setting)
    }

    /// The value that it gives a setting.
    pub fn value(&self, setting: &str) -> Option<&Value> {
        self.values.get(setting)
    }

    /// Its settings by name, with their values.
    pub fn values(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The same with a setting's value, in place of one that it had.
    #[must_use]
    pub fn with(mut self, setting: &str, value: impl Into<Value>) -> Self {
        self.values.insert(setting.to_owned(), value.into());
        self
    }

    /// The same with a setting given as `PATH=VALUE`, the value as in TOML; what is no value there is a text.
    ///
    /// # Errors
    ///
    /// If there is no `=`.
    pub fn with_text(self, text: &str) -> Result<Self, RecipeError> {
        let (setting, value) = text.split_once('=').ok_or_else(|| {
            RecipeError::Invalid(format!(
                "`--{SET}`: expected PATH=VALUE, such as optimizer.beta2=0.99, found `{text}`"
            ))
        })?;
        let value = value.trim();
        let read = value.parse().unwrap_or_else(|_| Value::String(value.to_owned()));
        Ok(self.with(setting.trim(), read))
    }

    /// This change and then another one.
    #[must_use]
    pub fn and(mut self, then: &Self) -> Self {
        self.values.extend(then.values.clone());
        self
    }

    /// The built-in recipe that this is a change to if only a data set is named, with its name: the set's own, or, if
    /// another model or an optimizer is asked for and the set's own is fitted to one network, the plain one beside it.
    ///
    /// # Errors
    ///
    /// If there is no recipe of the data set's name.
    pub fn base(&self, dataset: &str) -> Result<(&'static str, Recipe), RecipeError> {
        let row = BuiltIn::named(dataset)?;
        let recipe = built_in(row.name)?;
        // `model` and `optimizer` are settings; `model.name` is the same as a path.
        let asked = |name: &str| self.value(name).or_else(|| self.value(&format!("{name}.name")));
        let model = asked("model").and_then(Value::as_str);
        let asks_for_other =
            model.is_some_and(|model| model != recipe.model.name()) || asked("optimizer").is_some();
        match row.plain {
            Some(plain) if asks_for_other => Ok((plain, built_in(plain)?)),
            _ => Ok((row.name, recipe)),
        }
    }

    /// The recipe with this change; see [`apply_checked`](Self::apply_checked) for what is right in its kind and outside
    /// its range.
    ///
    /// # Errors
    ///
    /// If there is no such setting, a value is none of its kind, or a setting does not apply to the recipe.
    pub fn apply(&self, recipe: &Recipe) -> Result<Recipe, RecipeError> {
        let mut changed = recipe.clone();
        for row in CATALOG {
            if let Some(value) = self.values.get(row.name) {
                row.set(&mut changed, &text(value))?;
            }
        }
        let paths = self.values.iter().filter(|(name, _)| Setting::named(name).is_none());
        for (path, value) in paths {
            changed = with_path(&changed, path, value)?;
        }
        Ok(changed)
    }

    /// Applies like [`apply`](Self::apply); the result can be trained.
    ///
    /// # Errors
    ///
    /// As [`apply`](Self::apply) and [`Recipe::check`].
    pub fn apply_checked(&self, recipe: &Recipe) -> Result<Recipe, RecipeError> {
        let changed = self.apply(recipe)?;
        changed.check().map_err(|error| self.in_its_words(error))?;
        Ok(changed)
    }

    /// The same error of a value that this change has set, by the name that it used.
    fn in_its_words(&self, error: RecipeError) -> RecipeError {
        let RecipeError::Setting { setting, expected, found } = &error else { return error };
        let last = setting.rsplit('.').next().unwrap_or(setting).replace('_', "-");
        match Setting::named(&last).filter(|row| self.sets(row.name)) {
            Some(Setting { name, .. }) => {
                RecipeError::Invalid(format!("`--{name}`: expected {expected}, found {found}"))
            }
            None => error,
        }
    }

    /// Applies like [`apply_checked`](Self::apply_checked) a change that is to be compared with the recipe as it is: the
    /// result differs from it unless the change is empty.
    ///
    /// # Errors
    ///
    /// As [`apply_checked`](Self::apply_checked), and if the recipe stays as it is.
    pub fn apply_as_arm(&self, recipe: &Recipe) -> Result<Recipe, RecipeError> {
        let changed = self.apply_checked(recipe)?;
        if changed == *recipe && !self.is_empty() {
            return Err(RecipeError::ChangesNothing { model: recipe.model.name() });
        }
        Ok(changed)
    }

    /// The words on the command line of `train` that ask for this change.
    pub fn words(&self) -> Vec<String> {
        let named = CATALOG.iter().filter_map(|row| Some((row, self.values.get(row.name)?)));
        let named = named.flat_map(|(row, value)| match row.is_switch() {
            true => vec![format!("--{}={}", row.name, text(value))],
            false => vec![format!("--{}", row.name), text(value)],
        });
        let paths = self.values.iter().filter(|(name, _)| Setting::named(name).is_none());
        let paths = paths.flat_map(|(path, value)| [format!("--{SET}"), format!("{path}={value}")]);
        named.chain(paths).collect()
    }
}

/// A value as a flag takes it: without quotes, a list with commas, a switch as `on` or `off`.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Boolean(on) => if *on { "on" } else { "off" }.to_owned(),
        Value::Array(values) => values.iter().map(text).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// The recipe with another value at a path into its file.
fn with_path(recipe: &Recipe, path: &str, value: &Value) -> Result<Recipe, RecipeError> {
    let wrong = |reason: &dyn std::fmt::Display| {
        RecipeError::DoesNotApply(format!(
            "`{path}`: {reason}; a setting is named as a flag of `train` or as in a run's \
             config.toml"
        ))
    };
    // JSON, since a table of TOML has no numbers from 2⁶³ on, such as a seed may be.
    let mut settings = serde_json::to_value(recipe).map_err(|error| wrong(&error))?;
    let mut place = &mut settings;
    for name in path.split('.') {
        let table = place.as_object_mut().ok_or_else(|| wrong(&"it lies in no table"))?;
        // What is unset is missing in the file.
        place = table.entry(name).or_insert_with(|| serde_json::Map::new().into());
    }
    *place = serde_json::to_value(value).map_err(|error| wrong(&error))?;
    serde_json::from_value(settings).map_err(|error: serde_json::Error| {
        let text = error.to_string();
        // Which fields a recipe has is told as flags are written.
        match text.starts_with("unknown field") && !path.contains('.') {
            true => wrong(&unknown_setting(path)),
            false => wrong(&text),
        }
    })
}

fn unknown_setting(name: &str) -> String {
    let known = || CATALOG.iter().map(|row| row.name);
    match nearest(name, known()) {
        Some(nearest) => format!("unknown field; did you mean `{nearest}`?"),
        None => format!("unknown field; known: {}", known().collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use backburn_data::normalization::Normalization;
    use backburn_models::{
        FirstLayerInitialization, Initialization, ModelConfig, WeightInitialization,
    };
    use backburn_regularization::{DecayMode, WeightDecay};

    use super::*;
    use crate::optimize::muon::{MuonConfig, StepScale, WeightLength};
    use crate::optimize::optimizer::OptimizerConfig;
    use crate::optimize::parameter_group::ParameterGroup;
    use crate::recipe;

    fn change(text: &str) -> RecipeChange {
        toml::from_str(text).unwrap()
    }

    fn changed(text: &str) -> Result<Recipe, String> {
        let recipe = change(text).apply(&built_in("cifar10-plain").unwrap());
        recipe.and_then(|recipe| recipe.check().map(|()| recipe)).map_err(|error| error.to_string())
    }

    #[test]
    fn without_values_every_recipe_stays_as_it_is() {
        for row in recipe::CATALOG {
            let recipe = built_in(row.name).unwrap();
            assert_eq!(RecipeChange::default().apply_as_arm(&recipe), Ok(recipe));
        }
    }

    #[test]
    fn another_model_or_optimizer_changes_a_plain_recipe() {
        let name = |dataset: &str, text: &str| change(text).base(dataset).unwrap().0;
        for row in recipe::CATALOG {
            let Some(plain) = row.plain else { continue };
            let own = built_in(row.name).unwrap().model.name();
            assert_eq!(name(row.name, &format!("model = \"{own}\"\nseed = 3")), row.name);
            for asked in ["model = \"resnet20\"", "optimizer = \"sgd\"", "optimizer = \"muon\""] {
                let change = change(asked);
                let (name, base) = change.base(row.name).unwrap();
                assert_eq!((name, &base), (plain, &built_in(plain).unwrap()));
                assert_eq!(change.apply(&base).and_then(|recipe| recipe.check()), Ok(()));
            }
        }
        assert_eq!(name("mnist", "model = \"mlp\""), "mnist");
        for path in ["\"model.name\" = \"resnet20\"", "\"optimizer.name\" = \"adam\""] {
            assert_eq!(name("cifar10", path), "cifar10-plain");
        }
        assert!(change("").base("minst").unwrap_err().to_string().contains("did you mean `mnist`"));
    }

    #[test]
    fn values_change_what_they_name() {
        let recipe = changed(
            "model = \"mlp\"\nhidden = [64, 32]\ndropout = 0.25\noptimizer = \"nesterov\"\n\
             momentum = 0.8\nweight-decay = 5e-4\ndecay-mode = \"coupled\"\naugment = \"none\"\n\
             early-stopping = \"patience=5,min-delta=0.001\"\ninitialization = \"normal=0.01\"\n\
             schedule = \"cosine=warmup:2\"\nbatch-norm = false\nmixup = 1",
        )
        .unwrap();
        assert_eq!(recipe.schedule.to_string(), "cosine=warmup:2");
        assert_eq!(recipe.weight_decay.mode, DecayMode::Coupled);
        let ModelConfig::Mlp(model) = &recipe.model else { panic!("{:?}", recipe.model) };
        assert_eq!((model.hidden.as_slice(), model.dropout), (&[64, 32][..], 0.25));
        assert!(!model.batch_norm);
        assert_eq!(recipe.optimizer, OptimizerConfig::Nesterov { momentum: 0.8 });
        assert_eq!(recipe.weight_decay.strength, 5e-4);
        assert!(recipe.augment.is_empty());
        assert_eq!(recipe.early_stopping, "patience=5,min-delta=0.001".parse().ok());
        assert_eq!(recipe.initialization.weights, WeightInitialization::Normal(0.01));
        assert_eq!(recipe.labels.mixup.alpha, 1.0);
    }

    #[test]
    fn pixels_are_scaled_by_a_name_or_by_numbers_which_the_recipe_then_has() {
        let scaled = |word: &str| changed(&format!("normalization = \"{word}\"")).unwrap();
        let imagenet = scaled("imagenet");
        assert_eq!(imagenet.normalization, Normalization::imagenet());
        let text = imagenet.to_toml();
        assert!(text.contains("mean = [0.485, 0.456, 0.406]"), "{text}");
        assert_eq!(Recipe::parse(&text, "a test").unwrap(), imagenet);
        let given = scaled("mean=0.5:0.25:0,std=1:2:3").normalization;
        let (mean, std) = (vec![0.5, 0.25, 0.0], vec![1.0, 2.0, 3.0]);
        assert_eq!(given, Normalization::Given { mean, std });
        let error = changed("normalization = \"std=1:2:3\"").unwrap_err();
        assert!(error.contains("unknown normalization `std=1:2:3`"), "{error}");
    }

    #[test]
    fn another_optimizer_starts_with_its_own_decay() {
        let decay = |name| changed(&format!("optimizer = \"{name}\"")).unwrap().weight_decay;
        assert_eq!(decay("adam"), WeightDecay::default());
        let adamw = built_in("cifar10-plain").unwrap().weight_decay;
        assert_eq!(decay("adamw"), adamw);
        assert_eq!((adamw.strength, adamw.mode), (0.01, DecayMode::Decoupled));
        let muon = decay("muon");
        assert_eq!((muon.strength, muon.mode), (0.0, DecayMode::Decoupled));
    }

    #[test]
    fn the_settings_of_muon_are_set_by_name_and_path_and_survive_toml() {
        let recipe = changed(
            "optimizer = \"muon\"\nmomentum = 0.6\n\"optimizer.iterations\" = 3\n\
             \"optimizer.scale\" = \"one\"\n\"optimizer.weights\" = \"sphere\"",
        )
        .unwrap();
        let expected = MuonConfig {
            momentum: 0.6,
            iterations: 3,
            scale: StepScale::One,
            weights: WeightLength::Sphere,
            others_rate: 1.0,
        };
        assert_eq!(recipe.optimizer, OptimizerConfig::Muon(expected));
        assert_eq!(Recipe::parse(&recipe.to_toml(), "again").unwrap(), recipe);
        let usual = changed("optimizer = \"muon\"").unwrap();
        let written = usual.to_toml();
        let named = written.split("[optimizer]\n").nth(1).unwrap().lines().next();
        assert_eq!(named, Some("name = \"muon\""));
        let left = ["momentum = 0.95\n", "iterations = 5\n", "scale = \"shape\"\n"];
        let short = left.iter().fold(written.clone(), |text, line| text.replacen(line, "", 1));
        assert!(short.len() < written.len());
        assert_eq!(Recipe::parse(&short, "short").unwrap(), usual);
        for (wrong, expected) in [
            ("\"optimizer.iterations\" = 0", "`iterations`: expected 1 to 99, found 0"),
            ("\"optimizer.weights\" = \"ball\"", "unknown variant `ball`"),
            ("\"optimizer.beta1\" = 0.5", "unknown field `beta1`"),
        ] {
            let message = changed(&format!("optimizer = \"muon\"\n{wrong}")).unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn parts_are_frozen_by_either_kind_of_names_and_the_head_has_a_rate_of_its_own() {
        let groups = |text: &str| -> Vec<String> {
            let group = |group: &ParameterGroup| {
                let path = group.path.clone().unwrap_or_default();
                format!("{path} {:?} {}", group.training, group.rate_factor)
            };
            changed(text).unwrap().groups.iter().map(group).collect()
        };
        assert_eq!(
            groups(
                "model = \"resnet50\"\nfreeze = \"conv1,bn1,layer1, stages.1.0\"\nhead-rate = 10"
            ),
            [
                "stem Frozen 1",
                "stem_norm Frozen 1",
                "stages.0 Frozen 1",
                "stages.1.0 Frozen 1",
                "head On 10"
            ]
        );
        // A network that torchvision does not have has no names of its.
        assert_eq!(groups("model = \"lenet-bn\"\nfreeze = \"conv1\""), ["conv1 Frozen 1"]);
        let twice = change("freeze = \"conv1\"\nhead-rate = 3");
        let recipe = twice.apply(&built_in("digits").unwrap()).unwrap();
        assert_eq!(twice.apply(&recipe).unwrap(), recipe);
        let off = change("freeze = \"none\"\nhead-rate = 1").apply(&recipe).unwrap();
        assert_eq!(off, built_in("digits").unwrap());
    }

    #[test]
    fn wrong_values_are_refused_by_name() {
        let cases = [
            ("model = \"vgg\"", "unknown model `vgg`"),
            ("optimizer = \"lion\"", "unknown optimizer"),
            ("hidden = 10", "--hidden"),
            ("widths = \"a\"", "--widths"),
            ("augment = \"spin\"", "spin"),
            ("early-stopping = 5", "patience="),
            ("momentum = 0.9", "--momentum"),
            ("learning-rate = nan", "learning_rate"),
            ("learning-rate = \"fast\"", "`--learning-rate`: expected a number, found `fast`"),
            ("epochs = 0", "epochs"),
            ("epochs = 1.5", "`--epochs`: expected a whole number, found `1.5`"),
            ("schedule = \"cosine=warmup:99\"", "warmup"),
            ("initialization = \"zeros\"", "zeros"),
            ("\"initialization.head_factor\" = 1.5", "expected a factor in [0, 1], found 1.5"),
            ("\"initialization.first_layer\" = \"white\"", "unknown variant `white`"),
            (
                "model = \"mlp\"\n\"initialization.first_layer\" = \"whitening\"",
                "`initialization.first_layer`: whitening filters are those of a convolution",
            ),
            ("decay-mode = \"weak\"", "expected coupled or decoupled, found `weak`"),
            ("dropout = 1", "expected a rate in [0, 1), found 1"),
            ("stem = \"imagenet\"", "`--stem` does not apply to the model `cnn`"),
            ("model = \"resnet18\"\nstem = \"large\"", "expected small or imagenet"),
            ("freeze = \"stem,\"", "`--freeze`: expected names of parts"),
            ("head-rate = 0", "`groups.rate_factor`: expected a positive number"),
            ("tta = \"flop\"", "`--tta`: unknown view `flop`; known: flip"),
            ("label-noise = \"20:mix\"", "`--label-noise`: expected a percentage"),
            ("label-noise = 101", "`label_noise`: expected more than 0 and at most 100 percent"),
            ("data-seed = \"x\"", "`--data-seed`: expected a whole number, found `x`"),
            ("replicate = -1", "`--replicate`: expected a whole number, found `-1`"),
            ("drop-out = 0.5", "`drop-out`: unknown field; did you mean `dropout`?"),
            ("qqqqqq = 0.5", "`qqqqqq`: unknown field; known: epochs, batch-size, learning-rate"),
            ("\"optimizer.beta3\" = 0.5", "`optimizer.beta3`: unknown field `beta3`"),
            ("\"epochs.first\" = 1", "it lies in no table"),
        ];
        for (text, expected) in cases {
            let message = changed(text).unwrap_err();
            assert!(message.contains(expected), "{text}: {message}");
        }
    }

    #[test]
    fn what_has_no_name_is_set_by_its_path() {
        let recipe = changed(
            "\"optimizer.beta2\" = 0.99\n\"initialization.biases\" = \"pytorch\"\n\
             \"lookahead\" = \"k=7\"\n\"lookahead.alpha\" = 0.25\ninitialization = \"dirac\"\n\
             \"initialization.head_factor\" = 0\n\"initialization.first_layer\" = \"whitening\"",
        )
        .unwrap();
        let OptimizerConfig::Adamw { beta1, beta2, .. } = recipe.optimizer else { panic!() };
        assert_eq!((beta1, beta2), (0.9, 0.99));
        assert_eq!(recipe.initialization.biases, Initialization::PYTORCH.biases);
        let Initialization { weights, head_factor, first_layer, .. } = recipe.initialization;
        assert_eq!((weights, head_factor), (WeightInitialization::Dirac, 0.0));
        assert_eq!(first_layer, FirstLayerInitialization::Whitening);
        // Other draws leave the ends as they are.
        let redrawn = change("initialization = \"he-uniform\"").apply(&recipe).unwrap();
        assert_eq!(redrawn.initialization.weights, WeightInitialization::HeUniform);
        assert_eq!(redrawn.initialization.head_factor, 0.0);
        assert_eq!(redrawn.initialization.first_layer, first_layer);
        let lookahead = recipe.lookahead.unwrap();
        assert_eq!((lookahead.steps, lookahead.alpha), (7, 0.25));
    }

    #[test]
    fn label_noise_and_data_seed_are_switched_on_and_off() {
        let recipe = changed("label-noise = 20\ndata-seed = 7\nreplicate = 3").unwrap();
        assert_eq!(recipe.label_noise, "20".parse().ok());
        assert_eq!((recipe.data_seed, recipe.replicate), (Some(7), 3));
        let pairs = changed("label-noise = \"45.5:pairs\"").unwrap();
        assert_eq!(pairs.label_noise, "45.5:pairs".parse().ok());
        for off in ["0", "\"none\""] {
            let off = format!("label-noise = {off}\ndata-seed = \"none\"\nreplicate = 0");
            assert_eq!(change(&off).apply(&recipe), built_in("cifar10-plain"));
        }
    }

    #[test]
    fn views_are_switched_on_and_off() {
        let recipe = changed("tta = \"diagonal=1,flip\"").unwrap();
        assert_eq!(recipe.tta.map(|views| views.to_string()).as_deref(), Some("flip,diagonal=1"));
        assert_eq!(change("tta = \"none\"").apply(&recipe), built_in("cifar10-plain"));
    }

    #[test]
    fn a_path_leaves_all_else_as_it_was() {
        for row in recipe::CATALOG {
            let recipe = Recipe { seed: u64::MAX, ..built_in(row.name).unwrap() };
            let same = RecipeChange::default().with("epochs", recipe.epochs as i64);
            assert_eq!(same.apply(&recipe), Ok(recipe.clone()));
            let by_path = with_path(&recipe, "epochs", &Value::from(recipe.epochs as i64));
            assert_eq!(by_path, Ok(recipe));
        }
    }

    #[test]
    fn an_arm_must_change_something_and_be_right() {
        let recipe = built_in("small").unwrap();
        let arm = |text| change(text).apply_as_arm(&recipe);
        assert_eq!(arm("epochs = 30"), Err(RecipeError::ChangesNothing { model: "cnn" }));
        assert!(matches!(arm("stochastic-depth = 0.2"), Err(RecipeError::DoesNotApply(_))));
        assert!(matches!(arm("epochs = 0"), Err(RecipeError::Invalid(_))));
        assert_eq!(*arm("dropout = 0.5").unwrap().model.dropout_mut(), 0.5);
    }

    #[test]
    fn what_a_change_set_wrongly_is_told_by_the_name_that_it_used() {
        let recipe = built_in("digits").unwrap();
        let told = |text: &str| change(text).apply_checked(&recipe).unwrap_err().to_string();
        assert!(told("label-smoothing = 1.5").starts_with("`--label-smoothing`: expected"));
        assert!(told("batch-size = 0").starts_with("`--batch-size`: expected"));
        let by_path = told("\"labels.mixup\" = -1.0");
        assert!(by_path.starts_with("`labels.mixup`: expected"), "{by_path}");
        // Which of its two parts is wrong is in no flag's name.
        let part = told("disturb-value = \"share=2,noise=1\"\nloss = \"squared-error\"");
        assert!(part.starts_with("`labels.disturb_value.share`: expected"), "{part}");
    }

    #[test]
    fn the_later_of_two_changes_counts() {
        let both = change("dropout = 0.5\nepochs = 3").and(&change("dropout = 0"));
        assert_eq!(both, change("dropout = 0\nepochs = 3"));
        assert!(both.sets("epochs") && !both.sets("seed") && !both.is_empty());
        assert_eq!(both.value("epochs"), Some(&Value::Integer(3)));
        assert_eq!(both.value("seed"), None);
    }

    #[test]
    fn its_words_ask_for_the_same() {
        let arm = change(
            "\"optimizer.beta2\" = 0.99\ndropout = 0.5\nhidden = [64, 32]\nbatch-norm = true\n\
             augment = \"crop=2,flip\"",
        );
        let words = arm.words();
        assert_eq!(
            words.join(" "),
            "--hidden 64,32 --batch-norm on --augment crop=2,flip --dropout 0.5 --set \
             optimizer.beta2=0.99"
        );
        let set = RecipeChange::default().with_text(&words[9]).unwrap();
        assert_eq!(set, change("\"optimizer.beta2\" = 0.99"));
        let text = RecipeChange::default().with_text("model.name = cnn").unwrap();
        assert_eq!(text, change("\"model.name\" = \"cnn\""));
        assert!(RecipeChange::default().with_text("seed").is_err());
    }
}
