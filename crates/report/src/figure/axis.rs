//! Axes: a range that fits the data, and ticks at round numbers.

use backburn_records::number;

/// What an axis measures.
#[derive(Clone, Debug)]
pub struct Axis {
    label: String,
    scale: Scale,
    low: Option<f64>,
    high: Option<f64>,
    /// Whether both bounds are shown even if no value comes near them.
    whole: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scale {
    Linear,
    Counts,
    Log,
}

impl Axis {
    /// An axis of even steps. The label gives quantity and unit, such as `accuracy (%)`.
    pub fn linear(label: impl Into<String>) -> Self {
        let label = label.into();
        Self { label, scale: Scale::Linear, low: None, high: None, whole: false }
    }

    /// An axis of whole numbers, such as epochs.
    pub fn counts(label: impl Into<String>) -> Self {
        Self { scale: Scale::Counts, ..Self::linear(label) }
    }

    /// An axis of equal ratios. Values of 0 and below have no place on it.
    pub fn log(label: impl Into<String>) -> Self {
        Self { scale: Scale::Log, ..Self::linear(label) }
    }

    /// The same axis, going no further than `low` and `high`, where no values can be.
    pub fn within(mut self, low: f64, high: f64) -> Self {
        (self.low, self.high) = (Some(low), Some(high));
        self
    }

    /// The same axis, from `low` to `high` wherever the values are, so that figures can be compared.
    pub fn over(self, low: f64, high: f64) -> Self {
        Self { whole: true, ..self.within(low, high) }
    }

    /// Quantity and unit.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Whether equal ratios are equally far apart.
    pub(super) fn is_log(&self) -> bool {
        self.scale == Scale::Log
    }

    /// Whether a value has a place on the axis.
    pub fn shows(&self, value: f64) -> bool {
        value.is_finite() && (self.scale != Scale::Log || value > 0.0)
    }

    /// Fits the axis to `values`, with about `ticks` ticks. `None` if it can show none of them.
    pub fn fit(&self, values: impl Iterator<Item = f64>, ticks: usize) -> Option<FittedAxis> {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|value| self.shows(*value)) {
            (low, high) = (low.min(value), high.max(value));
        }
        if low > high {
            return None;
        }
        if let (true, Some(bottom), Some(top)) = (self.whole, self.low, self.high) {
            (low, high) = (low.min(bottom), high.max(top));
        }
        let log = self.scale == Scale::Log;
        let (mut low, mut high) = if log { (low.log10(), high.log10()) } else { (low, high) };
        // A little air, so that the outermost points are not cut; a single value gets some too.
        let pad = match self.scale {
            _ if high - low > 1e-9 * high.abs().max(1e-300) => 0.04 * (high - low),
            Scale::Linear => (0.1 * high.abs()).max(1e-9),
            Scale::Counts => 1.0,
            Scale::Log => 0.3,
        };
        // Far apart values, near the end of the number range, have no finite distance.
        let pad = if pad.is_finite() { pad } else { 0.0 };
        let limit = |bound: Option<f64>| bound.map(|b| if log { b.log10() } else { b });
        low = limit(self.low).map_or(low - pad, |bound| bound.max(low - pad));
        high = limit(self.high).map_or(high + pad, |bound| bound.min(high + pad));
        let ticks = match self.scale {
            Scale::Log => log_ticks(low, high, ticks),
            Scale::Counts => linear_ticks(low, high, ticks, 1.0),
            Scale::Linear => linear_ticks(low, high, ticks, 0.0),
        };
        Some(FittedAxis { low, high, log, ticks })
    }
}

/// An axis with its range and ticks.
#[derive(Clone, Debug)]
pub struct FittedAxis {
    low: f64,
    high: f64,
    log: bool,
    ticks: Vec<Tick>,
}

/// A labelled place on an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// The value.
    pub value: f64,
    /// The value as text.
    pub label: String,
}

impl FittedAxis {
    /// The ticks, in ascending order.
    pub fn ticks(&self) -> &[Tick] {
        &self.ticks
    }

    /// Whether a value lies in the range, to rounding.
    pub fn holds(&self, value: f64) -> bool {
        let value = if self.log { value.log10() } else { value };
        let slack = 1e-9 * (self.high - self.low);
        (self.low - slack..=self.high + slack).contains(&value)
    }

    /// Place of a value: 0 at the low end, 1 at the high end. `None` if it has none.
    pub fn place(&self, value: f64) -> Option<f64> {
        let value = if self.log { value.log10() } else { value };
        let width = self.high - self.low;
        // Halves, because the width itself may overflow.
        let place = if width.is_finite() && width > 0.0 {
            (value - self.low) / width
        } else if width > 0.0 {
            (value / 2.0 - self.low / 2.0) / (self.high / 2.0 - self.low / 2.0)
        } else {
            0.5
        };
        place.is_finite().then_some(place.clamp(0.0, 1.0))
    }
}

/// The step among 1, 2, 5 times a power of ten that gives at most `ticks` steps in `width`.
fn nice_step(width: f64, ticks: usize) -> f64 {
    let raw = width / ticks.max(1) as f64;
    let power = 10_f64.powf(raw.log10().floor());
    let nice = [1.0, 2.0, 5.0, 10.0].into_iter().find(|step| step * power >= raw * (1.0 - 1e-9));
    nice.unwrap_or(10.0) * power
}

fn linear_ticks(low: f64, high: f64, ticks: usize, smallest: f64) -> Vec<Tick> {
    let step = nice_step(high - low, ticks).max(smallest);
    if !step.is_finite() || step <= 0.0 {
        return vec![Tick { value: low, label: number::scientific(low) }];
    }
    let (first, last) = ((low / step - 1e-9).ceil(), (high / step + 1e-9).floor());
    let count = (last - first).clamp(0.0, 100.0) as usize;
    (0..=count)
        .map(|index| {
            let value = (first + index as f64) * step;
            Tick { value, label: number::with_step(value, step) }
        })
        .collect()
}

/// Ticks at 1, 2, 5 in each decade if there is room, else at powers of ten. Takes exponents.
fn log_ticks(low: f64, high: f64, ticks: usize) -> Vec<Tick> {
    let inside = |exponent: f64| exponent >= low - 1e-9 && exponent <= high + 1e-9;
    let decades = (low.floor() as i32)..=(high.ceil() as i32);
    let tick = |mantissa: f64, decade: i32| {
        // Through text, so that 2e-3 is exactly the number that is written so.
        let value: f64 = format!("{mantissa}e{decade}").parse().unwrap_or(f64::NAN);
        Tick { value, label: number::short(value) }
    };
    for mantissas in [&[1.0_f64, 2.0, 5.0][..], &[1.0, 3.0], &[1.0]] {
        let all = decades.clone().flat_map(|decade| mantissas.iter().map(move |m| (*m, decade)));
        let shown: Vec<Tick> = all
            .filter(|(mantissa, decade)| inside(mantissa.log10() + f64::from(*decade)))
            .map(|(mantissa, decade)| tick(mantissa, decade))
            .collect();
        let enough = shown.len() >= 2 || mantissas.len() == 3;
        if enough && shown.len() <= ticks.max(2) + 1 {
            // A range within one decade may hold no such number: even steps then.
            return if shown.len() >= 2 { shown } else { log_steps(low, high, ticks) };
        }
    }
    let every = (high - low).abs() as usize / ticks.max(1) + 1;
    decades.filter(|d| inside(f64::from(*d))).step_by(every).map(|d| tick(1.0, d)).collect()
}

fn log_steps(low: f64, high: f64, ticks: usize) -> Vec<Tick> {
    linear_ticks(10_f64.powf(low), 10_f64.powf(high), ticks, 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis, values: &[f64], ticks: usize) -> Vec<String> {
        let fitted = axis.fit(values.iter().copied(), ticks).unwrap();
        fitted.ticks().iter().map(|tick| tick.label.clone()).collect()
    }

    #[test]
    fn ticks_are_multiples_of_one_two_or_five() {
        assert_eq!(
            labels(&Axis::linear("x"), &[0.0, 1.0], 6),
            ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
        );
        assert_eq!(
            labels(&Axis::linear("x"), &[97.1, 99.6], 6),
            ["97.0", "97.5", "98.0", "98.5", "99.0", "99.5"]
        );
        assert_eq!(
            labels(&Axis::linear("x"), &[-30_000.0, 41_000.0], 4),
            ["−20,000", "0", "20,000", "40,000"]
        );
        for (width, ticks) in [(0.37, 5), (12.0, 6), (9999.0, 7), (1e-7, 5)] {
            let step: f64 = nice_step(width, ticks);
            let mantissa = step / 10_f64.powf((step.log10() + 1e-9).floor());
            assert!([1.0, 2.0, 5.0].iter().any(|m| (m - mantissa).abs() < 1e-6), "{step}");
            assert!(width / step <= ticks as f64 + 1e-6);
        }
    }

    #[test]
    fn epochs_have_whole_ticks() {
        assert_eq!(labels(&Axis::counts("epoch"), &[1.0, 2.0, 3.0], 8), ["1", "2", "3"]);
        assert_eq!(labels(&Axis::counts("epoch"), &[1.0], 8), ["0", "1", "2"]);
        assert_eq!(
            labels(&Axis::counts("epoch"), &[1.0, 200.0], 8),
            ["0", "50", "100", "150", "200"]
        );
    }

    #[test]
    fn a_log_axis_has_ticks_at_round_numbers_over_one_or_many_decades() {
        assert_eq!(labels(&Axis::log("x"), &[0.02, 0.6], 6), ["0.02", "0.05", "0.1", "0.2", "0.5"]);
        assert_eq!(
            labels(&Axis::log("x"), &[1e-4, 1.0], 6),
            ["0.0001", "0.001", "0.01", "0.1", "1"]
        );
        let wide = labels(&Axis::log("x"), &[1e-9, 1e3], 6);
        assert!(wide.len() <= 7 && wide.contains(&"10⁻⁹".to_owned()), "{wide:?}");
        let narrow = labels(&Axis::log("x"), &[0.31, 0.33], 5);
        assert!(narrow.len() >= 2, "{narrow:?}");
    }

    #[test]
    fn places_run_from_low_to_high_and_odd_values_have_none() {
        let axis = Axis::log("x").fit([0.01, 1.0].into_iter(), 5).unwrap();
        assert!((axis.place(0.1).unwrap() - 0.5).abs() < 1e-9);
        assert_eq!(axis.place(f64::NAN), None);
        assert_eq!(axis.place(0.0), None);
        assert_eq!(axis.place(-1.0), None);
        let axis = Axis::linear("x").fit([3.0].into_iter(), 5).unwrap();
        assert!((axis.place(3.0).unwrap() - 0.5).abs() < 1e-9);
    }

    #[test]
    fn an_axis_keeps_within_its_bounds() {
        let axis = Axis::linear("accuracy (%)").within(0.0, 100.0);
        let fitted = axis.fit([98.0, 100.0].into_iter(), 5).unwrap();
        assert_eq!(fitted.place(100.0), Some(1.0));
        assert!(fitted.place(98.0).unwrap() > 0.0);
    }

    #[test]
    fn an_axis_over_a_range_shows_all_of_it() {
        let fitted =
            Axis::linear("accuracy (%)").over(0.0, 100.0).fit([40.0].into_iter(), 5).unwrap();
        assert_eq!((fitted.place(0.0), fitted.place(100.0)), (Some(0.0), Some(1.0)));
        assert!((fitted.place(40.0).unwrap() - 0.4).abs() < 1e-9);
        let nothing = Axis::linear("x").over(0.0, 1.0).fit([f64::NAN].into_iter(), 5);
        assert!(nothing.is_none());
    }

    #[test]
    fn extreme_values_give_finite_places_and_few_ticks() {
        for values in
            [[f64::MIN, f64::MAX], [f64::MIN_POSITIVE, 1e300], [0.0, 5e-324], [1e17, 1e17 + 16.0]]
        {
            for axis in [Axis::linear("x"), Axis::counts("x"), Axis::log("x")] {
                let Some(fitted) = axis.fit(values.into_iter(), 6) else { continue };
                assert!(fitted.ticks().len() <= 101, "{values:?}");
                let places = values.into_iter().filter_map(|value| fitted.place(value));
                assert!(places.into_iter().all(|place| (0.0..=1.0).contains(&place)), "{values:?}");
            }
        }
        assert!(Axis::linear("x").fit([f64::NAN, f64::INFINITY].into_iter(), 5).is_none());
        assert!(Axis::log("x").fit([0.0, -1.0].into_iter(), 5).is_none());
    }
}
