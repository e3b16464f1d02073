//! Structural schemas: the subset of OpenAPI v3 that CustomResourceDefinitions may use, compiled once per version.
//!
//! Built-in kinds are described by the same schemas (`resource/builtin/`), so that pruning, defaulting, apply and
//! documentation have one implementation.

mod cel;
mod default;
mod formats;
pub(crate) mod openapi;
mod parse;
mod passed;
mod place;
mod prune;
mod reads;
mod same;
mod typed;
mod validate;

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::{Number, Value};

pub(crate) use cel::Rules;
pub(crate) use default::apply_defaults;
pub(crate) use parse::{SchemaError, parse, parse_definition};
pub(crate) use place::Place;
pub(crate) use prune::prune;
pub(crate) use same::{same, same_as};
pub(crate) use typed::decode_typed;
pub(crate) use validate::{validate, validate_nulls};

/// JSON type of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JsonType {
    Object,
    Array,
    String,
    Integer,
    Number,
    Boolean,
}

impl JsonType {
    pub(crate) fn name(self) -> &'static str {
        match self {
            JsonType::Object => "object",
            JsonType::Array => "array",
            JsonType::String => "string",
            JsonType::Integer => "integer",
            JsonType::Number => "number",
            JsonType::Boolean => "boolean",
        }
    }
}

/// `x-kubernetes-list-type`: how list items are told apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum ListKind {
    /// The list is one value.
    #[default]
    Atomic,
    /// Every value at most once.
    Set,
    /// Items are identified by these keys.
    Map(Vec<String>),
}

/// Value limits of a node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Limits {
    pub(crate) minimum: Option<Number>,
    pub(crate) exclusive_minimum: bool,
    pub(crate) maximum: Option<Number>,
    pub(crate) exclusive_maximum: bool,
    pub(crate) multiple_of: Option<Number>,
    pub(crate) min_length: Option<u64>,
    pub(crate) max_length: Option<u64>,
    pub(crate) min_items: Option<u64>,
    pub(crate) max_items: Option<u64>,
    pub(crate) min_properties: Option<u64>,
    pub(crate) max_properties: Option<u64>,
    pub(crate) pattern: Option<Regex>,
}

/// One node of a structural schema.
#[derive(Debug, Default)]
pub(crate) struct Schema {
    pub(crate) json_type: Option<JsonType>,
    pub(crate) int_or_string: bool,
    pub(crate) nullable: bool,
    pub(crate) properties: BTreeMap<String, Schema>,
    /// Schema of the values of a map.
    pub(crate) additional: Option<Box<Schema>>,
    pub(crate) items: Option<Box<Schema>>,
    pub(crate) preserve_unknown: bool,
    pub(crate) embedded_resource: bool,
    pub(crate) list: ListKind,
    /// `x-kubernetes-map-type: atomic`.
    pub(crate) atomic_map: bool,
    pub(crate) default: Option<Value>,
    pub(crate) required: Vec<String>,
    pub(crate) enumeration: Option<Vec<Value>>,
    pub(crate) format: Option<String>,
    pub(crate) limits: Limits,
    pub(crate) all_of: Vec<Schema>,
    pub(crate) any_of: Vec<Schema>,
    pub(crate) one_of: Vec<Schema>,
    pub(crate) not: Option<Box<Schema>>,
    /// CEL rules of this very node.
    pub(crate) rules: Option<Rules>,
    /// Whether this node or one below it has CEL rules: subtrees without any are not walked.
    pub(crate) has_rules: bool,
}

impl Schema {
    /// The schema of a field of an object node: a declared property, or the value schema of a map.
    pub(crate) fn field(&self, name: &str) -> Option<&Schema> {
        self.properties.get(name).or(self.additional.as_deref())
    }

    /// A map: keys are data, not field names.
    pub(crate) fn is_map(&self) -> bool {
        self.additional.is_some()
    }
}

/// `parent.child`, or `child` at the root.
pub(crate) fn child_path(parent: &str, child: &str) -> String {
    if parent.is_empty() {
        child.to_owned()
    } else {
        format!("{parent}.{child}")
    }
}

/// The identity of an item in a map list: the values of its keys, defaults filled in.
pub(crate) fn item_key(item: &Value, keys: &[String], items: Option<&Schema>) -> Vec<(String, Value)> {
    keys.iter()
        .filter_map(|key| Some((key.clone(), key_value(item, key, items)?.clone())))
        .collect()
}

/// Whether two items of a map list have the same identity.
pub(crate) fn same_item(item: &Value, other: &Value, keys: &[String], items: Option<&Schema>) -> bool {
    keys.iter()
        .all(|key| key_value(item, key, items) == key_value(other, key, items))
}

fn key_value<'a>(item: &'a Value, key: &str, items: Option<&'a Schema>) -> Option<&'a Value> {
    let default = || items?.properties.get(key)?.default.as_ref();
    item.get(key).or_else(default)
}

/// The item of an older list that a list item continues, if the list says how to tell them apart.
pub(crate) fn correlate<'a>(schema: &Schema, item: &Value, old: Option<&'a Value>) -> Option<&'a Value> {
    let ListKind::Map(keys) = &schema.list else { return None };
    let same = |candidate: &&Value| same_item(candidate, item, keys, schema.items.as_deref());
    old?.as_array()?.iter().find(same)
}
