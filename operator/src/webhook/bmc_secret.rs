//! BMCSecrets that were made immutable stay as they are, as core Secrets do.

use kube::ResourceExt;
use kube::core::DynamicObject;
use serde_json::Value;

use super::verdict::{Cause, Verdict};

/// Whether `old` may become `new`. Verdicts never quote what is in them.
pub(super) fn update(old: &DynamicObject, new: &DynamicObject) -> Verdict {
    let immutable = |object: &DynamicObject| object.data.get("immutable") == Some(&Value::Bool(true));
    if !immutable(old) {
        return Verdict::Allowed;
    }
    let same = |field: &str| content(old, field) == content(new, field);
    let broken = if !immutable(new) {
        Some(("immutable", "immutable field cannot be changed from true to false"))
    } else if !same("data") {
        Some(("data", "data field is immutable and cannot be updated"))
    } else if !same("stringData") {
        Some(("stringData", "stringData field is immutable and cannot be updated"))
    } else {
        None
    };
    match broken {
        Some((field, why)) => Verdict::invalid("BMCSecret", &new.name_any(), field, &Cause::Forbidden(why.to_owned())),
        None => Verdict::Allowed,
    }
}

/// Nothing, null and an empty map are the same.
fn content<'a>(object: &'a DynamicObject, field: &str) -> Option<&'a Value> {
    object
        .data
        .get(field)
        .filter(|value| !value.is_null() && value.as_object().is_none_or(|map| !map.is_empty()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn secret(data: Value) -> DynamicObject {
        let mut object = json!({ "apiVersion": "metal.ironcore.dev/v1alpha1", "kind": "BMCSecret", "metadata": { "name": "bmc-1" } });
        object
            .as_object_mut()
            .expect("an object")
            .extend(data.as_object().expect("an object").clone());
        serde_json::from_value(object).expect("an object")
    }

    #[test]
    fn what_is_immutable_stays() {
        let fixed = json!({ "immutable": true, "data": { "password": "Y2FuYXJ5" } });
        for (old, new, expected) in [
            (json!({}), json!({ "immutable": true, "data": { "a": "Yg==" } }), None),
            (json!({ "immutable": false, "data": { "a": "Yg==" } }), json!({}), None),
            (fixed.clone(), fixed.clone(), None),
            (
                fixed.clone(),
                json!({ "immutable": true, "data": { "password": "Y2FuYXJ5" }, "stringData": {}, "type": "x" }),
                None,
            ),
            (
                fixed.clone(),
                json!({ "immutable": false, "data": { "password": "Y2FuYXJ5" } }),
                Some("immutable: Forbidden: immutable field cannot be changed from true to false"),
            ),
            (
                fixed.clone(),
                json!({ "data": { "password": "Y2FuYXJ5" } }),
                Some("immutable: Forbidden: immutable field cannot be changed from true to false"),
            ),
            (
                fixed.clone(),
                json!({ "immutable": true, "data": { "password": "b3RoZXI=" } }),
                Some("data: Forbidden: data field is immutable and cannot be updated"),
            ),
            (
                fixed,
                json!({ "immutable": true, "data": { "password": "Y2FuYXJ5" }, "stringData": { "a": "b" } }),
                Some("stringData: Forbidden: stringData field is immutable and cannot be updated"),
            ),
        ] {
            let verdict = update(&secret(old.clone()), &secret(new.clone()));
            match (&verdict, expected) {
                (Verdict::Allowed, None) => {}
                (Verdict::Denied(status), Some(expected)) => {
                    let start = "BMCSecret.metal.ironcore.dev \"bmc-1\" is invalid: ";
                    assert_eq!(status.message, format!("{start}{expected}"));
                    assert!(!format!("{status:?}").contains("Y2FuYXJ5"), "{status:?}");
                }
                _ => panic!("{old} to {new}: {verdict:?}"),
            }
        }
    }
}
