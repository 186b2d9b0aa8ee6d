//! The same recipe and seed give the same network, bit for bit: run after run, for any number of
//! threads, and also after an interruption.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use backburn_data::{ImageSet, ImageShape, SplitSize, augment};
use backburn_models::{LenetBnConfig, MlpConfig, ModelConfig, NamedTensor, parameters};
use backburn_trainer::commands::train::TrainArgs;
use backburn_training::optimize::optimizer::OptimizerConfig;
use backburn_training::optimize::schedule::Schedule;
use backburn_training::prepare::Prepared;
use backburn_training::recipe::{Recipe, built_in};
use backburn_training::run_folder::checkpoint::{self, Checkpoint};
use backburn_training::run_folder::checkpoint_every::CheckpointEvery;
use backburn_training::session_error::SessionError;
use backburn_training::setup::Setup;
use backburn_training::state::State;
use backburn_training::train::{Ending, train};
use backburn_training::watch::Silent;
use burn::module::Module;
use burn::tensor::Device;

/// The device's generator belongs to the process: one training at a time.
fn one_at_a_time() -> MutexGuard<'static, ()> {
    static TRAINING: Mutex<()> = Mutex::new(());
    TRAINING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A few steps on 256 digits, with everything that draws: dropout, augmentation, order, weights.
fn recipe(model: ModelConfig) -> Recipe {
    let mut recipe = built_in("digits").unwrap();
    recipe.model = model;
    recipe.train_size = Some(SplitSize::Count(256));
    recipe.valid_size = SplitSize::Count(64);
    recipe.batch_size = 32;
    recipe.epochs = 3;
    assert!(!recipe.augment.is_empty());
    recipe
}

fn lenet() -> ModelConfig {
    ModelConfig::LenetBn(LenetBnConfig { widths: [6, 16], dropout: 0.5 })
}

fn mlp() -> ModelConfig {
    ModelConfig::Mlp(MlpConfig { hidden: vec![64, 48], dropout: 0.3, batch_norm: false })
}

/// What a training leaves behind.
#[derive(Debug, PartialEq)]
struct Trained {
    ending: Ending,
    weights: Vec<NamedTensor>,
    best: Option<Vec<NamedTensor>>,
    objectives: Vec<f64>,
    valid_losses: Vec<Option<f64>>,
    /// Learning rate of each epoch's last step.
    learning_rates: Vec<f64>,
    /// The checkpoint of every epoch.
    checkpoints: Vec<Vec<u8>>,
}

/// Trains to its last epoch, from a checkpoint or from the beginning.
fn trained(recipe: &Recipe, checkpoint: Option<&[u8]>, threads: usize) -> Trained {
    let prepared = Prepared::load(recipe, &mut |_| {}).unwrap();
    trained_on(&prepared, recipe, checkpoint, threads, None)
}

/// Trains like [`trained`], on data that are there already, with checkpoints inside epochs too.
fn trained_on(
    prepared: &Prepared,
    recipe: &Recipe,
    checkpoint: Option<&[u8]>,
    threads: usize,
    checkpoint_every: Option<CheckpointEvery>,
) -> Trained {
    let mut state = State::new(recipe, prepared, &Device::flex()).unwrap();
    if let Some(bytes) = checkpoint {
        checkpoint::restore(&mut state, bytes).unwrap();
    }
    let setup = Setup { checkpoint_every, ..Setup::new(recipe, prepared, threads).unwrap() };
    let mut checkpoints = Vec::new();
    let mut save = |state: &State, _: &[f64]| -> Result<(), SessionError> {
        checkpoints.push(checkpoint::to_bytes(state)?);
        Ok(())
    };
    let ending = train(&setup, &mut state, &mut Silent, &mut save).unwrap();
    assert!(matches!(ending, Ending::Finished | Ending::StoppedEarly), "{ending:?}");
    Trained {
        ending,
        weights: parameters::export(&state.network().valid()),
        best: state.best.map(|best| best.weights),
        objectives: state.epochs.iter().map(|epoch| epoch.train_objective).collect(),
        valid_losses: state.epochs.iter().map(|epoch| epoch.valid_loss).collect(),
        learning_rates: state.epochs.iter().map(|epoch| epoch.learning_rate).collect(),
        checkpoints,
    }
}

/// A file does not keep the order of tensors.
fn by_name(tensors: Option<Vec<NamedTensor>>) -> BTreeMap<String, Vec<f32>> {
    tensors.into_iter().flatten().map(|tensor| (tensor.name, tensor.values)).collect()
}

/// [`trained`] from the beginning, without the checkpoints: they hold times.
fn trained_with_threads(recipe: &Recipe, threads: usize) -> Trained {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let trained = pool.install(|| trained(recipe, None, threads));
    Trained { checkpoints: Vec::new(), ..trained }
}

#[test]
fn the_same_seed_gives_the_same_network_for_any_number_of_threads() {
    let _alone = one_at_a_time();
    for recipe in [recipe(lenet()), recipe(mlp())] {
        let first = trained_with_threads(&recipe, 2);
        let name = recipe.model.name();
        assert!(first == trained_with_threads(&recipe, 2), "{name}: two runs differ");
        assert!(first == trained_with_threads(&recipe, 1), "{name}: one thread differs from two");
    }
}

#[test]
fn another_seed_gives_another_network() {
    let _alone = one_at_a_time();
    let first = recipe(lenet());
    let second = Recipe { seed: first.seed + 1, ..first.clone() };
    assert_ne!(trained(&first, None, 1).weights, trained(&second, None, 1).weights);
}

#[test]
fn another_replicate_trains_the_same_network_on_the_same_data_in_another_way() {
    let _alone = one_at_a_time();
    let mut first = Recipe { label_noise: "20".parse().ok(), ..recipe(mlp()) };
    first.labels.disturb_label.alpha = 20.0;
    let other = Recipe { replicate: 1, ..first.clone() };
    let [a, b] = [&first, &other].map(|recipe| Prepared::load(recipe, &mut |_| {}).unwrap());
    assert_eq!((&a.train, &a.valid, &a.wrong_labels), (&b.train, &b.valid, &b.wrong_labels));
    let initial = |recipe: &Recipe, prepared: &Prepared| {
        parameters::export(State::new(recipe, prepared, &Device::flex()).unwrap().network())
    };
    assert!(initial(&first, &a) == initial(&other, &b), "the initial weights differ");

    // Everything that is drawn while training is drawn anew: order, augmentation, label regularizers, device.
    let [a, b] =
        [(&first, &a), (&other, &b)].map(|(recipe, it)| Setup::new(recipe, it, 1).unwrap());
    assert_ne!(a.device_seed(1, 0), b.device_seed(1, 0));
    let [first_batch, other_batch] = [&a, &b].map(|setup| setup.batches(1).next().unwrap());
    assert_ne!(first_batch.indices, other_batch.indices);
    let look = |setup: &Setup<'_>| {
        let all = setup.batches(1).flat_map(|batch| {
            let size = batch.shape.pixels();
            let image = move |place: usize| batch.images.values()[place * size..][..size].to_vec();
            batch.indices.clone().into_iter().enumerate().map(move |(at, index)| (index, image(at)))
        });
        all.collect::<BTreeMap<usize, Vec<f32>>>()
    };
    let (looks, others) = (look(&a), look(&b));
    let same = looks.iter().filter(|(index, image)| others[index] == **image).count();
    // 25 shifts are equally likely.
    assert!(same < looks.len() / 5, "{same} of {} images look the same", looks.len());
    let disturbed = |setup: &Setup<'_>| {
        // The same batch, so that only the draw differs.
        let batch = a.batches(1).next().unwrap();
        let targets = setup.upload(batch, 1, 0, &Device::flex()).targets;
        targets.into_data().try_to_vec::<f32>().unwrap()
    };
    assert_ne!(disturbed(&a), disturbed(&b));

    let [first, once, again] = [&first, &other, &other].map(|recipe| trained(recipe, None, 1));
    assert!(first.weights != once.weights, "the replicate ends with the same weights");
    assert!(once.weights == again.weights, "a replicate is not repeated");
    let resumed = trained(&other, Some(&once.checkpoints[0]), 2);
    assert!(resumed.weights == once.weights, "a resumed replicate differs");
}

#[test]
fn a_training_with_label_noise_ends_the_same_when_it_was_interrupted_and_resumed() {
    let _alone = one_at_a_time();
    for noise in ["30", "30:pairs"] {
        let recipe = Recipe { label_noise: noise.parse().ok(), ..recipe(lenet()) };
        let whole = trained(&recipe, None, 1);
        let clean = trained(&Recipe { label_noise: None, ..recipe.clone() }, None, 1);
        assert!(whole.weights != clean.weights, "{noise} changes nothing");
        let resumed = trained(&recipe, Some(&whole.checkpoints[1]), 2);
        assert_eq!(resumed.objectives, whole.objectives, "{noise}");
        assert!(resumed.weights == whole.weights, "{noise}: the weights differ");
        assert!(resumed.best == whole.best, "{noise}: the best weights differ");
    }
}

#[test]
fn dropout_draws_anew_in_every_step_and_from_the_seed() {
    let _alone = one_at_a_time();
    let with = recipe(mlp());
    let mut without = with.clone();
    *without.model.dropout_mut() = 0.0;
    assert_ne!(trained(&with, None, 1).weights, trained(&without, None, 1).weights);
}

#[test]
fn a_training_that_was_interrupted_and_resumed_ends_like_one_that_was_not() {
    let _alone = one_at_a_time();
    for name in OptimizerConfig::NAMES {
        let optimizer = OptimizerConfig::named(name).unwrap();
        let recipe = Recipe { optimizer, ..recipe(lenet()) };
        // The recipe's decay is decoupled, which suits every optimizer.
        recipe.check().unwrap();
        let whole = trained(&recipe, None, 1);
        assert_eq!(whole.checkpoints.len(), recipe.epochs);
        let resumed = trained(&recipe, Some(&whole.checkpoints[0]), 1);
        assert_eq!(resumed.objectives, whole.objectives, "{name}");
        assert_eq!(resumed.valid_losses, whole.valid_losses, "{name}");
        assert!(resumed.weights == whole.weights, "{name}: the weights differ");
        assert!(resumed.best == whole.best, "{name}: the best weights differ");
    }
}

/// Recipes of `train` on 64 digits that turn on one thing each: every technique, augmentation, optimizer,
/// schedule and small model, and as much as goes together.
fn one_thing_each() -> Vec<(String, Recipe)> {
    let techniques = backburn_regularization::CATALOG.iter().map(|technique| {
        let on = match technique.flag {
            // Strong enough, and soon enough, for a training of three epochs.
            "max-norm" | "swa" => "1",
            "early-stopping" => "patience=1",
            _ => technique.usual,
        };
        let model = match technique.flag {
            "stochastic-depth" => "--model resnet20",
            "disturb-value" => "--model mlp --hidden 16 --loss squared-error --keep last",
            _ => "--model cnn --widths 4,6",
        };
        format!("{model} --{} {on}", technique.flag)
    });
    let augmentations = augment::CATALOG
        .iter()
        .map(|row| format!("--model mlp --hidden 16 --augment {}", row.name));
    let optimizers = OptimizerConfig::NAMES
        .iter()
        .map(|name| format!("--model cnn --widths 4,6 --optimizer {name}"));
    let schedules =
        Schedule::NAMES.iter().map(|name| format!("--model mlp --hidden 16 --schedule {name}"));
    let models =
        ["mlp", "cnn", "lenet-bn", "resnet20"].iter().map(|name| format!("--model {name}"));
    let everything = "--model resnet20 --dropout 0.2 --stochastic-depth 0.2 --label-smoothing \
        0.1:others --disturb-label 20 --mixup 0.4 --cutmix 1 --augment \
        crop=2,rotate=10,cutout=4,alternating-flip --weight-decay 1e-3 --l1 1e-5 --decay all \
        --max-norm 2 --ema 0.9 --lookahead k=2,alpha=0.5 --sam 0.05 --clip-norm 1 --schedule \
        plateau --early-stopping patience=9,min-delta=0.001 --accumulate 2";
    let all = techniques.chain(augmentations).chain(optimizers).chain(schedules).chain(models);
    let recipe = |flags: String| {
        let words = format!(
            "digits --train-size 64 --valid-size 32 --batch-size 8 --epochs 3 --learning-rate \
             0.003 {flags}"
        );
        let words: Vec<String> = words.split(' ').map(String::from).collect();
        let (recipe, _) = TrainArgs::from_words(&words).unwrap().recipe().unwrap();
        (flags, recipe)
    };
    all.chain([everything.to_owned()]).map(recipe).collect()
}

/// The digits in three colours, for augmentations that change colours.
fn coloured(recipe: &Recipe) -> Prepared {
    fn in_colour(grey: &ImageSet) -> Arc<ImageSet> {
        let shape = ImageShape { channels: 3, ..grey.shape() };
        let planes: [fn(u8) -> u8; 3] = [|p| p, |p| p / 2, |p| 255 - p];
        let paint = |i| {
            planes.into_iter().flat_map(move |plane| grey.image(i).iter().map(move |&p| plane(p)))
        };
        let pixels = (0..grey.len()).flat_map(paint).collect();
        let labels = (0..grey.len()).map(|i| grey.label(i)).collect();
        Arc::new(ImageSet::new(shape, grey.classes(), pixels, labels).unwrap())
    }
    let mut prepared = Prepared::load(recipe, &mut |_| {}).unwrap();
    prepared.train = in_colour(&prepared.train);
    prepared.valid = prepared.valid.as_deref().map(in_colour);
    prepared.normalization = recipe.normalization.fit(&prepared.train).unwrap();
    prepared
}

#[test]
fn a_training_resumed_inside_an_epoch_ends_like_one_that_was_not_interrupted() {
    let _alone = one_at_a_time();
    let recipes = one_thing_each();
    // They differ in nothing that the data depend on.
    let grey = Prepared::load(&recipes[0].1, &mut |_| {}).unwrap();
    let coloured = coloured(&recipes[0].1);
    let mut compared = 0;
    for (number, (flags, recipe)) in recipes.iter().enumerate() {
        let suits = recipe.augment.check(grey.train.shape()).is_ok();
        let prepared = if suits { &grey } else { &coloured };
        let every_step = Some(CheckpointEvery::Steps(1));
        let whole = trained_on(prepared, recipe, None, 1, None);
        let often = trained_on(prepared, recipe, None, 1, every_step);
        assert!(often.weights == whole.weights, "{flags}: checkpoints change the weights");
        let inside = |bytes: &&Vec<u8>| Checkpoint::read(bytes).unwrap().position().batches > 0;
        let inside: Vec<&Vec<u8>> = often.checkpoints.iter().filter(inside).collect();
        // Another place in each of them, in the second epoch or near it.
        let bytes = inside[inside.len() / 3 + number % (inside.len() / 3)];
        let position = Checkpoint::read(bytes).unwrap().position();
        let resumed = trained_on(prepared, recipe, Some(bytes), 1, None);
        let place = format!("{flags}: resumed at {position}");
        assert!(resumed.weights == whole.weights, "{place}: the weights differ");
        assert_eq!(resumed.objectives, whole.objectives, "{place}");
        assert_eq!(resumed.valid_losses, whole.valid_losses, "{place}");
        assert_eq!(resumed.learning_rates, whole.learning_rates, "{place}");
        assert_eq!(resumed.ending, whole.ending, "{place}");
        assert!(by_name(resumed.best) == by_name(whole.best), "{place}: the best weights differ");
        compared += 1;
    }
    println!("{compared} of {} equal", recipes.len());
}

#[test]
fn a_resumed_training_still_knows_how_long_it_has_waited_on_a_plateau() {
    let _alone = one_at_a_time();
    let mut recipe = recipe(mlp());
    // No epoch can improve by that much on the first.
    recipe.schedule = Schedule::Plateau { factor: 0.5, patience: 1, min_delta: 100.0, floor: 0.0 };
    recipe.epochs = 6;
    recipe.check().unwrap();
    let whole = trained(&recipe, None, 1);
    let shares = whole.learning_rates.iter().map(|rate| rate / recipe.learning_rate);
    assert_eq!(shares.collect::<Vec<_>>(), [1.0, 1.0, 1.0, 0.5, 0.5, 0.25]);
    for (epoch, checkpoint) in (1..).zip(&whole.checkpoints[..5]) {
        let resumed = trained(&recipe, Some(checkpoint), 1);
        assert_eq!(resumed.learning_rates, whole.learning_rates, "after epoch {epoch}");
        assert!(resumed.weights == whole.weights, "after epoch {epoch}: the weights differ");
    }
}

#[test]
fn a_training_that_stopped_early_does_not_go_on_when_resumed() {
    let _alone = one_at_a_time();
    let mut recipe = recipe(mlp());
    // No epoch can improve by that much on the first.
    recipe.early_stopping = Some("patience=1,min-delta=100".parse().unwrap());
    let whole = trained(&recipe, None, 1);
    assert_eq!((whole.ending, whole.objectives.len()), (Ending::StoppedEarly, 2));
    let resumed = trained(&recipe, Some(&whole.checkpoints[1]), 1);
    assert_eq!((resumed.ending, resumed.objectives.len()), (Ending::StoppedEarly, 2));
    assert!(by_name(resumed.best) == by_name(whole.best), "the best weights differ");
}

#[test]
fn two_batches_of_16_accumulated_train_like_one_of_32() {
    let _alone = one_at_a_time();
    // Without what depends on the batch: dropout draws by batch, batch normalization averages.
    let mut large = recipe(mlp());
    *large.model.dropout_mut() = 0.0;
    let small = Recipe { batch_size: 16, accumulate: 2, ..large.clone() };
    let (large, small) = (trained(&large, None, 1), trained(&small, None, 1));
    for (large, small) in large.valid_losses.iter().zip(&small.valid_losses) {
        let (large, small) = (large.unwrap(), small.unwrap());
        assert!((large / small - 1.0).abs() < 1e-3, "{large} against {small}");
    }
}

#[test]
fn accumulated_batches_of_several_sizes_step_like_one_of_them_all() {
    let _alone = one_at_a_time();
    let mut large = recipe(mlp());
    *large.model.dropout_mut() = 0.0;
    large.augment = Default::default();
    large.optimizer = OptimizerConfig::named("sgd").unwrap();
    large.schedule = Schedule::Constant;
    (large.weight_decay, large.learning_rate) = (Default::default(), 0.1);
    large.train_size = Some(SplitSize::Count(65));
    (large.batch_size, large.epochs) = (65, 1);
    let initial = {
        let prepared = Prepared::load(&large, &mut |_| {}).unwrap();
        let state = State::new(&large, &prepared, &Device::flex()).unwrap();
        parameters::export(&state.network().valid())
    };
    let step = |recipe: &Recipe| -> Vec<f64> {
        let weights = trained(recipe, None, 1).weights;
        let pairs = weights.iter().zip(&initial);
        let values = pairs.flat_map(|(after, before)| after.values.iter().zip(&before.values));
        values.map(|(after, before)| f64::from(*after) - f64::from(*before)).collect()
    };
    let norm = |values: Vec<f64>| values.iter().map(|value| value * value).sum::<f64>().sqrt();
    let expected = step(&large);
    // The last one alone is 2.85 times off if the image that is left over counts as much as 64.
    for (batch_size, accumulate) in [(13, 5), (17, 4), (33, 2), (64, 2)] {
        let found = step(&Recipe { batch_size, accumulate, ..large.clone() });
        let off = found.iter().zip(&expected).map(|(a, b)| a - b).collect();
        let off = norm(off) / norm(expected.clone());
        assert!(off < 1e-5, "batches of {batch_size}: {off:e}");
    }
}
