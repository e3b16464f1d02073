//! BIOSVersionSet: a BIOSVersion for every server with certain labels (contract section 2.7).

use crate::kinds::bios_version::VersionTemplate;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "metal.ironcore.dev",
    version = "v1alpha1",
    doc = "A BIOSVersion for every server with certain labels.",
    kind = "BIOSVersionSet",
    plural = "biosversionsets",
    singular = "biosversionset",
    shortname = "biosvs",
    status = "BIOSVersionSetStatus",
    derive = "PartialEq",
    printcolumn = r#"{"name":"BIOSVersion","type":"string","jsonPath":".spec.biosVersionTemplate.version"}"#,
    printcolumn = r#"{"name":"selectedServers","type":"integer","jsonPath":".status.fullyLabeledServers"}"#,
    printcolumn = r#"{"name":"AvailableBIOSVersion","type":"integer","jsonPath":".status.availableBIOSVersion"}"#,
    printcolumn = r#"{"name":"Pending","type":"integer","jsonPath":".status.pendingBIOSVersion"}"#,
    printcolumn = r#"{"name":"InProgress","type":"integer","jsonPath":".status.inProgressBIOSVersion"}"#,
    printcolumn = r#"{"name":"Completed","type":"integer","jsonPath":".status.completedBIOSVersion"}"#,
    printcolumn = r#"{"name":"Failed","type":"integer","jsonPath":".status.failedBIOSVersion"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct BIOSVersionSetSpec {
    #[schemars(schema_with = "crate::schema::label_selector")]
    pub server_selector: LabelSelector,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bios_version_template: Option<VersionTemplate>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BIOSVersionSetStatus {
    /// Selected servers.
    #[serde(rename = "fullyLabeledServers", default, skip_serializing_if = "Option::is_none")]
    pub targets: Option<i32>,
    #[serde(rename = "availableBIOSVersion", default, skip_serializing_if = "Option::is_none")]
    pub available: Option<i32>,
    #[serde(rename = "pendingBIOSVersion", default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<i32>,
    #[serde(rename = "inProgressBIOSVersion", default, skip_serializing_if = "Option::is_none")]
    pub in_progress: Option<i32>,
    #[serde(rename = "completedBIOSVersion", default, skip_serializing_if = "Option::is_none")]
    pub completed: Option<i32>,
    #[serde(rename = "failedBIOSVersion", default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<i32>,
}
