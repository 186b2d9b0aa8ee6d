//! A map of what speaks for a class, laid over the picture that it is of.

use backburn_records::Explanation;

/// The colour of half of the greatest value, and of the greatest: vermilion and yellow of Okabe and Ito's, which stand
/// out from a grey picture for colour-blind readers too.
const HALF: [f64; 3] = [213.0, 94.0, 0.0];
const FULL: [f64; 3] = [240.0, 228.0, 66.0];

/// How much of the picture the colour covers at half of the greatest value, and at the greatest.
const COVERS: [f64; 2] = [0.6, 0.8];

/// The picture in grey with the map in colour over it: `[3, height, width]`, one byte a value. The map is brought to the
/// picture's size by bilinear interpolation; where nothing speaks for the class, the picture is grey.
///
/// `shape` is channels (1 or 3), height, width; `pixels` has one byte a value, in that order.
///
/// # Panics
///
/// If `pixels` are not as many as `shape` says, or the map [is not whole](Explanation::is_whole).
pub fn overlay(shape: [usize; 3], pixels: &[u8], map: &Explanation) -> Vec<u8> {
    let [channels, height, width] = shape;
    let area = height * width;
    assert_eq!(pixels.len(), channels * area, "values of a picture");
    assert!(map.is_whole(), "a map of {} × {}", map.height, map.width);
    let mut colours = vec![0; 3 * area];
    for place in 0..area {
        let grey = grey(&[0, 1, 2].map(|channel| pixels[(channel % channels) * area + place]));
        let value = interpolated(map, [place / width, place % width], [height, width]);
        let pixel = coloured(grey, value);
        for (channel, value) in pixel.into_iter().enumerate() {
            colours[channel * area + place] = value;
        }
    }
    colours
}

/// The overlay's colours from 0 to the greatest value in `steps` steps over a middle grey, in equal rows:
/// `[3, rows, steps]`.
pub(super) fn scale(rows: usize, steps: usize) -> Vec<u8> {
    let pixel = |step: usize| coloured(128.0, step as f64 / (steps.max(2) - 1) as f64);
    let value = |channel: usize, at: usize| pixel(at % steps)[channel];
    (0..3).flat_map(|channel| (0..rows * steps).map(move |at| value(channel, at))).collect()
}

/// Luma of ITU-R BT.601, as picture programs weigh it.
fn grey([red, green, blue]: &[u8; 3]) -> f64 {
    0.299 * f64::from(*red) + 0.587 * f64::from(*green) + 0.114 * f64::from(*blue)
}

/// `value` in `[0, 1]`.
fn coloured(grey: f64, value: f64) -> [u8; 3] {
    let (colour, covers) = if value < 0.5 {
        (HALF, 2.0 * value * COVERS[0])
    } else {
        let share = 2.0 * value - 1.0;
        let mixed =
            [0, 1, 2].map(|channel| HALF[channel] + share * (FULL[channel] - HALF[channel]));
        (mixed, COVERS[0] + share * (COVERS[1] - COVERS[0]))
    };
    colour.map(|channel| (grey + covers * (channel - grey)).round() as u8)
}

/// The map's value in `[0, 1]` at a pixel of a picture, both with their first and last cell's edges at the same places.
fn interpolated(map: &Explanation, at: [usize; 2], size: [usize; 2]) -> f64 {
    let cells = [map.height, map.width];
    // Between which two cells, and how far from the first to the second.
    let between = [0, 1].map(|axis| {
        let place = (at[axis] as f64 + 0.5) * cells[axis] as f64 / size[axis] as f64 - 0.5;
        let place = place.clamp(0.0, (cells[axis] - 1) as f64);
        let first = place.floor();
        (first as usize, (first as usize + 1).min(cells[axis] - 1), place - first)
    });
    let value = |row: usize, column: usize| f64::from(map.values[row * map.width + column]) / 255.0;
    let [(top, bottom, down), (left, right, across)] = between;
    let row = |row: usize| value(row, left) + across * (value(row, right) - value(row, left));
    row(top) + down * (row(bottom) - row(top))
}

#[cfg(test)]
mod tests {
    use backburn_records::ExplanationMethod;

    use super::*;

    fn map(height: usize, width: usize, values: &[u8]) -> Explanation {
        let (method, values) = (ExplanationMethod::LayerCam, values.to_vec());
        Explanation { method, class: 0, height, width, values }
    }

    #[test]
    fn where_nothing_speaks_for_the_class_the_picture_is_grey() {
        // Two red pixels and a blue one.
        let pixels = [200, 200, 0, 0, 0, 0, 0, 0, 100];
        let grey = overlay([3, 1, 3], &pixels, &map(1, 1, &[0]));
        assert_eq!(grey, [60, 60, 11, 60, 60, 11, 60, 60, 11]);
        assert_eq!(overlay([1, 1, 2], &[7, 90], &map(2, 2, &[0; 4])), [7, 90, 7, 90, 7, 90]);
    }

    #[test]
    fn the_greatest_value_is_yellow_and_stands_where_it_is_in_the_map() {
        // Lower left of 2 × 3 cells, over a black picture of 4 × 6.
        let drawn = overlay([1, 4, 6], &[0; 24], &map(2, 3, &[0, 0, 0, 255, 0, 0]));
        let red = &drawn[..24];
        let brightest = red.iter().enumerate().max_by_key(|(_, value)| **value).unwrap();
        assert_eq!((brightest.0, *brightest.1), (18, 192));
        assert_eq!((drawn[24 + 18], drawn[48 + 18]), (182, 53));
        // Neither the upper right half nor what is two cells away has any of it.
        assert!(red[..6].iter().chain(&red[22..]).all(|value| *value == 0), "{red:?}");
    }

    #[test]
    fn interpolation_is_even_between_cells_and_flat_beyond_the_outer_ones() {
        let two = map(1, 2, &[0, 255]);
        let found: Vec<f64> = (0..8).map(|x| interpolated(&two, [0, x], [1, 8])).collect();
        assert_eq!(found, [0.0, 0.0, 0.125, 0.375, 0.625, 0.875, 1.0, 1.0]);
        let same = map(2, 2, &[51, 102, 153, 204]);
        assert!((interpolated(&same, [1, 0], [2, 2]) - 0.6).abs() < 1e-12);
    }

    #[test]
    fn the_scale_goes_from_grey_to_yellow() {
        let scale = scale(2, 11);
        assert_eq!(scale.len(), 3 * 2 * 11);
        let at = |step: usize| [0, 1, 2].map(|channel| scale[channel * 22 + 11 + step]);
        assert_eq!(at(0), [128; 3]);
        assert_eq!(at(10), coloured(128.0, 1.0));
        assert!(at(10)[0] > 210 && at(10)[2] < 90);
    }
}
