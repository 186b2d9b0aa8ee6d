//! SVG to PNG, alike on every machine: text is drawn in the font that the program brings along.

use std::sync::{Arc, OnceLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use resvg::tiny_skia::{Pixmap, PremultipliedColorU8, Transform};
use resvg::usvg::{Options, Tree, fontdb};

/// DejaVu Sans, cut down to Latin, Greek, Cyrillic and the signs that figures use. Its licence,
/// which allows this, lies beside it.
const FONT: &[u8] = include_bytes!("../../assets/DejaVuSans.ttf");
const FONT_NAME: &str = "DejaVu Sans";

/// Draws an SVG of `width` × `height` as a PNG `scale` times as large.
///
/// # Errors
///
/// If the SVG cannot be parsed, or is too large to be held in memory.
pub fn from_svg(svg: &str, scale: f32) -> Result<Vec<u8>, String> {
    let tree = parse(svg)?;
    let size = tree.size();
    let (width, height) = (size.width() * scale, size.height() * scale);
    let mut pixels = Pixmap::new(width.round() as u32, height.round() as u32)
        .ok_or_else(|| format!("{width} × {height} is no size for a picture"))?;
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixels.as_mut());
    pixels.encode_png().map_err(|error| error.to_string())
}

/// A picture as a `data:` URI that holds a PNG.
///
/// `shape` is channels (1 or 3), height, width; `pixels` has one byte a value, in that order.
///
/// # Panics
///
/// If `pixels` are not as many as `shape` says, or there are none.
pub fn data_uri([channels, height, width]: [usize; 3], pixels: &[u8]) -> String {
    let area = height * width;
    assert!(channels == 1 || channels == 3, "{channels} channels");
    assert_eq!(pixels.len(), channels * area, "values of a picture");
    let mut picture = Pixmap::new(width as u32, height as u32).expect("a picture has pixels");
    for (place, pixel) in picture.pixels_mut().iter_mut().enumerate() {
        let value = |channel: usize| pixels[(channel % channels) * area + place];
        let opaque = PremultipliedColorU8::from_rgba(value(0), value(1), value(2), 255);
        *pixel = opaque.expect("an opaque colour is always premultiplied");
    }
    let png = picture.encode_png().expect("encoding to memory succeeds");
    format!("data:image/png;base64,{}", STANDARD.encode(png))
}

/// The picture with a comment inside: an `iTXt` chunk (PNG specification, section 11.3.3.4) after the
/// header.
///
/// # Panics
///
/// If `png` is no PNG, or the comment has four gigabytes.
pub(crate) fn with_comment(mut png: Vec<u8>, comment: &str) -> Vec<u8> {
    // The signature, and the header with its length, name and checksum.
    const START: usize = 8 + 4 + 4 + 13 + 4;
    assert_eq!(&png[12..16], b"IHDR", "a PNG begins with its header");
    // Keyword, not compressed, no language, no translated keyword.
    let content = [b"Comment\0\0\0\0\0", comment.as_bytes()].concat();
    let length = u32::try_from(content.len()).expect("a comment is short").to_be_bytes();
    let named = [b"iTXt", content.as_slice()].concat();
    let chunk = [length.as_slice(), &named, &crc32(&named).to_be_bytes()].concat();
    png.splice(START..START, chunk);
    png
}

/// The checksum of PNG's chunks (its specification, annex D), bit by bit: comments are short.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum: u32, _| {
            if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 }
        })
    })
}

fn parse(svg: &str) -> Result<Tree, String> {
    static FONTS: OnceLock<Arc<fontdb::Database>> = OnceLock::new();
    let fonts = FONTS.get_or_init(|| {
        let mut fonts = fontdb::Database::new();
        fonts.load_font_data(FONT.to_vec());
        fonts.set_sans_serif_family(FONT_NAME);
        Arc::new(fonts)
    });
    let options =
        Options { fontdb: Arc::clone(fonts), font_family: FONT_NAME.into(), ..Options::default() };
    Tree::from_str(svg, &options).map_err(|error| error.to_string())
}

/// Where text ends up in an SVG, as the renderer lays it out. For tests of layouts.
#[cfg(test)]
pub(crate) fn text_boxes(svg: &str) -> Vec<(String, super::canvas::Rect)> {
    use resvg::usvg::{Group, Node};

    fn walk(group: &Group, found: &mut Vec<(String, super::canvas::Rect)>) {
        for node in group.children() {
            match node {
                Node::Group(group) => walk(group, found),
                Node::Text(text) => {
                    let content = text.chunks().iter().map(|chunk| chunk.text()).collect();
                    // Of the ink, not the line: lines may touch as long as letters do not.
                    let area = text.flattened().abs_bounding_box();
                    let (x, y) = (f64::from(area.x()), f64::from(area.y()));
                    let (width, height) = (f64::from(area.width()), f64::from(area.height()));
                    found.push((content, super::canvas::Rect::new(x, y, width, height)));
                }
                _ => {}
            }
        }
    }

    let tree = parse(svg).unwrap();
    let mut found = Vec::new();
    walk(tree.root(), &mut found);
    found
}

/// Checks that all text of a drawing lies inside it and no two texts touch. For tests.
#[cfg(test)]
pub(crate) fn assert_text_is_clear(drawing: &super::svg::Drawing) {
    let boxes = text_boxes(&drawing.to_svg(super::svg::Theme::Paper));
    let canvas = super::canvas::Rect::new(0.0, 0.0, super::canvas::WIDTH, drawing.height());
    for (index, (text, area)) in boxes.iter().enumerate() {
        assert!(canvas.contains(*area), "{text:?} leaves the figure: {area:?}");
        for (other, other_area) in &boxes[..index] {
            assert!(!area.overlaps(*other_area), "{text:?} {area:?} and {other:?} {other_area:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::svg::{Anchor, Text, Theme};
    use crate::figure::{Drawing, text};

    fn decode(png: &[u8]) -> Pixmap {
        Pixmap::decode_png(png).unwrap()
    }

    fn drawing(label: &str) -> Drawing {
        let mut drawing = Drawing::new("", 100.0);
        drawing.text(Text::new(10.0, 50.0, 20.0, Anchor::Start, label));
        drawing
    }

    #[test]
    fn a_png_has_the_size_asked_for_and_its_text_is_drawn() {
        let empty = from_svg(&drawing("").to_svg(Theme::Paper), 2.0).unwrap();
        let full = from_svg(&drawing("4 → 9, 98 % γ ⁻⁷").to_svg(Theme::Paper), 2.0).unwrap();
        let (empty, full) = (decode(&empty), decode(&full));
        assert_eq!((full.width(), full.height()), (1280, 200));
        let dark = |picture: &Pixmap| picture.pixels().iter().filter(|p| p.red() < 128).count();
        assert_eq!(dark(&empty), 0);
        assert!(dark(&full) > 500, "{}", dark(&full));
    }

    #[test]
    fn reserved_widths_are_those_of_the_embedded_font() {
        for sample in ["training objective", "0.0001", "WAVY", "epoch", "learning rate (per step)"]
        {
            let boxes = text_boxes(&drawing(sample).to_svg(Theme::Paper));
            let difference = text::width(sample, 20.0) - boxes[0].1.width;
            // Ink leaves out the space around the outer letters, and kerning draws some closer.
            assert!((0.0..8.0).contains(&difference), "{sample}: {difference}");
        }
    }

    #[test]
    fn a_picture_keeps_its_colours_and_its_upper_left_corner() {
        let shape = [3, 2, 3];
        let pixels: Vec<u8> = (0..18).map(|value| value * 10).collect();
        let uri = data_uri(shape, &pixels);
        let png = STANDARD.decode(uri.strip_prefix("data:image/png;base64,").unwrap()).unwrap();
        let picture = decode(&png);
        assert_eq!((picture.width(), picture.height()), (3, 2));
        let corner = picture.pixel(2, 0).unwrap();
        assert_eq!((corner.red(), corner.green(), corner.blue()), (20, 80, 140));
    }

    #[test]
    fn a_comment_is_inside_and_the_picture_stays_the_same() {
        // Check value of the CRC-32 of the catalogue of parametrised CRC algorithms.
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        let png = from_svg(&drawing("a").to_svg(Theme::Paper), 1.0).unwrap();
        let commented = with_comment(png.clone(), "seed: 7, commit: ü");
        let text = "iTXtComment\0\0\0\0\0seed: 7, commit: ü".as_bytes();
        assert!(commented.windows(text.len()).any(|part| part == text));
        assert_eq!(decode(&commented).pixels(), decode(&png).pixels());
    }

    #[test]
    fn damaged_svg_is_an_error() {
        assert!(from_svg("<svg", 1.0).is_err());
    }
}
