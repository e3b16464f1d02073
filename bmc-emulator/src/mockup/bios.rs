//! BIOS attributes of a recorded machine. As it was recorded is how the factory has delivered it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Recorded, link, links};
use crate::personality::{BiosDefault, BiosValue};

/// What can be set in `bios`, a recorded `Bios` resource, according to the attribute registry in the same recording.
pub(super) fn defaults(resources: &BTreeMap<String, Recorded>, bios: &Value) -> &'static [BiosDefault] {
    let entries = registry(resources, bios);
    let attributes = bios["Attributes"].as_object();
    let defaults: Vec<BiosDefault> = attributes
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| {
            let entry = entries.get(name);
            let is_fixed = entry.is_some_and(|entry| entry["ReadOnly"] == true);
            Some(BiosDefault {
                name: name.clone().leak(),
                value: settable(value, entry).filter(|_| !is_fixed)?,
            })
        })
        .collect();
    defaults.leak()
}

/// Attributes of other types than these stay as they were recorded.
fn settable(value: &Value, entry: Option<&Value>) -> Option<BiosValue> {
    let limit = |name: &str| entry.and_then(|entry| entry[name].as_i64());
    match value {
        Value::String(current) => {
            let values = entry.and_then(|entry| entry["Value"].as_array());
            let others = values
                .into_iter()
                .flatten()
                .filter_map(|value| value["ValueName"].as_str());
            // The first is the default.
            let mut names: Vec<&'static str> = vec![current.clone().leak()];
            names.extend(
                others
                    .filter(|name| name != current)
                    .map(|name| &*name.to_owned().leak()),
            );
            Some(if names.len() > 1 {
                BiosValue::Enumeration(names.leak())
            } else {
                BiosValue::Text(names[0])
            })
        }
        Value::Number(current) => Some(BiosValue::Integer {
            default: current.as_i64()?,
            lower: limit("LowerBound").unwrap_or(i64::MIN),
            upper: limit("UpperBound").unwrap_or(i64::MAX),
        }),
        _ => None,
    }
}

/// Entries of the attribute registry by attribute. Vendors disagree with themselves about its name, so that it is
/// looked for by what it is about.
fn registry(resources: &BTreeMap<String, Recorded>, bios: &Value) -> BTreeMap<String, Value> {
    let read = |uri: &str| resources.get(uri.trim_end_matches('/'))?.json();
    let wanted = bios["AttributeRegistry"].as_str().unwrap_or_default();
    let stem = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
    let members = read("/redfish/v1/Registries").unwrap_or_default();
    let found = links(&members)
        .into_iter()
        .filter(|uri| !wanted.is_empty() && stem(super::id(uri)) == stem(wanted))
        .find_map(|uri| {
            let file = read(uri)?;
            let location = &file["Location"][0]["Uri"];
            read(location.as_str().or_else(|| link(location))?)
        })
        .unwrap_or_default();
    let entries = found["RegistryEntries"]["Attributes"].as_array();
    let named = |entry: &Value| Some((entry["AttributeName"].as_str()?.to_owned(), entry.clone()));
    entries.into_iter().flatten().filter_map(named).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn attributes_are_what_their_registry_says() {
        let entry = json!({ "Value": [{ "ValueName": "Disabled" }, { "ValueName": "Enabled" }] });
        let value = settable(&json!("Enabled"), Some(&entry)).expect("settable");
        assert_eq!(value.default_value(), "Enabled");
        assert!(value.accepts(&json!("Disabled")) && !value.accepts(&json!("Maybe")));

        let value = settable(&json!(5), Some(&json!({ "LowerBound": 0, "UpperBound": 9 }))).expect("settable");
        assert!(value.accepts(&json!(9)) && !value.accepts(&json!(10)));

        let value = settable(&json!("free text"), None).expect("settable");
        assert!(value.accepts(&json!("other text")) && !value.accepts(&json!(1)));
        assert!(settable(&Value::Null, None).is_none());
    }
}
