//! Numbers in a spec.

use std::ops::RangeInclusive;
use std::str::FromStr;

/// The number that `text` is, if it lies in `range`.
pub(super) fn number<T: FromStr + PartialOrd>(text: &str, range: RangeInclusive<T>) -> Option<T> {
    text.parse().ok().filter(|number| range.contains(number))
}
