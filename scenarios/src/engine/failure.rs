//! What is told about a step that failed.

use super::secrets::Secrets;
use crate::report::ObjectDump;
use serde_json::Value;

/// How many objects a failure shows; the rest is in the timeline.
const SHOWN_OBJECTS: usize = 4;

/// Why a step failed, before it is known which step it was.
#[derive(Debug, Default)]
pub(crate) struct StepFailure {
    pub message: String,
    /// One line per part that was not as it should be.
    pub details: Vec<String>,
    pub objects: Vec<ObjectDump>,
}

impl From<String> for StepFailure {
    fn from(message: String) -> Self {
        Self {
            message,
            ..Self::default()
        }
    }
}

/// The objects a failure is about, as YAML without what only machines read, and without secrets.
pub(crate) fn dump<'a>(objects: impl IntoIterator<Item = (String, &'a Value)>, secrets: &Secrets) -> Vec<ObjectDump> {
    objects
        .into_iter()
        .take(SHOWN_OBJECTS)
        .map(|(name, object)| ObjectDump {
            object: name,
            yaml: secrets.redact(&readable(object)),
        })
        .collect()
}

fn readable(object: &Value) -> String {
    let mut object = object.clone();
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    let secret = matches!(object.get("kind").and_then(Value::as_str), Some("Secret" | "BMCSecret"));
    if secret && let Some(map) = object.as_object_mut() {
        map.remove("data");
        map.remove("stringData");
    }
    serde_saphyr::to_string(&object).unwrap_or_else(|error| format!("cannot be written as YAML: {error}"))
}
