//! Enlarge or shrink the image a little.

use rand::RngExt;

use super::border::Border;
use super::draw::Draw;
use super::image::Image;
use super::options;
use super::step::Augment;
use super::warp::Warp;

/// Enlarges or shrinks the image around its middle, by a factor drawn uniformly from
/// `smallest..=largest`; the image keeps its size.
///
/// Resampled bilinearly, in one pass with the changes of geometry beside it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// The smallest factor, in `[0.1, 10]`; below 1 shrinks.
    pub smallest: f64,
    /// The largest factor, from the smallest to 10.
    pub largest: f64,
    /// What shows around a shrunken image.
    pub border: Border,
}

impl Scale {
    /// Reads `0.9:1.1` or `0.9:1.1:reflect`.
    pub(super) fn from_options(options: &str) -> Option<Self> {
        let (factors, border) = Border::split_from(options);
        let (smallest, largest) = factors.split_once(':')?;
        let smallest = options::number(smallest, 0.1..=10.0)?;
        Some(Self { smallest, largest: options::number(largest, smallest..=10.0)?, border })
    }
}

impl Augment for Scale {
    fn name(&self) -> &'static str {
        "scale"
    }

    fn spec(&self) -> String {
        format!("scale={}:{}{}", self.smallest, self.largest, self.border.suffix())
    }

    fn apply(&self, image: &mut Image, draw: &mut Draw) {
        let factor = draw.rng.random_range(self.smallest..=self.largest);
        image.warp(Warp::scaling(factor), self.border);
    }

    fn is_off(&self) -> bool {
        self.smallest == 1.0 && self.largest == 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::draw;
    use super::*;
    use crate::image_set::ImageShape;

    #[test]
    fn a_square_becomes_as_large_as_the_factor_says() {
        let mut image = Image::new(ImageShape { channels: 1, height: 40, width: 40 });
        image.patch(15..25, 15..25, |row| row.fill(255));
        Scale { smallest: 2.0, largest: 2.0, border: Border::Zero }.apply(&mut image, &mut draw(1));
        let white = image.pixels().iter().map(|&pixel| f64::from(pixel) / 255.0).sum::<f64>();
        assert!((white - 400.0).abs() < 1.0, "{white}");
    }
}
