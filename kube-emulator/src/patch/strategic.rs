//! Strategic merge patch, for built-in kinds: lists with a merge key are merged item by item.

use serde_json::{Map, Value};

/// How a list of a built-in kind is merged; every other list is replaced.
enum Merge {
    /// Items are objects with this key.
    ByKey(&'static str),
    /// Items are values.
    Values,
}

/// The lists with a merge strategy among the kinds served here, by the path of their field.
fn merge_of(path: &str) -> Option<Merge> {
    match path {
        "metadata.finalizers" | "spec.finalizers" => Some(Merge::Values),
        "metadata.ownerReferences" => Some(Merge::ByKey("uid")),
        "secrets" | "imagePullSecrets" => Some(Merge::ByKey("name")),
        "status.conditions" => Some(Merge::ByKey("type")),
        "spec.template.spec.containers" | "spec.template.spec.initContainers" | "spec.containers" => {
            Some(Merge::ByKey("name"))
        }
        _ => None,
    }
}

/// Applies `patch` to `target`. The error is what is wrong with the patch.
pub(crate) fn strategic_merge(target: &mut Value, patch: &Value) -> Result<(), String> {
    merge(target, patch, "")
}

fn merge(target: &mut Value, patch: &Value, path: &str) -> Result<(), String> {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return Ok(());
    };
    match patch.get("$patch").and_then(Value::as_str) {
        Some("replace") => {
            *target = Value::Object(without_directives(patch));
            return Ok(());
        }
        Some("delete") => {
            *target = Value::Object(Map::new());
            return Ok(());
        }
        Some("merge") | None => {}
        Some(other) => return Err(format!("Unknown patch type found: {other}")),
    }
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(fields) = target else { return Ok(()) };
    if let Some(retained) = patch.get("$retainKeys").and_then(Value::as_array) {
        fields.retain(|name, _| retained.iter().any(|kept| kept == name));
    }
    for (name, value) in patch {
        if let Some(list) = name.strip_prefix("$deleteFromPrimitiveList/") {
            let dropped = value.as_array().map(Vec::as_slice).unwrap_or_default();
            if let Some(list) = fields.get_mut(list).and_then(Value::as_array_mut) {
                list.retain(|item| !dropped.contains(item));
            }
        }
    }
    for (name, value) in patch.iter().filter(|(name, _)| !name.starts_with('$')) {
        let child = crate::schema::child_path(path, name);
        match (value, merge_of(&child)) {
            (Value::Null, _) => {
                fields.shift_remove(name);
            }
            (Value::Array(items), Some(strategy)) => {
                let list = fields.entry(name).or_insert_with(|| Value::Array(Vec::new()));
                if !list.is_array() {
                    *list = Value::Array(Vec::new());
                }
                if let Value::Array(list) = list {
                    let order = patch.get(&format!("$setElementOrder/{name}")).and_then(Value::as_array);
                    merge_list(list, items, &strategy, order, &child)?;
                }
            }
            (Value::Object(_), _) => merge(fields.entry(name).or_insert(Value::Null), value, &child)?,
            _ => {
                fields.insert(name.clone(), value.clone());
            }
        }
    }
    Ok(())
}

fn without_directives(patch: &Map<String, Value>) -> Map<String, Value> {
    patch
        .iter()
        .filter(|(name, _)| !name.starts_with('$'))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn merge_list(
    list: &mut Vec<Value>,
    items: &[Value],
    strategy: &Merge,
    order: Option<&Vec<Value>>,
    path: &str,
) -> Result<(), String> {
    match strategy {
        Merge::Values => {
            let mut fresh: Vec<Value> = items.iter().filter(|item| !list.contains(item)).cloned().collect();
            fresh.append(list);
            *list = fresh;
        }
        Merge::ByKey(key) => {
            if items
                .iter()
                .any(|item| item.get("$patch").and_then(Value::as_str) == Some("replace"))
            {
                *list = items
                    .iter()
                    .filter(|item| item.get("$patch").is_none())
                    .cloned()
                    .collect();
                return Ok(());
            }
            let mut fresh = Vec::new();
            for item in items {
                let identity = item
                    .get(*key)
                    .ok_or_else(|| format!("map: {item} does not contain declared merge key: {key}"))?;
                let position = list.iter().position(|old| old.get(*key) == Some(identity));
                let delete = item.get("$patch").and_then(Value::as_str) == Some("delete");
                match (position, delete) {
                    (Some(position), true) => {
                        list.remove(position);
                    }
                    (Some(position), false) => merge(&mut list[position], item, path)?,
                    (None, true) => {}
                    (None, false) => fresh.push(item.clone()),
                }
            }
            // New items come first.
            fresh.append(list);
            *list = fresh;
        }
    }
    if let Some(order) = order {
        let rank = |item: &Value| {
            order.iter().position(|wanted| match strategy {
                Merge::Values => wanted == item,
                Merge::ByKey(key) => wanted.get(*key) == item.get(*key),
            })
        };
        list.sort_by_key(|item| rank(item).unwrap_or(usize::MAX));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_with_keys_are_merged_and_others_replaced() {
        // (target, patch, result)
        let table = [
            (
                json!({"metadata": {"labels": {"a": "1", "b": "2"}}}),
                json!({"metadata": {"labels": {"a": null, "c": "3"}}}),
                json!({"metadata": {"labels": {"b": "2", "c": "3"}}}),
            ),
            (
                json!({"metadata": {"finalizers": ["x", "y"]}}),
                json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["x"], "finalizers": ["z"]}}),
                json!({"metadata": {"finalizers": ["z", "y"]}}),
            ),
            (
                json!({"secrets": [{"name": "a", "kind": "k"}]}),
                json!({"secrets": [{"name": "b"}, {"name": "a", "uid": "u"}]}),
                json!({"secrets": [{"name": "b"}, {"name": "a", "kind": "k", "uid": "u"}]}),
            ),
            (
                json!({"secrets": [{"name": "a"}, {"name": "b"}]}),
                json!({"secrets": [{"name": "a", "$patch": "delete"}]}),
                json!({"secrets": [{"name": "b"}]}),
            ),
            (
                json!({"data": {"a": "1"}}),
                json!({"data": {"$patch": "replace", "b": "2"}}),
                json!({"data": {"b": "2"}}),
            ),
            (json!({"rules": [1, 2]}), json!({"rules": [3]}), json!({"rules": [3]})),
        ];
        for (target, patch, expected) in table {
            let mut result = target.clone();
            strategic_merge(&mut result, &patch).unwrap();
            assert_eq!(result, expected, "{target} + {patch}");
        }
        assert!(strategic_merge(&mut json!({}), &json!({"$patch": "fly"})).is_err());
    }
}
