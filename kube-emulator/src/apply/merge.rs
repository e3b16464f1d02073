//! Merging an applied configuration into the live object, and dropping what is not applied any more.

use serde_json::Value;

use super::field_schema;
use super::field_set::{FieldSet, PathElement};
use crate::schema::{ListKind, Schema, item_key};

/// Merges `applied` into `live`: maps by key, map lists by their keys, sets by value; everything else is replaced.
pub(super) fn merge(schema: &Schema, live: &mut Value, applied: &Value) {
    merge_node(Some(schema), live, applied);
}

fn merge_node(schema: Option<&Schema>, live: &mut Value, applied: &Value) {
    match (live, applied) {
        (Value::Object(live), Value::Object(applied)) if !schema.is_some_and(|schema| schema.atomic_map) => {
            for (name, value) in applied {
                match live.get_mut(name) {
                    Some(current) => merge_node(field_schema(schema, name), current, value),
                    None => {
                        live.insert(name.clone(), value.clone());
                    }
                }
            }
        }
        (Value::Array(live), Value::Array(applied)) if schema.is_some_and(|schema| schema.list != ListKind::Atomic) => {
            let Some(schema) = schema else { return };
            let items = schema.items.as_deref();
            for item in applied {
                let identity = element(schema, item);
                match live.iter_mut().find(|current| element(schema, current) == identity) {
                    Some(current) => merge_node(items, current, item),
                    None => live.push(item.clone()),
                }
            }
            // The applied order wins among the applied items.
            let order: Vec<PathElement> = applied.iter().map(|item| element(schema, item)).collect();
            let mut sorted: Vec<Value> = Vec::with_capacity(live.len());
            let mut ranked: Vec<(usize, Value)> = Vec::new();
            let mut slots: Vec<Option<Value>> = Vec::with_capacity(live.len());
            for item in live.drain(..) {
                match order.iter().position(|wanted| *wanted == element(schema, &item)) {
                    Some(rank) => {
                        ranked.push((rank, item));
                        slots.push(None);
                    }
                    None => slots.push(Some(item)),
                }
            }
            ranked.sort_by_key(|(rank, _)| *rank);
            let mut ranked = ranked.into_iter().map(|(_, item)| item);
            for slot in slots {
                sorted.extend(slot.or_else(|| ranked.next()));
            }
            *live = sorted;
        }
        (live, applied) => *live = applied.clone(),
    }
}

fn element(schema: &Schema, item: &Value) -> PathElement {
    match &schema.list {
        ListKind::Map(keys) => PathElement::key(&item_key(item, keys, schema.items.as_deref())),
        ListKind::Set | ListKind::Atomic => PathElement::Value(item.to_string()),
    }
}

/// Removes from `value` what is in `dropped` but not in `kept`. A map that is still applied, as `{}`, becomes null when
/// its last key goes: the real server does that too, and then refuses the object if the field is not nullable.
pub(super) fn remove_dropped(schema: &Schema, value: &mut Value, dropped: &FieldSet, kept: &FieldSet) {
    remove_node(Some(schema), value, dropped, Some(kept));
}

fn remove_node(schema: Option<&Schema>, value: &mut Value, dropped: &FieldSet, kept: Option<&FieldSet>) {
    // Whether something at or below an element stays owned by somebody.
    let is_kept =
        |element: &PathElement| kept.is_some_and(|kept| kept.contains(element) || kept.child(element).is_some());
    match value {
        Value::Object(object) => object.retain(|name, child| {
            let element = PathElement::Field(name.clone());
            if dropped.contains(&element) && !is_kept(&element) {
                return false;
            }
            let Some(below) = dropped.child(&element) else {
                return true;
            };
            let had_content = !is_hollow(child);
            remove_node(
                field_schema(schema, name),
                child,
                below,
                kept.and_then(|kept| kept.child(&element)),
            );
            let emptied = had_content && is_hollow(child);
            if emptied && child.is_object() && kept.is_some_and(|kept| kept.contains(&element)) {
                *child = Value::Null;
            }
            // A struct whose last owned field went was only there for that field.
            !emptied || is_kept(&element)
        }),
        Value::Array(list) => {
            let Some(schema) = schema.filter(|schema| schema.list != ListKind::Atomic) else {
                return;
            };
            list.retain_mut(|item| {
                let element = element(schema, item);
                if dropped.contains(&element) && !is_kept(&element) {
                    return false;
                }
                if let Some(below) = dropped.child(&element) {
                    remove_node(
                        schema.items.as_deref(),
                        item,
                        below,
                        kept.and_then(|kept| kept.child(&element)),
                    );
                }
                true
            });
        }
        _ => {}
    }
}

fn is_hollow(value: &Value) -> bool {
    match value {
        Value::Object(object) => object.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}
