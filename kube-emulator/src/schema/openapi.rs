//! A structural schema as it is published in OpenAPI v3.

use serde_json::{Map, Value, json};

/// The document without what only the server understands.
pub(crate) fn published(document: &Value) -> Value {
    let Some(node) = document.as_object() else {
        return document.clone();
    };
    let mut out = Map::new();
    for (name, value) in node {
        let value = match (name.as_str(), value) {
            ("properties", Value::Object(properties)) => Value::Object(
                properties
                    .iter()
                    .map(|(name, child)| (name.clone(), published(child)))
                    .collect(),
            ),
            ("items" | "additionalProperties" | "not", child) => published(child),
            ("allOf" | "anyOf" | "oneOf", Value::Array(list)) => Value::Array(list.iter().map(published).collect()),
            // Formats of this program's own schemas.
            ("format", Value::String(format)) if format == "micro-time" => json!("date-time"),
            (_, other) => other.clone(),
        };
        out.insert(name.clone(), value);
    }
    if node.get("x-kubernetes-int-or-string").and_then(Value::as_bool) == Some(true) && !node.contains_key("anyOf") {
        out.insert("oneOf".to_owned(), json!([{"type": "integer"}, {"type": "string"}]));
    }
    Value::Object(out)
}
