//! A drawing: shapes and text with named paints, written as SVG.

use std::fmt::Write;

use backburn_records::origin::Origin;

use super::canvas::{MARGIN, Rect, WIDTH};
use super::text::{self, FONT_FAMILY};

/// Where a drawing is shown, which decides its colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    /// A file of its own: explicit colours on white.
    Paper,
    /// Inside a page: the page's text colour and CSS variables, so that it follows light and dark.
    Page,
}

/// A colour by its part in the figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// Nothing.
    None,
    /// Text, axes.
    Ink,
    /// Text and lines of less weight.
    Muted,
    /// Grid lines.
    Grid,
    /// The background.
    Paper,
    /// A series, counted from 0; colours repeat after [`SERIES_LIGHT`]'s length.
    Series(usize),
}

/// Colours of series on white: Okabe and Ito's, without the yellow that white swallows.
pub const SERIES_LIGHT: [&str; 7] =
    ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#4d4d4d"];
/// Colours of series on a dark page: the same hues, lighter.
pub const SERIES_DARK: [&str; 7] =
    ["#56b4e9", "#f0823c", "#1fc095", "#e09cc4", "#f0b429", "#f0e442", "#c0c0c0"];

impl Paint {
    fn css(self, theme: Theme) -> String {
        let (paper, page) = match self {
            Self::None => return "none".into(),
            Self::Ink => ("#1f2328", "currentColor"),
            Self::Muted => ("#57606a", "var(--muted)"),
            Self::Grid => ("#d8dee4", "var(--grid)"),
            Self::Paper => ("#ffffff", "var(--paper)"),
            Self::Series(index) => {
                let index = index % SERIES_LIGHT.len();
                return match theme {
                    Theme::Paper => SERIES_LIGHT[index].into(),
                    Theme::Page => format!("var(--series-{index})"),
                };
            }
        };
        match theme {
            Theme::Paper => paper.into(),
            Theme::Page => page.into(),
        }
    }
}

/// Which part of a text stands at its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// Start of the text.
    Start,
    /// Middle of the text.
    Middle,
    /// End of the text.
    End,
}

/// One line of text.
#[derive(Clone, Debug)]
pub struct Text {
    /// Horizontal position of the anchor.
    pub x: f64,
    /// Base line.
    pub y: f64,
    /// Font size.
    pub size: f64,
    /// Which part of the text is at (`x`, `y`).
    pub anchor: Anchor,
    /// Colour.
    pub paint: Paint,
    /// Degrees, clockwise, around (`x`, `y`).
    pub angle: f64,
    /// The text, not yet escaped.
    pub content: String,
}

impl Text {
    /// Upright text in ink.
    pub fn new(x: f64, y: f64, size: f64, anchor: Anchor, content: impl Into<String>) -> Self {
        Self { x, y, size, anchor, paint: Paint::Ink, angle: 0.0, content: content.into() }
    }

    /// The same text in another colour.
    pub fn painted(mut self, paint: Paint) -> Self {
        self.paint = paint;
        self
    }

    /// The same text, turned clockwise by `degrees` around its anchor.
    pub fn turned(mut self, degrees: f64) -> Self {
        self.angle = degrees;
        self
    }
}

/// How a path is drawn.
#[derive(Clone, Debug)]
pub struct Stroke {
    /// Colour of the line.
    pub paint: Paint,
    /// Width of the line.
    pub width: f64,
    /// `stroke-dasharray`; empty for a solid line.
    pub dash: &'static str,
    /// Opacity of line and fill, in `[0, 1]`.
    pub opacity: f64,
    /// Colour of the inside.
    pub fill: Paint,
}

impl Stroke {
    /// A solid line without a fill.
    pub fn new(paint: Paint, width: f64) -> Self {
        Self { paint, width, dash: "", opacity: 1.0, fill: Paint::None }
    }

    /// A filled shape without a line.
    pub fn fill(paint: Paint) -> Self {
        Self { fill: paint, ..Self::new(Paint::None, 0.0) }
    }

    /// The same, dashed.
    pub fn dashed(mut self, dash: &'static str) -> Self {
        self.dash = dash;
        self
    }

    /// The same, with some of the background shining through.
    pub fn faint(mut self, opacity: f64) -> Self {
        self.opacity = opacity;
        self
    }

    /// The same, with its inside in a colour.
    pub fn filled(mut self, paint: Paint) -> Self {
        self.fill = paint;
        self
    }
}

#[derive(Clone, Debug)]
enum Element {
    Path { data: String, stroke: Stroke },
    Text(Text),
    Image { area: Rect, href: String },
}

/// A figure, ready to be written. It is [`WIDTH`] wide.
#[derive(Clone, Debug)]
pub struct Drawing {
    title: String,
    height: f64,
    elements: Vec<Element>,
}

impl Drawing {
    /// An empty drawing with a title for readers who cannot see it.
    pub fn new(title: impl Into<String>, height: f64) -> Self {
        Self { title: title.into(), height: height.ceil(), elements: Vec::new() }
    }

    /// What the figure shows, in words.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Height in pixels.
    pub fn height(&self) -> f64 {
        self.height
    }

    /// Adds a line from one point to another.
    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), stroke: Stroke) {
        self.path(&[from, to], stroke);
    }

    /// Adds a line through `points`.
    pub fn path(&mut self, points: &[(f64, f64)], stroke: Stroke) {
        self.add_path(path_data(points), stroke);
    }

    /// Adds the shape that `points` enclose.
    pub fn polygon(&mut self, points: &[(f64, f64)], stroke: Stroke) {
        self.add_path(path_data(points) + "Z", stroke);
    }

    /// Adds a rectangle.
    pub fn rect(&mut self, area: Rect, stroke: Stroke) {
        let (left, top, right, bottom) = (area.x, area.y, area.right(), area.bottom());
        self.polygon(&[(left, top), (right, top), (right, bottom), (left, bottom)], stroke);
    }

    /// Adds a circle.
    pub fn circle(&mut self, (x, y): (f64, f64), radius: f64, stroke: Stroke) {
        let (r, turn) = (number(radius), number(2.0 * radius));
        let start = number(x - radius);
        let data =
            format!("M{start} {}a{r} {r} 0 1 0 {turn} 0a{r} {r} 0 1 0 -{turn} 0Z", number(y));
        self.add_path(data, stroke);
    }

    /// Adds a line of text. Empty text is left out.
    pub fn text(&mut self, text: Text) {
        if !text.content.is_empty() {
            self.elements.push(Element::Text(text));
        }
    }

    /// Adds a picture with hard pixel edges.
    pub fn image(&mut self, area: Rect, href: String) {
        self.elements.push(Element::Image { area, href });
    }

    fn add_path(&mut self, data: String, stroke: Stroke) {
        self.elements.push(Element::Path { data, stroke });
    }

    /// The drawing as an SVG file of its own, its origin inside.
    pub fn to_file(&self, origin: &Origin) -> String {
        let origin = format!("</title>\n<metadata>\n{}</metadata>\n", escape(&origin.to_string()));
        self.to_svg(Theme::Paper).replacen("</title>\n", &origin, 1)
    }

    /// The drawing as SVG.
    pub fn to_svg(&self, theme: Theme) -> String {
        let title = escape(&self.title);
        // Inside HTML the name space is known, and the page sets the size.
        let file = match theme {
            Theme::Paper => format!(
                " xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{}\"",
                self.height
            ),
            Theme::Page => String::new(),
        };
        let mut svg = format!(
            "<svg{file} viewBox=\"0 0 {WIDTH} {}\" role=\"img\" aria-label=\"{title}\" \
             font-family=\"{FONT_FAMILY}\">\n",
            self.height
        );
        if theme == Theme::Paper {
            svg += &format!("<title>{title}</title>\n");
            svg += "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n";
        }
        for element in &self.elements {
            write_element(&mut svg, element, theme);
        }
        svg + "</svg>\n"
    }
}

fn write_element(svg: &mut String, element: &Element, theme: Theme) {
    match element {
        Element::Path { data, stroke } => {
            let fill = stroke.fill.css(theme);
            *svg += &format!("<path d=\"{data}\" fill=\"{fill}\"");
            if stroke.paint != Paint::None {
                let (paint, width) = (stroke.paint.css(theme), number(stroke.width));
                *svg += &format!(" stroke=\"{paint}\" stroke-width=\"{width}\"");
                *svg += " stroke-linejoin=\"round\"";
            }
            if !stroke.dash.is_empty() {
                *svg += &format!(" stroke-dasharray=\"{}\"", stroke.dash);
            }
            if stroke.opacity < 1.0 {
                *svg += &format!(" opacity=\"{}\"", number(stroke.opacity));
            }
            *svg += "/>\n";
        }
        Element::Text(text) => {
            let (x, y) = (number(text.x), number(text.y));
            let anchor = match text.anchor {
                Anchor::Start => "start",
                Anchor::Middle => "middle",
                Anchor::End => "end",
            };
            let (size, fill) = (number(text.size), text.paint.css(theme));
            *svg += &format!(
                "<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\" text-anchor=\"{anchor}\" \
                 fill=\"{fill}\""
            );
            if text.angle != 0.0 {
                *svg += &format!(" transform=\"rotate({} {x} {y})\"", number(text.angle));
            }
            *svg += &format!(">{}</text>\n", escape(&text.content));
        }
        Element::Image { area, href } => {
            let (x, y) = (number(area.x), number(area.y));
            let (width, height) = (number(area.width), number(area.height));
            *svg += &format!(
                "<image x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" \
                 style=\"image-rendering:pixelated\" href=\"{}\"/>\n",
                escape(href)
            );
        }
    }
}

fn path_data(points: &[(f64, f64)]) -> String {
    let mut data = String::new();
    for (index, (x, y)) in points.iter().enumerate() {
        let command = if index == 0 { 'M' } else { 'L' };
        let _ = write!(data, "{command}{} {}", number(*x), number(*y));
    }
    data
}

/// A coordinate with at most two decimals. What is not finite would make the file unreadable, so
/// it becomes 0.
fn number(value: f64) -> String {
    if !value.is_finite() {
        return "0".into();
    }
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".into() } else { text.into() }
}

/// `text` for use between tags and in quoted attributes of HTML and XML. Control characters, which
/// XML cannot hold, become the replacement character.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            '\n' | '\t' => escaped.push(character),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            character if character.is_control() => escaped.push('\u{fffd}'),
            character => escaped.push(character),
        }
    }
    escaped
}

/// Adds the title of a figure at its upper left, shortened to fit.
pub(super) fn add_title(drawing: &mut Drawing, title: &str) {
    let content = text::fit(title, text::TITLE, WIDTH - 2.0 * MARGIN);
    drawing.text(Text::new(MARGIN, 26.0, text::TITLE, Anchor::Start, content));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_text_is_escaped() {
        assert_eq!(escape("<b a=\"1\" c='2'>&"), "&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;");
        assert_eq!(escape("bell \u{7} tab \t"), "bell \u{fffd} tab \t");
        let mut drawing = Drawing::new("</svg><script>", 100.0);
        drawing.text(Text::new(0.0, 0.0, 14.0, Anchor::Start, "<script>alert(1)</script>"));
        for theme in [Theme::Paper, Theme::Page] {
            assert!(!drawing.to_svg(theme).contains("<script>"));
        }
    }

    #[test]
    fn a_file_has_explicit_colours_and_a_page_has_none() {
        let mut drawing = Drawing::new("t", 100.0);
        drawing.rect(Rect::new(1.0, 2.0, 3.0, 4.0), Stroke::fill(Paint::Series(0)));
        drawing.text(Text::new(0.0, 0.0, 14.0, Anchor::Start, "text"));
        let (paper, page) = (drawing.to_svg(Theme::Paper), drawing.to_svg(Theme::Page));
        assert!(paper.contains("#0072b2") && !paper.contains("var(") && !paper.contains("current"));
        assert!(page.contains("var(--series-0)") && page.contains("currentColor"));
        assert!(!page.contains('#'));
    }

    #[test]
    fn a_file_says_where_it_comes_from() {
        let origin = Origin { folder: "runs/<a & b>".into(), seeds: vec![7], ..Origin::default() };
        let svg = Drawing::new("t", 100.0).to_file(&origin);
        let (_, rest) = svg.split_once("<metadata>\n").unwrap();
        assert!(rest.starts_with("folder: runs/&lt;a &amp; b&gt;\nseed: 7\n"), "{svg}");
        assert!(crate::figure::png::from_svg(&svg, 1.0).is_ok(), "{svg}");
    }

    #[test]
    fn coordinates_are_short_and_finite() {
        assert_eq!(number(1.0), "1");
        assert_eq!(number(-0.001), "0");
        assert_eq!(number(1.0 / 3.0), "0.33");
        assert_eq!(number(f64::NAN), "0");
        assert_eq!(number(100.0), "100");
    }
}
