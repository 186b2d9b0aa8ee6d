//! What a batch shows of images that lie on a graphics card.

use std::ops::Range;

/// Where an image of a batch comes from: row `r`, column `c` shows what the original has at row `r + down` and column
/// `c' + right`, where `c'` is `c`, or counts from the right edge if it is mirrored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlacedImage {
    /// Place among the images on the card.
    pub image: usize,
    /// Rows further down in the original, less than its height.
    pub down: i32,
    /// Columns further right in the original, less than its width.
    pub right: i32,
    /// Whether left and right change sides.
    pub mirrored: bool,
}

/// What a batch shows of images on a card.
#[derive(Clone, Debug)]
pub struct Looks<'a> {
    /// `[batch]`
    pub places: &'a [PlacedImage],
    /// Whether images are mirrored at their edges where a place reaches beyond them; else that is the byte 0.
    pub reflected: bool,
    /// How images are mixed in pairs.
    pub mixed: Option<MixedLooks<'a>>,
}

/// Images of a batch mixed with others of it. One that is its own partner stays as it is.
#[derive(Clone, Debug)]
pub struct MixedLooks<'a> {
    /// `[batch]`, the place in the batch of the image that each is mixed with.
    pub partners: &'a [usize],
    /// Share of its own value that each pixel outside of the box keeps, in `[0, 1]`.
    pub share: f64,
    /// Rows of the box within which all pixels are the partner's.
    pub rows: Range<usize>,
    /// Its columns.
    pub columns: Range<usize>,
}
