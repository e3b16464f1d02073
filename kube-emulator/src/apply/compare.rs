//! Which fields an object has, and how two objects differ.

use serde_json::Value;

use super::field_schema;
use super::field_set::{FieldSet, PathElement};
use crate::schema::{ListKind, Schema, item_key, same_as};

/// The difference between two objects.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Comparison {
    pub(super) added: FieldSet,
    pub(super) modified: FieldSet,
    pub(super) removed: FieldSet,
}

impl Comparison {
    pub(super) fn retain(self, filter: impl Fn(FieldSet) -> FieldSet) -> Self {
        Self {
            added: filter(self.added),
            modified: filter(self.modified),
            removed: filter(self.removed),
        }
    }

    fn put_below(&mut self, element: &PathElement, below: Comparison) {
        self.added.insert_child(element.clone(), below.added);
        self.modified.insert_child(element.clone(), below.modified);
        self.removed.insert_child(element.clone(), below.removed);
    }
}

/// How a value is made of parts.
enum Parts<'a> {
    /// One value.
    Leaf,
    /// Fields or keys; the flag says whether a field is declared.
    Fields(Vec<(PathElement, &'a Value, Option<&'a Schema>, bool)>),
    /// Items of an associative list.
    Items(Vec<(PathElement, &'a Value, Option<&'a Schema>)>),
}

fn parts<'a>(schema: Option<&'a Schema>, value: &'a Value) -> Parts<'a> {
    match value {
        Value::Object(object) if !schema.is_some_and(|schema| schema.atomic_map) => Parts::Fields(
            object
                .iter()
                .map(|(name, child)| {
                    let declared = schema.is_some_and(|schema| schema.properties.contains_key(name));
                    (
                        PathElement::Field(name.clone()),
                        child,
                        field_schema(schema, name),
                        declared,
                    )
                })
                .collect(),
        ),
        Value::Array(list) => {
            let Some(schema) = schema else { return Parts::Leaf };
            let items = schema.items.as_deref();
            match &schema.list {
                ListKind::Atomic => Parts::Leaf,
                ListKind::Set => Parts::Items(
                    list.iter()
                        .map(|item| (PathElement::Value(item.to_string()), item, items))
                        .collect(),
                ),
                ListKind::Map(keys) => Parts::Items(
                    list.iter()
                        .map(|item| (PathElement::key(&item_key(item, keys, items)), item, items))
                        .collect(),
                ),
            }
        }
        _ => Parts::Leaf,
    }
}

/// Whether a value has no parts, without taking it apart.
fn is_leaf(schema: Option<&Schema>, value: &Value) -> bool {
    match value {
        Value::Object(_) => schema.is_some_and(|schema| schema.atomic_map),
        Value::Array(_) => schema.is_none_or(|schema| schema.list == ListKind::Atomic),
        _ => true,
    }
}

/// The fields an applied configuration names: leaves, keys of maps, items of lists; not the structs around them.
pub(super) fn field_set(schema: &Schema, value: &Value) -> FieldSet {
    let mut set = FieldSet::default();
    collect(Some(schema), value, &mut set);
    set
}

fn collect(schema: Option<&Schema>, value: &Value, set: &mut FieldSet) {
    match parts(schema, value) {
        Parts::Leaf => {}
        Parts::Fields(fields) => {
            for (element, child, schema, declared) in fields {
                let empty = child.is_null() || child.as_object().is_some_and(serde_json::Map::is_empty);
                let leaf = is_leaf(schema, child);
                if leaf || empty || !declared {
                    set.insert_member(element.clone());
                }
                let mut below = FieldSet::default();
                collect(schema, child, &mut below);
                set.insert_child(element, below);
            }
        }
        Parts::Items(items) => {
            for (element, child, schema) in items {
                set.insert_member(element.clone());
                let mut below = FieldSet::default();
                collect(schema, child, &mut below);
                set.insert_child(element, below);
            }
        }
    }
}

/// The first associative list with two items of the same identity.
pub(super) fn duplicate_item(schema: Option<&Schema>, value: &Value, path: &str) -> Option<(String, String)> {
    match parts(schema, value) {
        Parts::Leaf => None,
        Parts::Fields(fields) => fields
            .into_iter()
            .find_map(|(element, child, schema, _)| match element {
                PathElement::Field(name) => duplicate_item(schema, child, &crate::schema::child_path(path, &name)),
                PathElement::Key(_) | PathElement::Value(_) => None,
            }),
        Parts::Items(items) => {
            for (index, (element, child, schema)) in items.iter().enumerate() {
                if items[..index].iter().any(|(earlier, ..)| earlier == element) {
                    return Some((path.to_owned(), element.shown()));
                }
                if let Some(found) = duplicate_item(*schema, child, &format!("{path}{}", element.shown())) {
                    return Some(found);
                }
            }
            None
        }
    }
}

/// What was added, modified and removed from `old` to `new`. Containers that come or go count themselves.
pub(super) fn compare(schema: &Schema, old: &Value, new: &Value) -> Comparison {
    let mut comparison = Comparison::default();
    let old = if old.is_null() { None } else { Some(old) };
    walk(Some(schema), old, Some(new), &mut comparison);
    comparison
}

/// An element with its old and its new value, and its schema.
type Pair<'a> = (PathElement, Option<&'a Value>, Option<&'a Value>, Option<&'a Schema>);

fn walk(schema: Option<&Schema>, old: Option<&Value>, new: Option<&Value>, comparison: &mut Comparison) {
    for (element, old, new, schema) in differing(schema, old, new) {
        let container = |value: Option<&Value>| value.is_some_and(|value| !is_leaf(schema, value));
        match (old, new) {
            (None, _) => comparison.added.insert_member(element.clone()),
            (_, None) => comparison.removed.insert_member(element.clone()),
            // A value that changes its nature, or a leaf with another value.
            (Some(_), Some(_)) if !(container(old) && container(new)) => {
                comparison.modified.insert_member(element.clone());
            }
            _ => {}
        }
        let mut below = Comparison::default();
        walk(
            schema,
            old.filter(|_| container(old)),
            new.filter(|_| container(new)),
            &mut below,
        );
        comparison.put_below(&element, below);
    }
}

/// The elements in which two values differ.
fn differing<'a>(schema: Option<&'a Schema>, old: Option<&'a Value>, new: Option<&'a Value>) -> Vec<Pair<'a>> {
    // Mostly it is one field of many: the others are passed without making anything of them.
    if let (Some(Value::Object(old)), Some(Value::Object(new))) = (old, new)
        && !schema.is_some_and(|schema| schema.atomic_map)
    {
        let pair = |name: &String, old: Option<&'a Value>, new: Option<&'a Value>| -> Pair<'a> {
            (PathElement::Field(name.clone()), old, new, field_schema(schema, name))
        };
        let gone = old.iter().filter(|(name, _)| !new.contains_key(*name));
        let gone = gone.map(|(name, value)| pair(name, Some(value), None));
        let there = new.iter().filter(|(name, value)| !same_as(value, old.get(*name)));
        let there = there.map(|(name, value)| pair(name, old.get(name), Some(value)));
        return gone.chain(there).collect();
    }
    let mut pairs: Vec<Pair<'a>> = Vec::new();
    for (side, value) in [(false, old), (true, new)] {
        let Some(value) = value else { continue };
        let elements: Vec<_> = match parts(schema, value) {
            Parts::Leaf => Vec::new(),
            Parts::Fields(fields) => fields
                .into_iter()
                .map(|(element, child, schema, _)| (element, child, schema))
                .collect(),
            Parts::Items(items) => items,
        };
        for (element, child, schema) in elements {
            let found = if side {
                pairs.iter_mut().find(|(known, ..)| *known == element)
            } else {
                None
            };
            match (found, side) {
                (Some(pair), _) => pair.2 = Some(child),
                (None, true) => pairs.push((element, None, Some(child), schema)),
                (None, false) => pairs.push((element, Some(child), None, schema)),
            }
        }
    }
    pairs.retain(|(_, old, new, _)| old != new);
    pairs
}
