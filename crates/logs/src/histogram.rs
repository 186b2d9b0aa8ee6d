//! The distribution of many numbers.

/// Bins of equal width between the least and the greatest value.
const BINS: usize = 64;

/// Counts in bins. Every value is finite.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Histogram {
    pub(crate) least: f64,
    pub(crate) greatest: f64,
    pub(crate) count: f64,
    pub(crate) sum: f64,
    pub(crate) sum_of_squares: f64,
    /// Upper end of each bin; the first one begins at `least`.
    pub(crate) limits: Vec<f64>,
    /// Values in each bin.
    pub(crate) counts: Vec<f64>,
}

impl Histogram {
    /// Of those of the values that are finite; `None` if there is none.
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        let finite = || values.iter().copied().filter(|value| value.is_finite());
        let (least, greatest) =
            finite().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
        if least > greatest {
            return None;
        }
        let bins = if least == greatest { 1 } else { BINS };
        let width = (greatest - least) / bins as f64;
        let mut counts = vec![0.0; bins];
        for value in finite() {
            let bin = if width > 0.0 { ((value - least) / width) as usize } else { 0 };
            if let Some(count) = counts.get_mut(bin.min(bins - 1)) {
                *count += 1.0;
            }
        }
        let limits =
            (1..=bins).map(|bin| if bin == bins { greatest } else { least + width * bin as f64 });
        Some(Self {
            least,
            greatest,
            count: counts.iter().sum(),
            sum: finite().sum(),
            sum_of_squares: finite().map(|value| value * value).sum(),
            limits: limits.collect(),
            counts,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finite_value_is_in_one_bin() {
        let mut values: Vec<f64> = (0..640).map(|i| f64::from(i) / 10.0).collect();
        values.extend([f64::NAN, f64::INFINITY]);
        let histogram = Histogram::of(&values).unwrap();
        assert_eq!((histogram.least, histogram.greatest, histogram.count), (0.0, 63.9, 640.0));
        assert_eq!(histogram.limits.len(), BINS);
        assert_eq!(*histogram.limits.last().unwrap(), 63.9);
        assert!(histogram.counts.iter().all(|count| (9.0..=11.0).contains(count)));
        assert!((histogram.sum - 20448.0).abs() < 1e-6);
    }

    #[test]
    fn equal_values_have_one_bin_and_none_have_none() {
        let histogram = Histogram::of(&[2.0, 2.0]).unwrap();
        assert_eq!((&histogram.limits[..], &histogram.counts[..]), (&[2.0][..], &[2.0][..]));
        assert_eq!(Histogram::of(&[f64::NAN]), None);
    }
}
