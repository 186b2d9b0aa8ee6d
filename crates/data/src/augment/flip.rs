//! Mirror left and right.

use rand_chacha::rand_core::Rng;

use super::draw::Draw;
use super::image::Image;
use super::place::{Place, Placing};
use super::step::Augment;

/// Mirrors the image left and right with probability 0.5.
///
/// For photographs, as Krizhevsky et al., [ImageNet Classification with Deep Convolutional Neural
/// Networks](https://doi.org/10.1145/3065386), 2012; not for digits or letters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flip;

/// Left becomes right.
pub(super) fn mirror(image: &mut Image) {
    let width = image.shape().width.max(1);
    image.pixels_mut().chunks_exact_mut(width).for_each(<[u8]>::reverse);
}

impl Augment for Flip {
    fn name(&self) -> &'static str {
        "flip"
    }

    fn spec(&self) -> String {
        self.name().to_owned()
    }

    fn apply(&self, image: &mut Image, draw: &mut Draw) {
        if self.place(draw).mirrored {
            mirror(image);
        }
    }

    fn placing(&self) -> Option<&dyn Placing> {
        Some(self)
    }
}

impl Placing for Flip {
    fn place(&self, draw: &mut Draw) -> Place {
        Place { mirrored: draw.rng.next_u32() >> 31 == 1, ..Place::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{draw, numbered_image};
    use super::*;

    #[test]
    fn mirroring_reverses_columns_and_leaves_rows_and_channels() {
        let mut image = numbered_image();
        mirror(&mut image);
        assert_eq!(image.pixels()[..10], [14, 13, 12, 11, 10, 19, 18, 17, 16, 15]);
        assert_eq!(image.pixels()[30..35], [44, 43, 42, 41, 40]);
    }

    #[test]
    fn mirroring_twice_gives_the_image_back() {
        let mut image = numbered_image();
        mirror(&mut image);
        mirror(&mut image);
        assert_eq!(image.pixels(), numbered_image().pixels());
    }

    #[test]
    fn half_of_the_images_are_mirrored() {
        let mut draw = draw(1);
        let mirrored = (0..10_000)
            .filter(|_| {
                let mut image = numbered_image();
                Flip.apply(&mut image, &mut draw);
                image.pixels()[0] == 14
            })
            .count();
        assert!((4_800..5_200).contains(&mirrored), "{mirrored} of 10000");
    }
}
