//! Make the image flatter or harsher.

use super::blend::{blended, factor, in_fixed_point, mean_luma};
use super::draw::Draw;
use super::image::Image;
use super::options;
use super::step::Augment;

/// Multiplies the distance of all pixels from the image's mean luma by a factor drawn uniformly from
/// `1 ± strength`:
///
/// ```text
/// new = m + factor · (old − m),   m = mean(0.299 red + 0.587 green + 0.114 blue)
/// ```
///
/// The mean, rounded, is of all pixels alike in an image that is not red, green and blue.
///
/// As torchvision's [`ColorJitter`](https://docs.pytorch.org/vision/stable/generated/torchvision.transforms.ColorJitter.html),
/// but rounded instead of cut off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contrast {
    /// Strength in `[0, 1]`.
    pub strength: f64,
}

/// Multiplies the distance of all pixels from the mean luma by `factor`, at least 0.
pub(super) fn harden(image: &mut Image, factor: f64) {
    let (mean, factor) = (mean_luma(image), in_fixed_point(factor));
    image.pixels_mut().iter_mut().for_each(|pixel| *pixel = blended(*pixel, mean, factor));
}

impl Contrast {
    /// Reads `0.2`.
    pub(super) fn from_options(options: &str) -> Option<Self> {
        Some(Self { strength: options::number(options, 0.0..=1.0)? })
    }
}

impl Augment for Contrast {
    fn name(&self) -> &'static str {
        "contrast"
    }

    fn spec(&self) -> String {
        format!("contrast={}", self.strength)
    }

    fn apply(&self, image: &mut Image, draw: &mut Draw) {
        harden(image, factor(self.strength, draw));
    }

    fn is_off(&self) -> bool {
        self.strength == 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image_set::ImageShape;

    #[test]
    fn distances_from_the_mean_are_multiplied() {
        let mut image = Image::new(ImageShape { channels: 1, height: 1, width: 4 });
        for (factor, expected) in [
            (0.0, [100, 100, 100, 100]),
            (0.5, [50, 80, 120, 150]),
            (1.0, [0, 60, 140, 200]),
            (2.0, [0, 20, 180, 255]),
        ] {
            image.load(&[0, 60, 140, 200]);
            harden(&mut image, factor);
            assert_eq!(image.pixels(), expected);
        }
    }

    #[test]
    fn the_mean_of_a_colour_image_is_its_mean_luma() {
        let mut image = Image::new(ImageShape { channels: 3, height: 1, width: 2 });
        image.load(&[200, 200, 0, 0, 0, 100]);
        harden(&mut image, 0.0);
        // 0.299 · 200 + 0.114 · 50
        assert_eq!(image.pixels(), [65; 6]);
    }
}
