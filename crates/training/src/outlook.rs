//! What a training makes of batches before any step, beside what guessing makes of them.

use backburn_models::Classifier;
use burn::tensor::{Tensor, TensorData};

use crate::device_batch::DeviceBatch;
use crate::loss::Loss;
use crate::setup::Setup;
use crate::state::State;

/// Two means over the images of a few batches.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outlook {
    /// What would be minimized.
    pub(crate) objective: f64,
    /// The same of a network that does not look at the images, see [`Loss::guess`].
    pub(crate) guess: f64,
}

impl Outlook {
    /// Takes the first batches of `epoch` (counted from 1): those of its first step, and further ones until there
    /// are `images` of them. Neither mean depends on any learning rate. Leaves no trace in the state.
    pub(crate) fn of<N: Classifier>(
        setup: &Setup<'_>,
        state: &State<N>,
        epoch: usize,
        images: usize,
    ) -> Self {
        let Setup { recipe, prepared, loader, weighing, .. } = setup;
        // Its running statistics are its own.
        let network = state.network().valid().train();
        let guess = recipe.loss.guess(&prepared.class_shares());
        let (mut objectives, mut guesses, mut seen) = (Vec::new(), Vec::new(), 0);
        for (number, batch) in setup.batches(epoch).enumerate() {
            if number >= recipe.accumulate && seen >= images {
                break;
            }
            seen += loader.batch_images(number);
            let batch = setup.upload(batch, epoch, number, state.device());
            state.device().seed(setup.device_seed(epoch, number));
            let (objective, _) = batch.objective(&network, recipe.loss);
            let value = |loss: Tensor<1>| f64::from(loss.into_scalar::<f32>());
            objectives.push((value(objective), loader.batch_images(number)));
            let guessed = value(cost_of(&batch, &guess, recipe.loss));
            guesses.push((guessed, loader.batch_images(number)));
        }
        Self { objective: weighing.mean(objectives), guess: weighing.mean(guesses) }
    }
}

/// What would be minimized if `outputs`, a value a class, were put out for every image; `[1]`.
fn cost_of(batch: &DeviceBatch, outputs: &[f32], loss: Loss) -> Tensor<1> {
    let shape = batch.targets.dims();
    let rows = outputs.repeat(shape[0]);
    let targets = batch.targets.clone().without_autodiff();
    loss.forward(Tensor::from_data(TensorData::new(rows, shape), &targets.device()), targets)
}
