//! Attributes of a BIOS or of a BMC: what their registry says of them (DSP0268 `AttributeRegistry`), and how the texts that people write
//! become the values that a BMC takes. Pure.

use std::collections::BTreeMap;

use serde_json::{Map, Number, Value};

/// What a registry says of each attribute, by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AttributeRegistry(pub BTreeMap<String, Attribute>);

/// One attribute.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribute {
    pub kind: AttributeKind,
    /// Neither read-only, nor immutable, nor hidden.
    pub writable: bool,
    /// Whether it takes effect with a reset only. One that does not say does.
    pub reset_required: bool,
}

/// `Type` of an attribute, with what it allows.
#[derive(Clone, Debug, PartialEq)]
pub enum AttributeKind {
    /// `ValueName` and `ValueDisplayName`.
    Enumeration(Vec<(String, Option<String>)>),
    Integer {
        lower: Option<i64>,
        upper: Option<i64>,
    },
    Text,
    Boolean,
    /// `Password`, or one that this driver does not know: such an attribute is never written.
    Other(String),
}

/// Why an attribute cannot have a value. The value itself is not repeated: it may be a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAttribute {
    #[error("the BMC knows no attribute {0}")]
    Unknown(String),
    #[error("attribute {0} is read-only")]
    ReadOnly(String),
    #[error("attribute {name} takes no such value; it is {expected}")]
    Value { name: String, expected: String },
    #[error("attribute {name} is of type {kind}, which is not supported")]
    Kind { name: String, kind: String },
}

impl AttributeRegistry {
    /// Reads an `AttributeRegistry` document. What is malformed is left out.
    pub fn parse(document: &Value) -> Self {
        let attributes = document
            .pointer("/RegistryEntries/Attributes")
            .and_then(Value::as_array);
        let named = attributes.into_iter().flatten().filter_map(|entry| {
            let name = entry["AttributeName"].as_str()?;
            Some((name.to_owned(), attribute(entry)))
        });
        Self(named.collect())
    }

    /// With the attributes that the registry does not list, although they are there: of the type that they have, and in force at once.
    #[must_use]
    pub fn with_unlisted(mut self, current: &Map<String, Value>) -> Self {
        for (name, value) in current {
            let kind = match value {
                Value::Bool(_) => AttributeKind::Boolean,
                Value::Number(number) if number.is_i64() => AttributeKind::Integer {
                    lower: None,
                    upper: None,
                },
                Value::String(_) => AttributeKind::Text,
                _ => continue,
            };
            self.0.entry(name.clone()).or_insert(Attribute {
                kind,
                writable: true,
                reset_required: false,
            });
        }
        self
    }

    /// Whether any of these takes effect with a reset only. One that no registry knows does.
    pub fn needs_reset<'a>(&self, names: impl IntoIterator<Item = &'a String>) -> bool {
        names
            .into_iter()
            .any(|name| self.0.get(name).is_none_or(|attribute| attribute.reset_required))
    }

    /// The value to write for `text`, or why there is none.
    ///
    /// # Errors
    /// [`InvalidAttribute`].
    pub fn value(&self, name: &str, text: &str, current: Option<&Value>) -> Result<Value, InvalidAttribute> {
        let Some(attribute) = self.0.get(name) else {
            // Without a registry the value in force is all there is to go by.
            return match current {
                Some(current) if self.0.is_empty() => Ok(like(current, text)),
                _ => Err(InvalidAttribute::Unknown(name.to_owned())),
            };
        };
        if !attribute.writable {
            return Err(InvalidAttribute::ReadOnly(name.to_owned()));
        }
        let wrong = |expected: String| InvalidAttribute::Value {
            name: name.to_owned(),
            expected,
        };
        match &attribute.kind {
            AttributeKind::Text => Ok(Value::from(text)),
            AttributeKind::Boolean => boolean(text)
                .map(Value::from)
                .ok_or_else(|| wrong("true or false".to_owned())),
            AttributeKind::Integer { lower, upper } => {
                let bounds = || match (lower, upper) {
                    (Some(lower), Some(upper)) => format!("an integer from {lower} to {upper}"),
                    _ => "an integer".to_owned(),
                };
                let number = integer(text).ok_or_else(|| wrong(bounds()))?;
                let fits = lower.is_none_or(|lower| lower <= number) && upper.is_none_or(|upper| number <= upper);
                if !fits {
                    return Err(wrong(bounds()));
                }
                // Some BMCs have integers as texts.
                Ok(current
                    .filter(|current| current.is_string())
                    .map_or_else(|| Value::from(number), |_| Value::from(number.to_string())))
            }
            AttributeKind::Enumeration(values) => values
                .iter()
                .find(|(value, _)| value == text)
                .or_else(|| values.iter().find(|(_, display)| display.as_deref() == Some(text)))
                .map(|(value, _)| Value::from(value.as_str()))
                .ok_or_else(|| {
                    let names: Vec<&str> = values.iter().map(|(value, _)| value.as_str()).collect();
                    wrong(format!("one of {}", names.join(", ")))
                }),
            AttributeKind::Other(kind) => Err(InvalidAttribute::Kind {
                name: name.to_owned(),
                kind: kind.clone(),
            }),
        }
    }

    /// Whether the value in force is not what `text` means. An attribute that is not there always differs.
    pub fn differs(&self, name: &str, text: &str, current: Option<&Value>) -> bool {
        let Some(current) = current else { return true };
        match self.0.get(name).map(|attribute| &attribute.kind) {
            Some(AttributeKind::Enumeration(values)) => {
                let meant = values.iter().find(|(value, _)| value == text);
                let meant = meant.or_else(|| values.iter().find(|(_, display)| display.as_deref() == Some(text)));
                // Dell's attributes show the display name of some values and the name of others.
                !current.as_str().is_some_and(|current| {
                    current == text
                        || meant.is_some_and(|(value, display)| value == current || display.as_deref() == Some(current))
                })
            }
            _ => !is_like(current, text),
        }
    }
}

fn attribute(entry: &Value) -> Attribute {
    let flag = |name: &str| entry[name].as_bool();
    // Dell's registries say `Readonly`.
    let read_only = flag("ReadOnly").or_else(|| flag("Readonly")).unwrap_or(false);
    let excluded = flag("Immutable").unwrap_or(false) || flag("Hidden").unwrap_or(false);
    let kind = match entry["Type"].as_str().unwrap_or("String") {
        "Enumeration" => AttributeKind::Enumeration(
            entry["Value"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|value| {
                    let name = value["ValueName"].as_str()?;
                    Some((name.to_owned(), value["ValueDisplayName"].as_str().map(str::to_owned)))
                })
                .collect(),
        ),
        "Integer" => AttributeKind::Integer {
            lower: entry["LowerBound"].as_i64(),
            upper: entry["UpperBound"].as_i64(),
        },
        "String" => AttributeKind::Text,
        "Boolean" => AttributeKind::Boolean,
        other => AttributeKind::Other(other.to_owned()),
    };
    Attribute {
        kind,
        writable: !read_only && !excluded,
        reset_required: flag("ResetRequired").unwrap_or(true),
    }
}

/// An integer, also one that is written as `4.0`.
fn integer(text: &str) -> Option<i64> {
    let text = text.trim();
    let whole = text
        .split_once('.')
        .filter(|(_, fraction)| !fraction.is_empty() && fraction.bytes().all(|digit| digit == b'0'))
        .map_or(text, |(whole, _)| whole);
    whole.parse().ok()
}

fn boolean(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// `text` in the type of a value in force; as text where it does not fit.
fn like(current: &Value, text: &str) -> Value {
    let converted = match current {
        // W29.
        Value::Bool(_) => boolean(text).map(Value::from),
        Value::Number(_) => integer(text)
            .map(Value::from)
            .or_else(|| text.trim().parse().ok().and_then(Number::from_f64).map(Value::Number)),
        _ => None,
    };
    converted.unwrap_or_else(|| Value::from(text))
}

fn is_like(current: &Value, text: &str) -> bool {
    match (current, like(current, text)) {
        (Value::Number(current), Value::Number(wanted)) => current.as_f64() == wanted.as_f64(),
        (current, wanted) => *current == wanted,
    }
}

/// A value in force as the text that means it. `None` for what no text can mean.
pub fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Names of `wanted` whose value is not in force.
pub fn differences<'a>(
    registry: &AttributeRegistry,
    wanted: &'a BTreeMap<String, String>,
    current: &Map<String, Value>,
) -> Vec<&'a String> {
    wanted
        .iter()
        .filter(|(name, text)| registry.differs(name, text, current.get(*name)))
        .map(|(name, _)| name)
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn registry() -> AttributeRegistry {
        AttributeRegistry::parse(&json!({ "RegistryEntries": { "Attributes": [
            { "AttributeName": "Mode", "Type": "Enumeration", "ResetRequired": false, "Value": [
                { "ValueName": "Uefi", "ValueDisplayName": "UEFI" }, { "ValueName": "Bios", "ValueDisplayName": "Legacy" },
            ] },
            { "AttributeName": "Delay", "Type": "Integer", "LowerBound": -1, "UpperBound": 60 },
            { "AttributeName": "Text", "Type": "String" },
            { "AttributeName": "Flag", "Type": "Boolean", "ReadOnly": false },
            { "AttributeName": "Fixed", "Type": "String", "Readonly": true },
            { "AttributeName": "Hidden", "Type": "String", "Hidden": true },
            { "AttributeName": "Secret", "Type": "Password" },
            { "Type": "String" },
        ] } }))
    }

    #[test]
    fn texts_become_the_values_that_a_bmc_takes() {
        let value = |name: &str, text: &str, current: Value| {
            registry()
                .value(name, text, Some(&current))
                .map_err(|error| error.to_string())
        };
        for (name, text, current, expected) in [
            ("Mode", "Uefi", json!("Bios"), Ok(json!("Uefi"))),
            ("Mode", "UEFI", json!("Bios"), Ok(json!("Uefi"))),
            (
                "Mode",
                "Coreboot",
                json!("Bios"),
                Err("attribute Mode takes no such value; it is one of Uefi, Bios"),
            ),
            ("Delay", "60", json!(0), Ok(json!(60))),
            ("Delay", "-1.0", json!(0), Ok(json!(-1))),
            ("Delay", "5", json!("0"), Ok(json!("5"))),
            (
                "Delay",
                "61",
                json!(0),
                Err("attribute Delay takes no such value; it is an integer from -1 to 60"),
            ),
            (
                "Delay",
                "soon",
                json!(0),
                Err("attribute Delay takes no such value; it is an integer from -1 to 60"),
            ),
            ("Flag", "True", json!(false), Ok(json!(true))),
            (
                "Flag",
                "yes",
                json!(false),
                Err("attribute Flag takes no such value; it is true or false"),
            ),
            ("Text", "5", json!("a"), Ok(json!("5"))),
            ("Fixed", "a", json!("b"), Err("attribute Fixed is read-only")),
            ("Hidden", "a", json!("b"), Err("attribute Hidden is read-only")),
            (
                "Secret",
                "hunter2",
                json!(null),
                Err("attribute Secret is of type Password, which is not supported"),
            ),
            ("Missing", "a", json!("b"), Err("the BMC knows no attribute Missing")),
        ] {
            assert_eq!(
                value(name, text, current),
                expected.map_err(str::to_owned),
                "{name}={text}"
            );
        }
    }

    #[test]
    fn values_are_compared_as_what_they_mean() {
        let registry = registry();
        for (name, text, current, differs) in [
            // W29: the Go operator never saw a difference here.
            ("Flag", "true", json!(false), true),
            ("Flag", "true", json!(true), false),
            ("Other", "true", json!(false), true),
            ("Other", "false", json!(false), false),
            ("Other", "4", json!(4), false),
            ("Other", "4.0", json!(4), false),
            ("Other", "4.5", json!(4.5), false),
            ("Other", "5", json!(4), true),
            ("Other", "a", json!("a"), false),
            ("Other", "4", json!("4"), false),
            ("Mode", "UEFI", json!("Uefi"), false),
            ("Mode", "Uefi", json!("UEFI"), false),
            ("Mode", "Uefi", json!("Bios"), true),
            // Read-only and right already: nothing to write, nothing to refuse (bugs.md #111).
            ("Fixed", "a", json!("a"), false),
        ] {
            assert_eq!(
                registry.differs(name, text, Some(&current)),
                differs,
                "{name}={text}, {current}"
            );
        }
        assert!(registry.differs("Missing", "a", None));
    }

    #[test]
    fn without_a_registry_the_type_in_force_counts() {
        let none = AttributeRegistry::default();
        assert_eq!(none.value("A", "3", Some(&json!(1))), Ok(json!(3)));
        assert_eq!(none.value("A", "false", Some(&json!(true))), Ok(json!(false)));
        assert_eq!(none.value("A", "x", Some(&json!("y"))), Ok(json!("x")));
        assert!(none.value("A", "x", None).is_err());
        assert!(none.needs_reset([&"A".to_owned()]), "what does not say, does");
        assert!(!registry().needs_reset([&"Mode".to_owned()]));
    }
}
