//! Protobuf request bodies.

use serde_json::Value;

pub(super) const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";

pub(super) fn decode(_: &[u8]) -> Result<Value, String> {
    Err("protobuf".to_owned())
}
