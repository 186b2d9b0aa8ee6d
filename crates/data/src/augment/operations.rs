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
    /// Distance from 1 of the factor of brightness, contrast, colour and sharpness.
    pub(super) factor: f64,
    /// Bits that posterizing takes from each value.
    pub(super) bits: f64,
}

/// A distance.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reach {
    /// A share of the image's side.
    Share(f64),
    /// A number of pixels, the same for images of any size.
    Pixels(f64),
}

/// One of the fourteen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operation {
    /// Name in the papers.
    #[cfg_attr(not(test), expect(dead_code, reason = "read by people and tests"))]
    pub(super) name: &'static str,
    /// Changes an image by a strength in `[-1, 1]`, of the greatest in the scales.
    pub(super) apply: fn(&mut Image, f64, &Scales),
}

const fn row(name: &'static str, apply: fn(&mut Image, f64, &Scales)) -> Operation {
    Operation { name, apply }
}

/// All of them, a row each. Where a sign means nothing the size of the strength counts; identity, autocontrast and
/// equalize have none.
pub(super) static OPERATIONS: &[Operation] = &[
    row("identity", |_, _, _| {}),
    row("autocontrast", |image, _, _| stretch(image)),
    row("equalize", |image, _, _| equalize(image)),
    row("rotate", |image, strength, scales| {
        image.warp(Warp::rotation(scales.degrees * strength), Border::Zero);
    }),
    row("solarize", |image, strength, _| {
        solarize(image, (256.0 * (1.0 - strength.abs())).round() as u32);
    }),
    row("colour", |image, strength, scales| saturate(image, scales.factor(strength))),
    row("posterize", |image, strength, scales| {
        posterize(image, 8 - (scales.bits * strength.abs()).round() as u32);
    }),
    row("contrast", |image, strength, scales| harden(image, scales.factor(strength))),
    row("brightness", |image, strength, scales| brighten(image, scales.factor(strength))),
    row("sharpness", |image, strength, scales| sharpen(image, scales.factor(strength))),
    row("shear-x", |image, strength, scales| {
        image.warp(Warp::shear_x(scales.shear * strength), Border::Zero);
    }),
    row("shear-y", |image, strength, scales| {
        image.warp(Warp::shear_y(scales.shear * strength), Border::Zero);
    }),
    row("translate-x", |image, strength, scales| {
        let distance = scales.reach.of(image.shape().width);
        image.warp(Warp::translation(distance * strength, 0.0), Border::Zero);
    }),
    row("translate-y", |image, strength, scales| {
        let distance = scales.reach.of(image.shape().height);
        image.warp(Warp::translation(0.0, distance * strength), Border::Zero);
    }),
];

impl Scales {
    /// What brightness, contrast, colour and sharpness are multiplied by.
    fn factor(&self, strength: f64) -> f64 {
        1.0 + self.factor * strength
    }
}

impl Reach {
    /// The distance in pixels, along a side of so many.
    fn of(self, side: usize) -> f64 {
        match self {
            Self::Share(share) => share * side as f64,
            Self::Pixels(pixels) => pixels,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::photograph;
    use super::super::{rand_augment, trivial_augment};
    use super::*;

    fn looks(operation: &Operation, strength: f64, scales: &Scales) -> Vec<u8> {
        let mut image = photograph(3);
        (operation.apply)(&mut image, strength, scales);
        image.pixels().to_vec()
    }

    /// Every operation with the scales of each augmentation that draws from them.
    fn all() -> impl Iterator<Item = (&'static Operation, &'static Scales)> {
        let scales = [&rand_augment::SCALES, &trivial_augment::SCALES];
        OPERATIONS.iter().flat_map(move |operation| scales.map(|scales| (operation, scales)))
    }

    #[test]
    fn every_operation_but_the_identity_changes_a_photograph() {
        for (operation, scales) in all() {
            for strength in [1.0, -1.0, 0.3] {
                let changed = looks(operation, strength, scales) != photograph(3).pixels();
                assert_eq!(changed, operation.name != "identity", "{operation:?} at {strength}");
            }
        }
    }

    #[test]
    fn magnitude_zero_leaves_only_those_without_a_strength() {
        for (operation, scales) in all() {
            let changed = looks(operation, 0.0, scales) != photograph(3).pixels();
            let expected = ["autocontrast", "equalize"].contains(&operation.name);
            assert_eq!(changed, expected, "{operation:?}");
        }
    }

    #[test]
    fn a_sign_reverses_what_has_a_direction() {
        let without = ["identity", "autocontrast", "equalize", "posterize", "solarize"];
        for (operation, scales) in all() {
            let differ = looks(operation, 0.5, scales) != looks(operation, -0.5, scales);
            assert_eq!(differ, !without.contains(&operation.name), "{operation:?}");
        }
    }

    #[test]
    fn the_greatest_strengths_are_those_of_the_papers() {
        let greatest = |scales: &Scales, side| {
            [scales.degrees, scales.shear, scales.reach.of(side), scales.factor, scales.bits]
        };
        assert_eq!(greatest(&rand_augment::SCALES, 331), [30.0, 0.3, 150.0, 0.9, 4.0]);
        assert_eq!(greatest(&trivial_augment::SCALES, 331), [135.0, 0.99, 32.0, 0.99, 6.0]);
    }
}
