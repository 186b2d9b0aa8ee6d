//! Move the image a little.

use rand::RngExt;

use super::border::Border;
use super::draw::Draw;
use super::image::Image;
use super::options;
use super::step::{Augment, AugmentError};
use super::warp::Warp;
use crate::image_set::ImageShape;

/// Moves the image to the right and down, by two distances drawn uniformly from `±pixels`.
///
/// Distances are no whole numbers, and the image is resampled bilinearly, in one pass with the
/// changes of geometry beside it. [`Crop`](super::Crop) moves by whole pixels and stays sharp.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Translate {
    /// The greatest distance in each direction: at least 0, less than the sides of the image.
    pub pixels: f64,
    /// What moves in.
    pub border: Border,
}

impl Translate {
    /// Reads `2`, `1.5` or `2:reflect`.
    pub(super) fn from_options(options: &str) -> Option<Self> {
        let (pixels, border) = Border::split_from(options);
        Some(Self { pixels: options::number(pixels, 0.0..=f64::MAX)?, border })
    }
}

impl Augment for Translate {
    fn name(&self) -> &'static str {
        "translate"
    }

    fn spec(&self) -> String {
        format!("translate={}{}", self.pixels, self.border.suffix())
    }

    fn apply(&self, image: &mut Image, draw: &mut Draw) {
        let mut distance = || draw.rng.random_range(-self.pixels..=self.pixels);
        image.warp(Warp::translation(distance(), distance()), self.border);
    }

    fn is_off(&self) -> bool {
        self.pixels == 0.0
    }

    fn check(&self, shape: ImageShape) -> Result<(), AugmentError> {
        let side = shape.height.min(shape.width);
        if self.pixels < side as f64 {
            return Ok(());
        }
        let expected = format!("the distance must be less than {side} pixels");
        Err(AugmentError::Shape { spec: self.spec(), shape, expected })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::draw;
    use super::*;

    #[test]
    fn distances_are_independent_and_reach_all_corners() {
        let mut corners = [0; 4];
        for seed in 0..400 {
            let mut image = Image::new(ImageShape { channels: 1, height: 11, width: 9 });
            image.pixels_mut()[5 * 9 + 4] = 255;
            Translate { pixels: 3.0, border: Border::Zero }.apply(&mut image, &mut draw(seed));
            let brightest = (0..99).max_by_key(|&place| image.pixels()[place]).unwrap();
            let (row, column) = (brightest / 9, brightest % 9);
            assert!((2..=8).contains(&row) && (1..=7).contains(&column), "{row}, {column}");
            if row.abs_diff(5) > 1 && column.abs_diff(4) > 1 {
                corners[usize::from(row > 5) * 2 + usize::from(column > 4)] += 1;
            }
        }
        // A share of ¼ of the area, in four corners.
        assert!(corners.iter().all(|count| (10..50).contains(count)), "{corners:?}");
    }
}
