//! Lean the image a little.

use rand::RngExt;

use super::border::Border;
use super::draw::Draw;
use super::image::Image;
use super::options;
use super::step::Augment;
use super::warp::Warp;

/// Leans the image to the left or right: upright lines turn by an angle drawn uniformly from
/// `±degrees`, level ones stay level. With a rotation beside it, the other shear follows.
///
/// Resampled bilinearly, in one pass with the changes of geometry beside it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shear {
    /// The greatest angle, in `[0, 80]`.
    pub degrees: f64,
    /// What shows in the corners.
    pub border: Border,
}

impl Shear {
    /// Reads `10` or `10:reflect`.
    pub(super) fn from_options(options: &str) -> Option<Self> {
        let (degrees, border) = Border::split_from(options);
        Some(Self { degrees: options::number(degrees, 0.0..=80.0)?, border })
    }
}

impl Augment for Shear {
    fn name(&self) -> &'static str {
        "shear"
    }

    fn spec(&self) -> String {
        format!("shear={}{}", self.degrees, self.border.suffix())
    }

    fn apply(&self, image: &mut Image, draw: &mut Draw) {
        let degrees: f64 = draw.rng.random_range(-self.degrees..=self.degrees);
        image.warp(Warp::shear_x(degrees.to_radians().tan()), self.border);
    }

    fn is_off(&self) -> bool {
        self.degrees == 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::draw;
    use super::*;
    use crate::image_set::ImageShape;

    #[test]
    fn the_middle_row_stays_and_the_outer_rows_move_apart() {
        let mut leaned_left = 0;
        for seed in 0..100 {
            let mut image = Image::new(ImageShape { channels: 1, height: 21, width: 41 });
            image.patch(0..21, 20..21, |row| row.fill(255));
            Shear { degrees: 45.0, border: Border::Zero }.apply(&mut image, &mut draw(seed));
            let middle = |row: usize| {
                let row = image.clone().pixels()[row * 41..][..41].to_vec();
                let moment = |(x, &pixel): (usize, &u8)| x as f64 * f64::from(pixel);
                row.iter().enumerate().map(moment).sum::<f64>()
                    / row.iter().map(|&pixel| f64::from(pixel)).sum::<f64>()
            };
            assert_eq!(middle(10), 20.0);
            assert!((middle(0) + middle(20) - 40.0).abs() < 0.1);
            assert!((middle(0) - 20.0).abs() <= 10.1);
            leaned_left += usize::from(middle(0) < 20.0);
        }
        assert!((30..70).contains(&leaned_left), "{leaned_left} of 100");
    }
}
