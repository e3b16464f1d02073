//! UIDs inside of objects. They stand in owner references, in references of Servers to their holder, in annotations; wherever one stands that
//! belongs to a moved object, it means that object.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// The UIDs of `known` that stand somewhere in `value`.
pub fn mentions(value: &Value, known: &BTreeSet<String>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect(value, known, &mut found);
    found
}

fn collect(value: &Value, known: &BTreeSet<String>, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if known.contains(text) => {
            found.insert(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, known, found)),
        Value::Object(fields) => fields.values().for_each(|item| collect(item, known, found)),
        _ => {}
    }
}

/// `value` with every text that is a key of `names` replaced.
pub fn rewrite(value: &Value, names: &BTreeMap<String, String>) -> Value {
    match value {
        Value::String(text) => Value::String(names.get(text).unwrap_or(text).clone()),
        Value::Array(items) => items.iter().map(|item| rewrite(item, names)).collect(),
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .map(|(field, item)| (field.clone(), rewrite(item, names)))
                .collect(),
        ),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn found_and_replaced_wherever_they_stand() {
        let value = json!({ "a": ["x", { "uid": "one" }], "b": "two", "one": "three", "n": 1 });
        let known = BTreeSet::from(["one".to_owned(), "two".to_owned(), "four".to_owned()]);
        assert_eq!(
            mentions(&value, &known),
            BTreeSet::from(["one".to_owned(), "two".to_owned()])
        );
        let names = BTreeMap::from([("one".to_owned(), "1".to_owned()), ("two".to_owned(), "2".to_owned())]);
        let expected = json!({ "a": ["x", { "uid": "1" }], "b": "2", "one": "three", "n": 1 });
        assert_eq!(rewrite(&value, &names), expected);
    }
}
