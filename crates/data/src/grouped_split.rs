//! Cuts a set into disjoint parts that keep the shares of its classes, and images that belong together on one
//! side: a validation image whose near copy is trained on measures what was learned by heart.

use std::cmp::Reverse;
use std::collections::HashMap;

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::error::DataError;
use crate::image_set::ImageSet;
use crate::split::{SplitSize, counts, quotas};

/// Draws disjoint lists of indices like [`stratified`](crate::stratified), but never parts images of one group.
/// `groups` names the group of each image, such as [`groups`](crate::near_copies::groups) finds them.
///
/// The largest groups are given away first, each to the side that lacks the greatest share of what it should have of
/// the group's classes; single images then fill what is left to fill. Where every group is of one class, each list has
/// of a class what it should have, to within one image less than the greatest group. Groups of several classes can miss
/// by more. Without groups of more than one image the sizes are met exactly.
///
/// A list does not depend on the sizes after it, so that a validation split drawn first stays the same for any size
/// of the training split.
///
/// # Errors
///
/// If the sizes exceed the set together, a share is not in `[0, 1]`, or `groups` are not as many as the images.
pub fn stratified_by_groups(
    set: &ImageSet,
    groups: &[usize],
    sizes: &[SplitSize],
    rng: &mut ChaCha8Rng,
) -> Result<Vec<Vec<usize>>, DataError> {
    let counts = counts(set.len(), sizes)?;
    check(set, groups)?;
    let mut left = gathered(groups);
    left.shuffle(rng);
    left.sort_by_key(|group| Reverse(group.len()));

    let mut parts = Vec::with_capacity(counts.len());
    for count in counts {
        let (part, rest) = cut(set, left, count);
        left = rest;
        let mut part = part.concat();
        part.sort_unstable();
        parts.push(part);
    }
    Ok(parts)
}

/// Deals a set out to so many parts, at least one, that are as alike as groups allow: each is the places of its images,
/// ascending, and together they are the set.
///
/// The largest groups are dealt first, each to the part that has the smallest share of the group's classes. Where every
/// group is of one class, two parts differ in a class by its greatest group at most; where all are single images, the
/// parts differ in size by one at most, too. No part is empty.
///
/// # Errors
///
/// If there are fewer groups than parts, or `groups` are not as many as the images.
pub(crate) fn dealt_by_groups(
    set: &ImageSet,
    groups: &[usize],
    parts: usize,
    rng: &mut ChaCha8Rng,
) -> Result<Vec<Vec<usize>>, DataError> {
    check(set, groups)?;
    let mut left = gathered(groups);
    if left.len() < parts {
        let reason = format!(
            "expected at least {parts} groups of near copies, one for each fold, found {}; ask for \
             fewer folds, or let near copies be parted",
            left.len()
        );
        return Err(DataError::Split { images: set.len(), reason });
    }
    let label = |index: &usize| usize::from(set.label(*index));
    left.shuffle(rng);
    // One class after the other, so that the sizes of parts stay alike.
    left.sort_by_key(|group| (Reverse(group.len()), group.first().map(label)));

    let in_class = set.class_counts();
    let mut dealt = vec![Vec::new(); parts];
    let mut taken = vec![vec![0_usize; set.classes()]; parts];
    for group in left {
        let share = |part: usize| -> f64 {
            let of = |class: usize| taken[part][class] as f64 / in_class[class] as f64;
            group.iter().map(label).map(of).sum()
        };
        let shares: Vec<f64> = (0..parts).map(share).collect();
        let order = |&a: &usize, &b: &usize| {
            let by_share = shares[a].total_cmp(&shares[b]);
            by_share.then(dealt[a].len().cmp(&dealt[b].len()))
        };
        let Some(least) = (0..parts).min_by(order) else { continue };
        group.iter().map(label).for_each(|class| taken[least][class] += 1);
        dealt[least].extend(group);
    }
    dealt.iter_mut().for_each(|part| part.sort_unstable());
    Ok(dealt)
}

fn check(set: &ImageSet, groups: &[usize]) -> Result<(), DataError> {
    if groups.len() == set.len() {
        return Ok(());
    }
    let reason = format!(
        "expected the group of each image, found {} groups; find them in this very set",
        groups.len()
    );
    Err(DataError::Split { images: set.len(), reason })
}

/// The images of each group, in the order in which the groups first occur.
pub(crate) fn gathered(groups: &[usize]) -> Vec<Vec<usize>> {
    let mut places = HashMap::new();
    let mut gathered: Vec<Vec<usize>> = Vec::new();
    for (index, group) in groups.iter().enumerate() {
        let place = *places.entry(group).or_insert(gathered.len());
        match gathered.get_mut(place) {
            Some(images) => images.push(index),
            None => gathered.push(vec![index]),
        }
    }
    gathered
}

/// Groups, each of which is the places of its images.
type Groups = Vec<Vec<usize>>;

/// A part of about `count` images, and the rest.
fn cut(set: &ImageSet, groups: Groups, count: usize) -> (Groups, Groups) {
    let mut in_class = vec![0; set.classes()];
    for &index in groups.iter().flatten() {
        in_class[usize::from(set.label(index))] += 1;
    }
    let left: usize = in_class.iter().sum();
    // Parts before this one may have taken more than they should.
    let quotas = quotas(count.min(left), left, &in_class);
    let rest = in_class.iter().zip(&quotas).map(|(all, quota)| all - quota).collect();
    let (mut part, mut rest) = (Side::new(quotas), Side::new(rest));
    for group in groups {
        let classes: Vec<usize> =
            group.iter().map(|&index| usize::from(set.label(index))).collect();
        let side = if part.lack(&classes) > rest.lack(&classes) { &mut part } else { &mut rest };
        side.take(group, &classes);
    }
    (part.groups, rest.groups)
}

/// One side of a cut, while it is made.
struct Side {
    /// How many images of each class it should have.
    quotas: Vec<usize>,
    /// How many it has.
    taken: Vec<usize>,
    groups: Groups,
}

impl Side {
    fn new(quotas: Vec<usize>) -> Self {
        let taken = vec![0; quotas.len()];
        Self { quotas, taken, groups: Vec::new() }
    }

    /// The share that it lacks of each image's class, summed; negative where it has too many. A share of its quota,
    /// so that a small part is given its share of the large groups.
    fn lack(&self, classes: &[usize]) -> f64 {
        let lack = |&class: &usize| {
            let (quota, taken) = (self.quotas[class] as f64, self.taken[class] as f64);
            // One more than it should have of nothing is worse than any other lack.
            if quota == 0.0 { -1.0 - taken } else { (quota - taken) / quota }
        };
        classes.iter().map(lack).sum()
    }

    fn take(&mut self, group: Vec<usize>, classes: &[usize]) {
        classes.iter().for_each(|&class| self.taken[class] += 1);
        self.groups.push(group);
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};

    use super::*;
    use crate::image_set::ImageShape;

    fn set(labels: Vec<u16>) -> ImageSet {
        let shape = ImageShape { channels: 1, height: 1, width: 1 };
        ImageSet::new(shape, 4, vec![0; labels.len()], labels).unwrap()
    }

    fn rng(seed: u64) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(seed)
    }

    /// Images of four classes of unlike sizes; a third of them in groups of two to `largest`, each of one class.
    fn grouped(seed: u64, images: usize, largest: usize) -> (ImageSet, Vec<usize>) {
        let mut rng = rng(seed);
        let mut pairs = Vec::new();
        while pairs.len() < images {
            let label = [0, 0, 0, 1, 1, 2, 3][rng.random_range(0..7)];
            let size = if rng.random_bool(0.2) { rng.random_range(2..=largest) } else { 1 };
            // Numbers with gaps between them.
            let group = 3 * pairs.len();
            pairs.extend((0..size).map(|_| (label, group)));
        }
        pairs.shuffle(&mut rng);
        let (labels, groups) = pairs.into_iter().unzip();
        (set(labels), groups)
    }

    fn assert_whole(parts: &[Vec<usize>], groups: &[usize]) {
        let mut sides = HashMap::new();
        for (side, part) in parts.iter().enumerate() {
            for &index in part {
                assert_eq!(*sides.entry(groups[index]).or_insert(side), side, "{index}");
            }
        }
        // What no part has is a side too.
        let taken: usize = parts.iter().map(Vec::len).sum();
        let of_taken = groups.iter().filter(|group| sides.contains_key(group)).count();
        assert_eq!(taken, of_taken, "a group is cut");
    }

    #[test]
    fn no_group_is_cut_and_classes_keep_their_shares_to_within_the_greatest_group() {
        for seed in 0..20 {
            let largest = 2 + seed as usize % 9;
            let (set, groups) = grouped(seed, 700, largest);
            let sizes = [SplitSize::Share(0.1), SplitSize::Share(0.6)];
            let parts = stratified_by_groups(&set, &groups, &sizes, &mut rng(seed)).unwrap();
            assert_whole(&parts, &groups);
            let mut all = parts.concat();
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), parts.iter().map(Vec::len).sum::<usize>());
            for (part, share) in parts.iter().zip([0.1, 0.6]) {
                let found = set.select(part).class_counts();
                for (found, all) in found.into_iter().zip(set.class_counts()) {
                    let missed = (found as f64 - share * all as f64).abs();
                    // One for rounding, and what the part before has missed by.
                    assert!(missed <= largest as f64 + 1.0, "{missed} of {largest}, seed {seed}");
                }
            }
        }
    }

    #[test]
    fn large_groups_go_to_small_parts_too() {
        let (set, groups) = grouped(7, 2000, 6);
        let sizes = [SplitSize::Share(0.2)];
        let part = stratified_by_groups(&set, &groups, &sizes, &mut rng(7)).unwrap().remove(0);
        let size = |index: usize| groups.iter().filter(|&&it| it == groups[index]).count();
        let grouped = |indices: &[usize]| indices.iter().filter(|&&it| size(it) > 1).count();
        let all: Vec<usize> = (0..set.len()).collect();
        let share = grouped(&part) as f64 / grouped(&all) as f64;
        assert!((share - 0.2).abs() < 0.02, "{share}");
    }

    #[test]
    fn single_images_meet_the_sizes_exactly() {
        let (set, _) = grouped(1, 333, 2);
        let groups: Vec<usize> = (0..set.len()).collect();
        let sizes = [SplitSize::Count(33), SplitSize::Share(0.5)];
        let parts = stratified_by_groups(&set, &groups, &sizes, &mut rng(1)).unwrap();
        let plain = crate::stratified(&set, &sizes, &mut rng(1)).unwrap();
        for (part, plain) in parts.iter().zip(&plain) {
            assert_eq!(set.select(part).class_counts(), set.select(plain).class_counts());
        }
    }

    #[test]
    fn groups_of_several_classes_stay_whole() {
        let mut rng = rng(4);
        let labels = (0..500).map(|_| rng.random_range(0..4)).collect();
        let groups: Vec<usize> = (0..500).map(|_| rng.random_range(0..300)).collect();
        let set = set(labels);
        let sizes = [SplitSize::Share(0.3)];
        let parts = stratified_by_groups(&set, &groups, &sizes, &mut rng).unwrap();
        assert_whole(&parts, &groups);
        assert!(parts[0].len().abs_diff(150) < 10, "{}", parts[0].len());
    }

    #[test]
    fn a_list_depends_on_the_seed_but_not_on_the_sizes_after_it() {
        let (set, groups) = grouped(2, 400, 5);
        let split = |sizes: &[SplitSize], seed| {
            stratified_by_groups(&set, &groups, sizes, &mut rng(seed)).unwrap()
        };
        let valid = SplitSize::Share(0.15);
        let short = split(&[valid], 3);
        assert_eq!(short[0], split(&[valid, SplitSize::Count(90)], 3)[0]);
        assert_ne!(short[0], split(&[valid], 4)[0]);
        assert!(short[0].is_sorted());
    }

    #[test]
    fn one_group_of_all_and_no_images_at_all_are_split() {
        let set_of_all = set(vec![0, 1, 2, 3, 0]);
        let halves = [SplitSize::Share(0.5), SplitSize::Share(0.5)];
        let parts = stratified_by_groups(&set_of_all, &[9; 5], &halves, &mut rng(0)).unwrap();
        assert_whole(&parts, &[9; 5]);
        let parts = stratified_by_groups(&set(vec![]), &[], &halves, &mut rng(0)).unwrap();
        assert_eq!(parts, [vec![], Vec::<usize>::new()]);
    }

    #[test]
    fn groups_of_another_set_are_refused() {
        let set = set(vec![0, 1]);
        let split = stratified_by_groups(&set, &[0], &[], &mut rng(0)).unwrap_err();
        let dealt = dealt_by_groups(&set, &[0], 1, &mut rng(0)).unwrap_err();
        for error in [split, dealt] {
            assert!(error.to_string().contains("found 1 groups"), "{error}");
        }
    }

    fn spread(values: impl Iterator<Item = usize> + Clone) -> usize {
        values.clone().max().unwrap() - values.min().unwrap()
    }

    #[test]
    fn dealt_parts_are_the_set_cut_no_group_and_differ_in_a_class_by_its_greatest_group() {
        for seed in 0..20 {
            let largest = 2 + seed as usize % 9;
            let (set, groups) = grouped(seed, 700, largest);
            for parts in [2, 5, 10] {
                let dealt = dealt_by_groups(&set, &groups, parts, &mut rng(seed)).unwrap();
                assert_eq!(dealt.len(), parts);
                assert_whole(&dealt, &groups);
                let mut all = dealt.concat();
                all.sort_unstable();
                assert_eq!(all, (0..set.len()).collect::<Vec<_>>());
                for class in 0..4 {
                    let counts = dealt.iter().map(|part| set.select(part).class_counts()[class]);
                    let sizes = gathered(&groups).into_iter();
                    let of_class = sizes.filter(|group| usize::from(set.label(group[0])) == class);
                    let greatest = of_class.map(|group| group.len()).max().unwrap();
                    assert!(spread(counts) <= greatest, "class {class}, seed {seed}");
                }
            }
        }
    }

    #[test]
    fn single_images_are_dealt_as_evenly_as_without_groups() {
        let (set, _) = grouped(3, 333, 2);
        let groups: Vec<usize> = (0..set.len()).collect();
        for parts in [2, 7, 333] {
            let dealt = dealt_by_groups(&set, &groups, parts, &mut rng(3)).unwrap();
            assert!(spread(dealt.iter().map(Vec::len)) <= 1);
            for class in 0..4 {
                let counts = dealt.iter().map(|part| set.select(part).class_counts()[class]);
                assert!(spread(counts) <= 1, "{parts} parts, class {class}");
            }
        }
    }

    #[test]
    fn fewer_groups_than_parts_are_refused_and_as_many_leave_no_part_empty() {
        let set = set(vec![0, 0, 0, 1, 1, 2]);
        let groups = [5, 5, 5, 6, 6, 5];
        let dealt = dealt_by_groups(&set, &groups, 2, &mut rng(1)).unwrap();
        assert_eq!(dealt, [vec![0, 1, 2, 5], vec![3, 4]]);
        let error = dealt_by_groups(&set, &groups, 3, &mut rng(1)).unwrap_err().to_string();
        assert!(error.contains("at least 3 groups") && error.contains("found 2"), "{error}");
    }
}
