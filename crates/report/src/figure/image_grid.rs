//! Pictures in rows, each with a caption.

use super::canvas::{MARGIN, Rect, WIDTH};
use super::svg::{Anchor, Drawing, Paint, Stroke, Text, add_title};
use super::{png, text};

/// Largest side of a picture.
const SIDE: f64 = 112.0;
/// Distance between cells.
const GAP: f64 = 14.0;
/// Distance between a picture and the one beside it.
const INNER_GAP: f64 = 4.0;
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
        self.draw_beside(&[])
    }

    /// Draws the grid with another picture beside each, such as the same one seen in another way: the colours of each,
    /// `[3, height, width]`, in the order of the pictures, where there is one.
    ///
    /// # Panics
    ///
    /// If a picture's pixels are not as many as its shape says, or those of the one beside it three times its height
    /// and width.
    pub fn draw_beside(&self, others: &[Option<Vec<u8>>]) -> Drawing {
        let pictures = if others.iter().any(Option::is_some) { 2.0 } else { 1.0 };
        let captions = self.images.iter().flat_map(|image| &image.caption);
        let widest = captions.map(|line| text::width(line, text::SMALL)).fold(0.0, f64::max);
        let room = WIDTH - 2.0 * MARGIN;
        let gaps = INNER_GAP * (pictures - 1.0);
        let cell = widest.clamp(88.0 * pictures + gaps, room);
        let columns = (((room + GAP) / (cell + GAP)) as usize).max(1);
        // What is left over goes into the cells, so that the grid fills its width.
        let cell = (room + GAP) / columns as f64 - GAP;
        let side = ((cell - gaps) / pictures).min(SIDE);
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
            let cell = Rect::new(x, y, cell, side);
            draw_caption(&mut drawing, &image.caption, cell);
            let other = others.get(index).and_then(Option::as_ref);
            let pair = 2.0 * side + INNER_GAP;
            let start = x + (cell.width - if other.is_some() { pair } else { side }) / 2.0;
            let area = Rect::new(start, y, side, side);
            draw_image(&mut drawing, image.shape, &image.pixels, area);
            if let Some(colours) = other {
                let [_, height, width] = image.shape;
                let area = Rect { x: start + side + INNER_GAP, ..area };
                draw_image(&mut drawing, [3, height, width], colours, area);
            }
        }
        drawing
    }
}

/// Draws a picture as large as it fits into a square, at its lower edge.
fn draw_image(drawing: &mut Drawing, shape: [usize; 3], pixels: &[u8], square: Rect) {
    let [_, height, width] = shape;
    let scale = square.height / height.max(width) as f64;
    let (width, height) = (width as f64 * scale, height as f64 * scale);
    let x = square.x + (square.width - width) / 2.0;
    let area = Rect::new(x, square.bottom() - height, width, height);
    drawing.image(area, png::data_uri(shape, pixels));
    drawing.rect(area, Stroke::new(Paint::Muted, 1.0));
}

fn draw_caption(drawing: &mut Drawing, lines: &[String], cell: Rect) {
    for (line, caption) in lines.iter().enumerate() {
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
    fn a_picture_beside_another_stands_clear_of_it_and_of_its_neighbours() {
        for shape in [[1, 28, 28], [3, 32, 20], [3, 4, 9]] {
            let grid = grid(7, shape, &["4 → 9, 98 %"]);
            let [_, height, width] = shape;
            let other = Some(vec![200; 3 * height * width]);
            let drawing = grid.draw_beside(&[other.clone(), None, other.clone(), other]);
            assert_text_is_clear(&drawing);
            let svg = drawing.to_svg(Theme::Paper);
            let areas: Vec<Rect> =
                svg.lines().filter(|line| line.starts_with("<image")).map(area).collect();
            assert_eq!(areas.len(), 7 + 3);
            for (place, area) in areas.iter().enumerate() {
                assert!(area.x >= MARGIN && area.right() <= WIDTH - MARGIN + 0.1, "{area:?}");
                assert!(areas[..place].iter().all(|other| !other.overlaps(*area)), "{areas:?}");
            }
        }
    }

    /// Where an `<image>` stands.
    fn area(line: &str) -> Rect {
        let value = |name: &str| -> f64 {
            let rest = line.split_once(&format!(" {name}=\"")).unwrap().1;
            rest.split_once('"').unwrap().0.parse().unwrap()
        };
        Rect::new(value("x"), value("y"), value("width"), value("height"))
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
