//! The size that all pictures of a set are brought to.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A size in pixels, written `64` for a square and `48x64` for 48 rows of 64 columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PictureSize {
    /// Rows, from 1 to [`LONGEST_SIDE`](Self::LONGEST_SIDE).
    pub height: usize,
    /// Columns, from 1 to [`LONGEST_SIDE`](Self::LONGEST_SIDE).
    pub width: usize,
}

impl PictureSize {
    /// The longest side that pictures are prepared at.
    pub const LONGEST_SIDE: usize = 4096;

    /// As many rows as columns.
    pub const fn square(side: usize) -> Self {
        Self { height: side, width: side }
    }

    /// Whether both sides are in their range.
    pub fn is_possible(self) -> bool {
        let possible = 1..=Self::LONGEST_SIDE;
        possible.contains(&self.height) && possible.contains(&self.width)
    }
}

impl fmt::Display for PictureSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.height == self.width {
            true => write!(f, "{}", self.height),
            false => write!(f, "{}x{}", self.height, self.width),
        }
    }
}

impl FromStr for PictureSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let side = |text: &str| text.trim().parse::<usize>().ok();
        let size = match text.split_once(['x', '×']) {
            Some((height, width)) => side(height).zip(side(width)),
            None => side(text).zip(side(text)),
        };
        let size =
            size.map(|(height, width)| Self { height, width }).filter(|size| size.is_possible());
        size.ok_or_else(|| {
            format!(
                "`{text}` is no size of pictures; write 64 for 64 x 64, or 48x64 for 48 rows of \
                 64 columns, each from 1 to {}",
                Self::LONGEST_SIDE
            )
        })
    }
}

impl Serialize for PictureSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PictureSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SizeVisitor)
    }
}

struct SizeVisitor;

impl de::Visitor<'_> for SizeVisitor {
    type Value = PictureSize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a size of pictures, such as 64 or \"48x64\" (height x width)")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<PictureSize, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, side: u64) -> Result<PictureSize, E> {
        side.to_string().parse().map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, side: i64) -> Result<PictureSize, E> {
        side.to_string().parse().map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_reads_as_it_is_written() {
        for (text, height, width) in [("64", 64, 64), ("48x64", 48, 64), (" 1 x 4096", 1, 4096)] {
            let size: PictureSize = text.parse().unwrap();
            assert_eq!(size, PictureSize { height, width });
            assert_eq!(size.to_string().parse(), Ok(size));
        }
        for text in ["", "0", "64x", "x64", "-1", "4097", "64x64x3", "1.5"] {
            assert!(text.parse::<PictureSize>().unwrap_err().contains("48x64"), "{text}");
        }
    }
}
