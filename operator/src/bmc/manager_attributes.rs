//! Attributes of a manager, and how the settings that people write are meant (contract section 9.6). Pure.

use std::collections::BTreeMap;

use http::Method;
use serde_json::{Map, Value};

use super::attributes::{AttributeRegistry, InvalidAttribute, differences};

/// What the names of settings are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surface {
    /// Names of attributes.
    Attributes,
    /// `PATCH <uri>` or `POST <uri>`, with JSON as the value.
    Requests,
}

/// Attributes of a manager as read.
#[derive(Clone, Debug, PartialEq)]
pub struct ManagerAttributes {
    pub surface: Surface,
    /// In force; for requests, what is at their URI.
    pub current: Map<String, Value>,
    pub pending: Map<String, Value>,
    pub registry: AttributeRegistry,
}

/// Method and URI that the name of a setting has. None for what would work on a machine or on its firmware: that has kinds of its own,
/// and is fenced there.
pub fn request(name: &str) -> Option<(Method, &str)> {
    let (method, uri) = name.split_once(' ')?;
    let uri = uri.trim();
    let method = match method {
        "PATCH" => Method::PATCH,
        "POST" => Method::POST,
        _ => return None,
    };
    let others = ["/Actions/", "/redfish/v1/Systems", "/redfish/v1/UpdateService"];
    let plain = uri.starts_with("/redfish/v1/") && !uri.contains(['%', '\\', '?', '#']) && !uri.contains("..");
    (plain && !uri.contains("//") && !others.iter().any(|other| uri.contains(other))).then_some((method, uri))
}

impl ManagerAttributes {
    /// Names of `wanted` whose value is not in force.
    pub fn differences<'a>(&self, wanted: &'a BTreeMap<String, String>) -> Vec<&'a String> {
        match self.surface {
            Surface::Attributes => differences(&self.registry, wanted, &self.current),
            Surface::Requests => wanted
                .iter()
                .filter(|(name, text)| {
                    let wanted: Option<Value> = serde_json::from_str(text).ok();
                    let current = self.current.get(*name);
                    !matches!((wanted, current), (Some(wanted), Some(current)) if is_part(&wanted, current))
                })
                .map(|(name, _)| name)
                .collect(),
        }
    }

    /// What to write.
    ///
    /// # Errors
    /// Why a setting cannot be.
    pub fn changes(&self, wanted: &BTreeMap<String, String>) -> Result<Map<String, Value>, InvalidAttribute> {
        let mut changes = Map::new();
        for name in self.differences(wanted) {
            let text = &wanted[name];
            let value = match self.surface {
                Surface::Attributes => self.registry.value(name, text, self.current.get(name))?,
                Surface::Requests => {
                    request(name).ok_or_else(|| InvalidAttribute::Unknown(name.clone()))?;
                    serde_json::from_str(text).map_err(|_| InvalidAttribute::Value {
                        name: name.clone(),
                        expected: "JSON".to_owned(),
                    })?
                }
            };
            changes.insert(name.clone(), value);
        }
        Ok(changes)
    }

    /// Whether any of these takes effect with a reset of the BMC only.
    pub fn needs_reset(&self, changes: &Map<String, Value>) -> bool {
        self.surface == Surface::Attributes && self.registry.needs_reset(changes.keys())
    }
}

/// Whether everything that is wanted is there, whatever else is.
fn is_part(wanted: &Value, current: &Value) -> bool {
    match (wanted, current) {
        (Value::Object(wanted), Value::Object(current)) => wanted
            .iter()
            .all(|(name, value)| current.get(name).is_some_and(|current| is_part(value, current))),
        (Value::Array(wanted), Value::Array(current)) => {
            // BMCs fill lists up with nulls or empty entries.
            let rest = current.iter().skip(wanted.len());
            wanted.len() <= current.len()
                && wanted
                    .iter()
                    .zip(current)
                    .all(|(wanted, current)| is_part(wanted, current))
                && rest.into_iter().all(|value| value.is_null() || value == "")
        }
        (wanted, current) => wanted == current,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn requests_go_where_nothing_else_is_at_work() {
        for (name, expected) in [
            ("PATCH /redfish/v1/Managers/1/NetworkProtocol", true),
            ("POST /redfish/v1/Managers/1/Oem/Hpe/Snmp", true),
            ("DELETE /redfish/v1/Managers/1", false),
            ("PATCH redfish/v1/Managers/1", false),
            ("POST /redfish/v1/Systems/1/Actions/ComputerSystem.Reset", false),
            ("POST /redfish/v1/Managers/1/Actions/Manager.Reset", false),
            ("PATCH /redfish/v1/Managers/../Systems/1", false),
            ("PATCH /redfish/v1/%53ystems/1", false),
            ("PATCH /redfish/v1//Systems/1", false),
            ("PATCH https://evil.example/redfish/v1/x", false),
            ("NTP.1", false),
        ] {
            assert_eq!(request(name).is_some(), expected, "{name}");
        }
    }

    #[test]
    fn a_request_is_satisfied_by_what_contains_it() {
        let name = "PATCH /redfish/v1/Managers/1/NetworkProtocol".to_owned();
        let attributes = |current: Value| ManagerAttributes {
            surface: Surface::Requests,
            current: Map::from_iter([(name.clone(), current)]),
            pending: Map::new(),
            registry: AttributeRegistry::default(),
        };
        let wanted = BTreeMap::from([(name.clone(), r#"{"NTP": {"NTPServers": ["a"]}}"#.to_owned())]);
        for (current, differs) in [
            (json!({"NTP": {"NTPServers": ["a"], "ProtocolEnabled": true}}), false),
            (json!({"NTP": {"NTPServers": ["a", "", null]}}), false),
            (json!({"NTP": {"NTPServers": ["a", "b"]}}), true),
            (json!({"NTP": {"NTPServers": []}}), true),
            (json!({}), true),
        ] {
            let attributes = attributes(current.clone());
            assert_eq!(!attributes.differences(&wanted).is_empty(), differs, "{current}");
            assert!(!attributes.needs_reset(&attributes.changes(&wanted).unwrap()));
        }
        let broken = BTreeMap::from([(name.clone(), "{".to_owned())]);
        assert!(attributes(json!({})).changes(&broken).is_err());
        let reset = "POST /redfish/v1/Systems/1/Actions/ComputerSystem.Reset".to_owned();
        let forbidden = BTreeMap::from([(reset, "{}".to_owned())]);
        assert!(attributes(json!({})).changes(&forbidden).is_err());
    }
}
