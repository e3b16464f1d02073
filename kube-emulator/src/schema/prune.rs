//! Pruning: fields the schema does not declare are dropped, and named for `fieldValidation`.

use serde_json::Value;

use super::{Place, Schema};

/// Drops undeclared fields and returns their paths.
pub(crate) fn prune(schema: &Schema, value: &mut Value) -> Vec<String> {
    let mut unknown = Vec::new();
    prune_node(schema, value, &Place::Root, &mut unknown);
    unknown
}

fn prune_node(schema: &Schema, value: &mut Value, place: &Place<'_>, unknown: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            object.retain(|name, child| {
                if let Some(field) = schema.properties.get(name) {
                    prune_node(field, child, &Place::Field(place, name), unknown);
                    return true;
                }
                if let Some(additional) = &schema.additional {
                    prune_node(additional, child, &Place::Field(place, name), unknown);
                    return true;
                }
                if schema.preserve_unknown
                    || (schema.embedded_resource && ["apiVersion", "kind", "metadata"].contains(&name.as_str()))
                {
                    return true;
                }
                unknown.push(Place::Field(place, name).to_string());
                false
            });
        }
        Value::Array(list) => {
            if let Some(items) = &schema.items {
                for (index, item) in list.iter_mut().enumerate() {
                    prune_node(items, item, &Place::Item(place, index), unknown);
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
    fn undeclared_fields_go_and_are_named() {
        let schema = parse(&json!({"type": "object", "properties": {
            "spec": {"type": "object", "properties": {
                "list": {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "string"}}}},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true,
                         "properties": {"known": {"type": "object", "properties": {"x": {"type": "string"}}}}},
                "map": {"type": "object", "additionalProperties": {"type": "string"}},
                "pod": {"type": "object", "x-kubernetes-embedded-resource": true, "properties": {"spec": {"type": "object"}}},
            }},
        }}))
        .unwrap();
        let mut value = json!({"bogus": 1, "spec": {
            "list": [{"a": "1"}, {"a": "2", "b": 3}],
            "free": {"any": {"thing": 1}, "known": {"x": "1", "y": "2"}},
            "map": {"k": "v"},
            "pod": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {}, "other": 1},
        }});
        let unknown = prune(&schema, &mut value);
        assert_eq!(
            unknown,
            ["bogus", "spec.list[1].b", "spec.free.known.y", "spec.pod.other"]
        );
        assert_eq!(value["spec"]["free"]["any"]["thing"], 1);
        assert_eq!(value["spec"]["pod"]["kind"], "Pod");
        assert!(value.get("bogus").is_none());
    }
}
