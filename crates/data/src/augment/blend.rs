//! What changes of brightness, contrast, saturation and sharpness share: a factor, and the blend of each
//! pixel with a target; and what is grey.

use rand::RngExt;

use super::draw::Draw;
use super::image::Image;
use crate::image_set::ImageShape;

/// A factor from `1 ± strength`, all equally likely.
pub(super) fn factor(strength: f64, draw: &mut Draw) -> f64 {
    draw.rng.random_range(1.0 - strength..=1.0 + strength)
}

/// Factors are whole numbers of 1/65536: integers are faster here, and the same on every machine.
const ONE: i32 = 1 << 16;

/// A factor from 0 to 100, say, as [`blended`] takes it.
pub(super) fn in_fixed_point(factor: f64) -> i32 {
    (factor * f64::from(ONE)).round() as i32
}

/// `target + factor · (pixel − target)`, rounded and clipped.
pub(super) fn blended(pixel: u8, target: u8, factor: i32) -> u8 {
    let (pixel, target) = (i32::from(pixel), i32::from(target));
    // An arithmetic shift rounds down, below zero as well.
    (target + (((pixel - target) * factor + ONE / 2) >> 16)).clamp(0, 255) as u8
}

/// Shares of red, green and blue in luma by ITU-R BT.601, as Pillow rounds them; they sum to [`ONE`].
const LUMA: [u32; 3] = [19_595, 38_470, 7_471];

/// `0.299 red + 0.587 green + 0.114 blue`, rounded.
pub(super) fn luma(red: u8, green: u8, blue: u8) -> u8 {
    let [r, g, b] = LUMA;
    let sum = r * u32::from(red) + g * u32::from(green) + b * u32::from(blue);
    ((sum + ONE as u32 / 2) >> 16) as u8
}

/// The mean luma of the image, rounded; of images that are not red, green and blue, the mean.
pub(super) fn mean_luma(image: &mut Image) -> u8 {
    let ImageShape { channels, height, width } = image.shape();
    let (mut sum, mut whole) = (0, 0);
    for (channel, plane) in image.planes_mut().enumerate() {
        let share = if channels == 3 { u64::from(LUMA[channel]) } else { 1 };
        sum += share * plane.iter().map(|&pixel| u64::from(pixel)).sum::<u64>();
        whole += share * (height * width) as u64;
    }
    ((sum + whole / 2) / whole.max(1)) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factor_one_changes_no_byte_whatever_the_target() {
        for pixel in 0..=255 {
            for target in [0, 1, 127, 255] {
                assert_eq!(blended(pixel, target, in_fixed_point(1.0)), pixel);
            }
        }
    }

    #[test]
    fn grey_has_itself_for_luma() {
        for grey in 0..=255 {
            assert_eq!(luma(grey, grey, grey), grey);
        }
        assert_eq!([luma(255, 0, 0), luma(0, 255, 0), luma(0, 0, 255)], [76, 150, 29]);
    }
}
