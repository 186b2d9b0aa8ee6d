//! What training works with, made from a recipe: splits, loaders, a network on a device.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::sync::Arc;

use backburn_data::loader::{LastBatch, Loader, LoaderConfig, LoaderError, Sampling};
use backburn_data::normalization::{FittedNormalization, NormalizationError};
use backburn_data::pictures::PicturesError;
use backburn_data::{DataError, DataSet, ImageSet, Mislabelled, SplitSize};
use backburn_models::whitening::{self, whiten};
use backburn_models::{FirstLayerInitialization, ModelError, Network};
use backburn_records::number::{counted, either};
use burn::tensor::Device;
use rand_chacha::ChaCha8Rng;

use crate::class_weights::ClassWeights;
use crate::data_progress::DataProgress;
use crate::held_out;
use crate::image_source::{self, ImageSourceError};
use crate::picture_facts::fitting_batch;
use crate::recipe::{Recipe, RecipeError};
use crate::seeds::{Purpose, Seeds};
use crate::starting_weights::{StartingWeightsError, begin_with};
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
    if values.is_none_or(|values| values * smallest > 1) {
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

/// A data set's images as a recipe cuts them.
struct Split {
    /// Those to train on, with the labels to train on.
    train: ImageSet,
    /// Those to select on, with the labels that the data have.
    valid: ImageSet,
    wrong_labels: Option<WrongLabels>,
}

/// Training and validation images. Validation is drawn first, so that it stays the same for any
/// `train_size`; a set that keeps images apart for it has them as they are. Near copies stay on one side if the set
/// names their groups.
fn split(data: &DataSet, recipe: &Recipe) -> Result<Split, DataError> {
    let published = &data.train;
    let mut rng = Seeds::of(recipe).split();
    if let Some(fold) = recipe.fold {
        let valid = held_out::places(fold, data, &mut rng)?;
        let left = all_but(&valid, published.len());
        let chosen = some_of(published.select(&left), recipe.train_size, &mut rng)?.1;
        let places = match chosen {
            Some(chosen) => chosen.iter().filter_map(|&at| left.get(at).copied()).collect(),
            None => left,
        };
        let (train, wrong_labels) = held_out::mislabelled(data, &places, recipe);
        return Ok(Split { train, valid: published.select(&valid), wrong_labels });
    }
    let (train, valid) = match data.valid.as_ref().filter(|_| recipe.validates()) {
        Some(valid) => (some_of(published.clone(), recipe.train_size, &mut rng)?.0, valid.clone()),
        None => drawn(data, recipe, &mut rng)?,
    };
    let (train, wrong_labels) = mislabel(train, recipe);
    Ok(Split { train, valid, wrong_labels })
}

/// Training and validation images, both drawn.
fn drawn(
    data: &DataSet,
    recipe: &Recipe,
    rng: &mut ChaCha8Rng,
) -> Result<(ImageSet, ImageSet), DataError> {
    let published = &data.train;
    let sizes: Vec<SplitSize> = [recipe.valid_size].into_iter().chain(recipe.train_size).collect();
    let parts = match data.groups.as_deref() {
        Some(groups) => backburn_data::stratified_by_groups(published, groups, &sizes, rng)?,
        None => backburn_data::stratified(published, &sizes, rng)?,
    };
    let mut parts = parts.into_iter();
    let valid = parts.next().unwrap_or_default();
    let train = parts.next().unwrap_or_else(|| all_but(&valid, published.len()));
    Ok((published.select(&train), published.select(&valid)))
}

/// The training images with the recipe's label noise, and what it made wrong.
fn mislabel(train: ImageSet, recipe: &Recipe) -> (ImageSet, Option<WrongLabels>) {
    let Some(noise) = recipe.label_noise else { return (train, None) };
    let drawn = noise.apply(&train, &mut Seeds::of(recipe).label_noise());
    let Mislabelled { images, replaced, wrong } = drawn;
    (images, Some(WrongLabels { noise, replaced: replaced.len(), places: wrong }))
}

/// So many of the images, all classes in proportion, and their places; all, without places, if no size is asked for.
fn some_of(
    images: ImageSet,
    size: Option<SplitSize>,
    rng: &mut ChaCha8Rng,
) -> Result<(ImageSet, Option<Vec<usize>>), DataError> {
    let Some(size) = size else { return Ok((images, None)) };
    let places = backburn_data::stratified(&images, &[size], rng)?.concat();
    Ok((images.select(&places), Some(places)))
}

/// The places below `count` that are not among `places`; both ascend.
fn all_but(places: &[usize], count: usize) -> Vec<usize> {
    let mut kept = places.iter().copied().peekable();
    (0..count).filter(|&i| kept.next_if_eq(&i).is_none()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use backburn_models::{MlpConfig, ModelConfig, parameters};
    use backburn_regularization::Lookahead;

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
        let kept: HashSet<&[u8]> = (0..valid.len()).map(|i| valid.image(i)).collect();
        assert_eq!(kept.len(), 3000);
        assert!((0..prepared.train.len()).all(|i| !kept.contains(prepared.train.image(i))));
    }

    #[test]
    fn folds_validate_every_image_once_and_train_on_the_others() {
        let fold = |number| digits(|r| r.fold = backburn_data::Fold::new(number, 4)).unwrap();
        let folds: Vec<Prepared> = (1..=4).map(fold).collect();
        let all = folds[0].data.train.len();
        let mut validated: Vec<&[u8]> = Vec::new();
        for prepared in &folds {
            let valid = prepared.valid.as_ref().unwrap();
            assert_eq!((prepared.train.len(), valid.len()), (all - all / 4, all / 4));
            assert!(valid.class_counts().iter().all(|&count| count == all / 40));
            validated.extend(valid.images());
        }
        let count = |images: Vec<&[u8]>| {
            let mut images = images;
            images.sort_unstable();
            images.iter().map(|image| image.to_vec()).collect::<Vec<_>>()
        };
        assert_eq!(count(validated), count(folds[0].data.train.images().collect()));
        let few =
            digits(|r| (r.fold, r.train_size) = ("1/4".parse().ok(), Some(SplitSize::Count(100))));
        let few = few.unwrap();
        assert_eq!((few.train.len(), few.valid), (100, folds[0].valid.clone()));
    }

    /// Digits of which every three in a row of a class are near copies of each other, as somebody says.
    fn in_threes(change: impl Fn(&mut Recipe)) -> (Prepared, Vec<Vec<Vec<u8>>>) {
        let mut recipe = built_in("digits").unwrap();
        change(&mut recipe);
        let plain = digits(|_| {}).unwrap().data;
        let mut seen = [0; 10];
        let group = |&label: &u16| {
            seen[usize::from(label)] += 1;
            usize::from(label) + 10 * ((seen[usize::from(label)] - 1) / 3)
        };
        let groups: Vec<usize> = plain.train.labels().iter().map(group).collect();
        let mut images = vec![Vec::new(); groups.iter().max().unwrap() + 1];
        for (place, &group) in groups.iter().enumerate() {
            images[group].push(plain.train.image(place).to_vec());
        }
        let data = DataSet { groups: Some(groups), ..plain };
        (Prepared::of(data, &recipe).unwrap(), images)
    }

    #[test]
    fn near_copies_are_on_one_side_of_every_split_that_is_drawn() {
        type Change = fn(&mut Recipe);
        let changes: [Change; 4] = [
            |r| r.valid_size = SplitSize::Count(1000),
            |r| (r.valid_size, r.train_size) = (SplitSize::Share(0.1), Some(SplitSize::Count(500))),
            |r| r.fold = "2/7".parse().ok(),
            |r| (r.fold, r.train_size) = ("1/2".parse().ok(), Some(SplitSize::Share(0.5))),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let (prepared, groups) = in_threes(change);
            let valid = prepared.valid.clone().unwrap();
            let (valid, train): (HashSet<&[u8]>, HashSet<&[u8]>) =
                (valid.images().collect(), prepared.train.images().collect());
            for group in groups {
                let is_in = |split: &HashSet<&[u8]>| {
                    group.iter().any(|image| split.contains(image.as_slice()))
                };
                assert!(!(is_in(&valid) && is_in(&train)), "split {number}");
            }
            // A tenth or less of each class, to within a group.
            let counts = prepared.valid.as_ref().unwrap().class_counts();
            let share = prepared.valid.as_ref().unwrap().len() / 10;
            assert!(counts.iter().all(|count| count.abs_diff(share) <= 3), "{counts:?}");
        }
    }

    #[test]
    fn a_size_that_groups_miss_is_told() {
        let change = |r: &mut Recipe| r.valid_size = SplitSize::Count(1001);
        let (prepared, _) = in_threes(change);
        let mut recipe = built_in("digits").unwrap();
        change(&mut recipe);
        let found = prepared.valid.as_ref().unwrap().len();
        let notes = prepared.notes(&recipe);
        assert_eq!(notes.len(), usize::from(found != 1001), "{notes:?}");
        recipe.valid_size = SplitSize::Count(found + 7);
        let notes = prepared.notes(&recipe);
        assert!(notes[0].contains(&format!("asks for {}", found + 7)), "{notes:?}");
    }

    #[test]
    fn label_noise_changes_training_labels_and_nothing_else() {
        let clean = digits(|r| r.train_size = Some(SplitSize::Count(1000))).unwrap();
        assert_eq!(clean.wrong_labels, None);
        for noise in ["20", "20:pairs", "100"] {
            let noisy = digits(|r| {
                r.train_size = Some(SplitSize::Count(1000));
                r.label_noise = noise.parse().ok();
                r.class_weights = Some(ClassWeights::Balanced);
            });
            let noisy = noisy.unwrap();
            let wrong = noisy.wrong_labels.as_ref().unwrap();
            assert_eq!(wrong.replaced, if noise == "100" { 1000 } else { 200 });
            let differs = |&i: &usize| noisy.train.label(i) != clean.train.label(i);
            let differing: Vec<usize> = (0..1000).filter(differs).collect();
            assert_eq!(wrong.places, differing, "{noise}");
            assert!(noisy.train.images().eq(clean.train.images()));
            assert_eq!((&noisy.valid, &noisy.data.train), (&clean.valid, &clean.data.train));
            assert_eq!(noisy.normalization, clean.normalization);
            // An image's weight is that of the label that it is trained on.
            let weigh = |count: usize| 1000.0 / (10.0 * count as f64);
            let weights = noisy.train.class_counts().into_iter().map(weigh).collect::<Vec<_>>();
            assert_eq!(noisy.class_weights.as_ref(), Some(&weights));
        }
    }

    #[test]
    fn one_data_seed_gives_several_seeds_the_same_images_and_labels() {
        let drawn = |change: fn(&mut Recipe)| {
            let prepared = digits(|r| {
                r.train_size = Some(SplitSize::Count(500));
                r.label_noise = "30".parse().ok();
                change(r);
            });
            let Prepared { train, valid, wrong_labels, .. } = prepared.unwrap();
            (train, valid, wrong_labels)
        };
        let plain = drawn(|_| {});
        assert_eq!(drawn(|r| r.data_seed = Some(1)), plain);
        assert_eq!(drawn(|r| (r.seed, r.data_seed) = (2, Some(1))), plain);
        assert_eq!(drawn(|r| r.replicate = 5), plain);
        assert_eq!(drawn(|r| r.data_seed = Some(2)), drawn(|r| r.seed = 2));
        let (other, valid, wrong) = drawn(|r| r.seed = 2);
        assert!(other != plain.0 && valid != plain.1 && wrong != plain.2);
        // Noise is drawn over all 10,000 images, whatever fold they are in; those that a fold validates with are clean.
        let fold = |noise: &str| {
            let change = |r: &mut Recipe| {
                (r.fold, r.label_noise) = ("2/4".parse().ok(), noise.parse().ok());
            };
            digits(change).unwrap()
        };
        let replaced = fold("20").wrong_labels.unwrap().replaced;
        assert!((1400..1600).contains(&replaced), "{replaced}");
        assert_eq!(fold("20").valid, fold("none").valid);
    }

    #[test]
    fn noise_that_makes_no_label_wrong_is_told() {
        let notes = |noise: &str| {
            let mut recipe = built_in("digits").unwrap();
            recipe.train_size = Some(SplitSize::Count(200));
            recipe.label_noise = noise.parse().ok();
            Prepared::load(&recipe, &mut |_| {}).unwrap().notes(&recipe)
        };
        assert_eq!(notes("5:pairs"), [""; 0]);
        let told = notes("0.1");
        assert!(told[0].contains("`--label-noise 0.1` makes none of the 200"), "{told:?}");
    }

    #[test]
    fn class_weights_are_those_of_the_images_that_are_trained_on() {
        let prepared = digits(|r| r.class_weights = Some(ClassWeights::Balanced)).unwrap();
        assert_eq!(prepared.class_weights, Some(vec![1.0; 10]));
        let table = [("cat".to_owned(), 1.0)].into();
        let error = digits(|r| r.class_weights = Some(ClassWeights::Given(table))).unwrap_err();
        assert!(error.to_string().contains("not among them: `cat`"), "{error}");
    }

    #[test]
    fn validation_stays_the_same_for_any_training_size() {
        let valid = |train_size| digits(|r| r.train_size = train_size).unwrap().valid.unwrap();
        assert_eq!(valid(None), valid(Some(SplitSize::Count(100))));
    }

    fn length_of(change: impl Fn(&mut Recipe)) -> Result<Vec<String>, RecipeError> {
        let mut recipe = built_in("digits").unwrap();
        change(&mut recipe);
        Prepared::load(&recipe, &mut |_| {}).unwrap().check_length(&recipe)
    }

    #[test]
    fn batch_normalization_over_one_value_is_refused() {
        let mlp = |r: &mut Recipe| {
            let hidden = vec![8];
            r.model = ModelConfig::Mlp(MlpConfig { hidden, dropout: 0.0, batch_norm: true });
            r.train_size = Some(SplitSize::Count(129));
        };
        let of = |last_batch, batch_size| {
            length_of(|r| {
                mlp(r);
                (r.last_batch, r.batch_size) = (last_batch, batch_size);
            })
        };
        let message = of(LastBatch::Keep, 128).unwrap_err().to_string();
        for part in ["last batch of one image, of 129", "--last-batch merge` or `drop"] {
            assert!(message.contains(part), "{message}");
        }
        for last_batch in [LastBatch::Drop, LastBatch::Merge] {
            of(last_batch, 128).unwrap();
            let message = of(last_batch, 1).unwrap_err().to_string();
            assert!(message.contains("--batch-norm off"), "{message}");
        }
        of(LastBatch::Keep, 127).unwrap();
        // Convolutions have pixels enough.
        length_of(|r| r.batch_size = 1).unwrap();
    }

    #[test]
    fn classes_without_an_image_are_named() {
        let notes = |train, valid| {
            let change = |r: &mut Recipe| {
                r.train_size = Some(SplitSize::Count(train));
                r.valid_size = SplitSize::Count(valid);
                r.batch_size = 1;
            };
            let prepared = digits(change).unwrap();
            let mut recipe = built_in("digits").unwrap();
            change(&mut recipe);
            prepared.notes(&recipe)
        };
        assert!(notes(10, 10).is_empty());
        let few = notes(8, 3);
        assert!(few[0].starts_with("the 8 training images have none of "), "{few:?}");
        assert_eq!(few[0].matches(", ").count(), 1, "{few:?}");
        assert!(few[1].starts_with("the 3 validation images") && few[1].contains("--valid-size"));
        let least = notes(1, 1);
        assert!(least[0].starts_with("the 1 training image has none of "), "{least:?}");
        assert!(least[1].starts_with("the 1 validation image has none of "), "{least:?}");
    }

    #[test]
    fn pairs_within_batches_of_one_image_are_noted_to_do_nothing() {
        let mut recipe = built_in("digits").unwrap();
        recipe.labels.mixup.alpha = 0.2;
        let prepared = Prepared::load(&recipe, &mut |_| {}).unwrap();
        assert!(prepared.notes(&recipe).is_empty());
        recipe.batch_size = 1;
        let notes = prepared.notes(&recipe);
        assert!(notes[0].contains("--mixup") && notes.len() == 1, "{notes:?}");
    }

    #[test]
    fn a_first_layer_that_whitens_is_made_of_training_images_and_all_else_is_drawn() {
        let device = Device::flex();
        let begin = |change: fn(&mut Recipe)| {
            let mut recipe = built_in("digits").unwrap();
            (recipe.train_size, recipe.batch_size) = (Some(SplitSize::Count(60)), 10);
            change(&mut recipe);
            let prepared = Prepared::load(&recipe, &mut |_| {}).unwrap();
            let (network, said) = prepared.begin(&recipe, &device).unwrap();
            assert_eq!(said, None);
            (parameters::export(&network), prepared)
        };
        let whitening: fn(&mut Recipe) =
            |r| r.initialization.first_layer = FirstLayerInitialization::Whitening;
        let (drawn, _) = begin(|_| {});
        let (whitened, prepared) = begin(whitening);
        assert_eq!(whitened[1..], drawn[1..]);
        assert_ne!(whitened[0], drawn[0]);
        assert_eq!(begin(whitening).0, whitened);
        // Of the same weights, whatever the seed draws, but not of another scale of the pixels.
        let of = |change: fn(&mut Recipe)| begin(change).0[0].values.clone();
        let seeded = of(|r| {
            r.initialization.first_layer = FirstLayerInitialization::Whitening;
            (r.seed, r.data_seed) = (2, Some(1));
        });
        assert_eq!(seeded, whitened[0].values);
        let scaled = of(|r| {
            r.initialization.first_layer = FirstLayerInitialization::Whitening;
            r.normalization = backburn_data::normalization::Normalization::None;
        });
        assert_ne!(scaled, whitened[0].values);
        // As training sees them.
        let images: Vec<Vec<f32>> = prepared.images_to_whiten_by().collect();
        assert_eq!(images.len(), 60);
        for (number, image) in images.iter().enumerate() {
            let expected = prepared.train.image(number);
            let expected = expected.iter().map(|pixel| prepared.normalization.apply(0, *pixel));
            assert!(image.iter().copied().eq(expected));
        }
    }

    #[test]
    fn many_images_are_whitened_by_a_part_that_is_spread_over_all() {
        let mut prepared = digits(|_| {}).unwrap();
        let taken = |prepared: &Prepared| prepared.images_to_whiten_by().collect::<Vec<_>>();
        let all = prepared.train.len();
        let places: Vec<usize> = (0..5000).map(|number| number * all / 5000).collect();
        assert_eq!((all, places[4999] + 1), (9000, 8999));
        let found = taken(&prepared);
        prepared.train = Arc::new(prepared.train.select(&places));
        assert_eq!(taken(&prepared), found);
    }

    #[test]
    fn lookahead_that_never_looks_is_refused() {
        let steps = |steps| {
            length_of(|r| {
                r.lookahead = Some(Lookahead { steps, alpha: 0.5 });
                // Ten batches make four steps an epoch.
                (r.train_size, r.batch_size) = (Some(SplitSize::Count(95)), 10);
                (r.accumulate, r.epochs) = (3, 2);
            })
        };
        steps(8).unwrap();
        let message = steps(9).unwrap_err().to_string();
        assert!(message.contains("at most the 8 steps of the run, found 9"), "{message}");
    }

    #[test]
    fn what_does_nothing_in_so_short_a_run_is_told_and_what_trains_nothing_refused() {
        let notes = |change: fn(&mut Recipe)| {
            let mut recipe = built_in("digits").unwrap();
            (recipe.batch_size, recipe.train_size) = (100, Some(SplitSize::Count(200)));
            change(&mut recipe);
            Prepared::load(&recipe, &mut |_| {}).unwrap().check_length(&recipe)
        };
        assert_eq!(notes(|_| {}), Ok(Vec::new()));
        // Two batches an epoch make one step.
        let one_step = notes(|r| (r.epochs, r.accumulate) = (1, 2)).unwrap_err().to_string();
        assert!(
            one_step.contains("`one-cycle` trains every step of this run, 1 in all, at"),
            "{one_step}"
        );
        let told = notes(|r| {
            r.schedule = "step=6".parse().unwrap();
            r.early_stopping = "patience=5".parse().ok();
        });
        let told = told.unwrap();
        assert!(told[0].contains("`step=6:0.1` does the same as `constant`"), "{told:?}");
        assert!(told[1].contains("`patience=5` does nothing in a run of 6 epochs"), "{told:?}");
        let told = notes(|r| {
            r.schedule = "step=5".parse().unwrap();
            r.early_stopping = "patience=4".parse().ok();
        });
        assert_eq!(told, Ok(Vec::new()));
    }

    #[test]
    fn more_images_than_there_are_and_batches_larger_than_the_set_are_refused() {
        assert!(digits(|r| r.train_size = Some(SplitSize::Count(20_000))).is_err());
        let message = digits(|r| r.tta = "shift=28".parse().ok()).unwrap_err().to_string();
        assert!(message.contains("`tta`: `shift=28`") && message.contains("28×28"), "{message}");
        let message = digits(|r| r.batch_size = 10_001).unwrap_err().to_string();
        assert!(message.contains("10001") && message.contains("--batch-size"), "{message}");
    }
}
