//! Test-time augmentation: the mean of what a network predicts for several views of each image.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use backburn_data::loader::LoaderError;
use backburn_data::normalization::FittedNormalization;
use backburn_data::{ImageSet, ImageShape};
use backburn_models::Network;
use burn::tensor::Device;

use super::predict::predict;
use super::predictions::{MeanPredictions, Predictions};

/// The views of an image, written as on the command line: `flip`, `shift=1`, `flip,shift=2`.
///
/// The image itself is always one of them; `shift=N` adds the image moved by 1 to N pixels in the
/// eight directions of the compass, and `flip` adds the mirror image of each of these. Nothing is
/// drawn at random.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Views {
    flip: bool,
    shift: usize,
}

/// Why views cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ViewsError {
    /// No view of that name.
    #[error("unknown view `{name}`; known: flip, shift=PIXELS, joined by commas")]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// The shift is not a number of pixels.
    #[error("`shift`: expected `shift=PIXELS` with at least 1 pixel, found `{found}`")]
    Shift {
        /// What was asked for.
        found: String,
    },
    /// The same view again.
    #[error("`{name}`: expected each view once, found it twice")]
    Twice {
        /// The view.
        name: &'static str,
    },
    /// Nothing of the image would be left.
    #[error(
        "`shift={shift}`: expected fewer pixels than the sides of the image, {height}×{width}, have"
    )]
    Size {
        /// Pixels of the greatest shift.
        shift: usize,
        /// The image's height.
        height: usize,
        /// The image's width.
        width: usize,
    },
}

/// One look at an image: first moved, then mirrored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct View {
    /// Pixels downward.
    down: isize,
    /// Pixels to the right.
    right: isize,
    mirrored: bool,
}

impl Views {
    /// Whether the shifts leave something of images of this shape.
    ///
    /// # Errors
    ///
    /// [`ViewsError::Size`] if the shift is not smaller than both sides.
    pub fn check(self, shape: ImageShape) -> Result<(), ViewsError> {
        let ImageShape { height, width, .. } = shape;
        if self.shift < height.min(width) {
            return Ok(());
        }
        Err(ViewsError::Size { shift: self.shift, height, width })
    }

    /// How many views there are: `1 + 8 N`, twice as many with `flip`.
    pub fn count(self) -> usize {
        self.list().len()
    }

    /// All views, the image itself first.
    fn list(self) -> Vec<View> {
        let mut views = vec![View { down: 0, right: 0, mirrored: false }];
        for distance in (1..).take(self.shift) {
            for (down, right) in
                [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)]
            {
                views.push(View {
                    down: distance * down,
                    right: distance * right,
                    mirrored: false,
                });
            }
        }
        if self.flip {
            views.extend(views.clone().into_iter().map(|view| View { mirrored: true, ..view }));
        }
        views
    }

    /// The mean of the probabilities that an evaluation copy of a network gives to the views.
    ///
    /// # Errors
    ///
    /// As [`predict`].
    ///
    /// # Panics
    ///
    /// If the views do not fit the images; see [`Views::check`].
    pub fn predict(
        self,
        network: &Network,
        images: &ImageSet,
        normalization: &FittedNormalization,
        device: &Device,
    ) -> Result<Predictions, LoaderError> {
        assert_eq!(self.check(images.shape()), Ok(()));
        let mut mean = MeanPredictions::default();
        for view in self.list() {
            mean.add(predict(network, &Arc::new(view.of(images)), normalization, device)?);
        }
        Ok(mean.finish())
    }
}

impl View {
    /// The images as this view shows them. What a shift uncovers is black, as `crop`'s border is.
    ///
    /// # Shapes
    ///
    /// The same as before: `[images, channels, height, width]`.
    fn of(self, images: &ImageSet) -> ImageSet {
        let shape = images.shape();
        let (height, width) = (shape.height, shape.width);
        let source = |at: usize, shift: isize, length: usize| {
            at.checked_add_signed(-shift).filter(|&source| source < length)
        };
        let mut pixels = vec![0; images.len() * shape.pixels()];
        let planes = images.images().flat_map(|image| image.chunks_exact(height * width));
        for (old, new) in planes.zip(pixels.chunks_exact_mut(height * width)) {
            for (row, new) in new.chunks_exact_mut(width).enumerate() {
                let Some(from) = source(row, self.down, height) else { continue };
                for (column, pixel) in new.iter_mut().enumerate() {
                    if let Some(column) = source(column, self.right, width) {
                        *pixel = old[from * width + column];
                    }
                }
                if self.mirrored {
                    new.reverse();
                }
            }
        }
        ImageSet::new(shape, images.classes(), pixels, images.labels().to_vec())
            .expect("shape and labels are those of the images")
    }
}

impl FromStr for Views {
    type Err = ViewsError;

    fn from_str(text: &str) -> Result<Self, ViewsError> {
        let mut views = Self::default();
        for part in text.split(',').map(str::trim) {
            match part.split_once('=') {
                None if part == "flip" && views.flip => {
                    return Err(ViewsError::Twice { name: "flip" });
                }
                None if part == "flip" => views.flip = true,
                Some(("shift", _)) if views.shift > 0 => {
                    return Err(ViewsError::Twice { name: "shift" });
                }
                Some(("shift", pixels)) => {
                    let pixels = pixels.parse().ok().filter(|&pixels| pixels > 0);
                    views.shift =
                        pixels.ok_or_else(|| ViewsError::Shift { found: part.to_owned() })?;
                }
                None if part == "shift" => {
                    return Err(ViewsError::Shift { found: part.to_owned() });
                }
                _ => return Err(ViewsError::Unknown { name: part.to_owned() }),
            }
        }
        Ok(views)
    }
}

impl fmt::Display for Views {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.flip, self.shift) {
            (true, 0) => f.write_str("flip"),
            (true, shift) => write!(f, "flip,shift={shift}"),
            (false, shift) => write!(f, "shift={shift}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{images, network, normalization};
    use super::*;

    /// Two images of two channels:
    ///
    /// ```text
    /// 1 2 3     7 8 9
    /// 4 5 6    10 11 12     and so on
    /// ```
    fn numbered() -> ImageSet {
        let shape = ImageShape { channels: 2, height: 2, width: 3 };
        ImageSet::new(shape, 3, (1..=24).collect(), vec![2, 0]).unwrap()
    }

    fn view(down: isize, right: isize, mirrored: bool) -> Vec<u8> {
        View { down, right, mirrored }.of(&numbered()).images().flatten().copied().collect()
    }

    #[test]
    fn views_equal_those_worked_out_by_hand() {
        assert_eq!(view(0, 0, false), (1..=24).collect::<Vec<u8>>());
        assert_eq!(view(1, 0, false)[..12], [0, 0, 0, 1, 2, 3, 0, 0, 0, 7, 8, 9]);
        assert_eq!(view(-1, 1, false)[..12], [0, 4, 5, 0, 0, 0, 0, 10, 11, 0, 0, 0]);
        assert_eq!(view(0, -2, false)[12..18], [15, 0, 0, 18, 0, 0]);
        assert_eq!(view(0, 0, true)[..12], [3, 2, 1, 6, 5, 4, 9, 8, 7, 12, 11, 10]);
        assert_eq!(view(0, 1, true)[..6], [2, 1, 0, 5, 4, 0]);
        let labels = View { down: 1, right: 1, mirrored: true }.of(&numbered());
        assert_eq!(labels.labels(), [2, 0]);
    }

    #[test]
    fn there_is_every_view_once_and_the_image_itself_first() {
        for (text, count) in
            [("flip", 2), ("shift=1", 9), ("shift=2", 17), ("flip,shift=1", 18), ("shift=3", 25)]
        {
            let views: Views = text.parse().unwrap();
            let list = views.list();
            assert_eq!((views.count(), list.len()), (count, count), "{text}");
            assert_eq!(list[0], View { down: 0, right: 0, mirrored: false });
            assert!((0..count).all(|i| !list[..i].contains(&list[i])), "{text}");
            assert_eq!(views.to_string(), text);
        }
        assert_eq!(" shift=2 , flip".parse::<Views>().unwrap().to_string(), "flip,shift=2");
    }

    #[test]
    fn what_is_no_view_is_refused_by_name() {
        for (text, part) in [
            ("flop", "unknown view `flop`; known: flip, shift=PIXELS"),
            ("flip=1", "unknown view `flip=1`"),
            ("", "unknown view ``"),
            ("flip,,shift=1", "unknown view ``"),
            ("shift", "expected `shift=PIXELS`"),
            ("shift=0", "at least 1 pixel, found `shift=0`"),
            ("shift=-1", "found `shift=-1`"),
            ("shift=1.5", "found `shift=1.5`"),
            ("flip,flip", "`flip`: expected each view once"),
            ("shift=1,shift=2", "`shift`: expected each view once"),
        ] {
            let message = text.parse::<Views>().unwrap_err().to_string();
            assert!(message.contains(part), "{text}: {message}");
        }
    }

    #[test]
    fn a_shift_as_large_as_a_side_is_refused() {
        let shape = numbered().shape();
        assert_eq!("shift=1".parse::<Views>().unwrap().check(shape), Ok(()));
        let message = "shift=2".parse::<Views>().unwrap().check(shape).unwrap_err().to_string();
        assert!(message.contains("`shift=2`") && message.contains("2×3"), "{message}");
        assert!("shift=99999999999".parse::<Views>().unwrap().check(shape).is_err());
    }

    #[test]
    fn the_prediction_is_the_mean_over_the_views() {
        let (network, images) = (network("mlp", |_| ()), images());
        let (normalization, device) = (normalization(), Device::flex());
        let predict_of = |images: ImageSet| {
            predict(&network, &Arc::new(images), &normalization, &device).unwrap()
        };
        let mirrored = View { down: 0, right: 0, mirrored: true }.of(&images);
        let (plain, mirrored) = (predict_of((*images).clone()), predict_of(mirrored));
        let views: Views = "flip".parse().unwrap();
        let mean = views.predict(&network, &images, &normalization, &device).unwrap();
        for i in 0..images.len() {
            for class in 0..10 {
                let expected =
                    f64::midpoint(plain.row(i)[class].exp(), mirrored.row(i)[class].exp());
                assert!((mean.row(i)[class].exp() - expected).abs() < 1e-12);
            }
        }
        assert_ne!(mean.scores(), plain.scores());
    }
}
