//! Student's t: how far a mean of a few values may be off.

use super::spread::Spread;

/// The interval that holds the mean in 95 of 100 cases, by Student's t. Takes the values to be normally
/// distributed. `None` of fewer than two.
pub(super) fn interval(values: &[f64]) -> Option<(f64, f64)> {
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
pub(super) fn farther_out(distance: f64, freedom: usize) -> f64 {
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
