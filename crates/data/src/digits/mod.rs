//! Handwritten-looking digits, drawn by the program: a data set that needs no file and no network.
//!
//! Each image is a pen stroke template of its digit, bent, sheared, turned and stretched at random,
//! drawn with a pen of random width and ink, and dirtied with noise and specks. The set is always
//! the same, whatever the run's seed: a test pins its checksum. All arithmetic is exact to the
//! last bit by IEEE 754 (`+ − × ÷ √`, no `sin`, no `exp`), so the pixels are equal everywhere.
//!
//! It is made to leave something to learn: softmax regression gets little more than 80 % of the test
//! images right, a small convolutional network more than 99 %.

use rayon::prelude::*;

use crate::image_set::{ImageSet, ImageShape};

mod dice;
mod drawing;
mod strokes;

use dice::Dice;
pub use drawing::SIDE;

/// The digits 0 to 9.
pub const CLASSES: usize = 10;
/// Images in the training set, 1,000 of each digit.
pub const TRAIN_IMAGES: usize = 10_000;
/// Images in the test set, 200 of each digit.
pub const TEST_IMAGES: usize = 2_000;

/// Draws the set: 10,000 images to train on and 2,000 to test on, 28×28 gray, white on black, all
/// digits equally often, in random order.
pub fn load() -> (ImageSet, ImageSet) {
    (draw("train", TRAIN_IMAGES), draw("test", TEST_IMAGES))
}

/// Image `i` of a split is drawn from a stream of its own, so the threads cannot disturb it.
fn draw(split: &str, images: usize) -> ImageSet {
    let labels = labels(split, images);
    let mut pixels = vec![0; images * SIDE * SIDE];
    let generator = Dice::named(&format!("backburn digits {split} images"));
    pixels.par_chunks_exact_mut(SIDE * SIDE).zip(&labels).enumerate().for_each(
        |(i, (image, &digit))| drawing::draw(digit.into(), &mut generator.stream(i as u64), image),
    );
    let shape = ImageShape { channels: 1, height: SIDE, width: SIDE };
    ImageSet::new(shape, CLASSES, pixels, labels).expect("one label below 10 for each image")
}

/// Every digit equally often, shuffled.
fn labels(split: &str, images: usize) -> Vec<u16> {
    let mut labels: Vec<u16> = (0..images).map(|i| (i % CLASSES) as u16).collect();
    let mut dice = Dice::named(&format!("backburn digits {split} labels"));
    for last in (1..images).rev() {
        labels.swap(last, dice.below(last + 1));
    }
    labels
}

#[cfg(test)]
mod tests {
    use rayon::ThreadPoolBuilder;

    use super::*;

    #[test]
    fn the_set_is_the_same_forever_and_everywhere() {
        let (train, test) = load();
        assert_eq!(
            [train.sha256(), test.sha256()],
            [
                "711c6cdf65ad2aa2bbc1a059669e8fdab8a856491626fced4dbc7e0f7793c341",
                "74c6194201aa2804b63ff6a93490ef68b4b79c14577e0f58f97ef0911c0a0b7d",
            ]
        );
    }

    #[test]
    fn the_number_of_threads_does_not_matter() {
        let by = |threads| {
            let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| draw("test", 200))
        };
        assert_eq!(by(1), by(3));
    }

    #[test]
    fn every_digit_comes_equally_often_and_in_no_order() {
        let (train, test) = load();
        assert_eq!(train.class_counts(), [1_000; 10]);
        assert_eq!(test.class_counts(), [200; 10]);
        let repeats = train.labels().windows(2).filter(|pair| pair[0] == pair[1]).count();
        assert!((900..1_100).contains(&repeats), "{repeats} of 9999 neighbors are equal");
        assert_ne!(train.labels()[..2_000], *test.labels());
    }

    #[test]
    fn digits_stand_upright_and_are_not_mirrored() {
        let (_, test) = load();
        let ink = |digit: u16, wanted: fn(usize, usize) -> bool| -> u64 {
            let images = (0..test.len()).filter(|&i| test.label(i) == digit);
            let pixels = images.flat_map(|i| test.image(i).iter().enumerate());
            let here = pixels.filter(|(at, _)| wanted(at / SIDE, at % SIDE));
            here.map(|(_, &pixel)| u64::from(pixel)).sum()
        };
        let (upper, lower) = (|row, _| row < SIDE / 2, |row, _| row >= SIDE / 2);
        let (left, right) = (|_, column| column < SIDE / 2, |_, column| column >= SIDE / 2);
        assert!(ink(7, upper) > ink(7, lower));
        assert!(ink(9, upper) > ink(9, lower));
        assert!(ink(6, upper) < ink(6, lower));
        assert!(ink(6, left) > ink(6, right));
        assert!(ink(3, left) < ink(3, right));
    }

    #[test]
    fn a_linear_classifier_learns_something_but_does_not_solve_it() {
        let (train, test) = load();
        let accuracies: Vec<_> = [0.0005, 0.002, 0.008]
            .par_iter()
            .map(|&rate| Linear::train(&train, 6, rate).accuracy(&test))
            .collect();
        let best = accuracies.iter().copied().fold(0.0, f64::max);
        assert!((0.6..0.95).contains(&best), "test accuracies {accuracies:?}");
    }

    /// Softmax regression.
    struct Linear {
        /// `[class][pixel]`, the last one for the bias.
        weights: Vec<[f32; SIDE * SIDE + 1]>,
    }

    impl Linear {
        /// Stochastic gradient descent, one image at a time, the rate falling linearly to zero.
        fn train(set: &ImageSet, epochs: usize, rate: f32) -> Self {
            let mut model = Self { weights: vec![[0.0; SIDE * SIDE + 1]; CLASSES] };
            for step in 0..epochs * set.len() {
                let i = step % set.len();
                let rate = rate * (1.0 - step as f32 / (epochs * set.len()) as f32);
                let input = Self::input(set.image(i));
                let mut errors = model.logits(&input).map(f32::exp);
                let sum: f32 = errors.iter().sum();
                errors.iter_mut().for_each(|error| *error /= sum);
                errors[usize::from(set.label(i))] -= 1.0;
                for (weights, error) in model.weights.iter_mut().zip(errors) {
                    for (weight, value) in weights.iter_mut().zip(&input) {
                        *weight -= rate * error * value;
                    }
                }
            }
            model
        }

        fn input(pixels: &[u8]) -> [f32; SIDE * SIDE + 1] {
            let mut input = [1.0; SIDE * SIDE + 1];
            for (value, &pixel) in input.iter_mut().zip(pixels) {
                *value = f32::from(pixel) / 255.0 - 0.2;
            }
            input
        }

        fn logits(&self, input: &[f32]) -> [f32; CLASSES] {
            std::array::from_fn(|class| {
                self.weights[class].iter().zip(input).map(|(weight, value)| weight * value).sum()
            })
        }

        fn accuracy(&self, set: &ImageSet) -> f64 {
            let right = (0..set.len()).filter(|&i| {
                let logits = self.logits(&Self::input(set.image(i)));
                let best = (0..CLASSES).max_by(|&a, &b| logits[a].total_cmp(&logits[b]));
                best == Some(usize::from(set.label(i)))
            });
            right.count() as f64 / set.len() as f64
        }
    }
}
