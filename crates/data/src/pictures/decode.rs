//! The bytes of a file become a picture, or an error that says what is wrong with them.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use image::codecs::{
    bmp::BmpDecoder, gif::GifDecoder, jpeg::JpegDecoder, png::PngDecoder, webp::WebPDecoder,
};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageResult, Limits};
use rayon::prelude::*;

use super::colour::Colour;
use super::error::DecodeError;
use super::format::{PictureFormat, appearance};
use super::picture::Picture;
use super::{webp, whole_file};

/// The limit on pixels unless another is asked for: a picture of 10,000 × 10,000.
pub const DEFAULT_MOST_PIXELS: u64 = 100_000_000;

/// How pictures are decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoding {
    /// Most pixels of a picture, height × width. Decoding takes up to 16 bytes of memory for each.
    pub most_pixels: u64,
    /// What transparent places are seen on.
    pub background: Colour,
}

impl Default for Decoding {
    fn default() -> Self {
        Self { most_pixels: DEFAULT_MOST_PIXELS, background: Colour::WHITE }
    }
}

/// Decodes a picture by its content, whatever its file is called.
///
/// Transparency is composed over the background, 16 bits a channel are scaled to 8 (`v × 255 / 65535`, rounded),
/// palettes are resolved, inks (CMYK and YCCK, taken for inverted as Adobe stores them, as Pillow does) become red,
/// green and blue, what Exif says of the orientation is done, and of an animation the first frame is taken. Profiles of
/// colours are not looked at.
///
/// # Errors
///
/// If the bytes are no PNG, JPEG, WebP, BMP or GIF, are cut short or damaged, or claim more pixels than are allowed;
/// the latter is found before memory is taken for them.
pub fn decode(bytes: &[u8], decoding: &Decoding) -> Result<Picture, DecodeError> {
    let Some(format) = PictureFormat::of(bytes) else {
        return Err(DecodeError::NotAPicture { found: appearance(bytes) });
    };
    whole_file::check(format, bytes).map_err(|missing| DecodeError::CutShort { missing })?;
    let wrong = |error| decoder_says(format, error);
    let file = || Cursor::new(bytes);
    match format {
        PictureFormat::Png => {
            let decoder = PngDecoder::with_limits(file(), limits(decoding)).map_err(wrong)?;
            finish(decoder, format, decoding)
        }
        PictureFormat::Jpeg => finish(JpegDecoder::new(file()).map_err(wrong)?, format, decoding),
        PictureFormat::WebP => {
            for (width, height) in webp::frames(bytes) {
                check_size(width, height, decoding)?;
            }
            finish(WebPDecoder::new(file()).map_err(wrong)?, format, decoding)
        }
        PictureFormat::Bmp => finish(BmpDecoder::new(file()).map_err(wrong)?, format, decoding),
        PictureFormat::Gif => finish(GifDecoder::new(file()).map_err(wrong)?, format, decoding),
    }
}

/// Reads and decodes a file, see [`decode`].
///
/// # Errors
///
/// As [`decode`], or what the system says.
pub fn read(path: &Path, decoding: &Decoding) -> Result<Picture, DecodeError> {
    decode(&read_bytes(path, decoding)?, decoding)
}

/// Reads files, several at the same time, and gives what `prepare` makes of each picture, in the order of `paths`.
pub fn read_all<T: Send>(
    paths: &[PathBuf],
    decoding: &Decoding,
    prepare: impl Fn(&Picture) -> T + Sync,
) -> Vec<Result<T, DecodeError>> {
    let one = |path: &PathBuf| read(path, decoding).map(|picture| prepare(&picture));
    paths.par_iter().map(one).collect()
}

/// The bytes of a file, unless there are more than any picture of the allowed size could need.
pub(super) fn read_bytes(path: &Path, decoding: &Decoding) -> Result<Vec<u8>, DecodeError> {
    let most = decoding.most_pixels.saturating_mul(MOST_BYTES_A_PIXEL).saturating_add(SPARE_BYTES);
    let read = || -> std::io::Result<Vec<u8>> {
        // Asked before opening, which would wait forever on a pipe.
        if !path.metadata()?.is_file() {
            return Err(std::io::Error::other("it is not a regular file"));
        }
        let mut bytes = Vec::new();
        File::open(path)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().map_err(|error| DecodeError::Unreadable { reason: error.to_string() })?;
    if bytes.len() as u64 > most {
        let reason = format!("more than {most} bytes, which no picture needs that is read");
        return Err(DecodeError::Unreadable { reason });
    }
    Ok(bytes)
}

/// Bytes that a pixel has at most: four channels of 16 bits.
const MOST_BYTES_A_PIXEL: u64 = 8;
/// What a file may hold besides pixels, such as texts and profiles.
const SPARE_BYTES: u64 = 1 << 26;

fn limits(decoding: &Decoding) -> Limits {
    let mut limits = Limits::no_limits();
    limits.max_alloc =
        Some(decoding.most_pixels.saturating_mul(MOST_BYTES_A_PIXEL).saturating_add(SPARE_BYTES));
    limits
}

fn check_size(width: u64, height: u64, decoding: &Decoding) -> Result<(), DecodeError> {
    let most = decoding.most_pixels;
    if width.saturating_mul(height) > most {
        return Err(DecodeError::TooLarge { width, height, most });
    }
    Ok(())
}

/// Decodes what a decoder has read the header of.
fn finish(
    mut decoder: impl ImageDecoder,
    format: PictureFormat,
    decoding: &Decoding,
) -> Result<Picture, DecodeError> {
    let (width, height) = decoder.dimensions();
    check_size(width.into(), height.into(), decoding)?;
    if width == 0 || height == 0 {
        return Err(DecodeError::Damaged {
            format: format.name(),
            reason: "it has no pixel".to_owned(),
        });
    }
    // A picture is shown as it lies where its Exif data are damaged, as others do.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let image = || -> ImageResult<DynamicImage> {
        decoder.set_limits(limits(decoding))?;
        DynamicImage::from_decoder(decoder)
    };
    let mut image = image().map_err(|error| decoder_says(format, error))?;
    image.apply_orientation(orientation);
    Ok(opaque(image, decoding.background))
}

/// One or three channels of 8 bits, without transparency.
fn opaque(image: DynamicImage, background: Colour) -> Picture {
    let (height, width) = (image.height() as usize, image.width() as usize);
    let of = |channels, bytes| Picture::new(height, width, channels, bytes);
    match image {
        DynamicImage::ImageLuma8(image) => of(1, image.into_raw()),
        DynamicImage::ImageRgb8(image) => of(3, image.into_raw()),
        image @ DynamicImage::ImageLuma16(_) => of(1, image.into_luma8().into_raw()),
        image @ DynamicImage::ImageRgb16(_) => of(3, image.into_rgb8().into_raw()),
        image @ (DynamicImage::ImageLumaA8(_) | DynamicImage::ImageLumaA16(_))
            if background.is_grey() =>
        {
            let image = image.into_luma_alpha8();
            let pixels = image.pixels().map(|pixel| {
                let [level, alpha] = pixel.0;
                over(level, alpha, background.grey())
            });
            of(1, pixels.collect())
        }
        image => {
            let image = image.into_rgba8();
            let pixels = image.pixels().flat_map(|pixel| {
                let [red, green, blue, alpha] = pixel.0;
                let [behind_red, behind_green, behind_blue] = background.rgb;
                [
                    over(red, alpha, behind_red),
                    over(green, alpha, behind_green),
                    over(blue, alpha, behind_blue),
                ]
            });
            of(3, pixels.collect())
        }
    }
}

/// A value of that opacity before another one, rounded.
fn over(value: u8, alpha: u8, behind: u8) -> u8 {
    let (value, alpha, behind) = (u32::from(value), u32::from(alpha), u32::from(behind));
    ((value * alpha + behind * (255 - alpha) + 127) / 255) as u8
}

fn decoder_says(format: PictureFormat, error: ImageError) -> DecodeError {
    match error {
        ImageError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            DecodeError::CutShort { missing: format!("the {format} ends before its pixels do") }
        }
        error => {
            // The same is often said by an error and again by its cause.
            DecodeError::Damaged {
                format: format.name(),
                reason: error.to_string().replace('\n', " "),
            }
        }
    }
}
