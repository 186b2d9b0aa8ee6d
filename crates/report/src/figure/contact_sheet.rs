//! A row of looks for each of a few images.

use super::canvas::{MARGIN, Rect, WIDTH};
use super::image_grid::GridImage;
use super::svg::{Anchor, Drawing, Paint, Stroke, Text, add_title};
use super::{png, text};

/// Distance between pictures.
const GAP: f64 = 6.0;
/// Largest side of a picture.
const SIDE: f64 = 112.0;
/// Height of a line of text.
const LINE: f64 = 18.0;
/// Widest label of a row.
const LABEL: f64 = 84.0;

/// Pictures in a table: a row for each image, a column for each look of it.
#[derive(Clone, Debug)]
pub struct ContactSheet {
    /// Title of the figure.
    pub title: String,
    /// Beneath the title; in lines, broken after commas, where it is long.
    pub note: String,
    /// What each column shows.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<ContactRow>,
}

/// One row of a [`ContactSheet`].
#[derive(Clone, Debug)]
pub struct ContactRow {
    /// What the image is.
    pub label: String,
    /// A picture for each column; their captions are not shown.
    pub images: Vec<GridImage>,
}

impl ContactSheet {
    /// Draws the sheet. Every pixel of a picture covers the same whole number of pixels in a PNG of twice
    /// the drawing's size, so that none looks larger than another.
    ///
    /// # Panics
    ///
    /// If a picture's pixels are not as many as its shape says.
    pub fn draw(&self) -> Drawing {
        let labels = self.rows.iter().map(|row| text::width(&row.label, text::SMALL));
        let label = labels.fold(0.0, f64::max).min(LABEL).ceil();
        let left = MARGIN + label + GAP;
        let columns = self.columns.len().max(1) as f64;
        let cell = ((WIDTH - MARGIN - left + GAP) / columns - GAP).min(SIDE);
        let sides = || self.rows.iter().flat_map(|row| &row.images).map(|image| image.shape);
        let height = sides().map(|[_, height, _]| height).max().unwrap_or(1);
        let width = sides().map(|[_, _, width]| width).max().unwrap_or(1);
        let scale = (2.0 * cell / height.max(width) as f64).floor().max(1.0) / 2.0;
        // On whole pixels, for the same reason.
        let cell = cell.floor();

        let notes = text::broken_after_commas(&self.note, text::TINY, WIDTH - 2.0 * MARGIN);
        let heads = 34.0 + LINE * notes.len() as f64 + LINE;
        let top = (heads + GAP).ceil();
        let row_height = (scale * height as f64 + GAP).ceil();
        let mut drawing =
            Drawing::new(self.title.clone(), top + row_height * self.rows.len() as f64 + GAP);
        add_title(&mut drawing, &self.title);
        for (line, note) in notes.iter().enumerate() {
            let note = text::fit(note, text::TINY, WIDTH - 2.0 * MARGIN);
            let y = 29.0 + LINE * (line as f64 + 1.0);
            let note = Text::new(MARGIN, y, text::TINY, Anchor::Start, note);
            drawing.text(note.painted(Paint::Muted));
        }
        let place = |column: usize| left + column as f64 * (cell + GAP);
        for (column, name) in self.columns.iter().enumerate() {
            let name = text::fit(name, text::TINY, cell + GAP - 2.0);
            let middle = place(column) + scale * width as f64 / 2.0;
            drawing.text(Text::new(middle, heads, text::TINY, Anchor::Middle, name));
        }
        for (number, row) in self.rows.iter().enumerate() {
            let y = top + number as f64 * row_height;
            let name = text::fit(&row.label, text::SMALL, label + 1.0);
            let middle = y + scale * height as f64 / 2.0 + 5.0;
            drawing.text(Text::new(MARGIN, middle, text::SMALL, Anchor::Start, name));
            for (column, image) in row.images.iter().enumerate() {
                let [_, height, width] = image.shape;
                let size = (scale * width as f64, scale * height as f64);
                let area = Rect::new(place(column), y, size.0, size.1);
                drawing.image(area, png::data_uri(image.shape, &image.pixels));
                // Around the picture, not on its outermost pixels.
                let frame = Rect::new(area.x - 0.5, y - 0.5, size.0 + 1.0, size.1 + 1.0);
                drawing.rect(frame, Stroke::new(Paint::Grid, 1.0));
            }
        }
        drawing
    }
}

#[cfg(test)]
mod tests {
    use resvg::tiny_skia::Pixmap;

    use super::*;
    use crate::figure::png::{assert_text_is_clear, from_svg};
    use crate::figure::svg::Theme;

    fn sheet(shape: [usize; 3], rows: usize, columns: usize, label: &str) -> ContactSheet {
        let pixels: Vec<u8> = (0..shape.iter().product()).map(|i| (i * 7 % 200) as u8).collect();
        let image = GridImage { shape, pixels, caption: Vec::new() };
        let row = ContactRow { label: label.into(), images: vec![image; columns] };
        let names = (1..columns).map(|number| format!("epoch {number}"));
        ContactSheet {
            title: "Looks".into(),
            note: "rotate=15:reflect,".repeat(9),
            columns: ["original".into()].into_iter().chain(names).collect(),
            rows: vec![row; rows],
        }
    }

    #[test]
    fn text_is_clear_of_text_whatever_the_size() {
        for (rows, columns) in [(0, 1), (1, 2), (8, 8), (30, 16)] {
            assert_text_is_clear(&sheet([1, 28, 28], rows, columns, "7").draw());
            assert_text_is_clear(&sheet([3, 20, 32], rows, columns, "automobile of old").draw());
        }
    }

    #[test]
    fn every_pixel_of_a_picture_is_a_square_of_one_colour() {
        let sheet = sheet([1, 28, 28], 2, 8, "cat");
        let png = from_svg(&sheet.draw().to_svg(Theme::Paper), 2.0).unwrap();
        let png = Pixmap::decode_png(&png).unwrap();
        let at = |x: usize, y: usize| png.pixel(x as u32, y as u32).unwrap();
        // A frame and its four pixels aside, the last picture's lower right corner is at the lower right.
        let row = sheet.rows[0].images[0].pixels[..28].to_vec();
        let scale = 4;
        let is_start = |x: usize, y: usize| {
            row.iter().enumerate().all(|(column, &value)| {
                (0..scale).all(|step| {
                    let pixel = at(x + column * scale + step, y);
                    pixel.red() == value && pixel.blue() == value
                })
            })
        };
        let (width, height) = (png.width() as usize - 28 * scale, png.height() as usize);
        let starts = (0..height)
            .flat_map(|y| (0..width).map(move |x| (x, y)))
            .filter(|&(x, y)| is_start(x, y))
            .count();
        // 16 pictures, whose first row of pixels is `scale` rows high.
        assert_eq!(starts, 16 * scale);
    }
}
