//! What scipy computes, for tests: `tests/pytorch/statistics.py` writes it.

use serde_json::Value;

/// The cases of one function.
pub(super) fn cases(name: &str) -> Vec<Value> {
    let text = include_str!("../../../../tests/reference/statistics.json");
    let all: Value = serde_json::from_str(text).unwrap();
    let cases = all[name].as_array().unwrap_or_else(|| panic!("no cases of {name}")).clone();
    assert!(!cases.is_empty(), "{name}");
    cases
}

/// One number of a case.
pub(super) fn number(case: &Value, name: &str) -> f64 {
    case[name].as_f64().unwrap_or_else(|| panic!("no {name} in {case}"))
}

/// Several numbers of a case.
pub(super) fn numbers(case: &Value, name: &str) -> Vec<f64> {
    let values = case[name].as_array().unwrap_or_else(|| panic!("no {name} in {case}"));
    values.iter().map(|value| value.as_f64().unwrap()).collect()
}

/// Fails if two numbers differ by more than `allowed`.
#[track_caller]
pub(super) fn close_to(found: f64, expected: f64, allowed: f64) {
    assert!((found - expected).abs() <= allowed, "{found} is not {expected} ± {allowed}");
}
