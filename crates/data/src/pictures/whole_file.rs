//! Whether a picture's file is whole. Decoders forgive a missing end: half a JPEG decodes, the rest flat grey.

use super::format::PictureFormat;
use super::{jpeg, webp};

/// Looks for the end that every file of a format has.
///
/// # Errors
///
/// What should be there and is not.
pub(super) fn check(format: PictureFormat, bytes: &[u8]) -> Result<(), String> {
    match format {
        PictureFormat::Png => png(bytes),
        PictureFormat::Jpeg => jpeg(bytes),
        PictureFormat::WebP => webp(bytes),
        PictureFormat::Bmp => bmp(bytes),
        PictureFormat::Gif => gif(bytes),
    }
}

fn jpeg(bytes: &[u8]) -> Result<(), String> {
    missing_unless(jpeg::ends(bytes), "the end-of-image marker of a JPEG is missing")
}

fn png(bytes: &[u8]) -> Result<(), String> {
    missing_unless(png_ends(bytes).is_some(), "the chunk IEND, the end of a PNG, is missing")
}

/// Walks from chunk to chunk: length, name, content, checksum.
fn png_ends(bytes: &[u8]) -> Option<()> {
    let mut rest = bytes.get(8..)?;
    loop {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let (name, after) = after.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        rest = after.get(length..)?.get(4..)?;
        if name == b"IEND" {
            return Some(());
        }
    }
}

fn gif(bytes: &[u8]) -> Result<(), String> {
    missing_unless(gif_ends(bytes).is_some(), "the trailer of a GIF is missing")
}

/// Walks from block to block to the trailer.
fn gif_ends(bytes: &[u8]) -> Option<()> {
    let flags = *bytes.get(10)?;
    let mut rest = bytes.get(13..)?.get(colour_table(flags)..)?;
    loop {
        let (&kind, after) = rest.split_first()?;
        rest = match kind {
            b';' => return Some(()),
            // An extension: a label, then blocks.
            b'!' => after_blocks(after.get(1..)?)?,
            // An image: place and size, perhaps a table of colours, the size of codes, then blocks.
            b',' => after_blocks(after.get(9..)?.get(colour_table(*after.get(8)?)..)?.get(1..)?)?,
            0 => after,
            _ => return None,
        };
    }
}

/// Bytes of a table of colours, by the flags that announce it.
fn colour_table(flags: u8) -> usize {
    if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) }
}

/// What follows blocks, each of which begins with its length; one of length 0 ends them.
fn after_blocks(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        let (&length, after) = rest.split_first()?;
        rest = after.get(usize::from(length)..)?;
        if length == 0 {
            return Some(rest);
        }
    }
}

fn webp(bytes: &[u8]) -> Result<(), String> {
    let size = bytes.get(4..).and_then(|bytes| bytes.first_chunk::<4>());
    let length = size.map_or(0, |size| u64::from(u32::from_le_bytes(*size))) + 8;
    at_least(bytes, length, "a WebP")?;
    let file = usize::try_from(length).ok().and_then(|length| bytes.get(..length)).unwrap_or(bytes);
    let whole = webp::chunks_of_file(file).all(|chunk| chunk.content.is_some());
    missing_unless(whole, "a part of a WebP is longer than the file")
}

fn bmp(bytes: &[u8]) -> Result<(), String> {
    match bmp_length(bytes) {
        Some(length) => at_least(bytes, length, "a BMP"),
        None => Err("the header of a BMP is not whole".to_owned()),
    }
}

/// The length that the header asks for: where pixels begin, and rows of whole 32 bits. That of compressed pixels is
/// what the header says of them; the length of the file in the header is wrong in too many files.
fn bmp_length(bytes: &[u8]) -> Option<u64> {
    let two =
        |at: usize| Some(u64::from(u16::from_le_bytes(*bytes.get(at..)?.first_chunk::<2>()?)));
    let four = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk::<4>()?));
    let start = u64::from(four(10)?);
    let (width, height, bits, compression) = match four(14)? {
        12 => (two(18)?, two(20)?, two(24)?, 0),
        _ => {
            let side = |at| Some(u64::from(four(at)?.cast_signed().unsigned_abs()));
            (side(18)?, side(22)?, two(28)?, four(30)?)
        }
    };
    let pixels = match compression {
        0 | 3 | 6 => (width.saturating_mul(bits).div_ceil(32) * 4).saturating_mul(height),
        _ => u64::from(four(34)?),
    };
    Some(start.saturating_add(pixels))
}

fn at_least(bytes: &[u8], expected: u64, what: &str) -> Result<(), String> {
    let found = bytes.len() as u64;
    if found >= expected {
        return Ok(());
    }
    Err(format!("{what} of {expected} bytes, by its header, has {found}"))
}

fn missing_unless(there: bool, missing: &str) -> Result<(), String> {
    if there { Ok(()) } else { Err(missing.to_owned()) }
}
