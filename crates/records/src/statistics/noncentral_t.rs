//! Student's t where there is an effect.

use statrs::function::erf::erfc;
use statrs::function::gamma::ln_gamma;

/// `P(|t| > distance)` of Student's t with `freedom` degrees of freedom and noncentrality δ, the true mean in standard
/// errors. With `δ = 0` it is that of Student's t.
///
/// `t = (Z + δ) / S` with a normal Z and `S = √(χ²_ν / ν)`, whose density is
/// `f(s) = 2 (ν/2)^(ν/2) / Γ(ν/2) · s^(ν−1) · e^(−ν s²/2)`, so that the chance is
/// `∫ f(s) (Φ(δ − distance · s) + Φ(−δ − distance · s)) ds`: integrated by Gauss and Legendre's five points on steps
/// of half the narrower of the two scales, the density's and Φ's, which is exact to ten digits.
pub(super) fn farther_out(distance: f64, freedom: f64, noncentrality: f64) -> f64 {
    let normalization =
        2.0_f64.ln() + freedom / 2.0 * (freedom / 2.0).ln() - ln_gamma(freedom / 2.0);
    let height = |s: f64| {
        let density = (normalization + (freedom - 1.0) * s.ln() - freedom / 2.0 * s * s).exp();
        density * (normal(noncentrality - distance * s) + normal(-noncentrality - distance * s))
    };
    // Outside, the density adds up to less than 1e-13.
    let reach = 8.0 / freedom.sqrt();
    let (low, high) = ((1.0 - reach).max(0.0), 1.0 + reach);
    let scale = 1.0 / distance.abs().max((2.0 * freedom).sqrt());
    let steps = ((high - low) / (scale / 2.0)).ceil().clamp(1.0, 1e6) as usize;
    let half = (high - low) / steps as f64 / 2.0;
    let step = |index: usize| {
        let middle = low + (2 * index + 1) as f64 * half;
        POINTS.iter().map(|(at, weight)| weight * height(middle + at * half)).sum::<f64>()
    };
    (half * (0..steps).map(step).sum::<f64>()).min(1.0)
}

/// Gauss and Legendre's points in `[−1, 1]` and their weights: `±⅓ √(5 ± 2√(10/7))`, `(322 ∓ 13√70) / 900`.
///
/// Abramowitz and Stegun, "Handbook of Mathematical Functions", 1964, 25.4.30.
const POINTS: [(f64, f64); 5] = [
    (-0.906_179_845_938_664, 0.236_926_885_056_189_1),
    (-0.538_469_310_105_683_1, 0.478_628_670_499_366_5),
    (0.0, 0.568_888_888_888_888_9),
    (0.538_469_310_105_683_1, 0.478_628_670_499_366_5),
    (0.906_179_845_938_664, 0.236_926_885_056_189_1),
];

/// The normal distribution's share below `value`.
fn normal(value: f64) -> f64 {
    0.5 * erfc(-value * std::f64::consts::FRAC_1_SQRT_2)
}

#[cfg(test)]
mod tests {
    use super::super::reference::{cases, close_to, number};
    use super::super::student;
    use super::*;

    #[test]
    fn chances_are_those_of_scipys_noncentral_t() {
        for case in cases("noncentral_t") {
            let [distance, freedom, noncentrality] =
                ["distance", "freedom", "noncentrality"].map(|name| number(&case, name));
            let found = farther_out(distance, freedom, noncentrality);
            close_to(found, number(&case, "farther_out"), 1e-9);
        }
    }

    #[test]
    fn without_an_effect_it_is_students_t() {
        for freedom in [1.0, 2.0, 3.0, 9.0, 99.0, 9999.0] {
            for distance in [0.0, 0.3, 2.0, 5.0, 60.0] {
                let found = farther_out(distance, freedom, 0.0);
                close_to(found, student::farther_out(distance, freedom), 1e-9);
            }
        }
    }
}
