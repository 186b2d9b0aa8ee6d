//! Wrong labels on purpose, to see what a training makes of them.

use std::fmt;
use std::str::FromStr;

use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::{Serialize, Serializer};

use crate::image_set::ImageSet;

/// How many labels of a set are replaced, and by what. As text `20` or `20:pairs`.
///
/// Unlike [DisturbLabel](https://arxiv.org/abs/1605.00055), which draws anew in every batch, it is drawn once: the
/// wrong labels are the same in every epoch, so that a network can learn them by heart, and it can be told which of
/// them it has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LabelNoise {
    /// Percent of the labels that are replaced, in `(0, 100]`.
    pub percent: f64,
    /// What they are replaced by.
    pub kind: LabelNoiseKind,
}

/// What labels are replaced by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelNoiseKind {
    /// A class drawn uniformly from all `C`, the old one included, for exactly so many images of the set, drawn
    /// without regard to their classes. About one in `C` of them keeps its label; 100 percent are random labels.
    ///
    /// Zhang et al., [Understanding Deep Learning Requires Rethinking
    /// Generalization](https://arxiv.org/abs/1611.03530), ICLR 2017, where each label is drawn anew with that
    /// probability.
    Uniform,
    /// The next class, `c + 1 mod C`, for exactly so many images of each class `c`: mistakes between neighbours.
    /// From 50 percent on it is no longer the exception but the rule, which needs no learning by heart.
    ///
    /// Han et al., [Co-teaching](https://arxiv.org/abs/1804.06872), NeurIPS 2018, "pair flipping".
    Pairs,
}

/// A set with wrong labels in it.
#[derive(Clone, Debug)]
pub struct Mislabelled {
    /// The images, in their order, with the labels that they have now.
    pub images: ImageSet,
    /// The places of the labels that were replaced, ascending. Some of them may be what they were.
    pub replaced: Vec<usize>,
    /// The places of those that are wrong now, ascending.
    pub wrong: Vec<usize>,
}

/// What stands behind the percentage of [`LabelNoiseKind::Pairs`].
const PAIRS: &str = "pairs";

impl LabelNoise {
    /// The range of [`percent`](Self::percent), in words.
    pub const RANGE: &'static str = "more than 0 and at most 100 percent";

    /// Whether the percentage is in its range.
    pub fn is_in_range(self) -> bool {
        self.percent > 0.0 && self.percent <= 100.0
    }

    /// Its share of so many labels, rounded to whole ones, halves up.
    fn of(self, labels: usize) -> usize {
        (self.percent * labels as f64 / 100.0).round() as usize
    }

    /// Replaces labels of `set`; the pixels are shared with it. What it draws of one percentage is part of what it
    /// draws of a greater one from the same generator: the same images, with the same labels.
    ///
    /// # Panics
    ///
    /// If the percentage is not [in its range](Self::is_in_range).
    pub fn apply(self, set: &ImageSet, rng: &mut ChaCha8Rng) -> Mislabelled {
        assert!(self.is_in_range(), "{}: expected {}", self.percent, Self::RANGE);
        let mut labels = set.labels().to_vec();
        let mut replaced = match self.kind {
            LabelNoiseKind::Uniform => self.draw_anew(&mut labels, set.classes(), rng),
            LabelNoiseKind::Pairs => self.move_on(&mut labels, set.classes(), rng),
        };
        replaced.sort_unstable();
        let changed = labels.iter().zip(set.labels()).map(|(new, old)| new != old);
        let wrong = changed.enumerate().filter_map(|(place, is_wrong)| is_wrong.then_some(place));
        Mislabelled { wrong: wrong.collect(), images: set.with_labels(labels), replaced }
    }

    /// Gives the places of what it has replaced.
    fn draw_anew(self, labels: &mut [u16], classes: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
        let mut places: Vec<usize> = (0..labels.len()).collect();
        places.shuffle(rng);
        places.truncate(self.of(labels.len()));
        for &place in &places {
            labels[place] = rng.random_range(0..classes as u16);
        }
        places
    }

    /// Gives the places of what it has replaced.
    fn move_on(self, labels: &mut [u16], classes: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
        let mut by_class = vec![Vec::new(); classes];
        for (place, &label) in labels.iter().enumerate() {
            by_class[usize::from(label)].push(place);
        }
        let mut replaced = Vec::new();
        for (class, mut places) in by_class.into_iter().enumerate() {
            places.shuffle(rng);
            places.truncate(self.of(places.len()));
            for &place in &places {
                labels[place] = ((class + 1) % classes) as u16;
            }
            replaced.extend(places);
        }
        replaced
    }
}

impl fmt::Display for LabelNoise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            LabelNoiseKind::Uniform => write!(f, "{}", self.percent),
            LabelNoiseKind::Pairs => write!(f, "{}:{PAIRS}", self.percent),
        }
    }
}

impl FromStr for LabelNoise {
    type Err = String;

    /// Reads any number; what is outside the range [`is_in_range`](Self::is_in_range) tells.
    fn from_str(text: &str) -> Result<Self, String> {
        let (percent, kind) = match text.split_once(':') {
            None => (text, Some(LabelNoiseKind::Uniform)),
            Some((percent, kind)) => {
                (percent, (kind.trim() == PAIRS).then_some(LabelNoiseKind::Pairs))
            }
        };
        let percent = percent.trim();
        let percent = percent.strip_suffix('%').unwrap_or(percent).trim_end().parse().ok();
        match (percent, kind) {
            (Some(percent), Some(kind)) => Ok(Self { percent, kind }),
            _ => Err(format!("expected a percentage, such as 20 or 20:{PAIRS}, found `{text}`")),
        }
    }
}

impl Serialize for LabelNoise {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LabelNoise {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Percentage;
        impl Visitor<'_> for Percentage {
            type Value = LabelNoise;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a percentage, such as 20 or \"20:{PAIRS}\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<LabelNoise, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_f64<E: Error>(self, percent: f64) -> Result<LabelNoise, E> {
                Ok(LabelNoise { percent, kind: LabelNoiseKind::Uniform })
            }

            fn visit_i64<E: Error>(self, percent: i64) -> Result<LabelNoise, E> {
                self.visit_f64(percent as f64)
            }

            fn visit_u64<E: Error>(self, percent: u64) -> Result<LabelNoise, E> {
                self.visit_f64(percent as f64)
            }
        }
        deserializer.deserialize_any(Percentage)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::image_set::ImageShape;

    /// One-pixel images, each pixel its place, `class_sizes[c]` of class `c`, one class after the other.
    fn set(class_sizes: &[usize]) -> ImageSet {
        let of_class = |(class, &size): (usize, &usize)| vec![class as u16; size];
        let labels: Vec<u16> = class_sizes.iter().enumerate().flat_map(of_class).collect();
        let shape = ImageShape { channels: 1, height: 1, width: 1 };
        let pixels = (0..labels.len()).map(|place| place as u8).collect();
        ImageSet::new(shape, class_sizes.len(), pixels, labels).unwrap()
    }

    fn noisy(text: &str, set: &ImageSet, seed: u64) -> Mislabelled {
        let noise: LabelNoise = text.parse().unwrap();
        noise.apply(set, &mut ChaCha8Rng::seed_from_u64(seed))
    }

    #[test]
    fn exactly_so_many_labels_are_replaced_and_those_that_differ_are_wrong() {
        let set = set(&[50, 31, 0, 119]);
        for (text, replaced) in [("20", 40), ("0.7", 1), ("0.2", 0), ("33.3", 67), ("100", 200)] {
            for seed in 0..20 {
                let noisy = noisy(text, &set, seed);
                assert_eq!(noisy.replaced.len(), replaced, "{text}");
                assert!(noisy.replaced.is_sorted() && noisy.replaced.iter().all(|&at| at < 200));
                assert!(noisy.wrong.iter().all(|place| noisy.replaced.contains(place)));
                let differ = |&place: &usize| noisy.images.label(place) != set.label(place);
                let differing: Vec<usize> = (0..set.len()).filter(differ).collect();
                assert_eq!(noisy.wrong, differing, "{text}");
                assert!(noisy.wrong.len() <= replaced, "{text}");
            }
        }
        // A product before the quotient: 7 / 100 · 100 is a little more than 7.
        assert_eq!("7".parse::<LabelNoise>().unwrap().of(100), 7);
    }

    #[test]
    fn images_stay_in_their_places_with_their_pixels() {
        let set = set(&[10, 10]);
        let noisy = noisy("100", &set.select(&[3, 1, 19]), 1);
        let pixels: Vec<&[u8]> = noisy.images.images().collect();
        assert_eq!(pixels, [[3], [1], [19]]);
    }

    #[test]
    fn all_classes_are_equally_likely_and_one_of_them_is_the_old_one() {
        let set = set(&[40_000, 10_000, 5000, 5000]);
        let random = noisy("100", &set, 3);
        // A count of quarters, or of three quarters, of 60,000 has a standard deviation of 106.
        let near = |found: usize, expected: f64| (found as f64 - expected).abs() < 500.0;
        assert!(random.images.class_counts().into_iter().all(|count| near(count, 15_000.0)));
        assert!(near(random.wrong.len(), 45_000.0), "{}", random.wrong.len());
        // Of each class alike: 30 percent of it is drawn, of which three quarters differ.
        let some = noisy("30", &set, 4);
        let first = some.wrong.iter().filter(|&&place| set.label(place) == 0).count();
        assert!(near(first, 0.3 * 0.75 * 40_000.0), "{first}");
    }

    #[test]
    fn pairs_move_the_share_of_each_class_to_the_next_and_of_the_last_to_the_first() {
        let set = set(&[10, 25, 0, 40]);
        for (percent, moved) in [("20:pairs", [2, 5, 0, 8]), ("100:pairs", [10, 25, 0, 40])] {
            let noisy = noisy(percent, &set, 5);
            let mut found = [0; 4];
            for &place in &noisy.wrong {
                let old = usize::from(set.label(place));
                assert_eq!(usize::from(noisy.images.label(place)), (old + 1) % 4);
                found[old] += 1;
            }
            assert_eq!(found, moved, "{percent}");
            assert_eq!(noisy.replaced, noisy.wrong);
        }
    }

    #[test]
    fn the_same_generator_draws_the_same_and_another_does_not() {
        let set = set(&[50, 50, 50]);
        for text in ["30", "30:pairs"] {
            let labels = |seed| noisy(text, &set, seed).images.labels().to_vec();
            assert_eq!(labels(1), labels(1));
            assert_ne!(labels(1), labels(2));
        }
    }

    #[test]
    fn what_is_drawn_of_less_noise_is_drawn_of_more_too() {
        let set = set(&[50, 80, 70]);
        for kind in ["", ":pairs"] {
            let of = |percent: usize| noisy(&format!("{percent}{kind}"), &set, 6);
            for (less, more) in [(10, 11), (10, 40), (40, 100)] {
                let (less, more) = (of(less), of(more));
                assert!(less.replaced.len() < more.replaced.len());
                for place in less.wrong {
                    assert_eq!(less.images.label(place), more.images.label(place));
                }
            }
        }
    }

    #[test]
    fn as_many_classes_as_labels_can_name_are_drawn() {
        let shape = ImageShape { channels: 1, height: 1, width: 1 };
        let set = ImageSet::new(shape, 65_535, vec![0; 9], vec![65_534; 9]).unwrap();
        assert_eq!(noisy("100:pairs", &set, 1).images.labels(), [0; 9]);
        assert!(noisy("100", &set, 1).images.labels().iter().any(|&label| label > 10_000));
    }

    #[test]
    fn texts_and_numbers_are_read_and_written_back() {
        for (text, percent, kind, written) in [
            ("20", 20.0, LabelNoiseKind::Uniform, "20"),
            (" 2.5 % ", 2.5, LabelNoiseKind::Uniform, "2.5"),
            ("45:pairs", 45.0, LabelNoiseKind::Pairs, "45:pairs"),
            ("45 % : pairs", 45.0, LabelNoiseKind::Pairs, "45:pairs"),
        ] {
            let noise: LabelNoise = text.parse().unwrap();
            assert_eq!(noise, LabelNoise { percent, kind });
            assert_eq!(noise.to_string(), written);
            assert!(noise.is_in_range());
        }
        for text in ["", "pairs", "20:", "20:pair", "20:pairs:1", "twenty", ":pairs"] {
            let message = text.parse::<LabelNoise>().unwrap_err();
            assert!(message.contains("such as 20 or 20:pairs"), "{message}");
        }
        for text in ["0", "-1", "100.01", "nan", "inf:pairs"] {
            assert!(!text.parse::<LabelNoise>().unwrap().is_in_range(), "{text}");
        }
    }

    #[test]
    fn a_configuration_file_has_a_number_or_a_text() {
        #[derive(Serialize, serde::Deserialize, PartialEq, Debug)]
        struct File {
            label_noise: LabelNoise,
        }
        let read = |value: &str| toml::from_str::<File>(&format!("label_noise = {value}"));
        let noise = |percent, kind| File { label_noise: LabelNoise { percent, kind } };
        assert_eq!(read("20").unwrap(), noise(20.0, LabelNoiseKind::Uniform));
        assert_eq!(read("2.5").unwrap(), noise(2.5, LabelNoiseKind::Uniform));
        for kind in [LabelNoiseKind::Uniform, LabelNoiseKind::Pairs] {
            let file = noise(12.5, kind);
            assert_eq!(toml::from_str::<File>(&toml::to_string(&file).unwrap()).unwrap(), file);
        }
        let message = read("true").unwrap_err().to_string();
        assert!(message.contains("a percentage"), "{message}");
    }
}
