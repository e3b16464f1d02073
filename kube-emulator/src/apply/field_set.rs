//! Sets of field paths, and their `FieldsV1` form.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PathElement {
    /// `f:name`
    Field(String),
    /// `k:{"key":"value"}`: an item of a map list, its keys as canonical JSON.
    Key(String),
    /// `v:"value"`: an item of a set, as JSON.
    Value(String),
}

impl PathElement {
    /// The element of an item of a map list.
    pub(super) fn key(identity: &[(String, Value)]) -> Self {
        let sorted: BTreeMap<&str, &Value> = identity.iter().map(|(name, value)| (name.as_str(), value)).collect();
        PathElement::Key(serde_json::json!(sorted).to_string())
    }

    pub(super) fn encode(&self) -> String {
        match self {
            PathElement::Field(name) => format!("f:{name}"),
            PathElement::Key(key) => format!("k:{key}"),
            PathElement::Value(value) => format!("v:{value}"),
        }
    }

    fn decode(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        match kind {
            "f" => Some(PathElement::Field(rest.to_owned())),
            "k" => {
                let key: BTreeMap<String, Value> = serde_json::from_str(rest).ok()?;
                Some(PathElement::Key(serde_json::json!(key).to_string()))
            }
            "v" => Some(PathElement::Value(rest.to_owned())),
            _ => None,
        }
    }

    /// As conflicts show it.
    pub(super) fn shown(&self) -> String {
        match self {
            PathElement::Field(name) => format!(".{name}"),
            PathElement::Key(key) => {
                let fields: BTreeMap<String, Value> = serde_json::from_str(key).unwrap_or_default();
                let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
                format!("[{}]", fields.join(","))
            }
            PathElement::Value(value) => format!("[={value}]"),
        }
    }
}

/// A set of paths, as a trie.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FieldSet {
    members: BTreeSet<PathElement>,
    children: BTreeMap<PathElement, FieldSet>,
}

impl FieldSet {
    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty() && self.children.is_empty()
    }

    pub(super) fn insert_member(&mut self, element: PathElement) {
        self.members.insert(element);
    }

    /// Puts a set below an element; an empty one leaves no trace.
    pub(super) fn insert_child(&mut self, element: PathElement, child: FieldSet) {
        if !child.is_empty() {
            let merged = match self.children.get(&element) {
                Some(existing) => existing.union(&child),
                None => child,
            };
            self.children.insert(element, merged);
        }
    }

    pub(super) fn members(&self) -> impl Iterator<Item = &PathElement> {
        self.members.iter()
    }

    pub(super) fn children(&self) -> impl Iterator<Item = (&PathElement, &FieldSet)> {
        self.children.iter()
    }

    pub(super) fn contains(&self, element: &PathElement) -> bool {
        self.members.contains(element)
    }

    pub(super) fn child(&self, element: &PathElement) -> Option<&FieldSet> {
        self.children.get(element)
    }

    /// Names of the fields at this level.
    pub(super) fn field_names(&self) -> BTreeSet<String> {
        self.members
            .iter()
            .chain(self.children.keys())
            .filter_map(|element| match element {
                PathElement::Field(name) => Some(name.clone()),
                _ => None,
            })
            .collect()
    }

    /// Removes a path and everything below it.
    pub(super) fn remove(&mut self, path: &[PathElement]) {
        match path {
            [] => {}
            [last] => {
                self.members.remove(last);
                self.children.remove(last);
            }
            [first, rest @ ..] => {
                if let Some(child) = self.children.get_mut(first) {
                    child.remove(rest);
                    if child.is_empty() {
                        self.children.remove(first);
                    }
                }
            }
        }
    }

    /// Removes an element as a member, keeping what is below.
    pub(super) fn drop_membership(&mut self, element: &PathElement) {
        self.members.remove(element);
    }

    pub(super) fn union(&self, other: &FieldSet) -> FieldSet {
        let mut result = self.clone();
        result.members.extend(other.members.iter().cloned());
        for (element, child) in &other.children {
            result.insert_child(element.clone(), child.clone());
        }
        result
    }

    pub(super) fn intersection(&self, other: &FieldSet) -> FieldSet {
        let mut result = FieldSet {
            members: self.members.intersection(&other.members).cloned().collect(),
            children: BTreeMap::new(),
        };
        for (element, child) in &self.children {
            if let Some(counterpart) = other.children.get(element) {
                result.insert_child(element.clone(), child.intersection(counterpart));
            }
        }
        result
    }

    pub(super) fn difference(&self, other: &FieldSet) -> FieldSet {
        let mut result = FieldSet {
            members: self.members.difference(&other.members).cloned().collect(),
            children: BTreeMap::new(),
        };
        for (element, child) in &self.children {
            let rest = match other.children.get(element) {
                Some(counterpart) => child.difference(counterpart),
                None => child.clone(),
            };
            result.insert_child(element.clone(), rest);
        }
        result
    }

    /// Every member as text, e.g. `.spec.list[name="a"].size`.
    pub(super) fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.collect_paths("", &mut paths);
        paths
    }

    fn collect_paths(&self, prefix: &str, paths: &mut Vec<String>) {
        paths.extend(
            self.members
                .iter()
                .map(|element| format!("{prefix}{}", element.shown())),
        );
        for (element, child) in &self.children {
            child.collect_paths(&format!("{prefix}{}", element.shown()), paths);
        }
    }

    /// `fieldsV1`.
    pub(super) fn encode(&self) -> Value {
        let mut object = Map::new();
        let mut names: BTreeMap<&PathElement, bool> = self.members.iter().map(|element| (element, true)).collect();
        for element in self.children.keys() {
            names.entry(element).or_insert(false);
        }
        for (element, member) in names {
            let mut node = match self.children.get(element).map(FieldSet::encode) {
                Some(Value::Object(below)) => below,
                _ => Map::new(),
            };
            if member && self.children.contains_key(element) {
                node.shift_insert(0, ".".to_owned(), Value::Object(Map::new()));
            }
            object.insert(element.encode(), Value::Object(node));
        }
        Value::Object(object)
    }

    pub(super) fn decode(fields: &Value) -> FieldSet {
        let mut set = FieldSet::default();
        for (name, below) in fields.as_object().into_iter().flatten() {
            let Some(element) = PathElement::decode(name) else {
                continue;
            };
            let below_object = below.as_object();
            let member = below_object.is_none_or(|below| below.is_empty() || below.contains_key("."));
            if member {
                set.insert_member(element.clone());
            }
            set.insert_child(element, FieldSet::decode(below));
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_v1_round_trips() {
        let fields = json!({
            "f:metadata": {"f:labels": {".": {}, "f:a": {}}},
            "f:spec": {"f:list": {"k:{\"name\":\"x\"}": {".": {}, "f:name": {}}, "v:\"y\"": {}}, "f:size": {}},
        });
        let set = FieldSet::decode(&fields);
        assert_eq!(set.encode(), fields);
        assert_eq!(
            set.paths(),
            [
                ".metadata.labels",
                ".metadata.labels.a",
                ".spec.size",
                ".spec.list[name=\"x\"]",
                ".spec.list[=\"y\"]",
                ".spec.list[name=\"x\"].name"
            ]
        );
        assert!(set.difference(&set).is_empty());
        assert_eq!(set.union(&set), set);
        assert_eq!(set.intersection(&set), set);
    }
}
