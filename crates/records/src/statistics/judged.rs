//! Whether a difference is more than chance: one verdict, whatever it rests on.

use serde::Serialize;

use super::spread::{Spread, standard_error};
use super::student::interval;
use super::verdict::{Better, Verdict};

/// What a verdict rests on: the numbers at hand, and how much of a difference they put down to chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// Differences by seed, and the 95 % interval of their mean by Student's t. For any number of runs: of an
    /// effect as large as the spread, the more runs there are, the surer one has the other sign.
    Seeds,
    /// Differences by seed, all of one sign, and two standard errors of their mean. For few runs.
    SeedsOfOneSign,
    /// Two means over runs that are not pairs, and two standard errors of their difference.
    Means,
    /// One run each, and two standard errors that the choice of the images alone gives: all that is known of
    /// chance then.
    Images,
    /// The answers of one run each to the same images, by McNemar's test: as many of the images that only one of
    /// the two gets right would go to either by chance, give or take twice the root of their number.
    ///
    /// McNemar, [Note on the sampling error of the difference between correlated proportions](
    /// https://doi.org/10.1007/BF02295996), 1947.
    Answers,
    /// Runs drawn again with replacement, and the interval that holds 95 of 100 differences of such draws.
    ///
    /// Efron, [Bootstrap Methods](https://doi.org/10.1214/aos/1176344552), 1979.
    Redrawn,
}

impl Basis {
    /// What a difference must be to count, in words.
    pub fn rule(self) -> &'static str {
        match self {
            Self::Seeds => "a 95 % interval, by Student's t, that leaves out 0",
            Self::SeedsOfOneSign => {
                "more than 2 standard errors on average, and the same sign in every seed"
            }
            Self::Means => "more than 2 standard errors of the difference of the means",
            Self::Images => "more than 2 standard errors that the choice of the images gives",
            Self::Answers => {
                "more than twice the root of the number of images that only one gets right"
            }
            Self::Redrawn => "a 95 % interval, of runs drawn again, that leaves out 0",
        }
    }
}

/// A difference of a score between two arms, the second less the first, and whether it is more than chance.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Judged {
    /// The difference; NaN of nothing.
    pub difference: f64,
    /// What chance leaves open, from low to high; `None` if too little was measured to tell.
    pub interval: Option<(f64, f64)>,
    /// What it comes to: clear if the interval leaves out 0, unless the basis asks for more.
    pub verdict: Verdict,
    /// What that rests on.
    pub basis: Basis,
}

impl Judged {
    /// Mean of differences between arms that were run with the same seeds; see [`Basis::Seeds`]. Of one seed
    /// nothing is clear.
    pub fn by_seeds(by_seed: &[f64], better: Better) -> Self {
        let difference = Spread::of(by_seed).mean;
        Self::by_interval(difference, interval(by_seed), better, Basis::Seeds)
    }

    /// Mean of differences between arms that were run with the same seeds; see [`Basis::SeedsOfOneSign`]. Of one
    /// seed nothing is clear.
    pub fn by_seeds_of_one_sign(by_seed: &[f64], better: Better) -> Self {
        let (difference, margin) = (Spread::of(by_seed).mean, 2.0 * standard_error(by_seed));
        let judged = Self::by_margin(difference, margin, better, Basis::SeedsOfOneSign);
        let all = |sign: f64| by_seed.iter().all(|difference| difference * sign > 0.0);
        if all(1.0) || all(-1.0) {
            return judged;
        }
        Self { verdict: Verdict::NoClearEffect, ..judged }
    }

    /// A difference of two means, given the squares of their standard errors; see [`Basis::Means`].
    pub fn by_means(difference: f64, squared_errors: [f64; 2], better: Better) -> Self {
        let [from, to] = squared_errors;
        Self::by_margin(difference, 2.0 * (from + to).sqrt(), better, Basis::Means)
    }

    /// A difference between one run each, given its standard error by the choice of images; see [`Basis::Images`].
    pub fn by_images(difference: f64, standard_error: f64, better: Better) -> Self {
        Self::by_margin(difference, 2.0 * standard_error, better, Basis::Images)
    }

    /// A difference in accuracy between one run each. `only_one_right`: of so many `images`, those that only the
    /// first gets right, and those that only the second does; see [`Basis::Answers`].
    pub fn by_answers([first, second]: [usize; 2], images: usize, better: Better) -> Self {
        // Subtracted as whole numbers, so that as much as the margin is not taken for more.
        let difference = second as f64 - first as f64;
        let margin = 2.0 * ((first + second) as f64).sqrt();
        let share = |count: f64| count / images as f64;
        Self::by_margin(share(difference), share(margin), better, Basis::Answers)
    }

    /// A difference of which chance leaves this much open to either side.
    pub fn by_margin(difference: f64, margin: f64, better: Better, basis: Basis) -> Self {
        let interval = (difference - margin, difference + margin);
        Self::by_interval(difference, Some(interval), better, basis)
    }

    /// A difference of which chance leaves an interval open. One without finite ends is none.
    pub fn by_interval(
        difference: f64,
        interval: Option<(f64, f64)>,
        better: Better,
        basis: Basis,
    ) -> Self {
        let interval = interval.filter(|(low, high)| low.is_finite() && high.is_finite());
        let verdict = match (interval, better) {
            (Some((low, _)), Better::Higher) if low > 0.0 => Verdict::Better,
            (Some((low, _)), Better::Lower) if low > 0.0 => Verdict::Worse,
            (Some((_, high)), Better::Higher) if high < 0.0 => Verdict::Worse,
            (Some((_, high)), Better::Lower) if high < 0.0 => Verdict::Better,
            _ => Verdict::NoClearEffect,
        };
        Self { difference, interval, verdict, basis }
    }

    /// Whether the difference is more than chance.
    pub fn is_clear(&self) -> bool {
        self.verdict != Verdict::NoClearEffect
    }

    /// One of three words: for clearly more, for clearly less, and for a difference that may be chance.
    pub fn word<'a>(&self, [more, less, unclear]: [&'a str; 3]) -> &'a str {
        match (self.is_clear(), self.difference > 0.0) {
            (false, _) => unclear,
            (true, true) => more,
            (true, false) => less,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Better::{Higher, Lower};

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
    }

    #[test]
    fn a_verdict_knows_which_side_is_better_and_needs_an_interval_without_zero() {
        let verdict = |low, high, better| {
            let difference = f64::midpoint(low, high);
            Judged::by_interval(difference, Some((low, high)), better, Basis::Redrawn).verdict
        };
        assert_eq!(verdict(0.1, 0.3, Higher), Verdict::Better);
        assert_eq!(verdict(0.1, 0.3, Lower), Verdict::Worse);
        assert_eq!(verdict(-0.3, -0.1, Higher), Verdict::Worse);
        assert_eq!(verdict(-0.3, -0.1, Lower), Verdict::Better);
        for (low, high) in [(-0.1, 0.3), (0.0, 0.3), (-0.3, 0.0), (0.0, 0.0)] {
            assert_eq!(verdict(low, high, Higher), Verdict::NoClearEffect, "{low} to {high}");
        }
    }

    #[test]
    fn what_is_not_a_number_has_no_interval_and_is_not_clear() {
        for judged in [
            Judged::by_seeds(&[0.1, f64::NAN], Higher),
            Judged::by_seeds(&[f64::INFINITY, f64::INFINITY], Higher),
            Judged::by_seeds(&[], Higher),
            Judged::by_seeds_of_one_sign(&[0.5], Higher),
            Judged::by_means(f64::NAN, [0.0, 0.0], Higher),
            Judged::by_means(0.5, [f64::NAN, 0.0], Higher),
            Judged::by_images(0.5, f64::INFINITY, Higher),
            Judged::by_answers([0, 0], 0, Higher),
        ] {
            assert_eq!((judged.interval, judged.is_clear()), (None, false), "{judged:?}");
        }
    }

    #[test]
    fn by_seeds_the_interval_is_students_and_may_hold_another_sign() {
        // Mean 1.76, standard error 0.546: 1.76 ± 1.52 with Student's 2.776 for 4 degrees of freedom.
        let mixed = [-0.4, 2.2, 2.2, 2.2, 2.6];
        let judged = Judged::by_seeds(&mixed, Higher);
        assert_eq!((judged.interval, judged.verdict), (interval(&mixed), Verdict::Better));
        close(judged.difference, 1.76);
        // Of one sign, but 2 ± 2.48 with 4.303 for 2 degrees of freedom.
        assert!(!Judged::by_seeds(&[1.0, 2.0, 3.0], Higher).is_clear());
        assert_eq!(Judged::by_seeds_of_one_sign(&[1.0, 2.0, 3.0], Higher).verdict, Verdict::Better);
    }

    #[test]
    fn by_seeds_of_one_sign_size_alone_is_not_enough() {
        let mixed = [-0.4, 2.2, 2.2, 2.2, 2.6];
        let judged = Judged::by_seeds_of_one_sign(&mixed, Higher);
        let (low, _) = judged.interval.unwrap();
        assert!(low > 0.0 && !judged.is_clear(), "{judged:?}");
        // Mean 1, standard error 0.611: one sign, but too little.
        assert!(!Judged::by_seeds_of_one_sign(&[0.2, 0.6, 2.2], Higher).is_clear());
        assert!(!Judged::by_seeds_of_one_sign(&[0.0, 0.0, 0.0], Higher).is_clear());
    }

    #[test]
    fn means_and_shares_of_images_differ_beyond_two_standard_errors() {
        // Squares 0.5 and 0.5: a standard error of 1.
        let by_means = |difference| Judged::by_means(difference, [0.5, 0.5], Lower);
        assert_eq!(by_means(2.1).verdict, Verdict::Worse);
        assert_eq!(by_means(-2.1).verdict, Verdict::Better);
        assert!(!by_means(2.0).is_clear() && !by_means(-2.0).is_clear(), "as much is not more");
        assert_eq!(by_means(2.5).interval, Some((0.5, 4.5)));
        assert!(Judged::by_images(0.02, 0.0099, Higher).is_clear());
        assert!(!Judged::by_images(0.02, 0.01, Higher).is_clear());
    }

    #[test]
    fn answers_count_that_only_one_of_two_networks_gets_right() {
        let is_clear = |first, second| {
            let clear = [3, 100, 997, 10_000, 60_000]
                .map(|images| Judged::by_answers([first, second], images, Higher).is_clear());
            assert!(clear.iter().all(|one| *one == clear[0]), "{first} {second}: {clear:?}");
            clear[0]
        };
        assert!(!is_clear(0, 0));
        assert!(!is_clear(4, 0) && !is_clear(0, 4), "4 is 2·√4");
        assert!(is_clear(5, 0) && is_clear(0, 5));
        assert!(!is_clear(60, 40) && !is_clear(40, 60), "20 is 2·√100");
        assert!(is_clear(61, 40));
        let judged = Judged::by_answers([0, 9], 100, Higher);
        close(judged.difference, 0.09);
        assert_eq!(judged.verdict, Verdict::Better);
        assert_eq!(Judged::by_answers([9, 0], 100, Higher).verdict, Verdict::Worse);
    }

    #[test]
    fn a_word_tells_the_direction_whatever_is_better() {
        let words = ["rises", "falls", "may be chance"];
        for better in [Higher, Lower] {
            let word =
                |difference| Judged::by_margin(difference, 1.0, better, Basis::Images).word(words);
            assert_eq!([word(1.5), word(-1.5), word(0.5)], words);
        }
    }

    #[test]
    fn json_has_all_four_parts() {
        let judged = Judged::by_means(2.5, [0.5, 0.5], Higher);
        assert_eq!(
            serde_json::to_value(judged).unwrap(),
            serde_json::json!({
                "difference": 2.5, "interval": [0.5, 4.5], "verdict": "better", "basis": "means"
            })
        );
    }
}
