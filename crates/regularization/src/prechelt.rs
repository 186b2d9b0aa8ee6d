//! Prechelt's three stopping criteria: generalization loss, progress quotient, successive rises.
//!
//! `E_tr(t)` is the training error and `E_va(t)` the validation error after epoch `t`, counted
//! from 1; slices hold the epochs up to `t`, the last one being `t`. An error that is not a number
//! stands for one that could not be measured: it is never the lowest and meets no criterion.
//!
//! The paper adds that training ends in any case when it hardly progresses or after 3000 epochs;
//! here the recipe's `epochs` is that limit.
//!
//! Prechelt, [Early Stopping - But When?](https://doi.org/10.1007/978-3-642-35289-8_5), 1998,
//! section 2.1.

/// `GL(t) = 100 · (E_va(t) / E_opt(t) − 1)`, in percent: how far validation is above `E_opt(t)`,
/// the lowest validation error up to `t`.
///
/// `GL_α` stops after the first epoch with `GL(t) > α`.
pub(crate) fn generalization_loss(valid: &[f64]) -> f64 {
    // The lesser of NaN and a number is the number.
    let lowest = valid.iter().copied().fold(f64::NAN, f64::min);
    let current = valid.last().copied().unwrap_or(f64::NAN);
    100.0 * (current / lowest - 1.0)
}

/// `P_k(t) = 1000 · (Σ E_tr / (k · min E_tr) − 1)`, in thousandths, over the strip of the last `k`
/// epochs: how far the mean training error of the strip is above its lowest. Large while training
/// still goes fast or wildly, near 0 once it has settled.
///
/// # Panics
///
/// If there are fewer than `strip` epochs, or `strip` is 0.
pub(crate) fn training_progress(train: &[f64], strip: usize) -> f64 {
    let strip = &train[train.len() - strip..];
    let lowest = strip.iter().copied().fold(f64::INFINITY, f64::min);
    // Summed as differences, so that rounding cannot make it negative.
    let above: f64 = strip.iter().map(|error| error - lowest).sum();
    1000.0 * above / (strip.len() as f64 * lowest)
}

/// `PQ(t) = GL(t) / P_k(t)`: generalization loss in relation to progress. As long as training goes
/// fast, what validation has lost may still come back.
///
/// `PQ_α` stops after the first epoch that ends a strip with `PQ(t) > α`. Where the training error
/// has not moved at all, any loss is infinitely much.
///
/// # Panics
///
/// As [`training_progress`].
pub(crate) fn progress_quotient(train: &[f64], valid: &[f64], strip: usize) -> f64 {
    generalization_loss(valid) / training_progress(train, strip)
}

/// Number of successive strips of `strip` epochs, up to the last whole one, in which validation has
/// got worse: `E_va(t) > E_va(t − k)` at their ends. Those that end within the `warmup` are not
/// counted.
///
/// `UP_s` stops after the first epoch that ends the `s`-th such strip in a row. How much worse does
/// not matter.
///
/// # Panics
///
/// If `strip` is 0.
pub(crate) fn successive_rises(valid: &[f64], strip: usize, warmup: usize) -> usize {
    let ends: Vec<f64> = valid.chunks_exact(strip).map(|strip| strip[strip.len() - 1]).collect();
    let pairs = (2..).zip(ends.windows(2)).collect::<Vec<_>>();
    let rises = |number: usize, pair: &[f64]| number * strip > warmup && pair[1] > pair[0];
    pairs.iter().rev().take_while(|(number, pair)| rises(*number, pair)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generalization_loss_is_measured_from_the_lowest_error_so_far() {
        // 100 · (0.625 / 0.5 − 1) = 25, and 100 · (0.75 / 0.5 − 1) = 50.
        let valid = [1.0, 0.5, 0.625, 0.75];
        let series: Vec<f64> = (1..=4).map(|t| generalization_loss(&valid[..t])).collect();
        assert_eq!(series, [0.0, 0.0, 25.0, 50.0]);
    }

    #[test]
    fn progress_is_the_mean_of_a_strip_over_its_lowest() {
        // The strip is the last five: Σ = 6, k · min = 5 · 1, 1000 · (6 / 5 − 1) = 200.
        let train = [9.0, 1.5, 1.25, 1.0, 1.25, 1.0];
        assert_eq!(training_progress(&train, 5), 200.0);
        // 1000 · (10 / (2 · 1) − 1) = 4000 while it still falls fast.
        assert_eq!(training_progress(&[9.0, 1.0], 2), 4000.0);
    }

    #[test]
    fn the_quotient_weighs_generalization_loss_against_progress() {
        let valid = [1.0, 0.5, 0.5, 0.625];
        // GL = 25; P_2 = 1000 · (3 / (2 · 1) − 1) = 500; 25 / 500 = 0.05.
        assert_eq!(progress_quotient(&[4.0, 2.0, 2.0, 1.0], &valid, 2), 0.05);
        // P_2 = 1000 · (2.25 / (2 · 1) − 1) = 125; 25 / 125 = 0.2.
        assert_eq!(progress_quotient(&[4.0, 2.0, 1.25, 1.0], &valid, 2), 0.2);
        // No progress at all, and a training error whose sum is not exact.
        assert_eq!(progress_quotient(&[0.1; 4], &valid, 3), f64::INFINITY);
    }

    #[test]
    fn rises_are_counted_in_a_row_at_the_ends_of_strips() {
        // Strips of two end with 0.5, 0.6, 0.55, 0.56, 0.7; what lies between does not matter.
        let valid = [9.0, 0.5, 0.1, 0.6, 9.0, 0.55, 0.1, 0.56, 0.0, 0.7, 9.0];
        let series: Vec<usize> = (1..=11).map(|t| successive_rises(&valid[..t], 2, 0)).collect();
        assert_eq!(series, [0, 0, 0, 1, 1, 0, 0, 1, 1, 2, 2]);
        assert_eq!(successive_rises(&valid, 2, 7), 2);
        assert_eq!(successive_rises(&valid, 2, 8), 1);
    }

    #[test]
    fn an_error_that_is_not_a_number_is_neither_the_lowest_nor_a_rise() {
        assert_eq!(generalization_loss(&[f64::NAN, 0.5, f64::NAN, 0.625]), 25.0);
        assert!(generalization_loss(&[0.5, f64::NAN]).is_nan());
        assert!(training_progress(&[f64::NAN, 1.0], 2).is_nan());
        assert_eq!(successive_rises(&[0.5, f64::NAN, 0.6, 0.7], 1, 0), 1);
    }
}
