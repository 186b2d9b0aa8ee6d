//! The settings of a recipe as one table of plain values, by dotted names such as `optimizer.beta2`.

use std::collections::BTreeMap;

use serde_json::Value;

/// Puts tables inside tables next to one another. A list becomes its JSON; what is not set is left out.
pub(crate) fn flat<'a>(
    settings: impl IntoIterator<Item = (&'a String, &'a Value)>,
) -> BTreeMap<String, Value> {
    let mut flat = BTreeMap::new();
    for (name, value) in settings {
        put(name, value, &mut flat);
    }
    flat
}

fn put(name: &str, value: &Value, flat: &mut BTreeMap<String, Value>) {
    match value {
        Value::Null => {}
        Value::Object(table) => {
            table.iter().for_each(|(key, value)| put(&format!("{name}.{key}"), value, flat));
        }
        Value::Array(_) => {
            flat.insert(name.to_owned(), Value::String(value.to_string()));
        }
        _ => {
            flat.insert(name.to_owned(), value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tables_become_dotted_names() {
        let settings = json!({"epochs": 6, "sam": null, "hidden": [8, 4],
            "optimizer": {"name": "adam", "beta2": 0.99}});
        let flat = flat(settings.as_object().unwrap());
        let flat: Vec<_> =
            flat.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        let expected = [
            ("epochs", json!(6)),
            ("hidden", json!("[8,4]")),
            ("optimizer.beta2", json!(0.99)),
            ("optimizer.name", json!("adam")),
        ];
        assert_eq!(flat, expected);
    }
}
