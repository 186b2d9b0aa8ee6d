//! Which of a data set's images a recipe trains on and which it selects on, with which labels.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use backburn_data::{DataError, DataSet, ImageSet, Mislabelled, SplitSize};
use rand_chacha::ChaCha8Rng;

use crate::held_out;
use crate::recipe::Recipe;
use crate::seeds::Seeds;
use crate::wrong_labels::WrongLabels;

/// A data set's images as a recipe cuts them.
pub(crate) struct Split {
    /// Those to train on, with the labels to train on.
    pub(crate) train: ImageSet,
    /// Those to select on, with the labels that the data have.
    pub(crate) valid: ImageSet,
    pub(crate) wrong_labels: Option<WrongLabels>,
}

/// Training and validation images. Validation is drawn first, so that it stays the same for any
/// `train_size`; a set that keeps images apart for it has them as they are. Near copies stay on one side if the set
/// names their groups.
pub(crate) fn split(data: &DataSet, recipe: &Recipe) -> Result<Split, DataError> {
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
