//! Equality of documents.

use serde_json::{Map, Value};

/// `a == b`, for documents that mostly come from one another: while their fields are in the same order, no name is
/// looked up.
pub(crate) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => a.len() == b.len() && same_fields(a, b),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (a, b) => a == b,
    }
}

fn same_fields(a: &Map<String, Value>, b: &Map<String, Value>) -> bool {
    let mut in_order = true;
    a.iter().zip(b).all(|((name, value), (other_name, other))| {
        in_order = in_order && name == other_name;
        if in_order {
            same(value, other)
        } else {
            b.get(name).is_some_and(|other| same(value, other))
        }
    })
}

/// [`same`], of what may be missing.
pub(crate) fn same_as(value: &Value, other: Option<&Value>) -> bool {
    other.is_some_and(|other| same(value, other))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn order_does_not_matter() {
        let a = json!({"a": 1, "b": {"x": [1, {"y": 2, "z": null}]}, "c": 3});
        let b = json!({"a": 1, "c": 3, "b": {"x": [1, {"z": null, "y": 2}]}});
        assert!(same(&a, &b) && same(&b, &a) && same(&a, &a));
        for other in [
            json!({"a": 1, "b": 2, "c": 3}),
            json!({"a": 1, "c": 3, "d": {"x": [1, {"y": 2, "z": null}]}}),
            json!({"a": 1}),
            json!([]),
        ] {
            assert!(!same(&a, &other) && !same(&other, &a), "{other}");
        }
    }
}
