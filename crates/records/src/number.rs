//! Numbers as readers see them. What was not measured, or is not finite, is a dash.

/// Stands for a value that is absent.
pub const ABSENT: &str = "—";

/// A fraction in percent with two decimals: `99.41 %`.
pub fn percent(fraction: impl Into<Option<f64>>) -> String {
    finite(fraction).map_or(ABSENT.into(), |f| format!("{} %", decimals(100.0 * f, 2)))
}

/// A fraction in percent with two decimals, for a column that has the unit in its head: `99.41`.
pub fn bare_percent(fraction: impl Into<Option<f64>>) -> String {
    finite(fraction).map_or(ABSENT.into(), |f| decimals(100.0 * f, 2))
}

/// A difference of fractions in percentage points, with its sign: `+0.31 points`.
pub fn points(fraction: impl Into<Option<f64>>) -> String {
    finite(fraction).map_or(ABSENT.into(), |f| format!("{} points", signed(100.0 * f)))
}

/// A difference of fractions in percentage points, for a column: `+0.31`.
pub fn bare_points(fraction: impl Into<Option<f64>>) -> String {
    finite(fraction).map_or(ABSENT.into(), |f| signed(100.0 * f))
}

/// A loss with four decimals, or three digits where those would be lost.
pub fn loss(value: impl Into<Option<f64>>) -> String {
    finite(value).map_or(ABSENT.into(), |v| {
        if v != 0.0 && v.abs() < 0.001 { scientific(v) } else { decimals(v, 4) }
    })
}

/// Seconds as `123 s`, from ten minutes on as `1 h 02 min`.
pub fn duration(seconds: impl Into<Option<f64>>) -> String {
    let Some(seconds) = finite(seconds).filter(|s| *s >= 0.0) else { return ABSENT.into() };
    let minutes = (seconds / 60.0).round() as u64;
    match seconds {
        s if s < 10.0 => format!("{s:.1} s"),
        s if s < 600.0 => format!("{s:.0} s"),
        _ if minutes < 60 => format!("{minutes} min"),
        _ => format!("{} h {:02} min", count(minutes / 60), minutes % 60),
    }
}

/// A whole number with a comma between thousands: `431,080`.
pub fn count(value: u64) -> String {
    group(&value.to_string())
}

/// So many of what `one` is called, a noun with a regular plural: `1 image`, `1,200 images`, `0 batches`.
pub fn counted(number: usize, one: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        number => format!("{} {}", count(number as u64), plural(one)),
    }
}

fn plural(one: &str) -> String {
    match one.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
        _ if one.ends_with("epoch") => format!("{one}s"),
        _ if ["s", "x", "ch", "sh"].iter().any(|ending| one.ends_with(ending)) => {
            format!("{one}es")
        }
        _ => format!("{one}s"),
    }
}

/// `one` where it is of a single thing, else `several`: `is`, `are`.
pub fn either<'a>(number: usize, one: &'a str, several: &'a str) -> &'a str {
    if number == 1 { one } else { several }
}

/// Threads that computed: `1 thread`, `2 threads`.
pub fn threads(number: usize) -> String {
    counted(number, "thread")
}

/// Epochs: `1 epoch`, `2 epochs`.
pub fn epochs(number: usize) -> String {
    counted(number, "epoch")
}

/// How often something was: `once`, `3 times`, `never`.
pub fn how_often(number: usize) -> String {
    match number {
        0 => "never".into(),
        1 => "once".into(),
        number => format!("{} times", count(number as u64)),
    }
}

/// A rate to the nearest whole number: `4,381`.
pub fn rate(value: impl Into<Option<f64>>) -> String {
    finite(value).map_or(ABSENT.into(), |v| decimals(v, 0))
}

/// A tick's value with as many decimals as its `step` needs.
pub fn with_step(value: f64, step: f64) -> String {
    // The step of 0.2 must not become 0.200000001's five decimals, nor 1e-9 ten zeros.
    let places = (-(step.log10() + 1e-9).floor()).max(0.0);
    if places > 5.0 || value.abs() >= 1e7 {
        return scientific(value);
    }
    decimals(value, places as usize)
}

/// A number in as few digits as tell it from its round neighbours: `0.05`, `10⁻⁷`.
pub fn short(value: f64) -> String {
    if value == 0.0 || (1e-4..1e5).contains(&value.abs()) {
        let text = format!("{value}");
        return decimals(value, text.split('.').nth(1).map_or(0, str::len));
    }
    scientific(value)
}

/// A number as power of ten, with up to three digits: `2·10⁻⁵`.
pub fn scientific(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return if value == 0.0 { "0".into() } else { ABSENT.into() };
    }
    let text = format!("{value:.2e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let mantissa = mantissa.trim_end_matches('0').trim_end_matches('.').replace('-', "−");
    if exponent == "0" {
        return mantissa;
    }
    let exponent: String = exponent.chars().map(superscript).collect();
    match mantissa.as_str() {
        "1" => format!("10{exponent}"),
        "−1" => format!("−10{exponent}"),
        _ => format!("{mantissa}·10{exponent}"),
    }
}

fn superscript(character: char) -> char {
    match character {
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        '-' => '⁻',
        digit => digit.to_digit(10).and_then(|d| char::from_u32(0x2070 + d)).unwrap_or(digit),
    }
}

fn finite(value: impl Into<Option<f64>>) -> Option<f64> {
    value.into().filter(|value| value.is_finite())
}

fn signed(value: f64) -> String {
    signed_decimals(value, 2)
}

/// A number with its sign and `places` decimals: `+0.31`, `−0.31`, `0.00`.
pub fn signed_decimals(value: impl Into<Option<f64>>, places: usize) -> String {
    let Some(value) = finite(value) else { return ABSENT.into() };
    let text = decimals(value, places);
    let is_zero = !text.contains(|character: char| ('1'..='9').contains(&character));
    if text.starts_with('−') || is_zero { text } else { format!("+{text}") }
}

/// The p of a test with three decimals, `0.013`; below 0.001 that it is so, `<0.001`.
pub fn p_value(p: impl Into<Option<f64>>) -> String {
    match finite(p) {
        Some(p) if p < 0.001 => "<0.001".into(),
        Some(p) => decimals(p, 3),
        None => ABSENT.into(),
    }
}

/// How many times as much: `×1.3`, from 10 on `×23`.
pub fn times(ratio: impl Into<Option<f64>>) -> String {
    finite(ratio).map_or(ABSENT.into(), |r| format!("×{}", decimals(r, usize::from(r < 9.95))))
}

/// A number with `places` decimals, commas between thousands, a real minus, and no `−0`.
pub fn decimals(value: f64, places: usize) -> String {
    let text = format!("{:.places$}", value.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let negative = value < 0.0 && text.chars().any(|c| ('1'..='9').contains(&c));
    let mut out = String::from(if negative { "−" } else { "" });
    out += &group(whole);
    if !fraction.is_empty() {
        out.push('.');
        out += fraction;
    }
    out
}

fn group(digits: &str) -> String {
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Seconds as a person reads them: `0.4 s`, `59 s`, `12:03`, `1:02:03`.
pub fn clock(seconds: f64) -> String {
    if seconds < 10.0 {
        return format!("{seconds:.1} s");
    }
    let whole = std::time::Duration::from_secs_f64(seconds.min(1e9)).as_secs_f64().round() as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m}:{s:02}"),
        (h, m, s) => format!("{h}:{m:02}:{s:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accuracies_and_gaps_have_two_decimals_and_a_unit() {
        assert_eq!(percent(0.9941), "99.41 %");
        assert_eq!(percent(1.0), "100.00 %");
        assert_eq!(points(0.0031), "+0.31 points");
        assert_eq!(points(-0.0031), "−0.31 points");
        assert_eq!(points(-0.000_001), "0.00 points");
    }

    #[test]
    fn differences_have_a_sign_and_probabilities_three_decimals() {
        assert_eq!(signed_decimals(0.0123, 3), "+0.012");
        assert_eq!(signed_decimals(-0.0004, 3), "0.000");
        assert_eq!(signed_decimals(-1234.5, 1), "−1,234.5");
        assert_eq!(signed_decimals(f64::NAN, 3), ABSENT);
        assert_eq!([0.0004, 0.001, 0.25, 1.0].map(p_value), ["<0.001", "0.001", "0.250", "1.000"]);
        assert_eq!(p_value(None), ABSENT);
        assert_eq!(
            [0.27, 1.04, 9.94, 9.96, 23.4].map(times),
            ["×0.3", "×1.0", "×9.9", "×10", "×23"]
        );
        assert_eq!(times(f64::INFINITY), ABSENT);
    }

    #[test]
    fn what_is_absent_or_not_finite_is_a_dash() {
        assert_eq!(percent(None), ABSENT);
        assert_eq!(percent(f64::NAN), ABSENT);
        assert_eq!(loss(f64::INFINITY), ABSENT);
        assert_eq!(duration(f64::NAN), ABSENT);
        assert_eq!(rate(None), ABSENT);
    }

    #[test]
    fn large_and_small_numbers_stay_readable() {
        assert_eq!(count(431_080), "431,080");
        assert_eq!(count(999), "999");
        assert_eq!(short(0.05), "0.05");
        assert_eq!(short(1e-7), "10⁻⁷");
        assert_eq!(short(2e-5), "2·10⁻⁵");
        assert_eq!(scientific(-1234.0), "−1.23·10³");
        assert_eq!(loss(0.00012), "1.2·10⁻⁴");
        assert_eq!(loss(0.0189), "0.0189");
    }

    #[test]
    fn what_is_one_stands_in_the_singular() {
        assert_eq!([0, 1, 2].map(|it| counted(it, "image")), ["0 images", "1 image", "2 images"]);
        assert_eq!(counted(1200, "test image"), "1,200 test images");
        let nouns = ["batch", "copy", "day", "access"].map(|noun| counted(2, noun));
        assert_eq!(nouns, ["2 batches", "2 copies", "2 days", "2 accesses"]);
        assert_eq!([0, 1, 2].map(|it| either(it, "is", "are")), ["are", "is", "are"]);
        assert_eq!([0, 1, 1200].map(how_often), ["never", "once", "1,200 times"]);
        assert_eq!((threads(1), threads(16)), ("1 thread".into(), "16 threads".into()));
        assert_eq!((epochs(1), epochs(0)), ("1 epoch".into(), "0 epochs".into()));
    }

    #[test]
    fn durations_grow_with_their_unit() {
        assert_eq!(duration(1.24), "1.2 s");
        assert_eq!(duration(123.4), "123 s");
        assert_eq!(duration(1260.0), "21 min");
        assert_eq!(duration(3720.0), "1 h 02 min");
    }

    #[test]
    fn times_are_shown_as_people_read_them() {
        let shown = [0.42, 59.0, 723.0, 3723.4].map(clock);
        assert_eq!(shown, ["0.4 s", "59 s", "12:03", "1:02:03"]);
    }
}
