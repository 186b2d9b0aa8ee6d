//! The training loop.

use std::time::Instant;

use backburn_data::loader::LoaderError;
use backburn_models::{Classifier, Network};

use crate::evaluate::{Scores, predict_validation};
use crate::meter::Meter;
use crate::optimize::gradients::Accumulated;
use crate::outlook::Outlook;
use crate::run_folder::checkpoint_every::CheckpointClock;
use crate::setup::Setup;
use crate::state::State;
use crate::watch::{Event, Watch};

/// Trains from where `state` stands to the end, and tells `watch` how it goes. Calls `save` after every
/// epoch, with what was minimized on each of its batches, and with nothing when interrupted, and as often
/// inside epochs as the setup says. A state that is not finite is never saved, nor the end of an epoch whose
/// validation loss is not.
///
/// # Errors
///
/// If `save` fails, or no batches can be made of the validation images.
pub fn train<N: Classifier, E: From<LoaderError>>(
    setup: &Setup<'_>,
    state: &mut State<N>,
    watch: &mut dyn Watch,
    save: &mut Save<'_, N, E>,
) -> Result<Ending, E> {
    watch.event(Event::Begun { validates: setup.recipe.validates() });
    let mut saved = CheckpointClock::new(setup.checkpoint_every);
    while let Some(epoch) = state.next_epoch(setup) {
        let (done, batches) = (state.current.objectives.len(), setup.batches_per_epoch());
        let epochs = setup.recipe.epochs;
        watch.event(Event::EpochBegun { epoch, epochs, trained: done, batches });
        let mut gradients = Accumulated::new(setup.weighing);
        let mut meter = Meter::resume(state.current.seconds);
        let mut epoch_batches = setup.batches(epoch).skip_batches(done);
        for number in done..batches {
            let batch = state.wait_for(&mut epoch_batches);
            let (images, seed) = (batch.len(), setup.device_seed(epoch, number));
            let batch = setup.upload(batch, epoch, number, state.device());
            let pass = state.learner.gradients(&batch, setup.recipe.loss, state.device(), seed);
            meter.push(&pass.objective, batch.right(pass.outputs));
            gradients.add(pass.gradients, images);
            if setup.ends_step(number) {
                let learning_rate = state.learning_rate(setup, epoch, number);
                let gradients = gradients.take_mean();
                if setup.is_last(number) {
                    watch.event(Event::LastStep { gradients: &gradients });
                }
                state.learner.step(gradients, learning_rate);
            }
            let mut pause = Pause { setup, meter: &mut meter, saved: &mut saved, watch, save };
            if let Some(ending) = pause.after(state, epoch, number)? {
                return Ok(ending);
            }
        }
        let started = Instant::now();
        let validation = validate(setup, state)?;
        if !is_sound(setup, state, epoch, validation) {
            return Ok(Ending::Diverged { epoch, batch: batches });
        }
        let end = state.end_epoch(setup, validation, started.elapsed());
        let (record, is_best) = (&state.epochs[epoch - 1], end.is_best);
        watch.event(Event::EpochEnded { record, is_best, weights: state });
        save(state, &end.objectives)?;
        saved.restart();
        if setup.stop.is_requested() && state.next_epoch(setup).is_some() {
            return Ok(Ending::Interrupted);
        }
    }
    Ok(if state.has_stopped() { Ending::StoppedEarly } else { Ending::Finished })
}

/// Writes a checkpoint: of this state, after an epoch with these objectives, or inside one with none.
pub type Save<'a, N = Network, E = LoaderError> =
    dyn FnMut(&State<N>, &[f64]) -> Result<(), E> + 'a;

/// Saves nothing: for trainings that leave only what a [`Watch`] and their [`State`] know.
///
/// # Errors
///
/// Never.
pub fn no_save<N>(_: &State<N>, _: &[f64]) -> Result<(), LoaderError> {
    Ok(())
}

/// How a training ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ending {
    /// All epochs were trained.
    Finished,
    /// The criterion of early stopping was met.
    StoppedEarly,
    /// The training was asked to stop; a checkpoint was saved.
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

/// What is done between two batches, at most a few times a second: reading back what waits on the device,
/// telling how far training is, saving, heeding a request to stop, finding what is no longer finite.
struct Pause<'a, 'b, N, E> {
    setup: &'a Setup<'b>,
    meter: &'a mut Meter,
    saved: &'a mut CheckpointClock,
    watch: &'a mut dyn Watch,
    save: &'a mut Save<'b, N, E>,
}

impl<N: Classifier, E> Pause<'_, '_, N, E> {
    /// Pauses after batch number `number`, from 0, of `epoch`; gives how training ends if it ends here.
    fn after(
        &mut self,
        state: &mut State<N>,
        epoch: usize,
        number: usize,
    ) -> Result<Option<Ending>, E> {
        let setup = self.setup;
        let is_last = setup.is_last(number);
        // Gradients that wait for a step are in no checkpoint; an epoch's end has its own.
        let can_save = setup.ends_step(number) && !is_last;
        let stops = can_save && setup.stop.is_requested();
        let is_due = || self.saved.is_due(state.learner.optimizer.steps());
        let saves = stops || can_save && (setup.stop.is_save_requested() || is_due());
        if !(is_last || saves || self.meter.is_due()) {
            return Ok(None);
        }
        let first_new = state.current.objectives.len();
        self.meter.read_into(&mut state.current);
        let objectives = &state.current.objectives;
        if let Some(bad) = objectives[first_new..].iter().position(|loss| !loss.is_finite()) {
            return Ok(Some(Ending::Diverged { epoch, batch: first_new + bad + 1 }));
        }
        // The last step can break the weights without any batch after it to show it.
        if (saves || is_last) && !state.is_finite() {
            return Ok(Some(Ending::Diverged { epoch, batch: number + 1 }));
        }
        let rates = (first_new..objectives.len())
            .map(|batch| state.learning_rate(setup, epoch, batch))
            .collect::<Vec<_>>();
        self.watch.event(Event::Batches {
            epoch,
            trained: number + 1,
            so_far: &state.current,
            new: objectives.len() - first_new,
            objective: setup.mean(0, objectives),
            learning_rates: &rates,
        });
        if saves {
            (self.save)(state, &[])?;
            self.saved.restart();
        }
        Ok(stops.then_some(Ending::Interrupted))
    }
}

fn validate<N: Classifier>(
    setup: &Setup<'_>,
    state: &State<N>,
) -> Result<Option<Scores>, LoaderError> {
    if setup.prepared.valid.is_none() {
        return Ok(None);
    }
    let device = state.device().clone().without_autodiff();
    let answers = predict_validation(&state.evaluation_copy(), setup.prepared, &device)?;
    Ok(answers.map(|answers| answers.scores()))
}

/// Whether the end of `epoch` is one that training can go on from. Weights can be finite and yet too large for a
/// finite loss; what a rollback goes back to must not be such a state.
fn is_sound<N: Classifier>(
    setup: &Setup<'_>,
    state: &State<N>,
    epoch: usize,
    validation: Option<Scores>,
) -> bool {
    validation.is_none_or(|scores| scores.loss.is_finite())
        && (setup.recipe.on_divergence.is_stop()
            || Outlook::of(setup, state, epoch + 1, 0).objective.is_finite())
}
