//! The training loop.

use std::time::{Duration, Instant};

use backburn_data::loader::{Batch, Epoch, Loader, LoaderError};
use backburn_models::parameters::{self, ImportError, NamedTensor};
use backburn_models::{ModelError, Network};
use backburn_regularization::{
    EarlyStopping, Ema, LabelledBatch, MaxNorm, Sam, Targets, Validation, Verdict,
};
use backburn_report::{EpochRecord, RollbackRecord};
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::averaging::Averaging;
use crate::checkpoint_every::{CheckpointClock, CheckpointEvery};
use crate::evaluate::{Scores, predict_validation};
use crate::gradients::{Accumulated, NamedGradients};
use crate::interrupt;
use crate::loss::Loss;
use crate::meter::Meter;
use crate::optimizer::Optimizer;
use crate::plateau::Plateau;
use crate::prepare::Prepared;
use crate::progress::Progress;
use crate::recipe::{Recipe, Settings};
use crate::seeds::Seeds;
use crate::weighing::Weighing;

/// How often values are read back from the device, at most.
const READ_INTERVAL: Duration = Duration::from_millis(400);

/// What stays the same during a training.
#[derive(Debug)]
pub struct Setup<'a> {
    /// What to do.
    pub recipe: &'a Recipe,
    /// What to do it with.
    pub prepared: &'a Prepared,
    /// Delivers training batches.
    pub loader: Loader,
    /// Where to say how it goes.
    pub progress: Progress,
    /// How often to write a checkpoint inside epochs; `None` for never.
    pub checkpoint_every: Option<CheckpointEvery>,
    /// How means over batches are taken.
    pub weighing: Weighing,
}

/// What changes during a training; a checkpoint holds all of it.
#[derive(Debug)]
pub struct State {
    /// Only absent while the optimizer moves it.
    network: Option<Network>,
    device: Device,
    /// Turns gradients into steps.
    pub optimizer: Optimizer,
    /// Follows the weights.
    pub averaging: Averaging,
    /// Says when to stop, if the recipe has a rule for that.
    pub stopping: Option<EarlyStopping>,
    /// Lowers the learning rate with the schedule `plateau`.
    pub plateau: Plateau,
    /// The weights that the recipe's `keep` selects so far; without any the last ones are kept.
    pub best: Option<Best>,
    /// The epochs behind us.
    pub epochs: Vec<EpochRecord>,
    /// The epoch that is under way.
    pub current: EpochInProgress,
    /// The returns to an earlier state; each has halved the learning rate.
    pub rollbacks: Vec<RollbackRecord>,
    /// The settings that the weights depend on.
    pub determinants: Settings,
    /// Time spent waiting for batches, in this process.
    pub waited: Duration,
    /// Batches of an epoch.
    batches_per_epoch: usize,
    /// Batches of a step.
    accumulate: usize,
}

/// Weights of the epoch that is kept so far.
#[derive(Clone, Debug)]
pub struct Best {
    /// Counted from 1.
    pub epoch: usize,
    /// On the host.
    pub weights: Vec<NamedTensor>,
}

/// The part of an epoch that has been trained.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EpochInProgress {
    /// What was minimized, of each batch.
    pub objectives: Vec<f64>,
    /// Right answers against clean labels.
    pub right: u64,
    /// Images seen.
    pub images: u64,
    /// Wall clock in seconds.
    pub seconds: f64,
}

/// Writes a checkpoint: of this state, after an epoch with these objectives, or inside one with none.
pub type Save<'a> = dyn FnMut(&State, &[f64]) -> Result<(), TrainError> + 'a;

/// How a training ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ending {
    /// All epochs were trained.
    Finished,
    /// The criterion of early stopping was met.
    StoppedEarly,
    /// Ctrl-C; a checkpoint was saved.
    Interrupted,
    /// The loss or the weights are no longer finite numbers.
    Diverged {
        /// Epoch, counted from 1.
        epoch: usize,
        /// Batch within it, counted from 1; the last one if validation, or the epoch after it, shows what
        /// the weights have come to.
        batch: usize,
    },
}

/// Why training cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Each variant passes the error of that name on.
pub enum TrainError {
    #[error(transparent)]
    Loader(#[from] LoaderError),
    #[error(transparent)]
    Checkpoint(#[from] crate::checkpoint::CheckpointError),
    #[error(transparent)]
    Run(#[from] crate::run::RunError),
}

/// Trains from where `state` stands to the end. Calls `save` after every epoch, with what was
/// minimized on each of its batches, and with nothing when interrupted, and as often inside epochs as
/// the setup says. A state that is not finite is never saved, nor the end of an epoch whose validation
/// loss is not.
///
/// # Errors
///
/// If `save` fails.
pub fn train(
    setup: &Setup<'_>,
    state: &mut State,
    save: &mut Save<'_>,
) -> Result<Ending, TrainError> {
    let Setup { recipe, loader, progress, .. } = setup;
    progress.start();
    let mut checkpoints = CheckpointClock::new(setup.checkpoint_every);
    while state.epochs.len() < recipe.epochs {
        // The last epoch of a run that is resumed may have been the one to stop after.
        if state.has_stopped() {
            return Ok(Ending::StoppedEarly);
        }
        let epoch = state.epochs.len() + 1;
        if let Some(ending) = train_epoch(setup, state, epoch, &mut checkpoints, save)? {
            return Ok(ending);
        }

        let started = Instant::now();
        let validation = validate(setup, state)?;
        let valid_loss = validation.map(|scores| scores.loss);
        // Weights can be finite and yet too large for a finite loss. What a rollback goes back to must be
        // a state that training can go on from.
        let is_sound = valid_loss.is_none_or(f64::is_finite)
            && (recipe.on_divergence.is_stop()
                || Outlook::of(setup, state, epoch + 1, 0).objective.is_finite());
        if !is_sound {
            return Ok(Ending::Diverged { epoch, batch: loader.batches_per_epoch() });
        }
        let is_kept =
            validation.is_some_and(|it| recipe.keep.replaces(it.into(), state.kept_validation()));
        if is_kept {
            state.best =
                Some(Best { epoch, weights: parameters::export(&state.evaluation_copy()) });
        }
        let trained = state.end_epoch(setup, epoch, validation, started.elapsed());
        let objective = state.epochs[epoch - 1].train_objective;
        let verdict = match (&mut state.stopping, validation) {
            (Some(stopping), Some(it)) => stopping.observe(objective, it.into()),
            _ => Verdict::Continue,
        };
        // After the epoch was written down with the learning rate that it had.
        if let Some(loss) = valid_loss {
            state.plateau.observe(&recipe.schedule, loss);
        }
        progress.end_epoch(&state.epochs[epoch - 1], is_kept);
        save(state, &trained.objectives)?;
        checkpoints.restart();
        if verdict != Verdict::Stop && epoch < recipe.epochs && interrupt::is_requested() {
            return Ok(Ending::Interrupted);
        }
    }
    Ok(if state.has_stopped() { Ending::StoppedEarly } else { Ending::Finished })
}

/// Trains the rest of an epoch; `None` if it came to its end.
fn train_epoch(
    setup: &Setup<'_>,
    state: &mut State,
    epoch: usize,
    checkpoints: &mut CheckpointClock,
    save: &mut Save<'_>,
) -> Result<Option<Ending>, TrainError> {
    let Setup { recipe, loader, progress, .. } = setup;
    let batches = loader.batches_per_epoch();
    let done = state.current.objectives.len();
    progress.start_epoch(epoch, done, batches);

    let mut clock = Clock::resume(state.current.seconds);
    let mut meter = Meter::default();
    let mut gradients = Accumulated::new(setup.weighing);
    let mut epoch_batches = epoch_batches(setup, epoch).skip_batches(done);
    for number in done..batches {
        let asked = Instant::now();
        let batch = epoch_batches.next().expect("an epoch has its number of batches");
        state.waited += asked.elapsed();
        let images = batch.len();
        state.current.images += images as u64;
        let pass = state.backward(setup, epoch, number, batch);
        meter.push(&pass.objective, pass.right);
        gradients.add(pass.gradients, images);

        let is_last = number + 1 == batches;
        let steps = (number + 1).is_multiple_of(recipe.accumulate) || is_last;
        if steps {
            let learning_rate = state.learning_rate(setup, epoch, number);
            state.step(recipe, gradients.take_mean(), learning_rate);
        }

        // Gradients that wait for a step are in no checkpoint; an epoch's end has its own.
        let can_save = steps && !is_last;
        let stops = can_save && interrupt::is_requested();
        let is_due = || checkpoints.is_due(state.optimizer.steps());
        let saves = stops || can_save && (interrupt::is_save_requested() || is_due());
        if is_last || saves || clock.is_due() {
            let first_new = state.current.objectives.len();
            meter.read_into(&mut state.current);
            state.current.seconds = clock.seconds();
            let new = &state.current.objectives[first_new..];
            if let Some(bad) = new.iter().position(|loss| !loss.is_finite()) {
                return Ok(Some(Ending::Diverged { epoch, batch: first_new + bad + 1 }));
            }
            // The last step can break the weights without any batch after it to show it.
            if (saves || is_last) && !state.is_finite() {
                return Ok(Some(Ending::Diverged { epoch, batch: number + 1 }));
            }
            let so_far = setup.mean(0, &state.current.objectives);
            progress.update(epoch, number + 1, &state.current, so_far);
            if saves {
                save(state, &[])?;
                checkpoints.restart();
            }
            if stops {
                return Ok(Some(Ending::Interrupted));
            }
        }
    }
    Ok(None)
}

/// What `state` makes of batches before any step, beside what guessing makes of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outlook {
    /// Mean over the images of what would be minimized.
    pub(crate) objective: f64,
    /// The same of a network that does not look at the images, see [`Loss::guess`].
    pub(crate) guess: f64,
}

impl Outlook {
    /// Of the first batches of `epoch` (counted from 1): those of its first step, and further ones until there are
    /// `images` of them. Neither depends on any learning rate. Leaves no trace in the state.
    pub(crate) fn of(setup: &Setup<'_>, state: &State, epoch: usize, images: usize) -> Self {
        let Setup { recipe, prepared, loader, weighing, .. } = setup;
        // Its running statistics are its own.
        let network = state.network().valid().train();
        let guess = recipe.loss.guess(&prepared.class_shares());
        let (mut objectives, mut guesses, mut seen) = (Vec::new(), Vec::new(), 0);
        for (number, batch) in epoch_batches(setup, epoch).enumerate() {
            if number >= recipe.accumulate && seen >= images {
                break;
            }
            seen += loader.batch_images(number);
            let input = Input::new(setup, epoch, number, batch, &state.device);
            state.seed_device(setup, epoch, number);
            let (objective, _) = input.objective(&network, recipe.loss);
            let value = |loss: Tensor<1>| f64::from(loss.into_scalar::<f32>());
            objectives.push((value(objective), loader.batch_images(number)));
            let guessed = value(input.cost_of(&guess, recipe.loss));
            guesses.push((guessed, loader.batch_images(number)));
        }
        Self { objective: weighing.mean(objectives), guess: weighing.mean(guesses) }
    }
}

/// The training batches of `epoch`, counted from 1.
pub(crate) fn epoch_batches(setup: &Setup<'_>, epoch: usize) -> Epoch {
    let seeds = Seeds::new(setup.recipe.seed);
    setup.loader.epoch(&mut seeds.order(epoch), seeds.augmentation(epoch))
}

/// A batch on the device.
struct Input {
    /// `[batch, channels, height, width]`
    images: Tensor<4>,
    /// `[batch, classes]`, distributions
    targets: Tensor<2>,
    /// `[batch, 1]`, clean
    labels: Tensor<2, Int>,
}

impl Input {
    /// Batch number `number` (from 0) of `epoch`, after the recipe's label regularizers.
    fn new(setup: &Setup<'_>, epoch: usize, number: usize, batch: Batch, device: &Device) -> Self {
        let (recipe, classes) = (setup.recipe, setup.loader.set().classes());
        let size = batch.len();
        let shape = [size, batch.shape.channels, batch.shape.height, batch.shape.width];
        let labels: Vec<i32> = batch.labels.iter().map(|&label| i32::from(label)).collect();
        let targets = Targets::one_hot(&batch.labels, classes);
        let mut batch = LabelledBatch { images: batch.images, shape, targets };
        let seeds = Seeds::new(recipe.seed);
        recipe.labels.apply(&mut batch, |name| seeds.labels(name, epoch, number));

        let targets = TensorData::new(batch.targets.into_probabilities(), [size, classes]);
        let plain = device.clone().without_autodiff();
        Self {
            images: Tensor::from_data(TensorData::new(batch.images, shape), device),
            targets: Tensor::from_data(targets, device),
            labels: Tensor::from_data(TensorData::new(labels, [size, 1]), &plain),
        }
    }

    /// What is minimized on this batch, and the number of right answers, each `[1]`.
    fn objective(&self, network: &Network, loss: Loss) -> (Tensor<1>, Tensor<1>) {
        let outputs = network.forward(self.images.clone());
        let answers = outputs.clone().without_autodiff().argmax(1);
        let right = answers.equal(self.labels.clone()).float().sum();
        (loss.forward(outputs, self.targets.clone()), right)
    }

    /// What would be minimized if `outputs`, a value a class, were put out for every image; `[1]`.
    fn cost_of(&self, outputs: &[f32], loss: Loss) -> Tensor<1> {
        let shape = self.targets.dims();
        let rows = outputs.repeat(shape[0]);
        let targets = self.targets.clone().without_autodiff();
        loss.forward(Tensor::from_data(TensorData::new(rows, shape), &targets.device()), targets)
    }
}

/// What a forward and backward pass over a batch gives.
pub(crate) struct Pass {
    /// `[1]`, what is minimized.
    pub(crate) objective: Tensor<1>,
    /// `[1]`, the number of right answers.
    pub(crate) right: Tensor<1>,
    pub(crate) gradients: NamedGradients,
}

/// Validation scores of an epoch; `None` if it was not validated.
pub(crate) fn validation(epoch: &EpochRecord) -> Option<Validation> {
    let (loss, accuracy) = (epoch.valid_loss?, epoch.valid_accuracy?);
    Some(Validation { loss, accuracy })
}

fn validate(setup: &Setup<'_>, state: &State) -> Result<Option<Scores>, LoaderError> {
    if setup.prepared.valid.is_none() {
        return Ok(None);
    }
    let device = state.device.clone().without_autodiff();
    let answers = predict_validation(&state.evaluation_copy(), setup.prepared, &device)?;
    Ok(answers.map(|answers| answers.scores()))
}

impl State {
    /// The state before the first step, with the recipe's initial weights.
    ///
    /// # Errors
    ///
    /// If the model's settings are outside their range or the images too small for it.
    pub fn new(recipe: &Recipe, prepared: &Prepared, device: &Device) -> Result<Self, ModelError> {
        let device = device.clone().autodiff();
        let network = prepared.network(recipe, &device)?;
        let optimizer = Optimizer::new(recipe.optimizer, recipe.weight_decay)
            .with_l1(recipe.l1)
            .with_max_norm(recipe.max_norm.map(|limit| MaxNorm { limit }));
        let ema = recipe.ema.map(|decay| Ema { decay });
        Ok(Self {
            averaging: Averaging::new(recipe.lookahead, ema, &network),
            network: Some(network),
            device,
            optimizer,
            stopping: recipe.early_stopping.map(EarlyStopping::new),
            plateau: Plateau::default(),
            best: None,
            epochs: Vec::new(),
            current: EpochInProgress::default(),
            rollbacks: Vec::new(),
            determinants: recipe.determinants(),
            waited: Duration::ZERO,
            batches_per_epoch: recipe.last_batch.batches(prepared.train.len(), recipe.batch_size),
            accumulate: recipe.accumulate,
        })
    }

    /// Steps of the optimizer after so many epochs and batches of the next one; `None` where nothing is
    /// saved, in the midst of a step or after the last batch.
    pub(crate) fn steps_after(&self, epochs: usize, batches: usize) -> Option<u64> {
        if batches >= self.batches_per_epoch || !batches.is_multiple_of(self.accumulate) {
            return None;
        }
        let steps_per_epoch = self.batches_per_epoch.div_ceil(self.accumulate);
        Some((epochs * steps_per_epoch + batches / self.accumulate) as u64)
    }

    /// The network as it stands.
    pub fn network(&self) -> &Network {
        self.network.as_ref().expect("the optimizer puts the network back")
    }

    /// The network that is evaluated and kept, without gradients, dropout and the like: an average
    /// of the weights, if the recipe asks for one.
    pub fn evaluation_copy(&self) -> Network {
        self.averaging.evaluation_copy(self.network(), self.optimizer.steps())
    }

    /// The network that the run ends with: the best epoch's, or else as it stands.
    ///
    /// # Panics
    ///
    /// If the best weights are not this network's.
    pub fn selected(&self) -> Network {
        match &self.best {
            Some(best) => parameters::import(self.network().valid(), best.weights.clone())
                .expect("the weights are this network's own"),
            None => self.evaluation_copy(),
        }
    }

    /// Validation scores of the epoch that is kept so far.
    fn kept_validation(&self) -> Option<Validation> {
        self.best.as_ref().and_then(|best| validation(&self.epochs[best.epoch - 1]))
    }

    /// Whether it stands at the end of an epoch.
    pub(crate) fn is_at_an_end(&self) -> bool {
        !self.epochs.is_empty() && self.current.objectives.is_empty()
    }

    /// Whether early stopping has ended the training.
    fn has_stopped(&self) -> bool {
        self.stopping.as_ref().is_some_and(EarlyStopping::has_stopped)
    }

    /// Where the network lives, with gradients.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Whether every weight and running statistic is a finite number.
    fn is_finite(&self) -> bool {
        let tensors = parameters::export(&self.network().valid());
        tensors.iter().all(|tensor| tensor.values.iter().all(|value| value.is_finite()))
    }

    /// Replaces the network's weights.
    ///
    /// # Errors
    ///
    /// If they are not those of this model.
    pub fn load_weights(&mut self, weights: Vec<NamedTensor>) -> Result<(), ImportError> {
        self.network = Some(parameters::import(self.network().clone(), weights)?);
        Ok(())
    }

    /// The objective on batch number `number` (from 0) of `epoch` (from 1) and its gradients.
    pub(crate) fn backward(
        &self,
        setup: &Setup<'_>,
        epoch: usize,
        number: usize,
        batch: Batch,
    ) -> Pass {
        let recipe = setup.recipe;
        let input = Input::new(setup, epoch, number, batch, &self.device);
        self.seed_device(setup, epoch, number);
        let (objective, right) = input.objective(self.network(), recipe.loss);
        let gradients = NamedGradients::gather(self.network(), objective.backward());
        let gradients = match recipe.sam {
            None => gradients,
            Some(rho) => {
                let neighbour = gradients.perturb(self.network(), Sam { rho });
                // The same units are dropped, so that the two gradients differ by the place alone.
                self.seed_device(setup, epoch, number);
                let (there, _) = input.objective(&neighbour, recipe.loss);
                NamedGradients::gather(&neighbour, there.backward())
            }
        };
        Pass { objective, right, gradients }
    }

    /// Dropout draws from the device's generator: one seed a batch, so that a resumed run draws what an
    /// uninterrupted one would have drawn.
    fn seed_device(&self, setup: &Setup<'_>, epoch: usize, number: usize) {
        let place = (epoch - 1) * setup.loader.batches_per_epoch() + number;
        self.device.seed(Seeds::new(setup.recipe.seed).device(place as u64));
    }

    /// One optimizer step with the mean of the gradients over the step's images.
    pub(crate) fn step(&mut self, recipe: &Recipe, gradients: NamedGradients, learning_rate: f64) {
        let gradients = match recipe.clip_norm {
            Some(limit) => gradients.clip_norm(limit),
            None => gradients,
        };
        let network = self.network.take().expect("the optimizer puts the network back");
        let network = self.optimizer.step(network, gradients, learning_rate);
        self.network = Some(self.averaging.follow(network, self.optimizer.steps()));
    }

    /// Writes the epoch down and gives back what it was made of.
    fn end_epoch(
        &mut self,
        setup: &Setup<'_>,
        epoch: usize,
        validation: Option<Scores>,
        validated: Duration,
    ) -> EpochInProgress {
        let current = std::mem::take(&mut self.current);
        self.epochs.push(EpochRecord {
            epoch,
            train_objective: setup.mean(0, &current.objectives),
            train_accuracy: current.accuracy(),
            valid_loss: validation.map(|scores| scores.loss),
            valid_accuracy: validation.map(|scores| scores.accuracy),
            learning_rate: self.learning_rate(setup, epoch, setup.loader.batches_per_epoch() - 1),
            seconds: current.seconds + validated.as_secs_f64(),
            images_per_second: current.speed(),
        });
        current
    }

    /// Learning rate of the step that `batch` (counted from 0) of the present `epoch` (counted
    /// from 1) belongs to.
    pub fn learning_rate(&self, setup: &Setup<'_>, epoch: usize, batch: usize) -> f64 {
        self.learning_rate_by(setup.recipe, epoch, batch)
    }

    /// As [`learning_rate`](Self::learning_rate), if training went on by this recipe.
    pub(crate) fn learning_rate_by(&self, recipe: &Recipe, epoch: usize, batch: usize) -> f64 {
        let steps_per_epoch = self.batches_per_epoch.div_ceil(recipe.accumulate);
        let step = (epoch - 1) * steps_per_epoch + batch / recipe.accumulate;
        let share = recipe.schedule.share(step, steps_per_epoch, steps_per_epoch * recipe.epochs);
        let halved = 0.5_f64.powi(self.rollbacks.len() as i32);
        recipe.learning_rate * share * self.plateau.share() * halved
    }
}

impl Setup<'_> {
    fn steps_per_epoch(&self) -> usize {
        self.loader.batches_per_epoch().div_ceil(self.recipe.accumulate)
    }

    /// The step, counted from 0, that `batch` (counted from 0) of `epoch` (counted from 1) belongs to.
    pub fn step(&self, epoch: usize, batch: usize) -> usize {
        (epoch - 1) * self.steps_per_epoch() + batch / self.recipe.accumulate
    }

    /// Mean over consecutive batches of what was minimized on each, of which the first is number `first`, from
    /// 0; epochs follow one another.
    pub(crate) fn mean(&self, first: usize, objectives: &[f64]) -> f64 {
        let batches = self.loader.batches_per_epoch();
        let images = (first..).map(|number| self.loader.batch_images(number % batches));
        self.weighing.mean(objectives.iter().copied().zip(images))
    }

    /// Training images of an epoch, without those of a dropped last batch.
    pub(crate) fn images_per_epoch(&self) -> usize {
        let (images, batch_size) = (self.loader.set().len(), self.recipe.batch_size);
        self.recipe.last_batch.epoch_images(images, batch_size)
    }
}

impl EpochInProgress {
    /// Share of right answers.
    pub fn accuracy(&self) -> f64 {
        self.right as f64 / self.images.max(1) as f64
    }

    /// Images a second.
    pub fn speed(&self) -> f64 {
        self.images as f64 / self.seconds.max(1e-9)
    }
}

/// Wall clock of an epoch that may have begun in an earlier process, and of the next reading.
pub(crate) struct Clock {
    before: f64,
    started: Instant,
    read: Instant,
}

impl Clock {
    pub(crate) fn resume(before: f64) -> Self {
        Self { before, started: Instant::now(), read: Instant::now() }
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.before + self.started.elapsed().as_secs_f64()
    }

    pub(crate) fn is_due(&mut self) -> bool {
        let due = self.read.elapsed() >= READ_INTERVAL;
        if due {
            self.read = Instant::now();
        }
        due
    }
}
