//! Views of an image: what test-time augmentation shows a network beside the image itself, of which images, and how its
//! answers become one. [`test_time_augmentation`](crate::evaluate::test_time_augmentation) asks the network.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::fmt;
use std::str::FromStr;

use backburn_data::augment::Border;
use backburn_data::{ImageSet, ImageShape};
use serde::{Deserialize, Serialize};

/// The views of an image, written as on the command line and in a recipe: `flip`, `shift=1`,
/// `flip,diagonal=1,border=reflect,least-confident=0.25`.
///
/// The image itself is always one of them. `shift=N` adds the image moved by 1 to N pixels in the eight directions of
/// the compass, `diagonal=N` the image moved by N pixels up and to the left, and down and to the right; `flip` adds the
/// mirror image of each of these. Nothing is drawn at random.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Views {
    flip: bool,
    /// Pixels of the greatest shift; 0 for none.
    shift: usize,
    /// Pixels of the two diagonal shifts; 0 for none.
    diagonal: usize,
    /// What a shift uncovers.
    border: Border,
    /// Share of the images that are asked about in all views, those that the network is least sure of; in `(0, 1]`.
    least_confident: f64,
    mean: MeanOf,
}

/// What the mean over views is taken of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MeanOf {
    /// Probabilities.
    #[default]
    Probabilities,
    /// Logits, which is the geometric mean of the probabilities, made a distribution again: a view that is sure that an
    /// image is not of a class counts for more.
    Logits,
}

/// Why views cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ViewsError {
    /// No view of that name.
    #[error("unknown view `{name}`; known: {}, joined by commas", Views::FORMS.join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// A value outside its range.
    #[error("`{name}`: expected {expected}, found `{found}`")]
    Value {
        /// The part that it is of.
        name: &'static str,
        /// What it may be.
        expected: &'static str,
        /// What was asked for.
        found: String,
    },
    /// The same part again.
    #[error("`{name}`: expected each view once, found it twice")]
    Twice {
        /// The part.
        name: &'static str,
    },
    /// How to ask, and for what not.
    #[error(
        "`{found}` says how views are asked, and names none; add flip, shift=PIXELS or \
         diagonal=PIXELS"
    )]
    NoView {
        /// What was asked for.
        found: String,
    },
    /// A border of images that are not moved.
    #[error("`border`: nothing is uncovered without shift or diagonal; add one, or leave it out")]
    NoBorder,
    /// The shifts hold the diagonal ones.
    #[error(
        "`diagonal={diagonal}`: `shift={shift}` has these views already; leave one of the two out"
    )]
    Covered {
        /// Pixels of the diagonal shifts.
        diagonal: usize,
        /// Pixels of the greatest shift.
        shift: usize,
    },
    /// Nothing of the image would be left.
    #[error(
        "`{name}={pixels}`: expected fewer pixels than the sides of the image, {height}×{width}, \
         have"
    )]
    Size {
        /// `shift` or `diagonal`.
        name: &'static str,
        /// Pixels of the greatest shift.
        pixels: usize,
        /// The image's height.
        height: usize,
        /// The image's width.
        width: usize,
    },
}

/// One look at an image: first moved, then mirrored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct View {
    /// Pixels downward.
    down: isize,
    /// Pixels to the right.
    right: isize,
    mirrored: bool,
    /// What is seen where nothing of the image is left.
    border: Border,
}

/// The eight directions of the compass: downward, to the right.
const COMPASS: [(isize, isize); 8] =
    [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)];

impl Views {
    /// What [`Views::from_str`] reads, joined by commas.
    pub const FORMS: [&str; 6] = [
        "flip",
        "shift=PIXELS",
        "diagonal=PIXELS",
        "border=zero|reflect",
        "least-confident=SHARE",
        "mean=probabilities|logits",
    ];

    const NONE: Self = Self {
        flip: false,
        shift: 0,
        diagonal: 0,
        border: Border::Zero,
        least_confident: 1.0,
        mean: MeanOf::Probabilities,
    };

    /// Whether the shifts leave something of images of this shape.
    ///
    /// # Errors
    ///
    /// [`ViewsError::Size`] if a shift is not smaller than both sides.
    pub fn check(self, shape: ImageShape) -> Result<(), ViewsError> {
        let ImageShape { height, width, .. } = shape;
        let shifts = [("shift", self.shift), ("diagonal", self.diagonal)];
        match shifts.into_iter().find(|(_, pixels)| *pixels >= height.min(width)) {
            Some((name, pixels)) => Err(ViewsError::Size { name, pixels, height, width }),
            None => Ok(()),
        }
    }

    /// How many views of an image there are, itself among them.
    pub fn count(self) -> usize {
        let shifts = self.shift.saturating_mul(COMPASS.len());
        let moved = shifts.saturating_add(if self.diagonal > 0 { 2 } else { 0 });
        moved.saturating_add(1).saturating_mul(if self.flip { 2 } else { 1 })
    }

    /// How many of so many images are asked about in all views: the share of them, rounded, at least 1.
    pub fn asked_again(self, images: usize) -> usize {
        ((self.least_confident * images as f64).round() as usize).max(1).min(images)
    }

    /// How often the network is asked about so many images: once about each, and about those that are
    /// [asked again](Self::asked_again) once for each other view.
    pub fn evaluations(self, images: usize) -> usize {
        let others = self.asked_again(images).saturating_mul(self.count() - 1);
        images.saturating_add(others)
    }

    /// What the mean over views is taken of.
    pub fn mean(self) -> MeanOf {
        self.mean
    }

    /// All views, the image itself first.
    pub(crate) fn list(self) -> Vec<View> {
        let border = self.border;
        let view = |down, right| View { down, right, mirrored: false, border };
        let mut views = vec![view(0, 0)];
        for distance in (1..).take(self.shift) {
            views.extend(COMPASS.map(|(down, right)| view(distance * down, distance * right)));
        }
        if let Some(distance) = isize::try_from(self.diagonal).ok().filter(|it| *it > 0) {
            views.extend([view(-distance, -distance), view(distance, distance)]);
        }
        if self.flip {
            views.extend(views.clone().into_iter().map(|view| View { mirrored: true, ..view }));
        }
        views
    }
}

impl View {
    /// The images as this view shows them.
    ///
    /// # Shapes
    ///
    /// The same as before: `[images, channels, height, width]`.
    #[expect(clippy::expect_used, reason = "shape and labels are those of the images")]
    pub(crate) fn of(self, images: &ImageSet) -> ImageSet {
        let shape = images.shape();
        let (height, width) = (shape.height, shape.width);
        let seen = |at: usize, shift: isize, length: usize| {
            let at = i32::try_from(at.cast_signed() - shift).ok()?;
            self.border.source(at, length)
        };
        let mut pixels = vec![0; images.len() * shape.pixels()];
        let planes = images.images().flat_map(|image| image.chunks_exact(height * width));
        for (old, new) in planes.zip(pixels.chunks_exact_mut(height * width)) {
            for (row, new) in new.chunks_exact_mut(width).enumerate() {
                let line = seen(row, self.down, height);
                let Some(line) = line.and_then(|line| old.chunks_exact(width).nth(line)) else {
                    continue;
                };
                for (column, pixel) in new.iter_mut().enumerate() {
                    let column = seen(column, self.right, width);
                    *pixel = column.and_then(|column| line.get(column).copied()).unwrap_or(0);
                }
                if self.mirrored {
                    new.reverse();
                }
            }
        }
        ImageSet::new(shape, images.classes(), pixels, images.labels().to_vec())
            .expect("an image set of the same shape")
    }
}

/// The parts of a text, each of which may be given once.
#[derive(Default)]
struct Parts {
    flip: Option<()>,
    shift: Option<usize>,
    diagonal: Option<usize>,
    border: Option<Border>,
    least_confident: Option<f64>,
    mean: Option<MeanOf>,
}

impl Parts {
    fn read(&mut self, part: &str) -> Result<(), ViewsError> {
        let (name, value) = match part.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (part, None),
        };
        let given = Given { part, value };
        match name {
            "flip" if value.is_none() => once("flip", &mut self.flip, ()),
            "shift" => {
                let expected = "`shift=PIXELS` with at least 1 pixel";
                once("shift", &mut self.shift, given.pixels("shift", expected)?)
            }
            "diagonal" => {
                let expected = "`diagonal=PIXELS` with at least 1 pixel";
                once("diagonal", &mut self.diagonal, given.pixels("diagonal", expected)?)
            }
            "border" => {
                let borders = [("zero", Border::Zero), ("reflect", Border::Reflect)];
                let expected = "`border=zero` or `border=reflect`";
                once("border", &mut self.border, given.one_of("border", expected, borders)?)
            }
            "least-confident" => {
                let expected = "`least-confident=SHARE` with a share in (0, 1]";
                let share = value.and_then(|value| value.parse::<f64>().ok());
                let share = share.filter(|share| *share > 0.0 && *share <= 1.0);
                let share = share.ok_or_else(|| given.wrong("least-confident", expected))?;
                once("least-confident", &mut self.least_confident, share)
            }
            "mean" => {
                let means = [("probabilities", MeanOf::Probabilities), ("logits", MeanOf::Logits)];
                let expected = "`mean=probabilities` or `mean=logits`";
                once("mean", &mut self.mean, given.one_of("mean", expected, means)?)
            }
            _ => Err(ViewsError::Unknown { name: part.to_owned() }),
        }
    }
}

/// A part of a text, and what stands behind its `=`.
#[derive(Clone, Copy)]
struct Given<'a> {
    part: &'a str,
    value: Option<&'a str>,
}

impl Given<'_> {
    fn wrong(self, name: &'static str, expected: &'static str) -> ViewsError {
        ViewsError::Value { name, expected, found: self.part.to_owned() }
    }

    fn pixels(self, name: &'static str, expected: &'static str) -> Result<usize, ViewsError> {
        let pixels = self.value.and_then(|value| value.parse().ok());
        pixels.filter(|pixels| *pixels > 0).ok_or_else(|| self.wrong(name, expected))
    }

    fn one_of<T: Copy>(
        self,
        name: &'static str,
        expected: &'static str,
        known: [(&str, T); 2],
    ) -> Result<T, ViewsError> {
        let meant = known.iter().find(|(known, _)| Some(*known) == self.value);
        meant.map(|(_, value)| *value).ok_or_else(|| self.wrong(name, expected))
    }
}

/// Fills a part that has not been given before.
fn once<T>(name: &'static str, place: &mut Option<T>, value: T) -> Result<(), ViewsError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(ViewsError::Twice { name }),
    }
}

impl FromStr for Views {
    type Err = ViewsError;

    fn from_str(text: &str) -> Result<Self, ViewsError> {
        let mut parts = Parts::default();
        for part in text.split(',').map(str::trim) {
            parts.read(part)?;
        }
        let none = Self::NONE;
        let views = Self {
            flip: parts.flip.is_some(),
            shift: parts.shift.unwrap_or(none.shift),
            diagonal: parts.diagonal.unwrap_or(none.diagonal),
            border: parts.border.unwrap_or(none.border),
            least_confident: parts.least_confident.unwrap_or(none.least_confident),
            mean: parts.mean.unwrap_or(none.mean),
        };
        let (shift, diagonal) = (views.shift, views.diagonal);
        if !views.flip && shift == 0 && diagonal == 0 {
            return Err(ViewsError::NoView { found: text.to_owned() });
        }
        if parts.border.is_some() && shift == 0 && diagonal == 0 {
            return Err(ViewsError::NoBorder);
        }
        if (1..=shift).contains(&diagonal) {
            return Err(ViewsError::Covered { diagonal, shift });
        }
        Ok(views)
    }
}

impl fmt::Display for Views {
    /// What is as it would be anyway is left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            self.flip.then(|| "flip".to_owned()),
            (self.shift > 0).then(|| format!("shift={}", self.shift)),
            (self.diagonal > 0).then(|| format!("diagonal={}", self.diagonal)),
            (self.border == Border::Reflect).then(|| "border=reflect".to_owned()),
            (self.least_confident < 1.0)
                .then(|| format!("least-confident={}", self.least_confident)),
            (self.mean == MeanOf::Logits).then(|| "mean=logits".to_owned()),
        ];
        f.write_str(&parts.into_iter().flatten().collect::<Vec<_>>().join(","))
    }
}

impl TryFrom<String> for Views {
    type Error = ViewsError;

    fn try_from(text: String) -> Result<Self, ViewsError> {
        text.parse()
    }
}

impl From<Views> for String {
    fn from(views: Views) -> Self {
        views.to_string()
    }
}

#[cfg(test)]
mod tests {
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

    fn view(down: isize, right: isize, mirrored: bool) -> View {
        View { down, right, mirrored, border: Border::Zero }
    }

    fn shown(view: View) -> Vec<u8> {
        view.of(&numbered()).images().flatten().copied().collect()
    }

    fn views(text: &str) -> Views {
        text.parse().unwrap()
    }

    #[test]
    fn views_equal_those_worked_out_by_hand() {
        assert_eq!(shown(view(0, 0, false)), (1..=24).collect::<Vec<u8>>());
        assert_eq!(shown(view(1, 0, false))[..12], [0, 0, 0, 1, 2, 3, 0, 0, 0, 7, 8, 9]);
        assert_eq!(shown(view(-1, 1, false))[..12], [0, 4, 5, 0, 0, 0, 0, 10, 11, 0, 0, 0]);
        assert_eq!(shown(view(0, -2, false))[12..18], [15, 0, 0, 18, 0, 0]);
        assert_eq!(shown(view(0, 0, true))[..12], [3, 2, 1, 6, 5, 4, 9, 8, 7, 12, 11, 10]);
        assert_eq!(shown(view(0, 1, true))[..6], [2, 1, 0, 5, 4, 0]);
        let labels = view(1, 1, true).of(&numbered());
        assert_eq!(labels.labels(), [2, 0]);
    }

    #[test]
    fn a_reflected_border_shows_what_stands_beside_the_edge() {
        let reflected = |down, right, mirrored| {
            let border = Border::Reflect;
            shown(View { border, ..view(down, right, mirrored) })[..6].to_vec()
        };
        assert_eq!(reflected(0, 0, false), [1, 2, 3, 4, 5, 6]);
        // Moved down and right, up and left: rows 4 5 6 / 1 2 3 and columns 2 1 2, 2 3 2.
        assert_eq!(reflected(1, 1, false), [5, 4, 5, 2, 1, 2]);
        assert_eq!(reflected(-1, -1, false), [5, 6, 5, 2, 3, 2]);
        assert_eq!(reflected(0, 2, true), [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn there_is_every_view_once_and_the_image_itself_first() {
        for (text, count) in [
            ("flip", 2),
            ("shift=1", 9),
            ("shift=2", 17),
            ("flip,shift=1", 18),
            ("shift=3", 25),
            ("diagonal=1", 3),
            ("flip,diagonal=2", 6),
            ("shift=1,diagonal=2", 11),
            ("flip,shift=2,diagonal=5,border=reflect", 38),
        ] {
            let views = views(text);
            let list = views.list();
            assert_eq!((views.count(), list.len()), (count, count), "{text}");
            let itself = View { border: views.border, ..view(0, 0, false) };
            assert_eq!(list[0], itself);
            assert!((0..count).all(|i| !list[..i].contains(&list[i])), "{text}");
            assert_eq!(views.to_string(), text);
        }
        let list: Vec<View> = views("flip,diagonal=2").list();
        let moved = [(0, 0), (-2, -2), (2, 2)];
        let expected = [false, true].map(|mirrored| moved.map(|(d, r)| view(d, r, mirrored)));
        assert_eq!(list, expected.concat());
    }

    #[test]
    fn what_is_written_is_read_again_and_says_nothing_of_what_is_so_anyway() {
        for (text, written) in [
            (" shift=2 , flip", "flip,shift=2"),
            ("flip,mean=probabilities,least-confident=1", "flip"),
            ("border=zero,shift=1", "shift=1"),
            ("mean=logits,diagonal=1,flip", "flip,diagonal=1,mean=logits"),
            (
                "least-confident=0.250,border=reflect,diagonal=1,flip",
                "flip,diagonal=1,border=reflect,least-confident=0.25",
            ),
        ] {
            let read = views(text);
            assert_eq!(read.to_string(), written);
            assert_eq!(views(written), read);
            let json = serde_json::to_string(&read).unwrap();
            assert_eq!(json, format!("\"{written}\""));
            assert_eq!(serde_json::from_str::<Views>(&json).unwrap(), read);
        }
        assert!(serde_json::from_str::<Views>("\"flop\"").is_err());
    }

    #[test]
    fn the_network_is_asked_again_about_the_share_and_in_the_other_views_alone() {
        let few = views("flip,diagonal=1,least-confident=0.25");
        assert_eq!((few.asked_again(10_000), few.evaluations(10_000)), (2500, 22_500));
        assert_eq!(views("flip,diagonal=1").evaluations(10_000), 60_000);
        // Of few images at least one, of none none.
        assert_eq!((few.asked_again(1), few.asked_again(3), few.asked_again(0)), (1, 1, 0));
        let most = views("flip,least-confident=0.999");
        assert_eq!((most.asked_again(10), most.evaluations(10)), (10, 20));
        assert_eq!(few.evaluations(0), 0);
        assert_eq!(views("flip,shift=18446744073709551615").count(), usize::MAX);
    }

    #[test]
    fn what_is_no_view_is_refused_by_name() {
        for (text, part) in [
            ("flop", "unknown view `flop`; known: flip, shift=PIXELS, diagonal=PIXELS, border="),
            ("flip=1", "unknown view `flip=1`"),
            ("", "unknown view ``"),
            ("flip,,shift=1", "unknown view ``"),
            ("none", "unknown view `none`"),
            ("shift", "expected `shift=PIXELS`"),
            ("shift=0", "at least 1 pixel, found `shift=0`"),
            ("shift=-1", "found `shift=-1`"),
            ("shift=1.5", "found `shift=1.5`"),
            ("diagonal", "`diagonal`: expected `diagonal=PIXELS` with at least 1 pixel"),
            ("diagonal=0", "found `diagonal=0`"),
            ("flip,flip", "`flip`: expected each view once"),
            ("shift=1,shift=2", "`shift`: expected each view once"),
            ("flip,mean=logits,mean=logits", "`mean`: expected each view once"),
            (
                "flip,diagonal=1,border=wrap",
                "`border=zero` or `border=reflect`, found `border=wrap`",
            ),
            ("flip,border", "found `border`"),
            ("flip,border=reflect", "`border`: nothing is uncovered without shift or diagonal"),
            ("flip,least-confident=0", "a share in (0, 1], found `least-confident=0`"),
            ("flip,least-confident=1.1", "found `least-confident=1.1`"),
            ("flip,least-confident=NaN", "found `least-confident=NaN`"),
            ("flip,least-confident", "found `least-confident`"),
            ("flip,mean=median", "`mean=probabilities` or `mean=logits`, found `mean=median`"),
            ("mean=logits,least-confident=0.5", "names none; add flip, shift=PIXELS or diagonal="),
            ("shift=2,diagonal=2", "`diagonal=2`: `shift=2` has these views already"),
            ("shift=2,diagonal=1", "`diagonal=1`: `shift=2` has these views already"),
        ] {
            let message = text.parse::<Views>().unwrap_err().to_string();
            assert!(message.contains(part), "{text}: {message}");
        }
    }

    #[test]
    fn a_shift_as_large_as_a_side_is_refused() {
        let shape = numbered().shape();
        assert_eq!(views("shift=1").check(shape), Ok(()));
        assert_eq!(views("flip,diagonal=1,border=reflect").check(shape), Ok(()));
        let message = views("shift=2").check(shape).unwrap_err().to_string();
        assert!(message.contains("`shift=2`") && message.contains("2×3"), "{message}");
        let message = views("shift=1,diagonal=2").check(shape).unwrap_err().to_string();
        assert!(message.contains("`diagonal=2`"), "{message}");
        assert!(views("shift=99999999999").check(shape).is_err());
    }
}
