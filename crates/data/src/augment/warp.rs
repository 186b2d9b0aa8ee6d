//! Changes of geometry: affine maps, and the bilinear resampling that all of them share.

use super::border::Border;
use crate::image_set::ImageShape;

/// Positions are whole numbers of 1/256 pixel: as fine as a byte can show.
pub(super) const UNITS: i32 = 256;

/// An affine map, given by where each pixel of the new image comes from in the old one:
/// `source = matrix · target + shift`, with x to the right and y downward in pixels, both measured
/// from the middle of the image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Warp {
    matrix: [[f64; 2]; 2],
    shift: [f64; 2],
}

impl Warp {
    /// The warp that moves nothing.
    pub(super) const IDENTITY: Self = Self::linear([[1.0, 0.0], [0.0, 1.0]]);

    const fn linear(matrix: [[f64; 2]; 2]) -> Self {
        Self { matrix, shift: [0.0; 2] }
    }

    /// A counterclockwise rotation around the middle.
    pub(super) fn rotation(degrees: f64) -> Self {
        let (sin, cos) = degrees.to_radians().sin_cos();
        Self::linear([[cos, -sin], [sin, cos]])
    }

    /// Enlarges by `factor`, positive, around the middle.
    pub(super) fn scaling(factor: f64) -> Self {
        Self::linear([[factor.recip(), 0.0], [0.0, factor.recip()]])
    }

    /// Moves each row to the right by `tangent` pixels for each pixel that it lies above the middle.
    pub(super) fn shear_x(tangent: f64) -> Self {
        Self::linear([[1.0, tangent], [0.0, 1.0]])
    }

    /// Moves each column down by `tangent` pixels for each pixel that it lies left of the middle.
    pub(super) fn shear_y(tangent: f64) -> Self {
        Self::linear([[1.0, 0.0], [tangent, 1.0]])
    }

    /// Moves everything, by pixels.
    pub(super) fn translation(right: f64, down: f64) -> Self {
        Self { shift: [-right, -down], ..Self::IDENTITY }
    }

    /// This warp, then `next`: as maps to the source, `self(next(target))`.
    pub(super) fn then(self, next: Self) -> Self {
        let [[a, b], [c, d]] = self.matrix;
        let apply = |[x, y]: [f64; 2]| [a * x + b * y, c * x + d * y];
        let [[e, f], [g, h]] = next.matrix;
        let ([e, g], [f, h]) = (apply([e, g]), apply([f, h]));
        let [x, y] = apply(next.shift);
        Self { matrix: [[e, f], [g, h]], shift: [x + self.shift[0], y + self.shift[1]] }
    }

    /// Map, for images of this shape, from row and column to where to look: y and x from the upper left pixel's
    /// middle, in [`UNITS`].
    ///
    /// In integers: the same on every machine, and whole pixels stay whole.
    pub(super) fn source_in(self, shape: ImageShape) -> impl Fn(usize, usize) -> (i32, i32) {
        /// Fractional digits of the sums; what exceeds those of [`UNITS`] is rounded off.
        const BITS: u32 = 32;
        const EXCESS: u32 = BITS - UNITS.ilog2();
        let fixed = |value: f64| (value * (1_u64 << BITS) as f64).round() as i64;
        let [[a, b], [c, d]] = self.matrix;
        let middle = |length: usize| (length as f64 - 1.0) / 2.0;
        let (x, y) = (middle(shape.width), middle(shape.height));
        let start_x = fixed(x - a * x - b * y + self.shift[0]);
        let start_y = fixed(y - c * x - d * y + self.shift[1]);
        let [a, b, c, d] = [a, b, c, d].map(fixed);
        let round = |value: i64| {
            // What is too far away for 32 bits is beyond any border just the same.
            let far = i64::from(i32::MAX / 2);
            (value.wrapping_add(1 << (EXCESS - 1)) >> EXCESS).clamp(-far, far) as i32
        };
        move |row, column| {
            let (row, column) = (row as i64, column as i64);
            let along = |start: i64, by_column: i64, by_row: i64| {
                let moved = by_column.wrapping_mul(column).wrapping_add(by_row.wrapping_mul(row));
                round(start.wrapping_add(moved))
            };
            (along(start_y, c, d), along(start_x, a, b))
        }
    }
}

/// Paints an image of this shape anew, from `old` to `new`: each pixel becomes the bilinear mean of the
/// four old ones around where `source` says, given row and column; it answers with y and x in [`UNITS`].
pub(super) fn resample(
    (old, new): (&[u8], &mut [u8]),
    shape: ImageShape,
    border: Border,
    source: impl Fn(usize, usize) -> (i32, i32),
) {
    let ImageShape { height, width, .. } = shape;
    let plane = (height * width).max(1);
    // Upper left pixels whose three neighbours are inside as well.
    let (inner_rows, inner_columns) = (0..height as i32 - 1, 0..width as i32 - 1);
    for row in 0..height {
        for column in 0..width {
            let (y, x) = source(row, column);
            let (top, left) = (y.div_euclid(UNITS), x.div_euclid(UNITS));
            let weights = (y.rem_euclid(UNITS) as u32, x.rem_euclid(UNITS) as u32);
            let planes = old.chunks_exact(plane).zip(new.chunks_exact_mut(plane));
            let place = row * width + column;
            if inner_rows.contains(&top) && inner_columns.contains(&left) {
                let first = top as usize * width + left as usize;
                for (old, new) in planes {
                    let (upper, lower) = (&old[first..][..2], &old[first + width..][..2]);
                    new[place] = mean([upper[0], upper[1], lower[0], lower[1]], weights);
                }
            } else {
                let rows = [top, top + 1].map(|row| border.source(row, height));
                let columns = [left, left + 1].map(|column| border.source(column, width));
                let at = |row: usize, column: usize| Some(rows[row]? * width + columns[column]?);
                let corners = [at(0, 0), at(0, 1), at(1, 0), at(1, 1)];
                for (old, new) in planes {
                    new[place] = mean(corners.map(|at| at.map_or(0, |at| old[at])), weights);
                }
            }
        }
    }
}

/// Weighted mean of the upper left, upper right, lower left and lower right corner; `down` and `right` weigh the
/// latter ones.
fn mean(corners: [u8; 4], (down, right): (u32, u32)) -> u8 {
    const UNITS: u32 = self::UNITS as u32;
    let [a, b, c, d] = corners.map(u32::from);
    let upper = a * (UNITS - right) + b * right;
    let lower = c * (UNITS - right) + d * right;
    ((upper * (UNITS - down) + lower * down + UNITS * UNITS / 2) / (UNITS * UNITS)) as u8
}

#[cfg(test)]
mod tests {
    use super::super::image::Image;
    use super::super::tests::numbered_image;
    use super::*;

    /// ```text
    /// 1 2 3
    /// 4 5 6
    /// 7 8 9
    /// ```
    fn square() -> Image {
        let mut image = Image::new(ImageShape { channels: 1, height: 3, width: 3 });
        image.load(&[1, 2, 3, 4, 5, 6, 7, 8, 9]);
        image
    }

    fn warped(mut image: Image, warps: &[Warp], border: Border) -> Vec<u8> {
        for &warp in warps {
            image.warp(warp, border);
        }
        image.pixels().to_vec()
    }

    #[test]
    fn quarter_turns_are_exact() {
        for border in [Border::Zero, Border::Reflect] {
            let turned = |degrees| warped(square(), &[Warp::rotation(degrees)], border);
            assert_eq!(turned(90.0), [3, 6, 9, 2, 5, 8, 1, 4, 7]);
            assert_eq!(turned(-90.0), [7, 4, 1, 8, 5, 2, 9, 6, 3]);
            assert_eq!(turned(180.0), [9, 8, 7, 6, 5, 4, 3, 2, 1]);
            let thrice = [Warp::rotation(60.0); 3];
            assert_eq!(warped(square(), &thrice, border), turned(180.0));
        }
    }

    #[test]
    fn what_moves_nothing_leaves_every_byte() {
        let still = [
            Warp::rotation(0.0),
            Warp::scaling(1.0),
            Warp::shear_x(0.0),
            Warp::shear_y(0.0),
            Warp::translation(0.0, 0.0),
        ];
        for border in [Border::Zero, Border::Reflect] {
            for warp in still {
                assert_eq!(warped(numbered_image(), &[warp], border), numbered_image().pixels());
            }
        }
    }

    #[test]
    fn whole_pixels_move_as_worked_out_by_hand() {
        let moved =
            |right, down, border| warped(square(), &[Warp::translation(right, down)], border);
        assert_eq!(moved(1.0, 0.0, Border::Zero), [0, 1, 2, 0, 4, 5, 0, 7, 8]);
        assert_eq!(moved(0.0, -1.0, Border::Zero), [4, 5, 6, 7, 8, 9, 0, 0, 0]);
        assert_eq!(moved(-1.0, 0.0, Border::Reflect), [2, 3, 2, 5, 6, 5, 8, 9, 8]);
    }

    #[test]
    fn a_shear_moves_the_rows_above_to_the_right_and_the_columns_before_down() {
        let sheared = |warp| warped(square(), &[warp], Border::Zero);
        assert_eq!(sheared(Warp::shear_x(1.0)), [0, 1, 2, 4, 5, 6, 8, 9, 0]);
        assert_eq!(sheared(Warp::shear_y(1.0)), [0, 2, 6, 1, 5, 9, 4, 8, 0]);
    }

    #[test]
    fn between_pixels_is_their_mean() {
        let half = warped(square(), &[Warp::translation(-0.5, -0.5)], Border::Zero);
        assert_eq!(half[..2], [3, 4]);
        let double = warped(square(), &[Warp::scaling(2.0)], Border::Zero);
        assert_eq!(double, [3, 4, 4, 5, 5, 6, 6, 7, 7].map(|mean: u8| mean));
    }

    #[test]
    fn there_and_back_again_is_as_if_nothing_had_happened() {
        let there =
            Warp::rotation(20.0).then(Warp::shear_x(0.3)).then(Warp::translation(1.5, -3.0));
        let back =
            Warp::translation(-1.5, 3.0).then(Warp::shear_x(-0.3)).then(Warp::rotation(-20.0));
        assert_eq!(
            warped(numbered_image(), &[there, back], Border::Zero),
            numbered_image().pixels()
        );
    }

    #[test]
    fn there_and_back_in_two_resamplings_blurs_a_little() {
        let mut image = Image::new(ImageShape { channels: 1, height: 24, width: 18 });
        let ramp: Vec<u8> = (0..24 * 18).map(|i| (i % 18 * 9 + i / 18 * 3) as u8).collect();
        image.load(&ramp);
        for degrees in [8.0, -8.0] {
            image.warp(Warp::rotation(degrees), Border::Reflect);
            image.pixels();
        }
        let inner = (6..18).flat_map(|row| (5..13).map(move |column| row * 18 + column));
        for place in inner {
            assert!(image.pixels()[place].abs_diff(ramp[place]) <= 1, "{place}");
        }
    }

    #[test]
    fn the_order_of_the_steps_is_that_of_the_images() {
        let turn_then_move = [Warp::rotation(90.0), Warp::translation(1.0, 0.0)];
        assert_eq!(warped(square(), &turn_then_move, Border::Zero), [0, 3, 6, 0, 2, 5, 0, 1, 4]);
    }

    #[test]
    fn the_far_away_is_black_or_a_reflection_but_no_panic() {
        let far = [Warp::scaling(0.1); 6];
        assert_eq!(warped(square(), &far, Border::Zero), [0, 0, 0, 0, 5, 0, 0, 0, 0]);
        for border in [Border::Zero, Border::Reflect] {
            warped(square(), &[Warp::scaling(0.1); 40], border);
        }
    }
}
