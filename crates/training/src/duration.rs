//! How long a training will take, told before it is begun.

use std::time::{Duration, Instant};

use crate::prepare::PrepareError;
use crate::recipe::Recipe;
use crate::session::make_ready;
use crate::session_error::SessionError;
use crate::setup::Setup;
use crate::state::State;
use crate::watch::Watch;

/// Batches that are trained before time is taken: the first ones choose kernels and fill caches.
const WARM_UP: usize = 3;

/// How long batches are trained to take their time.
const TRIED: Duration = Duration::from_millis(300);

/// A pass over images without gradients takes about this share of one with them: two of three products of matrices
/// are for gradients.
const EVALUATION_SHARE: f64 = 1.0 / 3.0;

/// Seconds that a run by `recipe` will take, from its data to its scores: some of its batches are trained, and what
/// comes of them is thrown away. Neither validation nor test images are looked at. What ends a run early is not
/// foreseen.
///
/// # Errors
///
/// If the data or the device cannot be used.
pub fn seconds(
    recipe: &Recipe,
    threads: usize,
    watch: &mut dyn Watch,
) -> Result<f64, SessionError> {
    let started = Instant::now();
    let (open, prepared) = make_ready(recipe, watch)?;
    let mut state = State::new(recipe, &prepared, &open.device)?;
    let setup =
        Setup::new(recipe, &prepared, threads).map_err(PrepareError::from)?.on_device(&open.device);
    let loading = started.elapsed().as_secs_f64();
    let numbered = (1..).flat_map(|epoch| {
        setup.batches(epoch).enumerate().map(move |(number, batch)| (epoch, number, batch))
    });
    let mut since = Instant::now();
    let mut images = 0;
    for (place, (epoch, number, batch)) in numbered.enumerate() {
        if place == WARM_UP {
            (since, images) = (Instant::now(), 0);
        }
        images += batch.len();
        let seed = setup.device_seed(epoch, number);
        let batch = setup.upload(batch, epoch, number, state.device());
        let pass = state.learner.gradients(&batch, recipe.loss, state.device(), seed);
        state.learner.step(pass.gradients, recipe.learning_rate);
        // Waits for a device that computes by itself.
        let _ = pass.objective.into_scalar::<f32>();
        if place >= WARM_UP && since.elapsed() > TRIED {
            break;
        }
    }
    let an_image = since.elapsed().as_secs_f64() / images as f64;
    let images = Images {
        of_an_epoch: setup.images_per_epoch(),
        train: prepared.train.len(),
        valid: prepared.valid.as_ref().map_or(0, |valid| valid.len()),
        test: prepared.data.test.len(),
    };
    Ok(loading + an_image * images.passes(recipe.epochs))
}

/// How many images a training is about.
struct Images {
    of_an_epoch: usize,
    train: usize,
    valid: usize,
    test: usize,
}

impl Images {
    /// Passes with gradients that take as long as all that is trained and scored in so many epochs.
    fn passes(&self, epochs: usize) -> f64 {
        // Training images are scored once at the end, validation images then and after every epoch.
        let scored = self.train.min(10_000) + self.test + self.valid * (epochs + 1);
        (self.of_an_epoch * epochs) as f64 + EVALUATION_SHARE * scored as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::built_in;
    use crate::watch::Silent;

    #[test]
    fn epochs_take_their_images_and_their_validation_and_the_end_its_scores() {
        let images = Images { of_an_epoch: 600, train: 660, valid: 90, test: 300 };
        let end = images.passes(0);
        assert!((end - (660.0 + 300.0 + 90.0) / 3.0).abs() < 1e-9, "{end}");
        for epochs in [1, 10, 1000] {
            let each = (images.passes(epochs) - end) / epochs as f64;
            assert!((each - (600.0 + 90.0 / 3.0)).abs() < 1e-9, "{each} in {epochs} epochs");
        }
        // Of very many, a sample is scored.
        let many = Images { train: 50_000, ..images };
        assert!((many.passes(0) - (10_000.0 + 390.0) / 3.0).abs() < 1e-9);
    }

    #[test]
    #[cfg(feature = "flex")]
    fn a_training_takes_some_time() {
        let recipe = Recipe { train_size: "200".parse().ok(), ..built_in("digits").unwrap() };
        let seconds = seconds(&recipe, 1, &mut Silent).unwrap();
        assert!(seconds.is_finite() && seconds > 0.0, "{seconds}");
    }
}
