//! Where the pixels of an image come from that is only mirrored and moved by whole pixels.

use super::border::Border;
use super::draw::Draw;

/// An image mirrored or not, and then moved: row `r`, column `c` shows what the original has at row `r + down` and
/// column `c' + right`, where `c'` is `c`, or counts from the right edge if the image is mirrored.
///
/// A graphics card that holds a whole set needs no more than this of an image to make what
/// [`Pipeline::apply`](super::Pipeline::apply) would have made of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Rows further down in the original.
    pub down: i32,
    /// Columns further right in the original.
    pub right: i32,
    /// Whether left and right change sides.
    pub mirrored: bool,
}

impl Place {
    /// The place after another change of what this one shows. Borders that are alike on both sides make the order of
    /// mirroring and moving a matter of signs.
    pub(super) fn then(self, next: Self) -> Self {
        let right = if self.mirrored { -next.right } else { next.right };
        Self {
            down: self.down + next.down,
            right: self.right + right,
            mirrored: self.mirrored != next.mirrored,
        }
    }
}

/// An augmentation that does no more than mirror an image and move it by whole pixels.
pub trait Placing {
    /// What a move shows beyond the edges; `None` if there is none.
    fn border(&self) -> Option<Border> {
        None
    }

    /// What [`apply`](super::Augment::apply) would do, from the same draw.
    fn place(&self, draw: &mut Draw) -> Place;
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::super::tests::{draw, numbered_image};
    use super::super::{Image, parse};
    use super::*;

    /// What `place` shows of an image.
    fn shown(image: &mut Image, place: Place, border: Border) -> Vec<u8> {
        let shape = image.shape();
        let (height, width) = (shape.height, shape.width);
        let planes = image.pixels().chunks_exact(height * width);
        let at = |plane: &[u8], row: usize, column: usize| {
            let column = if place.mirrored { width - 1 - column } else { column };
            let row = border.source(row as i32 + place.down, height);
            let column = border.source(column as i32 + place.right, width);
            row.zip(column).map_or(0, |(row, column)| plane[row * width + column])
        };
        planes
            .flat_map(|plane| {
                let places =
                    (0..height).flat_map(|row| (0..width).map(move |column| (row, column)));
                places.map(move |(row, column)| at(plane, row, column))
            })
            .collect()
    }

    #[test]
    fn a_place_shows_what_the_pipeline_makes_of_the_image() {
        let specs = [
            "none",
            "flip",
            "alternating-flip",
            "crop=2",
            "crop=2:reflect",
            "crop=3:reflect,flip",
            "flip,crop=3",
            "alternating-flip,crop=2:reflect,flip",
        ];
        for spec in specs {
            let pipeline = parse(spec).unwrap();
            let border = pipeline.places().unwrap_or_else(|| panic!("{spec} moves whole pixels"));
            let mut seeds = draw(7).rng;
            for _ in 0..200 {
                let seed = seeds.random_range(0..1_u64 << 32);
                let (mut image, mut original) = (numbered_image(), numbered_image());
                pipeline.apply(&mut image, &mut draw(seed));
                let place = pipeline.place(&mut draw(seed));
                assert_eq!(
                    shown(&mut original, place, border),
                    image.pixels(),
                    "{spec}: {place:?}"
                );
            }
        }
    }

    #[test]
    fn what_is_more_than_one_move_of_whole_pixels_has_no_place() {
        for spec in ["crop=2,crop=2", "rotate", "cutout", "flip,brightness", "erase=0.1"] {
            assert_eq!(parse(spec).unwrap().places(), None, "{spec}");
        }
        assert_eq!(parse("crop=2:reflect").unwrap().places(), Some(Border::Reflect));
    }
}
