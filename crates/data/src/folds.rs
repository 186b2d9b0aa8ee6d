//! K-fold cross-validation: each of K parts validates what is trained on the others.

use std::fmt;
use std::str::FromStr;

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::de::{Deserialize, Deserializer, Error};
use serde::{Serialize, Serializer};

use crate::error::DataError;
use crate::grouped_split::dealt_by_groups;
use crate::image_set::ImageSet;

/// One of K folds, written `2/5`.
///
/// Stone, [Cross-Validatory Choice and Assessment of Statistical Predictions](
/// https://doi.org/10.1111/j.2517-6161.1974.tb00994.x), 1974.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fold {
    number: usize,
    of: usize,
}

/// More folds than anybody has the time for; asking for more is taken for a mistake.
const MOST_FOLDS: usize = 1000;

impl Fold {
    /// Fold `number`, counted from 1, of `of`. `None` if there is no such one, or `of` is not from 2 to 1000.
    pub fn new(number: usize, of: usize) -> Option<Self> {
        ((2..=MOST_FOLDS).contains(&of) && (1..=of).contains(&number))
            .then_some(Self { number, of })
    }

    /// All folds of so many; `None` if that is not from 2 to 1000.
    pub fn all(of: usize) -> Option<Vec<Self>> {
        (1..=of.min(MOST_FOLDS + 1)).map(|number| Self::new(number, of)).collect()
    }

    /// Its number, counted from 1.
    pub fn number(self) -> usize {
        self.number
    }

    /// How many folds there are.
    pub fn of(self) -> usize {
        self.of
    }

    /// The places of its images, ascending. With the same generator, the folds of a set have no image in common
    /// and all images together; their sizes differ by one at most, and so do the images that they have of a class.
    ///
    /// # Errors
    ///
    /// If there are fewer images than folds.
    pub fn places(self, set: &ImageSet, rng: &mut ChaCha8Rng) -> Result<Vec<usize>, DataError> {
        if set.len() < self.of {
            let reason = format!("{} folds need at least as many images", self.of);
            return Err(DataError::Split { images: set.len(), reason });
        }
        let mut by_class = vec![Vec::new(); set.classes()];
        for (place, &label) in set.labels().iter().enumerate() {
            if let Some(places) = by_class.get_mut(usize::from(label)) {
                places.push(place);
            }
        }
        by_class.iter_mut().for_each(|places| places.shuffle(rng));
        // Dealt out like cards, one class after the other without beginning anew.
        let dealt = by_class.into_iter().flatten().skip(self.number - 1).step_by(self.of);
        let mut places: Vec<usize> = dealt.collect();
        places.sort_unstable();
        Ok(places)
    }

    /// The places of its images like [`places`](Self::places), but images of one group are in one fold. `groups` names
    /// the group of each image, such as [`groups`](crate::near_copies::groups) finds them. Where every group is of one
    /// class, two folds differ in a class by its greatest group at most.
    ///
    /// # Errors
    ///
    /// If there are fewer groups than folds, or `groups` are not as many as the images.
    pub fn places_by_groups(
        self,
        set: &ImageSet,
        groups: &[usize],
        rng: &mut ChaCha8Rng,
    ) -> Result<Vec<usize>, DataError> {
        let dealt = dealt_by_groups(set, groups, self.of, rng)?;
        Ok(dealt.into_iter().nth(self.number - 1).unwrap_or_default())
    }
}

impl fmt::Display for Fold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl FromStr for Fold {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(number, of)| {
            Self::new(number.trim().parse().ok()?, of.trim().parse().ok()?)
        });
        numbers.ok_or_else(|| {
            format!("expected a fold of 2 to {MOST_FOLDS}, such as 1/5, found `{text}`")
        })
    }
}

impl Serialize for Fold {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fold {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::image_set::ImageShape;

    fn set(labels: Vec<u16>) -> ImageSet {
        let shape = ImageShape { channels: 1, height: 1, width: 1 };
        ImageSet::new(shape, 4, vec![0; labels.len()], labels).unwrap()
    }

    fn folds(set: &ImageSet, of: usize, seed: u64) -> Vec<Vec<usize>> {
        let places = |fold: Fold| fold.places(set, &mut ChaCha8Rng::seed_from_u64(seed)).unwrap();
        Fold::all(of).unwrap().into_iter().map(places).collect()
    }

    #[test]
    fn every_image_is_in_one_fold_and_every_fold_has_its_share_of_every_class() {
        let labels: Vec<u16> = (0..103).map(|n| [0, 0, 0, 1, 2, 0, 3][n % 7]).collect();
        let set = set(labels);
        for of in [2, 5, 10, 103] {
            let folds = folds(&set, of, 1);
            let mut all = folds.concat();
            all.sort_unstable();
            assert_eq!(all, (0..103).collect::<Vec<_>>());
            let spread =
                |values: Vec<usize>| values.iter().max().unwrap() - values.iter().min().unwrap();
            assert!(spread(folds.iter().map(Vec::len).collect()) <= 1);
            for class in 0..4 {
                let count = |fold: &Vec<usize>| set.select(fold).class_counts()[class];
                assert!(
                    spread(folds.iter().map(count).collect()) <= 1,
                    "{of} folds, class {class}"
                );
            }
        }
    }

    #[test]
    fn folds_are_drawn_by_the_generator_alone() {
        let set = set((0..40).map(|n| n % 4).collect());
        assert_eq!(folds(&set, 4, 7), folds(&set, 4, 7));
        assert_ne!(folds(&set, 4, 7), folds(&set, 4, 8));
    }

    #[test]
    fn groups_are_in_one_fold_and_every_image_still_in_one() {
        let set = set((0..60).map(|n| n % 4).collect());
        let groups: Vec<usize> = (0..60).map(|n| n % 4 + 4 * (n / 12)).collect();
        let places = |fold: Fold| {
            fold.places_by_groups(&set, &groups, &mut ChaCha8Rng::seed_from_u64(2)).unwrap()
        };
        let folds: Vec<Vec<usize>> = Fold::all(5).unwrap().into_iter().map(places).collect();
        let mut all = folds.concat();
        all.sort_unstable();
        assert_eq!(all, (0..60).collect::<Vec<_>>());
        for fold in &folds {
            // Five groups of three in each class make a group of each for every fold.
            assert_eq!(set.select(fold).class_counts(), [3; 4]);
            let others = (0..60).filter(|place| !fold.contains(place));
            assert!(
                others.into_iter().all(|other| fold.iter().all(|&at| groups[at] != groups[other]))
            );
        }
    }

    #[test]
    fn a_fold_survives_its_text_and_others_are_refused() {
        let fold: Fold = "2/5".parse().unwrap();
        assert_eq!((fold.number(), fold.of(), fold.to_string()), (2, 5, "2/5".to_owned()));
        for wrong in ["", "2", "0/5", "6/5", "1/1", "1/0", "1/1001", "a/b", "-1/5"] {
            assert!(wrong.parse::<Fold>().is_err(), "{wrong}");
        }
        assert!(Fold::all(1).is_none() && Fold::all(usize::MAX).is_none());
        let few = set(vec![0, 1]);
        let error = fold.places(&few, &mut ChaCha8Rng::seed_from_u64(1)).unwrap_err().to_string();
        assert!(error.contains("5 folds need at least as many images"), "{error}");
    }
}
