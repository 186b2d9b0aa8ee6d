//! The images that a fold holds out, with the labels that they are given, so that they can be asked about by a network
//! that has not seen these.
//!
//! Label noise is drawn over all images of a data set before folds are cut: an image has the same label, right or wrong,
//! in all trainings of a cross-validation, and a wrong one is held out as a wrong one. Scores on a fold, which are what a
//! training validates with, go by the labels that the data have all the same.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::sync::Arc;

use backburn_data::{DataError, DataSet, Fold, ImageSet, Mislabelled};
use rand_chacha::ChaCha8Rng;

use crate::recipe::Recipe;
use crate::seeds::Seeds;
use crate::wrong_labels::WrongLabels;

/// What a fold holds out.
#[derive(Clone, Debug)]
pub struct HeldOut {
    /// The places of the images among those that the data set has for training and validation, ascending.
    pub places: Vec<usize>,
    /// The images with the labels that they are given, with label noise the noisy ones.
    pub images: Arc<ImageSet>,
    /// Of each, whether label noise has made its label wrong; `None` without label noise.
    pub wrong: Option<Vec<bool>>,
    /// How many of their labels were replaced, some perhaps by themselves.
    pub replaced: usize,
}

impl HeldOut {
    /// What the recipe's fold holds out; `None` of a recipe without a fold.
    ///
    /// # Errors
    ///
    /// If there are fewer images than folds.
    pub fn of(data: &DataSet, recipe: &Recipe) -> Result<Option<Self>, DataError> {
        let Some(fold) = recipe.fold else { return Ok(None) };
        let places = places(fold, data, &mut Seeds::of(recipe).split())?;
        let Some(noisy) = noisy(data, recipe) else {
            let images = Arc::new(data.train.select(&places));
            return Ok(Some(Self { places, images, wrong: None, replaced: 0 }));
        };
        let wrong = places.iter().map(|place| noisy.wrong.binary_search(place).is_ok()).collect();
        let replaced = among(&noisy.replaced, &places).len();
        let images = Arc::new(noisy.images.select(&places));
        Ok(Some(Self { places, images, wrong: Some(wrong), replaced }))
    }
}

/// The places of a fold's images among those that the data set has for training and validation, ascending.
pub(crate) fn places(
    fold: Fold,
    data: &DataSet,
    rng: &mut ChaCha8Rng,
) -> Result<Vec<usize>, DataError> {
    match data.groups.as_deref() {
        Some(groups) => fold.places_by_groups(&data.train, groups, rng),
        None => fold.places(&data.train, rng),
    }
}

/// The images at `places`, which a fold trains on, with the recipe's label noise, and what that made wrong.
pub(crate) fn mislabelled(
    data: &DataSet,
    places: &[usize],
    recipe: &Recipe,
) -> (ImageSet, Option<WrongLabels>) {
    let (Some(noise), Some(noisy)) = (recipe.label_noise, noisy(data, recipe)) else {
        return (data.train.select(places), None);
    };
    let replaced = among(&noisy.replaced, places).len();
    let wrong = WrongLabels { noise, replaced, places: among(&noisy.wrong, places) };
    (noisy.images.select(places), Some(wrong))
}

/// All images that the data set has for training and validation, with the recipe's label noise.
fn noisy(data: &DataSet, recipe: &Recipe) -> Option<Mislabelled> {
    let noise = recipe.label_noise?;
    Some(noise.apply(&data.train, &mut Seeds::of(recipe).label_noise()))
}

/// Where among `places` those stand that are in `wanted`, which ascends; ascending.
fn among(wanted: &[usize], places: &[usize]) -> Vec<usize> {
    let is_wanted = |&(_, place): &(usize, &usize)| wanted.binary_search(place).is_ok();
    places.iter().enumerate().filter(is_wanted).map(|(at, _)| at).collect()
}

#[cfg(test)]
mod tests {
    use backburn_data::SplitSize;

    use super::*;
    use crate::prepare::Prepared;
    use crate::recipe::built_in;

    fn recipe(fold: &str, noise: &str) -> Recipe {
        let (fold, label_noise) = (fold.parse().ok(), noise.parse().ok());
        Recipe { fold, label_noise, ..built_in("digits").unwrap() }
    }

    #[test]
    fn an_image_has_the_same_label_wherever_it_is_trained_on_and_where_it_is_held_out() {
        for noise in ["20", "20:pairs"] {
            let prepared: Vec<Prepared> = (1..=3)
                .map(|fold| recipe(&format!("{fold}/3"), noise))
                .map(|recipe| Prepared::load(&recipe, &mut |_| {}).unwrap())
                .collect();
            let data = &prepared[0].data;
            let mut given = vec![Vec::new(); data.train.len()];
            let (mut wrong, mut replaced) = (0, 0);
            for (fold, prepared) in (1..).zip(&prepared) {
                let recipe = recipe(&format!("{fold}/3"), noise);
                let held_out = HeldOut::of(data, &recipe).unwrap().unwrap();
                assert_eq!(held_out.images.len(), prepared.valid.as_ref().unwrap().len());
                assert!(held_out.images.images().eq(prepared.valid.as_ref().unwrap().images()));
                for (at, &place) in held_out.places.iter().enumerate() {
                    let label = held_out.images.label(at);
                    given[place].push(label);
                    let is_wrong = held_out.wrong.as_ref().unwrap()[at];
                    assert_eq!(is_wrong, label != data.train.label(place));
                    // Validation goes by the data's own.
                    assert_eq!(prepared.valid.as_ref().unwrap().label(at), data.train.label(place));
                }
                let is_left = |place: &usize| held_out.places.binary_search(place).is_err();
                let left = (0..data.train.len()).filter(is_left);
                for (at, place) in left.enumerate() {
                    given[place].push(prepared.train.label(at));
                }
                wrong += held_out.wrong.unwrap().into_iter().filter(|is_wrong| *is_wrong).count();
                replaced += held_out.replaced;
            }
            assert!(
                given
                    .iter()
                    .all(|labels| labels.len() == 3 && labels.iter().all(|it| *it == labels[0]))
            );
            assert_eq!(replaced, data.train.len() / 5, "{noise}");
            assert!(wrong <= replaced && wrong > replaced * 4 / 5, "{noise}: {wrong}");
        }
    }

    #[test]
    fn what_a_fold_trains_on_knows_which_of_its_labels_are_wrong() {
        let mut recipe = recipe("2/4", "30");
        recipe.train_size = Some(SplitSize::Count(1000));
        let noisy = Prepared::load(&recipe, &mut |_| {}).unwrap();
        recipe.label_noise = None;
        let clean = Prepared::load(&recipe, &mut |_| {}).unwrap();
        assert!(noisy.train.images().eq(clean.train.images()));
        let wrong = noisy.wrong_labels.unwrap();
        let differs = |&at: &usize| noisy.train.label(at) != clean.train.label(at);
        assert_eq!(wrong.places, (0..1000).filter(differs).collect::<Vec<_>>());
        // 300 are expected, with a standard deviation of 14.
        assert!((230..370).contains(&wrong.replaced), "{}", wrong.replaced);
        assert!(HeldOut::of(&noisy.data, &Recipe { fold: None, ..recipe }).unwrap().is_none());
    }
}
