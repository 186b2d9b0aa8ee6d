//! Changes of pixels that depend on their own value only, as RandAugment has them; a table for each
//! channel.

use std::array;

use super::image::Image;

/// Replaces every byte of each channel by what `table` makes of the channel.
fn look_up(image: &mut Image, mut table: impl FnMut(&[u8]) -> [u8; 256]) {
    for plane in image.planes_mut() {
        let table = table(plane);
        plane.iter_mut().for_each(|pixel| *pixel = table[usize::from(*pixel)]);
    }
}

/// Keeps the `bits` highest bits of every byte; 8 keeps all.
pub(super) fn posterize(image: &mut Image, bits: u32) {
    let mask = !(255_u32 >> bits.min(8)) as u8;
    image.pixels_mut().iter_mut().for_each(|pixel| *pixel &= mask);
}

/// Turns what is at least `threshold` into its negative; 256 turns nothing.
pub(super) fn solarize(image: &mut Image, threshold: u32) {
    for pixel in image.pixels_mut() {
        if u32::from(*pixel) >= threshold {
            *pixel = 255 - *pixel;
        }
    }
}

/// Stretches each channel so that its darkest byte becomes 0 and its brightest 255.
pub(super) fn stretch(image: &mut Image) {
    look_up(image, |plane| {
        let darkest = plane.iter().copied().min().unwrap_or(0);
        let brightest = plane.iter().copied().max().unwrap_or(0);
        let range = u32::from(brightest - darkest);
        array::from_fn(|value| match range {
            0 => value as u8,
            _ => {
                let above = (value as u32).saturating_sub(u32::from(darkest));
                ((above * 255 + range / 2) / range).min(255) as u8
            }
        })
    });
}

/// Spreads the bytes of each channel so that all are about equally frequent, as Pillow's
/// `ImageOps.equalize`. Fewer than 256 pixels, or all alike, stay as they are.
pub(super) fn equalize(image: &mut Image) {
    look_up(image, |plane| {
        let mut counts = [0; 256];
        for &pixel in plane {
            counts[usize::from(pixel)] += 1;
        }
        let brightest = counts.iter().rposition(|&count| count > 0).unwrap_or(0);
        let step = (plane.len() - counts[brightest]) / 255;
        let mut below = step / 2;
        array::from_fn(|value| {
            if step == 0 {
                return value as u8;
            }
            let new = (below / step).min(255) as u8;
            below += counts[value];
            new
        })
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image_set::ImageShape;

    fn changed(pixels: &[u8], change: impl FnOnce(&mut Image)) -> Vec<u8> {
        let mut image = Image::new(ImageShape { channels: 2, height: 1, width: pixels.len() / 2 });
        image.load(pixels);
        change(&mut image);
        image.pixels().to_vec()
    }

    #[test]
    fn posterizing_keeps_the_high_bits() {
        let pixels = [0, 37, 129, 255];
        assert_eq!(changed(&pixels, |image| posterize(image, 8)), pixels);
        assert_eq!(changed(&pixels, |image| posterize(image, 3)), [0, 32, 128, 224]);
        assert_eq!(changed(&pixels, |image| posterize(image, 0)), [0; 4]);
    }

    #[test]
    fn solarizing_turns_the_bright_into_their_negative() {
        let pixels = [0, 127, 128, 255];
        assert_eq!(changed(&pixels, |image| solarize(image, 256)), pixels);
        assert_eq!(changed(&pixels, |image| solarize(image, 128)), [0, 127, 127, 0]);
        assert_eq!(changed(&pixels, |image| solarize(image, 0)), [255, 128, 127, 0]);
    }

    #[test]
    fn each_channel_is_stretched_to_the_whole_range() {
        let stretched = changed(&[50, 100, 150, 7, 7, 7], stretch);
        assert_eq!(stretched, [0, 128, 255, 7, 7, 7]);
    }

    #[test]
    fn equalizing_makes_all_bytes_equally_frequent() {
        // 512 pixels of only four neighbouring values, a quarter each, and a channel that is flat.
        let pixels: Vec<u8> = (0..512).map(|i| 100 + (i % 4) as u8).chain([9; 512]).collect();
        let equalized = changed(&pixels, equalize);
        // As Pillow 13 does: ImageOps.equalize(Image.fromarray(pixels[:512].reshape(16, 32)))
        assert_eq!(equalized[..4], [0, 128, 255, 255]);
        assert_eq!(equalized[512..], [9; 512]);
    }
}
