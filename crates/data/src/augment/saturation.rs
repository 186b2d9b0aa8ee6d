//! Make the colours paler or stronger.

use super::blend::{blended, factor, in_fixed_point, luma};
use super::draw::Draw;
use super::image::Image;
use super::options;
use super::step::{Augment, AugmentError};
use crate::image_set::ImageShape;

/// Multiplies the distance of red, green and blue from each pixel's luma by a factor drawn uniformly
/// from `1 ± strength`:
///
/// ```text
/// new = l + factor · (old − l),   l = 0.299 red + 0.587 green + 0.114 blue
/// ```
///
/// Images that are not red, green and blue are refused: it could not change them.
///
/// As torchvision's [`ColorJitter`](https://docs.pytorch.org/vision/stable/generated/torchvision.transforms.ColorJitter.html),
/// but rounded instead of cut off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Saturation {
    /// Strength in `[0, 1]`.
    pub strength: f64,
}

/// Multiplies the distance of all colours from grey by `factor`, at least 0. Leaves images alone that
/// are not red, green and blue.
pub(super) fn saturate(image: &mut Image, factor: f64) {
    let factor = in_fixed_point(factor);
    let mut planes = image.planes_mut();
    let (Some(red), Some(green), Some(blue), None) =
        (planes.next(), planes.next(), planes.next(), planes.next())
    else {
        return;
    };
    for ((red, green), blue) in red.iter_mut().zip(green).zip(blue) {
        let grey = luma(*red, *green, *blue);
        for value in [red, green, blue] {
            *value = blended(*value, grey, factor);
        }
    }
}

impl Saturation {
    /// Reads `0.2`.
    pub(super) fn from_options(options: &str) -> Option<Self> {
        Some(Self { strength: options::number(options, 0.0..=1.0)? })
    }
}

impl Augment for Saturation {
    fn name(&self) -> &'static str {
        "saturation"
    }

    fn spec(&self) -> String {
        format!("saturation={}", self.strength)
    }

    fn apply(&self, image: &mut Image, draw: &mut Draw) {
        saturate(image, factor(self.strength, draw));
    }

    fn is_off(&self) -> bool {
        self.strength == 0.0
    }

    fn check(&self, shape: ImageShape) -> Result<(), AugmentError> {
        if shape.channels == 3 {
            return Ok(());
        }
        let expected = format!("they must have 3 channels, found {}", shape.channels);
        Err(AugmentError::Shape { spec: self.spec(), shape, expected })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_move_from_and_towards_their_own_grey() {
        let mut image = Image::new(ImageShape { channels: 3, height: 1, width: 2 });
        // One pixel is red with luma 0.299 · 100 + 0.701 · 50 = 65, the other grey.
        let pixels = [100, 70, 50, 70, 50, 70];
        for (factor, expected) in
            [(0.0, [65, 70, 65, 70, 65, 70]), (1.0, pixels), (2.0, [135, 70, 35, 70, 35, 70])]
        {
            image.load(&pixels);
            saturate(&mut image, factor);
            assert_eq!(image.pixels(), expected);
        }
    }
}
