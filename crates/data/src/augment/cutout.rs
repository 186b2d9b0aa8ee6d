//! Cover a square.

use rand::RngExt;

use super::draw::Draw;
use super::image::Image;
use super::options;
use super::step::{Augment, AugmentError};
use crate::image_set::ImageShape;

/// Covers a square of `side` pixels around a pixel of which all are equally likely; what lies beyond
/// the edge of the image is left out.
///
/// The paper sets the square to zero after normalization. Here the image is not normalized yet, so
/// the square gets the byte of each channel that comes nearest to it: the rounded mean of the training
/// split for the normalization `per-channel`, black for `unit`.
///
/// DeVries and Taylor, [Improved Regularization of Convolutional Neural Networks with
/// Cutout](https://arxiv.org/abs/1708.04552), 2017.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cutout {
    /// Pixels; at most the shorter side of the image.
    pub side: usize,
    /// What covers the square.
    pub fill: CutoutFill,
}

/// What covers a [`Cutout`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutoutFill {
    /// What normalization turns into zero, or the byte nearest to that: as in the paper.
    Neutral,
    /// Black.
    Black,
    /// The mean of each channel of the image itself.
    Mean,
}

impl Cutout {
    /// Reads `8`, `8:neutral`, `8:black` or `8:mean`.
    pub(super) fn from_options(options: &str) -> Option<Self> {
        let (side, fill) = options.split_once(':').unwrap_or((options, "neutral"));
        let fill = match fill {
            "neutral" => CutoutFill::Neutral,
            "black" => CutoutFill::Black,
            "mean" => CutoutFill::Mean,
            _ => return None,
        };
        Some(Self { side: options::number(side, 0..=usize::MAX)?, fill })
    }

    /// Covers the square around the pixel at (`row`, `column`).
    fn cover(self, image: &mut Image, row: usize, column: usize) {
        let ImageShape { height, width, .. } = image.shape();
        let span = |middle: usize, length: usize| {
            // A square of even side has no middle pixel; it reaches one further up and left.
            let end = middle + self.side.div_ceil(2);
            middle.saturating_sub(self.side / 2)..end.min(length)
        };
        image.cover(span(row, height), span(column, width), |plane, neutral| match self.fill {
            CutoutFill::Neutral => neutral,
            CutoutFill::Black => 0,
            CutoutFill::Mean => mean(plane),
        });
    }
}

fn mean(plane: &[u8]) -> u8 {
    let sum: usize = plane.iter().map(|&pixel| usize::from(pixel)).sum();
    ((sum + plane.len() / 2) / plane.len().max(1)) as u8
}

impl Augment for Cutout {
    fn name(&self) -> &'static str {
        "cutout"
    }

    fn spec(&self) -> String {
        let fill = match self.fill {
            CutoutFill::Neutral => "",
            CutoutFill::Black => ":black",
            CutoutFill::Mean => ":mean",
        };
        format!("cutout={}{fill}", self.side)
    }

    fn apply(&self, image: &mut Image, draw: &mut Draw) {
        let ImageShape { height, width, .. } = image.shape();
        let (row, column) = (draw.rng.random_range(0..height), draw.rng.random_range(0..width));
        self.cover(image, row, column);
    }

    fn is_off(&self) -> bool {
        self.side == 0
    }

    fn check(&self, shape: ImageShape) -> Result<(), AugmentError> {
        let side = shape.height.min(shape.width);
        if self.side <= side {
            return Ok(());
        }
        let expected = format!("the square must measure at most {side} pixels");
        Err(AugmentError::Shape { spec: self.spec(), shape, expected })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::draw;
    use super::*;

    /// Where a white image of 6×5 is no longer white.
    fn covered(side: usize, row: usize, column: usize) -> Vec<(usize, usize)> {
        let mut image = Image::new(ImageShape { channels: 2, height: 6, width: 5 });
        image.pixels_mut().fill(255);
        Cutout { side, fill: CutoutFill::Black }.cover(&mut image, row, column);
        let (first, second) = image.pixels().split_at(30);
        assert_eq!(first, second);
        (0..30).filter(|&place| first[place] == 0).map(|place| (place / 5, place % 5)).collect()
    }

    #[test]
    fn the_square_lies_around_its_middle_and_is_clipped_at_the_edges() {
        assert_eq!(covered(1, 3, 2), [(3, 2)]);
        assert_eq!(covered(2, 3, 2), [(2, 1), (2, 2), (3, 1), (3, 2)]);
        assert_eq!(covered(3, 0, 4), [(0, 3), (0, 4), (1, 3), (1, 4)]);
        assert_eq!(covered(5, 3, 2).len(), 25);
        assert_eq!(covered(0, 3, 2), []);
    }

    #[test]
    fn the_square_is_filled_with_the_colour_asked_for() {
        let shape = ImageShape { channels: 2, height: 2, width: 2 };
        let fill = |fill| {
            let mut image = Image::with_neutral(shape, vec![77, 88]);
            image.load(&[10, 20, 30, 42, 100, 100, 100, 101]);
            Cutout { side: 2, fill }.cover(&mut image, 1, 1);
            image.pixels().to_vec()
        };
        assert_eq!(fill(CutoutFill::Neutral), [77, 77, 77, 77, 88, 88, 88, 88]);
        assert_eq!(fill(CutoutFill::Black), [0; 8]);
        assert_eq!(fill(CutoutFill::Mean), [26, 26, 26, 26, 100, 100, 100, 100]);
    }

    #[test]
    fn every_pixel_is_the_middle_equally_often() {
        let mut counts = [0; 30];
        for seed in 0..3000 {
            let mut image = Image::new(ImageShape { channels: 1, height: 6, width: 5 });
            image.pixels_mut().fill(255);
            let cutout = Cutout { side: 1, fill: CutoutFill::Black };
            cutout.apply(&mut image, &mut draw(seed));
            counts[image.pixels().iter().position(|&pixel| pixel == 0).unwrap()] += 1;
        }
        assert!(counts.iter().all(|count| (60..140).contains(count)), "{counts:?}");
    }
}
