//! Turn the image a little.

use rand::RngExt;

use super::border::Border;
use super::draw::Draw;
use super::image::Image;
use super::options;
use super::step::Augment;
use super::warp::Warp;

/// Turns the image around its middle, by an angle drawn uniformly from `±degrees`.
///
/// Resampled bilinearly, in one pass with the changes of geometry beside it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rotate {
    /// The greatest angle, in `[0, 180]`.
    pub degrees: f64,
    /// What shows in the corners.
    pub border: Border,
}

impl Rotate {
    /// Reads `15` or `15:reflect`.
    pub(super) fn from_options(options: &str) -> Option<Self> {
        let (degrees, border) = Border::split_from(options);
        Some(Self { degrees: options::number(degrees, 0.0..=180.0)?, border })
    }
}

impl Augment for Rotate {
    fn name(&self) -> &'static str {
        "rotate"
    }

    fn spec(&self) -> String {
        format!("rotate={}{}", self.degrees, self.border.suffix())
    }

    fn apply(&self, image: &mut Image, draw: &mut Draw) {
        let degrees = draw.rng.random_range(-self.degrees..=self.degrees);
        image.warp(Warp::rotation(degrees), self.border);
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

    /// The angle, in degrees counterclockwise, at which a white dot right of the middle ends up.
    fn angle(seed: u64) -> f64 {
        let mut image = Image::new(ImageShape { channels: 1, height: 41, width: 41 });
        image.pixels_mut()[20 * 41 + 38] = 255;
        Rotate { degrees: 60.0, border: Border::Zero }.apply(&mut image, &mut draw(seed));
        let (mut x, mut y) = (0.0, 0.0);
        for (place, &pixel) in image.pixels().iter().enumerate() {
            x += f64::from(pixel) * (place as f64 % 41.0 - 20.0);
            y -= f64::from(pixel) * ((place / 41) as f64 - 20.0);
        }
        y.atan2(x).to_degrees()
    }

    #[test]
    fn angles_are_uniform_up_to_the_greatest_in_both_directions() {
        let angles: Vec<f64> = (0..400).map(angle).collect();
        assert!(angles.iter().all(|angle| angle.abs() < 63.0));
        let between = |low: f64, high: f64| {
            angles.iter().filter(|angle| (low..high).contains(*angle)).count()
        };
        for quarter in [-60.0, -30.0, 0.0, 30.0] {
            let count = between(quarter, quarter + 30.0);
            assert!((70..130).contains(&count), "{count} of 400 from {quarter}");
        }
    }
}
