//! What is told of a picture without its pixels.

use std::path::Path;

use super::decode::{Decoding, decode, read_bytes};
use super::error::DecodeError;
use super::format::PictureFormat;
use super::picture::Picture;

/// What is kept of a picture that was decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// Height and width in pixels, upright.
    pub(super) size: (usize, usize),
    /// Its format, by its content.
    pub(super) format: PictureFormat,
    /// Whether it has no colour.
    pub(super) grey: bool,
    /// Whether its name ends like that of another format.
    pub(super) misnamed: bool,
}

/// A picture's facts, or why it could not be read.
pub(super) type Looked = Result<Facts, DecodeError>;

/// Reads and decodes a file like [`read`](super::decode::read), and says what there is to tell of it.
///
/// # Errors
///
/// As [`read`](super::decode::read).
pub(super) fn look(path: &Path, decoding: &Decoding) -> Result<(Picture, Facts), DecodeError> {
    let bytes = read_bytes(path, decoding)?;
    let picture = decode(&bytes, decoding)?;
    let Some(format) = PictureFormat::of(&bytes) else {
        return Err(DecodeError::NotAPicture { found: "another format".to_owned() });
    };
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let misnamed = !format.extensions().contains(&extension.as_str());
    let (size, grey) = ((picture.height, picture.width), picture.is_grey());
    Ok((picture, Facts { size, format, grey, misnamed }))
}
