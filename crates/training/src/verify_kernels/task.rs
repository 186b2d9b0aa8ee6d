//! What is trained for the comparison: a few batches, and a recipe without what draws from the device's
//! generator.

use backburn_data::loader::{Loader, LoaderConfig};
use backburn_models::{Architecture, ModelConfig, Network};
use backburn_regularization::MaxNorm;
use burn::tensor::Device;
use rand::RngExt;

use crate::optimize::optimizer::Optimizer;
use crate::prepare::{PrepareError, Prepared};
use crate::recipe::{Recipe, built_in};
use crate::seeds::Seeds;

/// Steps after which no more chances are given.
const MOST_STEPS: usize = 6;

/// Images and labels of one step.
#[derive(Clone, Debug)]
pub(super) struct Images {
    /// `[images, channels, height, width]`
    pub(super) pixels: Vec<f32>,
    pub(super) labels: Vec<u16>,
}

/// What is trained for the comparison.
#[derive(Clone, Debug)]
pub struct Task {
    pub(super) recipe: Recipe,
    /// Channels, height, width.
    pub(super) shape: [usize; 3],
    pub(super) classes: usize,
    pub(super) batches: Vec<Images>,
}

impl Task {
    /// The recipe's own network and optimizer on its own training images, not augmented.
    ///
    /// # Errors
    ///
    /// If the images do not fit their normalization.
    pub fn of(recipe: &Recipe, prepared: &Prepared) -> Result<Self, PrepareError> {
        let size = images_of_a_step(&recipe.model).min(prepared.train.len());
        let seeds = Seeds::of(recipe);
        let train = prepared.train.clone();
        let loader = Loader::new(
            train,
            &prepared.normalization,
            Default::default(),
            LoaderConfig::new(size),
        )?;
        let epoch = loader.epoch(&mut seeds.order(1), seeds.augmentation(1));
        let batches = epoch.take(MOST_STEPS);
        let batches = batches
            .map(|batch| Images { pixels: batch.images.into_values(), labels: batch.labels });
        Ok(Self {
            recipe: undisturbed(recipe),
            shape: prepared.image(),
            classes: prepared.classes(),
            batches: batches.collect(),
        })
    }

    /// An architecture in its default size, with Nesterov momentum and weight decay, on noise: colour
    /// images of odd and unequal sides, so that swapped axes and forgotten edges show.
    ///
    /// # Panics
    ///
    /// If the built-in recipe `digits` is gone.
    pub fn of_architecture(row: &Architecture) -> Self {
        const SHAPE: [usize; 3] = [3, 19, 17];
        let mut recipe = built_in("digits").expect("there is a recipe of that name");
        recipe.model = (row.config)();
        let size = images_of_a_step(&recipe.model);
        let mut rng = Seeds::of(&recipe).data("verify-kernels");
        let values = size * SHAPE.iter().product::<usize>();
        let batches = (0..MOST_STEPS).map(|_| Images {
            pixels: (0..values).map(|_| rng.random_range(-2.0..2.0)).collect(),
            labels: (0..size).map(|_| rng.random_range(0..10_u8).into()).collect(),
        });
        let batches = batches.collect();
        Self { recipe: undisturbed(&recipe), shape: SHAPE, classes: 10, batches }
    }

    /// The network with its initial weights.
    pub(super) fn network(&self, device: &Device) -> Result<Network, PrepareError> {
        let network = self.recipe.model.init(self.shape, self.classes, device)?;
        let seeds = Seeds::of(&self.recipe);
        Ok(self.recipe.initialization.apply(network, |name| seeds.weights(name)))
    }

    pub(super) fn optimizer(&self) -> Optimizer {
        Optimizer::new(self.recipe.optimizer, self.recipe.weight_decay)
            .with_l1(self.recipe.l1)
            .with_max_norm(self.recipe.max_norm.map(|limit| MaxNorm { limit }))
            .with_groups(self.recipe.groups.clone())
    }
}

/// The more values a network computes of an image, the fewer images, so that few steps come upon a kink.
fn images_of_a_step(model: &ModelConfig) -> usize {
    match model {
        ModelConfig::Mlp(_) => 64,
        ModelConfig::Cnn(_) | ModelConfig::LenetBn(_) | ModelConfig::Cifarnet(_) => 16,
        _ => 4,
    }
}

/// The recipe without what draws from the device's generator.
fn undisturbed(recipe: &Recipe) -> Recipe {
    let mut recipe = recipe.clone();
    // Through a head of zeros no gradient reaches the layers before it.
    recipe.initialization.head_factor = 1.0;
    *recipe.model.dropout_mut() = 0.0;
    for rate in [ModelConfig::spatial_dropout_mut, ModelConfig::stochastic_depth_mut] {
        if let Some(rate) = rate(&mut recipe.model) {
            *rate = 0.0;
        }
    }
    recipe
}
