//! Pad the image and cut out a random piece of its size.

use rand::RngExt;

use super::border::Border;
use super::draw::Draw;
use super::image::Image;
use super::options;
use super::place::{Place, Placing};
use super::step::{Augment, AugmentError};
use crate::image_set::ImageShape;

/// Pads the image on all four sides and cuts out a piece of the original size at a random place:
/// a shift of up to `padding` pixels in each direction, all shifts equally likely.
///
/// Padding 4 is what Lee et al., [Deeply-Supervised Nets](https://arxiv.org/abs/1409.5185), 2014,
/// and He et al., [Deep Residual Learning](https://arxiv.org/abs/1512.03385), 2015, use on CIFAR-10.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crop {
    /// Pixels added on each side; smaller than both sides of the image.
    pub padding: usize,
    /// What the added pixels show.
    pub border: Border,
}

impl Crop {
    /// Reads `4` or `4:reflect`.
    pub(super) fn from_options(options: &str) -> Option<Self> {
        let (padding, border) = Border::split_from(options);
        Some(Self { padding: options::number(padding, 0..=usize::MAX)?, border })
    }

    /// Row and column of a piece of the padded image.
    fn corner(self, draw: &mut Draw) -> [usize; 2] {
        [(); 2].map(|()| draw.rng.random_range(0..=2 * self.padding))
    }

    /// The piece whose upper left corner is at row `top`, column `left` of the padded image.
    fn cut(self, image: &mut Image, top: usize, left: usize) {
        let ImageShape { height, width, .. } = image.shape();
        // The columns `visible` of the result come from the original, the others from the border.
        let visible = self.padding.saturating_sub(left)..width.min(width + self.padding - left);
        let first = (left + visible.start).saturating_sub(self.padding);
        image.repaint(|old, new| {
            for (row, new) in new.chunks_exact_mut(width).enumerate() {
                let Some(source) = self.source(row + top, height) else {
                    new.fill(0);
                    continue;
                };
                let old = &old[source * width..][..width];
                new[visible.clone()].copy_from_slice(&old[first..][..visible.len()]);
                for column in (0..visible.start).chain(visible.end..width) {
                    new[column] = self.source(column + left, width).map_or(0, |source| old[source]);
                }
            }
        });
    }

    /// Where position `at` of a padded side of `length` pixels comes from; `None` means black.
    fn source(self, at: usize, length: usize) -> Option<usize> {
        self.border.source(at as i32 - self.padding as i32, length)
    }
}

impl Augment for Crop {
    fn name(&self) -> &'static str {
        "crop"
    }

    fn spec(&self) -> String {
        format!("crop={}{}", self.padding, self.border.suffix())
    }

    fn apply(&self, image: &mut Image, draw: &mut Draw) {
        let [top, left] = self.corner(draw);
        self.cut(image, top, left);
    }

    fn placing(&self) -> Option<&dyn Placing> {
        Some(self)
    }

    fn is_off(&self) -> bool {
        self.padding == 0
    }

    fn check(&self, shape: ImageShape) -> Result<(), AugmentError> {
        let side = shape.height.min(shape.width);
        if self.padding < side {
            return Ok(());
        }
        let expected = format!("the padding must be less than {side} pixels");
        Err(AugmentError::Shape { spec: self.spec(), shape, expected })
    }
}

impl Placing for Crop {
    fn border(&self) -> Option<Border> {
        Some(self.border)
    }

    fn place(&self, draw: &mut Draw) -> Place {
        let [down, right] = self.corner(draw).map(|place| place as i32 - self.padding as i32);
        Place { down, right, mirrored: false }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::parse;
    use super::super::tests::{draw, numbered_image};
    use super::*;

    /// ```text
    /// 1 2 3
    /// 4 5 6
    /// 7 8 9
    /// 0 1 2
    /// ```
    fn four_by_three() -> Image {
        let mut image = Image::new(ImageShape { channels: 1, height: 4, width: 3 });
        image.load(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2]);
        image
    }

    fn cut(border: Border, top: usize, left: usize) -> Vec<u8> {
        let mut image = four_by_three();
        Crop { padding: 2, border }.cut(&mut image, top, left);
        image.pixels().to_vec()
    }

    #[test]
    fn a_reflected_crop_equals_the_one_worked_out_by_hand() {
        assert_eq!(cut(Border::Reflect, 0, 0), [9, 8, 7, 6, 5, 4, 3, 2, 1, 6, 5, 4]);
        assert_eq!(cut(Border::Reflect, 1, 4), [6, 5, 4, 3, 2, 1, 6, 5, 4, 9, 8, 7]);
        assert_eq!(cut(Border::Reflect, 4, 1), [8, 7, 8, 1, 0, 1, 8, 7, 8, 5, 4, 5]);
    }

    #[test]
    fn a_crop_with_black_border_equals_the_one_worked_out_by_hand() {
        assert_eq!(cut(Border::Zero, 0, 1), [0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 4, 5]);
        assert_eq!(cut(Border::Zero, 3, 4), [6, 0, 0, 9, 0, 0, 2, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn the_middle_piece_is_the_image_itself() {
        for border in [Border::Zero, Border::Reflect] {
            assert_eq!(cut(border, 2, 2), four_by_three().pixels());
        }
    }

    #[test]
    fn all_shifts_occur_and_all_channels_shift_alike() {
        let mut seen = HashSet::new();
        let mut draw = draw(5);
        for _ in 0..500 {
            let mut image = numbered_image();
            Crop { padding: 1, border: Border::Reflect }.apply(&mut image, &mut draw);
            let (red, green) = image.pixels().split_at(30);
            assert!(red.iter().zip(green).all(|(red, green)| red + 30 == *green));
            seen.insert(image.pixels().to_vec());
        }
        assert_eq!(seen.len(), 9);
    }

    #[test]
    fn options_are_read_and_given_back() {
        for (spec, full) in [
            ("crop", "crop=4"),
            ("crop=2", "crop=2"),
            ("crop=3:zero", "crop=3"),
            ("crop=4:reflect", "crop=4:reflect"),
        ] {
            assert_eq!(parse(spec).unwrap().to_string(), full);
        }
        for wrong in ["crop=", "crop=-1", "crop=4:wrap", "crop=:reflect", "crop=4:reflect:zero"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_padding_as_large_as_the_image_is_refused() {
        let shape = four_by_three().shape();
        assert!(parse("crop=2:reflect").unwrap().check(shape).is_ok());
        for spec in ["crop=3", "crop=3:reflect", "crop=99999999999"] {
            let message = parse(spec).unwrap().check(shape).unwrap_err().to_string();
            assert!(message.contains("4×3 pixels: the padding must be less than 3"), "{message}");
        }
    }
}
