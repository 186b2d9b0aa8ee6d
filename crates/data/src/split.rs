//! Cuts a set into disjoint parts that keep the shares of its classes.

use std::{fmt, str::FromStr};

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{error::DataError, image_set::ImageSet};

/// How large a part is: written `5000`, `0.1` or `10%`. A whole number without a point counts
/// images, so `1` is one image and `1.0` or `100%` all of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SplitSize {
    /// A number of images.
    Count(usize),
    /// A share of all images, in `[0, 1]`; rounded to whole images.
    Share(f64),
}

impl SplitSize {
    /// Number of images in the part, of `images` in all.
    pub fn of(self, images: usize) -> usize {
        match self {
            Self::Count(count) => count,
            Self::Share(share) => (share * images as f64).round() as usize,
        }
    }
}

/// Draws disjoint lists of indices, one for each size, each ascending. Images may be left over.
///
/// Each list has of every class its share among the images that the lists before it left over, to
/// within one image (largest remainder). A list does not depend on the sizes after it, so that a
/// validation split drawn first stays the same for any size of the training split; and where classes
/// are of equal size, a smaller last list is a part of a larger one.
///
/// # Errors
///
/// If the sizes exceed the set together, or a share is not in `[0, 1]`.
pub fn stratified(
    set: &ImageSet,
    sizes: &[SplitSize],
    rng: &mut ChaCha8Rng,
) -> Result<Vec<Vec<usize>>, DataError> {
    let counts = counts(set.len(), sizes)?;
    let mut by_class = vec![Vec::new(); set.classes()];
    for (index, &label) in set.labels().iter().enumerate() {
        by_class[usize::from(label)].push(index);
    }
    for indices in &mut by_class {
        indices.shuffle(rng);
    }

    let mut left = set.len();
    let mut parts = Vec::with_capacity(counts.len());
    for count in counts {
        let in_class: Vec<usize> = by_class.iter().map(Vec::len).collect();
        let quotas = quotas(count, left, &in_class);
        let mut part = Vec::with_capacity(count);
        for (indices, quota) in by_class.iter_mut().zip(quotas) {
            part.extend(indices.drain(..quota));
        }
        part.sort_unstable();
        left -= count;
        parts.push(part);
    }
    Ok(parts)
}

/// The sizes in images, checked to fit into the set together.
pub(crate) fn counts(images: usize, sizes: &[SplitSize]) -> Result<Vec<usize>, DataError> {
    let refuse = |reason: String| DataError::Split { images, reason };
    let mut left = images;
    let mut counts = Vec::with_capacity(sizes.len());
    for size in sizes {
        let count = match *size {
            SplitSize::Count(count) => count,
            SplitSize::Share(share) if !(0.0..=1.0).contains(&share) => {
                return Err(refuse(format!("share {share} is not in [0, 1]")));
            }
            SplitSize::Share(share) => {
                let rounded = (share * images as f64).round() as usize;
                // Two halves of an odd number both round up; the second takes what is left.
                if rounded == left + 1 { left } else { rounded }
            }
        };
        if count > left {
            return Err(refuse(format!(
                "a part of {size} was asked for, but only {left} are left; set a smaller \
                 `--train-size` or `--valid-size`"
            )));
        }
        left -= count;
        counts.push(count);
    }
    Ok(counts)
}

/// How many of `count` images each class gives, in proportion to what it has left, together `left`. No
/// class is asked for more than it has, since `count` is at most `left`.
pub(crate) fn quotas(count: usize, left: usize, in_class: &[usize]) -> Vec<usize> {
    let left = left.max(1);
    let products: Vec<usize> = in_class.iter().map(|images| images * count).collect();
    let mut quotas: Vec<usize> = products.iter().map(|product| product / left).collect();
    let mut by_remainder: Vec<usize> = (0..in_class.len()).collect();
    by_remainder.sort_by_key(|&class| std::cmp::Reverse(products[class] % left));
    let lacking = count - quotas.iter().sum::<usize>();
    for &class in by_remainder.iter().take(lacking) {
        quotas[class] += 1;
    }
    quotas
}

impl fmt::Display for SplitSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SplitSize::Count(count) => write!(f, "{count}"),
            // Debug keeps the point of a whole number, without which it would be a count.
            SplitSize::Share(share) => write!(f, "{share:?}"),
        }
    }
}

impl FromStr for SplitSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Ok(count) = text.replace('_', "").parse() {
            return Ok(SplitSize::Count(count));
        }
        let share = match text.strip_suffix('%') {
            Some(percent) => percent.trim().parse().map(|percent: f64| percent / 100.0),
            None => text.parse(),
        };
        share.ok().and_then(SplitSize::share).ok_or_else(|| {
            format!(
                "`{text}` is no size; write a number of images (5000) or a share (0.1 or 10%) \
                 from 0 to 1"
            )
        })
    }
}

impl SplitSize {
    fn share(share: f64) -> Option<Self> {
        (0.0..=1.0).contains(&share).then_some(SplitSize::Share(share))
    }
}

impl Serialize for SplitSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            SplitSize::Count(count) => serializer.serialize_u64(count as u64),
            SplitSize::Share(share) => serializer.serialize_f64(share),
        }
    }
}

impl<'de> Deserialize<'de> for SplitSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SplitSizeVisitor)
    }
}

struct SplitSizeVisitor;

impl de::Visitor<'_> for SplitSizeVisitor {
    type Value = SplitSize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of images (5000) or a share from 0 to 1 (0.1 or \"10%\")")
    }

    fn visit_u64<E: de::Error>(self, count: u64) -> Result<SplitSize, E> {
        let unexpected = || E::invalid_value(de::Unexpected::Unsigned(count), &self);
        usize::try_from(count).map(SplitSize::Count).map_err(|_| unexpected())
    }

    fn visit_i64<E: de::Error>(self, count: i64) -> Result<SplitSize, E> {
        let unexpected = || E::invalid_value(de::Unexpected::Signed(count), &self);
        usize::try_from(count).map(SplitSize::Count).map_err(|_| unexpected())
    }

    fn visit_f64<E: de::Error>(self, share: f64) -> Result<SplitSize, E> {
        let unexpected = || E::invalid_value(de::Unexpected::Float(share), &self);
        SplitSize::share(share).ok_or_else(unexpected)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<SplitSize, E> {
        text.parse().map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::image_set::ImageShape;

    /// One-pixel images, `class_sizes[c]` of class `c`, the classes taking turns.
    fn set(class_sizes: &[usize]) -> ImageSet {
        let longest = class_sizes.iter().copied().max().unwrap_or(0);
        let labels: Vec<u16> = (0..longest)
            .flat_map(|turn| (0..class_sizes.len()).filter(move |&class| turn < class_sizes[class]))
            .map(|class| class as u16)
            .collect();
        let shape = ImageShape { channels: 1, height: 1, width: 1 };
        ImageSet::new(shape, class_sizes.len(), vec![0; labels.len()], labels).unwrap()
    }

    fn rng(seed: u64) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(seed)
    }

    #[test]
    fn parts_are_disjoint_and_together_the_whole() {
        let set = set(&[13, 7, 0, 31]);
        let sizes = [SplitSize::Share(0.5), SplitSize::Share(0.5)];
        let parts = stratified(&set, &sizes, &mut rng(1)).unwrap();
        let mut all = parts.concat();
        all.sort_unstable();
        assert_eq!(all, (0..set.len()).collect::<Vec<_>>());
    }

    #[test]
    fn each_class_keeps_its_share_to_within_one_image() {
        let set = set(&[500, 301, 99, 100]);
        let parts =
            stratified(&set, &[SplitSize::Count(37), SplitSize::Share(0.25)], &mut rng(2)).unwrap();
        for (part, size) in parts.iter().zip([37, 250]) {
            assert_eq!(part.len(), size);
            for (found, of_class) in set.select(part).class_counts().iter().zip(set.class_counts())
            {
                let ideal = size as f64 * of_class as f64 / set.len() as f64;
                assert!((*found as f64 - ideal).abs() <= 1.0, "{found} for {ideal}");
            }
        }
    }

    #[test]
    fn a_thousand_classes_are_split_as_ten_are() {
        let set = set(&[4; 1000]);
        let parts = stratified(&set, &[SplitSize::Share(0.25)], &mut rng(6)).unwrap();
        assert_eq!(set.select(&parts[0]).class_counts(), [1; 1000]);
    }

    #[test]
    fn the_same_generator_draws_the_same_and_another_does_not() {
        let set = set(&[50, 50]);
        let draw = |seed| stratified(&set, &[SplitSize::Count(20)], &mut rng(seed)).unwrap();
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
    }

    #[test]
    fn the_first_part_does_not_depend_on_the_next_and_a_smaller_part_lies_in_a_larger() {
        let set = set(&[50, 50, 50]);
        let draw = |size| {
            let sizes = [SplitSize::Share(0.1), SplitSize::Count(size)];
            stratified(&set, &sizes, &mut rng(5)).unwrap()
        };
        let (small, large) = (draw(30), draw(100));
        assert_eq!(small[0], large[0]);
        assert!(small[1].iter().all(|index| large[1].contains(index)));
    }

    #[test]
    fn sizes_that_do_not_fit_are_refused() {
        let set = set(&[5, 5]);
        for sizes in [
            &[SplitSize::Count(11)][..],
            &[SplitSize::Count(usize::MAX)],
            &[SplitSize::Count(6), SplitSize::Share(0.6)],
            &[SplitSize::Share(f64::NAN)],
            &[SplitSize::Share(-0.1)],
        ] {
            assert!(stratified(&set, sizes, &mut rng(0)).is_err(), "{sizes:?}");
        }
    }

    #[test]
    fn an_empty_set_splits_into_empty_parts() {
        let parts = stratified(&set(&[0, 0]), &[SplitSize::Share(0.5)], &mut rng(0)).unwrap();
        assert_eq!(parts, [Vec::<usize>::new()]);
    }

    #[test]
    fn sizes_are_written_as_counts_shares_or_percent() {
        for (text, size) in [
            ("5000", SplitSize::Count(5000)),
            ("60_000", SplitSize::Count(60_000)),
            ("1", SplitSize::Count(1)),
            ("1.0", SplitSize::Share(1.0)),
            ("0.1", SplitSize::Share(0.1)),
            ("10%", SplitSize::Share(0.1)),
        ] {
            assert_eq!(text.parse(), Ok(size));
            assert_eq!(size.to_string().parse(), Ok(size));
        }
        for text in ["", "-1", "1.5", "101%", "nan", "ten"] {
            assert!(text.parse::<SplitSize>().is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_survive_a_configuration_file() {
        #[derive(Serialize, Deserialize, PartialEq, Debug)]
        struct Config {
            sizes: Vec<SplitSize>,
        }
        let sizes = vec![SplitSize::Count(5000), SplitSize::Share(1.0), SplitSize::Share(0.1)];
        let text = toml::to_string(&Config { sizes: sizes.clone() }).unwrap();
        assert_eq!(toml::from_str::<Config>(&text).unwrap(), Config { sizes });
        let percent: Config = toml::from_str("sizes = [\"10%\"]").unwrap();
        assert_eq!(percent.sizes, [SplitSize::Share(0.1)]);
        assert!(toml::from_str::<Config>("sizes = [1.5]").is_err());
        assert!(toml::from_str::<Config>("sizes = [-1]").is_err());
    }
}
