//! The settings of a recipe that have a name of their own, one row each: flags of `train`, what an arm of a study
//! changes, what a search varies.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::fmt::Display;
use std::str::FromStr;

use backburn_data::LabelNoise;
use backburn_data::loader::{LastBatch, Sampling};
use backburn_data::nearest::did_you_mean;
use backburn_models::{Initialization, ModelConfig, Stem, torchvision};
use backburn_regularization::{
    DecayMode, DecayedParameters, LabelRegularizer, LabelSmoothing, WeightDecay,
};

use crate::init_from::InitFrom;
use crate::loss::Loss;
use crate::optimize::muon::MuonConfig;
use crate::optimize::optimizer::OptimizerConfig;
use crate::optimize::parameter_group::{GroupTraining, ParameterGroup};
use crate::recipe::{Recipe, RecipeError};
use crate::views::Views;

/// PyTorch's default weight decay of AdamW. All others start without.
const ADAMW_DECAY: f64 = 0.01;

/// Switches a technique off that is set by words.
const NONE: &str = "none";

/// A setting with a name.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Name, on the command line after two dashes.
    pub name: &'static str,
    /// What stands for its value in help.
    pub value: &'static str,
    /// All its values, if they are few; else any.
    pub values: &'static [&'static str],
    /// The part of the recipe that it belongs to.
    pub part: &'static str,
    /// What it does, its range and how it is switched off.
    pub help: fn() -> String,
    /// Gives it a value in a recipe. What lies outside its range, [`Recipe::check`] refuses.
    set: fn(&mut Recipe, Given<'_>) -> Result<(), RecipeError>,
}

const RECIPE: &str = "Recipe";
const DATA: &str = "Data";
const PICTURES: &str = "Pictures of your own";
const MODEL: &str = "Model";
const REGULARIZERS: &str = "Regularizers";

/// Every setting with a name, in the order in which a change applies them: what chooses comes before what it is
/// chosen for.
pub static CATALOG: &[Setting] = &[
    Setting {
        name: "epochs",
        value: "N",
        values: &[],
        part: RECIPE,
        help: || "Passes over the training images".into(),
        set: |recipe, given| given.number().map(|epochs| recipe.epochs = epochs),
    },
    Setting {
        name: "batch-size",
        value: "N",
        values: &[],
        part: RECIPE,
        help: || "Images per batch".into(),
        set: |recipe, given| given.number().map(|images| recipe.batch_size = images),
    },
    Setting {
        name: "learning-rate",
        value: "X",
        values: &[],
        part: RECIPE,
        help: || "Peak learning rate".into(),
        set: |recipe, given| given.number().map(|rate| recipe.learning_rate = rate),
    },
    Setting {
        name: "schedule",
        value: "NAME[=SETTINGS]",
        values: &[],
        part: RECIPE,
        help: || {
            "Learning-rate schedule: constant; step=30:0.1 (every 30 epochs times 0.1); \
             cosine=warmup:2,floor:0; one-cycle=warmup:30%,start:0.04,end:4e-6; \
             triangular=warmup:20%,start:0,end:0 (straight lines; with warmup:0 a linear decay); \
             plateau=factor:0.1,patience:3,min-delta:1e-4,floor:0. What follows the name may be \
             left out, and is as shown here then, but for cosine's warm-up, which is none. warmup: \
             epochs from 1 on; below 1 or with %, a share of all steps. floor, start, end: shares \
             of the peak. The last step of cosine, one-cycle and triangular has the rate of floor \
             and end"
                .into()
        },
        set: |recipe, given| given.parsed().map(|schedule| recipe.schedule = schedule),
    },
    Setting {
        name: "optimizer",
        value: "NAME",
        values: &[],
        part: RECIPE,
        help: || {
            format!(
                "Optimizer: {}. Another one than the recipe's starts without weight decay (adamw: \
                 {ADAMW_DECAY}); that of adamw and muon is decoupled",
                OptimizerConfig::NAMES.join(", ")
            )
        },
        set: set_optimizer,
    },
    Setting {
        name: "momentum",
        value: "X",
        values: &[],
        part: RECIPE,
        help: || "Momentum of `momentum`, `nesterov` and `muon`, in [0, 1)".into(),
        set: |recipe, given| match &mut recipe.optimizer {
            OptimizerConfig::Momentum { momentum }
            | OptimizerConfig::Nesterov { momentum }
            | OptimizerConfig::Muon(MuonConfig { momentum, .. }) => {
                given.number().map(|value| *momentum = value)
            }
            _ => Err(does_not_apply(
                "`--momentum` applies to `--optimizer momentum`, `nesterov` and `muon`",
            )),
        },
    },
    Setting {
        name: "clip-norm",
        value: "X",
        values: &[],
        part: RECIPE,
        help: || "Greatest norm of all gradients together; 0 for no limit".into(),
        set: |recipe, given| given.unless_zero().map(|limit| recipe.clip_norm = limit),
    },
    Setting {
        name: "accumulate",
        value: "N",
        values: &[],
        part: RECIPE,
        help: || "Batches whose gradients are averaged before a step, over their images".into(),
        set: |recipe, given| given.number().map(|batches| recipe.accumulate = batches),
    },
    Setting {
        name: "seed",
        value: "S",
        values: &[],
        part: RECIPE,
        help: || "Seed of every random draw".into(),
        set: |recipe, given| given.number().map(|seed| recipe.seed = seed),
    },
    Setting {
        name: "replicate",
        value: "K",
        values: &[],
        part: RECIPE,
        help: || {
            "Train the same network on the same data in another way: another order, other \
             augmentations, draws of label regularizers and dropout than those of `--seed`; 0 for \
             these"
                .into()
        },
        set: |recipe, given| given.number().map(|number| recipe.replicate = number),
    },
    Setting {
        name: "on-divergence",
        value: "WHAT",
        values: &[],
        part: RECIPE,
        help: || {
            "When the loss is no longer a number: stop, or rollback (also rollback=TIMES; 3 if not \
             given): train on from the last epoch's end that was better than guessing, with half \
             the learning rate"
                .into()
        },
        set: |recipe, given| given.parsed().map(|rule| recipe.on_divergence = rule),
    },
    Setting {
        name: "tta",
        value: "VIEWS",
        values: &[],
        part: RECIPE,
        help: || {
            format!(
                "Take the final scores on validation and test over views of each image: {}, joined \
                 by commas; none for one look. While training, validation takes one look",
                Views::FORMS.join(", ")
            )
        },
        set: |recipe, given| given.unless_none().map(|views| recipe.tta = views),
    },
    Setting {
        name: "train-size",
        value: "N",
        values: &[],
        part: DATA,
        help: || "Images to train on: a number, or a share such as 10%".into(),
        set: |recipe, given| given.parsed().map(|size| recipe.train_size = Some(size)),
    },
    Setting {
        name: "valid-size",
        value: "N",
        values: &[],
        part: DATA,
        help: || "Images to keep for validation: a number, or a share such as 10%".into(),
        set: |recipe, given| given.parsed().map(|size| recipe.valid_size = size),
    },
    Setting {
        name: "fold",
        value: "K/N",
        values: &[],
        part: DATA,
        help: || {
            "Validate on this fold of N in place of `--valid-size` images, such as 1/5; none to \
             turn it off"
                .into()
        },
        set: |recipe, given| given.unless_none().map(|fold| recipe.fold = fold),
    },
    Setting {
        name: "data-seed",
        value: "S",
        values: &[],
        part: DATA,
        help: || {
            "Seed that draws validation split, training images and label noise in place of \
             `--seed`, so that several seeds train on the same images; none for `--seed`"
                .into()
        },
        set: |recipe, given| given.number_unless_none().map(|seed| recipe.data_seed = seed),
    },
    Setting {
        name: "label-noise",
        value: "PERCENT[:pairs]",
        values: &[],
        part: DATA,
        help: || {
            "Percent of the training labels that are drawn anew from all classes, once; with \
             20:pairs, that share of each class becomes the next class. 100 for random labels, 0 \
             for none. With --folds over all images, so that an image has one label in all folds"
                .into()
        },
        set: |recipe, given| {
            let noise: Option<LabelNoise> = given.unless_none()?;
            recipe.label_noise = noise.filter(|noise| noise.percent != 0.0);
            Ok(())
        },
    },
    Setting {
        name: "sampling",
        value: "HOW",
        values: &[],
        part: DATA,
        help: || {
            format!(
                "Images of an epoch: {}: every image once, or as many draws with all classes \
                 equally likely",
                Sampling::NAMES.join(", ")
            )
        },
        set: |recipe, given| given.parsed().map(|sampling| recipe.sampling = sampling),
    },
    Setting {
        name: "last-batch",
        value: "WHAT",
        values: &[],
        part: DATA,
        help: || {
            format!(
                "Training images that do not fill a batch: {}: a smaller last batch, none, or they \
                 join the batch before it",
                LastBatch::NAMES.join(", ")
            )
        },
        set: |recipe, given| given.parsed().map(|rule| recipe.last_batch = rule),
    },
    Setting {
        name: "normalization",
        value: "NAME",
        values: &[],
        part: DATA,
        help: || {
            "Scaling of pixels: none (0 to 255), unit (0 to 1), per-channel (mean 0 and standard \
             deviation 1 over the training images), imagenet (as torchvision's weights expect \
             colour images), or mean=0.5:0.5:0.5,std=0.25:0.25:0.25, of pixels from 0 to 1"
                .into()
        },
        set: |recipe, given| given.named().map(|scaling| recipe.normalization = scaling),
    },
    Setting {
        name: "image-size",
        value: "SIZE",
        values: &[],
        part: PICTURES,
        help: || {
            "Size that own pictures are brought to, such as 64, or 48x64 for 48 rows of 64 \
             columns; if not given, theirs if all measure the same, up to 64, else 64"
                .into()
        },
        set: |recipe, given| given.parsed().map(|size| recipe.pictures.size = Some(size)),
    },
    Setting {
        name: "fit",
        value: "HOW",
        values: &["crop", "pad", "stretch"],
        part: PICTURES,
        help: || {
            "Own pictures of another shape: crop (the shorter side to the size, then the centre), \
             pad (the longer side, on the background), stretch"
                .into()
        },
        set: |recipe, given| given.parsed().map(|fit| recipe.pictures.fit = fit),
    },
    Setting {
        name: "channels",
        value: "CHANNELS",
        values: &["auto", "grey", "rgb"],
        part: PICTURES,
        help: || "Own pictures with or without colour; auto: grey if all are".into(),
        set: |recipe, given| given.parsed().map(|channels| recipe.pictures.channels = channels),
    },
    Setting {
        name: "background",
        value: "COLOUR",
        values: &[],
        part: PICTURES,
        help: || {
            "What is behind transparent places and around padded pictures, such as #ffffff".into()
        },
        set: |recipe, given| given.parsed().map(|colour| recipe.pictures.background = colour),
    },
    Setting {
        name: "most-pixels",
        value: "N",
        values: &[],
        part: PICTURES,
        help: || "Most pixels of a picture that is read; a larger one counts as damaged".into(),
        set: |recipe, given| given.number().map(|pixels| recipe.pictures.most_pixels = pixels),
    },
    Setting {
        name: "test-size",
        value: "N",
        values: &[],
        part: PICTURES,
        help: || {
            "Own pictures to keep for the test, where they have no test split: a number, or a \
             share such as 20%"
                .into()
        },
        set: |recipe, given| given.parsed().map(|size| recipe.pictures.test_size = size),
    },
    Setting {
        name: "test-seed",
        value: "S",
        values: &[],
        part: PICTURES,
        help: || {
            "Seed that this test split is drawn by; `--seed` does not change it, so that no run \
             sees another one's test pictures"
                .into()
        },
        set: |recipe, given| given.number().map(|seed| recipe.pictures.split_seed = seed),
    },
    Setting {
        name: "group-near-copies",
        value: "WHETHER",
        values: &["on", "off"],
        part: PICTURES,
        help: || {
            "Keep near copies on one side where test, validation or folds are drawn (=off turns it \
             off)"
                .into()
        },
        set: |recipe, given| given.switch().map(|on| recipe.pictures.group_near_copies = on),
    },
    Setting {
        name: "skip-damaged",
        value: "WHETHER",
        values: &["on", "off"],
        part: PICTURES,
        help: || {
            "Go on without own pictures that cannot be read; the manifest names them (=off turns \
             it off)"
                .into()
        },
        set: |recipe, given| given.switch().map(|on| recipe.pictures.skip_damaged = on),
    },
    Setting {
        name: "model",
        value: "NAME",
        values: &[],
        part: MODEL,
        help: || {
            let names: Vec<&str> = backburn_models::CATALOG.iter().map(|row| row.name).collect();
            format!("Architecture: {}", names.join(", "))
        },
        set: |recipe, given| {
            let architecture = backburn_models::architecture(given.text);
            let architecture = architecture.map_err(|_| {
                let known = backburn_models::CATALOG.iter().map(|row| row.name);
                unknown("model", given.text, &known.collect::<Vec<_>>())
            })?;
            if architecture.name != recipe.model.name() {
                recipe.model = (architecture.config)();
            }
            Ok(())
        },
    },
    Setting {
        name: "hidden",
        value: "WIDTHS",
        values: &[],
        part: MODEL,
        help: || {
            "Units of the mlp's hidden layers, such as 512,512; `none` for a linear classifier"
                .into()
        },
        set: |recipe, given| match &mut recipe.model {
            ModelConfig::Mlp(config) => given.widths().map(|widths| config.hidden = widths),
            other => Err(given.not_for(other)),
        },
    },
    Setting {
        name: "widths",
        value: "WIDTHS",
        values: &[],
        part: MODEL,
        help: || "Channels of the cnn's blocks, such as 32,64,128".into(),
        set: |recipe, given| match &mut recipe.model {
            ModelConfig::Cnn(config) => given.widths().map(|widths| config.widths = widths),
            ModelConfig::LenetBn(config) => {
                let two = given.widths()?.try_into();
                config.widths =
                    two.map_err(|_| given.wrong("lenet-bn has two convolutions, such as 6,16"))?;
                Ok(())
            }
            ModelConfig::Cifarnet(config) => {
                let three = given.widths()?.try_into();
                config.widths = three
                    .map_err(|_| given.wrong("cifarnet has three groups, such as 64,256,256"))?;
                Ok(())
            }
            other => Err(given.not_for(other)),
        },
    },
    Setting {
        name: "batch-norm",
        value: "BATCH_NORM",
        values: &["on", "off"],
        part: MODEL,
        help: || "Batch normalization, for models where it can be chosen".into(),
        set: |recipe, given| match recipe.model.batch_norm_mut() {
            Some(batch_norm) => given.switch().map(|on| *batch_norm = on),
            None => Err(given.not_for(&recipe.model)),
        },
    },
    Setting {
        name: "stem",
        value: "STEM",
        values: &Stem::NAMES,
        part: MODEL,
        help: || {
            "What an image meets first in resnet18, resnet34 and resnet50: a 3×3 convolution \
             (small, for images of about 32×32 pixels), or as in torchvision a 7×7 one of stride 2 \
             and a maximum of stride 2 (imagenet)"
                .into()
        },
        set: |recipe, given| match recipe.model.stem_mut() {
            Some(stem) => {
                let [small, imagenet] = Stem::NAMES;
                let stems = [(small, Stem::Small), (imagenet, Stem::Imagenet)];
                given.one_of(stems).map(|value| *stem = value)
            }
            None => Err(given.not_for(&recipe.model)),
        },
    },
    Setting {
        name: "initialization",
        value: "NAME",
        values: &[],
        part: MODEL,
        help: || {
            format!(
                "Weights: {}. `--set initialization.head_factor=X` multiplies those of the last \
                 layer, `--set initialization.first_layer=whitening` begins the first convolution \
                 with the axes of the images' patches",
                Initialization::FORMS.join(", ")
            )
        },
        set: |recipe, given| {
            recipe.initialization = recipe.initialization.drawn_as(given.parsed()?);
            Ok(())
        },
    },
    Setting {
        name: "init-from",
        value: "FILE|RUN",
        values: &[],
        part: MODEL,
        help: || {
            "Begin with weights that exist: a safetensors file, one of PyTorch's \
             torch.save(model.state_dict(), …), also by torchvision's names, or a run. All must \
             fit, but for the head if it is for other classes. none for initial ones"
                .into()
        },
        set: |recipe, given| {
            let file = Some(given.text).filter(|text| *text != NONE && !text.is_empty());
            recipe.init_from = file.map(|file| InitFrom::file(file.as_ref()));
            Ok(())
        },
    },
    Setting {
        name: "freeze",
        value: "MODULES",
        values: &[],
        part: MODEL,
        help: || {
            "Parts of the network that stay as they are, by the names in model.safetensors or \
             torchvision's, such as stem,stages.0 or conv1,layer1; none for none. Running \
             statistics go on"
                .into()
        },
        set: set_frozen,
    },
    Setting {
        name: "head-rate",
        value: "FACTOR",
        values: &[],
        part: MODEL,
        help: || {
            "Learning rate of the last layer as a multiple of the others'; 1 for the same".into()
        },
        set: set_head_rate,
    },
    Setting {
        name: "class-weights",
        value: "balanced|FILE",
        values: &[],
        part: REGULARIZERS,
        help: || {
            "What an image of each class counts in the loss: balanced (all classes together the \
             same), or a file with a line `class = weight` for each class; none to turn them off"
                .into()
        },
        set: |recipe, given| given.unless_none().map(|weights| recipe.class_weights = weights),
    },
    Setting {
        name: "weight-decay",
        value: "X",
        values: &[],
        part: REGULARIZERS,
        help: || "Strength λ of weight decay; 0 for none".into(),
        set: |recipe, given| given.number().map(|strength| recipe.weight_decay.strength = strength),
    },
    Setting {
        name: "decay-mode",
        value: "DECAY_MODE",
        values: &["coupled", "decoupled"],
        part: REGULARIZERS,
        help: || "Decay through the gradient (coupled: L2) or beside it (decoupled)".into(),
        set: |recipe, given| {
            let modes = [("coupled", DecayMode::Coupled), ("decoupled", DecayMode::Decoupled)];
            given.one_of(modes).map(|mode| recipe.weight_decay.mode = mode)
        },
    },
    Setting {
        name: "decay",
        value: "DECAY",
        values: &["weights", "all"],
        part: REGULARIZERS,
        help: || {
            "What weight decay and L1 act on: weights, or all with biases and batch normalization"
                .into()
        },
        set: |recipe, given| {
            let all = [("weights", DecayedParameters::Weights), ("all", DecayedParameters::All)];
            let parameters = given.one_of(all)?;
            recipe.weight_decay.parameters = parameters;
            recipe.l1.parameters = parameters;
            Ok(())
        },
    },
    Setting {
        name: "augment",
        value: "LIST",
        values: &[],
        part: REGULARIZERS,
        help: || "Augmentations, such as crop=4:reflect,flip; none to turn them off".into(),
        set: |recipe, given| given.named().map(|steps| recipe.augment = steps),
    },
    Setting {
        name: "early-stopping",
        value: "RULE",
        values: &[],
        part: REGULARIZERS,
        help: || {
            "Stop by the validation loss: patience=5,min-delta=0.001 (by the accuracy with \
             monitor=accuracy), or one of Prechelt's criteria, gl=5, pq=0.75,strip=5, \
             up=3,strip=5; each may add warmup=3. none to turn it off"
                .into()
        },
        set: |recipe, given| {
            let rule = given.unless_none();
            recipe.early_stopping =
                rule.map_err(|error| invalid(format!("{error}; none turns it off")))?;
            Ok(())
        },
    },
    Setting {
        name: "keep",
        value: "WHICH",
        values: &[],
        part: REGULARIZERS,
        help: || {
            "Weights that the run ends with: best (lowest validation loss), best-accuracy (highest \
             validation accuracy), last, or last-under=1.0 (the last epoch with a lower validation \
             loss than that)"
                .into()
        },
        set: |recipe, given| given.parsed().map(|which| recipe.keep = which),
    },
    Setting {
        name: "disturb-label",
        value: "ALPHA",
        values: &[],
        part: REGULARIZERS,
        help: || {
            "Percent of the labels redrawn over all classes in every batch (DisturbLabel)".into()
        },
        set: set_label_regularizer,
    },
    Setting {
        name: "disturb-value",
        value: "RULE",
        values: &[],
        part: REGULARIZERS,
        help: || {
            "Noise on the targets of `--loss squared-error`: share=0.1,noise=0.5; none to turn it \
             off"
            .into()
        },
        set: set_label_regularizer,
    },
    Setting {
        name: "label-smoothing",
        value: "SHARE",
        values: &[],
        part: REGULARIZERS,
        help: || {
            "Probability taken from the label and spread over all classes; over the others with \
             0.1:others"
                .into()
        },
        set: set_label_regularizer,
    },
    Setting {
        name: "mixup",
        value: "X",
        values: &[],
        part: REGULARIZERS,
        help: || {
            "Blend pairs of images and targets, the share drawn from Beta(X, X); 0 for none".into()
        },
        set: set_label_regularizer,
    },
    Setting {
        name: "cutmix",
        value: "X",
        values: &[],
        part: REGULARIZERS,
        help: || "Paste boxes of other images, the share drawn from Beta(X, X); 0 for none".into(),
        set: set_label_regularizer,
    },
    Setting {
        name: "dropout",
        value: "RATE",
        values: &[],
        part: REGULARIZERS,
        help: || "Share of activations dropped in training, in [0, 1)".into(),
        set: |recipe, given| given.rate().map(|rate| *recipe.model.dropout_mut() = rate),
    },
    Setting {
        name: "spatial-dropout",
        value: "RATE",
        values: &[],
        part: REGULARIZERS,
        help: || "Share of channels dropped after each pooling in training, in [0, 1) (cnn)".into(),
        set: |recipe, given| {
            let name = recipe.model.name();
            match recipe.model.spatial_dropout_mut() {
                Some(dropped) => given.rate().map(|rate| *dropped = rate),
                None => Err(does_not_apply(format!(
                    "`--spatial-dropout` does not apply to the model `{name}`, but to `cnn`"
                ))),
            }
        },
    },
    Setting {
        name: "stochastic-depth",
        value: "RATE",
        values: &[],
        part: REGULARIZERS,
        help: || {
            "Probability that the last residual block is skipped in training, in [0, 1) (resnets)"
                .into()
        },
        set: |recipe, given| {
            let name = recipe.model.name();
            match recipe.model.stochastic_depth_mut() {
                Some(skipped) => given.rate().map(|rate| *skipped = rate),
                None => Err(does_not_apply(format!(
                    "`--stochastic-depth` skips residual blocks, and the model `{name}` has none; \
                     it applies to the resnets"
                ))),
            }
        },
    },
    Setting {
        name: "l1",
        value: "X",
        values: &[],
        part: REGULARIZERS,
        help: || "Strength λ of the L1 penalty; 0 for none. What it acts on, `--decay` says".into(),
        set: |recipe, given| given.number().map(|strength| recipe.l1.strength = strength),
    },
    Setting {
        name: "max-norm",
        value: "X",
        values: &[],
        part: REGULARIZERS,
        help: || "Greatest norm of the weights into a unit; 0 for no limit".into(),
        set: |recipe, given| given.unless_zero().map(|limit| recipe.max_norm = limit),
    },
    Setting {
        name: "ema",
        value: "DECAY",
        values: &[],
        part: REGULARIZERS,
        help: || {
            "Evaluate and keep a moving average of the weights with this decay, such as 0.999; 0 \
             for none"
                .into()
        },
        set: |recipe, given| given.unless_zero().map(|decay| recipe.ema = decay),
    },
    Setting {
        name: "swa",
        value: "EPOCH",
        values: &[],
        part: REGULARIZERS,
        help: || {
            "Evaluate and keep the mean of the weights at the ends of epochs, from this epoch on; \
             0 for none"
                .into()
        },
        set: |recipe, given| given.unless_zero().map(|epoch| recipe.swa = epoch),
    },
    Setting {
        name: "lookahead",
        value: "RULE",
        values: &[],
        part: REGULARIZERS,
        help: || {
            "Slow weights that follow the optimizer's: k=5,alpha=0.5; none to turn them off".into()
        },
        set: |recipe, given| given.unless_none().map(|rule| recipe.lookahead = rule),
    },
    Setting {
        name: "sam",
        value: "RHO",
        values: &[],
        part: REGULARIZERS,
        help: || {
            "Sharpness-aware minimization with this ρ, such as 0.05: two passes a step; 0 for none"
                .into()
        },
        set: |recipe, given| given.unless_zero().map(|rho| recipe.sam = rho),
    },
    Setting {
        name: "loss",
        value: "NAME",
        values: &[],
        part: REGULARIZERS,
        help: || {
            format!(
                "What is minimized: {} (a regression of the class indicators; with `--keep last` \
                 or `best-accuracy`)",
                Loss::NAMES.join(", or ")
            )
        },
        set: |recipe, given| {
            let known = || unknown("loss", given.text, &Loss::NAMES);
            recipe.loss = Loss::named(given.text).ok_or_else(known)?;
            Ok(())
        },
    },
];

impl Setting {
    /// The setting of a name, if there is one.
    pub fn named(name: &str) -> Option<&'static Self> {
        CATALOG.iter().find(|row| row.name == name)
    }

    /// Whether the flag alone switches it on; `--NAME=off` switches it off.
    pub fn is_switch(&self) -> bool {
        self.part == PICTURES && self.values == ["on", "off"]
    }

    /// Gives it a value in a recipe.
    ///
    /// # Errors
    ///
    /// If the text is no value of its kind, or the setting does not apply to the recipe's model or optimizer.
    pub fn set(&self, recipe: &mut Recipe, text: &str) -> Result<(), RecipeError> {
        (self.set)(recipe, Given { name: self.name, text })
    }
}

/// A value that is given to a setting, as text.
#[derive(Clone, Copy, Debug)]
struct Given<'a> {
    name: &'static str,
    text: &'a str,
}

impl Given<'_> {
    fn wrong(self, reason: impl Display) -> RecipeError {
        invalid(format!("`--{}`: {reason}", self.name))
    }

    fn not_for(self, model: &ModelConfig) -> RecipeError {
        let (name, model) = (self.name, model.name());
        does_not_apply(format!("`--{name}` does not apply to the model `{model}`"))
    }

    fn number<T: FromStr>(self) -> Result<T, RecipeError> {
        // A whole number is all that does not take a half.
        let expected = if "0.5".parse::<T>().is_ok() { "a number" } else { "a whole number" };
        let found = self.text.trim();
        found.parse().map_err(|_| self.wrong(format!("expected {expected}, found `{found}`")))
    }

    /// A penalty or a limit; 0 means that there is none.
    fn unless_zero<T: FromStr + Default + PartialEq>(self) -> Result<Option<T>, RecipeError> {
        self.number().map(|value| Some(value).filter(|value| *value != T::default()))
    }

    /// A rate of what is dropped.
    fn rate(self) -> Result<f64, RecipeError> {
        let rate = self.number()?;
        if (0.0..1.0).contains(&rate) {
            return Ok(rate);
        }
        Err(self.wrong(format!("expected a rate in [0, 1), found {rate}")))
    }

    fn parsed<T: FromStr<Err: Display>>(self) -> Result<T, RecipeError> {
        self.text.parse().map_err(|error| self.wrong(error))
    }

    /// The value like [`parsed`](Self::parsed), of a kind whose errors say what they are of.
    fn named<T: FromStr<Err: Display>>(self) -> Result<T, RecipeError> {
        self.text.parse().map_err(|error: T::Err| invalid(error.to_string()))
    }

    /// A rule, unless it is switched off.
    fn unless_none<T: FromStr<Err: Display>>(self) -> Result<Option<T>, RecipeError> {
        if self.text == NONE { Ok(None) } else { self.parsed().map(Some) }
    }

    /// A number, unless there is to be none.
    fn number_unless_none<T: FromStr>(self) -> Result<Option<T>, RecipeError> {
        if self.text == NONE { Ok(None) } else { self.number().map(Some) }
    }

    /// `on` or `off`.
    fn switch(self) -> Result<bool, RecipeError> {
        self.one_of([("on", true), ("off", false)])
    }

    fn one_of<T: Copy, const N: usize>(self, values: [(&str, T); N]) -> Result<T, RecipeError> {
        let known = values.iter().find(|(name, _)| *name == self.text);
        known.map(|(_, value)| *value).ok_or_else(|| {
            let names = values.map(|(name, _)| name).join(" or ");
            self.wrong(format!("expected {names}, found `{}`", self.text))
        })
    }

    /// `512,512` or `none`.
    fn widths(self) -> Result<Vec<usize>, RecipeError> {
        if self.text == NONE {
            return Ok(Vec::new());
        }
        let widths = self.text.split(',').map(|width| width.trim().parse());
        widths.collect::<Result<_, _>>().map_err(|_| {
            self.wrong(format!("expected widths such as 512,512, found `{}`", self.text))
        })
    }
}

fn invalid(reason: String) -> RecipeError {
    RecipeError::Invalid(reason)
}

fn does_not_apply(reason: impl Into<String>) -> RecipeError {
    RecipeError::DoesNotApply(reason.into())
}

fn unknown(what: &str, name: &str, known: &[&str]) -> RecipeError {
    let meant = did_you_mean(name, known.iter().copied());
    invalid(format!("unknown {what} `{name}`{meant}; known: {}", known.join(", ")))
}

fn set_optimizer(recipe: &mut Recipe, given: Given<'_>) -> Result<(), RecipeError> {
    let named = OptimizerConfig::named(given.text)
        .ok_or_else(|| unknown("optimizer", given.text, &OptimizerConfig::NAMES))?;
    if named != recipe.optimizer {
        // Decay is tuned for its optimizer. Of a step that is made orthogonal, a part that was added to the
        // gradient would leave no more than a direction.
        let decoupled = WeightDecay { mode: DecayMode::Decoupled, ..WeightDecay::default() };
        recipe.weight_decay = match named {
            OptimizerConfig::Adamw { .. } => WeightDecay { strength: ADAMW_DECAY, ..decoupled },
            OptimizerConfig::Muon(_) => decoupled,
            _ => WeightDecay::default(),
        };
    }
    recipe.optimizer = named;
    Ok(())
}

/// Puts a group before all others for each part that is to be frozen, in place of those of an earlier `--freeze`.
fn set_frozen(recipe: &mut Recipe, given: Given<'_>) -> Result<(), RecipeError> {
    recipe.groups.retain(|group| !group.is_frozen_part());
    if given.text == NONE {
        return Ok(());
    }
    let mut paths = Vec::new();
    for path in given.text.split(',').map(str::trim) {
        if path.is_empty() {
            return Err(given.wrong(format!("expected names of parts, found `{}`", given.text)));
        }
        match torchvision::our_modules(path) {
            ours if recipe.model.is_of_torchvision() && !ours.is_empty() => paths.extend(ours),
            _ => paths.push(path.to_owned()),
        }
    }
    recipe.groups.splice(0..0, paths.iter().map(|path| ParameterGroup::of(path).frozen()));
    Ok(())
}

/// Puts a group of the head behind what is frozen, in place of that of an earlier `--head-rate`.
fn set_head_rate(recipe: &mut Recipe, given: Given<'_>) -> Result<(), RecipeError> {
    let rate_factor = given.number()?;
    let head = ParameterGroup::of(recipe.model.head());
    let is_of_head = |group: &ParameterGroup| {
        group.training == GroupTraining::On
            && ParameterGroup { rate_factor: head.rate_factor, ..group.clone() } == head
    };
    recipe.groups.retain(|group| !is_of_head(group));
    if rate_factor != head.rate_factor {
        let behind = recipe.groups.iter().take_while(|group| group.is_frozen_part()).count();
        recipe.groups.insert(behind, ParameterGroup { rate_factor, ..head });
    }
    Ok(())
}

fn set_label_regularizer(recipe: &mut Recipe, given: Given<'_>) -> Result<(), RecipeError> {
    recipe.labels.set(given.name, given.text).map_err(|error| given.wrong(error))?;
    // Of what is off, config.toml says nothing, so that no setting of it is left to differ.
    if recipe.labels.label_smoothing.is_off() {
        recipe.labels.label_smoothing = LabelSmoothing::default();
    }
    Ok(())
}
