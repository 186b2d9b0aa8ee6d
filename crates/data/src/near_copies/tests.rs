//! What holds of the whole search: against pictures made to be near copies, and against comparing all with all.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::image_set::ImageShape;
use crate::near_copies::crops::Grid;

const QUIET: &Progress<'static> = &|_| {};

fn shape(channels: usize, height: usize, width: usize) -> ImageShape {
    ImageShape { channels, height, width }
}

fn set(shape: ImageShape, images: &[Vec<u8>]) -> ImageSet {
    let labels = (0..images.len()).map(|index| (index % 3) as u16).collect();
    ImageSet::new(shape, 3, images.concat(), labels).unwrap()
}

/// Smooth pictures: a few waves, unlike from image to image.
fn pictures(shape: ImageShape, count: usize, seed: u64) -> Vec<Vec<u8>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut picture = || {
        let waves: Vec<[f64; 4]> = (0..5 * shape.channels)
            .map(|_| {
                let [down, right] = [(); 2].map(|()| rng.random_range(-0.5..0.5));
                [down, right, rng.random_range(0.0..7.0), rng.random_range(5.0..20.0)]
            })
            .collect();
        let value = |channel: usize, y: usize, x: usize| {
            let waves = waves[5 * channel..5 * channel + 5].iter();
            let sum: f64 = waves
                .map(|[down, right, phase, height]| {
                    height * (down * y as f64 + right * x as f64 + phase).sin()
                })
                .sum();
            (128.0 + sum).clamp(0.0, 255.0) as u8
        };
        let mut pixels = Vec::new();
        for channel in 0..shape.channels {
            for y in 0..shape.height {
                pixels.extend((0..shape.width).map(|x| value(channel, y, x)));
            }
        }
        pixels
    };
    (0..count).map(|_| picture()).collect()
}

/// Mirrored, left to right.
fn mirror(shape: ImageShape, image: &[u8]) -> Vec<u8> {
    image.chunks(shape.width).flat_map(|line| line.iter().rev().copied()).collect()
}

/// What the image shows, so many pixels further down and to the right; black where nothing is known.
fn shift(shape: ImageShape, image: &[u8], down: isize, right: isize) -> Vec<u8> {
    let mut moved = Vec::new();
    for plane in image.chunks(shape.height * shape.width) {
        for y in 0..shape.height as isize {
            for x in 0..shape.width as isize {
                let (y, x) = (y - down, x - right);
                let is_inside = (0..shape.height as isize).contains(&y)
                    && (0..shape.width as isize).contains(&x);
                let place = (y * shape.width as isize + x) as usize;
                moved.push(if is_inside { plane[place] } else { 0 });
            }
        }
    }
    moved
}

/// How similar each image is to each of the others, by comparing everything with everything.
fn by_force(images: &ImageSet, others: &ImageSet) -> Vec<Vec<f64>> {
    let grid = Grid::new(images.shape());
    let crops = |set: &ImageSet, views: usize| -> Vec<Vec<(Vec<f32>, f64)>> {
        let crop = |index: usize, view: usize| {
            let (mut vector, view) = (vec![0.0; grid.len()], grid.views()[view]);
            let pooled = grid.pool(set.image(index), view.mirrored);
            let square = grid.crop(&pooled, view, &mut vector);
            (vector, square)
        };
        (0..set.len()).map(|index| (0..views).map(|view| crop(index, view)).collect()).collect()
    };
    let (crops, centres) = (crops(images, grid.views().len()), crops(others, 1));
    let similarity = |(a, a_square): &(Vec<f32>, f64), (b, b_square): &(Vec<f32>, f64)| {
        let product: f64 = a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
        let squares = a_square * b_square;
        if squares == 0.0 { 0.0 } else { product / squares.sqrt() }
    };
    let best = |crops: &[(Vec<f32>, f64)], centre: &[(Vec<f32>, f64)]| {
        crops.iter().map(|crop| similarity(crop, &centre[0])).fold(0.0, f64::max)
    };
    crops.iter().map(|crops| centres.iter().map(|centre| best(crops, centre)).collect()).collect()
}

/// The best of each row, without those of one place for one and the same image.
fn best_of_others(similarities: &[Vec<f64>], may: impl Fn(usize, usize) -> bool) -> Vec<f64> {
    let best = |(image, row): (usize, &Vec<f64>)| {
        let others = row.iter().enumerate().filter(|&(other, _)| may(image, other));
        others.map(|(_, &similarity)| similarity).fold(0.0, f64::max)
    };
    similarities.iter().enumerate().map(best).collect()
}

fn assert_equals_force(found: &NearCopies, best: &[f64]) {
    let reached: Vec<usize> = (0..best.len()).filter(|&it| best[it] >= found.threshold).collect();
    let mut images: Vec<usize> = found.copies.iter().map(|copy| copy.image).collect();
    images.sort_unstable();
    assert_eq!(images, reached);
    for copy in &found.copies {
        let expected = best[copy.image];
        assert!((copy.similarity - expected).abs() < 1e-9, "{copy:?}, {expected}");
    }
}

#[test]
fn a_mirrored_and_shifted_copy_is_found_with_its_shift() {
    for shape in [shape(3, 32, 32), shape(1, 28, 28), shape(3, 64, 32), shape(1, 33, 50)] {
        let grid = Grid::new(shape);
        let train = pictures(shape, 20, 1);
        let shifts: Vec<[isize; 2]> =
            grid.views().iter().map(|&view| grid.shift(view)).take(9).collect();
        for (number, &[down, right]) in shifts.iter().enumerate() {
            let other = 2 * number + 1;
            let moved = shift(shape, &train[other], down, right);
            let test = [moved.clone(), mirror(shape, &moved)];
            let (test, train) = (set(shape, &test), set(shape, &train));
            let found = NearCopies::between(&test, &train, 0.95, QUIET).unwrap();
            assert_eq!(found.copies.len(), 2);
            for copy in &found.copies {
                assert_eq!((copy.other, copy.down, copy.right), (other, down, right), "{shape}");
                assert_eq!(copy.mirrored, copy.image == 1);
                assert_eq!(copy.other_label, copy.image % 3 != other % 3);
                assert!(copy.similarity > 1.0 - 1e-6, "{}", copy.similarity);
            }
        }
    }
}

#[test]
fn brightness_and_contrast_do_not_count() {
    let shape = shape(3, 32, 32);
    let train = pictures(shape, 3, 2);
    let darker: Vec<u8> = train[1].iter().map(|&value| value - value % 2).collect();
    let other: Vec<u8> = darker.iter().map(|&value| value / 2 + 100).collect();
    let found = NearCopies::between(
        &set(shape, &[other]),
        &set(shape, &[train[0].clone(), darker]),
        0.95,
        QUIET,
    );
    let copy = found.unwrap().copies[0];
    assert_eq!((copy.other, copy.down, copy.right, copy.mirrored), (1, 0, 0, false));
    assert!(copy.similarity > 1.0 - 1e-9, "{}", copy.similarity);
}

#[test]
fn the_search_finds_what_comparing_everything_with_everything_finds() {
    for (shape, threshold) in
        [(shape(1, 28, 28), 0.6), (shape(3, 32, 32), 0.3), (shape(1, 9, 7), 0.9)]
    {
        let mut test = pictures(shape, 40, 3);
        let train = pictures(shape, 75, 4);
        test.extend(train.iter().step_by(9).map(|image| {
            image
                .iter()
                .enumerate()
                .map(|(place, &it)| it.wrapping_add((place % 40) as u8))
                .collect()
        }));
        let (test, train) = (set(shape, &test), set(shape, &train));
        let found = NearCopies::between(&test, &train, threshold, QUIET).unwrap();
        assert!(!found.copies.is_empty() && found.copies.len() < test.len(), "{shape}");
        assert_equals_force(&found, &best_of_others(&by_force(&test, &train), |_, _| true));
        let found = NearCopies::within(&test, threshold, QUIET).unwrap();
        assert_equals_force(&found, &best_of_others(&by_force(&test, &test), |a, b| a != b));
    }
}

#[test]
fn random_images_are_compared_exactly() {
    let shape = shape(3, 8, 8);
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut images = || -> Vec<Vec<u8>> {
        (0..60).map(|_| (0..shape.pixels()).map(|_| rng.random()).collect()).collect()
    };
    let (test, train) = (set(shape, &images()), set(shape, &images()));
    let found = NearCopies::between(&test, &train, 0.25, QUIET).unwrap();
    assert!(!found.copies.is_empty() && found.copies.len() < 60, "{}", found.copies.len());
    assert_equals_force(&found, &best_of_others(&by_force(&test, &train), |_, _| true));
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let shape = shape(1, 28, 28);
    let images = set(shape, &pictures(shape, 150, 6));
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let found = NearCopies::within(&images, 0.6, QUIET).unwrap();
            (found, groups(&images, 0.75, QUIET).unwrap())
        })
    };
    let one = with(1);
    assert!(!one.0.copies.is_empty());
    assert_eq!(one, with(2));
    assert_eq!(one, with(5));
}

#[test]
fn flat_images_are_like_those_with_the_same_pixels_only() {
    let shape = shape(1, 8, 8);
    let (black, white) = (vec![0; 64], vec![255; 64]);
    let mut speck = black.clone();
    speck[27] = 1;
    let mut picture = pictures(shape, 1, 7);
    let images = [black.clone(), white.clone(), speck, black.clone(), picture.remove(0), black];
    let images = set(shape, &images);
    let found = NearCopies::within(&images, 0.5, QUIET).unwrap();
    let pairs: Vec<_> = found.copies.iter().map(|copy| (copy.image, copy.other)).collect();
    assert_eq!(pairs, [(0, 3), (3, 0), (5, 0)]);
    assert!(found.copies.iter().all(|copy| copy.similarity == 1.0));
    assert_eq!(groups(&images, 0.5, QUIET).unwrap(), [0, 1, 2, 0, 4, 0]);
    let whites = set(shape, &[white]);
    let found = NearCopies::between(&whites, &images, 0.5, QUIET).unwrap();
    assert_eq!((found.copies[0].other, found.images), (1, 1));
}

#[test]
fn of_equally_similar_images_the_first_is_named_with_its_plainest_view() {
    let shape = shape(1, 28, 28);
    let image = pictures(shape, 1, 8).remove(0);
    let twins = set(shape, &[image.clone(), image.clone(), image]);
    let found = NearCopies::within(&twins, 0.9, QUIET).unwrap();
    let pairs: Vec<_> = found.copies.iter().map(|copy| (copy.image, copy.other)).collect();
    assert_eq!(pairs, [(0, 1), (1, 0), (2, 0)]);
    for copy in found.copies {
        assert_eq!((copy.similarity, copy.down, copy.right, copy.mirrored), (1.0, 0, 0, false));
    }
}

#[test]
fn empty_sets_and_sets_of_one_image_have_no_near_copies() {
    let shape = shape(3, 32, 32);
    let (none, one) = (set(shape, &[]), set(shape, &pictures(shape, 1, 9)));
    for (images, others) in [(&none, &none), (&none, &one), (&one, &none)] {
        let found = NearCopies::between(images, others, 0.95, QUIET).unwrap();
        assert_eq!((found.copies.len(), found.images), (0, images.len()));
    }
    assert_eq!(NearCopies::within(&one, 0.95, QUIET).unwrap().copies, []);
    assert_eq!(NearCopies::within(&none, 0.95, QUIET).unwrap().copies, []);
    assert_eq!(groups(&none, 0.95, QUIET).unwrap(), [0; 0]);
    assert_eq!(groups(&one, 0.95, QUIET).unwrap(), [0]);
    let dot = set(super::tests::shape(1, 1, 1), &[vec![3], vec![4], vec![3]]);
    assert_eq!(groups(&dot, 0.95, QUIET).unwrap(), [0, 1, 0]);
}

#[test]
fn groups_are_what_pairs_hold_together_in_either_direction() {
    let shape = shape(1, 16, 16);
    let images = set(shape, &pictures(shape, 130, 10));
    let threshold = 0.8;
    let mut expected: Vec<usize> = (0..images.len()).collect();
    for (a, row) in by_force(&images, &images).iter().enumerate() {
        for (b, _) in row.iter().enumerate().filter(|&(_, &it)| it >= threshold) {
            let (a, b) = (expected[a], expected[b]);
            let least = a.min(b);
            expected.iter_mut().filter(|it| **it == a || **it == b).for_each(|it| *it = least);
        }
    }
    let found = groups(&images, threshold, QUIET).unwrap();
    assert_eq!(found, expected);
    let several = (0..images.len()).filter(|&index| found[index] != index).count();
    assert!(several > 3 && several < 120, "{several}");
}

#[test]
fn counts_are_of_images_at_least_so_similar() {
    let copy = |image, similarity, mirrored, other_label| NearCopy {
        image,
        other: 0,
        similarity,
        mirrored,
        down: 0,
        right: 0,
        other_label,
    };
    let copies =
        vec![copy(2, 0.995, true, false), copy(0, 0.97, false, true), copy(1, 0.96, true, true)];
    let found = NearCopies { threshold: 0.95, images: 9, copies };
    let counts = THRESHOLDS.map(|threshold| {
        let CopyCount { images, other_label, mirrored, .. } = found.count(threshold);
        (images, other_label, mirrored)
    });
    assert_eq!(counts, [(1, 0, 1), (2, 1, 1), (3, 2, 2)]);
}

#[test]
fn progress_comes_to_all_images() {
    let shape = shape(1, 6, 6);
    let images = set(shape, &pictures(shape, 70, 11));
    let most = AtomicUsize::new(0);
    let told = |done: usize| {
        most.fetch_max(done, Ordering::Relaxed);
    };
    NearCopies::within(&images, 0.95, &told).unwrap();
    assert_eq!(most.load(Ordering::Relaxed), 70);
}
