//! A few operations drawn from a list.

use rand::RngExt;

use super::border::Border;
use super::brightness::brighten;
use super::contrast::harden;
use super::draw::Draw;
use super::image::Image;
use super::options;
use super::saturation::saturate;
use super::sharpness::sharpen;
use super::step::Augment;
use super::tone::{equalize, posterize, solarize, stretch};
use super::warp::Warp;

/// The magnitude at which each operation is as strong as it gets.
const GREATEST: u32 = 30;

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
/// but for solarize, so that magnitude 0 leaves white as it is; its magnitudes are from 0 to 30 as well. What moves in is black, and changes of geometry that follow
/// each other are resampled together. Saturation leaves grey images alone.
///
/// Cubuk et al., [RandAugment](https://arxiv.org/abs/1909.13719), 2020.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RandAugment {
    /// Operations for each image, at most 14.
    pub operations: usize,
    /// Their common strength, from 0 to 30.
    pub magnitude: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Identity,
    Autocontrast,
    Equalize,
    Rotate,
    Solarize,
    Colour,
    Posterize,
    Contrast,
    Brightness,
    Sharpness,
    ShearX,
    ShearY,
    TranslateX,
    TranslateY,
}

use Operation::*;

const OPERATIONS: [Operation; 14] = [
    Identity,
    Autocontrast,
    Equalize,
    Rotate,
    Solarize,
    Colour,
    Posterize,
    Contrast,
    Brightness,
    Sharpness,
    ShearX,
    ShearY,
    TranslateX,
    TranslateY,
];

impl Operation {
    /// `strength` is in `[-1, 1]`; where a sign means nothing, its size counts.
    fn apply(self, image: &mut Image, strength: f64) {
        let (size, shape) = (strength.abs(), image.shape());
        let factor = 1.0 + 0.9 * strength;
        let distance = |side: usize| 150.0 / 331.0 * strength * side as f64;
        let mut warp = |warp| image.warp(warp, Border::Zero);
        match self {
            Identity => {}
            Rotate => warp(Warp::rotation(30.0 * strength)),
            ShearX => warp(Warp::shear_x(0.3 * strength)),
            ShearY => warp(Warp::shear_y(0.3 * strength)),
            TranslateX => warp(Warp::translation(distance(shape.width), 0.0)),
            TranslateY => warp(Warp::translation(0.0, distance(shape.height))),
            Autocontrast => stretch(image),
            Equalize => equalize(image),
            Brightness => brighten(image, factor),
            Contrast => harden(image, factor),
            Colour => saturate(image, factor),
            Sharpness => sharpen(image, factor),
            Posterize => posterize(image, 8 - (4.0 * size).round() as u32),
            Solarize => solarize(image, (256.0 * (1.0 - size)).round() as u32),
        }
    }
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
            operation.apply(image, sign * strength);
        }
    }

    fn is_off(&self) -> bool {
        self.operations == 0
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::photograph;
    use super::*;

    fn looks(operation: Operation, strength: f64) -> Vec<u8> {
        let mut image = photograph(3);
        operation.apply(&mut image, strength);
        image.pixels().to_vec()
    }

    #[test]
    fn every_operation_but_the_identity_changes_a_photograph() {
        for operation in OPERATIONS {
            for strength in [1.0, -1.0, 0.3] {
                let changed = looks(operation, strength) != photograph(3).pixels();
                assert_eq!(changed, operation != Identity, "{operation:?} at {strength}");
            }
        }
    }

    #[test]
    fn magnitude_zero_leaves_only_those_without_a_strength() {
        for operation in OPERATIONS {
            let changed = looks(operation, 0.0) != photograph(3).pixels();
            assert_eq!(changed, matches!(operation, Autocontrast | Equalize), "{operation:?}");
        }
    }

    #[test]
    fn a_sign_reverses_what_has_a_direction() {
        for operation in OPERATIONS {
            let signed =
                !matches!(operation, Identity | Autocontrast | Equalize | Posterize | Solarize);
            assert_eq!(looks(operation, 0.5) != looks(operation, -0.5), signed, "{operation:?}");
        }
    }
}
