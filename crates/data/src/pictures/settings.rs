//! What people set about their pictures, before it is resolved.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::split::SplitSize;

use super::colour::Colour;
use super::decode::{DEFAULT_MOST_PIXELS, Decoding};
use super::error::PicturesError;
use super::fit::Fit;
use super::size::PictureSize;

/// With or without colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channels {
    /// Grey if every picture is, else red, green and blue.
    #[default]
    Auto,
    /// One channel.
    Grey,
    /// Three channels: red, green and blue.
    Rgb,
}

impl Channels {
    /// All of them, the one that is taken unasked first.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Grey, Self::Rgb];
}

impl fmt::Display for Channels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Grey => "grey",
            Self::Rgb => "rgb",
        })
    }
}

impl FromStr for Channels {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let name = text.trim().to_lowercase();
        let channels = Self::ALL.into_iter().find(|channels| channels.to_string() == name);
        channels
            .ok_or_else(|| format!("`{text}` is no choice of channels; write auto, grey or rgb"))
    }
}

/// What people set about their pictures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PictureSettings {
    /// The size that all are brought to. If it is not set and all measure the same, neither side above 64, that;
    /// else 64 x 64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<PictureSize>,
    /// How a picture of another shape is brought to the size.
    pub fit: Fit,
    /// With or without colour.
    pub channels: Channels,
    /// What transparent places are seen on, and what is around padded pictures.
    pub background: Colour,
    /// Most pixels of a picture's file, height × width, at least 1.
    pub most_pixels: u64,
    /// Size of the test split that is drawn if the folders or the table have none, above 0.
    pub test_size: SplitSize,
    /// What the test split is drawn by. The same seed draws the same pictures.
    pub split_seed: u64,
    /// Whether pictures that cannot be read are left out instead of ending all.
    pub skip_damaged: bool,
    /// Whether near copies are kept on one side where a test split, a validation split or folds are drawn.
    pub group_near_copies: bool,
}

impl Default for PictureSettings {
    fn default() -> Self {
        Self {
            size: None,
            fit: Fit::Crop,
            channels: Channels::Auto,
            background: Colour::WHITE,
            most_pixels: DEFAULT_MOST_PIXELS,
            test_size: SplitSize::Share(0.2),
            split_seed: 1,
            skip_damaged: false,
            group_near_copies: false,
        }
    }
}

impl PictureSettings {
    /// Whether every setting is in its range.
    ///
    /// # Errors
    ///
    /// The first one that is not, with the cure.
    pub fn check(&self) -> Result<(), PicturesError> {
        let refuse = |name, reason: String| Err(PicturesError::Setting { name, reason });
        if let Some(size) = self.size.filter(|size| !size.is_possible()) {
            return refuse(
                "size",
                size.to_string().parse::<PictureSize>().err().unwrap_or_default(),
            );
        }
        if self.most_pixels == 0 {
            return refuse(
                "most_pixels",
                format!("0 lets no picture pass; set {DEFAULT_MOST_PIXELS}, say"),
            );
        }
        match self.test_size {
            SplitSize::Share(share) if !(share > 0.0 && share < 1.0) => refuse(
                "test_size",
                format!(
                    "expected a share between 0 and 1, or a number of pictures, found {share}; \
                     set `--test-size 20%`"
                ),
            ),
            SplitSize::Count(0) => refuse(
                "test_size",
                "a test split of no picture scores nothing; set `--test-size 20%`".to_owned(),
            ),
            _ => Ok(()),
        }
    }

    /// How files are decoded.
    pub fn decoding(&self) -> Decoding {
        Decoding { most_pixels: self.most_pixels, background: self.background }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_have_defaults_and_survive_a_file() {
        assert_eq!(toml::from_str::<PictureSettings>("").unwrap(), PictureSettings::default());
        let text = "size = \"48x64\"\nfit = \"pad\"\nchannels = \"grey\"\n\
                    background = \"#000001\"\nmost_pixels = 7\n\
                    test_size = \"30%\"\nsplit_seed = 5\nskip_damaged = true\n\
                    group_near_copies = true\n";
        let settings: PictureSettings = toml::from_str(text).unwrap();
        assert_eq!(settings.size, Some(PictureSize { height: 48, width: 64 }));
        assert_eq!((settings.fit, settings.channels), (Fit::Pad, Channels::Grey));
        assert_eq!(
            toml::from_str::<PictureSettings>(&toml::to_string(&settings).unwrap()).unwrap(),
            settings
        );
        let square: PictureSettings = toml::from_str("size = 32").unwrap();
        assert_eq!(square.size, Some(PictureSize::square(32)));
        for text in ["colour = \"grey\"", "size = 0", "fit = \"squash\"", "background = \"red\""] {
            assert!(toml::from_str::<PictureSettings>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn each_range_is_checked_by_name() {
        let good = PictureSettings::default();
        assert!(good.check().is_ok());
        for (settings, name) in [
            (PictureSettings { size: Some(PictureSize::square(0)), ..good }, "size"),
            (PictureSettings { most_pixels: 0, ..good }, "most_pixels"),
            (PictureSettings { test_size: SplitSize::Share(0.0), ..good }, "test_size"),
            (PictureSettings { test_size: SplitSize::Share(1.0), ..good }, "test_size"),
            (PictureSettings { test_size: SplitSize::Count(0), ..good }, "test_size"),
        ] {
            let error = settings.check().unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{name}`: ")), "{error}");
        }
    }

    #[test]
    fn a_choice_of_channels_reads_as_it_is_written() {
        for channels in Channels::ALL {
            assert_eq!(channels.to_string().parse(), Ok(channels));
        }
        assert!("colour".parse::<Channels>().is_err());
    }
}
