//! Images that occur more than once, pixel by pixel: within a split, and in both.
//!
//! A test image that was trained on is no test; and of two equal images with different labels, one is
//! wrong whatever the network answers.

use std::collections::HashMap;
use std::fmt::{self, Display, Formatter};

use crate::image_set::ImageSet;

/// The places of equal images that are kept as examples, of each kind.
const EXAMPLES: usize = 5;

/// Equal images of a data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicates {
    /// Training images that equal an earlier training image.
    pub within_train: Repeats,
    /// Test images that equal an earlier test image.
    pub within_test: Repeats,
    /// Test images that equal a training image.
    pub across: Repeats,
}

/// Images that repeat others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repeats {
    /// How many.
    pub count: usize,
    /// How many of them have another label than the image they repeat.
    pub other_label: usize,
    /// The first few: place of the repetition and of the image that it repeats, those with another label
    /// first.
    pub examples: Vec<(usize, usize)>,
}

impl Duplicates {
    /// Compares every image with every other. An image is kept by its pixels themselves, so that no two
    /// different ones are taken for equal.
    pub(crate) fn between(train: &ImageSet, test: &ImageSet) -> Self {
        let of_train = first_places(train);
        let of_test = first_places(test);
        let within = |set: &ImageSet, places: &HashMap<&[u8], usize>| {
            let earlier = |index: usize| Some(places[set.image(index)]).filter(|&it| it < index);
            Repeats::gather(set, set, earlier)
        };
        Self {
            within_train: within(train, &of_train),
            within_test: within(test, &of_test),
            across: Repeats::known(test, train, &of_train),
        }
    }
}

/// In lines for a terminal.
impl Display for Duplicates {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let Self { within_train, within_test, across } = self;
        writeln!(formatter, "equal images, pixel by pixel:")?;
        within_train.tell(formatter, "within training", ["training", "training"])?;
        writeln!(formatter)?;
        within_test.tell(formatter, "within test", ["test", "test"])?;
        writeln!(formatter)?;
        across.tell(formatter, "test images that are training images", ["test", "training"])
    }
}

/// Where each different image occurs first.
fn first_places(set: &ImageSet) -> HashMap<&[u8], usize> {
    let mut places = HashMap::with_capacity(set.len());
    for index in 0..set.len() {
        places.entry(set.image(index)).or_insert(index);
    }
    places
}

impl Repeats {
    /// `  within training: 3, of which 1 with another label (training 12 = training 7, …)`
    fn tell(
        &self,
        formatter: &mut Formatter<'_>,
        what: &str,
        [split, other]: [&str; 2],
    ) -> fmt::Result {
        let Self { count, other_label, examples } = self;
        write!(formatter, "  {what}: {count}")?;
        if *count == 0 {
            return Ok(());
        }
        let pair =
            |(index, earlier): &(usize, usize)| format!("{split} {index} = {other} {earlier}");
        let pairs: Vec<String> = examples.iter().map(pair).collect();
        let more = if *count > examples.len() { ", …" } else { "" };
        let pairs = pairs.join(", ");
        write!(formatter, ", of which {other_label} with another label ({pairs}{more})")
    }

    /// Test images that equal a training image.
    pub(crate) fn across(train: &ImageSet, test: &ImageSet) -> Self {
        Self::known(test, train, &first_places(train))
    }

    /// `places`: where each different image of `train` occurs first.
    fn known(test: &ImageSet, train: &ImageSet, places: &HashMap<&[u8], usize>) -> Self {
        Self::gather(test, train, |index| places.get(test.image(index)).copied())
    }

    /// `earlier`: the place in `others` of the image that this one of `set` repeats.
    fn gather(set: &ImageSet, others: &ImageSet, earlier: impl Fn(usize) -> Option<usize>) -> Self {
        let pairs: Vec<(usize, usize)> =
            (0..set.len()).filter_map(|index| Some((index, earlier(index)?))).collect();
        let differs = |&&(index, other): &&(usize, usize)| set.label(index) != others.label(other);
        let conflicts: Vec<_> = pairs.iter().filter(differs).copied().collect();
        let agreeing = pairs.iter().filter(|pair| !differs(pair)).copied();
        Self {
            count: pairs.len(),
            other_label: conflicts.len(),
            examples: conflicts.iter().copied().chain(agreeing).take(EXAMPLES).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image_set::ImageShape;

    /// One-pixel images.
    fn set(pixels: &[u8], labels: &[u16]) -> ImageSet {
        let shape = ImageShape { channels: 1, height: 1, width: 1 };
        ImageSet::new(shape, 3, pixels.to_vec(), labels.to_vec()).unwrap()
    }

    #[test]
    fn repetitions_are_counted_within_and_across_splits_with_their_labels() {
        let train = set(&[10, 20, 10, 30, 10], &[0, 1, 0, 2, 1]);
        let test = set(&[40, 20, 10, 40], &[0, 1, 2, 0]);
        assert_eq!(
            Duplicates::between(&train, &test),
            Duplicates {
                within_train: Repeats { count: 2, other_label: 1, examples: vec![(4, 0), (2, 0)] },
                within_test: Repeats { count: 1, other_label: 0, examples: vec![(3, 0)] },
                across: Repeats { count: 2, other_label: 1, examples: vec![(2, 0), (1, 1)] },
            }
        );
    }

    #[test]
    fn what_is_told_has_counts_and_the_first_few_places() {
        let train = set(&[10, 20, 10, 30, 10], &[0, 1, 0, 2, 1]);
        let test = set(&[20; 7], &[1; 7]);
        let told = Duplicates::between(&train, &test).to_string();
        let expected = "equal images, pixel by pixel:\n\
            \u{20} within training: 2, of which 1 with another label (training 4 = training 0, \
            training 2 = training 0)\n\
            \u{20} within test: 6, of which 0 with another label (test 1 = test 0, test 2 = test 0, \
            test 3 = test 0, test 4 = test 0, test 5 = test 0, …)\n\
            \u{20} test images that are training images: 7, of which 0 with another label (test 0 = \
            training 1, test 1 = training 1, test 2 = training 1, test 3 = training 1, test 4 = \
            training 1, …)";
        assert_eq!(told, expected);
        let none = Duplicates::between(&set(&[1], &[0]), &set(&[2], &[0])).to_string();
        assert!(none.ends_with("\n  test images that are training images: 0"), "{none}");
    }

    #[test]
    fn sets_without_equal_images_have_none() {
        let found = Duplicates::between(&set(&[1, 2], &[0, 0]), &set(&[3], &[0]));
        assert_eq!(found.across, Repeats::default());
        assert_eq!((found.within_train.count, found.within_test.count), (0, 0));
        let empty = set(&[], &[]);
        assert_eq!(Duplicates::between(&empty, &empty).within_train, Repeats::default());
    }
}
