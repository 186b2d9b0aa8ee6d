//! Change brightness, contrast and saturation.

use super::blend::factor;
use super::brightness::brighten;
use super::contrast::harden;
use super::draw::Draw;
use super::image::Image;
use super::options;
use super::saturation::saturate;
use super::step::Augment;

/// [`Brightness`](super::Brightness), [`Contrast`](super::Contrast) and
/// [`Saturation`](super::Saturation), in this order, each by a factor of its own from `1 ± strength`.
/// Grey images have no saturation; they change in the other two.
///
/// torchvision's [`ColorJitter`](https://docs.pytorch.org/vision/stable/generated/torchvision.transforms.ColorJitter.html)
/// without hue, and in a fixed order instead of a random one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Colour {
    /// Strength in `[0, 1]`.
    pub strength: f64,
}

impl Colour {
    /// Reads `0.2`.
    pub(super) fn from_options(options: &str) -> Option<Self> {
        Some(Self { strength: options::number(options, 0.0..=1.0)? })
    }
}

impl Augment for Colour {
    fn name(&self) -> &'static str {
        "colour"
    }

    fn spec(&self) -> String {
        format!("colour={}", self.strength)
    }

    fn apply(&self, image: &mut Image, draw: &mut Draw) {
        brighten(image, factor(self.strength, draw));
        harden(image, factor(self.strength, draw));
        saturate(image, factor(self.strength, draw));
    }

    fn is_off(&self) -> bool {
        self.strength == 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::super::tests::draw;
    use super::*;
    use crate::image_set::ImageShape;

    #[test]
    fn colour_is_its_three_parts_in_order() {
        let pixels: Vec<u8> = (0..48).map(|i| i * 5).collect();
        for channels in [1, 3] {
            let mut image = Image::new(ImageShape { channels, height: 4, width: 12 / channels });
            let mut parts = image.clone();
            image.load(&pixels);
            parts.load(&pixels);
            parse("colour=0.4").unwrap().apply(&mut image, &mut draw(1));
            let split = "brightness=0.4,contrast=0.4,saturation=0.4";
            parse(split).unwrap().apply(&mut parts, &mut draw(1));
            assert_eq!(image.pixels(), parts.pixels());
        }
    }
}
