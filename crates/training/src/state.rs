//! What changes during a training; a checkpoint holds all of it.

use std::time::{Duration, Instant};

use backburn_data::loader::{Batch, Epoch};
use backburn_models::parameters::{self, NamedTensor};
use backburn_models::{Classifier, Network};
use backburn_records::{EpochRecord, RollbackRecord};
use backburn_regularization::{EarlyStopping, MaxNorm, Sam, Validation, Verdict};
use burn::tensor::Device;

use crate::evaluate::Scores;
use crate::learner::Learner;
use crate::meter::EpochInProgress;
use crate::optimize::averaging::Averaging;
use crate::optimize::optimizer::Optimizer;
use crate::optimize::parameter_group::ParameterGroup;
use crate::optimize::plateau::Plateau;
use crate::prepare::{PrepareError, Prepared, steps_per_epoch};
use crate::recipe::{Recipe, RecipeError, Settings};
use crate::setup::Setup;
use crate::watch::Weights;

/// A training between two batches.
#[derive(Debug)]
pub struct State<N = Network> {
    /// The network and what turns gradients into steps.
    pub learner: Learner<N>,
    device: Device,
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
    /// Epoch, counted from 1.
    pub epoch: usize,
    /// Weights on the host.
    pub weights: Vec<NamedTensor>,
}

/// Validation scores of an epoch; `None` if it was not validated.
pub(crate) fn validation(epoch: &EpochRecord) -> Option<Validation> {
    let (loss, accuracy) = (epoch.valid_loss?, epoch.valid_accuracy?);
    Some(Validation { loss, accuracy })
}

impl State {
    /// The state before the first step, with the recipe's network and its initial weights.
    ///
    /// # Errors
    ///
    /// As [`Prepared::begin`] or [`with_network`](Self::with_network).
    pub fn new(
        recipe: &Recipe,
        prepared: &Prepared,
        device: &Device,
    ) -> Result<Self, PrepareError> {
        let (network, _) = prepared.begin(recipe, &device.clone().autodiff())?;
        Ok(Self::with_network(recipe, prepared, network, device)?)
    }

    /// A state that a checkpoint's is put into: like [`new`](Self::new), but without the weights of a file, which
    /// need not be there any more.
    ///
    /// # Errors
    ///
    /// As [`Prepared::network`] or [`with_network`](Self::with_network).
    pub fn to_restore(
        recipe: &Recipe,
        prepared: &Prepared,
        device: &Device,
    ) -> Result<Self, PrepareError> {
        let network = prepared.network(recipe, &device.clone().autodiff())?;
        Ok(Self::with_network(recipe, prepared, network, device)?)
    }
}

impl<N: Classifier> State<N> {
    /// The state before the first step of a network of any kind, which lives on `device` with gradients
    /// (`device.autodiff()`) and is trained as the recipe says; the recipe's own model plays no part.
    ///
    /// # Errors
    ///
    /// If one of the recipe's groups chooses none of the network's parameters, or all are frozen.
    pub fn with_network(
        recipe: &Recipe,
        prepared: &Prepared,
        network: N,
        device: &Device,
    ) -> Result<Self, RecipeError> {
        if !recipe.groups.is_empty() {
            ParameterGroup::check_choices(&recipe.groups, &parameters::roles(&network))
                .map_err(RecipeError::Invalid)?;
        }
        let optimizer = Optimizer::new(recipe.optimizer, recipe.weight_decay)
            .with_l1(recipe.l1)
            .with_max_norm(recipe.max_norm.map(|limit| MaxNorm { limit }))
            .with_groups(recipe.groups.clone());
        let steps_per_epoch = steps_per_epoch(recipe, prepared.train.len());
        let averaging = Averaging::new(recipe, steps_per_epoch, &network);
        let learner = Learner::new(network, optimizer)
            .with_averaging(averaging)
            .with_sam(recipe.sam.map(|rho| Sam { rho }))
            .with_clip_norm(recipe.clip_norm);
        Ok(Self {
            learner,
            device: device.clone().autodiff(),
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

    /// The epoch that is to be trained, counted from 1; `None` if all are behind us or early stopping has ended
    /// the training: the last epoch of a run that is resumed may have been the one to stop after.
    pub fn next_epoch(&self, setup: &Setup<'_>) -> Option<usize> {
        let is_over = self.epochs.len() >= setup.recipe.epochs || self.has_stopped();
        (!is_over).then_some(self.epochs.len() + 1)
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
    pub fn network(&self) -> &N {
        self.learner.network()
    }

    /// The network that is evaluated and kept, without gradients, dropout and the like: an average
    /// of the weights, if the recipe asks for one.
    pub fn evaluation_copy(&self) -> N {
        self.learner.evaluation_copy()
    }

    /// The network that the run ends with: the best epoch's, or else as it stands.
    ///
    /// # Panics
    ///
    /// If the best weights are not this network's.
    pub fn selected(&self) -> N {
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
    pub fn has_stopped(&self) -> bool {
        self.stopping.as_ref().is_some_and(EarlyStopping::has_stopped)
    }

    /// Where the network lives, with gradients.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Whether every weight and running statistic is a finite number.
    pub(crate) fn is_finite(&self) -> bool {
        let tensors = parameters::export(&self.network().valid());
        tensors.iter().all(|tensor| tensor.values.iter().all(|value| value.is_finite()))
    }

    /// The next training batch, and how long it was waited for.
    pub(crate) fn wait_for(&mut self, batches: &mut Epoch) -> Batch {
        let asked = Instant::now();
        let batch = batches.next().expect("an epoch has its number of batches");
        self.waited += asked.elapsed();
        self.current.images += batch.len() as u64;
        batch
    }

    /// Writes the epoch down, judges it and gives back what was minimized on each of its batches. `validated`:
    /// how long the validation took.
    pub(crate) fn end_epoch(
        &mut self,
        setup: &Setup<'_>,
        validation: Option<Scores>,
        validated: Duration,
    ) -> EpochEnd {
        let epoch = self.epochs.len() + 1;
        let kept = validation
            .filter(|&scores| setup.recipe.keep.replaces(scores.into(), self.kept_validation()));
        if kept.is_some() {
            let weights = parameters::export(&self.evaluation_copy());
            self.best = Some(Best { epoch, weights });
        }
        let current = std::mem::take(&mut self.current);
        let record = EpochRecord {
            epoch,
            train_objective: setup.mean(0, &current.objectives),
            train_accuracy: current.accuracy(),
            valid_loss: validation.map(|scores| scores.loss),
            valid_accuracy: validation.map(|scores| scores.accuracy),
            learning_rate: self.learning_rate(setup, epoch, setup.batches_per_epoch() - 1),
            seconds: current.seconds + validated.as_secs_f64(),
            images_per_second: current.speed(),
        };
        if let (Some(stopping), Some(scores)) = (&mut self.stopping, validation) {
            let _: Verdict = stopping.observe(record.train_objective, scores.into());
        }
        // After the epoch was written down with the learning rate that it had.
        if let Some(scores) = validation {
            self.plateau.observe(&setup.recipe.schedule, scores.loss);
        }
        self.epochs.push(record);
        EpochEnd { objectives: current.objectives, is_best: kept.is_some() }
    }

    /// Learning rate of the step that `batch` (counted from 0) of the present `epoch` (counted
    /// from 1) belongs to.
    pub fn learning_rate(&self, setup: &Setup<'_>, epoch: usize, batch: usize) -> f64 {
        self.learning_rate_by(setup.recipe, epoch, batch)
    }

    /// The [`learning_rate`](Self::learning_rate), if training went on by this recipe.
    pub(crate) fn learning_rate_by(&self, recipe: &Recipe, epoch: usize, batch: usize) -> f64 {
        let steps_per_epoch = self.batches_per_epoch.div_ceil(recipe.accumulate);
        let step = (epoch - 1) * steps_per_epoch + batch / recipe.accumulate;
        let share = recipe.schedule.share(step, steps_per_epoch, steps_per_epoch * recipe.epochs);
        let halved = 0.5_f64.powi(self.rollbacks.len() as i32);
        recipe.learning_rate * share * self.plateau.share() * halved
    }
}

impl<N: Classifier> Weights for State<N> {
    fn read(&self) -> Vec<NamedTensor> {
        parameters::export(&self.network().valid())
    }
}

/// What there is to say of an epoch beside its record.
#[derive(Debug)]
pub(crate) struct EpochEnd {
    /// What was minimized on each of its batches.
    pub(crate) objectives: Vec<f64>,
    /// Whether its weights are kept so far.
    pub(crate) is_best: bool,
}
