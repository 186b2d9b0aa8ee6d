//! Several tests at once.

/// p values such that none of those at or below a level is a false alarm, but for a chance of that level, however
/// many tests there are and however they depend on each other. In the order given; values in `[0, 1]`.
///
/// Of m tests the smallest p counts m times, the next m − 1 times and so on; none counts less than one before it. One
/// that is not a number stays so, and is no test: it does not count among the m.
///
/// Holm, [A simple sequentially rejective multiple test procedure](https://www.jstor.org/stable/4615733), 1979.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<(usize, f64)> =
        p.iter().copied().enumerate().filter(|(_, p)| !p.is_nan()).collect();
    order.sort_by(|(_, a), (_, b)| a.total_cmp(b));
    let (mut adjusted, tests) = (vec![f64::NAN; p.len()], order.len());
    let mut least = 0.0_f64;
    for (rank, (place, p)) in order.into_iter().enumerate() {
        least = least.max((p * (tests - rank) as f64).min(1.0));
        if let Some(found) = adjusted.get_mut(place) {
            *found = least;
        }
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::super::reference::{cases, close_to, numbers};
    use super::*;

    #[test]
    fn adjusted_values_are_those_of_testing_every_intersection() {
        for case in cases("holm") {
            let found = holm(&numbers(&case, "p"));
            for (found, expected) in found.into_iter().zip(numbers(&case, "adjusted")) {
                close_to(found, expected, 1e-15);
            }
        }
    }

    #[test]
    fn one_test_stays_as_it_is_and_what_is_no_test_does_not_count() {
        assert_eq!(holm(&[0.03]), [0.03]);
        assert!(holm(&[]).is_empty());
        let found = holm(&[0.02, f64::NAN, 0.04]);
        assert!(found[0] == 0.04 && found[1].is_nan() && found[2] == 0.04, "{found:?}");
    }
}
