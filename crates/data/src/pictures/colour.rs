//! A colour as people write it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A colour of 8 bits a channel, written `#rrggbb`; `white` and `black` are read too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Colour {
    /// Red, green and blue, each from 0 to 255.
    pub rgb: [u8; 3],
}

impl Colour {
    /// What transparent places are seen on, unless something else is asked for.
    pub const WHITE: Self = Self { rgb: [255; 3] };
    /// No light at all.
    pub const BLACK: Self = Self { rgb: [0; 3] };

    /// Whether all channels are equal.
    pub fn is_grey(self) -> bool {
        let [red, green, blue] = self.rgb;
        red == green && green == blue
    }

    /// Its brightness by the weights of ITU-R BT.601, 0.299, 0.587 and 0.114, rounded: the grey that Pillow makes of
    /// a colour, and with it torchvision and timm.
    pub fn grey(self) -> u8 {
        grey(self.rgb)
    }
}

/// See [`Colour::grey`]. The weights are whole 65536ths whose sum is one, so that grey stays as it is.
pub(super) fn grey([red, green, blue]: [u8; 3]) -> u8 {
    let sum = 19_595 * u32::from(red) + 38_470 * u32::from(green) + 7_471 * u32::from(blue);
    ((sum + 0x8000) >> 16) as u8
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.rgb;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

impl FromStr for Colour {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let hexadecimal = |digits: &str| {
            let plain = digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            plain.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
        };
        match text.trim() {
            "white" => Ok(Self::WHITE),
            "black" => Ok(Self::BLACK),
            text => {
                let value = text.strip_prefix('#').and_then(hexadecimal);
                let value = value.ok_or_else(|| {
                    format!(
                        "`{text}` is no colour; write `#rrggbb` in hexadecimal, such as \
                     #ffffff, or white or black"
                    )
                })?;
                let [_, rgb @ ..] = value.to_be_bytes();
                Ok(Self { rgb })
            }
        }
    }
}

impl Serialize for Colour {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Colour {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_reads_as_it_is_written() {
        for (text, rgb) in [("#ffffff", [255; 3]), ("#01a0FF", [1, 160, 255]), ("black", [0; 3])] {
            let colour: Colour = text.parse().unwrap();
            assert_eq!(colour.rgb, rgb);
            assert_eq!(colour.to_string().parse(), Ok(colour));
        }
        for text in ["", "#fff", "ffffff", "#gggggg", "#+fffff", "#ffffff0", "#fffé"] {
            let error = text.parse::<Colour>().unwrap_err();
            assert!(error.contains("#rrggbb"), "{error}");
        }
    }

    #[test]
    fn grey_stays_as_it_is_and_colours_are_weighed_as_bt_601_does() {
        for level in 0..=255 {
            assert_eq!(grey([level; 3]), level);
        }
        let of = |text: &str| text.parse::<Colour>().unwrap().grey();
        assert_eq!([of("#ff0000"), of("#00ff00"), of("#0000ff")], [76, 150, 29]);
    }
}
