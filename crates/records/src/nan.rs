//! NaN in JSON, which knows no such number and has `null` in its place.

use serde::{Deserialize, Deserializer};

/// Reads a number, and `null` as NaN.
pub(crate) fn null_as_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(deserializer)?.unwrap_or(f64::NAN))
}
