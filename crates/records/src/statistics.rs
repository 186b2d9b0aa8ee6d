//! What a few runs allow to say: mean, spread, paired differences, and how often chance alone would
//! say the same.

use serde::Serialize;

/// Mean and spread of one score over seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// Arithmetic mean; NaN of no values.
    pub mean: f64,
    /// Standard deviation of the sample, with `n − 1`; NaN of fewer than two values.
    pub standard_deviation: f64,
}

impl Spread {
    /// Mean and spread of `values`.
    pub fn of(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let standard_deviation =
            if values.len() < 2 { f64::NAN } else { (squares / (n - 1.0)).sqrt() };
        Self { mean, standard_deviation }
    }
}

/// The values that are finite: those that are not are scores of trainings that diverged.
pub fn finite(values: &[f64]) -> Vec<f64> {
    values.iter().copied().filter(|value| value.is_finite()).collect()
}

/// Which scores are better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// High ones, as of accuracy.
    Higher,
    /// Low ones, as of a loss.
    Lower,
}

/// What differences by seed say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Better, by more than the rule that was asked for puts down to chance.
    Better,
    /// Worse, by as much.
    Worse,
    /// Neither.
    NoClearEffect,
}

impl Verdict {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::NoClearEffect => "unclear",
        }
    }
}

/// Differences of a score between two arms that were run with the same seeds, and so on the same
/// images, in the same order, from the same initial weights.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PairedDifference {
    /// One difference a seed.
    pub by_seed: Vec<f64>,
    /// Their mean.
    pub mean: f64,
    /// Standard error of the mean, `s / √n`; NaN of fewer than two seeds.
    pub standard_error: f64,
    /// What they say.
    pub verdict: Verdict,
}

impl PairedDifference {
    /// What `by_seed` says about a score of which `better` ones are wanted.
    ///
    /// The verdict is [`Verdict::Better`] or [`Verdict::Worse`] if `|mean| > 2 · standard error` and
    /// all differences have the same sign, else [`Verdict::NoClearEffect`]; of one seed, always the
    /// last.
    pub fn of(by_seed: Vec<f64>, better: Better) -> Self {
        let all = |sign: f64| by_seed.iter().all(|difference| difference * sign > 0.0);
        let has_one_sign = all(1.0) || all(-1.0);
        // A standard error that is not a number compares false: one seed decides nothing.
        Self::judged(by_seed, better, |mean, standard_error| {
            mean.abs() > 2.0 * standard_error && has_one_sign
        })
    }

    /// As [`of`](Self::of), but the verdict is [`Verdict::Better`] or [`Verdict::Worse`] if the [`interval`]
    /// of the mean leaves out 0. For any number of runs: of an effect as large as the spread, the
    /// more runs there are, the surer one has the other sign.
    pub fn by_interval(by_seed: Vec<f64>, better: Better) -> Self {
        let is_clear = interval(&by_seed).is_some_and(|(low, high)| low > 0.0 || high < 0.0);
        Self::judged(by_seed, better, |_, _| is_clear)
    }

    /// `is_clear`: of mean and standard error.
    fn judged(by_seed: Vec<f64>, better: Better, is_clear: impl FnOnce(f64, f64) -> bool) -> Self {
        let Spread { mean, standard_deviation } = Spread::of(&by_seed);
        let standard_error = standard_deviation / (by_seed.len() as f64).sqrt();
        let verdict = match (is_clear(mean, standard_error), better) {
            (false, _) => Verdict::NoClearEffect,
            (true, Better::Higher) if mean > 0.0 => Verdict::Better,
            (true, Better::Lower) if mean < 0.0 => Verdict::Better,
            (true, _) => Verdict::Worse,
        };
        Self { mean, by_seed, standard_error, verdict }
    }
}

/// How often, at most, [`PairedDifference`] calls an arm without any effect better or worse:
/// `P(|t| > 2)` of Student's t with `seeds − 1` degrees of freedom, in `[0, 1]`. Takes differences to
/// be normally distributed. `None` for fewer than two seeds, of which nothing is said.
pub fn false_alarms(seeds: usize) -> Option<f64> {
    let freedom = seeds.checked_sub(1).filter(|freedom| *freedom > 0)?;
    Some(farther_out(2.0, freedom))
}

/// The interval that holds the mean in 95 of 100 cases, by Student's t. Takes the values to be normally
/// distributed. `None` of fewer than two.
pub fn interval(values: &[f64]) -> Option<(f64, f64)> {
    let Spread { mean, standard_deviation } = Spread::of(values);
    let freedom = values.len().checked_sub(1).filter(|freedom| *freedom > 0)?;
    // With one degree of freedom, the widest, the quantile is 12.7.
    let (mut low, mut high) = (1.0, 13.0);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if farther_out(middle, freedom) > 0.05 { low = middle } else { high = middle }
    }
    let half = high * standard_deviation / (values.len() as f64).sqrt();
    Some((mean - half, mean + half))
}

/// `P(|t| > distance)` of Student's t with `freedom` degrees of freedom, at least 1.
///
/// With θ = atan(distance / √ν), the chance of less is `sin θ · (1 + ½ cos² θ + (1·3)/(2·4) cos⁴ θ + …)` for
/// an even ν, up to the power `ν − 2`, and `2/π · (θ + sin θ (cos θ + ⅔ cos³ θ + …))` for an odd one.
///
/// Abramowitz and Stegun, "Handbook of Mathematical Functions", 1964, 26.7.3 and 26.7.4.
fn farther_out(distance: f64, freedom: usize) -> f64 {
    let angle = (distance / (freedom as f64).sqrt()).atan();
    let (sine, cosine) = angle.sin_cos();
    let is_even = freedom.is_multiple_of(2);
    let (mut term, mut power) = if is_even { (1.0, 0) } else { (cosine, 1) };
    let mut sum = 0.0;
    while power + 2 <= freedom {
        sum += term;
        term *= cosine * cosine * (power + 1) as f64 / (power + 2) as f64;
        power += 2;
    }
    let less =
        if is_even { sine * sum } else { (angle + sine * sum) * std::f64::consts::FRAC_2_PI };
    1.0 - less
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
    }

    #[test]
    fn mean_and_spread_are_those_of_a_sample() {
        let spread = Spread::of(&[1.0, 2.0, 6.0]);
        // Deviations −2, −1, 3: squares 14, divided by 2.
        close(spread.mean, 3.0);
        close(spread.standard_deviation, 7.0_f64.sqrt());
        assert!(Spread::of(&[5.0]).standard_deviation.is_nan());
        assert!(Spread::of(&[]).mean.is_nan());
    }

    #[test]
    fn a_paired_difference_has_the_standard_error_of_the_differences() {
        let difference = PairedDifference::of(vec![0.5, 1.0, 1.5], Better::Higher);
        close(difference.mean, 1.0);
        // Standard deviation 0.5 over √3.
        close(difference.standard_error, 0.5 / 3.0_f64.sqrt());
        assert_eq!(difference.verdict, Verdict::Better);
    }

    #[test]
    fn a_verdict_needs_size_and_one_sign_and_knows_what_is_better() {
        let verdict =
            |values: &[f64], better| PairedDifference::of(values.to_vec(), better).verdict;
        assert_eq!(verdict(&[0.5, 1.0, 1.5], Better::Lower), Verdict::Worse);
        assert_eq!(verdict(&[-0.5, -1.0, -1.5], Better::Lower), Verdict::Better);
        assert_eq!(verdict(&[-0.5, -1.0, -1.5], Better::Higher), Verdict::Worse);
        // Mean 1, standard error 0.611: one sign, but too little.
        assert_eq!(verdict(&[0.2, 0.6, 2.2], Better::Higher), Verdict::NoClearEffect);
        // Mean 1.76, standard error 0.546: large enough, but one seed says otherwise.
        let mixed = [-0.4, 2.2, 2.2, 2.2, 2.6];
        let difference = PairedDifference::of(mixed.to_vec(), Better::Higher);
        assert!(difference.mean > 2.0 * difference.standard_error);
        assert_eq!(difference.verdict, Verdict::NoClearEffect);
    }

    #[test]
    fn by_its_interval_a_difference_may_have_the_other_sign_at_times() {
        // Mean 1.76, standard error 0.546: 1.76 ± 1.52 with Student's 2.776 for 4 degrees of freedom.
        let mixed = vec![-0.4, 2.2, 2.2, 2.2, 2.6];
        let verdict =
            |values: &[f64], better| PairedDifference::by_interval(values.to_vec(), better).verdict;
        assert_eq!(verdict(&mixed, Better::Higher), Verdict::Better);
        assert_eq!(verdict(&mixed, Better::Lower), Verdict::Worse);
        // Of one sign, but 2 ± 2.48 with 4.303 for 2 degrees of freedom.
        assert_eq!(verdict(&[1.0, 2.0, 3.0], Better::Higher), Verdict::NoClearEffect);
    }

    #[test]
    fn one_seed_and_no_difference_at_all_say_nothing() {
        for values in [vec![3.0], vec![0.0, 0.0, 0.0], vec![]] {
            for judge in [PairedDifference::of, PairedDifference::by_interval] {
                let difference = judge(values.clone(), Better::Higher);
                assert_eq!(difference.verdict, Verdict::NoClearEffect);
            }
        }
    }

    #[test]
    fn false_alarms_are_those_of_students_t() {
        assert_eq!(false_alarms(0), None);
        assert_eq!(false_alarms(1), None);
        // One degree of freedom is Cauchy's distribution, two have a closed form.
        close(false_alarms(2).unwrap(), 1.0 - 2.0 * 2.0_f64.atan() / std::f64::consts::PI);
        close(false_alarms(3).unwrap(), 1.0 - 2.0 / 6.0_f64.sqrt());
        // The density of t, integrated by Simpson's rule in 200,000 steps.
        let integrals = [(4, 0.139_325_9), (5, 0.116_116_5), (10, 0.076_552_8), (31, 0.054_625_0)];
        for (seeds, expected) in integrals {
            let found = false_alarms(seeds).unwrap();
            assert!((found - expected).abs() < 1e-6, "{seeds}: {found}");
        }
    }

    #[test]
    fn intervals_have_the_quantiles_of_students_t() {
        assert_eq!(interval(&[1.0]), None);
        // Printed tables: 12.706, 4.303 and 2.262 for 1, 2 and 9 degrees of freedom.
        for (values, quantile) in [
            (vec![0.0, 2.0], 12.706_204_736),
            (vec![1.0, 2.0, 6.0], 4.302_652_730),
            ((0..10).map(f64::from).collect(), 2.262_157_163),
        ] {
            let Spread { mean, standard_deviation } = Spread::of(&values);
            let half = quantile * standard_deviation / (values.len() as f64).sqrt();
            let (low, high) = interval(&values).unwrap();
            assert!((low - (mean - half)).abs() < 1e-8 && (high - (mean + half)).abs() < 1e-8);
        }
    }
}
