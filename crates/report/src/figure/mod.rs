//! Figures, drawn without a plotting library: a few kinds, all alike, readable at half their width.
//!
//! A figure becomes a [`Drawing`], and that becomes SVG in one of two [`Theme`]s, or PNG. All text
//! is at least 13 px in a figure 640 px wide, series differ in colour (Okabe and Ito's, safe for
//! colour-blind readers), marker and dashes, and legends lie beside the data, never on them.

pub mod axis;
pub mod contact_sheet;
pub mod contour_chart;
pub mod dot_plot;
pub mod heat_map;
pub mod histogram_grid;
pub mod image_grid;
pub mod interval_plot;
mod legend;
pub mod line_chart;
pub mod png;
pub mod small_multiples;
pub mod svg;
pub mod text;
pub mod value_map;

pub use axis::Axis;
pub use contact_sheet::{ContactRow, ContactSheet};
pub use contour_chart::{ContourChart, ContourPanel, Surface};
pub use dot_plot::{DotPlot, Dots, Panel};
pub use heat_map::HeatMap;
pub use histogram_grid::{Histogram, HistogramGrid, HistogramRow};
pub use image_grid::{GridImage, ImageGrid};
pub use interval_plot::{Estimate, IntervalPanel, IntervalPlot};
pub use line_chart::{LineChart, Mark, Series};
pub use small_multiples::{SmallMultiples, SmallPanel};
pub use svg::{Drawing, Theme};
pub use value_map::ValueMap;

/// Width of every figure, in pixels; the height follows from the content.
pub const WIDTH: f64 = 640.0;

/// Distance of text from the edges, in pixels.
const MARGIN: f64 = 12.0;

/// An area of a figure in pixels, y downward.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rect {
    /// Left edge.
    pub x: f64,
    /// Upper edge.
    pub y: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}

impl Rect {
    /// An area by its upper left corner and size.
    pub fn new(x: f64, y: f64, width: f64, height: f64) -> Self {
        Self { x, y, width, height }
    }

    /// Right edge.
    pub fn right(self) -> f64 {
        self.x + self.width
    }

    /// Lower edge.
    pub fn bottom(self) -> f64 {
        self.y + self.height
    }

    /// Whether two areas share more than an edge.
    pub fn overlaps(self, other: Self) -> bool {
        self.x < other.right()
            && other.x < self.right()
            && self.y < other.bottom()
            && other.y < self.bottom()
    }

    /// Whether `other` lies in this area.
    pub fn contains(self, other: Self) -> bool {
        self.x <= other.x
            && self.y <= other.y
            && other.right() <= self.right()
            && other.bottom() <= self.bottom()
    }
}
