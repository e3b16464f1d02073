//! Defaulting: missing fields get the default of their schema, nested ones only where the parent exists.

use serde_json::Value;

use super::Schema;

/// Fills defaults in. A `null` in a field that is not nullable counts as missing, and is dropped if there is no default.
pub(crate) fn apply_defaults(schema: &Schema, value: &mut Value) {
    match value {
        Value::Object(object) => {
            for (name, field) in &schema.properties {
                match (object.get_mut(name), &field.default) {
                    (Some(child), None) if child.is_null() && !field.nullable => {
                        object.shift_remove(name);
                    }
                    (Some(child), default) => {
                        if let Some(default) = default.as_ref().filter(|_| child.is_null() && !field.nullable) {
                            *child = default.clone();
                        }
                        apply_defaults(field, child);
                    }
                    (None, Some(default)) => {
                        let mut child = default.clone();
                        apply_defaults(field, &mut child);
                        object.insert(name.clone(), child);
                    }
                    (None, None) => {}
                }
            }
            if let Some(additional) = &schema.additional {
                for (name, child) in object.iter_mut() {
                    if !schema.properties.contains_key(name) {
                        if child.is_null()
                            && !additional.nullable
                            && let Some(default) = &additional.default
                        {
                            *child = default.clone();
                        }
                        apply_defaults(additional, child);
                    }
                }
            }
        }
        Value::Array(list) => {
            if let Some(items) = &schema.items {
                for item in list {
                    if item.is_null()
                        && !items.nullable
                        && let Some(default) = &items.default
                    {
                        *item = default.clone();
                    }
                    apply_defaults(items, item);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::parse;
    use super::*;

    #[test]
    fn defaults_fire_where_the_parent_exists() {
        let schema = parse(&json!({"type": "object", "properties": {
            "color": {"type": "string", "default": "red"},
            "free": {"type": "string", "nullable": true, "default": "x"},
            "nested": {"type": "object", "properties": {"a": {"type": "string", "default": "x"}}},
            "list": {"type": "array", "items": {"type": "object", "properties": {"b": {"type": "integer", "default": 1}}}},
            "map": {"type": "object", "additionalProperties": {"type": "object", "properties": {"c": {"type": "boolean", "default": true}}}},
        }}))
        .unwrap();
        let table = [
            (json!({}), json!({"color": "red", "free": "x"})),
            (
                json!({"color": null, "free": null}),
                json!({"color": "red", "free": null}),
            ),
            (
                json!({"nested": null, "free": "y"}),
                json!({"color": "red", "free": "y"}),
            ),
            (
                json!({"color": "blue", "free": "y", "nested": {}}),
                json!({"color": "blue", "free": "y", "nested": {"a": "x"}}),
            ),
            (
                json!({"list": [{}, {"b": 2}]}),
                json!({"list": [{"b": 1}, {"b": 2}], "color": "red", "free": "x"}),
            ),
            (
                json!({"map": {"k": {}}}),
                json!({"map": {"k": {"c": true}}, "color": "red", "free": "x"}),
            ),
        ];
        for (mut value, expected) in table {
            apply_defaults(&schema, &mut value);
            assert_eq!(value, expected);
        }
    }
}
