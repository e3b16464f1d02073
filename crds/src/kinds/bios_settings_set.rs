//! BIOSSettingsSet: BIOSSettings for every server with certain labels (contract section 2.7).

use crate::kinds::bios_settings::BIOSSettingsTemplate;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "metal.ironcore.dev",
    version = "v1alpha1",
    doc = "BIOSSettings for every server with certain labels.",
    kind = "BIOSSettingsSet",
    plural = "biossettingssets",
    singular = "biossettingsset",
    shortname = "biosss",
    status = "BIOSSettingsSetStatus",
    derive = "PartialEq",
    printcolumn = r#"{"name":"BIOSVersion","type":"string","jsonPath":".spec.biosSettingsTemplate.version"}"#,
    printcolumn = r#"{"name":"TotalServers","type":"string","jsonPath":".status.fullyLabeledServers"}"#,
    printcolumn = r#"{"name":"AvailableBIOSSettings","type":"string","jsonPath":".status.availableBIOSSettings"}"#,
    printcolumn = r#"{"name":"Pending","type":"string","jsonPath":".status.pendingBIOSSettings"}"#,
    printcolumn = r#"{"name":"InProgress","type":"string","jsonPath":".status.inProgressBIOSSettings"}"#,
    printcolumn = r#"{"name":"Completed","type":"string","jsonPath":".status.completedBIOSSettings"}"#,
    printcolumn = r#"{"name":"Failed","type":"string","jsonPath":".status.failedBIOSSettings"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct BIOSSettingsSetSpec {
    #[schemars(schema_with = "crate::schema::label_selector")]
    pub server_selector: LabelSelector,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bios_settings_template: Option<BIOSSettingsTemplate>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BIOSSettingsSetStatus {
    /// Selected servers.
    #[serde(rename = "fullyLabeledServers", default, skip_serializing_if = "Option::is_none")]
    pub targets: Option<i32>,
    #[serde(rename = "availableBIOSSettings", default, skip_serializing_if = "Option::is_none")]
    pub available: Option<i32>,
    #[serde(rename = "pendingBIOSSettings", default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<i32>,
    #[serde(rename = "inProgressBIOSSettings", default, skip_serializing_if = "Option::is_none")]
    pub in_progress: Option<i32>,
    #[serde(rename = "completedBIOSSettings", default, skip_serializing_if = "Option::is_none")]
    pub completed: Option<i32>,
    #[serde(rename = "failedBIOSSettings", default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<i32>,
}
