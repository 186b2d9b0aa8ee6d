//! Normalization: bytes become the numbers that a network sees.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Deserializer, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::ser::{SerializeStruct, Serializer};
use serde::{Deserialize, Serialize};

use crate::image_set::ImageSet;

/// How pixels, bytes in 0..=255, are scaled before training.
///
/// In a configuration file: `normalization = "unit"`, one of `none`, `unit`, `per-channel`, `imagenet`, or
/// `normalization = { mean = [0.1307], std = [0.3081] }`. On the command line the latter is
/// `mean=0.1307,std=0.3081`, with colons between channels. `imagenet` stands for its numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Normalization {
    /// The bytes themselves, 0 to 255.
    None,
    /// Bytes divided by 255: `[0, 1]`.
    #[default]
    Unit,
    /// `(pixel / 255 − mean) / std` with one given mean and standard deviation per channel.
    Given {
        /// Mean of each channel, of pixels scaled to `[0, 1]`.
        mean: Vec<f32>,
        /// Standard deviation of each channel, of pixels scaled to `[0, 1]`; positive.
        std: Vec<f32>,
    },
    /// Each channel to mean 0 and standard deviation 1 over all pixels of the training split.
    PerChannel,
}

/// Why a normalization cannot be used.
#[derive(Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NormalizationError {
    /// There is no normalization of this name.
    #[error(
        "unknown normalization `{name}`; known: none, unit, per-channel, imagenet, or a mean and \
         std for each channel, such as mean=0.5:0.5:0.5,std=0.25:0.25:0.25"
    )]
    Unknown {
        /// The name that was asked for.
        name: String,
    },
    /// Means or standard deviations are not one per channel.
    #[error(
        "normalization: expected one {what} for each of {expected} channels, found {found}; give \
         as many, or choose `per-channel`"
    )]
    Channels {
        /// `mean` or `std`.
        what: &'static str,
        /// Channels of the images.
        expected: usize,
        /// Values given.
        found: usize,
    },
    /// A number is none.
    #[error(
        "normalization: expected numbers with colons between channels, such as {what}=0.5:0.5:0.5, \
         found `{found}`"
    )]
    Number {
        /// `mean` or `std`.
        what: &'static str,
        /// What was given.
        found: String,
    },
    /// A mean is not a finite number, or a standard deviation is not positive.
    #[error(
        "normalization: {what} of channel {channel} is {value}; expected a finite mean and a std \
         above 0"
    )]
    Value {
        /// `mean` or `std`.
        what: &'static str,
        /// Channel, counted from 0.
        channel: usize,
        /// What was given.
        value: f32,
    },
    /// There is nothing to take a mean of.
    #[error("normalization `per-channel` is fitted on the training split, which is empty")]
    Empty,
}

/// Mean and standard deviation of ImageNet's red, green and blue, of pixels from 0 to 1. torchvision's and timm's
/// networks are trained with [these](https://docs.pytorch.org/vision/stable/models.html), so that their first layer and
/// their running statistics expect them.
const IMAGENET: ([f32; 3], [f32; 3]) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);

impl Normalization {
    /// That which networks are trained with on ImageNet.
    pub fn imagenet() -> Self {
        let (mean, std) = IMAGENET;
        Self::Given { mean: mean.into(), std: std.into() }
    }

    /// Settles scale and shift of each channel; only `PerChannel` looks at the pixels of `train`.
    ///
    /// A channel that is the same everywhere has standard deviation 0 and is only shifted, as if
    /// the standard deviation were 1.
    ///
    /// # Errors
    ///
    /// If given values do not suit the channels of `train`, or it is empty and must not be.
    pub fn fit(&self, train: &ImageSet) -> Result<FittedNormalization, NormalizationError> {
        let channels = train.shape().channels;
        match self {
            Self::None => Ok(FittedNormalization::from_bytes(vec![(0.0, 1.0); channels])),
            Self::Unit => Ok(FittedNormalization::from_bytes(vec![(0.0, 255.0); channels])),
            Self::Given { mean, std } => {
                check("mean", mean, channels, |value| value.is_finite())?;
                check("std", std, channels, |value| value.is_finite() && value > 0.0)?;
                let of_bytes = |value: f32| f64::from(value) * 255.0;
                Ok(FittedNormalization::from_bytes(
                    mean.iter().zip(std).map(|(&m, &s)| (of_bytes(m), of_bytes(s))).collect(),
                ))
            }
            Self::PerChannel if train.is_empty() => Err(NormalizationError::Empty),
            Self::PerChannel => Ok(FittedNormalization::from_bytes(moments(train))),
        }
    }
}

fn check(
    what: &'static str,
    values: &[f32],
    expected: usize,
    valid: impl Fn(f32) -> bool,
) -> Result<(), NormalizationError> {
    if values.len() != expected {
        return Err(NormalizationError::Channels { what, expected, found: values.len() });
    }
    match values.iter().position(|&value| !valid(value)) {
        Some(channel) => Err(NormalizationError::Value { what, channel, value: values[channel] }),
        None => Ok(()),
    }
}

/// Mean and standard deviation of the bytes of each channel, from exact sums: they depend neither
/// on the order of the images nor on the number of threads.
fn moments(set: &ImageSet) -> Vec<(f64, f64)> {
    let shape = set.shape();
    let plane = shape.height * shape.width;
    let count = (set.len() * plane) as u128;
    let mut sums = vec![(0_u64, 0_u64); shape.channels];
    for image in set.images() {
        for (pixels, (sum, squares)) in image.chunks_exact(plane.max(1)).zip(&mut sums) {
            for &pixel in pixels {
                *sum += u64::from(pixel);
                *squares += u64::from(pixel) * u64::from(pixel);
            }
        }
    }
    sums.into_iter()
        .map(|(sum, squares)| {
            let (sum, squares) = (u128::from(sum), u128::from(squares));
            // `count² × variance`, in integers, so that nothing cancels.
            let spread = count * squares - sum * sum;
            let std = if spread > 0 { (spread as f64).sqrt() / count as f64 } else { 1.0 };
            (sum as f64 / count as f64, std)
        })
        .collect()
}

/// A normalization with its numbers settled: `byte × scale + shift`, per channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FittedNormalization {
    /// One per channel.
    pub scale: Vec<f32>,
    /// One per channel.
    pub shift: Vec<f32>,
}

impl FittedNormalization {
    /// The normalization by mean and standard deviation of the bytes of each channel.
    fn from_bytes(moments: Vec<(f64, f64)>) -> Self {
        let (scale, shift) =
            moments.into_iter().map(|(m, s)| ((1.0 / s) as f32, (-m / s) as f32)).unzip();
        Self { scale, shift }
    }

    /// What the network sees for this byte.
    ///
    /// # Panics
    ///
    /// If there is no such channel.
    pub fn apply(&self, channel: usize, pixel: u8) -> f32 {
        let exact =
            f64::from(pixel) * f64::from(self.scale[channel]) + f64::from(self.shift[channel]);
        exact as f32
    }

    /// The number of channels it was fitted on.
    pub fn channels(&self) -> usize {
        self.scale.len().min(self.shift.len())
    }

    /// What [`apply`](Self::apply) gives for each of the 256 bytes, channel by channel.
    pub fn tables(&self) -> Vec<[f32; 256]> {
        let table = |channel| std::array::from_fn(|pixel| self.apply(channel, pixel as u8));
        (0..self.channels()).map(table).collect()
    }
}

impl FromStr for Normalization {
    type Err = NormalizationError;

    fn from_str(name: &str) -> Result<Self, NormalizationError> {
        match name {
            "none" => Ok(Self::None),
            "unit" => Ok(Self::Unit),
            "per-channel" => Ok(Self::PerChannel),
            "imagenet" => Ok(Self::imagenet()),
            _ => given(name),
        }
    }
}

/// `mean=0.5:0.5,std=0.25:0.25`, in either order.
fn given(text: &str) -> Result<Normalization, NormalizationError> {
    let unknown = || NormalizationError::Unknown { name: text.to_owned() };
    let (mut mean, mut std) = (None, None);
    for part in text.split(',') {
        let (what, numbers) = part.split_once('=').ok_or_else(unknown)?;
        let (what, place) = match what.trim() {
            "mean" => ("mean", &mut mean),
            "std" => ("std", &mut std),
            _ => return Err(unknown()),
        };
        let parsed: Result<Vec<f32>, _> =
            numbers.split(':').map(|number| number.trim().parse()).collect();
        let found = || NormalizationError::Number { what, found: numbers.to_owned() };
        if place.replace(parsed.map_err(|_| found())?).is_some() {
            return Err(unknown());
        }
    }
    let (mean, std) = mean.zip(std).ok_or_else(unknown)?;
    Ok(Normalization::Given { mean, std })
}

impl Serialize for Normalization {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => serializer.serialize_str("none"),
            Self::Unit => serializer.serialize_str("unit"),
            Self::PerChannel => serializer.serialize_str("per-channel"),
            Self::Given { mean, std } => {
                let mut table = serializer.serialize_struct("Normalization", 2)?;
                table.serialize_field("mean", mean)?;
                table.serialize_field("std", std)?;
                table.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Normalization {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NameOrTable)
    }
}

/// Reads either form with messages that say what is wrong, which an untagged enum does not.
struct NameOrTable;

impl<'de> Visitor<'de> for NameOrTable {
    type Value = Normalization;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("none, unit, per-channel, imagenet, or a table with mean and std")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Normalization, E> {
        name.parse().map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Normalization, A::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            mean: Vec<f32>,
            std: Vec<f32>,
        }
        let Table { mean, std } = Table::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Normalization::Given { mean, std })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image_set::ImageShape;

    /// Two channels of different brightness, the second one constant.
    fn two_images() -> ImageSet {
        let shape = ImageShape { channels: 2, height: 1, width: 2 };
        ImageSet::new(shape, 2, vec![0, 10, 7, 7, 20, 50, 7, 7], vec![0, 1]).unwrap()
    }

    fn fit(normalization: &Normalization) -> FittedNormalization {
        normalization.fit(&two_images()).unwrap()
    }

    #[test]
    fn bytes_stay_bytes_or_fill_the_unit_interval() {
        let (none, unit) = (fit(&Normalization::None), fit(&Normalization::Unit));
        for pixel in 0..=255 {
            assert_eq!(none.apply(1, pixel), f32::from(pixel));
            assert!((0.0..=1.0).contains(&unit.apply(1, pixel)));
        }
        assert_eq!((unit.apply(0, 0), unit.apply(0, 255)), (0.0, 1.0));
    }

    #[test]
    fn per_channel_gives_mean_0_and_standard_deviation_1() {
        let fitted = fit(&Normalization::PerChannel);
        let values = [0, 10, 20, 50].map(|pixel| fitted.apply(0, pixel));
        let mean = values.iter().sum::<f32>() / 4.0;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / 4.0;
        assert!(mean.abs() < 1e-6, "mean {mean}");
        assert!((variance - 1.0).abs() < 1e-6, "variance {variance}");
    }

    #[test]
    fn a_constant_channel_is_only_shifted() {
        let fitted = fit(&Normalization::PerChannel);
        assert_eq!([6, 7, 8].map(|pixel| fitted.apply(1, pixel)), [-1.0, 0.0, 1.0]);
    }

    #[test]
    fn given_moments_refer_to_pixels_in_the_unit_interval() {
        let given = Normalization::Given { mean: vec![0.5, 0.0], std: vec![0.25, 1.0] };
        let fitted = fit(&given);
        for (channel, pixel, expected) in [(0, 0, -2.0), (0, 255, 2.0), (1, 0, 0.0), (1, 255, 1.0)]
        {
            let value = fitted.apply(channel, pixel);
            assert!((value - expected).abs() < 1e-6, "{value}, expected {expected}");
        }
    }

    #[test]
    fn imagenets_numbers_are_those_of_torchvision() {
        // torchvision.transforms.Normalize of ToTensor of 0, 124 and 255 in each channel.
        let expected = [
            [-2.117_904, 0.005_566, 2.248_908],
            [-2.035_714, 0.135_154, 2.428_571],
            [-1.804_444, 0.356_776, 2.64],
        ];
        let shape = ImageShape { channels: 3, height: 1, width: 1 };
        let images = ImageSet::new(shape, 2, vec![0; 3], vec![0]).unwrap();
        let fitted = Normalization::imagenet().fit(&images).unwrap();
        for (channel, expected) in expected.into_iter().enumerate() {
            for (pixel, expected) in [0, 124, 255].into_iter().zip(expected) {
                let found = fitted.apply(channel, pixel);
                assert!((found - expected).abs() < 2e-6, "{found}, expected {expected}");
            }
        }
        assert!(Normalization::imagenet().fit(&two_images()).is_err());
    }

    #[test]
    fn every_name_and_moments_are_read_from_a_word() {
        let given = |mean: &[f32], std: &[f32]| {
            Ok(Normalization::Given { mean: mean.to_vec(), std: std.to_vec() })
        };
        let read = |text: &str| text.parse::<Normalization>();
        assert_eq!(read("per-channel"), Ok(Normalization::PerChannel));
        assert_eq!(read("imagenet"), given(&[0.485, 0.456, 0.406], &[0.229, 0.224, 0.225]));
        assert_eq!(read("mean=0.1307,std=0.3081"), given(&[0.1307], &[0.3081]));
        assert_eq!(read("std=1:2.5, mean = -1:0"), given(&[-1.0, 0.0], &[1.0, 2.5]));
        for wrong in
            ["", "mean", "mean=0.5", "std=1", "mean=0.5,std=1,mean=0.5", "mean=0.5,dev=1", "units"]
        {
            let error = read(wrong).unwrap_err().to_string();
            assert!(error.contains("known: none, unit, per-channel, imagenet"), "{wrong}: {error}");
        }
        let error = read("mean=0.5;0.5,std=1").unwrap_err().to_string();
        assert!(error.contains("mean=0.5:0.5:0.5, found `0.5;0.5`"), "{error}");
    }

    #[test]
    fn the_table_of_a_channel_is_what_apply_gives() {
        let fitted = fit(&Normalization::PerChannel);
        let tables = fitted.tables();
        assert_eq!(tables.len(), 2);
        assert_eq!(tables[0][50], fitted.apply(0, 50));
        assert_eq!(tables[1][50], fitted.apply(1, 50));
    }

    #[test]
    fn moments_that_do_not_suit_the_images_are_refused() {
        let refused = |mean: &[f32], std: &[f32]| {
            let given = Normalization::Given { mean: mean.to_vec(), std: std.to_vec() };
            given.fit(&two_images()).unwrap_err().to_string()
        };
        assert!(refused(&[0.5], &[0.5]).contains("one mean for each of 2 channels, found 1"));
        assert!(refused(&[0.5; 2], &[0.5; 3]).contains("one std for each of 2 channels, found 3"));
        assert!(refused(&[0.5; 2], &[0.5, 0.0]).contains("std of channel 1 is 0"));
        assert!(refused(&[f32::NAN; 2], &[0.5; 2]).contains("mean of channel 0 is NaN"));
        let empty = two_images().select(&[]);
        assert_eq!(Normalization::PerChannel.fit(&empty), Err(NormalizationError::Empty));
    }

    #[test]
    fn every_form_survives_a_configuration_file() {
        #[derive(Debug, Serialize, Deserialize)]
        struct Config {
            normalization: Normalization,
        }
        let read = |text: &str| toml::from_str::<Config>(text).map(|config| config.normalization);
        for normalization in [
            Normalization::None,
            Normalization::Unit,
            Normalization::PerChannel,
            Normalization::Given { mean: vec![0.5, 0.25], std: vec![0.125, 1.0] },
            Normalization::imagenet(),
        ] {
            let text = toml::to_string(&Config { normalization: normalization.clone() }).unwrap();
            assert_eq!(read(&text).unwrap(), normalization, "{text}");
        }
        let named = read("normalization = \"imagenet\"").unwrap();
        assert_eq!(named, Normalization::imagenet());
        let wrong_name = read("normalization = \"units\"").unwrap_err().to_string();
        assert!(wrong_name.contains("known: none, unit, per-channel"), "{wrong_name}");
        let wrong_key = read("normalization = { mean = [0.5], dev = [1.0] }").unwrap_err();
        assert!(wrong_key.to_string().contains("dev"), "{wrong_key}");
    }
}
