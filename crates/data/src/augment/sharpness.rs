//! Blur or sharpen.

use super::blend::{blended, in_fixed_point};
use super::image::Image;

/// Multiplies the distance of all pixels from their smoothed neighbourhood by `factor`: 0 blurs, above 1
/// sharpens. The smoothing is Pillow's `SMOOTH`, weights 5 in the middle and 1 around it; the edge
/// stays as it is.
pub(super) fn sharpen(image: &mut Image, factor: f64) {
    let (width, factor) = (image.shape().width, in_fixed_point(factor));
    image.repaint(|old, new| {
        new.copy_from_slice(old);
        let height = old.len() / width.max(1);
        for row in 1..height.saturating_sub(1) {
            for column in 1..width.saturating_sub(1) {
                let place = row * width + column;
                let around = [place - width, place, place + width];
                let sum = |middle: usize| {
                    old[middle - 1..=middle + 1].iter().map(|&pixel| u32::from(pixel)).sum::<u32>()
                };
                let sum = around.map(sum).iter().sum::<u32>() + 4 * u32::from(old[place]);
                new[place] = blended(old[place], ((sum + 6) / 13) as u8, factor);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image_set::ImageShape;

    #[test]
    fn a_dot_spreads_or_stands_out_and_the_edge_stays() {
        let mut image = Image::new(ImageShape { channels: 1, height: 4, width: 3 });
        let pixels = [90, 0, 0, 0, 130, 0, 0, 0, 0, 0, 0, 13];
        let sharpened = |image: &mut Image, factor| {
            image.load(&pixels);
            sharpen(image, factor);
            image.pixels().to_vec()
        };
        // (5 · 130 + 90) / 13 = 57; beneath it (130 + 13) / 13 = 11.
        assert_eq!(sharpened(&mut image, 0.0), [90, 0, 0, 0, 57, 0, 0, 11, 0, 0, 0, 13]);
        assert_eq!(sharpened(&mut image, 1.0), pixels);
        assert_eq!(sharpened(&mut image, 2.0), [90, 0, 0, 0, 203, 0, 0, 0, 0, 0, 0, 13]);
    }
}
