//! BMCVersion: the firmware version a BMC should run (contract section 2.6).

use crate::kinds::bios_version::{VersionStatus, VersionTemplate};
use crate::shared::{LocalObjectReference, ObjectReference};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What one BMC should run.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "metal.ironcore.dev",
    version = "v1alpha1",
    doc = "The firmware version a BMC should run.",
    kind = "BMCVersion",
    plural = "bmcversions",
    singular = "bmcversion",
    shortname = "bmcv",
    status = "VersionStatus",
    derive = "PartialEq",
    printcolumn = r#"{"name":"BMCVersion","type":"string","jsonPath":".spec.version"}"#,
    printcolumn = r#"{"name":"UpdatePolicy","type":"string","jsonPath":".spec.updatePolicy"}"#,
    printcolumn = r#"{"name":"BMCRef","type":"string","jsonPath":".spec.bmcRef.name"}"#,
    printcolumn = r#"{"name":"TaskProgress","type":"integer","jsonPath":".status.upgradeTask.percentageComplete"}"#,
    printcolumn = r#"{"name":"TaskState","type":"string","jsonPath":".status.upgradeTask.state"}"#,
    printcolumn = r#"{"name":"TaskStatus","type":"string","jsonPath":".status.upgradeTask.status"}"#,
    printcolumn = r#"{"name":"State","type":"string","jsonPath":".status.state"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct BMCVersionSpec {
    #[serde(flatten)]
    pub template: VersionTemplate,
    /// One for each server of the BMC; written by the operator.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub server_maintenance_refs: Vec<ObjectReference>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-validations" = json!([{"rule": "self == oldSelf", "message": "bmcRef is immutable"}])))]
    pub bmc_ref: Option<LocalObjectReference>,
}
