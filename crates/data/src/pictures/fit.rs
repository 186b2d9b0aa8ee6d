//! How a picture of any shape is brought to the size that all have.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::colour::Colour;
use super::picture::Picture;
use super::resample::{Window, resample};

/// How a picture of any shape is brought to the size that all have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fit {
    /// Scaled until it covers the size, then its middle: as torchvision's `Resize` and `CenterCrop`. What juts out is
    /// lost.
    #[default]
    Crop,
    /// Scaled until it fits into the size, in the middle of the background: as `ImageOps.pad` of Pillow. Nothing is
    /// lost, and shapes stay.
    Pad,
    /// Scaled to the size, each side by itself. Nothing is lost, but shapes change.
    Stretch,
}

impl Fit {
    /// All ways, the one that is taken unasked first.
    pub const ALL: [Self; 3] = [Self::Crop, Self::Pad, Self::Stretch];

    /// Brings a picture to `height` × `width`. A picture that measures this already is not changed.
    pub(super) fn apply(
        self,
        picture: &Picture,
        height: usize,
        width: usize,
        background: Colour,
    ) -> Picture {
        match self {
            Self::Crop => resample(picture, cover(picture, height, width)),
            Self::Pad => {
                let (inner_height, inner_width) = within(picture, height, width);
                let inner = resample(picture, Window::whole(inner_height, inner_width));
                place(&inner, height, width, background)
            }
            Self::Stretch => resample(picture, Window::whole(height, width)),
        }
    }
}

/// The middle of the picture, scaled so that its shorter side, measured by the window, fits.
fn cover(picture: &Picture, height: usize, width: usize) -> Window {
    let scaled = |side: usize, by: usize, of: usize| ((side * by) / of).max(1);
    let (whole_height, whole_width) = match picture.height * width <= picture.width * height {
        true => (height, scaled(picture.width, height, picture.height).max(width)),
        false => (scaled(picture.height, width, picture.width).max(height), width),
    };
    let (top, left) = (half(whole_height - height), half(whole_width - width));
    Window { whole_height, whole_width, top, left, height, width }
}

/// Height and width of the largest picture of this shape within the size.
fn within(picture: &Picture, height: usize, width: usize) -> (usize, usize) {
    let scaled = |side: usize, of: usize, to: usize, most: usize| {
        let exact = side as f64 / of as f64 * to as f64;
        (exact.round_ties_even() as usize).clamp(1, most)
    };
    match picture.height * width <= picture.width * height {
        true => (scaled(picture.height, picture.width, width, height), width),
        false => (height, scaled(picture.width, picture.height, height, width)),
    }
}

/// Puts a picture into the middle of a larger one.
fn place(picture: &Picture, height: usize, width: usize, background: Colour) -> Picture {
    let channels = picture.channels;
    let colour = if channels == 1 { vec![background.grey()] } else { background.rgb.to_vec() };
    let mut bytes = colour.repeat(height * width);
    let (top, left) = (half(height - picture.height), half(width - picture.width));
    for (y, row) in picture.bytes.chunks_exact(picture.width * channels).enumerate() {
        let from = ((top + y) * width + left) * channels;
        bytes[from..from + row.len()].copy_from_slice(row);
    }
    Picture::new(height, width, channels, bytes)
}

/// Half of it, rounded to the even neighbour, as Python rounds and so torchvision and Pillow.
fn half(length: usize) -> usize {
    let half = length / 2;
    half + (length % 2) * (half % 2)
}

impl fmt::Display for Fit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Crop => "crop",
            Self::Pad => "pad",
            Self::Stretch => "stretch",
        })
    }
}

impl FromStr for Fit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fit = Self::ALL.into_iter().find(|fit| fit.to_string() == text.trim());
        fit.ok_or_else(|| {
            format!("`{text}` is no way to fit a picture; write crop, pad or stretch")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gradient(height: usize, width: usize) -> Picture {
        let value = |i: usize| (i * 37 % 251) as u8;
        Picture::new(height, width, 3, (0..height * width * 3).map(value).collect())
    }

    #[test]
    fn every_way_gives_the_size_asked_for_even_to_the_oddest_picture() {
        for fit in Fit::ALL {
            for (height, width) in [(1, 1), (1, 5000), (5000, 1), (3, 2), (64, 48), (65, 48)] {
                for (new_height, new_width) in [(64, 48), (1, 1), (7, 31)] {
                    let fitted =
                        fit.apply(&gradient(height, width), new_height, new_width, Colour::WHITE);
                    assert_eq!((fitted.height, fitted.width), (new_height, new_width));
                }
            }
        }
    }

    #[test]
    fn a_picture_of_the_size_is_not_changed() {
        for fit in Fit::ALL {
            assert_eq!(fit.apply(&gradient(9, 13), 9, 13, Colour::WHITE), gradient(9, 13));
        }
    }

    #[test]
    fn cropping_loses_the_sides_and_padding_adds_the_background() {
        // Three columns of one colour each.
        let picture = Picture::new(2, 6, 1, [[10, 10, 20, 20, 30, 30]; 2].concat());
        let cropped = Fit::Crop.apply(&picture, 2, 2, Colour::WHITE);
        assert_eq!(cropped.bytes, [20, 20, 20, 20]);
        let padded = Fit::Pad.apply(&picture, 8, 6, "#080808".parse().unwrap());
        let rows: Vec<&[u8]> = padded.bytes.chunks(6).collect();
        assert_eq!(rows[2], [8; 6]);
        assert_eq!(rows[3], [10, 10, 20, 20, 30, 30]);
        assert_eq!(rows[5], [8; 6]);
        let stretched = Fit::Stretch.apply(&picture, 2, 3, Colour::WHITE);
        assert_eq!(stretched.bytes, [11, 20, 29, 11, 20, 29]);
    }

    #[test]
    fn the_middle_is_that_of_python() {
        assert_eq!([0, 1, 2, 3, 4, 5, 7].map(half), [0, 0, 1, 2, 2, 2, 4]);
    }

    #[test]
    fn a_way_reads_as_it_is_written() {
        for fit in Fit::ALL {
            assert_eq!(fit.to_string().parse(), Ok(fit));
        }
        assert!("squash".parse::<Fit>().unwrap_err().contains("crop, pad or stretch"));
    }
}
