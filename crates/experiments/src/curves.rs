//! Curves over several seeds: mean and band.

use backburn_records::statistics::Spread;
use backburn_report::figure::Series;
use backburn_report::figure::line_chart::kaiser_smoothed;

/// The mean of `rows`, a row a seed, at the places `xs`; of several rows with a band of one standard
/// deviation to either side. Rows may be shorter than `xs`.
pub(crate) fn series(name: impl Into<String>, xs: &[f64], rows: &[Vec<f64>]) -> Series {
    let points = mean(xs, rows);
    let line = Series::line(name, points.clone());
    if rows.len() < 2 { line } else { line.with_band(band(xs, rows, &points)) }
}

/// A [`series`] smoothed as in the sources; a single row is itself shown faintly behind it.
pub(crate) fn smoothed(name: impl Into<String>, xs: &[f64], rows: &[Vec<f64>]) -> Series {
    let raw = mean(xs, rows);
    let points = kaiser_smoothed(&raw);
    let line = Series::line(name, points.clone());
    if rows.len() < 2 { line.with_raw(raw) } else { line.with_band(band(xs, rows, &points)) }
}

fn mean(xs: &[f64], rows: &[Vec<f64>]) -> Vec<(f64, f64)> {
    let at = |place| Spread::of(&column(rows, place)).mean;
    xs.iter().enumerate().map(|(place, &x)| (x, at(place))).collect()
}

fn band(xs: &[f64], rows: &[Vec<f64>], middle: &[(f64, f64)]) -> Vec<(f64, f64, f64)> {
    let edges = |(place, (&x, &(_, y))): (usize, (&f64, &(f64, f64)))| {
        let deviation = Spread::of(&column(rows, place)).standard_deviation;
        (x, y - deviation, y + deviation)
    };
    let all = xs.iter().zip(middle).enumerate().map(edges);
    all.filter(|(_, low, high)| low.is_finite() && high.is_finite()).collect()
}

/// The values of all rows that reach that far.
fn column(rows: &[Vec<f64>], place: usize) -> Vec<f64> {
    rows.iter().filter_map(|row| row.get(place).copied()).collect()
}

/// The mean of `row` over the places `from..=to`.
pub(crate) fn window(row: &[f64], from: usize, to: usize) -> f64 {
    let window = &row[from.min(row.len() - 1)..=to.min(row.len() - 1)];
    window.iter().sum::<f64>() / window.len() as f64
}
