//! Random changes to training images, drawn anew in every epoch.
//!
//! An augmentation is named by a short text: `crop`, `crop=2`, `crop=4:reflect`, `flip`. Several of
//! them, joined by commas, make a [`Pipeline`], applied from left to right.
//!
//! To add one: a file with a type that is an [`Augment`], and a row in [`CATALOG`].

use std::fmt::{self, Debug, Display};
use std::str::FromStr;
use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::image_set::ImageShape;

mod crop;
mod flip;

pub use crop::{Border, Crop};
pub use flip::Flip;

/// A random change to one image.
///
/// It keeps the shape, and the same generator gives the same result.
pub trait Augment: Send + Sync + Debug {
    /// Its name in [`CATALOG`].
    fn name(&self) -> &'static str;

    /// The text that [`parse`] turns into this augmentation again, with all options written out.
    fn spec(&self) -> String;

    /// Changes `image` in place, drawing from `rng`.
    fn apply(&self, image: &mut Image, rng: &mut ChaCha8Rng);

    /// Whether it makes sense for images of this shape.
    ///
    /// # Errors
    ///
    /// [`AugmentError::Shape`] if it does not.
    fn check(&self, _shape: ImageShape) -> Result<(), AugmentError> {
        Ok(())
    }
}

/// What the catalog knows of one augmentation.
#[derive(Debug)]
pub struct AugmentRow {
    /// Its name in a spec.
    pub name: &'static str,
    /// What it does, in one line, for help texts.
    pub summary: &'static str,
    /// What may follow `=` in a spec, for help texts and errors; empty if nothing may.
    pub options: &'static str,
    /// Builds it from what followed `=`, or from nothing. `None` means that the options are wrong.
    build: fn(Option<&str>) -> Option<Arc<dyn Augment>>,
}

/// Every augmentation, one row each.
pub const CATALOG: &[AugmentRow] = &[
    AugmentRow {
        name: "crop",
        summary: "pad the image and cut out a random piece of its size",
        options: "PIXELS, PIXELS:zero or PIXELS:reflect, such as `crop=4:reflect`",
        build: |options| Some(Arc::new(Crop::from_options(options)?)),
    },
    AugmentRow {
        name: "flip",
        summary: "mirror left and right with probability 0.5",
        options: "",
        build: |options| options.is_none().then(|| Arc::new(Flip) as Arc<dyn Augment>),
    },
];

/// The spec of the pipeline that changes nothing.
const NOTHING: &str = "none";

/// Why a pipeline could not be built, or does not fit a data set.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AugmentError {
    /// No row of the catalog has this name.
    #[error("unknown augmentation `{name}`; known: {known}")]
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

/// Augmentations applied one after the other. The default does nothing.
///
/// Shown, and stored in configuration files, as the text that [`parse`] reads; `none` if empty.
#[derive(Clone, Debug, Default)]
pub struct Pipeline {
    steps: Vec<Arc<dyn Augment>>,
}

/// Reads a spec such as `crop=4:reflect,flip`. An empty text and `none` mean no augmentation.
///
/// # Errors
///
/// [`AugmentError::Unknown`] for a name that is not in [`CATALOG`], [`AugmentError::Options`] for
/// options that it does not have.
pub fn parse(spec: &str) -> Result<Pipeline, AugmentError> {
    if spec.trim().is_empty() || spec.trim() == NOTHING {
        return Ok(Pipeline::default());
    }
    let steps = spec.split(',').map(|step| parse_step(step.trim())).collect::<Result<_, _>>()?;
    Ok(Pipeline { steps })
}

fn parse_step(spec: &str) -> Result<Arc<dyn Augment>, AugmentError> {
    let (name, options) = match spec.split_once('=') {
        Some((name, options)) => (name.trim(), Some(options.trim())),
        None => (spec, None),
    };
    let row = CATALOG.iter().find(|row| row.name == name).ok_or_else(|| AugmentError::Unknown {
        name: name.to_owned(),
        known: CATALOG.iter().map(|row| row.name).collect::<Vec<_>>().join(", "),
    })?;
    (row.build)(options).ok_or_else(|| AugmentError::Options {
        spec: spec.to_owned(),
        expected: match row.options {
            "" => format!("no options, just `{name}`"),
            options => format!("`{name}` alone or `{name}=` and {options}"),
        },
    })
}

impl Pipeline {
    /// Applies these augmentations from first to last.
    pub fn new(steps: Vec<Arc<dyn Augment>>) -> Self {
        Self { steps }
    }

    /// Whether it leaves every image as it is.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Whether every step makes sense for images of this shape.
    ///
    /// # Errors
    ///
    /// [`AugmentError::Shape`] of the first step that does not.
    pub fn check(&self, shape: ImageShape) -> Result<(), AugmentError> {
        self.steps.iter().try_for_each(|step| step.check(shape))
    }

    /// Changes `image` in place, drawing from `rng`.
    pub fn apply(&self, image: &mut Image, rng: &mut ChaCha8Rng) {
        for step in &self.steps {
            step.apply(image, rng);
        }
    }
}

impl Display for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str(NOTHING);
        }
        let specs: Vec<_> = self.steps.iter().map(|step| step.spec()).collect();
        f.write_str(&specs.join(","))
    }
}

impl FromStr for Pipeline {
    type Err = AugmentError;

    fn from_str(spec: &str) -> Result<Self, AugmentError> {
        parse(spec)
    }
}

impl PartialEq for Pipeline {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Serialize for Pipeline {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Pipeline {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// One image on its way through a [`Pipeline`], reused for the next image to spare allocations.
#[derive(Clone, Debug)]
pub struct Image {
    shape: ImageShape,
    pixels: Vec<u8>,
    /// Of the same size, for augmentations that cannot work in place.
    spare: Vec<u8>,
}

impl Image {
    /// A black image.
    pub fn new(shape: ImageShape) -> Self {
        let pixels = vec![0; shape.pixels()];
        Self { shape, spare: pixels.clone(), pixels }
    }

    /// Overwrites the image with `pixels`: `[channel, row, column]`, as `ImageSet::image` gives.
    ///
    /// # Panics
    ///
    /// If `pixels` is not of the image's size.
    pub fn load(&mut self, pixels: &[u8]) {
        self.pixels.copy_from_slice(pixels);
    }

    /// Channels, height and width.
    pub fn shape(&self) -> ImageShape {
        self.shape
    }

    /// `[channel, row, column]`, 0 is black.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The pixels, to change them in place.
    pub fn pixels_mut(&mut self) -> &mut [u8] {
        &mut self.pixels
    }

    /// Paints each channel anew: `paint` is given its old pixels and where to put all the new ones.
    pub fn repaint(&mut self, mut paint: impl FnMut(&[u8], &mut [u8])) {
        let plane = (self.shape.height * self.shape.width).max(1);
        for (old, new) in self.pixels.chunks(plane).zip(self.spare.chunks_mut(plane)) {
            paint(old, new);
        }
        std::mem::swap(&mut self.pixels, &mut self.spare);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use rand_chacha::rand_core::{Rng, SeedableRng};

    /// Two channels, higher than wide, every pixel different.
    pub(crate) fn numbered_image() -> Image {
        let shape = ImageShape { channels: 2, height: 6, width: 5 };
        let mut image = Image::new(shape);
        image.load(&(0..60).map(|i| 10 + i).collect::<Vec<u8>>());
        image
    }

    pub(crate) fn rng(seed: u64) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(seed)
    }

    #[test]
    fn every_augmentation_keeps_the_shape_and_the_range_and_repeats_itself() {
        for row in CATALOG {
            let pipeline = parse(row.name).unwrap();
            pipeline.check(numbered_image().shape()).unwrap();
            let mut changed = false;
            for seed in 0..50 {
                let (mut first, mut second) = (numbered_image(), numbered_image());
                pipeline.apply(&mut first, &mut rng(seed));
                pipeline.apply(&mut second, &mut rng(seed));
                assert_eq!(first.pixels(), second.pixels(), "{}", row.name);
                assert_eq!(first.shape(), numbered_image().shape(), "{}", row.name);
                assert_eq!(first.pixels().len(), 60, "{}", row.name);
                assert!(first.pixels().iter().all(|&p| p < 70), "{}", row.name);
                changed |= first.pixels() != numbered_image().pixels();
            }
            assert!(changed, "{} never changes anything", row.name);
        }
    }

    #[test]
    fn every_row_is_described_and_gives_its_spec_back() {
        for row in CATALOG {
            assert!(!row.summary.is_empty(), "{}", row.name);
            let pipeline = parse(row.name).unwrap();
            assert_eq!(pipeline.steps[0].name(), row.name);
            assert_eq!(parse(&pipeline.to_string()).unwrap(), pipeline);
        }
    }

    #[test]
    fn steps_are_applied_from_left_to_right_with_one_generator() {
        let (mut whole, mut parts) = (numbered_image(), numbered_image());
        parse("crop=2, flip").unwrap().apply(&mut whole, &mut rng(3));
        let mut one = rng(3);
        parse("crop=2").unwrap().apply(&mut parts, &mut one);
        parse("flip").unwrap().apply(&mut parts, &mut one);
        assert_eq!(whole.pixels(), parts.pixels());
    }

    #[test]
    fn a_pipeline_survives_a_configuration_file() {
        #[derive(Serialize, Deserialize)]
        struct Config {
            augment: Pipeline,
        }
        let config: Config = toml::from_str("augment = \"crop=4:reflect,flip\"").unwrap();
        assert_eq!(toml::to_string(&config).unwrap(), "augment = \"crop=4:reflect,flip\"\n");
        assert!(toml::from_str::<Config>("augment = \"crup\"").is_err());
    }

    #[test]
    fn nothing_is_written_as_none_and_draws_nothing() {
        for spec in ["", " ", "none"] {
            let pipeline = parse(spec).unwrap();
            assert!(pipeline.is_empty());
            assert_eq!(pipeline.to_string(), "none");
            let mut untouched = rng(1);
            pipeline.apply(&mut numbered_image(), &mut untouched);
            assert_eq!(untouched.next_u64(), rng(1).next_u64());
        }
    }

    #[test]
    fn errors_name_what_is_wrong_and_what_would_be_right() {
        let message = |spec: &str| parse(spec).unwrap_err().to_string();
        assert_eq!(message("flop"), "unknown augmentation `flop`; known: crop, flip");
        assert_eq!(message("flip,,crop"), "unknown augmentation ``; known: crop, flip");
        assert_eq!(message("flip=1"), "augmentation `flip=1`: expected no options, just `flip`");
        assert!(message("crop=x").contains("crop=4:reflect"));
    }
}
