//! Pictures in another size: the mean of what a new pixel covers, weighted by a triangle.
//!
//! In whole numbers, so that the result is the same on every machine, and to the last bit that of Pillow's `BILINEAR`,
//! by which torchvision resizes pictures. (Pillow 13 takes rows before columns where the height shrinks by more than
//! twice as many pixels as the width; then some values are one level off.) Memory is taken for the window that is asked
//! for and no more, so that a picture of one row and a million columns costs little.

use std::ops::Range;

use super::picture::Picture;

/// A part of a picture that has been resized as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// Rows of the whole, at least 1.
    pub(super) whole_height: usize,
    /// Columns of the whole, at least 1.
    pub(super) whole_width: usize,
    /// First row of the part.
    pub(super) top: usize,
    /// First column of the part.
    pub(super) left: usize,
    /// Rows of the part.
    pub(super) height: usize,
    /// Columns of the part.
    pub(super) width: usize,
}

impl Window {
    /// All of a picture of that size.
    pub(super) fn whole(height: usize, width: usize) -> Self {
        Self { whole_height: height, whole_width: width, top: 0, left: 0, height, width }
    }
}

/// Resizes a picture, and cuts the window from it. A side that stays as long as it is is not resampled.
///
/// Each new value is `Σ w(x) · value(x)`, `w` a triangle around the middle of the new pixel, as wide as two new pixels,
/// or two old ones when enlarging; the weights sum to 1. Columns come first, then rows, rounded in between.
///
/// # Panics
///
/// If the window does not lie within the whole.
pub(super) fn resample(picture: &Picture, window: Window) -> Picture {
    assert!(window.top + window.height <= window.whole_height, "{window:?}");
    assert!(window.left + window.width <= window.whole_width, "{window:?}");
    match picture.channels {
        1 => of_channels::<1>(picture, window),
        _ => of_channels::<3>(picture, window),
    }
}

fn of_channels<const CHANNELS: usize>(picture: &Picture, window: Window) -> Picture {
    let columns = taps(picture.width, window.whole_width, window.left..window.left + window.width);
    let rows = taps(picture.height, window.whole_height, window.top..window.top + window.height);
    let first = rows.first().map_or(0, |row| row.start);
    let last = rows.last().map_or(0, |row| row.start + row.weights.len());
    let (source, _) = picture.bytes.as_chunks::<CHANNELS>();

    let narrowed: Vec<[u8; CHANNELS]> = source[first * picture.width..last * picture.width]
        .chunks_exact(picture.width)
        .flat_map(|row| columns.iter().map(|tap| tap.mean(row[tap.start..].iter())))
        .collect();
    let mut bytes = Vec::with_capacity(window.height * window.width * CHANNELS);
    for tap in &rows {
        for column in 0..window.width {
            let from = (tap.start - first) * window.width + column;
            bytes.extend(tap.mean::<CHANNELS>(narrowed[from..].iter().step_by(window.width)));
        }
    }
    Picture::new(window.height, window.width, CHANNELS, bytes)
}

/// The old pixels that make up a new one.
struct Tap {
    /// The first of them.
    start: usize,
    /// What each counts, in units of 2^-[`PRECISION`].
    weights: Vec<i32>,
}

/// Bits behind the point: with 8 bits of a value and one to spare, all that 31 bits have room for.
const PRECISION: u32 = 22;

impl Tap {
    #[inline]
    fn mean<'a, const CHANNELS: usize>(
        &self,
        pixels: impl Iterator<Item = &'a [u8; CHANNELS]>,
    ) -> [u8; CHANNELS] {
        let mut sums = [1 << (PRECISION - 1); CHANNELS];
        for (weight, pixel) in self.weights.iter().zip(pixels) {
            for (sum, &value) in sums.iter_mut().zip(pixel) {
                *sum += weight * i32::from(value);
            }
        }
        sums.map(|sum| (sum >> PRECISION).clamp(0, 255) as u8)
    }
}

/// What makes up the new pixels of `range`, of `new` that a side of `old` pixels becomes.
fn taps(old: usize, new: usize, range: Range<usize>) -> Vec<Tap> {
    if old == new {
        return range.map(|start| Tap { start, weights: vec![1 << PRECISION] }).collect();
    }
    let scale = old as f64 / new as f64;
    let reach = scale.max(1.0);
    let tap = |place: usize| {
        let middle = (place as f64 + 0.5) * scale;
        // Casts cut off, at 0 too.
        let start = (middle - reach + 0.5) as usize;
        let end = ((middle + reach + 0.5) as usize).min(old);
        let weight =
            |at: usize| (1.0 - ((at as f64 - middle + 0.5) * (1.0 / reach)).abs()).max(0.0);
        let weights: Vec<f64> = (start..end).map(weight).collect();
        let factor = f64::from(1 << PRECISION);
        let sum: f64 = weights.iter().sum();
        let whole = |weight: f64| (weight / sum * factor + 0.5) as i32;
        Tap { start, weights: weights.into_iter().map(whole).collect() }
    };
    range.map(tap).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(bytes: &[u8]) -> Picture {
        Picture::new(1, bytes.len(), 1, bytes.to_vec())
    }

    fn gradient(height: usize, width: usize, channels: usize) -> Picture {
        let value = |i: usize| (i * 37 % 251) as u8;
        Picture::new(height, width, channels, (0..height * width * channels).map(value).collect())
    }

    #[test]
    fn the_size_that_it_has_changes_no_byte() {
        let picture = gradient(3, 5, 3);
        assert_eq!(resample(&picture, Window::whole(3, 5)), picture);
    }

    #[test]
    fn a_flat_picture_stays_flat_in_any_size() {
        for (height, width) in [(1, 1), (2, 9), (100, 3), (31, 57)] {
            let flat =
                resample(&Picture::new(7, 11, 3, vec![200; 231]), Window::whole(height, width));
            assert!(flat.bytes.iter().all(|&value| value == 200));
        }
    }

    #[test]
    fn halves_and_doubles_are_those_of_the_triangle() {
        // Weights 1/8, 3/8, 3/8, 1/8 inside; those that fall beyond the edge are shared out.
        let half = resample(&row(&[0, 0, 80, 80, 0, 0]), Window::whole(1, 3));
        assert_eq!(half.bytes, [11, 60, 11]);
        let double = resample(&row(&[0, 80]), Window::whole(1, 4));
        assert_eq!(double.bytes, [0, 20, 60, 80]);
    }

    #[test]
    fn a_window_is_cut_from_the_whole() {
        for channels in [1, 3] {
            let picture = gradient(40, 23, channels);
            let whole = resample(&picture, Window::whole(13, 31));
            let window = Window { top: 4, left: 7, height: 5, width: 20, ..Window::whole(13, 31) };
            let part = resample(&picture, window);
            for y in 0..5 {
                let from = ((y + 4) * 31 + 7) * channels;
                let length = 20 * channels;
                assert_eq!(part.bytes[y * length..][..length], whole.bytes[from..][..length]);
            }
        }
    }

    #[test]
    fn rows_and_columns_are_treated_alike() {
        let (wide, tall) = (gradient(1, 17, 1), Picture::new(17, 1, 1, gradient(1, 17, 1).bytes));
        let narrowed = resample(&wide, Window::whole(1, 6));
        assert_eq!(narrowed.bytes, resample(&tall, Window::whole(6, 1)).bytes);
    }
}
