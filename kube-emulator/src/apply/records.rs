//! Changes to `managedFields` in place. Most writes change a field or two of an object with hundreds: its records are
//! not read and written anew for that.

use serde_json::{Map, Value, json};

use super::compare::Comparison;
use super::field_set::{FieldSet, PathElement};
use super::managers::MAX_UPDATE_MANAGERS;

/// What marks a field with others below it as owned itself.
const SELF: &str = ".";

/// Who updates.
pub(super) struct Updater<'a> {
    pub(super) manager: &'a str,
    pub(super) api_version: &'a str,
    pub(super) subresource: Option<&'a str>,
    pub(super) time: &'a str,
}

/// Records an update in the records of an object, as [`super::managers::Managers`] would. False, with nothing changed,
/// if that takes more than moving fields from entry to entry.
pub(super) fn update(entries: &mut Vec<Value>, comparison: &Comparison, updater: &Updater<'_>) -> bool {
    let known = entries.iter().position(|entry| updater.is(entry));
    let updates = entries.iter().filter(|entry| text(entry, "operation") == "Update");
    let gained = comparison.added.union(&comparison.modified);
    let (Some(known), true) = (known, updates.count() <= MAX_UPDATE_MANAGERS) else {
        return false;
    };
    if !entries.iter().all(|entry| entry["fieldsV1"].is_object()) || text(&entries[known], "time").is_empty() {
        return false;
    }
    for (index, entry) in entries.iter_mut().enumerate() {
        let Some(fields) = entry.get_mut("fieldsV1").and_then(Value::as_object_mut) else {
            continue;
        };
        subtract(fields, &comparison.removed);
        // What its own manager changes stays with it.
        if index != known {
            subtract(fields, &gained);
        }
    }
    if !gained.is_empty()
        && let Some(entry) = entries[known].as_object_mut()
    {
        if let Some(fields) = entry.get_mut("fieldsV1").and_then(Value::as_object_mut) {
            add(fields, &gained);
        }
        entry.insert("time".to_owned(), json!(updater.time));
    }
    entries.retain(|entry| entry["fieldsV1"].as_object().is_some_and(|fields| !fields.is_empty()));
    entries.sort_by(|a, b| order(a).cmp(&order(b)));
    true
}

impl Updater<'_> {
    fn is(&self, entry: &Value) -> bool {
        text(entry, "operation") == "Update"
            && text(entry, "manager") == self.manager
            && text(entry, "apiVersion") == self.api_version
            && text(entry, "subresource") == self.subresource.unwrap_or_default()
    }
}

fn text<'a>(entry: &'a Value, field: &str) -> &'a str {
    entry.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// The server's order of entries.
fn order(entry: &Value) -> (bool, [&str; 4]) {
    let fields = ["time", "manager", "apiVersion", "subresource"].map(|field| text(entry, field));
    (text(entry, "operation") != "Apply", fields)
}

/// Takes a set away from the `fieldsV1` of an entry.
fn subtract(fields: &mut Map<String, Value>, set: &FieldSet) {
    for element in set.members() {
        let name = element.encode();
        match fields.get_mut(&name).and_then(Value::as_object_mut) {
            Some(below) if !below.is_empty() => {
                below.shift_remove(SELF);
            }
            Some(_) => {
                fields.shift_remove(&name);
            }
            None => {}
        }
    }
    for (element, child) in set.children() {
        let name = element.encode();
        let Some(below) = fields.get_mut(&name).and_then(Value::as_object_mut) else {
            continue;
        };
        if below.is_empty() {
            continue;
        }
        subtract(below, child);
        if below.is_empty() {
            fields.shift_remove(&name);
        } else if below.len() == 1 && below.contains_key(SELF) {
            below.clear();
        }
    }
}

/// Adds a set to the `fieldsV1` of an entry.
fn add(fields: &mut Map<String, Value>, set: &FieldSet) {
    for element in set.members() {
        let below = entry(fields, element);
        if !below.is_empty() && !below.contains_key(SELF) {
            below.shift_insert(0, SELF.to_owned(), json!({}));
        }
    }
    for (element, child) in set.children() {
        let known = fields.contains_key(&element.encode());
        let below = entry(fields, element);
        if known && below.is_empty() {
            below.insert(SELF.to_owned(), json!({}));
        }
        add(below, child);
    }
}

/// The node of an element; a new one is where [`FieldSet::encode`] would put it.
fn entry<'a>(fields: &'a mut Map<String, Value>, element: &PathElement) -> &'a mut Map<String, Value> {
    let name = element.encode();
    if !fields.get(&name).is_some_and(Value::is_object) {
        // Encoded elements sort like elements, and the mark sorts before all of them.
        let index = fields.keys().take_while(|known| **known < name).count();
        fields.shift_insert(index, name.clone(), json!({}));
    }
    match fields.get_mut(&name) {
        Some(Value::Object(below)) => below,
        _ => unreachable!("the node was made an object just above"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::managers::{Entry, Managers};
    use super::*;

    fn set(fields: Value) -> FieldSet {
        FieldSet::decode(&fields)
    }

    /// Whatever is moved: the outcome is that of reading, changing and writing the records.
    #[test]
    fn in_place_is_like_the_long_way() {
        let entry = |manager: &str, time: &str, fields: Value| {
            json!({"manager": manager, "operation": "Update", "apiVersion": "v1", "time": time,
                   "fieldsType": "FieldsV1", "fieldsV1": fields})
        };
        let entries = json!([
            {"manager": "user", "operation": "Apply", "apiVersion": "v1", "time": "1", "fieldsType": "FieldsV1",
             "fieldsV1": {"f:spec": {"f:a": {}, "f:b": {}}}},
            entry("other", "1", json!({"f:spec": {"f:c": {".": {}, "f:x": {}}, "f:list": {"k:{\"n\":1}": {".": {}, "f:n": {}}}}})),
            entry("me", "2", json!({"f:spec": {".": {}, "f:d": {}, "f:m": {"f:x": {}}}, "f:z": {}})),
        ]);
        let changes = [
            json!({}),
            json!({"f:spec": {"f:a": {}}}),
            json!({"f:spec": {"f:a": {}, "f:b": {}}}),
            json!({"f:spec": {"f:c": {"f:x": {}}}}),
            json!({"f:spec": {"f:c": {".": {}, "f:x": {}}}}),
            json!({"f:spec": {"f:c": {}}}),
            json!({"f:spec": {".": {}, "f:d": {}, "f:m": {"f:x": {}}}, "f:z": {}}),
            json!({"f:spec": {"f:d": {"f:new": {}}, "f:e": {".": {}, "f:y": {}}, "f:list": {"v:1": {}, "k:{\"n\":0}": {}}}}),
            json!({"f:spec": {"f:list": {"k:{\"n\":1}": {".": {}, "f:n": {}}}}, "f:a": {"f:b": {"f:c": {}}}}),
            json!({"f:spec": {"f:m": {".": {}, "f:y": {}}}}),
        ];
        for added in &changes {
            for removed in &changes {
                let comparison = Comparison {
                    added: set(added.clone()),
                    modified: FieldSet::default(),
                    removed: set(removed.clone()),
                };
                let mut object = json!({"metadata": {"managedFields": entries}});
                let mut managers = Managers::read(&object);
                managers.lose(&comparison, None);
                if !comparison.added.is_empty() {
                    managers.gain(Entry::new("me", false, "v1", None, "3", comparison.added.clone()));
                }
                managers.write(&mut object);
                let Value::Array(mut in_place) = entries.clone() else {
                    unreachable!()
                };
                let updater = Updater {
                    manager: "me",
                    api_version: "v1",
                    subresource: None,
                    time: "3",
                };
                assert!(update(&mut in_place, &comparison, &updater));
                // As text: the order of fields counts.
                let expected = object["metadata"]["managedFields"].to_string();
                assert_eq!(Value::Array(in_place).to_string(), expected, "{added} {removed}");
            }
        }
    }
}
