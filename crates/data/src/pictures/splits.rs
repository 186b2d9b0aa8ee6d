//! Draws a test split that keeps the shares of the classes and leaves each of them something to learn from.

use std::cmp::Reverse;
use std::collections::HashMap;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::grouped_split::gathered;
use crate::split::SplitSize;

use super::error::PicturesError;

/// What was drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Drawn {
    /// Places of the images to learn from, ascending.
    pub(super) train: Vec<usize>,
    /// Places of the test images, ascending.
    pub(super) test: Vec<usize>,
}

/// Draws a test split of `size` from images with these labels, each below `classes`.
///
/// Each class gives in proportion to its images, to within one, but never its last. Images of one group stay on one
/// side; `groups` names the group of each image, `None` stands for no two in one. A group goes to the test split if all
/// that it takes is within what its classes give, so that large groups may leave the split smaller than asked for.
///
/// # Errors
///
/// If no image could be drawn, or more were asked for than the classes can give.
pub(super) fn draw_test(
    labels: &[u16],
    classes: usize,
    groups: Option<&[usize]>,
    size: SplitSize,
    seed: u64,
) -> Result<Drawn, PicturesError> {
    let images = labels.len();
    let refuse = |reason: String| Err(PicturesError::Split { images, reason });
    let mut counts = vec![0; classes];
    labels.iter().for_each(|&label| counts[usize::from(label)] += 1);
    let spare: usize = counts.iter().map(|&count: &usize| count.saturating_sub(1)).sum();
    let wanted = size.of(images);
    if wanted == 0 {
        return refuse(format!("`--test-size {size}` is less than one picture; set a larger one"));
    }
    if wanted > spare {
        return refuse(format!(
            "`--test-size {size}` asks for {wanted}, but every class must keep one to learn from, \
             which leaves {spare}; set a smaller one, or put test pictures into a folder `test`"
        ));
    }
    let mut left = quotas(wanted, images, &counts);
    let alone = || (0..images).map(|image| vec![image]).collect();
    let mut by_group: Vec<Vec<usize>> = groups.map_or_else(alone, gathered);
    by_group.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    // Large groups fit while there is room; sorting keeps the drawn order among those of one size.
    by_group.sort_by_key(|group| Reverse(group.len()));
    let mut is_test = vec![false; images];
    for group in &by_group {
        if fits(group, labels, &mut left) {
            group.iter().for_each(|&image| is_test[image] = true);
        }
    }
    let (test, train): (Vec<usize>, Vec<usize>) = (0..images).partition(|&image| is_test[image]);
    if test.is_empty() {
        let reason = "all are near copies of each other by groups larger than the test split; set \
         a larger `--test-size`";
        return refuse(reason.to_owned());
    }
    Ok(Drawn { train, test })
}

/// Takes a group out of what the classes have left to give, if they have enough of each.
fn fits(group: &[usize], labels: &[u16], left: &mut [usize]) -> bool {
    let mut taken: HashMap<u16, usize> = HashMap::new();
    group.iter().for_each(|&image| *taken.entry(labels[image]).or_default() += 1);
    let fits = taken.iter().all(|(&label, &count)| left[usize::from(label)] >= count);
    if fits {
        taken.iter().for_each(|(&label, count)| left[usize::from(label)] -= count);
    }
    fits
}

/// How many of `wanted` images each class gives: its share, rounded by the largest remainder, all but one at most.
/// What a class cannot give, the others give in the order of their remainders.
fn quotas(wanted: usize, images: usize, counts: &[usize]) -> Vec<usize> {
    let most = |class: usize| counts[class].saturating_sub(1);
    let product = |class: usize| counts[class] as u128 * wanted as u128;
    let whole = |class: usize| (product(class) / images as u128) as usize;
    let mut quotas: Vec<usize> =
        (0..counts.len()).map(|class| whole(class).min(most(class))).collect();
    let mut order: Vec<usize> = (0..counts.len()).collect();
    order.sort_by_key(|&class| Reverse(product(class) % images as u128));
    let mut lacking = wanted - quotas.iter().sum::<usize>();
    while lacking > 0 {
        let before = lacking;
        for &class in &order {
            if lacking > 0 && quotas[class] < most(class) {
                quotas[class] += 1;
                lacking -= 1;
            }
        }
        assert!(lacking < before, "the classes have enough to give");
    }
    quotas
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(counts: &[usize]) -> Vec<u16> {
        let of_class = |(class, &count): (usize, &usize)| vec![class as u16; count];
        counts.iter().enumerate().flat_map(of_class).collect()
    }

    fn count(labels: &[u16], places: &[usize], classes: usize) -> Vec<usize> {
        (0..classes)
            .map(|class| places.iter().filter(|&&at| usize::from(labels[at]) == class).count())
            .collect()
    }

    #[test]
    fn each_class_gives_its_share_and_keeps_one() {
        let sizes = [500, 301, 99, 100, 1, 2];
        let labels = labels(&sizes);
        let drawn = draw_test(&labels, 6, None, SplitSize::Share(0.2), 1).unwrap();
        assert_eq!(drawn.test.len(), 201);
        let test = count(&labels, &drawn.test, 6);
        assert_eq!(test[4], 0);
        for (found, of_class) in test.iter().zip(sizes) {
            assert!((*found as f64 - of_class as f64 * 0.2).abs() <= 1.0, "{test:?}");
        }
        let mut all = [drawn.train, drawn.test].concat();
        all.sort_unstable();
        assert_eq!(all, (0..labels.len()).collect::<Vec<_>>());
    }

    #[test]
    fn every_class_keeps_one_even_if_nearly_all_are_drawn() {
        let labels = labels(&[5, 2, 1, 9]);
        let drawn = draw_test(&labels, 4, None, SplitSize::Count(13), 3).unwrap();
        assert_eq!(count(&labels, &drawn.train, 4), [1; 4]);
        let error = draw_test(&labels, 4, None, SplitSize::Count(14), 3).unwrap_err().to_string();
        assert!(error.contains("17 pictures") && error.contains("leaves 13"), "{error}");
        let error = draw_test(&labels, 4, None, SplitSize::Share(0.01), 3).unwrap_err().to_string();
        assert!(error.contains("less than one picture"), "{error}");
    }

    #[test]
    fn the_seed_alone_decides() {
        let labels = labels(&[50, 50]);
        let draw = |seed| draw_test(&labels, 2, None, SplitSize::Share(0.2), seed).unwrap();
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn groups_are_not_cut() {
        let labels = labels(&[60, 60]);
        // Threes of one class each, and one of both classes.
        let mut groups: Vec<usize> = (0..120).map(|image| image / 3).collect();
        groups[60] = groups[59];
        for seed in 0..20 {
            let drawn = draw_test(&labels, 2, Some(&groups), SplitSize::Share(0.25), seed).unwrap();
            assert!(drawn.test.len() >= 26, "{}", drawn.test.len());
            for image in &drawn.test {
                assert!(drawn.train.iter().all(|other| groups[*other] != groups[*image]));
            }
        }
        let one = vec![0; 120];
        let error = draw_test(&labels, 2, Some(&one), SplitSize::Share(0.25), 1).unwrap_err();
        assert!(error.to_string().contains("near copies"), "{error}");
    }
}
