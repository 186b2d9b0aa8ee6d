//! How many seeds it takes to see a difference, told before they are trained.
//!
//! All of it is about the paired t-test ([`PairedT`](super::PairedT)) of differences that are normally distributed with
//! a standard deviation `sd`. Functions without a level are of a single test at [`LEVEL`]; of m arms by Holm's
//! procedure, `LEVEL / m` is the most careful answer.

use serde::Serialize;
use statrs::distribution::{ChiSquared, ContinuousCDF, Normal};

use super::noncentral_t::farther_out;
use super::spread::Spread;
pub use super::student::LEVEL;
use super::student::critical;

/// The chance to see a difference that is usually asked for.
///
/// Cohen, "Statistical Power Analysis for the Behavioral Sciences", 1988, p. 56.
pub const POWER: f64 = 0.8;

/// More seeds than these are not counted.
pub const MOST_SEEDS: usize = 10_000;

/// How often the range of a [`Forecast`] holds the number of seeds that it takes, if the differences are normally
/// distributed.
pub const RANGE: f64 = 0.9;

/// The chance that `n` seeds show a true `difference`, in either direction, in `[0, 1]`; 0 of fewer than two seeds.
/// NaN if `difference` or `sd` is, and if both are 0.
pub fn power_of_paired_t(n: usize, difference: f64, sd: f64) -> f64 {
    power_at_level(n, difference, sd, LEVEL)
}

/// [`power_of_paired_t`] at a level in `(0, 1)`.
pub fn power_at_level(n: usize, difference: f64, sd: f64, level: f64) -> f64 {
    let effect = (difference / sd).abs();
    match n {
        _ if effect.is_nan() => f64::NAN,
        0 | 1 => 0.0,
        _ if effect.is_infinite() => 1.0,
        _ => power_of_effect(n, effect, level),
    }
}

/// The fewest seeds that show a true `difference` with a chance of `power`, in `(0, 1)`. `None` if they are more than
/// [`MOST_SEEDS`], as for no difference, and of what is not a number.
pub fn seeds_needed(difference: f64, sd: f64, power: f64) -> Option<usize> {
    seeds_needed_at_level(difference, sd, power, LEVEL)
}

/// [`seeds_needed`] at a level in `(0, 1)`.
pub fn seeds_needed_at_level(difference: f64, sd: f64, power: f64, level: f64) -> Option<usize> {
    let effect = (difference / sd).abs();
    let is_enough = |n: usize| power_at_level(n, difference, sd, level) >= power;
    if effect.is_nan() || !is_share(power) || !is_share(level) {
        return None;
    }
    // What a known spread would take, and a little more because it is not: seldom off by more than one or two.
    // Guenther, Sample size formulas for normal theory t tests, 1981.
    let normal = Normal::standard();
    let (beyond, within) = (-normal.inverse_cdf(level / 2.0), normal.inverse_cdf(power));
    let guess = ((beyond + within) / effect).powi(2) + beyond.powi(2) / 2.0;
    if guess > MOST_SEEDS as f64 {
        return None;
    }
    let mut seeds = (guess as usize).max(2);
    while seeds <= MOST_SEEDS && !is_enough(seeds) {
        seeds += 1;
    }
    while seeds > 2 && is_enough(seeds - 1) {
        seeds -= 1;
    }
    (seeds <= MOST_SEEDS).then_some(seeds)
}

/// The smallest true difference that `n` seeds would have shown with a chance of `power`, in `(0, 1)`, in the unit of
/// `sd`. NaN of fewer than two seeds and of what is not a number.
pub fn detectable(n: usize, sd: f64, power: f64) -> f64 {
    detectable_at_level(n, sd, power, LEVEL)
}

/// [`detectable`] at a level in `(0, 1)`.
pub fn detectable_at_level(n: usize, sd: f64, power: f64, level: f64) -> f64 {
    if n < 2 || !is_share(power) || !is_share(level) {
        return f64::NAN;
    }
    let is_enough = |effect: f64| power_of_effect(n, effect, level) >= power;
    let mut high = 1.0;
    while !is_enough(high) {
        high *= 2.0;
    }
    let mut low = 0.0;
    // Until the two are neighbours but for the last digits.
    for _ in 0..48 {
        let middle = f64::midpoint(low, high);
        if is_enough(middle) { high = middle } else { low = middle }
    }
    high * sd
}

/// Power for a difference of so many standard deviations, finite and not negative.
fn power_of_effect(n: usize, effect: f64, level: f64) -> f64 {
    let freedom = (n - 1) as f64;
    farther_out(critical(level, freedom), freedom, effect * (n as f64).sqrt())
}

fn is_share(value: f64) -> bool {
    value > 0.0 && value < 1.0
}

/// How many seeds will show the difference that one cares about, told by the first of them.
///
/// How far differences by seed spread is all that the first seeds are asked; how large they are would say more than is
/// known, and choose what one is glad to find. Few seeds know their spread badly, so that the range is wide: with five
/// its ends are 13 times apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Forecast {
    /// As many as the standard deviation seen takes, at most [`MOST_SEEDS`].
    pub seeds: usize,
    /// As many as the low end of the standard deviation's interval takes.
    pub low: usize,
    /// As many as its high end takes, at most [`MOST_SEEDS`], which then stands for more.
    pub high: usize,
}

impl Forecast {
    /// What `by_seed`, differences so far, tell of the seeds that show a true difference of `detect` with a chance of
    /// `power`, in `(0, 1)`. The range comes from the [`RANGE`] interval of the standard deviation by χ². `None` of
    /// fewer than three differences, of such as are not numbers or all equal, and of a `detect` of 0.
    pub fn of(by_seed: &[f64], detect: f64, power: f64) -> Option<Self> {
        Self::at_level(by_seed, detect, power, LEVEL)
    }

    /// [`of`](Self::of) at a level in `(0, 1)`.
    pub fn at_level(by_seed: &[f64], detect: f64, power: f64, level: f64) -> Option<Self> {
        let sd = Spread::of(by_seed).standard_deviation;
        let is_usable = sd > 0.0 && sd.is_finite() && detect.is_finite() && detect != 0.0;
        if by_seed.len() < 3 || !is_usable || !is_share(power) || !is_share(level) {
            return None;
        }
        let freedom = by_seed.len() as f64 - 1.0;
        let squares = ChiSquared::new(freedom).ok()?;
        let end = |share: f64| sd * (freedom / squares.inverse_cdf(share)).sqrt();
        let needed = |sd| seeds_needed_at_level(detect, sd, power, level).unwrap_or(MOST_SEEDS);
        let outside = (1.0 - RANGE) / 2.0;
        Some(Self {
            seeds: needed(sd),
            low: needed(end(1.0 - outside)),
            high: needed(end(outside)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::draws::Draws;
    use super::super::reference::{cases, close_to, number};
    use super::*;

    #[test]
    fn power_is_that_of_scipys_noncentral_t() {
        for case in cases("power") {
            let n = number(&case, "n") as usize;
            let [difference, sd, level] =
                ["difference", "sd", "level"].map(|name| number(&case, name));
            let found = power_at_level(n, difference, sd, level);
            close_to(found, number(&case, "power"), 1e-9);
            assert_eq!(power_at_level(n, -difference, sd, level), found);
        }
    }

    #[test]
    fn seeds_needed_are_those_that_trying_one_after_another_finds() {
        for case in cases("seeds_needed") {
            let [difference, sd, power, level] =
                ["difference", "sd", "power", "level"].map(|name| number(&case, name));
            let found = seeds_needed_at_level(difference, sd, power, level).unwrap();
            assert_eq!(found, number(&case, "seeds") as usize, "{case}");
        }
    }

    #[test]
    fn what_is_detectable_has_the_power_asked_for() {
        for case in cases("detectable") {
            let n = number(&case, "n") as usize;
            let [sd, power, level] = ["sd", "power", "level"].map(|name| number(&case, name));
            let found = detectable_at_level(n, sd, power, level);
            let expected = number(&case, "difference");
            close_to(found, expected, 1e-7 * expected);
            close_to(power_at_level(n, found, sd, level), power, 1e-9);
        }
    }

    #[test]
    fn without_an_effect_power_is_the_level_and_without_a_spread_all() {
        for n in [2, 3, 10, 1000] {
            close_to(power_of_paired_t(n, 0.0, 1.0), LEVEL, 1e-9);
            assert_eq!(power_of_paired_t(n, 0.1, 0.0), 1.0);
        }
        assert_eq!(power_of_paired_t(1, 5.0, 1.0), 0.0);
        assert!(power_of_paired_t(5, 0.0, 0.0).is_nan());
        assert_eq!(seeds_needed(0.1, 0.0, POWER), Some(2));
        assert_eq!(detectable(5, 0.0, POWER), 0.0);
    }

    #[test]
    fn what_no_number_of_seeds_shows_has_no_number() {
        for (difference, sd, power) in [
            (0.0, 1.0, POWER),
            (1e-4, 1.0, POWER),
            (f64::NAN, 1.0, POWER),
            (0.0, 0.0, POWER),
            (1.0, 1.0, 1.0),
            (1.0, 1.0, f64::NAN),
        ] {
            assert_eq!(seeds_needed(difference, sd, power), None, "{difference} {sd} {power}");
        }
        assert!(detectable(1, 1.0, POWER).is_nan() && detectable(5, 1.0, 0.0).is_nan());
        assert!(detectable(5, f64::NAN, POWER).is_nan());
    }

    #[test]
    fn quantiles_of_chi_squared_are_those_of_scipy() {
        for case in cases("chi_squared") {
            let [freedom, share, quantile] =
                ["freedom", "share", "quantile"].map(|name| number(&case, name));
            close_to(ChiSquared::new(freedom).unwrap().inverse_cdf(share), quantile, 1e-9);
        }
    }

    #[test]
    fn a_forecast_holds_the_seeds_that_the_true_spread_takes() {
        let repetitions = 400;
        let mut draws = Draws::of(5);
        for (pilots, detect) in [(5, 1.0), (8, 0.6)] {
            let need = seeds_needed(detect, 1.0, POWER).unwrap();
            let mut forecast = || {
                let by_seed: Vec<f64> = (0..pilots).map(|_| draws.normal()).collect();
                Forecast::of(&by_seed, detect, POWER).unwrap()
            };
            let forecasts: Vec<Forecast> = (0..repetitions).map(|_| forecast()).collect();
            let holds = |it: &&Forecast| it.low <= need && need <= it.high;
            let held = forecasts.iter().filter(holds).count();
            assert!(held * 100 >= 85 * repetitions, "{pilots}: {held} of {repetitions}");
            let mut ratios: Vec<f64> =
                forecasts.iter().map(|it| it.seeds as f64 / need as f64).collect();
            ratios.sort_by(f64::total_cmp);
            let median = ratios[repetitions / 2];
            assert!((1.0 / 1.5..1.5).contains(&median), "{pilots}: {median}");
        }
    }

    #[test]
    fn a_forecast_narrows_with_what_is_known_and_needs_three_differences() {
        let width = |forecast: Forecast| forecast.high as f64 / forecast.low as f64;
        let by_seed: Vec<f64> = (0..40).map(|seed| f64::from(seed % 2)).collect();
        let few = Forecast::of(&by_seed[..4], 0.3, POWER).unwrap();
        let many = Forecast::of(&by_seed, 0.3, POWER).unwrap();
        assert!(few.low < few.seeds && few.seeds < few.high && width(many) < width(few) / 3.0);
        assert!(Forecast::at_level(&by_seed, 0.3, POWER, 0.01).unwrap().seeds > many.seeds);
        assert_eq!(Forecast::of(&by_seed[..4], 1e-6, POWER).unwrap().high, MOST_SEEDS);
        for (by_seed, detect) in [
            (vec![0.1, 0.2], 0.3),
            (vec![0.5; 4], 0.3),
            (vec![0.1, f64::NAN, 0.2], 0.3),
            (vec![0.1, 0.3, 0.2], 0.0),
        ] {
            assert_eq!(Forecast::of(&by_seed, detect, POWER), None, "{by_seed:?}");
        }
    }
}
