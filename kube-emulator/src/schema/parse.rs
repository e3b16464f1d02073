//! From the JSON of a schema to [`Schema`].

use regex::Regex;
use serde_json::{Map, Value};

use super::{JsonType, Limits, ListKind, Rules, Schema, child_path};

/// A schema that the server would not accept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub(crate) struct SchemaError {
    /// Path of the node inside of the schema document, e.g. `properties[spec].items`.
    pub(crate) path: String,
    pub(crate) message: String,
    /// The text to show as the offending value, if there is one.
    pub(crate) value: Option<String>,
    pub(crate) required: bool,
}

impl SchemaError {
    fn invalid(path: &str, value: &str, message: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            message: message.into(),
            value: Some(value.to_owned()),
            required: false,
        }
    }

    fn forbidden(path: &str, message: &str) -> Self {
        Self {
            path: path.to_owned(),
            message: message.to_owned(),
            value: None,
            required: false,
        }
    }

    fn required(path: &str, message: &str) -> Self {
        Self {
            path: path.to_owned(),
            message: message.to_owned(),
            value: None,
            required: true,
        }
    }
}

/// Compiles a schema document; every mistake is collected.
pub(crate) fn parse(document: &Value) -> Result<Schema, Vec<SchemaError>> {
    parse_as(document, false)
}

/// The same for the schema of a definition, of which more is demanded than of a built-in kind's.
pub(crate) fn parse_definition(document: &Value) -> Result<Schema, Vec<SchemaError>> {
    parse_as(document, true)
}

fn parse_as(document: &Value, of_definition: bool) -> Result<Schema, Vec<SchemaError>> {
    let mut parser = Parser {
        errors: Vec::new(),
        of_definition,
    };
    let schema = parser.node(document, "", true);
    if parser.errors.is_empty() {
        Ok(schema)
    } else {
        Err(parser.errors)
    }
}

struct Parser {
    errors: Vec<SchemaError>,
    of_definition: bool,
}

impl Parser {
    /// `structural`: outside of `allOf`, `anyOf`, `oneOf`, `not`, where every node must say its type.
    fn node(&mut self, document: &Value, path: &str, structural: bool) -> Schema {
        let Some(node) = document.as_object() else {
            return Schema {
                preserve_unknown: true,
                ..Schema::default()
            };
        };
        let flag = |name: &str| node.get(name).and_then(Value::as_bool).unwrap_or(false);
        let preserve_unknown = flag("x-kubernetes-preserve-unknown-fields");
        let int_or_string = flag("x-kubernetes-int-or-string");
        let json_type = match node.get("type").and_then(Value::as_str) {
            Some("object") => Some(JsonType::Object),
            Some("array") => Some(JsonType::Array),
            Some("string") => Some(JsonType::String),
            Some("integer") => Some(JsonType::Integer),
            Some("number") => Some(JsonType::Number),
            Some("boolean") => Some(JsonType::Boolean),
            Some("") | None => None,
            Some(other) => {
                self.errors.push(SchemaError::invalid(
                    &child_path(path, "type"),
                    other,
                    "must be one of array, boolean, integer, number, object, string",
                ));
                None
            }
        };
        if structural && json_type.is_none() && !int_or_string && !preserve_unknown {
            self.errors
                .push(SchemaError::required(&child_path(path, "type"), type_hint(path)));
        }
        if structural && self.of_definition {
            self.structure(node, path);
        }
        let properties = node
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(name, child)| {
                let path = format!("{}[{name}]", child_path(path, "properties"));
                (name.clone(), self.node(child, &path, structural))
            })
            .collect();
        let additional = match node.get("additionalProperties") {
            Some(Value::Bool(true)) => Some(Schema {
                preserve_unknown: true,
                ..Schema::default()
            }),
            Some(schema @ Value::Object(_)) => {
                Some(self.node(schema, &child_path(path, "additionalProperties"), structural))
            }
            _ => None,
        };
        let items = node
            .get("items")
            .map(|items| self.node(items, &child_path(path, "items"), structural));
        if structural && json_type == Some(JsonType::Array) && items.is_none() {
            self.errors
                .push(SchemaError::required(&child_path(path, "items"), "must be specified"));
        }
        let mut junctors = |name: &str| -> Vec<Schema> {
            let list = node.get(name).and_then(Value::as_array);
            let path = child_path(path, name);
            list.into_iter()
                .flatten()
                .enumerate()
                .map(|(index, schema)| self.node(schema, &format!("{path}[{index}]"), false))
                .collect()
        };
        let (all_of, any_of, one_of) = (junctors("allOf"), junctors("anyOf"), junctors("oneOf"));
        let not = node
            .get("not")
            .map(|schema| Box::new(self.node(schema, &child_path(path, "not"), false)));
        let list = self.list_kind(node, path);
        let limits = self.limits(node, path);
        let rules = match Rules::compile(document) {
            Ok(rules) => rules,
            Err(mistakes) => {
                for (index, field, value, message) in mistakes {
                    let path = format!("{}[{index}].{field}", child_path(path, "x-kubernetes-validations"));
                    self.errors.push(SchemaError::invalid(&path, &value, message));
                }
                None
            }
        };
        let mut schema = Schema {
            json_type,
            int_or_string,
            nullable: flag("nullable"),
            properties,
            additional: additional.map(Box::new),
            items: items.map(Box::new),
            preserve_unknown,
            embedded_resource: flag("x-kubernetes-embedded-resource"),
            list,
            atomic_map: node.get("x-kubernetes-map-type").and_then(Value::as_str) == Some("atomic"),
            default: node.get("default").filter(|default| !default.is_null()).cloned(),
            required: strings(node.get("required")),
            enumeration: node.get("enum").and_then(Value::as_array).cloned(),
            format: node.get("format").and_then(Value::as_str).map(str::to_owned),
            limits,
            all_of,
            any_of,
            one_of,
            not,
            has_rules: false,
            rules,
        };
        schema.has_rules = schema.rules.is_some()
            || schema.properties.values().any(|child| child.has_rules)
            || schema.additional.as_ref().is_some_and(|child| child.has_rules)
            || schema.items.as_ref().is_some_and(|child| child.has_rules);
        schema
    }

    /// What a structural schema may not say, though other schemas may.
    fn structure(&mut self, node: &Map<String, Value>, path: &str) {
        if node.contains_key("$ref") {
            let place = child_path(path, "$ref");
            self.errors
                .push(SchemaError::forbidden(&place, "$ref is not supported"));
        }
        let both = ["properties", "additionalProperties"].map(|name| node.get(name).is_some_and(Value::is_object));
        if both == [true, true] {
            self.errors.push(SchemaError::forbidden(
                &child_path(path, "additionalProperties"),
                "additionalProperties and properties are mutual exclusive",
            ));
        }
    }

    /// An element has to have its key, of itself or by default.
    fn list_keys(&mut self, node: &Map<String, Value>, keys: &[String], path: &str) {
        let items = node.get("items").cloned().unwrap_or_default();
        let required = strings(items.get("required"));
        for key in keys.iter().filter(|key| !required.contains(key)) {
            if items["properties"][key.as_str()].get("default").is_none() {
                let place = format!(
                    "{}[{key}].default",
                    child_path(&child_path(path, "items"), "properties")
                );
                let message = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property";
                self.errors.push(SchemaError::required(&place, message));
            }
        }
    }

    fn list_kind(&mut self, node: &Map<String, Value>, path: &str) -> ListKind {
        match node.get("x-kubernetes-list-type").and_then(Value::as_str) {
            Some("set") => ListKind::Set,
            Some("map") => {
                let keys = strings(node.get("x-kubernetes-list-map-keys"));
                if keys.is_empty() {
                    self.errors.push(SchemaError::required(
                        &child_path(path, "x-kubernetes-list-map-keys"),
                        "must not be empty if x-kubernetes-list-type is map",
                    ));
                }
                if self.of_definition {
                    self.list_keys(node, &keys, path);
                }
                ListKind::Map(keys)
            }
            Some("atomic") | None => ListKind::Atomic,
            Some(other) => {
                self.errors.push(SchemaError::invalid(
                    &child_path(path, "x-kubernetes-list-type"),
                    other,
                    "must be one of atomic, map, set",
                ));
                ListKind::Atomic
            }
        }
    }

    fn limits(&mut self, node: &Map<String, Value>, path: &str) -> Limits {
        let number = |name: &str| node.get(name).and_then(Value::as_number).cloned();
        let count = |name: &str| node.get(name).and_then(Value::as_u64);
        let flag = |name: &str| node.get(name).and_then(Value::as_bool).unwrap_or(false);
        let pattern = node
            .get("pattern")
            .and_then(Value::as_str)
            .filter(|pattern| !pattern.is_empty());
        let pattern = pattern.and_then(|pattern| match Regex::new(pattern) {
            Ok(regex) => Some(regex),
            Err(error) => {
                let message = format!("must be a valid regular expression, but isn't: {error}");
                self.errors
                    .push(SchemaError::invalid(&child_path(path, "pattern"), pattern, message));
                None
            }
        });
        Limits {
            minimum: number("minimum"),
            exclusive_minimum: flag("exclusiveMinimum"),
            maximum: number("maximum"),
            exclusive_maximum: flag("exclusiveMaximum"),
            multiple_of: number("multipleOf"),
            min_length: count("minLength"),
            max_length: count("maxLength"),
            min_items: count("minItems"),
            max_items: count("maxItems"),
            min_properties: count("minProperties"),
            max_properties: count("maxProperties"),
            pattern,
        }
    }
}

fn type_hint(path: &str) -> &'static str {
    if path.is_empty() {
        "must not be empty at the root"
    } else if path.ends_with(".items") || path == "items" {
        "must not be empty for specified array items"
    } else {
        "must not be empty for specified object fields"
    }
}

fn strings(list: Option<&Value>) -> Vec<String> {
    list.and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_structural_is_refused_with_its_path() {
        // (schema, path of the first mistake)
        let table = [
            (json!({}), "type"),
            (json!({"type": "object", "properties": {"a": {}}}), "properties[a].type"),
            (
                json!({"type": "object", "properties": {"a": {"type": "array"}}}),
                "properties[a].items",
            ),
            (json!({"type": "array", "items": {}}), "items.type"),
            (json!({"type": "text"}), "type"),
            (json!({"type": "string", "pattern": "("}), "pattern"),
            (
                json!({"type": "array", "items": {"type": "object"}, "x-kubernetes-list-type": "map"}),
                "x-kubernetes-list-map-keys",
            ),
            (
                json!({"type": "object", "x-kubernetes-validations": [{"rule": "self."}]}),
                "x-kubernetes-validations[0].rule",
            ),
        ];
        for (document, path) in table {
            let errors = parse(&document).unwrap_err();
            assert_eq!(errors[0].path, path, "{document}");
        }
        assert!(parse(&json!({"type": "object", "properties": {"a": {"x-kubernetes-int-or-string": true}}})).is_ok());
    }
}
