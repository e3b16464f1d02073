//! Messages of vendor registries, which stand beside those of the Base registry in an iDRAC's errors.

use serde_json::{Value, json};

pub(super) fn message(id: &str, text: &str, severity: &str) -> Value {
    json!({
        "@odata.type": "#Message.v1_1_2.Message",
        "MessageId": format!("IDRAC.2.9.{id}"),
        "Message": text,
        "MessageArgs": [],
        "MessageArgs@odata.count": 0,
        "RelatedProperties": [],
        "RelatedProperties@odata.count": 0,
        "Resolution": "No response action is required.",
        "Severity": severity,
    })
}
