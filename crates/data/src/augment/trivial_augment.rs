//! One operation drawn from a list, at a strength of its own.

use rand::RngExt;

use super::draw::Draw;
use super::image::Image;
use super::operations::{OPERATIONS, Reach, Scales};
use super::step::Augment;

/// Steps between no strength and the greatest.
const GREATEST: u32 = 30;

/// The paper's wide ranges.
pub(super) const SCALES: Scales =
    Scales { degrees: 135.0, shear: 0.99, reach: Reach::Pixels(32.0), factor: 0.99, bits: 6.0 };

/// Applies one operation of RandAugment's fourteen, all equally likely, at a strength drawn for every image: the share
/// `s`, one of `0/30, 1/30, …, 30/30`, all equally likely, of the operation's greatest.
///
/// | operation | strength |
/// | --- | --- |
/// | identity, autocontrast, equalize | none |
/// | rotate | ± 135·s degrees |
/// | shear-x, shear-y | tangent ± 0.99·s |
/// | translate-x, translate-y | ± 32·s pixels |
/// | brightness, contrast, colour (saturation), sharpness | factor 1 ± 0.99·s |
/// | posterize | 8 − round(6·s) bits |
/// | solarize | what is at least 256·(1 − s) |
///
/// Either sign is equally likely. There is nothing to tune, which is its point: the list is that of RandAugment, the
/// ranges are those of the paper's wide space, which are torchvision's
/// [`TrivialAugmentWide`](https://docs.pytorch.org/vision/stable/generated/torchvision.transforms.TrivialAugmentWide.html)
/// too, but for solarize, which leaves white as it is at strength 0. What moves in is black. Pixels are interpolated
/// between their four neighbours, images lean around their middle and are moved by parts of a pixel as well, where
/// torchvision takes the nearest pixel, the upper left corner and whole pixels.
///
/// Müller & Hutter, [TrivialAugment: Tuning-free Yet State-of-the-Art Data Augmentation](https://arxiv.org/abs/2103.10158),
/// ICCV 2021.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrivialAugment;

impl Augment for TrivialAugment {
    fn name(&self) -> &'static str {
        "trivialaugment"
    }

    fn spec(&self) -> String {
        "trivialaugment".to_owned()
    }

    fn apply(&self, image: &mut Image, draw: &mut Draw) {
        let operation = OPERATIONS[draw.rng.random_range(0..OPERATIONS.len())];
        let strength = f64::from(draw.rng.random_range(0..=GREATEST)) / f64::from(GREATEST);
        let sign = if draw.rng.random() { 1.0 } else { -1.0 };
        (operation.apply)(image, sign * strength, &SCALES);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{draw, photograph};
    use super::*;

    fn look(seed: u64) -> Vec<u8> {
        let mut image = photograph(3);
        TrivialAugment.apply(&mut image, &mut draw(seed));
        image.pixels().to_vec()
    }

    #[test]
    fn most_images_change_and_some_stay() {
        // The identity is one in fourteen, and strength 0 one in thirty-one of the eleven that have a strength.
        let draws = 3000;
        let same = (0..draws).filter(|&seed| look(seed) == photograph(3).pixels()).count();
        let expected = (1.0 + 11.0 / 31.0) / 14.0;
        let (found, error) = (same as f64 / draws as f64, (expected / draws as f64).sqrt());
        // Some operations change nothing at small strengths, such as a turn by less than a pixel.
        assert!(found > expected - 4.0 * error && found < 2.5 * expected, "{found}");
    }
}
