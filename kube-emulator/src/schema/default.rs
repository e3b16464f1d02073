//! Defaulting: missing fields get the default of their schema, nested ones only where the parent exists.

use serde_json::Value;

use super::Schema;

/// Fills defaults in. A `null` in a field that is not nullable counts as missing, and is dropped if there is no default.
pub(crate) fn apply_defaults(schema: &Schema, value: &mut Value) {
    match value {
        Value::Object(object) => {
            // By the fields that are there: a schema has many more, and each would have to be looked up.
            object.retain(|name, child| {
                let field = schema.properties.get(name).filter(|_| child.is_null());
                field.is_none_or(|field| field.nullable || field.default.is_some())
            });
            for (name, child) in object.iter_mut() {
                let field = schema.field(name);
                if let Some(field) = field {
                    replace_null(field, child);
                    apply_defaults(field, child);
                }
            }
            for (name, field) in &schema.properties {
                if let Some(default) = &field.default
                    && !object.contains_key(name)
                {
                    let mut child = default.clone();
                    apply_defaults(field, &mut child);
                    object.insert(name.clone(), child);
                }
            }
        }
        Value::Array(list) => {
            if let Some(items) = &schema.items {
                for item in list {
                    replace_null(items, item);
                    apply_defaults(items, item);
                }
            }
        }
        _ => {}
    }
}

fn replace_null(schema: &Schema, value: &mut Value) {
    if value.is_null()
        && !schema.nullable
        && let Some(default) = &schema.default
    {
        *value = default.clone();
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
