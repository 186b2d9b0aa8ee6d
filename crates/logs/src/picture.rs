//! Small images beside one another as one picture.

use std::io::Cursor;

use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

/// Images in a row.
const COLUMNS: usize = 8;
/// Pixels between images.
const GAP: usize = 2;
/// Grey between images.
const BETWEEN: u8 = 128;
/// Pixels that an image's height is magnified to, about: viewers blur what they magnify themselves.
const HEIGHT: usize = 64;

/// A picture, grey or in colour.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// Height in pixels.
    pub height: usize,
    /// Width in pixels.
    pub width: usize,
    /// 1 for grey, 3 for red, green and blue.
    pub channels: usize,
    /// Row by row, the channels of a pixel next to one another.
    pub pixels: Vec<u8>,
}

impl Picture {
    /// Images in rows of eight, each magnified by a whole number. `shape`: channels (1 or 3), height, width of each;
    /// `images`: its bytes in that order. `None` without images, or if one has another shape.
    pub(crate) fn sheet(shape: [usize; 3], images: &[&[u8]]) -> Option<Self> {
        let [channels, height, width] = shape;
        if images.is_empty() || ![1, 3].contains(&channels) || height == 0 || width == 0 {
            return None;
        }
        let scale = (HEIGHT / height).max(1);
        let columns = images.len().min(COLUMNS);
        let (cell_height, cell_width) = (height * scale + GAP, width * scale + GAP);
        let sheet_height = images.len().div_ceil(columns) * cell_height - GAP;
        let sheet_width = columns * cell_width - GAP;
        let mut pixels = vec![BETWEEN; sheet_height * sheet_width * channels];
        for (place, image) in images.iter().enumerate() {
            if image.len() != channels * height * width {
                return None;
            }
            let (top, left) = (place / columns * cell_height, place % columns * cell_width);
            for row in 0..height * scale {
                for column in 0..width * scale {
                    let to = ((top + row) * sheet_width + left + column) * channels;
                    let from = row / scale * width + column / scale;
                    for channel in 0..channels {
                        let value = image.get(channel * height * width + from)?;
                        *pixels.get_mut(to + channel)? = *value;
                    }
                }
            }
        }
        Some(Self { height: sheet_height, width: sheet_width, channels, pixels })
    }

    /// The picture as PNG; `None` if it is too large for that.
    pub(crate) fn png(&self) -> Option<Vec<u8>> {
        let colour =
            if self.channels == 1 { ExtendedColorType::L8 } else { ExtendedColorType::Rgb8 };
        let (width, height) = (u32::try_from(self.width).ok()?, u32::try_from(self.height).ok()?);
        let mut bytes = Cursor::new(Vec::new());
        PngEncoder::new(&mut bytes).write_image(&self.pixels, width, height, colour).ok()?;
        Some(bytes.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sheet_holds_every_image_at_its_place() {
        // Nine images of 2 by 3 pixels in colour, of which each has its own shade, and no two pixels are equal.
        let images: Vec<Vec<u8>> =
            (0..9).map(|i| (0..18).map(|pixel| 10 * i + pixel).collect()).collect();
        let rows: Vec<&[u8]> = images.iter().map(Vec::as_slice).collect();
        let sheet = Picture::sheet([3, 2, 3], &rows).unwrap();
        let scale = HEIGHT / 2;
        assert_eq!(sheet.width, 8 * (3 * scale + GAP) - GAP);
        assert_eq!(sheet.height, 2 * (2 * scale + GAP) - GAP);
        let pixel = |row: usize, column: usize| {
            let at = (row * sheet.width + column) * 3;
            [sheet.pixels[at], sheet.pixels[at + 1], sheet.pixels[at + 2]]
        };
        // The second image's pixel in row 1, column 2, of its three channels.
        let (row, column) = (scale, 3 * scale + GAP + 2 * scale);
        assert_eq!(pixel(row, column), [10 + 5, 10 + 11, 10 + 17]);
        // The ninth begins the second row; beside it there is none.
        assert_eq!(pixel(2 * scale + GAP, 0), [80, 86, 92]);
        assert_eq!(pixel(2 * scale + GAP, 3 * scale + GAP), [BETWEEN; 3]);
        let decoded = image::load_from_memory(&sheet.png().unwrap()).unwrap().into_rgb8();
        assert_eq!(decoded.as_raw(), &sheet.pixels);
    }

    #[test]
    fn images_that_do_not_fit_make_no_sheet() {
        assert_eq!(Picture::sheet([1, 2, 2], &[]), None);
        assert_eq!(Picture::sheet([1, 2, 2], &[&[1, 2, 3]]), None);
        assert_eq!(Picture::sheet([2, 1, 1], &[&[1, 2]]), None);
    }
}
