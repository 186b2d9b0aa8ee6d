//! What a training needs of this machine's memory, measured on a few images before its first step, and set
//! beside what the process may have.
//!
//! Nothing is derived from the layers' shapes, which would have to follow every change of an architecture,
//! a kernel or a regularizer: the training's own code takes a few steps, evaluates a few images and makes a
//! checkpoint under the allocator's count. What it holds grows in proportion to the images, so that two sizes
//! of batch tell of all others. How near that comes is in `docs/guarantees.md`.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::sync::Arc;

use backburn_data::loader::{Batch, Delivered, Loader};
use backburn_models::parameters;
use burn::tensor::Device;

use crate::device_images::DeviceImages;
use crate::evaluate::test_time_augmentation::at_a_time;
use crate::evaluate::{self, predict};
use crate::memory::allocator::Count;
use crate::memory::blame::{cure, subject};
use crate::memory::limits::{Limit, limits, megabytes, resident};
use crate::optimize::gradients::Accumulated;
use crate::prepare::{PrepareError, Prepared, TRAIN_SAMPLE, loader_config};
use crate::recipe::Recipe;
use crate::run_folder::checkpoint;
use crate::session_error::SessionError;
use crate::setup::Setup;
use crate::state::{Best, State};
use crate::stop::Stop;
use crate::watch::{Watch, note};
use crate::weighing::Weighing;

/// Images of the two batches that are measured. Sixteen, because gradients of small layers are summed in
/// as many parts, but not in more parts than there are images.
const MEASURED: [usize; 2] = [16, 32];

/// Memory that is asked for, to what the system gives for it: blocks are rounded up, and some that were
/// given back suit no later request.
const OVERHEAD: f64 = 1.1;

/// Bytes that every training takes beside what is counted: the text of the program that is read in, what
/// the report is drawn with.
const OTHER: u64 = 50_000_000;

/// An estimate that is this many times too high is still one of what cannot fit.
const MARGIN: f64 = 1.5;

/// Bytes that a process needs in order to train.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Need {
    /// What it has already: data, program.
    pub(crate) resident: u64,
    /// What it will ask for.
    pub(crate) more: u64,
}

/// Checks that a training by `recipe` has the memory that it needs, as far as that is known. Says so if it is
/// doubtful.
///
/// # Errors
///
/// If it certainly has not, or a network cannot be built.
pub fn check(
    recipe: &Recipe,
    prepared: &Prepared,
    device: &Device,
    threads: usize,
    watch: &mut dyn Watch,
) -> Result<(), SessionError> {
    let limits = limits();
    let Some(resident) = resident() else { return Ok(()) };
    let loader = prepared.train_loader(recipe, threads).map_err(PrepareError::from)?;
    let ahead = batches_ahead(recipe, prepared, &loader, threads);
    let need = |bytes: u64| {
        let more = OVERHEAD * (bytes + ahead) as f64;
        Need { resident, more: more as u64 + OTHER }
    };
    // A GPU has memory of its own, of which the system tells nothing.
    let need = if recipe.place.backend.computes_on_the_host() {
        let mut trial = Trial::new(recipe, prepared, device, loader)?;
        // Most machines have more than this, which takes little time to tell.
        if judge(need(trial.upper_bound()), &limits) == Judgement::Fits {
            return Ok(());
        }
        need(trial.most_held()?)
    } else {
        need(0)
    };
    let said = |limit: &Limit, verdict: String| {
        format!(
            "training {} needs about {} of memory, and {} {verdict}",
            subject(recipe),
            megabytes(need.all()),
            limit.name,
        )
    };
    match judge(need, &limits) {
        Judgement::Fits => {}
        Judgement::MayNotFit(limit) => note(
            watch,
            &format!(
                "warning: {}; if it ends for lack of memory, {}",
                said(limit, format!("leaves about {} more than is taken", megabytes(limit.free))),
                cure(recipe)
            ),
        ),
        Judgement::CannotFit(limit) => {
            let why = said(limit, format!("is {}", megabytes(limit.most)));
            return Err(SessionError::CannotFit { why, cure: cure(recipe) });
        }
    }
    Ok(())
}

/// What a limit means for a need.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Judgement<'a> {
    Fits,
    /// More is needed, by the estimate, than is free.
    MayNotFit(&'a Limit),
    /// More is needed than there could ever be, though the estimate be [`MARGIN`] times too high.
    CannotFit(&'a Limit),
}

/// The limit that comes first in the way.
fn judge(need: Need, limits: &[Limit]) -> Judgement<'_> {
    let least = need.resident as f64 + need.more as f64 / MARGIN;
    let cannot = limits.iter().filter(|limit| least > limit.most as f64);
    if let Some(limit) = cannot.min_by_key(|limit| limit.most) {
        return Judgement::CannotFit(limit);
    }
    let may_not = limits.iter().filter(|limit| need.more > limit.free);
    may_not.min_by_key(|limit| limit.free).map_or(Judgement::Fits, Judgement::MayNotFit)
}

impl Need {
    /// The most that the process will have at once.
    fn all(self) -> u64 {
        self.resident + self.more
    }
}

/// Bytes of the batches that are ready or being made while another one is trained on.
fn batches_ahead(recipe: &Recipe, prepared: &Prepared, loader: &Loader, threads: usize) -> u64 {
    let config = loader_config(recipe.batch_size, recipe.last_batch, threads);
    let batches = (config.threads * (config.prefetch + 1)).min(loader.batches_per_epoch());
    let of_image =
        size_of::<f32>() * prepared.train.shape().pixels() + size_of::<u16>() + size_of::<usize>();
    (batches * recipe.batch_size * of_image + size_of::<usize>() * prepared.train.len()) as u64
}

/// A training that is given up after a few steps, and what it held of memory.
struct Trial<'a> {
    setup: Setup<'a>,
    state: State,
    count: Count,
    /// Bytes of the state: weights, what the optimizer keeps, averages.
    held: u64,
    /// The most bytes held beside the state in a step with one image.
    with_one: u64,
    /// Bytes more in a step with two.
    of_image: u64,
}

impl<'a> Trial<'a> {
    fn new(
        recipe: &'a Recipe,
        prepared: &'a Prepared,
        device: &Device,
        loader: Loader,
    ) -> Result<Self, SessionError> {
        let (checkpoint_every, weighing) = (None, Weighing::Images);
        let setup = Setup {
            recipe,
            prepared,
            loader,
            images: DeviceImages::default(),
            stop: Stop::new(),
            checkpoint_every,
            weighing,
            regularizers: Vec::new(),
        };
        let count = Count::begin();
        let mut state = State::to_restore(recipe, prepared, device)?;
        // From the first step on the optimizer has its averages.
        step(&setup, &mut state, 1);
        let ((), before) = count.peak_of(|| ());
        let [with_one, with_two] = [1, 2].map(|images| {
            let ((), peak) = count.peak_of(|| step(&setup, &mut state, images));
            peak.saturating_sub(before)
        });
        if recipe.validates() {
            let weights = parameters::export(&state.evaluation_copy());
            state.best = Some(Best { epoch: 1, weights });
        }
        let ((), held) = count.peak_of(|| ());
        let of_image = with_two.saturating_sub(with_one);
        Ok(Self { setup, state, count, held, with_one, of_image })
    }

    /// More than [`Trial::most_held`] will say, without measuring more: as if every image held twice what
    /// the second one added.
    fn upper_bound(&self) -> u64 {
        let images = self.setup.recipe.batch_size.max(evaluate::BATCH_SIZE) as u64;
        // Saving takes five times the state.
        7 * self.held + self.with_one + 2 * images * self.of_image
    }

    /// The most bytes that training, evaluating and saving hold at once.
    fn most_held(&mut self) -> Result<u64, SessionError> {
        let Self { setup: Setup { recipe, prepared, .. }, .. } = *self;
        let steps = MEASURED.map(|images| images.min(recipe.batch_size)).map(|images| {
            let step = || step(&self.setup, &mut self.state, images);
            (images, self.count.peak_of(step).1)
        });
        let evaluated = evaluate::BATCH_SIZE.min(prepared.train.len());
        let mut evaluations = [(0, 0); 2];
        for (evaluation, images) in evaluations.iter_mut().zip(MEASURED) {
            let images = images.min(evaluated);
            *evaluation = (images, self.evaluation(images)?);
        }
        let (saved, saving) = self.count.peak_of(|| {
            // It is read back before it takes the place of the one before.
            checkpoint::to_bytes(&self.state).map(|bytes| drop(bytes.clone()))
        });
        saved?;
        let evaluating = at(evaluated, evaluations) + answers(recipe, prepared);
        Ok(at(recipe.batch_size, steps).max(evaluating).max(saving))
    }

    /// The most bytes held while so many images are evaluated.
    fn evaluation(&self, images: usize) -> Result<u64, SessionError> {
        let prepared = self.setup.prepared;
        let sample = Arc::new(prepared.train.select(&(0..images).collect::<Vec<_>>()));
        let (network, device) =
            (self.state.evaluation_copy(), self.state.device().clone().without_autodiff());
        let (answers, peak) =
            self.count.peak_of(|| predict(&network, &sample, &prepared.normalization, &device));
        answers.map_err(PrepareError::from)?;
        Ok(peak)
    }
}

/// What an optimizer's step with batches of so many images takes.
fn step(setup: &Setup<'_>, state: &mut State, images: usize) {
    let shape = setup.prepared.train.shape();
    // The gradients of the batches before are held while those of another one are computed.
    let batches = setup.recipe.accumulate.min(2);
    let mut gradients = Accumulated::new(setup.weighing);
    for number in 0..batches {
        let batch = Batch {
            images: Delivered::Values(vec![0.0; images * shape.pixels()]),
            labels: vec![0; images],
            indices: vec![0; images],
            shape,
        };
        let (loss, seed) = (setup.recipe.loss, setup.device_seed(1, number));
        let batch = setup.upload(batch, 1, number, state.device());
        let pass = state.learner.gradients(&batch, loss, state.device(), seed);
        gradients.add(pass.gradients, images);
    }
    state.learner.step(gradients.take_mean(), 0.0);
}

/// What is held of the images that the final scores are of, and of the answers to them.
fn answers(recipe: &Recipe, prepared: &Prepared) -> u64 {
    let (train, test) = (&prepared.train, &prepared.data.test);
    let pixels = train.shape().pixels();
    let sample = if train.len() > TRAIN_SAMPLE { TRAIN_SAMPLE * pixels } else { 0 };
    let asked = test.len().max(TRAIN_SAMPLE.min(train.len()));
    // Logits as the device gives them, and log-probabilities in double precision.
    let of_row = size_of::<f64>() * prepared.classes();
    let of_answer = size_of::<f32>() * prepared.classes() + of_row;
    let in_views = recipe.tta.map_or(0, |views| {
        // The means, and of a chunk the images in one view, their mean so far and the plain answers.
        let chunk = views.asked_again(asked).min(at_a_time(train.shape()));
        asked * of_row + chunk * (pixels + 2 * of_row)
    });
    (sample + asked * of_answer + in_views) as u64
}

/// The line through two measurements of images and bytes, at so many images.
fn at(images: usize, [(few, least), (more, most)]: [(usize, u64); 2]) -> u64 {
    if more <= few || images <= more {
        return most.max(least);
    }
    let of_image = most.saturating_sub(least) as f64 / (more - few) as f64;
    (most as f64 + of_image * (images - more) as f64) as u64
}

#[cfg(test)]
mod tests {
    use backburn_models::{MlpConfig, ModelConfig};

    use super::*;
    use crate::recipe::built_in;

    fn limit(name: &str, most: u64, free: u64) -> Limit {
        Limit { name: name.into(), most, free }
    }

    const NEED: Need = Need { resident: 100, more: 1500 };

    #[test]
    fn what_fits_is_not_spoken_of() {
        assert_eq!(judge(NEED, &[limit("a", 1600, 1500)]), Judgement::Fits);
        assert_eq!(judge(NEED, &[]), Judgement::Fits);
    }

    #[test]
    fn what_is_doubtful_is_a_warning_and_never_an_error() {
        // The estimate is over what is free, but by less than it may be wrong.
        let limits = [limit("a", 1100, 1000)];
        assert_eq!(judge(NEED, &limits), Judgement::MayNotFit(&limits[0]));
        // What others have may be given back.
        let limits = [limit("a", 9000, 100)];
        assert_eq!(judge(NEED, &limits), Judgement::MayNotFit(&limits[0]));
    }

    #[test]
    fn what_cannot_fit_is_refused_and_the_tightest_limit_named() {
        let limits = [limit("a", 1099, 0), limit("b", 500, 500), limit("c", 9000, 1)];
        assert_eq!(judge(NEED, &limits), Judgement::CannotFit(&limits[1]));
    }

    #[test]
    fn a_need_grows_with_the_batch_and_with_the_network() {
        // What other tests hold would be counted too: in a process of its own.
        let alone = "--exact";
        if !std::env::args().any(|argument| argument == alone) {
            let name = "memory::need::tests::a_need_grows_with_the_batch_and_with_the_network";
            let program = std::env::current_exe().unwrap();
            let child = std::process::Command::new(program).args([alone, name]).output().unwrap();
            let said = String::from_utf8_lossy(&child.stdout);
            assert!(child.status.success() && said.contains("1 passed"), "{said}");
            return;
        }
        let prepared = Prepared::load(&recipe(1, &[8]), &mut |_| {}).unwrap();
        // Of few images, an evaluation or a checkpoint holds more than a step.
        let needs = [(16, &[64][..]), (1024, &[64]), (4096, &[64]), (4096, &[1024])];
        let needs = needs.map(|(batch_size, hidden)| {
            let recipe = recipe(batch_size, hidden);
            let loader = prepared.train_loader(&recipe, 1).unwrap();
            let mut trial = Trial::new(&recipe, &prepared, &Device::flex(), loader).unwrap();
            (trial.upper_bound(), trial.most_held().unwrap())
        });
        assert!(needs.is_sorted_by(|(_, less), (_, more)| less < more), "{needs:?}");
        assert!(needs.iter().all(|(bound, need)| need < bound), "{needs:?}");
        // 4096 images, and what a hidden layer and its gradient hold of them.
        let [.., (_, wide)] = needs;
        let least = 4096 * 4 * (784 + 2 * 1024);
        assert!((least..3 * least).contains(&wide), "{wide}, at least {least}");
    }

    fn recipe(batch_size: usize, hidden: &[usize]) -> Recipe {
        let mut recipe = built_in("digits").unwrap();
        recipe.batch_size = batch_size;
        recipe.model = ModelConfig::Mlp(MlpConfig { hidden: hidden.into(), ..Default::default() });
        recipe
    }

    #[test]
    fn the_need_lies_on_the_line_through_what_was_measured() {
        assert_eq!(at(100, [(16, 1016), (32, 1032)]), 1100);
        assert_eq!(at(8, [(8, 500), (8, 510)]), 510);
        assert_eq!(at(20, [(16, 1016), (20, 1020)]), 1020);
    }
}
