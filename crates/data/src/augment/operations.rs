//! The fourteen operations that RandAugment and its kin draw from.

use super::border::Border;
use super::brightness::brighten;
use super::contrast::harden;
use super::image::Image;
use super::saturation::saturate;
use super::sharpness::sharpen;
use super::tone::{equalize, posterize, solarize, stretch};
use super::warp::Warp;

/// How strong each operation is at strength 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scales {
    /// Angle of a rotation.
    pub(super) degrees: f64,
    /// Tangent of the angle that an image leans by.
    pub(super) shear: f64,
    /// How far an image is moved.
    pub(super) reach: Reach,
    /// By how much the factor of brightness, contrast, colour and sharpness differs from 1.
    pub(super) factor: f64,
    /// Bits that posterizing takes from each value.
    pub(super) bits: f64,
}

/// A distance.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reach {
    /// Of the image's side.
    Share(f64),
    /// The same for images of any size.
    Pixels(f64),
}

/// One of the fourteen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
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

/// All of them; autocontrast, equalize and the identity have no strength.
pub(super) const OPERATIONS: [Operation; 14] = [
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
    /// Changes `image` by `strength`, in `[-1, 1]`, of the greatest strengths in `scales`; where a sign means nothing,
    /// its size counts.
    pub(super) fn apply(self, image: &mut Image, strength: f64, scales: &Scales) {
        let (size, shape) = (strength.abs(), image.shape());
        let factor = 1.0 + scales.factor * strength;
        let distance = |side: usize| match scales.reach {
            Reach::Share(share) => share * strength * side as f64,
            Reach::Pixels(pixels) => pixels * strength,
        };
        let mut warp = |warp| image.warp(warp, Border::Zero);
        match self {
            Identity => {}
            Rotate => warp(Warp::rotation(scales.degrees * strength)),
            ShearX => warp(Warp::shear_x(scales.shear * strength)),
            ShearY => warp(Warp::shear_y(scales.shear * strength)),
            TranslateX => warp(Warp::translation(distance(shape.width), 0.0)),
            TranslateY => warp(Warp::translation(0.0, distance(shape.height))),
            Autocontrast => stretch(image),
            Equalize => equalize(image),
            Brightness => brighten(image, factor),
            Contrast => harden(image, factor),
            Colour => saturate(image, factor),
            Sharpness => sharpen(image, factor),
            Posterize => posterize(image, 8 - (scales.bits * size).round() as u32),
            Solarize => solarize(image, (256.0 * (1.0 - size)).round() as u32),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::photograph;
    use super::*;

    const SCALES: Scales =
        Scales { degrees: 30.0, shear: 0.3, reach: Reach::Share(0.45), factor: 0.9, bits: 4.0 };

    fn looks(operation: Operation, strength: f64) -> Vec<u8> {
        let mut image = photograph(3);
        operation.apply(&mut image, strength, &SCALES);
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
