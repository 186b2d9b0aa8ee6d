//! A figure with its spread.

use serde::Serialize;

/// The median of a few repetitions, and how far they are apart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Figure {
    /// The median; of an even number of repetitions, the mean of the two in the middle.
    pub(crate) median: f64,
    pub(crate) lowest: f64,
    pub(crate) highest: f64,
    pub(crate) repetitions: usize,
}

impl Figure {
    /// # Panics
    ///
    /// If there is no value.
    pub(crate) fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let repetitions = sorted.len();
        let [lowest, highest] = [sorted[0], sorted[repetitions - 1]];
        let median = f64::midpoint(sorted[(repetitions - 1) / 2], sorted[repetitions / 2]);
        Self { median, lowest, highest, repetitions }
    }

    /// Median and spread of the ratios of what was measured in turns. Each pair had the machine in
    /// one state, so their ratio says more than that of the two medians.
    ///
    /// # Panics
    ///
    /// If there is no pair.
    pub(crate) fn of_ratios(ours: &[f64], theirs: &[f64]) -> Self {
        let ratios: Vec<f64> =
            ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect();
        Self::of(&ratios)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_the_median_whatever_the_order() {
        let figure = Figure::of(&[3.0, 100.0, 1.0]);
        assert_eq!((figure.median, figure.lowest, figure.highest), (3.0, 1.0, 100.0));
        assert_eq!(Figure::of(&[4.0, 1.0, 2.0, 9.0]).median, 3.0);
        assert_eq!(Figure::of(&[7.0]).repetitions, 1);
    }

    #[test]
    fn a_machine_that_slows_down_for_both_moves_no_ratio() {
        // Both are twice as fast in the first turn.
        let ratio = Figure::of_ratios(&[40.0, 20.0, 20.0], &[20.0, 10.0, 10.0]);
        assert_eq!((ratio.lowest, ratio.highest), (2.0, 2.0));
    }
}
