//! Messages of vendor registries, which stand beside those of the Base registry in errors, or in their place.

use serde_json::{Value, json};

use super::call::{Content, Reply};

/// Name and version of the registries.
pub(super) const IDRAC: &str = "IDRAC.2.9";
pub(super) const ILO: &str = "iLO.2.27";

pub(super) fn message(registry: &str, id: &str, text: &str, severity: &str) -> Value {
    json!({
        "@odata.type": "#Message.v1_1_2.Message",
        "MessageId": format!("{registry}.{id}"),
        "Message": text,
        "MessageArgs": [],
        "MessageArgs@odata.count": 0,
        "RelatedProperties": [],
        "RelatedProperties@odata.count": 0,
        "Resolution": "No response action is required.",
        "Severity": severity,
    })
}

/// An empty list of members becomes null ([`crate::Quirk::NullMembers`]).
pub(super) fn nullify_empty_members(reply: &mut Reply) {
    if let Some(Content::Json(body)) = &mut reply.body
        && body.get("Members").and_then(Value::as_array).is_some_and(Vec::is_empty)
    {
        body["Members"] = Value::Null;
    }
}

/// Puts the first message of an error in the place of the list ([`crate::Quirk::ExtendedInfoIsObject`]).
pub(super) fn unwrap_extended_info(reply: &mut Reply) {
    let Some(Content::Json(body)) = &mut reply.body else {
        return;
    };
    let Some(list) = body.pointer_mut("/error/@Message.ExtendedInfo") else {
        return;
    };
    let first = list.as_array_mut().and_then(|list| list.first_mut()).map(Value::take);
    if let Some(first) = first {
        *list = first;
    }
}
