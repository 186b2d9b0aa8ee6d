//! The same recipe and seed give the same network, bit for bit: run after run, for any number of
//! threads, and also after an interruption.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use backburn_data::SplitSize;
use backburn_models::{LenetBnConfig, MlpConfig, ModelConfig, NamedTensor, parameters};
use backburn_trainer::checkpoint;
use backburn_trainer::optimizer::OptimizerConfig;
use backburn_trainer::prepare::Prepared;
use backburn_trainer::progress::{Detail, Progress};
use backburn_trainer::recipe::{Recipe, built_in};
use backburn_trainer::schedule::Schedule;
use backburn_trainer::train::{Ending, Setup, State, train};
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
    /// Of each epoch's last step.
    learning_rates: Vec<f64>,
    /// The checkpoint of every epoch.
    checkpoints: Vec<Vec<u8>>,
}

/// Trains to its last epoch, from a checkpoint or from the beginning.
fn trained(recipe: &Recipe, checkpoint: Option<&[u8]>, threads: usize) -> Trained {
    let prepared = Prepared::load(recipe, &mut |_| {}).unwrap();
    let mut state = State::new(recipe, &prepared, &Device::flex()).unwrap();
    if let Some(bytes) = checkpoint {
        checkpoint::restore(&mut state, bytes).unwrap();
    }
    let loader = prepared.train_loader(recipe, threads).unwrap();
    let progress = Progress::new(recipe.epochs, recipe.validates(), Detail::Brief);
    let setup = Setup { recipe, prepared: &prepared, loader, progress };
    let mut checkpoints = Vec::new();
    let ending = train(&setup, &mut state, &mut |state, _| {
        checkpoints.push(checkpoint::to_bytes(state)?);
        Ok(())
    });
    let ending = ending.unwrap();
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
    // A file does not keep the order of tensors.
    let by_name = |trained: Trained| -> BTreeMap<String, Vec<f32>> {
        trained.best.unwrap().into_iter().map(|tensor| (tensor.name, tensor.values)).collect()
    };
    assert!(by_name(resumed) == by_name(whole), "the best weights differ");
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
