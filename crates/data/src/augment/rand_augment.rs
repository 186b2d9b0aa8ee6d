//! A few operations drawn from a list.

use rand::RngExt;

use super::draw::Draw;
use super::image::Image;
use super::operations::{OPERATIONS, Reach, Scales};
use super::options;
use super::step::Augment;

/// The magnitude at which each operation is as strong as it gets.
const GREATEST: u32 = 30;

/// How strong that is.
pub(super) const SCALES: Scales = Scales {
    degrees: 30.0,
    shear: 0.3,
    reach: Reach::Share(150.0 / 331.0),
    factor: 0.9,
    bits: 4.0,
};

/// Applies `operations` operations, each drawn from the paper's fourteen, all equally likely, with one
/// magnitude for all: of the share `s = magnitude / 30` of an operation's greatest strength.
///
/// | operation | strength |
/// | --- | --- |
/// | identity, autocontrast, equalize | none |
/// | rotate | ± 30·s degrees |
/// | shear-x, shear-y | tangent ± 0.3·s |
/// | translate-x, translate-y | ± 0.45·s of the side (150/331) |
/// | brightness, contrast, colour (saturation), sharpness | factor 1 ± 0.9·s |
/// | posterize | 8 − round(4·s) bits |
/// | solarize | what is at least 256·(1 − s) |
///
/// Either sign is equally likely. The scales are those of torchvision's
/// [`RandAugment`](https://docs.pytorch.org/vision/stable/generated/torchvision.transforms.RandAugment.html),
/// but for solarize, so that magnitude 0 leaves white as it is; its magnitudes are from 0 to 30 as well. What moves in
/// is black, and changes of geometry that follow each other are resampled together. Saturation leaves grey images
/// alone.
///
/// Cubuk et al., [RandAugment](https://arxiv.org/abs/1909.13719), 2020.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RandAugment {
    /// Operations for each image, at most 14.
    pub operations: usize,
    /// Common strength of the operations, from 0 to 30.
    pub magnitude: u32,
}

impl RandAugment {
    /// Reads `2:9`.
    pub(super) fn from_options(options: &str) -> Option<Self> {
        let (operations, magnitude) = options.split_once(':')?;
        let operations = options::number(operations, 0..=OPERATIONS.len())?;
        Some(Self { operations, magnitude: options::number(magnitude, 0..=GREATEST)? })
    }
}

impl Augment for RandAugment {
    fn name(&self) -> &'static str {
        "randaugment"
    }

    fn spec(&self) -> String {
        format!("randaugment={}:{}", self.operations, self.magnitude)
    }

    fn apply(&self, image: &mut Image, draw: &mut Draw) {
        let strength = f64::from(self.magnitude) / f64::from(GREATEST);
        for _ in 0..self.operations {
            let operation = OPERATIONS[draw.rng.random_range(0..OPERATIONS.len())];
            let sign = if draw.rng.random() { 1.0 } else { -1.0 };
            (operation.apply)(image, sign * strength, &SCALES);
        }
    }

    fn is_off(&self) -> bool {
        self.operations == 0
    }
}
