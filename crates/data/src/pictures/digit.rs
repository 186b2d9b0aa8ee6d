//! A photograph or drawing of a digit, brought to the form of MNIST's images.
//!
//! LeCun, Cortes and Burges say of [MNIST](http://yann.lecun.com/exdb/mnist/): digits were scaled into a box of 20 × 20
//! pixels, their shape kept and their edges smoothed, and put into 28 × 28 so that their centre of mass is in the
//! middle; light on dark.

use super::picture::Picture;
use super::resample::{Window, resample};

/// Rows and columns of MNIST's images.
const SIDE: usize = 28;
/// The longer side of a digit in them.
const BOX: usize = 20;
/// From here on a pixel is ink, of 255 for the strongest.
const INK: u8 = 64;
/// A picture whose levels differ by less is taken for an empty one.
const LEAST_CONTRAST: u8 = 16;

/// Brings a picture of one digit to the form of MNIST's images, `[28, 28]`, row by row, 0 for the ground.
///
/// - Colours become grey. If the border is brighter than the whole is on the average, the digit is taken for dark on
///   light and inverted.
/// - A picture of 28 × 28 that is light on dark, and whose border is mostly ground, is an image of that form already
///   and stays as it is, byte for byte.
/// - Else the ground (the median of the border) becomes 0 and the strongest ink 255; the box around all pixels of at
///   least a quarter of that is scaled so that its longer side is 20, and placed so that its centre of mass is at the
///   middle, as nearly as whole pixels and the edges allow. What lies outside the box is ground.
/// - A picture without ink (levels that differ by less than 16) becomes all ground.
pub fn prepare(picture: &Picture) -> [u8; SIDE * SIDE] {
    let grey = picture.to_grey();
    let dark_on_light = mean(border(&grey)) > mean(grey.bytes.iter().copied());
    if let (Ok(image), false) =
        (<[u8; SIDE * SIDE]>::try_from(grey.bytes.as_slice()), dark_on_light)
        && (grey.height, grey.width) == (SIDE, SIDE)
        && border(&grey).filter(|&level| level >= INK).count() <= SIDE
    {
        return image;
    }
    let ink = ink(grey, dark_on_light);
    match boxed(&ink) {
        None => [0; SIDE * SIDE],
        Some(digit) => centred(&scaled(&digit)),
    }
}

/// The outermost pixels, all around.
fn border(picture: &Picture) -> impl Iterator<Item = u8> + '_ {
    let (last_row, last_column) = (picture.height - 1, picture.width - 1);
    picture.bytes.chunks_exact(picture.width).enumerate().flat_map(move |(y, row)| {
        let all = y == 0 || y == last_row;
        let outer = move |x: &usize| all || *x == 0 || *x == last_column;
        row.iter().enumerate().filter(move |(x, _)| outer(x)).map(|(_, &level)| level)
    })
}

fn mean(levels: impl Iterator<Item = u8>) -> f64 {
    let (sum, count) =
        levels.fold((0_u64, 0_u64), |(sum, count), level| (sum + u64::from(level), count + 1));
    sum as f64 / count.max(1) as f64
}

/// Light on dark, the ground at 0 and the strongest ink at 255; all 0 if there is none.
fn ink(mut grey: Picture, dark_on_light: bool) -> Picture {
    if dark_on_light {
        grey.bytes.iter_mut().for_each(|level| *level = 255 - *level);
    }
    let mut around: Vec<u8> = border(&grey).collect();
    around.sort_unstable();
    let ground = around[around.len() / 2];
    let strongest = grey.bytes.iter().copied().max().unwrap_or(0);
    let range = strongest.saturating_sub(ground);
    let stretched = |level: u8| match range {
        ..LEAST_CONTRAST => 0,
        _ => {
            ((u32::from(level.saturating_sub(ground)) * 255 + u32::from(range) / 2)
                / u32::from(range)) as u8
        }
    };
    grey.bytes.iter_mut().for_each(|level| *level = stretched(*level));
    grey
}

/// The smallest part that holds all ink; `None` if there is none.
fn boxed(ink: &Picture) -> Option<Picture> {
    let rows: Vec<&[u8]> = ink.bytes.chunks_exact(ink.width).collect();
    let is_ink = |level: &u8| *level >= INK;
    let top = rows.iter().position(|row| row.iter().any(is_ink))?;
    let bottom = rows.iter().rposition(|row| row.iter().any(is_ink))?;
    let has_ink = |&column: &usize| rows.iter().any(|row| row[column] >= INK);
    let left = (0..ink.width).find(has_ink)?;
    let right = (0..ink.width).rfind(has_ink)?;
    let bytes: Vec<u8> =
        rows[top..=bottom].iter().flat_map(|row| &row[left..=right]).copied().collect();
    Some(Picture::new(bottom - top + 1, right - left + 1, 1, bytes))
}

/// The same shape, its longer side [`BOX`].
fn scaled(digit: &Picture) -> Picture {
    let longer = digit.height.max(digit.width);
    let side = |side: usize| ((side * BOX + longer / 2) / longer).max(1);
    resample(digit, Window::whole(side(digit.height), side(digit.width)))
}

/// Its centre of mass in the middle, as nearly as whole pixels and the edges allow.
fn centred(digit: &Picture) -> [u8; SIDE * SIDE] {
    let mut mass = 0.0;
    let (mut rows, mut columns) = (0.0, 0.0);
    for (at, &level) in digit.bytes.iter().enumerate() {
        let level = f64::from(level);
        mass += level;
        rows += level * ((at / digit.width) as f64 + 0.5);
        columns += level * ((at % digit.width) as f64 + 0.5);
    }
    let middle = SIDE as f64 / 2.0;
    let start = |moment: f64, side: usize| {
        // Casts cut off at 0.
        ((middle - moment / mass).round() as usize).min(SIDE - side)
    };
    let (top, left) = (start(rows, digit.height), start(columns, digit.width));
    let mut image = [0; SIDE * SIDE];
    for (y, row) in digit.bytes.chunks_exact(digit.width).enumerate() {
        let from = (top + y) * SIDE + left;
        image[from..from + digit.width].copy_from_slice(row);
    }
    image
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digits;

    fn drawn(index: usize) -> Vec<u8> {
        let (_, test) = digits::load();
        test.image(index).to_vec()
    }

    fn picture(side: usize, bytes: Vec<u8>) -> Picture {
        Picture::new(side, side, 1, bytes)
    }

    /// The digit on a larger page, `scale` times as large, with its upper left corner at (`top`, `left`), dark on
    /// light.
    fn on_paper(image: &[u8], scale: usize, top: usize, left: usize) -> Picture {
        let large =
            resample(&picture(SIDE, image.to_vec()), Window::whole(scale * SIDE, scale * SIDE));
        let side = scale * SIDE + top + left + 20;
        let mut bytes = vec![230; side * side];
        for (y, row) in large.bytes.chunks(scale * SIDE).enumerate() {
            for (x, &level) in row.iter().enumerate() {
                bytes[(y + top) * side + x + left] = 230 - (u32::from(level) * 200 / 255) as u8;
            }
        }
        picture(side, bytes)
    }

    /// Correlation of two images.
    fn likeness(a: &[u8], b: &[u8]) -> f64 {
        let centre = |image: &[u8]| -> Vec<f64> {
            let mean = mean(image.iter().copied());
            image.iter().map(|&level| f64::from(level) - mean).collect()
        };
        let (a, b) = (centre(a), centre(b));
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt()
    }

    #[test]
    fn an_image_of_that_form_stays_as_it_is() {
        let (train, test) = digits::load();
        for image in train.images().chain(test.images()) {
            let image = picture(SIDE, image.to_vec());
            assert_eq!(prepare(&image), image.bytes[..]);
            assert_eq!(prepare(&image.to_rgb()), image.bytes[..]);
        }
    }

    #[test]
    fn a_digit_anywhere_on_paper_becomes_the_same_image() {
        for index in 0..20 {
            let image = drawn(index);
            let here = prepare(&on_paper(&image, 5, 0, 0));
            let there = prepare(&on_paper(&image, 5, 70, 33));
            assert_eq!(here, there);
            let larger = prepare(&on_paper(&image, 9, 11, 40));
            assert!(likeness(&here, &larger) > 0.95, "{}", likeness(&here, &larger));
        }
    }

    #[test]
    fn the_longer_side_is_twenty_and_the_mass_is_in_the_middle() {
        for index in 0..50 {
            let image = prepare(&on_paper(&drawn(index), 6, 13, 2));
            let inked = |along: fn(usize) -> usize| {
                let places = image
                    .iter()
                    .enumerate()
                    .filter(|(_, level)| **level >= 32)
                    .map(|(at, _)| along(at));
                places.clone().max().unwrap() - places.min().unwrap() + 1
            };
            let longer = inked(|at| at / SIDE).max(inked(|at| at % SIDE));
            assert!((19..=20).contains(&longer), "{longer}");
            let mass: f64 = image.iter().copied().map(f64::from).sum();
            let moment = |along: fn(usize) -> usize| {
                let weighed = image
                    .iter()
                    .enumerate()
                    .map(|(at, &level)| f64::from(level) * along(at) as f64);
                weighed.sum::<f64>() / mass
            };
            let (row, column) = (moment(|at| at / SIDE), moment(|at| at % SIDE));
            assert!((row - 13.5).abs() <= 0.51 && (column - 13.5).abs() <= 0.51, "{row} {column}");
        }
    }

    #[test]
    fn a_page_without_ink_stays_empty() {
        for level in [0, 128, 255] {
            assert_eq!(prepare(&picture(50, vec![level; 2500])), [0; SIDE * SIDE]);
        }
        let noise = (0..2500).map(|at| 200 + (at * 7 % 9) as u8).collect();
        assert_eq!(prepare(&picture(50, noise)), [0; SIDE * SIDE]);
        assert_eq!(prepare(&picture(1, vec![7])), [0; SIDE * SIDE]);
        assert_eq!(prepare(&picture(SIDE, vec![0; SIDE * SIDE])), [0; SIDE * SIDE]);
    }

    #[test]
    fn light_on_dark_and_dark_on_light_become_the_same() {
        let dark = on_paper(&drawn(3), 4, 9, 9);
        let light = picture(dark.height, dark.bytes.iter().map(|level| 255 - level).collect());
        assert_eq!(prepare(&dark), prepare(&light));
        assert!(prepare(&dark).iter().any(|&level| level > 200));
    }

    #[test]
    fn a_stroke_as_long_as_the_picture_is_a_stroke() {
        let mut bytes = vec![0; 300 * 300];
        (0..300).for_each(|y| (140..150).for_each(|x| bytes[y * 300 + x] = 255));
        let image = prepare(&picture(300, bytes));
        let rows = image.chunks(SIDE).filter(|row| row.iter().any(|&level| level > 0)).count();
        assert_eq!(rows, 20);
    }

    #[test]
    fn the_published_images_stay_as_they_are() {
        let Some(folder) = std::env::var_os("BACKBURN_DATA") else { return };
        let source = crate::Source {
            data_dir: Some(folder.into()),
            ..crate::Source::from_environment(None)
        };
        let set = crate::load("mnist", &source).unwrap();
        let other = |image: &&[u8]| prepare(&picture(SIDE, image.to_vec()))[..] != **image;
        assert_eq!(set.train.images().filter(other).count(), 0);
    }
}
