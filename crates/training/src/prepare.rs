//! What training works with, made from a recipe: splits, loaders, a network on a device.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::sync::Arc;

use backburn_data::loader::{LastBatch, Loader, LoaderConfig, LoaderError, Sampling};
use backburn_data::normalization::{FittedNormalization, NormalizationError};
use backburn_data::pictures::PicturesError;
use backburn_data::{DataError, DataSet, ImageSet, SplitSize};
use backburn_models::whitening::{self, whiten};
use backburn_models::{FirstLayerInitialization, ModelError, Network};
use backburn_records::number::{counted, either};
use burn::tensor::Device;

use crate::class_weights::ClassWeights;
use crate::data_progress::DataProgress;
use crate::image_source::{self, ImageSourceError};
use crate::picture_facts::fitting_batch;
use crate::recipe::{Recipe, RecipeError};
use crate::seeds::{Purpose, Seeds};
use crate::starting_weights::{StartingWeightsError, begin_with};
use crate::training_split::{Split, split};
use crate::wrong_labels::WrongLabels;

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
    Pictures(#[from] PicturesError),
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    #[error(transparent)]
    Normalization(#[from] NormalizationError),
    #[error(transparent)]
    Loader(#[from] LoaderError),
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error(transparent)]
    StartingWeights(#[from] StartingWeightsError),
}

impl From<ImageSourceError> for PrepareError {
    fn from(error: ImageSourceError) -> Self {
        match error {
            ImageSourceError::Data(error) => Self::Data(error),
            ImageSourceError::Pictures(error) => Self::Pictures(error),
        }
    }
}

/// A data set cut and scaled as a recipe says.
#[derive(Debug)]
pub struct Prepared {
    /// The data set; its test split stays sealed.
    pub data: DataSet,
    /// Images to train on, with the labels to train on.
    pub train: Arc<ImageSet>,
    /// Which of these labels are not those that the data have; `None` without label noise.
    pub wrong_labels: Option<WrongLabels>,
    /// Images to select on, if any are kept for it.
    pub valid: Option<Arc<ImageSet>>,
    /// Normalization fitted on the training images.
    pub normalization: FittedNormalization,
    /// What an image of each class counts in the loss, in label order; `None` if all count the same.
    pub class_weights: Option<Vec<f64>>,
}

impl Prepared {
    /// Loads the recipe's data set and cuts it.
    ///
    /// # Errors
    ///
    /// If the data cannot be had, or the recipe asks for more images than there are.
    pub fn load(
        recipe: &Recipe,
        progress: &mut dyn FnMut(DataProgress<'_>),
    ) -> Result<Self, PrepareError> {
        Self::of(image_source::load(recipe, progress)?, recipe)
    }

    /// Cuts a data set as the recipe says, whatever data set the recipe names.
    ///
    /// # Errors
    ///
    /// If the recipe asks for more images than there are, or for what they cannot give.
    pub fn of(data: DataSet, recipe: &Recipe) -> Result<Self, PrepareError> {
        recipe.check()?;
        recipe.labels.check(data.train.classes()).map_err(RecipeError::from)?;
        recipe.augment.check(data.train.shape()).map_err(LoaderError::from)?;
        if let Some(Err(error)) = recipe.tta.map(|views| views.check(data.train.shape())) {
            return Err(RecipeError::Invalid(format!("`tta`: {error}")).into());
        }
        let Split { train, valid, wrong_labels } = split(&data, recipe)?;
        if recipe.validates() && valid.is_empty() {
            if data.groups.is_some() {
                return Err(RecipeError::Invalid(format!(
                    "`valid_size`: {} of {} leaves none for validation while near copies are kept \
                     on one side; set a greater `--valid-size`, or `--group-near-copies=off`",
                    recipe.valid_size,
                    counted(data.train.len(), "image")
                ))
                .into());
            }
            return Err(too_few_to_validate(&data, recipe).into());
        }
        if train.is_empty() {
            return Err(RecipeError::Invalid(
                "no image is left to train on; set a greater `--train-size` or a smaller \
                 `--valid-size`"
                    .into(),
            )
            .into());
        }
        if train.len() < recipe.batch_size {
            return Err(RecipeError::Invalid(format!(
                "`batch_size`: expected at most the {}, found {}; set `--batch-size {}`, or a \
                 greater `--train-size` if there is one",
                counted(train.len(), "training image"),
                recipe.batch_size,
                fitting_batch(train.len())
            ))
            .into());
        }
        let normalization = recipe.normalization.fit(&train)?;
        let weights = recipe.class_weights.as_ref();
        let weights = weights.map(|weights| weights.of(&train.class_counts(), &data.class_names));
        let class_weights = weights.transpose().map_err(RecipeError::Invalid)?;
        let valid = (!valid.is_empty()).then(|| Arc::new(valid));
        let train = Arc::new(train);
        Ok(Self { data, train, wrong_labels, valid, normalization, class_weights })
    }

    /// What a training by `recipe` should not keep to itself: classes that it cannot learn or be measured on,
    /// and settings that do nothing.
    pub fn notes(&self, recipe: &Recipe) -> Vec<String> {
        let mut notes = self.data.advice.clone();
        let splits = [
            ("training", "--train-size", Some(&self.train)),
            ("validation", "--valid-size", self.valid.as_ref()),
        ];
        for (split, flag, images) in splits {
            let Some(images) = images else { continue };
            let absent = absent_classes(images, &self.data.class_names);
            if !absent.is_empty() {
                notes.push(format!(
                    "the {} {} none of {}; a greater `{flag}` has more",
                    counted(images.len(), &format!("{split} image")),
                    either(images.len(), "has", "have"),
                    absent.join(", ")
                ));
            }
        }
        if let Some(noise) = self.wrong_labels.as_ref().filter(|it| it.places.is_empty()) {
            let (percent, labels) = (noise.noise, counted(self.train.len(), "training label"));
            notes.push(format!("`--label-noise {percent}` makes none of the {labels} wrong"));
        }
        notes.extend(self.missed_size(recipe));
        for (technique, on_labels) in recipe.labels.on() {
            let mixes = on_labels.changes == backburn_regularization::Changes::LabelsAndImages;
            if recipe.batch_size == 1 && mixes {
                let flag = technique.flag;
                notes.push(format!("`--{flag}` does nothing: a batch of one image has no pairs"));
            }
        }
        if recipe.class_weights == Some(ClassWeights::Balanced)
            && recipe.sampling == Sampling::Balanced
        {
            notes.push(
                "`--class-weights balanced` weighs by the images that there are, and `--sampling \
                 balanced` shows all classes as often: together they favour rare classes twice"
                    .to_owned(),
            );
        }
        notes
    }

    /// That the validation split that was drawn has another size than asked for, as groups of near copies are not cut.
    fn missed_size(&self, recipe: &Recipe) -> Option<String> {
        let drawn = recipe.fold.is_none() && self.data.valid.is_none();
        let valid = self.valid.as_ref().filter(|_| drawn && self.data.groups.is_some())?;
        let wanted = recipe.valid_size.of(self.data.train.len());
        (valid.len() != wanted).then(|| {
            format!(
                "near copies are kept on one side, which makes {} where `--valid-size {}` asks for \
                 {wanted}",
                counted(valid.len(), "validation image"),
                recipe.valid_size
            )
        })
    }

    /// Checks that batches of the recipe's size can be trained on.
    ///
    /// # Errors
    ///
    /// If batch normalization would see a single value of each unit in one of them.
    pub fn check_batches(&self, recipe: &Recipe) -> Result<(), RecipeError> {
        check_normalized(recipe, &self.train)
    }

    /// Checks that a run of the recipe's length has steps that train, and gives what the user should be
    /// told of settings that act over time and will not.
    ///
    /// # Errors
    ///
    /// As [`check_batches`](Self::check_batches), or if the schedule leaves every step without a learning rate,
    /// or Lookahead would never look.
    pub fn check_length(&self, recipe: &Recipe) -> Result<Vec<String>, RecipeError> {
        self.check_batches(recipe)?;
        check_lookahead(recipe, &self.train)?;
        let Recipe { epochs, schedule, .. } = *recipe;
        let steps_per_epoch = steps_per_epoch(recipe, self.train.len());
        schedule.check_steps(epochs, steps_per_epoch).map_err(RecipeError::Invalid)?;
        let stopping = recipe.early_stopping.and_then(|rule| {
            let earliest = rule.earliest();
            (earliest >= epochs).then(|| {
                let epochs = counted(epochs, "epoch");
                format!(
                    "early stopping by `{rule}` does nothing in a run of {epochs}: it stops after \
                     {earliest} at the earliest; set it to act sooner, or a greater `--epochs`"
                )
            })
        });
        Ok(schedule.idle(epochs, steps_per_epoch).into_iter().chain(stopping).collect())
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
        let counts = self.train.class_counts().into_iter();
        counts.map(|count| count as f32 / self.train.len() as f32).collect()
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

    /// The recipe's network as a training begins with it, and what there is to say of its weights if they come
    /// from a file. The file's first layer takes the place of one that whitens.
    ///
    /// # Errors
    ///
    /// As [`network`](Self::network), or if the file cannot be had or does not fit, or the first layer cannot whiten.
    pub fn begin(
        &self,
        recipe: &Recipe,
        device: &Device,
    ) -> Result<(Network, Option<String>), PrepareError> {
        let network = self.network(recipe, device)?;
        if let Some(init_from) = &recipe.init_from {
            let (network, said) = begin_with(network, &recipe.model, init_from)?;
            return Ok((network, Some(said)));
        }
        match recipe.initialization.first_layer {
            FirstLayerInitialization::Drawn => Ok((network, None)),
            FirstLayerInitialization::Whitening => {
                let (layer, images) = (recipe.model.first_layer(), self.images_to_whiten_by());
                let network = whiten(network, layer, self.image(), images);
                let network = network.map_err(|error| RecipeError::Invalid(error.to_string()))?;
                Ok((network, None))
            }
        }
    }

    /// Training images as the network sees them, `[channels, height, width]`: as many as whitening asks for, evenly
    /// spread over all, since pictures of people's own lie class by class.
    fn images_to_whiten_by(&self) -> impl Iterator<Item = Vec<f32>> + '_ {
        let shape = self.train.shape();
        let tables = self.normalization.tables();
        let (all, count) = (self.train.len(), self.train.len().min(whitening::MOST_IMAGES));
        (0..count).map(move |number| {
            let image = self.train.image(number * all / count);
            let planes = image.chunks_exact(shape.height * shape.width).zip(&tables);
            let values = planes.flat_map(|(plane, table)| {
                plane.iter().filter_map(move |byte| table.get(usize::from(*byte)).copied())
            });
            values.collect()
        })
    }

    /// The recipe's network with the weights that its initialization draws: what a training begins with unless
    /// there is a file of weights or the first layer whitens, and what saved ones are put into.
    ///
    /// # Errors
    ///
    /// If the model's settings are outside their range or the images too small for it.
    pub fn network(&self, recipe: &Recipe, device: &Device) -> Result<Network, ModelError> {
        let network = recipe.model.init(self.image(), self.classes(), device)?;
        let seeds = Seeds::of(recipe);
        Ok(recipe.initialization.apply(network, |name| seeds.weights(name)))
    }
}

/// That so few images leave none for validation, and of which class there are the fewest.
fn too_few_to_validate(data: &DataSet, recipe: &Recipe) -> RecipeError {
    let images = |count: usize| counted(count, "image");
    let counts = data.train.class_counts();
    let smallest = data.class_names.iter().zip(counts).min_by_key(|(_, count)| *count);
    let smallest = smallest.map_or_else(String::new, |(class, count)| {
        format!(" (the fewest, {}, of class `{class}`)", images(count))
    });
    RecipeError::Invalid(format!(
        "`valid_size`: {} of the {} to learn from{smallest} leaves none for validation; set \
         `--valid-size 0` to go without, or a greater one, or have more pictures",
        recipe.valid_size,
        images(data.train.len())
    ))
}

/// The names of the classes of which there is no image.
fn absent_classes(images: &ImageSet, names: &[String]) -> Vec<String> {
    let counts = images.class_counts().into_iter().enumerate();
    let absent = counts.filter(|(_, count)| *count == 0);
    let name = |class: usize| names.get(class).cloned().unwrap_or_else(|| class.to_string());
    absent.map(|(class, _)| name(class)).collect()
}

/// Checks that batch normalization has more than one value of each channel in every batch: a value less its own
/// mean is 0, whatever it was.
fn check_normalized(recipe: &Recipe, train: &ImageSet) -> Result<(), RecipeError> {
    let shape = train.shape();
    let values = recipe.model.normalized_values([shape.channels, shape.height, shape.width]);
    let (images, batch_size) = (train.len(), recipe.batch_size);
    let smallest = batch_size.min(recipe.last_batch.last_images(images, batch_size));
    // None at all are of an image that is too small, which the network says.
    if values.is_none_or(|values| values == 0 || values * smallest > 1) {
        return Ok(());
    }
    let model = recipe.model.name();
    let (found, cure) = if batch_size == 1 {
        ("batches of one image".to_owned(), "`--batch-size` to 2 or more, or `--batch-norm off`")
    } else {
        (
            format!("a last batch of one image, of {images} in batches of {batch_size}"),
            "`--last-batch merge` or `drop`, or another `--batch-size`",
        )
    };
    Err(RecipeError::Invalid(format!(
        "batch normalization in `{model}`: expected at least two values of each unit in a batch, \
         found {found}, where each value is its own mean and nothing is learned; set {cure}"
    )))
}

/// Steps of the optimizer in an epoch of so many images.
pub(crate) fn steps_per_epoch(recipe: &Recipe, images: usize) -> usize {
    recipe.last_batch.batches(images, recipe.batch_size).div_ceil(recipe.accumulate)
}

/// Checks that Lookahead looks at least once.
fn check_lookahead(recipe: &Recipe, train: &ImageSet) -> Result<(), RecipeError> {
    let Some(lookahead) = recipe.lookahead else { return Ok(()) };
    let steps = steps_per_epoch(recipe, train.len()).saturating_mul(recipe.epochs);
    if lookahead.steps <= steps as u64 {
        return Ok(());
    }
    Err(RecipeError::Invalid(format!(
        "`lookahead.steps`: expected at most the {} of the run, found {}: the slow weights would \
         never move; set a smaller k, as in `--lookahead k={steps}`, or more `--epochs`",
        counted(steps, "step"),
        lookahead.steps
    )))
}

/// How training loads its batches, if it computes with that many threads.
pub fn loader_config(batch_size: usize, last_batch: LastBatch, threads: usize) -> LoaderConfig {
    // More loader threads than this would take the cores from the network.
    let threads = threads.clamp(1, 4);
    LoaderConfig { batch_size, last_batch, threads, prefetch: PREFETCHED_BATCHES }
}

#[cfg(test)]
mod tests;
