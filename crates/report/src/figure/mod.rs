//! Figures, drawn without a plotting library: a few kinds, all alike, readable at half their width.
//!
//! A figure becomes a [`Drawing`], and that becomes SVG in one of two [`Theme`]s, or PNG. All text
//! is at least 13 px in a figure 640 px wide, series differ in colour (Okabe and Ito's, safe for
//! colour-blind readers), marker and dashes, and legends lie beside the data, never on them.

pub mod axis;
pub mod canvas;
pub mod contact_sheet;
pub mod contour_chart;
pub mod dot_plot;
pub mod explanation_panel;
pub mod forest_plot;
pub mod heat_map;
pub mod histogram_grid;
pub mod image_grid;
pub mod interval_plot;
mod legend;
pub mod line_chart;
pub mod overlay;
pub mod paired_seeds;
pub mod parallel_coordinates;
pub mod png;
pub mod small_multiples;
pub mod svg;
pub mod text;
pub mod value_map;

pub use axis::Axis;
pub use canvas::{Rect, WIDTH};
pub use contact_sheet::{ContactRow, ContactSheet};
pub use contour_chart::{ContourChart, ContourPanel, Surface};
pub use dot_plot::{DotPlot, Dots, Panel};
pub use explanation_panel::ExplanationPanel;
pub use forest_plot::{ForestPlot, ForestRow};
pub use heat_map::HeatMap;
pub use histogram_grid::{Histogram, HistogramGrid, HistogramRow};
pub use image_grid::{GridImage, ImageGrid};
pub use interval_plot::{Estimate, IntervalPanel, IntervalPlot};
pub use line_chart::{LineChart, Mark, Series};
pub use overlay::overlay;
pub use paired_seeds::{PairedPanel, PairedSeeds};
pub use parallel_coordinates::{Emphasis, ParallelAxis, ParallelCoordinates, ParallelLine};
pub use small_multiples::{SmallMultiples, SmallPanel};
pub use svg::{Drawing, Theme};
pub use value_map::ValueMap;
