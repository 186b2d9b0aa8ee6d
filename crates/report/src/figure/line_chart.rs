//! Lines over a common axis: learning curves and what is like them.

use super::axis::{Axis, FittedAxis};
use super::canvas::{MARGIN, Rect, WIDTH};
use super::legend::{self, Entry, Look};
use super::svg::{Anchor, Drawing, Paint, Stroke, Text, add_title};
use super::text;

/// Least height of a chart; a long legend makes it higher.
const HEIGHT: f64 = 400.0;
/// Least height of the area with the data.
const PLOT_HEIGHT: f64 = 250.0;
const MARKERS: Markers = Markers { each_up_to: 30, else_about: 12 };
/// What a chart shows that has no point to show.
const EMPTY: &str = "no finite values";

/// A chart with one horizontal and one vertical axis.
#[derive(Clone, Debug)]
pub struct LineChart {
    title: String,
    x: Axis,
    y: Axis,
    series: Vec<Series>,
    marks: Vec<Mark>,
}

/// Points that belong together. Those that are not finite leave a gap in the line.
#[derive(Clone, Debug)]
pub struct Series {
    name: String,
    points: Vec<(f64, f64)>,
    raw: Vec<(f64, f64)>,
    band: Vec<(f64, f64, f64)>,
    whiskers: Vec<(f64, f64, f64)>,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Line,
    Points,
    Reference,
}

/// A place on the horizontal axis that is pointed out, such as the selected epoch.
#[derive(Clone, Debug)]
pub struct Mark {
    /// Place on the horizontal axis.
    pub x: f64,
    /// The point of a series to draw a ring around, if there is one.
    pub y: Option<f64>,
    /// What the legend says.
    pub name: String,
}

impl Series {
    /// Points joined by a line, with markers where there is room for them.
    pub fn line(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        let (raw, band, whiskers) = (Vec::new(), Vec::new(), Vec::new());
        Self { name: name.into(), points, raw, band, whiskers, kind: Kind::Line }
    }

    /// Points that are not joined.
    pub fn points(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self { kind: Kind::Points, ..Self::line(name, points) }
    }

    /// A thin grey line that others are compared with.
    pub fn reference(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self { kind: Kind::Reference, ..Self::line(name, points) }
    }

    /// Replaces the line by the mean of `window` neighbouring points, and shows the points
    /// themselves faintly behind it.
    pub fn smoothed(mut self, window: usize) -> Self {
        self.raw = std::mem::take(&mut self.points);
        self.points = running_mean(&self.raw, window);
        self
    }

    /// Shows `points`, such as those that the line is a mean of, faintly behind the line.
    pub fn with_raw(mut self, points: Vec<(f64, f64)>) -> Self {
        self.raw = points;
        self
    }

    /// Adds a shaded band; each item is a place with the band's lower and upper edge.
    pub fn with_band(mut self, band: Vec<(f64, f64, f64)>) -> Self {
        self.band = band;
        self
    }

    /// Adds vertical bars, such as intervals of confidence; each item is a place with both ends.
    pub fn with_whiskers(mut self, whiskers: Vec<(f64, f64, f64)>) -> Self {
        self.whiskers = whiskers;
        self
    }

    /// The value of the line at `x`, if it has a finite one there.
    pub fn at(&self, x: f64) -> Option<f64> {
        self.points.iter().find(|p| p.0 == x).map(|p| p.1).filter(|y| y.is_finite())
    }

    /// How it looks at this place among its like.
    pub(super) fn look(&self, index: usize) -> Look {
        match self.kind {
            Kind::Line => Look::Marked(index),
            Kind::Points => Look::Points(index),
            Kind::Reference => Look::Reference,
        }
    }

    /// Name in the legend.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn all_points(&self) -> impl Iterator<Item = (f64, f64)> {
        let ranges = self.band.iter().chain(&self.whiskers);
        let edges = ranges.flat_map(|(x, low, high)| [(*x, *low), (*x, *high)]);
        self.points.iter().chain(&self.raw).copied().chain(edges)
    }
}

/// Mean of the `window` points around each point. Near the ends and beside gaps, where there are fewer, the mean is
/// over those there are, alike to both sides.
pub fn running_mean(points: &[(f64, f64)], window: usize) -> Vec<(f64, f64)> {
    let half = window / 2;
    let mean = |(index, (x, y)): (usize, &(f64, f64))| {
        let reach = half.min(index).min(points.len() - 1 - index);
        let near = points[index - reach..=index + reach].iter().map(|p| p.1);
        let finite: Vec<f64> = near.filter(|value| value.is_finite()).collect();
        let mean = finite.iter().sum::<f64>() / finite.len() as f64;
        (*x, if y.is_finite() { mean } else { *y })
    };
    points.iter().enumerate().map(mean).collect()
}

/// Points smoothed as in Saito, "Deep Learning from Scratch", 2016, `common/util.py`: each is the mean of
/// the 11 around it with the weights of a Kaiser window of β = 2, and the row is reflected at both ends.
pub fn kaiser_smoothed(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    const LENGTH: usize = 11;
    let half = LENGTH / 2;
    if points.len() <= half {
        return points.to_vec();
    }
    let place = |i: usize| 2.0 * i as f64 / (LENGTH - 1) as f64 - 1.0;
    let weights: Vec<f64> =
        (0..LENGTH).map(|i| bessel_i0(2.0 * (1.0 - place(i).powi(2)).sqrt())).collect();
    let total: f64 = weights.iter().sum();
    let last = points.len() - 1;
    // Index `n − half` of the row with its mirror images before and behind it.
    let reflected = |n: usize| match n.checked_sub(half) {
        None => points[half - n].1,
        Some(n) if n > last => points[2 * last - n].1,
        Some(n) => points[n].1,
    };
    let smooth = |(index, point): (usize, &(f64, f64))| {
        let around = (0..LENGTH).map(|i| weights[i] * reflected(index + i));
        (point.0, around.sum::<f64>() / total)
    };
    points.iter().enumerate().map(smooth).collect()
}

/// The modified Bessel function of the first kind and order 0, by its series.
fn bessel_i0(x: f64) -> f64 {
    let mut term = 1.0;
    let mut sum = 1.0;
    for k in 1..40 {
        term *= (x / 2.0 / f64::from(k)).powi(2);
        sum += term;
    }
    sum
}

/// Where the parts of a chart lie.
#[derive(Clone, Debug)]
struct Layout {
    legend: Vec<Rect>,
    plot: Rect,
    height: f64,
}

impl LineChart {
    /// An empty chart.
    pub fn new(title: impl Into<String>, x: Axis, y: Axis) -> Self {
        Self { title: title.into(), x, y, series: Vec::new(), marks: Vec::new() }
    }

    /// Adds a series. Its colour, marker and dashes follow from its place in the order.
    pub fn with(mut self, series: Series) -> Self {
        self.series.push(series);
        self
    }

    /// Points out a place on the horizontal axis.
    pub fn mark(mut self, mark: Mark) -> Self {
        self.marks.push(mark);
        self
    }

    /// Draws the chart.
    pub fn draw(&self) -> Drawing {
        let axes = self.fit();
        let entries = self.entries();
        let layout = self.layout(&entries, axes.as_ref());
        let mut drawing = Drawing::new(self.title.clone(), layout.height);
        add_title(&mut drawing, &self.title);
        for (entry, area) in entries.iter().zip(&layout.legend) {
            legend::draw(&mut drawing, entry, *area);
        }
        self.draw_axis_labels(&mut drawing, &layout);
        let Some((x, y)) = axes else {
            draw_empty(&mut drawing, layout.plot);
            return drawing;
        };
        let plane = Plane { plot: layout.plot, x, y };
        plane.draw_grid(&mut drawing);
        self.draw_marks(&mut drawing, &plane);
        for (look, series) in self.looks().zip(&self.series) {
            draw_series(&mut drawing, &plane, series, look, MARKERS);
        }
        for mark in &self.marks {
            if let Some(centre) = mark.y.and_then(|y| plane.place((mark.x, y))) {
                legend::ring(&mut drawing, centre);
            }
        }
        drawing
    }

    /// Both axes, or `None` if no point can be shown.
    fn fit(&self) -> Option<(FittedAxis, FittedAxis)> {
        let all = self.series.iter().flat_map(Series::all_points);
        let shown: Vec<(f64, f64)> =
            all.filter(|(x, y)| self.x.shows(*x) && self.y.shows(*y)).collect();
        let y = self.y.fit(shown.iter().map(|p| p.1), 6)?;
        let room = WIDTH - 120.0;
        // Fewer ticks until their labels stand clear of each other.
        for ticks in (2..=9).rev() {
            let x = self.x.fit(shown.iter().map(|p| p.0), ticks)?;
            let widest = x.ticks().iter().map(|tick| text::width(&tick.label, text::SMALL));
            let widest = widest.fold(0.0, f64::max);
            if ticks == 2 || (widest + 14.0) * x.ticks().len() as f64 <= room {
                return Some((x, y));
            }
        }
        None
    }

    fn looks(&self) -> impl Iterator<Item = Look> {
        self.series.iter().enumerate().map(|(index, series)| series.look(index))
    }

    fn entries(&self) -> Vec<Entry> {
        let series = self.looks().zip(&self.series);
        let series = series.map(|(look, series)| Entry { look, name: series.name.clone() });
        let marks = self.marks.iter().map(|m| Entry { look: Look::Ring, name: m.name.clone() });
        series.chain(marks).collect()
    }

    fn layout(&self, entries: &[Entry], axes: Option<&(FittedAxis, FittedAxis)>) -> Layout {
        let width = |axis: &FittedAxis| {
            axis.ticks().iter().map(|t| text::width(&t.label, text::SMALL)).fold(0.0, f64::max)
        };
        let left = MARGIN + text::LABEL + 10.0 + axes.map_or(0.0, |(_, y)| width(y)) + 8.0;
        let right = MARGIN.max(axes.map_or(0.0, |(x, _)| width(x) / 2.0) + 2.0) + 4.0;
        let legend = legend::place(entries, MARGIN, 36.0, WIDTH - 2.0 * MARGIN);
        let top = legend.last().map_or(36.0, |area| area.bottom()) + 12.0;
        let below = 22.0 + text::SMALL + text::LABEL;
        let height = HEIGHT.max(top + PLOT_HEIGHT + below);
        let plot = Rect::new(left, top, WIDTH - left - right, height - top - below);
        Layout { legend, plot, height }
    }

    fn draw_axis_labels(&self, drawing: &mut Drawing, layout: &Layout) {
        let plot = layout.plot;
        let x = plot.x + plot.width / 2.0;
        let label = text::fit(self.x.label(), text::LABEL, plot.width);
        let below = layout.height - 9.0;
        drawing.text(Text::new(x, below, text::LABEL, Anchor::Middle, label));
        let y = plot.y + plot.height / 2.0;
        let label = text::fit(self.y.label(), text::LABEL, plot.height);
        let beside = MARGIN + text::LABEL * 0.8;
        let label = Text::new(beside, y, text::LABEL, Anchor::Middle, label);
        drawing.text(label.turned(-90.0));
    }

    fn draw_marks(&self, drawing: &mut Drawing, plane: &Plane) {
        for mark in &self.marks {
            if let Some(x) = plane.x.place(mark.x) {
                let x = plane.plot.x + x * plane.plot.width;
                let (top, foot) = ((x, plane.plot.y), (x, plane.plot.bottom()));
                drawing.line(top, foot, Stroke::new(Paint::Muted, 1.3).dashed("3 4"));
            }
        }
    }
}

/// The area with the data, and what turns values into places in it.
pub(super) struct Plane {
    pub(super) plot: Rect,
    pub(super) x: FittedAxis,
    pub(super) y: FittedAxis,
}

/// How many points of a series have markers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Markers {
    /// Number of points up to which each has a marker of its own.
    pub(super) each_up_to: usize,
    /// Rough number of markers where there are more points.
    pub(super) else_about: usize,
}

impl Plane {
    fn place(&self, (x, y): (f64, f64)) -> Option<(f64, f64)> {
        let (across, up) = (self.x.place(x)?, self.y.place(y)?);
        Some((self.plot.x + across * self.plot.width, self.plot.bottom() - up * self.plot.height))
    }

    fn draw_grid(&self, drawing: &mut Drawing) {
        let plot = self.plot;
        for tick in self.y.ticks() {
            let Some(up) = self.y.place(tick.value) else { continue };
            let y = plot.bottom() - up * plot.height;
            drawing.line((plot.x, y), (plot.right(), y), Stroke::new(Paint::Grid, 1.0));
            let label = Text::new(plot.x - 8.0, y + 5.0, text::SMALL, Anchor::End, &tick.label);
            drawing.text(label);
        }
        for tick in self.x.ticks() {
            let Some(across) = self.x.place(tick.value) else { continue };
            let x = plot.x + across * plot.width;
            let foot = plot.bottom();
            drawing.line((x, foot), (x, foot + 5.0), Stroke::new(Paint::Ink, 1.2));
            let y = foot + 8.0 + text::SMALL * 0.8;
            drawing.text(Text::new(x, y, text::SMALL, Anchor::Middle, &tick.label));
        }
        draw_frame(drawing, plot);
    }

    /// The places of `points`, in runs without a gap. A line that leaves the given range of an axis is cut
    /// off at the edge rather than drawn along it.
    fn runs(&self, points: &[(f64, f64)]) -> Vec<Vec<(f64, f64)>> {
        let holds = |&(x, y): &(f64, f64)| self.x.holds(x) && self.y.holds(y);
        let mut runs = vec![Vec::new()];
        for (index, point) in points.iter().enumerate() {
            let near = &points[index.saturating_sub(1)..(index + 2).min(points.len())];
            match self.place(*point).filter(|_| near.iter().any(holds)) {
                Some(place) => runs.last_mut().expect("never empty").push(place),
                None => runs.push(Vec::new()),
            }
        }
        runs.retain(|run| !run.is_empty());
        runs
    }
}

/// A line through many more points than there are pixels across, drawn with the least and the greatest
/// of each pixel: it looks the same in a file a fraction as large.
fn thinned(run: &[(f64, f64)]) -> Vec<(f64, f64)> {
    const PER_PIXEL: usize = 2;
    let across = run.last().map_or(0.0, |last| (last.0 - run[0].0).abs());
    if run.len() as f64 <= PER_PIXEL as f64 * across {
        return run.to_vec();
    }
    let mut thin = Vec::new();
    for pixel in run.chunk_by(|a, b| a.0.floor() == b.0.floor()) {
        let by_height = |a: &&(f64, f64), b: &&(f64, f64)| a.1.total_cmp(&b.1);
        let least = *pixel.iter().min_by(by_height).expect("a chunk is never empty");
        let greatest = *pixel.iter().max_by(by_height).expect("a chunk is never empty");
        let (first, second) =
            if least.0 <= greatest.0 { (least, greatest) } else { (greatest, least) };
        thin.push(first);
        if second != first {
            thin.push(second);
        }
    }
    thin
}

pub(super) fn draw_frame(drawing: &mut Drawing, plot: Rect) {
    let corner = (plot.x, plot.bottom());
    let points = [(plot.x, plot.y), corner, (plot.right(), plot.bottom())];
    drawing.path(&points, Stroke::new(Paint::Ink, 1.2));
}

pub(super) fn draw_empty(drawing: &mut Drawing, plot: Rect) {
    draw_frame(drawing, plot);
    let (x, y) = (plot.x + plot.width / 2.0, plot.y + plot.height / 2.0);
    let note = Text::new(x, y, text::LABEL, Anchor::Middle, EMPTY);
    drawing.text(note.painted(Paint::Muted));
}

pub(super) fn draw_series(
    drawing: &mut Drawing,
    plane: &Plane,
    series: &Series,
    look: Look,
    markers: Markers,
) {
    let (Look::Marked(index) | Look::Points(index)) = look else {
        for run in plane.runs(&series.points) {
            drawing.path(&run, legend::reference());
        }
        return;
    };
    let edge = |pick: fn(&(f64, f64, f64)) -> (f64, f64)| {
        series.band.iter().filter_map(|item| plane.place(pick(item))).collect::<Vec<_>>()
    };
    let mut outline = edge(|(x, low, _)| (*x, *low));
    outline.extend(edge(|(x, _, high)| (*x, *high)).into_iter().rev());
    if !outline.is_empty() {
        drawing.polygon(&outline, Stroke::fill(Paint::Series(index)).faint(0.18));
    }
    for run in plane.runs(&series.raw) {
        drawing.path(&thinned(&run), Stroke::new(Paint::Series(index), 1.2).faint(0.4));
    }
    for (x, low, high) in &series.whiskers {
        if let (Some(from), Some(to)) = (plane.place((*x, *low)), plane.place((*x, *high))) {
            drawing.line(from, to, Stroke::new(Paint::Series(index), 1.8));
        }
    }
    let runs = plane.runs(&series.points);
    let count: usize = runs.iter().map(Vec::len).sum();
    // Points that no line joins are seen by their markers alone.
    let is_each = count <= markers.each_up_to || look == Look::Points(index);
    let every = if is_each { 1 } else { count.div_ceil(markers.else_about) };
    // Series start at different points, so that their markers do not fall on each other.
    let mut place = (index % 3) * every / 3;
    for run in &runs {
        if look == Look::Marked(index) && run.len() > 1 {
            drawing.path(&thinned(run), legend::line(index));
        }
        for point in run {
            place += 1;
            // A point without neighbours has no line; it needs its marker.
            if place % every == 0 || run.len() == 1 {
                legend::marker(drawing, *point, index);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_off_where_the_axis_ends() {
        let chart = |points: Vec<(f64, f64)>| {
            let y = Axis::linear("loss (nats)").within(0.0, 1.0);
            LineChart::new("Loss", Axis::counts("step"), y)
                .with(Series::line("ours", points))
                .draw()
        };
        let svg = |points| chart(points).to_svg(crate::figure::Theme::Paper);
        // Three points far above: only the last, next to one inside, is on the edge.
        let cut = svg(vec![(0.0, 9.0), (1.0, 9.0), (2.0, 9.0), (3.0, 0.5), (4.0, 0.2)]);
        let kept = svg(vec![(0.0, 0.9), (1.0, 0.8), (2.0, 0.9), (3.0, 0.5), (4.0, 0.2)]);
        // A circle is two arcs.
        let markers = |svg: &str| svg.matches("a4.4 4.4").count() / 2;
        assert_eq!(markers(&kept) - markers(&cut), 2);
    }

    #[test]
    fn a_dense_line_keeps_the_extremes_of_every_pixel() {
        let run: Vec<(f64, f64)> =
            (0..10_000).map(|i| (f64::from(i) / 20.0, f64::from(i * 7919 % 101))).collect();
        let thin = thinned(&run);
        assert!(thin.len() <= 1000, "{}", thin.len());
        let extremes = |run: &[(f64, f64)], pixel: f64| {
            let ys = run.iter().filter(|p| p.0.floor() == pixel).map(|p| p.1);
            ys.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), y| (a.min(y), b.max(y)))
        };
        assert!((0..500).map(f64::from).all(|x| extremes(&run, x) == extremes(&thin, x)));
        assert!(thin.windows(2).all(|pair| pair[0].0 <= pair[1].0));
        let few: Vec<(f64, f64)> = run.iter().map(|(x, y)| (20.0 * x, *y)).take(30).collect();
        assert_eq!(thinned(&few), few, "points far apart stay as they are");
    }

    /// `numpy.kaiser(11, 2)`, and the source's `smooth_curve` of 0² … 15².
    #[test]
    fn smoothing_is_the_sources() {
        assert!((bessel_i0(2.0) - 2.279_585_302_336_067).abs() < 1e-12);
        let squares: Vec<(f64, f64)> = (0..16).map(f64::from).map(|x| (x, x * x)).collect();
        let smoothed = kaiser_smoothed(&squares);
        assert_eq!(smoothed.len(), 16);
        // Far from the ends, a symmetric window adds its own variance to a parabola.
        let shift = smoothed[7].1 - 49.0;
        assert!((smoothed[8].1 - 64.0 - shift).abs() < 1e-9);
        assert!(shift > 6.0 && shift < 10.0, "less than the 10 of even weights: {shift}");
        let flat = kaiser_smoothed(&[(0.0, 3.0); 20]);
        assert!(flat.iter().all(|(_, y)| (y - 3.0).abs() < 1e-12));
    }
    use crate::figure::png::assert_text_is_clear;
    use crate::figure::svg::Theme;

    fn chart(series: usize, points: usize) -> LineChart {
        let mut chart =
            LineChart::new("A title", Axis::counts("epoch"), Axis::linear("loss (nats)"));
        for index in 0..series {
            let points = (1..=points).map(|x| (x as f64, 1e-3 + index as f64 / x as f64)).collect();
            chart = chart.with(Series::line(format!("series number {index}"), points));
        }
        chart.mark(Mark { x: 2.0, y: Some(0.5), name: "best epoch 2".into() })
    }

    #[test]
    fn legend_title_and_data_have_areas_of_their_own() {
        for series in [1, 2, 5, 24] {
            let chart = chart(series, 40);
            let axes = chart.fit();
            let layout = chart.layout(&chart.entries(), axes.as_ref());
            let canvas = Rect::new(0.0, 0.0, WIDTH, layout.height);
            let title = Rect::new(MARGIN, 8.0, WIDTH - 2.0 * MARGIN, 24.0);
            let mut areas = layout.legend.clone();
            areas.extend([layout.plot, title]);
            for (index, area) in areas.iter().enumerate() {
                assert!(canvas.contains(*area), "{area:?} leaves the figure");
                for other in &areas[..index] {
                    assert!(!area.overlaps(*other), "{series} series: {area:?} and {other:?}");
                }
            }
            assert!(layout.plot.height >= PLOT_HEIGHT);
            assert_text_is_clear(&chart.draw());
        }
    }

    #[test]
    fn long_names_and_wide_numbers_are_neither_cut_nor_laid_over_each_other() {
        let long =
            "a name that is much longer than the figure is wide, as people's run names are, and on";
        let axes = (Axis::linear(long), Axis::log(long));
        let points = (0..9).map(|x| (f64::from(x) * 1e6, 10_f64.powi(-x))).collect();
        let chart = LineChart::new(long, axes.0, axes.1).with(Series::line(long, points));
        assert_text_is_clear(&chart.draw());
    }

    #[test]
    fn without_finite_values_the_chart_says_so() {
        let cases = [
            chart(0, 0),
            chart(1, 0),
            chart(0, 0).with(Series::line("nan", vec![(1.0, f64::NAN), (2.0, f64::INFINITY)])),
        ];
        for chart in cases {
            let svg = chart.draw().to_svg(Theme::Paper);
            assert!(svg.contains(EMPTY) && !svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
        let svg = chart(1, 3).draw().to_svg(Theme::Paper);
        assert!(!svg.contains(EMPTY));
    }

    #[test]
    fn a_single_epoch_and_a_lone_point_between_gaps_get_markers() {
        let circles = |chart: LineChart| chart.draw().to_svg(Theme::Paper).matches("a4.4").count();
        let series = |points| {
            LineChart::new("t", Axis::counts("epoch"), Axis::linear("y"))
                .with(Series::line("s", points))
        };
        // Two arcs make a circle, and the legend has one of its own.
        assert_eq!(circles(series(vec![(1.0, 0.5)])), 4);
        let mut points: Vec<(f64, f64)> = (0..90).map(|x| (f64::from(x), 1.0)).collect();
        let full = circles(series(points.clone()));
        (points[10].1, points[12].1) = (f64::NAN, f64::NAN);
        assert!(circles(series(points)) > full);
    }

    #[test]
    fn points_that_are_not_joined_all_have_markers() {
        let points = (0..100).map(|x| (f64::from(x), 1.0)).collect();
        let chart = LineChart::new("t", Axis::counts("x"), Axis::linear("y"));
        let svg = chart.with(Series::points("s", points)).draw().to_svg(Theme::Paper);
        assert_eq!(svg.matches("a4.4").count(), 2 * 101);
    }

    #[test]
    fn a_running_mean_keeps_straight_lines_and_gaps() {
        let line: Vec<(f64, f64)> = (0..20).map(|x| (f64::from(x), 3.0 * f64::from(x))).collect();
        for (mean, point) in running_mean(&line, 5).iter().zip(&line) {
            assert!((mean.1 - point.1).abs() < 1e-9);
        }
        let gap = running_mean(&[(0.0, 1.0), (1.0, f64::NAN), (2.0, 3.0)], 3);
        assert!(gap[1].1.is_nan() && gap[0].1 == 1.0);
        assert!(running_mean(&[], 5).is_empty());
    }

    #[test]
    fn a_smoothed_series_keeps_its_raw_points_faintly() {
        let points: Vec<(f64, f64)> = (0..60).map(|x| (f64::from(x), f64::from(x % 7))).collect();
        let chart = LineChart::new("t", Axis::counts("epoch"), Axis::linear("y"));
        let svg = chart.with(Series::line("s", points).smoothed(7)).draw().to_svg(Theme::Paper);
        assert!(svg.contains("opacity=\"0.4\""));
    }
}
