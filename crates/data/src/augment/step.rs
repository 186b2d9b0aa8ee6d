//! One step of a pipeline, and why it may not do.

use std::fmt::Debug;

use super::draw::Draw;
use super::image::Image;
use super::place::Placing;
use crate::image_set::ImageShape;
use crate::nearest::did_you_mean;

/// A random change to one image.
///
/// It keeps the shape, and the same draw gives the same result.
pub trait Augment: Send + Sync + Debug {
    /// Name in [`CATALOG`](super::CATALOG).
    fn name(&self) -> &'static str;

    /// The text that [`parse`](super::parse) turns into this augmentation again, with all options
    /// written out.
    fn spec(&self) -> String;

    /// Changes `image` in place.
    fn apply(&self, image: &mut Image, draw: &mut Draw);

    /// The same as a [`Place`](super::Place), if it does no more than mirror the image or move it by whole pixels.
    fn placing(&self) -> Option<&dyn Placing> {
        None
    }

    /// Whether its strength is 0. A [`Pipeline`](super::Pipeline) leaves it out then, so that it draws
    /// nothing either and the other steps do what they would do without it.
    fn is_off(&self) -> bool {
        false
    }

    /// Whether it makes sense for images of this shape.
    ///
    /// # Errors
    ///
    /// [`AugmentError::Shape`] if it does not.
    fn check(&self, _shape: ImageShape) -> Result<(), AugmentError> {
        Ok(())
    }
}

/// Why a pipeline could not be built, or does not fit a data set.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AugmentError {
    /// No row of the catalog has this name.
    #[error("unknown augmentation `{name}`{}; known: {known}", did_you_mean(name, known.split(", ")))]
    Unknown {
        /// The name that was asked for.
        name: String,
        /// All names there are.
        known: String,
    },
    /// What followed `=` was not understood.
    #[error("augmentation `{spec}`: expected {expected}")]
    Options {
        /// The part of the spec that is wrong.
        spec: String,
        /// What may stand there.
        expected: String,
    },
    /// The augmentation does not fit the images.
    #[error(
        "augmentation `{spec}` does not fit images of {height}×{width} pixels: {expected}",
        height = shape.height,
        width = shape.width
    )]
    Shape {
        /// The augmentation.
        spec: String,
        /// The shape of the images.
        shape: ImageShape,
        /// What would fit.
        expected: String,
    },
}
