//! What a setting is varied over: a range of numbers, or a choice.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use toml::Value;

/// A range of exponents of ten.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Decades {
    /// Exponent of the lowest value.
    pub low: f64,
    /// Exponent of the highest value.
    pub high: f64,
}

impl Decades {
    /// The value at a place from 0 to 1.
    pub fn at(self, place: f64) -> f64 {
        10_f64.powf(self.low + place * (self.high - self.low))
    }

    /// The range of `values`, which are positive.
    pub fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        let exponents = values.map(f64::log10);
        Self {
            low: exponents.clone().fold(f64::INFINITY, f64::min),
            high: exponents.fold(f64::NEG_INFINITY, f64::max),
        }
    }
}

/// What a setting is varied over. Places in it are from 0, the low end, to 1, the high end, both included.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub enum Range {
    /// All numbers from `low` to `high`.
    Linear {
        /// The lowest.
        low: f64,
        /// The highest.
        high: f64,
    },
    /// All numbers from `low` to `high`, which are positive: equal ratios are equally likely.
    Log {
        /// The lowest.
        low: f64,
        /// The highest.
        high: f64,
    },
    /// Whole numbers from `low` to `high`.
    Integer {
        /// The lowest.
        low: i64,
        /// The highest.
        high: i64,
    },
    /// Whole numbers from `low` to `high`, which are positive: equal ratios are about equally likely.
    LogInteger {
        /// The lowest.
        low: i64,
        /// The highest.
        high: i64,
    },
    /// Some values.
    Choice(Vec<Value>),
}

/// The forms of a range as text, for help and errors.
pub const FORMS: [&str; 5] =
    ["0:0.8", "log:1e-4:1e-1", "int:16:256", "log-int:16:1024", "sgd|adam"];

/// A range as a file has it: `{ log = [1e-4, 1e-1] }`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Written {
    Linear([f64; 2]),
    Log([f64; 2]),
    Integer([i64; 2]),
    LogInteger([i64; 2]),
    Choice(Vec<Value>),
}

impl From<Range> for Written {
    fn from(range: Range) -> Self {
        match range {
            Range::Linear { low, high } => Self::Linear([low, high]),
            Range::Log { low, high } => Self::Log([low, high]),
            Range::Integer { low, high } => Self::Integer([low, high]),
            Range::LogInteger { low, high } => Self::LogInteger([low, high]),
            Range::Choice(values) => Self::Choice(values),
        }
    }
}

impl TryFrom<Written> for Range {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let range = match written {
            Written::Linear([low, high]) => Self::Linear { low, high },
            Written::Log([low, high]) => Self::Log { low, high },
            Written::Integer([low, high]) => Self::Integer { low, high },
            Written::LogInteger([low, high]) => Self::LogInteger { low, high },
            Written::Choice(values) => Self::Choice(values),
        };
        range.check()?;
        Ok(range)
    }
}

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let range = Self::parse(text)?;
        range.check()?;
        Ok(range)
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Linear { low, high } => write!(f, "{low}:{high}"),
            Self::Log { low, high } => write!(f, "log:{low:e}:{high:e}"),
            Self::Integer { low, high } => write!(f, "int:{low}:{high}"),
            Self::LogInteger { low, high } => write!(f, "log-int:{low}:{high}"),
            Self::Choice(values) => {
                let values: Vec<String> = values.iter().map(text).collect();
                f.write_str(&values.join("|"))
            }
        }
    }
}

/// A value without quotes.
pub fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A value as it is read in TOML; what is none there is a text.
fn value(text: &str) -> Value {
    text.parse().unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// A number of TOML.
fn number(value: &Value) -> Option<f64> {
    value.as_float().or_else(|| value.as_integer().map(|whole| whole as f64))
}

impl Range {
    fn parse(text: &str) -> Result<Self, String> {
        if text.contains('|') {
            return Ok(Self::Choice(text.split('|').map(str::trim).map(value).collect()));
        }
        let expected = || {
            let [ranges @ .., choice] = FORMS;
            format!(
                "expected a range such as {}, or a choice such as {choice}, found `{text}`",
                ranges.join(", ")
            )
        };
        let ends = |ends: &str| {
            let (low, high) = ends.split_once(':').ok_or_else(expected)?;
            let end = |text: &str| text.trim().parse::<f64>().map_err(|_| expected());
            Ok::<_, String>((end(low)?, end(high)?))
        };
        let whole_ends = |ends: &str| {
            let (low, high) = ends.split_once(':').ok_or_else(expected)?;
            let end = |end: &str| {
                let end = end.trim();
                end.parse::<i64>()
                    .map_err(|_| format!("expected whole numbers in `{text}`, found `{end}`"))
            };
            Ok::<_, String>((end(low)?, end(high)?))
        };
        match text.split_once(':') {
            Some(("log", rest)) => ends(rest).map(|(low, high)| Self::Log { low, high }),
            Some(("int", rest)) => whole_ends(rest).map(|(low, high)| Self::Integer { low, high }),
            Some(("log-int", rest)) => {
                whole_ends(rest).map(|(low, high)| Self::LogInteger { low, high })
            }
            _ => ends(text).map(|(low, high)| Self::Linear { low, high }),
        }
    }

    /// Checks that there is something to search.
    fn check(&self) -> Result<(), String> {
        let refuse = |what: &str| Err(format!("{what} `{self}`"));
        match self {
            Self::Linear { low, high } | Self::Log { low, high }
                if !(low.is_finite() && high.is_finite()) =>
            {
                refuse("expected finite ends, found")
            }
            Self::Log { low, .. } if *low <= 0.0 => {
                refuse("a range in log has no place for 0 and below, found")
            }
            Self::LogInteger { low, .. } if *low <= 0 => {
                refuse("a range in log has no place for 0 and below, found")
            }
            Self::Linear { low, high } | Self::Log { low, high } if low >= high => {
                refuse("the range is empty, its low end comes first:")
            }
            Self::Linear { low, high } if !(high - low).is_finite() => {
                refuse("the range is too wide:")
            }
            Self::Integer { low, high } | Self::LogInteger { low, high } if low >= high => {
                refuse("the range is empty, its low end comes first:")
            }
            Self::Integer { low, high } | Self::LogInteger { low, high }
                if high.checked_sub(*low).is_none_or(|width| width >= 1 << 40) =>
            {
                refuse("the range is too wide:")
            }
            Self::Choice(values) if values.len() < 2 => {
                refuse("expected at least two values to choose from, found")
            }
            Self::Choice(values) => {
                let twice = |(place, value): (usize, &Value)| {
                    values.iter().take(place).any(|other| text(other) == text(value))
                };
                match values.iter().enumerate().find(|it| twice(*it)) {
                    Some((_, value)) => refuse(&format!("`{}` stands twice in", text(value))),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// How many values there are, if they can be counted.
    pub fn count(&self) -> Option<usize> {
        match self {
            Self::Linear { low, high } | Self::Log { low, high } => (low == high).then_some(1),
            Self::Integer { low, high } | Self::LogInteger { low, high } => {
                usize::try_from(high.saturating_sub(*low)).ok()?.checked_add(1)
            }
            Self::Choice(values) => Some(values.len()),
        }
    }

    /// The value at a place from 0 to 1. Numbers have about three digits of the range, so that they can be read.
    pub fn value(&self, place: f64) -> Value {
        let place = place.clamp(0.0, 1.0);
        let item = |count: usize| ((place * count as f64) as usize).min(count.saturating_sub(1));
        match self {
            Self::Linear { low, .. } | Self::Log { low, .. } if place == 0.0 => (*low).into(),
            Self::Linear { high, .. } | Self::Log { high, .. } if place == 1.0 => (*high).into(),
            Self::Linear { low, high } => {
                let value = low + place * (high - low);
                rounded(value, (high - low) / DIGITS, *low, *high).into()
            }
            Self::Log { low, high } => {
                let value = Decades { low: low.log10(), high: high.log10() }.at(place);
                rounded(value, value * (high / low).ln() / DIGITS, *low, *high).into()
            }
            Self::Integer { low, .. } => (low + item(self.count().unwrap_or(1)) as i64).into(),
            Self::LogInteger { low, high } => {
                let (from, to) = log_ends(*low, *high);
                let value = (from + place * (to - from)).exp().round() as i64;
                value.clamp(*low, *high).into()
            }
            Self::Choice(values) => {
                let nothing = || Value::String(String::new());
                values.get(item(values.len())).cloned().unwrap_or_else(nothing)
            }
        }
    }

    /// The place of a value; `None` if it does not lie in the range.
    pub fn place(&self, value: &Value) -> Option<f64> {
        let inside = |low: f64, high: f64| number(value).filter(|it| (low..=high).contains(it));
        let share = |from: f64, value: f64, to: f64| match to > from {
            true => ((value - from) / (to - from)).clamp(0.0, 1.0),
            false => 0.5,
        };
        match self {
            Self::Linear { low, high } => Some(share(*low, inside(*low, *high)?, *high)),
            Self::Log { low, high } => Some(share(low.ln(), inside(*low, *high)?.ln(), high.ln())),
            Self::Integer { low, high } => {
                let value = value.as_integer().filter(|value| (low..=high).contains(&value))?;
                Some(middle((value - low) as usize, self.count()?))
            }
            Self::LogInteger { low, high } => {
                let value = value.as_integer().filter(|value| (low..=high).contains(&value))?;
                let (from, to) = log_ends(*low, *high);
                Some(share(from, (value as f64).ln(), to))
            }
            Self::Choice(values) => {
                let item = values.iter().position(|other| text(other) == text(value))?;
                Some(middle(item, values.len()))
            }
        }
    }

    /// Places of at most `points` values, both ends among them, and of all values of a choice.
    pub fn grid(&self, points: usize) -> Vec<f64> {
        let evenly = |count: usize| {
            let last = count.saturating_sub(1).max(1) as f64;
            (0..count).map(move |step| step as f64 / last)
        };
        match self {
            Self::Choice(values) => {
                (0..values.len()).map(|item| middle(item, values.len())).collect()
            }
            Self::Linear { low, high } | Self::Log { low, high } if low == high => vec![0.5],
            Self::Linear { .. } | Self::Log { .. } => evenly(points).collect(),
            Self::Integer { .. } | Self::LogInteger { .. } => {
                let mut values: Vec<Value> =
                    evenly(points).map(|place| self.value(place)).collect();
                values.dedup();
                values.iter().filter_map(|value| self.place(value)).collect()
            }
        }
    }

    /// What these values span: the range between the least and the greatest of them, of a choice those that occur.
    /// The range itself if none of them lies in it.
    #[must_use]
    pub fn spanned_by<'a>(&self, values: impl Iterator<Item = &'a Value>) -> Self {
        let values: Vec<&Value> = values.filter(|value| self.place(value).is_some()).collect();
        let numbers = values.iter().filter_map(|value| number(value));
        let low = numbers.clone().fold(f64::INFINITY, f64::min);
        let high = numbers.fold(f64::NEG_INFINITY, f64::max);
        let whole = || (low as i64, high as i64);
        match self {
            _ if values.is_empty() => self.clone(),
            Self::Linear { .. } => Self::Linear { low, high },
            Self::Log { .. } => Self::Log { low, high },
            Self::Integer { .. } => {
                let (low, high) = whole();
                Self::Integer { low, high }
            }
            Self::LogInteger { .. } => {
                let (low, high) = whole();
                Self::LogInteger { low, high }
            }
            Self::Choice(all) => {
                let occurs = |value: &&Value| values.iter().any(|it| text(it) == text(value));
                Self::Choice(all.iter().filter(occurs).cloned().collect())
            }
        }
    }

    /// The values that a recipe must take for the whole range to be right: both ends, or all of a choice.
    pub fn ends(&self) -> Vec<Value> {
        match self {
            Self::Choice(values) => values.clone(),
            _ => vec![self.value(0.0), self.value(1.0)],
        }
    }
}

/// Steps that a range is divided into at least, when its numbers are rounded.
const DIGITS: f64 = 1000.0;

/// `value` as a multiple of the greatest power of ten that is at most `step`, between `low` and `high`.
fn rounded(value: f64, step: f64, low: f64, high: f64) -> f64 {
    let power = step.abs().log10().floor();
    if !power.is_finite() {
        return value.clamp(low, high);
    }
    // Through text, so that 0.0032 is exactly the number that is written so.
    let near = match -power {
        places if places > 0.0 => {
            let exponent = value.abs().log10().floor();
            let digits = (exponent - power).clamp(0.0, 16.0) as usize;
            match value == 0.0 || exponent < power {
                true => format!("{value:.0$}", places.min(300.0) as usize),
                false => format!("{value:.digits$e}"),
            }
        }
        _ => {
            let unit = 10_f64.powf(power);
            ((value / unit).round() * unit).to_string()
        }
    };
    near.parse().unwrap_or(value).clamp(low, high)
}

/// Half a whole number beyond either end, so that the ends are as likely as their neighbours.
fn log_ends(low: i64, high: i64) -> (f64, f64) {
    ((low as f64 - 0.5).ln(), (high as f64 + 0.5).ln())
}

/// The middle of one of `count` equal parts.
fn middle(item: usize, count: usize) -> f64 {
    (item as f64 + 0.5) / count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> Range {
        text.parse().unwrap()
    }

    fn shown(range: &Range, place: f64) -> String {
        text(&range.value(place))
    }

    #[test]
    fn exponents_give_values_and_are_found_in_them() {
        let decades = Decades::of([1e-3, 1e-5, 1e-4].into_iter());
        assert!((decades.low + 5.0).abs() < 1e-12 && (decades.high + 3.0).abs() < 1e-12);
        assert!((decades.at(0.5) / 1e-4 - 1.0).abs() < 1e-9);
    }

    #[test]
    fn texts_are_read_and_written_back() {
        for form in FORMS {
            let range = range(form);
            assert_eq!(range.to_string().parse::<Range>().unwrap(), range, "{form}");
        }
        assert_eq!(range("log:1e-4:1e-1"), Range::Log { low: 1e-4, high: 1e-1 });
        assert_eq!(range("-1:2.5"), Range::Linear { low: -1.0, high: 2.5 });
        let choice = range("crop=4:reflect,flip|none");
        assert_eq!(choice, Range::Choice(vec!["crop=4:reflect,flip".into(), "none".into()]));
        assert_eq!(range("1|0.5|true").ends(), [1.into(), 0.5.into(), true.into()]);
    }

    #[test]
    fn files_have_the_ends_in_a_list() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct File {
            rate: Range,
            size: Range,
            dropout: Range,
            name: Range,
        }
        let text = "rate = { log = [1e-4, 0.1] }\nsize = { log-integer = [16, 256] }\n\
            dropout = { linear = [0, 0.8] }\nname = { choice = [\"a\", 2] }\n";
        let file: File = toml::from_str(text).unwrap();
        assert_eq!(file.dropout, range("0:0.8"));
        assert_eq!(file.size, range("log-int:16:256"));
        assert_eq!(toml::from_str::<File>(&toml::to_string(&file).unwrap()).unwrap(), file);
        let error = toml::from_str::<File>(&text.replace("[1e-4, 0.1]", "[0, 1]")).unwrap_err();
        assert!(error.to_string().contains("no place for 0 and below"), "{error}");
    }

    #[test]
    fn what_leaves_nothing_to_search_is_refused() {
        for (text, expected) in [
            ("sgd", "found `sgd`"),
            ("1:", "found `1:`"),
            ("log:fast:1", "found `log:fast:1`"),
            ("0.8:0.2", "the range is empty"),
            ("1:1", "the range is empty"),
            ("int:4:4", "the range is empty"),
            ("int:1.5:4", "expected whole numbers in `int:1.5:4`, found `1.5`"),
            ("log:0:1", "no place for 0"),
            ("log:-1:1", "no place for 0"),
            ("log-int:0:8", "no place for 0"),
            ("0:inf", "finite ends"),
            ("0:nan", "finite ends"),
            ("-1e308:1.7e308", "too wide"),
            ("int:0:9223372036854775807", "too wide"),
            ("a|b|a", "`a` stands twice in `a|b|a`"),
        ] {
            let error = text.parse::<Range>().unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
        let one: Result<Range, _> = Written::Choice(vec!["a".into()]).try_into();
        assert!(one.unwrap_err().contains("at least two values"));
    }

    #[test]
    fn the_ends_are_where_they_were_asked_for_and_the_middle_between_them() {
        for (range, [low, middle, high]) in [
            (range("0:0.8"), ["0.0", "0.4", "0.8"]),
            (range("-2:2"), ["-2.0", "0.0", "2.0"]),
            (range("log:1e-4:1e-2"), ["0.0001", "0.001", "0.01"]),
            (range("int:3:5"), ["3", "4", "5"]),
            (range("log-int:1:100"), ["1", "7", "100"]),
            (range("a|b|c"), ["a", "b", "c"]),
        ] {
            let found = [0.0, 0.5, 1.0].map(|place| shown(&range, place));
            assert_eq!(found, [low, middle, high], "{range}");
            assert_eq!(shown(&range, -1.0), low);
            assert_eq!(shown(&range, 2.0), high);
        }
    }

    #[test]
    fn numbers_are_short_and_still_fine_enough() {
        assert_eq!(shown(&range("log:1e-4:1e-1"), 0.123_456_7), "0.000235");
        assert_eq!(shown(&range("0:0.8"), 0.123_456_7), "0.0988");
        assert_eq!(shown(&range("0.999:0.9999"), 0.123_456_7), "0.9991111");
        assert_eq!(shown(&range("1000:90000"), 0.123_456_7), "11990.0");
        for range in [range("log:1e-8:1"), range("log:0.9:1.1"), range("3:4"), range("-1:1e6")] {
            let values: Vec<f64> =
                (0..=500).filter_map(|i| number(&range.value(f64::from(i) / 500.0))).collect();
            assert!(values.windows(2).all(|pair| pair[0] < pair[1]), "{range}");
        }
    }

    #[test]
    fn every_value_has_the_place_that_gives_it() {
        for text in ["0:0.8", "log:1e-4:1e-1", "int:16:40", "log-int:1:64", "a|b|c", "1|0.5|true"] {
            let range = range(text);
            for step in 0..=200 {
                let value = range.value(f64::from(step) / 200.0);
                let place = range.place(&value).unwrap();
                assert_eq!(range.value(place), value, "{range}");
            }
        }
        assert_eq!(range("0:0.8").place(&Value::from(0.9)), None);
        assert_eq!(range("int:1:3").place(&Value::from(4)), None);
        assert_eq!(range("a|b").place(&Value::from("c")), None);
        assert_eq!(range("a|b").place(&Value::from(1)), None);
    }

    #[test]
    fn whole_numbers_and_choices_are_equally_likely() {
        for (range, count) in [(range("int:3:12"), 10), (range("a|b|c|d"), 4)] {
            assert_eq!(range.count(), Some(count));
            let mut seen = std::collections::BTreeMap::new();
            for step in 0..1000 * count {
                let place = (step as f64 + 0.5) / (1000 * count) as f64;
                *seen.entry(shown(&range, place)).or_insert(0) += 1;
            }
            assert!(seen.len() == count && seen.values().all(|&times| times == 1000), "{seen:?}");
        }
    }

    #[test]
    fn a_grid_has_both_ends_and_no_value_twice() {
        let values = |text: &str, points| -> Vec<String> {
            let range = range(text);
            range.grid(points).into_iter().map(|place| shown(&range, place)).collect()
        };
        assert_eq!(values("0:0.8", 3), ["0.0", "0.4", "0.8"]);
        assert_eq!(values("log:1e-4:1e-1", 4), ["0.0001", "0.001", "0.01", "0.1"]);
        assert_eq!(values("int:1:9", 3), ["1", "5", "9"]);
        assert_eq!(values("int:1:3", 5), ["1", "2", "3"]);
        assert_eq!(values("log-int:1:4", 9), ["1", "2", "3", "4"]);
        assert_eq!(values("a|b|c", 2), ["a", "b", "c"]);
    }

    #[test]
    fn a_range_is_narrowed_to_what_values_span() {
        let spanned = |text: &str, values: &[&str]| {
            let values: Vec<Value> = values.iter().map(|text| value(text)).collect();
            range(text).spanned_by(values.iter())
        };
        assert_eq!(spanned("0:1", &["0.5", "0.2", "0.3"]), Range::Linear { low: 0.2, high: 0.5 });
        assert_eq!(spanned("log:1e-4:1", &["0.1", "1e-3"]), Range::Log { low: 1e-3, high: 0.1 });
        assert_eq!(spanned("int:1:9", &["7", "3"]), Range::Integer { low: 3, high: 7 });
        assert_eq!(spanned("a|b|c", &["c", "a", "c"]), range("a|c"));
        assert_eq!(spanned("0:1", &["7"]), range("0:1"));
        let one = spanned("0:1", &["0.5"]);
        assert_eq!((shown(&one, 0.3), one.count()), ("0.5".into(), Some(1)));
        assert_eq!((one.grid(4), one.place(&Value::from(0.5))), (vec![0.5], Some(0.5)));
        assert_eq!(shown(&spanned("a|b", &["b"]), 0.9), "b");
        assert_eq!(shown(&spanned("log-int:1:9", &["4"]), 0.0), "4");
    }
}
