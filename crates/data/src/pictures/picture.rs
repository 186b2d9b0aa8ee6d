//! One picture in memory.

use super::colour::{Colour, grey};

/// One picture, decoded: without transparency, upright, 8 bits a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Rows of pixels, at least 1.
    pub height: usize,
    /// Columns of pixels, at least 1.
    pub width: usize,
    /// 1 for grey, 3 for red, green, blue.
    pub channels: usize,
    /// `[height, width, channels]`, row by row from the top.
    pub bytes: Vec<u8>,
}

impl Picture {
    /// Puts measures and pixels together.
    ///
    /// # Panics
    ///
    /// If there are not `height × width × channels` bytes, or `channels` is neither 1 nor 3.
    pub fn new(height: usize, width: usize, channels: usize, bytes: Vec<u8>) -> Self {
        assert!(matches!(channels, 1 | 3), "{channels} channels");
        assert_eq!(bytes.len(), height * width * channels, "{height} x {width} x {channels}");
        Self { height, width, channels, bytes }
    }

    /// Whether no pixel has a colour: there is one channel, or the three are equal everywhere.
    pub fn is_grey(&self) -> bool {
        self.channels == 1 || pixels(&self.bytes).all(|rgb| Colour { rgb }.is_grey())
    }

    /// The same without colour, in one channel; see [`Colour::grey`].
    #[must_use]
    pub fn to_grey(&self) -> Self {
        let bytes = match self.channels {
            1 => self.bytes.clone(),
            _ => pixels(&self.bytes).map(grey).collect(),
        };
        Self { channels: 1, bytes, ..*self }
    }

    /// The same in three channels, which are equal if it is grey.
    #[must_use]
    pub fn to_rgb(&self) -> Self {
        let bytes = match self.channels {
            1 => self.bytes.iter().flat_map(|&level| [level; 3]).collect(),
            _ => self.bytes.clone(),
        };
        Self { channels: 3, bytes, ..*self }
    }
}

fn pixels(bytes: &[u8]) -> impl Iterator<Item = [u8; 3]> + '_ {
    bytes.as_chunks::<3>().0.iter().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grey_is_one_channel_or_three_that_are_equal() {
        let picture = Picture::new(1, 2, 3, vec![1, 1, 1, 2, 2, 2]);
        assert!(picture.is_grey());
        assert_eq!(picture.to_grey(), Picture::new(1, 2, 1, vec![1, 2]));
        assert_eq!(picture.to_grey().to_rgb(), picture);
        let red = Picture::new(2, 1, 3, vec![255, 0, 0, 2, 2, 2]);
        assert!(!red.is_grey());
        assert_eq!(red.to_grey(), Picture::new(2, 1, 1, vec![76, 2]));
        assert!(red.to_grey().is_grey());
    }
}
