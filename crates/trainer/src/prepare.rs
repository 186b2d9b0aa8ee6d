//! From a recipe to what training works with: splits, loaders, a network on a device.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::sync::Arc;

use backburn_data::loader::{LastBatch, Loader, LoaderConfig, LoaderError};
use backburn_data::normalization::{FittedNormalization, NormalizationError};
use backburn_data::{DataError, DataSet, FetchProgress, ImageSet, Source, SplitSize};
use backburn_models::{ModelError, Network};
use burn::tensor::Device;

use crate::recipe::{Recipe, RecipeError};
use crate::seeds::{Purpose, Seeds};

/// Batches that are ready before they are asked for, per loader thread.
const PREFETCHED_BATCHES: usize = 4;

/// Most training images that the final training accuracy is measured on.
pub const TRAIN_SAMPLE: usize = 10_000;

/// Why a recipe cannot be carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Each variant passes the error of that name on.
pub enum PrepareError {
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    #[error(transparent)]
    Normalization(#[from] NormalizationError),
    #[error(transparent)]
    Loader(#[from] LoaderError),
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// A data set cut and scaled as a recipe says.
#[derive(Debug)]
pub struct Prepared {
    /// The data set; its test split stays sealed.
    pub data: DataSet,
    /// Images to train on.
    pub train: Arc<ImageSet>,
    /// Images to select on, if any are kept for it.
    pub valid: Option<Arc<ImageSet>>,
    /// Fitted on the training images.
    pub normalization: FittedNormalization,
}

impl Prepared {
    /// Loads the recipe's data set and cuts it.
    ///
    /// # Errors
    ///
    /// If the data cannot be had, or the recipe asks for more images than there are.
    pub fn load(
        recipe: &Recipe,
        progress: &mut dyn FnMut(FetchProgress<'_>),
    ) -> Result<Self, PrepareError> {
        let source = Source::from_environment(recipe.data_dir.clone());
        let data = backburn_data::load_with_progress(&recipe.dataset, &source, progress)?;
        recipe.augment.check(data.train.shape()).map_err(LoaderError::from)?;
        let (train, valid) = split(&data.train, recipe)?;
        if recipe.validates() && valid.is_empty() {
            return Err(RecipeError::Setting {
                setting: "valid_size",
                expected: "at least one image, or 0 for no validation",
                found: format!("{} of {} images", recipe.valid_size, data.train.len()),
            }
            .into());
        }
        if train.is_empty() {
            return Err(RecipeError::Invalid(
                "no image is left to train on; set a greater `--train-size` or a smaller `--valid-size`".into(),
            )
            .into());
        }
        if train.len() < recipe.batch_size {
            return Err(RecipeError::Invalid(format!(
                "`batch_size`: expected at most the {} training images, found {}; set `--batch-size` or `--train-size`",
                train.len(),
                recipe.batch_size
            ))
            .into());
        }
        let normalization = recipe.normalization.fit(&train)?;
        let valid = (!valid.is_empty()).then(|| Arc::new(valid));
        Ok(Self { data, train: Arc::new(train), valid, normalization })
    }

    /// Channels, height and width of an image.
    pub fn image(&self) -> [usize; 3] {
        let shape = self.train.shape();
        [shape.channels, shape.height, shape.width]
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.train.classes()
    }

    /// Share of each class among the training images.
    pub(crate) fn class_shares(&self) -> Vec<f32> {
        let labels = (0..self.train.len()).map(|image| usize::from(self.train.label(image)));
        let mut counts = vec![0.0; self.classes()];
        for label in labels {
            if let Some(count) = counts.get_mut(label) {
                *count += 1.0;
            }
        }
        counts.into_iter().map(|count| count / self.train.len() as f32).collect()
    }

    /// Delivers training batches as the recipe says.
    ///
    /// # Errors
    ///
    /// If the batch size or the augmentation do not fit the images.
    pub fn train_loader(&self, recipe: &Recipe, threads: usize) -> Result<Loader, LoaderError> {
        let config = loader_config(recipe.batch_size, recipe.last_batch, threads);
        let train = Arc::clone(&self.train);
        Loader::new(train, &self.normalization, recipe.augment.clone(), config)
    }

    /// Up to [`TRAIN_SAMPLE`] training images, all classes in proportion.
    ///
    /// # Errors
    ///
    /// None in practice: the sample is no larger than the set.
    #[expect(clippy::indexing_slicing, reason = "one size gives one part")]
    pub fn train_sample(&self, seeds: Seeds) -> Result<Arc<ImageSet>, DataError> {
        if self.train.len() <= TRAIN_SAMPLE {
            return Ok(Arc::clone(&self.train));
        }
        let mut rng = seeds.streams(Purpose::Split).at(0, 1);
        let sample = SplitSize::Count(TRAIN_SAMPLE);
        let parts = backburn_data::stratified(&self.train, &[sample], &mut rng)?;
        Ok(Arc::new(self.train.select(&parts[0])))
    }

    /// The recipe's network with its initial weights.
    ///
    /// # Errors
    ///
    /// If the model's settings are outside their range or the images too small for it.
    pub fn network(&self, recipe: &Recipe, device: &Device) -> Result<Network, ModelError> {
        let network = recipe.model.init(self.image(), self.classes(), device)?;
        let seeds = Seeds::new(recipe.seed);
        Ok(recipe.initialization.apply(network, |name| seeds.weights(name)))
    }
}

/// How training loads its batches, if it computes with that many threads.
pub(crate) fn loader_config(
    batch_size: usize,
    last_batch: LastBatch,
    threads: usize,
) -> LoaderConfig {
    // More loader threads than this would take the cores from the network.
    let threads = threads.clamp(1, 4);
    LoaderConfig { batch_size, last_batch, threads, prefetch: PREFETCHED_BATCHES }
}

/// Training and validation images. Validation is drawn first, so that it stays the same for any
/// `train_size`.
fn split(published: &ImageSet, recipe: &Recipe) -> Result<(ImageSet, ImageSet), DataError> {
    let mut rng = Seeds::new(recipe.seed).split();
    let sizes: Vec<SplitSize> = [recipe.valid_size].into_iter().chain(recipe.train_size).collect();
    let mut parts = backburn_data::stratified(published, &sizes, &mut rng)?.into_iter();
    let valid = parts.next().unwrap_or_default();
    let train = parts.next().unwrap_or_else(|| {
        // Both are ascending.
        let mut kept = valid.iter().copied().peekable();
        (0..published.len()).filter(|&i| kept.next_if_eq(&i).is_none()).collect()
    });
    Ok((published.select(&train), published.select(&valid)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::built_in;

    fn digits(change: impl FnOnce(&mut Recipe)) -> Result<Prepared, PrepareError> {
        let mut recipe = built_in("digits").unwrap();
        change(&mut recipe);
        Prepared::load(&recipe, &mut |_| {})
    }

    #[test]
    fn validation_takes_its_share_and_training_the_rest() {
        let prepared = digits(|r| r.valid_size = SplitSize::Share(0.1)).unwrap();
        assert_eq!(prepared.train.len(), 9000);
        assert_eq!(prepared.valid.unwrap().len(), 1000);
    }

    #[test]
    fn no_image_is_in_both_splits() {
        let prepared = digits(|r| r.valid_size = SplitSize::Count(3000)).unwrap();
        let valid = prepared.valid.unwrap();
        let kept: std::collections::HashSet<&[u8]> =
            (0..valid.len()).map(|i| valid.image(i)).collect();
        assert_eq!(kept.len(), 3000);
        assert!((0..prepared.train.len()).all(|i| !kept.contains(prepared.train.image(i))));
    }

    #[test]
    fn validation_stays_the_same_for_any_training_size() {
        let valid = |train_size| digits(|r| r.train_size = train_size).unwrap().valid.unwrap();
        assert_eq!(valid(None).pixels(), valid(Some(SplitSize::Count(100))).pixels());
    }

    #[test]
    fn more_images_than_there_are_and_batches_larger_than_the_set_are_refused() {
        assert!(digits(|r| r.train_size = Some(SplitSize::Count(20_000))).is_err());
        let message = digits(|r| r.batch_size = 10_001).unwrap_err().to_string();
        assert!(message.contains("10001") && message.contains("--batch-size"), "{message}");
    }
}
