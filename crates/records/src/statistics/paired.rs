//! Differences between arms that were run with the same seeds.

use serde::Serialize;

use super::judged::Judged;
use super::spread::{Spread, standard_error};
use super::student::farther_out;
use super::verdict::{Better, Verdict};

/// Differences of a score between two arms that were run with the same seeds, and so on the same
/// images, in the same order, from the same initial weights.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PairedDifference {
    /// One difference a seed.
    pub by_seed: Vec<f64>,
    /// Mean of the differences.
    pub mean: f64,
    /// Standard error of the mean, `s / √n`; NaN of fewer than two seeds.
    pub standard_error: f64,
    /// What they say.
    pub verdict: Verdict,
}

impl PairedDifference {
    /// What `by_seed` says about a score of which `better` ones are wanted, by
    /// [`Basis::SeedsOfOneSign`](super::Basis::SeedsOfOneSign).
    pub fn of(by_seed: Vec<f64>, better: Better) -> Self {
        let verdict = Judged::by_seeds_of_one_sign(&by_seed, better).verdict;
        let (mean, standard_error) = (Spread::of(&by_seed).mean, standard_error(&by_seed));
        Self { by_seed, mean, standard_error, verdict }
    }
}

/// How often, at most, [`PairedDifference`] calls an arm without any effect better or worse:
/// `P(|t| > 2)` of Student's t with `seeds − 1` degrees of freedom, in `[0, 1]`. Takes differences to
/// be normally distributed. `None` for fewer than two seeds, of which nothing is said.
pub fn false_alarms(seeds: usize) -> Option<f64> {
    let freedom = seeds.checked_sub(1).filter(|freedom| *freedom > 0)?;
    Some(farther_out(2.0, freedom as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
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
    fn one_seed_and_no_difference_at_all_say_nothing() {
        for values in [vec![3.0], vec![0.0, 0.0, 0.0], vec![]] {
            let difference = PairedDifference::of(values, Better::Higher);
            assert_eq!(difference.verdict, Verdict::NoClearEffect);
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
}
