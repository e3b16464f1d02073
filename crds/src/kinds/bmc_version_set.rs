//! BMCVersionSet: a BMCVersion for every BMC with certain labels (contract section 2.7).

use crate::kinds::bios_version::VersionTemplate;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "metal.ironcore.dev",
    version = "v1alpha1",
    doc = "A BMCVersion for every BMC with certain labels.",
    kind = "BMCVersionSet",
    plural = "bmcversionsets",
    singular = "bmcversionset",
    shortname = "bmcvs",
    status = "BMCVersionSetStatus",
    derive = "PartialEq",
    printcolumn = r#"{"name":"BMCVersion","type":"string","jsonPath":".spec.bmcVersionTemplate.version"}"#,
    printcolumn = r#"{"name":"selectedBMCs","type":"integer","jsonPath":".status.fullyLabeledBMCs"}"#,
    printcolumn = r#"{"name":"AvailableBMCVersion","type":"integer","jsonPath":".status.availableBMCVersion"}"#,
    printcolumn = r#"{"name":"Pending","type":"integer","jsonPath":".status.pendingBMCVersion"}"#,
    printcolumn = r#"{"name":"InProgress","type":"integer","jsonPath":".status.inProgressBMCVersion"}"#,
    printcolumn = r#"{"name":"Completed","type":"integer","jsonPath":".status.completedBMCVersion"}"#,
    printcolumn = r#"{"name":"Failed","type":"integer","jsonPath":".status.failedBMCVersion"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct BMCVersionSetSpec {
    #[schemars(schema_with = "crate::schema::label_selector")]
    pub bmc_selector: LabelSelector,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bmc_version_template: Option<VersionTemplate>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BMCVersionSetStatus {
    /// Selected BMCs.
    #[serde(rename = "fullyLabeledBMCs", default, skip_serializing_if = "Option::is_none")]
    pub targets: Option<i32>,
    #[serde(rename = "availableBMCVersion", default, skip_serializing_if = "Option::is_none")]
    pub available: Option<i32>,
    #[serde(rename = "pendingBMCVersion", default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<i32>,
    #[serde(rename = "inProgressBMCVersion", default, skip_serializing_if = "Option::is_none")]
    pub in_progress: Option<i32>,
    #[serde(rename = "completedBMCVersion", default, skip_serializing_if = "Option::is_none")]
    pub completed: Option<i32>,
    #[serde(rename = "failedBMCVersion", default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<i32>,
}
