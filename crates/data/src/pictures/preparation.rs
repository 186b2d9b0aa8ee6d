//! What is done to each picture before a network sees it. A run keeps it, so that predictions do the same.

use serde::{Deserialize, Serialize};

use crate::image_set::ImageShape;

use super::colour::Colour;
use super::decode::Decoding;
use super::fit::Fit;
use super::picture::Picture;

/// What is done to each picture before a network sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preparation {
    /// Rows of pixels.
    pub height: usize,
    /// Columns of pixels.
    pub width: usize,
    /// How a picture of another shape is brought to the size.
    pub fit: Fit,
    /// 1 for grey, 3 for red, green, blue.
    pub channels: usize,
    /// What transparent places are seen on, and what is around padded pictures.
    pub background: Colour,
}

impl Preparation {
    /// What a prepared picture measures.
    pub fn shape(&self) -> ImageShape {
        ImageShape { channels: self.channels, height: self.height, width: self.width }
    }

    /// How a file is decoded that is then prepared.
    pub fn decoding(&self, most_pixels: u64) -> Decoding {
        Decoding { most_pixels, background: self.background }
    }

    /// Brings a picture to the number of channels and then to the size.
    ///
    /// # Shapes
    ///
    /// - returns `[channels, height, width]`, row by row
    pub fn prepare(&self, picture: &Picture) -> Vec<u8> {
        let picture = match (self.channels, picture.channels) {
            (1, 3) => &picture.to_grey(),
            (3, 1) => &picture.to_rgb(),
            _ => picture,
        };
        let fitted = self.fit.apply(picture, self.height, self.width, self.background);
        match self.channels {
            1 => fitted.bytes,
            channels => {
                let plane = |channel| fitted.bytes.iter().skip(channel).step_by(channels).copied();
                (0..channels).flat_map(plane).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preparation(channels: usize) -> Preparation {
        Preparation { height: 1, width: 2, fit: Fit::Crop, channels, background: Colour::WHITE }
    }

    #[test]
    fn a_prepared_picture_lies_channel_by_channel() {
        let picture = Picture::new(1, 2, 3, vec![1, 2, 3, 4, 5, 6]);
        assert_eq!(preparation(3).prepare(&picture), [1, 4, 2, 5, 3, 6]);
        assert_eq!(preparation(1).prepare(&picture), [2, 5]);
        let grey = Picture::new(1, 2, 1, vec![7, 8]);
        assert_eq!(preparation(3).prepare(&grey), [7, 8, 7, 8, 7, 8]);
    }

    #[test]
    fn a_preparation_survives_a_file_and_unknown_fields_are_refused() {
        let preparation = Preparation { fit: Fit::Pad, ..preparation(3) };
        let text = toml::to_string(&preparation).unwrap();
        assert_eq!(toml::from_str::<Preparation>(&text).unwrap(), preparation);
        assert!(toml::from_str::<Preparation>(&format!("{text}dept = 8\n")).is_err());
    }
}
