//! Make the image darker or brighter.

use super::blend::{blended, factor, in_fixed_point};
use super::draw::Draw;
use super::image::Image;
use super::options;
use super::step::Augment;

/// Multiplies all pixels by a factor drawn uniformly from `1 ± strength`; what exceeds 255 is white.
///
/// As torchvision's [`ColorJitter`](https://docs.pytorch.org/vision/stable/generated/torchvision.transforms.ColorJitter.html),
/// but rounded instead of cut off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Brightness {
    /// Strength in `[0, 1]`.
    pub strength: f64,
}

/// Multiplies all pixels by `factor`, at least 0.
pub(super) fn brighten(image: &mut Image, factor: f64) {
    let factor = in_fixed_point(factor);
    image.pixels_mut().iter_mut().for_each(|pixel| *pixel = blended(*pixel, 0, factor));
}

impl Brightness {
    /// Reads `0.2`.
    pub(super) fn from_options(options: &str) -> Option<Self> {
        Some(Self { strength: options::number(options, 0.0..=1.0)? })
    }
}

impl Augment for Brightness {
    fn name(&self) -> &'static str {
        "brightness"
    }

    fn spec(&self) -> String {
        format!("brightness={}", self.strength)
    }

    fn apply(&self, image: &mut Image, draw: &mut Draw) {
        brighten(image, factor(self.strength, draw));
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
    fn pixels_are_multiplied_rounded_and_clipped() {
        let mut image = Image::new(ImageShape { channels: 1, height: 1, width: 4 });
        for (factor, expected) in
            [(0.5, [0, 6, 50, 128]), (1.0, [0, 11, 100, 255]), (2.0, [0, 22, 200, 255])]
        {
            image.load(&[0, 11, 100, 255]);
            brighten(&mut image, factor);
            assert_eq!(image.pixels(), expected);
        }
    }
}
