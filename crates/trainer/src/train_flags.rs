//! Flags of `train` that change a recipe.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use backburn_data::SplitSize;
use backburn_data::augment::{self, Pipeline};
use backburn_data::loader::LastBatch;
use backburn_data::normalization::Normalization;
use backburn_models::{BiasInitialization, Initialization, ModelConfig, WeightInitialization};
use backburn_regularization::{DecayMode, DecayedParameters, Keep, WeightDecay};
use backburn_training::failure::{Failure, unknown, usage};
use backburn_training::on_divergence::OnDivergence;
use backburn_training::optimize::optimizer::OptimizerConfig;
use backburn_training::optimize::schedule::Schedule;
use backburn_training::recipe::Recipe;
use clap::{Args, ValueEnum};

use crate::regularizer_flags::RegularizerFlags;

/// PyTorch's default weight decay of AdamW; its other optimizers have none.
const ADAMW_DECAY: f64 = 0.01;

/// Flags that change a recipe.
#[derive(Args, Clone, Debug, Default, PartialEq)]
pub(crate) struct Changes {
    /// Passes over the training images.
    #[arg(long, value_name = "N", help_heading = "Recipe", allow_negative_numbers = true)]
    epochs: Option<usize>,
    /// Images per batch.
    #[arg(long, value_name = "N", help_heading = "Recipe", allow_negative_numbers = true)]
    batch_size: Option<usize>,
    /// Peak learning rate.
    #[arg(long, value_name = "X", help_heading = "Recipe", allow_negative_numbers = true)]
    learning_rate: Option<f64>,
    /// Learning-rate schedule: constant; step=30:0.1 (every 30 epochs times 0.1); cosine=warmup:2,floor:0;
    /// one-cycle=warmup:30%,start:0.04,end:4e-6; plateau=factor:0.1,patience:3,min-delta:1e-4,floor:0.
    /// What follows the name may be left out, and is as shown here then, but for cosine's warm-up, which is
    /// none. warmup: epochs from 1 on; below 1 or with %, a share of all steps. floor, start, end: shares of
    /// the peak. The last step of cosine and one-cycle has the rate of floor and end.
    #[arg(long, value_name = "NAME[=SETTINGS]", help_heading = "Recipe")]
    schedule: Option<Schedule>,
    /// Optimizer: sgd, momentum, nesterov, adagrad, rmsprop, adam, adamw. Another one than the
    /// recipe's starts without weight decay (adamw: 0.01).
    #[arg(long, value_name = "NAME", help_heading = "Recipe")]
    optimizer: Option<String>,
    /// Momentum of `momentum` and `nesterov`, in [0, 1).
    #[arg(long, value_name = "X", help_heading = "Recipe", allow_negative_numbers = true)]
    momentum: Option<f64>,
    /// Greatest norm of all gradients together; 0 for no limit.
    #[arg(long, value_name = "X", help_heading = "Recipe", allow_negative_numbers = true)]
    clip_norm: Option<f64>,
    /// Batches whose gradients are averaged before a step, over their images.
    #[arg(long, value_name = "N", help_heading = "Recipe", allow_negative_numbers = true)]
    accumulate: Option<usize>,
    /// Seed of every random draw.
    #[arg(long, value_name = "S", help_heading = "Recipe", allow_negative_numbers = true)]
    seed: Option<u64>,

    /// Images to train on: a number, or a share such as 10%.
    #[arg(long, value_name = "N", help_heading = "Data", allow_negative_numbers = true)]
    train_size: Option<SplitSize>,
    /// Images to keep for validation: a number, or a share such as 10%.
    #[arg(long, value_name = "N", help_heading = "Data", allow_negative_numbers = true)]
    valid_size: Option<SplitSize>,
    /// Training images that do not fill a batch: keep (a smaller last batch), drop, or merge (they join the
    /// batch before it).
    #[arg(long, value_name = "WHAT", help_heading = "Data")]
    last_batch: Option<LastBatch>,
    /// Scaling of pixels: none (0 to 255), unit (0 to 1), per-channel.
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    normalization: Option<String>,

    /// Architecture: mlp, cnn, lenet-bn, resnet18, resnet34, resnet20, resnet32, resnet44, resnet56.
    #[arg(long, value_name = "NAME", help_heading = "Model")]
    model: Option<String>,
    /// Units of the mlp's hidden layers, such as 512,512; `none` for a linear classifier.
    #[arg(long, value_name = "WIDTHS", help_heading = "Model")]
    hidden: Option<String>,
    /// Channels of the cnn's blocks, such as 32,64,128.
    #[arg(long, value_name = "WIDTHS", help_heading = "Model")]
    widths: Option<String>,
    /// Batch normalization, for models where it can be chosen.
    #[arg(long, value_enum, help_heading = "Model")]
    batch_norm: Option<Switch>,
    /// Weights: he-normal, he-uniform, xavier-normal, xavier-uniform, normal=STD, constant=X,
    /// pytorch.
    #[arg(long, value_name = "NAME", help_heading = "Model")]
    initialization: Option<String>,

    /// Strength λ of weight decay; 0 for none.
    #[arg(long, value_name = "X", help_heading = "Regularizers", allow_negative_numbers = true)]
    weight_decay: Option<f64>,
    /// Decay through the gradient (coupled: L2) or beside it (decoupled).
    #[arg(long, value_enum, help_heading = "Regularizers")]
    decay_mode: Option<DecayModeArg>,
    /// What weight decay and L1 act on: weights, or all with biases and batch normalization.
    #[arg(long, value_enum, help_heading = "Regularizers")]
    decay: Option<DecayArg>,
    /// Augmentations, such as crop=4:reflect,flip; none to turn them off.
    #[arg(long, value_name = "LIST", help_heading = "Regularizers")]
    augment: Option<String>,
    /// Stop by the validation loss: patience=5,min-delta=0.001 (by the accuracy with monitor=accuracy), or
    /// one of Prechelt's criteria, gl=5, pq=0.75,strip=5, up=3,strip=5; each may add warmup=3. none to turn
    /// it off.
    #[arg(long, value_name = "RULE", help_heading = "Regularizers")]
    early_stopping: Option<String>,
    /// Weights that the run ends with: best (lowest validation loss), best-accuracy (highest validation
    /// accuracy), last, or last-under=1.0 (the last epoch with a lower validation loss than that).
    #[arg(long, value_name = "WHICH", help_heading = "Regularizers")]
    keep: Option<Keep>,
    /// When the loss is no longer a number: stop, or rollback (also rollback=TIMES; 3 if not given):
    /// train on from the last epoch's end that was better than guessing, with half the learning rate.
    #[arg(long, value_name = "WHAT", help_heading = "Recipe")]
    on_divergence: Option<OnDivergence>,
    #[command(flatten)]
    regularizers: RegularizerFlags,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DecayModeArg {
    Coupled,
    Decoupled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DecayArg {
    Weights,
    All,
}

impl Changes {
    /// Whether they say how many epochs.
    pub(crate) fn has_epochs(&self) -> bool {
        self.epochs.is_some()
    }

    /// Changes what the flags name.
    ///
    /// # Errors
    ///
    /// The first flag whose value cannot be, by name.
    pub(crate) fn apply(&self, recipe: &mut Recipe) -> Result<(), Failure> {
        self.apply_to_model(&mut recipe.model)?;
        self.apply_to_optimizer(recipe)?;
        self.apply_to_data(recipe)?;
        self.regularizers.apply(recipe)?;
        recipe.epochs = self.epochs.unwrap_or(recipe.epochs);
        recipe.batch_size = self.batch_size.unwrap_or(recipe.batch_size);
        recipe.learning_rate = self.learning_rate.unwrap_or(recipe.learning_rate);
        recipe.accumulate = self.accumulate.unwrap_or(recipe.accumulate);
        recipe.seed = self.seed.unwrap_or(recipe.seed);
        if let Some(limit) = self.clip_norm {
            recipe.clip_norm = (limit != 0.0).then_some(limit);
        }
        recipe.schedule = self.schedule.unwrap_or(recipe.schedule);
        if let Some(text) = &self.initialization {
            recipe.initialization = initialization(text)?;
        }
        if let Some(rule) = &self.early_stopping {
            recipe.early_stopping = match rule.as_str() {
                "none" => None,
                rule => {
                    let parsed = rule.parse();
                    Some(parsed.map_err(|e: String| {
                        usage(format!("`--early-stopping`: {e}; none turns it off"))
                    })?)
                }
            };
        }
        recipe.keep = self.keep.unwrap_or(recipe.keep);
        recipe.on_divergence = self.on_divergence.unwrap_or(recipe.on_divergence);
        Ok(())
    }

    fn apply_to_data(&self, recipe: &mut Recipe) -> Result<(), Failure> {
        recipe.train_size = self.train_size.or(recipe.train_size);
        recipe.valid_size = self.valid_size.unwrap_or(recipe.valid_size);
        recipe.last_batch = self.last_batch.unwrap_or(recipe.last_batch);
        if let Some(name) = &self.normalization {
            recipe.normalization = name.parse::<Normalization>().map_err(usage)?;
        }
        if let Some(list) = &self.augment {
            recipe.augment = if list == "none" {
                Pipeline::default()
            } else {
                augment::parse(list).map_err(usage)?
            };
        }
        Ok(())
    }

    fn apply_to_model(&self, model: &mut ModelConfig) -> Result<(), Failure> {
        if let Some(name) = &self.model
            && name != model.name()
        {
            *model = (backburn_models::architecture(name).map_err(usage)?.config)();
        }
        let name = model.name();
        let not_for =
            |flag: &str| Failure::Usage(format!("`{flag}` does not apply to the model `{name}`"));
        if let Some(text) = &self.hidden {
            let ModelConfig::Mlp(config) = model else { return Err(not_for("--hidden")) };
            config.hidden = widths("--hidden", text)?;
        }
        if let Some(text) = &self.widths {
            let found = widths("--widths", text)?;
            match model {
                ModelConfig::Cnn(config) => config.widths = found,
                ModelConfig::LenetBn(config) => {
                    config.widths = found.try_into().map_err(|_| {
                        Failure::Usage(
                            "`--widths`: lenet-bn has two convolutions, such as 6,16".into(),
                        )
                    })?;
                }
                _ => return Err(not_for("--widths")),
            }
        }
        if let Some(switch) = self.batch_norm {
            match model.batch_norm_mut() {
                Some(batch_norm) => *batch_norm = switch == Switch::On,
                None => return Err(not_for("--batch-norm")),
            }
        }
        Ok(())
    }

    fn apply_to_optimizer(&self, recipe: &mut Recipe) -> Result<(), Failure> {
        if let Some(name) = &self.optimizer {
            let named = OptimizerConfig::named(name)
                .ok_or_else(|| unknown("optimizer", name, &OptimizerConfig::NAMES))?;
            if named != recipe.optimizer {
                // Decay is tuned for its optimizer: another one starts with PyTorch's default.
                recipe.weight_decay = match named {
                    OptimizerConfig::Adamw { .. } => WeightDecay {
                        strength: ADAMW_DECAY,
                        mode: DecayMode::Decoupled,
                        ..WeightDecay::default()
                    },
                    _ => WeightDecay::default(),
                };
            }
            recipe.optimizer = named;
        }
        if let Some(value) = self.momentum {
            match &mut recipe.optimizer {
                OptimizerConfig::Momentum { momentum } | OptimizerConfig::Nesterov { momentum } => {
                    *momentum = value;
                }
                _ => {
                    return Err(Failure::Usage(
                        "`--momentum` applies to `--optimizer momentum` and `nesterov`".into(),
                    ));
                }
            }
        }
        let decay = &mut recipe.weight_decay;
        decay.strength = self.weight_decay.unwrap_or(decay.strength);
        match self.decay_mode {
            Some(DecayModeArg::Coupled) => decay.mode = DecayMode::Coupled,
            Some(DecayModeArg::Decoupled) => decay.mode = DecayMode::Decoupled,
            None => {}
        }
        if let Some(what) = self.decay {
            let parameters = match what {
                DecayArg::Weights => DecayedParameters::Weights,
                DecayArg::All => DecayedParameters::All,
            };
            recipe.weight_decay.parameters = parameters;
            recipe.l1.parameters = parameters;
        }
        Ok(())
    }
}

/// `512,512` or `none`.
fn widths(flag: &str, text: &str) -> Result<Vec<usize>, Failure> {
    if text == "none" {
        return Ok(Vec::new());
    }
    text.split(',').map(|width| width.trim().parse()).collect::<Result<_, _>>().map_err(|_| {
        Failure::Usage(format!("`{flag}`: expected widths such as 512,512, found `{text}`"))
    })
}

/// `he-normal`, `normal=0.01`, … Biases are zero, but for `pytorch`.
fn initialization(text: &str) -> Result<Initialization, Failure> {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    let number = || {
        value.parse::<f64>().map_err(|_| {
            Failure::Usage(format!(
                "`--initialization`: expected a number, as in {name}=0.01, found `{text}`"
            ))
        })
    };
    if !value.is_empty() && !matches!(name, "normal" | "constant") {
        return Err(Failure::Usage(format!(
            "`--initialization`: `{name}` takes no value, found `{text}`"
        )));
    }
    let weights = match name {
        "he-normal" => WeightInitialization::HeNormal,
        "he-uniform" => WeightInitialization::HeUniform,
        "xavier-normal" => WeightInitialization::XavierNormal,
        "xavier-uniform" => WeightInitialization::XavierUniform,
        "normal" => WeightInitialization::Normal(number()?),
        "constant" => WeightInitialization::Constant(number()?),
        "pytorch" => return Ok(Initialization::PYTORCH),
        _ => {
            let known = [
                "he-normal",
                "he-uniform",
                "xavier-normal",
                "xavier-uniform",
                "normal=STD",
                "constant=X",
                "pytorch",
            ];
            return Err(unknown("initialization", name, &known));
        }
    };
    Ok(Initialization { weights, biases: BiasInitialization::Zeros })
}

#[cfg(test)]
mod tests {
    use super::*;
    use backburn_training::recipe;

    fn changed(changes: &Changes) -> Result<Recipe, String> {
        let mut recipe = recipe::built_in("cifar10").unwrap();
        let applied = changes.apply(&mut recipe).and_then(|()| recipe.check().map_err(usage));
        match applied {
            Ok(()) => Ok(recipe),
            Err(Failure::Usage(message)) => Err(message),
            Err(other) => panic!("not a usage error: {other:?}"),
        }
    }

    fn text(value: &str) -> Option<String> {
        Some(value.to_owned())
    }

    #[test]
    fn without_flags_the_recipe_stays_as_it_is() {
        let recipe = recipe::built_in("cifar10").unwrap();
        assert_eq!(changed(&Changes::default()).unwrap(), recipe);
    }

    #[test]
    fn flags_change_what_they_name() {
        let recipe = changed(&Changes {
            model: text("mlp"),
            hidden: text("64,32"),
            regularizers: RegularizerFlags { dropout: Some(0.25), ..Default::default() },
            optimizer: text("nesterov"),
            momentum: Some(0.8),
            weight_decay: Some(5e-4),
            decay_mode: Some(DecayModeArg::Coupled),
            augment: text("none"),
            early_stopping: text("patience=5,min-delta=0.001"),
            initialization: text("normal=0.01"),
            schedule: "cosine=warmup:2".parse().ok(),
            ..Changes::default()
        })
        .unwrap();
        assert_eq!(recipe.schedule.to_string(), "cosine=warmup:2");
        assert_eq!(recipe.weight_decay.mode, DecayMode::Coupled);
        let ModelConfig::Mlp(model) = &recipe.model else { panic!("{:?}", recipe.model) };
        assert_eq!((model.hidden.as_slice(), model.dropout), (&[64, 32][..], 0.25));
        assert_eq!(recipe.optimizer, OptimizerConfig::Nesterov { momentum: 0.8 });
        assert_eq!(recipe.weight_decay.strength, 5e-4);
        assert!(recipe.augment.is_empty());
        assert_eq!(recipe.early_stopping, "patience=5,min-delta=0.001".parse().ok());
        assert_eq!(recipe.initialization.weights, WeightInitialization::Normal(0.01));
    }

    #[test]
    fn another_optimizer_starts_with_its_own_decay() {
        let decay = |name| {
            let changes = Changes { optimizer: text(name), ..Changes::default() };
            changed(&changes).unwrap().weight_decay
        };
        assert_eq!(decay("adam"), WeightDecay::default());
        let adamw = recipe::built_in("cifar10").unwrap().weight_decay;
        assert_eq!(decay("adamw"), adamw);
        assert_eq!((adamw.strength, adamw.mode), (ADAMW_DECAY, DecayMode::Decoupled));
    }

    #[test]
    fn wrong_values_are_refused_by_name() {
        let cases = [
            (Changes { model: text("vgg"), ..Changes::default() }, "unknown model `vgg`"),
            (Changes { optimizer: text("lion"), ..Changes::default() }, "unknown optimizer"),
            (Changes { hidden: text("10"), ..Changes::default() }, "--hidden"),
            (Changes { widths: text("a"), ..Changes::default() }, "--widths"),
            (Changes { augment: text("spin"), ..Changes::default() }, "spin"),
            (Changes { early_stopping: text("5"), ..Changes::default() }, "patience="),
            (Changes { momentum: Some(0.9), ..Changes::default() }, "--momentum"),
            (Changes { learning_rate: Some(f64::NAN), ..Changes::default() }, "learning_rate"),
            (Changes { epochs: Some(0), ..Changes::default() }, "epochs"),
            (Changes { schedule: "cosine=warmup:99".parse().ok(), ..Changes::default() }, "warmup"),
            (Changes { initialization: text("zeros"), ..Changes::default() }, "zeros"),
        ];
        for (changes, expected) in cases {
            let message = changed(&changes).unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
    }
}
