//! Which images an epoch shows.

use std::str::FromStr;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::image_set::ImageSet;

/// How the images of an epoch are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sampling {
    /// Every image once, shuffled.
    #[default]
    Shuffled,
    /// As many draws as there are images, with replacement: all classes equally likely, and all images of a
    /// class. PyTorch's `WeightedRandomSampler` with weights `1 / n_c`.
    Balanced,
}

impl Sampling {
    /// The names, as in recipes and on the command line.
    pub const NAMES: [&str; 2] = ["shuffled", "balanced"];

    /// Whether every image occurs once, so that a recipe need not say it.
    pub fn is_shuffled(&self) -> bool {
        *self == Self::Shuffled
    }
}

impl FromStr for Sampling {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "shuffled" => Ok(Self::Shuffled),
            "balanced" => Ok(Self::Balanced),
            _ => Err(format!("expected {}, found `{text}`", Self::NAMES.join(" or "))),
        }
    }
}

/// The places of `count` images, drawn one after the other.
///
/// # Panics
///
/// If there is no image.
pub(super) fn balanced(set: &ImageSet, count: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let mut by_class = vec![Vec::new(); set.classes()];
    for (place, &label) in set.labels().iter().enumerate() {
        by_class[usize::from(label)].push(place);
    }
    by_class.retain(|places| !places.is_empty());
    let mut draw = || {
        let places = &by_class[rng.random_range(0..by_class.len())];
        places[rng.random_range(0..places.len())]
    };
    (0..count).map(|_| draw()).collect()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::image_set::ImageShape;

    #[test]
    fn classes_are_equally_likely_and_so_are_the_images_of_a_class() {
        let shape = ImageShape { channels: 1, height: 1, width: 1 };
        // 50 images of class 0, one of class 1, none of class 2, four of class 3.
        let labels: Vec<u16> = [vec![0; 50], vec![1], vec![3; 4]].concat();
        let set = ImageSet::new(shape, 4, vec![0; labels.len()], labels).unwrap();
        let drawn = balanced(&set, 60_000, &mut ChaCha8Rng::seed_from_u64(1));
        let mut counts = vec![0_usize; set.len()];
        drawn.iter().for_each(|&place| counts[place] += 1);
        // Six standard deviations of a count.
        let is_near =
            |found: usize, expected: f64| (found as f64 - expected).abs() < 6.0 * expected.sqrt();
        assert!(counts[..50].iter().all(|&count| is_near(count, 400.0)), "{counts:?}");
        assert!(is_near(counts[50], 20_000.0), "{counts:?}");
        assert!(counts[51..].iter().all(|&count| is_near(count, 5000.0)), "{counts:?}");
    }

    #[test]
    fn the_same_generator_draws_the_same() {
        let shape = ImageShape { channels: 1, height: 1, width: 1 };
        let set = ImageSet::new(shape, 2, vec![0; 9], vec![0, 1, 1, 0, 1, 1, 1, 1, 1]).unwrap();
        let draw = |seed| balanced(&set, 50, &mut ChaCha8Rng::seed_from_u64(seed));
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
    }

    #[test]
    fn every_name_is_read() {
        let sampling = Sampling::NAMES.map(|name| name.parse::<Sampling>().unwrap());
        assert_eq!(sampling, [Sampling::Shuffled, Sampling::Balanced]);
        assert!("weighted".parse::<Sampling>().unwrap_err().contains("shuffled or balanced"));
    }
}
