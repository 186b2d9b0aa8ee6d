//! The difference of an arm from the first one in a measure, and all that is said of it.

use serde::Serialize;

use super::verdict::ArmVerdict;
use crate::statistics::power::{POWER, detectable_at_level};
use crate::statistics::{
    Better, PairedT, SignFlip, Spread, bootstrap_interval, correlation, effect_size, holm,
    standard_error,
};

/// Differences of a measure between two arms that were run with the same seeds, in the measure's unit. What cannot be
/// had, of too few seeds or of scores that are no numbers, is `None`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// One difference a seed that both arms have, in the order of the seeds.
    pub by_seed: Vec<f64>,
    /// Mean of the differences.
    pub mean: f64,
    /// Standard error of the mean, `s / √n`; NaN of fewer than two seeds.
    pub standard_error: f64,
    /// The 95 % interval of the mean by Student's t. It is that of this arm alone: of many such intervals, one in
    /// twenty leaves out the truth.
    pub interval: Option<(f64, f64)>,
    /// p of the paired t-test, in `[0, 1]`.
    pub p: Option<f64>,
    /// The same after Holm's correction over the arms of the measure. What the verdict rests on.
    pub p_holm: Option<f64>,
    /// p of the sign-flip permutation test, in `(0, 1]`, which takes no distribution for granted.
    pub p_sign_flip: Option<f64>,
    /// The smallest that [`p_sign_flip`](Self::p_sign_flip) can be with as many seeds.
    pub smallest_p_sign_flip: Option<f64>,
    /// The 95 % bootstrap interval of the mean; from 10 seeds on.
    pub bootstrap_interval: Option<(f64, f64)>,
    /// Hedges' g of the differences: their mean in standard deviations, corrected for few seeds.
    pub effect_size: Option<f64>,
    /// Correlation between the arms' scores by seed, in `[−1, 1]`: what pairing is worth.
    pub correlation: Option<f64>,
    /// The true difference, to either side, that as many seeds of this spread would find in [`POWER`] of such
    /// comparisons, at the strictest level that Holm's correction asks for. `None` of equal differences.
    pub detectable: Option<f64>,
    /// What it comes to.
    pub verdict: ArmVerdict,
}

impl Difference {
    /// Of the scores of an arm and of the first one, seed by seed. Not yet judged: see [`judge`].
    pub(super) fn of(arm: &[f64], first: &[f64]) -> Self {
        let by_seed: Vec<f64> = arm.iter().zip(first).map(|(arm, first)| arm - first).collect();
        // Both are `None` if one difference is no number: without it, the worst seed would be left out.
        let (test, flip) = (PairedT::of(&by_seed), SignFlip::of(&by_seed));
        let finite = |value: f64| Some(value).filter(|value| value.is_finite());
        Self {
            // The test takes what rounding leaves of equal differences for none.
            mean: test.map_or_else(|| Spread::of(&by_seed).mean, |test| test.difference),
            standard_error: test
                .map_or_else(|| standard_error(&by_seed), |test| test.standard_error),
            interval: test.map(|test| test.interval),
            p: test.map(|test| test.p),
            p_holm: None,
            p_sign_flip: flip.map(|flip| flip.p),
            smallest_p_sign_flip: flip.map(|flip| flip.smallest),
            bootstrap_interval: bootstrap_interval(&by_seed),
            effect_size: finite(effect_size(&by_seed)),
            correlation: finite(correlation(arm, first)),
            detectable: None,
            verdict: ArmVerdict::TooFewSeeds,
            by_seed,
        }
    }
}

/// Judges the differences of all arms in one measure: corrects their p-values for how many they are, by Holm's method.
pub(super) fn judge<'a>(
    differences: impl Iterator<Item = &'a mut Difference>,
    better: Better,
    level: f64,
) {
    let mut all: Vec<&mut Difference> = differences.collect();
    let tested: Vec<f64> = all.iter().filter_map(|difference| difference.p).collect();
    let mut corrected = holm(&tested).into_iter();
    for difference in &mut all {
        difference.p_holm = difference.p.and_then(|_| corrected.next());
        let seeds = difference.by_seed.len();
        difference.verdict =
            ArmVerdict::of(difference.mean, difference.p_holm, seeds, better, level);
        let deviation = difference.standard_error * (seeds as f64).sqrt();
        if difference.verdict.is_given() && deviation > 0.0 {
            // What Holm's correction asks of the smallest p; of the others it asks less.
            let strictest = level / tested.len().max(1) as f64;
            let least = detectable_at_level(seeds, deviation, POWER, strictest);
            difference.detectable = Some(least).filter(|least| least.is_finite());
        }
    }
}
