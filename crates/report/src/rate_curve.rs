//! The figure of a range test: the loss by learning rate.

use crate::figure::{Axis, Drawing, LineChart, Mark, Series};

/// A range test, a step after the other.
#[derive(Clone, Debug)]
pub struct RateCurve<'a> {
    /// Learning rate of each step, rising.
    pub rates: &'a [f64],
    /// What was minimized in each step.
    pub losses: &'a [f64],
    /// The moving average of the losses.
    pub smoothed: &'a [f64],
    /// The step at which the average is lowest; 0 if there is none.
    pub lowest: usize,
    /// Rates that are marked, each with its name.
    pub marks: Vec<(&'static str, f64)>,
}

/// The losses by learning rate, with the marks.
pub fn rate_curve(curve: &RateCurve<'_>) -> Drawing {
    let ceiling = ceiling(curve);
    let points = |values: &[f64]| -> Vec<(f64, f64)> {
        let cut = values.iter().map(|loss| loss.min(ceiling));
        curve.rates.iter().copied().zip(cut).collect()
    };
    let series = Series::line("smoothed (faint: each step)", points(curve.smoothed));
    let mut chart = LineChart::new(
        "Loss by learning rate",
        Axis::log("learning rate (per step, log scale)"),
        Axis::linear("training objective"),
    )
    .with(series.with_raw(points(curve.losses)));
    for &(name, rate) in &curve.marks {
        let step = curve.rates.partition_point(|&other| other < rate);
        let y = curve.smoothed.get(step).copied();
        chart = chart.mark(Mark { x: rate, y, name: format!("{name}: {rate:.1e}") });
    }
    chart.draw()
}

/// What the curve is cut off above, so that its last, steepest rise does not press down the rest.
fn ceiling(curve: &RateCurve<'_>) -> f64 {
    let before = curve.smoothed.iter().take(curve.lowest + 1);
    1.3 * before.copied().fold(f64::MIN_POSITIVE, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::Theme;

    #[test]
    fn marks_are_named_and_the_last_rise_does_not_set_the_scale() {
        let rates: Vec<f64> = (0..100).map(|step| 1e-7 * 1.2_f64.powi(step)).collect();
        let loss = |step: i32| if step < 80 { 2.5 - 0.025 * f64::from(step) } else { 1e6 };
        let losses: Vec<f64> = (0..100).map(loss).collect();
        let curve = RateCurve {
            rates: &rates,
            losses: &losses,
            smoothed: &losses,
            lowest: 79,
            marks: vec![("steepest fall", rates[40])],
        };
        let svg = rate_curve(&curve).to_svg(Theme::Paper);
        for part in ["learning rate (per step, log scale)", "training objective", "steepest fall:"]
        {
            assert!(svg.contains(part), "no `{part}`");
        }
        assert!(!svg.contains("10⁶") && !svg.contains("200,000"));
    }

    #[test]
    fn a_curve_without_a_step_is_drawn() {
        let curve =
            RateCurve { rates: &[], losses: &[], smoothed: &[], lowest: 0, marks: Vec::new() };
        assert!(rate_curve(&curve).to_svg(Theme::Paper).contains("Loss by learning rate"));
    }
}
