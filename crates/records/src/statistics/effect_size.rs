//! How large an effect is, in units of its own spread.

use statrs::function::gamma::ln_gamma;

use super::spread::Spread;

/// Hedges' g of differences by seed: their mean over their standard deviation (Cohen's d_z), times the correction
/// `J = Γ(ν/2) / (√(ν/2) · Γ((ν − 1)/2))` with `ν = n − 1`, which makes it unbiased; exact, not by `1 − 3/(4ν − 1)`.
///
/// Of the spread *between* seeds it says nothing, which pairing takes out. NaN of fewer than three differences, whose
/// expectation is infinite, of equal ones, and if one is not a number.
///
/// Hedges, [Distribution theory for Glass's estimator of effect size](https://doi.org/10.3102/10769986006002107),
/// 1981; which spread to divide by: Lakens, [Calculating and reporting effect
/// sizes](https://doi.org/10.3389/fpsyg.2013.00863), 2013.
pub fn effect_size(by_seed: &[f64]) -> f64 {
    let Spread { mean, standard_deviation } = Spread::of(by_seed);
    if by_seed.len() < 3 || standard_deviation <= f64::EPSILON * mean.abs() {
        return f64::NAN;
    }
    let freedom = by_seed.len() as f64 - 1.0;
    let gammas = ln_gamma(freedom / 2.0) - ln_gamma((freedom - 1.0) / 2.0);
    mean / standard_deviation * gammas.exp() / (freedom / 2.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::super::reference::{cases, close_to, number, numbers};
    use super::*;

    #[test]
    fn effect_sizes_are_those_of_the_formula_in_scipys_gamma_function() {
        for case in cases("effect_size") {
            close_to(effect_size(&numbers(&case, "by_seed")), number(&case, "g"), 1e-9);
        }
    }

    #[test]
    fn without_a_spread_there_is_no_size() {
        for by_seed in [vec![], vec![1.0], vec![1.0, 2.0], vec![0.5; 4], vec![0.0; 4]] {
            assert!(effect_size(&by_seed).is_nan(), "{by_seed:?}");
        }
        assert!(effect_size(&[0.1, f64::NAN, 0.3]).is_nan());
    }
}
