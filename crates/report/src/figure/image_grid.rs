//! Pictures in rows, each with a caption.

use super::canvas::{MARGIN, Rect, WIDTH};
use super::svg::{Anchor, Drawing, Paint, Stroke, Text, add_title};
use super::{png, text};

/// Largest side of a picture.
const SIDE: f64 = 112.0;
/// Distance between cells.
const GAP: f64 = 14.0;
/// Height of a line of caption.
const LINE: f64 = 18.0;

/// Small pictures with captions.
#[derive(Clone, Debug)]
pub struct ImageGrid {
    /// Title of the figure.
    pub title: String,
    /// What the captions mean.
    pub note: String,
    /// The pictures, row by row.
    pub images: Vec<GridImage>,
}

/// One picture of a grid.
#[derive(Clone, Debug)]
pub struct GridImage {
    /// Channels (1 or 3), height, width.
    pub shape: [usize; 3],
    /// One byte a value, in the order of `shape`.
    pub pixels: Vec<u8>,
    /// The lines beneath it.
    pub caption: Vec<String>,
}

impl ImageGrid {
    /// Draws the grid.
    ///
    /// # Panics
    ///
    /// If a picture's pixels are not as many as its shape says.
    pub fn draw(&self) -> Drawing {
        let captions = self.images.iter().flat_map(|image| &image.caption);
        let widest = captions.map(|line| text::width(line, text::SMALL)).fold(0.0, f64::max);
        let room = WIDTH - 2.0 * MARGIN;
        let cell = widest.clamp(88.0, room);
        let columns = (((room + GAP) / (cell + GAP)) as usize).max(1);
        // What is left over goes into the cells, so that the grid fills its width.
        let cell = (room + GAP) / columns as f64 - GAP;
        let side = cell.min(SIDE);
        let lines = self.images.iter().map(|image| image.caption.len()).max().unwrap_or(0);
        let row_height = side + 6.0 + LINE * lines as f64 + GAP;
        let rows = self.images.len().div_ceil(columns);
        let top = 62.0;
        let mut drawing = Drawing::new(self.title.clone(), top + rows as f64 * row_height);
        add_title(&mut drawing, &self.title);
        let note = text::fit(&self.note, text::TINY, room);
        let note = Text::new(MARGIN, 47.0, text::TINY, Anchor::Start, note);
        drawing.text(note.painted(Paint::Muted));
        for (index, image) in self.images.iter().enumerate() {
            let x = MARGIN + (index % columns) as f64 * (cell + GAP);
            let y = top + (index / columns) as f64 * row_height;
            draw_image(&mut drawing, image, Rect::new(x, y, cell, side));
        }
        drawing
    }
}

fn draw_image(drawing: &mut Drawing, image: &GridImage, cell: Rect) {
    let [_, height, width] = image.shape;
    let scale = cell.height / height.max(width) as f64;
    let (width, height) = (width as f64 * scale, height as f64 * scale);
    let x = cell.x + (cell.width - width) / 2.0;
    let area = Rect::new(x, cell.bottom() - height, width, height);
    drawing.image(area, png::data_uri(image.shape, &image.pixels));
    drawing.rect(area, Stroke::new(Paint::Muted, 1.0));
    for (line, caption) in image.caption.iter().enumerate() {
        let caption = text::fit(caption, text::SMALL, cell.width + 1.0);
        let y = cell.bottom() + 6.0 + LINE * (line as f64 + 0.75);
        let middle = cell.x + cell.width / 2.0;
        drawing.text(Text::new(middle, y, text::SMALL, Anchor::Middle, caption));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::png::{assert_text_is_clear, from_svg};
    use crate::figure::svg::Theme;

    fn grid(count: usize, shape: [usize; 3], caption: &[&str]) -> ImageGrid {
        let pixels = vec![9; shape.iter().product()];
        let caption: Vec<String> = caption.iter().map(|line| line.to_string()).collect();
        let image = GridImage { shape, pixels, caption };
        ImageGrid {
            title: "Pictures".into(),
            note: "what they are".into(),
            images: vec![image; count],
        }
    }

    #[test]
    fn captions_stand_clear_of_each_other() {
        for count in [0, 1, 7, 24] {
            assert_text_is_clear(&grid(count, [1, 28, 28], &["4 → 9, 98 %"]).draw());
            let long = ["automobile → automobile", "99 %"];
            assert_text_is_clear(&grid(count, [3, 32, 20], &long).draw());
            let longer =
                ["a name far too long for one cell, and then for the whole figure too → b"];
            assert_text_is_clear(&grid(count, [3, 4, 9], &longer).draw());
        }
    }

    #[test]
    fn pictures_are_part_of_the_png() {
        let mut black = grid(1, [1, 28, 28], &[]);
        black.images[0].pixels.fill(0);
        let mut white = black.clone();
        white.images[0].pixels.fill(255);
        let png = |grid: &ImageGrid| from_svg(&grid.draw().to_svg(Theme::Paper), 1.0).unwrap();
        assert_ne!(png(&black), png(&white));
    }
}
