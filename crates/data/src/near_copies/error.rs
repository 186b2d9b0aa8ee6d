//! Why near copies cannot be searched.

use crate::image_set::ImageShape;

/// Why near copies cannot be searched.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NearCopiesError {
    /// The least similarity is none.
    #[error(
        "expected a least similarity above 0 and at most 1, found {found}; 0.95 finds near copies"
    )]
    Threshold {
        /// What was given.
        found: f64,
    },
    /// Images of two shapes cannot be compared.
    #[error("expected images of {others} to compare with, found {images}; bring both to one size")]
    Shapes {
        /// Shape of the images.
        images: ImageShape,
        /// Shape of those that they are compared with.
        others: ImageShape,
    },
    /// Comparing all images of a set with each other would take too long.
    #[error(
        "expected at most {most} images to compare all with each other, found {images}: the work \
         grows with the square of their number; search a part of them"
    )]
    TooMany {
        /// Images in the set.
        images: usize,
        /// Most that are compared.
        most: usize,
    },
    /// Comparing all images of one set with all of another would take too long.
    #[error(
        "expected at most {most} pairs of images to compare, found {images} × {others}; search a \
         part of them"
    )]
    TooManyPairs {
        /// Images.
        images: usize,
        /// Images that they are compared with.
        others: usize,
        /// Most pairs that are compared.
        most: u64,
    },
}
