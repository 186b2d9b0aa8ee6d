//! Cells of tables.

use backburn_records::number;
use backburn_records::statistics::Spread;

/// The mean of values, one a seed; of several with their standard deviation.
pub(crate) fn spread(values: &[f64], format: impl Fn(f64) -> String) -> String {
    let Spread { mean, standard_deviation } = Spread::of(values);
    if standard_deviation.is_finite() {
        format!("{} ± {}", format(mean), format(standard_deviation))
    } else {
        format(mean)
    }
}

/// A number with three digits.
pub(crate) fn three_digits(value: f64) -> String {
    with_digits(value, 3)
}

/// A number with two digits, for where there is little room.
pub(crate) fn two_digits(value: f64) -> String {
    with_digits(value, 2)
}

fn with_digits(value: f64, digits: usize) -> String {
    let rounded = format!("{value:.0$e}", digits - 1).parse();
    number::short(rounded.unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_cut_to_their_digits() {
        assert_eq!(three_digits(0.012_345), "0.0123");
        assert_eq!(three_digits(16_349.0), "16,300");
        assert_eq!(two_digits(1.56e-7), "1.6·10⁻⁷");
        assert_eq!(two_digits(0.0), "0");
    }

    #[test]
    fn one_value_has_no_deviation() {
        assert_eq!(spread(&[2.0], two_digits), "2");
        assert_eq!(spread(&[1.0, 3.0], two_digits), "2 ± 1.4");
    }
}
