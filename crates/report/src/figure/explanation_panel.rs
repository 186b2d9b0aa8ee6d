//! A picture beside the map of what in it speaks for a class.

use backburn_records::Explanation;

use super::canvas::{MARGIN, Rect, WIDTH};
use super::overlay::{overlay, scale};
use super::svg::{Anchor, Drawing, Paint, Stroke, Text, add_title};
use super::{png, text};

/// Distance between the two pictures.
const GAP: f64 = 16.0;
/// Where the pictures begin.
const TOP: f64 = 66.0;
/// Height of a line of text.
const LINE: f64 = 20.0;
/// Width and height of the colours' scale.
const SCALE: (f64, f64) = (150.0, 12.0);
/// Rows and steps of the colours' scale: a picture keeps its proportions.
const ROWS: usize = 4;
const STEPS: usize = 50;

/// One picture, and the map over it.
#[derive(Clone, Debug)]
pub struct ExplanationPanel {
    /// What was answered, and how sure.
    pub title: String,
    /// Which picture it is.
    pub note: String,
    /// Channels (1 or 3), height, width.
    pub shape: [usize; 3],
    /// One byte a value, in the order of `shape`, as the network was given them.
    pub pixels: Vec<u8>,
    /// The map.
    pub map: Explanation,
    /// Name of the class that it speaks for.
    pub class: String,
}

impl ExplanationPanel {
    /// Draws the panel.
    ///
    /// # Panics
    ///
    /// If there are no pixels, not as many as the shape says, or the map [is not whole](Explanation::is_whole).
    pub fn draw(&self) -> Drawing {
        let [_, height, width] = self.shape;
        let side = (WIDTH - 2.0 * MARGIN - GAP) / 2.0;
        let scaled = side / height.max(width) as f64;
        let (wide, high) = (scaled * width as f64, scaled * height as f64);
        let below = TOP + high + LINE;
        let mut drawing = Drawing::new(self.title.clone(), below + LINE + MARGIN);
        add_title(&mut drawing, &self.title);
        let note = text::fit(&self.note, text::TINY, WIDTH - 2.0 * MARGIN);
        let note = Text::new(MARGIN, 47.0, text::TINY, Anchor::Start, note);
        drawing.text(note.painted(Paint::Muted));
        let over = overlay(self.shape, &self.pixels, &self.map);
        let pictures = [
            (png::data_uri(self.shape, &self.pixels), "as the network is given it".to_owned()),
            (
                png::data_uri([3, height, width], &over),
                format!("what speaks for {}, {}", self.class, self.map.method.name()),
            ),
        ];
        for (number, (picture, caption)) in pictures.into_iter().enumerate() {
            let left = MARGIN + number as f64 * (side + GAP);
            let area = Rect::new(left + (side - wide) / 2.0, TOP, wide, high);
            drawing.image(area, picture);
            drawing.rect(area, Stroke::new(Paint::Muted, 1.0));
            let caption = text::fit(&caption, text::SMALL, side);
            let middle = left + side / 2.0;
            drawing.text(Text::new(middle, below, text::SMALL, Anchor::Middle, caption));
        }
        draw_scale(&mut drawing, MARGIN + side + GAP + side / 2.0, below + LINE);
        drawing
    }
}

/// The colours from nothing to the most, around `middle`.
fn draw_scale(drawing: &mut Drawing, middle: f64, bottom: f64) {
    let (width, height) = SCALE;
    let area = Rect::new(middle - width / 2.0, bottom - height + 1.0, width, height);
    drawing.image(area, png::data_uri([3, ROWS, STEPS], &scale(ROWS, STEPS)));
    for (x, anchor, label) in
        [(area.x - 6.0, Anchor::End, "nothing"), (area.right() + 6.0, Anchor::Start, "most")]
    {
        drawing.text(Text::new(x, bottom, text::TINY, anchor, label).painted(Paint::Muted));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::png::{assert_text_is_clear, from_svg};
    use crate::figure::svg::Theme;
    use backburn_records::ExplanationMethod;

    fn panel(shape: [usize; 3], class: &str) -> ExplanationPanel {
        let pixels = (0..shape.iter().product()).map(|at: usize| (at * 7 % 256) as u8).collect();
        let values: Vec<f32> = (0..12).map(|at| at as f32).collect();
        let map = Explanation::scaled(ExplanationMethod::LayerCam, 1, [3, 4], &values);
        ExplanationPanel {
            title: format!("{class}, 97.10 %"),
            note: format!("{class}/a picture.png"),
            shape,
            pixels,
            map,
            class: class.into(),
        }
    }

    #[test]
    fn text_stays_clear_whatever_the_shape_and_however_long_the_names() {
        let long = "a class with a name that is far too long for half of a figure and then some";
        for shape in [[1, 28, 28], [3, 32, 20], [3, 5, 60], [1, 1, 1]] {
            for class in ["7", "automobile", long] {
                assert_text_is_clear(&panel(shape, class).draw());
            }
        }
    }

    #[test]
    fn another_map_is_another_drawing() {
        let one = panel([1, 8, 8], "cat");
        let mut other = one.clone();
        other.map.values.reverse();
        let png =
            |panel: &ExplanationPanel| from_svg(&panel.draw().to_svg(Theme::Paper), 1.0).unwrap();
        assert_ne!(png(&one), png(&other));
    }
}
