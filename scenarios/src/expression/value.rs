//! JSON as CEL values.

use kube_cel::cel::Value as CelValue;
use kube_cel::cel::objects::{Key, Map};
use serde_json::Value;
use std::sync::Arc;

/// Whole numbers become `int`, as in Kubernetes, so that they compare with literals.
pub fn from_json(value: &Value) -> CelValue {
    match value {
        Value::Null => CelValue::Null,
        Value::Bool(value) => CelValue::Bool(*value),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => CelValue::Int(whole),
            None => CelValue::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => CelValue::String(Arc::new(text.clone())),
        Value::Array(items) => CelValue::List(Arc::new(items.iter().map(from_json).collect())),
        Value::Object(map) => from_entries(map.iter().map(|(key, value)| (key.clone(), from_json(value)))),
    }
}

/// A map by name.
pub fn from_entries(entries: impl IntoIterator<Item = (String, CelValue)>) -> CelValue {
    CelValue::Map(Map {
        map: Arc::new(
            entries
                .into_iter()
                .map(|(key, value)| (Key::String(Arc::new(key)), value))
                .collect(),
        ),
    })
}

/// For a reader: short, and like the JSON it came from.
pub(super) fn show(value: &CelValue) -> String {
    match value {
        CelValue::Null => "null".to_owned(),
        CelValue::Bool(value) => value.to_string(),
        CelValue::Int(value) => value.to_string(),
        CelValue::UInt(value) => value.to_string(),
        CelValue::Float(value) => value.to_string(),
        CelValue::String(text) => format!("'{}'", shorten(text)),
        CelValue::List(items) => {
            let shown: Vec<String> = items.iter().take(8).map(show).collect();
            let more = if items.len() > 8 {
                format!(", … {} in all", items.len())
            } else {
                String::new()
            };
            format!("[{}{more}]", shown.join(", "))
        }
        CelValue::Map(map) => {
            let mut keys: Vec<String> = map.map.keys().map(|key| key.to_string()).collect();
            keys.sort();
            let shown = keys.iter().take(8).cloned().collect::<Vec<_>>().join(", ");
            format!("{{{shown}{}}}", if keys.len() > 8 { ", …" } else { "" })
        }
        other => format!("a {}", other.type_of()),
    }
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
