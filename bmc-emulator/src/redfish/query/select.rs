//! `$select`: some properties of a resource (DSP0266 §7.3.3).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Names of properties, each with what is wanted of it; nothing below a name means all of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Select(BTreeMap<String, Select>);

/// What every answer contains, asked for or not.
const ALWAYS: [&str; 4] = ["@odata.id", "@odata.type", "@odata.context", "@odata.etag"];

impl Select {
    /// Comma-separated paths, their segments separated by slashes.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut select = Self::default();
        for path in text.split(',') {
            let mut level = &mut select;
            let mut fresh = false;
            for (depth, name) in path.trim().split('/').enumerate() {
                if name.is_empty() {
                    return None;
                }
                // All of a property was asked for before: the part of it is in there.
                if depth > 0 && !fresh && level.0.is_empty() {
                    break;
                }
                fresh = !level.0.contains_key(name);
                level = level.0.entry(name.to_owned()).or_default();
            }
            level.0.clear();
        }
        Some(select)
    }

    /// `Redfish.Excerpt` of the Sensor schema, for the readings this service has.
    pub(super) fn excerpt_of_sensor() -> Self {
        let names = ["Reading", "SpeedRPM"];
        Self(names.map(|name| (name.to_owned(), Self::default())).into())
    }

    pub(super) fn apply(&self, document: Value) -> Value {
        match document {
            Value::Object(object) => Value::Object(self.of_object(object, &ALWAYS)),
            other => other,
        }
    }

    fn of_object(&self, object: Map<String, Value>, always: &[&str]) -> Map<String, Value> {
        let mut kept = Map::new();
        for (name, value) in object {
            if always.contains(&name.as_str()) {
                kept.insert(name, value);
            } else if let Some(below) = self.0.get(&name) {
                kept.insert(name, below.of_value(value));
            }
        }
        kept
    }

    fn of_value(&self, value: Value) -> Value {
        match value {
            value if self.0.is_empty() => value,
            Value::Object(object) => Value::Object(self.of_object(object, &[])),
            Value::Array(values) => values.into_iter().map(|value| self.of_value(value)).collect(),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn some_of_a_resource() {
        let document = json!({
            "@odata.id": "/redfish/v1/Systems/1", "@odata.type": "#T.T", "@odata.etag": "\"1\"", "Name": "System",
            "Status": { "State": "Enabled", "Health": "OK" }, "List": [{ "a": 1, "b": 2 }, 3], "PowerState": "On",
        });
        let table = [
            ("Name", json!({ "Name": "System" })),
            (
                "Status/State,List/a",
                json!({ "Status": { "State": "Enabled" }, "List": [{ "a": 1 }, 3] }),
            ),
            (
                "Status,Status/State",
                json!({ "Status": { "State": "Enabled", "Health": "OK" } }),
            ),
            (
                "Status/State,Status",
                json!({ "Status": { "State": "Enabled", "Health": "OK" } }),
            ),
            ("Nothing", json!({})),
        ];
        for (text, mut expected) in table {
            for name in ["@odata.id", "@odata.type", "@odata.etag"] {
                expected[name] = document[name].clone();
            }
            let select = Select::parse(text).expect(text);
            assert_eq!(select.apply(document.clone()), expected, "{text}");
        }
    }

    #[test]
    fn empty_names_are_no_paths() {
        for text in ["", "Name,", "Status//State", "/Name", "Status/"] {
            assert_eq!(Select::parse(text), None, "{text}");
        }
    }
}
