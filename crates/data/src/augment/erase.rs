//! Overwrite a rectangle with noise.

use rand::RngExt;
use rand_chacha::rand_core::Rng;

use super::draw::Draw;
use super::image::Image;
use super::options;
use super::step::Augment;
use crate::image_set::ImageShape;

/// Share of the image that a rectangle covers.
const AREA: (f64, f64) = (0.02, 0.33);
/// Height over width is from this to its inverse.
const NARROWEST: f64 = 0.3;
/// Rectangles drawn until one fits.
const ATTEMPTS: usize = 10;

/// With some probability, fills a rectangle with random bytes: its area is drawn uniformly from 2 to
/// 33 % of the image, the logarithm of its height over its width uniformly from 0.3 to 1/0.3, its place
/// uniformly. A rectangle that does not fit is drawn again, ten times at most.
///
/// Zhong et al., [Random Erasing Data Augmentation](https://arxiv.org/abs/1708.04896), AAAI 2020. The
/// paper goes up to 40 % of the area, draws the ratio itself uniformly, which makes more rectangles high
/// than wide, and repeats without end; this is as in torchvision's
/// [`RandomErasing`](https://docs.pytorch.org/vision/stable/generated/torchvision.transforms.RandomErasing.html).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Erase {
    /// Share of images that lose a rectangle, in `[0, 1]`.
    pub probability: f64,
}

impl Erase {
    /// Reads `0.5`.
    pub(super) fn from_options(options: &str) -> Option<Self> {
        Some(Self { probability: options::number(options, 0.0..=1.0)? })
    }
}

/// Height and width of a rectangle, if it fits.
fn size(shape: ImageShape, rng: &mut impl Rng) -> Option<(usize, usize)> {
    let area = rng.random_range(AREA.0..=AREA.1) * (shape.height * shape.width) as f64;
    let ratio = rng.random_range(NARROWEST.ln()..=-NARROWEST.ln()).exp();
    let height = (area * ratio).sqrt().round() as usize;
    let width = (area / ratio).sqrt().round() as usize;
    let fits = height.min(width) > 0 && height < shape.height && width < shape.width;
    fits.then_some((height, width))
}

impl Augment for Erase {
    fn name(&self) -> &'static str {
        "erase"
    }

    fn spec(&self) -> String {
        format!("erase={}", self.probability)
    }

    fn apply(&self, image: &mut Image, draw: &mut Draw) {
        let (shape, rng) = (image.shape(), &mut draw.rng);
        if !rng.random_bool(self.probability) {
            return;
        }
        let Some((height, width)) = (0..ATTEMPTS).find_map(|_| size(shape, rng)) else { return };
        let top = rng.random_range(0..=shape.height - height);
        let left = rng.random_range(0..=shape.width - width);
        image.patch(top..top + height, left..left + width, |row| rng.fill_bytes(row));
    }

    fn is_off(&self) -> bool {
        self.probability == 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::draw;
    use super::*;

    const SHAPE: ImageShape = ImageShape { channels: 2, height: 40, width: 30 };

    /// Height and width of what was erased, and the share of pixels in it that changed.
    fn erased(probability: f64, seed: u64) -> Option<(usize, usize, f64)> {
        let mut image = Image::new(SHAPE);
        Erase { probability }.apply(&mut image, &mut draw(seed));
        let changed: Vec<usize> = (0..1200).filter(|&place| image.pixels()[place] != 0).collect();
        let extent = |of: fn(usize) -> usize| {
            let (low, high) =
                (changed.iter().map(|&p| of(p)).min()?, changed.iter().map(|&p| of(p)).max()?);
            Some(high - low + 1)
        };
        let (height, width) = (extent(|place| place / 30)?, extent(|place| place % 30)?);
        Some((height, width, changed.len() as f64 / (height * width) as f64))
    }

    #[test]
    fn rectangles_are_within_their_ranges_and_full_of_noise() {
        let (mut higher, mut wider) = (0, 0);
        for seed in 0..500 {
            let (height, width, noise) = erased(1.0, seed).unwrap();
            let share = (height * width) as f64 / 1200.0;
            assert!((0.01..0.36).contains(&share), "{share}");
            let ratio = height as f64 / width as f64;
            assert!((0.2..4.5).contains(&ratio), "{ratio}");
            // One byte in 256 is black by chance.
            assert!(noise > 0.9, "{noise}");
            higher += usize::from(height > width);
            wider += usize::from(width > height);
        }
        // Some wide ones are too wide for this image.
        assert!(higher > 200 && wider > 150, "{higher} and {wider} of 500");
    }

    #[test]
    fn the_probability_is_that_of_an_image() {
        let count = (0..4000).filter(|&seed| erased(0.3, seed).is_some()).count();
        assert!((1100..1300).contains(&count), "{count} of 4000");
    }
}
