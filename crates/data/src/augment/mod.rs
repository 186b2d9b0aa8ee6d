//! Random changes to training images, drawn anew in every epoch.
//!
//! An augmentation is named by a short text: `crop`, `crop=2`, `crop=4:reflect`, `flip`. Several of
//! them, joined by commas, make a [`Pipeline`], applied from left to right.
//!
//! What becomes of an image depends on the image and its [`Draw`] only, hence on seed, epoch and place in
//! the set. An augmentation of strength 0 is left out: it neither changes nor draws anything.
//!
//! To add one: a file with a type that is an [`Augment`], and a row in [`CATALOG`].

use std::fmt::{self, Display};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::image_set::ImageShape;

mod alternating_flip;
mod blend;
mod border;
mod brightness;
mod colour;
mod contrast;
mod crop;
mod cutout;
mod draw;
mod elastic;
mod erase;
mod flip;
mod image;
mod operations;
mod options;
mod place;
mod rand_augment;
mod rotate;
mod saturation;
mod scale;
mod sharpness;
mod shear;
mod step;
#[cfg(test)]
mod tests;
mod tone;
mod translate;
mod trivial_augment;
mod warp;

pub use alternating_flip::AlternatingFlip;
pub use border::Border;
pub use brightness::Brightness;
pub use colour::Colour;
pub use contrast::Contrast;
pub use crop::Crop;
pub use cutout::{Cutout, CutoutFill};
pub use draw::Draw;
pub use elastic::Elastic;
pub use erase::Erase;
pub use flip::Flip;
pub use image::Image;
pub use place::{Place, Placing};
pub use rand_augment::RandAugment;
pub use rotate::Rotate;
pub use saturation::Saturation;
pub use scale::Scale;
pub use shear::Shear;
pub use step::{Augment, AugmentError};
pub use translate::Translate;
pub use trivial_augment::TrivialAugment;

/// What the catalog knows of one augmentation.
#[derive(Debug)]
pub struct AugmentRow {
    /// Name in a spec.
    pub name: &'static str,
    /// What it does, in one line, for help texts.
    pub summary: &'static str,
    /// The options that its name alone stands for.
    pub default: &'static str,
    /// What may follow `=` in a spec, for help texts and errors; empty if nothing may.
    pub options: &'static str,
    /// Builds it from its options. `None` means that they are wrong.
    build: fn(&str) -> Option<Arc<dyn Augment>>,
}

/// Every augmentation, one row each.
pub const CATALOG: &[AugmentRow] = &[
    AugmentRow {
        name: "crop",
        summary: "pad the image and cut out a random piece of its size",
        default: "4",
        options: "PIXELS, PIXELS:zero or PIXELS:reflect, such as `crop=4:reflect`",
        build: |options| Some(Arc::new(Crop::from_options(options)?)),
    },
    AugmentRow {
        name: "flip",
        summary: "mirror left and right with probability 0.5",
        default: "",
        options: "",
        build: |_| Some(Arc::new(Flip)),
    },
    AugmentRow {
        name: "alternating-flip",
        summary: "mirror left and right in every second epoch",
        default: "",
        options: "",
        build: |_| Some(Arc::new(AlternatingFlip)),
    },
    AugmentRow {
        name: "rotate",
        summary: "turn by up to some degrees",
        default: "15",
        options: "DEGREES from 0 to 180, with `:reflect` or without, such as `rotate=15:reflect`",
        build: |options| Some(Arc::new(Rotate::from_options(options)?)),
    },
    AugmentRow {
        name: "translate",
        summary: "move by up to some pixels, fractions included",
        default: "2",
        options: "PIXELS of at least 0, with `:reflect` or without, such as `translate=2.5`",
        build: |options| Some(Arc::new(Translate::from_options(options)?)),
    },
    AugmentRow {
        name: "scale",
        summary: "enlarge or shrink by a factor",
        default: "0.9:1.1",
        options: "SMALLEST:LARGEST factor from 0.1 to 10, with `:reflect` or without, such as \
            `scale=0.9:1.1`",
        build: |options| Some(Arc::new(Scale::from_options(options)?)),
    },
    AugmentRow {
        name: "shear",
        summary: "lean to the left or right by up to some degrees",
        default: "10",
        options: "DEGREES from 0 to 80, with `:reflect` or without, such as `shear=10`",
        build: |options| Some(Arc::new(Shear::from_options(options)?)),
    },
    AugmentRow {
        name: "elastic",
        summary: "bend like a sheet of rubber",
        default: "34:4",
        options: "ALPHA from 0 to 1000 and SIGMA from 0.5 to 100 pixels, with `:reflect` or \
            without, such as `elastic=34:4`",
        build: |options| Some(Arc::new(Elastic::from_options(options)?)),
    },
    AugmentRow {
        name: "brightness",
        summary: "multiply all pixels by a factor",
        default: "0.2",
        options: "STRENGTH from 0 to 1, such as `brightness=0.2` for factors from 0.8 to 1.2",
        build: |options| Some(Arc::new(Brightness::from_options(options)?)),
    },
    AugmentRow {
        name: "contrast",
        summary: "multiply distances from the image's mean by a factor",
        default: "0.2",
        options: "STRENGTH from 0 to 1, such as `contrast=0.2` for factors from 0.8 to 1.2",
        build: |options| Some(Arc::new(Contrast::from_options(options)?)),
    },
    AugmentRow {
        name: "saturation",
        summary: "multiply distances from grey by a factor",
        default: "0.2",
        options: "STRENGTH from 0 to 1, such as `saturation=0.2` for factors from 0.8 to 1.2",
        build: |options| Some(Arc::new(Saturation::from_options(options)?)),
    },
    AugmentRow {
        name: "colour",
        summary: "brightness, contrast and saturation",
        default: "0.2",
        options: "STRENGTH from 0 to 1, such as `colour=0.2` for factors from 0.8 to 1.2",
        build: |options| Some(Arc::new(Colour::from_options(options)?)),
    },
    AugmentRow {
        name: "cutout",
        summary: "cover a square",
        default: "8",
        options: "PIXELS, PIXELS:neutral, PIXELS:black or PIXELS:mean, such as `cutout=8`",
        build: |options| Some(Arc::new(Cutout::from_options(options)?)),
    },
    AugmentRow {
        name: "erase",
        summary: "overwrite a rectangle with noise",
        default: "0.5",
        options: "PROBABILITY from 0 to 1, such as `erase=0.5`",
        build: |options| Some(Arc::new(Erase::from_options(options)?)),
    },
    AugmentRow {
        name: "randaugment",
        summary: "a few operations drawn from a list of fourteen",
        default: "2:9",
        options: "OPERATIONS from 0 to 14 and MAGNITUDE from 0 to 30, such as `randaugment=2:9`",
        build: |options| Some(Arc::new(RandAugment::from_options(options)?)),
    },
    AugmentRow {
        name: "trivialaugment",
        summary: "one operation drawn from a list of fourteen, at any strength",
        default: "",
        options: "",
        build: |_| Some(Arc::new(TrivialAugment)),
    },
];

/// The spec of the pipeline that changes nothing.
const NOTHING: &str = "none";

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
    let built = match options {
        Some(_) if row.options.is_empty() => None,
        options => (row.build)(options.unwrap_or(row.default)),
    };
    built.ok_or_else(|| AugmentError::Options {
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

    /// Changes `image` in place. Steps of strength 0 are left out.
    pub fn apply(&self, image: &mut Image, draw: &mut Draw) {
        for step in self.steps.iter().filter(|step| !step.is_off()) {
            step.apply(image, draw);
        }
    }

    /// If it does no more than mirror images and move them once by whole pixels: what is shown beyond their edges.
    pub fn places(&self) -> Option<Border> {
        let mut border = None;
        for step in self.steps.iter().filter(|step| !step.is_off()) {
            if let Some(of_step) = step.placing()?.border()
                && border.replace(of_step).is_some()
            {
                // The edge of the first move, which no place tells of, would move with the second.
                return None;
            }
        }
        Some(border.unwrap_or_default())
    }

    /// What [`apply`](Self::apply) would do from the same draw.
    ///
    /// # Panics
    ///
    /// If it does more than what [`places`](Self::places) asks for.
    pub fn place(&self, draw: &mut Draw) -> Place {
        let on = self.steps.iter().filter(|step| !step.is_off());
        on.fold(Place::default(), |place, step| {
            let placing = step.placing().expect("`places` was asked before");
            place.then(placing.place(draw))
        })
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
